/* pro-train: trains a model on rankings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/align/plan.h"
#include "lib/align/run.h"
#include "lib/base/cli.h"
#include "lib/base/progress.h"
#include "lib/gen/lengths.h"

static const char *model_dir, *out_dir, *beta = "auto", *reward_field = "reward",
					*template_arg = "auto", *validate_file, *validate_reward;
static int method, order, on_overlong, schedule, save_dtype;
static int64_t max_length, max_prompt_length,
	per_device = 2, accumulation = 8, max_steps, logging_steps = 1, save_steps = 500,
	save_total_limit = 2, eval_steps = 100, eval_batch_size = 16, eval_max_tokens;
static double epochs = 2;
static struct optim_options optim;
static bool no_sft, no_temperature, first_only, listwise, keep_checkpoints, resume, overwrite, plan;

static const struct cli_option options[] = {
	{"model", 0, CLI_TEXT, &model_dir, "DIR", "the model to start from", NULL, 0, 0, NULL},
	{"out", 0, CLI_TEXT, &out_dir, "DIR", "where the trained model goes, whole, at the end",
		NULL, 0, 0, NULL},
	{"method", 0, CLI_CHOICE, &method, NULL, "what to train", METHOD_CHOICES, 0, 0, NULL},
	{"order", 0, CLI_CHOICE, &order, NULL, "sort responses by reward, or take them as given",
		"auto|reward|given", 0, 0, NULL},
	{"beta", 0, CLI_TEXT, &beta, "auto|X", "weight of the SFT term; auto: 0.05 (n-1)^2", NULL,
		0, 0, NULL},
	{"no-sft", 0, CLI_FLAG, &no_sft, NULL, "pro without its SFT term", NULL, 0, 0, NULL},
	{"no-temperature", 0, CLI_FLAG, &no_temperature, NULL,
		"pro without reward differences: the order alone", NULL, 0, 0, NULL},
	{"first-only", 0, CLI_FLAG, &first_only, NULL, "pro with the first of its terms alone",
		NULL, 0, 0, NULL},
	{"listwise", 0, CLI_FLAG, &listwise, NULL, "rm with the list-wise loss", NULL, 0, 0, NULL},
	{"reward-field", 0, CLI_TEXT, &reward_field, "NAME", "where a response has its reward",
		NULL, 0, 0, NULL},
	{"template", 0, CLI_TEXT, &template_arg, "NAME|FILE", "how a conversation is written", NULL,
		0, 0, NULL},
	{"max-length", 0, CLI_INT, &max_length, "N",
		"tokens of prompt and response; 0: 512, rm 1024, or the model's limit", NULL, 0,
		1 << 24, NULL},
	{"max-prompt-length", 0, CLI_INT, &max_prompt_length, "N",
		"tokens of a prompt, cut on the left; 0: 384, or 3/4 of a shorter max-length", NULL,
		0, 1 << 24, NULL},
	{"on-overlong", 0, CLI_CHOICE, &on_overlong, NULL, "what to do with longer records",
		"truncate|drop|error", 0, 0, NULL},
	{"per-device-train-batch-size", 0, CLI_INT, &per_device, "N", "records of a micro-batch",
		NULL, 1, 1 << 20, NULL},
	{"gradient-accumulation-steps", 0, CLI_INT, &accumulation, "N",
		"micro-batches of an update", NULL, 1, 1 << 20, NULL},
	{"num-train-epochs", 0, CLI_REAL, &epochs, "X", "passes over the data", NULL, 1e-6, 1e6,
		NULL},
	{"max-steps", 0, CLI_INT, &max_steps, "N", "updates, instead of epochs; 0: by epochs", NULL,
		0, 1e12, NULL},
	{"learning-rate", 0, CLI_REAL, &optim.learning_rate, "X", "step size of AdamW", NULL, 0,
		1e3, NULL},
	{"lr-scheduler-type", 0, CLI_CHOICE, &schedule, NULL, "how it goes on after the warm-up",
		LR_CHOICES, 0, 0, NULL},
	{"warmup-ratio", 0, CLI_REAL, &optim.warmup_ratio, "X",
		"share of the updates in which it rises from 0", NULL, 0, 1, NULL},
	{"weight-decay", 0, CLI_REAL, &optim.weight_decay, "X", "of every parameter", NULL, 0, 1e3,
		NULL},
	{"adam-beta1", 0, CLI_REAL, &optim.beta1, "X", "decay of the first moment", NULL, 0, 1,
		NULL},
	{"adam-beta2", 0, CLI_REAL, &optim.beta2, "X", "decay of the second moment", NULL, 0, 1,
		NULL},
	{"adam-epsilon", 0, CLI_REAL, &optim.epsilon, "X", "added to the root of the second moment",
		NULL, 0, 1, NULL},
	{"max-grad-norm", 0, CLI_REAL, &optim.max_grad_norm, "X",
		"clips the gradient's norm; 0: not", NULL, 0, 1e30, NULL},
	{"logging-steps", 0, CLI_INT, &logging_steps, "N", "updates between lines of the log", NULL,
		1, 1e12, NULL},
	{"save-steps", 0, CLI_INT, &save_steps, "N",
		"updates between checkpoints; 0: only when interrupted", NULL, 0, 1e12, NULL},
	{"save-total-limit", 0, CLI_INT, &save_total_limit, "N", "checkpoints kept", NULL, 1, 1e6,
		NULL},
	{"keep-checkpoints", 0, CLI_FLAG, &keep_checkpoints, NULL,
		"leave them there when the run is finished", NULL, 0, 0, NULL},
	{"validate", 0, CLI_TEXT, &validate_file, "FILE", "records to answer while training", NULL,
		0, 0, NULL},
	{"validate-reward", 0, CLI_TEXT, &validate_reward, "DIR",
		"reward model that scores the answers; the best model wins", NULL, 0, 0, NULL},
	{"eval-steps", 0, CLI_INT, &eval_steps, "N",
		"updates between validations; 0: first and last only", NULL, 0, 1e12, NULL},
	{"eval-batch-size", 0, CLI_INT, &eval_batch_size, "N", "answers generated at once", NULL, 1,
		4096, NULL},
	{"eval-max-tokens", 0, CLI_INT, &eval_max_tokens, "N",
		"tokens of an answer; 0: the template's limit, or 128", NULL, 0, 1 << 20, NULL},
	{"save-dtype", 0, CLI_CHOICE, &save_dtype, NULL, "type of the saved weights",
		"f32|bf16|f16", 0, 0, NULL},
	{"resume", 0, CLI_FLAG, &resume, NULL, "go on with the newest checkpoint", NULL, 0, 0,
		NULL},
	{"overwrite", 0, CLI_FLAG, &overwrite, NULL, "replace what is at --out", NULL, 0, 0, NULL},
	{"plan", 0, CLI_FLAG, &plan, NULL, "print memory and steps, and exit", NULL, 0, 0, NULL},
	{0},
};

static struct cli cli = {
	.name = "pro-train",
	.summary = "Trains a model on ranking records (pro, sft, bon) or a reward model (rm)",
	.operands = "[FILE...]",
	.options = options,
	.max_operands = -1,
};

/* Everything that is opened, in the order it is. */
struct app {
	struct kernels *kernels;
	struct tokenizer *tokenizer;
	struct template *template;
	struct model_config config;
	struct checkpoints checkpoints;
	struct dataset data;
	struct model *model;
	struct validator validator;
	struct progress progress;
	struct run_options run;
	struct buf template_text, settings, meta;
	struct encode_params encode;
};

