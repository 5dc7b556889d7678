#include "lib/stream/dialogue.h"
#include "lib/stream/export.h"
#include "lib/stream/import.h"
#include "lib/stream/input.h"

#include "tests/test.h"

static struct importer
importer(enum import_format format)
{
	return (struct importer){.format = format};
}

/* The record of a foreign line as text; "rejected: why" or "error: why". */
static const char *
import_with(const struct importer *im, const char *line)
{
	static struct buf b = BUF_INIT;
	struct importer x = *im;
	struct err e = {0};
	struct arena a;
	struct imports got = {0};
	json_t *v = json_parse(line, strlen(line), &e);
	arena_init(&a);
	buf_reset(&b);
	int rc = v ? 1 : -1;
	if (rc > 0 && x.format == IMPORT_AUTO)
		rc = import_detect(v, &x.format, &e) < 0 ? -1 : 1;
	if (rc > 0)
		rc = import_value(&x, v, 7, &a, &got, &e);
	if (rc < 0)
		buf_printf(&b, "error: %s", e.msg);
	CHECK(rc < 0 || got.n > 0);
	for (int i = 0; i < got.n; i++) {
		struct record r = {0};
		buf_puts(&b, i > 0 ? "\n" : "");
		if (got.v[i].record == NULL) {
			buf_printf(&b, "rejected: %s", got.v[i].reason);
			continue;
		}
		json_write(&b, got.v[i].record);
		CHECK(record_take(&r, got.v[i].record, &e) == 0); /* whatever is made is one */
		record_free(&r);
	}
	json_decref(v);
	arena_free(&a);
	return b.data;
}

static const char *
import(const char *line)
{
	struct importer im = importer(IMPORT_AUTO);
	return import_with(&im, line);
}

static void
test_hh(void)
{
	CHECK_STR(import("{\"chosen\":\"\\n\\nHuman: hi\\n\\nAssistant: yes \\n\\nHuman: more\\n\\n"
			 "of it\\n\\nAssistant:\",\"rejected\":\"\\n\\nHuman: hi\\n\\nAssistant: "
			 "yes\\n\\nHuman: more\\n\\nof it\\n\\nAssistant: no\",\"k\":1}"),
		"{\"id\":\"hh:7\",\"prompt\":[{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"user\",\"content\":"
		"\"more\\n\\nof it\"}],\"responses\":[{\"text\":\"\",\"source\":\"hh:chosen\"},"
		"{\"text\":\"no\",\"source\":\"hh:rejected\"}],\"k\":1}");
	struct importer im = importer(IMPORT_HH);
	im.drop_paragraphs = true;
	im.subset = "s";
	CHECK_STR(import_with(&im,
			  "{\"chosen\":\"lost\\n\\nHuman: a\\n\\nb\\n\\nAssistant: c\\n\\nd\","
			  "\"rejected\":\"\\n\\nHuman: a\\n\\nAssistant: e\"}"),
		"{\"id\":\"s:7\",\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],\"responses\":["
		"{\"text\":\"c\",\"source\":\"hh:chosen\"},{\"text\":\"e\",\"source\":"
		"\"hh:rejected\"}],\"subset\":\"s\"}");
	/* consecutive messages of one speaker are one */
	CHECK_STR(import("{\"chosen\":\"\\n\\nHuman: a\\n\\nHuman: b\\n\\nHuman: c\\n\\nAssistant: "
			 "x\\n\\n"
			 "Assistant: y\",\"rejected\":\"\\n\\nHuman: a\\n\\nAssistant: z\"}"),
		"{\"id\":\"hh:7\",\"prompt\":[{\"role\":\"user\",\"content\":\"a\\nb\\nc\"}],"
		"\"responses\":[{\"text\":\"x\\ny\",\"source\":\"hh:chosen\"},{\"text\":\"z\","
		"\"source\":\"hh:rejected\"}]}");
}

