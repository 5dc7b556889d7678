#ifndef PRO_MODEL_WEIGHTS_H
#define PRO_MODEL_WEIGHTS_H

#include "kernels/kernels.h"
#include "lib/base/err.h"
#include "lib/stream/safetensors.h"

/* A model folder's weights: model.safetensors, or model.safetensors.index.json with its shards. */
struct weights;
int weights_open(struct weights **w, const char *dir, struct err *e);
const struct st_tensor *weights_find(const struct weights *w, const char *name);
/* Tensor i in name order over all shards; NULL behind the last. */
const struct st_tensor *weights_at(const struct weights *w, int i);
/* map_check of every file. */
int weights_check(const struct weights *w, struct err *e);
void weights_close(struct weights *w);

/* Converts n elements to float / from float (round to nearest even). */
int st_to_float(float *out, const struct st_tensor *t, struct err *e);
void k_from_float(void *out, enum k_dtype t, const float *x, size_t n);

#endif
