#ifndef PRO_ALIGN_OPTIM_H
#define PRO_ALIGN_OPTIM_H

#include <stdint.h>

#include "kernels/kernels.h"
#include "lib/base/err.h"

/*
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101) as torch.optim.AdamW does it, over one flat block
 * of parameters; decay is on every parameter, norms and biases included, as in the paper's code.
 * The gradient is clipped by its global norm, as torch.nn.utils.clip_grad_norm_ does it: scaled by
 * max_grad_norm / (norm + 1e-6) where that is below 1.
 */
enum lr_schedule { LR_CONSTANT, LR_LINEAR, LR_COSINE };
#define LR_CHOICES "constant|linear|cosine"

struct optim_options {
	double learning_rate, beta1, beta2, epsilon, weight_decay;
	double max_grad_norm; /* 0: no clipping */
	enum lr_schedule schedule;
	double warmup_ratio; /* of all steps; the rate rises linearly from 0 */
};

/* Section 4.3 of the paper and its code. */
#define OPTIM_DEFAULTS                                                                \
	{                                                                             \
		.learning_rate = 5e-6, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, \
		.weight_decay = 0.01, .max_grad_norm = 1, .schedule = LR_CONSTANT     \
	}
extern const struct optim_options optim_defaults;

/*
 * Learning rate of update `step` (0-based) of `total`: as transformers' schedules, so that with a
 * warm-up the first update has rate 0 and linear and cosine would reach 0 at update `total`.
 */
double optim_rate(const struct optim_options *o, int64_t step, int64_t total);

struct optim {
	struct kernels *k;
	size_t n;
	float *m, *v; /* [n], device */
};

/* ERR_NOMEM when there is no memory. */
int optim_open(struct optim *o, struct kernels *k, size_t n, struct err *e);
void optim_close(struct optim *o);

/*
 * Update `step` (0-based) of w[n] by the gradient g[n].  *norm gets the gradient's norm before
 * clipping; a norm that is not finite is ERR_SOFTWARE, and w is untouched.
 */
int optim_step(struct optim *o, const struct optim_options *opt, double rate, int64_t step,
	float *w, const float *g, double *norm, struct err *e);

#endif
