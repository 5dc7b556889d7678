/* Records as ids against the shared golden lengths, and the cutting rules. */
#include "lib/text/encode.h"
#include "lib/text/writing.h"
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
	m->turns[m->r.n_turns++] = (struct turn){role, text, strlen(text), NULL};
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

/* Letters, a space and specials, one id each: lengths are plain to see.  bos 0, eos 1, a.. 2.. */
static struct tokenizer *
letters(bool bos)
{
	struct buf b = BUF_INIT;
	struct tokenizer *t = NULL;
	char dir[64];
	buf_puts(&b,
		"{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},"
		"{\"id\":1,\"content\":\"</s>\",\"special\":true}],\"pre_tokenizer\":{\"type\":"
		"\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\",\"merges\":["
		"],"
		"\"vocab\":{\"<s>\":0,\"</s>\":1,\"\u0120\":28");
	for (char c = 'a'; c <= 'z'; c++)
		buf_printf(&b, ",\"%c\":%d", c, c - 'a' + 2);
	buf_puts(&b, "}}}");
	folder_make(dir);
	folder_write(dir, "tokenizer.json", b.data);
	folder_write(dir, "tokenizer_config.json",
		bos ? "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_bos_token\":true}"
		    : "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}");
	t = folder_load(dir);
	CHECK(t != NULL);
	folder_remove(dir);
	buf_free(&b);
	return t;
}

/* Ids as letters: '^' bos, '$' eos, '_' space. */
static const char *
spell(const int32_t *v, int n)
{
	static char s[2][64];
	static int which;
	char *p = s[which = !which];
	for (int i = 0; i < n; i++)
		p[i] = v[i] == 0    ? '^'
		       : v[i] == 1  ? '$'
		       : v[i] == 28 ? '_'
				    : (char)('a' + v[i] - 2);
	p[n] = '\0';
	return p;
}

struct setting {
	struct tokenizer *t;
	struct template *plain;
	struct encode_params p;
	struct arena a;
	struct made m;
};

static void
setting_init(struct setting *s, bool bos, int max_length, int max_prompt, enum on_overlong on)
{
	*s = (struct setting){.t = letters(bos)};
	arena_init(&s->a);
	CHECK(template_select(&s->plain, "plain", NULL, NULL, NULL, NULL) == 0);
	s->p = (struct encode_params){s->t, s->plain, max_length, max_prompt, on};
}

static void
setting_free(struct setting *s)
{
	arena_free(&s->a);
	template_free(s->plain);
	tokenizer_free(s->t);
}

static void
policy_cuts(void)
{
	struct setting s;
	struct encoded c;
	struct err e = {0};
	setting_init(&s, true, 10, 5, OVERLONG_TRUNCATE);
	say(&s.m, ROLE_USER, "abcdefgh");
	answer(&s.m, "xyz", true);   /* fits with its eos */
	answer(&s.m, "vwxyz", true); /* only its eos does not fit: cut */
	answer(&s.m, "uvwxyz", true);
	answer(&s.m, "xyz", false); /* ended by a length limit: no eos */
	answer(&s.m, "", true);
	CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == 1);
	/* 384 counts bos, which stays. */
	CHECK_STR(spell(c.prompt, c.n_prompt), "^efgh");
	CHECK(c.n_responses == 5);
	CHECK_STR(spell(c.ids[0], c.n_ids[0]), "xyz$");
	CHECK_STR(spell(c.ids[1], c.n_ids[1]), "vwxyz");
	CHECK_STR(spell(c.ids[2], c.n_ids[2]), "uvwxy");
	CHECK_STR(spell(c.ids[3], c.n_ids[3]), "xyz");
	CHECK_STR(spell(c.ids[4], c.n_ids[4]), "$");
	CHECK(c.prompt_cut == 4 && c.responses_cut == 2);
	s.p.on_overlong = OVERLONG_DROP;
	CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == 0);
	s.p.on_overlong = OVERLONG_ERROR;
	CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == -1 && e.code == ERR_DATA);
	setting_free(&s);
	/* Nothing to cut is nothing to drop; without a bos the prompt is all text. */
	setting_init(&s, false, 10, 5, OVERLONG_DROP);
	say(&s.m, ROLE_USER, "abcde");
	answer(&s.m, "wxyz", true);
	CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == 1);
	CHECK_STR(spell(c.prompt, c.n_prompt), "abcde");
	CHECK_STR(spell(c.ids[0], c.n_ids[0]), "wxyz$");
	CHECK(c.prompt_cut == 0 && c.responses_cut == 0);
	s.p.max_prompt_length = 10; /* would leave no room for a response */
	CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == -1 && e.code == ERR_USAGE);
	setting_free(&s);
}

