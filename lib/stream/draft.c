/* A record in the making: its answers, and how they and the prompt come together. */
#include <stdlib.h>
#include <string.h>

#include "lib/stream/import_impl.h"
#include "lib/stream/literal.h"
#include "lib/stream/marked.h"

void
draft_init(struct draft *d, const struct importer *im, const json_t *v, struct arena *a)
{
	*d = (struct draft){.im = im,
		.v = v,
		.arena = a,
		.used = json_object(),
		.extra = json_object(),
		.owned = json_array()};
}

void
draft_free(struct draft *d)
{
	for (int i = 0; i < d->n; i++)
		json_decref(d->candidates[i].json);
	json_decref(d->list);
	json_decref(d->used);
	json_decref(d->extra);
	json_decref(d->owned);
}

struct candidate *
draft_add(struct draft *d, const char *source)
{
	if (d->n == d->cap) {
		int cap = d->cap ? 2 * d->cap : 4;
		struct candidate *c = arena_calloc(d->arena, (size_t)cap, sizeof *c);
		if (d->n > 0)
			memcpy(c, d->candidates, (size_t)d->n * sizeof *c);
		d->candidates = c;
		d->cap = cap;
	}
	struct candidate *c = &d->candidates[d->n++];
	*c = (struct candidate){.json = json_object()};
	json_put(c->json, "text", json_text("")); /* its place is the first */
	if (source)
		json_put(c->json, "source", json_text(source));
	return c;
}

struct candidate *
draft_add_numbered(struct draft *d)
{
	char source[64];
	snprintf(source, sizeof source, "%s:%d", import_format_name(d->im->format), d->n + 1);
	return draft_add(d, source);
}

struct candidate *
draft_add_side(struct draft *d, const char *which, const json_t *model)
{
	char source[64];
	if (is_text(model))
		return draft_add(d, json_string_value(model));
	snprintf(source, sizeof source, "%s:%s", import_format_name(d->im->format), which);
	return draft_add(d, source);
}

void
draft_carry(struct candidate *c, const json_t *v, const char *const *except)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)v, key, x)
	{
		bool skip = json_object_get(c->json, key) != NULL;
		for (const char *const *k = except; *k && !skip; k++)
			skip = strcmp(*k, key) == 0;
		if (!skip)
			json_object_set(c->json, key, x);
	}
}

static int
by_rank(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->position - y->position;
}

void
draft_sort(struct draft *d)
{
	for (int i = 0; i < d->n; i++)
		d->candidates[i].position = i;
	if (d->n > 0)
		qsort(d->candidates, (size_t)d->n, sizeof *d->candidates, by_rank);
}

void
draft_use(struct draft *d, const char *key)
{
	json_put(d->used, key, json_true());
}

/* The messages that a text holds: 1 with *list, owned by d; 0 when it is plain text. */
static int
messages_of_text(struct draft *d, const json_t *v, const json_t **list, struct err *e)
{
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);
	if (!literal_is_messages(s, n))
		return 0;
	json_t *x = literal_parse(s, n, e);
	if (x == NULL)
		return -1;
	json_add(d->owned, x);
	*list = x;
	return 1;
}

static int
answer_messages(struct draft *d, struct candidate *c, const json_t *list, const char *what,
	const char **reason, struct err *e)
{
	if (json_array_size(list) == 0) {
		*reason = "a response without messages";
		return 0;
	}
	d->turns = true;
	return dialogue_read_messages(&c->dialogue, d->arena, list, what, reason, e);
}

static int
answer_text(struct draft *d, struct candidate *c, const json_t *v, const char *what,
	const char **reason, struct err *e)
{
	const json_t *list;
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);
	int rc = messages_of_text(d, v, &list, e);
	if (rc < 0)
		return err_prefix(e, "%s", what);
	if (rc > 0)
		return draft_answer(d, c, list, what, reason, e);
	if (strncmp(s + strspn(s, "\n"), "Human:", 6) == 0 && strstr(s, "\n\nAssistant:")) {
		d->turns = true;
		return dialogue_read_hh(
			&c->dialogue, d->arena, s, n, d->im->drop_paragraphs, reason);
	}
	if (marked_is(s, n)) {
		d->turns = true;
		marked_read(&c->dialogue, d->arena, s, n);
		return 1;
	}
	dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, s, n, NULL);
	return 1;
}