static int
check_options(struct method_params *p, struct err *e)
{
	const struct method *m = method_at(method);
	char *end;
	*p = (struct method_params){
		.temperature = !no_temperature,
		.first_only = first_only,
		.sft = !no_sft,
		.listwise = listwise,
		.beta = -1,
	};
	if (model_dir == NULL || (out_dir == NULL && !plan))
		return err_set(e, ERR_USAGE, "--model and --out are needed");
	if (strcmp(beta, "auto") != 0) {
		p->beta = strtod(beta, &end);
		if (*beta == '\0' || *end || !(p->beta >= 0) || isinf(p->beta))
			return err_set(e, ERR_USAGE,
				"--beta: '%s' is neither auto nor a number >= 0", beta);
	}
	if ((no_sft || no_temperature || first_only || p->beta >= 0) && strcmp(m->name, "pro") != 0)
		return err_set(e, ERR_USAGE,
			"--no-sft, --no-temperature, --first-only and --beta are for --method pro");
	if (listwise && m->head != HEAD_REWARD)
		return err_set(e, ERR_USAGE, "--listwise is for --method rm");
	if ((validate_file == NULL) != (validate_reward == NULL))
		return err_set(e, ERR_USAGE, "--validate and --validate-reward go together");
	if (validate_file && m->head != HEAD_LM)
		return err_set(e, ERR_USAGE, "--validate is for policies, not for --method rm");
	if (resume && overwrite)
		return err_set(e, ERR_USAGE, "--resume and --overwrite exclude each other");
	if (!(optim.beta1 < 1 && optim.beta2 < 1))
		return err_set(e, ERR_USAGE, "--adam-beta1 and --adam-beta2 must be below 1");
	return 0;
}

