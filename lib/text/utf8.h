#ifndef PRO_TEXT_UTF8_H
#define PRO_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

/* UTF-8 and Unicode, as far as tokenizers need them.  Internal to lib/text. */

/* Decodes one code point out of s[0..n), n >= 1: its length, or 0 when the bytes are not valid
 * UTF-8 (overlong forms and surrogates included). */
int utf8_decode(const char *s, size_t n, int32_t *c);
/* Appends code point c. */
void utf8_put(struct buf *b, int32_t c);
/* Length of the longest prefix that is valid UTF-8. */
size_t utf8_valid_prefix(const char *s, size_t n);
/* Unicode White_Space. */
bool utf8_is_space(int32_t c);
/* Unicode \w (UTS 18, annex C): alphabetic, marks, decimal digits, connectors, joiners. */
bool utf8_is_word(int32_t c);
/* Start of the white space that ends s[0..n); n when there is none. */
size_t utf8_trailing_space(const char *s, size_t n);
/* Length of the white space that begins s. */
size_t utf8_leading_space(const char *s, size_t n);

#endif