/* A template that writes a bos at its beginning, as many chat_templates do: one bos all the same.
 */
static void
one_bos(void)
{
	for (int bos = 0; bos < 2; bos++) {
		struct setting s;
		struct encoded c;
		struct err e = {0};
		char dir[64];
		struct buf path = BUF_INIT;
		folder_make(dir);
		folder_write(dir, "own.json", "{\"begin\":\"{bos}\",\"separator\":\"{bos}\"}");
		setting_init(&s, bos, 12, 8, OVERLONG_TRUNCATE);
		template_free(s.plain);
		CHECK(template_select(&s.plain, path_join(&path, dir, "own.json"), NULL, NULL, NULL,
			      &e) == 0);
		s.p.template = s.plain;
		say(&s.m, ROLE_USER, "ab");
		say(&s.m, ROLE_USER, "c");
		answer(&s.m, "x", true);
		CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == 1);
		CHECK_STR(spell(c.prompt, c.n_prompt), "^ab^c");
		CHECK(encode_reward(&s.p, &s.m.r, &s.a, &c, &e) == 1);
		CHECK_STR(spell(c.ids[0], c.n_ids[0]), "^ab^cx$");
		setting_free(&s);
		buf_free(&path);
		folder_remove(dir);
	}
}

static void
reward_rows(void)
{
	struct setting s;
	struct encoded c;
	struct err e = {0};
	setting_init(&s, true, 8, 0, OVERLONG_TRUNCATE);
	say(&s.m, ROLE_USER, "abc");
	answer(&s.m, "xyz", true);
	answer(&s.m, "wxyz", false);
	CHECK(encode_reward(&s.p, &s.m.r, &s.a, &c, &e) == 1);
	CHECK_STR(spell(c.ids[0], c.n_ids[0]), "^abcxyz$");
	CHECK_STR(spell(c.ids[1], c.n_ids[1]), "^abcwxyz");
	CHECK(c.n_prompt == 4 && c.prompt == c.ids[0] && c.responses_cut == 0);
	/* One that is too long is cut on the left, bos aside, and nothing is shared any more. */
	answer(&s.m, "uvwxyz", true);
	CHECK(encode_reward(&s.p, &s.m.r, &s.a, &c, &e) == 1);
	CHECK_STR(spell(c.ids[0], c.n_ids[0]), "^abcxyz$");
	CHECK_STR(spell(c.ids[2], c.n_ids[2]), "^uvwxyz$");
	CHECK(c.n_prompt == 0 && c.prompt_cut == 3 && c.responses_cut == 1);
	s.p.on_overlong = OVERLONG_DROP;
	CHECK(encode_reward(&s.p, &s.m.r, &s.a, &c, &e) == 0);
	s.p.on_overlong = OVERLONG_ERROR;
	CHECK(encode_reward(&s.p, &s.m.r, &s.a, &c, &e) == -1 && e.code == ERR_DATA);
	setting_free(&s);
}

/* A text that the tokenizer cannot spell is an error of the record, not a crash. */
static void
unspellable(void)
{
	struct setting s;
	struct encoded c;
	struct err e = {0};
	setting_init(&s, true, 8, 4, OVERLONG_TRUNCATE);
	say(&s.m, ROLE_USER, "abc");
	answer(&s.m, "X", true);
	CHECK(encode_policy(&s.p, &s.m.r, &s.a, &c, &e) == -1 && e.code == ERR_DATA);
	CHECK(encode_reward(&s.p, &s.m.r, &s.a, &c, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "0x58") != NULL);
	setting_free(&s);
}

