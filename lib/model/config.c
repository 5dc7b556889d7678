#include "lib/model/config.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/foreign.h"
#include "lib/model/member.h"
#include "lib/stream/json.h"

enum { MAX_CONFIG = 4 << 20 };

static const struct family {
	const char *model_type, *name; /* "llama", "Llama" */
	enum model_family family;
} families[] = {
	{"llama", "Llama", FAMILY_LLAMA}, {"mistral", "Mistral", FAMILY_MISTRAL},
	{"qwen2", "Qwen2", FAMILY_QWEN2}, {"gpt_neox", "GPTNeoX", FAMILY_NEOX},
	{"gpt_neox_reward_model", "GPTNeoX", FAMILY_NEOX}, /* Open-Assistant's */
};
enum { N_FAMILIES = sizeof families / sizeof *families };

/* Keys that other models have and that change what a decoder computes, with the value that does
 * not (NULL: null, false or absent only). */
static const struct neutral {
	const char *key;
	double value;
	bool number;
} neutrals[] = {
	{"quantization_config", 0, false},
	{"quantization", 0, false},       /* MLX */
	{"compression_config", 0, false}, /* compressed-tensors */
	{"is_encoder_decoder", 0, false},
	{"add_cross_attention", 0, false},
	{"alibi", 0, false},
	{"qk_layernorm", 0, false},
	{"use_qk_norm", 0, false},
	{"qk_norm", 0, false},
	{"rope_interleaved", 0, false},
	{"clip_qkv", 0, false},
	{"final_logit_softcapping", 0, false},
	{"attn_logit_softcapping", 0, false},
	{"query_pre_attn_scalar", 0, false},
	{"num_experts", 0, false},
	{"num_local_experts", 0, false},
	{"attention_multiplier", 1, true},
	{"embedding_multiplier", 1, true},
	{"residual_multiplier", 1, true},
	{"logits_scaling", 1, true},
	{"logit_scale", 1, true},
};

static bool
is_neutral(const struct neutral *x, const json_t *v)
{
	return member_null(v) || json_is_false(v) ||
	       (x->number && json_is_number(v) && json_number_value(v) == x->value);
}

static int
check_neutral(const json_t *o, struct err *e)
{
	for (size_t i = 0; i < sizeof neutrals / sizeof *neutrals; i++) {
		if (is_neutral(&neutrals[i], json_object_get(o, neutrals[i].key)))
			continue;
		return err_set(e, ERR_CONFIG, "%s is not supported", neutrals[i].key);
	}
	/* transformers 5 makes the attention bidirectional */
	if (json_is_false(json_object_get(o, "is_causal")))
		return err_set(e, ERR_CONFIG, "is_causal false is not supported");
	return 0;
}

static int
parse_act(struct model_config *c, const json_t *o, struct err *e)
{
	static const struct {
		const char *name;
		enum k_act_kind kind;
	} acts[] = {
		{"silu", K_SILU},
		{"swish", K_SILU},
		{"gelu", K_GELU},
		{"gelu_new", K_GELU_TANH},
		{"gelu_fast", K_GELU_TANH},
		{"gelu_pytorch_tanh", K_GELU_TANH},
		{"relu", K_RELU},
	};
	const char *name;
	if (member_text(o, "hidden_act", &name, e) < 0)
		return -1;
	if (name == NULL)
		name = c->family == FAMILY_NEOX ? "gelu" : "silu";
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		if (strcmp(name, acts[i].name) == 0) {
			c->act = acts[i].kind;
			return 0;
		}
	}
	return err_set(e, ERR_CONFIG, "hidden_act \"%.100s\" is not supported", name);
}

/* "LlamaModel": the decoder without a head. */
static bool
is_bare(const char *architecture)
{
	for (int i = 0; i < N_FAMILIES; i++) {
		size_t n = strlen(families[i].name);
		if (strncmp(architecture, families[i].name, n) == 0 &&
			strcmp(architecture + n, "Model") == 0)
			return true;
	}
	return false;
}

