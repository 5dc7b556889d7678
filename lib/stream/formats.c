#include <math.h>
#include <string.h>

#include "lib/stream/import_impl.h"

/* A string member; ERR_DATA when it is missing. */
static int
need_string(const json_t *v, const char *key, const char **s, size_t *n, struct err *e)
{
	int rc = json_get_string(v, key, s, n, e);
	return rc == 0 ? err_set(e, ERR_DATA, "%s: missing", key) : rc;
}

static json_t *
need_list(const json_t *v, const char *key, struct err *e)
{
	json_t *list = json_object_get(v, key);
	if (!json_is_array(list)) {
		err_set(e, ERR_DATA, "%s: %s", key, list ? "not a list" : "missing");
		return NULL;
	}
	return list;
}

static bool
is_text(const json_t *v)
{
	return json_is_string(v) && !json_is_big(v);
}

/* A number or nothing (missing, null): the candidate's reward.  Better is a lower rank. */
static int
set_reward(struct candidate *c, json_t *v, const char *what, struct err *e)
{
	c->rank = INFINITY;
	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_number(v))
		return err_set(e, ERR_DATA, "%s: not a number", what);
	c->rank = -json_number_value(v);
	json_object_set(c->json, "reward", v);
	return 0;
}

static const char *
label(const struct draft *d, const char *which, struct buf *b)
{
	buf_reset(b);
	buf_printf(b, "%s:%s", import_format_name(d->im->format), which);
	return b->data;
}

static const char *const sides[] = {"chosen", "rejected"};

int
read_hh(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	struct buf source = BUF_INIT;
	int rc = 1;
	d->whole = true;
	for (int i = 0; i < 2 && rc > 0; i++) {
		const char *text;
		size_t n;
		rc = need_string(v, sides[i], &text, &n, e);
		if (rc <= 0)
			break;
		struct candidate *c = draft_add(d, label(d, sides[i], &source), "", 0);
		rc = dialogue_read_hh(
			&c->dialogue, d->arena, text, n, d->im->drop_paragraphs, reason);
		draft_use(d, sides[i]);
	}
	buf_free(&source);
	return rc;
}

/*
 * A prompt that is one string.  The text of a dialogue up to "Assistant:" becomes its turns, so
 * that any template can write them; other text stays as it is.
 */
static void
string_prompt(struct draft *d, const char *text, size_t n)
{
	struct dialogue x = {0};
	const char *why;
	const struct turn *last;
	if (dialogue_is_hh(text) && dialogue_read_hh(&x, d->arena, text, n, false, &why) > 0) {
		last = &x.turns[x.n - 1];
		if (x.n > 1 && last->role == ROLE_ASSISTANT && last->n == 0) {
			d->prompt = dialogue_prompt(&x, x.n - 1);
			return;
		}
	}
	d->prompt = json_stringn(text, n);
}

/* TRL's prompt that is the common beginning of two texts, cut before a space, as TRL cuts it. */
static int
implicit_prompt(struct draft *d, const char *const text[2], const size_t n[2], struct buf *source,
	const char **reason)
{
	size_t k = 0, least = n[0] < n[1] ? n[0] : n[1];
	while (k < least && text[0][k] == text[1][k])
		k++;
	while (k > 0 && k < least && (text[0][k] & 0xc0) == 0x80)
		k--; /* not inside a character */
	if (k > 0 && text[0][k - 1] == ' ')
		k--;
	if (k == 0) {
		*reason = "no prompt";
		return 0;
	}
	d->prompt = json_stringn(text[0], k);
	for (int i = 0; i < 2; i++)
		draft_add(d, label(d, sides[i], source), text[i] + k, n[i] - k);
	return 1;
}