static void
set_run_options(struct app *a)
{
	static const enum k_dtype dtypes[] = {K_F32, K_BF16, K_F16};
	optim.schedule = (enum lr_schedule)schedule;
	a->run = (struct run_options){
		.optim = optim,
		.per_device = (int)per_device,
		.accumulation = (int)accumulation,
		.epochs = epochs,
		.max_steps = max_steps,
		.logging_steps = logging_steps,
		.save_steps = save_steps,
		.eval_steps = eval_steps,
		.seed = cli.seed,
		.save_dtype = dtypes[save_dtype],
		.keep_checkpoints = keep_checkpoints,
	};
}

/* Tokenizer, template and lengths: what records are encoded with. */
static int
open_text(struct app *a, struct err *e)
{
	const char *how = NULL;
	bool reward = method_at(method)->head == HEAD_REWARD;
	int length = (int)max_length, prompt = (int)max_prompt_length;
	if (config_load(&a->config, model_dir, e) < 0 ||
		lengths_resolve(
			&a->config, reward ? 1024 : 512, &length, reward ? NULL : &prompt, e) < 0 ||
		tokenizer_load(&a->tokenizer, model_dir, e) < 0 ||
		template_select(&a->template, template_arg, model_dir, a->tokenizer, &how, e) < 0)
		return -1;
	cli_info(&cli, "template %s (%s)", template_name(a->template), how);
	template_describe(a->template, &a->template_text);
	a->encode = (struct encode_params){
		a->tokenizer, a->template, length, prompt, (enum on_overlong)on_overlong};
	return 0;
}

static int
read_data(struct app *a, const struct method_params *p, struct err *e)
{
	struct dataset_options o = {.method = method_at(method),
		.params = *p,
		.order = (enum method_order)order,
		.reward_field = reward_field,
		.encode = a->encode};
	struct filter f;
	dataset_init(&a->data, &o);
	int rc = filter_open(&f, cli.files, cli.n_files, NULL, cli.rejects, e);
	if (rc == 0)
		rc = dataset_read(&a->data, &f, cli.expect, e);
	if (rc == 0)
		rc = dataset_check_vocab(&a->data, a->config.vocab, e);
	if (f.n_in > 0)
		cli_info(&cli,
			"%lld records: %zu to train on, %lld rejected; %lld prompts and %lld "
			"responses "
			"cut",
			(long long)f.n_in, a->data.n, (long long)f.n_rejected,
			(long long)a->data.n_prompt_cut, (long long)a->data.n_response_cut);
	filter_close(&f);
	return rc;
}

