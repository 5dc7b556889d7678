/*
 * Where the prompt is.  Its names in the wild, beside TRL's prompt: question (Orca, WebGPT,
 * stack-exchange), instruction with input (Alpaca, LLaMA-Factory, argilla), query (RRHF), input
 * (distilabel, axolotl), problem (mathematics), conversations, conversation and messages (ShareGPT,
 * LLaMA-Factory, axolotl), history (LLaMA-Factory: earlier turns; SHP: a text), context
 * (HelpSteer3), post.  A system text stands in system or system_prompt.
 *
 * When several could be it, the one that has the others in it is; when none has, nothing is
 * guessed.
 */
#include <string.h>

#include "lib/stream/import_impl.h"
#include "lib/stream/literal.h"
#include "lib/stream/marked.h"

static const char *const texts[] = {
	"prompt", "instruction", "question", "query", "input", "problem", NULL};
static const char *const lists[] = {"conversations", "conversation", "messages", "history", NULL};
/* what is a prompt when nothing else is, and may be a part of one */
static const char *const parts[] = {"context", "post", "passage", "document", "article", NULL};

bool
is_nothing(const json_t *v)
{
	return v == NULL || json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0) ||
	       (json_is_object(v) && json_object_size(v) == 0) ||
	       (json_is_string(v) && json_string_length(v) == 0);
}

static bool
is_blank(const json_t *v)
{
	const char *s = is_text(v) ? json_string_value(v) : "x";
	size_t n = strlen(s);
	text_strip(&s, &n);
	return n == 0;
}

int
draft_system(struct draft *d, const char **reason, struct err *e)
{
	static const char *const keys[] = {"system", "system_prompt", "system_message"};
	for (int i = 0; i < 3; i++) {
		const json_t *x = json_object_get(d->v, keys[i]);
		if (x == NULL)
			continue;
		draft_use(d, keys[i]);
		if (is_nothing(x) || is_blank(x))
			continue;
		if (!is_text(x))
			return err_set(e, ERR_DATA, "%s: not a text", keys[i]);
		if (d->system && strcmp(d->system, json_string_value(x)) != 0) {
			*reason = "two system texts that differ";
			return 0;
		}
		d->system = json_string_value(x);
		d->system_n = json_string_length(x);
	}
	return 1;
}

/* The answers are texts that begin with "Assistant:", which goes without saying; false, and nothing
 * is done, when one is not. */
static bool
drop_speaker(struct draft *d)
{
	static const char name[] = "Assistant:";
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < d->n; i++) {
			const struct dialogue *x = &d->candidates[i].dialogue;
			if (x->n != 1 || x->said[0])
				return false;
			struct turn t = x->turns[0];
			text_strip(&t.text, &t.n);
			if (t.n < sizeof name - 1 || memcmp(t.text, name, sizeof name - 1) != 0)
				return false;
			t.text += sizeof name - 1;
			t.n -= sizeof name - 1;
			if (pass == 1)
				x->turns[0] = t;
		}
	return d->n > 0;
}

/* The text of a dialogue up to "Assistant:" becomes its turns, so that any template can write
 * them; an answer that it begins keeps its last white space.  False: no such text. */
