#include "lib/stream/dialogue.h"

#include <string.h>
#include <strings.h>

/* Length of the white space character at s (n bytes), 0 if it is none. */
static size_t
space_at(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	if (n == 0)
		return 0;
	if (p[0] == ' ' || (p[0] >= 9 && p[0] <= 13) || (p[0] >= 0x1c && p[0] <= 0x1f))
		return 1;
	if (n >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
		return 2;
	if (n < 3)
		return 0;
	if (p[0] == 0xe2 && p[1] == 0x80 &&
		(p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf))
		return 3;
	bool other = memcmp(p, "\xe1\x9a\x80", 3) == 0 || memcmp(p, "\xe2\x81\x9f", 3) == 0 ||
		     memcmp(p, "\xe3\x80\x80", 3) == 0;
	return other ? 3 : 0;
}

void
text_strip(const char **s, size_t *n)
{
	size_t k;
	while ((k = space_at(*s, *n)) > 0)
		*s += k, *n -= k;
	for (bool more = true; more;) {
		more = false;
		for (k = 1; k <= 3 && k <= *n && !more; k++) {
			if (space_at(*s + *n - k, k) == k)
				*n -= k, more = true;
		}
	}
}

/* Which members of a message say who speaks and what: OpenAI's, ShareGPT's, Open-Assistant's. */
static const char *
role_key(const json_t *m)
{
	return json_object_get(m, "role") || !json_object_get(m, "from") ? "role" : "from";
}

static const char *
text_key(const json_t *m)
{
	static const char *const keys[] = {"content", "value", "text"};
	for (int i = 0; i < 3; i++)
		if (json_object_get(m, keys[i]))
			return keys[i];
	return keys[0];
}

bool
message_is(const json_t *v)
{
	return json_object_get(v, role_key(v)) && json_object_get(v, text_key(v));
}

static bool
is_further(const json_t *m, const char *key)
{
	return strcmp(key, role_key(m)) != 0 && strcmp(key, text_key(m)) != 0;
}

static bool
message_has_members(const json_t *m)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)m, key, x) if (is_further(m, key)) return true;
	return false;
}

/* Each further member of a is in b; null is as good as none (Arrow fills columns with it). */
static bool
members_in(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)a, key, x)
	{
		const json_t *y = b && is_further(b, key) ? json_object_get(b, key) : NULL;
		if (is_further(a, key) && !json_is_null(x) && !json_equal(x, y))
			return false;
	}
	return true;
}

bool
message_same_members(const json_t *a, const json_t *b)
{
	return members_in(a, b) && members_in(b, a);
}

void
message_members(const json_t *message, json_t *o)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)message, key, x)
	{
		if (!is_further(message, key))
			continue;
		if (json_object_get(o, key) == NULL) {
			json_object_set(o, key, x);
			continue;
		}
		struct buf name = BUF_INIT;
		buf_printf(&name, "source_%s", key);
		json_object_set(o, name.data, x);
		buf_free(&name);
	}
}

static void
grow(struct dialogue *d, struct arena *a)
{
	int cap = d->cap ? 2 * d->cap : 8;
	struct turn *turns = arena_alloc(a, (size_t)cap * sizeof *turns);
	const json_t **said = arena_alloc(a, (size_t)cap * sizeof *said);
	if (d->n > 0) {
		memcpy(turns, d->turns, (size_t)d->n * sizeof *turns);
		memcpy(said, d->said, (size_t)d->n * sizeof *said);
	}
	d->turns = turns;
	d->said = said;
	d->cap = cap;
}

/* Text behind the last turn's, after join.  Room is doubled: many merges stay linear. */
static void
lengthen(struct dialogue *d, struct arena *a, const char *join, const char *text, size_t n)
{
	struct turn *last = &d->turns[d->n - 1];
	size_t k = strlen(join), need = last->n + k + n + 1;
	char *joined = (char *)last->text;
	if (need > d->room) {
		d->room = 2 * need;
		joined = arena_alloc(a, d->room);
		memcpy(joined, last->text, last->n);
	}
	memcpy(joined + last->n, join, k);
	memcpy(joined + last->n + k, text, n);
	joined[need - 1] = '\0';
	last->text = joined;
	last->n = need - 1;
}

void
dialogue_add(struct dialogue *d, struct arena *a, enum role role, const char *text, size_t n,
	const json_t *said)
{
	if (d->n > 0 && d->turns[d->n - 1].role == role &&
		message_same_members(d->said[d->n - 1], said)) {
		lengthen(d, a, "\n", text, n);
		return;
	}
	if (d->n == d->cap)
		grow(d, a);
	d->said[d->n] = said;
	d->turns[d->n++] = (struct turn){.role = role, .text = text, .n = n};
	d->room = 0;
}

