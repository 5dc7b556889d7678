/* pro-train: trains a model on rankings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/align/job.h"
#include "lib/base/cli.h"
#include "lib/base/file.h"
#include "lib/base/human.h"
#include "lib/base/path.h"
#include "lib/base/progress.h"

static struct job_options o;
static struct optim_options *const adam = &o.run.optim;
static const char *beta = "auto";
static int method, order, on_overlong, schedule, save_dtype, score_at;
static bool no_sft, no_temperature, plan, reward_field_given;

/* clang-format off */
static const struct cli_option options[] = {
	OPT_TEXT("model", o.model_dir, "DIR", "the model to start from"),
	OPT_TEXT("out", o.out_dir, "DIR", "where the trained model goes, whole, at the end"),
	OPT_PICK("method", method, METHOD_CHOICES, "what to train"),
	OPT_PICK("order", order, "auto|reward|given", "sort by reward, or take responses as given"),
	OPT_TEXT("beta", beta, "auto|X", "weight of the SFT term; auto: 0.05 (n-1)^2", .needs = "method=pro !no-sft"),
	OPT_FLAG("no-sft", no_sft, "pro without its SFT term", .needs = "method=pro"),
	OPT_FLAG("no-temperature", no_temperature, "pro without reward differences: the order alone", .needs = "method=pro"),
	OPT_FLAG("first-only", o.data.params.first_only, "pro with the first of its terms alone", .needs = "method=pro"),
	OPT_FLAG("listwise", o.data.params.listwise, "rm with the list-wise loss", .needs = "method=rm"),
	OPT_TEXT("reward-field", o.data.reward_field, "NAME", "where a response has its reward",
		.given = &reward_field_given),
	OPT_TEXT("template", o.template.name, "NAME|FILE", "how a conversation is written"),
	OPT_TEXT("date", o.template.date, "YYYY-MM-DD",
		"date that a template is told; default: the stored one, else " TEMPLATE_DATE),
	OPT_PICK("score-at", score_at, SCORE_AT_CHOICES,
		"where rm, or the validating reward model, has its score"),
	OPT_COUNT("max-length", o.max_length, 0, 1e7,
		"tokens of prompt and response; 0: 512, rm 1024, or the model's limit"),
	OPT_COUNT("max-prompt-length", o.max_prompt_length, 0, 1e7,
		"tokens of the prompt; 0: 384, or 3/4 of a shorter --max-length"),
	OPT_PICK("on-overlong", on_overlong, "truncate|drop|error", "what to do with longer records"),
	OPT_COUNT("per-device-train-batch-size", o.run.per_device, 1, 1e6, "records of a micro-batch"),
	OPT_COUNT("gradient-accumulation-steps", o.run.accumulation, 1, 1e6, "micro-batches of an update"),
	OPT_REAL("num-train-epochs", o.run.epochs, 1e-6, 1e6, "passes over the data", .needs = "!max-steps"),
	OPT_COUNT("max-steps", o.run.max_steps, 0, 1e12, "updates, instead of epochs; 0: by epochs"),
	OPT_REAL("learning-rate", o.run.optim.learning_rate, 0, 1e3, "step size of AdamW"),
	OPT_PICK("lr-scheduler-type", schedule, LR_CHOICES, "how it goes on after the warm-up"),
	OPT_REAL("warmup-ratio", o.run.optim.warmup_ratio, 0, 1, "share of the updates in which it rises from 0"),
	OPT_REAL("weight-decay", o.run.optim.weight_decay, 0, 1e3, "of every parameter"),
	OPT_REAL("adam-beta1", o.run.optim.beta1, 0, 1, "decay of the first moment"),
	OPT_REAL("adam-beta2", o.run.optim.beta2, 0, 1, "decay of the second moment"),
	OPT_REAL("adam-epsilon", o.run.optim.epsilon, 0, 1, "added to the root of the second moment"),
	OPT_REAL("max-grad-norm", o.run.optim.max_grad_norm, 0, 1e30, "clips the gradient's norm; 0: not"),
	OPT_COUNT("logging-steps", o.run.logging_steps, 1, 1e12, "updates between lines of the log"),
	OPT_COUNT("save-steps", o.run.save_steps, 0, 1e12,
		"updates between checkpoints; 0: only when interrupted"),
	OPT_COUNT("save-total-limit", o.save_total_limit, 1, 1e6, "checkpoints kept while training"),
	OPT_FLAG("keep-checkpoints", o.run.keep_checkpoints, "leave them when the run is finished"),
	OPT_TEXT("validate", o.validate.file, "FILE", "records to answer while training"),
	OPT_TEXT("validate-reward", o.validate.reward_dir, "DIR",
		"reward model that scores the answers; the best model wins"),
	OPT_COUNT("eval-steps", o.run.eval_steps, 0, 1e12,
		"updates between validations; 0: first and last only", .needs = "validate"),
	OPT_COUNT("eval-batch-size", o.validate.batch, 1, 4096, "answers generated at once", .needs = "validate"),
	OPT_COUNT("eval-max-tokens", o.validate.max_tokens, 0, 1e6,
		"tokens of an answer; 0: the template's limit, or 128", .needs = "validate"),
	OPT_PICK("save-dtype", save_dtype, "f32|bf16|f16", "type of the saved weights"),
	OPT_FLAG("resume", o.resume, "begin, go on with the newest checkpoint, or say that it is done"),
	OPT_FLAG("allow-other-bits", o.other_bits,
		"--resume on another processor, where bits differ", .needs = "resume"),
	OPT_FLAG("overwrite", o.overwrite, "replace what is at --out"),
	OPT_FLAG("plan", plan, "print memory, steps and time, and exit"),
	OPT_END,
};
/* clang-format on */

