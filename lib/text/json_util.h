#ifndef PRO_TEXT_JSON_UTIL_H
#define PRO_TEXT_JSON_UTIL_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/text/regex.h"

/* Members of tokenizer.json that its parts have in common.  Internal to lib/text. */

/* The member "type", "(no type)" when there is none. */
const char *text_type(const json_t *v);
/* true or false; def when it is absent or null. */
int text_flag(const json_t *v, const char *key, bool def, bool *out, struct err *e);
/* {"Regex": ...} or {"String": ...}, compiled. */
int text_pattern(const json_t *v, struct regex **re, struct err *e);
/* JSON text to value, duplicate keys refused; ERR_DATA with where. */
json_t *text_json(const char *text, size_t n, struct err *e);

#endif