void
dialogue_append(struct dialogue *d, struct arena *a, const struct dialogue *more, int from, int to)
{
	for (int i = from; i < to; i++) {
		const struct turn *t = &more->turns[i];
		dialogue_add(d, a, t->role, t->text, t->n, more->said[i]);
	}
}

bool
dialogue_continue(struct dialogue *d, struct arena *a, const struct dialogue *more, int first)
{
	const struct turn *t = &more->turns[first];
	const json_t **said = &d->said[d->n - 1];
	if (message_has_members(*said) && message_has_members(more->said[first]) &&
		!message_same_members(*said, more->said[first]))
		return false;
	lengthen(d, a, "", t->text, t->n);
	if (!message_has_members(*said))
		*said = more->said[first];
	return true;
}

static const char human[] = "Human:", assistant[] = "Assistant:";

/* Length of the speaker's name at s, 0 if there is none. */
static size_t
speaker(const char *s, size_t n, enum role *role)
{
	if (n >= sizeof human - 1 && memcmp(s, human, sizeof human - 1) == 0) {
		*role = ROLE_USER;
		return sizeof human - 1;
	}
	if (n >= sizeof assistant - 1 && memcmp(s, assistant, sizeof assistant - 1) == 0) {
		*role = ROLE_ASSISTANT;
		return sizeof assistant - 1;
	}
	return 0;
}

bool
dialogue_is_hh(const char *text)
{
	enum role role;
	text += strspn(text, "\n");
	return speaker(text, strlen(text), &role) > 0;
}

static void
end_message(struct dialogue *d, struct arena *a, enum role role, const char *s, size_t n)
{
	text_strip(&s, &n);
	dialogue_add(d, a, role, s, n, NULL);
}

int
dialogue_read_hh(struct dialogue *d, struct arena *a, const char *text, size_t n, bool drop,
	const char **reason)
{
	const char *end = text + n, *message = NULL, *message_end = NULL;
	enum role role = ROLE_USER, next = ROLE_USER;
	for (const char *p = text;;) {
		const char *stop = memmem(p, (size_t)(end - p), "\n\n", 2);
		if (stop == NULL)
			stop = end;
		size_t name = speaker(p, (size_t)(stop - p), &next);
		if (name > 0) {
			if (message)
				end_message(d, a, role, message, (size_t)(message_end - message));
			role = next;
			message = p + name;
			message_end = stop;
		} else if (message && !drop) {
			message_end = stop; /* paragraphs lie one behind the other */
		} else if (message == NULL && !drop && stop > p) {
			*reason = "text before the first turn";
			return 0;
		}
		if (stop == end)
			break;
		p = stop + 2;
	}
	if (message)
		end_message(d, a, role, message, (size_t)(message_end - message));
	return 1;
}

/* The text of a message: a string, or the text parts of a list joined. */
static int
message_text(const json_t *v, struct arena *a, const char **text, size_t *n, const char **reason)
{
	if (json_is_string(v) && !json_is_big(v)) {
		*text = json_string_value(v);
		*n = json_string_length(v);
		return 1;
	}
	if (!json_is_array(v) && !json_is_null(v))
		return -1;
	*reason = "a message that is not text";
	struct buf b = BUF_INIT;
	int rc = json_is_null(v) ? 0 : 1;
	buf_puts(&b, "");
	for (size_t i = 0; i < json_array_size(v) && rc > 0; i++) {
		const json_t *part = json_array_get(v, i);
		const char *type, *s;
		size_t len;
		if (json_get_string(part, "type", &type, NULL, NULL) != 1)
			type = json_object_get(part, "type") == NULL ? "text" : "";
		rc = strcmp(type, "text") == 0 &&
		     json_get_string(part, "text", &s, &len, NULL) == 1;
		if (rc > 0)
			buf_put(&b, s, len);
	}
	*text = arena_strndup(a, b.data, b.len);
	*n = b.len;
	buf_free(&b);
	return rc;
}

/* Names of speakers in the wild, in any case: OpenAI, ShareGPT, Open-Assistant, Gemini. */
static int
role_of(const char *name, enum role *role)
{
	static const struct {
		const char *name;
		enum role role;
	} names[] = {{"user", ROLE_USER}, {"assistant", ROLE_ASSISTANT}, {"system", ROLE_SYSTEM},
		{"human", ROLE_USER}, {"prompter", ROLE_USER}, {"gpt", ROLE_ASSISTANT},
		{"chatgpt", ROLE_ASSISTANT}, {"bot", ROLE_ASSISTANT}, {"model", ROLE_ASSISTANT},
		{"developer", ROLE_SYSTEM}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(names[i].name, name) == 0) {
			*role = names[i].role;
			return 1;
		}
	}
	return 0;
}

