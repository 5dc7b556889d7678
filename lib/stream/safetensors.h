#ifndef PRO_STREAM_SAFETENSORS_H
#define PRO_STREAM_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"

/*
 * safetensors images (https://github.com/huggingface/safetensors): u64 little-endian header
 * length, JSON header, data.  A model file is one image; a tensor stream is many, one after the
 * other.  Everything is checked before use: header size, offsets in range, not overlapping,
 * without holes, shape times element size equal to the span.
 */
enum st_dtype { ST_F32, ST_F16, ST_BF16, ST_F64, ST_I64, ST_I32, ST_U8, ST_OTHER };
size_t st_dtype_size(enum st_dtype t);      /* bytes of an element; 0 for ST_OTHER */
const char *st_dtype_name(enum st_dtype t); /* "F32" ...; "other" */

enum { ST_MAX_HEADER = 100000000 }; /* bytes; the limit of the reference implementation */

struct st_tensor {
	char *name;
	enum st_dtype dtype; /* ST_OTHER: a type that is not computed with here */
	int rank;
	int64_t shape[8];
	const void *data; /* into the map, or into the image given; any alignment */
	size_t bytes;
	size_t offset; /* of data in the image's data section */
};

/* One image in memory (a file's map, or a frame of a tensor stream). */
struct st_image {
	struct st_tensor *tensors; /* sorted by name */
	int n;
	char **meta; /* __metadata__: key, value, key, value ... */
	int n_meta;  /* pairs */
};

/* data must outlive the image.  where names it in errors.  *used: bytes taken (8+header+data),
 * which may be less than size: behind a file's image nothing may follow, which the caller checks.
 */
int st_parse(struct st_image *s, const void *data, size_t size, size_t *used, const char *where,
	struct err *e);
/* The same in two steps, for a stream: the header's n bytes of JSON, which say how many bytes of
 * data follow; then those, once they are there. */
int st_header(struct st_image *s, const char *json, size_t n, size_t *data_bytes, const char *where,
	struct err *e);
void st_attach(struct st_image *s, const void *data);
const struct st_tensor *st_find(const struct st_image *s, const char *name);
const char *st_meta(const struct st_image *s, const char *key); /* NULL: none */
void st_image_free(struct st_image *s);

/*
 * Writing: describe all tensors, then their data, in order.  The image is written to f as it
 * comes; used for files (under struct out) and for stream frames.  The header is padded to a
 * multiple of 8 bytes; describe wide types first and every tensor is aligned.
 */
struct st_writer {
	FILE *f;
	struct sha256 *sha; /* set after init: takes every byte written; NULL: none */
	struct buf header;
	size_t offset, written;
	int n;
	bool started;
};
void st_writer_init(struct st_writer *w, FILE *f);
/* First, at most once; pairs [2*n_pairs] key, value, key, value. */
void st_writer_meta(struct st_writer *w, const char *const *pairs, int n_pairs);
void st_writer_describe(
	struct st_writer *w, const char *name, enum st_dtype t, const int64_t *shape, int rank);
/* The data of the next described tensors, in any cutting; the header goes out before the first. */
int st_writer_data(struct st_writer *w, const void *p, size_t bytes, struct err *e);
/* Checks that all described bytes came (assert); frees.  An image without tensors is legal. */
int st_writer_finish(struct st_writer *w, struct err *e);
/* Frees without finishing, after an error; safe after finish. */
void st_writer_free(struct st_writer *w);

#endif
