/* pro-score: scores every response of each record by a reward model or by a policy. */
#include <unistd.h>

#include "lib/base/cli.h"
#include "lib/base/human.h"
#include "lib/base/progress.h"
#include "lib/gen/score_stream.h"

static struct {
	const char *reward, *policy, *as, *field;
	struct template_options template;
	int64_t max_length, max_prompt_length, batch_records;
	int on_overlong, score_at;
	bool tensors, joint, force;
} opt = {.field = "reward"};

static const struct cli_option options[] = {
	OPT_TEXT("reward", opt.reward, "DIR", "score by the reward model in this folder"),
	OPT_TEXT("policy", opt.policy, "DIR", "score by the log-probabilities of this model"),
	OPT_TEXT("as", opt.as, "NAME",
		"write NAME, or NAME_logprob ..., instead of reward, logprob ...",
		.needs = "!tensors"),
	OPT_FLAG("tensors", opt.tensors, "with --policy: write a tensor stream instead of records",
		.needs = "policy"),
	OPT_FLAG("force", opt.force, "write a tensor stream to a terminal too", .needs = "tensors"),
	OPT_TEXT("reward-field", opt.field, "NAME",
		"with --tensors, the rewards that are carried over", .needs = "tensors"),
	OPT_TEXT("template", opt.template.name, "T", "how the prompt is written; default: auto"),
	OPT_TEXT("date", opt.template.date, "YYYY-MM-DD",
		"date that a template is told; default: the stored one, else " TEMPLATE_DATE),
	OPT_PICK("score-at", opt.score_at, SCORE_AT_CHOICES, "where a reward model's score is read",
		.needs = "reward"),
	OPT_COUNT("max-length", opt.max_length, 0, 1e7,
		"tokens of prompt and response; 0: 512, --reward 1024, or the model's limit"),
	OPT_COUNT("max-prompt-length", opt.max_prompt_length, 0, 1e7,
		"with --policy, tokens of the prompt; 0: 384, or 3/4 of --max-length",
		.needs = "policy"),
	OPT_PICK("on-overlong", opt.on_overlong, "truncate|drop|error",
		"what to do with longer records"),
	OPT_COUNT("batch-records", opt.batch_records, 0, 1e6,
		"records computed together at most; 0: as many as fit"),
	OPT_FLAG("count-joint", opt.joint,
		"count responses that one text with the prompt would encode otherwise"),
	OPT_END,
};

static struct cli cli = {.name = "pro-score",
	.summary = "Scores every response of each record by a reward model or by a policy",
	.operands = "[FILE...]",
	.options = options,
	.max_operands = -1};

struct job {
	struct filter filter;
	struct scorer scorer;
	struct score_fields fields;
	struct score_stream stream;
	struct tensor_writer tensors;
	struct buf template;
	struct progress progress;
	int64_t n_joint; /* responses that --count-joint found */
};

static int
done(void *ctx, struct scored *x, struct err *e)
{
	struct job *j = ctx;
	if (opt.joint && x->record.n_responses > 0) {
		int differ = encode_joint_differs(&j->scorer.params, &x->record, e);
		if (differ < 0)
			return err_prefix(e, "%s:%lld", x->file, (long long)x->line);
		j->n_joint += differ;
	}
	if (score_fields_write(&j->fields, x, e) < 0)
		return -1;
	if (opt.tensors) {
		if (scored_put_tensors(&j->tensors, x, opt.field, e) < 0)
			return -1;
		j->filter.n_out++;
	} else if (filter_emit(&j->filter, &x->record, false, e) < 0)
		return -1;
	progress_bytes(
		&j->progress, filter_bytes_done(&j->filter, 0), input_bytes_total(j->filter.in));
	progress_set(&j->progress, j->filter.n_out);
	return 0;
}

