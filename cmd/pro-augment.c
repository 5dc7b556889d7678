/* pro-augment: appends responses to records, sampled from a model or joined from a file. */
#include <string.h>

#include "lib/base/cli.h"
#include "lib/base/file.h"
#include "lib/base/human.h"
#include "lib/base/progress.h"
#include "lib/gen/augment.h"
#include "lib/gen/score_stream.h"

static struct {
	const char *model, *from, *source, *resume;
	struct template_options template;
	int64_t n, max_tokens, max_length, max_prompt_length, top_k, batch;
	bool greedy, n_given, tokens_given, temperature_given;
	double temperature, top_p;
	struct cli_list stops;
	int on_overlong, sample_key;
} opt = {.n = 1, .temperature = 1, .top_p = 1, .batch = 16};

static const struct cli_option options[] = {
	OPT_TEXT("model", opt.model, "DIR", "sample responses from this model folder"),
	OPT_TEXT("from", opt.from, "FILE",
		"take the responses of the record of the same id in FILE"),
	OPT_COUNT("number", opt.n, 1, 10000, "responses to append to each record; with --from: all",
		.metavar = "K", .letter = 'n', .given = &opt.n_given),
	OPT_TEXT("source", opt.source, "LABEL",
		"label of the responses; default: the folder's name"),
	OPT_FLAG("greedy", opt.greedy, "take the most probable token", .needs = "model"),
	OPT_REAL("temperature", opt.temperature, 0, 1e6, "divide logits by T; 0 is --greedy",
		.metavar = "T", .needs = "model !greedy"),
	OPT_REAL("top-p", opt.top_p, 0, 1, "sample from the smallest set of this probability",
		.metavar = "P", .needs = "model !greedy"),
	OPT_COUNT("top-k", opt.top_k, 0, 1e9, "sample from the K most probable tokens; 0: all",
		.metavar = "K", .needs = "model !greedy"),
	OPT_PICK("sample-key", opt.sample_key, SAMPLE_KEY_CHOICES,
		"what a sample hangs on beside seed and id", .needs = "model !greedy"),
	OPT_COUNT("max-tokens", opt.max_tokens, 0, 1e6,
		"new tokens at most; 0: the template's limit, else 128", .needs = "model"),
	OPT_LIST("stop", opt.stops, "TEXT", "end a response before TEXT; may be repeated",
		.needs = "model"),
	OPT_TEXT("template", opt.template.name, "T", "how the prompt is written; default: auto",
		.needs = "model"),
	OPT_TEXT("date", opt.template.date, "YYYY-MM-DD",
		"date that a template is told; default: the stored one, else " TEMPLATE_DATE,
		.needs = "model"),
	OPT_COUNT("batch", opt.batch, 1, 4096, "sequences computed at once", .metavar = "B",
		.needs = "model"),
	OPT_COUNT("max-length", opt.max_length, 0, 1e7,
		"tokens of prompt and response; 0: 512, or the model's limit", .needs = "model"),
	OPT_COUNT("max-prompt-length", opt.max_prompt_length, 0, 1e7,
		"tokens of the prompt; 0: 384, or 3/4 of --max-length", .needs = "model"),
	OPT_PICK("on-overlong", opt.on_overlong, "truncate|drop|error",
		"what to do with a longer prompt", .needs = "model"),
	OPT_TEXT("resume", opt.resume, "FILE", "go on writing FILE, which an interrupted run left",
		.needs = "model"),
	OPT_END,
};

static struct cli cli = {.name = "pro-augment",
	.summary = "Appends responses to each record: samples of a model, or those of another file",
	.operands = "[FILE...]",
	.options = options,
	.draws = "model !greedy",
	.max_operands = -1};

static struct progress progress;
static double started;

static void
tick(void *filter)
{
	const struct filter *f = filter;
	progress_bytes(&progress, filter_bytes_done(f, 0), input_bytes_total(f->in));
	progress_set(&progress, f->n_out);
}

static bool
same_file(const char *a, const char *b)
{
	return a && b && (strcmp(a, b) == 0 || file_same(a, b));
}

