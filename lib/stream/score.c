/* Scores and labels that come with the data: where they stand, on which scale. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/stream/import_impl.h"
#include "lib/stream/literal.h"

int
import_parse_scale(struct importer *im, const char *spec, struct err *e)
{
	char *end;
	double low = strtod(spec, &end), high = low;
	bool range = end > spec && *end == ':', good = end > spec;
	if (range) {
		const char *second = end + 1;
		high = strtod(second, &end);
		good = end > second;
	}
	if (!good || *end != '\0' || !isfinite(low) || !isfinite(high) ||
		(range ? low >= high : low <= 0))
		return err_set(e, ERR_USAGE,
			"--reward-scale %s: neither MIN:MAX nor a positive factor", spec);
	im->scaled = true;
	im->scale_low = range ? low : -INFINITY;
	im->scale_high = range ? high : INFINITY;
	im->scale_by = range ? high - low : low;
	return 0;
}

const json_t *
json_at(const json_t *v, const char *path)
{
	const json_t *whole = json_object_get(v, path);
	if (whole)
		return whole; /* a name may hold a dot */
	for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
		char name[80];
		if ((size_t)(dot - path) >= sizeof name)
			return NULL;
		memcpy(name, path, (size_t)(dot - path));
		name[dot - path] = '\0';
		v = json_object_get(v, name);
	}
	return json_object_get(v, path);
}

static void
note(struct import_notes *notes, double x)
{
	if (notes == NULL)
		return;
	notes->low = notes->rewards == 0 || x < notes->low ? x : notes->low;
	notes->high = notes->rewards == 0 || x > notes->high ? x : notes->high;
	notes->rewards++;
}

int
draft_reward(struct draft *d, struct candidate *c, const json_t *v, const char *what,
	const char **reason, struct err *e)
{
	const struct importer *im = d->im;
	c->rank = INFINITY;
	if (v == NULL || json_is_null(v))
		return 1;
	v = draft_number(d, v);
	if (!json_is_number(v))
		return err_set(e, ERR_DATA, "%s: not a number", what);
	double x = json_number_value(v);
	c->rank = -x;
	note(im->notes, x);
	if (!im->scaled) {
		json_object_set(c->json, "reward", (json_t *)v);
		return 1;
	}
	if (x < im->scale_low || x > im->scale_high) {
		*reason = "a score outside --reward-scale";
		return 0;
	}
	x = isfinite(im->scale_low) ? (x - im->scale_low) / im->scale_by : x * im->scale_by;
	if (!isfinite(x)) {
		*reason = "a score outside --reward-scale";
		return 0;
	}
	json_put(c->json, "reward", json_real(x));
	return 1;
}

const json_t *
draft_number(struct draft *d, const json_t *v)
{
	char *end;
	if (!is_text(v))
		return v;
	const char *s = json_string_value(v);
	double x = strtod(s, &end);
	if (end == s || *end != '\0' || !isfinite(x))
		return NULL;
	json_t *number =
		x == floor(x) && fabs(x) < 1e15 ? json_integer((json_int_t)x) : json_real(x);
	json_add(d->owned, number);
	return number;
}

int
draft_member_reward(struct draft *d, struct candidate *c, const json_t *v, const char *key,
	const char **reason, struct err *e)
{
	const char *from = d->im->reward_from;
	const json_t *x = json_at(v, from ? from : key);
	if (from == NULL)
		return draft_reward(d, c, x, key, reason, e);
	if (x == NULL)
		return err_set(e, ERR_DATA, "--reward-from %s: no such member", from);
	return draft_reward(d, c, draft_number(d, x), from, reason, e);
}

static const char *const sides[] = {"chosen", "rejected"};

/* The score of one side under name, in one of four spellings: score_chosen, score-chosen,
 * chosen_score, chosen-score. */
static const json_t *
side_member(const struct draft *d, const char *name, int form, int side, char key[128])
{
	const char *first = form < 2 ? name : sides[side], *second = form < 2 ? sides[side] : name;
	int n = snprintf(key, 128, "%s%c%s", first, form % 2 ? '-' : '_', second);
	return n < 128 ? json_object_get(d->v, key) : NULL;
}

static bool
find_pair(const struct draft *d, const char *name, const json_t *found[2], char keys[2][128])
{
	for (int form = 0; form < 4; form++) {
		for (int i = 0; i < 2; i++)
			found[i] = side_member(d, name, form, i, keys[i]);
		if (found[0] || found[1])
			return true;
	}
	return false;
}

