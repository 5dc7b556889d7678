#include "lib/model/gguf.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "lib/stream/json.h"

/* Values of tokenizer.ggml.token_type: ggml-org/llama.cpp, include/llama.h, enum llama_token_type;
 * 1 to 6 are also SentencePiece's (google/sentencepiece, src/sentencepiece_model.proto). */
enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

struct vocab {
	struct gguf_string *token; /* [n], into the map */
	int *type;                 /* [n] */
	int64_t n;
	const struct gguf_kv *scores; /* NULL: none */
	int64_t bos, eos, unk, pad;   /* -1: none */
	bool add_bos, add_space_prefix, add_eos, has_add_eos, remove_spaces;
	struct gguf_string chat_template; /* s NULL: none */
};

enum split { SPLIT_GPT2, SPLIT_DIGITS, SPLIT_LLAMA3, SPLIT_QWEN2, SPLIT_TEKKEN, SPLIT_DEFAULT };

/*
 * What tokenizer.ggml.pre stands for: ggml-org/llama.cpp, src/llama-vocab.cpp (splits, whole words
 * looked up first, bos by default).  NFC is not in GGUF: it is what the tokenizer.json of these
 * models has (Qwen/Qwen2.5-0.5B; EleutherAI/gpt-neox-20b and its copies in OLMo and MPT).
 */
static const struct pre {
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

static int
read_tokens(const struct gguf *g, const struct gguf_shape *s, struct vocab *v, struct err *e)
{
	const struct gguf_kv *tokens, *types;
	int r = gguf_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, ERR_DATA, "tokenizer.ggml.tokens: missing");
	if (tokens->count == 0 || tokens->count > (uint64_t)s->vocab)
		return err_set(e, ERR_DATA,
			"tokenizer.ggml.tokens: %llu tokens for %lld embeddings",
			(unsigned long long)tokens->count, (long long)s->vocab);
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
		v->type[i] = types ? gguf_int32_at(types, (uint64_t)i) : NORMAL;
		if (v->type[i] < NORMAL || v->type[i] > BYTE)
			return err_set(e, ERR_DATA, "tokenizer.ggml.token_type: %d of token %lld",
				v->type[i], (long long)i);
	}
	return 0;
}

