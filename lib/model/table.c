#include "lib/model/model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Per tensor at most; the slices are aligned to 64 bytes. */
enum { MAX_LAYER_PARAMS = 20, MAX_OTHER_PARAMS = 5, ALIGN = 16 };

/* Adds a tensor of shape [rows, cols], or [rows] when cols is 0; returns its index. */
__attribute__((format(printf, 4, 5))) static int
add(struct model *m, int64_t rows, int64_t cols, const char *fmt, ...)
{
	struct param *p = &m->params[m->n_params];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(p->name, sizeof p->name, fmt, ap);
	va_end(ap);
	assert(n < (int)sizeof p->name);
	(void)n;
	p->rank = cols ? 2 : 1;
	p->shape[0] = rows;
	p->shape[1] = cols;
	p->n = (size_t)rows * (size_t)(cols ? cols : 1);
	p->offset = m->block_n;
	m->block_n += (p->n + ALIGN - 1) / ALIGN * ALIGN;
	return m->n_params++;
}

/* A projection [out, in] called name, and its bias when it has one. */
static void
add_linear(struct model *m, int *w, int *b, bool bias, int64_t out, int64_t in, const char *prefix,
	const char *name)
{
	*w = add(m, out, in, "%s.%s.weight", prefix, name);
	*b = bias ? add(m, out, 0, "%s.%s.bias", prefix, name) : -1;
}

static void
add_norm(struct model *m, int *gain, int *bias, const char *prefix, const char *name)
{
	const struct model_config *c = &m->config;
	*gain = add(m, c->hidden, 0, "%s.%s.weight", prefix, name);
	*bias = c->norm == K_LAYERNORM ? add(m, c->hidden, 0, "%s.%s.bias", prefix, name) : -1;
}

static void
llama_layer(struct model *m, struct layer_params *l, const char *at)
{
	const struct model_config *c = &m->config;
	int64_t C = c->hidden, Q = c->n_heads * c->head_dim, KV = c->n_kv_heads * c->head_dim;
	add_norm(m, &l->attn_norm, &l->attn_norm_bias, at, "input_layernorm");
	add_linear(m, &l->q, &l->q_bias, c->qkv_bias, Q, C, at, "self_attn.q_proj");
	add_linear(m, &l->k, &l->k_bias, c->qkv_bias, KV, C, at, "self_attn.k_proj");
	add_linear(m, &l->v, &l->v_bias, c->qkv_bias, KV, C, at, "self_attn.v_proj");
	add_linear(m, &l->o, &l->o_bias, c->o_bias, C, Q, at, "self_attn.o_proj");
	add_norm(m, &l->mlp_norm, &l->mlp_norm_bias, at, "post_attention_layernorm");
	add_linear(m, &l->gate, &l->gate_bias, c->mlp_bias, c->ffn, C, at, "mlp.gate_proj");
	add_linear(m, &l->up, &l->up_bias, c->mlp_bias, c->ffn, C, at, "mlp.up_proj");
	add_linear(m, &l->down, &l->down_bias, c->mlp_bias, C, c->ffn, at, "mlp.down_proj");
}

static void
neox_layer(struct model *m, struct layer_params *l, const char *at)
{
	const struct model_config *c = &m->config;
	int64_t C = c->hidden, Q = c->n_heads * c->head_dim;
	add_norm(m, &l->attn_norm, &l->attn_norm_bias, at, "input_layernorm");
	add_linear(
		m, &l->qkv, &l->qkv_bias, c->qkv_bias, 3 * Q, C, at, "attention.query_key_value");
	add_linear(m, &l->o, &l->o_bias, c->o_bias, C, Q, at, "attention.dense");
	add_norm(m, &l->mlp_norm, &l->mlp_norm_bias, at, "post_attention_layernorm");
	add_linear(m, &l->up, &l->up_bias, c->mlp_bias, c->ffn, C, at, "mlp.dense_h_to_4h");
	add_linear(m, &l->down, &l->down_bias, c->mlp_bias, C, c->ffn, at, "mlp.dense_4h_to_h");
}

void
model_table(struct model *m)
{
	const struct model_config *c = &m->config;
	bool neox = c->family == FAMILY_NEOX;
	const char *trunk = neox ? "gpt_neox" : "model";
	char at[64];
	m->params = x_calloc(
		(size_t)c->n_layers * MAX_LAYER_PARAMS + MAX_OTHER_PARAMS, sizeof *m->params);
	m->layers = x_calloc((size_t)c->n_layers, sizeof *m->layers);
	m->n_params = 0;
	m->block_n = 0;
	m->embed = add(
		m, c->vocab, c->hidden, "%s.%s.weight", trunk, neox ? "embed_in" : "embed_tokens");
	for (int i = 0; i < c->n_layers; i++) {
		memset(&m->layers[i], -1, sizeof m->layers[i]);
		snprintf(at, sizeof at, "%s.layers.%d", trunk, i);
		if (neox)
			neox_layer(m, &m->layers[i], at);
		else
			llama_layer(m, &m->layers[i], at);
	}
	add_norm(m, &m->final_norm, &m->final_norm_bias, trunk, neox ? "final_layer_norm" : "norm");
	m->head_bias = -1;
	if (c->head == HEAD_REWARD && c->oasst_head) {
		m->head = add(m, 1, c->hidden, "out_proj.weight");
		m->head_bias = add(m, 1, 0, "out_proj.bias");
	} else if (c->head == HEAD_REWARD) {
		m->head = add(m, 1, c->hidden, "score.weight");
	} else if (c->tied_head) {
		m->head = m->embed;
	} else {
		m->head = add(
			m, c->vocab, c->hidden, "%s", neox ? "embed_out.weight" : "lm_head.weight");
	}
}
