/* What a model folder says of its chat template. */
#include <string.h>

#include "lib/base/file.h"
#include "lib/text/template_impl.h"
#include "lib/text/tokenizer_impl.h"

enum { MAX_FILE = 64 << 20 };

int
folder_json(const char *dir, const char *name, json_t **v, struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	buf_puts(&path, dir);
	if (name)
		path_join(&path, dir, name);
	int rc = 0;
	*v = NULL;
	if (name == NULL || file_exists(path.data)) {
		rc = file_read(path.data, MAX_FILE, &text, e);
		if (rc == 0 && (*v = text_json(text.data, text.len, e)) == NULL)
			rc = err_prefix(e, "%s", path.data);
		else if (rc == 0)
			rc = 1;
	}
	buf_free(&path);
	buf_free(&text);
	return rc;
}

const json_t *
chat_named(const json_t *v, const char *name)
{
	if (json_is_string(v))
		return strcmp(name, "default") == 0 ? v : NULL;
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *o = json_array_get(v, i);
		const char *own = json_string_value(json_object_get(o, "name"));
		if (own && strcmp(own, name) == 0)
			return json_object_get(o, "template");
	}
	return NULL;
}

/* A file that is a template as it stands. */
static int
read_jinja(const char *dir, const char *name, struct buf *source, struct buf *where, struct err *e)
{
	path_join(where, dir, name);
	if (!file_exists(where->data))
		return 0;
	return file_read(where->data, MAX_FILE, source, e) < 0 ? -1 : 1;
}

/* The member chat_template of a JSON file. */
static int
read_member(const char *dir, const char *file, const char *name, struct buf *source,
	struct buf *where, struct err *e)
{
	json_t *v;
	int rc = folder_json(dir, file, &v, e);
	if (rc <= 0)
		return rc;
	const json_t *chat = json_object_get(v, "chat_template"), *text = chat_named(chat, name);
	rc = 0;
	buf_reset(where);
	buf_printf(where, "%s/%s: chat_template", dir, file);
	if (json_is_string(text)) {
		buf_put(source, json_string_value(text), json_string_length(text));
		rc = 1;
	} else if (text ||
		   (chat && !json_is_null(chat) && !json_is_string(chat) && !json_is_array(chat))) {
		rc = err_set(e, ERR_CONFIG,
			"%s: neither a string nor a list of {name, template}; choose with "
			"--template",
			where->data);
	}
	json_decref(v);
	return rc;
}

/*
 * In the order of transformers (tokenization_utils_base.py): files of their own come before
 * tokenizer_config.json; chat_template.json is what processors have.
 */
int
folder_chat(const char *dir, const char *name, struct buf *source, struct buf *where, struct err *e)
{
	struct buf extra = BUF_INIT;
	buf_printf(&extra, "additional_chat_templates/%s.jinja", name);
	int rc = strcmp(name, "default") == 0
			 ? read_jinja(dir, "chat_template.jinja", source, where, e)
			 : read_jinja(dir, extra.data, source, where, e);
	if (rc == 0)
		rc = read_member(dir, "tokenizer_config.json", name, source, where, e);
	if (rc == 0)
		rc = read_member(dir, "chat_template.json", name, source, where, e);
	buf_free(&extra);
	return rc;
}

/* A token's text as a configuration has it, a string or {"content": ...}; NULL: none. */
static json_t *
token_of(const json_t *config, const char *key)
{
	json_t *v = json_object_get(config, key);
	if (json_is_object(v))
		v = json_object_get(v, "content");
	return json_is_string(v) ? v : NULL;
}

static void
put_id(json_t *out, const char *key, const struct tokenizer *t, int32_t id)
{
	struct buf b = BUF_INIT;
	if (id >= 0)
		tokenizer_decode(t, &id, 1, false, true, &b);
	if (b.len > 0)
		json_put(out, key, json_textn(b.data, b.len));
	buf_free(&b);
}

/* Tokens of this model alone, by names of their own ({"image_token": "<image>"}); a list has none.
 */
static void
put_named(json_t *out, json_t *extra)
{
	const char *key;
	json_t *value;
	json_object_foreach(extra, key, value)
	{
		json_t *v = token_of(extra, key);
		if (v && json_object_get(out, key) == NULL)
			json_object_set(out, key, v);
	}
}

/*
 * transformers gives its special_tokens_map to a template: what tokenizer_config.json names, else
 * special_tokens_map.json, else what the tokenizer's class has (of which bos and eos are known
 * here).  A token that is null there is not defined.
 */
json_t *
folder_tokens(const char *dir, const struct tokenizer *t, struct err *e)
{
	static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
		"pad_token", "cls_token", "mask_token"};
	json_t *config = NULL, *map = NULL, *out = NULL;
	if (dir && (folder_json(dir, "tokenizer_config.json", &config, e) < 0 ||
			   folder_json(dir, "special_tokens_map.json", &map, e) < 0))
		goto done;
	out = json_object();
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_t *v = token_of(config, keys[i]);
		if (v == NULL)
			v = token_of(map, keys[i]);
		if (v)
			json_object_set(out, keys[i], v);
		else if (t && i < 2 && json_object_get(config, keys[i]) == NULL)
			put_id(out, keys[i], t, i == 0 ? tokenizer_bos(t) : tokenizer_eos(t));
	}
	put_named(out, json_object_get(config, "extra_special_tokens"));
	const json_t *more = json_object_get(config, "additional_special_tokens");
	if (more == NULL)
		more = json_object_get(map, "additional_special_tokens");
	json_t *list = json_array();
	for (size_t i = 0; i < json_array_size(more); i++) {
		json_t *v = json_array_get(more, i);
		if (json_is_object(v))
			v = json_object_get(v, "content");
		if (json_is_string(v))
			json_array_append(list, v);
	}
	if (json_array_size(list) > 0)
		json_object_set(out, "additional_special_tokens", list);
	json_decref(list);
done:
	json_decref(config);
	json_decref(map);
	return out;
}
