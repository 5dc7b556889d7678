#ifndef PRO_ALIGN_PLAN_H
#define PRO_ALIGN_PLAN_H

#include "lib/align/run.h"

/*
 * What a run will take, before the model is loaded: appends a table of bytes (parameters,
 * gradients, moments, activations of the largest micro-batch), of steps and tokens, and says which
 * --per-device-train-batch-size fits into memory_bytes (0: not known) when the asked one does not.
 */
void run_plan(const struct run_options *o, const struct model_config *c, const struct dataset *d,
	size_t memory_bytes, struct buf *out);

#endif
