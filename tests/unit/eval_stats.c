#include "tests/test.h"

#include "lib/eval/stats.h"

static void
mean_and_variance_are_the_textbooks(void)
{
	static const double x[] = {2, 4, 4, 4, 5, 5, 7, 9}; /* mean 5, squares 32 */
	struct stats s = {0};
	for (int i = 0; i < 8; i++)
		stats_add(&s, x[i]);
	CHECK(s.n == 8);
	CHECK_NEAR(s.mean, 5, 1e-15);
	CHECK_NEAR(stats_variance(&s), 32.0 / 7, 1e-15);
	CHECK_NEAR(stats_half_width(&s), 1.959963984540054 * sqrt(32.0 / 7 / 8), 1e-15);
}

/* The naive sum of squares loses all digits here: 1e9 squared is 1e18, the variance 1. */
static void
a_large_offset_keeps_the_variance(void)
{
	struct stats s = {0};
	for (int i = 0; i < 100000; i++)
		stats_add(&s, 1e9 + (i % 2 ? 1 : -1));
	CHECK_NEAR(s.mean, 1e9, 1e-15);
	CHECK_NEAR(stats_variance(&s), 100000.0 / 99999, 1e-9);
}

static void
too_few_values_have_no_interval(void)
{
	struct stats s = {0};
	CHECK(isnan(stats_half_width(&s)));
	stats_add(&s, 3);
	CHECK(s.mean == 3 && isnan(stats_variance(&s)) && isnan(stats_half_width(&s)));
	stats_add(&s, 3);
	CHECK(stats_half_width(&s) == 0);
}

static void
sigmoid_is_accurate_at_both_ends(void)
{
	CHECK(sigmoid(0) == 0.5);
	CHECK_NEAR(sigmoid(1), 0.73105857863000487926, 1e-16);
	CHECK_NEAR(sigmoid(-1), 1 - 0.73105857863000487926, 1e-16);
	CHECK(sigmoid(1000) == 1 && sigmoid(-1000) == 0);
	CHECK(fabs(sigmoid(-700) / exp(-700) - 1) < 1e-14);
}

int
main(void)
{
	RUN(mean_and_variance_are_the_textbooks);
	RUN(a_large_offset_keeps_the_variance);
	RUN(too_few_values_have_no_interval);
	RUN(sigmoid_is_accurate_at_both_ends);
	TEST_END;
}
