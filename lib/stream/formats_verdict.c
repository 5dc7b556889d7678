/* Formats of two answers and a verdict on them.  A tie, and no verdict, are no preference. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "lib/stream/import_impl.h"

/* Where a format has its two answers, their models and their scores; NULL: it has none. */
struct two {
	const char *answer[2], *model[2], *score[2];
};

static const json_t *
member(const struct draft *d, const char *key)
{
	return key ? json_object_get(d->v, key) : NULL;
}

/* null is no verdict, as in a row that nobody judged; the member what must be there. */
static int
no_preference(const json_t *verdict, const char *what, const char **reason, struct err *e)
{
	if (verdict == NULL)
		return err_set(e, ERR_DATA, "%s: missing", what);
	*reason = json_is_null(verdict) ? "no preference" : "a tie";
	return 0;
}

/* The better of the two first; scores become rewards, and must not say the contrary. */
static int
two_answers(struct draft *d, const struct two *t, int better, const char **reason, struct err *e)
{
	static const char *const sides[] = {"chosen", "rejected"};
	for (int i = 0; i < 2; i++) {
		int k = i == 0 ? better : !better;
		const json_t *score = draft_number(d, member(d, t->score[k]));
		struct candidate *c = draft_add_side(d, sides[i], member(d, t->model[k]));
		int rc = draft_answer(d, c, member(d, t->answer[k]), t->answer[k], reason, e);
		if (rc > 0 && t->score[k])
			rc = draft_reward(d, c, score, t->score[k], reason, e);
		if (rc <= 0)
			return rc;
		draft_use(d, t->answer[k]);
		if (json_is_number(score))
			draft_use(d, t->score[k]);
		if (t->model[k] && is_text(member(d, t->model[k])))
			draft_use(d, t->model[k]);
	}
	if (t->score[0] && d->candidates[0].rank > d->candidates[1].rank) {
		*reason = "the verdict contradicts the scores";
		return 0;
	}
	return 1;
}

/* A verdict of 0 and 1, member what: which answer. */
static int
which(struct draft *d, const char *what, int *better, const char **reason, struct err *e)
{
	const json_t *v = draft_number(d, member(d, what));
	if (v == NULL || json_is_null(v))
		return no_preference(v, what, reason, e);
	double x = json_is_number(v) ? json_number_value(v) : json_is_true(v);
	if ((!json_is_number(v) && !json_is_boolean(v)) || (x != 0 && x != 1))
		return err_set(e, ERR_DATA, "%s: neither 0 nor 1", what);
	*better = (int)x;
	return 1;
}

/* stanfordnlp/SHP: labels is 1 when A is preferred; the scores are up-votes less down-votes. */
int
read_shp(struct draft *d, const char **reason, struct err *e)
{
	static const struct two two = {
		{"human_ref_B", "human_ref_A"}, {NULL, NULL}, {"score_B", "score_A"}};
	int better = 0;
	int rc = which(d, "labels", &better, reason, e);
	if (rc > 0)
		rc = draft_prompt(d, "history", false, reason, e);
	draft_use(d, "labels");
	return rc > 0 ? two_answers(d, &two, better, reason, e) : rc;
}

/* openai/webgpt_comparisons: the two scores sum to 0; both 0 is a tie. */
int
read_webgpt(struct draft *d, const char **reason, struct err *e)
{
	static const struct two two = {
		{"answer_0", "answer_1"}, {NULL, NULL}, {"score_0", "score_1"}};
	const json_t *a = draft_number(d, member(d, "score_0"));
	const json_t *b = draft_number(d, member(d, "score_1"));
	const json_t *question = member(d, "question");
	if (json_is_null(a) || json_is_null(b))
		return no_preference(json_null(), "score_0", reason, e);
	if (!json_is_number(a) || !json_is_number(b))
		return err_set(e, ERR_DATA, "score_0, score_1: not numbers");
	if (json_number_value(a) == json_number_value(b))
		return no_preference(a, "score_0", reason, e);
	const json_t *text = json_object_get(question, "full_text");
	draft_use(d, "question");
	if (json_is_object(question)) {
		json_t *rest = json_copy((json_t *)question);
		json_object_del(rest, "full_text");
		if (json_object_size(rest) > 0)
			json_put(d->extra, "question", json_incref(rest));
		json_decref(rest);
	}
	int rc = d->im->prompt_from || text == NULL
			 ? draft_prompt(d, "question", false, reason, e)
			 : draft_prompt_value(d, text, "question", false, reason, e);
	int better = json_number_value(b) > json_number_value(a);
	return rc > 0 ? two_answers(d, &two, better, reason, e) : rc;
}

