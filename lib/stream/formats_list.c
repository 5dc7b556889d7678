/* Formats of one prompt and a list of responses, by scores or by ranks. */
#include <math.h>
#include <string.h>

#include "lib/stream/import_impl.h"

/* Best score first.  Two or more without any are in no order, and none is made up. */
static int
sort_scores(struct draft *d, const char **reason)
{
	bool any = d->n < 2 || d->im->filter == FILTER_NONE;
	for (int i = 0; i < d->n; i++)
		any = any || isfinite(d->candidates[i].rank);
	*reason = "no scores";
	draft_sort(d);
	return any;
}

/* By rank; two of one rank have no order, and none is made up. */
static int
sort_ranks(struct draft *d, const char **reason)
{
	draft_sort(d);
	for (int i = 1; i < d->n; i++)
		if (d->candidates[i].rank == d->candidates[i - 1].rank) {
			*reason = "a tie in the ranks";
			return 0;
		}
	return 1;
}

/* v's rank, a number or the text of one. */
static int
need_rank(struct draft *d, const json_t *v, double *rank, struct err *e)
{
	const json_t *x = json_object_get(v, "rank"), *number = draft_number(d, x);
	if (!json_is_number(number))
		return err_set(e, ERR_DATA, "rank: %s", x ? "not a number" : "missing");
	*rank = json_number_value(number);
	return 0;
}

/* Element i of a list of texts: as it is, or messages. */
static int
listed_answer(struct draft *d, struct candidate *c, const json_t *v, const char *list, size_t i,
	const char **reason, struct err *e)
{
	if (is_text(v)) {
		dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, json_string_value(v),
			json_string_length(v), NULL);
		return 1;
	}
	if (!json_is_object(v) && !json_is_array(v))
		return err_set(e, ERR_DATA, "%s[%zu]: not a string", list, i);
	int rc = draft_answer(d, c, v, list, reason, e);
	return rc < 0 ? err_prefix(e, "%s[%zu]", list, i) : rc;
}

/* Texts and scores side by side, in two lists of one length. */
static int
two_lists(struct draft *d, const char *texts, const char *scores, const json_t *models,
	const char **reason, struct err *e)
{
	const json_t *list = need_list(d, texts, e), *score = list ? need_list(d, scores, e) : NULL;
	if (score == NULL)
		return -1;
	if (json_array_size(list) != json_array_size(score))
		return err_set(e, ERR_DATA, "%s: %zu of them for %zu %s", scores,
			json_array_size(score), json_array_size(list), texts);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *text = json_array_get(list, i), *model = json_array_get(models, i);
		struct candidate *c = is_text(model) ? draft_add(d, json_string_value(model))
						     : draft_add_numbered(d);
		int rc = listed_answer(d, c, text, texts, i, reason, e);
		if (rc > 0)
			rc = draft_reward(d, c, json_array_get(score, i), scores, reason, e);
		if (rc <= 0)
			return rc;
	}
	draft_use(d, texts);
	draft_use(d, scores);
	return sort_scores(d, reason);
}

/* RRHF's query, responses and scores, also under the names that people give them elsewhere. */
int
read_rrhf(struct draft *d, const char **reason, struct err *e)
{
	const char *from = d->im->reward_from                 ? d->im->reward_from
			   : json_object_get(d->v, "rewards") ? "rewards"
							      : "scores";
	int rc = two_lists(d, "responses", from, NULL, reason, e);
	if (rc <= 0 || json_object_get(d->v, "query") == NULL)
		return rc > 0 ? draft_find_prompt(d, reason, e) : rc;
	return rc > 0 ? draft_prompt(d, "query", true, reason, e) : rc;
}

/* distilabel: generations with ratings (older: rating), models in generation_models or
 * model_names.  A text that could not be generated is null, its rating too. */
