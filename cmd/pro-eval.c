/* pro-eval: BLEU and reward of systems against a reference, as a table or JSON. */
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "lib/base/cli.h"
#include "lib/base/human.h"
#include "lib/base/progress.h"
#include "lib/eval/agreement.h"
#include "lib/eval/report.h"
#include "lib/eval/reward.h"
#include "lib/stream/filter.h"

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };

static struct {
	struct cli_list hypotheses, fields, agreements;
	struct agreement *agreement; /* [agreements.n] */
	const char *reference, *bleu, *reward, *reward_field, *by;
	struct template_options template;
	int format, on_overlong, score_at;
	int64_t max_length;
} opt = {.bleu = "char"};

static const struct cli_option options[] = {
	OPT_LIST("hypothesis", opt.hypotheses, "LABEL",
		"evaluate the responses whose source is LABEL; repeatable, a row each"),
	OPT_TEXT("reference", opt.reference, "LABEL",
		"compare with the response whose source is LABEL", .needs = "hypothesis"),
	OPT_TEXT("bleu", opt.bleu, "LIST", "which BLEUs, of char and sacrebleu, by commas",
		.needs = "reference"),
	OPT_TEXT("reward", opt.reward, "DIR", "Reward from this reward model",
		.needs = "hypothesis"),
	OPT_TEXT("reward-field", opt.reward_field, "NAME",
		"Reward from this number of the responses", .needs = "hypothesis"),
	OPT_LIST("field", opt.fields, "NAME",
		"plain mean of this number, with its 95 % interval; repeatable",
		.needs = "hypothesis"),
	OPT_LIST("agreement", opt.agreements, "NAME",
		"share of pairs that this number orders as the records do; repeatable"),
	OPT_TEXT("by", opt.by, "NAME", "also per value of this member of the records: subset",
		.needs = "hypothesis"),
	OPT_TEXT("template", opt.template.name, "NAME",
		"the reward model's template; auto if not given", .needs = "reward"),
	OPT_TEXT("date", opt.template.date, "YYYY-MM-DD",
		"date that it is told; default: the stored one, else " TEMPLATE_DATE,
		.needs = "reward"),
	OPT_PICK("score-at", opt.score_at, SCORE_AT_CHOICES, "where a reward model's score is read",
		.needs = "reward"),
	OPT_COUNT("max-length", opt.max_length, 0, 1 << 24,
		"tokens the reward model reads; 0: 1024, or all it can", .needs = "reward"),
	OPT_PICK("on-overlong", opt.on_overlong, "truncate|drop|error",
		"a text above --max-length is cut on the left, left out, or an error",
		.needs = "reward"),
	OPT_PICK("format", opt.format, "table|json|csv", "how to print"),
	OPT_END,
};

static struct cli cli = {
	.name = "pro-eval",
	.summary = "Print BLEU and reward of systems, as a table, JSON or CSV",
	.operands = "[FILE...]",
	.options = options,
	.max_operands = -1,
};

static void
die_usage(const char *what)
{
	struct err e;
	err_set(&e, ERR_USAGE, "%s", what);
	cli_die(&cli, &e);
}

