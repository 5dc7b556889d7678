#ifndef PRO_ALIGN_METHOD_H
#define PRO_ALIGN_METHOD_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/model/config.h"
#include "lib/stream/record.h"

/*
 * A training method: how it orders a record's responses, how many of them it needs, which scores
 * the model must give, and a function from these scores to a loss and its gradient.  One table row
 * per method: a new one is a row and a function.
 */
struct method_params {
	bool temperature; /* eq. 9 to 11; false: eq. 8 */
	bool first_only;  /* the term k = 1 alone */
	bool sft;         /* eq. 7's second term */
	double beta;      /* its weight; negative: loss_beta(n) of each record's own n */
	bool listwise;    /* rm */
};

/* The scores of one record, best first. */
struct method_input {
	int n;
	const double
		*score; /* [n] HEAD_LM: sum of log P over the tokens of y_k; HEAD_REWARD: R(y_k) */
	const int *length;    /* [n] tokens of y_k (HEAD_LM) */
	const double *reward; /* [n], or NULL where a response has none */
};

struct method_output {
	double loss;    /* what is minimised */
	double ranking; /* the ranking part: pro_loss or rm_loss; 0 under sft */
	double sft;     /* eq. 1, without beta; 0 under rm */
	double *rank;   /* [n-1] terms of ranking, caller's memory; zero where there are none */
	double *grad;   /* [n] dloss/dscore, caller's memory */
	int pairs,
		right; /* loss_agreement of the scores (HEAD_LM: of the mean log-probabilities) */
	double margin;
};

enum method_order { ORDER_AUTO, ORDER_REWARD, ORDER_GIVEN }; /* --order */

struct method {
	const char *name;
	enum model_head head;
	int min_responses;    /* fewer: the record is rejected */
	int keep;             /* responses used, from the top; 0: all */
	bool sorts;           /* --order auto sorts by reward where every response has one */
	bool needs_reward;    /* a missing reward is an error, in any order but ORDER_GIVEN */
	bool uses_difference; /* reward differences enter the loss (unless !temperature) */
	const char *loss_key; /* name of `ranking` in the log; NULL: none */
	void (*loss)(const struct method_params *p, const struct method_input *in,
		struct method_output *out);
};

/* "pro|sft|bon|rm": the choices of --method, in table order. */
#define METHOD_CHOICES "pro|sft|bon|rm"

const struct method *method_at(int i);
const struct method *method_find(const char *name); /* NULL: no such method */

/*
 * The ranking a method trains on (interfaces, pro-train): perm [r->n_responses] gets the indices
 * of the responses used, best first, *m their number, and reward [*m] their rewards with
 * *has_reward telling whether all have one.
 *
 * 1: done.  0: the record is to be rejected, *why says so (static).  -1: ERR_DATA, without file and
 * line: a reward is needed and missing, or --order given with rewards that rise along the ranking
 * where their differences count.
 */
int method_rank(const struct method *m, const struct method_params *p, enum method_order order,
	const char *reward_field, const struct record *r, int *perm, double *reward, int *n,
	bool *has_reward, const char **why, struct err *e);

/* The same for rewards that stand by themselves (a tensor stream): reward [n] or NULL. */
int method_rank_rewards(const struct method *m, const struct method_params *p,
	enum method_order order, const double *all, int n_all, int *perm, double *reward, int *n,
	bool *has_reward, const char **why, struct err *e);

#endif
