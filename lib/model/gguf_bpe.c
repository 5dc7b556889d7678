#include <string.h>

#include "lib/model/gguf_vocab.h"
#include "lib/stream/json.h"

enum split { SPLIT_GPT2, SPLIT_DIGITS, SPLIT_LLAMA3, SPLIT_QWEN2, SPLIT_TEKKEN, SPLIT_DEFAULT };

/*
 * What tokenizer.ggml.pre stands for: ggml-org/llama.cpp, src/llama-vocab.cpp (splits, whole words
 * looked up first, bos by default).  NFC is not in GGUF: it is what the tokenizer.json of these
 * models has (Qwen/Qwen2.5-0.5B; EleutherAI/gpt-neox-20b and its copies in OLMo and MPT).
 */
static const struct gguf_pre {
	const char *name;
	enum split split;
	bool ignore_merges, add_bos, nfc;
} pres[] = {
	{"default", SPLIT_DEFAULT, false, false, false},
	{"gpt-2", SPLIT_GPT2, false, false, false},
	{"phi-2", SPLIT_GPT2, false, false, false},
	{"gpt-neox", SPLIT_GPT2, false, false, true},
	{"olmo", SPLIT_GPT2, false, false, true},
	{"mpt", SPLIT_GPT2, false, false, true},
	{"smollm", SPLIT_DIGITS, false, false, false},
	{"starcoder", SPLIT_DIGITS, false, false, false},
	{"refact", SPLIT_DIGITS, false, false, false},
	{"llama3", SPLIT_LLAMA3, true, true, false},
	{"llama-v3", SPLIT_LLAMA3, true, true, false},
	{"llama-bpe", SPLIT_LLAMA3, true, true, false},
	{"qwen2", SPLIT_QWEN2, false, false, true},
	{"deepseek-r1-qwen", SPLIT_QWEN2, false, false, false},
	{"tekken", SPLIT_TEKKEN, true, true, false},
};

int
gguf_pre_find(const struct gguf *g, const struct gguf_pre **pre, bool *missing, struct err *e)
{
	struct gguf_string name = {"default", 7};
	int r = gguf_string(g, "tokenizer.ggml.pre", &name, e);
	if (r < 0)
		return -1;
	*missing = r == 0;
	for (size_t i = 0; i < sizeof pres / sizeof pres[0]; i++)
		if (strlen(pres[i].name) == name.n && memcmp(pres[i].name, name.s, name.n) == 0) {
			*pre = &pres[i];
			return 0;
		}
	return err_set(e, ERR_CONFIG, "tokenizer.ggml.pre: '%.*s' is not supported",
		name.n < 40 ? (int)name.n : 40, name.s);
}

const char *
gguf_pre_name(const struct gguf_pre *pre)
{
	return pre->name;
}

bool
gguf_pre_adds_bos(const struct gguf_pre *pre)
{
	return pre->add_bos;
}

static void
put_added(struct buf *out, const struct gguf_vocab *v)
{
	const char *comma = "";
	buf_puts(out, "\"added_tokens\":[");
	for (int64_t i = 0; i < v->n; i++) {
		if (!gguf_vocab_is_added(v, i) || v->token[i].n == 0)
			continue;
		buf_printf(out, "%s\n{\"id\":%lld,\"content\":", comma, (long long)i);
		gguf_vocab_put(out, v, i);
		buf_printf(out,
			",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
			"\"normalized\":false,\"special\":%s}",
			v->type[i] == TOKEN_USER ? "false" : "true");
		comma = ",";
	}
	buf_puts(out, "],\n");
}

