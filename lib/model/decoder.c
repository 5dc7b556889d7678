#include "lib/model/block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Memory is laid out twice by the same code: with base NULL to count, then to point. */
struct plan {
	char *base;
	size_t used;
};

static void *
take(struct plan *p, size_t bytes)
{
	void *at = p->base ? p->base + p->used : NULL;
	p->used += (bytes + 63) / 64 * 64;
	return at;
}

static void
plan_layer(struct decoder *d, struct plan *p, const struct model_config *c, struct layer_acts *a,
	size_t act)
{
	size_t T = (size_t)d->limits.max_rows, D = (size_t)c->head_dim;
	size_t Q = (size_t)c->n_heads * D, KV = (size_t)c->n_kv_heads * D, F = (size_t)c->ffn;
	if (d->limits.train) {
		a->norm1 = take(p, 2 * T * sizeof *a->norm1);
		a->norm2 = take(p, 2 * T * sizeof *a->norm2);
		a->lse = take(p, T * (size_t)c->n_heads * sizeof *a->lse);
	}
	a->q = take(p, T * (c->fused_qkv ? 3 * Q : Q) * act);
	a->k = c->fused_qkv ? NULL : take(p, T * KV * act);
	a->v = c->fused_qkv ? NULL : take(p, T * KV * act);
	a->attn = take(p, T * Q * act);
	a->gate = take(p, T * F * act);
	a->up = c->gated ? take(p, T * F * act) : NULL;
}

/*
 * The residual streams and the layers.  Training: all apart.  Inference: two streams; a serial
 * block goes from the first over the second back to the first, a parallel one from one to the
 * other.
 */
static void
plan_layers(struct decoder *d, struct plan *p, const struct model_config *c, size_t act)
{
	size_t stream = (size_t)d->limits.max_rows * (size_t)c->hidden * act;
	size_t KV = (size_t)c->n_kv_heads * (size_t)c->head_dim;
	bool train = d->limits.train, parallel = c->parallel_residual;
	void *one = train ? NULL : take(p, stream), *two = train ? NULL : take(p, stream);
	struct layer_acts shared = {0};
	if (!train)
		plan_layer(d, p, c, &shared, act);
	for (int i = 0; i <= c->n_layers; i++) {
		struct layer_acts *a = &d->layers[i];
		*a = shared;
		a->x = train ? take(p, stream) : parallel && i % 2 ? two : one;
		if (i == c->n_layers)
			break;
		if (train)
			plan_layer(d, p, c, a, act);
		a->mid = parallel ? a->x : train ? take(p, stream) : two;
		if (d->limits.cache_slots > 0) {
			a->cache_k = take(p, (size_t)d->limits.cache_slots * KV * act);
			a->cache_v = take(p, (size_t)d->limits.cache_slots * KV * act);
		}
	}
}

static void
plan_scratch(struct decoder *d, struct plan *p, const struct model_config *c, size_t act)
{
	size_t T = (size_t)d->limits.max_rows, C = (size_t)c->hidden, F = (size_t)c->ffn;
	size_t Q = (size_t)c->n_heads * (size_t)c->head_dim;
	size_t KV = (size_t)c->n_kv_heads * (size_t)c->head_dim;
	d->norm = take(p, T * C * act);
	d->branch = take(p, T * C * act);
	d->prod = take(p, T * F * act);
	if (d->limits.cache_slots > 0) {
		d->split = take(p, T * KV * act);
		d->split_k = take(p, T * (size_t)c->n_heads * sizeof *d->split_k);
		d->split_v = take(p, T * (size_t)c->n_heads * sizeof *d->split_v);
	}
	if (!d->limits.train)
		return;
	d->dx = take(p, T * C * act);
	d->dnorm = take(p, T * C * act);
	d->dattn = take(p, T * Q * act);
	d->dq = take(p, T * (c->fused_qkv ? 3 * Q : Q) * act);
	d->dk = c->fused_qkv ? NULL : take(p, T * KV * act);
	d->dv = c->fused_qkv ? NULL : take(p, T * KV * act);
	d->dgate = take(p, T * F * act);
	d->dup = c->gated ? take(p, T * F * act) : NULL;
}

