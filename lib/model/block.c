#include "lib/model/block.h"

#include <math.h>

/* q, k and v of a layer as kernels take them: [q, k, v] of every head side by side when fused. */
struct qkv {
	struct k_heads q, k, v;
};

static struct qkv
heads_of(const struct decoder *d, void *q, void *k, void *v)
{
	const struct model_config *c = &d->m->config;
	int64_t D = c->head_dim;
	if (c->fused_qkv) {
		size_t step = (size_t)D * k_dtype_size(d->m->k->act);
		int64_t row = 3 * D * c->n_heads;
		return (struct qkv){{q, row, 3 * D}, {(char *)q + step, row, 3 * D},
			{(char *)q + 2 * step, row, 3 * D}};
	}
	return (struct qkv){
		{q, D * c->n_heads, D}, {k, D * c->n_kv_heads, D}, {v, D * c->n_kv_heads, D}};
}

static void
linear(struct decoder *d, void *y, const void *x, int w, int bias, int in, int out)
{
	struct kernels *k = d->m->k;
	k->linear_fwd(k, y, x, model_mat(d->m, w), model_mat(d->m, bias), d->T, in, out,
		d->stream ? K_STREAM : 0);
}

/* Gradients of a projection: of its weights, and of its input (or, with K_ADD, added to it). */
static void
linear_backward(struct decoder *d, void *dx, const void *dy, const void *x, int w, int bias, int in,
	int out, unsigned flags)
{
	struct kernels *k = d->m->k;
	k->linear_bwd_w(k, model_grad(d->m, w), model_grad(d->m, bias), dy, x, d->T, in, out);
	k->linear_bwd_x(k, dx, dy, model_mat(d->m, w), d->T, in, out, flags);
}

static void
norm(struct decoder *d, void *out, const void *x, int gain, int bias, float *stats)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	k->norm_fwd(k, c->norm, out, x, model_mat(d->m, gain), model_mat(d->m, bias), c->norm_eps,
		stats, d->T, c->hidden);
}

/* dx += */
static void
norm_backward(struct decoder *d, void *dx, const void *dout, const void *x, int gain, int bias,
	const float *stats)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	k->norm_bwd(k, c->norm, dx, model_grad(d->m, gain), model_grad(d->m, bias), dout, x,
		model_mat(d->m, gain), stats, d->T, c->hidden);
}

static void
rotate(struct decoder *d, const struct qkv *h, bool inverse)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	if (c->rotary_dim == 0)
		return;
	k->rope(k, h->q, d->positions, d->m->freq, c->rotary_dim / 2, d->T, c->n_heads, inverse);
	k->rope(k, h->k, d->positions, d->m->freq, c->rotary_dim / 2, d->T, c->n_kv_heads, inverse);
}

/* Puts the rows' keys and values into their slots; h then points at the cache. */
static void
put_cache(struct decoder *d, const struct layer_acts *a, struct qkv *h)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	int G = c->n_kv_heads, D = c->head_dim;
	const void *key = a->k, *value = a->v;
	if (c->fused_qkv) {
		k->rows_get(k, d->split, a->q, d->split_k, d->T * G, D);
		key = value = d->split;
	}
	k->rows_put(k, a->cache_k, key, d->slots, d->T, G * D);
	if (c->fused_qkv)
		k->rows_get(k, d->split, a->q, d->split_v, d->T * G, D);
	k->rows_put(k, a->cache_v, value, d->slots, d->T, G * D);
	h->k = (struct k_heads){a->cache_k, (int64_t)G * D, D};
	h->v = (struct k_heads){a->cache_v, (int64_t)G * D, D};
}

/* out = attention of the normalised input in d->norm. */
static void
attention(struct decoder *d, const struct layer_params *p, const struct layer_acts *a, void *out)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	int C = c->hidden, H = c->n_heads, G = c->n_kv_heads, D = c->head_dim;
	if (c->fused_qkv) {
		linear(d, a->q, d->norm, p->qkv, p->qkv_bias, C, 3 * H * D);
	} else {
		linear(d, a->q, d->norm, p->q, p->q_bias, C, H * D);
		linear(d, a->k, d->norm, p->k, p->k_bias, C, G * D);
		linear(d, a->v, d->norm, p->v, p->v_bias, C, G * D);
	}
	struct qkv h = heads_of(d, a->q, a->k, a->v);
	rotate(d, &h, false);
	if (d->cached)
		put_cache(d, a, &h);
	k->attn_fwd(k, a->attn, a->lse, h.q, h.k, h.v, d->segs, d->n_segs, H, G, D,
		1.0f / sqrtf((float)D));
	linear(d, out, a->attn, p->o, p->o_bias, H * D, C);
}

static void
activate(struct decoder *d, const struct layer_acts *a)
{
	const struct model_config *c = &d->m->config;
	d->m->k->act_fwd(d->m->k, c->act, d->prod, a->gate, a->up, (size_t)d->T * (size_t)c->ffn);
}

