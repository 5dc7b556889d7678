#ifndef PRO_TEXT_UNICODE_NEW_H
#define PRO_TEXT_UNICODE_NEW_H

#include <stdint.h>

/*
 * Characters that Hugging Face's tokenizers library does not know yet: its crates for normal forms
 * and categories carry older Unicode tables than utf8proc.  For these it does what it does for the
 * unassigned.  In order.  Internal to lib/text/unicode.c.
 */
enum unicode_unknown {
	UNKNOWN_MARK = 1,       /* not known as a mark: stays, and is not put in canonical order */
	UNKNOWN_NONSPACING = 2, /* not as a nonspacing one, to BertNormalizer */
	UNKNOWN_OTHER = 4,      /* not as a control or format character, to BertNormalizer */
	UNKNOWN_FORM = 8,       /* has no decomposition */
};

struct unicode_new {
	int32_t first, last;
	int unknown;
};

extern const struct unicode_new unicode_new[];
extern const int unicode_new_n;

#endif