int
draft_waits(const struct draft *d, const char **reason)
{
	*reason = "the prompt ends with the assistant";
	return d->prompt.n == 0 || d->prompt.turns[d->prompt.n - 1].role != ROLE_ASSISTANT;
}

/* {content}, {text} or {value}: a message whose speaker goes without saying. */
static int
answer_object(
	struct draft *d, struct candidate *c, const json_t *v, const char *what, struct err *e)
{
	static const char *const keys[] = {"content", "value", "text"};
	const json_t *text = NULL;
	for (int i = 0; i < 3 && text == NULL; i++)
		text = json_object_get(v, keys[i]);
	if (!is_text(text))
		return err_set(e, ERR_DATA, "%s: neither a text nor messages", what);
	d->turns = true;
	dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, json_string_value(text),
		json_string_length(text), v);
	return 1;
}

int
draft_answer(struct draft *d, struct candidate *c, const json_t *v, const char *what,
	const char **reason, struct err *e)
{
	const json_t *first = json_array_get(v, 0), *inner = json_object_get(v, "messages");
	if (v == NULL)
		return err_set(e, ERR_DATA, "%s: missing", what);
	if (json_is_null(v)) {
		*reason = "a response is null";
		return 0;
	}
	if (is_text(v))
		return answer_text(d, c, v, what, reason, e);
	if (json_is_array(v) && is_text(first)) {
		if (json_array_size(v) == 1)
			return answer_text(d, c, first, what, reason, e);
		*reason = "several responses on one side, without an order";
		return 0;
	}
	if (json_is_array(v) || json_is_array(inner))
		return answer_messages(d, c, json_is_array(v) ? v : inner, what, reason, e);
	if (json_object_get(v, "role") == NULL && json_object_get(v, "from") == NULL)
		return answer_object(d, c, v, what, e);
	if (!message_is(v))
		return err_set(e, ERR_DATA, "%s: neither a text nor messages", what);
	json_t *list = json_array();
	json_array_append(list, (json_t *)v);
	json_add(d->owned, list);
	return answer_messages(d, c, list, what, reason, e);
}

static int
systems_of(const struct dialogue *x)
{
	int n = 0;
	while (n < x->n && x->turns[n].role == ROLE_SYSTEM)
		n++;
	return n;
}

/* The system text beside a prompt becomes its first turn. */
static int
settle_system(struct draft *d, const char **reason)
{
	struct dialogue whole = {0}, said = {0};
	if (d->system == NULL)
		return 1;
	dialogue_add(&said, d->arena, ROLE_SYSTEM, d->system, d->system_n, NULL);
	if (systems_of(&d->prompt) > 0) {
		*reason = "two system texts that differ";
		return dialogue_same(&said, 0, &d->prompt, 0, 1, true);
	}
	dialogue_append(&whole, d->arena, &said, 0, 1);
	dialogue_append(&whole, d->arena, &d->prompt, 0, d->prompt.n);
	d->prompt = whole;
	d->plain = false;
	return 1;
}

/* What follows a prompt that may stop within the assistant's turn. */
static int
join_answer(struct draft *d, struct candidate *c, struct dialogue *whole, const char **reason)
{
	const struct dialogue *p = &d->prompt, *x = &c->dialogue;
	int from = 0;
	if (d->stripped && x->n == 1 && x->said[0] == NULL)
		text_strip(&x->turns[0].text, &x->turns[0].n);
	dialogue_append(whole, d->arena, p, 0, p->n);
	if (p->n > 0 && p->turns[p->n - 1].role == ROLE_ASSISTANT && x->n > 0 &&
		x->turns[0].role == ROLE_ASSISTANT) {
		*reason = "two turns of the assistant in a row, with different members";
		if (!dialogue_continue(whole, d->arena, x, 0))
			return 0;
		from = 1;
	}
	dialogue_append(whole, d->arena, x, from, x->n);
	return 1;
}