static int
read_message(
	struct dialogue *d, struct arena *a, const json_t *m, const char **reason, struct err *e)
{
	const char *name, *text;
	size_t n;
	enum role role;
	if (json_get_string(m, role_key(m), &name, NULL, NULL) != 1)
		return err_set(e, ERR_DATA, "%s: not a string", role_key(m));
	if (!role_of(name, &role)) {
		*reason = "a speaker who is no user, assistant or system";
		return 0;
	}
	const json_t *v = json_object_get(m, text_key(m));
	if (v == NULL && (json_object_get(m, "tool_calls") || json_object_get(m, "function_call")))
		v = json_null(); /* as good as a content that is null */
	int rc = v ? message_text(v, a, &text, &n, reason) : -1;
	if (rc < 0)
		return err_set(e, ERR_DATA, "%s: not a text", text_key(m));
	if (rc > 0)
		dialogue_add(d, a, role, text, n, m);
	return rc;
}

/* One exchange: [question, answer] (LLaMA-Factory's history) or an object of two; a last answer
 * may be missing.  Not one: -2. */
static int
read_exchange(struct dialogue *d, struct arena *a, const json_t *v, const char **reason)
{
	static const char *const names[][2] = {{"input", "output"}, {"human", "assistant"},
		{"question", "answer"}, {"prompt", "response"}};
	const json_t *said[2] = {json_array_get(v, 0), json_array_get(v, 1)};
	if (json_is_array(v) && (json_array_size(v) == 0 || json_array_size(v) > 2))
		return -2;
	for (size_t i = 0; i < 4 && said[0] == NULL; i++) {
		said[0] = json_object_get(v, names[i][0]);
		said[1] = said[0] ? json_object_get(v, names[i][1]) : NULL;
	}
	for (int i = 0; i < 2; i++) {
		const char *text;
		size_t n;
		if (i == 1 && (said[i] == NULL || json_is_null(said[i])))
			break;
		int rc = said[i] ? message_text(said[i], a, &text, &n, reason) : -2;
		if (rc <= 0)
			return rc < 0 ? -2 : 0;
		dialogue_add(d, a, i == 0 ? ROLE_USER : ROLE_ASSISTANT, text, n, NULL);
	}
	return 1;
}

int
dialogue_read_messages(struct dialogue *d, struct arena *a, const json_t *list, const char *what,
	const char **reason, struct err *e)
{
	if (!json_is_array(list))
		return err_set(e, ERR_DATA, "%s: %s", what, list ? "not a list" : "missing");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *m = json_array_get(list, i);
		bool speaks = json_object_get(m, "role") || json_object_get(m, "from");
		int rc = speaks ? -2 : read_exchange(d, a, m, reason);
		if (rc == -2 && !json_is_object(m))
			rc = err_set(e, ERR_DATA, "neither a message nor an exchange");
		else if (rc == -2)
			rc = read_message(d, a, m, reason, e);
		if (rc < 0)
			return err_prefix(e, "%s[%zu]", what, i);
		if (rc == 0)
			return 0;
	}
	return 1;
}

json_t *
dialogue_prompt(const struct dialogue *d, int n)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++) {
		const struct turn *t = &d->turns[i];
		json_t *m = json_object();
		json_put(m, "role", json_text(role_name(t->role)));
		json_put(m, "content", json_textn(t->text, t->n));
		message_members(d->said[i], m);
		json_add(list, m);
	}
	return list;
}

bool
dialogue_same(const struct dialogue *a, int i, const struct dialogue *b, int k, int n, bool alike)
{
	if (i < 0 || k < 0 || a->n - i < n || b->n - k < n)
		return false;
	for (int m = 0; m < n; m++) {
		struct turn x = a->turns[i + m], y = b->turns[k + m];
		if (alike) {
			text_strip(&x.text, &x.n);
			text_strip(&y.text, &y.n);
		}
		if (x.role != y.role || x.n != y.n || memcmp(x.text, y.text, x.n) != 0)
			return false;
	}
	return true;
}

void
dialogue_write_hh(const struct turn *turns, int n, struct buf *out)
{
	for (int i = 0; i < n; i++) {
		if (turns[i].role != ROLE_SYSTEM)
			buf_printf(out, "\n\n%s ", turns[i].role == ROLE_USER ? human : assistant);
		buf_put(out, turns[i].text, turns[i].n);
	}
	buf_printf(out, "\n\n%s", assistant);
}
