/* pro-bootstrap: self-bootstrapping, Algorithm 1, by running the other programs part by part. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/kernels.h"
#include "lib/align/bootstrap.h"
#include "lib/base/cli.h"
#include "lib/base/file.h"
#include "lib/base/human.h"
#include "lib/base/path.h"
#include "lib/base/progress.h"
#include "lib/gen/augment.h"
#include "lib/gen/score.h"
#include "lib/text/template.h"

static struct {
	int64_t parts, part;
	bool naive, keep_top, dry_run, resume, overwrite, clean;
} opt = {.part = -1};
static struct bootstrap boot = {.source = "bootstrap"};

static const struct cli_option own[] = {
	OPT_TEXT("model", boot.model, "DIR", "the policy to start from"),
	OPT_TEXT("reward", boot.reward, "DIR", "the reward model that ranks"),
	OPT_TEXT("out", boot.out, "DIR", "where the last policy goes; work is in DIR.work"),
	OPT_COUNT("parts", opt.parts, 1, BOOTSTRAP_MAX_PARTS,
		"parts of the data, each trained on in turn", .metavar = "K"),
	OPT_FLAG("keep-top", opt.keep_top,
		"samples may not take the first place, rewards descend: the default"),
	OPT_FLAG("naive", opt.naive, "samples rank by their reward alone"),
	OPT_TEXT("source", boot.source, "LABEL", "label of the samples, with :PART behind"),
	OPT_FLAG("dry-run", opt.dry_run, "print the shell pipeline instead of running it"),
	OPT_FLAG("resume", opt.resume,
		"begin, go on where a run was interrupted, or say that it is done"),
	OPT_FLAG("allow-other-bits", boot.other_bits,
		"--resume on another processor, where bits differ", .needs = "resume"),
	OPT_FLAG("overwrite", opt.overwrite, "replace what is at --out and its work"),
	OPT_FLAG("clean", opt.clean, "remove policies that were used, and the work at the end"),
	OPT_COUNT("part", opt.part, 0, BOOTSTRAP_MAX_PARTS - 1,
		"only print the records of part P (from 0)", .metavar = "P"),
	OPT_END,
};

enum { A = 1 << BOOT_AUGMENT, R = 1 << BOOT_RERANK, T = 1 << BOOT_TRAIN };

/* Passed on as they are: the programs check them, before anything is run. */
static struct passed {
	const char *name, *as; /* as: its name there, NULL: the same */
	char letter;
	bool flag;
	unsigned to;
	const char *metavar, *help;
	struct cli_list values;
	bool on;
} passed[] = {
	{"number", NULL, 'n', false, A, "N", "samples per record: 1", {0}, false},
	{"temperature", NULL, 0, false, A, "X", "of sampling", {0}, false},
	{"top-p", NULL, 0, false, A, "P", "of sampling", {0}, false},
	{"top-k", NULL, 0, false, A, "K", "of sampling", {0}, false},
	{"sample-key", NULL, 0, false, A, SAMPLE_KEY_CHOICES,
		"what a sample hangs on beside seed and id", {0}, false},
	{"max-tokens", NULL, 0, false, A, "N", "of a sample", {0}, false},
	{"stop", NULL, 0, false, A, "TEXT", "end a sample before TEXT", {0}, false},
	{"template", NULL, 0, false, A | T, "NAME", "the policy's template", {0}, false},
	{"max-length", NULL, 0, false, A | T, "N", "tokens of prompt and response for the policy",
		{0}, false},
	{"max-prompt-length", NULL, 0, false, A | T, "N", "tokens of the prompt for the policy",
		{0}, false},
	{"on-overlong", NULL, 0, false, A | R | T, "truncate|drop|error",
		"what is done with longer records", {0}, false},
	{"date", NULL, 0, false, A | T, "YYYY-MM-DD", "date that the policy's template is told",
		{0}, false},
	{"reward-template", "template", 0, false, R, "NAME", "--template of the reward model", {0},
		false},
	{"reward-date", "date", 0, false, R, "YYYY-MM-DD",
		"date that the reward model's template is told", {0}, false},
	{"score-at", NULL, 0, false, R | T, SCORE_AT_CHOICES,
		"where the reward model's score is read", {0}, false},
	{"reward-max-length", "max-length", 0, false, R, "N", "--max-length of the reward model",
		{0}, false},
	{"reward-field", NULL, 0, false, R | T, "NAME", "where rewards are written", {0}, false},
	{"length", NULL, 0, false, R, "L", "keep the L best responses", {0}, false},
	{"learning-rate", NULL, 0, false, T, "X", "of training", {0}, false},
	{"num-train-epochs", NULL, 0, false, T, "X", "on every part", {0}, false},
	{"max-steps", NULL, 0, false, T, "N", "updates on every part", {0}, false},
	{"per-device-train-batch-size", NULL, 0, false, T, "N", "of training", {0}, false},
	{"gradient-accumulation-steps", NULL, 0, false, T, "N", "of training", {0}, false},
	{"weight-decay", NULL, 0, false, T, "X", "of training", {0}, false},
	{"max-grad-norm", NULL, 0, false, T, "X", "of training", {0}, false},
	{"beta", NULL, 0, false, T, "auto|X", "weight of the SFT term", {0}, false},
	{"no-sft", NULL, 0, true, T, NULL, "without the SFT term", {0}, false},
	{"no-temperature", NULL, 0, true, T, NULL, "without reward differences as temperature", {0},
		false},
	{"first-only", NULL, 0, true, T, NULL, "with the first term alone", {0}, false},
	{"save-steps", NULL, 0, false, T, "N", "updates between checkpoints", {0}, false},
	{"save-dtype", NULL, 0, false, T, "f32|bf16|f16", "of every policy", {0}, false},
	{"validate", NULL, 0, false, T, "FILE", "records to answer while training", {0}, false},
	{"validate-reward", NULL, 0, false, T, "DIR", "reward model that scores these answers", {0},
		false},
	{"eval-steps", NULL, 0, false, T, "N", "updates between validations", {0}, false},
};
enum { N_OWN = sizeof own / sizeof *own - 1, N_PASSED = sizeof passed / sizeof *passed };
static struct cli_option options[N_OWN + N_PASSED + 1];

