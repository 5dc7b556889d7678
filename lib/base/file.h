#ifndef PRO_BASE_FILE_H
#define PRO_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/* A whole file, mapped read-only.  An empty file has data "" and size 0. */
struct map {
	const char *data;
	size_t size;
	int mapped;
};

/* ERR_NOINPUT when path cannot be opened, ERR_IO when it cannot be mapped, ERR_DATA when a Git LFS
 * pointer stands in its place. */
int map_open(struct map *m, const char *path, struct err *e);
void map_close(struct map *m);

/* Reads a whole small file (at most max bytes; more, or a Git LFS pointer, is ERR_DATA) behind
 * what is in out. */
int file_read(const char *path, size_t max, struct buf *out, struct err *e);
/* 1 when path names something that exists. */
int file_exists(const char *path);
/* True when path names the very file that was stat'ed, whatever its spelling. */
bool file_is(const char *path, const struct stat *st);
/* True when both name one file that exists. */
bool file_same(const char *a, const char *b);
/* "dir/name" into out, which is reset first; returns out->data. */
const char *path_join(struct buf *out, const char *dir, const char *name);
/* Directory with its parents; no error when it exists. */
int dir_make(const char *path, struct err *e);
/* Removes a directory and all below it; no error when it is not there. */
int dir_remove(const char *path, struct err *e);
/* Copies a regular file (atomically, see out_open). */
int file_copy(const char *from, const char *to, struct err *e);

/*
 * A file that appears whole or not at all: written under a temporary name beside it, fsync'ed and
 * renamed by out_commit, removed by out_abort.  Write with out_write or to o->f; both are checked
 * at commit.
 */
struct out {
	FILE *f;
	char *path, *tmp;
};

int out_open(struct out *o, const char *path, struct err *e);
int out_write(struct out *o, const void *p, size_t n, struct err *e);
int out_commit(struct out *o, struct err *e);
void out_abort(struct out *o);
/* A whole small file through those. */
int file_write(const char *path, const void *p, size_t n, struct err *e);
/* Renames a finished temporary directory onto `to` (which is moved aside and removed), fsync'ing
 * the parents: after a crash either the old one or the new one is there. */
int dir_replace(const char *tmp, const char *to, struct err *e);

/* SHA-256, through libcrypto. */
struct sha256 {
	void *ctx;
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
/* Lower-case hex and NUL into hex; frees s. */
void sha256_hex(struct sha256 *s, char hex[65]);

#endif