static void
put_split(struct buf *out, const char *regex)
{
	buf_puts(out, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
	json_write_string(out, regex, strlen(regex));
	buf_puts(out, "},\"behavior\":\"Isolated\",\"invert\":false},\n");
}

static void
put_byte_level(struct buf *out, bool use_regex)
{
	buf_printf(out,
		"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
		"\"use_regex\":%s}",
		use_regex ? "true" : "false");
}

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"

/* The expressions are those of the models' own tokenizer.json files; DEFAULT's are llama.cpp's. */
static void
put_pre_tokenizer(struct buf *out, enum split split)
{
	buf_puts(out, "\"pre_tokenizer\":");
	if (split == SPLIT_GPT2) {
		put_byte_level(out, true);
		buf_puts(out, ",\n");
		return;
	}
	buf_puts(out, "{\"type\":\"Sequence\",\"pretokenizers\":[\n");
	switch (split) {
	case SPLIT_DIGITS:
		buf_puts(out, "{\"type\":\"Digits\",\"individual_digits\":true},\n");
		break;
	case SPLIT_LLAMA3:
		put_split(out, CONTRACTIONS
			"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
			"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
		break;
	case SPLIT_QWEN2:
		put_split(out, CONTRACTIONS
			"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
			"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
		break;
	case SPLIT_TEKKEN:
		put_split(out, "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" LOWER "]+|"
			       "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]+[" LOWER "]*|\\p{N}|"
			       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
		break;
	default:
		put_split(out, "[\\p{P}\\$\\+<=>\\^~\\|]+");
		put_split(out, "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|"
			       " ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)");
		put_split(out, "\\p{N}+");
		put_split(out, "[0-9][0-9][0-9]");
	}
	put_byte_level(out, split == SPLIT_DIGITS);
	buf_puts(out, "]},\n");
}

static void
put_post_processor(struct buf *out, const struct gguf_vocab *v)
{
	static const char byte_level[] = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
					 "\"trim_offsets\":false,\"use_regex\":true}";
	if (!v->add_bos) {
		buf_printf(out, "\"post_processor\":%s,\n", byte_level);
		return;
	}
	struct buf bos = BUF_INIT;
	gguf_vocab_put(&bos, v, v->bos);
	buf_printf(
		out, "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[%s,\n", byte_level);
	buf_printf(out,
		"{\"type\":\"TemplateProcessing\",\"single\":["
		"{\"SpecialToken\":{\"id\":%s,\"type_id\":0}},"
		"{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":["
		"{\"SpecialToken\":{\"id\":%s,\"type_id\":0}},"
		"{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
		"{\"SpecialToken\":{\"id\":%s,\"type_id\":1}},"
		"{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],",
		bos.data, bos.data, bos.data);
	buf_printf(out, "\"special_tokens\":{%s:{\"id\":%s,\"ids\":[%lld],\"tokens\":[%s]}}}]},\n",
		bos.data, bos.data, (long long)v->bos, bos.data);
	buf_free(&bos);
}

/*
 * The model's vocabulary.  The tokenizers library gives added tokens that are not in it the ids
 * behind it, so those before the last normal token have to be in it, as in the models' own files.
 */
static void
put_vocab(struct buf *out, const struct gguf_vocab *v)
{
	int64_t last = v->n - 1;
	while (last >= 0 && (gguf_vocab_is_added(v, last) || v->type[last] == TOKEN_UNUSED))
		last--;
	const char *comma = "";
	buf_puts(out, "\"vocab\":{");
	for (int64_t i = 0; i <= last; i++) {
		if (v->type[i] == TOKEN_UNUSED || v->token[i].n == 0)
			continue;
		buf_puts(out, comma);
		gguf_vocab_put(out, v, i);
		buf_printf(out, ":%lld", (long long)i);
		comma = ",\n";
	}
	buf_puts(out, "},\n");
}

static int
put_merges(struct buf *out, const struct gguf *g, struct err *e)
{
	const struct gguf_kv *merges;
	int r = gguf_array(g, "tokenizer.ggml.merges", GGUF_STRING, &merges, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, ERR_DATA, "tokenizer.ggml.merges: missing");
	const unsigned char *cursor = merges->data;
	buf_puts(out, "\"merges\":[");
	for (uint64_t i = 0; i < merges->count; i++) {
		struct gguf_string m = gguf_next_string(&cursor);
		const char *space = memchr(m.s, ' ', m.n);
		size_t at = space ? (size_t)(space - m.s) : 0;
		if (at == 0 || at + 1 == m.n || memchr(space + 1, ' ', m.n - at - 1) ||
			!gguf_valid_utf8(m))
			return err_set(e, ERR_DATA,
				"tokenizer.ggml.merges: entry %llu is not two tokens",
				(unsigned long long)i);
		buf_puts(out, i ? ",\n" : "");
		json_write_string(out, m.s, m.n);
	}
	buf_puts(out, "]");
	return 0;
}

int
gguf_put_bpe(struct buf *out, const struct gguf *g, const struct gguf_vocab *v,
	const struct gguf_pre *pre, bool nfc, struct err *e)
{
	buf_puts(out, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
	put_added(out, v);
	buf_printf(out, "\"normalizer\":%s,\n", nfc || pre->nfc ? "{\"type\":\"NFC\"}" : "null");
	put_pre_tokenizer(out, pre->split);
	put_post_processor(out, v);
	buf_puts(out, "\"decoder\":");
	put_byte_level(out, true);
	buf_printf(out,
		",\n\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
		"\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
		"\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":%s,\n",
		pre->ignore_merges ? "true" : "false");
	put_vocab(out, v);
	if (put_merges(out, g, e) < 0)
		return -1;
	buf_puts(out, "}}\n");
	return 0;
}
