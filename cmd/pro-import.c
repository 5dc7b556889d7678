/* pro-import: preference data in other tools' formats as ranking records. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cli.h"
#include "lib/base/progress.h"
#include "lib/stream/export.h"
#include "lib/stream/filter.h"
#include "lib/stream/import.h"
#include "lib/stream/select.h"
#include "lib/stream/tally.h"

static struct import_notes notes;
static struct importer importer = {.notes = &notes};
static int format, filter_rule, paragraphs, to;
static const char *split_spec, *part, *reward_scale;
static int64_t sample_size = -1;
static bool stats;

static const struct cli_option options[] = {
	OPT_PICK("format", format, IMPORT_FORMATS, "format of the input"),
	OPT_PICK("filter", filter_rule, IMPORT_FILTERS, "which comparisons stay"),
	OPT_PICK("paragraphs", paragraphs, "keep|drop",
		"hh: paragraphs that name no speaker belong to the turn, or are lost",
		.needs = "format=auto|hh"),
	OPT_TEXT("name", importer.name, "NAME",
		"ids are NAME:LINE; else the subset, else the format names them"),
	OPT_TEXT("subset", importer.subset, "S", "write this subset into every record"),
	OPT_TEXT("split", split_spec, "A=X,B=Y,...", "parts by the prompt's hash; see --part"),
	OPT_TEXT("part", part, "A", "the part of --split to write"),
	OPT_COUNT(
		"sample", sample_size, 1, 1e12, "write N records drawn by --seed, in their order"),
	OPT_FLAG("stats", stats, "print a table of what was kept and why not on stderr"),
	OPT_PICK("to", to, EXPORT_FORMATS, "format of the output"),
	OPT_TEXT("prompt-from", importer.prompt_from, "MEMBER,...",
		"the members that are the prompt; else they are searched by name"),
	OPT_TEXT("reward-from", importer.reward_from, "MEMBER",
		"the member that is a response's score; else the format's own"),
	OPT_TEXT("reward-scale", reward_scale, "MIN:MAX|FACTOR",
		"put scores from MIN to MAX onto 0 to 1, or multiply them; else they stay"),
	OPT_END,
};

static struct cli cli = {.name = "pro-import",
	.summary = "Reads preference data of many formats, writes ranking records, best first",
	.operands = "[FILE...]",
	.options = options,
	.draws = "sample",
	.max_operands = -1};

/* A record that waits in the sample. */
struct waiting {
	struct buf text;
	int row;
};

struct run {
	struct filter f;
	struct split split;
	struct sample sample;
	struct record record;
	struct buf text;
	struct arena arena;
	bool checked;      /* the options, against the format */
	int64_t unordered; /* records whose rewards do not descend */
};

static int
reject(struct run *r, const json_t *v, const char *reason, struct err *e)
{
	return filter_reject_json(&r->f, input_file(r->f.in), input_lineno(r->f.in),
		r->record.root ? r->record.id : NULL, reason, v, e);
}

static void
check_order(struct run *r)
{
	double last, now;
	for (int i = 1; i < r->record.n_responses; i++) {
		if (response_number(&r->record.responses[i - 1], "reward", &last, NULL) == 1 &&
			response_number(&r->record.responses[i], "reward", &now, NULL) == 1 &&
			now > last) {
			r->unordered++;
			return;
		}
	}
}

static void
forget(struct waiting *w)
{
	buf_free(&w->text);
	free(w);
}

static void
put_into_sample(struct run *r)
{
	struct waiting *w = x_calloc(1, sizeof *w);
	w->text = r->text;
	r->text = (struct buf)BUF_INIT;
	w->row = r->f.tally.n_rows - 1;
	void *out;
	sample_add(&r->sample, w, &out);
	if (out == NULL)
		return;
	w = out;
	r->f.tally.rows[w->row].kept--;
	r->f.tally.rows[w->row].elsewhere++;
	r->f.n_not_sampled++;
	forget(w);
}

/* One that is not as it must be; filter_bad counts it in its row. */
static int
bad(struct run *r, const json_t *v, int row, struct err *e)
{
	r->f.tally.rows[row].raw--;
	return filter_bad(&r->f, v, e);
}

/* One record, or reject, that a value gave; takes the record. */
static int
one_record(struct run *r, json_t *v, struct imported *x, int row, struct err *e)
{
	const char *reason = NULL;
	r->f.tally.rows[row].raw++;
	if (x->record == NULL) {
		record_free(&r->record);
		return reject(r, v, x->reason, e);
	}
	if (record_take(&r->record, x->record, e) < 0)
		return bad(r, v, row, e);
	id_watch_add(&r->f.ids, r->record.id);
	if (split_spec && !split_has(&r->split, record_prompt_hash(&r->record))) {
		r->f.tally.rows[row].elsewhere++;
		r->f.n_other_part++;
		return 0;
	}
	buf_reset(&r->text);
	int rc = export_record(&r->record, (enum export_format)to, &r->text, &reason, e);
	if (rc < 0)
		return bad(r, v, row, e);
	if (rc == 0)
		return reject(r, v, reason, e);
	check_order(r);
	r->f.tally.rows[row].kept++;
	if (sample_size < 0)
		return filter_emit_bytes(&r->f, r->text.data, r->text.len, false, e);
	put_into_sample(r);
	return 0;
}