static void
test_hh_filters(void)
{
	struct importer im = importer(IMPORT_HH);
	static const char *const cases[][4] = {
		/* the pair; what turns, contexts and none say of it: "" is kept */
		{"{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: "
		 "a\\n\\n"
		 "Assistant: c\"}",
			"", "", ""},
		{"{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: "
		 "A\\n\\n"
		 "Assistant: c\"}",
			"", "different contexts", ""},
		{"{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: "
		 "a\\n\\n"
		 "Assistant:  b \"}",
			"", "equal responses", ""},
		{"{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: "
		 "a\\n\\n"
		 "Assistant: b\\n\\nHuman: c\\n\\nAssistant: d\"}",
			"different numbers of turns", "different contexts", ""},
		{"{\"chosen\":\"\\n\\nHuman: a\",\"rejected\":\"\\n\\nHuman: a\\n\\nAssistant: "
		 "b\"}",
			"no turn of the assistant in the first dialogue",
			"no turn of the assistant in the first dialogue",
			"no turn of the assistant in the first dialogue"},
		{"{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nAssistant: "
		 "a\\n\\n"
		 "Human: b\"}",
			"a dialogue does not end with the assistant",
			"a dialogue does not end with the assistant",
			"a dialogue does not end with the assistant"},
		{"{\"chosen\":\"\\n\\nAssistant: b\",\"rejected\":\"\\n\\nAssistant: c\"}",
			"no prompt", "no prompt", "no prompt"},
		{"{\"chosen\":\"who?\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: "
		 "a\\n\\n"
		 "Assistant: c\"}",
			"text before the first turn", "text before the first turn",
			"text before the first turn"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (int f = 0; f < 3; f++) {
			im.filter = (enum import_filter)f;
			const char *got = import_with(&im, cases[i][0]);
			if (*cases[i][f + 1] == '\0')
				CHECK(*got == '{');
			else
				CHECK_STR(got + strlen("rejected: "), cases[i][f + 1]);
		}
	}
}

#define USER(s) "{\"role\":\"user\",\"content\":\"" s "\"}"
#define BOT(s) "{\"role\":\"assistant\",\"content\":\"" s "\"}"

static void
test_trl(void)
{
	/* explicit prompt, plain and conversational; implicit, conversational and plain */
	CHECK_STR(import("{\"prompt\":\"The sky is\",\"chosen\":\" blue.\",\"rejected\":\" "
			 "green.\"}"),
		"{\"id\":\"trl:7\",\"prompt\":\"The sky is\",\"responses\":[{\"text\":\" blue.\","
		"\"source\":\"trl:chosen\"},{\"text\":\" green.\",\"source\":\"trl:rejected\"}]}");
	static const char conversational[] = "{\"id\":\"trl:7\",\"prompt\":[" USER(
		"sky?") "],\"responses\":[{\"text\":\"blue\","
			"\"source\":\"trl:chosen\"},{\"text\":\"green\",\"source\":\"trl:"
			"rejected\"}]}";
	CHECK_STR(import("{\"prompt\":[" USER("sky?") "],\"chosen\":[" BOT(
			  "blue") "],\"rejected\":[" BOT("green") "]}"),
		conversational);
	CHECK_STR(import("{\"chosen\":[" USER("sky?") "," BOT("blue") "],\"rejected\":[" USER(
			  "sky?") "," BOT("green") "]}"),
		conversational);
	CHECK_STR(import("{\"prompt\":null,\"chosen\":[" USER("sky?") "," BOT(
			  "blue") "],\"rejected\":[" USER("sky?") "," BOT("green") "]}"),
		conversational);
	CHECK_STR(import("{\"prompt\":[" USER(
			  "sky?") "],\"chosen\":\"blue\",\"rejected\":\"green\"}"),
		conversational);
	/* what two texts begin with in common is no prompt: no turn ends there */
	static const char none[] =
		"error: no prompt: the members are chosen, rejected, and the responses are no "
		"whole dialogues; --prompt-from names the prompt's";
	CHECK_STR(import("{\"chosen\":\"The sky is blue.\",\"rejected\":\"The sky is green.\"}"),
		none);
	CHECK_STR(import("{\"chosen\":\"a\",\"rejected\":\"b\"}"), none);
	CHECK_STR(import("{\"prompt\":null,\"chosen\":\"The sky is blue.\",\"rejected\":\"The "
			 "sky is green.\"}"),
		"rejected: no prompt");
	/* a prompt that is a dialogue's text has turns; implicit, it is HH-RLHF */
	CHECK_STR(import("{\"prompt\":\"\\n\\nHuman: sky?\\n\\nAssistant:\",\"chosen\":\"blue\","
			 "\"rejected\":\"green\"}"),
		conversational);
	struct importer im = importer(IMPORT_TRL);
	CHECK_STR(import_with(&im,
			  "{\"chosen\":\"\\n\\nHuman: sky?\\n\\nAssistant: blue\",\"rejected\":"
			  "\"\\n\\nHuman: sky?\\n\\nAssistant: green\"}"),
		conversational);
	CHECK_STR(import("{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":[]}"),
		"error: rejected: not a string, as chosen is");
	CHECK_STR(import("{\"prompt\":\"p\",\"chosen\":[" BOT("a") "],\"rejected\":\"b\"}"),
		"error: rejected: not a list, as chosen is");
	CHECK_STR(import("{\"prompt\":[" USER(
			  "q") "],\"chosen\":[{\"role\":\"user\"}],\"rejected\":[]}"),
		"error: chosen[0]: content: not a text");
}

static void
test_pro(void)
{
#define PREFIX "[\"<|prompter|>q\",\"<|assistant|>a\",\"<|prompter|>r\",\"<|assistant|>\"]"
	static const char record[] =
		"{\"id\":\"pro:7\",\"prompt\":[" USER("q") "," BOT("a") "," USER(
			"r") "],\"responses\":["
			     "{\"text\":\"x\",\"source\":\"pro:1\",\"reward\":-0.5},{\"text\":\"\","
			     "\"source\":"
			     "\"pro:2\",\"reward\":1.25}],\"sft_index\":0,\"meta\":{\"n\":1}}";
	CHECK_STR(import("{\"prefix\":[" PREFIX "," PREFIX
			 "],\"suffix\":[\"x\",\"\"],\"reward\":[-0.5,"
			 "1.25],\"sft_index\":0,\"meta\":{\"n\":1}}"),
		record);
	CHECK_STR(import("{\"prefix\":" PREFIX ",\"suffix\":[\"x\",\"\"],\"reward\":[-0.5,1.25],"
			 "\"sft_index\":0,\"meta\":{\"n\":1}}"),
		record);
	CHECK_STR(import("{\"prefix\":[" PREFIX "],\"suffix\":[\"x\",\"\"]}"),
		"error: prefix: 1 of them for 2 responses");
	CHECK_STR(import("{\"prefix\":" PREFIX ",\"suffix\":[\"x\",\"\"],\"reward\":[1]}"),
		"error: reward: not a list of 2");
	CHECK_STR(import("{\"prefix\":[\"q\"],\"suffix\":[\"x\"]}"),
		"error: prefix: element 0 starts with neither <|prompter|> nor <|assistant|>");
	CHECK_STR(import("{\"prefix\":[],\"suffix\":[]}"), "error: suffix: empty");
}

static void
test_rrhf(void)
{
	CHECK_STR(import("{\"query\":\"q\",\"responses\":[\"a\",\"b\",\"c\"],\"scores\":[1,3.5,3.5]"
			 "}"),
		"{\"id\":\"rrhf:7\",\"prompt\":\"q\",\"responses\":[{\"text\":\"b\",\"source\":"
		"\"rrhf:2\",\"reward\":3.5},{\"text\":\"c\",\"source\":\"rrhf:3\",\"reward\":3.5},"
		"{\"text\":\"a\",\"source\":\"rrhf:1\",\"reward\":1}]}");
	CHECK_STR(import("{\"query\":\"q\",\"responses\":[\"a\"],\"scores\":[]}"),
		"error: scores: 0 of them for 1 responses");
	CHECK_STR(import("{\"query\":\"q\",\"responses\":[\"a\"],\"scores\":[\"x\"]}"),
		"error: scores: not a number");
	CHECK_STR(import("{\"query\":\"q\",\"responses\":[1],\"scores\":[1]}"),
		"error: responses[0]: not a string");
}

static void
test_ultrafeedback(void)
{
	CHECK_STR(import("{\"instruction\":\"i\",\"completions\":[{\"model\":\"m\",\"response\":"
			 "\"a\","
			 "\"overall_score\":4.0,\"critique\":\"c\"},{\"response\":\"b\","
			 "\"overall_score\":null},{\"model\":\"n\",\"response\":\"c\","
			 "\"overall_score\":8}],\"source\":\"s\"}"),
		"{\"id\":\"ultrafeedback:7\",\"prompt\":[" USER(
			"i") "],\"responses\":[{\"text\":\"c\","
			     "\"source\":\"n\",\"reward\":8,\"model\":\"n\"},{\"text\":\"a\","
			     "\"source\":\"m\","
			     "\"reward\":4.0,\"model\":\"m\",\"critique\":\"c\"},{\"text\":\"b\","
			     "\"source\":"
			     "\"ultrafeedback:2\"}],\"source\":\"s\"}");
	CHECK_STR(
		import("{\"prompt\":\"i\",\"prompt_id\":\"5\",\"chosen\":[" USER("i") "," BOT("a") "],\"rejected\":[" USER(
			"i") "," BOT("b") "],\"messages\":[" USER("i") "," BOT("a") "],\"score_"
										    "chosen\":7.5,"
										    "\"score_"
										    "rejected\":"
										    "2}"),
		"{\"id\":\"ultrafeedback:7\",\"prompt\":[" USER(
			"i") "],\"responses\":[{\"text\":\"a\","
			     "\"source\":\"ultrafeedback:chosen\",\"reward\":7.5},{\"text\":\"b\","
			     "\"source\":"
			     "\"ultrafeedback:rejected\",\"reward\":2}],\"prompt_id\":\"5\"}");
}

static void
test_tldr(void)
{
	CHECK_STR(import("{\"info\":{\"id\":\"t3\",\"subreddit\":\"cats\",\"title\":\"T\",\"post\":"
			 "\"P\\nQ\"},\"summaries\":[{\"text\":\" a \",\"policy\":\"x\"},{\"text\":"
			 "\" b\"}],\"choice\":1,\"worker\":\"w\"}"),
		"{\"id\":\"tldr:7\",\"prompt\":\"SUBREDDIT: r/cats\\nTITLE: T\\nPOST: "
		"P\\nQ\\nTL;DR:\","
		"\"responses\":[{\"text\":\"b\",\"source\":\"tldr:chosen\"},{\"text\":\"a\","
		"\"source\":\"tldr:rejected\",\"policy\":\"x\"}],\"worker\":\"w\",\"info\":{\"id\":"
		"\"t3\"}}");
	CHECK_STR(import("{\"info\":{\"article\":\"x\"},\"summaries\":[{\"text\":\"a\"}],"
			 "\"choice\":0}"),
		"rejected: an article, not a post");
	CHECK_STR(import("{\"info\":{},\"summaries\":[{\"text\":\"a\"}],\"choice\":1}"),
		"error: choice: not one of the 1 summaries");
}

static void
test_oasst(void)
{
	CHECK_STR(import("{\"context\":[{\"role\":\"prompter\",\"text\":\"q\"},{\"role\":"
			 "\"assistant\","
			 "\"text\":\"a\"},{\"role\":\"prompter\",\"text\":\"r\"}],\"responses\":["
			 "{\"text\":\"x\",\"rank\":1,\"model\":null},{\"text\":\"y\",\"rank\":0,"
			 "\"model\":\"m\"}]}"),
		"{\"id\":\"oasst:7\",\"prompt\":[" USER("q") "," BOT("a") "," USER(
			"r") "],\"responses\":["
			     "{\"text\":\"y\",\"source\":\"m\",\"rank\":0,\"model\":\"m\"},{"
			     "\"text\":\"x\","
			     "\"source\":\"oasst\",\"rank\":1,\"model\":null}]}");
	CHECK_STR(import("{\"context\":[{\"role\":\"prompter\",\"text\":\"q\"}],\"responses\":["
			 "{\"text\":\"x\"}]}"),
		"error: responses[0]: rank: missing");
	CHECK_STR(import("{\"context\":[{\"role\":\"prompter\",\"text\":\"q\"},{\"role\":"
			 "\"assistant\","
			 "\"text\":\"a\"}],\"responses\":[{\"text\":\"x\",\"rank\":1}]}"),
		"rejected: the prompt ends with the assistant");
}

static void
test_messages(void)
{
	CHECK_STR(import("{\"messages\":[{\"role\":\"developer\",\"content\":\"s\"}," USER(
			  "q") "," BOT("a") "]}"),
		"{\"id\":\"messages:7\",\"prompt\":[{\"role\":\"system\",\"content\":\"s\"}," USER(
			"q") "],\"responses\":[{\"text\":\"a\",\"source\":\"messages\"}]}");
	CHECK_STR(import("{\"messages\":[" USER("q") "],\"id\":\"mine\"}"),
		"{\"id\":\"messages:7\",\"prompt\":[" USER("q") "],\"responses\":[],\"source_id\":"
								"\"mine\"}");
	CHECK_STR(
		import("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		       "\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}]}"),
		"{\"id\":\"messages:7\",\"prompt\":[" USER("ab") "],\"responses\":[]}");
	CHECK_STR(import("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}"
			 "]}"),
		"rejected: a message that is not text");
	CHECK_STR(
		import("{\"messages\":[" USER("q") ",{\"role\":\"assistant\",\"content\":null}]}"),
		"rejected: a message that is not text");
	CHECK_STR(import("{\"messages\":[" USER("q") ",{\"role\":\"tool\",\"content\":\"5\"}]}"),
		"rejected: a speaker who is no user, assistant or system");
	CHECK_STR(import("{\"messages\":[]}"), "rejected: no prompt");
	CHECK_STR(import("{\"messages\":[" BOT("a") "]}"), "rejected: no prompt");
}