static void
plan_head(struct decoder *d, struct plan *p, const struct model_config *c, size_t act)
{
	const struct decoder_limits *l = &d->limits;
	size_t T = (size_t)l->max_rows, R = (size_t)l->max_head, N = (size_t)l->max_targets;
	size_t C = (size_t)c->hidden, V = c->head == HEAD_LM ? (size_t)c->vocab : 1;
	d->head_x = take(p, R * C * act);
	d->head_n = take(p, R * C * act);
	d->head_stats = take(p, 2 * R * sizeof *d->head_stats);
	d->head_lse = take(p, R * sizeof *d->head_lse);
	d->logp = take(p, N * sizeof *d->logp);
	/* all rows at once for scores and for decoding, where logits are the point */
	bool all = c->head == HEAD_REWARD || l->cache_slots > 0 || l->max_head < 8;
	d->logits_rows = all ? l->max_head : 8;
	d->logits = take(p, (size_t)d->logits_rows * V * sizeof *d->logits);
	if (l->train) {
		d->dhead_x = take(p, R * C * act);
		d->dhead_n = take(p, R * C * act);
		d->dscore = take(p, R * act);
		d->coef = take(p, N * sizeof *d->coef);
	}
	d->ids = take(p, T * sizeof *d->ids);
	d->positions = take(p, T * sizeof *d->positions);
	d->slots = take(p, T * sizeof *d->slots);
	d->head_rows = take(p, R * sizeof *d->head_rows);
	d->target_row = take(p, N * sizeof *d->target_row);
	d->target_id = take(p, N * sizeof *d->target_id);
	d->segs = take(p, (size_t)l->max_segs * sizeof *d->segs);
}

static size_t
plan_all(struct decoder *d, char *base, const struct model_config *c, size_t act)
{
	struct plan p = {base, 0};
	plan_layers(d, &p, c, act);
	plan_scratch(d, &p, c, act);
	plan_head(d, &p, c, act);
	return p.used;
}

/* Rows of keys and of values, in units of D elements, in rows of [H, 3, D]. */
static void
upload_split(struct decoder *d)
{
	const struct model_config *c = &d->m->config;
	size_t n = (size_t)d->limits.max_rows * (size_t)c->n_heads;
	if (!c->fused_qkv || d->limits.cache_slots == 0)
		return;
	int32_t *rows = x_malloc(n * sizeof *rows);
	for (int which = 1; which <= 2; which++) {
		for (size_t i = 0; i < n; i++)
			rows[i] = (int32_t)(3 * i) + which;
		d->m->k->upload(
			d->m->k, which == 1 ? d->split_k : d->split_v, rows, n * sizeof *rows);
	}
	free(rows);
}

static int
reserve(struct decoder *d, struct err *e)
{
	const struct model_config *c = &d->m->config;
	size_t act = k_dtype_size(d->m->k->act), bytes = plan_all(d, NULL, c, act);
	d->block = d->m->k->alloc(d->m->k, bytes);
	if (d->block == NULL)
		return err_set(e, ERR_NOMEM, "out of memory: %zu bytes of activations for %d rows",
			bytes, d->limits.max_rows);
	plan_all(d, d->block, c, act);
	upload_split(d);
	return 0;
}

size_t
decoder_bytes(const struct model_config *c, const struct decoder_limits *l)
{
	struct decoder d = {.limits = *l};
	d.layers = x_calloc((size_t)c->n_layers + 1, sizeof *d.layers);
	size_t bytes = plan_all(&d, NULL, c, sizeof(float));
	free(d.layers);
	return bytes;
}

int
decoder_open(struct decoder **out, struct model *m, const struct decoder_limits *l, struct err *e)
{
	assert(!l->train || m->grad);
	assert(!l->train || l->cache_slots == 0);
	struct decoder *d = x_calloc(1, sizeof *d);
	d->m = m;
	d->limits = *l;
	d->layers = x_calloc((size_t)m->config.n_layers + 1, sizeof *d->layers);
	int rc = reserve(d, e);
	if (rc < 0) {
		decoder_close(d);
		d = NULL;
	}
	*out = d;
	return rc;
}

void
decoder_close(struct decoder *d)
{
	if (d == NULL)
		return;
	d->m->k->free(d->m->k, d->block);
	free(d->layers);
	free(d);
}

static bool
grow(int *limit, int need)
{
	if (need <= *limit)
		return false;
	*limit = need;
	return true;
}

int
decoder_fit(struct decoder *d, const struct batch *b, struct err *e)
{
	struct decoder_limits *l = &d->limits;
	bool larger = grow(&l->max_rows, b->n_rows);
	larger |= grow(&l->max_segs, b->n_segs);
	larger |= grow(&l->max_head, b->n_head);
	larger |= grow(&l->max_targets, b->n_targets);
	if (!larger && d->block)
		return 0;
	assert(l->cache_slots == 0);
	d->m->k->free(d->m->k, d->block);
	d->block = NULL;
	return reserve(d, e);
}

