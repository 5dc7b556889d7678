#include "tests/test.h"

#include "lib/eval/report.h"
#include "lib/eval/table.h"

static const char *const systems[] = {"a", "b"};
static const char *const fields[] = {"t"};

static struct eval_params
all_columns(void)
{
	return (struct eval_params){.hypotheses = systems,
		.n_hypotheses = 2,
		.reference = "ref",
		.char_bleu = true,
		.sacrebleu = true,
		.reward_field = "rm",
		.reward = true,
		.fields = fields,
		.n_fields = 1,
		.by = "subset"};
}

/* Responses as "source text rm t" rows; rc of evaluation_add. */
static int
add(struct evaluation *v, const char *json, struct err *e)
{
	struct record r = {0};
	int rc = record_parse(&r, json, strlen(json), e);
	if (rc >= 0)
		rc = evaluation_add(v, &r, NULL, e);
	record_free(&r);
	return rc;
}

static const char *const three_records[] = {
	"{\"prompt\":\"p\",\"subset\":\"x\",\"responses\":["
	"{\"source\":\"ref\",\"text\":\"one two three four\"},"
	"{\"source\":\"a\",\"text\":\" one two three four\\n\",\"rm\":0,\"t\":1},"
	"{\"source\":\"b\",\"text\":\"one two three four five\",\"rm\":1000,\"t\":0}]}",
	/* two responses of a: their mean is the record's; none of b */
	"{\"prompt\":\"p\",\"subset\":\"y\",\"responses\":["
	"{\"source\":\"a\",\"text\":\"abcd\",\"rm\":1000,\"t\":4},"
	"{\"source\":\"a\",\"text\":\"wxyz\",\"rm\":-1000,\"t\":2},"
	"{\"source\":\"ref\",\"text\":\"abcd\"},{\"source\":\"ref\",\"text\":\"efgh\"}]}",
	/* no reference, no numbers */
	"{\"prompt\":\"p\",\"subset\":\"y\",\"responses\":[{\"source\":\"a\",\"text\":\"z\"}]}",
};

static void
add_all(struct evaluation *v)
{
	struct eval_params p = all_columns();
	struct err e = {0};
	evaluation_init(v, &p);
	for (int i = 0; i < 3; i++)
		CHECK(add(v, three_records[i], &e) == 1);
	CHECK(evaluation_check(v, &e) == 0);
}

static void
means_are_over_records(void)
{
	struct evaluation v;
	add_all(&v);
	CHECK(v.n_records == 3 && v.n_subsets == 3);
	CHECK_STR(v.subsets[1], "x");
	CHECK_STR(v.subsets[2], "y");
	const struct eval_cell *a = &v.cells[0][0], *b = &v.cells[0][1], *ay = &v.cells[2][0];
	CHECK(a->n == 3 && a->missing == 0 && a->responses == 4 && a->segments == 3);
	CHECK(b->n == 1 && b->missing == 2);
	CHECK(v.no_reference == 1 && v.extra_references == 1);
	CHECK(v.no_reward == 1 && v.no_field[0] == 1);
	/* Records: 1 (white space stripped) and (1 + 0) / 2. */
	CHECK(a->char_bleu.n == 2);
	CHECK_NEAR(a->char_bleu.mean, 0.75, 1e-15);
	CHECK_NEAR(a->reward.mean, 0.5, 1e-15);
	CHECK_NEAR(a->fields[0].mean, 2, 1e-15); /* 1 and 3, not 1, 4, 2 */
	CHECK_NEAR(ay->fields[0].mean, 3, 1e-15);
	CHECK(ay->n == 2 && ay->fields[0].n == 1);
	/* Segments of a: 4 of 4 words, 1 of 1, 0 of 1. */
	CHECK(a->corpus.correct[0] == 5 && a->corpus.total[0] == 6 && a->corpus.ref_len == 6);
	evaluation_free(&v);
}

static void
scores_come_before_fields(void)
{
	struct evaluation v;
	struct eval_params p = {.hypotheses = systems, .n_hypotheses = 1, .reward = true};
	struct record r = {0};
	struct err e = {0};
	evaluation_init(&v, &p);
	const char *line = "{\"prompt\":\"p\",\"responses\":[{\"source\":\"b\",\"text\":\"\"},"
			   "{\"source\":\"a\",\"text\":\"\"}]}";
	CHECK(record_parse(&r, line, strlen(line), &e) == 0);
	CHECK(!evaluation_wants(&v, &r, 0) && evaluation_wants(&v, &r, 1));
	CHECK(evaluation_add(&v, &r, (const double[]){NAN, 1}, &e) == 1);
	CHECK_NEAR(v.cells[0][0].reward.mean, 0.73105857863000487926, 1e-15);
	CHECK(v.no_reward == 0);
	record_free(&r);
	evaluation_free(&v);
}