/* A value counts as the records that it holds. */
static int
one_value(struct run *r, json_t *v, struct err *e)
{
	struct imports got;
	int row = tally_row(&r->f.tally, input_file(r->f.in)), rc = 0;
	if (import_value(&importer, v, input_lines(r->f.in), &r->arena, &got, e) < 0)
		return filter_bad(&r->f, v, e);
	r->f.n_in += got.n - 1;
	for (int i = 0; i < got.n; i++) {
		if (rc == 0)
			rc = one_record(r, v, &got.v[i], row, e);
		else
			json_decref(got.v[i].record);
	}
	return rc;
}

static int
emit_sample(struct run *r, struct err *e)
{
	int rc = 0;
	sample_sort(&r->sample);
	for (int64_t i = 0; i < r->sample.n_items; i++) {
		struct waiting *w = r->sample.items[i].data;
		if (rc == 0)
			rc = filter_emit_bytes(&r->f, w->text.data, w->text.len, false, e);
		forget(w);
	}
	sample_free(&r->sample);
	return rc;
}

static int
import_all(struct run *r, struct progress *p, struct err *e)
{
	json_t *v;
	int rc;
	while ((rc = filter_next_json(&r->f, &v, e)) > 0) {
		/* a first value that is no record does not decide on the format */
		bool known = importer.format != IMPORT_AUTO;
		if (!known ? import_detect(v, &importer.format, e) < 0
			   : format == IMPORT_AUTO && import_same(v, importer.format, e) < 0) {
			rc = filter_bad(&r->f, v, e);
		} else {
			if (!known)
				cli_info(&cli, "format: %s", import_format_name(importer.format));
			rc = r->checked ? 0 : import_check(&importer, e);
			r->checked = true;
			if (rc == 0)
				rc = one_value(r, v, e);
		}
		json_decref(v);
		arena_reset(&r->arena);
		progress_bytes(p, input_bytes_done(r->f.in), input_bytes_total(r->f.in));
		progress_set(p, r->f.n_in);
		if (rc < 0)
			return -1;
	}
	return rc < 0 ? -1 : emit_sample(r, e);
}

/* The scale of rewards matters: PRO's temperatures are their differences (equation 11). */
static void
say_notes(void)
{
	if (notes.rewards > 0 && !importer.scaled)
		cli_info(&cli,
			"scores of the data, from %g to %g, are the rewards as they are; "
			"--reward-scale MIN:MAX puts their scale onto 0 to 1",
			notes.low, notes.high);
	if (notes.doubtful > 0)
		cli_info(&cli,
			"overall_score contradicts fine-grained_score (in %lld of the records), "
			"and these are ranked by the latter; --reward-from takes one for all",
			(long long)notes.doubtful);
	if (notes.ties > 0)
		cli_info(&cli, "responses of equal reward in %lld of the records",
			(long long)notes.ties);
	if (notes.equal > 0)
		cli_info(&cli, "responses that are all the same in %lld of the records",
			(long long)notes.equal);
}

static void
report(struct run *r)
{
	struct buf b = BUF_INIT;
	if (stats) {
		tally_write(&r->f.tally, &b);
		if (r->f.n_bad > 0)
			tally_line(&b, "bad lines", r->f.n_bad);
		fputs(b.data, stderr);
		buf_reset(&b);
	}
	if (r->f.ids.twice > 0)
		cli_info(&cli, FILTER_TWICE, r->f.ids.first);
	say_notes();
	filter_summary(&r->f, &b);
	if (r->unordered > 0)
		cli_info(&cli,
			"rewards do not descend in %lld of %lld records: pro-rerank sorts them",
			(long long)r->unordered, (long long)r->f.n_out);
	cli_info(&cli, "%s", b.data);
	buf_free(&b);
}

int
main(int argc, char **argv)
{
	struct run r = {0};
	struct err e = {0};
	struct progress p;
	cli_parse(&cli, argc, argv);
	importer.format = (enum import_format)format;
	importer.filter = (enum import_filter)filter_rule;
	importer.drop_paragraphs = paragraphs == 1;
	if (reward_scale && import_parse_scale(&importer, reward_scale, &e) < 0)
		cli_die(&cli, &e);
	if ((split_spec == NULL) != (part == NULL)) {
		err_set(&e, ERR_USAGE, "--split and --part go together");
		cli_die(&cli, &e);
	}
	if (split_spec && split_parse(&r.split, split_spec, part, &e) < 0)
		cli_die(&cli, &e);
	arena_init(&r.arena);
	sample_init(&r.sample, sample_size, cli.seed);
	if (filter_open(&r.f, cli.files, cli.n_files, stdout, cli.rejects, &e) < 0)
		cli_die(&cli, &e);
	r.f.skip_bad = cli.on_bad_line == 1;
	progress_init(&p, cli.name, "records", -1, cli.quiet, cli.progress_interval);
	int rc = import_all(&r, &p, &e);
	progress_end(&p);
	if (rc == 0)
		report(&r);
	if (rc < 0 || filter_finish(&r.f, cli.expect, &e) < 0)
		cli_die(&cli, &e);
	filter_close(&r.f);
	record_free(&r.record);
	arena_free(&r.arena);
	buf_free(&r.text);
	return cli_close_stdout(&cli);
}
