#include "lib/stream/select.h"

#include "lib/base/rng.h"
#include "tests/test.h"

static const char *
split_error(const char *spec, const char *part)
{
	static struct err e;
	struct split s;
	e = (struct err){0};
	int rc = split_parse(&s, spec, part, &e);
	CHECK((rc < 0) == (e.code == ERR_USAGE));
	return e.msg;
}

static void
test_split(void)
{
	struct err e = {0};
	struct split parts[3];
	int n[3] = {0};
	for (int p = 0; p < 3; p++)
		CHECK(split_parse(&parts[p], "a=.8,b=.1,c=0.1", (char[]){(char)('a' + p), 0}, &e) ==
			0);
	CHECK(parts[2].high == 1);
	for (uint64_t i = 0; i < 10000; i++) {
		int hits = 0;
		for (int p = 0; p < 3; p++)
			if (split_has(&parts[p], rng_bits(rng_key(1), i)))
				n[p]++, hits++;
		CHECK(hits == 1);
	}
	CHECK(abs(n[0] - 8000) < 200 && abs(n[1] - 1000) < 150);
	CHECK(split_has(&parts[2], UINT64_MAX) && split_has(&parts[0], 0));
	CHECK_STR(split_error("a=.5,b=.5", "c"), "--part c: not in --split a=.5,b=.5");
	CHECK_STR(split_error("a=.5,b=.6", "a"), "--split a=.5,b=.6: more than 1 in all");
	CHECK_STR(split_error("a=.5,a=.1", "a"), "--split a=.5,a=.1: a twice");
	CHECK_STR(split_error("a=.5,b=0", "a"), "--split a=.5,b=0: b is no fraction of 1");
	static const char *const bad[] = {
		"", "a", "a=", "=1", "a=1,", "a=x", "a=nan", "a=-1", "a=.5;b=.5", "a= .5"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(*split_error(bad[i], "a") != '\0');
}

static void
test_sample(void)
{
	int hits[20] = {0};
	for (uint64_t seed = 0; seed < 4000; seed++) {
		struct sample s;
		static int items[20];
		int out_count = 0;
		sample_init(&s, 5, seed);
		for (int i = 0; i < 20; i++) {
			void *out;
			sample_add(&s, &items[i], &out);
			out_count += out != NULL;
		}
		CHECK(s.n_items == 5 && out_count == 15);
		sample_sort(&s);
		for (int i = 0; i < 5; i++) {
			CHECK(i == 0 || s.items[i].index > s.items[i - 1].index);
			CHECK(s.items[i].data == &items[s.items[i].index]);
			hits[s.items[i].index]++;
		}
		sample_free(&s);
	}
	double chi2 = 0; /* 19 degrees of freedom, each count binomial(4000, 1/4) */
	for (int i = 0; i < 20; i++)
		chi2 += (hits[i] - 1000.) * (hits[i] - 1000.) / 750;
	CHECK(chi2 < 43.8); /* 0.1 % */
	struct sample s;
	void *out;
	sample_init(&s, 5, 1);
	sample_add(&s, &chi2, &out);
	CHECK(out == NULL && s.n_items == 1); /* fewer than wanted: all of them */
	sample_free(&s);
}

int
main(void)
{
	RUN(test_split);
	RUN(test_sample);
	TEST_END;
}
