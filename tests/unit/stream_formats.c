/*
 * What becomes of records of every format, from tests/golden/import/cases.jsonl: one object a line,
 * {"in": a foreign record, and one of
 *  "out": the records that it becomes, "reject": the reason, "error": the message}, "format".
 * The inputs are made up here, in the shapes that the data cards and the readers' comments name.
 */
#include "lib/stream/export.h"
#include "lib/stream/import.h"
#include "lib/stream/input.h"
#include "lib/stream/record.h"

#include "tests/test.h"

enum { PATH = 512 };

static const char cases_path[] = "tests/golden/import/cases.jsonl";
static const char *const names[] = {"auto",
#define NAME(E, name, reader, takes, members) name,
	IMPORT_TABLE(NAME)
#undef NAME
};

/* Reads the next case; NULL at the end. */
static json_t *
next_case(struct input *in)
{
	const char *line;
	size_t n;
	struct err e = {0};
	if (input_line(in, &line, &n, &e) <= 0)
		return NULL;
	json_t *v = json_parse(line, n, &e);
	CHECK(v != NULL);
	return v;
}

/* As the case has it: what became of the value under the importer's options. */
static json_t *
outcome_of(struct importer im, const json_t *in)
{
	struct arena a;
	struct imports got = {0};
	struct err e = {0};
	json_t *o = json_object(), *list = json_array();
	arena_init(&a);
	int rc = import_detect(in, &im.format, &e);
	if (rc == 0) {
		json_object_set_new(o, "format", json_string(import_format_name(im.format)));
		rc = import_value(&im, in, 1, &a, &got, &e);
	}
	for (int i = 0; i < got.n; i++) {
		struct record r = {0};
		if (got.v[i].record == NULL) {
			json_object_set_new(o, "reject", json_string(got.v[i].reason));
			continue;
		}
		json_array_append(list, got.v[i].record);
		CHECK(record_take(&r, got.v[i].record, &e) == 0); /* whatever is made is one */
		record_free(&r);
	}
	if (rc < 0)
		json_object_set_new(o, "error", json_string(e.msg));
	if (json_array_size(list) > 0)
		json_object_set(o, "out", list);
	json_decref(list);
	arena_free(&a);
	return o;
}

static json_t *
outcome(const json_t *in)
{
	return outcome_of((struct importer){.format = IMPORT_AUTO}, in);
}

/* What the options make of a line: texts and rewards of the responses, "reject: " or "error: ". */
static const char *
under(struct importer im, const char *line)
{
	static struct buf b = BUF_INIT;
	struct err e = {0};
	json_t *in = json_parse(line, strlen(line), &e), *o = outcome_of(im, in), *r;
	size_t i;
	buf_reset(&b);
	buf_puts(&b, "");
	json_array_foreach(
		json_object_get(json_array_get(json_object_get(o, "out"), 0), "responses"), i, r)
	{
		buf_printf(&b, "%s%s", i ? " " : "", json_string_value(json_object_get(r, "text")));
		if (json_object_get(r, "reward")) {
			buf_putc(&b, '=');
			json_write(&b, json_object_get(r, "reward"));
		}
	}
	if (json_object_get(o, "reject"))
		buf_printf(&b, "reject: %s", json_string_value(json_object_get(o, "reject")));
	if (json_object_get(o, "error"))
		buf_printf(&b, "error: %s", json_string_value(json_object_get(o, "error")));
	json_decref(in);
	json_decref(o);
	return b.data;
}