static void
test_our_own(void)
{
	static const char record[] = "{\"prompt\":\"p\",\"z\":[1.0,null],\"responses\":[{\"text\":"
				     "\"a\"},{\"text\":\"a\"}],"
				     "\"subset\":\"old\",\"id\":\"own\"}";
	struct importer im = importer(IMPORT_RECORDS);
	CHECK_STR(import(record), record);
	im.filter = FILTER_CONTEXTS;
	CHECK_STR(import_with(&im, record), "rejected: equal responses");
	CHECK_STR(import("{\"prompt\":\"p\",\"responses\":[]}"),
		"{\"id\":\"records:7\",\"prompt\":\"p\",\"responses\":[]}");
}

static void
test_detection(void)
{
	CHECK_STR(import("{\"text\":\"x\"}"),
		"error: unknown format: the members are text, and no format has one of them; "
		"pro-import(1) lists the formats");
	CHECK_STR(import("{\"history\":\"x\",\"human_ref_A\":\"a\",\"human_ref_B\":\"b\",\"label\":"
			 "null}"),
		"error: unknown format: the members are history, human_ref_A, human_ref_B, label "
		"(null); the nearest format is shp, which needs labels too");
	CHECK_STR(import("[1]"), "error: not a JSON object");
	CHECK_STR(import("{\"prefix\":[],\"suffix\":[],\"chosen\":\"a\",\"rejected\":\"b\"}"),
		"error: could be trl, pro; name the format with --format");
	struct importer im = importer(IMPORT_HH);
	CHECK_STR(import_with(&im, "{}"), "error: chosen: missing");
	for (int f = IMPORT_HH; f < IMPORT_FORMAT_N; f++) {
		static const char *const odd[] = {"{}", "[]", "3", "{\"chosen\":1,\"rejected\":2}",
			"{\"prefix\":[[1]],\"suffix\":[\"x\"]}", "{\"messages\":[1]}",
			"{\"info\":{\"post\":\"x\"},\"summaries\":[1],\"choice\":0}",
			"{\"context\":[],\"responses\":[{\"text\":1,\"rank\":0}]}",
			"{\"instruction\":\"x\",\"completions\":[7]}",
			"{\"query\":99999999999999999999,\"responses\":[],\"scores\":[]}"};
		im.format = (enum import_format)f;
		for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
			if (f != IMPORT_RECORDS)
				CHECK(*import_with(&im, odd[i]) != '{');
	}
}