static int
check_batch(const struct decoder *d, const struct batch *b, struct err *e)
{
	const struct model_config *c = &d->m->config;
	const struct decoder_limits *l = &d->limits;
	assert(d->block && b->n_rows <= l->max_rows && b->n_segs <= l->max_segs);
	assert(b->n_head <= l->max_head && b->n_targets <= l->max_targets);
	assert(b->slots == NULL || l->cache_slots > 0);
	(void)l;
	for (int i = 0; i < b->n_rows; i++) {
		if (b->ids[i] < 0 || b->ids[i] >= c->vocab)
			return err_set(e, ERR_DATA, "token id %d is outside the vocabulary of %d",
				b->ids[i], c->vocab);
		if (config_check_length(c, b->positions[i] + 1, e) < 0)
			return -1;
		assert(b->slots == NULL || (b->slots[i] >= 0 && b->slots[i] < l->cache_slots));
	}
	for (int i = 0; i < b->n_targets; i++)
		if (b->target_id[i] < 0 || b->target_id[i] >= c->vocab)
			return err_set(e, ERR_DATA, "token id %d is outside the vocabulary of %d",
				b->target_id[i], c->vocab);
	return 0;
}

static void
upload_batch(struct decoder *d, const struct batch *b)
{
	struct kernels *k = d->m->k;
	size_t T = (size_t)b->n_rows, R = (size_t)b->n_head, N = (size_t)b->n_targets;
	d->T = b->n_rows;
	d->R = b->n_head;
	d->N = b->n_targets;
	d->n_segs = b->n_segs;
	d->cached = b->slots != NULL;
	d->stream = b->stream;
	k->upload(k, d->ids, b->ids, T * sizeof *d->ids);
	k->upload(k, d->positions, b->positions, T * sizeof *d->positions);
	k->upload(k, d->segs, b->segs, (size_t)b->n_segs * sizeof *d->segs);
	k->upload(k, d->head_rows, b->head_rows, R * sizeof *d->head_rows);
	if (N) {
		k->upload(k, d->target_row, b->target_row, N * sizeof *d->target_row);
		k->upload(k, d->target_id, b->target_id, N * sizeof *d->target_id);
	}
	if (b->slots)
		k->upload(k, d->slots, b->slots, T * sizeof *d->slots);
}

static int
wait(struct decoder *d, struct err *e)
{
	char msg[512];
	int rc = d->m->k->sync(d->m->k, msg, sizeof msg);
	if (rc < 0)
		return err_set(e, rc == K_NO_MEMORY ? ERR_NOMEM : ERR_SOFTWARE, "%s: %s",
			d->m->k->name, msg);
	return model_check(d->m, e);
}

int
decoder_forward(struct decoder *d, const struct batch *b, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model *m = d->m;
	const struct model_config *c = &m->config;
	if (check_batch(d, b, e) < 0)
		return -1;
	upload_batch(d, b);
	k->embed_fwd(k, d->layers[0].x, model_mat(m, m->embed), d->ids, d->T, c->hidden);
	for (int i = 0; i < c->n_layers; i++)
		block_forward(d, i);
	k->rows_get(k, d->head_x, d->layers[c->n_layers].x, d->head_rows, d->R, c->hidden);
	k->norm_fwd(k, c->norm, d->head_n, d->head_x, model_mat(m, m->final_norm),
		model_mat(m, m->final_norm_bias), c->norm_eps, d->head_stats, d->R, c->hidden);
	return wait(d, e);
}

int
decoder_logprobs(struct decoder *d, float *logp, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	assert(c->head == HEAD_LM);
	k->logprob_fwd(k, d->logp, d->head_lse, d->head_n, model_mat(d->m, d->m->head),
		d->target_row, d->target_id, d->N, d->R, c->hidden, c->vocab);
	k->download(k, logp, d->logp, (size_t)d->N * sizeof *logp);
	return wait(d, e);
}

int
decoder_logits(struct decoder *d, float *logits, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	size_t row = (size_t)c->hidden * k_dtype_size(k->act), V = (size_t)c->vocab;
	assert(c->head == HEAD_LM);
	for (int from = 0; from < d->R; from += d->logits_rows) {
		int n = d->R - from < d->logits_rows ? d->R - from : d->logits_rows;
		k->logits(k, d->logits, (char *)d->head_n + (size_t)from * row,
			model_mat(d->m, d->m->head), n, c->hidden, c->vocab,
			d->stream ? K_STREAM : 0);
		k->download(
			k, logits + (size_t)from * V, d->logits, (size_t)n * V * sizeof *logits);
	}
	return wait(d, e);
}

