#ifndef PRO_BASE_VISIBLE_H
#define PRO_BASE_VISIBLE_H

#include "lib/base/mem.h"

/*
 * Appends text [n] as a terminal may have it: whatever could move the cursor, start an escape
 * sequence, turn the direction of writing or forge a line is written as its number.  That is C0,
 * DEL and bytes that are no UTF-8 as \xNN; C1 (U+0080 to U+009F), the line and paragraph separators
 * (U+2028, U+2029) and the directional marks of Unicode (Bidi_Control in its PropList.txt: U+061C,
 * U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069) as \uNNNN.
 */
void text_visible(struct buf *out, const char *text, size_t n);

/* Columns that text [n] takes on a terminal: wide characters two, combining ones none. */
int text_width(const char *text, size_t n);
/*
 * Appends text [n] in lines of at most `width` columns, broken at blanks, where it has them, with
 * two blanks before all but the first.
 */
void text_wrap(struct buf *out, const char *text, size_t n, int width);
/* The end of text [n] that takes at most `width` columns: where it begins. */
size_t text_tail(const char *text, size_t n, int width);

#endif
