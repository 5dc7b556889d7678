#ifndef PRO_TEXT_UNICODE_H
#define PRO_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

/*
 * Unicode's normal forms and properties, over utf8proc, as the tokenizers library's normalisers use
 * them: characters that its older tables do not know are as good as unassigned (unicode_new.h).
 * Bytes that are not UTF-8 pass as they are.  All are O(n).  Internal to lib/text.
 */
enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };

/* Appends the normal form of s to out. */
void unicode_normalize(const char *s, size_t n, enum unicode_form form, struct buf *out);
/* Appends s, every character in lower case by itself (no final sigma). */
void unicode_lower(const char *s, size_t n, struct buf *out);
/* General category M; Mn alone. */
bool unicode_is_mark(int32_t c);
bool unicode_is_nonspacing(int32_t c);
/* General categories Cc, Cf, Co, Cs (not the unassigned). */
bool unicode_is_other(int32_t c);
/* Length of the extended grapheme cluster that begins s[0..n), valid UTF-8, n >= 1. */
size_t unicode_grapheme(const char *s, size_t n);

#endif