/* Texts without the speakers' names and without white space: what must not get lost. */
static void
bare(const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		bool paragraph = i == 0 || (i >= 2 && s[i - 1] == '\n' && s[i - 2] == '\n');
		if (paragraph && n - i >= 6 && memcmp(s + i, "Human:", 6) == 0)
			i += 5;
		else if (paragraph && n - i >= 10 && memcmp(s + i, "Assistant:", 10) == 0)
			i += 9;
		else if ((unsigned char)s[i] > ' ')
			buf_putc(out, s[i]);
	}
}

static bool
keeps_all_text(const json_t *v)
{
	struct importer im = importer(IMPORT_HH);
	struct err e = {0};
	struct arena a;
	struct record r = {0};
	struct buf want = BUF_INIT, got = BUF_INIT;
	struct imports made = {0};
	const char *chosen = json_string_value(json_object_get(v, "chosen"));
	arena_init(&a);
	bool ok = import_value(&im, v, 1, &a, &made, &e) == 0 &&
		  record_take(&r, made.v[0].record, &e) == 0;
	bare(chosen, strlen(chosen), &want);
	for (int i = 0; ok && i < r.n_turns; i++)
		for (size_t k = 0; k < r.turns[i].n; k++)
			if ((unsigned char)r.turns[i].text[k] > ' ')
				buf_putc(&got, r.turns[i].text[k]);
	for (size_t k = 0; ok && k < r.responses[0].n; k++)
		if ((unsigned char)r.responses[0].text[k] > ' ')
			buf_putc(&got, r.responses[0].text[k]);
	ok = ok && want.len == got.len && memcmp(want.data, got.data, got.len) == 0;
	record_free(&r);
	buf_free(&want);
	buf_free(&got);
	arena_free(&a);
	return ok;
}

