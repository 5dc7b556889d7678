/* The option table: what it takes, what it refuses, and what it guesses. */
#include "lib/base/option.h"
#include "tests/test.h"

static int64_t steps, top_k;
static double temperature = 1;
static uint64_t seed;
static const char *model, *out;
static int method;
static bool greedy, beta_given;
static struct cli_list stops;

static const struct cli_option own[] = {
	OPT_TEXT("model", model, "DIR", "a model"),
	OPT_TEXT("out", out, "DIR", "a folder", .letter = 'o'),
	OPT_FLAG("greedy", greedy, "no drawing", .needs = "model"),
	OPT_REAL("temperature", temperature, 0, 10, "of drawing", .needs = "model !greedy"),
	OPT_COUNT("top-k", top_k, 0, 100, "of drawing", .needs = "model|out !greedy"),
	OPT_COUNT("max-steps", steps, 0, 1e6, "updates", .given = &beta_given),
	OPT_COUNT("warmup-ratio", steps, 0, 1e6, "none", .needs = "!max-steps"),
	OPT_PICK("method", method, "pro|sft|rm", "what"),
	OPT_FLAG("listwise", greedy, "rm", .needs = "method=rm"),
	OPT_LIST("stop", stops, "TEXT", "ends"),
	OPT_END,
};
static const struct cli_option standard[] = {
	OPT_SEED("seed", seed, "seed", .needs = "max-steps"),
	OPT_END,
};

static struct options o;
static struct err e;

static int
set(const char *name, const char *value)
{
	int i = options_find(&o, name, strlen(name), 0);
	return i < 0 ? -2 : options_set(&o, i, value, &e);
}

static void
begin(void)
{
	steps = top_k = method = 0;
	model = out = NULL;
	greedy = beta_given = false;
	options_free(&o);
	options_init(&o, own, standard);
	e = (struct err){0};
}

static void
names_are_found(void)
{
	begin();
	CHECK(o.n == 11);
	CHECK(options_find(&o, "max_steps", 9, 0) == 5 && options_find(&o, "max-step", 8, 0) == -1);
	CHECK(options_find(&o, NULL, 0, 'o') == 1 && options_find(&o, NULL, 0, 'x') == -1);
	CHECK(options_find(&o, "seed=4", 4, 0) == 10);
}

static void
values_are_strict(void)
{
	begin();
	CHECK(set("top-k", "7") == 0 && top_k == 7);
	static const char *const wrong[][2] = {{"top-k", "7.5"}, {"top-k", ""}, {"top-k", " 7"},
		{"top-k", "101"}, {"top-k", "-1"}, {"top-k", "0x7"}, {"temperature", "nan"},
		{"temperature", "1e999"}, {"temperature", "11"}, {"seed", "-1"}, {"model", ""},
		{"method", "p"}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		e.code = 0;
		CHECK(set(wrong[i][0], wrong[i][1]) == -1 && e.code == ERR_USAGE);
	}
	CHECK(set("seed", "18446744073709551615") == 0 && seed == UINT64_MAX);
	CHECK(set("method", "rm") == 0 && method == 2);
	CHECK(set("method", "stf") == -1);
	CHECK_STR(e.msg, "--method: 'stf' is none of pro|sft|rm: did you mean sft?");
	CHECK(set("max-steps", "3") == 0 && beta_given);
}

static const char *
refusal(void)
{
	e.msg[0] = '\0';
	return options_check(&o, &e) == 0 ? "" : e.msg;
}

static void
options_in_vain_are_refused(void)
{
	begin();
	CHECK_STR(refusal(), ""); /* defaults are never in vain */
	set("temperature", "1");
	CHECK_STR(refusal(), "--temperature has no effect without --model");
	set("model", "m");
	CHECK_STR(refusal(), "");
	set("greedy", NULL);
	CHECK_STR(refusal(), "--temperature has no effect with --greedy");

	begin();
	set("top-k", "3");
	CHECK_STR(refusal(), "--top-k has no effect without --model or --out");
	set("out", "x");
	CHECK_STR(refusal(), "");

	begin();
	set("listwise", NULL);
	CHECK_STR(refusal(), "--listwise has no effect with --method pro, only with rm");
	set("method", "rm");
	CHECK_STR(refusal(), "");
}

static void
zero_is_off(void)
{
	begin();
	set("seed", "4");
	CHECK_STR(refusal(), "--seed has no effect without --max-steps");
	set("max-steps", "0");
	CHECK_STR(refusal(), "--seed has no effect with --max-steps 0");
	set("max-steps", "2");
	CHECK_STR(refusal(), "");
	set("warmup-ratio", "5"); /* the same variable: what was set last counts */
	CHECK_STR(refusal(), "--warmup-ratio has no effect with --max-steps 5");
}

static const char *
guess(const char *name)
{
	static char text[200];
	struct buf b = BUF_INIT;
	options_guess(&o, name, strlen(name), &b);
	snprintf(text, sizeof text, "%s", b.len ? b.data : "");
	buf_free(&b);
	return text;
}

static void
near_names_are_guessed(void)
{
	begin();
	CHECK_STR(guess("max-stpes"), "did you mean --max-steps?");
	CHECK_STR(guess("max_step"), "did you mean --max-steps?");
	CHECK_STR(guess("temp"), "did you mean --temperature?");
	CHECK_STR(guess("topk"), "did you mean --top-k?");
	CHECK_STR(guess("sede"), "did you mean --seed?");
	CHECK_STR(guess("bananas"), "");
	char longer[300];
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	CHECK_STR(guess(longer), "");
}

static void
habits_are_known(void)
{
	begin();
	CHECK_STR(guess("output_dir"), "did you mean --out?");
	CHECK_STR(
		guess("warmup-steps"), "did you mean --warmup-ratio? It is a share of all updates");
	CHECK_STR(guess("input"), "inputs are operands: FILE... or standard input");
	CHECK_STR(guess("max-new-tokens"), ""); /* nothing like it here */
	CHECK_STR(guess("do_sample"), "did you mean --greedy? Sampling is the default");
}

int
main(void)
{
	RUN(names_are_found);
	RUN(values_are_strict);
	RUN(options_in_vain_are_refused);
	RUN(zero_is_off);
	RUN(near_names_are_guessed);
	RUN(habits_are_known);
	options_free(&o);
	free(stops.v);
	TEST_END;
}
