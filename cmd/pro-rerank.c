/* pro-rerank: puts the responses of each record in order of reward, best first. */
#include "lib/base/cli.h"
#include "lib/base/human.h"
#include "lib/base/progress.h"
#include "lib/gen/rerank.h"
#include "lib/gen/score_stream.h"

static struct {
	const char *reward, *field;
	struct template_options template;
	int64_t length, max_length, batch_records;
	int on_overlong, score_at;
	bool keep_top;
} opt = {.field = "reward"};

static const struct cli_option options[] = {
	OPT_TEXT("reward", opt.reward, "DIR", "score first, by the reward model in this folder"),
	OPT_TEXT("reward-field", opt.field, "NAME", "the field to sort by, and to write scores to"),
	OPT_COUNT(
		"length", opt.length, 0, 1e9, "keep the L best responses; 0: all", .metavar = "L"),
	OPT_FLAG("keep-top", opt.keep_top,
		"the first response stays first; rewards are reassigned down the list"),
	OPT_TEXT("template", opt.template.name, "T", "how the prompt is written; default: auto",
		.needs = "reward"),
	OPT_TEXT("date", opt.template.date, "YYYY-MM-DD",
		"date that a template is told; default: the stored one, else " TEMPLATE_DATE,
		.needs = "reward"),
	OPT_PICK("score-at", opt.score_at, SCORE_AT_CHOICES, "where a reward model's score is read",
		.needs = "reward"),
	OPT_COUNT("max-length", opt.max_length, 0, 1e7,
		"tokens of prompt and response; 0: 1024, or the model's limit", .needs = "reward"),
	OPT_PICK("on-overlong", opt.on_overlong, "truncate|drop|error",
		"what to do with longer records", .needs = "reward"),
	OPT_COUNT("batch-records", opt.batch_records, 0, 1e6,
		"records computed together at most; 0: as many as fit", .needs = "reward"),
	OPT_END,
};

static struct cli cli = {.name = "pro-rerank",
	.summary = "Sorts the responses of each record by reward, best first",
	.operands = "[FILE...]",
	.options = options,
	.max_operands = -1};

struct job {
	struct filter filter;
	struct scorer scorer;
	struct score_fields fields;
	struct score_stream stream;
	struct rerank_options how;
	struct progress progress;
};

static int
done(void *ctx, struct scored *x, struct err *e)
{
	struct job *j = ctx;
	if (opt.reward && score_fields_write(&j->fields, x, e) < 0)
		return -1;
	if (rerank_record(&x->record, &j->how, e) < 0) {
		err_prefix(e, "record '%s'", x->record.id);
		return filter_bad_at(&j->filter, x->file, x->line, x->record.root, e);
	}
	if (filter_emit(&j->filter, &x->record, false, e) < 0)
		return -1;
	progress_bytes(
		&j->progress, filter_bytes_done(&j->filter, 0), input_bytes_total(j->filter.in));
	progress_set(&j->progress, j->filter.n_out);
	return 0;
}

static int
open_scorer(struct job *j, struct kernels *k, struct err *e)
{
	const char *how;
	struct buf label = BUF_INIT, notes = BUF_INIT;
	opt.template.score_at = (enum score_at)opt.score_at;
	if (scorer_open(&j->scorer, opt.reward, HEAD_REWARD, &opt.template, (int)opt.max_length, 0,
		    (enum on_overlong)opt.on_overlong, k, &how, e) < 0)
		return -1;
	const char *name = model_label(&label, opt.reward);
	template_notes(j->scorer.template, true, &notes);
	cli_info(&cli, "%s: template %s (%s), within %d tokens%s", name,
		template_name(j->scorer.template), how, j->scorer.params.max_length, notes.data);
	buf_free(&notes);
	score_fields_init(&j->fields, &j->scorer, opt.field, name);
	j->stream.scorer = &j->scorer;
	buf_free(&label);
	return 0;
}

static void
report(const struct job *j, double seconds)
{
	struct buf b = BUF_INIT;
	if (j->filter.ids.twice > 0)
		cli_info(&cli, FILTER_TWICE, j->filter.ids.first);
	filter_summary(&j->filter, &b);
	if (opt.reward)
		buf_printf(&b, "; %lld response%s scored, %lld tokens, %.0f tokens/s",
			(long long)j->stream.n_responses, human_s(j->stream.n_responses),
			(long long)j->stream.n_tokens,
			seconds > 0 ? (double)j->stream.n_tokens / seconds : 0.0);
	if (j->stream.n_without > 0)
		buf_printf(&b, "; %lld without responses", (long long)j->stream.n_without);
	cli_info(&cli, "%s", b.data);
	buf_free(&b);
}

static int
run(struct job *j, struct err *e)
{
	double start = clock_seconds();
	progress_init(
		&j->progress, cli.name, "records", cli.expect, cli.quiet, cli.progress_interval);
	int rc = score_stream_run(&j->stream, e);
	progress_end(&j->progress);
	if (filter_counts(&j->filter, rc))
		report(j, clock_seconds() - start);
	return rc == 0 ? score_stream_finish(&j->stream, cli.expect, e) : rc;
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	struct job j = {.filter = {0}};
	struct kernels *k = NULL;
	cli_parse(&cli, argc, argv);
	j.how = (struct rerank_options){opt.field, (int)opt.length, opt.keep_top};
	j.stream = (struct score_stream){.filter = &j.filter,
		.max_records = (int)opt.batch_records,
		.done = done,
		.ctx = &j};
	int rc = filter_open(&j.filter, cli.files, cli.n_files, stdout, cli.rejects, &e);
	j.filter.skip_bad = cli.on_bad_line == 1;
	if (rc == 0 && opt.reward) {
		k = kernels_cpu_open((int)cli.threads);
		rc = k ? open_scorer(&j, k, &e) : err_set(&e, ERR_NOMEM, "out of memory");
	}
	if (rc == 0)
		rc = run(&j, &e);
	score_fields_free(&j.fields);
	scorer_close(&j.scorer);
	filter_close(&j.filter);
	if (k)
		k->close(k);
	if (rc < 0)
		cli_die(&cli, &e);
	return cli_close_stdout(&cli);
}
