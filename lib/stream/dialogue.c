#include "lib/stream/dialogue.h"

#include <string.h>

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

void
dialogue_add(struct dialogue *d, struct arena *a, enum role role, const char *text, size_t n)
{
	if (d->n > 0 && d->turns[d->n - 1].role == role) {
		struct turn *last = &d->turns[d->n - 1];
		size_t need = last->n + n + 2;
		char *joined = (char *)last->text;
		if (need > d->room) { /* doubled: many merges stay linear */
			d->room = 2 * need;
			joined = arena_alloc(a, d->room);
			memcpy(joined, last->text, last->n);
		}
		joined[last->n] = '\n';
		memcpy(joined + last->n + 1, text, n);
		joined[need - 1] = '\0';
		last->text = joined;
		last->n = need - 1;
		return;
	}
	if (d->n == d->cap) {
		int cap = d->cap ? 2 * d->cap : 8;
		struct turn *turns = arena_alloc(a, (size_t)cap * sizeof *turns);
		if (d->n > 0)
			memcpy(turns, d->turns, (size_t)d->n * sizeof *turns);
		d->turns = turns;
		d->cap = cap;
	}
	d->turns[d->n++] = (struct turn){role, text, n};
	d->room = 0;
}

void
dialogue_append(struct dialogue *d, struct arena *a, const struct dialogue *more)
{
	for (int i = 0; i < more->n; i++)
		dialogue_add(d, a, more->turns[i].role, more->turns[i].text, more->turns[i].n);
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
	dialogue_add(d, a, role, s, n);
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
		rc = json_get_string(part, "type", &type, NULL, NULL) == 1 &&
		     strcmp(type, "text") == 0 &&
		     json_get_string(part, "text", &s, &len, NULL) == 1;
		if (rc > 0)
			buf_put(&b, s, len);
	}
	*text = arena_strndup(a, b.data, b.len);
	*n = b.len;
	buf_free(&b);
	return rc;
}

static int
role_of(const char *name, enum role *role)
{
	static const struct {
		const char *name;
		enum role role;
	} names[] = {{"user", ROLE_USER}, {"assistant", ROLE_ASSISTANT}, {"system", ROLE_SYSTEM},
		{"human", ROLE_USER}, {"prompter", ROLE_USER}, {"gpt", ROLE_ASSISTANT},
		{"developer", ROLE_SYSTEM}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(names[i].name, name) == 0) {
			*role = names[i].role;
			return 1;
		}
	}
	return 0;
}

int
dialogue_read_messages(struct dialogue *d, struct arena *a, const json_t *list,
	const char *role_key, const char *text_key, const char *what, const char **reason,
	struct err *e)
{
	if (!json_is_array(list))
		return err_set(e, ERR_DATA, "%s: %s", what, list ? "not a list" : "missing");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *m = json_array_get(list, i);
		const char *name, *text;
		size_t n;
		enum role role;
		if (json_get_string(m, role_key, &name, NULL, NULL) != 1)
			return err_set(e, ERR_DATA, "%s[%zu].%s: not a string", what, i, role_key);
		if (!role_of(name, &role)) {
			*reason = "a speaker who is no user, assistant or system";
			return 0;
		}
		const json_t *v = json_object_get(m, text_key);
		int rc = v ? message_text(v, a, &text, &n, reason) : -1;
		if (rc < 0)
			return err_set(e, ERR_DATA, "%s[%zu].%s: not a text", what, i, text_key);
		if (rc == 0)
			return 0;
		dialogue_add(d, a, role, text, n);
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
		json_object_set_new(m, "role", json_string(role_name(t->role)));
		json_object_set_new(m, "content", json_stringn(t->text, t->n));
		json_array_append_new(list, m);
	}
	return list;
}

bool
dialogue_same(const struct dialogue *a, const struct dialogue *b, int n)
{
	if (a->n < n || b->n < n)
		return false;
	for (int i = 0; i < n; i++) {
		const struct turn *x = &a->turns[i], *y = &b->turns[i];
		if (x->role != y->role || x->n != y->n || memcmp(x->text, y->text, x->n) != 0)
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
