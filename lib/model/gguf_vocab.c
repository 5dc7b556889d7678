#include "lib/model/gguf_vocab.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "lib/stream/json.h"

static int
read_tokens(const struct gguf *g, int64_t embeddings, struct gguf_vocab *v, struct err *e)
{
	const struct gguf_kv *tokens, *types;
	int r = gguf_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, ERR_DATA, "tokenizer.ggml.tokens: missing");
	if (tokens->count == 0 || tokens->count > (uint64_t)embeddings)
		return err_set(e, ERR_DATA,
			"tokenizer.ggml.tokens: %llu tokens for %lld embeddings",
			(unsigned long long)tokens->count, (long long)embeddings);
	if (gguf_array(g, "tokenizer.ggml.token_type", GGUF_INT32, &types, e) < 0 ||
		gguf_array(g, "tokenizer.ggml.scores", GGUF_FLOAT32, &v->scores, e) < 0)
		return -1;
	v->n = (int64_t)tokens->count;
	if ((types && types->count != tokens->count) ||
		(v->scores && v->scores->count != tokens->count))
		return err_set(e, ERR_DATA,
			"tokenizer.ggml: tokens, token_type and scores differ in length");
	v->token = x_calloc((size_t)v->n, sizeof *v->token);
	v->type = x_calloc((size_t)v->n, sizeof *v->type);
	const unsigned char *cursor = tokens->data;
	for (int64_t i = 0; i < v->n; i++) {
		v->token[i] = gguf_next_string(&cursor);
		v->type[i] = types ? gguf_int32_at(types, (uint64_t)i) : TOKEN_NORMAL;
		if (v->type[i] == TOKEN_UNDEFINED)
			v->type[i] = TOKEN_NORMAL;
		if (v->type[i] < TOKEN_NORMAL || v->type[i] > TOKEN_BYTE)
			return err_set(e, ERR_DATA, "tokenizer.ggml.token_type: %d of token %lld",
				v->type[i], (long long)i);
	}
	return 0;
}

/*
 * One token is the unknown one.  Converters give that type to others too (pad tokens, mostly),
 * which llama.cpp takes for the special tokens that they are (src/llama-vocab.cpp,
 * cache_special_tokens).
 */
static void
settle_unknown(struct gguf_vocab *v)
{
	int64_t unk = v->unk >= 0 && v->type[v->unk] == TOKEN_UNKNOWN ? v->unk : -1;
	for (int64_t i = 0; i < v->n; i++) {
		if (v->type[i] != TOKEN_UNKNOWN || i == unk)
			continue;
		if (unk < 0)
			unk = i;
		else
			v->type[i] = TOKEN_CONTROL;
	}
}

bool
gguf_valid_utf8(struct gguf_string s)
{
	utf8proc_int32_t c;
	for (size_t i = 0; i < s.n;) {
		utf8proc_ssize_t k = utf8proc_iterate(
			(const utf8proc_uint8_t *)s.s + i, (utf8proc_ssize_t)(s.n - i), &c);
		if (k <= 0 || c == 0)
			return false;
		i += (size_t)k;
	}
	return true;
}

static int
compare_tokens(const void *a, const void *b)
{
	const struct gguf_string *x = a, *y = b;
	int c = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);
	return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* Text that JSON can hold, and no text twice (but for the empty one, which stands for no token). */
static int
check_tokens(const struct gguf_vocab *v, struct err *e)
{
	for (int64_t i = 0; i < v->n; i++)
		if (!gguf_valid_utf8(v->token[i]))
			return err_set(e, ERR_DATA,
				"tokenizer.ggml.tokens: token %lld is not UTF-8", (long long)i);
	struct gguf_string *sorted = x_calloc((size_t)v->n, sizeof *sorted);
	memcpy(sorted, v->token, (size_t)v->n * sizeof *sorted);
	qsort(sorted, (size_t)v->n, sizeof *sorted, compare_tokens);
	int rc = 0;
	for (int64_t i = 1; i < v->n && rc == 0; i++)
		if (sorted[i].n > 0 && compare_tokens(&sorted[i - 1], &sorted[i]) == 0)
			rc = err_set(e, ERR_DATA, "tokenizer.ggml.tokens: '%.*s' is there twice",
				sorted[i].n < 80 ? (int)sorted[i].n : 80, sorted[i].s);
	free(sorted);
	return rc;
}

int
gguf_vocab_id(const struct gguf *g, const struct gguf_vocab *v, const char *name, int64_t otherwise,
	int64_t *id, struct err *e)
{
	char key[64];
	snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
	int r = gguf_int(g, key, 0, v->n - 1, id, e);
	if (r == 0)
		*id = otherwise < v->n ? otherwise : -1;
	return r < 0 ? -1 : 0;
}

/* Defaults of absent keys as llama.cpp has them (src/llama-vocab.cpp, llama_vocab::impl::load),
 * except that a BPE vocabulary without bos or eos has none here, not token 11. */
int
gguf_vocab_read(struct gguf_vocab *v, const struct gguf *g, int64_t embeddings, bool spm,
	bool add_bos, struct err *e)
{
	*v = (struct gguf_vocab){.add_bos = spm || add_bos, .add_space_prefix = spm};
	if (read_tokens(g, embeddings, v, e) < 0 || check_tokens(v, e) < 0 ||
		gguf_vocab_id(g, v, "bos", spm ? 1 : -1, &v->bos, e) < 0 ||
		gguf_vocab_id(g, v, "eos", spm ? 2 : -1, &v->eos, e) < 0 ||
		gguf_vocab_id(g, v, "unknown", spm ? 0 : -1, &v->unk, e) < 0 ||
		gguf_vocab_id(g, v, "padding", -1, &v->pad, e) < 0 ||
		gguf_bool(g, "tokenizer.ggml.add_bos_token", &v->add_bos, e) < 0 ||
		gguf_bool(g, "tokenizer.ggml.add_space_prefix", &v->add_space_prefix, e) < 0 ||
		gguf_bool(g, "tokenizer.ggml.remove_extra_whitespaces", &v->remove_spaces, e) < 0 ||
		gguf_string(g, "tokenizer.chat_template", &v->chat_template, e) < 0)
		return -1;
	settle_unknown(v);
	int r = gguf_bool(g, "tokenizer.ggml.add_eos_token", &v->add_eos, e);
	if (r < 0)
		return -1;
	v->has_add_eos = r > 0;
	if (v->chat_template.s && !gguf_valid_utf8(v->chat_template))
		return err_set(e, ERR_DATA, "tokenizer.chat_template: not UTF-8");
	if (v->add_bos && v->bos < 0)
		return err_set(e, ERR_DATA,
			"tokenizer.ggml.bos_token_id: missing, but texts are to begin with it");
	return 0;
}

void
gguf_vocab_free(struct gguf_vocab *v)
{
	free(v->token);
	free(v->type);
}

void
gguf_vocab_put(struct buf *out, const struct gguf_vocab *v, int64_t id)
{
	json_write_string(out, v->token[id].s, v->token[id].n);
}

bool
gguf_vocab_is_added(const struct gguf_vocab *v, int64_t i)
{
	return v->type[i] == TOKEN_CONTROL || v->type[i] == TOKEN_USER ||
	       v->type[i] == TOKEN_UNKNOWN;
}