static struct cli cli = {
	.name = "pro-bootstrap",
	.summary = "Samples from the policy, ranks and trains on it, part by part (Algorithm 1)",
	.operands = "[FILE...]",
	.options = options,
	.draws = "",
	.max_operands = -1,
};

static void
note(void *ctx, const char *msg)
{
	(void)ctx;
	cli_info(&cli, "%s", msg);
}

static void
die(int code, const char *what)
{
	struct err e;
	err_set(&e, code, "%s", what);
	cli_die(&cli, &e);
}

static void
build_table(void)
{
	memcpy(options, own, sizeof own);
	for (int i = 0; i < N_PASSED; i++) {
		struct passed *p = &passed[i];
		void *value = p->flag ? (void *)&p->on : (void *)&p->values;
		options[N_OWN + i] = (struct cli_option){.name = p->name,
			.letter = p->letter,
			.kind = p->flag ? CLI_FLAG : CLI_LIST,
			.value = value,
			.metavar = p->metavar,
			.help = p->help};
	}
}

/* pro-train has no scores to place without a reward model. */
static bool
is_idle(const struct passed *p, int program)
{
	bool validates = false;
	for (int i = 0; i < N_PASSED; i++)
		validates |= strcmp(passed[i].name, "validate-reward") == 0 && passed[i].values.n;
	return program == BOOT_TRAIN && strcmp(p->name, "score-at") == 0 && !validates;
}

/* The words each program gets beside those that Algorithm 1 gives it. */
static void
pass_options(void)
{
	for (int k = 0; k < BOOT_PROGRAMS; k++) {
		struct strings *to = &boot.extra[k];
		for (int i = 0; i < N_PASSED; i++) {
			const struct passed *p = &passed[i];
			if (!(p->to & 1u << k) || is_idle(p, k))
				continue;
			if (p->on)
				strings_add(to, "--%s", p->as ? p->as : p->name);
			for (int v = 0; v < p->values.n; v++) {
				strings_add(to, "--%s", p->as ? p->as : p->name);
				strings_add(to, "%s", p->values.v[v]);
			}
		}
		strings_add(to, "--threads");
		strings_add(to, "%lld", (long long)cli.threads);
		if (strcmp(cli.device, "auto") != 0) {
			strings_add(to, "--device");
			strings_add(to, "%s", cli.device);
		}
		if (cli.progress_interval != 30) {
			strings_add(to, "--progress-interval");
			strings_add(to, "%lld", (long long)cli.progress_interval);
		}
		if (cli.quiet)
			strings_add(to, "--quiet");
	}
}

