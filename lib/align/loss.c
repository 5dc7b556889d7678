#include "lib/align/loss.h"

#include <math.h>
#include <stddef.h>

/* The multipliers of term k: d_kk = max_{i>k} d_ki for the response itself. */
static double
own_multiplier(const double *R, int n, int k)
{
	if (R == NULL)
		return 1;
	double max = R[k] - R[k + 1];
	for (int i = k + 2; i < n; i++)
		if (R[k] - R[i] > max)
			max = R[k] - R[i];
	return max;
}

static double
multiplier(const double *R, int k, int i)
{
	return R == NULL ? 1 : R[k] - R[i];
}

/*
 * Term k: log sum_{i>=k} exp(x_i) - x_k over x_i = r_i d_ki.  With x_k the maximum, log1p keeps
 * what log would round away (terms down to the smallest double).
 */
static double
pro_term(const double *r, const double *R, int n, int k, double *dr)
{
	double own = own_multiplier(R, n, k), x0 = r[k] * own, max = x0;
	for (int i = k + 1; i < n; i++)
		max = fmax(max, r[i] * multiplier(R, k, i));
	double rest = 0;
	for (int i = k + 1; i < n; i++)
		rest += exp(r[i] * multiplier(R, k, i) - max);
	double total = rest + exp(x0 - max);
	double term = max == x0 ? log1p(rest) : max - x0 + log(total);
	if (dr == NULL)
		return term;
	/* p_k - 1 = -rest / total, without the cancellation */
	dr[k] -= own * (rest / total);
	for (int i = k + 1; i < n; i++) {
		double d = multiplier(R, k, i);
		dr[i] += d * (exp(r[i] * d - max) / total);
	}
	return term;
}

double
loss_pro(const double *r, const double *R, int n, bool first_only, double *rank, double *dr)
{
	for (int i = 0; dr && i < n; i++)
		dr[i] = 0;
	double loss = 0;
	for (int k = 0; k < n - 1; k++) {
		double term = first_only && k > 0 ? 0 : pro_term(r, R, n, k, dr);
		loss += term;
		if (rank)
			rank[k] = term;
	}
	return loss;
}

static bool
counts(const double *R, int i, int k)
{
	return R == NULL || R[i] != R[k];
}

double
loss_rm_pairwise(const double *s, const double *R, int n, int *pairs, double *ds)
{
	int count = 0;
	double loss = 0;
	for (int i = 0; ds && i < n; i++)
		ds[i] = 0;
	for (int i = 0; i < n; i++) {
		for (int k = i + 1; k < n; k++) {
			if (!counts(R, i, k))
				continue;
			double z = s[k] - s[i], e = exp(-fabs(z));
			count++;
			loss += log1p(e) + fmax(z, 0);
			if (ds) {
				double slope = z > 0 ? 1 / (1 + e) : e / (1 + e);
				ds[i] -= slope;
				ds[k] += slope;
			}
		}
	}
	if (pairs)
		*pairs = count;
	if (count == 0)
		return 0;
	for (int i = 0; ds && i < n; i++)
		ds[i] /= count;
	return loss / count;
}

double
loss_rm_listwise(const double *s, int n, double *rank, double *ds)
{
	return loss_pro(s, NULL, n, false, rank, ds);
}

double
loss_sft(double sum_logprob)
{
	return -sum_logprob;
}

double
loss_beta(int n)
{
	return 0.05 * (n - 1) * (n - 1);
}

int
loss_agreement(const double *s, const double *R, int n, int *right, double *margin)
{
	int pairs = 0;
	*right = 0;
	*margin = 0;
	for (int i = 0; i < n; i++) {
		for (int k = i + 1; k < n; k++) {
			if (!counts(R, i, k))
				continue;
			pairs++;
			*right += s[i] > s[k];
			*margin += s[i] - s[k];
		}
	}
	return pairs;
}
