#include "lib/text/template_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/text/tokenizer_impl.h"

/* Which template a model folder wants. */

enum { MAX_FILE = 64 << 20 };

/* JSON of dir/name (name NULL: dir is the file): 1 read, 0 not there, -1 error. */
static int
read_json(const char *dir, const char *name, json_t **v, struct err *e)
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

static int
use_builtin(struct template **out, const char *name, struct err *e)
{
	const struct template *b = template_builtin(name);
	if (b == NULL) {
		struct buf names = BUF_INIT;
		template_builtin_names(&names);
		err_set(e, ERR_USAGE,
			"no template \"%.100s\" (there are %s, and files, whose name has a '/' or "
			"ends in .json)",
			name, names.data);
		buf_free(&names);
		return -1;
	}
	*out = x_malloc(sizeof **out);
	**out = *b;
	arena_init(&(*out)->mem);
	return 0;
}

static int
use_file(struct template **out, const char *path, struct err *e)
{
	json_t *v;
	if (read_json(path, NULL, &v, e) < 0)
		return -1;
	int rc = template_from_json(out, v, e);
	json_decref(v);
	return rc < 0 ? err_prefix(e, "%s", path) : 0;
}

/* pro.json's member "template": 1 used, 0 none, -1 error. */
static int
use_stored(struct template **out, const char *dir, struct err *e)
{
	json_t *v;
	int rc = read_json(dir, "pro.json", &v, e);
	if (rc <= 0)
		return rc;
	const json_t *p = json_object_get(v, "template");
	if (p == NULL || json_is_null(p))
		rc = 0;
	else if (json_is_string(p) ? use_builtin(out, json_string_value(p), e) < 0
				   : template_from_json(out, p, e) < 0)
		rc = err_prefix(e, "%s/pro.json", dir);
	json_decref(v);
	return rc;
}

static bool
is_oasst_reward(const char *dir, const struct tokenizer *t)
{
	json_t *v;
	bool found = false;
	if (read_json(dir, "config.json", &v, NULL) > 0) {
		const json_t *list = json_object_get(v, "architectures");
		for (size_t i = 0; i < json_array_size(list); i++) {
			const char *s = json_string_value(json_array_get(list, i));
			found |= s && strcmp(s, "GPTNeoXRewardModel") == 0;
		}
		json_decref(v);
	}
	return found ||
	       (t && tokenizer_id(t, "<|prompter|>") >= 0 && tokenizer_id(t, "<|assistant|>") >= 0);
}

/* A string, or a list of {name, template} of which "default" counts. */
static const char *
chat_text(const json_t *v)
{
	const char *text = json_string_value(v);
	for (size_t i = 0; text == NULL && i < json_array_size(v); i++) {
		const json_t *o = json_array_get(v, i);
		const char *name = json_string_value(json_object_get(o, "name"));
		if (name && strcmp(name, "default") == 0)
			text = json_string_value(json_object_get(o, "template"));
	}
	return text;
}

/* The folder's chat_template appended to out: 1 found, 0 none, -1 error. */
static int
read_chat(const char *dir, struct buf *out, struct err *e)
{
	static const char *const files[] = {"tokenizer_config.json", "chat_template.json"};
	struct buf path = BUF_INIT;
	int rc = 0;
	if (file_exists(path_join(&path, dir, "chat_template.jinja")))
		rc = file_read(path.data, MAX_FILE, out, e) < 0 ? -1 : 1;
	for (int i = 0; rc == 0 && i < 2; i++) {
		json_t *v;
		rc = read_json(dir, files[i], &v, e);
		if (rc <= 0)
			continue;
		const json_t *chat = json_object_get(v, "chat_template");
		const char *text = chat_text(chat);
		rc = chat && !json_is_null(chat);
		buf_puts(out, text ? text : "");
		json_decref(v);
	}
	buf_free(&path);
	return rc;
}

static int
use_chat(struct template **out, const char *dir, const char **how, struct err *e)
{
	struct buf chat = BUF_INIT;
	int rc = read_chat(dir, &chat, e);
	if (rc == 0) {
		*how = "the folder has no chat_template";
		rc = use_builtin(out, "hh", e);
	} else if (rc > 0) {
		const char *name = template_fingerprint(chat.data);
		*how = "recognised chat_template";
		rc = name ? use_builtin(out, name, e)
			  : err_set(e, ERR_CONFIG,
				    "%s: its chat_template is not one of those known here; choose "
				    "with --template",
				    dir);
	}
	buf_free(&chat);
	return rc;
}

int
template_select(struct template **out, const char *name, const char *dir, const struct tokenizer *t,
	const char **how, struct err *e)
{
	const char *reason = "as asked";
	int rc;
	if (name && strcmp(name, "auto") != 0) {
		size_t n = strlen(name);
		bool file = strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".json") == 0);
		rc = file ? use_file(out, name, e) : use_builtin(out, name, e);
	} else if (dir == NULL) {
		reason = "there is no model folder";
		rc = use_builtin(out, "hh", e);
	} else if ((rc = use_stored(out, dir, e)) != 0) {
		reason = "stored in pro.json";
	} else if (is_oasst_reward(dir, t)) {
		reason = "recognised reward model";
		rc = use_builtin(out, "oasst", e);
	} else {
		rc = use_chat(out, dir, &reason, e);
	}
	if (how)
		*how = reason;
	return rc < 0 ? -1 : 0;
}

const char *
template_label(const struct template *p, struct buf *out)
{
	const struct template *b = template_builtin(p->name);
	struct buf own = BUF_INIT, known = BUF_INIT;
	buf_reset(out);
	buf_puts(out, p->name);
	template_describe(p, &own);
	if (b)
		template_describe(b, &known);
	if (b == NULL || strcmp(own.data, known.data) != 0) {
		struct sha256 h;
		char hex[65];
		sha256_init(&h);
		sha256_add(&h, own.data, own.len);
		sha256_hex(&h, hex);
		buf_printf(out, "@%.12s", hex);
	}
	buf_free(&own);
	buf_free(&known);
	return out->data;
}
