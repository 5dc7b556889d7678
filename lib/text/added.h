#ifndef PRO_TEXT_ADDED_H
#define PRO_TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

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
	struct trie raw;        /* looked for in the text as it is */
	struct trie normalized; /* looked for in the normalised text */
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
/* Sorts by id and builds the tries; nfc: normalise what is looked for in normalised text. */
void added_index(struct added *a, bool nfc);

/*
 * Leftmost longest token at or behind `from` in text; its span (white space of lstrip and rstrip
 * included, never reaching back before from).  lit NULL: no special tokens.  NULL: none left.
 */
const struct added_token *added_next(const struct added *a, const struct trie *t, const char *text,
	size_t n, size_t from, const struct literals *lit, size_t *start, size_t *end);

#endif
