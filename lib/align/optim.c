#include "lib/align/optim.h"

#include <math.h>
#include <string.h>

const struct optim_options optim_defaults = OPTIM_DEFAULTS;

double
optim_rate(const struct optim_options *o, int64_t step, int64_t total)
{
	int64_t warmup = (int64_t)ceil(o->warmup_ratio * (double)total);
	if (step < warmup)
		return o->learning_rate * (double)step / (double)warmup;
	double done = total > warmup ? (double)(step - warmup) / (double)(total - warmup) : 0;
	done = fmin(done, 1);
	switch (o->schedule) {
	case LR_LINEAR:
		return o->learning_rate * (1 - done);
	case LR_COSINE:
		return o->learning_rate * 0.5 * (1 + cos(3.14159265358979323846 * done));
	case LR_CONSTANT:
		break;
	}
	return o->learning_rate;
}

int
optim_open(struct optim *o, struct kernels *k, size_t n, struct err *e)
{
	*o = (struct optim){.k = k, .n = n};
	o->m = k->alloc(k, n * sizeof *o->m);
	o->v = k->alloc(k, n * sizeof *o->v);
	if (o->m == NULL || o->v == NULL) {
		optim_close(o);
		return err_set(e, ERR_NOMEM, "out of memory: %zu bytes for the optimiser",
			2 * n * sizeof *o->m);
	}
	return 0;
}

void
optim_close(struct optim *o)
{
	if (o->m)
		o->k->free(o->k, o->m);
	if (o->v)
		o->k->free(o->k, o->v);
	memset(o, 0, sizeof *o);
}

static int
wait(struct kernels *k, struct err *e)
{
	char msg[256];
	int rc = k->sync(k, msg, sizeof msg);
	return rc < 0 ? err_set(e, rc == K_NO_MEMORY ? ERR_NOMEM : ERR_SOFTWARE, "%s: %s", k->name,
				msg)
		      : 0;
}

int
optim_step(struct optim *o, const struct optim_options *opt, double rate, int64_t step, float *w,
	const float *g, double *norm, struct err *e)
{
	*norm = sqrt(o->k->sumsq(o->k, g, o->n));
	if (wait(o->k, e) < 0)
		return -1;
	if (!isfinite(*norm))
		return err_set(e, ERR_SOFTWARE, "the gradient is not finite");
	double scale = 1;
	if (opt->max_grad_norm > 0)
		scale = fmin(1, opt->max_grad_norm / (*norm + 1e-6));
	o->k->adamw(o->k, w, g, o->m, o->v, o->n, rate, opt->beta1, opt->beta2, opt->epsilon,
		opt->weight_decay, scale, step + 1);
	return wait(o->k, e);
}