static int
open_model(struct app *a, struct err *e)
{
	bool reward = method_at(method)->head == HEAD_REWARD;
	struct model_open_options o = {.use = MODEL_TRAIN,
		.head = method_at(method)->head,
		.init_head = reward,
		.seed = cli.seed};
	a->kernels = kernels_cpu_open((int)cli.threads);
	if (a->kernels == NULL)
		return err_set(e, ERR_SOFTWARE, "no memory for the kernels");
	if (model_open(&a->model, model_dir, a->kernels, &o, e) < 0)
		return -1;
	struct validate_options v = {
		validate_file, validate_reward, (int)eval_max_tokens, (int)eval_batch_size};
	return validate_file ? validator_open(&a->validator, &v, a->model, &a->encode, e) : 0;
}

static int
print_log(void *ctx, const char *line, size_t n, struct err *e)
{
	(void)ctx;
	if (fwrite(line, 1, n, stdout) != n || fflush(stdout) == EOF)
		return err_set(e, ERR_IO, "standard output: write error");
	return 0;
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
	(void)total;
	progress_set(ctx, step);
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

static int
train(struct app *a, struct err *e)
{
	struct run r = {.o = &a->run,
		.hooks = {&a->progress, print_log, print_note, show_progress, is_interrupted,
			seconds},
		.model = a->model,
		.data = &a->data,
		.validator = validate_file ? &a->validator : NULL,
		.checkpoints = &a->checkpoints,
		.resume = resume};
	struct buf described = BUF_INIT;
	run_settings(&a->run, &a->data, r.validator, a->template_text.data, &a->settings);
	cli_describe(&cli, &described);
	run_describe(&a->data, model_dir, model_hash(a->model), a->template_text.data,
		described.data, &a->meta);
	buf_free(&described);
	r.settings = a->settings.data;
	a->checkpoints.source_dir = model_dir;
	a->checkpoints.meta = a->meta.data;
	a->checkpoints.meta_n = a->meta.len;
	a->checkpoints.limit = (int)save_total_limit;
	progress_init(&a->progress, cli.name, "steps", run_total(&a->run, a->data.n), cli.quiet);
	int rc = run_train(&r, e);
	progress_end(&a->progress);
	return rc;
}

static int
print_plan(struct app *a)
{
	struct buf b = BUF_INIT;
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	run_plan(&a->run, &a->config, &a->data,
		pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0, &b);
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	return 0;
}

static void
close_app(struct app *a)
{
	validator_close(&a->validator);
	if (a->model)
		model_close(a->model);
	if (a->kernels)
		a->kernels->close(a->kernels);
	checkpoints_close(&a->checkpoints);
	dataset_free(&a->data);
	if (a->template)
		template_free(a->template);
	if (a->tokenizer)
		tokenizer_free(a->tokenizer);
	config_free(&a->config);
	buf_free(&a->template_text);
	buf_free(&a->settings);
	buf_free(&a->meta);
}

int
main(int argc, char **argv)
{
	static struct app a;
	struct err e = {0};
	struct method_params p;
	optim = optim_defaults;
	a.checkpoints.lock = -1;
	cli_parse(&cli, argc, argv);
	int rc = check_options(&p, &e);
	if (rc == 0 && !plan)
		rc = checkpoints_open(&a.checkpoints, out_dir, resume, overwrite, &e);
	cli_catch_signals();
	set_run_options(&a);
	if (rc == 0)
		rc = open_text(&a, &e);
	if (rc == 0)
		rc = read_data(&a, &p, &e);
	if (rc == 0 && plan)
		rc = print_plan(&a);
	else if (rc == 0)
		rc = open_model(&a, &e) < 0 ? -1 : train(&a, &e);
	close_app(&a);
	if (rc < 0)
		cli_die(&cli, &e);
	return cli_close_stdout(&cli);
}
