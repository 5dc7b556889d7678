#ifndef PRO_STREAM_RECORD_H
#define PRO_STREAM_RECORD_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/stream/json.h"

/*
 * The ranking record, pro-records(5): one prompt and n responses, best first.
 *
 * root (jansson) is the truth; the other members are a view of it, made by record_parse and again
 * by record_refresh after root was changed.  Unknown fields live in root and so pass through.
 */
enum role { ROLE_USER, ROLE_ASSISTANT, ROLE_SYSTEM };
const char *role_name(enum role role); /* "user" ... */

struct turn {
	enum role role;
	const char *text; /* UTF-8, no NUL inside (\u0000 is refused), NUL-terminated */
	size_t n;
	json_t *json; /* borrowed: the turn with its other members; NULL: it has none */
};

struct response {
	const char *text;
	size_t n;
	const char *source; /* "" when absent */
	bool ended;         /* false when finish_reason is "length": encoded without eos */
	json_t *json;       /* borrowed */
};

struct record {
	json_t *root;
	const char *id; /* "" when absent */
	bool raw;       /* the prompt was a string: turns[0] is it, as user */
	int n_turns;
	struct turn *turns;
	int n_responses;
	struct response *responses;
};

/* Checks and takes one line.  ERR_DATA names the member ("responses[2].text: not a string").
 * A record is zero-initialised before its first use and freed by record_free.  A record without
 * "responses" gets an empty list, unless it has answers elsewhere (lib/stream/answers.h): those of
 * another format would be lost in silence. */
int record_parse(struct record *r, const char *line, size_t n, struct err *e);
/* Takes ownership of root (also when it fails). */
int record_take(struct record *r, json_t *root, struct err *e);
int record_refresh(struct record *r, struct err *e);
void record_free(struct record *r);
/* Appends the record and a newline. */
void record_write(const struct record *r, struct buf *out);

/* The number in field of response i: 1 found, 0 absent or null, -1 not a finite number. */
int response_number(const struct response *p, const char *field, double *v, struct err *e);

/* Hash of the prompt (roles and texts; a string is one user turn), well mixed in all bits: for
 * --split, so that equal prompts fall together. */
uint64_t record_prompt_hash(const struct record *r);

/* Puts the responses in the order perm [m] (different indices into the old ones; m < n drops the
 * rest). */
int record_permute(struct record *r, const int *perm, int m, struct err *e);

#endif