/* PKU-Alignment/PKU-SafeRLHF: ids of the better and of the safer answer, which may differ. */
int
read_saferlhf(struct draft *d, const char **reason, struct err *e)
{
	static const struct two two = {{"response_0", "response_1"},
		{"response_0_source", "response_1_source"}, {NULL, NULL}};
	const char *key = d->im->reward_from                ? d->im->reward_from
			  : member(d, "better_response_id") ? "better_response_id"
							    : "safer_response_id";
	int better = 0;
	if (d->im->reward_from && member(d, key) == NULL)
		return err_set(e, ERR_DATA, "--reward-from %s: no such member", key);
	int rc = which(d, key, &better, reason, e);
	if (rc > 0)
		rc = draft_prompt(d, "prompt", false, reason, e);
	if (rc > 0)
		rc = two_answers(d, &two, better, reason, e);
	for (int i = 0; i < 2 && rc > 0; i++) { /* beside its answer, whose place has changed */
		static const char *const safe[] = {"is_response_0_safe", "is_response_1_safe"};
		json_t *x = json_object_get(d->v, safe[i == 0 ? better : !better]);
		if (x)
			json_object_set(d->candidates[i].json, "is_safe", x);
		draft_use(d, safe[i]);
	}
	return rc;
}

/* The scale of HelpSteer2's and HelpSteer3's preferences: -3, the first is much better, to 3. */
static int
strength(struct draft *d, const char *key, int *better, const char **reason, struct err *e)
{
	const json_t *v = draft_number(d, member(d, key));
	if (v == NULL || json_is_null(v))
		return no_preference(v, key, reason, e);
	if (!json_is_number(v))
		return err_set(e, ERR_DATA, "%s: not a number", key);
	if (json_number_value(v) == 0)
		return no_preference(v, key, reason, e);
	if (fabs(json_number_value(v)) > 3)
		return err_set(e, ERR_DATA, "%s: not from -3 to 3", key);
	*better = json_number_value(v) > 0;
	return 1;
}

int
read_helpsteer(struct draft *d, const char **reason, struct err *e)
{
	static const struct two second = {{"response_1", "response_2"}, {NULL, NULL}, {NULL, NULL}};
	static const struct two third = {{"response1", "response2"}, {NULL, NULL}, {NULL, NULL}};
	int better = 0, rc;
	if (member(d, "overall_preference")) {
		rc = strength(d, "overall_preference", &better, reason, e);
		if (rc > 0)
			rc = draft_prompt(d, "context", false, reason, e);
		if (rc > 0)
			rc = draft_waits(d, reason);
		return rc > 0 ? two_answers(d, &third, better, reason, e) : rc;
	}
	if (member(d, "preference_strength")) {
		rc = strength(d, "preference_strength", &better, reason, e);
		if (rc > 0)
			rc = draft_prompt(d, "prompt", false, reason, e);
		return rc > 0 ? two_answers(d, &second, better, reason, e) : rc;
	}
	rc = draft_prompt(d, "prompt", false, reason, e);
	if (rc <= 0)
		return rc;
	struct candidate *c = draft_add(d, "helpsteer");
	draft_use(d, "response");
	rc = draft_answer(d, c, member(d, "response"), "response", reason, e);
	return rc > 0 ? draft_member_reward(d, c, d->v, "helpfulness", reason, e) : rc;
}

