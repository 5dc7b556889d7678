#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/text/template_impl.h"
#include "lib/text/tokenizer_impl.h"

/* Which template a model folder wants. */

enum { MAX_FILE = 64 << 20 };

/* Where templates are looked for. */
struct place {
	const char *dir; /* NULL: none */
	const struct tokenizer *t;
};

static int
use_builtin(struct template **out, const char *name, struct err *e)
{
	const struct template *b = template_builtin(name);
	if (b == NULL) {
		struct buf names = BUF_INIT;
		template_builtin_names(&names);
		err_set(e, ERR_USAGE,
			"no template \"%.100s\" (there are %s, the folder's own named ones, and "
			"files, whose name has a '/' or ends in .jinja or .json)",
			name, names.data);
		buf_free(&names);
		return -1;
	}
	*out = x_malloc(sizeof **out);
	**out = *b;
	arena_init(&(*out)->mem);
	return 0;
}

/* A Jinja source that came from where. */
static int
use_jinja(struct template **out, const char *name, const struct buf *source, const char *where,
	const struct place *at, struct err *e)
{
	json_t *tokens = folder_tokens(at->dir, at->t, e);
	if (tokens == NULL)
		return -1;
	int rc = chat_new(
		out, name, source->data ? source->data : "", source->len, tokens, at->t, e);
	json_decref(tokens);
	return rc < 0 ? err_prefix(e, "%s", where) : 0;
}

/* The folder's chat_template of that name: 1 used, 0 there is none, -1. */
static int
use_own(struct template **out, const char *name, const struct place *at, struct err *e)
{
	struct buf source = BUF_INIT, where = BUF_INIT;
	bool plain = strcmp(name, "default") == 0;
	int rc = at->dir ? folder_chat(at->dir, name, &source, &where, e) : 0;
	if (rc > 0 &&
		use_jinja(out, plain ? "chat_template" : name, &source, where.data, at, e) < 0)
		rc = -1;
	buf_free(&source);
	buf_free(&where);
	return rc;
}

/* "x/name.jinja" is named "name". */
static char *
stem(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');
	return dot && dot > base ? x_strndup(base, (size_t)(dot - base)) : x_strdup(base);
}

static bool
ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n > m && strcmp(s + n - m, end) == 0;
}

/* A JSON object of literals, or one with a chat_template (another folder's tokenizer_config.json).
 */
static int
use_object(struct template **out, const char *path, const json_t *v, const struct place *at,
	struct err *e)
{
	const json_t *chat = chat_named(json_object_get(v, "chat_template"), "default");
	if (!json_is_string(chat)) {
		int rc = template_from_json(out, v, at->t, e);
		return rc < 0 ? err_prefix(e, "%s", path) : 0;
	}
	struct buf source = BUF_INIT;
	buf_put(&source, json_string_value(chat), json_string_length(chat));
	int rc = use_jinja(out, "chat_template", &source, path, at, e);
	buf_free(&source);
	return rc;
}

/* Jinja by its name, or when it is no JSON. */
static int
use_file(struct template **out, const char *path, const struct place *at, struct err *e)
{
	struct buf text = BUF_INIT;
	if (file_read(path, MAX_FILE, &text, e) < 0)
		return -1;
	bool must = ends_in(path, ".json");
	json_t *v = ends_in(path, ".jinja") ? NULL : text_json(text.data, text.len, e);
	int rc;
	if (v) {
		rc = use_object(out, path, v, at, e);
	} else if (must) {
		rc = err_prefix(e, "%s", path);
	} else {
		char *name = stem(path);
		rc = use_jinja(out, name, &text, path, at, e);
		free(name);
	}
	json_decref(v);
	buf_free(&text);
	return rc;
}

/* pro.json's member "template": 1 used, 0 none, -1 error. */
static int
use_stored(struct template **out, const struct place *at, struct err *e)
{
	json_t *v;
	int rc = folder_json(at->dir, "pro.json", &v, e);
	if (rc <= 0)
		return rc;
	const json_t *p = json_object_get(v, "template");
	if (p == NULL || json_is_null(p))
		rc = 0;
	else if (json_is_string(p) ? use_builtin(out, json_string_value(p), e) < 0
				   : template_from_json(out, p, at->t, e) < 0)
		rc = err_prefix(e, "%s/pro.json", at->dir);
	json_decref(v);
	return rc;
}

