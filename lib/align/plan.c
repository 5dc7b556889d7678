#include "lib/align/plan.h"

#include "lib/base/human.h"

enum { RATE_ROWS = 512 };

static size_t
total_bytes(const struct model_config *c, const struct dataset *d, int micro, struct train_plan *p)
{
	trainer_plan(c, d, micro, p);
	return p->parameters + p->gradients + p->moments + p->activations;
}

static void
row(struct buf *out, const char *name, size_t bytes)
{
	buf_printf(out, "%-14s %14zu bytes %9.1f MiB\n", name, bytes, (double)bytes / (1 << 20));
}

/* The largest micro-batch below `micro`, which does not fit, that does; 0: none. */
static int
largest_fitting(const struct model_config *c, const struct dataset *d, int micro, size_t memory)
{
	struct train_plan p;
	int fits = 0;
	while (micro - fits > 1) {
		int middle = fits + (micro - fits) / 2;
		if (total_bytes(c, d, middle, &p) > memory)
			micro = middle;
		else
			fits = middle;
	}
	return fits;
}

/* ERR_CONFIG: "does not fit into 15.3 GiB of memory: " and what would. */
static int
refuse(const struct model_config *c, const struct dataset *d, int micro, size_t memory,
	struct err *e)
{
	struct train_plan p;
	struct buf has = BUF_INIT, model = BUF_INIT;
	total_bytes(c, d, 1, &p);
	human_bytes(&has, (double)memory);
	human_bytes(&model, (double)(p.parameters + p.gradients + p.moments));
	int fits = largest_fitting(c, d, micro, memory);
	if (fits > 0)
		err_set(e, ERR_CONFIG,
			"does not fit into %s of memory: --per-device-train-batch-size %d does "
			"(the "
			"loss stays the same with --gradient-accumulation-steps raised to match)",
			has.data, fits);
	else if (p.parameters + p.gradients + p.moments < memory)
		err_set(e, ERR_CONFIG,
			"does not fit into %s of memory at any --per-device-train-batch-size: the "
			"weights with gradients and moments do (%s), the activations of one record "
			"do not: a smaller --max-length, or fewer responses a record",
			has.data, model.data);
	else
		err_set(e, ERR_CONFIG,
			"does not fit into %s of memory: the weights with gradients and moments "
			"alone take %s: a smaller model, or a machine with more memory",
			has.data, model.data);
	buf_free(&has);
	buf_free(&model);
	return -1;
}

/* Query-key pairs of one record. */
static double
pairs_of(const struct example *x)
{
	double p = x->n_prompt, pairs = p * p / 2;
	for (int k = 0; k < x->n; k++) {
		double r = x->n_ids[k];
		pairs += r * p + r * r / 2;
	}
	return pairs;
}

double
plan_flops(const struct model_config *c, const struct dataset *d)
{
	bool lm = c->head == HEAD_LM;
	double head = (double)c->vocab * c->hidden, pairs = 0, targets = 0;
	double trunk = (double)config_parameters(c) - head - (lm && !c->tied_head ? head : 0);
	for (size_t i = 0; i < d->n; i++) {
		pairs += pairs_of(&d->v[i]);
		for (int k = 0; lm && k < d->v[i].n; k++)
			targets += d->v[i].n_ids[k];
	}
	/* 2 a weight forward, 4 backward; the head's logits once more in the backward; attention
	 * has 2 products forward and 5 backward */
	return 6 * trunk * (double)d->n_tokens + 8 * head * targets +
	       14.0 * c->n_layers * c->n_heads * c->head_dim * pairs;
}

