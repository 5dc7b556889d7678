#include "lib/model/gguf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Metadata of one architecture to config.json.  Key names: ggml-org/ggml, docs/gguf.md; what the
 * converter writes for Hugging Face's models: ggml-org/llama.cpp, conversion/.
 */

enum { MAX_DIM = 1 << 24, MAX_LAYERS = 4096, MAX_HEADS = 1 << 16 };

void
gguf_put_float(struct buf *out, double x)
{
	char s[40];
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, x);
		if (strtof(s, NULL) == (float)x)
			break;
	}
	buf_puts(out, s);
	if (strpbrk(s, ".e") == NULL)
		buf_puts(out, ".0");
}

/* "architecture.name", until the next call with the same buffer. */
static const char *
key(char k[128], const struct gguf_shape *s, const char *name)
{
	snprintf(k, 128, "%s.%s", s->architecture, name);
	return k;
}

/* otherwise < 0: the key has to be there. */
static int
integer(const struct gguf *g, const struct gguf_shape *s, const char *name, int64_t max,
	int64_t otherwise, int64_t *v, struct err *e)
{
	char k[128];
	int r = gguf_int(g, key(k, s, name), 1, max, v, e);
	if (r == 0 && otherwise < 0)
		return err_set(e, ERR_DATA, "%s: missing", k);
	if (r == 0)
		*v = otherwise;
	return r < 0 ? -1 : 0;
}

static int
real(const struct gguf *g, const struct gguf_shape *s, const char *name, double otherwise,
	double *v, struct err *e)
{
	char k[128];
	int r = gguf_real(g, key(k, s, name), v, e);
	if (r == 0 && otherwise < 0)
		return err_set(e, ERR_DATA, "%s: missing", k);
	if (r == 0)
		*v = otherwise;
	if (r > 0 && !(*v > 0))
		return err_set(e, ERR_DATA, "%s: not positive", k);
	return r < 0 ? -1 : 0;
}

/* Keys that are read below, or that cannot change what the model computes. */
static bool
known_key(const char *name, size_t n)
{
	static const char *const known[] = {"attention.head_count", "attention.head_count_kv",
		"attention.key_length", "attention.layer_norm_epsilon",
		"attention.layer_norm_rms_epsilon", "attention.sliding_window",
		"attention.value_length", "block_count", "context_length", "embedding_length",
		"expert_count", "expert_used_count", "feed_forward_length", "rope.dimension_count",
		"rope.freq_base", "rope.scale_linear", "rope.scaling.factor",
		"rope.scaling.finetuned", "rope.scaling.original_context_length",
		"rope.scaling.type", "tensor_data_layout", "use_parallel_residual", "vocab_size"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strlen(known[i]) == n && memcmp(known[i], name, n) == 0)
			return true;
	return false;
}

static int
refuse_unknown(const struct gguf *g, const struct gguf_shape *s, struct err *e)
{
	size_t prefix = strlen(s->architecture);
	for (size_t i = 0; i < g->n_kv; i++) {
		struct gguf_string k = g->kv[i].key;
		if (k.n <= prefix || memcmp(k.s, s->architecture, prefix) != 0 ||
			k.s[prefix] != '.')
			continue;
		if (!known_key(k.s + prefix + 1, k.n - prefix - 1))
			return err_set(e, ERR_CONFIG,
				"%.*s: this key is not supported, and may change what the model "
				"computes",
				k.n < 80 ? (int)k.n : 80, k.s);
	}
	return 0;
}

static int
refuse_unsupported(const struct gguf *g, const struct gguf_shape *s, struct err *e)
{
	char k[128];
	int64_t v = 0;
	if (gguf_int(g, key(k, s, "expert_count"), 0, INT64_MAX, &v, e) < 0)
		return -1;
	if (v > 0)
		return err_set(e, ERR_CONFIG, "%s: mixtures of experts are not supported", k);
	v = 0;
	if (gguf_int(g, key(k, s, "attention.sliding_window"), 0, INT64_MAX, &v, e) < 0)
		return -1;
	if (v > 0 && v < s->positions)
		return err_set(e, ERR_CONFIG, "%s: a window of %lld inside %lld is not supported",
			k, (long long)v, (long long)s->positions);
	double factor = 0;
	if (gguf_real(g, key(k, s, "rope.scale_linear"), &factor, e) < 0 ||
		gguf_real(g, key(k, s, "rope.scaling.factor"), &factor, e) < 0)
		return -1;
	struct gguf_string type = {"linear", 6};
	if (gguf_string(g, key(k, s, "rope.scaling.type"), &type, e) < 0)
		return -1;
	bool none = type.n == 4 && memcmp(type.s, "none", 4) == 0;
	bool linear = type.n == 6 && memcmp(type.s, "linear", 6) == 0;
	if (!none && !(linear && (factor == 0 || factor == 1)))
		return err_set(e, ERR_CONFIG, "rope scaling of type %.*s by %g is not supported",
			type.n < 40 ? (int)type.n : 40, type.s, factor);
	return 0;
}

