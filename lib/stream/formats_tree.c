/*
 * Open-Assistant's message trees (OpenAssistant/oasst1, oasst2: the .trees files): a message
 * {message_id, text, role, rank, replies}, whose replies are messages.  Every place where two or
 * more of the assistant's replies have a rank, 0 the best, is a record of its own.
 */
#include <string.h>

#include "lib/stream/import_impl.h"

struct walk {
	struct importing *x;
	struct dialogue path;
	int places;
};

static int
add_reply(struct draft *d, const json_t *v, struct err *e)
{
	static const char *const mine[] = {"text", "role", "replies", NULL};
	const char *text;
	size_t n;
	double rank;
	const json_t *model = json_object_get(v, "model_name");
	if (need_string(v, "text", &text, &n, e) < 0 || json_get_number(v, "rank", &rank, e) < 0)
		return -1;
	struct candidate *c = draft_add(d, is_text(model) ? json_string_value(model) : "oasst");
	dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, text, n, NULL);
	c->rank = rank;
	draft_carry(c, v, mine);
	return 1;
}

/* A reply that takes part in the ranking of its place. */
static bool
is_ranked(const json_t *v)
{
	return json_is_number(json_object_get(v, "rank")) &&
	       !json_is_true(json_object_get(v, "deleted"));
}

/* The ranked replies of one place. */
static int
add_place(struct walk *w, const json_t *replies, struct err *e)
{
	struct draft d;
	int rc = 1;
	draft_init(&d, w->x->im, w->x->v, w->x->arena);
	draft_use(&d, "prompt");
	dialogue_append(&d.prompt, d.arena, &w->path, 0, w->path.n);
	for (size_t i = 0; i < json_array_size(replies) && rc > 0; i++)
		if (is_ranked(json_array_get(replies, i)))
			rc = add_reply(&d, json_array_get(replies, i), e);
	draft_sort(&d);
	bool tie = false;
	for (int i = 1; i < d.n; i++)
		tie = tie || d.candidates[i].rank == d.candidates[i - 1].rank;
	w->places++;
	if (rc > 0 && tie)
		importing_reject(w->x, "a tie in the ranks");
	else if (rc > 0)
		importing_finish(w->x, &d, w->places);
	draft_free(&d);
	return rc > 0 ? 0 : -1;
}

static int
walk(struct walk *w, const json_t *v, struct err *e)
{
	const char *role, *text;
	size_t n;
	const json_t *replies = json_object_get(v, "replies");
	int ranked = 0, rc = 0;
	if (need_string(v, "role", &role, NULL, e) < 0 || need_string(v, "text", &text, &n, e) < 0)
		return -1;
	bool asks = strcmp(role, "prompter") == 0;
	if (!asks && strcmp(role, "assistant") != 0)
		return err_set(
			e, ERR_DATA, "role: '%.40s' is neither prompter nor assistant", role);
	struct dialogue before = w->path;
	struct dialogue path = {0};
	dialogue_append(&path, w->x->arena, &before, 0, before.n);
	dialogue_add(&path, w->x->arena, asks ? ROLE_USER : ROLE_ASSISTANT, text, n, NULL);
	w->path = path;
	for (size_t i = 0; i < json_array_size(replies); i++)
		ranked += is_ranked(json_array_get(replies, i));
	if (asks && ranked >= 2)
		rc = add_place(w, replies, e);
	for (size_t i = 0; i < json_array_size(replies) && rc == 0; i++)
		rc = walk(w, json_array_get(replies, i), e);
	w->path = before;
	return rc;
}

int
import_tree(struct importing *x, struct err *e)
{
	struct walk w = {.x = x};
	const json_t *prompt = json_object_get(x->v, "prompt");
	if (!json_is_object(prompt))
		return err_set(e, ERR_DATA, "prompt: not a message");
	if (walk(&w, prompt, e) < 0)
		return -1;
	if (w.places == 0)
		importing_reject(x, "no place with two ranked replies");
	return 0;
}
