/* Reranking: order, ties, --length, --keep-top. */
#include "lib/gen/rerank.h"
#include "tests/test.h"

/* The record after reranking, its responses as "text:reward[/raw] ...". */
static const char *
rerank(const char *responses, struct rerank_options o, int times)
{
	static char out[1024];
	struct buf line = BUF_INIT;
	struct record r = {0};
	struct err e = {0};
	buf_printf(&line, "{\"id\":\"x\",\"prompt\":\"p\",\"responses\":%s}", responses);
	CHECK(record_parse(&r, line.data, line.len, &e) == 0);
	int rc = 0;
	while (rc == 0 && times-- > 0)
		rc = rerank_record(&r, &o, &e);
	out[0] = '\0';
	if (rc < 0) {
		CHECK(e.code == ERR_DATA);
		snprintf(out, sizeof out, "%s", e.msg);
	} else {
		buf_reset(&line);
		for (int i = 0; i < r.n_responses; i++) {
			json_t *v = r.responses[i].json;
			char raw[64];
			snprintf(raw, sizeof raw, "raw_%s", o.field);
			buf_printf(&line, "%s%s:", i ? " " : "", r.responses[i].text);
			json_write(&line, json_object_get(v, o.field));
			if (json_object_get(v, raw)) {
				buf_putc(&line, '/');
				json_write(&line, json_object_get(v, raw));
			}
		}
		snprintf(out, sizeof out, "%s", line.data ? line.data : "");
	}
	record_free(&r);
	buf_free(&line);
	return out;
}

#define A(t, v) "{\"text\":\"" t "\",\"reward\":" v "}"

static void
best_comes_first_and_ties_keep_their_order(void)
{
	struct rerank_options o = {.field = "reward"};
	CHECK_STR(rerank("[" A("a", "-1") "," A("b", "2.5") "," A("c", "0") "," A("d", "2.5") "]",
			  o, 1),
		"b:2.5 d:2.5 c:0 a:-1");
	CHECK_STR(rerank("[]", o, 1), "");
	CHECK_STR(rerank("[" A("a", "1") "]", o, 1), "a:1");
}

static void
length_keeps_the_best(void)
{
	struct rerank_options o = {.field = "reward", .length = 2};
	CHECK_STR(rerank("[" A("a", "1") "," A("b", "3") "," A("c", "2") "]", o, 1), "b:3 c:2");
	o.length = 5;
	CHECK_STR(rerank("[" A("a", "1") "," A("b", "3") "]", o, 1), "b:3 a:1");
}

static void
keep_top_reassigns_the_values(void)
{
	struct rerank_options o = {.field = "reward", .keep_top = true};
	const char *four = "[" A("a", "1") "," A("b", "3") "," A("c", "2") "," A("d", "-1") "]";
	const char *want = "a:3/1 b:2/3 c:1/2 d:-1/-1";
	CHECK_STR(rerank(four, o, 1), want);
	CHECK_STR(rerank(four, o, 2), want); /* again changes nothing */
	o.length = 2;
	CHECK_STR(rerank(four, o, 1), "a:3/1 b:1/3");
	o.length = 1;
	CHECK_STR(rerank(four, o, 1), "a:1/1");
}

static void
another_field_is_sorted_by(void)
{
	struct rerank_options o = {.field = "RM_eval", .keep_top = true};
	CHECK_STR(rerank("[{\"text\":\"a\",\"RM_eval\":0,\"reward\":9},{\"text\":\"b\",\"RM_eval\":"
			 "1}]",
			  o, 1),
		"a:1/0 b:0/1");
}

static void
a_missing_reward_is_named(void)
{
	struct rerank_options o = {.field = "reward"};
	CHECK_STR(rerank("[" A("a", "1") ",{\"text\":\"b\"}]", o, 1),
		"responses[1].reward: missing: --reward DIR adds it, --reward-field NAME sorts by "
		"another number");
	CHECK_STR(rerank("[" A("a", "null") "]", o, 1),
		"responses[0].reward: missing: --reward DIR adds it, --reward-field NAME sorts by "
		"another number");
	CHECK_STR(rerank("[" A("a", "1") "," A("b", "\"2\"") "]", o, 1),
		"responses[1]: reward: not a number");
}

int
main(void)
{
	RUN(best_comes_first_and_ties_keep_their_order);
	RUN(length_keeps_the_best);
	RUN(keep_top_reassigns_the_values);
	RUN(another_field_is_sorted_by);
	RUN(a_missing_reward_is_named);
	TEST_END;
}