/* chosen and rejected are texts: the responses, or, without a prompt, whole texts. */
static int
read_text_pair(struct draft *d, const json_t *v, const json_t *prompt, struct buf *source,
	const char **reason, struct err *e)
{
	const char *text[2];
	size_t n[2];
	for (int i = 0; i < 2; i++)
		if (need_string(v, sides[i], &text[i], &n[i], e) < 0)
			return -1;
	if (prompt == NULL)
		return dialogue_is_hh(text[0]) ? read_hh(d, v, reason, e)
					       : implicit_prompt(d, text, n, source, reason);
	for (int i = 0; i < 2; i++)
		draft_add(d, label(d, sides[i], source), text[i], n[i]);
	if (is_text(prompt)) {
		string_prompt(d, json_string_value(prompt), json_string_length(prompt));
		return 1;
	}
	struct dialogue x = {0};
	int rc = dialogue_read_messages(
		&x, d->arena, prompt, "role", "content", "prompt", reason, e);
	if (rc > 0)
		d->prompt = dialogue_prompt(&x, x.n);
	return rc;
}

/* chosen and rejected are messages: what follows the prompt, or (UltraFeedback) all of it again. */
static int
read_message_pair(struct draft *d, const json_t *v, const json_t *prompt, struct buf *source,
	const char **reason, struct err *e)
{
	struct dialogue base = {0};
	int rc = 1;
	if (prompt && is_text(prompt))
		dialogue_add(&base, d->arena, ROLE_USER, json_string_value(prompt),
			json_string_length(prompt));
	else if (prompt)
		rc = dialogue_read_messages(
			&base, d->arena, prompt, "role", "content", "prompt", reason, e);
	d->whole = true;
	for (int i = 0; i < 2 && rc > 0; i++) {
		struct candidate *c = draft_add(d, label(d, sides[i], source), "", 0);
		struct dialogue x = {0};
		rc = dialogue_read_messages(&x, d->arena, json_object_get(v, sides[i]), "role",
			"content", sides[i], reason, e);
		bool again = x.n > 0 && x.turns[0].role != ROLE_ASSISTANT;
		if (!again)
			dialogue_append(&c->dialogue, d->arena, &base);
		dialogue_append(&c->dialogue, d->arena, &x);
	}
	return rc;
}

int
read_pair(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	static const char *const scores[] = {"score_chosen", "score_rejected"};
	struct buf source = BUF_INIT;
	const json_t *prompt = json_object_get(v, "prompt"), *chosen = json_object_get(v, "chosen");
	if (json_is_null(prompt))
		prompt = NULL;
	draft_use(d, "prompt");
	int rc = is_text(chosen) ? read_text_pair(d, v, prompt, &source, reason, e)
				 : read_message_pair(d, v, prompt, &source, reason, e);
	buf_free(&source);
	for (int i = 0; i < 2 && rc > 0; i++) {
		draft_use(d, sides[i]);
		draft_use(d, scores[i]);
		if (set_reward(&d->candidates[i], json_object_get(v, scores[i]), scores[i], e) < 0)
			rc = -1;
	}
	return rc;
}

static const char prompter_tag[] = "<|prompter|>", assistant_tag[] = "<|assistant|>";

static bool
starts_with(const char *s, const char *tag)
{
	return strncmp(s, tag, strlen(tag)) == 0;
}

/* One prefix of PRO's: strings "<|prompter|>...", "<|assistant|>..."; the last, bare
 * "<|assistant|>" only says who speaks next. */
static int
read_prefix(struct dialogue *x, struct arena *a, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		if (!is_text(v))
			return err_set(e, ERR_DATA, "prefix: element %zu is not a string", i);
		const char *s = json_string_value(v);
		bool user = starts_with(s, prompter_tag);
		if (!user && !starts_with(s, assistant_tag))
			return err_set(e, ERR_DATA,
				"prefix: element %zu starts with neither %s nor %s", i,
				prompter_tag, assistant_tag);
		s += strlen(user ? prompter_tag : assistant_tag);
		if (i + 1 < n || user || *s)
			dialogue_add(x, a, user ? ROLE_USER : ROLE_ASSISTANT, s, strlen(s));
	}
	return 0;
}

