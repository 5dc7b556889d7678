#ifndef PRO_BASE_FILE_H
#define PRO_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * A whole file, mapped read-only.  An empty file has data "" and size 0.
 *
 * The file may be changed by others while it is mapped: what is read then is no error by itself.
 * map_check says whether it happened, and is called before anything that was computed from the map
 * is given away.
 */
struct map {
	const char *data;
	size_t size;
	bool mapped;
	int fd;                  /* of the file, to look at it again */
	int place;               /* in map.c's table */
	char *path;              /* for messages */
	struct timespec written; /* modification time when it was opened */
};

/* ERR_NOINPUT when path cannot be opened or is no regular file, ERR_IO when it cannot be mapped,
 * ERR_DATA for a Git LFS pointer. */
int map_open(struct map *m, const char *path, struct err *e);
/* ERR_IO when the file has another size or modification time than at map_open, or could not be
 * read. */
int map_check(const struct map *m, struct err *e);
void map_close(struct map *m);
/* map_check and map_close: rc, or -1. */
int map_finish(struct map *m, int rc, struct err *e);
/*
 * For a program, once: reading a mapped page that its file has no more, or that its disk does not
 * give (SIGBUS), gives zeros, which map_check reports, instead of death.
 */
void map_guard(void);

/*
 * Opens a regular file for reading, at once: what is none (a FIFO, a device, a folder) is
 * ERR_NOINPUT and never waited for.  The descriptor, or -1.
 */
int file_open(const char *path, struct stat *st, struct err *e);
/* read(2) and write(2) of all n bytes, whatever signals come.  fd_read: the bytes read, fewer at
 * the end only, or -1; fd_write: 0 or -1; errno is set. */
ssize_t fd_read(int fd, void *p, size_t n);
int fd_write(int fd, const void *p, size_t n);
/* fsync(2), whatever signals come; no error where there is nothing to wait for (a pipe, a device, a
 * file system that cannot).  sync_parent: the folder that has path's name.  0 or -1 with errno. */
int fd_sync(int fd);
int sync_parent(const char *path);
/* Reads a whole small file (at most max bytes; more is ERR_DATA) behind what is in out. */
int file_read(const char *path, size_t max, struct buf *out, struct err *e);
/* 1 when path names something, even what cannot be looked at: a link to nothing too. */
int file_exists(const char *path);
/* True when path names the very file that was stat'ed, whatever its spelling. */
bool file_is(const char *path, const struct stat *st);
/* True when both name one file that exists. */
bool file_same(const char *a, const char *b);
/* "dir/name" into out, which is reset first; returns out->data. */
const char *path_join(struct buf *out, const char *dir, const char *name);
/* opendir(3) that ends the program when there is no memory: NULL says that it cannot be read. */
DIR *dir_open(const char *path);
/* Directory with its parents, whose names are on the disk then; no error when it exists. */
int dir_make(const char *path, struct err *e);
/* Removes a directory and all below it; no error when it is not there. */
int dir_remove(const char *path, struct err *e);
/* Copies a regular file (atomically, see out_open). */
int file_copy(const char *from, const char *to, struct err *e);

/*
 * A file that appears whole or not at all: written under a temporary name beside it, fsync'ed and
 * renamed by out_commit, removed by out_abort.  What a killed run left under such a name is removed
 * first.  A link stays, and what it leads to is replaced; what is there but no regular file (a
 * device, a FIFO) is written to as it is.  Write with out_write or to o->f; both are checked at
 * commit.
 */
struct out {
	FILE *f;
	int fd;
	char *path, *tmp; /* tmp NULL: written as it is, or renamed already */
};

int out_open(struct out *o, const char *path, struct err *e);
int out_write(struct out *o, const void *p, size_t n, struct err *e);
int out_commit(struct out *o, struct err *e);
void out_abort(struct out *o);
/* A whole small file through those. */
int file_write(const char *path, const void *p, size_t n, struct err *e);
/*
 * Gives a finished temporary directory its name, and fsyncs the parents; ERR_CANTCREAT when there
 * is something.  dir_replace takes the place of what is there, which is removed: after a crash
 * either the old one or the new one is there.  What fails when `to` is in its place says that it is
 * whole.
 */
int dir_publish(const char *tmp, const char *to, struct err *e);
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
