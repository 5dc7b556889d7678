#include "lib/align/trainer.h"

#include <math.h>
#include <string.h>

int
trainer_open(struct trainer *t, struct model *m, const struct dataset *d,
	const struct optim_options *o, int micro, struct err *e)
{
	*t = (struct trainer){.model = m, .data = d, .optim_options = *o, .micro = micro};
	arena_init(&t->arena);
	struct decoder_limits limits;
	dataset_limits(d, micro, &limits);
	if (optim_open(&t->optim, m->k, m->block_n, e) < 0 ||
		decoder_open(&t->decoder, m, &limits, e) < 0) {
		trainer_close(t);
		return -1;
	}
	return 0;
}

void
trainer_close(struct trainer *t)
{
	if (t->decoder)
		decoder_close(t->decoder);
	if (t->optim.k)
		optim_close(&t->optim);
	batch_free(&t->batch);
	arena_free(&t->arena);
	memset(t, 0, sizeof *t);
}

void
trainer_plan(const struct model_config *c, const struct dataset *d, int micro, struct train_plan *p)
{
	size_t n = (size_t)config_parameters(c) * sizeof(float);
	dataset_limits(d, micro, &p->limits);
	p->parameters = p->gradients = n;
	p->moments = 2 * n;
	p->activations = decoder_bytes(c, &p->limits);
}

/* Scores of the batch's responses in order: sums over the tokens, or the head's. */
static int
forward(struct trainer *t, const struct batch *b, int n_scores, double *score, struct err *e)
{
	if (decoder_forward(t->decoder, b, e) < 0)
		return -1;
	if (t->data->o.method->head == HEAD_REWARD) {
		float *s = arena_alloc(&t->arena, (size_t)b->n_head * sizeof *s);
		if (decoder_scores(t->decoder, s, e) < 0)
			return -1;
		for (int i = 0; i < n_scores; i++)
			score[i] = s[i];
		return 0;
	}
	float *logp = arena_alloc(&t->arena, (size_t)b->n_targets * sizeof *logp);
	if (decoder_logprobs(t->decoder, logp, e) < 0)
		return -1;
	for (int i = 0; i < n_scores; i++)
		score[i] = 0;
	for (int j = 0; j < b->n_targets; j++)
		score[t->batch.target_owner.v[j]] += logp[j];
	return 0;
}

static int
backward(struct trainer *t, const struct batch *b, const double *grad, struct err *e)
{
	bool reward = t->data->o.method->head == HEAD_REWARD;
	int n = reward ? b->n_head : b->n_targets;
	float *coef = arena_alloc(&t->arena, (size_t)n * sizeof *coef);
	for (int j = 0; j < n; j++)
		coef[j] = (float)grad[reward ? j : t->batch.target_owner.v[j]];
	return reward ? decoder_backward_scores(t->decoder, coef, e)
		      : decoder_backward_logprobs(t->decoder, coef, e);
}

static void
add_rank(struct step_result *r, const double *rank, int n, double weight)
{
	if ((size_t)n > r->rank_cap) {
		r->rank_cap = (size_t)n;
		r->rank = x_realloc(r->rank, r->rank_cap * sizeof *r->rank);
	}
	for (; r->n_rank < n; r->n_rank++)
		r->rank[r->n_rank] = 0;
	for (int k = 0; k < n; k++)
		r->rank[k] += weight * rank[k];
}

/* Loss of one record, added to r; grad[x->n] is overwritten with dloss/dscore * weight. */
static int
record_loss(struct trainer *t, const struct example *x, const double *score, double weight,
	double *grad, struct step_result *r, struct err *e)
{
	const struct dataset_options *o = &t->data->o;
	struct method_input in = {x->n, score, x->n_ids, x->reward};
	struct method_output out = {
		.rank = arena_alloc(&t->arena, (size_t)x->n * sizeof(double)), .grad = grad};
	o->method->loss(&o->params, &in, &out);
	if (!isfinite(out.loss))
		return err_set(e, ERR_SOFTWARE, "record %s: the loss is not finite", x->id);
	r->loss += weight * out.loss;
	r->ranking += weight * out.ranking;
	r->sft += weight * out.sft;
	add_rank(r, out.rank, x->n - 1, weight);
	r->accuracy += out.right;
	r->margin += out.margin;
	r->pairs += out.pairs;
	for (int k = 0; k < x->n; k++)
		grad[k] *= weight;
	return 0;
}

static int
micro_batch(struct trainer *t, const uint32_t *records, int n, double weight, struct step_result *r,
	struct err *e)
{
	arena_reset(&t->arena);
	batch_reset(&t->batch);
	int n_scores = 0;
	for (int i = 0; i < n; i++) {
		const struct example *x = &t->data->v[records[i]];
		example_batch(x, t->data->o.method->head, &t->batch, n_scores);
		n_scores += x->n;
	}
	const struct batch *b = batch_finish(&t->batch);
	double *score = arena_alloc(&t->arena, (size_t)n_scores * sizeof *score);
	double *grad = arena_alloc(&t->arena, (size_t)n_scores * sizeof *grad);
	if (decoder_fit(t->decoder, b, e) < 0 || forward(t, b, n_scores, score, e) < 0)
		return -1;
	for (int i = 0, at = 0; i < n; at += t->data->v[records[i++]].n)
		if (record_loss(t, &t->data->v[records[i]], score + at, weight, grad + at, r, e) <
			0)
			return -1;
	r->tokens += b->n_rows;
	return backward(t, b, grad, e);
}

int
trainer_gradient(
	struct trainer *t, const uint32_t *records, int n, struct step_result *r, struct err *e)
{
	struct kernels *k = t->model->k;
	*r = (struct step_result){.n_records = n, .rank = r->rank, .rank_cap = r->rank_cap};
	k->zero(k, t->model->grad, t->model->block_n * sizeof(float));
	for (int i = 0; i < n; i += t->micro) {
		if (t->interrupted && t->interrupted(t->ctx))
			return 0;
		int m = n - i < t->micro ? n - i : t->micro;
		if (micro_batch(t, records + i, m, 1.0 / n, r, e) < 0)
			return -1;
	}
	if (r->pairs > 0) {
		r->accuracy /= (double)r->pairs;
		r->margin /= (double)r->pairs;
	}
	return 1;
}

int
trainer_step(struct trainer *t, const uint32_t *records, int n, int64_t step, double rate,
	struct step_result *r, struct err *e)
{
	int rc = trainer_gradient(t, records, n, r, e);
	if (rc <= 0)
		return rc;
	r->learning_rate = rate;
	if (optim_step(&t->optim, &t->optim_options, rate, step, t->model->block, t->model->grad,
		    &r->grad_norm, e) < 0)
		return -1;
	return 1;
}

void
step_result_free(struct step_result *r)
{
	X_FREE(r->rank);
	memset(r, 0, sizeof *r);
}
