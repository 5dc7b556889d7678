#ifndef PRO_STREAM_JSON_H
#define PRO_STREAM_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * JSON through jansson, with two habits of our own: duplicate keys are errors, and numbers are
 * written with the fewest digits that read back to the same double (0.1 stays 0.1).
 */

/* Parses exactly one JSON value out of [s, s+n).  ERR_DATA with the column on failure. */
json_t *json_parse(const char *s, size_t n, struct err *e);
/* Appends compact JSON (no newline), keys in their order, UTF-8 unescaped. */
void json_write(struct buf *out, const json_t *v);
/* Appends one double in that form; never "nan" or "inf": those are written as null. */
void json_write_real(struct buf *out, double x);
/* Appends s as a JSON string with its quotes. */
void json_write_string(struct buf *out, const char *s, size_t n);

/* Lookups that say what is wrong ("reward: not a number"); missing is 0, found is 1, wrong -1. */
int json_get_string(const json_t *o, const char *key, const char **v, size_t *n, struct err *e);
int json_get_number(const json_t *o, const char *key, double *v, struct err *e);

#endif