/* Where turns [i, n) of p stand in x before its turn stop; -1. */
static int
find_turns(const struct dialogue *p, int i, const struct dialogue *x, int from, int stop)
{
	for (int k = from; k + (p->n - i) <= stop; k++)
		if (dialogue_same(p, i, x, k, p->n - i, true))
			return k;
	return -1;
}

/* p ends within the assistant's turn that x, which repeats p, ends with. */
static bool
is_begun(const struct dialogue *p, int i, const struct dialogue *x, int k)
{
	int n = p->n - i;
	if (n < 1 || x->n - k != n || !dialogue_same(p, i, x, k, n - 1, true))
		return false;
	const struct turn *a = &p->turns[p->n - 1], *b = &x->turns[x->n - 1];
	return a->role == ROLE_ASSISTANT && b->role == ROLE_ASSISTANT && a->n <= b->n &&
	       memcmp(a->text, b->text, a->n) == 0;
}

/* The candidate's dialogue x begins with the prompt p again, or with its end.  What p has more,
 * earlier turns or a system text, stays; where they contradict each other nothing does. */
static int
join_again(struct draft *d, struct candidate *c, struct dialogue *whole, const char **reason)
{
	const struct dialogue *p = &d->prompt, *x = &c->dialogue;
	int ps = systems_of(p), xs = systems_of(x);
	int stop = x->n - (x->n > xs && x->turns[x->n - 1].role == ROLE_ASSISTANT);
	if (ps > 0 && xs > 0 && (ps != xs || !dialogue_same(p, 0, x, 0, ps, true))) {
		*reason = "two system texts that differ";
		return 0;
	}
	const struct dialogue *systems = ps > 0 ? p : x;
	dialogue_append(whole, d->arena, systems, 0, ps > 0 ? ps : xs);
	if (find_turns(p, ps, x, xs, stop) >= 0 || is_begun(p, ps, x, xs)) {
		for (int i = ps, k = xs; i < p->n && k < x->n; i++, k++)
			if (x->said[k] == NULL && dialogue_same(p, i, x, k, 1, true))
				x->said[k] = p->said[i];
		dialogue_append(whole, d->arena, x, xs, x->n);
		return 1;
	}
	int again = stop - xs; /* turns of x that p must end with */
	if (again <= p->n - ps && dialogue_same(p, p->n - again, x, xs, again, true)) {
		dialogue_append(whole, d->arena, p, ps, p->n);
		dialogue_append(whole, d->arena, x, stop, x->n);
		return 1;
	}
	*reason = "the prompt is not that of the dialogue";
	return 0;
}

/* Behind an answer a question goes on, as TRL has it: prompt, then chosen. */
static bool
goes_on(const struct dialogue *p, const struct dialogue *x)
{
	int ps = systems_of(p), xs = systems_of(x);
	return p->n > ps && p->turns[p->n - 1].role == ROLE_ASSISTANT && xs == 0 &&
	       !dialogue_same(p, ps, x, xs, 1, true);
}

static int
join(struct draft *d, struct candidate *c, const char **reason)
{
	struct dialogue whole = {0};
	const struct dialogue *p = &d->prompt, *x = &c->dialogue;
	if (p->n == 0)
		return 1;
	if (x->n == 0) {
		*reason = "a response without messages";
		return 0;
	}
	int rc = x->turns[0].role == ROLE_ASSISTANT || goes_on(p, x)
			 ? join_answer(d, c, &whole, reason)
			 : join_again(d, c, &whole, reason);
	c->dialogue = whole;
	return rc;
}