static void
report(const struct job *j, double seconds)
{
	struct buf b = BUF_INIT;
	if (j->filter.ids.twice > 0)
		cli_info(&cli, FILTER_TWICE, j->filter.ids.first);
	filter_summary(&j->filter, &b);
	cli_info(&cli,
		"%s; %lld response%s scored, %lld record%s without any; %lld tokens, %.0f tokens/s",
		b.data, (long long)j->stream.n_responses, human_s(j->stream.n_responses),
		(long long)j->stream.n_without, human_s(j->stream.n_without),
		(long long)j->stream.n_tokens,
		seconds > 0 ? (double)j->stream.n_tokens / seconds : 0.0);
	if (opt.joint)
		cli_info(&cli,
			"%lld of %lld response%s would have other ids in one text with their "
			"prompt",
			(long long)j->n_joint, (long long)j->stream.n_responses,
			human_s(j->stream.n_responses));
	buf_free(&b);
}

static void
start_tensors(struct job *j)
{
	const struct encode_params *p = &j->scorer.params;
	template_identity(p->template, &j->template);
	struct tensor_meta meta = {tokenizer_hash(p->tokenizer), j->template.data, p->max_length,
		p->max_prompt_length};
	tensor_writer_init(&j->tensors, stdout, &meta);
}

static int
run(struct job *j, const char *dir, struct kernels *k, struct err *e)
{
	const char *how;
	struct buf label = BUF_INIT, notes = BUF_INIT;
	opt.template.score_at = (enum score_at)opt.score_at;
	if (scorer_open(&j->scorer, dir, opt.policy ? HEAD_LM : HEAD_REWARD, &opt.template,
		    (int)opt.max_length, (int)opt.max_prompt_length,
		    (enum on_overlong)opt.on_overlong, k, &how, e) < 0)
		return -1;
	const char *name = model_label(&label, dir);
	template_notes(j->scorer.template, opt.reward != NULL, &notes);
	cli_info(&cli, "%s: template %s (%s), within %d tokens%s", name,
		template_name(j->scorer.template), how, j->scorer.params.max_length, notes.data);
	buf_free(&notes);
	score_fields_init(&j->fields, &j->scorer, opt.as, name);
	j->stream = (struct score_stream){.filter = &j->filter,
		.scorer = &j->scorer,
		.drop_empty = opt.tensors,
		.max_records = (int)opt.batch_records,
		.done = done,
		.ctx = j};
	if (opt.tensors)
		start_tensors(j);
	double start = clock_seconds();
	progress_init(
		&j->progress, cli.name, "records", cli.expect, cli.quiet, cli.progress_interval);
	int rc = score_stream_run(&j->stream, e);
	progress_end(&j->progress);
	if (filter_counts(&j->filter, rc))
		report(j, clock_seconds() - start);
	if (rc == 0 && opt.tensors)
		rc = tensor_writer_end(&j->tensors, e);
	if (rc == 0)
		rc = score_stream_finish(&j->stream, cli.expect, e);
	if (opt.tensors)
		tensor_writer_free(&j->tensors);
	buf_free(&j->template);
	score_fields_free(&j->fields);
	scorer_close(&j->scorer);
	buf_free(&label);
	return rc;
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	struct job j = {.filter = {0}};
	cli_parse(&cli, argc, argv);
	if ((opt.reward == NULL) == (opt.policy == NULL)) {
		err_set(&e, ERR_USAGE, "give one of --reward and --policy");
		cli_die(&cli, &e);
	}
	if (opt.tensors && !opt.force && isatty(STDOUT_FILENO)) {
		err_set(&e, ERR_USAGE,
			"--tensors: standard output is a terminal; > FILE, | pro-train, or "
			"--force");
		cli_die(&cli, &e);
	}
	struct kernels *k = kernels_cpu_open((int)cli.threads);
	int rc = k ? 0 : err_set(&e, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = filter_open(&j.filter, cli.files, cli.n_files, stdout, cli.rejects, &e);
	j.filter.skip_bad = cli.on_bad_line == 1;
	if (rc == 0)
		rc = run(&j, opt.reward ? opt.reward : opt.policy, k, &e);
	filter_close(&j.filter);
	if (k)
		k->close(k);
	if (rc < 0)
		cli_die(&cli, &e);
	return cli_close_stdout(&cli);
}
