#ifndef PRO_ALIGN_PLAN_H
#define PRO_ALIGN_PLAN_H

#include "lib/align/run.h"

/*
 * What a run will take, before the model is loaded: appends a table of bytes (parameters,
 * gradients, moments, activations of the largest micro-batch), of steps and tokens.  ERR_CONFIG,
 * behind the whole table, when memory_bytes (0: not known) is less: the message says what would
 * fit. rate: floating-point operations a second, of plan_rate; 0: says no time.
 */
int run_plan(const struct run_options *o, const struct model_config *c, const struct dataset *d,
	size_t memory_bytes, double rate, struct buf *out, struct err *e);

/* Floating-point operations of training on every record of d once: matrix products and attention,
 * forward and backward, a shared prompt once. */
double plan_flops(const struct model_config *c, const struct dataset *d);
/*
 * What k makes of the feed-forward products of c, forward and backward, on a few rows, in `seconds`
 * behind a first round; clock gives seconds.  0 when there is no memory.
 */
double plan_rate(
	struct kernels *k, const struct model_config *c, double seconds, double (*clock)(void));
/*
 * The same for a run on d that is about to begin: as quick as it is small beside the run (less than
 * 1 %), and 0 where it would not be, without measuring.
 */
double plan_rate_beside(struct kernels *k, const struct run_options *o,
	const struct model_config *c, const struct dataset *d, double (*clock)(void));
/* The line before the first step: "about 1.1 GiB of memory, at least 35.2 s".  rate 0: no time. */
void plan_outline(const struct run_options *o, const struct model_config *c,
	const struct dataset *d, double rate, struct buf *out);

#endif