static bool
hh_prompt(struct draft *d, const char *text, size_t n)
{
	struct dialogue x = {0};
	const char *why, *end = text + n;
	if (!dialogue_is_hh(text) || dialogue_read_hh(&x, d->arena, text, n, false, &why) == 0)
		return false;
	struct turn *last = &x.turns[x.n - 1];
	bool named = last->role == ROLE_USER && drop_speaker(d);
	if (!named && (x.n < 2 || last->role != ROLE_ASSISTANT))
		return false;
	if (!named && last->n == 0) {
		x.n--;
	} else if (!named) {
		const char *p = end;
		while (p > text && (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\t'))
			p--;
		struct dialogue tail = {0};
		dialogue_add(&tail, d->arena, ROLE_ASSISTANT, p, (size_t)(end - p), NULL);
		dialogue_continue(&x, d->arena, &tail, 0);
	}
	d->stripped = named || last->n == 0;
	dialogue_append(&d->prompt, d->arena, &x, 0, x.n);
	return true;
}

/*
 * HelpSteer's texts of several turns: "...\n<extra_id_1>Assistant\n...\n<extra_id_1>User\n..."
 * (the data card of nvidia/HelpSteer2).  False: no such text.
 */
static bool
steer_prompt(struct draft *d, const char *text, size_t n)
{
	static const char mark[] = "\n<extra_id_1>";
	static const char *const names[] = {"User\n", "Assistant\n"};
	const char *end = text + n, *p = text;
	enum role role = ROLE_USER;
	if (memmem(text, n, mark, sizeof mark - 1) == NULL)
		return false;
	for (;;) {
		const char *stop = memmem(p, (size_t)(end - p), mark, sizeof mark - 1);
		dialogue_add(
			&d->prompt, d->arena, role, p, (size_t)((stop ? stop : end) - p), NULL);
		if (stop == NULL)
			return true;
		p = stop + sizeof mark - 1;
		role = strncmp(p, names[0], strlen(names[0])) == 0 ? ROLE_USER : ROLE_ASSISTANT;
		size_t name = strlen(names[role]);
		if (strncmp(p, names[role], name) == 0)
			p += name;
	}
}

static int
text_prompt(struct draft *d, const json_t *v, const char *what, bool plain, const char **reason,
	struct err *e)
{
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);
	if (literal_is_messages(s, n)) {
		json_t *list = literal_parse(s, n, e);
		if (list == NULL)
			return err_prefix(e, "%s", what);
		json_add(d->owned, list);
		return draft_prompt_value(d, list, what, plain, reason, e);
	}
	if (hh_prompt(d, s, n) || steer_prompt(d, s, n))
		return 1;
	if (d->turns && marked_is(s, n)) { /* as the answers are */
		marked_read(&d->prompt, d->arena, s, n);
		const struct turn *last = &d->prompt.turns[d->prompt.n - 1];
		d->prompt.n -= last->role == ROLE_ASSISTANT && last->n == 0;
		return 1;
	}
	d->plain = plain && d->prompt.n == 0;
	dialogue_add(&d->prompt, d->arena, ROLE_USER, s, n, NULL);
	return 1;
}

int
draft_prompt_value(struct draft *d, const json_t *v, const char *what, bool plain,
	const char **reason, struct err *e)
{
	if (v == NULL)
		return err_set(e, ERR_DATA, "%s: missing", what);
	if (is_nothing(v)) {
		*reason = "no prompt";
		return 0;
	}
	if (is_text(v))
		return text_prompt(d, v, what, plain, reason, e);
	if (json_is_array(json_object_get(v, "messages")))
		v = json_object_get(v, "messages");
	if (message_is(v)) {
		json_t *list = json_array();
		json_array_append(list, (json_t *)v);
		json_add(d->owned, list);
		v = list;
	}
	if (json_is_array(v) && json_array_size(v) == 1 && is_text(json_array_get(v, 0)))
		return text_prompt(d, json_array_get(v, 0), what, plain, reason, e);
	if (!json_is_array(v))
		return err_set(e, ERR_DATA, "%s: neither a text nor messages", what);
	return dialogue_read_messages(&d->prompt, d->arena, v, what, reason, e);
}

/* Two texts of the prompt on a line each: instruction and input, as LLaMA-Factory joins them. */
static void
add_line(struct draft *d, const json_t *v)
{
	struct dialogue more = {0};
	dialogue_add(&more, d->arena, ROLE_USER, json_string_value(v), json_string_length(v), NULL);
	dialogue_append(&d->prompt, d->arena, &more, 0, 1);
}

/* --prompt-from a,b: texts on a line each, lists one behind the other. */
static int
named_prompt(struct draft *d, const char **reason, struct err *e)
{
	int rc = 1, n = 0;
	for (const char *s = d->im->prompt_from; rc > 0; n++) {
		size_t k = strcspn(s, ",");
		const char *key = arena_strndup(d->arena, s, k);
		const json_t *v = json_object_get(d->v, key);
		if (v == NULL)
			return err_set(e, ERR_DATA, "--prompt-from %s: no such member", key);
		draft_use(d, key);
		if (is_text(v) && d->prompt.n > 0 && !literal_is_messages(json_string_value(v), k))
			add_line(d, v);
		else if (n == 0 || !is_nothing(v))
			rc = draft_prompt_value(d, v, key, n == 0 && s[k] == '\0', reason, e);
		if (s[k] == '\0')
			break;
		s += k + 1;
	}
	return rc;
}

int
draft_prompt(struct draft *d, const char *key, bool plain, const char **reason, struct err *e)
{
	draft_use(d, key);
	return d->im->prompt_from
		       ? named_prompt(d, reason, e)
		       : draft_prompt_value(d, json_object_get(d->v, key), key, plain, reason, e);
}

static const char *
first_of(const json_t *v, const char *const *keys)
{
	for (; *keys; keys++)
		if (!is_nothing(json_object_get(v, *keys)))
			return *keys;
	return NULL;
}

bool
draft_has_prompt_member(const struct draft *d)
{
	const char *const *const groups[] = {texts, lists, parts};
	for (int g = 0; g < 3; g++)
		for (const char *const *k = groups[g]; *k; k++)
			if (json_object_get(d->v, *k))
				return true;
	return d->im->prompt_from != NULL;
}

/* The answers are whole dialogues: they begin with the user. */
static bool
are_whole(const struct draft *d)
{
	const struct dialogue *x = d->n > 0 ? &d->candidates[0].dialogue : &d->prompt;
	int i = 0;
	while (i < x->n && x->turns[i].role == ROLE_SYSTEM)
		i++;
	return d->n > 0 && i < x->n && x->turns[i].role == ROLE_USER;
}

/* A text of whole, which is one or holds some in lists and objects, has part in it. */
static bool
has_text(const json_t *whole, const char *part, size_t n)
{
	const char *key;
	json_t *x;
	if (n == 0)
		return true;
	if (is_text(whole))
		return memmem(json_string_value(whole), json_string_length(whole), part, n) != NULL;
	for (size_t i = 0; i < json_array_size(whole); i++)
		if (has_text(json_array_get(whole, i), part, n))
			return true;
	json_object_foreach((json_t *)whole, key, x) if (has_text(x, part, n)) return true;
	return false;
}

/* What x says, a text, texts or messages, is in whole; what is none of these says nothing. */
static bool
is_said(const json_t *whole, const json_t *x)
{
	if (is_text(x)) {
		const char *part = json_string_value(x);
		size_t n = json_string_length(x);
		text_strip(&part, &n);
		return has_text(whole, part, n);
	}
	for (size_t i = 0; i < json_array_size(x); i++) {
		const json_t *m = json_array_get(x, i);
		const json_t *text = json_object_get(m, "content");
		if (!is_said(whole, text ? text : m))
			return false;
	}
	return true;
}

bool
texts_meet(const json_t *list, const json_t *x)
{
	if (is_nothing(x) || is_said(list, x))
		return true;
	if (!is_text(x))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) { /* a template's text around it */
		const json_t *m = json_array_get(list, i), *text = json_object_get(m, "content");
		text = text ? text : json_object_get(m, "value");
		if (!is_nothing(text) && is_said(x, text))
			return true;
	}
	return false;
}