static bool
is_input(const char *path)
{
	for (int i = 0; i < cli.n_files; i++)
		if (same_file(path, cli.files[i]))
			return true;
	return cli.n_files == 0 && file_same(path, "/dev/stdin");
}

static void
check_usage(void)
{
	struct err e = {ERR_USAGE, ""};
	if ((opt.model == NULL) == (opt.from == NULL))
		err_set(&e, ERR_USAGE, "give one of --model and --from");
	else if (opt.from && strcmp(opt.from, "-") == 0 && cli.n_files == 0)
		err_set(&e, ERR_USAGE, "--from - leaves no standard input for the records");
	else if (opt.top_p == 0)
		err_set(&e, ERR_USAGE, "--top-p must be above 0");
	else if (same_file(opt.resume, cli.rejects) || same_file(opt.from, cli.rejects))
		err_set(&e, ERR_USAGE, "--rejects %s: is the file of %s too", cli.rejects,
			opt.from ? "--from" : "--resume");
	else if (opt.model && opt.n > 1 && (opt.greedy || opt.temperature == 0 || opt.top_k == 1))
		err_set(&e, ERR_USAGE,
			"--number %lld with %s: nothing is drawn, all of them would be the same",
			(long long)opt.n,
			opt.greedy             ? "--greedy"
			: opt.temperature == 0 ? "--temperature 0"
					       : "--top-k 1");
	else if (opt.resume && is_input(opt.resume))
		err_set(&e, ERR_USAGE, "--resume %s: is an input too; give the output's name",
			opt.resume);
	else
		return;
	cli_die(&cli, &e);
}

/* What is said at the end; the records' counts come from the filter. */
static void
report(const struct augment *a, const struct filter *f, const struct generator *g)
{
	struct buf b = BUF_INIT;
	if (f->ids.twice > 0)
		cli_info(&cli, FILTER_TWICE, f->ids.first);
	filter_summary(f, &b);
	buf_printf(
		&b, "; %lld response%s added", (long long)a->n_responses, human_s(a->n_responses));
	if (g) {
		double s = clock_seconds() - started;
		buf_printf(&b, ", %lld at the length limit, %lld tokens, %.0f tokens/s",
			(long long)a->n_length, (long long)g->n_tokens,
			s > 0 ? (double)g->n_tokens / s : 0.0);
	}
	if (a->resume)
		buf_printf(&b, "; %lld record%s there already", (long long)a->resume->n_done,
			a->resume->n_done == 1 ? " was" : "s were");
	cli_info(&cli, "%s", b.data);
	buf_free(&b);
	if (a->join && a->n_missing + a->n_short > 0)
		cli_warn(&cli, "%lld record%s no partner in %s, %lld too few responses there",
			(long long)a->n_missing, a->n_missing == 1 ? " has" : "s have", opt.from,
			(long long)a->n_short);
	if (a->join && join_unused(a->join) > 0)
		cli_info(&cli, "%lld record%s of %s not asked for", (long long)join_unused(a->join),
			human_s(join_unused(a->join)), opt.from);
	if (a->resume && a->resume->n_done == f->n_out && f->n_out > 0)
		cli_info(&cli, "%s was complete: nothing to do", opt.resume);
}

static int
run(struct augment *a, struct filter *f, struct err *e)
{
	progress_init(&progress, cli.name, "records", cli.expect, cli.quiet, cli.progress_interval);
	started = clock_seconds();
	int rc = augment_run(a, e);
	progress_end(&progress);
	if (filter_counts(f, rc))
		report(a, f, a->generator);
	if (rc == 0)
		rc = filter_finish(f, cli.expect, e);
	if (rc == 0 && a->join && f->n_in > 0 && a->n_missing == f->n_in)
		rc = err_set(e, ERR_DATA, "no id of the input is in %s", opt.from);
	else if (rc == 0 && a->join && f->n_in > 0 && a->n_responses == 0)
		rc = err_set(e, ERR_DATA, "no record of %s has a response to add", opt.from);
	if (rc < 0 && e->code == ERR_TEMPFAIL)
		err_set(e, ERR_TEMPFAIL, "interrupted; %lld record%s in %s%s", (long long)f->n_out,
			f->n_out == 1 ? " is" : "s are", opt.resume ? opt.resume : "the output",
			opt.resume ? ", the same command goes on" : "");
	return rc;
}