/* The names that a verdict has for the first and the second answer. */
static int
named(const struct draft *d, const json_t *v, const char *key, int *better, const char **reason,
	struct err *e)
{
	static const char *const names[2][6] = {
		{"model_a", "response_a", "a", "A", "left", "response_A"},
		{"model_b", "response_b", "b", "B", "right", "response_B"}};
	static const char *const models[] = {"model_a", "model_b"};
	if (v == NULL || json_is_null(v) || is_tie(v))
		return no_preference(v, key, reason, e);
	if (!is_text(v))
		return err_set(e, ERR_DATA, "%s: not a name of one of the two", key);
	for (int i = 0; i < 2; i++) {
		const json_t *model = member(d, models[i]);
		bool is = json_equal(model, v) && !json_equal(member(d, models[!i]), v);
		for (int k = 0; k < 6; k++)
			is = is || strcmp(names[i][k], json_string_value(v)) == 0;
		if (is) {
			*better = i;
			return 1;
		}
	}
	return err_set(e, ERR_DATA, "%s: '%.40s' is neither of the two", key, json_string_value(v));
}

static int
arena_verdict(struct draft *d, int *better, const char **reason, struct err *e)
{
	static const char *const keys[] = {"winner", "preferred", "preference"};
	const json_t *a = member(d, "winner_model_a");
	for (int i = 0; i < 3 && a == NULL; i++)
		if (member(d, keys[i]))
			return named(d, member(d, keys[i]), keys[i], better, reason, e);
	int x = 0, y = 0, rc = which(d, "winner_model_a", &x, reason, e);
	if (rc > 0)
		rc = which(d, "winner_model_b", &y, reason, e);
	*better = y;
	return rc > 0 && x == y ? no_preference(json_true(), "", reason, e) : rc;
}

/* MT-bench's human judgments have the whole conversations beside the turn that was judged; in
 * Chatbot Arena turn is the number of turns.  Both: what is behind turn is not looked at. */
static void
cut_to_turn(struct draft *d, struct dialogue *x)
{
	json_int_t turn = json_integer_value(draft_number(d, member(d, "turn")));
	int answers = 0;
	for (int i = 0; i < x->n && turn > 0; i++) {
		answers += x->turns[i].role == ROLE_ASSISTANT;
		if (answers == turn) {
			x->n = i + 1;
			return;
		}
	}
}

/* A list of texts, or such a list as text; NULL: no list. */
static const json_t *
texts_of(struct draft *d, const json_t *v)
{
	const char *s = is_text(v) ? json_string_value(v) : "";
	if (*s != '[')
		return json_is_array(v) ? v : NULL;
	json_t *list = json_parse(s, json_string_length(v), NULL);
	if (list)
		json_add(d->owned, list);
	return json_is_array(list) ? list : NULL;
}

/* A list, or the text of one of texts and nulls, broken or not. */
static bool
looks_like_texts(const json_t *v)
{
	const char *s = is_text(v) ? json_string_value(v) : "";
	return json_is_array(v) || strncmp(s, "[\"", 2) == 0 || strncmp(s, "[null", 5) == 0 ||
	       strcmp(s, "[]") == 0;
}

/* lmsys-arena-human-preference-55k: prompt, response_a and response_b are lists of texts, as text.
 */
static int
arena_turns(struct draft *d, int better, const char **reason)
{
	static const char *const keys[] = {"response_a", "response_b"};
	static const char *const models[] = {"model_a", "model_b"};
	static const char *const sides[] = {"chosen", "rejected"};
	const json_t *prompts = texts_of(d, member(d, "prompt"));
	for (int i = 0; i < 2; i++) {
		int k = i == 0 ? better : !better;
		const json_t *answers = texts_of(d, member(d, keys[k]));
		struct candidate *c = draft_add_side(d, sides[i], member(d, models[k]));
		*reason = "a list of texts that is broken"; /* half a surrogate pair */
		if (answers == NULL || prompts == NULL)
			return 0;
		*reason = "prompts and answers differ in number";
		if (json_array_size(answers) != json_array_size(prompts))
			return 0;
		for (size_t n = 0; n < json_array_size(prompts); n++) {
			const json_t *p = json_array_get(prompts, n),
				     *r = json_array_get(answers, n);
			*reason = "a prompt or an answer that is no text";
			if (!is_text(p) || !is_text(r))
				return 0;
			dialogue_add(&c->dialogue, d->arena, ROLE_USER, json_string_value(p),
				json_string_length(p), NULL);
			dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, json_string_value(r),
				json_string_length(r), NULL);
		}
		draft_use(d, keys[k]);
		draft_use(d, models[k]);
	}
	draft_use(d, "prompt");
	d->turns = true;
	return 1;
}