static void
test_no_paragraph_is_lost(void)
{
	struct err e = {0};
	const char *line =
		"{\"chosen\":\"\\n\\nHuman: a\\n\\nb\\n\\nHuman: c\\n\\n\\n\\nd Human:\\n\\n"
		"Assistant: x\\n\\nHuman: y\\n\\nz\\n\\nAssistant: 1\\n\\n2\\n\\n\",\"rejected\":"
		"\"\\n\\nHuman: a\\n\\nAssistant: b\\n\\nHuman: y\\n\\nAssistant: 1\"}";
	json_t *v = json_parse(line, strlen(line), &e);
	CHECK(keeps_all_text(v));
	json_decref(v);
}

static void
test_no_paragraph_of_hh_is_lost(void)
{
	static const char *const files[] = {"data/hh-rlhf/harmless-base/test.jsonl.gz",
		"data/hh-rlhf/helpful-base/test.jsonl.gz"};
	struct err e = {0};
	for (int i = 0; i < 2; i++) {
		const char *path = shared_path(files[i]), *line;
		if (path == NULL)
			SKIP("no ../shared/data/hh-rlhf");
		struct input *in = input_open(&path, 1);
		size_t n;
		int records = 0;
		while (input_line(in, &line, &n, &e) > 0) {
			json_t *v = json_parse(line, n, &e);
			CHECK(keeps_all_text(v));
			json_decref(v);
			records++;
		}
		CHECK(records == (i == 0 ? 2312 : 2354));
		input_close(in);
	}
}

