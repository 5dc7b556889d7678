#include "lib/stream/record.h"

#include "tests/test.h"

static const char good[] =
	"{\"id\":\"t:1\",\"prompt\":[{\"role\":\"system\",\"content\":\"be kind\"},"
	"{\"role\":\"user\",\"content\":\"hi\",\"lang\":\"en\"}],\"responses\":["
	"{\"text\":\"a\",\"source\":\"x\",\"reward\":1.5,\"finish_reason\":\"stop\"},"
	"{\"text\":\"\",\"finish_reason\":\"length\",\"reward\":null},"
	"{\"text\":\"c\",\"finish_reason\":null,\"reward\":-2}],\"extra\":{\"k\":[1,2.0]}}";

static const char *
error_of(const char *line)
{
	static struct err e;
	struct record r = {0};
	e = (struct err){0};
	int rc = record_parse(&r, line, strlen(line), &e);
	record_free(&r);
	CHECK((rc < 0) == (e.code == ERR_DATA));
	return rc < 0 ? e.msg : "";
}

static void
test_a_record_is_viewed(void)
{
	struct err e = {0};
	struct record r = {0};
	CHECK(record_parse(&r, good, strlen(good), &e) == 0);
	CHECK_STR(r.id, "t:1");
	CHECK(!r.raw && r.n_turns == 2 && r.n_responses == 3);
	CHECK(r.turns[0].role == ROLE_SYSTEM && r.turns[1].role == ROLE_USER);
	CHECK(r.turns[1].n == 2 && strcmp(r.turns[1].text, "hi") == 0);
	CHECK_STR(r.responses[0].source, "x");
	CHECK_STR(r.responses[1].source, "");
	CHECK(r.responses[0].ended && !r.responses[1].ended && r.responses[2].ended);
	double v;
	CHECK(response_number(&r.responses[0], "reward", &v, &e) == 1 && v == 1.5);
	CHECK(response_number(&r.responses[1], "reward", &v, &e) == 0);
	CHECK(response_number(&r.responses[1], "other", &v, &e) == 0);
	CHECK(response_number(&r.responses[2], "reward", &v, &e) == 1 && v == -2);
	CHECK(response_number(&r.responses[0], "text", &v, &e) == -1);
	struct buf b = BUF_INIT;
	record_write(&r, &b);
	CHECK(strncmp(b.data, good, strlen(good)) == 0 && strcmp(b.data + strlen(good), "\n") == 0);
	buf_free(&b);
	/* a prompt to sample from, with what samples are checked by */
	const char *raw = "{\"prompt\":\"\",\"answer\":\"4\",\"response_length\":3}";
	CHECK(record_parse(&r, raw, strlen(raw), &e) == 0); /* a used record */
	CHECK(r.raw && r.n_turns == 1 && r.turns[0].n == 0 && r.n_responses == 0 && *r.id == '\0');
	CHECK(json_is_array(json_object_get(r.root, "responses")));
	record_free(&r);
}

