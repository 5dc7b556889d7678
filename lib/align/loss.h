#ifndef PRO_ALIGN_LOSS_H
#define PRO_ALIGN_LOSS_H

#include <stdbool.h>

/*
 * The losses, as pure functions of the scores of one record, in double.  Equation numbers are
 * those of "Preference Ranking Optimization for Human Alignment" (arXiv 2306.17492).
 *
 * A ranking is best first.  Rewards are data: no gradient goes through them.
 */

/*
 * PRO, eq. 8 to 11, over the policy scores r[n] (eq. 6: mean log-probability of the response's
 * tokens) and the rewards R[n], which must not rise along the ranking:
 *
 *	L = sum_{k=1}^{n-1} [ logsumexp(r_k d_kk, {r_i d_ki : i > k}) - r_k d_kk ],
 *	d_ki = R_k - R_i,  d_kk = max_{i>k} d_ki
 *
 * (1 / d is the paper's temperature; the smallest temperature is the largest difference).  Ties,
 * d = 0, are legal: they give a constant and no gradient.  The log-sum-exp is exact at any depth,
 * where log(1e-10 + sum exp) would saturate below r d = -9.2.
 *
 * R NULL: without temperature, eq. 8, every d is 1 (ablation -T).  first_only: the term k = 1
 * alone (ablation -L^{k>1}).
 *
 * rank[n-1] gets the terms (0 where left out), dr[n] the gradient; either may be NULL.
 * n >= 1; n = 1 has no term and gives 0.
 */
double loss_pro(const double *r, const double *R, int n, bool first_only, double *rank, double *dr);

/*
 * Reward model, pairwise: the mean over all pairs i < k of -log sigmoid(s_i - s_k) (Bradley-Terry,
 * eq. 2 and the loss given beneath it).  With R, pairs of equal reward are skipped;
 * R NULL: the order of the ranking counts every pair.
 *
 * *pairs (may be NULL) gets how many counted; without one the loss is 0.  ds[n]: the gradient, or
 * NULL.
 */
double loss_rm_pairwise(const double *s, const double *R, int n, int *pairs, double *ds);

/*
 * Reward model, list-wise (Plackett-Luce): sum_{k<n} -log softmax of s_k among s_k .. s_n, which is
 * eq. 8 on scores.  Responses of equal reward count in the order they stand in.
 */
double loss_rm_listwise(const double *s, int n, double *rank, double *ds);

/*
 * SFT, eq. 1: -log P(y_1 | x) summed over the tokens of the first response, which is minus its
 * summed log-probability.
 */
double loss_sft(double sum_logprob);

/* beta of eq. 7 as the paper sets it: 0.05 (n - 1)^2. */
double loss_beta(int n);

/*
 * How far scores agree with a ranking, for the log: over the pairs that loss_rm_pairwise counts,
 * how many have s_i > s_k (right), and the sum of s_i - s_k (margin).  Returns the number of pairs.
 */
int loss_agreement(const double *s, const double *R, int n, int *right, double *margin);

#endif
