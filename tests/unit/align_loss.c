#include "lib/align/loss.h"
#include "lib/align/method.h"

#include <jansson.h>

#include "lib/base/rng.h"
#include "tests/test.h"

enum { MAX = 16 };

static int
numbers(const json_t *o, const char *key, double *v)
{
	const json_t *a = json_object_get(o, key);
	if (!json_is_array(a))
		return 0;
	for (size_t i = 0; i < json_array_size(a); i++)
		v[i] = json_number_value(json_array_get(a, i));
	return (int)json_array_size(a);
}

static double
number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static json_t *
golden(void)
{
	json_t *root = json_load_file("tests/golden/losses.json", 0, NULL);
	CHECK(root != NULL);
	return root;
}

/* 1e-13 of the size of what was summed; tiny values to 1e-9 of themselves, down to where the 60
 * digits of the fixture end. */
static void
check_close(double got, double want, double scale)
{
	double tol = 1e-13 * fmax(fabs(want), scale);
	if (fabs(want) < 1e-14)
		tol = fmax(1e-9 * fabs(want), 1e-55);
	if (!(fabs(got - want) <= tol))
		printf("# got %.17g, want %.17g\n", got, want);
	CHECK(fabs(got - want) <= tol);
}

static void
pro_case(const json_t *c)
{
	double r[MAX], R[MAX], lengths[MAX], rank[MAX], want_rank[MAX], grad[MAX], want_grad[MAX];
	int n = numbers(c, "r", r), len[MAX];
	CHECK(numbers(c, "R", R) == n && numbers(c, "lengths", lengths) == n);
	CHECK(numbers(c, "rank", want_rank) >= 1 && numbers(c, "dloss_dr", want_grad) == n);
	bool plain = json_is_true(json_object_get(c, "no_temperature"));
	bool first = json_is_true(json_object_get(c, "first_only"));
	double loss = loss_pro(r, plain ? NULL : R, n, first, rank, grad);
	check_close(loss, number(c, "loss_pro"), 0);
	for (int k = 0; k < (first ? 1 : n - 1); k++)
		check_close(rank[k], want_rank[k], 0);
	for (int k = 0; k < n; k++)
		check_close(grad[k], want_grad[k], 1);

	/* The same through the method: scores are sums over the tokens. */
	double sums[MAX], rank2[MAX], grad2[MAX];
	for (int k = 0; k < n; k++)
		len[k] = (int)lengths[k], sums[k] = r[k] * len[k];
	struct method_params p = {
		.temperature = !plain, .first_only = first, .sft = true, .beta = -1};
	struct method_input in = {n, sums, len, R};
	struct method_output out = {.rank = rank2, .grad = grad2};
	method_find("pro")->loss(&p, &in, &out);
	CHECK_NEAR(out.sft, number(c, "sft_nll"), 1e-12);
	CHECK_NEAR(out.loss, number(c, "loss"), 1e-12);
	for (int k = 0; k < n; k++) {
		double want = want_grad[k] / len[k] - (k == 0 ? number(c, "beta") : 0);
		CHECK_NEAR(grad2[k], want, 1e-12);
	}
}

static void
pro_golden(void)
{
	json_t *root = golden(), *list = json_object_get(root, "pro"), *c;
	size_t i;
	json_array_foreach(list, i, c) pro_case(c);
	CHECK(i > 50);
	json_decref(root);
}

static void
rm_golden(void)
{
	json_t *root = golden(), *c;
	size_t i;
	double s[MAX], R[MAX], grad[MAX], want[MAX], rank[MAX], want_rank[MAX];
	json_array_foreach(json_object_get(root, "rm_pairwise"), i, c)
	{
		int n = numbers(c, "s", s), pairs;
		double *rewards = numbers(c, "R", R) == n ? R : NULL;
		check_close(loss_rm_pairwise(s, rewards, n, &pairs, grad), number(c, "loss"), 0);
		CHECK(pairs == (int)number(c, "pairs"));
		CHECK(numbers(c, "dloss_ds", want) == n);
		for (int k = 0; k < n; k++)
			check_close(grad[k], want[k], 1);
	}
	CHECK(i >= 10);
	json_array_foreach(json_object_get(root, "rm_listwise"), i, c)
	{
		int n = numbers(c, "s", s);
		check_close(loss_rm_listwise(s, n, rank, grad), number(c, "loss"), 0);
		CHECK(numbers(c, "dloss_ds", want) == n && numbers(c, "rank", want_rank) == n - 1);
		for (int k = 0; k < n; k++)
			check_close(grad[k], want[k], 1);
		for (int k = 0; k < n - 1; k++)
			check_close(rank[k], want_rank[k], 0);
	}
	CHECK(i >= 7);
	json_decref(root);
}

