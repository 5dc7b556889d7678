#include "lib/text/tokenizer_impl.h"

#include <string.h>

#include "lib/stream/json.h"

json_t *
text_json(const char *text, size_t n, struct err *e)
{
	return json_parse_python(text, n, e);
}

static int
load_vocab(struct bpe *b, const json_t *vocab, struct err *e)
{
	if (!json_is_object(vocab) || json_object_size(vocab) == 0)
		return err_set(e, ERR_DATA, "vocab: not an object with tokens");
	const char *key;
	json_t *id;
	json_object_foreach((json_t *)vocab, key, id)
	{
		if (!json_is_integer(id))
			return err_set(
				e, ERR_DATA, "vocab: the id of \"%.40s\" is no integer", key);
		if (bpe_add_token(b, key, strlen(key), json_integer_value(id), e) < 0)
			return -1;
	}
	return 0;
}

/* "a b": neither side may hold a space (a space is spelled otherwise). */
static int
merge_line(struct bpe *b, const char *s, size_t n, uint32_t rank, struct err *e)
{
	const char *space = memchr(s, ' ', n);
	if (space == NULL || memchr(space + 1, ' ', n - (size_t)(space + 1 - s)))
		return err_set(e, ERR_DATA, "merges: number %u, \"%.*s\": not two tokens", rank + 1,
			(int)(n < 40 ? n : 40), s);
	return bpe_add_merge(
		b, s, (size_t)(space - s), space + 1, n - (size_t)(space + 1 - s), rank, e);
}

