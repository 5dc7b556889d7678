#include "lib/text/template_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"

/* Templates as JSON, in both directions. */

static const struct {
	const char *name;
	enum role role;
} roles[] = {{"system", ROLE_SYSTEM}, {"user", ROLE_USER}, {"assistant", ROLE_ASSISTANT}};

/* Absent or null leaves *out NULL. */
static int
read_text(struct template *p, const json_t *o, const char *key, const char **out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	if (v && !json_is_string(v) && !json_is_null(v))
		return err_set(e, ERR_CONFIG, "template: %s: not a string", key);
	if (json_is_string(v))
		*out = arena_strndup(&p->mem, json_string_value(v), json_string_length(v));
	return 0;
}

static int
read_flag(const json_t *o, const char *key, bool *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	if (v && !json_is_boolean(v))
		return err_set(e, ERR_CONFIG, "template: %s: not true or false", key);
	*out = json_is_true(v);
	return 0;
}

static int
check_keys(const json_t *o, const char *what, const char *const *known, struct err *e)
{
	const char *key;
	json_t *v;
	if (!json_is_object(o))
		return err_set(e, ERR_CONFIG, "%s: not a JSON object", what);
	json_object_foreach((json_t *)o, key, v)
	{
		int i = 0;
		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (known[i] == NULL)
			return err_set(e, ERR_CONFIG, "%s: unknown member \"%.40s\"", what, key);
	}
	return 0;
}

static int
read_turns(struct template *p, const json_t *v, struct err *e)
{
	static const char *const members[] = {"before", "after", NULL};
	for (int i = 0; i < 3; i++) {
		const json_t *o = json_object_get(v, roles[i].name);
		struct template_turn *t = &p->lit.turn[roles[i].role];
		if (o == NULL)
			continue;
		if (check_keys(o, roles[i].name, members, e) < 0 ||
			read_text(p, o, "before", &t->before, e) < 0 ||
			read_text(p, o, "after", &t->after, e) < 0)
			return err_prefix(e, "template");
	}
	return 0;
}

static int
read_rest(struct template *p, const json_t *v, struct err *e)
{
	const json_t *stops = json_object_get(v, "stops");
	const json_t *max = json_object_get(v, "max_tokens");
	if (stops && (!json_is_array(stops) || json_array_size(stops) > TEMPLATE_MAX_STOPS))
		return err_set(e, ERR_CONFIG, "template: stops: not a list of at most %d strings",
			TEMPLATE_MAX_STOPS);
	for (size_t i = 0; i < json_array_size(stops); i++) {
		const json_t *s = json_array_get(stops, i);
		if (!json_is_string(s) || json_string_length(s) == 0)
			return err_set(e, ERR_CONFIG, "template: stops[%zu]: no text", i);
		p->stops[i] = arena_strndup(&p->mem, json_string_value(s), json_string_length(s));
	}
	if (max && (!json_is_integer(max) || json_integer_value(max) < 0 ||
			   json_integer_value(max) > 1 << 20))
		return err_set(e, ERR_CONFIG, "template: max_tokens: not a number of tokens");
	p->max_tokens = (int)json_integer_value(max);
	return 0;
}

static int
read_score_at(struct template *p, const json_t *v, struct err *e)
{
	const json_t *at = json_object_get(v, "score_at");
	if (at == NULL)
		return 0;
	const char *name = json_string_value(at);
	for (int i = SCORE_AT_END_OF_TURN; name && i <= SCORE_AT_LAST; i++)
		if (strcmp(name, score_at_name((enum score_at)i)) == 0) {
			p->score_at = (enum score_at)i;
			return 0;
		}
	return err_set(e, ERR_CONFIG, "template: score_at: neither end-of-turn nor last");
}

static int
literals_from_json(struct template *p, const json_t *v, struct err *e)
{
	static const char *const members[] = {"name", "begin", "separator", "system", "user",
		"assistant", "fold_system", "preamble", "default_system", "trim", "generation",
		"generation_once", "response_prefix", "eos", "stops", "max_tokens", "score_at",
		NULL};
	struct template_literals *l = &p->lit;
	if (check_keys(v, "template", members, e) < 0 ||
		read_text(p, v, "begin", &l->begin, e) < 0 ||
		read_text(p, v, "separator", &l->separator, e) < 0 || read_turns(p, v, e) < 0 ||
		read_flag(v, "fold_system", &l->fold_system, e) < 0 ||
		read_text(p, v, "preamble", &l->preamble, e) < 0 ||
		read_text(p, v, "default_system", &l->default_system, e) < 0 ||
		read_flag(v, "trim", &l->trim, e) < 0 ||
		read_text(p, v, "generation", &l->generation, e) < 0 ||
		read_flag(v, "generation_once", &l->generation_once, e) < 0 ||
		read_text(p, v, "response_prefix", &l->response_prefix, e) < 0 ||
		read_text(p, v, "eos", &p->eos, e) < 0)
		return -1;
	return read_rest(p, v, e);
}