/* Another text beside the prompt must be in it, else we do not know what the prompt is. */
static int
check_others(const struct draft *d, const char *key, const char *const *keys, struct err *e)
{
	for (; *keys; keys++) {
		const json_t *x = json_object_get(d->v, *keys);
		bool joined = strcmp(key, "instruction") == 0 && strcmp(*keys, "input") == 0;
		if (strcmp(*keys, key) != 0 && !joined && !is_said(json_object_get(d->v, key), x))
			return err_set(e, ERR_DATA,
				"%s and %s could both be the prompt; say --prompt-from %s, or "
				"%s,%s for both",
				key, *keys, key, *keys, key);
	}
	return 0;
}

/* A list of turns beside the answers.  One that ends with an answer has one of ours in it (as
 * UltraFeedback's messages), or says more than the record can hold. */
static int
list_prompt(struct draft *d, const char *key, bool earlier, const char **reason, struct err *e)
{
	int rc = draft_prompt(d, key, false, reason, e);
	struct dialogue *p = &d->prompt;
	if (rc <= 0 || earlier || d->n == 0 || p->n == 0 ||
		p->turns[p->n - 1].role != ROLE_ASSISTANT)
		return rc;
	bool again = false;
	for (int i = 0; i < d->n; i++) {
		const struct dialogue *x = &d->candidates[i].dialogue;
		again = again || (x->n > 0 && dialogue_same(p, p->n - 1, x, x->n - 1, 1, true));
	}
	if (!again && !are_whole(d)) {
		*reason = "the conversation ends with an answer that is none of the responses";
		return 0;
	}
	p->n--;
	return 1;
}

