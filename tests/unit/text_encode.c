/* Records as ids against the shared golden lengths, and the cutting rules. */
#include "lib/text/encode.h"
#include "tests/unit/text_util.h"

/* A record by hand: prompt turns and responses out of literals. */
struct made {
	struct record r;
	struct turn turns[64];
	struct response responses[16];
};

static void
say(struct made *m, enum role role, const char *text)
{
	m->turns[m->r.n_turns++] = (struct turn){role, text, strlen(text)};
	m->r.turns = m->turns;
}

static void
answer(struct made *m, const char *text, bool ended)
{
	m->responses[m->r.n_responses++] = (struct response){text, strlen(text), "", ended, NULL};
	m->r.responses = m->responses;
}

static void
golden_record(const struct encode_params *p, const json_t *in, const json_t *want)
{
	struct made m = {0};
	struct encoded c;
	struct arena a;
	struct err e = {0};
	const json_t *prefix = json_array_get(json_object_get(in, "prefix"), 0);
	const json_t *suffix = json_object_get(in, "suffix"),
		     *reward = json_object_get(in, "reward");
	arena_init(&a);
	for (size_t i = 0; i < json_array_size(prefix); i++) {
		const char *s = json_string_value(json_array_get(prefix, i));
		bool user = strncmp(s, "<|prompter|>", 12) == 0;
		CHECK(user || strncmp(s, "<|assistant|>", 13) == 0);
		s += user ? 12 : 13;
		if (*s || i + 1 < json_array_size(prefix))
			say(&m, user ? ROLE_USER : ROLE_ASSISTANT, s);
	}
	bool swap = json_number_value(json_array_get(reward, 1)) >
		    json_number_value(json_array_get(reward, 0));
	for (size_t k = 0; k < 2; k++)
		answer(&m, json_string_value(json_array_get(suffix, swap ? 1 - k : k)), true);
	CHECK(json_array_size(suffix) == 2);
	int rc = encode_policy(p, &m.r, &a, &c, &e);
	CHECK(rc == 1);
	if (rc == 1) {
		const json_t *n = json_object_get(want, "response_tokens");
		CHECK(c.n_prompt == json_integer_value(json_object_get(want, "prompt_tokens")));
		for (size_t k = 0; k < 2; k++)
			CHECK(c.n_ids[k] == json_integer_value(json_array_get(n, k)));
		CHECK(c.prompt[0] == 1);
	}
	arena_free(&a);
}

static void
golden_lengths(void)
{
	char dir[64];
	struct buf text = BUF_INIT, golden = BUF_INIT;
	struct template *hh = NULL;
	if (shared_path("golden/stories260K-pro.jsonl") == NULL)
		SKIP("no shared material");
	folder_make(dir);
	CHECK(folder_copy(dir, "models/stories260K/tokenizer.model", "tokenizer.model"));
	CHECK(folder_copy(
		dir, "models/stories260K/tokenizer_config.json", "tokenizer_config.json"));
	CHECK(file_read(shared_path("data/pro-hh/sampled_dev.json"), 1 << 24, &text, NULL) == 0);
	CHECK(file_read(shared_path("golden/stories260K-pro.jsonl"), 1 << 20, &golden, NULL) == 0);
	struct tokenizer *t = folder_load(dir);
	const char *how = NULL;
	CHECK(t && template_select(&hh, "auto", dir, t, &how, NULL) == 0);
	if (t && hh) {
		CHECK_STR(template_name(hh), "hh");
		struct encode_params p = {t, hh, 512, 384, OVERLONG_TRUNCATE};
		char *s = text.data, *g = golden.data;
		for (int i = 0; i < 16; i++) {
			json_t *in = json_loads(s, JSON_DISABLE_EOF_CHECK, NULL);
			json_t *want = json_loads(g, JSON_DISABLE_EOF_CHECK, NULL);
			CHECK(in && want);
			if (in && want)
				golden_record(&p, in, want);
			json_decref(in);
			json_decref(want);
			s = strchr(s, '\n') + 1;
			g = strchr(g, '\n') + 1;
		}
	}
	template_free(hh);
	tokenizer_free(t);
	buf_free(&text);
	buf_free(&golden);
	folder_remove(dir);
}

int
main(void)
{
	RUN(golden_lengths);
	TEST_END;
}
