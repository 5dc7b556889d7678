/* What a run was: for comparing at --resume, and for pro.json beside the model. */
#include <string.h>

#include "lib/align/run.h"

static const char *
order_name(enum method_order o)
{
	static const char *const names[] = {"auto", "reward", "given"};
	return names[o];
}

static const char *
yes(bool x)
{
	return x ? "true" : "false";
}

static void
text_hash(struct buf *out, const char *text)
{
	struct sha256 s;
	char hex[65];
	sha256_init(&s);
	sha256_add(&s, text, strlen(text));
	sha256_hex(&s, hex);
	buf_puts(out, hex);
}

void
run_settings(const struct run_options *o, const struct dataset *d, const struct validator *v,
	const char *template_text, struct buf *out)
{
	static const char *const schedules[] = {"constant", "linear", "cosine"};
	const struct method_params *p = &d->o.params;
	const struct optim_options *a = &o->optim;
	buf_printf(out, "method %s\n", d->o.method->name);
	buf_printf(out, "order %s\n", order_name(d->o.order));
	buf_printf(out, "temperature %s\n", yes(p->temperature));
	buf_printf(out, "first-only %s\n", yes(p->first_only));
	buf_printf(out, "sft %s\n", yes(p->sft));
	buf_printf(out, "listwise %s\n", yes(p->listwise));
	buf_printf(out, "beta %.17g\n", p->beta);
	buf_printf(out, "per-device-train-batch-size %lld\n", (long long)o->per_device);
	buf_printf(out, "gradient-accumulation-steps %lld\n", (long long)o->accumulation);
	buf_printf(out, "learning-rate %.17g\n", a->learning_rate);
	buf_printf(out, "lr-scheduler-type %s\n", schedules[a->schedule]);
	buf_printf(out, "warmup-ratio %.17g\n", a->warmup_ratio);
	buf_printf(out, "weight-decay %.17g\n", a->weight_decay);
	buf_printf(out, "adam-beta1 %.17g\n", a->beta1);
	buf_printf(out, "adam-beta2 %.17g\n", a->beta2);
	buf_printf(out, "adam-epsilon %.17g\n", a->epsilon);
	buf_printf(out, "max-grad-norm %.17g\n", a->max_grad_norm);
	buf_printf(out, "updates %lld\n", (long long)run_total(o, d->n));
	buf_printf(out, "seed %llu\n", (unsigned long long)o->seed);
	buf_puts(out, "template ");
	text_hash(out, template_text);
	buf_putc(out, '\n');
	if (v) {
		buf_printf(out, "eval-steps %lld\n", (long long)o->eval_steps);
		buf_printf(out, "validate %s\n", v->hash);
		buf_printf(out, "eval-max-tokens %d\n", v->generator.max_tokens);
	} else {
		buf_puts(out, "validate none\n");
	}
}

/* "name value" lines as an object of strings. */
static json_t *
options_object(const char *s)
{
	json_t *o = json_object();
	while (*s) {
		size_t line = strcspn(s, "\n"), name = strcspn(s, " \n");
		char *k = x_strndup(s, name);
		size_t skip = name < line ? name + 1 : line;
		json_put(o, k, json_textn(s + skip, line - skip));
		free(k);
		s += line + (s[line] != 0);
	}
	return o;
}

void
run_describe(const struct dataset *d, const char *model_dir, const char *model_sha256,
	const char *template_text, const char *kernels, const char *options, struct buf *out)
{
	json_t *o = json_object();
	json_put(o, "format", json_integer(1));
	json_put(o, "method", json_text(d->o.method->name));
	json_t *t = json_parse(template_text, strlen(template_text), NULL);
	json_put(o, "template", t ? t : json_text(template_text));
	json_put(o, "base_model", json_text(model_dir));
	json_put(o, "base_model_sha256", json_text(model_sha256));
	json_put(o, "data_sha256", json_text(d->hash));
	json_put(o, "records", json_integer((json_int_t)d->n));
	json_put(o, "kernels", json_text(kernels));
	json_put(o, "options", options_object(options));
	json_write(out, o);
	buf_putc(out, '\n');
	json_decref(o);
}