static bool
valid_utf8(struct gguf_string s)
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
check_tokens(const struct vocab *v, struct err *e)
{
	for (int64_t i = 0; i < v->n; i++)
		if (!valid_utf8(v->token[i]))
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

static int
special_id(const struct gguf *g, const struct vocab *v, const char *name, int64_t otherwise,
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
static int
read_vocab(const struct gguf *g, const struct gguf_shape *s, bool spm, bool add_bos,
	struct vocab *v, struct err *e)
{
	*v = (struct vocab){.add_bos = spm || add_bos, .add_space_prefix = spm};
	if (read_tokens(g, s, v, e) < 0 || check_tokens(v, e) < 0 ||
		special_id(g, v, "bos", spm ? 1 : -1, &v->bos, e) < 0 ||
		special_id(g, v, "eos", spm ? 2 : -1, &v->eos, e) < 0 ||
		special_id(g, v, "unknown", spm ? 0 : -1, &v->unk, e) < 0 ||
		special_id(g, v, "padding", -1, &v->pad, e) < 0 ||
		gguf_bool(g, "tokenizer.ggml.add_bos_token", &v->add_bos, e) < 0 ||
		gguf_bool(g, "tokenizer.ggml.add_space_prefix", &v->add_space_prefix, e) < 0 ||
		gguf_bool(g, "tokenizer.ggml.remove_extra_whitespaces", &v->remove_spaces, e) < 0 ||
		gguf_string(g, "tokenizer.chat_template", &v->chat_template, e) < 0)
		return -1;
	int r = gguf_bool(g, "tokenizer.ggml.add_eos_token", &v->add_eos, e);
	if (r < 0)
		return -1;
	v->has_add_eos = r > 0;
	if (v->chat_template.s && !valid_utf8(v->chat_template))
		return err_set(e, ERR_DATA, "tokenizer.chat_template: not UTF-8");
	if (v->add_bos && v->bos < 0)
		return err_set(e, ERR_DATA,
			"tokenizer.ggml.bos_token_id: missing, but texts are to begin with it");
	return 0;
}

static void
vocab_free(struct vocab *v)
{
	free(v->token);
	free(v->type);
}

static void
put_token(struct buf *out, const struct vocab *v, int64_t id)
{
	json_write_string(out, v->token[id].s, v->token[id].n);
}

/* ---- tokenizer.json */

static bool
is_added(const struct vocab *v, int64_t i)
{
	return v->type[i] == CONTROL || v->type[i] == USER_DEFINED || v->type[i] == UNKNOWN;
}

static void
put_added(struct buf *out, const struct vocab *v)
{
	const char *comma = "";
	buf_puts(out, "\"added_tokens\":[");
	for (int64_t i = 0; i < v->n; i++) {
		if (!is_added(v, i) || v->token[i].n == 0)
			continue;
		buf_printf(out, "%s\n{\"id\":%lld,\"content\":", comma, (long long)i);
		put_token(out, v, i);
		buf_printf(out,
			",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
			"\"normalized\":false,\"special\":%s}",
			v->type[i] == USER_DEFINED ? "false" : "true");
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
put_post_processor(struct buf *out, const struct vocab *v)
{
	static const char byte_level[] = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
					 "\"trim_offsets\":false,\"use_regex\":true}";
	if (!v->add_bos) {
		buf_printf(out, "\"post_processor\":%s,\n", byte_level);
		return;
	}
	struct buf bos = BUF_INIT;
	put_token(&bos, v, v->bos);
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
put_vocab(struct buf *out, const struct vocab *v)
{
	int64_t last = v->n - 1;
	while (last >= 0 && (is_added(v, last) || v->type[last] == UNUSED))
		last--;
	const char *comma = "";
	buf_puts(out, "\"vocab\":{");
	for (int64_t i = 0; i <= last; i++) {
		if (v->type[i] == UNUSED || v->token[i].n == 0)
			continue;
		buf_puts(out, comma);
		put_token(out, v, i);
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
			!valid_utf8(m))
			return err_set(e, ERR_DATA,
				"tokenizer.ggml.merges: entry %llu is not two tokens",
				(unsigned long long)i);
		buf_puts(out, i ? ",\n" : "");
		json_write_string(out, m.s, m.n);
	}
	buf_puts(out, "]");
	return 0;
}

static int
put_tokenizer_json(struct buf *out, const struct gguf *g, const struct vocab *v,
	const struct pre *pre, bool nfc, struct err *e)
{
	buf_puts(out, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
	put_added(out, v);
	buf_printf(out, "\"normalizer\":%s,\n", nfc ? "{\"type\":\"NFC\"}" : "null");
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

/* ---- tokenizer.model: a ModelProto (google/sentencepiece, src/sentencepiece_model.proto) in
 * protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) */

static void
put_varint(struct buf *out, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		buf_putc(out, (char)(v | 128));
	buf_putc(out, (char)v);
}

static void
field_int(struct buf *out, unsigned field, int64_t v)
{
	put_varint(out, field << 3);
	put_varint(out, (uint64_t)v);
}

static void
field_bytes(struct buf *out, unsigned field, const void *p, size_t n)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, n);
	buf_put(out, p, n);
}

static void
field_float(struct buf *out, unsigned field, float x)
{
	unsigned char le[4];
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	for (int i = 0; i < 4; i++)
		le[i] = (unsigned char)(bits >> 8 * i);
	put_varint(out, field << 3 | 5);
	buf_put(out, le, sizeof le);
}

enum { /* field numbers */
	MODEL_PIECES = 1,
	MODEL_TRAINER = 2,
	MODEL_NORMALIZER = 3,
	PIECE_TEXT = 1,
	PIECE_SCORE = 2,
	PIECE_TYPE = 3,
	TRAINER_TYPE = 3,
	TRAINER_VOCAB_SIZE = 4,
	TRAINER_BYTE_FALLBACK = 35,
	TRAINER_UNK_ID = 40,
	TRAINER_UNK_PIECE = 45, /* and bos, eos, pad behind each */
	NORMALIZER_NAME = 1,
	NORMALIZER_CHARSMAP = 2,
	NORMALIZER_DUMMY_PREFIX = 3,
	NORMALIZER_REMOVE_SPACES = 4,
	NORMALIZER_ESCAPE_SPACES = 5,
	TYPE_BPE = 2,
};

static void
put_pieces(struct buf *out, const struct vocab *v)
{
	bool has_unknown = false;
	for (int64_t i = 0; i < v->n; i++)
		has_unknown |= v->type[i] == UNKNOWN;
	struct buf piece = BUF_INIT;
	for (int64_t i = 0; i < v->n; i++) {
		int type = v->type[i];
		char empty[32];
		struct gguf_string s = v->token[i];
		if (s.n == 0) { /* libsentencepiece takes no empty piece; as llama.cpp names it */
			snprintf(empty, sizeof empty, "[EMPTY_%lld]", (long long)i);
			s = (struct gguf_string){empty, strlen(empty)};
			type = UNUSED;
		}
		if (i == v->unk && !has_unknown)
			type = UNKNOWN;
		buf_reset(&piece);
		field_bytes(&piece, PIECE_TEXT, s.s, s.n);
		field_float(
			&piece, PIECE_SCORE, v->scores ? gguf_float_at(v->scores, (uint64_t)i) : 0);
		field_int(&piece, PIECE_TYPE, type);
		field_bytes(out, MODEL_PIECES, piece.data, piece.len);
	}
	buf_free(&piece);
}

static int
put_model_proto(struct buf *out, const struct gguf *g, const struct vocab *v, struct err *e)
{
	const int64_t ids[] = {v->unk, v->bos, v->eos, v->pad};
	bool bytes = false;
	for (int64_t i = 0; i < v->n; i++)
		bytes |= v->type[i] == BYTE;
	put_pieces(out, v);
	struct buf b = BUF_INIT;
	field_int(&b, TRAINER_TYPE, TYPE_BPE);
	field_int(&b, TRAINER_VOCAB_SIZE, v->n);
	field_int(&b, TRAINER_BYTE_FALLBACK, bytes);
	for (unsigned i = 0; i < 4; i++)
		field_int(&b, TRAINER_UNK_ID + i, ids[i]);
	for (unsigned i = 0; i < 4; i++)
		if (ids[i] >= 0)
			field_bytes(
				&b, TRAINER_UNK_PIECE + i, v->token[ids[i]].s, v->token[ids[i]].n);
	field_bytes(out, MODEL_TRAINER, b.data, b.len);
	buf_reset(&b);
	const struct gguf_kv *map;
	int r = gguf_array(g, "tokenizer.ggml.precompiled_charsmap", GGUF_UINT8, &map, e);
	field_bytes(&b, NORMALIZER_NAME, "identity", 8);
	field_bytes(&b, NORMALIZER_CHARSMAP, r > 0 ? (const void *)map->data : "",
		r > 0 ? (size_t)map->count : 0);
	field_int(&b, NORMALIZER_DUMMY_PREFIX, v->add_space_prefix);
	field_int(&b, NORMALIZER_REMOVE_SPACES, v->remove_spaces);
	field_int(&b, NORMALIZER_ESCAPE_SPACES, 1);
	field_bytes(out, MODEL_NORMALIZER, b.data, b.len);
	buf_free(&b);
	return r < 0 ? -1 : 0;
}

/* ---- the small files */

static void
put_named(struct buf *out, const struct vocab *v, const char *name, int64_t id)
{
	if (id < 0)
		return;
	buf_printf(out, "  \"%s_token\": ", name);
	put_token(out, v, id);
	buf_puts(out, ",\n");
}

static void
put_added_decoder(struct buf *out, const struct vocab *v)
{
	const char *comma = "";
	buf_puts(out, "  \"added_tokens_decoder\": {");
	for (int64_t i = 0; i < v->n; i++) {
		if (!is_added(v, i) || v->token[i].n == 0)
			continue;
		buf_printf(out, "%s\n    \"%lld\": {\"content\": ", comma, (long long)i);
		put_token(out, v, i);
		buf_printf(out,
			", \"lstrip\": false, \"normalized\": false, \"rstrip\": false, "
			"\"single_word\": false, \"special\": %s}",
			v->type[i] == USER_DEFINED ? "false" : "true");
		comma = ",";
	}
	buf_puts(out, "\n  },\n");
}

static void
put_tokenizer_config(struct buf *out, const struct vocab *v, const struct gguf_shape *s, bool spm)
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
put_generation_config(struct buf *out, const struct gguf *g, const struct vocab *v, struct err *e)
{
	int64_t stop[3] = {v->eos}, id;
	int n = v->eos >= 0;
	static const char *const names[] = {"eot", "eom"};
	for (int i = 0; i < 2; i++) {
		if (special_id(g, v, names[i], -1, &id, e) < 0)
			return -1;
		bool there = id < 0;
		for (int k = 0; k < n; k++)
			there |= stop[k] == id;
		if (!there)
			stop[n++] = id;
	}
	buf_puts(out, "{\n");
	if (v->bos >= 0)
		buf_printf(out, "  \"bos_token_id\": %lld,\n", (long long)v->bos);
	buf_puts(out, "  \"eos_token_id\": [");
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s%lld", i ? ", " : "", (long long)stop[i]);
	buf_puts(out, "]\n}\n");
	return 0;
}

static int
write_file(const char *dir, const char *name, const struct buf *b, struct err *e)
{
	struct buf path = BUF_INIT;
	struct out o;
	int rc = out_open(&o, path_join(&path, dir, name), e);
	if (rc == 0 && (rc = out_write(&o, b->data, b->len, e)) < 0)
		out_abort(&o);
	else if (rc == 0)
		rc = out_commit(&o, e);
	buf_free(&path);
	return rc;
}

static int
write_all(const struct gguf *g, const struct gguf_shape *s, const struct vocab *v,
	const struct pre *pre, const char *dir, struct err *e)
{
	struct buf b = BUF_INIT;
	bool nfc = pre && (pre->nfc || strcmp(s->architecture, "gptneox") == 0);
	int rc = pre ? put_tokenizer_json(&b, g, v, pre, nfc, e) : put_model_proto(&b, g, v, e);
	if (rc == 0)
		rc = write_file(dir, pre ? "tokenizer.json" : "tokenizer.model", &b, e);
	if (rc == 0) {
		buf_reset(&b);
		put_tokenizer_config(&b, v, s, pre == NULL);
		rc = write_file(dir, "tokenizer_config.json", &b, e);
	}
	buf_reset(&b);
	if (rc == 0)
		rc = put_generation_config(&b, g, v, e);
	if (rc == 0)
		rc = write_file(dir, "generation_config.json", &b, e);
	buf_free(&b);
	return rc;
}

static int
find_pre(const struct gguf *g, const struct pre **pre, bool *missing, struct err *e)
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
	const struct pre *pre = NULL;
	p->pre_missing = false;
	if (!spm && find_pre(g, &pre, &p->pre_missing, e) < 0)
		return -1;
	snprintf(p->tokenizer, sizeof p->tokenizer, "%s%s%s", spm ? "llama" : "gpt2",
		spm ? "" : ", ", spm ? "" : pre->name);
	struct vocab v;
	int rc = read_vocab(g, s, spm, pre && pre->add_bos, &v, e);
	if (rc == 0)
		rc = write_all(g, s, &v, pre, dir, e);
	vocab_free(&v);
	return rc;
}