double
plan_rate(struct kernels *k, const struct model_config *c, double seconds, double (*clock)(void))
{
	enum { ROWS = RATE_ROWS };
	size_t C = (size_t)c->hidden, F = (size_t)c->ffn;
	float *x = k->alloc(k, ROWS * C * k_dtype_size(k->act));
	float *y = k->alloc(k, ROWS * F * k_dtype_size(k->act));
	float *w = k->alloc(k, C * F * sizeof *w), *dw = k->alloc(k, C * F * sizeof *dw);
	double rate = 0;
	if (x && y && w && dw) {
		struct k_mat m = {w, K_F32}, none = {NULL, K_F32};
		double start = 0, spent = 0;
		char msg[256];
		int n = -1; /* the first one warms up */
		for (; n < 1 || (spent < seconds && n < 100000); n++) {
			if (n == 0)
				start = clock();
			k->linear_fwd(k, y, x, m, none, ROWS, c->hidden, c->ffn, 0);
			k->linear_bwd_x(k, x, y, m, ROWS, c->hidden, c->ffn, 0);
			k->linear_bwd_w(k, dw, NULL, y, x, ROWS, c->hidden, c->ffn);
			if (k->sync(k, msg, sizeof msg) < 0)
				break;
			if (n >= 0)
				spent = clock() - start;
		}
		if (n > 0 && spent > 0)
			rate = 6.0 * ROWS * (double)C * (double)F * n / spent;
	}
	void *all[] = {x, y, w, dw};
	for (int i = 0; i < 4; i++)
		if (all[i])
			k->free(k, all[i]);
	return rate;
}

/* Epochs that a run goes over the data, parts of one included. */
static double
run_epochs(const struct run_options *o, const struct dataset *d)
{
	return (double)run_total(o, d->n) / (double)run_per_epoch(o, d->n);
}

double
plan_rate_beside(struct kernels *k, const struct run_options *o, const struct model_config *c,
	const struct dataset *d, double (*clock)(void))
{
	/* 0.05 s are 1 % of what takes 5 s; 1e12 operations take as much on the fastest of CPUs
	 * (some 200 GFLOP/s) and more on any other.  Two rounds are the least that is measured. */
	const double seconds = 0.05, least = 1e12;
	double round = 6.0 * RATE_ROWS * (double)c->hidden * (double)c->ffn;
	double run = plan_flops(c, d) * run_epochs(o, d);
	return run < least || run < 200 * round ? 0 : plan_rate(k, c, seconds, clock);
}

void
plan_outline(const struct run_options *o, const struct model_config *c, const struct dataset *d,
	double rate, struct buf *out)
{
	struct train_plan p;
	buf_puts(out, "about ");
	human_bytes(out, (double)total_bytes(c, d, (int)o->per_device, &p));
	buf_puts(out, " of memory");
	if (rate > 0) {
		buf_puts(out, ", at least ");
		human_seconds(out, plan_flops(c, d) * run_epochs(o, d) / rate);
	}
}

static void
time_row(struct buf *out, double epoch, double epochs, double rate)
{
	struct buf all = BUF_INIT;
	human_seconds(&all, epoch * epochs);
	buf_printf(out, "time           %14s at least, ", all.data);
	human_seconds(out, epoch);
	buf_printf(out, " an epoch, at %.1f GFLOP/s\n", rate / 1e9);
	buf_free(&all);
}

int
run_plan(const struct run_options *o, const struct model_config *c, const struct dataset *d,
	size_t memory_bytes, double rate, struct buf *out, struct err *e)
{
	struct train_plan p;
	size_t total = total_bytes(c, d, (int)o->per_device, &p);
	row(out, "parameters", p.parameters);
	row(out, "gradients", p.gradients);
	row(out, "moments", p.moments);
	row(out, "activations", p.activations);
	row(out, "total", total);
	buf_printf(out, "micro-batch    %14d records, at most %d rows, %d targets\n",
		(int)o->per_device, p.limits.max_rows, p.limits.max_targets);
	buf_printf(out, "steps          %14lld, %lld an epoch\n", (long long)run_total(o, d->n),
		(long long)run_per_epoch(o, d->n));
	buf_printf(out, "data           %14zu records, %lld tokens an epoch\n", d->n,
		(long long)d->n_tokens);
	if (rate > 0)
		time_row(out, plan_flops(c, d) / rate, run_epochs(o, d), rate);
	if (memory_bytes == 0)
		return 0;
	row(out, "memory", memory_bytes);
	buf_puts(out, total <= memory_bytes ? "fits\n" : "does not fit\n");
	return total <= memory_bytes ? 0 : refuse(c, d, (int)o->per_device, memory_bytes, e);
}
