#include "lib/eval/stats.h"

#include <math.h>

/* The 97.5 % quantile of the standard normal distribution. */
static const double Z_975 = 1.959963984540054;

void
stats_add(struct stats *s, double x)
{
	double d = x - s->mean;
	s->n++;
	s->mean += d / (double)s->n;
	s->m2 += d * (x - s->mean);
}

double
stats_variance(const struct stats *s)
{
	return s->n > 1 ? s->m2 / (double)(s->n - 1) : NAN;
}

double
stats_half_width(const struct stats *s)
{
	return Z_975 * sqrt(stats_variance(s) / (double)s->n);
}

double
sigmoid(double x)
{
	double t = exp(-fabs(x));
	return x >= 0 ? 1 / (1 + t) : t / (1 + t);
}