static void
test_reward_from(void)
{
	static const char list[] =
		"{\"instruction\":\"q\",\"completions\":[{\"response\":\"a\",\"overall_score\":9,"
		"\"fine-grained_score\":3,\"annotations\":{\"truth\":{\"Rating\":\"2\"}}},"
		"{\"response\":\"b\",\"overall_score\":8,\"fine-grained_score\":3.5,"
		"\"annotations\":{\"truth\":{\"Rating\":\"N/A\"}}}]}";
	static const char pair[] = "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\","
				   "\"score_chosen\":3,\"score_rejected\":2,\"chosen_rating\":5,"
				   "\"rejected_rating\":1}";
	struct importer im = {0};
	CHECK_STR(under(im, list), "a=9 b=8");
	im.reward_from = "fine-grained_score";
	CHECK_STR(under(im, list), "b=3.5 a=3");
	im.reward_from = "annotations.truth.Rating";
	CHECK_STR(under(im, list), "a=2 b");
	im.reward_from = "annotations.none.Rating";
	CHECK_STR(under(im, list),
		"error: completions[0]: --reward-from annotations.none.Rating: no such member");
	im.reward_from = NULL;
	CHECK_STR(under(im, pair), "error: score_chosen and chosen_rating could both be the score; "
				   "say --reward-from");
	im.reward_from = "rating";
	CHECK_STR(under(im, pair), "a=5 b=1");
	im.reward_from = "score";
	CHECK_STR(under(im, pair), "a=3 b=2");
	im.reward_from = "votes";
	CHECK_STR(under(im, pair), "error: --reward-from votes: no member votes_chosen or "
				   "chosen_votes");
	im.reward_from = "safer_response_id";
	CHECK_STR(under(im, "{\"prompt\":\"p\",\"response_0\":\"a\",\"response_1\":\"b\","
			    "\"better_response_id\":0,\"safer_response_id\":1}"),
		"b a");
}

static void
test_reward_scale(void)
{
	static const char pair[] = "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\","
				   "\"score_chosen\":10,\"score_rejected\":2}";
	static const char *const wrong[] = {
		"", "1:", ":1", "2:1", "1:1", "0", "-1", "x", "1:2:3", "nan", "inf:1", "1e999"};
	struct importer im = {0};
	struct import_notes notes = {0};
	struct err e = {0};
	im.notes = &notes;
	CHECK_STR(under(im, pair), "a=10 b=2");
	CHECK(notes.rewards == 2 && notes.low == 2 && notes.high == 10);
	CHECK(import_parse_scale(&im, "0:10", &e) == 0);
	CHECK_STR(under(im, pair), "a=1.0 b=0.2");
	CHECK(import_parse_scale(&im, "-10:30", &e) == 0);
	CHECK_STR(under(im, pair), "a=0.5 b=0.3");
	CHECK(import_parse_scale(&im, "3:10", &e) == 0);
	CHECK_STR(under(im, pair), "reject: a score outside --reward-scale");
	CHECK(import_parse_scale(&im, ".5", &e) == 0);
	CHECK_STR(under(im, pair), "a=5.0 b=1.0");
	CHECK(import_parse_scale(&im, "1e308", &e) == 0);
	CHECK_STR(under(im, pair), "reject: a score outside --reward-scale");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(import_parse_scale(&im, wrong[i], &e) < 0 && e.code == ERR_USAGE);
}

static const char *
prompt_under(const char *from, const char *line)
{
	static struct buf b = BUF_INIT;
	struct importer im = {.prompt_from = from};
	struct err e = {0};
	json_t *in = json_parse(line, strlen(line), &e), *o = outcome_of(im, in);
	const json_t *r = json_array_get(json_object_get(o, "out"), 0);
	buf_reset(&b);
	json_write(&b, r ? json_object_get(r, "prompt") : o);
	json_decref(in);
	json_decref(o);
	return b.data;
}

static void
test_prompt_from(void)
{
	static const char two[] = "{\"question\":\"q\",\"context\":\"c\",\"chosen\":\"a\","
				  "\"rejected\":\"b\",\"body\":\"x\",\"turns\":[[\"u\",\"v\"]]}";
	CHECK_STR(prompt_under("question", two), "\"q\"");
	CHECK_STR(prompt_under("context,question", two),
		"[{\"role\":\"user\",\"content\":\"c\\nq\"}]");
	CHECK_STR(prompt_under("body", two), "\"x\"");
	CHECK_STR(prompt_under("turns,body", two),
		"[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":"
		"\"v\"},{\"role\":\"user\",\"content\":\"x\"}]");
	CHECK_STR(prompt_under("none", two),
		"{\"format\":\"trl\",\"error\":\"--prompt-from none: no such member\"}");
}