static bool
is_oasst_reward(const struct place *at)
{
	json_t *v;
	bool found = false;
	if (folder_json(at->dir, "config.json", &v, NULL) > 0) {
		const json_t *list = json_object_get(v, "architectures");
		for (size_t i = 0; i < json_array_size(list); i++) {
			const char *s = json_string_value(json_array_get(list, i));
			found |= s && strcmp(s, "GPTNeoXRewardModel") == 0;
		}
		json_decref(v);
	}
	return found || (at->t && tokenizer_id(at->t, "<|prompter|>") >= 0 &&
				tokenizer_id(at->t, "<|assistant|>") >= 0);
}

static int
use_auto(struct template **out, const struct place *at, const char **how, struct err *e)
{
	int rc;
	if (at->dir == NULL) {
		*how = "there is no model folder";
		return use_builtin(out, "hh", e);
	}
	*how = "stored in pro.json";
	if ((rc = use_stored(out, at, e)) != 0)
		return rc;
	*how = "the folder's own";
	if ((rc = use_own(out, "default", at, e)) != 0)
		return rc;
	*how = "recognised reward model";
	if (is_oasst_reward(at))
		return use_builtin(out, "oasst", e);
	*how = "the folder has no chat_template";
	return use_builtin(out, "hh", e);
}

/* chatml for a model of another kind: its marks would be spelled letter by letter. */
static bool
lacks_end(const struct template *p, const struct tokenizer *t)
{
	return p->eos && t && tokenizer_id(t, p->eos) < 0;
}

int
template_select(struct template **out, const char *name, const char *dir, const struct tokenizer *t,
	const char **how, struct err *e)
{
	struct place at = {dir, t};
	const char *reason = "as asked";
	int rc;
	if (name == NULL || strcmp(name, "auto") == 0) {
		rc = use_auto(out, &at, &reason, e);
	} else if (strchr(name, '/') || ends_in(name, ".json") || ends_in(name, ".jinja")) {
		rc = use_file(out, name, &at, e);
	} else if (template_builtin(name) || (rc = use_own(out, name, &at, e)) == 0) {
		rc = use_builtin(out, name, e);
	}
	if (rc >= 0 && lacks_end(*out, t) && strcmp(reason, "as asked") == 0)
		reason = "as asked, though the tokenizer has no token that ends its turns";
	if (how)
		*how = reason;
	return rc < 0 ? -1 : 0;
}

static int
set_date(struct template *p, const struct template_options *o, struct err *e)
{
	if (chat_set_date(p->chat, o->date, e) < 0)
		return -1;
	if (template_date(p) == NULL && !o->date_if_asked)
		return err_set(
			e, ERR_USAGE, "--date: template %s does not ask for the date", p->name);
	return 0;
}

int
template_open(struct template **out, const struct template_options *o, const char *dir,
	const struct tokenizer *t, const char **how, struct err *e)
{
	static const struct template_options none = {.name = NULL};
	if (o == NULL)
		o = &none;
	if (template_select(out, o->name, dir, t, how, e) < 0)
		return -1;
	struct template *p = *out;
	if (o->date && set_date(p, o, e) < 0) {
		template_free(p);
		*out = NULL;
		return -1;
	}
	if (o->score_at != SCORE_AT_AUTO) {
		p->score_at = SCORE_AT_AUTO;
		if (template_scores_at(p) != o->score_at)
			p->score_at = o->score_at;
	}
	return 0;
}

bool
template_is_own(const struct template *p, const char *dir)
{
	struct buf source = BUF_INIT, where = BUF_INIT;
	bool own = p->chat && folder_chat(dir, "default", &source, &where, NULL) > 0 &&
		   strcmp(source.data ? source.data : "", p->chat->source) == 0;
	buf_free(&source);
	buf_free(&where);
	return own;
}
