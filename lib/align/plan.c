#include "lib/align/plan.h"

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

/* The largest micro-batch below `micro` that fits; 0: none does. */
static int
largest_fitting(const struct model_config *c, const struct dataset *d, int micro, size_t memory)
{
	struct train_plan p;
	while (--micro > 0 && total_bytes(c, d, micro, &p) > memory)
		;
	return micro;
}

void
run_plan(const struct run_options *o, const struct model_config *c, const struct dataset *d,
	size_t memory_bytes, struct buf *out)
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
	if (memory_bytes == 0)
		return;
	row(out, "memory", memory_bytes);
	if (total <= memory_bytes) {
		buf_puts(out, "fits\n");
		return;
	}
	int micro = largest_fitting(c, d, (int)o->per_device, memory_bytes);
	if (micro > 0)
		buf_printf(out,
			"does not fit; --per-device-train-batch-size %d does (the loss stays the "
			"same with --gradient-accumulation-steps raised to match)\n",
			micro);
	else
		buf_puts(out, "does not fit at any --per-device-train-batch-size: a smaller model, "
			      "--max-length or fewer responses a record are needed\n");
}