static void
what_never_appears_is_an_error(void)
{
	struct evaluation v;
	struct eval_params p = all_columns();
	struct err e = {0};
	evaluation_init(&v, &p);
	CHECK(evaluation_check(&v, &e) < 0 && e.code == ERR_DATA);
	CHECK_STR(e.msg, "no records: nothing was evaluated");
	CHECK(add(&v, "{\"prompt\":\"p\",\"responses\":[{\"source\":\"c\",\"text\":\"\"}]}", &e) ==
		0);
	CHECK(add(&v, three_records[1], &e) == 1);
	CHECK(evaluation_check(&v, &e) < 0 && e.code == ERR_DATA);
	CHECK_STR(e.msg, "--hypothesis b: no response has this source; there are: c, a, ref");
	CHECK(add(&v, three_records[0], &e) == 1);
	CHECK(evaluation_check(&v, &e) == 0);
	evaluation_free(&v);

	p.reference = "gold";
	evaluation_init(&v, &p);
	CHECK(add(&v, three_records[0], &e) == 1);
	CHECK(evaluation_check(&v, &e) < 0 && strncmp(e.msg, "--reference gold:", 17) == 0);
	evaluation_free(&v);

	p = all_columns();
	p.reward_field = "none";
	evaluation_init(&v, &p);
	CHECK(add(&v, three_records[0], &e) == 1);
	CHECK(evaluation_check(&v, &e) < 0);
	CHECK_STR(e.msg, "no response has a number in 'none'; there are: rm, t");
	evaluation_free(&v);
}

static void
bad_numbers_and_subsets_are_named(void)
{
	struct evaluation v;
	struct eval_params p = all_columns();
	struct err e = {0};
	evaluation_init(&v, &p);
	CHECK(add(&v,
		      "{\"prompt\":\"p\",\"responses\":[{\"source\":\"c\",\"text\":\"\"},"
		      "{\"source\":\"a\",\"text\":\"\",\"rm\":\"high\"}]}",
		      &e) < 0);
	CHECK(e.code == ERR_DATA && strstr(e.msg, "responses[1]") && strstr(e.msg, "rm"));
	CHECK(add(&v, "{\"prompt\":\"p\",\"subset\":7,\"responses\":[]}", &e) < 0);
	CHECK(e.code == ERR_DATA && strstr(e.msg, "subset"));
	/* As many subsets as records would be memory that grows: refused. */
	int rc = 0;
	for (int i = 0; i <= EVAL_MAX_SUBSETS && rc >= 0; i++) {
		char line[128];
		snprintf(line, sizeof line, "{\"prompt\":\"p\",\"subset\":\"s%d\"}", i);
		rc = add(&v, line, &e);
	}
	CHECK(rc < 0 && e.code == ERR_DATA && strstr(e.msg, "more than 1000"));
	evaluation_free(&v);
}

static void
json_holds_every_digit(void)
{
	struct evaluation v;
	add_all(&v);
	struct buf out = BUF_INIT;
	struct err e = {0};
	report_json(&v, NULL, 0, &out);
	json_t *list = json_parse(out.data, out.len, &e), *row;
	CHECK(json_array_size(list) == 6);
	row = json_array_get(list, 2); /* a, Total */
	CHECK_STR(json_string_value(json_object_get(row, "system")), "a");
	CHECK_STR(json_string_value(json_object_get(row, "subset")), "Total");
	CHECK(json_integer_value(json_object_get(row, "n")) == 3);
	CHECK(json_real_value(json_object_get(row, "bleu_char")) == 75);
	CHECK(json_real_value(json_object_get(row, "sacrebleu")) ==
		bleu_corpus_score(&v.cells[0][0].corpus, NULL, NULL));
	CHECK(json_real_value(json_object_get(row, "reward")) == 50);
	json_t *t = json_object_get(json_object_get(row, "fields"), "t");
	double half = 1.959963984540054; /* of 1 and 3: sd sqrt 2, n 2 */
	/* 1 and 0.5: a quarter of that, x 100 */
	CHECK_NEAR(json_real_value(json_object_get(row, "bleu_char_low")), 75 - 25 * half, 1e-12);
	CHECK_NEAR(json_real_value(json_object_get(row, "bleu_char_high")), 75 + 25 * half, 1e-12);
	CHECK_NEAR(json_real_value(json_object_get(t, "mean")), 2, 1e-15);
	CHECK_NEAR(json_real_value(json_object_get(t, "low")), 2 - half, 1e-15);
	CHECK_NEAR(json_real_value(json_object_get(t, "high")), 2 + half, 1e-15);
	row = json_array_get(list, 4); /* b has nothing on y */
	CHECK(json_integer_value(json_object_get(row, "n")) == 0);
	CHECK(json_is_null(json_object_get(row, "bleu_char")));
	CHECK(json_is_null(json_object_get(row, "sacrebleu")));
	CHECK(json_is_null(json_object_get(row, "reward")));
	json_decref(list);
	buf_free(&out);
	evaluation_free(&v);
}

