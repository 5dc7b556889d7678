#include "tests/test.h"

#include "lib/align/bootstrap.h"
#include "lib/base/rng.h"

static struct record
record_of(int i)
{
	struct record r = {0};
	struct err e = {0};
	char line[128];
	snprintf(line, sizeof line, "{\"id\":\"%d\",\"prompt\":\"question %d\",\"responses\":[]}",
		i, i);
	CHECK(record_parse(&r, line, strlen(line), &e) == 0);
	return r;
}

static void
parts_are_even_and_stable(void)
{
	enum { N = 6000, PARTS = 6 };
	int counts[PARTS] = {0}, moved = 0;
	for (int i = 0; i < N; i++) {
		struct record r = record_of(i);
		int part = bootstrap_part(42, PARTS, &r);
		CHECK(part >= 0 && part < PARTS && part == bootstrap_part(42, PARTS, &r));
		moved += part != bootstrap_part(43, PARTS, &r);
		counts[part]++;
		record_free(&r);
	}
	double chi2 = 0;
	for (int p = 0; p < PARTS; p++)
		chi2 += pow(counts[p] - N / PARTS, 2) / (N / PARTS);
	CHECK(chi2 < 20.5); /* 5 degrees of freedom: 0.1 % */
	CHECK(moved > N / 2);
}

/* What has one hash range (as a part of pro-import --split) falls into equal parts again. */
static void
parts_do_not_follow_the_hash(void)
{
	int counts[4] = {0}, n = 0;
	for (int i = 0; i < 8000; i++) {
		struct record r = record_of(i);
		if (record_prompt_hash(&r) < UINT64_MAX / 4) {
			counts[bootstrap_part(42, 4, &r)]++;
			n++;
		}
		record_free(&r);
	}
	for (int p = 0; p < 4; p++)
		CHECK(abs(counts[p] - n / 4) < n / 16);
}

static void
commands_go_on_with_the_policy(void)
{
	struct bootstrap o = {.model = "my model",
		.reward = "rm",
		.out = "out",
		.parts = 3,
		.seed = 7,
		.keep_top = true,
		.source = "s"};
	strings_add(&o.extra[BOOT_TRAIN], "--max-steps");
	strings_add(&o.extra[BOOT_TRAIN], "5");
	static const char *const want[3][2] = {
		{"pro-augment --model 'my model' --source s:0 --seed 7",
			"pro-augment --model out.work/part-1/model --source s:2 --seed 9"},
		{"pro-rerank --reward rm --keep-top", "pro-rerank --reward rm --keep-top"},
		{"pro-train --model 'my model' --out out.work/part-0/model --method pro --seed 7 "
		 "--max-steps 5",
			"pro-train --model out.work/part-1/model --out out.work/part-2/model "
			"--method pro "
			"--seed 9 --max-steps 5"},
	};
	for (int p = 0; p < BOOT_PROGRAMS; p++)
		for (int k = 0; k < 2; k++) {
			struct strings argv = {0};
			struct buf line = BUF_INIT;
			bootstrap_command(&o, (enum bootstrap_program)p, 2 * k, &argv);
			shell_command(&line, &argv);
			CHECK_STR(line.data, want[p][k]);
			strings_free(&argv);
			buf_free(&line);
		}
	struct strings naive = {0};
	o.keep_top = false;
	bootstrap_command(&o, BOOT_RERANK, 0, &naive);
	CHECK(naive.n == 3);
	strings_free(&naive);
	strings_free(&o.extra[BOOT_TRAIN]);
}

int
main(void)
{
	RUN(parts_are_even_and_stable);
	RUN(parts_do_not_follow_the_hash);
	RUN(commands_go_on_with_the_policy);
	TEST_END;
}
