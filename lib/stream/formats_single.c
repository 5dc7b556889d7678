/* Formats of one answer, or of none: conversations, prompt and completion, prompts. */
#include <string.h>

#include "lib/stream/answers.h"
#include "lib/stream/import_impl.h"

/* label (TRL, LLaMA-Factory), kto_tag (LLaMA-Factory), is_safe (BeaverTails), and truth values in
 * names of the kind: an answer labelled bad is none to imitate, and a label that is null says
 * nothing.  Words, lists and objects that are no verdict are some other fact. */
static int
check_labels(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"label", "kto_tag", "is_safe", "desirable",
		"is_desirable", "is_good", "is_chosen", "is_preferred"};
	for (int i = 0; i < 8; i++) {
		const json_t *v = json_object_get(d->v, keys[i]);
		if (v == NULL || (i > 2 && !json_is_boolean(v)))
			continue;
		struct err why = {0};
		int rc = label_good(v, keys[i], reason, &why);
		if (rc < 0 && !json_is_number(v)) /* Infinity-Instruct's is an object */
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

static const char *const talks[] = {"messages", "conversations", "conversation"};

/* Texts by turns, the user's first: LIMA's conversations (GAIR/lima). */
static bool
read_texts(struct draft *d, const char *key)
{
	const json_t *list = json_object_get(d->v, key), *x;
	size_t i;
	json_array_foreach(list, i, x) if (!is_text(x)) return false;
	json_array_foreach(list, i, x)
		dialogue_add(&d->prompt, d->arena, i % 2 ? ROLE_ASSISTANT : ROLE_USER,
			json_string_value(x), json_string_length(x), NULL);
	draft_use(d, key);
	return json_array_size(list) > 0;
}

/* The same dialogue under another name is used up, another dialogue is none to choose from. */
static int
check_talks(struct draft *d, const char *key, const char **reason, struct err *e)
{
	struct dialogue first = d->prompt;
	for (int i = 0; i < 3; i++) {
		if (strcmp(talks[i], key) == 0 || is_nothing(json_object_get(d->v, talks[i])))
			continue;
		d->prompt = (struct dialogue){0};
		int rc = read_texts(d, talks[i]) ? 1 : draft_prompt(d, talks[i], false, reason, e);
		struct dialogue other = d->prompt;
		d->prompt = first;
		if (rc <= 0)
			return rc;
		if (other.n != first.n || !dialogue_same(&first, 0, &other, 0, first.n, true))
			return err_set(e, ERR_DATA, "%s and %s are different conversations", key,
				talks[i]);
	}
	return 1;
}

/* A prompt or an answer of its own beside the dialogue is in it, as Magpie's instruction is, or the
 * two contradict each other. */
static int
check_beside(struct draft *d, const char *key, const char **reason)
{
	static const char *const asked[] = {
		"prompt", "instruction", "question", "query", "problem"};
	static const char *const said[] = {"response", "output"};
	const json_t *talk = json_object_get(d->v, key);
	for (int i = 0; i < 5; i++)
		if (!texts_meet(talk, json_object_get(d->v, asked[i]))) {
			*reason = "the prompt is not that of the dialogue";
			return 0;
		}
	for (int i = 0; i < 2; i++)
		if (!texts_meet(talk, json_object_get(d->v, said[i]))) {
			*reason = "the response is not that of the dialogue";
			return 0;
		}
	return 1;
}

int
read_messages(struct draft *d, const char **reason, struct err *e)
{
	const char *key = talks[0], *answers = answers_member(d->v, ANSWERS_ANY);
	int rc = check_labels(d, reason, e);
	for (int i = 2; i >= 0; i--)
		if (!is_nothing(json_object_get(d->v, talks[i])))
			key = talks[i];
	if (rc > 0 && json_is_array(json_object_get(d->v, key)) &&
		json_array_size(json_object_get(d->v, key)) == 0) {
		*reason = "no prompt";
		return 0;
	}
	if (rc > 0 && !read_texts(d, key))
		rc = draft_prompt(d, key, false, reason, e);
	if (rc > 0)
		rc = check_talks(d, key, reason, e);
	if (rc > 0)
		rc = check_beside(d, key, reason);
	struct dialogue *p = &d->prompt;
	if (rc <= 0)
		return rc;
	if (p->n == 0 || p->turns[p->n - 1].role != ROLE_ASSISTANT)
		return answers == NULL ? 1
				       : err_set(e, ERR_DATA,
						 "%s has no answer at its end, and %.40s may hold "
						 "responses",
						 key, answers);
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