int
read_arena(struct draft *d, const char **reason, struct err *e)
{
	static const struct two talks = {
		{"conversation_a", "conversation_b"}, {"model_a", "model_b"}, {NULL, NULL}};
	static const struct two answers = {
		{"response_a", "response_b"}, {"model_a", "model_b"}, {NULL, NULL}};
	int better = 0, rc = arena_verdict(d, &better, reason, e);
	bool talk = member(d, "conversation_a") != NULL;
	if (rc <= 0)
		return rc;
	if (!talk && looks_like_texts(member(d, "prompt")) &&
		looks_like_texts(member(d, "response_a")) &&
		looks_like_texts(member(d, "response_b")))
		return arena_turns(d, better, reason);
	rc = two_answers(d, talk ? &talks : &answers, better, reason, e);
	for (int i = 0; i < d->n && rc > 0 && talk; i++)
		cut_to_turn(d, &d->candidates[i].dialogue);
	return rc > 0 && !talk ? draft_find_prompt(d, reason, e) : rc;
}

/* prometheus-eval/Preference-Collection: orig_preference is A or B, orig_score_A and _B 1 to 5. */
int
read_prometheus(struct draft *d, const char **reason, struct err *e)
{
	static const struct two two = {{"orig_response_A", "orig_response_B"}, {NULL, NULL},
		{"orig_score_A", "orig_score_B"}};
	const json_t *verdict = member(d, "orig_preference");
	const json_t *a = draft_number(d, member(d, "orig_score_A"));
	const json_t *b = draft_number(d, member(d, "orig_score_B"));
	int better = 0, rc = 1;
	if (verdict)
		rc = named(d, verdict, "orig_preference", &better, reason, e);
	else if (!json_is_number(a) || !json_is_number(b))
		return err_set(e, ERR_DATA, "orig_score_A, orig_score_B: not numbers");
	else if (json_number_value(a) == json_number_value(b))
		return no_preference(a, "orig_score_A", reason, e);
	else
		better = json_number_value(b) > json_number_value(a);
	if (rc > 0)
		rc = draft_prompt(d, "orig_instruction", false, reason, e);
	for (int i = 0; i < 3; i++) { /* the judge's own task, which is no prompt of these */
		static const char *const task[][2] = {{"instruction", "source_instruction"},
			{"input", "source_input"}, {"output", "source_output"}};
		json_t *x = json_object_get(d->v, task[i][0]);
		if (x)
			json_object_set(d->extra, task[i][1], x);
		draft_use(d, task[i][0]);
	}
	return rc > 0 ? two_answers(d, &two, better, reason, e) : rc;
}

/* AlpacaFarm: preference is 1 or 2, the better output; AlpacaEval's lies between them, 1.5 is a
 * tie. */
int
read_alpacafarm(struct draft *d, const char **reason, struct err *e)
{
	static const struct two two = {
		{"output_1", "output_2"}, {"generator_1", "generator_2"}, {NULL, NULL}};
	const json_t *v = draft_number(d, member(d, "preference"));
	double x = json_number_value(v);
	if (v == NULL || json_is_null(v) || x == 1.5)
		return no_preference(v, "preference", reason, e);
	if (!json_is_number(v))
		return err_set(e, ERR_DATA, "preference: not a number");
	if (x < 1 || x > 2)
		return err_set(e, ERR_DATA, "preference: not from 1 to 2");
	int rc = two_answers(d, &two, x > 1.5, reason, e);
	return rc > 0 ? draft_find_prompt(d, reason, e) : rc;
}
