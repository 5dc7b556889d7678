#include "lib/stream/answers.h"

#include <ctype.h>
#include <string.h>

/* Data sets of the hub: the names of answers there, of sides first. */
static const char *const sides[] = {"chosen", "reject", "rejected", "completion", "completions",
	"response", "responses", "resp", "candidate", "candidates", NULL};
static const char *const others[] = {"answer", "answers", "output", "outputs", "generation",
	"generations", "generated", "reply", "replies", "sample", "samples", "target", "targets",
	"prediction", "predictions", "winner", "loser", "win", "lose", "won", "lost", "preferred",
	"dispreferred", "unpreferred", "accepted", "declined", "good", "bad", "better", "worse",
	"best", "worst", "positive", "negative", "pos", "neg", "summary", "summaries", "assistant",
	"gpt", "chatgpt", "bot", NULL};
/* a name that ends so is of a fact about answers */
static const char *const facts[] = {"id", "ids", "type", "types", "format", "model", "models",
	"source", "category", "length", "len", "tokens", "prompt", "prompts", "name", "lang",
	"language", "url", "hash", "sha256", "date", "time", "count", "key", "criteria",
	"instruction", "instructions", "template", NULL};

static bool
is_one(const char *word, size_t n, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == n && memcmp(*list, word, n) == 0)
			return true;
	return false;
}

/* The words of a name: of letters, in lower case; "posResp" has two. */
static bool
speaks(const char *name, enum answers which)
{
	char word[32];
	bool any = false, fact = false;
	if (which == ANSWERS_ANY && strcmp(name, "text") == 0)
		return true; /* alone: in longer names it is no more than a kind */
	for (const char *s = name; *s;) {
		size_t n = 0;
		for (; *s && !isalpha((unsigned char)*s); s++)
			;
		while (isalpha((unsigned char)*s) && n < sizeof word &&
			(n == 0 || !isupper((unsigned char)*s) || isupper((unsigned char)s[-1])))
			word[n++] = (char)tolower((unsigned char)*s++);
		for (; n == sizeof word && isalpha((unsigned char)*s); s++)
			;
		if (n == 0)
			break;
		fact = is_one(word, n, facts);
		any = any || is_one(word, n, sides) ||
		      (which == ANSWERS_ANY && is_one(word, n, others));
	}
	return any && !fact;
}

static bool
holds_something(const json_t *x)
{
	if (json_is_string(x))
		return !json_is_big(x) && json_string_length(x) > 0;
	return json_array_size(x) > 0 || json_object_size(x) > 0;
}

const char *
answers_member(const json_t *v, enum answers which)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)v, key, x)
	{
		if (holds_something(x) && speaks(key, which))
			return key;
	}
	return NULL;
}
