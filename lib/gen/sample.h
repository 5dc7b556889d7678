#ifndef PRO_GEN_SAMPLE_H
#define PRO_GEN_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/mem.h"

/* How a token is drawn.  greedy, or temperature 0: the most probable one. */
struct sampling {
	bool greedy;
	double temperature; /* 1 */
	double top_p;       /* 1: off */
	int top_k;          /* 0: off */
};

/*
 * One draw from logits[V]: temperature, then top-k, then top-p (the smallest set of most probable
 * tokens whose probability, renormalised after top-k, reaches top_p), computed in double; ties by
 * lower id.  The draw inverts the cumulative distribution over the tokens left, in order of id, at
 * u in [0,1).  greedy: the first maximum.  Logits must not be NaN or +inf; at least one is finite.
 * Scratch memory comes out of a.
 */
int32_t sample_token(
	const struct sampling *s, const float *logits, int V, double u, struct arena *a);

#endif
