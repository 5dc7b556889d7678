/* The 47 strings of the shared tokenizer material, and the decoder on them. */
#include "tests/unit/text_util.h"

static const char mark[] = "\n__ggml_vocab_test__\n";

static char *
read_all(const char *shared)
{
	struct buf b = BUF_INIT;
	const char *path = shared_path(shared);
	if (path == NULL || file_read(path, 1 << 20, &b, NULL) < 0)
		return NULL;
	return b.data;
}

static void
check_string(const struct tokenizer *t, const char *s, const char *want)
{
	CHECK_STR(text_ids(t, s, false), want);
	struct ids ids = {0};
	struct text_piece p = {s, strlen(s), false};
	struct buf back = BUF_INIT, slow = BUF_INIT;
	CHECK(tokenizer_encode(t, &p, 1, 0, &ids, NULL) == 0);
	tokenizer_decode(t, ids.v, ids.n, true, false, &back);
	CHECK_STR(back.data, s);
	/* Token by token gives the same bytes. */
	buf_puts(&slow, "");
	for (size_t i = 0; i < ids.n; i++)
		tokenizer_decode(t, ids.v + i, 1, i == 0, false, &slow);
	CHECK_STR(slow.data, s);
	buf_free(&slow);
	buf_free(&back);
	ids_free(&ids);
}

/* A mark stands between two strings, a line of ids (after a space) for each; the 47th string is
 * empty and so is what is left of the ids. */
static void
check_golden(const struct tokenizer *t, const char *golden)
{
	char *in = read_all("tokenizers/golden-strings.inp"), *want = read_all(golden);
	CHECK(in && want && t);
	if (!in || !want || !t)
		return;
	int n = 0;
	char *s = in, *line = want, *end, *nl;
	for (; (end = strstr(s, mark)) && (nl = strchr(line, '\n')); n++) {
		*end = *nl = '\0';
		check_string(t, s, line + (*line == ' '));
		s = end + strlen(mark);
		line = nl + 1;
	}
	check_string(t, s, line);
	CHECK(n + 1 == 47);
	free(in);
	free(want);
}

static void
run_golden(const char *from[][2], const char *golden, int32_t vocab, bool spm)
{
	char dir[64];
	if (shared_path(golden) == NULL)
		SKIP("no shared material");
	folder_make(dir);
	for (int i = 0; from[i][0]; i++)
		CHECK(folder_copy(dir, from[i][0], from[i][1]));
	struct tokenizer *t = folder_load(dir);
	check_golden(t, golden);
	if (t) {
		CHECK(tokenizer_vocab(t) == vocab);
		CHECK(is_spm(t) == spm);
		CHECK(tokenizer_adds_bos(t) == spm);
		CHECK(strlen(tokenizer_hash(t)) == 64);
	}
	tokenizer_free(t);
	folder_remove(dir);
}

static void
llama(void)
{
	const char *from[][2] = {{"tokenizers/llama2-tokenizer.model", "tokenizer.model"}, {NULL}};
	run_golden(from, "tokenizers/golden-llama-spm.out", 32000, true);
}

static void
gpt2(void)
{
	const char *from[][2] = {{"tokenizers/gpt2-vocab.json", "vocab.json"},
		{"tokenizers/gpt2-merges.txt", "merges.txt"}, {NULL}};
	run_golden(from, "tokenizers/golden-gpt2.out", 50257, false);
}

static void
gptneox(void)
{
	const char *from[][2] = {
		{"tokenizers/gptneox-20B_tokenizer.json", "tokenizer.json"}, {NULL}};
	run_golden(from, "tokenizers/golden-gptneox.out", 50277, false);
}

static void
pythia_merges_as_pairs(void)
{
	const char *from[][2] = {
		{"tokenizers/pythia-tokenizer-newformat.json", "tokenizer.json"}, {NULL}};
	run_golden(from, "tokenizers/golden-gptneox.out", 50278, false);
}

static void
llama_pieces(void)
{
	char dir[64];
	if (shared_path("tokenizers/llama2-tokenizer.model") == NULL)
		SKIP("no shared material");
	folder_make(dir);
	folder_copy(dir, "tokenizers/llama2-tokenizer.model", "tokenizer.model");
	struct tokenizer *t = folder_load(dir);
	CHECK(t != NULL);
	if (t == NULL)
		return;
	/* Control pieces are found in literals only. */
	CHECK_STR(text_ids(t, "<s>", true), "1");
	CHECK_STR(text_ids(t, "<s>", false), "529 29879 29958");
	struct text_piece hello = {"Hello world", 11, false};
	CHECK_STR(ids_of(t, &hello, 1, 0), "15043 3186");
	CHECK_STR(ids_of(t, &hello, 1, TOKENIZER_NO_PREFIX), "10994 3186");
	/* Pieces are joined before they are split. */
	struct text_piece two[] = {{"Hel", 3, true}, {"lo world", 8, false}};
	CHECK_STR(ids_of(t, two, 2, 0), "15043 3186");
	/* A special token may not be put together out of a literal and a text. */
	struct text_piece trick[] = {{"<", 1, true}, {"s>", 2, false}};
	CHECK_STR(ids_of(t, trick, 2, 0), "529 29879 29958");
	/* Bytes without a piece: byte tokens and back; specials print nothing. */
	struct buf b = BUF_INIT;
	int32_t ids[] = {1, 15043, 243, 162, 2};
	tokenizer_decode(t, ids, 5, true, false, &b);
	CHECK_STR(b.data, "Hello\xf0\x9f");
	buf_reset(&b);
	tokenizer_decode(t, ids, 5, false, true, &b);
	CHECK_STR(b.data, "<s> Hello\xf0\x9f</s>");
	buf_free(&b);
	CHECK(tokenizer_bos(t) == 1 && tokenizer_eos(t) == 2);
	CHECK(tokenizer_id(t, "</s>") == 2 && tokenizer_id(t, "\xe2\x96\x81Hello") == 15043);
	CHECK(tokenizer_id(t, "no such piece") == -1);
	tokenizer_free(t);
	folder_remove(dir);
}

int
main(void)
{
	RUN(llama);
	RUN(gpt2);
	RUN(gptneox);
	RUN(pythia_merges_as_pairs);
	RUN(llama_pieces);
	TEST_END;
}