/* A ranking of n with descending rewards, from counter i. */
static void
draw(uint64_t i, int n, double *r, double *R)
{
	struct rng g = rng_mix(rng_key(5), i);
	double at = 2;
	for (int k = 0; k < n; k++) {
		r[k] = -4 * rng_uniform(g, (uint64_t)k);
		R[k] = at;
		at -= 2 * rng_uniform(g, 100 + (uint64_t)k);
	}
}

static void
finite_differences(void)
{
	for (uint64_t i = 0; i < 60; i++) {
		int n = 2 + (int)(i % 7);
		double r[MAX], R[MAX], rank[MAX], grad[MAX], scratch[2 * MAX];
		int len[MAX];
		draw(i, n, r, R);
		for (int k = 0; k < n; k++)
			len[k] = 1 + (int)rng_below(rng_key(i), (uint64_t)k, 20), r[k] *= len[k];
		struct method_params p = {.temperature = i % 3 != 0,
			.first_only = i % 5 == 0,
			.sft = i % 2 == 0,
			.beta = i % 4 == 0 ? 0.3 : -1,
			.listwise = i % 2 == 0};
		for (int m = 0; method_at(m); m++) {
			const struct method *method = method_at(m);
			struct method_input in = {n, r, len, R};
			struct method_output out = {.rank = rank, .grad = grad};
			method->loss(&p, &in, &out);
			for (int k = 0; k < n; k++) {
				struct method_output a = {.rank = scratch, .grad = scratch + MAX};
				double keep = r[k], h = 1e-5;
				r[k] = keep + h;
				method->loss(&p, &in, &a);
				double up = a.loss;
				r[k] = keep - h;
				method->loss(&p, &in, &a);
				r[k] = keep;
				CHECK_NEAR((up - a.loss) / (2 * h), grad[k], 1e-7);
			}
		}
	}
}

static void
identities(void)
{
	for (uint64_t i = 0; i < 20; i++) {
		double r[MAX], R[MAX], rank[MAX], a[MAX], b[MAX];
		draw(i, 2, r, R);
		/* n = 2 without temperature is Bradley-Terry on (r_1, r_2) */
		double bt = loss_rm_pairwise(r, NULL, 2, NULL, b);
		CHECK_NEAR(loss_pro(r, NULL, 2, false, rank, a), bt, 1e-14);
		CHECK_NEAR(a[0], b[0], 1e-14);
		CHECK_NEAR(bt, -log(exp(r[0]) / (exp(r[0]) + exp(r[1]))), 1e-13);
		/* n = 2 with it is -log sigmoid(d (r_1 - r_2)) */
		double d = R[0] - R[1];
		CHECK_NEAR(loss_pro(r, R, 2, false, NULL, NULL), log1p(exp(-d * (r[0] - r[1]))),
			1e-13);
		/* all equal: sum_k log(n-k+1) and no gradient */
		int n = 2 + (int)(i % 6);
		double want = 0;
		draw(i, n, r, R);
		for (int k = 0; k < n; k++)
			R[k] = 0.25;
		for (int k = 1; k < n; k++)
			want += log(n - k + 1);
		CHECK_NEAR(loss_pro(r, R, n, false, rank, a), want, 1e-14);
		for (int k = 0; k < n; k++)
			CHECK(a[k] == 0);
		/* the first term alone is the first term */
		draw(i, n, r, R);
		loss_pro(r, R, n, false, rank, NULL);
		CHECK(loss_pro(r, R, n, true, b, a) == rank[0]);
		for (int k = 1; k < n - 1; k++)
			CHECK(b[k] == 0);
	}
	double one = -1;
	CHECK(loss_pro(&one, NULL, 1, false, NULL, &one) == 0 && one == 0);
}

/* The authors' code computes log(1e-10 + sum exp(.)), which agrees until about -9.2 and saturates
 * below (method.md); here the log-sum-exp goes on. */