static struct cli cli = {.name = "pro-train",
	.summary = "Trains a policy on ranking records (pro, sft, bon) or a reward model (rm)",
	.operands = "[FILE...]",
	.options = options,
	.draws = "",
	.max_operands = -1};

static int
parse_beta(double *x, struct err *e)
{
	char *end;
	if (strcmp(beta, "auto") == 0)
		return 0;
	*x = strtod(beta, &end);
	if (strspn(beta, "+.0123456789eE-") != strlen(beta) || end == beta || *end || !(*x >= 0) ||
		isinf(*x))
		return err_set(
			e, ERR_USAGE, "--beta: '%s' is neither auto nor a number >= 0", beta);
	return 0;
}

static int
check_usage(struct err *e)
{
	const struct method *m = o.data.method;
	if (o.model_dir == NULL || (o.out_dir == NULL && !plan))
		return err_set(e, ERR_USAGE, "--model and --out are needed");
	if (reward_field_given && m->keep == 1 && !m->sorts && o.data.order != ORDER_REWARD)
		return err_set(e, ERR_USAGE,
			"--reward-field has no effect with --method %s, only with --order reward",
			m->name);
	if ((o.validate.file == NULL) != (o.validate.reward_dir == NULL))
		return err_set(e, ERR_USAGE, "--validate and --validate-reward go together");
	if (o.validate.file && m->head != HEAD_LM)
		return err_set(e, ERR_USAGE, "--validate is for policies, not for --method rm");
	if (score_at != SCORE_AT_AUTO && m->head != HEAD_REWARD && o.validate.file == NULL)
		return err_set(
			e, ERR_USAGE, "--score-at is for --method rm, or with --validate-reward");
	if (o.resume && o.overwrite)
		return err_set(e, ERR_USAGE, "--resume and --overwrite exclude each other");
	if (adam->beta1 >= 1 || adam->beta2 >= 1)
		return err_set(e, ERR_USAGE, "--adam-beta1 and --adam-beta2 must be below 1");
	return 0;
}

/* What is read or written may not be where the model will be. */
static int
check_paths(struct err *e)
{
	static const char work[] = ".checkpoints";
	const char *out = o.out_dir, *template = o.template.name;
	int rc = path_apart("--model", o.model_dir, out, work, e);
	if (rc == 0)
		rc = path_apart("--validate", o.validate.file, out, work, e);
	if (rc == 0)
		rc = path_apart("--validate-reward", o.validate.reward_dir, out, work, e);
	if (rc == 0 && template && file_exists(template))
		rc = path_apart("--template", template, out, work, e);
	if (rc == 0)
		rc = path_apart("--rejects", cli.rejects, out, work, e);
	for (int i = 0; i < cli.n_files && rc == 0; i++)
		rc = path_apart("the input", cli.files[i], out, work, e);
	return rc;
}

/* The options that are not stored as they are written. */
static int
take_options(struct err *e)
{
	static const enum k_dtype dtypes[] = {K_F32, K_BF16, K_F16};
	o.data.method = method_at(method);
	o.data.order = (enum method_order)order;
	o.data.params.sft = !no_sft;
	o.data.params.temperature = !no_temperature;
	o.on_overlong = (enum on_overlong)on_overlong;
	o.run.save_dtype = dtypes[save_dtype];
	o.run.seed = cli.seed;
	o.validate.template.date = o.template.date;
	o.validate.template.date_if_asked = true;
	o.template.date_if_asked = o.validate.file != NULL;
	if (o.data.method->head == HEAD_REWARD)
		o.template.score_at = (enum score_at)score_at;
	else
		o.validate.template.score_at = (enum score_at)score_at;
	adam->schedule = (enum lr_schedule)schedule;
	if (parse_beta(&o.data.params.beta, e) < 0 || check_usage(e) < 0)
		return -1;
	if (plan)
		o.out_dir = NULL; /* nothing is claimed or written */
	return plan ? 0 : check_paths(e);
}

