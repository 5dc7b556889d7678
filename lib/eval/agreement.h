#ifndef PRO_EVAL_AGREEMENT_H
#define PRO_EVAL_AGREEMENT_H

#include "lib/stream/record.h"

/*
 * How well a score agrees with the order that the records give (best first): over all pairs of a
 * record's responses, the share in which the better one has the higher score; equal scores count
 * one half.  This is a reward model's accuracy on held-out comparisons.
 */
struct agreement {
	const char *field; /* number of a response; borrowed */
	int64_t pairs;     /* compared */
	int64_t missing;   /* pairs in which one has no such number */
	double right;
};

/* ERR_DATA when the field is there and no number: nothing is counted then.  agreement_try only asks
 * for that. */
int agreement_try(const struct agreement *a, const struct record *r, struct err *e);
int agreement_add(struct agreement *a, const struct record *r, struct err *e);
/* Share in [0, 1] and its 95 % interval (Wilson, "Probable inference, the law of succession, and
 * statistical inference", JASA 1927); NAN without pairs. */
double agreement_share(const struct agreement *a, double *low, double *high);

/* "Agreement of NAME with the order: 81.20 % [77.5, 84.4] of 500 pairs\n" */
void agreement_table(const struct agreement *a, struct buf *out);
/* {"agreement": NAME, "pairs", "missing", "accuracy", "low", "high"} */
void agreement_json(const struct agreement *a, struct buf *out);

#endif