static void
against_saturating_form(void)
{
	for (int i = 0; i < 100; i++) {
		double r[2] = {-0.2 * i, -0.2 * i - 0.3}, R[2] = {1, 0};
		double ref = log(1e-10 + exp(r[0]) + exp(r[1])) - r[0];
		double got = loss_pro(r, R, 2, false, NULL, NULL);
		if (r[0] >= -9.2)
			CHECK_NEAR(got, ref, 1e-6);
		else if (r[0] < -18)
			CHECK(ref > got + 0.002);
		CHECK_NEAR(got, log1p(exp(-0.3)), 1e-12);
	}
}

static int
rank_of(const char *method, bool temperature, enum method_order order, const double *all, int n,
	int *perm, struct err *e)
{
	struct method_params p = {.temperature = temperature, .sft = true, .beta = -1};
	double reward[MAX];
	bool has;
	int m = 0;
	const char *why;
	int rc = method_rank_rewards(
		method_find(method), &p, order, all, n, perm, reward, &m, &has, &why, e);
	return rc <= 0 ? rc : m;
}

static void
ordering(void)
{
	struct err e = {0};
	int perm[MAX];
	double up[] = {1, 3, 2, 3}, part[] = {1, NAN, 2, 3}, down[] = {3, 3, 1}, same[] = {1, 1};
	/* auto sorts, stable */
	CHECK(rank_of("pro", true, ORDER_AUTO, up, 4, perm, &e) == 4);
	CHECK(perm[0] == 1 && perm[1] == 3 && perm[2] == 2 && perm[3] == 0);
	CHECK(rank_of("rm", true, ORDER_AUTO, up, 4, perm, &e) == 4 && perm[0] == 1);
	CHECK(rank_of("bon", true, ORDER_AUTO, up, 4, perm, &e) == 1 && perm[0] == 1);
	/* sft takes the first as given, unless told otherwise */
	CHECK(rank_of("sft", true, ORDER_AUTO, up, 4, perm, &e) == 1 && perm[0] == 0);
	CHECK(rank_of("sft", true, ORDER_REWARD, up, 4, perm, &e) == 1 && perm[0] == 1);
	CHECK(rank_of("bon", true, ORDER_GIVEN, part, 4, perm, &e) == 1 && perm[0] == 0);
	/* a missing reward */
	CHECK(rank_of("pro", true, ORDER_AUTO, part, 4, perm, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "pro-rerank") && strstr(e.msg, "--no-temperature"));
	CHECK(strstr(e.msg, "responses[1]"));
	CHECK(rank_of("pro", true, ORDER_GIVEN, NULL, 4, perm, &e) == -1);
	CHECK(rank_of("pro", false, ORDER_AUTO, part, 4, perm, &e) == 4 && perm[0] == 0);
	CHECK(rank_of("pro", false, ORDER_REWARD, part, 4, perm, &e) == -1);
	CHECK(rank_of("rm", true, ORDER_AUTO, part, 4, perm, &e) == 4 && perm[0] == 0);
	CHECK(rank_of("bon", true, ORDER_AUTO, part, 4, perm, &e) == -1);
	/* given: rewards may tie but not rise */
	CHECK(rank_of("pro", true, ORDER_GIVEN, down, 3, perm, &e) == 3 && perm[0] == 0);
	CHECK(rank_of("pro", true, ORDER_GIVEN, up, 4, perm, &e) == -1 && e.code == ERR_DATA);
	CHECK(rank_of("pro", false, ORDER_GIVEN, up, 4, perm, &e) == 4 && perm[0] == 0);
	/* rejected, not an error */
	CHECK(rank_of("pro", true, ORDER_AUTO, up, 1, perm, &e) == 0);
	CHECK(rank_of("rm", true, ORDER_AUTO, up, 1, perm, &e) == 0);
	CHECK(rank_of("rm", true, ORDER_AUTO, same, 2, perm, &e) == 0);
	CHECK(rank_of("pro", true, ORDER_AUTO, same, 2, perm, &e) == 2);
	CHECK(rank_of("sft", true, ORDER_AUTO, up, 0, perm, &e) == 0);
}

int
main(void)
{
	RUN(pro_golden);
	RUN(rm_golden);
	RUN(finite_differences);
	RUN(identities);
	RUN(against_saturating_form);
	RUN(ordering);
	TEST_END;
}