/* Whether candidate i may stand beside the first. */
static int
check_candidate(const struct draft *d, int i, const char **reason)
{
	const struct dialogue *first = &d->candidates[0].dialogue, *x = &d->candidates[i].dialogue;
	enum import_filter filter = d->im->filter;
	if (i > 0 && filter == FILTER_TURNS && x->n != first->n) {
		*reason = "different numbers of turns";
		return 0;
	}
	if (x->n == 0 || x->turns[x->n - 1].role != ROLE_ASSISTANT) {
		*reason = "a dialogue does not end with the assistant";
		return 0;
	}
	bool strict = filter == FILTER_CONTEXTS || (filter == FILTER_TURNS && !d->loose);
	if (strict && (x->n != first->n || !dialogue_same(x, 0, first, 0, x->n - 1,
						   filter != FILTER_CONTEXTS))) {
		*reason = "different contexts";
		return 0;
	}
	return 1;
}

/* Two or more responses, and all of them the same: nothing is preferred to anything. */
static bool
all_equal(const struct draft *d)
{
	const struct dialogue *first = &d->candidates[0].dialogue;
	for (int i = 1; i < d->n; i++) {
		const struct dialogue *x = &d->candidates[i].dialogue;
		if (!dialogue_same(first, first->n - 1, x, x->n - 1, 1, true) ||
			!message_same_members(first->said[first->n - 1], x->said[x->n - 1]))
			return false;
	}
	return d->n > 1;
}

/* Splits whole dialogues into the common context, of which the number of turns is returned, and the
 * responses; -1: rejected. */
static int
split(struct draft *d, const char **reason)
{
	const struct dialogue *first = &d->candidates[0].dialogue;
	bool speaks = false;
	for (int k = 0; k < first->n; k++)
		speaks = speaks || first->turns[k].role == ROLE_ASSISTANT;
	if (!speaks) {
		*reason = "no turn of the assistant in the first dialogue";
		return -1;
	}
	for (int i = 0; i < d->n; i++)
		if (check_candidate(d, i, reason) == 0)
			return -1;
	d->equal = all_equal(d);
	if (d->equal && !d->loose && d->im->filter != FILTER_NONE) {
		*reason = "equal responses";
		return -1;
	}
	for (int i = 0; i < d->n; i++) {
		struct candidate *c = &d->candidates[i];
		int last = c->dialogue.n - 1;
		const struct turn *t = &c->dialogue.turns[last];
		json_put(c->json, "text", json_textn(t->text, t->n));
		message_members(c->dialogue.said[last], c->json);
	}
	return first->n - 1;
}

/* A turn of the user's is in the first n, and says something; HH-RLHF has some that say nothing,
 * which the paper counts. */
static bool
asks(const struct draft *d, const struct dialogue *x, int n)
{
	for (int i = 0; i < n; i++) {
		struct turn t = x->turns[i];
		text_strip(&t.text, &t.n);
		if (t.role == ROLE_USER && (t.n > 0 || d->loose))
			return true;
	}
	return false;
}

int
draft_settle(struct draft *d, const char **reason)
{
	int rc = settle_system(d, reason);
	for (int i = 0; i < d->n && rc > 0; i++)
		rc = join(d, &d->candidates[i], reason);
	if (rc == 0)
		return 0;
	const struct dialogue *x = d->n > 0 ? &d->candidates[0].dialogue : &d->prompt;
	int n = d->n > 0 ? split(d, reason) : x->n;
	if (n < 0)
		return 0;
	bool text = n == 1 && d->plain && !d->turns;
	if (!asks(d, x, n)) {
		*reason = "no prompt";
		return 0;
	}
	if (x->turns[n - 1].role == ROLE_ASSISTANT) {
		*reason = "the prompt ends with the assistant";
		return 0;
	}
	d->list = text ? json_textn(x->turns[0].text, x->turns[0].n) : dialogue_prompt(x, n);
	return 1;
}
