/* tokenizer.model of both kinds against ids of spm_encode (tests/golden/text/make-spm.sh). */
#include "tests/unit/text_util.h"

static void
folder_model(char dir[64], const char *kind, const char *config)
{
	struct buf from = BUF_INIT, to = BUF_INIT;
	struct err e = {0};
	folder_make(dir);
	buf_printf(&from, "tests/golden/text/%s.model", kind);
	if (file_copy(from.data, path_join(&to, dir, "tokenizer.model"), &e) < 0)
		printf("# %s\n", e.msg);
	if (config)
		folder_write(dir, "tokenizer_config.json", config);
	buf_free(&from);
	buf_free(&to);
}

static struct tokenizer *
load_model(const char *kind, const char *config)
{
	char dir[64];
	folder_model(dir, kind, config);
	struct tokenizer *t = folder_load(dir);
	CHECK(t != NULL);
	folder_remove(dir);
	return t;
}

static void
check_line(const struct tokenizer *t, const char *s, const char *want)
{
	struct ids ids = {0};
	struct buf b = BUF_INIT, spaced = BUF_INIT;
	struct text_piece p = {s, strlen(s), false};
	CHECK_STR(text_ids(t, s, false), want);
	CHECK(tokenizer_encode(t, &p, 1, 0, &ids, NULL) == 0);
	tokenizer_decode(t, ids.v, ids.n, true, false, &b);
	CHECK_STR(b.data, s);
	if (*s) {
		/* The dummy prefix is a space: without it, and with a space, it is the same. */
		buf_printf(&spaced, " %s", s);
		struct text_piece q = {spaced.data, spaced.len, false};
		CHECK_STR(ids_of(t, &q, 1, TOKENIZER_NO_PREFIX), want);
		/* And without either, the text itself comes back. */
		ids.n = 0;
		buf_reset(&b);
		CHECK(tokenizer_encode(t, &p, 1, TOKENIZER_NO_PREFIX, &ids, NULL) == 0);
		tokenizer_decode(t, ids.v, ids.n, false, false, &b);
		CHECK_STR(b.data, s);
	}
	buf_free(&b);
	buf_free(&spaced);
	ids_free(&ids);
}

static void
check_kind(const char *kind)
{
	struct buf path = BUF_INIT, text = BUF_INIT, ids = BUF_INIT;
	struct tokenizer *t = load_model(kind, NULL);
	buf_printf(&path, "tests/golden/text/%s.ids", kind);
	CHECK(file_read("tests/golden/text/spm.txt", 1 << 20, &text, NULL) == 0);
	CHECK(file_read(path.data, 1 << 20, &ids, NULL) == 0);
	char *s = text.data, *want = ids.data, *end, *end2;
	int n = 0;
	for (; t && (end = strchr(s, '\n')) && (end2 = strchr(want, '\n')); n++) {
		*end = *end2 = '\0';
		check_line(t, s, want);
		s = end + 1;
		want = end2 + 1;
	}
	CHECK(n >= 12 && *s == '\0' && *want == '\0');
	if (t) {
		CHECK(is_spm(t) && tokenizer_adds_bos(t));
		CHECK(tokenizer_vocab(t) == 420 && tokenizer_bos(t) == 1 && tokenizer_eos(t) == 2);
	}
	tokenizer_free(t);
	buf_free(&path);
	buf_free(&text);
	buf_free(&ids);
}

static void
bpe(void)
{
	check_kind("bpe");
}

static void
unigram(void)
{
	check_kind("unigram");
}