static void
test_cases(void)
{
	const char *path = cases_path;
	struct input *in = input_open(&path, 1);
	json_t *v, *seen = json_object();
	int n = 0;
	while ((v = next_case(in)) != NULL) {
		json_t *want = json_deep_copy(v), *got = outcome(json_object_get(v, "in"));
		json_object_del(want, "in");
		const json_t *format = json_object_get(want, "format");
		if (format)
			json_object_set_new(seen, json_string_value(format), json_true());
		if (!json_equal(want, got)) {
			struct buf b = BUF_INIT;
			json_write(&b, got);
			printf("# %s:%lld: now %s\n", path, (long long)input_lineno(in), b.data);
			buf_free(&b);
			CHECK(!"the case holds");
		}
		json_decref(want);
		json_decref(got);
		json_decref(v);
		n++;
	}
	input_close(in);
	CHECK(n > 100);
	for (int f = IMPORT_AUTO + 1; f < IMPORT_FORMAT_N; f++) {
		if (json_object_get(seen, names[f]) == NULL)
			printf("# no case of format %s\n", names[f]);
		CHECK(json_object_get(seen, names[f]) != NULL);
	}
	json_decref(seen);
}

/* The record's prompt, its first text and the first other one: equal ones make no pair. */
static json_t *
essence(const json_t *record)
{
	json_t *o = json_object(), *list = json_array();
	const json_t *responses = json_object_get(record, "responses");
	json_object_set(o, "prompt", json_object_get(record, "prompt"));
	for (size_t i = 0; i < json_array_size(responses) && json_array_size(list) < 2; i++) {
		const json_t *first = json_array_get(list, 0);
		json_t *text = json_object_get(json_array_get(responses, i), "text");
		if (first == NULL || !json_equal(first, text))
			json_array_append(list, text);
	}
	json_object_set_new(o, "texts", list);
	return o;
}

/* Written for TRL and read again, a record has the prompt and the texts that it had. */
static bool
comes_back(const json_t *record)
{
	struct record r = {0};
	struct buf b = BUF_INIT;
	struct err e = {0};
	const char *reason = NULL;
	bool same = true;
	if (record_take(&r, json_deep_copy(record), &e) == 0 &&
		export_record(&r, EXPORT_TRL, &b, &reason, &e) > 0) {
		json_t *in = json_parse(b.data, strcspn(b.data, "\n"), &e), *o = outcome(in);
		json_t *x = essence(record),
		       *y = essence(json_array_get(json_object_get(o, "out"), 0));
		same = json_equal(x, y);
		if (!same)
			printf("# %s", b.data);
		json_decref(in);
		json_decref(o);
		json_decref(x);
		json_decref(y);
	}
	record_free(&r);
	buf_free(&b);
	return same;
}

static void
test_there_and_back(void)
{
	const char *path = cases_path;
	struct input *in = input_open(&path, 1);
	json_t *v, *record;
	size_t i;
	while ((v = next_case(in)) != NULL) {
		json_array_foreach(json_object_get(v, "out"), i, record) CHECK(comes_back(record));
		json_decref(v);
	}
	input_close(in);
}

/* The man page has the formats of the table, in its order, and no others. */
static void
test_manual(void)
{
	FILE *page = fopen("man/pro-import.1", "r");
	char line[PATH], want[PATH];
	int f = 0;
	bool inside = false;
	CHECK(page != NULL);
	while (page && fgets(line, sizeof line, page)) {
		if (strncmp(line, ".Sh ", 4) == 0)
			inside = strcmp(line, ".Sh FORMATS\n") == 0;
		if (!inside || strncmp(line, ".It Cm ", 7) != 0)
			continue;
		f++;
		snprintf(want, sizeof want, ".It Cm %s\n", f < IMPORT_FORMAT_N ? names[f] : "");
		CHECK_STR(line, want);
	}
	CHECK(f == IMPORT_FORMAT_N - 1);
	if (page)
		fclose(page);
	for (int i = 0; i < IMPORT_FORMAT_N; i++)
		CHECK_STR(import_format_name((enum import_format)i), names[i]);
}

int
main(void)
{
	RUN(test_cases);
	RUN(test_reward_from);
	RUN(test_reward_scale);
	RUN(test_prompt_from);
	RUN(test_there_and_back);
	RUN(test_manual);
	TEST_END;
}