/* The ids of an answer alone. */
static int
answer_ids(const struct template *p, const struct tokenizer *t, const char *text, struct ids *out)
{
	struct turn q = {ROLE_USER, "q", 1, NULL};
	struct writing w;
	int rc = writing_begin(&w, p, t, &q, 1, NULL);
	if (rc == 0)
		rc = writing_respond(&w, text, strlen(text), true, NULL);
	if (rc == 0)
		rc = writing_ids(&w, WRITING_ANSWER, out, NULL);
	writing_end(&w);
	return rc;
}

/* Space before the response: a piece of its own text here, SentencePiece's dummy prefix there. */
static void
response_space(void)
{
	struct setting s;
	struct ids ids = {0};
	struct template *hh = NULL;
	setting_init(&s, true, 8, 4, OVERLONG_TRUNCATE);
	CHECK(template_select(&hh, "hh", NULL, NULL, NULL, NULL) == 0);
	CHECK(answer_ids(hh, s.t, "ab", &ids) == 0);
	CHECK_STR(spell(ids.v, (int)ids.n), "_ab");
	ids.n = 0;
	CHECK(answer_ids(s.plain, s.t, "ab", &ids) == 0);
	CHECK_STR(spell(ids.v, (int)ids.n), "ab");
	setting_free(&s);
	if (shared_path("tokenizers/llama2-tokenizer.model")) {
		char dir[64];
		folder_make(dir);
		folder_copy(dir, "tokenizers/llama2-tokenizer.model", "tokenizer.model");
		struct tokenizer *t = folder_load(dir);
		struct template *plain = NULL;
		CHECK(t && template_select(&plain, "plain", NULL, NULL, NULL, NULL) == 0);
		ids.n = 0;
		CHECK(answer_ids(hh, t, "Hello world", &ids) == 0);
		CHECK(ids.n == 2 && ids.v[0] == 15043 && ids.v[1] == 3186);
		ids.n = 0;
		CHECK(answer_ids(plain, t, "Hello world", &ids) == 0);
		CHECK(ids.n == 2 && ids.v[0] == 10994 && ids.v[1] == 3186);
		template_free(plain);
		tokenizer_free(t);
		folder_remove(dir);
	}
	template_free(hh);
	ids_free(&ids);
}

/* One text has a merge across the border that two have not. */
static void
joint(void)
{
	struct tokenizer *t = NULL;
	struct template *plain = NULL;
	struct made m = {0};
	struct err e = {0};
	static const char json[] =
		"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
		"\"model\":{\"type\":\"BPE\",\"merges\":[\"a b\"],\"vocab\":{\"a\":0,\"b\":1,"
		"\"ab\":2}}}";
	CHECK(tokenizer_from_json(&t, json, strlen(json), &e) == 0);
	CHECK(template_select(&plain, "plain", NULL, NULL, NULL, NULL) == 0);
	say(&m, ROLE_USER, "ba");
	answer(&m, "bab", true); /* ba|bab, but babab */
	answer(&m, "ab", true);
	answer(&m, "", true);
	struct encode_params p = {t, plain, 512, 384, OVERLONG_TRUNCATE};
	CHECK(t && encode_joint_differs(&p, &m.r, &e) == 1);
	answer(&m, "x", true);
	CHECK(t && encode_joint_differs(&p, &m.r, &e) == -1 && e.code == ERR_DATA);
	template_free(plain);
	tokenizer_free(t);
}

int
main(void)
{
	RUN(golden_lengths);
	RUN(policy_cuts);
	RUN(one_bos);
	RUN(reward_rows);
	RUN(unspellable);
	RUN(response_space);
	RUN(joint);
	TEST_END;
}
