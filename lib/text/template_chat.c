/* Jinja templates: compiled, and looked at once, with a small conversation. */
#include <stdlib.h>
#include <string.h>

#include "lib/text/json_util.h"
#include "lib/text/template_impl.h"
#include "lib/text/tokenizer_impl.h"
#include "lib/text/utf8.h"

/* ---- rendering */

static json_t *
content(const struct template_chat *p, const char *s, size_t n)
{
	json_t *text = json_textn(s, n);
	if (!p->parts)
		return text;
	json_t *part = json_object(), *list = json_array();
	json_put(part, "type", json_text("text"));
	json_put(part, "text", text);
	json_add(list, part);
	return list;
}

/* A turn with all its members, as it stands in the record (tool_calls, name ...). */
static json_t *
message(const struct template_chat *p, const struct turn *t)
{
	json_t *m = t->json ? json_copy(t->json) : json_object();
	json_put(m, "role", json_text(role_name(t->role)));
	json_put(m, "content", content(p, t->text, t->n));
	return m;
}

void
chat_turns_init(
	struct chat_turns *c, const struct template_chat *p, const struct turn *turns, int n)
{
	c->vars = json_copy(p->tokens);
	c->messages = json_array();
	for (int i = 0; i < n; i++)
		json_add(c->messages, message(p, &turns[i]));
	json_put(c->vars, "messages", c->messages);
	json_put(c->vars, "tools", json_null());
	json_put(c->vars, "documents", json_null());
}

/* A list of objects, or that as JSON text; nothing, [] and "" are none. */
static int
put_tools(const struct chat_turns *c, json_t *v, struct err *e)
{
	struct err why;
	bool text = json_is_string(v) && json_string_length(v) > 0;
	json_t *list = text ? text_json(json_string_value(v), json_string_length(v), &why)
			    : json_incref(v);
	bool none = v == NULL || json_is_null(list) ||
		    (json_is_string(list) && json_string_length(list) == 0) ||
		    (json_is_array(list) && json_array_size(list) == 0);
	bool ok = none || json_is_array(list);
	for (size_t i = 0; ok && i < json_array_size(list); i++)
		ok = json_is_object(json_array_get(list, i));
	if (ok && !none)
		json_put(c->vars, "tools", json_incref(list));
	json_decref(list);
	return ok ? 0 : err_set(e, ERR_DATA, "tools: not a list of JSON schemas");
}

/* Further variables, such as enable_thinking. */
static int
put_kwargs(const struct chat_turns *c, const struct template_chat *p, json_t *v, struct err *e)
{
	const char *key;
	json_t *value;
	if (v && !json_is_null(v) && !json_is_object(v))
		return err_set(e, ERR_DATA, "chat_template_kwargs: not an object");
	json_object_foreach(v, key, value)
	{
		size_t n = strlen(key);
		bool token = n > 6 && strcmp(key + n - 6, "_token") == 0;
		if (token || json_object_get(p->tokens, key) || strcmp(key, "messages") == 0 ||
			strcmp(key, "add_generation_prompt") == 0)
			return err_set(
				e, ERR_DATA, "chat_template_kwargs: '%.60s' is not to be set", key);
		json_object_set(c->vars, key, value);
	}
	return 0;
}

int
chat_turns_more(const struct chat_turns *c, const struct template_chat *p, const json_t *record,
	struct err *e)
{
	if (put_tools(c, json_object_get(record, "tools"), e) < 0)
		return -1;
	return put_kwargs(c, p, json_object_get(record, "chat_template_kwargs"), e);
}

void
chat_turns_free(struct chat_turns *c)
{
	json_decref(c->vars);
	*c = (struct chat_turns){NULL, NULL};
}

int
chat_render(const struct template_chat *p, const struct chat_turns *c, const char *text, size_t n,
	bool generation, struct jinja_text *out, struct err *e)
{
	json_put(c->vars, "add_generation_prompt", json_boolean(generation));
	if (text) {
		struct turn answer = {ROLE_ASSISTANT, text, n, NULL};
		json_add(c->messages, message(p, &answer));
	}
	int rc = jinja_render(p->jinja, c->vars, &p->date, out, e);
	if (text)
		json_array_remove(c->messages, json_array_size(c->messages) - 1);
	if (rc < 0 && e && e->code == ERR_CONFIG)
		err_prefix(e, "chat_template (--template takes another)");
	return rc;
}

bool
chat_find_probe(const struct jinja_text *m, size_t *at)
{
	const char *s =
		m->text.len ? memmem(m->text.data, m->text.len, CHAT_PROBE, sizeof CHAT_PROBE - 1)
			    : NULL;
	if (s)
		*at = (size_t)(s - m->text.data);
	return s != NULL;
}

/* ---- what it is like */

int32_t
chat_find_end(const struct tokenizer *t, const char *tail, size_t n, size_t *n_end)
{
	size_t at = 0, len = 0;
	int32_t id = -1, eos = tokenizer_eos(t);
	*n_end = 0;
	while (at < n && (id = tokenizer_special(t, tail + at, n - at, &len)) < 0)
		at++;
	if (id < 0)
		return -1;
	*n_end = at + len;
	int32_t end = id;
	for (at += len; id >= 0 && id != eos && at < n; at += len) {
		id = tokenizer_special(t, tail + at, n - at, &len);
		if (id >= 0 && id == eos) {
			end = id;
			*n_end = at + len;
		}
	}
	return end;
}

