#include "lib/model/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/stream/json.h"

/* By enum model_family. */
static const struct {
	const char *model_type, *lm, *reward;
} families[] = {
	{"llama", "LlamaForCausalLM", "LlamaForSequenceClassification"},
	{"mistral", "MistralForCausalLM", "MistralForSequenceClassification"},
	{"qwen2", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification"},
	{"gpt_neox", "GPTNeoXForCausalLM", "GPTNeoXForSequenceClassification"},
};

const char *
config_architecture(const struct model_config *c)
{
	if (c->oasst_head)
		return "GPTNeoXRewardModel";
	return c->head == HEAD_REWARD ? families[c->family].reward : families[c->family].lm;
}

static void
put_int(struct buf *b, const char *key, int64_t v)
{
	buf_printf(b, ",\n  \"%s\": %lld", key, (long long)v);
}

static void
put_real(struct buf *b, const char *key, double v)
{
	buf_printf(b, ",\n  \"%s\": ", key);
	json_write_real(b, v);
}

/* A float that came from decimal text goes back with as few digits as a float needs. */
static void
put_float(struct buf *b, const char *key, float v)
{
	char text[32];
	double d = v;
	for (int digits = 1; digits <= 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, (double)v);
		d = strtod(text, NULL);
		if ((float)d == v)
			break;
	}
	put_real(b, key, d);
}

static void
put_bool(struct buf *b, const char *key, bool v)
{
	buf_printf(b, ",\n  \"%s\": %s", key, v ? "true" : "false");
}

static void
put_text(struct buf *b, const char *key, const char *v)
{
	buf_printf(b, ",\n  \"%s\": \"%s\"", key, v);
}

static void
put_eos(struct buf *b, const struct model_config *c)
{
	if (c->eos_list.n < 2) {
		put_int(b, "eos_token_id", c->eos);
		return;
	}
	for (size_t i = 0; i < c->eos_list.n; i++)
		buf_printf(b, "%s%d", i ? ", " : ",\n  \"eos_token_id\": [", c->eos_list.v[i]);
	buf_putc(b, ']');
}

static void
put_rope(struct buf *b, const struct model_config *c)
{
	if (c->family == FAMILY_NEOX) {
		put_real(b, "rotary_emb_base", c->rope_theta);
		/* it is read as int(pct * head_dim), which must not fall below */
		double pct = (double)c->rotary_dim / c->head_dim;
		bool exact = (int)(pct * c->head_dim) == c->rotary_dim;
		put_real(b, "rotary_pct", exact ? pct : (c->rotary_dim + 0.5) / c->head_dim);
	} else {
		put_real(b, "rope_theta", c->rope_theta);
	}
	if (!c->rope_llama3)
		return;
	buf_puts(b, ",\n  \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": ");
	json_write_real(b, c->rope_factor);
	buf_puts(b, ", \"low_freq_factor\": ");
	json_write_real(b, c->rope_low_freq_factor);
	buf_puts(b, ", \"high_freq_factor\": ");
	json_write_real(b, c->rope_high_freq_factor);
	buf_printf(b, ", \"original_max_position_embeddings\": %d}", c->rope_original_positions);
}

void
config_write(const struct model_config *c, struct buf *out)
{
	static const char *const acts[] = {"silu", "gelu", "gelu_pytorch_tanh", "relu"};
	static const char *const dtypes[] = {"float32", "bfloat16", "float16"};
	bool neox = c->family == FAMILY_NEOX;
	buf_printf(out, "{\n  \"architectures\": [\"%s\"]", config_architecture(c));
	put_text(out, "model_type",
		c->oasst_head ? "gpt_neox_reward_model" : families[c->family].model_type);
	put_int(out, "vocab_size", c->vocab);
	put_int(out, "hidden_size", c->hidden);
	put_int(out, "intermediate_size", c->ffn);
	put_int(out, "num_hidden_layers", c->n_layers);
	put_int(out, "num_attention_heads", c->n_heads);
	put_int(out, "max_position_embeddings", c->max_positions);
	put_text(out, "hidden_act", acts[c->act]);
	put_float(out, neox ? "layer_norm_eps" : "rms_norm_eps", c->norm_eps);
	put_float(out, "initializer_range", c->initializer_range);
	put_bool(out, "tie_word_embeddings", c->tied_head);
	put_rope(out, c);
	if (neox) {
		put_bool(out, "use_parallel_residual", c->parallel_residual);
	} else {
		put_int(out, "num_key_value_heads", c->n_kv_heads);
		put_int(out, "head_dim", c->head_dim);
	}
	if (neox || c->family == FAMILY_LLAMA)
		put_bool(out, "attention_bias", c->qkv_bias);
	if (c->family == FAMILY_LLAMA)
		put_bool(out, "mlp_bias", c->mlp_bias);
	if (c->family == FAMILY_MISTRAL && c->sliding_window == 0)
		buf_puts(out, ",\n  \"sliding_window\": null");
	else if (c->family == FAMILY_MISTRAL || c->sliding_window)
		put_int(out, "sliding_window", c->sliding_window);
	if (c->family == FAMILY_QWEN2)
		put_bool(out, "use_sliding_window", c->sliding_window > 0);
	if (c->head == HEAD_REWARD && !c->oasst_head)
		buf_puts(out, ",\n  \"num_labels\": 1,\n  \"id2label\": {\"0\": \"LABEL_0\"},"
			      "\n  \"label2id\": {\"LABEL_0\": 0}");
	if (c->bos >= 0)
		put_int(out, "bos_token_id", c->bos);
	if (c->eos >= 0)
		put_eos(out, c);
	if (c->pad >= 0)
		put_int(out, "pad_token_id", c->pad);
	put_text(out, "torch_dtype", dtypes[c->dtype]);
	buf_puts(out, "\n}\n");
}

int64_t
config_parameters(const struct model_config *c)
{
	int64_t C = c->hidden, Q = (int64_t)c->n_heads * c->head_dim;
	int64_t KV = 2LL * c->n_kv_heads * c->head_dim, F = c->ffn, norm = c->norm == K_LAYERNORM;
	int64_t attn = (Q + KV) * C + (c->qkv_bias ? Q + KV : 0) + C * Q + (c->o_bias ? C : 0);
	int64_t in = c->gated ? 2 * F : F;
	int64_t mlp = in * C + C * F + (c->mlp_bias ? in + C : 0);
	int64_t norms = C * (norm ? 2 : 1);
	int64_t n = c->vocab * C + c->n_layers * (attn + mlp + 2 * norms) + norms;
	if (c->head == HEAD_REWARD)
		return n + C + (c->oasst_head ? 1 : 0);
	return n + (c->tied_head ? 0 : c->vocab * C);
}
