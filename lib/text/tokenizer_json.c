#include "lib/text/tokenizer_impl.h"

#include <string.h>

int
tokenizer_read_added(const json_t *v, struct added_token *a, struct err *e)
{
	const json_t *content = json_object_get(v, "content");
	if (!json_is_string(content) || json_string_length(content) == 0)
		return err_set(e, ERR_DATA, "added token: content is no text");
	*a = (struct added_token){
		.s = (char *)json_string_value(content), .n = json_string_length(content)};
	if (text_flag(v, "special", false, &a->special, e) < 0 ||
		text_flag(v, "lstrip", false, &a->lstrip, e) < 0 ||
		text_flag(v, "rstrip", false, &a->rstrip, e) < 0 ||
		text_flag(v, "single_word", false, &a->single_word, e) < 0 ||
		text_flag(v, "normalized", false, &a->normalized, e) < 0)
		return err_prefix(e, "added token \"%.40s\"", a->s);
	return 0;
}

/* The id of the vocabulary's entry that is spelled so in the file; -1: none. */
static int32_t
vocab_id(const struct bpe *b, const char *s, size_t n)
{
	if (b->chars)
		return bpe_find(b, s, n);
	struct buf bytes = BUF_INIT;
	bool spelled = bpe_unspell(s, n, &bytes);
	int32_t id = spelled ? bpe_find(b, bytes.data, bytes.len) : bpe_find(b, s, n);
	buf_free(&bytes);
	return id >= 0 && b->token[id].spelled == spelled ? id : -1;
}

/*
 * The library does not take the file's word for the id of an added token: those that are not in the
 * vocabulary get the ids behind it, in order (huggingface/tokenizers,
 * src/tokenizer/added_vocabulary.rs, add_tokens).  A model was trained with those, so a file that
 * says otherwise is refused.  highest: of the added tokens so far, -1 at first.
 */
static int
check_id(const struct tokenizer *t, const struct added_token *a, int32_t size, int32_t *highest,
	struct err *e)
{
	int32_t id = vocab_id(&t->bpe, a->s, a->n);
	const struct added_token *twin = added_find(&t->added, a->s, a->n);
	if (twin)
		id = twin->id;
	else if (id < 0)
		id = *highest >= size ? *highest + 1 : size;
	if (id != a->id)
		return err_set(e, ERR_CONFIG,
			"added token \"%.40s\" has id %d in the file, but the tokenizers library "
			"gives it %d",
			a->s, a->id, id);
	*highest = id > *highest ? id : *highest;
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
	int32_t size = 0, highest = -1;
	for (int32_t id = 0; id < t->bpe.n; id++)
		size += t->bpe.token[id].s != NULL;
	json_array_foreach((json_t *)list, i, v)
	{
		struct added_token a = {0};
		const json_t *id = json_object_get(v, "id");
		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
			json_integer_value(id) >= BPE_MAX_ID)
			return err_set(e, ERR_DATA, "added_tokens[%zu]: id is not in 0..%d", i,
				BPE_MAX_ID - 1);
		if (tokenizer_read_added(v, &a, e) < 0)
			return -1;
		a.id = (int32_t)json_integer_value(id);
		if (check_id(t, &a, size, &highest, e) < 0 || tokenizer_add(t, &a, e) < 0)
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
	if (rc == 0)
		rc = normal_load(&t->normal, json_object_get(root, "normalizer"), e);
	if (rc == 0)
		rc = pretok_load(&t->pretok, json_object_get(root, "pre_tokenizer"), e);
	if (rc == 0)
		rc = decoder_load(&t->decoder, json_object_get(root, "decoder"), e);
	if (rc == 0)
		rc = tokenizer_load_model(t, json_object_get(root, "model"), e);
	t->vocab = t->bpe.n;
	if (rc == 0)
		rc = load_added(t, json_object_get(root, "added_tokens"), e);
	if (rc == 0)
		read_post(t, json_object_get(root, "post_processor"), 0);
	json_decref(root);
	return rc;
}
