#ifndef PRO_TEXT_REGEX_H
#define PRO_TEXT_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/*
 * The expressions of tokenizer.json.  They are written for Oniguruma, which the tokenizers library
 * runs them with; so does this.  Those made of nothing but what PCRE2 means the same by
 * (regex_fast.c has the list) go to PCRE2's compiled code, which takes a fifth of the time.
 * Internal to lib/text.  A regex is read-only once compiled; its work belongs to one thread.
 */
struct regex;

/* ERR_CONFIG when it is no expression, with what Oniguruma says. */
int regex_compile(struct regex **r, const char *pattern, size_t n, struct err *e);
/* A text that stands for itself. */
struct regex *regex_literal(const char *text, size_t n);
/* Of our own, for PCRE2 alone: never fails. */
struct regex *regex_builtin(const char *pattern);
void regex_free(struct regex *r);
/* Whether it runs on PCRE2 (for the tests). */
bool regex_is_fast(const struct regex *r);
/* Gives it to Oniguruma whatever it is made of (for the tests). */
int regex_compile_slow(struct regex **r, const char *pattern, size_t n, struct err *e);

/* One walk over one text.  Zero to begin with, regex_walk_free in the end. */
struct regex_walk {
	size_t at;   /* looked for from here */
	size_t last; /* end of the last match, while any */
	bool any;
	void *md, *region; /* kept from text to text */
};
void regex_walk_start(struct regex_walk *w);
void regex_walk_free(struct regex_walk *w);

/*
 * The next match in text[0..n), UTF-8: 1 and its bounds, 0 none, -1 ERR_DATA when the search gives
 * up.  As the library walks (rust-onig, src/find.rs): a match may be empty, but not just where the
 * last one ended.
 */
int regex_next(const struct regex *r, struct regex_walk *w, const char *text, size_t n,
	size_t *start, size_t *end, struct err *e);

/* Appends pattern as PCRE2 spells it to out; false when it holds anything that the two engines
 * might read in two ways. */
struct buf;
bool regex_translate(const char *pattern, size_t n, struct buf *out);

#endif
