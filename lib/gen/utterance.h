#ifndef PRO_GEN_UTTERANCE_H
#define PRO_GEN_UTTERANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/mem.h"

/*
 * A response's text while it is generated: bytes come token by token, a character may span tokens,
 * a stop string too.
 */
struct stop_list {
	const char **v; /* [n], borrowed, none empty */
	int n;
	size_t longest;
};

/* Where in text[n] the first stop begins, given that text[0, checked) was searched before and held
 * none; -1 when there is none.  Of stops beginning at several places the first counts. */
ptrdiff_t stop_find(const struct stop_list *s, const char *text, size_t n, size_t checked);

/*
 * Bytes as UTF-8 text: ill-formed sequences become U+FFFD (one for each maximal part, as Unicode
 * 15 section 3.9 recommends), and so does NUL, which a record cannot hold.  A sequence that breaks
 * off at the end is left out when cut_tail (the response was cut there) and U+FFFD otherwise.
 * Appends to out.
 */
void utf8_repair(struct buf *out, const char *text, size_t n, bool cut_tail);

/* Leaves out ASCII white space at both ends: *text and *n are moved. */
void strip_space(const char **text, size_t *n);

#endif
