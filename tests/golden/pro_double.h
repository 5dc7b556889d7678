#ifndef PRO_TESTS_PRO_DOUBLE_H
#define PRO_TESTS_PRO_DOUBLE_H

#include <math.h>

/*
 * PRO (equations 8-11) in plain double, as an independent check: not the library's losses.
 * r [n] mean log-likelihoods, R [n] rewards, best first; dr [n] gets the gradient added.
 */
static inline double
pro_double(const double *r, const double *R, int n, double *dr)
{
	double loss = 0;
	for (int k = 0; k < n - 1; k++) {
		double own = 0, top = -INFINITY, sum = 0;
		for (int i = k + 1; i < n; i++)
			own = R[k] - R[i] > own ? R[k] - R[i] : own;
		for (int i = k; i < n; i++) {
			double x = r[i] * (i == k ? own : R[k] - R[i]);
			top = x > top ? x : top;
		}
		for (int i = k; i < n; i++)
			sum += exp(r[i] * (i == k ? own : R[k] - R[i]) - top);
		loss += top + log(sum) - r[k] * own;
		for (int i = k; i < n; i++) {
			double d = i == k ? own : R[k] - R[i];
			dr[i] += d * exp(r[i] * d - top) / sum;
		}
		dr[k] -= own;
	}
	return loss;
}

#endif