/* Control pieces and special added tokens in literals only, the others everywhere. */
static void
added_tokens(void)
{
	static const char config[] =
		"{\"add_bos_token\":false,\"eos_token\":\"<|end|>\",\"added_tokens_decoder\":{"
		"\"420\":{\"content\":\"<|end|>\",\"special\":true},"
		"\"421\":{\"content\":\"<plain>\",\"special\":false}}%s}";
	char legacy[512], modern[512], want[64];
	snprintf(legacy, sizeof legacy, config, "");
	snprintf(modern, sizeof modern, config, ",\"legacy\":false");
	struct tokenizer *t = load_model("bpe", legacy), *m = load_model("bpe", modern);
	if (t && m) {
		CHECK(tokenizer_vocab(t) == 422 && tokenizer_eos(t) == 420 &&
			tokenizer_bos(t) == 1);
		CHECK(!tokenizer_adds_bos(t));
		CHECK_STR(text_ids(t, "<s></s><|end|>", true), "1 2 420");
		CHECK(strncmp(text_ids(t, "<s>", false), "1", 2) != 0);
		CHECK(strstr(text_ids(t, "<|end|>", false), "420") == NULL);
		CHECK_STR(text_ids(t, "<plain>", false), "421");
		/* Behind an added token the dummy prefix comes again, unless legacy is false. */
		snprintf(want, sizeof want, "420 %s", text_ids(t, "the License", false));
		CHECK_STR(text_ids(t, "<|end|>the License", true), want);
		CHECK(strcmp(text_ids(m, "<|end|>the License", true), want) != 0);
		CHECK_STR(text_ids(m, "<|end|> the License", true), want);
		CHECK(strcmp(tokenizer_hash(t), tokenizer_hash(m)) != 0);
		int32_t ids[] = {420, 273, 421, 2};
		struct buf b = BUF_INIT;
		tokenizer_decode(t, ids, 4, true, false, &b);
		CHECK_STR(b.data, "the<plain>");
		buf_reset(&b);
		tokenizer_decode(t, ids, 4, true, true, &b);
		CHECK_STR(b.data, "<|end|>the<plain></s>");
		buf_free(&b);
	}
	tokenizer_free(t);
	tokenizer_free(m);
}

/* transformers would leave out the prefix that the model has: not the same ids, so not read. */
static void
prefix_taken_back(void)
{
	static const char *const configs[] = {
		"{\"add_prefix_space\":false}", "{\"add_prefix_space\":true}"};
	for (int i = 0; i < 2; i++) {
		struct tokenizer *t = NULL;
		struct err e = {0};
		char dir[64];
		folder_model(dir, "bpe", configs[i]);
		CHECK((tokenizer_load(&t, dir, &e) < 0) == (i == 0));
		CHECK(i == 1 || (e.code == ERR_CONFIG && strstr(e.msg, "add_prefix_space")));
		tokenizer_free(t);
		folder_remove(dir);
	}
}

/* Not UTF-8, NUL and long input do no harm. */
static void
any_bytes(void)
{
	struct tokenizer *t = load_model("bpe", NULL);
	struct ids ids = {0};
	struct buf b = BUF_INIT;
	while (b.len < 1 << 18)
		buf_put(&b, "\xff\xc3 the\0 ", 8);
	struct text_piece p = {b.data, b.len, true};
	CHECK(t && tokenizer_encode(t, &p, 1, 0, &ids, NULL) == 0 && ids.n > 0);
	for (size_t i = 0; t && i < ids.n; i++)
		if (ids.v[i] < 0 || ids.v[i] >= tokenizer_vocab(t)) {
			CHECK(false);
			break;
		}
	ids_free(&ids);
	buf_free(&b);
	tokenizer_free(t);
}

/* Every cut of a model is an error or a model, never a crash. */
static void
cut_off(void)
{
	struct buf b = BUF_INIT;
	char why[256];
	int bad = 0;
	CHECK(file_read("tests/golden/text/bpe.model", 1 << 20, &b, NULL) == 0);
	for (size_t n = 0; n < b.len; n += 97) {
		struct spm *s = spm_load(b.data, n, why, sizeof why);
		bad += s == NULL;
		if (s)
			spm_free(s);
		else
			CHECK(why[0] != '\0');
	}
	CHECK(bad > 60);
	buf_free(&b);
}

int
main(void)
{
	RUN(bpe);
	RUN(unigram);
	RUN(added_tokens);
	RUN(prefix_taken_back);
	RUN(any_bytes);
	RUN(cut_off);
	TEST_END;
}