int
read_pro(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	(void)reason;
	const json_t *prefix = need_list(v, "prefix", e), *suffix = need_list(v, "suffix", e);
	const json_t *reward = json_object_get(v, "reward");
	if (prefix == NULL || suffix == NULL)
		return -1;
	size_t n = json_array_size(suffix);
	bool own = json_is_array(json_array_get(prefix, 0)); /* a prefix for each response */
	if (own && json_array_size(prefix) != n)
		return err_set(e, ERR_DATA, "prefix: %zu of them for %zu responses",
			json_array_size(prefix), n);
	if (reward && (!json_is_array(reward) || json_array_size(reward) != n))
		return err_set(e, ERR_DATA, "reward: not a list of %zu", n);
	if (n == 0)
		return err_set(e, ERR_DATA, "suffix: empty");
	d->whole = true;
	for (size_t i = 0; i < n; i++) {
		const json_t *text = json_array_get(suffix, i);
		if (!is_text(text))
			return err_set(e, ERR_DATA, "suffix[%zu]: not a string", i);
		struct candidate *c = draft_add_numbered(d, "", 0);
		const json_t *list = own ? json_array_get(prefix, i) : prefix;
		if (!json_is_array(list))
			return err_set(e, ERR_DATA, "prefix[%zu]: not a list", i);
		if (read_prefix(&c->dialogue, d->arena, list, e) < 0 ||
			set_reward(c, json_array_get(reward, i), "reward", e) < 0)
			return -1;
		dialogue_add(&c->dialogue, d->arena, ROLE_ASSISTANT, json_string_value(text),
			json_string_length(text));
	}
	draft_use(d, "prefix");
	draft_use(d, "suffix");
	draft_use(d, "reward");
	return 1;
}

int
read_rrhf(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	const char *query;
	size_t n;
	(void)reason;
	if (need_string(v, "query", &query, &n, e) < 0)
		return -1;
	const json_t *list = need_list(v, "responses", e), *scores = need_list(v, "scores", e);
	if (list == NULL || scores == NULL)
		return -1;
	if (json_array_size(list) != json_array_size(scores))
		return err_set(e, ERR_DATA, "scores: %zu of them for %zu responses",
			json_array_size(scores), json_array_size(list));
	string_prompt(d, query, n);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *text = json_array_get(list, i);
		if (!is_text(text))
			return err_set(e, ERR_DATA, "responses[%zu]: not a string", i);
		struct candidate *c =
			draft_add_numbered(d, json_string_value(text), json_string_length(text));
		if (set_reward(c, json_array_get(scores, i), "scores", e) < 0)
			return -1;
	}
	draft_sort(d);
	draft_use(d, "query");
	draft_use(d, "scores");
	return 1;
}

int
read_ultrafeedback(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	static const char *const mine[] = {"response", "overall_score", NULL};
	const char *text, *model;
	size_t n;
	if (json_object_get(v, "completions") == NULL) {
		draft_use(d, "messages"); /* the chosen ones once more */
		return read_pair(d, v, reason, e);
	}
	const json_t *list = need_list(v, "completions", e);
	if (list == NULL || need_string(v, "instruction", &text, &n, e) < 0)
		return -1;
	struct dialogue x = {0};
	dialogue_add(&x, d->arena, ROLE_USER, text, n);
	d->prompt = dialogue_prompt(&x, 1);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		if (need_string(c, "response", &text, &n, e) < 0)
			return err_prefix(e, "completions[%zu]", i);
		struct candidate *k = json_get_string(c, "model", &model, NULL, NULL) == 1
					      ? draft_add(d, model, text, n)
					      : draft_add_numbered(d, text, n);
		if (set_reward(k, json_object_get(c, "overall_score"), "overall_score", e) < 0)
			return err_prefix(e, "completions[%zu]", i);
		draft_carry(k, c, mine);
	}
	draft_sort(d);
	draft_use(d, "instruction");
	draft_use(d, "completions");
	return 1;
}