/* Divisor of rotary frequency freq under llama3 scaling: transformers, modeling_rope_utils.py,
 * _compute_llama3_parameters, with its usual low 1 and high 4. */
static double
llama3_divisor(double freq, double factor, double original)
{
	const double low = 1, high = 4;
	double turns = original * freq / (2 * M_PI);
	if (turns > high)
		return 1;
	if (turns < low)
		return factor;
	double smooth = (turns - low) / (high - low);
	return 1 / ((1 - smooth) / factor + smooth);
}

/* rope_freqs.weight holds the divisors; is it what this factor and original length give? */
static bool
llama3_fits(const float *d, int64_t n, double theta, double factor, double original)
{
	for (int64_t i = 0; i < n; i++) {
		double want = llama3_divisor(pow(theta, -(double)i / (double)n), factor, original);
		if (!(fabs(d[i] - want) <= 1e-5 * want))
			return false;
	}
	return true;
}

/* The original length, which the file does not say: from its key, from a smoothed divisor, or any
 * power of two that gives these divisors.  0: none does. */
static int64_t
llama3_original(const struct gguf *g, const struct gguf_shape *s, const float *d, int64_t n,
	double theta, double factor)
{
	char k[128];
	int64_t v;
	if (gguf_int(g, key(k, s, "rope.scaling.original_context_length"), 1, MAX_DIM, &v, NULL) ==
			1 &&
		llama3_fits(d, n, theta, factor, (double)v))
		return v;
	for (int64_t i = 0; i < n; i++) {
		if (!(d[i] > 1.001 && d[i] < factor * 0.999))
			continue;
		double smooth = (1 / (double)d[i] - 1 / factor) / (1 - 1 / factor);
		double freq = pow(theta, -(double)i / (double)n);
		v = llround((1 + 3 * smooth) * 2 * M_PI / freq);
		if (llama3_fits(d, n, theta, factor, (double)v))
			return v;
	}
	for (v = 8192; v <= MAX_DIM; v *= 2)
		if (llama3_fits(d, n, theta, factor, (double)v))
			return v;
	for (v = 4096; v > 0; v /= 2)
		if (llama3_fits(d, n, theta, factor, (double)v))
			return v;
	return 0;
}