/* out = the MLP of the normalised input in d->norm. */
static void
mlp(struct decoder *d, const struct layer_params *p, const struct layer_acts *a, void *out)
{
	const struct model_config *c = &d->m->config;
	if (c->gated) {
		linear(d, a->gate, d->norm, p->gate, p->gate_bias, c->hidden, c->ffn);
		linear(d, a->up, d->norm, p->up, p->up_bias, c->hidden, c->ffn);
	} else {
		linear(d, a->gate, d->norm, p->up, p->up_bias, c->hidden, c->ffn);
	}
	activate(d, a);
	linear(d, out, d->prod, p->down, p->down_bias, c->ffn, c->hidden);
}

void
block_forward(struct decoder *d, int layer)
{
	struct kernels *k = d->m->k;
	const struct layer_params *p = &d->m->layers[layer];
	const struct layer_acts *a = &d->layers[layer];
	size_t n = (size_t)d->T * (size_t)d->m->config.hidden;
	void *out = d->layers[layer + 1].x;
	norm(d, d->norm, a->x, p->attn_norm, p->attn_norm_bias, a->norm1);
	if (d->m->config.parallel_residual) {
		attention(d, p, a, out);
		norm(d, d->norm, a->x, p->mlp_norm, p->mlp_norm_bias, a->norm2);
		mlp(d, p, a, d->branch);
		k->add(k, out, d->branch, n);
		k->add(k, out, a->x, n);
	} else {
		attention(d, p, a, a->mid);
		k->add(k, a->mid, a->x, n);
		norm(d, d->norm, a->mid, p->mlp_norm, p->mlp_norm_bias, a->norm2);
		mlp(d, p, a, out); /* in inference out is x, which is not needed any more */
		k->add(k, out, a->mid, n);
	}
}

/* dnorm = gradient of the MLP's normalised input, for dx of its output. */
static void
mlp_backward(
	struct decoder *d, const struct layer_params *p, const struct layer_acts *a, void *dnorm)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	int C = c->hidden, F = c->ffn;
	norm(d, d->norm, a->mid, p->mlp_norm, p->mlp_norm_bias, NULL);
	activate(d, a);
	/* the product is done with once the weight gradient has it: its gradient takes its place */
	k->linear_bwd_w(k, model_grad(d->m, p->down), model_grad(d->m, p->down_bias), d->dx,
		d->prod, d->T, F, C);
	k->linear_bwd_x(k, d->prod, d->dx, model_mat(d->m, p->down), d->T, F, C, 0);
	k->act_bwd(k, c->act, d->dgate, d->dup, d->prod, a->gate, a->up, (size_t)d->T * (size_t)F);
	if (c->gated) {
		linear_backward(d, dnorm, d->dgate, d->norm, p->gate, p->gate_bias, C, F, 0);
		linear_backward(d, dnorm, d->dup, d->norm, p->up, p->up_bias, C, F, K_ADD);
	} else {
		linear_backward(d, dnorm, d->dgate, d->norm, p->up, p->up_bias, C, F, 0);
	}
}

/* The same for the attention, into d->dnorm. */
static void
attention_backward(struct decoder *d, const struct layer_params *p, const struct layer_acts *a)
{
	struct kernels *k = d->m->k;
	const struct model_config *c = &d->m->config;
	int C = c->hidden, H = c->n_heads, G = c->n_kv_heads, D = c->head_dim;
	struct qkv h = heads_of(d, a->q, a->k, a->v), dh = heads_of(d, d->dq, d->dk, d->dv);
	norm(d, d->norm, a->x, p->attn_norm, p->attn_norm_bias, NULL);
	linear_backward(d, d->dattn, d->dx, a->attn, p->o, p->o_bias, H * D, C, 0);
	k->attn_bwd(k, dh.q, dh.k, dh.v, d->dattn, a->attn, a->lse, h.q, h.k, h.v, d->segs,
		d->n_segs, H, G, D, 1.0f / sqrtf((float)D));
	rotate(d, &dh, true);
	if (c->fused_qkv) {
		linear_backward(d, d->dnorm, d->dq, d->norm, p->qkv, p->qkv_bias, C, 3 * H * D, 0);
		return;
	}
	linear_backward(d, d->dnorm, d->dq, d->norm, p->q, p->q_bias, C, H * D, 0);
	linear_backward(d, d->dnorm, d->dk, d->norm, p->k, p->k_bias, C, G * D, K_ADD);
	linear_backward(d, d->dnorm, d->dv, d->norm, p->v, p->v_bias, C, G * D, K_ADD);
}

void
block_backward(struct decoder *d, int layer)
{
	const struct layer_params *p = &d->m->layers[layer];
	const struct layer_acts *a = &d->layers[layer];
	/* with a parallel residual both branches take the gradient that comes in */
	bool parallel = d->m->config.parallel_residual;
	mlp_backward(d, p, a, d->branch);
	if (parallel)
		attention_backward(d, p, a);
	norm_backward(d, d->dx, d->branch, a->mid, p->mlp_norm, p->mlp_norm_bias, a->norm2);
	if (!parallel)
		attention_backward(d, p, a);
	norm_backward(d, d->dx, d->dnorm, a->x, p->attn_norm, p->attn_norm_bias, a->norm1);
}
