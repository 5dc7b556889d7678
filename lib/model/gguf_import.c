#include "lib/model/gguf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/folder.h"
#include "lib/model/weights.h"

/*
 * Tensors: names of ggml-org/llama.cpp (gguf-py/gguf/constants.py, TENSOR_NAMES) to Hugging Face's.
 * llama.cpp reorders some rows for its own rotary code; that is undone here (see source_row).
 */
enum order { AS_IS, ROTARY_Q, ROTARY_K, FUSED };
enum dim { ONE, HIDDEN, FFN, VOCAB, Q_ROWS, K_ROWS, QKV_ROWS };
enum when { ALWAYS, UNTIED, QKV_BIAS, O_BIAS };

enum { MAX_NAME = 96 };

struct rule {
	const char *ggml, *hf; /* %d: the layer */
	enum dim rows, cols;   /* cols ONE: a vector */
	enum order order;
	enum when when;
};

static const struct rule llama_rules[] = {
	{"token_embd.weight", "model.embed_tokens.weight", VOCAB, HIDDEN, AS_IS, ALWAYS},
	{"output_norm.weight", "model.norm.weight", HIDDEN, ONE, AS_IS, ALWAYS},
	{"output.weight", "lm_head.weight", VOCAB, HIDDEN, AS_IS, UNTIED},
	{"blk.%d.attn_norm.weight", "model.layers.%d.input_layernorm.weight", HIDDEN, ONE, AS_IS,
		ALWAYS},
	{"blk.%d.attn_q.weight", "model.layers.%d.self_attn.q_proj.weight", Q_ROWS, HIDDEN,
		ROTARY_Q, ALWAYS},
	{"blk.%d.attn_q.bias", "model.layers.%d.self_attn.q_proj.bias", Q_ROWS, ONE, ROTARY_Q,
		QKV_BIAS},
	{"blk.%d.attn_k.weight", "model.layers.%d.self_attn.k_proj.weight", K_ROWS, HIDDEN,
		ROTARY_K, ALWAYS},
	{"blk.%d.attn_k.bias", "model.layers.%d.self_attn.k_proj.bias", K_ROWS, ONE, ROTARY_K,
		QKV_BIAS},
	{"blk.%d.attn_v.weight", "model.layers.%d.self_attn.v_proj.weight", K_ROWS, HIDDEN, AS_IS,
		ALWAYS},
	{"blk.%d.attn_v.bias", "model.layers.%d.self_attn.v_proj.bias", K_ROWS, ONE, AS_IS,
		QKV_BIAS},
	{"blk.%d.attn_output.weight", "model.layers.%d.self_attn.o_proj.weight", HIDDEN, Q_ROWS,
		AS_IS, ALWAYS},
	{"blk.%d.attn_output.bias", "model.layers.%d.self_attn.o_proj.bias", HIDDEN, ONE, AS_IS,
		O_BIAS},
	{"blk.%d.ffn_norm.weight", "model.layers.%d.post_attention_layernorm.weight", HIDDEN, ONE,
		AS_IS, ALWAYS},
	{"blk.%d.ffn_gate.weight", "model.layers.%d.mlp.gate_proj.weight", FFN, HIDDEN, AS_IS,
		ALWAYS},
	{"blk.%d.ffn_up.weight", "model.layers.%d.mlp.up_proj.weight", FFN, HIDDEN, AS_IS, ALWAYS},
	{"blk.%d.ffn_down.weight", "model.layers.%d.mlp.down_proj.weight", HIDDEN, FFN, AS_IS,
		ALWAYS},
	{0},
};