static int
put_scaling(const struct gguf *g, const struct gguf_shape *s, double theta, struct buf *json,
	struct err *e)
{
	const struct gguf_tensor *t = gguf_tensor(g, "rope_freqs.weight");
	if (t == NULL)
		return 0;
	int64_t n = s->head_dim / 2;
	if (t->type != GGML_F32 || t->rank != 1 || t->shape[0] != n)
		return err_set(
			e, ERR_DATA, "tensor rope_freqs.weight: not %lld F32 values", (long long)n);
	float *d = x_calloc((size_t)n, sizeof *d);
	ggml_to_float(d, t->type, t->data, (size_t)n);
	double factor = 1;
	for (int64_t i = 0; i < n; i++)
		factor = d[i] > factor ? d[i] : factor;
	int64_t original = factor > 1 ? llama3_original(g, s, d, n, theta, factor) : 1;
	bool ones = factor == 1 && llama3_fits(d, n, theta, 1, 1);
	free(d);
	if (ones)
		return 0;
	if (original == 0 || factor == 1)
		return err_set(e, ERR_CONFIG,
			"tensor rope_freqs.weight: not the frequencies of llama3 scaling");
	buf_puts(json, "  \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": ");
	gguf_put_float(json, factor);
	buf_printf(json,
		", \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
		"\"original_max_position_embeddings\": %lld},\n",
		(long long)original);
	return 0;
}

static int
read_shape(const struct gguf *g, struct gguf_shape *s, struct err *e)
{
	if (integer(g, s, "block_count", MAX_LAYERS, -1, &s->layers, e) < 0 ||
		integer(g, s, "embedding_length", MAX_DIM, -1, &s->hidden, e) < 0 ||
		integer(g, s, "attention.head_count", MAX_HEADS, -1, &s->heads, e) < 0 ||
		integer(g, s, "attention.head_count_kv", MAX_HEADS, s->heads, &s->kv_heads, e) <
			0 ||
		integer(g, s, "feed_forward_length", MAX_DIM, -1, &s->ffn, e) < 0 ||
		integer(g, s, "context_length", 1 << 30, -1, &s->positions, e) < 0)
		return -1;
	if (s->heads % s->kv_heads != 0)
		return err_set(e, ERR_DATA, "%lld heads are not a multiple of %lld key heads",
			(long long)s->heads, (long long)s->kv_heads);
	int64_t width = s->hidden % s->heads == 0 ? s->hidden / s->heads : -1, value;
	if (integer(g, s, "attention.key_length", MAX_HEADS, width, &s->head_dim, e) < 0 ||
		integer(g, s, "attention.value_length", MAX_HEADS, s->head_dim, &value, e) < 0)
		return -1;
	if (value != s->head_dim || s->head_dim % 2 != 0)
		return err_set(e, ERR_CONFIG,
			"heads of %lld keys and %lld values are not supported",
			(long long)s->head_dim, (long long)value);
	const struct gguf_tensor *t = gguf_tensor(g, "token_embd.weight");
	if (t == NULL || t->rank != 2)
		return err_set(e, ERR_DATA, "tensor token_embd.weight: missing, or not a matrix");
	if (t->shape[0] > MAX_DIM)
		return err_set(
			e, ERR_DATA, "tensor token_embd.weight: %lld rows", (long long)t->shape[0]);
	s->vocab = t->shape[0];
	s->tied = gguf_tensor(g, "output.weight") == NULL;
	s->qkv_bias = gguf_tensor(g, "blk.0.attn_q.bias") != NULL ||
		      gguf_tensor(g, "blk.0.attn_qkv.bias") != NULL;
	return 0;
}

static int
put_neox(const struct gguf *g, const struct gguf_shape *s, double theta, int64_t rotary,
	struct buf *json, struct err *e)
{
	char k[128];
	bool parallel = true;
	double eps;
	if (real(g, s, "attention.layer_norm_epsilon", -1, &eps, e) < 0 ||
		gguf_bool(g, key(k, s, "use_parallel_residual"), &parallel, e) < 0)
		return -1;
	if (s->kv_heads != s->heads || s->head_dim * s->heads != s->hidden)
		return err_set(e, ERR_CONFIG, "gptneox with grouped or resized heads");
	/* transformers truncates head_dim * rotary_pct. */
	double pct = (double)rotary / (double)s->head_dim;
	while ((int64_t)((double)s->head_dim * pct) < rotary)
		pct = nextafter(pct, 2);
	buf_puts(json, "  \"hidden_act\": \"gelu\",\n  \"layer_norm_eps\": ");
	gguf_put_float(json, eps);
	buf_puts(json, ",\n  \"rotary_emb_base\": ");
	gguf_put_float(json, theta);
	buf_printf(json, ",\n  \"rotary_pct\": %.17g,\n", pct);
	buf_printf(json, "  \"use_parallel_residual\": %s,\n", parallel ? "true" : "false");
	buf_printf(json, "  \"attention_bias\": %s,\n", s->qkv_bias ? "true" : "false");
	return 0;
}

static int
put_llama(const struct gguf *g, const struct gguf_shape *s, double theta, int64_t rotary,
	struct buf *json, struct err *e)
{
	double eps;
	if (real(g, s, "attention.layer_norm_rms_epsilon", -1, &eps, e) < 0)
		return -1;
	if (rotary != s->head_dim)
		return err_set(e, ERR_CONFIG,
			"%s.rope.dimension_count: rotating %lld of %lld elements is not supported",
			s->architecture, (long long)rotary, (long long)s->head_dim);
	buf_puts(json, "  \"hidden_act\": \"silu\",\n");
	buf_printf(json, "  \"num_key_value_heads\": %lld,\n", (long long)s->kv_heads);
	if (s->head_dim * s->heads != s->hidden)
		buf_printf(json, "  \"head_dim\": %lld,\n", (long long)s->head_dim);
	if (strcmp(s->architecture, "llama") == 0)
		buf_printf(json, "  \"attention_bias\": %s,\n  \"mlp_bias\": false,\n",
			s->qkv_bias ? "true" : "false");
	buf_puts(json, "  \"rms_norm_eps\": ");
	gguf_put_float(json, eps);
	buf_puts(json, ",\n  \"rope_theta\": ");
	gguf_put_float(json, theta);
	buf_puts(json, ",\n");
	return put_scaling(g, s, theta, json, e);
}

static int
put_ids(const struct gguf *g, const struct gguf_shape *s, struct buf *json, struct err *e)
{
	static const char *const names[] = {"bos", "eos", "padding"};
	for (int i = 0; i < 3; i++) {
		char k[128];
		int64_t id;
		snprintf(k, sizeof k, "tokenizer.ggml.%s_token_id", names[i]);
		int r = gguf_int(g, k, 0, s->vocab - 1, &id, e);
		if (r < 0)
			return -1;
		if (r > 0)
			buf_printf(json, "  \"%s_token_id\": %lld,\n", i < 2 ? names[i] : "pad",
				(long long)id);
	}
	return 0;
}

static int
put_config(const struct gguf *g, const struct gguf_shape *s, const char *torch_dtype,
	struct buf *json, struct err *e)
{
	bool neox = strcmp(s->architecture, "gptneox") == 0;
	bool qwen = strcmp(s->architecture, "qwen2") == 0;
	double theta;
	int64_t rotary;
	if (real(g, s, "rope.freq_base", 10000, &theta, e) < 0 ||
		integer(g, s, "rope.dimension_count", s->head_dim, s->head_dim, &rotary, e) < 0)
		return -1;
	buf_printf(json, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\",\n",
		neox   ? "GPTNeoXForCausalLM"
		: qwen ? "Qwen2ForCausalLM"
		       : "LlamaForCausalLM",
		neox ? "gpt_neox" : s->architecture);
	if ((neox ? put_neox : put_llama)(g, s, theta, rotary, json, e) < 0 ||
		put_ids(g, s, json, e) < 0)
		return -1;
	buf_printf(json, "  \"hidden_size\": %lld,\n  \"intermediate_size\": %lld,\n",
		(long long)s->hidden, (long long)s->ffn);
	buf_printf(json, "  \"max_position_embeddings\": %lld,\n", (long long)s->positions);
	buf_printf(json, "  \"num_attention_heads\": %lld,\n  \"num_hidden_layers\": %lld,\n",
		(long long)s->heads, (long long)s->layers);
	buf_printf(json, "  \"tie_word_embeddings\": %s,\n", s->tied ? "true" : "false");
	buf_printf(json, "  \"torch_dtype\": \"%s\",\n  \"vocab_size\": %lld\n}\n", torch_dtype,
		(long long)s->vocab);
	return 0;
}

int
gguf_config(const struct gguf *g, struct gguf_shape *s, const char *torch_dtype, struct buf *json,
	struct err *e)
{
	static const char *const supported[] = {"llama", "qwen2", "gptneox"};
	struct gguf_string a;
	int r = gguf_string(g, "general.architecture", &a, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, ERR_DATA, "general.architecture: missing");
	int64_t parts = 1; /* llama.cpp's gguf-split writes it */
	if (gguf_int(g, "split.count", 0, INT64_MAX, &parts, e) < 0)
		return -1;
	if (parts > 1)
		return err_set(e, ERR_CONFIG,
			"one of %lld parts of a model; join them with llama-gguf-split --merge",
			(long long)parts);
	*s = (struct gguf_shape){0};
	for (int i = 0; i < 3; i++)
		if (a.n == strlen(supported[i]) && memcmp(a.s, supported[i], a.n) == 0)
			s->architecture = supported[i];
	if (s->architecture == NULL)
		return err_set(e, ERR_CONFIG,
			"architecture %.*s is not supported; llama, qwen2 and gptneox are",
			a.n < 40 ? (int)a.n : 40, a.s);
	if (read_shape(g, s, e) < 0 || refuse_unknown(g, s, e) < 0 ||
		refuse_unsupported(g, s, e) < 0)
		return -1;
	return put_config(g, s, torch_dtype, json, e);
}
