#ifndef PRO_GEN_RERANK_H
#define PRO_GEN_RERANK_H

#include "lib/stream/record.h"

/*
 * Puts the responses of a record in order of a reward, best first; responses of equal reward keep
 * their order.
 *
 * keep_top: the regularised ranking of Algorithm 1 (footnote 6 of the paper).  responses[0] stays
 * first, the rest sort; then the sorted reward values are reassigned down the list, so that they
 * descend, and the true one is kept as raw_FIELD.  A raw_FIELD that is there already is the true
 * one, so doing it again changes nothing.
 *
 * length > 0 keeps the best so many (with keep_top: the first and the best of the rest; values are
 * reassigned among those kept).
 */
struct rerank_options {
	const char *field; /* "reward" */
	int length;        /* 0: all */
	bool keep_top;
};

/* ERR_DATA names a response whose reward is missing or not a number. */
int rerank_record(struct record *r, const struct rerank_options *o, struct err *e);

#endif