#define NEOX "gpt_neox.layers.%d."
static const struct rule neox_rules[] = {
	{"token_embd.weight", "gpt_neox.embed_in.weight", VOCAB, HIDDEN, AS_IS, ALWAYS},
	{"output_norm.weight", "gpt_neox.final_layer_norm.weight", HIDDEN, ONE, AS_IS, ALWAYS},
	{"output_norm.bias", "gpt_neox.final_layer_norm.bias", HIDDEN, ONE, AS_IS, ALWAYS},
	{"output.weight", "embed_out.weight", VOCAB, HIDDEN, AS_IS, UNTIED},
	{"blk.%d.attn_norm.weight", NEOX "input_layernorm.weight", HIDDEN, ONE, AS_IS, ALWAYS},
	{"blk.%d.attn_norm.bias", NEOX "input_layernorm.bias", HIDDEN, ONE, AS_IS, ALWAYS},
	{"blk.%d.attn_qkv.weight", NEOX "attention.query_key_value.weight", QKV_ROWS, HIDDEN, FUSED,
		ALWAYS},
	{"blk.%d.attn_qkv.bias", NEOX "attention.query_key_value.bias", QKV_ROWS, ONE, FUSED,
		QKV_BIAS},
	{"blk.%d.attn_output.weight", NEOX "attention.dense.weight", HIDDEN, HIDDEN, AS_IS, ALWAYS},
	{"blk.%d.attn_output.bias", NEOX "attention.dense.bias", HIDDEN, ONE, AS_IS, QKV_BIAS},
	{"blk.%d.ffn_norm.weight", NEOX "post_attention_layernorm.weight", HIDDEN, ONE, AS_IS,
		ALWAYS},
	{"blk.%d.ffn_norm.bias", NEOX "post_attention_layernorm.bias", HIDDEN, ONE, AS_IS, ALWAYS},
	{"blk.%d.ffn_up.weight", NEOX "mlp.dense_h_to_4h.weight", FFN, HIDDEN, AS_IS, ALWAYS},
	{"blk.%d.ffn_up.bias", NEOX "mlp.dense_h_to_4h.bias", FFN, ONE, AS_IS, ALWAYS},
	{"blk.%d.ffn_down.weight", NEOX "mlp.dense_4h_to_h.weight", HIDDEN, FFN, AS_IS, ALWAYS},
	{"blk.%d.ffn_down.bias", NEOX "mlp.dense_4h_to_h.bias", HIDDEN, ONE, AS_IS, ALWAYS},
	{0},
};

/* One tensor to write. */
struct item {
	const struct gguf_tensor *from;
	char name[MAX_NAME];
	int64_t rows, cols; /* a vector that is reordered has cols 1, another has rows 1 */
	int64_t shape[2];
	int rank;
	enum order order;
	enum k_dtype dtype;
};

struct plan {
	const struct gguf *g;
	const struct gguf_shape *s;
	struct item *items;
	size_t n;
};

static int64_t
dim(const struct gguf_shape *s, enum dim d)
{
	switch (d) {
	case ONE:
		return 1;
	case HIDDEN:
		return s->hidden;
	case FFN:
		return s->ffn;
	case VOCAB:
		return s->vocab;
	case Q_ROWS:
		return s->heads * s->head_dim;
	case K_ROWS:
		return s->kv_heads * s->head_dim;
	case QKV_ROWS:
		return 3 * s->hidden;
	}
	return 0;
}

/*
 * The row of the GGUF tensor that Hugging Face has as row r.
 *
 * Rotary q and k of architecture llama: llama.cpp rotates neighbours (2j, 2j+1) of a head where
 * Hugging Face rotates (j, j + D/2), so its converter moves row (h, half, j) to (h, j, half)
 * (conversion/llama.py, permute).  qwen2 is rotated as Hugging Face does and is not reordered.
 *
 * GPT-NeoX's fused projection is [heads, 3, D] in Hugging Face and [3, heads, D] in GGUF
 * (conversion/gptneox.py, modify_tensors).
 */
static int64_t
source_row(const struct item *it, const struct gguf_shape *s, int64_t r)
{
	int64_t D = s->head_dim, head, d;
	switch (it->order) {
	case ROTARY_Q:
	case ROTARY_K:
		head = r / D, d = r % D;
		return head * D + d % (D / 2) * 2 + d / (D / 2);
	case FUSED:
		head = r / (3 * D), d = r % (3 * D);
		return d / D * s->hidden + head * D + d % D;
	case AS_IS:
		break;
	}
	return r;
}

static enum k_dtype
target_dtype(enum gguf_dtype want, enum ggml_type have)
{
	if (want == GGUF_TO_F16 || (want == GGUF_AUTO && have == GGML_F16))
		return K_F16;
	if (want == GGUF_TO_BF16 || (want == GGUF_AUTO && have == GGML_BF16))
		return K_BF16;
	return K_F32;
}

/* pattern with its %d, if it has one, replaced. */
static void
layer_name(char out[MAX_NAME], const char *pattern, int layer)
{
	const char *at = strstr(pattern, "%d");
	if (at == NULL)
		snprintf(out, MAX_NAME, "%s", pattern);
	else
		snprintf(out, MAX_NAME, "%.*s%d%s", (int)(at - pattern), pattern, layer, at + 2);
}

