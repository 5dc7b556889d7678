/* Formats of two sides, chosen and rejected. */
#include <string.h>
#include <strings.h>

#include "lib/stream/import_impl.h"

static const char *const sides[] = {"chosen", "rejected"};

/* Marks that there is no preference: distilabel's status, arenas' winner. */
static bool
marked_tie(const struct draft *d)
{
	static const char *const keys[] = {"status", "winner", "preference", "label"};
	if (json_is_true(json_object_get(d->v, "is_tie")) ||
		json_is_true(json_object_get(d->v, "tie")))
		return true;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const json_t *x = json_object_get(d->v, keys[i]);
		if (is_tie(x) && strcasecmp(json_string_value(x), "none") != 0)
			return true;
	}
	return false;
}

/* A pair that its data call a tie, or bad. */
static int
check_marks(const struct draft *d, const char **reason)
{
	const json_t *label = json_object_get(d->v, "label");
	bool bad =
		json_is_false(label) || (json_is_integer(label) && json_integer_value(label) == 0);
	*reason = bad ? "the pair is labelled bad" : "a tie";
	return !bad && !marked_tie(d);
}

int
read_hh(struct draft *d, const char **reason, struct err *e)
{
	int rc = 1;
	d->loose = d->turns = true;
	for (int i = 0; i < 2 && rc > 0; i++) {
		const char *text;
		size_t n;
		rc = need_string(d->v, sides[i], &text, &n, e);
		if (rc <= 0)
			break;
		struct candidate *c = draft_add_side(d, sides[i], NULL);
		rc = dialogue_read_hh(
			&c->dialogue, d->arena, text, n, d->im->drop_paragraphs, reason);
		draft_use(d, sides[i]);
	}
	return rc > 0 ? check_marks(d, reason) : rc;
}

/* Both answers are lists, or both are not. */
static int
same_kind(const json_t *const v[2], const char *const keys[2], struct err *e)
{
	static const char *const kinds[] = {"a list", "a string"};
	bool text = is_text(v[0]);
	if (is_text(v[1]) == text || json_is_null(v[0]) || json_is_null(v[1]) || v[1] == NULL)
		return 0;
	return err_set(e, ERR_DATA, "%s: not %s, as %s is", keys[1], kinds[text], keys[0]);
}

/* A text and a text, and nothing that could be the prompt: what they begin with in common is none,
 * there is no turn between it and the answers. */
static int
need_prompt(const struct draft *d, const char **reason, struct err *e)
{
	for (int i = 0; i < d->n; i++) {
		const struct dialogue *x = &d->candidates[i].dialogue;
		for (int k = 0; k < x->n; k++)
			if (x->turns[k].role == ROLE_USER)
				return 1;
	}
	*reason = "no prompt";
	if (d->prompt.n > 0 || draft_has_prompt_member(d))
		return d->prompt.n > 0;
	struct buf b = BUF_INIT;
	members_write(d->v, &b);
	err_set(e, ERR_DATA,
		"no prompt: the members are %s, and the responses are no whole dialogues; "
		"--prompt-from names the prompt's",
		b.data);
	buf_free(&b);
	return -1;
}

static int
read_sides(struct draft *d, const char *const keys[2], const char **reason, struct err *e)
{
	const json_t *v[2] = {json_object_get(d->v, keys[0]), json_object_get(d->v, keys[1])};
	if (same_kind(v, keys, e) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		struct candidate *c = draft_add_side(d, sides[i], NULL);
		int rc = draft_answer(d, c, v[i], keys[i], reason, e);
		if (rc <= 0)
			return rc;
		draft_use(d, keys[i]);
	}
	return check_marks(d, reason);
}

/* The first of two names that is there; the first when none is. */
static const char *
either(const struct draft *d, const char *a, const char *b)
{
	return json_object_get(d->v, a) == NULL && json_object_get(d->v, b) ? b : a;
}

int
read_pair(struct draft *d, const char **reason, struct err *e)
{
	/* chosen_response: argilla; response_chosen: MedicalGPT's reward data */
	const char *keys[] = {either(d, "chosen", either(d, "chosen_response", "response_chosen")),
		either(d, "rejected",
			either(d, "rejected_response", either(d, "reject", "response_rejected")))};
	int rc = read_sides(d, keys, reason, e);
	if (rc > 0)
		rc = draft_find_prompt(d, reason, e);
	if (rc > 0)
		rc = need_prompt(d, reason, e);
	return rc > 0 ? draft_pair_rewards(d, reason, e) : rc;
}

/*
 * ms-swift: the answer in messages, or query, history and response, is the better one;
 * rejected_response, or the last turn of rejected_messages, the worse.
 */
int
read_swift(struct draft *d, const char **reason, struct err *e)
{
	const json_t *talk = json_object_get(d->v, "messages");
	const char *better = talk ? "messages" : "response";
	const char *worse = either(d, "rejected_response", "rejected_messages");
	struct candidate *c = draft_add_side(d, sides[0], NULL);
	int rc = draft_answer(d, c, json_object_get(d->v, better), better, reason, e);
	struct dialogue whole = c->dialogue;
	draft_use(d, better);
	draft_use(d, worse);
	if (rc > 0)
		rc = draft_answer(d, draft_add_side(d, sides[1], NULL),
			json_object_get(d->v, worse), worse, reason, e);
	if (rc <= 0 || talk == NULL)
		return rc > 0 ? draft_find_prompt(d, reason, e) : rc;
	if (whole.n > 0 && whole.turns[whole.n - 1].role == ROLE_ASSISTANT)
		whole.n--;
	dialogue_append(&d->prompt, d->arena, &whole, 0, whole.n);
	return check_marks(d, reason);
}

int
read_openai(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"preferred_output", "non_preferred_output"};
	int rc = read_sides(d, keys, reason, e);
	if (rc <= 0)
		return rc;
	const json_t *input = json_object_get(d->v, "input");
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)input, key, x)
	{
		if (strcmp(key, "messages") != 0 && !is_nothing(x)) /* tools is [] in most files */
			json_object_set(d->extra, key, x);
	}
	rc = draft_prompt(d, "input", false, reason, e);
	return rc > 0 ? draft_waits(d, reason) : rc;
}