/* Text in place of an end-of-turn token ("### End"): generation stops there. */
static void
find_stop(struct template *p)
{
	struct template_chat *c = p->chat;
	size_t lead = utf8_leading_space(c->tail, c->n_tail);
	c->n_end = lead + utf8_trailing_space(c->tail + lead, c->n_tail - lead);
	if (c->n_end > lead)
		p->stops[0] = arena_strndup(&p->mem, c->tail + lead, c->n_end - lead);
	else
		c->n_end = 0;
}

static bool
begins(const struct jinja_text *m, const struct jinja_text *with)
{
	size_t n = with->text.len;
	return m->text.len >= n && (n == 0 || memcmp(m->text.data, with->text.data, n) == 0);
}

/* "assistant" in any case: a header that opens the assistant's turn. */
static bool
names_assistant(const char *s, size_t n)
{
	static const char name[] = "assistant";
	for (size_t i = 0; i + sizeof name - 1 <= n; i++)
		if (strncasecmp(s + i, name, sizeof name - 1) == 0)
			return true;
	return false;
}

struct probe {
	struct jinja_text prompt, bare, full;
};

static int
render_probe(
	struct template_chat *c, const struct turn *turns, int n, struct probe *b, struct err *e)
{
	struct chat_turns v;
	chat_turns_init(&v, c, turns, n);
	int rc = chat_render(c, &v, NULL, 0, true, &b->prompt, e);
	if (rc == 0)
		rc = chat_render(c, &v, NULL, 0, false, &b->bare, e);
	if (rc == 0)
		rc = chat_render(c, &v, CHAT_PROBE, sizeof CHAT_PROBE - 1, false, &b->full, e);
	size_t at;
	if (rc == 0 && !chat_find_probe(&b->full, &at))
		rc = err_set(e, ERR_DATA, "it does not write the text of an answer");
	chat_turns_free(&v);
	return rc;
}

/* Tries contents as strings and as lists of parts, without and with a system turn. */
static int
try_probes(struct template_chat *c, struct probe *b, struct err *e)
{
	static const struct turn turns[] = {{ROLE_SYSTEM, "S", 1, NULL}, {ROLE_USER, "Q", 1, NULL}};
	int rc = -1;
	for (int i = 0; i < 4 && rc < 0; i++) {
		struct err other; /* the first attempt's is told */
		c->parts = i % 2;
		rc = render_probe(c, turns + (i < 2), i < 2 ? 1 : 2, b, i == 0 ? e : &other);
		if (rc < 0 && (i == 0 ? e : &other)->code == ERR_CONFIG)
			return -1;
	}
	return rc;
}

static int
look(struct template *p, const struct tokenizer *t, struct err *e)
{
	struct template_chat *c = p->chat;
	struct probe b = {0};
	size_t at = 0;
	struct err own;
	int rc = try_probes(c, &b, &own);
	if (rc == 0 && chat_find_probe(&b.full, &at)) {
		size_t behind = at + sizeof CHAT_PROBE - 1;
		c->n_tail = b.full.text.len - behind;
		c->tail = arena_strndup(&p->mem, b.full.text.data + behind, c->n_tail);
		if (t)
			c->end = chat_find_end(t, c->tail, c->n_tail, &c->n_end);
		if (c->end < 0)
			find_stop(p);
		c->joins = begins(&b.full, &b.prompt);
		c->opens_answer = c->joins && b.prompt.text.len == b.bare.text.len &&
				  names_assistant(b.full.text.data + b.prompt.text.len,
					  at - b.prompt.text.len);
	} else if (e) {
		*e = own;
		if (e->code == ERR_DATA)
			rc = err_set(e, ERR_CONFIG,
				"cannot write a question and its answer: %s; --template takes "
				"another",
				own.msg);
	}
	struct jinja_text *all[] = {&b.prompt, &b.bare, &b.full};
	for (int i = 0; i < 3; i++) {
		buf_free(&all[i]->text);
		buf_free(&all[i]->mark);
	}
	return rc;
}

/* ---- life */

int
chat_set_date(struct template_chat *c, const char *day, struct err *e)
{
	struct tm tm = {0};
	char again[11] = "";
	const char *end = strptime(day, "%Y-%m-%d", &tm);
	if (end == NULL || *end || strlen(day) != 10)
		return err_set(e, ERR_USAGE, "--date: '%.40s' is no day YYYY-MM-DD", day);
	timegm(&tm); /* the day of the week and of the year; 30 February becomes another day */
	strftime(again, sizeof again, "%Y-%m-%d", &tm);
	if (strcmp(again, day) != 0)
		return err_set(e, ERR_USAGE, "--date: '%.40s' is no day YYYY-MM-DD", day);
	if (c) {
		c->date = tm;
		memcpy(c->day, again, sizeof c->day);
	}
	return 0;
}

int
chat_new(struct template **out, const char *name, const char *source, size_t n,
	const json_t *tokens, const struct tokenizer *t, struct err *e)
{
	struct template *p = x_calloc(1, sizeof *p);
	struct template_chat *c = p->chat = x_calloc(1, sizeof *c);
	arena_init(&p->mem);
	p->name = arena_strndup(&p->mem, name, strlen(name));
	c->source = arena_strndup(&p->mem, source, n);
	c->tokens = tokens ? json_deep_copy(tokens) : json_object();
	c->tail = "";
	c->end = -1;
	chat_set_date(c, TEMPLATE_DATE, NULL);
	int rc = jinja_compile(&c->jinja, source, n, e);
	if (rc < 0 && e) {
		struct err own = *e;
		err_set(e, own.code, "%s; --template takes another", own.msg);
	}
	if (rc == 0)
		rc = look(p, t, e);
	if (rc < 0) {
		template_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void
chat_free(struct template_chat *c)
{
	if (c == NULL)
		return;
	if (c->jinja)
		jinja_free(c->jinja);
	json_decref(c->tokens);
	free(c);
}
