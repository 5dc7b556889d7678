#ifndef PRO_TEXT_JINJA_CASE_TABLE_H
#define PRO_TEXT_JINJA_CASE_TABLE_H

#include <stdint.h>

/* What Python's str knows of characters and utf8proc does not; each ends in a row of zeros. */
struct jr_special { /* other cases of several characters, filled up with zeros */
	int32_t c, upper[3], title[3];
};
struct jr_range {
	int32_t first, last;
};
extern const struct jr_special jr_specials[];
extern const struct jr_range jr_digits[];   /* isdigit, not isdecimal */
extern const struct jr_range jr_numerics[]; /* isnumeric, not of the categories Nd, Nl, No */
extern const struct jr_range jr_lowers[];   /* islower, not Ll */
extern const struct jr_range jr_uppers[];   /* isupper, not Lu */

#endif