static void
table_lines_up(void)
{
	struct table t = {.n_cols = 3};
	struct buf out = BUF_INIT;
	table_group(&t, "a long name", 1, 2);
	static const char *const cells[] = {
		"System", "x", "y", "\u4f60\u597d", "1.5", "22", "tab\t", "\u00b1", "3"};
	for (int i = 0; i < 9; i++)
		table_cell(&t, "%s", cells[i]);
	table_print(&t, &out);
	CHECK_STR(out.data, "         a long name\n"
			    "System         x   y\n"
			    "\u4f60\u597d         1.5  22\n"
			    "tab\\x09        \u00b1   3\n");
	table_free(&t);
	buf_free(&out);
}

static void
table_folds(void)
{
	struct table t = {.n_cols = 4};
	struct buf out = BUF_INIT;
	char head[30] = {0};
	table_cell(&t, "System");
	for (int i = 0; i < 3; i++) {
		memset(head, 'a' + i, sizeof head - 1);
		table_cell(&t, "%s", head);
	}
	table_section(&t, "first");
	static const char *const cells[] = {
		"x", "1.00\u00b10.10", "2.0", "-", "y", "10.00\u00b112.10", "3\u00b11", "4"};
	for (int i = 0; i < 8; i++) {
		if (i == 4)
			table_section(&t, "the second\n");
		table_cell(&t, "%s", cells[i]);
	}
	CHECK(table_width(&t) == 6 + 3 * 31);
	table_print(&t, &out);
	CHECK_STR(out.data,
		"System  aaaaaaaaaaaaaaaaaaaaaaaaaaaaa  bbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
		"first\n"
		"  x                        1.00\u00b10.10                           2.0\n"
		"the second\\x0a\n"
		"  y                       10.00\u00b112.10                            3\u00b11\n"
		"\n"
		"System  ccccccccccccccccccccccccccccc\n"
		"first\n"
		"  x                                 -\n"
		"the second\\x0a\n"
		"  y                                 4\n");
	table_free(&t);
	buf_free(&out);
}

static void
notes_wrap(void)
{
	struct buf out = BUF_INIT;
	char word[80] = {0};
	memset(word, 'x', sizeof word - 1);
	table_note(&out, "a %s %d\t", word, 7);
	CHECK_STR(out.data + out.len - 10, "x\n  7\\x09\n" + 0);
	CHECK(strncmp(out.data, "a\n  xxx", 7) == 0);
	buf_reset(&out);
	table_note(&out, "%.77s cd", word);
	CHECK(out.len == 81);
	buf_free(&out);
}

static void
csv_quotes(void)
{
	struct buf out = BUF_INIT;
	csv_field(&out, "plain");
	csv_field(&out, "a,\"b\"\n");
	CHECK_STR(out.data, "plain\"a,\"\"b\"\"\n\"");
	buf_free(&out);
}

static void
agreement_counts_pairs_in_order(void)
{
	static const char *const lines[] = {
		"{\"prompt\":\"p\",\"responses\":[{\"text\":\"a\",\"s\":3},{\"text\":\"b\",\"s\":1}"
		","
		"{\"text\":\"c\",\"s\":2}]}",
		"{\"prompt\":\"p\",\"responses\":[{\"text\":\"a\",\"s\":1},{\"text\":\"b\",\"s\":1}"
		","
		"{\"text\":\"c\"}]}",
		"{\"prompt\":\"p\",\"responses\":[{\"text\":\"a\",\"s\":9}]}",
	};
	struct agreement a = {.field = "s"};
	struct err e = {0};
	double low, high;
	CHECK(isnan(agreement_share(&a, &low, &high)));
	for (int i = 0; i < 3; i++) {
		struct record r = {0};
		CHECK(record_parse(&r, lines[i], strlen(lines[i]), &e) == 0);
		CHECK(agreement_add(&a, &r, &e) == 0);
		record_free(&r);
	}
	CHECK(a.pairs == 4 && a.missing == 2);
	CHECK_NEAR(agreement_share(&a, &low, &high), 2.5 / 4, 1e-15);
	/* Wilson's interval of 8 in 10 is [0.4902, 0.9433] (JASA 1927, and any table of it). */
	a.pairs = 10;
	a.right = 8;
	agreement_share(&a, &low, &high);
	CHECK_NEAR(low, 0.4902, 5e-5);
	CHECK_NEAR(high, 0.9433, 5e-5);
}

int
main(void)
{
	RUN(agreement_counts_pairs_in_order);
	RUN(means_are_over_records);
	RUN(scores_come_before_fields);
	RUN(what_never_appears_is_an_error);
	RUN(bad_numbers_and_subsets_are_named);
	RUN(json_holds_every_digit);
	RUN(table_lines_up);
	RUN(table_folds);
	RUN(notes_wrap);
	RUN(csv_quotes);
	TEST_END;
}