/* {"name", "jinja", "tokens", "date", "score_at"} */
static int
chat_from_json(struct template **out, const json_t *v, const struct tokenizer *t, struct err *e)
{
	static const char *const members[] = {"name", "jinja", "tokens", "date", "score_at", NULL};
	const char *name = NULL, *source = NULL, *date = NULL;
	size_t n = 0;
	int has_date;
	const json_t *tokens = json_object_get(v, "tokens");
	if (check_keys(v, "template", members, e) < 0 ||
		json_get_string(v, "name", &name, NULL, e) < 0 ||
		json_get_string(v, "jinja", &source, &n, e) <= 0 ||
		(has_date = json_get_string(v, "date", &date, NULL, e)) < 0 ||
		(tokens && !json_is_object(tokens) &&
			err_set(e, ERR_CONFIG, "tokens: not an object") < 0)) {
		if (e)
			e->code = ERR_CONFIG;
		err_prefix(e, "template");
		return -1;
	}
	if (name == NULL)
		name = "custom";
	if (chat_new(out, name, source, n, tokens, t, e) < 0)
		return -1;
	if (has_date && chat_set_date((*out)->chat, date, e) < 0) {
		if (e)
			e->code = ERR_CONFIG;
		template_free(*out);
		err_prefix(e, "template");
		return -1;
	}
	return 0;
}

int
template_from_json(struct template **out, const json_t *v, const struct tokenizer *t, struct err *e)
{
	struct template *p;
	if (json_object_get(v, "jinja")) {
		if (chat_from_json(&p, v, t, e) < 0)
			return -1;
	} else {
		p = x_calloc(1, sizeof *p);
		arena_init(&p->mem);
		if (literals_from_json(p, v, e) < 0 || read_text(p, v, "name", &p->name, e) < 0) {
			template_free(p);
			return -1;
		}
		if (p->name == NULL)
			p->name = "custom";
	}
	if (read_score_at(p, v, e) < 0) {
		template_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

static void
set_text(json_t *o, const char *key, const char *s)
{
	if (s)
		json_put(o, key, json_text(s));
}

static void
describe_literals(const struct template *p, json_t *o)
{
	const struct template_literals *l = &p->lit;
	json_t *stops = json_array();
	set_text(o, "begin", l->begin);
	set_text(o, "separator", l->separator);
	for (int i = 0; i < 3; i++) {
		const struct template_turn *t = &l->turn[roles[i].role];
		json_t *turn = json_object();
		set_text(turn, "before", t->before);
		set_text(turn, "after", t->after);
		json_put(o, roles[i].name, turn);
	}
	json_put(o, "fold_system", json_boolean(l->fold_system));
	set_text(o, "preamble", l->preamble);
	set_text(o, "default_system", l->default_system);
	json_put(o, "trim", json_boolean(l->trim));
	set_text(o, "generation", l->generation);
	json_put(o, "generation_once", json_boolean(l->generation_once));
	set_text(o, "response_prefix", l->response_prefix);
	set_text(o, "eos", p->eos);
	for (int i = 0; p->stops[i]; i++)
		json_add(stops, json_text(p->stops[i]));
	json_put(o, "stops", stops);
	json_put(o, "max_tokens", json_integer(p->max_tokens));
}

/* The source itself, or its hash. */
static void
describe_chat(const struct template_chat *c, bool whole, json_t *o)
{
	if (whole) {
		set_text(o, "jinja", c->source);
	} else {
		struct sha256 h;
		char hex[65];
		sha256_init(&h);
		sha256_add(&h, c->source, strlen(c->source));
		sha256_hex(&h, hex);
		set_text(o, "jinja_sha256", hex);
	}
	json_object_set(o, "tokens", c->tokens);
	if (jinja_uses_date(c->jinja))
		set_text(o, "date", c->day);
}

static void
describe(const struct template *p, bool whole, struct buf *out)
{
	json_t *o = json_object();
	set_text(o, "name", p->name);
	if (p->chat)
		describe_chat(p->chat, whole, o);
	else
		describe_literals(p, o);
	if (p->score_at != SCORE_AT_AUTO)
		set_text(o, "score_at", score_at_name(p->score_at));
	char *text = json_dumps(o, JSON_COMPACT);
	buf_puts(out, text ? text : "{}");
	free(text);
	json_decref(o);
}

void
template_describe(const struct template *p, struct buf *out)
{
	describe(p, true, out);
}

void
template_identity(const struct template *p, struct buf *out)
{
	describe(p, false, out);
}