/*
 * Members of reward models that change the score behind the head.  normalize_reward with mean and
 * std: (score - mean) / std outside training (OpenRLHF, models/model.py); do_normalize: the same
 * from a stored normalizer (PKU-Alignment/safe-rlhf, models/score_model).  Only what changes
 * nothing passes.
 */
static int
check_score(const json_t *o, struct err *e)
{
	static const struct neutral scales[] = {
		{"mean", 0, true},
		{"std", 1, true},
		{"do_normalize", 0, false},
		{"reward_scale", 1, true},
		{"reward_shift", 0, true},
		{"score_scale", 1, true},
	};
	const json_t *normalizes = json_object_get(o, "normalize_reward");
	if (normalizes && !json_is_null(normalizes) && !json_is_boolean(normalizes))
		return err_set(e, ERR_DATA, "normalize_reward: not true or false");
	for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
		const json_t *v = json_object_get(o, scales[i].key);
		bool off = i < 2 && json_is_false(normalizes);
		if (off || is_neutral(&scales[i], v))
			continue;
		return err_set(e, ERR_CONFIG, "%s of a reward model is not supported%s",
			scales[i].key,
			i < 2 ? " (the scores would be normalised with mean and std)" : "");
	}
	return 0;
}

/* architectures, model_type and num_labels: which head. */
static int
parse_head(struct model_config *c, const json_t *o, const char *model_type, struct err *e)
{
	const json_t *list = json_object_get(o, "architectures");
	const char *a = json_string_value(json_array_get(list, 0));
	if (!member_null(list) && a == NULL)
		return err_set(e, ERR_DATA, "architectures: not a list of strings");
	c->oasst_head = strcmp(model_type, "gpt_neox_reward_model") == 0 ||
			(a && strcmp(a, "GPTNeoXRewardModel") == 0);
	bool sequence = a && member_ends_in(a, "ForSequenceClassification");
	c->head = c->oasst_head || sequence ? HEAD_REWARD : HEAD_LM;
	if (c->oasst_head) {
		const char *pooling;
		if (c->family != FAMILY_NEOX)
			return err_set(e, ERR_CONFIG, "architectures %s of model_type %.100s", a,
				model_type);
		if (member_text(o, "pooling", &pooling, e) < 0)
			return -1;
		if (pooling && strcmp(pooling, "last") != 0)
			return err_set(
				e, ERR_CONFIG, "pooling \"%.100s\" is not supported", pooling);
	} else if (sequence) {
		/* transformers derives num_labels from id2label, and has two labels by default */
		const json_t *labels = json_object_get(o, "id2label");
		int n, from_labels = json_is_object(labels) && json_object_size(labels) < 1000
					     ? (int)json_object_size(labels)
					     : 2;
		if (member_int(o, "num_labels", 0, INT_MAX, from_labels, &n, e) < 0)
			return -1;
		if (n != 1)
			return err_set(
				e, ERR_CONFIG, "num_labels is %d: a reward model has one label", n);
	} else if (a && !member_ends_in(a, "ForCausalLM") && !is_bare(a)) {
		/* heads of their own: ...ForRewardModel, ...ForScore, ...WithValueHead */
		return err_set(e, ERR_CONFIG, "architectures \"%.100s\" is not supported", a);
	}
	return c->head == HEAD_REWARD ? check_score(o, e) : 0;
}

/* rope_scaling of transformers 4, rope_parameters of 5. */
static int
parse_rope_scaling(struct model_config *c, const json_t *o, const char *key, struct err *e)
{
	const char *type = NULL;
	if (!json_is_object(o))
		return err_set(e, ERR_DATA, "%s: not an object", key);
	if (member_text(o, "rope_type", &type, e) < 0 ||
		(!type && member_text(o, "type", &type, e) < 0))
		return -1;
	if (type == NULL || strcmp(type, "default") == 0)
		return 0;
	if (strcmp(type, "llama3") != 0)
		return err_set(e, ERR_CONFIG, "%s type \"%.100s\" is not supported", key, type);
	c->rope_llama3 = true;
	if (member_real(o, "factor", 1e-3, 1e6, 0, &c->rope_factor, e) < 0 ||
		member_real(o, "low_freq_factor", 0, 1e6, 0, &c->rope_low_freq_factor, e) < 0 ||
		member_real(o, "high_freq_factor", 0, 1e6, 0, &c->rope_high_freq_factor, e) < 0 ||
		member_int(o, "original_max_position_embeddings", 1, 1 << 30, 0,
			&c->rope_original_positions, e) < 0)
		return -1;
	if (!c->rope_factor || !c->rope_low_freq_factor || !c->rope_original_positions ||
		c->rope_high_freq_factor <= c->rope_low_freq_factor)
		return err_set(e, ERR_CONFIG,
			"%s: llama3 needs factor, low_freq_factor < high_freq_factor and "
			"original_max_position_embeddings",
			key);
	return 0;
}