static void
say_read(const struct job *j, const struct filter *f)
{
	struct buf b = BUF_INIT;
	if (f->ids.twice > 0)
		cli_info(&cli, FILTER_TWICE, f->ids.first);
	filter_rejected(f, &b);
	cli_info(&cli, "%lld record%s: %zu to train on, %s; %lld prompt%s and %lld response%s cut",
		(long long)f->n_in, human_s(f->n_in), j->data.n, b.data,
		(long long)j->data.n_prompt_cut, human_s(j->data.n_prompt_cut),
		(long long)j->data.n_response_cut, human_s(j->data.n_response_cut));
	buf_free(&b);
}

static int
read_records(struct job *j, struct err *e)
{
	struct filter f;
	int rc = filter_open(&f, cli.files, cli.n_files, NULL, cli.rejects, e);
	f.skip_bad = cli.on_bad_line == 1;
	if (rc == 0)
		rc = job_read(j, &f, cli.expect, e);
	if (rc == 0)
		say_read(j, &f);
	filter_close(&f);
	return rc;
}

static int
print_log(void *ctx, const char *line, size_t n, size_t *done, struct err *e)
{
	(void)ctx;
	return cli_write(line, n, done, e);
}

static void
print_note(void *ctx, const char *msg)
{
	(void)ctx;
	cli_info(&cli, "%s", msg);
}

static void
show_progress(void *ctx, int64_t step, int64_t total)
{
	struct progress *p = ctx;
	p->total = total;
	progress_set(p, step);
}

static bool
is_interrupted(void *ctx)
{
	(void)ctx;
	return cli_interrupted();
}

static double
seconds(void *ctx)
{
	(void)ctx;
	return clock_seconds();
}

static void
say_template(const struct job *j, const char *how)
{
	struct buf notes = BUF_INIT;
	template_notes(j->template, o.data.method->head == HEAD_REWARD, &notes);
	cli_info(&cli, "template %s (%s)%s", template_name(j->template), how, notes.data);
	buf_free(&notes);
}

static void
say_outline(struct job *j)
{
	struct strings what = {0};
	if (!cli.quiet)
		job_outline(j, clock_seconds, &what);
	if (what.n == 2) {
		cli_info(&cli, "%s", what.v[0]);
		cli_info(&cli, "CPU, %lld thread%s; %s", (long long)cli.threads,
			cli.threads == 1 ? "" : "s", what.v[1]);
	}
	strings_free(&what);
}

static int
train(struct job *j, struct err *e)
{
	struct progress p;
	say_outline(j);
	cli_stops(&cli, "stopping and writing a checkpoint");
	struct buf described = BUF_INIT;
	struct run_hooks hooks = {
		&p, print_log, print_note, show_progress, is_interrupted, seconds};
	cli_describe(&cli, &described);
	progress_init(&p, cli.name, "steps", -1, cli.quiet, cli.progress_interval);
	int rc = job_train(j, &hooks, described.data, e);
	progress_end(&p);
	buf_free(&described);
	return rc;
}

static int
print_plan(struct job *j, struct err *e)
{
	struct buf b = BUF_INIT;
	int rc = job_plan(j, memory_limit(), clock_seconds, &b, e);
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	return rc;
}

int
main(int argc, char **argv)
{
	static struct job j;
	struct err e = {0};
	const char *how = "";
	o = job_defaults;
	cli_parse(&cli, argc, argv);
	if (take_options(&e) < 0)
		cli_die(&cli, &e);
	struct kernels *k = kernels_cpu_open((int)cli.threads);
	int rc = k ? job_open(&j, &o, k, &how, &e) : err_set(&e, ERR_NOMEM, "out of memory");
	cli_catch_signals();
	if (!plan)
		cli_keep_work();
	if (rc == 0) {
		say_template(&j, how);
		rc = read_records(&j, &e);
	}
	if (rc == 0 && plan)
		rc = print_plan(&j, &e);
	else if (rc == 0)
		rc = train(&j, &e);
	job_close(&j);
	if (k)
		k->close(k);
	if (rc < 0 && e.code == ERR_NOMEM && !plan)
		err_set(&e, ERR_NOMEM, "%s (--plan says what a run needs)", e.msg);
	if (rc < 0)
		cli_die(&cli, &e);
	return cli_close_stdout(&cli);
}