/* The last value of an option that is passed on; NULL: none. */
static const char *
passed_value(const char *name)
{
	for (int i = 0; i < N_PASSED; i++)
		if (strcmp(passed[i].name, name) == 0 && passed[i].values.n > 0)
			return passed[i].values.v[passed[i].values.n - 1];
	return NULL;
}

static int
passed_number(const char *name)
{
	const char *v = passed_value(name);
	return v ? (int)strtol(v, NULL, 10) : 0;
}

static void
check_usage(void)
{
	if (opt.parts < 1)
		die(ERR_USAGE, "--parts K is needed");
	if (opt.part >= opt.parts)
		die(ERR_USAGE, "--part: parts are numbered from 0 to K-1");
	if (opt.part >= 0)
		return;
	if (boot.model == NULL || boot.reward == NULL || boot.out == NULL)
		die(ERR_USAGE, "--model, --reward and --out are needed");
	const char *heat = passed_value("temperature"), *k = passed_value("top-k");
	if (passed_number("number") > 1 &&
		((heat && strtod(heat, NULL) == 0) || (k && strtol(k, NULL, 10) == 1)))
		die(ERR_USAGE,
			"--number above 1 with --temperature 0 or --top-k 1: nothing is drawn, "
			"all samples of a record would be the same");
	if (opt.naive && opt.keep_top)
		die(ERR_USAGE, "--naive and --keep-top exclude each other");
	if (opt.resume && opt.overwrite)
		die(ERR_USAGE, "--resume and --overwrite exclude each other");
}

/* What is read or written may not be where the model or the work will be. */
static int
check_paths(struct err *e)
{
	int rc = path_apart("--model", boot.model, boot.out, ".work", e);
	if (rc == 0)
		rc = path_apart("--reward", boot.reward, boot.out, ".work", e);
	for (int i = 0; i < N_PASSED; i++) {
		bool names_file = strncmp(passed[i].name, "validate", 8) == 0 ||
				  strstr(passed[i].name, "template") != NULL;
		struct buf what = BUF_INIT;
		buf_printf(&what, "--%s", passed[i].name);
		for (int k = 0; k < passed[i].values.n && names_file && rc == 0; k++)
			if (file_exists(passed[i].values.v[k]))
				rc = path_apart(
					what.data, passed[i].values.v[k], boot.out, ".work", e);
		buf_free(&what);
	}
	if (rc == 0)
		rc = path_apart("--rejects", cli.rejects, boot.out, ".work", e);
	for (int i = 0; i < cli.n_files && rc == 0; i++)
		rc = path_apart("the input", cli.files[i], boot.out, ".work", e);
	return rc;
}

/* --part: a filter. */
static int
print_part(struct filter *f, struct err *e)
{
	struct record r = {0};
	int rc;
	while ((rc = filter_next(f, &r, e)) > 0)
		if (bootstrap_part(cli.seed, (int)opt.parts, &r) != opt.part)
			f->n_other_part++;
		else if ((rc = filter_emit(f, &r, false, e)) < 0)
			break;
	record_free(&r);
	struct buf b = BUF_INIT;
	filter_summary(f, &b);
	if (rc == 0)
		cli_info(&cli, "%s", b.data);
	buf_free(&b);
	return rc < 0 ? rc : filter_finish(f, cli.expect, e);
}

/* What a resumed run must share: all but how it is run. */
static int
describe(struct buf *out, struct err *e)
{
	static const char *const not_these[] = {"dry-run ", "resume ", "allow-other-bits ",
		"overwrite ", "clean ", "part ", "threads ", "device ", "expect ", "rejects ",
		"progress-interval ", "quiet "};
	struct buf all = BUF_INIT;
	cli_describe(&cli, &all);
	for (char *line = all.data, *end; *line; line = end) {
		bool keep = true;
		end = line + strcspn(line, "\n") + 1;
		for (size_t i = 0; i < sizeof not_these / sizeof *not_these; i++)
			keep &= strncmp(line, not_these[i], strlen(not_these[i])) != 0;
		if (keep)
			buf_put(out, line, (size_t)(end - line));
	}
	buf_free(&all);
	return bootstrap_hash_input(cli.files, cli.n_files, out, e);
}

static enum score_at
passed_score_at(void)
{
	const char *v = passed_value("score-at"), *all = SCORE_AT_CHOICES;
	for (int i = 0; v && *all; i++) {
		size_t n = strcspn(all, "|");
		if (strlen(v) == n && strncmp(all, v, n) == 0)
			return (enum score_at)i;
		all += n + (all[n] != '\0');
	}
	return SCORE_AT_AUTO;
}