static int
plan_one(struct plan *p, const struct rule *r, int layer, enum gguf_dtype dtype, struct err *e)
{
	struct item *it = &p->items[p->n];
	bool llama = strcmp(p->s->architecture, "llama") == 0;
	char name[MAX_NAME];
	layer_name(name, r->ggml, layer);
	layer_name(it->name, r->hf, layer);
	if ((r->when == UNTIED && p->s->tied) || (r->when == QKV_BIAS && !p->s->qkv_bias) ||
		(r->when == O_BIAS && !(p->s->qkv_bias && llama)))
		return 0;
	it->from = gguf_tensor(p->g, name);
	if (it->from == NULL)
		return err_set(e, ERR_DATA, "tensor %s: missing", name);
	it->shape[0] = it->rows = dim(p->s, r->rows);
	it->shape[1] = it->cols = dim(p->s, r->cols);
	it->rank = r->cols == ONE ? 1 : 2;
	const struct gguf_tensor *t = it->from;
	if (t->rank != it->rank || t->shape[0] != it->shape[0] ||
		(t->rank == 2 && t->shape[1] != it->shape[1]))
		return err_set(e, ERR_DATA, "tensor %s: its shape does not fit the metadata", name);
	it->order = r->order;
	if ((r->order == ROTARY_Q || r->order == ROTARY_K) && !llama)
		it->order = AS_IS;
	if (it->rank == 1 && it->order == AS_IS)
		it->cols = it->rows, it->rows = 1;
	size_t elements, bytes;
	if (!ggml_type_block(t->type, &elements, &bytes) || (uint64_t)it->cols % elements != 0)
		return err_set(e, ERR_DATA, "tensor %s: a vector in %s blocks", name,
			ggml_type_name(t->type));
	it->dtype = target_dtype(dtype, t->type);
	p->n++;
	return 0;
}

/* Tensors that no rule has taken: nothing may be lost silently. */
static int
refuse_others(const struct plan *p, struct err *e)
{
	bool *used = x_calloc(p->g->n_tensors + 1, sizeof *used);
	for (size_t i = 0; i < p->n; i++)
		used[p->items[i].from - p->g->tensors] = true;
	const struct gguf_tensor *freqs = gguf_tensor(p->g, "rope_freqs.weight");
	if (freqs && strcmp(p->s->architecture, "llama") == 0)
		used[freqs - p->g->tensors] = true;
	int rc = 0;
	for (size_t i = 0; i < p->g->n_tensors && rc == 0; i++)
		if (!used[i])
			rc = err_set(e, ERR_CONFIG, "tensor %.*s: not known in architecture %s",
				(int)p->g->tensors[i].name.n, p->g->tensors[i].name.s,
				p->s->architecture);
	free(used);
	return rc;
}

static int
make_plan(struct plan *p, enum gguf_dtype dtype, struct err *e)
{
	const struct rule *rules =
		strcmp(p->s->architecture, "gptneox") == 0 ? neox_rules : llama_rules;
	/* A layer has at least one tensor; so many layers that they cannot be there fail early. */
	if ((uint64_t)p->s->layers > p->g->n_tensors)
		return err_set(e, ERR_DATA, "%lld layers, but %zu tensors", (long long)p->s->layers,
			p->g->n_tensors);
	p->items = x_calloc((size_t)p->s->layers * 16 + 16, sizeof *p->items);
	for (const struct rule *r = rules; r->ggml; r++) {
		bool layered = strchr(r->ggml, '%') != NULL;
		for (int i = 0; i < (layered ? (int)p->s->layers : 1); i++)
			if (plan_one(p, r, i, dtype, e) < 0)
				return -1;
	}
	return refuse_others(p, e);
}

/* Rows per step: about 256 KiB of floats, at least one row. */
static int64_t
step_rows(const struct item *it)
{
	int64_t n = 65536 / it->cols;
	return n < 1 ? 1 : n > it->rows ? it->rows : n;
}

static int
check_range(const struct item *it, const float *x, size_t n, struct err *e)
{
	if (it->dtype != K_F16)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (fabsf(x[i]) >= 65520 && isfinite(x[i])) /* rounds to infinity */
			return err_set(e, ERR_DATA, "tensor %s: %g does not fit into f16", it->name,
				(double)x[i]);
	return 0;
}

static int
write_item(struct st_writer *w, const struct item *it, const struct gguf_shape *s, struct err *e)
{
	size_t elements, bytes, cols = (size_t)it->cols;
	if (!ggml_type_block(it->from->type, &elements, &bytes))
		return err_set(e, ERR_SOFTWARE, "tensor %s: unknown type", it->name);
	size_t row = cols / elements * bytes;
	int64_t step = step_rows(it);
	float *x = x_malloc((size_t)step * cols * sizeof *x);
	unsigned char *out = x_malloc((size_t)step * cols * k_dtype_size(it->dtype));
	int rc = 0;
	for (int64_t r = 0; r < it->rows && rc == 0; r += step) {
		int64_t n = it->rows - r < step ? it->rows - r : step;
		for (int64_t i = 0; i < n; i++)
			ggml_to_float(x + (size_t)i * cols, it->from->type,
				it->from->data + (size_t)source_row(it, s, r + i) * row, cols);
		size_t total = (size_t)n * cols;
		rc = check_range(it, x, total, e);
		if (rc == 0) {
			k_from_float(out, it->dtype, x, total);
			rc = st_writer_data(w, out, total * k_dtype_size(it->dtype), e);
		}
	}
	free(x);
	free(out);
	return rc;
}