static bool
contains(const struct dialogue *x, const struct dialogue *part)
{
	for (int k = 0; k + part->n <= x->n; k++)
		if (dialogue_same(part, 0, x, k, part->n, true))
			return true;
	return false;
}

/* A prompt and a list of turns: the list is the turns before it (history), or one of them has the
 * other in it. */
static int
text_and_list(
	struct draft *d, const char *text, const char *list, const char **reason, struct err *e)
{
	bool earlier = strcmp(list, "history") == 0;
	if (is_text(json_object_get(d->v, list)) &&
		!literal_is_messages(json_string_value(json_object_get(d->v, list)),
			json_string_length(json_object_get(d->v, list))))
		return check_others(d, text, lists, e) < 0 ? -1
							   : draft_prompt(d, text, true, reason, e);
	int rc = list_prompt(d, list, earlier, reason, e);
	struct dialogue turns = d->prompt, joined = {0};
	d->prompt = (struct dialogue){0};
	if (rc > 0)
		rc = draft_prompt(d, text, strcmp(text, "prompt") == 0, reason, e);
	if (rc <= 0 || (!earlier && contains(&d->prompt, &turns)))
		return rc;
	if (!earlier && !contains(&turns, &d->prompt))
		return err_set(e, ERR_DATA,
			"%s and %s could both be the prompt; say --prompt-from %s, or %s,%s for "
			"both",
			text, list, text, list, text);
	dialogue_append(&joined, d->arena, &turns, 0, turns.n);
	if (earlier)
		dialogue_append(&joined, d->arena, &d->prompt, 0, d->prompt.n);
	d->prompt = joined;
	d->plain = d->plain && turns.n == 0;
	return 1;
}

static int
find(struct draft *d, const char **reason, struct err *e)
{
	const char *text = first_of(d->v, texts), *list = first_of(d->v, lists);
	const char *part = first_of(d->v, parts);
	bool whole = are_whole(d);
	if (list && strcmp(list, "messages") == 0 && whole && text)
		list = NULL, draft_use(d, "messages"); /* UltraFeedback: chosen once more */
	if (text && !whole &&
		(check_others(d, text, texts, e) < 0 || check_others(d, text, parts, e) < 0))
		return -1;
	int rc = 1;
	if (text && list)
		rc = text_and_list(d, text, list, reason, e);
	else if (text)
		rc = draft_prompt(d, text, strcmp(text, "prompt") == 0, reason, e);
	else if (list)
		rc = list_prompt(d, list, false, reason, e);
	else if (part && !whole)
		rc = check_others(d, part, parts, e) < 0 ? -1
							 : draft_prompt(d, part, false, reason, e);
	const json_t *input = json_object_get(d->v, "input");
	if (rc > 0 && text && strcmp(text, "instruction") == 0 && !is_nothing(input)) {
		if (!is_text(input))
			return err_set(e, ERR_DATA, "input: not a text");
		add_line(d, input);
	}
	if (text && strcmp(text, "instruction") == 0)
		draft_use(d, "input");
	return rc;
}

int
draft_find_prompt(struct draft *d, const char **reason, struct err *e)
{
	return d->im->prompt_from ? named_prompt(d, reason, e) : find(d, reason, e);
}
