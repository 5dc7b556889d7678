/* The processed data of PRO's authors, and the comparisons of summarize-from-feedback. */
#include <string.h>

#include "lib/stream/import_impl.h"

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
			dialogue_add(x, a, user ? ROLE_USER : ROLE_ASSISTANT, s, strlen(s), NULL);
	}
	return 0;
}

/* The answer, behind what of it stands in the prefix already. */
static void
add_suffix(struct draft *d, struct dialogue *x, const json_t *text)
{
	struct dialogue answer = {0};
	dialogue_add(&answer, d->arena, ROLE_ASSISTANT, json_string_value(text),
		json_string_length(text), NULL);
	if (x->n > 0 && x->turns[x->n - 1].role == ROLE_ASSISTANT)
		dialogue_continue(x, d->arena, &answer, 0);
	else
		dialogue_append(x, d->arena, &answer, 0, 1);
}

int
read_pro(struct draft *d, const char **reason, struct err *e)
{
	const json_t *prefix = need_list(d, "prefix", e), *suffix = need_list(d, "suffix", e);
	const json_t *reward = json_object_get(d->v, "reward");
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
	d->loose = d->turns = true;
	for (size_t i = 0; i < n; i++) {
		const json_t *text = json_array_get(suffix, i);
		if (!is_text(text))
			return err_set(e, ERR_DATA, "suffix[%zu]: not a string", i);
		struct candidate *c = draft_add_numbered(d);
		const json_t *list = own ? json_array_get(prefix, i) : prefix;
		if (!json_is_array(list))
			return err_set(e, ERR_DATA, "prefix[%zu]: not a list", i);
		if (read_prefix(&c->dialogue, d->arena, list, e) < 0)
			return -1;
		int rc = draft_reward(d, c, json_array_get(reward, i), "reward", reason, e);
		if (rc <= 0)
			return rc;
		add_suffix(d, &c->dialogue, text);
	}
	draft_use(d, "prefix");
	draft_use(d, "suffix");
	draft_use(d, "reward");
	return 1;
}

static int
tldr_prompt(struct draft *d, const char **reason, struct err *e)
{
	static const char *const parts[] = {"subreddit", "title", "post"};
	static const char *const before[] = {"SUBREDDIT: r/", "\nTITLE: ", "\nPOST: "};
	json_t *info = json_object_get(d->v, "info");
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
	d->plain = true;
	if (rc > 0)
		dialogue_add(&d->prompt, d->arena, ROLE_USER,
			arena_strndup(d->arena, b.data, b.len), b.len, NULL);
	for (int i = 0; i < 3; i++)
		json_object_del(info, parts[i]);
	if (json_object_size(info) > 0)
		json_object_set(d->extra, "info", info);
	json_decref(info);
	buf_free(&b);
	return rc;
}

int
read_tldr(struct draft *d, const char **reason, struct err *e)
{
	static const char *const mine[] = {"text", NULL};
	static const char *const sides[] = {"chosen", "rejected"};
	const json_t *list = need_list(d, "summaries", e),
		     *choice = draft_number(d, json_object_get(d->v, "choice"));
	if (list == NULL)
		return -1;
	if (json_is_null(choice)) {
		*reason = "no preference";
		return 0;
	}
	json_int_t best = json_integer_value(choice), n = (json_int_t)json_array_size(list);
	if (!json_is_integer(choice) || best < 0 || best >= n)
		return err_set(e, ERR_DATA, "choice: not one of the %lld summaries", (long long)n);
	if (n > 2) {
		*reason = "several responses on one side, without an order";
		return 0;
	}
	int rc = tldr_prompt(d, reason, e);
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
		struct candidate *k = draft_add_side(d, sides[i != best], NULL);
		dialogue_add(&k->dialogue, d->arena, ROLE_ASSISTANT, text, len, NULL);
		k->rank = i != best;
		draft_carry(k, c, mine);
	}
	if (rc <= 0)
		return rc;
	draft_sort(d);
	draft_use(d, "info");
	draft_use(d, "summaries");
	draft_use(d, "choice");
	return 1;
}