static void
test_strip(void)
{
	static const char *const cases[][2] = {{"", ""}, {" \t\n", ""}, {" a b ", "a b"},
		{"\xc2\xa0\xe3\x80\x80x\xe2\x80\xa8\xe1\x9a\x80", "x"}, {"\xc3\xa0", "\xc3\xa0"},
		{"x\xe2\x80\x8b", "x\xe2\x80\x8b"}, {"\x1f\xc2\x85y\xe2\x81\x9f\x0b", "y"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *s = cases[i][0];
		size_t n = strlen(s);
		text_strip(&s, &n);
		CHECK(n == strlen(cases[i][1]) && memcmp(s, cases[i][1], n) == 0);
	}
}

static const char *export(const char *line, enum export_format f)
{
	static struct buf b = BUF_INIT;
	struct err e = {0};
	struct record r = {0};
	const char *reason = NULL;
	buf_reset(&b);
	CHECK(record_parse(&r, line, strlen(line), &e) == 0);
	int rc = export_record(&r, f, &b, &reason, &e);
	if (rc == 0)
		buf_printf(&b, "rejected: %s", reason);
	if (rc < 0)
		buf_printf(&b, "error: %s", e.msg);
	record_free(&r);
	return b.data;
}

static void
test_export(void)
{
	static const char record[] = "{\"id\":\"t:1\",\"prompt\":[" USER("q") "," BOT("a") "," USER(
		"r") "],\"responses\":[{\"text\":\"x\",\"reward\":2,\"source\":\"s\"},{\"text\":"
		     "\"y\","
		     "\"reward\":0.5},{\"text\":\"z\"}],\"subset\":\"u\"}";
	static const char raw[] =
		"{\"prompt\":\"p\",\"responses\":[{\"text\":\"x\",\"source\":\"s\"}]}";
	static const char one[] = "{\"prompt\":[" USER("p") "],\"responses\":[{\"text\":\"x\"}]}";
	static const char prompt[] =
		"{\"id\":\"t:1\",\"prompt\":[" USER("q") "," BOT("a") "," USER("r") "]";
	struct buf want = BUF_INIT;
	buf_printf(&want,
		"%s,\"chosen\":[" BOT("x") "],\"rejected\":[" BOT(
			"y") "],\"score_chosen\":2.0,"
			     "\"score_rejected\":0.5,\"subset\":\"u\"}\n%s,\"chosen\":[" BOT(
				     "x") "],"
					  "\"rejected\":[" BOT("z") "],\"subset\":\"u\"}\n",
		prompt, prompt);
	CHECK_STR(export(record, EXPORT_TRL), want.data);
	buf_free(&want);
	CHECK_STR(export(record, EXPORT_RRHF),
		"{\"id\":\"t:1\",\"query\":\"\\n\\nHuman: q\\n\\nAssistant: a\\n\\nHuman: r\\n\\n"
		"Assistant:\",\"responses\":[\"x\",\"y\",\"z\"],\"scores\":[2.0,1.0,0.0],"
		"\"subset\":\"u\"}\n");
	CHECK_STR(export(record, EXPORT_ALPACAEVAL),
		"{\"instruction\":\"\\n\\nHuman: q\\n\\nAssistant: a\\n\\nHuman: "
		"r\\n\\nAssistant:\","
		"\"output\":\"x\",\"generator\":\"s\",\"dataset\":\"u\"}\n");
	CHECK_STR(export(raw, EXPORT_ALPACAEVAL),
		"{\"instruction\":\"p\",\"output\":\"x\",\"generator\":\"s\"}\n");
	CHECK_STR(export(one, EXPORT_ALPACAEVAL),
		"{\"instruction\":\"p\",\"output\":\"x\",\"generator\":\"\"}\n");
	CHECK_STR(export(raw, EXPORT_RRHF),
		"{\"query\":\"p\",\"responses\":[\"x\"],\"scores\":[0.0]}\n");
	CHECK_STR(export(raw, EXPORT_TRL), "rejected: fewer than 2 responses");
	CHECK_STR(export("{\"prompt\":\"p\"}", EXPORT_RRHF), "rejected: no response");
	CHECK_STR(export("{\"prompt\":\"p\",\"responses\":[{\"text\":\"x\",\"reward\":\"y\"}]}",
			  EXPORT_RRHF),
		"error: responses[0]: reward: not a number");
	/* members of a message and of the record go along, provenance does not; ties are no pairs
	 */
	CHECK_STR(export("{\"prompt\":[{\"role\":\"user\",\"content\":\"q\",\"name\":\"n\"}],"
			 "\"responses\":[{\"text\":\"x\",\"weight\":0,\"reasoning_content\":\"t\","
			 "\"scored_by\":{},\"reward\":1},{\"text\":\"y\",\"reward\":1.0},"
			 "{\"text\":\"z\",\"reward\":0}],\"tools\":[1]}",
			  EXPORT_TRL),
		"{\"prompt\":[{\"role\":\"user\",\"content\":\"q\",\"name\":\"n\"}],\"chosen\":[{"
		"\"role\":\"assistant\",\"content\":\"x\",\"reasoning_content\":\"t\",\"weight\":0}"
		"],"
		"\"rejected\":[" BOT("z") "],\"score_chosen\":1.0,\"score_rejected\":0.0,"
					  "\"tools\":[1]}\n");
	CHECK_STR(export("{\"prompt\":\"p\",\"responses\":[{\"text\":\"x\",\"reward\":1},"
			 "{\"text\":\"y\",\"reward\":1}]}",
			  EXPORT_TRL),
		"rejected: responses that are equal, or of equal reward");
	/* what was written for others is read back */
	CHECK_STR(import(export(
			  "{\"prompt\":[" USER("q") "],\"responses\":[{\"text\":\"x\",\"reward\":"
						    "3},{\"text\":\"y\",\"reward\":1}]}",
			  EXPORT_RRHF)),
		"{\"id\":\"rrhf:7\",\"prompt\":[" USER(
			"q") "],\"responses\":[{\"text\":\"x\",\"source\":"
			     "\"rrhf:1\",\"reward\":3.0},{\"text\":\"y\",\"source\":\"rrhf:2\","
			     "\"reward\":1.0}]}");
}

int
main(void)
{
	RUN(test_hh);
	RUN(test_hh_filters);
	RUN(test_trl);
	RUN(test_pro);
	RUN(test_rrhf);
	RUN(test_ultrafeedback);
	RUN(test_tldr);
	RUN(test_oasst);
	RUN(test_messages);
	RUN(test_our_own);
	RUN(test_detection);
	RUN(test_no_paragraph_is_lost);
	RUN(test_no_paragraph_of_hh_is_lost);
	RUN(test_strip);
	RUN(test_export);
	TEST_END;
}
