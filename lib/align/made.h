#ifndef PRO_ALIGN_MADE_H
#define PRO_ALIGN_MADE_H

#include <stdbool.h>

#include "lib/base/err.h"

/* What may be replaced or removed: what these programs made, and nothing else. */

/*
 * ERR_CANTCREAT when dir is there and is not a model that pro-train made (it has no pro.json), or
 * holds a file that pro-train does not make, which is named.  by: the program that asks.
 */
int made_check(const char *dir, const char *by, struct err *e);
/* True for PREFIX and a number without anything behind: "part-3". */
bool made_numbered(const char *name, const char *prefix);

#endif