static int
parse_rope(struct model_config *c, const json_t *o, struct err *e)
{
	const json_t *p5 = json_object_get(o, "rope_parameters");
	const json_t *p4 = json_object_get(o, "rope_scaling");
	bool neox = c->family == FAMILY_NEOX;
	double pct, fallback = 10000;
	if (neox && member_real(o, "rotary_emb_base", 1e-3, 1e12, fallback, &fallback, e) < 0)
		return -1;
	if (member_real(o, "rope_theta", 1e-3, 1e12, fallback, &fallback, e) < 0)
		return -1;
	c->rope_theta = fallback;
	if (member_real(o, "partial_rotary_factor", -1, 1, neox ? 0.25 : 1, &pct, e) < 0 ||
		(neox && member_real(o, "rotary_pct", -1, 1, pct, &pct, e) < 0))
		return -1;
	if (!member_null(p5)) {
		if (parse_rope_scaling(c, p5, "rope_parameters", e) < 0 ||
			member_real(p5, "rope_theta", 1e-3, 1e12, fallback, &c->rope_theta, e) <
				0 ||
			member_real(p5, "partial_rotary_factor", -1, 1, pct, &pct, e) < 0)
			return -1;
	} else if (!member_null(p4) && parse_rope_scaling(c, p4, "rope_scaling", e) < 0) {
		return -1;
	}
	if (!neox && pct != 1)
		return err_set(e, ERR_CONFIG, "partial_rotary_factor is not supported here");
	c->rotary_dim = pct > 0 ? (int)(c->head_dim * pct) : 0;
	if (c->rotary_dim % 2)
		return err_set(
			e, ERR_CONFIG, "%d rotary dimensions: not an even number", c->rotary_dim);
	return 0;
}