static int
run_model(struct augment *a, struct filter *f, struct err *e)
{
	struct sampling s = {opt.greedy, opt.temperature, opt.top_p, (int)opt.top_k};
	struct model_open_options o = {.use = MODEL_INFER, .head = HEAD_LM};
	struct kernels *k = kernels_cpu_open((int)cli.threads);
	struct tokenizer *t = NULL;
	struct template *p = NULL;
	struct model *m = NULL;
	struct generator g = {.model = NULL};
	struct resume resume = {.path = NULL};
	struct buf label = BUF_INIT;
	const char *how;
	const char **stops = x_calloc((size_t)opt.stops.n + 1, sizeof *stops);
	for (int i = 0; i < opt.stops.n; i++)
		stops[i] = opt.stops.v[i];
	int rc = k == NULL ? err_set(e, ERR_NOMEM, "out of memory") : 0;
	if (rc == 0)
		rc = tokenizer_load(&t, opt.model, e);
	if (rc == 0)
		rc = template_open(&p, &opt.template, opt.model, t, &how, e);
	if (rc == 0)
		rc = model_open(&m, opt.model, k, &o, e);
	if (rc == 0)
		rc = generator_open(&g, m, t, p, &s, (int)opt.max_tokens, (int)opt.max_length,
			(int)opt.max_prompt_length, stops, (int)opt.batch, e);
	if (rc == 0 && opt.resume) {
		a->resume = &resume;
		rc = resume_open(&resume, opt.resume, e);
	}
	if (rc == 0) {
		const char *name = model_label(&label, opt.model);
		struct buf notes = BUF_INIT;
		template_notes(p, false, &notes);
		cli_info(&cli, "%s: template %s (%s), %d new tokens within %d, prompts within %d%s",
			name, template_name(p), how, g.max_tokens, g.max_length,
			g.max_prompt_length, notes.data);
		buf_free(&notes);
		if (a->resume && resume.n_torn > 0)
			cli_info(&cli, "%s: dropped %lld bytes of a torn last line", opt.resume,
				(long long)resume.n_torn);
		a->generator = &g;
		a->source = opt.source ? opt.source : name;
		a->generated = augment_provenance(&g, name, cli.seed, a->key, stops);
		rc = run(a, f, e);
		json_decref(a->generated);
	}
	resume_close(&resume);
	generator_close(&g);
	model_close(m);
	template_free(p);
	tokenizer_free(t);
	if (k)
		k->close(k);
	buf_free(&label);
	free(stops);
	return rc;
}

static int
run_join(struct augment *a, struct filter *f, struct err *e)
{
	a->n = opt.n_given ? a->n : 0;
	a->source = opt.source;
	int rc = join_open(&a->join, opt.from, e);
	if (rc == 0)
		rc = run(a, f, e);
	join_close(a->join);
	return rc;
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	struct filter f = {0};
	cli_parse(&cli, argc, argv);
	check_usage();
	cli_catch_signals();
	if (opt.resume)
		cli_keep_work();
	struct augment a = {.filter = &f,
		.n = (int)opt.n,
		.seed = cli.seed,
		.key = (enum sample_key)opt.sample_key,
		.on_overlong = (enum on_overlong)opt.on_overlong,
		.stop = cli_interrupted,
		.tick = tick,
		.ctx = &f};
	int rc = filter_open(
		&f, cli.files, cli.n_files, opt.resume ? NULL : stdout, cli.rejects, &e);
	f.skip_bad = cli.on_bad_line == 1;
	if (rc == 0)
		rc = opt.from ? run_join(&a, &f, &e) : run_model(&a, &f, &e);
	filter_close(&f);
	if (rc < 0)
		cli_die(&cli, &e);
	return cli_close_stdout(&cli);
}
