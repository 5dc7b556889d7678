#ifndef PRO_STREAM_SCAN_H
#define PRO_STREAM_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where a JSON value ends, byte by byte as the bytes come.  It knows RFC 8259's grammar of
 * brackets, commas, colons and strings, so that a value that was cut short is noticed as soon as
 * something follows that cannot; escapes, numbers and words are left to json_parse.
 */
enum { SCAN_DEPTH = 2048 }; /* jansson's JSON_PARSER_MAX_DEPTH: deeper is no value for us */

struct scan {
	size_t at; /* bytes that were read */
	int depth;
	unsigned char object[SCAN_DEPTH / 8]; /* a bit for every level: { or [ */
	char state;                           /* what may come next; see scan.c */
	bool escaped;                         /* in a string, behind a backslash */
};

void scan_init(struct scan *s);
/*
 * Goes on over p[s->at .. n).  1: the value ends before s->at; 0: all n bytes were read, and more
 * must come (a number or a word ends at what follows it); -1: p[s->at] cannot be there.
 */
int scan_more(struct scan *s, const char *p, size_t n);
/* It stands inside a string: a line end cannot come. */
bool scan_in_string(const struct scan *s);

#endif
