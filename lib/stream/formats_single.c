/* Formats of one answer, or of none: conversations, prompt and completion, prompts. */
#include <string.h>

#include "lib/stream/import_impl.h"

/* label (TRL, LLaMA-Factory), kto_tag (LLaMA-Factory), is_safe (BeaverTails): an answer labelled
 * bad is none to imitate, and a label that is null says nothing.  A label in words that are no
 * verdict is some other fact. */
static int
check_labels(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"label", "kto_tag", "is_safe"};
	for (int i = 0; i < 3; i++) {
		const json_t *v = json_object_get(d->v, keys[i]);
		if (v == NULL)
			continue;
		struct err why = {0};
		int rc = label_good(v, keys[i], reason, &why);
		if (rc < 0 && is_text(v))
			continue;
		if (rc < 0)
			*e = why;
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* Scores of a single answer: reward, score or rating, when it is a number; or --reward-from. */
static int
single_reward(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"reward", "score", "rating"};
	const json_t *found = NULL;
	const char *key = NULL;
	if (d->im->reward_from)
		return draft_member_reward(d, &d->candidates[0], d->v, "", reason, e);
	for (int i = 0; i < 3 && found == NULL; i++) {
		found = json_object_get(d->v, keys[i]);
		found = json_is_number(found) ? found : NULL;
		key = keys[i];
	}
	if (found == NULL)
		return 1;
	draft_use(d, key);
	return draft_reward(d, &d->candidates[0], found, key, reason, e);
}

int
read_messages(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"messages", "conversations", "conversation"};
	const char *key = keys[0];
	int rc = check_labels(d, reason, e);
	for (int i = 2; i >= 0; i--)
		if (!is_nothing(json_object_get(d->v, keys[i])))
			key = keys[i];
	if (rc > 0 && json_is_array(json_object_get(d->v, key)) &&
		json_array_size(json_object_get(d->v, key)) == 0) {
		*reason = "no prompt";
		return 0;
	}
	if (rc > 0)
		rc = draft_prompt(d, key, false, reason, e);
	struct dialogue *p = &d->prompt;
	if (rc <= 0 || p->n == 0 || p->turns[p->n - 1].role != ROLE_ASSISTANT)
		return rc;
	struct candidate *c = draft_add(d, import_format_name(d->im->format));
	dialogue_append(&c->dialogue, d->arena, p, p->n - 1, p->n);
	p->n--;
	return single_reward(d, reason, e);
}

/* A prompt under any name and one answer under any name, with or without a label. */
int
read_single(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"completion", "response", "output", "answer"};
	const char *key = NULL;
	int rc = check_labels(d, reason, e);
	for (int i = 0; i < 4; i++) {
		const json_t *v = json_object_get(d->v, keys[i]);
		if (v && key && !json_equal(v, json_object_get(d->v, key)))
			return err_set(
				e, ERR_DATA, "%s and %s could both be the response", key, keys[i]);
		key = v && key == NULL ? keys[i] : key;
	}
	if (rc <= 0)
		return rc;
	if (key == NULL)
		return err_set(e, ERR_DATA, "completion, response, output, answer: missing");
	draft_use(d, key);
	struct candidate *c = draft_add(d, import_format_name(d->im->format));
	rc = draft_answer(d, c, json_object_get(d->v, key), key, reason, e);
	if (rc > 0)
		rc = draft_find_prompt(d, reason, e);
	return rc > 0 ? single_reward(d, reason, e) : rc;
}

/* Alpaca's instruction, input and output; an output that is a list is LLaMA-Factory's ranking,
 * best first. */
int
read_alpaca(struct draft *d, const char **reason, struct err *e)
{
	const json_t *list = json_object_get(d->v, "output");
	int rc = 1;
	if (!json_is_array(list) || !is_text(json_array_get(list, 0)))
		return read_single(d, reason, e);
	for (size_t i = 0; i < json_array_size(list) && rc > 0; i++)
		rc = draft_answer(
			d, draft_add_numbered(d), json_array_get(list, i), "output", reason, e);
	draft_use(d, "output");
	return rc > 0 ? draft_find_prompt(d, reason, e) : rc;
}

int
read_prompts(struct draft *d, const char **reason, struct err *e)
{
	if (d->im->prompt_from == NULL && json_object_get(d->v, "prompt") == NULL)
		return err_set(e, ERR_DATA, "prompt: missing");
	int rc = draft_find_prompt(d, reason, e);
	if (rc > 0 && d->prompt.n == 0) {
		*reason = "no prompt";
		return 0;
	}
	return rc;
}