/*
 * Names in use: score (HuggingFaceH4, argilla's chosen_score), rating (argilla's chosen-rating,
 * rating_chosen, chosen_rating), avg_rating (argilla/ultrafeedback-binarized-preferences), reward,
 * rm_score.
 */
int
draft_pair_rewards(struct draft *d, const char **reason, struct err *e)
{
	static const char *const names[] = {"score", "rating", "avg_rating", "reward", "rm_score"};
	const char *from = d->im->reward_from, *only[] = {from};
	const json_t *best[2] = {NULL, NULL}, *found[2];
	char keys[2][128], key[2][128] = {"", ""};
	int n = from ? 1 : (int)(sizeof names / sizeof *names);
	for (int k = 0; k < n; k++) {
		if (!find_pair(d, from ? only[k] : names[k], found, keys))
			continue;
		if (best[0] && (!json_equal(best[0], found[0]) || !json_equal(best[1], found[1])))
			return err_set(e, ERR_DATA,
				"%s and %s could both be the score; say --reward-from", key[0],
				keys[0]);
		memcpy(best, found, sizeof best);
		memcpy(key, keys, sizeof key);
	}
	for (int i = 0; from && i < 2 && best[0] == NULL; i++)
		found[i] = json_at(json_object_get(d->v, sides[i]), from);
	if (from && best[0] == NULL && best[1] == NULL && found[0] && found[1])
		memcpy(best, found, sizeof best); /* a member of each side */
	if (from && best[0] == NULL && best[1] == NULL)
		return err_set(e, ERR_DATA, "--reward-from %s: no member %s_chosen or chosen_%s",
			from, from, from);
	for (int i = 0; i < 2; i++) {
		if (*key[i] && (best[i] == NULL || json_is_null(best[i]) ||
				       json_is_number(draft_number(d, best[i]))))
			draft_use(d, key[i]);
		int rc = draft_reward(
			d, &d->candidates[i], draft_number(d, best[i]), key[i], reason, e);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

bool
is_text(const json_t *v)
{
	return json_is_string(v) && !json_is_big(v);
}

bool
is_tie(const json_t *x)
{
	static const char *const names[] = {"tie", "both", "bothbad", "neither", "equal", "same",
		"draw", "none", "no_preference", "no preference"};
	if (!is_text(x))
		return false;
	const char *s = json_string_value(x);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t n = strlen(names[i]);
		if (strncasecmp(s, names[i], n) == 0 && (s[n] == '\0' || strchr(" _(-", s[n])))
			return true;
	}
	return false;
}

int
label_good(const json_t *v, const char *what, const char **reason, struct err *e)
{
	static const char *const good[] = {"true", "1", "good", "desirable", "yes", "chosen"};
	static const char *const bad[] = {"false", "0", "bad", "undesirable", "no", "rejected"};
	double x = json_is_number(v) ? json_number_value(v) : json_is_true(v) ? 1 : -1;
	if (json_is_false(v))
		x = 0;
	for (size_t i = 0; is_text(v) && i < sizeof good / sizeof *good; i++) {
		if (strcasecmp(json_string_value(v), good[i]) == 0)
			x = 1;
		if (strcasecmp(json_string_value(v), bad[i]) == 0)
			x = 0;
	}
	if (x == 1)
		return 1;
	*reason = json_is_null(v) ? "no label" : "the answer is labelled bad";
	if (json_is_null(v) || x == 0)
		return 0;
	return err_set(e, ERR_DATA, "%s: neither true nor false", what);
}

const json_t *
need_list(struct draft *d, const char *key, struct err *e)
{
	const json_t *list = json_object_get(d->v, key);
	if (json_is_array(list))
		return list;
	if (!is_text(list) || *json_string_value(list) != '[') {
		err_set(e, ERR_DATA, "%s: %s", key, list ? "not a list" : "missing");
		return NULL;
	}
	json_t *x = literal_parse(json_string_value(list), json_string_length(list), e);
	if (x == NULL)
		err_prefix(e, "%s", key);
	else
		json_array_append_new(d->owned, x);
	return x;
}

int
need_string(const json_t *v, const char *key, const char **s, size_t *n, struct err *e)
{
	int rc = json_get_string(v, key, s, n, e);
	return rc == 0 ? err_set(e, ERR_DATA, "%s: missing", key) : rc;
}