static int
load_merges(struct bpe *b, const json_t *merges, struct err *e)
{
	if (!json_is_array(merges))
		return err_set(e, ERR_DATA, "merges: not an array");
	size_t i;
	json_t *m;
	json_array_foreach((json_t *)merges, i, m)
	{
		const json_t *l = json_array_get(m, 0), *r = json_array_get(m, 1);
		int rc;
		if (json_is_string(m))
			rc = merge_line(
				b, json_string_value(m), json_string_length(m), (uint32_t)i, e);
		else if (json_array_size(m) == 2 && json_is_string(l) && json_is_string(r))
			rc = bpe_add_merge(b, json_string_value(l), json_string_length(l),
				json_string_value(r), json_string_length(r), (uint32_t)i, e);
		else
			rc = err_set(e, ERR_DATA, "merges: number %zu is no pair of tokens", i + 1);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* true, false, absent or null (false) */
static int
get_flag(const json_t *o, const char *key, bool *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	if (v && !json_is_boolean(v) && !json_is_null(v))
		return err_set(e, ERR_DATA, "%s: not true or false", key);
	*out = json_is_true(v);
	return 0;
}

static int
refuse_text(const json_t *model, const char *key, struct err *e)
{
	const json_t *v = json_object_get(model, key);
	if (v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
		return 0;
	return err_set(e, ERR_CONFIG, "model: %s is not supported", key);
}

static int
load_model(struct bpe *b, const json_t *model, struct err *e)
{
	const json_t *type = json_object_get(model, "type");
	const char *name = json_string_value(type);
	bool fallback = false;
	if (!json_is_object(model))
		return err_set(e, ERR_DATA, "model: not an object");
	/* Files older than the member "type" are told by their merges. */
	if (name ? strcmp(name, "BPE") != 0 : type != NULL || !json_object_get(model, "merges"))
		return err_set(e, ERR_CONFIG, "model: type \"%.40s\" is not supported (BPE is)",
			name ? name : "?");
	if (get_flag(model, "byte_fallback", &fallback, e) < 0 ||
		get_flag(model, "ignore_merges", &b->ignore_merges, e) < 0 ||
		get_flag(model, "fuse_unk", &b->fuse_unk, e) < 0)
		return -1;
	if (fallback)
		return err_set(e, ERR_CONFIG,
			"model: BPE with byte_fallback (SentencePiece style) is not supported in "
			"tokenizer.json; its tokenizer.model is");
	if (json_number_value(json_object_get(model, "dropout")) != 0)
		return err_set(e, ERR_CONFIG, "model: dropout is not supported");
	if (refuse_text(model, "continuing_subword_prefix", e) < 0 ||
		refuse_text(model, "end_of_word_suffix", e) < 0)
		return -1;
	const json_t *merges = json_object_get(model, "merges");
	const json_t *unk = json_object_get(model, "unk_token");
	if (load_vocab(b, json_object_get(model, "vocab"), e) < 0)
		return -1;
	bpe_index(b, json_array_size(merges));
	if (json_is_string(unk)) {
		b->unk = bpe_find(b, json_string_value(unk), json_string_length(unk));
	} else if (unk && !json_is_null(unk)) {
		return err_set(e, ERR_DATA, "model: unk_token: not a string");
	}
	return load_merges(b, merges, e);
}

int
tokenizer_read_added(const json_t *v, struct added_token *a, struct err *e)
{
	const json_t *content = json_object_get(v, "content");
	if (!json_is_string(content) || json_string_length(content) == 0)
		return err_set(e, ERR_DATA, "added token: content is no text");
	*a = (struct added_token){
		.s = (char *)json_string_value(content), .n = json_string_length(content)};
	if (get_flag(v, "special", &a->special, e) < 0 ||
		get_flag(v, "lstrip", &a->lstrip, e) < 0 ||
		get_flag(v, "rstrip", &a->rstrip, e) < 0 ||
		get_flag(v, "single_word", &a->single_word, e) < 0 ||
		get_flag(v, "normalized", &a->normalized, e) < 0)
		return err_prefix(e, "added token \"%.40s\"", a->s);
	return 0;
}

static int
load_added(struct tokenizer *t, const json_t *list, struct err *e)
{
	if (list == NULL || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return err_set(e, ERR_DATA, "added_tokens: not an array");
	size_t i;
	json_t *v;
	json_array_foreach((json_t *)list, i, v)
	{
		struct added_token a;
		const json_t *id = json_object_get(v, "id");
		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
			json_integer_value(id) >= BPE_MAX_ID)
			return err_set(e, ERR_DATA, "added_tokens[%zu]: id is not in 0..%d", i,
				BPE_MAX_ID - 1);
		if (tokenizer_read_added(v, &a, e) < 0)
			return -1;
		a.id = (int32_t)json_integer_value(id);
		if (tokenizer_add(t, &a, e) < 0)
			return -1;
	}
	return 0;
}

/* A TemplateProcessing whose single form begins with a special token: that one is bos. */
static void
read_post(struct tokenizer *t, const json_t *v, int depth)
{
	const char *type = json_string_value(json_object_get(v, "type"));
	if (type == NULL || depth > 4)
		return;
	if (strcmp(type, "Sequence") == 0) {
		const json_t *list = json_object_get(v, "processors");
		for (size_t i = 0; i < json_array_size(list); i++)
			read_post(t, json_array_get(list, i), depth + 1);
		return;
	}
	if (strcmp(type, "TemplateProcessing") != 0)
		return;
	const json_t *first = json_array_get(json_object_get(v, "single"), 0);
	const char *name =
		json_string_value(json_object_get(json_object_get(first, "SpecialToken"), "id"));
	const json_t *ids = json_object_get(
		json_object_get(json_object_get(v, "special_tokens"), name ? name : ""), "ids");
	const json_t *id = json_array_get(ids, 0);
	if (name && json_is_integer(id) && json_integer_value(id) >= 0 &&
		json_integer_value(id) < t->vocab) {
		t->bos = (int32_t)json_integer_value(id);
		t->adds_bos = true;
	}
}

int
tokenizer_parse_json(struct tokenizer *t, const char *text, size_t n, struct err *e)
{
	json_t *root = text_json(text, n, e);
	if (root == NULL)
		return -1;
	int rc = json_is_object(root) ? 0 : err_set(e, ERR_DATA, "not a JSON object");
	/* The kind of model first: its error tells most. */
	if (rc == 0)
		rc = load_model(&t->bpe, json_object_get(root, "model"), e);
	if (rc == 0)
		rc = pretok_normalizer(&t->pretok, json_object_get(root, "normalizer"), e);
	if (rc == 0)
		rc = pretok_steps(&t->pretok, json_object_get(root, "pre_tokenizer"), e);
	t->vocab = t->bpe.n;
	if (rc == 0)
		rc = load_added(t, json_object_get(root, "added_tokens"), e);
	if (rc == 0)
		read_post(t, json_object_get(root, "post_processor"), 0);
	json_decref(root);
	return rc;
}

int
tokenizer_parse_gpt2(struct tokenizer *t, const char *vocab, size_t vocab_n, const char *merges,
	size_t merges_n, struct err *e)
{
	json_t *root = text_json(vocab, vocab_n, e);
	if (root == NULL)
		return err_prefix(e, "vocab.json");
	int rc = load_vocab(&t->bpe, root, e);
	json_decref(root);
	if (rc < 0)
		return err_prefix(e, "vocab.json");
	size_t lines = 1;
	for (size_t i = 0; i < merges_n; i++)
		lines += merges[i] == '\n';
	bpe_index(&t->bpe, lines);
	t->vocab = t->bpe.n;
	uint32_t rank = 0;
	for (size_t i = 0, end; i < merges_n; i = end + 1) {
		const char *nl = memchr(merges + i, '\n', merges_n - i);
		end = nl ? (size_t)(nl - merges) : merges_n;
		size_t n = end - i - (end > i && merges[end - 1] == '\r');
		if (n == 0 || (i == 0 && n >= 8 && memcmp(merges, "#version", 8) == 0))
			continue;
		if (merge_line(&t->bpe, merges + i, n, rank++, e) < 0)
			return err_prefix(e, "merges.txt");
	}
	t->pretok.byte_level = true;
	return pretok_add_split(&t->pretok, pretok_gpt2, SPLIT_ISOLATED, false, e);
}