static void
read_bleu_list(struct eval_params *p)
{
	char *list = x_strdup(opt.bleu), *save;
	for (char *s = strtok_r(list, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		if (strcmp(s, "char") == 0)
			p->char_bleu = true;
		else if (strcmp(s, "sacrebleu") == 0)
			p->sacrebleu = true;
		else
			die_usage("--bleu: names are char and sacrebleu");
	}
	free(list);
	if (!p->char_bleu && !p->sacrebleu)
		die_usage("--bleu: names no BLEU");
}

static struct eval_params
read_params(void)
{
	struct eval_params p = {.hypotheses = opt.hypotheses.v,
		.n_hypotheses = opt.hypotheses.n,
		.reference = opt.reference,
		.reward_field = opt.reward_field,
		.reward = opt.reward_field != NULL || opt.reward != NULL,
		.fields = opt.fields.v,
		.n_fields = opt.fields.n,
		.by = opt.by};
	if (p.n_hypotheses == 0 && opt.agreements.n > 0)
		return p;
	if (p.n_hypotheses == 0)
		die_usage("nothing to evaluate: give --hypothesis LABEL or --agreement NAME");
	for (int i = 0; i < p.n_hypotheses; i++)
		for (int k = 0; k < i; k++)
			if (strcmp(p.hypotheses[i], p.hypotheses[k]) == 0)
				die_usage("--hypothesis: the same label twice");
	if (opt.reference == NULL && !p.reward && p.n_fields == 0)
		die_usage("nothing to measure: give --reference, --reward, --reward-field or "
			  "--field");
	if (opt.reward && opt.agreements.n > 0)
		die_usage("--agreement reads numbers that are there: use pro-score before");
	if (opt.reward && opt.reward_field)
		die_usage("--reward and --reward-field exclude each other");
	if (opt.agreements.n > 0 && opt.format == FORMAT_CSV)
		die_usage("--agreement has no CSV form");
	read_bleu_list(&p);
	return p;
}

/* What was left out, so that no mean hides it. */
static void
warn_missing(const struct evaluation *v)
{
	struct strings notes = {0};
	evaluation_notes(v, &notes);
	for (int i = 0; i < notes.n; i++)
		cli_warn(&cli, "%s", notes.v[i]);
	strings_free(&notes);
}

/* One record into the evaluation: 1, 0 when it has no response of the systems, or -1. */
static int
add(struct filter *f, struct evaluation *v, struct record *r, struct err *e)
{
	int any = 0; /* a record is in all figures or in none */
	for (int i = 0; i < opt.agreements.n && any >= 0; i++)
		any = agreement_try(&opt.agreement[i], r, e);
	if (any >= 0)
		any = evaluation_add(v, r, NULL, e);
	for (int i = 0; opt.agreement && i < opt.agreements.n && any >= 0; i++) {
		agreement_add(&opt.agreement[i], r, NULL);
		if (opt.agreement[i].pairs == 0)
			evaluation_note_numbers(v, r);
	}
	if (any == 0 && v->params.n_hypotheses == 0)
		return 1;
	if (any == 0)
		return filter_reject(f, r, "no response of the systems", e);
	return any < 0 ? filter_bad(f, r->root, e) : any;
}

/* The same by way of the reward model. */
static int
add_scored(struct filter *f, struct reward_queue *q, struct record *r, struct err *e)
{
	struct buf where = BUF_INIT;
	const char *why = NULL;
	int k = 0;
	while (k < r->n_responses && !evaluation_wants(q->evaluation, r, k))
		k++;
	if (k == r->n_responses)
		return add(f, q->evaluation, r, e);
	if (evaluation_try(q->evaluation, r, true, e) < 0) /* here, where it can be rejected */
		return filter_bad(f, r->root, e);
	buf_printf(&where, "%s:%lld", input_file(f->in), (long long)input_lineno(f->in));
	int rc = reward_queue_add(q, r, where.data, &why, e);
	buf_free(&where);
	if (rc == REWARD_UNFIT)
		return filter_bad(f, r->root, e);
	if (rc == REWARD_DROPPED)
		return filter_reject(f, r, why, e);
	if (rc == REWARD_CUT &&
		filter_note_cut(f, reward_queue_last(q), "cut for the reward model", e) < 0)
		return -1;
	return rc < 0 ? rc : 1;
}

static int
evaluate(struct filter *f, struct evaluation *v, struct reward_queue *q, struct err *e)
{
	struct record r = {0};
	struct progress progress;
	progress_init(&progress, cli.name, "records", cli.expect, cli.quiet, cli.progress_interval);
	int rc;
	while ((rc = filter_next(f, &r, e)) > 0) {
		rc = q ? add_scored(f, q, &r, e) : add(f, v, &r, e);
		if (rc < 0)
			break;
		f->n_out += rc;
		int waiting = q ? q->n : 0;
		progress_bytes(&progress, filter_bytes_done(f, waiting), input_bytes_total(f->in));
		progress_set(&progress, f->n_in - waiting);
	}
	if (rc >= 0 && q)
		rc = reward_queue_flush(q, e);
	progress_end(&progress);
	record_free(&r);
	return rc;
}

static int
evaluate_with(const char *reward, struct filter *f, struct evaluation *v, struct err *e)
{
	if (reward == NULL)
		return evaluate(f, v, NULL, e);
	struct scorer scorer;
	struct reward_queue q;
	const char *how = "";
	struct kernels *k = kernels_cpu_open((int)cli.threads);
	if (k == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	opt.template.score_at = (enum score_at)opt.score_at;
	int rc = scorer_open(&scorer, reward, HEAD_REWARD, &opt.template, (int)opt.max_length, 0,
		(enum on_overlong)opt.on_overlong, k, &how, e);
	if (rc == 0) {
		struct buf notes = BUF_INIT;
		template_notes(scorer.template, true, &notes);
		cli_info(&cli, "%s: template %s (%s)%s", reward, template_name(scorer.template),
			how, notes.data);
		buf_free(&notes);
		reward_queue_init(&q, &scorer, v);
		rc = evaluate(f, v, &q, e);
		reward_queue_free(&q);
		scorer_close(&scorer);
	}
	k->close(k);
	return rc;
}

static void
check_agreements(const struct evaluation *v, struct err *e)
{
	for (int i = 0; opt.agreement && i < opt.agreements.n; i++) {
		const struct agreement *a = &opt.agreement[i];
		if (a->pairs == 0) {
			struct buf seen = BUF_INIT;
			evaluation_numbers(v, &seen);
			err_set(e, ERR_DATA,
				"no two responses of a record have a number in '%s'; there are: %s",
				a->field, seen.data);
			cli_die(&cli, e);
		}
		if (a->missing > 0)
			cli_warn(&cli, "%lld pair%s without a number in '%s' not compared",
				(long long)a->missing, human_s(a->missing), a->field);
	}
}

static void
print(const struct evaluation *v)
{
	struct buf out = BUF_INIT;
	if (opt.format == FORMAT_JSON)
		report_json(v, opt.agreement, opt.agreements.n, &out);
	else if (opt.format == FORMAT_CSV)
		report_csv(v, &out);
	else if (opt.hypotheses.n > 0)
		report_table(v, opt.reward ? opt.reward : opt.reward_field, &out);
	if (opt.format == FORMAT_TABLE)
		for (int i = 0; i < opt.agreements.n; i++)
			agreement_table(&opt.agreement[i], &out);
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	struct filter f;
	struct evaluation v;
	cli_parse(&cli, argc, argv);
	struct eval_params params = read_params();
	evaluation_init(&v, &params);
	opt.agreement = x_calloc((size_t)opt.agreements.n, sizeof *opt.agreement);
	for (int i = 0; i < opt.agreements.n; i++)
		opt.agreement[i].field = opt.agreements.v[i];
	int rc = filter_open(&f, cli.files, cli.n_files, NULL, cli.rejects, &e);
	f.skip_bad = cli.on_bad_line == 1;
	/* what the evaluation misses says more than that no record was of use */
	if (rc < 0 || evaluate_with(opt.reward, &f, &v, &e) < 0 ||
		(v.n_records > 0 && evaluation_check(&v, &e) < 0) ||
		filter_finish(&f, cli.expect, &e) < 0 || evaluation_check(&v, &e) < 0)
		cli_die(&cli, &e);
	warn_missing(&v);
	check_agreements(&v, &e);
	print(&v);
	if (f.ids.twice > 0)
		cli_info(&cli, FILTER_TWICE, f.ids.first);
	struct buf b = BUF_INIT;
	filter_rejected(&f, &b);
	cli_info(&cli, "%lld record%s read, %lld evaluated, %s, %lld cut", (long long)f.n_in,
		human_s(f.n_in), (long long)f.n_out, b.data, (long long)f.n_cut);
	buf_free(&b);
	filter_close(&f);
	evaluation_free(&v);
	free(opt.agreement);
	return cli_close_stdout(&cli);
}
