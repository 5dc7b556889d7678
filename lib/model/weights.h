#ifndef PRO_MODEL_WEIGHTS_H
#define PRO_MODEL_WEIGHTS_H

#include "kernels/kernels.h"
#include "lib/base/err.h"
#include "lib/base/file.h"

/*
 * safetensors (https://github.com/huggingface/safetensors): u64 little-endian header length, JSON
 * header, data.  Reading maps the file and checks everything before use: header size, offsets in
 * range, not overlapping, without holes, shape times size equal to the span.
 */
enum st_dtype { ST_F32, ST_F16, ST_BF16, ST_F64, ST_I64, ST_I32, ST_U8, ST_OTHER };
size_t st_dtype_size(enum st_dtype t);
const char *st_dtype_name(enum st_dtype t);

struct st_tensor {
	char *name;
	enum st_dtype dtype;
	int rank;
	int64_t shape[8];
	const void *data; /* into the map, or into the image given */
	size_t bytes;
};

/* One image in memory (a file's map, or a frame of a tensor stream). */
struct st_image {
	struct st_tensor *tensors; /* sorted by name */
	int n;
	char **meta; /* __metadata__: key, value, key, value ... */
	int n_meta;
};

/* data must outlive the image.  where names it in errors.  *used: bytes taken (8+header+data). */
int st_parse(struct st_image *s, const void *data, size_t size, size_t *used, const char *where,
	struct err *e);
const struct st_tensor *st_find(const struct st_image *s, const char *name);
const char *st_meta(const struct st_image *s, const char *key); /* NULL: none */
void st_image_free(struct st_image *s);

/* A model folder's weights: model.safetensors, or model.safetensors.index.json with its shards. */
struct weights;
int weights_open(struct weights **w, const char *dir, struct err *e);
const struct st_tensor *weights_find(const struct weights *w, const char *name);
/* Tensor i in name order over all shards; NULL behind the last. */
const struct st_tensor *weights_at(const struct weights *w, int i);
void weights_close(struct weights *w);

/*
 * Writing: describe all tensors, then their data, in order.  The image is written to f as it
 * comes; used for files (under struct out) and for stream frames.
 */
struct st_writer {
	FILE *f;
	struct buf header;
	size_t offset, written;
	int n;
	bool started;
};
void st_writer_init(struct st_writer *w, FILE *f);
void st_writer_meta(struct st_writer *w, const char *const *pairs, int n_pairs); /* first, once */
void st_writer_describe(
	struct st_writer *w, const char *name, enum st_dtype t, const int64_t *shape, int rank);
/* The data of the next described tensors, in any cutting; the header goes out before the first. */
int st_writer_data(struct st_writer *w, const void *p, size_t bytes, struct err *e);
/* Checks that all described bytes came; frees.  An image without tensors is legal. */
int st_writer_finish(struct st_writer *w, struct err *e);

/* Converts n elements to float / from float (round to nearest even). */
int st_to_float(float *out, const struct st_tensor *t, struct err *e);
void k_from_float(void *out, enum k_dtype t, const float *x, size_t n);

#endif