int
read_distilabel(struct draft *d, const char **reason, struct err *e)
{
	static const char *const models[] = {
		"generation_models", "model_names", "generation_model"};
	const json_t *model = NULL;
	const char *from = d->im->reward_from                 ? d->im->reward_from
			   : json_object_get(d->v, "ratings") ? "ratings"
							      : "rating";
	for (int i = 0; i < 3 && model == NULL; i++)
		model = json_object_get(d->v, models[i]);
	const json_t *list = need_list(d, "generations", e);
	if (list == NULL)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_null(json_array_get(list, i))) {
			*reason = "a response is null";
			return 0;
		}
	int rc = two_lists(d, "generations", from, model, reason, e);
	return rc > 0 ? draft_find_prompt(d, reason, e) : rc;
}

/* The numbers in a member of all completions; false when one has none. */
static bool
all_scores(const json_t *list, const char *key, double *x)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_object_get(json_array_get(list, i), key);
		if (!json_is_number(v))
			return false;
		x[i] = json_number_value(v);
	}
	return json_array_size(list) > 0;
}

/*
 * About 2000 rows of openbmb/UltraFeedback have an overall_score of 10 where the judge gave 1 (its
 * issue 8): 10 for an answer of which the mean of the aspects, fine-grained_score (1 to 5), is 2 or
 * less.  The same fault in words that need no 10: the best by the one is the worst by the other,
 * and by a point or more.
 */
static bool
overall_is_doubtful(struct draft *d, const json_t *list)
{
	size_t n = json_array_size(list), best = 0;
	double *overall = arena_calloc(d->arena, n + 1, sizeof *overall);
	double *fine = arena_calloc(d->arena, n + 1, sizeof *fine);
	bool worst = n > 1;
	if (!all_scores(list, "overall_score", overall) ||
		!all_scores(list, "fine-grained_score", fine))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (overall[i] >= 10 && fine[i] <= 2)
			return true;
		best = overall[i] > overall[best] ? i : best;
	}
	for (size_t i = 0; i < n; i++)
		worst = worst &&
			(i == best || (overall[i] < overall[best] && fine[i] >= fine[best] + 1));
	return worst;
}

static int
read_completion(
	struct draft *d, const json_t *v, const char *score, const char **reason, struct err *e)
{
	static const char *const mine[] = {"response", NULL};
	const char *text, *model;
	size_t n;
	if (json_is_null(json_object_get(v, "response"))) {
		*reason = "a response is null";
		return 0;
	}
	if (need_string(v, "response", &text, &n, e) < 0)
		return -1;
	struct candidate *c = json_get_string(v, "model", &model, NULL, NULL) == 1
				      ? draft_add(d, model)
				      : draft_add_numbered(d);
	dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, text, n, NULL);
	int rc = draft_member_reward(d, c, v, score, reason, e);
	if (rc > 0)
		draft_carry(c, v, mine);
	if (rc > 0 && d->im->reward_from == NULL)
		json_object_del(c->json, score);
	return rc;
}

int
read_ultrafeedback(struct draft *d, const char **reason, struct err *e)
{
	const char *score = "overall_score";
	if (json_object_get(d->v, "completions") == NULL)
		return read_pair(d, reason, e);
	const json_t *list = need_list(d, "completions", e);
	if (list == NULL)
		return -1;
	if (d->im->reward_from == NULL && overall_is_doubtful(d, list)) {
		score = "fine-grained_score";
		if (d->im->notes)
			d->im->notes->doubtful++;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		int rc = read_completion(d, json_array_get(list, i), score, reason, e);
		if (rc <= 0)
			return rc < 0 ? err_prefix(e, "completions[%zu]", i) : 0;
	}
	draft_use(d, "completions");
	int rc = is_nothing(json_object_get(d->v, "input"))
			 ? draft_prompt(d, "instruction", false, reason, e)
			 : draft_find_prompt(d, reason, e);
	return rc > 0 ? sort_scores(d, reason) : rc;
}