/* A score is a logit of a vocabulary of one: float whatever type activations have. */
int
decoder_scores(struct decoder *d, float *scores, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model *m = d->m;
	float bias = 0;
	assert(m->config.head == HEAD_REWARD);
	k->logits(k, d->logits, d->head_n, model_mat(m, m->head), d->R, m->config.hidden, 1, 0);
	k->download(k, scores, d->logits, (size_t)d->R * sizeof *scores);
	if (m->head_bias >= 0)
		model_read(m, &m->params[m->head_bias], 0, 1, &bias);
	for (int i = 0; i < d->R; i++)
		scores[i] += bias;
	return wait(d, e);
}

/* From dhead_n, the gradient behind the final norm, down to the embedding. */
static int
backward(struct decoder *d, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model *m = d->m;
	const struct model_config *c = &m->config;
	size_t row = (size_t)c->hidden * k_dtype_size(k->act);
	assert(d->limits.train && !d->cached);
	k->zero(k, d->dhead_x, (size_t)d->R * row);
	k->norm_bwd(k, c->norm, d->dhead_x, model_grad(m, m->final_norm),
		model_grad(m, m->final_norm_bias), d->dhead_n, d->head_x,
		model_mat(m, m->final_norm), d->head_stats, d->R, c->hidden);
	k->zero(k, d->dx, (size_t)d->T * row);
	k->rows_add(k, d->dx, d->dhead_x, d->head_rows, d->R, c->hidden);
	for (int i = c->n_layers - 1; i >= 0; i--)
		block_backward(d, i);
	k->embed_bwd(k, model_grad(m, m->embed), d->dx, d->ids, d->T, c->hidden);
	return wait(d, e);
}

int
decoder_backward_logprobs(struct decoder *d, const float *coef, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model *m = d->m;
	const struct model_config *c = &m->config;
	k->upload(k, d->coef, coef, (size_t)d->N * sizeof *coef);
	k->logprob_bwd(k, d->dhead_n, model_grad(m, m->head), d->head_n, model_mat(m, m->head),
		d->head_lse, d->target_row, d->target_id, d->coef, d->N, d->R, c->hidden, c->vocab);
	return backward(d, e);
}

int
decoder_backward_scores(struct decoder *d, const float *coef, struct err *e)
{
	struct kernels *k = d->m->k;
	const struct model *m = d->m;
	int C = m->config.hidden;
	void *act = x_malloc((size_t)d->R * sizeof *coef + 1);
	k_from_float(act, k->act, coef, (size_t)d->R);
	k->upload(k, d->dscore, act, (size_t)d->R * k_dtype_size(k->act));
	free(act);
	k->linear_bwd_w(k, model_grad(m, m->head), model_grad(m, m->head_bias), d->dscore,
		d->head_n, d->R, C, 1);
	k->linear_bwd_x(k, d->dhead_n, d->dscore, model_mat(m, m->head), d->R, C, 1, 0);
	return backward(d, e);
}

void
decoder_cache_move(struct decoder *d, int to, int from, int n)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	int C = c->n_kv_heads * c->head_dim, chunk = d->limits.max_rows;
	size_t row = (size_t)C * k_dtype_size(k->act);
	assert(from >= 0 && to >= 0 && n >= 0 && from + n <= d->limits.cache_slots &&
		to + n <= d->limits.cache_slots);
	int32_t *rows = x_malloc((size_t)chunk * sizeof *rows);
	/* chunk by chunk over scratch, in the order that overlapping ranges allow */
	for (int done = 0; done < n; done += chunk) {
		int m = n - done < chunk ? n - done : chunk;
		int at = to < from ? done : n - done - m;
		for (int i = 0; i < m; i++)
			rows[i] = i;
		k->upload(k, d->slots, rows, (size_t)m * sizeof *rows);
		for (int i = 0; i < 2 * c->n_layers; i++) {
			const struct layer_acts *a = &d->layers[i / 2];
			char *cache = i % 2 ? a->cache_v : a->cache_k;
			k->rows_get(k, d->split, cache + (size_t)(from + at) * row, d->slots, m, C);
			k->rows_put(k, cache + (size_t)(to + at) * row, d->split, d->slots, m, C);
		}
	}
	free(rows);
}
