#include "lib/align/log.h"

#include <string.h>

static void
key(struct buf *b, const char *name)
{
	buf_puts(b, b->len > 0 ? "," : "{");
	json_write_string(b, name, strlen(name));
	buf_putc(b, ':');
}

static void
put_real(struct buf *b, const char *name, double v)
{
	key(b, name);
	json_write_real(b, v);
}

static void
put_int(struct buf *b, const char *name, int64_t v)
{
	key(b, name);
	buf_printf(b, "%lld", (long long)v);
}

static void
put_ranking(struct buf *line, const char *name, const struct step_result *r, bool ranks)
{
	put_real(line, name, r->ranking);
	if (!ranks)
		return;
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s_rank", name);
	key(line, b.data);
	buf_free(&b);
	buf_putc(line, '[');
	for (int k = 0; k < r->n_rank; k++) {
		if (k)
			buf_putc(line, ',');
		json_write_real(line, r->rank[k]);
	}
	buf_putc(line, ']');
}

void
log_training(struct buf *line, const struct log_step *l, const struct dataset_options *o,
	const struct step_result *r)
{
	const struct method *m = o->method;
	put_int(line, "step", l->step);
	put_real(line, "epoch", l->epoch);
	put_real(line, "loss", r->loss);
	if (m->loss_key)
		put_ranking(line, m->loss_key, r, m->head == HEAD_LM || o->params.listwise);
	if (m->head == HEAD_LM)
		put_real(line, "sft_loss", r->sft);
	put_real(line, "learning_rate", r->learning_rate);
	put_real(line, "grad_norm", r->grad_norm);
	put_int(line, "records", r->n_records);
	put_int(line, "tokens", r->tokens);
	put_int(line, "num_tokens", l->num_tokens);
	if (l->seconds > 0)
		put_real(line, "tokens_per_second", (double)r->tokens / l->seconds);
	if (m->loss_key) {
		put_real(line, "rewards/accuracies", r->accuracy);
		put_real(line, "rewards/margins", r->margin);
	}
	buf_puts(line, "}\n");
}

void
log_validation(struct buf *line, int64_t step, double epoch, double mean, int n, bool best)
{
	put_int(line, "step", step);
	put_real(line, "epoch", epoch);
	put_real(line, "eval_reward", mean);
	put_int(line, "eval_records", n);
	key(line, "best");
	buf_puts(line, best ? "true}\n" : "false}\n");
}