/* berkeley-nest/Nectar: answers {answer, model, rank}, 1 is the best. */
int
read_nectar(struct draft *d, const char **reason, struct err *e)
{
	static const char *const mine[] = {"answer", NULL};
	const json_t *list = need_list(d, "answers", e);
	if (list == NULL)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i), *model = json_object_get(v, "model");
		struct candidate *c = is_text(model) ? draft_add(d, json_string_value(model))
						     : draft_add_numbered(d);
		if (json_is_null(json_object_get(v, "rank"))) {
			*reason = "a rank is null";
			return 0;
		}
		if (need_rank(d, v, &c->rank, e) < 0)
			return err_prefix(e, "answers[%zu]", i);
		int rc = draft_answer(d, c, json_object_get(v, "answer"), "answer", reason, e);
		if (rc <= 0)
			return rc < 0 ? err_prefix(e, "answers[%zu]", i) : 0;
		draft_carry(c, v, mine);
	}
	draft_use(d, "answers");
	int rc = draft_prompt(d, "prompt", false, reason, e);
	return rc > 0 ? sort_ranks(d, reason) : rc;
}

/* HuggingFaceH4/stack-exchange-preferences: answers {text, pm_score, selected ...}; pm_score, made
 * of up-votes, is the reward.  lvwerra/stack-exchange-paired: response_j is better than
 * response_k. */
int
read_stackexchange(struct draft *d, const char **reason, struct err *e)
{
	static const char *const mine[] = {"text", "pm_score", NULL};
	static const char *const keys[] = {"response_j", "response_k"};
	static const char *const sides[] = {"chosen", "rejected"};
	bool ranked = json_object_get(d->v, "answers") != NULL;
	const json_t *list = ranked ? need_list(d, "answers", e) : NULL;
	int rc = ranked && list == NULL ? -1 : 1;
	for (int i = 0; i < 2 && rc > 0 && !ranked; i++) {
		rc = draft_answer(d, draft_add_side(d, sides[i], NULL),
			json_object_get(d->v, keys[i]), keys[i], reason, e);
		draft_use(d, keys[i]);
	}
	for (size_t i = 0; i < json_array_size(list) && rc > 0; i++) {
		const json_t *v = json_array_get(list, i);
		const char *score = json_object_get(v, "pm_score") ? "pm_score" : "score";
		struct candidate *c = draft_add_numbered(d);
		rc = draft_answer(d, c, json_object_get(v, "text"), "text", reason, e);
		if (rc > 0)
			rc = draft_member_reward(d, c, v, score, reason, e);
		if (rc > 0)
			draft_carry(c, v, mine);
		if (rc < 0)
			err_prefix(e, "answers[%zu]", i);
	}
	draft_use(d, "answers");
	if (rc > 0)
		rc = draft_prompt(d, "question", false, reason, e);
	return rc > 0 && ranked ? sort_scores(d, reason) : rc;
}

int
read_oasst(struct draft *d, const char **reason, struct err *e)
{
	static const char *const mine[] = {"text", NULL};
	const json_t *list = need_list(d, "responses", e), *context = need_list(d, "context", e);
	if (list == NULL || context == NULL)
		return -1;
	int rc = dialogue_read_messages(&d->prompt, d->arena, context, "context", reason, e);
	if (rc <= 0)
		return rc;
	if (d->prompt.n > 0 && d->prompt.turns[d->prompt.n - 1].role == ROLE_ASSISTANT) {
		*reason = "the prompt ends with the assistant"; /* no place for a reply */
		return 0;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		const char *text, *model = "oasst";
		size_t n;
		double rank = 0;
		if (json_is_null(json_object_get(v, "rank"))) {
			*reason = "a rank is null";
			return 0;
		}
		if (need_string(v, "text", &text, &n, e) < 0 || need_rank(d, v, &rank, e) < 0)
			return err_prefix(e, "responses[%zu]", i);
		json_get_string(v, "model", &model, NULL, NULL);
		struct candidate *c = draft_add(d, model);
		dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, text, n, NULL);
		c->rank = rank;
		draft_carry(c, v, mine);
	}
	draft_use(d, "responses");
	draft_use(d, "context");
	return sort_ranks(d, reason);
}