static enum st_dtype
stored(enum k_dtype t)
{
	return t == K_F32 ? ST_F32 : t == K_F16 ? ST_F16 : ST_BF16;
}

/* Wide types first, so that every tensor is aligned. */
static int
write_tensors(const struct plan *p, FILE *f, struct err *e)
{
	static const char *const meta[] = {"format", "pt"};
	struct st_writer w;
	st_writer_init(&w, f);
	st_writer_meta(&w, meta, 1);
	for (int wide = 1; wide >= 0; wide--)
		for (size_t i = 0; i < p->n; i++)
			if ((p->items[i].dtype == K_F32) == wide)
				st_writer_describe(&w, p->items[i].name, stored(p->items[i].dtype),
					p->items[i].shape, p->items[i].rank);
	int rc = 0;
	for (int wide = 1; wide >= 0 && rc == 0; wide--)
		for (size_t i = 0; i < p->n && rc == 0; i++)
			if ((p->items[i].dtype == K_F32) == wide)
				rc = write_item(&w, &p->items[i], p->s, e);
	if (rc == 0)
		rc = st_writer_finish(&w, e);
	st_writer_free(&w);
	return rc;
}

int
gguf_write_tensors(const struct gguf *g, const struct gguf_shape *s, FILE *f, struct gguf_import *p,
	struct err *e)
{
	struct plan plan = {.g = g, .s = s};
	int rc = make_plan(&plan, p->dtype, e);
	if (rc == 0)
		rc = write_tensors(&plan, f, e);
	p->n_tensors = plan.n;
	p->n_parameters = 0;
	for (size_t i = 0; i < plan.n; i++)
		p->n_parameters += plan.items[i].rows * plan.items[i].cols;
	free(plan.items);
	return rc;
}

/* The type that most of the weights are stored in, as torch names it. */
static const char *
torch_dtype(const struct gguf *g, enum gguf_dtype want)
{
	static const char *const names[] = {
		[K_F32] = "float32", [K_BF16] = "bfloat16", [K_F16] = "float16"};
	const struct gguf_tensor *t = gguf_tensor(g, "token_embd.weight");
	const struct gguf_tensor *q = gguf_tensor(g, "blk.0.attn_output.weight");
	enum ggml_type have = q ? q->type : t ? t->type : GGML_F32;
	return names[target_dtype(want, have)];
}

static int
write_weights(const struct gguf *g, const struct gguf_shape *s, const char *dir,
	struct gguf_import *p, struct err *e)
{
	struct buf path = BUF_INIT;
	struct out o;
	int rc = out_open(&o, path_join(&path, dir, "model.safetensors"), e);
	if (rc == 0) {
		rc = gguf_write_tensors(g, s, o.f, p, e);
		if (rc == 0)
			rc = out_commit(&o, e);
		else
			out_abort(&o);
	}
	buf_free(&path);
	return rc;
}

static int
write_folder(struct gguf_import *p, const struct gguf *g, const char *dir, struct err *e)
{
	struct gguf_shape s;
	struct buf json = BUF_INIT;
	int rc = gguf_config(g, &s, torch_dtype(g, p->dtype), &json, e);
	if (rc == 0)
		rc = folder_write(dir, "config.json", &json, e);
	if (rc == 0)
		rc = gguf_write_tokenizer(g, &s, dir, p, e);
	if (rc == 0)
		rc = write_weights(g, &s, dir, p, e);
	if (rc == 0)
		snprintf(p->architecture, sizeof p->architecture, "%s", s.architecture);
	else if (e && (e->code == ERR_DATA || e->code == ERR_CONFIG))
		err_prefix(e, "%s", g->path); /* others name the file they write */
	buf_free(&json);
	return rc;
}

int
gguf_import(struct gguf_import *p, const char *path, const char *dir, struct err *e)
{
	struct gguf g;
	if (gguf_open(&g, path, e) < 0)
		return -1;
	struct folder f;
	int rc = folder_begin(&f, dir, e);
	if (rc == 0)
		rc = write_folder(p, &g, f.tmp, e);
	if (rc == 0 && p->check && (rc = p->check(f.tmp, p->arg, e)) < 0)
		err_prefix(e, "%s: what was read does not make a model", path);
	if (rc == 0)
		rc = map_check(&g.map, e);
	rc = folder_end(&f, rc, e);
	gguf_close(&g);
	return rc;
}