static int
tldr_prompt(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	static const char *const parts[] = {"subreddit", "title", "post"};
	static const char *const before[] = {"SUBREDDIT: r/", "\nTITLE: ", "\nPOST: "};
	json_t *info = json_object_get(v, "info");
	struct buf b = BUF_INIT;
	int rc = 1;
	if (!json_is_object(info))
		return err_set(e, ERR_DATA, "info: not an object");
	if (!json_is_string(json_object_get(info, "post"))) {
		*reason = "an article, not a post";
		return 0;
	}
	info = json_copy(info);
	for (int i = 0; i < 3 && rc > 0; i++) {
		const char *s;
		rc = need_string(info, parts[i], &s, NULL, e);
		if (rc > 0)
			buf_printf(&b, "%s%s", before[i], s);
	}
	buf_puts(&b, "\nTL;DR:");
	if (rc > 0)
		d->prompt = json_stringn(b.data, b.len);
	for (int i = 0; i < 3; i++)
		json_object_del(info, parts[i]);
	json_object_set_new(d->extra, "info", info);
	buf_free(&b);
	return rc;
}

int
read_tldr(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	static const char *const mine[] = {NULL};
	struct buf source = BUF_INIT;
	const json_t *list = need_list(v, "summaries", e), *choice = json_object_get(v, "choice");
	if (list == NULL)
		return -1;
	json_int_t best = json_integer_value(choice), n = (json_int_t)json_array_size(list);
	if (!json_is_integer(choice) || best < 0 || best >= n)
		return err_set(e, ERR_DATA, "choice: not one of the %lld summaries", (long long)n);
	int rc = tldr_prompt(d, v, reason, e);
	for (json_int_t i = 0; i < n && rc > 0; i++) {
		const json_t *c = json_array_get(list, (size_t)i);
		const char *text;
		size_t len;
		rc = need_string(c, "text", &text, &len, e);
		if (rc < 0)
			err_prefix(e, "summaries[%lld]", (long long)i);
		if (rc <= 0)
			break;
		text_strip(&text, &len);
		struct candidate *k = draft_add(d, label(d, sides[i != best], &source), text, len);
		k->rank = i != best;
		draft_carry(k, c, mine);
	}
	buf_free(&source);
	if (rc <= 0)
		return rc;
	draft_sort(d);
	draft_use(d, "info");
	draft_use(d, "summaries");
	draft_use(d, "choice");
	return 1;
}

int
read_oasst(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	static const char *const mine[] = {NULL};
	struct dialogue x = {0};
	const json_t *list = need_list(v, "responses", e);
	if (list == NULL)
		return -1;
	int rc = dialogue_read_messages(
		&x, d->arena, json_object_get(v, "context"), "role", "text", "context", reason, e);
	if (rc <= 0)
		return rc;
	d->prompt = dialogue_prompt(&x, x.n);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		const char *text, *model = "oasst";
		size_t n;
		double rank;
		if (need_string(c, "text", &text, &n, e) < 0 ||
			(rc = json_get_number(c, "rank", &rank, e)) < 0)
			return err_prefix(e, "responses[%zu]", i);
		if (rc == 0)
			return err_set(e, ERR_DATA, "responses[%zu]: rank: missing", i);
		json_get_string(c, "model", &model, NULL, NULL);
		struct candidate *k = draft_add(d, model, text, n);
		k->rank = rank;
		draft_carry(k, c, mine);
	}
	draft_sort(d);
	draft_use(d, "context");
	return 1;
}

int
read_messages(struct draft *d, const json_t *v, const char **reason, struct err *e)
{
	struct dialogue x = {0};
	int rc = dialogue_read_messages(&x, d->arena, json_object_get(v, "messages"), "role",
		"content", "messages", reason, e);
	if (rc <= 0)
		return rc;
	draft_use(d, "messages");
	if (x.n > 0 && x.turns[x.n - 1].role == ROLE_ASSISTANT) {
		draft_add(d, import_format_name(d->im->format), "", 0)->dialogue = x;
		d->whole = true;
	} else {
		d->prompt = dialogue_prompt(&x, x.n);
	}
	return 1;
}
