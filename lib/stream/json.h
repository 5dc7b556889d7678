#ifndef PRO_STREAM_JSON_H
#define PRO_STREAM_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * JSON through jansson, with habits of our own: duplicate keys, \u0000, lone surrogates and numbers
 * beyond a double (1e400) are errors; reals are written with the fewest digits that read back to
 * the same double (0.1 stays 0.1) and stay reals (1.0 stays 1.0); integers of any size pass
 * through.
 */

/* Parses exactly one JSON value out of [s, s+n).  NULL and ERR_DATA with the column on failure,
 * and with the line where the text has several. */
json_t *json_parse(const char *s, size_t n, struct err *e);
/* The same for the files of model folders, most of which Python's json module wrote: NaN, Infinity
 * and -Infinity are values, kept as they came (json_is_big). */
json_t *json_parse_python(const char *s, size_t n, struct err *e);
/* The same for a value inside of a file: *line is the number of its first line, column (from 1)
 * where on it s begins; on failure *line is where it went wrong, and the message has the column
 * alone. */
json_t *json_parse_at(const char *s, size_t n, int64_t *line, int column, struct err *e);
/* An integer that jansson cannot keep (beyond 64 bits, or -0), and which to it is a string: ask
 * this before json_is_string. */
bool json_is_big(const json_t *v);
/* Appends compact JSON (no newline), keys in their order, UTF-8 unescaped. */
void json_write(struct buf *out, const json_t *v);
/* Appends one double in that form; never "nan" or "inf": those are written as null. */
void json_write_real(struct buf *out, double x);
/* Appends s as a JSON string with its quotes. */
void json_write_string(struct buf *out, const char *s, size_t n);
/* The same for any bytes: what is not UTF-8, and NUL, becomes U+FFFD. */
void json_write_bytes(struct buf *out, const char *s, size_t n);

/*
 * Building.  jansson makes NULL of a text that is not UTF-8 (options and paths may be such) and
 * drops a NULL member without a word; here a byte that is no UTF-8 becomes U+FFFD, in texts and in
 * keys, and a NULL value is a programmer's error.  For want of memory no call of jansson fails, see
 * base/nomem.h.
 */
json_t *json_text(const char *s);
json_t *json_textn(const char *s, size_t n);
/* o[key] = v, and v behind list: both take the reference. */
void json_put(json_t *o, const char *key, json_t *v);
void json_add(json_t *list, json_t *v);

/* Lookups that say what is wrong ("reward: not a number"); missing is 0, found is 1, wrong -1
 * (null and not finite are wrong).  n may be NULL. */
int json_get_string(const json_t *o, const char *key, const char **v, size_t *n, struct err *e);
int json_get_number(const json_t *o, const char *key, double *v, struct err *e);

#endif
