#ifndef PRO_TESTS_TEST_H
#define PRO_TESTS_TEST_H

/*
 * Unit tests: a program per module.  TEST(name) { ... CHECK(x) ... }, and TEST_MAIN at the end.
 * Every test prints "ok - name", "not ok - name" or "ok - name # SKIP why"; tests/run counts them.
 * The exit status is 1 when a check failed.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_failed_checks, test_bad, test_count;
static const char *test_skip_why;

#define CHECK(x)                                                         \
	do {                                                             \
		if (!(x)) {                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #x); \
			test_failed_checks++;                            \
		}                                                        \
	} while (0)

/* |a - b| <= tol * max(1, |b|) */
#define CHECK_NEAR(a, b, tol)                                                               \
	do {                                                                                \
		double check_a = (a), check_b = (b),                                        \
		       check_s = fabs(check_b) > 1 ? fabs(check_b) : 1;                     \
		if (!(fabs(check_a - check_b) <= (tol)*check_s)) {                          \
			printf("# %s:%d: %s = %.17g, not %s = %.17g within %g\n", __FILE__, \
				__LINE__, #a, check_a, #b, check_b, (double)(tol));         \
			test_failed_checks++;                                               \
		}                                                                           \
	} while (0)

#define CHECK_STR(a, b)                                                                        \
	do {                                                                                   \
		const char *check_a = (a), *check_b = (b);                                     \
		if (strcmp(check_a, check_b) != 0) {                                           \
			printf("# %s:%d: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, check_a, \
				check_b);                                                      \
			test_failed_checks++;                                                  \
		}                                                                              \
	} while (0)

/* Leaves the test and reports it as skipped. */
#define SKIP(why)                      \
	do {                           \
		test_skip_why = (why); \
		return;                \
	} while (0)

static void
test_run(const char *name, void (*f)(void))
{
	test_failed_checks = 0;
	test_skip_why = NULL;
	f();
	test_count++;
	if (test_failed_checks)
		test_bad++, printf("not ok - %s\n", name);
	else if (test_skip_why)
		printf("ok - %s # SKIP %s\n", name, test_skip_why);
	else
		printf("ok - %s\n", name);
	fflush(stdout);
}

/* Path of a file in the shared reference material, NULL (skip) when it is not there. */
static inline const char *
shared_path(const char *name)
{
	static char path[4096];
	const char *dir = getenv("PRO_SHARED");
	snprintf(path, sizeof path, "%s/%s", dir ? dir : "../shared", name);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return NULL;
	fclose(f);
	return path;
}

/* main() { RUN(test_a); RUN(test_b); TEST_END } — tests are void functions. */
#define RUN(f) test_run(#f, f)
#define TEST_END return test_bad ? 1 : 0

#endif
