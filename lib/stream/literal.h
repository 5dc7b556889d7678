#ifndef PRO_STREAM_LITERAL_H
#define PRO_STREAM_LITERAL_H

#include "lib/stream/json.h"

/*
 * Lists that came as text: a table of text columns (CSV, some Parquet) holds the messages of a
 * dialogue as one string, in JSON's spelling or in that of Python's repr: single quotes, None,
 * True, False, tuples, and, as numpy prints an array, no comma between objects.
 */

/* True when s, n bytes, begins like a list of messages, or like one message: [{"role": ... or
 * {'from': ... .  Any other text, JSON or not, is a text. */
bool literal_is_messages(const char *s, size_t n);
/* The value, the caller's.  NULL and ERR_DATA with the reason when it is in neither spelling. */
json_t *literal_parse(const char *s, size_t n, struct err *e);

#endif