static int
parse_window(struct model_config *c, const json_t *o, struct err *e)
{
	const json_t *types = json_object_get(o, "layer_types");
	int window, max_window_layers;
	bool use;
	/* MistralConfig's default, for a config without the key; null is none */
	bool absent = c->family == FAMILY_MISTRAL && json_object_get(o, "sliding_window") == NULL;
	if (member_int(o, "sliding_window", 0, INT_MAX, absent ? 4096 : 0, &window, e) < 0 ||
		member_bool(o, "use_sliding_window", false, &use, e) < 0 ||
		member_int(o, "max_window_layers", 0, INT_MAX, 0, &max_window_layers, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(types); i++) {
		const char *t = json_string_value(json_array_get(types, i));
		if (t == NULL ||
			(strcmp(t, "full_attention") != 0 && strcmp(t, "sliding_attention") != 0))
			return err_set(e, ERR_CONFIG, "layer_types \"%.100s\" is not supported",
				t ? t : "");
	}
	if (c->family == FAMILY_MISTRAL ||
		(c->family == FAMILY_QWEN2 && use && max_window_layers < c->n_layers))
		c->sliding_window = window;
	return 0;
}

static int
parse_sizes(struct model_config *c, const json_t *o, struct err *e)
{
	bool neox = c->family == FAMILY_NEOX;
	/* Mistral and Qwen2 have defaults of their own for num_key_value_heads; they always say it.
	 */
	int need = INT_MIN, kv;
	if (member_int(o, "num_hidden_layers", 1, 1000, need, &c->n_layers, e) < 0 ||
		member_int(o, "hidden_size", 1, 1 << 17, need, &c->hidden, e) < 0 ||
		member_int(o, "num_attention_heads", 1, 1 << 12, need, &c->n_heads, e) < 0 ||
		member_int(o, "intermediate_size", 1, 1 << 20, need, &c->ffn, e) < 0 ||
		member_int(o, "vocab_size", 1, 1 << 24, need, &c->vocab, e) < 0 ||
		member_int(o, "max_position_embeddings", 1, 1 << 30, 2048, &c->max_positions, e) <
			0)
		return -1;
	kv = c->family == FAMILY_LLAMA || neox ? c->n_heads : need;
	c->n_kv_heads = c->n_heads;
	if (!neox && member_int(o, "num_key_value_heads", 1, 1 << 12, kv, &c->n_kv_heads, e) < 0)
		return -1;
	if (c->n_heads % c->n_kv_heads)
		return err_set(e, ERR_CONFIG,
			"num_attention_heads %d is no multiple of num_key_value_heads %d",
			c->n_heads, c->n_kv_heads);
	if (member_int(o, "head_dim", 1, 1 << 12, 0, &c->head_dim, e) < 0)
		return -1;
	if ((c->head_dim == 0 || neox) && c->hidden % c->n_heads)
		return err_set(e, ERR_CONFIG,
			"hidden_size %d is no multiple of num_attention_heads %d", c->hidden,
			c->n_heads);
	if (c->head_dim == 0 || neox)
		c->head_dim = c->hidden / c->n_heads;
	if ((int64_t)c->n_heads * c->head_dim > 1 << 20)
		return err_set(e, ERR_CONFIG, "num_attention_heads %d of head_dim %d are too many",
			c->n_heads, c->head_dim);
	return 0;
}

static int
parse_rest(struct model_config *c, const json_t *o, struct err *e)
{
	bool neox = c->family == FAMILY_NEOX, attention_bias;
	double eps, range;
	c->norm = neox ? K_LAYERNORM : K_RMSNORM;
	c->gated = !neox;
	c->fused_qkv = neox;
	if (member_real(o, neox ? "layer_norm_eps" : "rms_norm_eps", 1e-30, 1, neox ? 1e-5 : 1e-6,
		    &eps, e) < 0 ||
		member_real(o, "initializer_range", -1, 10, 0.02, &range, e) < 0 ||
		member_bool(o, "tie_word_embeddings", false, &c->tied_head, e) < 0 ||
		member_bool(o, "attention_bias", neox, &attention_bias, e) < 0 ||
		member_bool(o, "mlp_bias", false, &c->mlp_bias, e) < 0)
		return -1;
	c->norm_eps = (float)eps;
	c->initializer_range = (float)range;
	if (neox && member_bool(o, "use_parallel_residual", true, &c->parallel_residual, e) < 0)
		return -1;
	/* Mistral and Qwen2 do not read attention_bias and mlp_bias; GPT-NeoX's MLP always has one
	 */
	bool reads = c->family == FAMILY_LLAMA || neox;
	c->qkv_bias = c->family == FAMILY_QWEN2 || (reads && attention_bias);
	c->o_bias = reads && attention_bias;
	c->mlp_bias = neox || (c->family == FAMILY_LLAMA && c->mlp_bias);
	const char *dtype;
	if (member_text(o, "dtype", &dtype, e) < 0 ||
		(!dtype && member_text(o, "torch_dtype", &dtype, e) < 0))
		return -1;
	c->dtype = dtype && strstr(dtype, "bfloat16")  ? K_BF16
		   : dtype && strstr(dtype, "float16") ? K_F16
						       : K_F32;
	if (member_ids(o, "bos_token_id", &c->bos, NULL, e) < 0 ||
		member_ids(o, "pad_token_id", &c->pad, NULL, e) < 0 ||
		member_ids(o, "eos_token_id", &c->eos, &c->eos_list, e) < 0)
		return -1;
	return parse_act(c, o, e);
}

static int
unknown_type(const char *type, struct err *e)
{
	struct buf known = BUF_INIT;
	for (int i = 0; i < N_FAMILIES; i++)
		buf_printf(&known, "%s%s", i ? ", " : "", families[i].model_type);
	err_set(e, ERR_CONFIG, "model_type \"%.100s\" is not supported; known are %s", type,
		known.data);
	buf_free(&known);
	return -1;
}

static int
parse_object(struct model_config *c, const json_t *o, struct err *e)
{
	const char *type;
	if (!json_is_object(o))
		return err_set(e, ERR_DATA, "not a JSON object");
	if (member_text(o, "model_type", &type, e) < 0)
		return -1;
	int i = 0;
	while (i < N_FAMILIES && type && strcmp(type, families[i].model_type) != 0)
		i++;
	if (type == NULL)
		return err_set(e, ERR_CONFIG, "no model_type");
	if (i == N_FAMILIES)
		return unknown_type(type, e);
	c->family = families[i].family;
	if (check_neutral(o, e) < 0 || parse_head(c, o, type, e) < 0 || parse_sizes(c, o, e) < 0 ||
		parse_rest(c, o, e) < 0 || parse_rope(c, o, e) < 0 || parse_window(c, o, e) < 0)
		return -1;
	return 0;
}

int
config_parse(struct model_config *c, const char *text, size_t n, const char *where, struct err *e)
{
	*c = (struct model_config){0};
	json_t *root = json_parse_python(text, n, e);
	int rc = root ? parse_object(c, root, e) : -1;
	json_decref(root);
	if (rc < 0) {
		config_free(c);
		err_prefix(e, "%s", where);
	}
	return rc;
}

/* generation_config.json adds ids to eos_list; nothing else of it is used. */
static int
load_generation(struct model_config *c, const char *path, struct err *e)
{
	struct buf text = BUF_INIT;
	json_t *root = NULL;
	int32_t first;
	int rc = file_read(path, MAX_CONFIG, &text, e);
	if (rc == 0) {
		root = json_parse_python(text.data, text.len, e);
		rc = root ? member_ids(root, "eos_token_id", &first, &c->eos_list, e) : -1;
		if (rc < 0)
			err_prefix(e, "%s", path);
	}
	json_decref(root);
	buf_free(&text);
	return rc;
}

int
config_load(struct model_config *c, const char *dir, struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	*c = (struct model_config){0};
	path_join(&path, dir, "config.json");
	int rc = file_exists(path.data) ? file_read(path.data, MAX_CONFIG, &text, e)
					: foreign_explain(dir, "config.json", e);
	if (rc == 0)
		rc = config_parse(c, text.data, text.len, path.data, e);
	if (rc == 0 && file_exists(path_join(&path, dir, "generation_config.json")))
		rc = load_generation(c, path.data, e);
	if (rc < 0)
		config_free(c);
	buf_free(&path);
	buf_free(&text);
	return rc;
}

void
config_free(struct model_config *c)
{
	ids_free(&c->eos_list);
}

int
config_check_length(const struct model_config *c, int length, struct err *e)
{
	if (c->sliding_window == 0 || length <= c->sliding_window)
		return 0;
	return err_set(e, ERR_CONFIG,
		"sliding_window is %d, and sequences of %d tokens do not fit into it (it is not "
		"implemented)",
		c->sliding_window, length);
}

/*
 * freq[i] = theta^(-2i/dim).  llama3 scaling as published with Llama 3.1 (meta-llama/llama-models,
 * apply_scaling; transformers, modeling_rope_utils.py): wave lengths above original/low are
 * divided by factor, those below original/high kept, between them the two are blended linearly in
 * original/wavelength.
 */
void
config_rope_freq(const struct model_config *c, float *freq)
{
	for (int i = 0; i < c->rotary_dim / 2; i++) {
		double f = pow(c->rope_theta, -2.0 * i / c->rotary_dim);
		if (c->rope_llama3) {
			double low = c->rope_low_freq_factor, high = c->rope_high_freq_factor;
			double turns = c->rope_original_positions * f / (2 * M_PI);
			double keep = (turns - low) / (high - low);
			keep = keep < 0 ? 0 : keep > 1 ? 1 : keep;
			f = keep * f + (1 - keep) * f / c->rope_factor;
		}
		freq[i] = (float)f;
	}
}