static void
test_what_is_wrong_is_named(void)
{
	static const char *const bad[][2] = {
		{"[]", "not a JSON object"},
		{"{\"prompt\":\"x\",\"id\":3}", "id: not a string"},
		{"{}", "prompt: missing"},
		{"{\"messages\":[]}", "prompt: missing, but messages is there: pro-import makes "
				      "records of other formats"},
		{"{\"prompt\":\"x\",\"chosen\":\"a\",\"rejected\":\"b\"}",
			"responses: missing, but chosen is there: pro-import makes records of "
			"other formats"},
		{"{\"prompt\":\"x\",\"all_responses\":[\"a\"]}",
			"responses: missing, but all_responses is there: pro-import makes records "
			"of other formats"},
		{"{\"prompt\":3}", "prompt: neither a string nor a list"},
		{"{\"prompt\":99999999999999999999}", "prompt: neither a string nor a list"},
		{"{\"prompt\":[]}", "prompt: empty list"},
		{"{\"prompt\":[1]}", "prompt[0]: not an object"},
		{"{\"prompt\":[{\"content\":\"x\"}]}", "prompt[0]: role: missing"},
		{"{\"prompt\":[{\"role\":1,\"content\":\"x\"}]}", "prompt[0]: role: not a string"},
		{"{\"prompt\":[{\"role\":\"bot\",\"content\":\"x\"}]}",
			"prompt[0]: role: 'bot' is none of user, assistant, system"},
		{"{\"prompt\":[{\"role\":\"user\"}]}", "prompt[0]: content: missing"},
		{"{\"prompt\":[{\"role\":\"user\",\"content\":[]}]}",
			"prompt[0]: content: not a string"},
		{"{\"prompt\":[{\"role\":\"user\",\"content\":\"x\"},"
		 "{\"role\":\"assistant\",\"content\":\"y\"}]}",
			"prompt: the last turn is the assistant's"},
		{"{\"prompt\":\"x\",\"responses\":{}}", "responses: not a list"},
		{"{\"prompt\":\"x\",\"responses\":[\"y\"]}", "responses[0]: not an object"},
		{"{\"prompt\":\"x\",\"responses\":[{\"text\":\"\"},{}]}",
			"responses[1]: text: missing"},
		{"{\"prompt\":\"x\",\"responses\":[{\"text\":null}]}",
			"responses[0]: text: not a string"},
		{"{\"prompt\":\"x\",\"responses\":[{\"text\":99999999999999999999}]}",
			"responses[0]: text: not a string"},
		{"{\"prompt\":\"x\",\"responses\":[{\"text\":\"\",\"source\":1}]}",
			"responses[0]: source: not a string"},
		{"{\"prompt\":\"x\",\"responses\":[{\"text\":\"\",\"finish_reason\":1}]}",
			"responses[0]: finish_reason: not a string"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_STR(error_of(bad[i][0]), bad[i][1]);
	CHECK_STR(error_of(good), "");
	for (size_t n = 0; n < strlen(good); n++) { /* every truncation */
		struct err e = {0};
		struct record r = {0};
		char *cut = malloc(n + 1); /* exact, so that a sanitizer sees a byte too far */
		memcpy(cut, good, n);
		CHECK(record_parse(&r, cut, n, &e) == -1 && e.code == ERR_DATA);
		record_free(&r);
		free(cut);
	}
}

static void
test_permute(void)
{
	struct err e = {0};
	struct record r = {0};
	double v;
	record_parse(&r, good, strlen(good), &e);
	CHECK(record_permute(&r, (int[]){2, 0, 1}, 3, &e) == 0 && r.n_responses == 3);
	CHECK(response_number(&r.responses[0], "reward", &v, &e) == 1 && v == -2);
	CHECK(strcmp(r.responses[1].text, "a") == 0 && !r.responses[2].ended);
	CHECK(record_permute(&r, (int[]){1, 1}, 2, &e) == -1 && r.n_responses == 3);
	CHECK(record_permute(&r, (int[]){3}, 1, &e) == -1);
	CHECK(record_permute(&r, (int[]){-1}, 1, &e) == -1);
	CHECK(record_permute(&r, (int[]){1}, 1, &e) == 0 && r.n_responses == 1);
	CHECK_STR(r.responses[0].text, "a");
	CHECK(record_permute(&r, NULL, 0, &e) == 0 && r.n_responses == 0);
	record_free(&r);
}

static uint64_t
hash_of(const char *line)
{
	struct err e = {0};
	struct record r = {0};
	CHECK(record_parse(&r, line, strlen(line), &e) == 0);
	uint64_t h = record_prompt_hash(&r);
	record_free(&r);
	return h;
}

static void
test_prompt_hash(void)
{
	uint64_t h = hash_of("{\"prompt\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	CHECK(h ==
		hash_of("{\"id\":\"z\",\"prompt\":[{\"content\":\"hi\",\"role\":\"user\",\"x\":1}],"
			"\"responses\":[{\"text\":\"a\"}]}"));
	CHECK(h == hash_of("{\"prompt\":\"hi\"}"));
	CHECK(h != hash_of("{\"prompt\":\"hi \"}"));
	CHECK(h != hash_of("{\"prompt\":[{\"role\":\"system\",\"content\":\"hi\"}]}"));
	CHECK(hash_of("{\"prompt\":[{\"role\":\"user\",\"content\":\"ab\"},"
		      "{\"role\":\"user\",\"content\":\"c\"}]}") !=
		hash_of("{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"},"
			"{\"role\":\"user\",\"content\":\"bc\"}]}"));
	int low = 0; /* well mixed: half of many similar prompts are below the middle */
	for (int i = 0; i < 4000; i++) {
		char line[40];
		snprintf(line, sizeof line, "{\"prompt\":\"%d\"}", i);
		low += hash_of(line) < 1ull << 63;
	}
	CHECK(abs(low - 2000) < 160); /* 5 standard deviations */
}

int
main(void)
{
	RUN(test_a_record_is_viewed);
	RUN(test_what_is_wrong_is_named);
	RUN(test_permute);
	RUN(test_prompt_hash);
	TEST_END;
}
