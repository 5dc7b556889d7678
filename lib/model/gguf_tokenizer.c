#include <string.h>

#include "lib/model/folder.h"
#include "lib/model/gguf_vocab.h"
#include "lib/stream/json.h"

static void
put_named(struct buf *out, const struct gguf_vocab *v, const char *name, int64_t id)
{
	if (id < 0)
		return;
	buf_printf(out, "  \"%s_token\": ", name);
	gguf_vocab_put(out, v, id);
	buf_puts(out, ",\n");
}

static void
put_added_decoder(struct buf *out, const struct gguf_vocab *v)
{
	const char *comma = "";
	buf_puts(out, "  \"added_tokens_decoder\": {");
	for (int64_t i = 0; i < v->n; i++) {
		if (!gguf_vocab_is_added(v, i) || v->token[i].n == 0)
			continue;
		buf_printf(out, "%s\n    \"%lld\": {\"content\": ", comma, (long long)i);
		gguf_vocab_put(out, v, i);
		buf_printf(out,
			", \"lstrip\": false, \"normalized\": false, \"rstrip\": false, "
			"\"single_word\": false, \"special\": %s}",
			v->type[i] == TOKEN_USER ? "false" : "true");
		comma = ",";
	}
	buf_puts(out, "\n  },\n");
}

static void
put_tokenizer_config(
	struct buf *out, const struct gguf_vocab *v, const struct gguf_shape *s, bool spm)
{
	buf_printf(out, "{\n  \"add_bos_token\": %s,\n", v->add_bos ? "true" : "false");
	if (v->has_add_eos)
		buf_printf(out, "  \"add_eos_token\": %s,\n", v->add_eos ? "true" : "false");
	put_added_decoder(out, v);
	put_named(out, v, "bos", v->bos);
	put_named(out, v, "eos", v->eos);
	put_named(out, v, "unk", v->unk);
	put_named(out, v, "pad", v->pad);
	if (v->chat_template.s) {
		buf_puts(out, "  \"chat_template\": ");
		json_write_string(out, v->chat_template.s, v->chat_template.n);
		buf_puts(out, ",\n");
	}
	buf_printf(out, "  \"clean_up_tokenization_spaces\": false,\n");
	buf_printf(out, "  \"model_max_length\": %lld,\n", (long long)s->positions);
	buf_printf(out, "  \"tokenizer_class\": \"%s\"\n}\n",
		spm ? "LlamaTokenizer" : "PreTrainedTokenizerFast");
}

/* Generation stops at eos, and at the end-of-turn and end-of-message tokens where they differ. */
static int
put_generation_config(
	struct buf *out, const struct gguf *g, const struct gguf_vocab *v, struct err *e)
{
	int64_t stop[3] = {v->eos}, id;
	int n = v->eos >= 0;
	static const char *const names[] = {"eot", "eom"};
	for (int i = 0; i < 2; i++) {
		if (gguf_vocab_id(g, v, names[i], -1, &id, e) < 0)
			return -1;
		bool there = id < 0;
		for (int k = 0; k < n; k++)
			there |= stop[k] == id;
		if (!there)
			stop[n++] = id;
	}
	buf_puts(out, "{");
	if (v->bos >= 0)
		buf_printf(out, "\n  \"bos_token_id\": %lld", (long long)v->bos);
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s%lld",
			i            ? ", "
			: v->bos < 0 ? "\n  \"eos_token_id\": ["
				     : ",\n  \"eos_token_id\": [",
			(long long)stop[i]);
	buf_puts(out, n ? "]\n}\n" : "\n}\n");
	return 0;
}

static int
write_all(const struct gguf *g, const struct gguf_shape *s, const struct gguf_vocab *v,
	const struct gguf_pre *pre, const char *dir, struct err *e)
{
	struct buf b = BUF_INIT;
	bool nfc = strcmp(s->architecture, "gptneox") == 0;
	int rc = pre ? gguf_put_bpe(&b, g, v, pre, nfc, e) : gguf_put_spm(&b, g, v, e);
	if (rc == 0)
		rc = folder_write(dir, pre ? "tokenizer.json" : "tokenizer.model", &b, e);
	if (rc == 0) {
		buf_reset(&b);
		put_tokenizer_config(&b, v, s, pre == NULL);
		rc = folder_write(dir, "tokenizer_config.json", &b, e);
	}
	buf_reset(&b);
	if (rc == 0)
		rc = put_generation_config(&b, g, v, e);
	if (rc == 0)
		rc = folder_write(dir, "generation_config.json", &b, e);
	buf_free(&b);
	return rc;
}

int
gguf_write_tokenizer(const struct gguf *g, const struct gguf_shape *s, const char *dir,
	struct gguf_import *p, struct err *e)
{
	struct gguf_string model;
	int r = gguf_string(g, "tokenizer.ggml.model", &model, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, ERR_DATA, "tokenizer.ggml.model: missing");
	bool spm = model.n == 5 && memcmp(model.s, "llama", 5) == 0;
	if (!spm && !(model.n == 4 && memcmp(model.s, "gpt2", 4) == 0))
		return err_set(e, ERR_CONFIG,
			"tokenizer.ggml.model: '%.*s' is not supported; llama and gpt2 are",
			model.n < 40 ? (int)model.n : 40, model.s);
	const struct gguf_pre *pre = NULL;
	p->pre_missing = false;
	if (!spm && gguf_pre_find(g, &pre, &p->pre_missing, e) < 0)
		return -1;
	snprintf(p->tokenizer, sizeof p->tokenizer, "%s%s%s", spm ? "llama" : "gpt2",
		spm ? "" : ", ", spm ? "" : gguf_pre_name(pre));
	struct gguf_vocab v;
	int rc = gguf_vocab_read(&v, g, s->vocab, spm, pre && gguf_pre_adds_bos(pre), e);
	if (rc == 0)
		rc = write_all(g, s, &v, pre, dir, e);
	gguf_vocab_free(&v);
	return rc;
}