/* What the programs would find wrong with the models, some of them after hours. */
static int
check_models(struct kernels *k, struct err *e)
{
	struct template_options policy = {
		.name = passed_value("template"), .date = passed_value("date")};
	struct template_options reward = {.name = passed_value("reward-template"),
		.date = passed_value("reward-date"),
		.score_at = passed_score_at()};
	struct template_options judge = {.score_at = passed_score_at()};
	const char *validate = passed_value("validate"), *by = passed_value("validate-reward");
	int rc = scorer_probe(boot.model, HEAD_LM, &policy, passed_number("max-length"),
		passed_number("max-prompt-length"), k, e);
	if (rc == 0)
		rc = scorer_probe(boot.reward, HEAD_REWARD, &reward,
			passed_number("reward-max-length"), 0, k, e);
	if (rc == 0 && validate && access(validate, R_OK) < 0)
		rc = err_errno(e, ERR_NOINPUT, validate);
	if (rc == 0 && validate && by)
		rc = scorer_probe(by, HEAD_REWARD, &judge, 0, 0, k, e);
	return rc;
}

static void
say_split(const struct filter *f)
{
	struct buf b = BUF_INIT;
	buf_printf(&b, "%lld record%s in %d part%s", (long long)f->n_out, human_s(f->n_out),
		boot.parts, human_s(boot.parts));
	if (f->n_rejected > 0) {
		buf_puts(&b, ", ");
		filter_rejected(f, &b);
	}
	cli_info(&cli, "%s", b.data);
	buf_free(&b);
}

static void
say_finished(double begun)
{
	struct buf b = BUF_INIT;
	human_seconds(&b, clock_seconds() - begun);
	cli_info(&cli, "%s: %d part%s in %s", boot.out, boot.parts, human_s(boot.parts), b.data);
	buf_free(&b);
}

static int
run(struct filter *f, struct err *e)
{
	double begun = clock_seconds();
	struct buf text = BUF_INIT;
	struct bootstrap_hooks hooks = {NULL, note, cli_interrupted};
	struct kernels *k = kernels_cpu_open(1); /* as the programs will */
	if (k == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	boot.kernels = k->path;
	int lock = -1, rc = bootstrap_check(&boot, e);
	if (rc == 0 && !opt.resume) /* before anything of a run that was here goes */
		rc = check_models(k, e);
	if (rc == 0)
		rc = describe(&text, e);
	if (rc == 0)
		rc = bootstrap_claim(&boot, text.data, opt.resume, opt.overwrite, &lock, e);
	if (rc == BOOT_DONE)
		cli_info(&cli, "%s: done: nothing to do", boot.out);
	if (rc == BOOT_NEW) {
		rc = opt.resume ? check_models(k, e) : 0;
		if (rc == 0)
			rc = bootstrap_split(&boot, f, cli.expect, text.data, e);
		if (rc < 0)
			bootstrap_unclaim(&boot);
		else
			say_split(f);
	}
	if (rc >= 0 && rc != BOOT_DONE)
		rc = bootstrap_run(&boot, cli.rejects, opt.clean, &hooks, e);
	if (rc == 0)
		say_finished(begun);
	if (lock >= 0)
		close(lock);
	k->close(k);
	buf_free(&text);
	return rc;
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	struct filter f = {0};
	build_table();
	cli_parse(&cli, argc, argv);
	check_usage();
	if (opt.part < 0) {
		boot.out = path_clean(boot.out); /* OUT.work, and no option of another program */
		if (check_paths(&e) < 0)
			cli_die(&cli, &e);
	}
	boot.parts = (int)opt.parts;
	boot.seed = cli.seed;
	boot.keep_top = !opt.naive;
	pass_options();
	if (opt.dry_run && opt.part < 0) {
		struct buf script = BUF_INIT;
		bootstrap_script(&boot, cli.files, cli.n_files, &script);
		fwrite(script.data, 1, script.len, stdout);
		buf_free(&script);
		return cli_close_stdout(&cli);
	}
	cli_catch_signals();
	if (opt.part < 0)
		cli_keep_work();
	int rc = filter_open(
		&f, cli.files, cli.n_files, stdout, opt.part >= 0 ? cli.rejects : NULL, &e);
	f.skip_bad = cli.on_bad_line == 1;
	if (rc == 0)
		rc = opt.part >= 0 ? print_part(&f, &e) : run(&f, &e);
	filter_close(&f);
	if (rc < 0)
		cli_die(&cli, &e);
	return cli_close_stdout(&cli);
}
