#ifndef PRO_TEXT_ADDED_H
#define PRO_TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/text/normal.h"

/*
 * Added tokens: texts that are one token wherever they stand (the special ones in literals only).
 * Internal to lib/text.
 */
struct added_token {
	char *s;
	size_t n;
	int32_t id;
	bool special, normalized, lstrip, rstrip, single_word;
};

/* A trie over bytes; node 0 is the root. */
struct trie {
	struct trie_node *node;
	int32_t n, cap;
};

struct added {
	struct added_token *v;
	int32_t n, cap;
	struct trie raw;         /* looked for in the text as it is */
	struct trie normalized;  /* looked for in the normalised text */
	bool normalized_special; /* some of these are special */
};

/* Byte ranges of a text that come from a template, in order. */
struct literals {
	size_t (*v)[2];
	size_t n, cap;
};

void added_free(struct added *a);
/* Takes a copy of s.  A content that is there already gets the new flags and id. */
void added_put(struct added *a, const struct added_token *t);
const struct added_token *added_find(const struct added *a, const char *s, size_t n);
const struct added_token *added_by_id(const struct added *a, int32_t id);
/* Sorts by id and builds the tries; normal (may be NULL) is what becomes of the tokens that are
 * looked for in normalised text.  ERR_DATA as normal_run. */
int added_index(struct added *a, const struct normal *normal, struct err *e);

/* Where a search has come to; zero to begin with. */
struct added_cursor {
	size_t search; /* tokens are looked for from here */
	size_t done;   /* text up to here belongs to what was found */
};

/*
 * The next leftmost longest token of text: NULL when there is none.  [*start, *end) is its span
 * with the white space of lstrip and rstrip, and the text between the cursor's old done and *start
 * (none when that is not positive) comes before it.  As in the tokenizers library, a token that
 * lies in white space stripped by the one before it counts too, unless it strips to its left and
 * nothing is left of it.  lit NULL: no special tokens.
 */
const struct added_token *added_next(const struct added *a, const struct trie *t, const char *text,
	size_t n, struct added_cursor *c, const struct literals *lit, size_t *start, size_t *end);

#endif
