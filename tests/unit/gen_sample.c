/* Sampling against exact distributions (tests/golden/sampling.json), by its edges and by counting.
 */
#include <jansson.h>

#include "lib/base/rng.h"
#include "lib/gen/sample.h"
#include "tests/test.h"

static json_t *golden;

struct dist {
	struct sampling s;
	float logits[64];
	int V, n;
	int id[64];
	double p[64];
};

static void
load(struct dist *d, const json_t *c)
{
	const json_t *v = json_object_get(
		json_object_get(golden, "logits"), json_string_value(json_object_get(c, "logits")));
	const json_t *kept = json_object_get(c, "kept"), *probs = json_object_get(c, "probs");
	*d = (struct dist){.V = (int)json_array_size(v), .n = (int)json_array_size(kept)};
	for (int i = 0; i < d->V; i++)
		d->logits[i] = (float)json_number_value(json_array_get(v, (size_t)i));
	for (int i = 0; i < d->n; i++) {
		d->id[i] = (int)json_integer_value(json_array_get(kept, (size_t)i));
		d->p[i] = json_number_value(json_array_get(probs, (size_t)i));
	}
	d->s = (struct sampling){
		.temperature = json_number_value(json_object_get(c, "temperature")),
		.top_p = json_number_value(json_object_get(c, "top_p")),
		.top_k = (int)json_integer_value(json_object_get(c, "top_k"))};
}

/* A draw inverts the cumulative distribution, so the exact probabilities are the edges of u. */
static void
edges_match_the_exact_distributions(void)
{
	struct arena a;
	arena_init(&a);
	size_t i;
	json_t *c;
	int probes = 0;
	json_array_foreach(json_object_get(golden, "cases"), i, c)
	{
		struct dist d;
		load(&d, c);
		double below = 0, eps = 1e-12;
		for (int j = 0; j < d.n; j++) {
			double low = below + eps, high = below + d.p[j] - eps;
			below += d.p[j];
			if (high <= low)
				continue;
			probes++;
			arena_reset(&a);
			int first = sample_token(&d.s, d.logits, d.V, low, &a);
			int last = sample_token(&d.s, d.logits, d.V, high < 1 ? high : 1 - eps, &a);
			if (first != d.id[j] || last != d.id[j])
				printf("# case %zu, token %d: %d and %d drawn\n", i, d.id[j], first,
					last);
			CHECK(first == d.id[j] && last == d.id[j]);
		}
		CHECK_NEAR(below, 1, 1e-9);
	}
	CHECK(json_array_size(json_object_get(golden, "cases")) == 156);
	CHECK(probes == 940);
	arena_free(&a);
}

/* Upper 1e-4 quantile of chi-square with n degrees of freedom (Wilson and Hilferty 1931). */
static double
chi2_limit(int n)
{
	double z = 3.719, h = 2.0 / (9.0 * n);
	return n * pow(1 - h + z * sqrt(h), 3);
}

enum { DRAWS = 200000 };

static void
count_draws(const struct dist *d, const struct sampling *s, uint64_t seed, int *counts)
{
	struct arena a;
	arena_init(&a);
	struct rng r = rng_mix(rng_key(42), seed);
	memset(counts, 0, (size_t)d->V * sizeof *counts);
	for (int i = 0; i < DRAWS; i++) {
		arena_reset(&a);
		counts[sample_token(s, d->logits, d->V, rng_uniform(r, (uint64_t)i), &a)]++;
	}
	arena_free(&a);
}

/* Cells that expect fewer than 5 are joined. */
static double
chi2(const struct dist *d, const int *counts, int *freedom)
{
	double sum = 0, rest = 0, rest_seen = 0;
	int cells = 0;
	for (int j = 0; j < d->n; j++) {
		double expect = d->p[j] * DRAWS, seen = counts[d->id[j]];
		if (expect < 5) {
			rest += expect;
			rest_seen += seen;
			continue;
		}
		sum += (seen - expect) * (seen - expect) / expect;
		cells++;
	}
	if (rest >= 5) {
		sum += (rest_seen - rest) * (rest_seen - rest) / rest;
		cells++;
	}
	*freedom = cells - 1;
	return sum;
}

static void
counts_pass_chi_square(void)
{
	static const char *const names[] = {"random", "vocab 33", "ties"};
	size_t i;
	json_t *c;
	int tested = 0;
	json_array_foreach(json_object_get(golden, "cases"), i, c)
	{
		struct dist d;
		int counts[64], freedom, outside = DRAWS;
		const char *name = json_string_value(json_object_get(c, "logits"));
		bool wanted = false;
		for (int j = 0; j < 3; j++)
			wanted |= strcmp(name, names[j]) == 0;
		load(&d, c);
		if (!wanted || d.n < 2)
			continue;
		count_draws(&d, &d.s, i, counts);
		for (int j = 0; j < d.n; j++)
			outside -= counts[d.id[j]];
		double x = chi2(&d, counts, &freedom);
		if (freedom < 1)
			continue;
		tested++;
		CHECK(outside == 0);
		if (x >= chi2_limit(freedom))
			printf("# case %zu: chi-square %g with %d degrees\n", i, x, freedom);
		CHECK(x < chi2_limit(freedom));
	}
	CHECK(tested >= 25);
}

/* The test must be able to fail: a slightly wrong temperature is noticed. */
static void
chi_square_notices_a_wrong_temperature(void)
{
	struct dist d;
	int counts[64], freedom;
	load(&d, json_array_get(json_object_get(golden, "cases"), 0));
	struct sampling s = d.s;
	s.temperature = 1.03;
	count_draws(&d, &s, 0, counts);
	double x = chi2(&d, counts, &freedom);
	CHECK(x > chi2_limit(freedom));
}

static void
greedy_takes_the_first_maximum(void)
{
	struct arena a;
	arena_init(&a);
	struct sampling s = {.greedy = true, .temperature = 1, .top_p = 1};
	float x[] = {-1, 5, 2, 5, -INFINITY};
	CHECK(sample_token(&s, x, 5, 0.99, &a) == 1);
	s = (struct sampling){.temperature = 0, .top_p = 1};
	CHECK(sample_token(&s, x, 5, 0.99, &a) == 1);
	s = (struct sampling){.temperature = 1, .top_p = 1, .top_k = 1};
	CHECK(sample_token(&s, x, 5, 0.99, &a) == 1);
	float one[] = {-INFINITY, -INFINITY, 3};
	s = (struct sampling){.temperature = 1e-300, .top_p = 1};
	CHECK(sample_token(&s, one, 3, 0, &a) == 2);
	CHECK(sample_token(&s, x, 5, 0, &a) == 1 && sample_token(&s, x, 5, 0.9999, &a) == 3);
	arena_free(&a);
}

int
main(void)
{
	json_error_t je;
	golden = json_load_file("tests/golden/sampling.json", 0, &je);
	if (golden == NULL) {
		printf("not ok - sampling.json: %s\n", je.text);
		return 1;
	}
	RUN(edges_match_the_exact_distributions);
	RUN(counts_pass_chi_square);
	RUN(chi_square_notices_a_wrong_temperature);
	RUN(greedy_takes_the_first_maximum);
	json_decref(golden);
	TEST_END;
}
