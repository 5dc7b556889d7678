#ifndef PRO_EVAL_STATS_H
#define PRO_EVAL_STATS_H

#include <stdint.h>

/*
 * Running mean and variance (Welford, "Note on a method for calculating corrected sums of squares
 * and products", Technometrics 1962), so that no value is kept.  A zeroed struct is empty.
 */
struct stats {
	int64_t n;
	double mean;
	double m2; /* sum of squared distances from the mean */
};

void stats_add(struct stats *s, double x);
/* Sample variance (n - 1); NAN with fewer than two values. */
double stats_variance(const struct stats *s);
/* Half the width of the normal 95 % interval of the mean, 1.96 standard errors; NAN with fewer than
 * two values. */
double stats_half_width(const struct stats *s);

/* 1 / (1 + exp(-x)), without overflow on either side. */
double sigmoid(double x);

#endif
