/* Model folders: what the configuration files add, added tokens, hostile files. */
#include <dirent.h>

#include "tests/unit/text_util.h"

#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"

/* 0 <|x|> (special), 1 T 2 h 3 e 4 (space) 5 th 6 he 7 The 8 1 ... and 13 "caf", not special. */
static const char small[] =
	"{\"added_tokens\":[{\"id\":0,\"content\":\"<|x|>\",\"special\":true},"
	"{\"id\":13,\"content\":\"caf\",\"special\":false}],"
	"\"normalizer\":null,\"pre_tokenizer\":" BYTE_LEVEL ",\"post_processor\":%s,"
	"\"model\":{\"type\":\"BPE\",\"vocab\":{\"<|x|>\":0,\"T\":1,\"h\":2,\"e\":3,\"\u0120\":4,"
	"\"th\":5,\"he\":6,\"The\":7,\"1\":8,\"<\":9,\"|\":10,\"x\":11,\">\":12},"
	"\"merges\":[\"h e\",\"T he\"]}}";

#define TEMPLATE_BOS                                                                              \
	"{\"type\":\"Sequence\",\"processors\":[" BYTE_LEVEL ",{\"type\":\"TemplateProcessing\"," \
	"\"single\":[{\"SpecialToken\":{\"id\":\"<|x|>\",\"type_id\":0}},"                        \
	"{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"                                           \
	"\"special_tokens\":{\"<|x|>\":{\"id\":\"<|x|>\",\"ids\":[0],\"tokens\":[\"<|x|>\"]}}}]}"

static struct tokenizer *
load_small(char dir[64], const char *post, const char *config)
{
	struct buf b = BUF_INIT;
	folder_make(dir);
	buf_printf(&b, small, post);
	folder_write(dir, "tokenizer.json", b.data);
	if (config)
		folder_write(dir, "tokenizer_config.json", config);
	buf_free(&b);
	struct tokenizer *t = folder_load(dir);
	CHECK(t != NULL);
	return t;
}

static void
added_tokens(void)
{
	char dir[64];
	struct tokenizer *t = load_small(dir, "null", NULL);
	if (t == NULL)
		return;
	CHECK(tokenizer_vocab(t) == 14);
	CHECK_STR(text_ids(t, "The<|x|>he", true), "7 0 6");
	/* A record cannot forge a special token; it is spelled instead. */
	CHECK_STR(text_ids(t, "The<|x|>he", false), "7 9 10 11 10 12 6");
	CHECK_STR(text_ids(t, "Thecafhe", false), "7 13 6");
	/* Nor can a literal and a record together. */
	struct text_piece p[] = {{"<|", 2, true}, {"x|>", 3, false}, {"<|x|>", 5, true}};
	CHECK_STR(ids_of(t, p, 3, 0), "9 10 11 10 12 0");
	/* Merges cross the border of two pieces. */
	struct text_piece q[] = {{"T", 1, true}, {"h", 1, false}, {"e", 1, true}};
	CHECK_STR(ids_of(t, q, 3, 0), "7");
	CHECK_STR(text_ids(t, "Q", false), "error: the tokenizer has no token for byte 0x51");
	int32_t ids[] = {0, 7, 13, 14, 4, -1, 99, 8};
	struct buf b = BUF_INIT;
	tokenizer_decode(t, ids, 8, true, false, &b);
	CHECK_STR(b.data, "Thecaf 1");
	buf_reset(&b);
	tokenizer_decode(t, ids, 8, true, true, &b);
	CHECK_STR(b.data, "<|x|>Thecaf 1");
	buf_free(&b);
	CHECK(tokenizer_id(t, "<|x|>") == 0 && tokenizer_id(t, "The") == 7);
	CHECK(tokenizer_id(t, " ") == 4 && tokenizer_id(t, "nothing") == -1);
	CHECK(tokenizer_bos(t) == -1 && tokenizer_eos(t) == -1 && !tokenizer_adds_bos(t));
	tokenizer_free(t);
	folder_remove(dir);
}

static void
check_bos(const char *post, const char *config, int32_t bos, int32_t eos, bool adds)
{
	char dir[64];
	struct tokenizer *t = load_small(dir, post, config);
	if (t) {
		CHECK(tokenizer_bos(t) == bos);
		CHECK(tokenizer_eos(t) == eos);
		CHECK(tokenizer_adds_bos(t) == adds);
	}
	tokenizer_free(t);
	folder_remove(dir);
}

static void
bos_and_eos(void)
{
	check_bos("null", NULL, -1, -1, false);
	check_bos(TEMPLATE_BOS, NULL, 0, -1, true);
	/* A bos token alone is no reason to prepend it. */
	check_bos("null", "{\"bos_token\":\"<|x|>\",\"eos_token\":{\"content\":\"<|x|>\"}}", 0, 0,
		false);
	check_bos("null",
		"{\"bos_token\":\"<|x|>\",\"add_bos_token\":true,\"add_prefix_space\":false}", 0,
		-1, true);
	check_bos(TEMPLATE_BOS, "{\"add_bos_token\":false,\"eos_token\":\"caf\"}", 0, 13, false);
	check_bos("null",
		"{\"added_tokens_decoder\":{\"21\":{\"content\":\"<e>\",\"special\":true}},"
		"\"eos_token\":\"<e>\"}",
		-1, 21, false);
}

static void
other_files(void)
{
	char dir[64];
	struct tokenizer *t = load_small(dir, "null", NULL);
	tokenizer_free(t);
	folder_write(dir, "special_tokens_map.json", "{\"eos_token\":{\"content\":\"<|x|>\"}}");
	folder_write(dir, "added_tokens.json", "{\"<new>\":30}");
	folder_write(dir, "config.json", "{\"bos_token_id\":0,\"eos_token_id\":[8,2]}");
	t = folder_load(dir);
	CHECK(t && tokenizer_eos(t) == 0 && tokenizer_bos(t) == 0 && !tokenizer_adds_bos(t));
	CHECK(t && tokenizer_vocab(t) == 31 && tokenizer_id(t, "<new>") == 30);
	tokenizer_free(t);
	folder_remove(dir);
}

/* What Python's json module writes, and only it reads: 1e30 as an integer, Infinity, NaN. */
static void
python_numbers(void)
{
	static const char *const files[] = {"tokenizer_config.json", "special_tokens_map.json",
		"config.json", "generation_config.json"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char dir[64];
		struct tokenizer *t = load_small(dir, "null", NULL);
		tokenizer_free(t);
		folder_write(dir, files[i],
			"{\"model_max_length\":1000000000000000019884624838656,"
			"\"a\":[Infinity,-Infinity],\"b\":NaN,\"eos_token_id\":7}");
		t = folder_load(dir);
		CHECK(t && tokenizer_eos(t) == (i == 2 ? 7 : -1));
		CHECK(t && strcmp(text_ids(t, "The", false), "7") == 0);
		tokenizer_free(t);
		folder_remove(dir);
	}
}

/* Code and message of a folder that must not load. */
static void
refused(const char *name, const char *text, int code, const char *says)
{
	char dir[64];
	struct tokenizer *t = load_small(dir, "null", NULL);
	struct err e = {0};
	tokenizer_free(t);
	t = NULL;
	if (name)
		folder_write(dir, name, text);
	CHECK(tokenizer_load(&t, dir, &e) < 0 && e.code == code);
	if (strstr(e.msg, says) == NULL || (name && strstr(e.msg, name) == NULL)) {
		printf("# \"%s\" does not say \"%s\" and %s\n", e.msg, says, name);
		CHECK(false);
	}
	folder_remove(dir);
}

static void
wrong_files(void)
{
	refused("tokenizer_config.json", "{\"eos_token\":\"</s>\"}", ERR_CONFIG, "eos_token");
	refused("tokenizer_config.json", "{\"add_prefix_space\":true}", ERR_CONFIG,
		"add_prefix_space is true");
	refused("tokenizer_config.json", "{\"eos_", ERR_DATA, "column 6");
	refused("tokenizer_config.json", "[]", ERR_DATA, "object");
	refused("tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{}}}", ERR_DATA, "id");
	refused("tokenizer_config.json",
		"{\"added_tokens_decoder\":{\"3\":{\"content\":\"f\",\"special\":true}}}", ERR_DATA,
		"3");
	refused("added_tokens.json", "{\"a\":-5}", ERR_DATA, "\"a\"");
	refused("special_tokens_map.json", "{\"bos_token\":\"zz\"}", ERR_CONFIG, "bos_token");
	refused("tokenizer.json",
		"{\"added_tokens\":[{\"id\":5,\"content\":\"x\"}],\"model\":{\"type\":"
		"\"WordLevel\","
		"\"vocab\":{\"a\":0,\"b\":1}}}",
		ERR_CONFIG, "gives it 2");
	refused("tokenizer.json", "{\"model\":", ERR_DATA, "column");
	char dir[64];
	struct tokenizer *t = NULL;
	struct err e = {0};
	folder_make(dir);
	CHECK(tokenizer_load(&t, dir, &e) < 0 && e.code == ERR_NOINPUT);
	folder_write(dir, "vocab.json", "{\"a\":0,\"b\":1}");
	CHECK(tokenizer_load(&t, dir, &e) < 0 && e.code == ERR_NOINPUT);
	folder_write(dir, "merges.txt", "#version: 0.2\na b\n");
	CHECK(tokenizer_load(&t, dir, &e) < 0 && e.code == ERR_DATA && strstr(e.msg, "merges.txt"));
	folder_remove(dir);
}

/* tokenizer.model alone: what is none, and tiktoken's file, is named; beside a tokenizer.json it is
 * not looked at. */
static void
foreign_models(void)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} cases[] = {
		{"no model", ERR_DATA, "tokenizer.model"},
		{"", ERR_DATA, "tokenizer.model"},
		{"AA== 0\nAQ== 1\n", ERR_CONFIG, "tiktoken"},
		{"IQ== 0\r\n", ERR_CONFIG, "tokenizer.json"},
	};
	char dir[64];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tokenizer *t = NULL;
		struct err e = {0};
		folder_make(dir);
		folder_write(dir, "tokenizer.model", cases[i].text);
		CHECK(tokenizer_load(&t, dir, &e) < 0 && e.code == cases[i].code);
		CHECK(strstr(e.msg, cases[i].says) != NULL);
		folder_remove(dir);
		t = load_small(dir, "null", NULL);
		tokenizer_free(t);
		folder_write(dir, "tokenizer.model", cases[i].text);
		t = folder_load(dir);
		CHECK(t && strcmp(text_ids(t, "The", false), "7") == 0);
		tokenizer_free(t);
		folder_remove(dir);
	}
}

/* vocab.json and merges.txt, with line ends of both kinds. */
static void
gpt2_files(void)
{
	char dir[64];
	folder_make(dir);
	folder_write(dir, "vocab.json",
		"{\"a\":0,\"b\":1,\"ab\":2,\"abb\":3,\"#\":5,\"##\":6,\"<|endoftext|>\":4}");
	folder_write(dir, "merges.txt", "#version: 0.2\r\na b\r\n\r\nab b\n# #");
	struct tokenizer *t = folder_load(dir);
	CHECK(t != NULL);
	if (t) {
		CHECK_STR(text_ids(t, "abb", false), "3");
		CHECK_STR(text_ids(t, "##", false), "6");
		CHECK(tokenizer_eos(t) == 4 && tokenizer_bos(t) == 4 && !tokenizer_adds_bos(t));
		CHECK_STR(text_ids(t, "a<|endoftext|>b", true), "0 4 1");
	}
	tokenizer_free(t);
	folder_remove(dir);
}

/* The fuzzer's seeds: valid-* load, bad-* are refused. */
static void
seeds(void)
{
	static const char dir[] = "tests/fuzz/seeds/tokenizer_json";
	DIR *d = opendir(dir);
	int n = 0;
	CHECK(d != NULL);
	for (struct dirent *de; d && (de = readdir(d));) {
		struct buf path = BUF_INIT, text = BUF_INIT;
		struct tokenizer *t = NULL;
		struct err e = {0};
		if (de->d_name[0] == '.')
			continue;
		bool valid = strncmp(de->d_name, "valid-", 6) == 0;
		CHECK(file_read(path_join(&path, dir, de->d_name), 1 << 20, &text, NULL) == 0);
		int rc = tokenizer_from_json(&t, text.data ? text.data : "", text.len, &e);
		if ((rc == 0) != valid || (rc < 0 && e.code != ERR_DATA && e.code != ERR_CONFIG)) {
			printf("# %s: %s\n", de->d_name, e.msg);
			CHECK(false);
		}
		if (rc == 0)
			CHECK_STR(text_ids(t, "<|x|>", true), "0");
		tokenizer_free(rc == 0 ? t : NULL);
		buf_free(&path);
		buf_free(&text);
		n++;
	}
	if (d)
		closedir(d);
	CHECK(n >= 50);
}

static void
backtracking_ends(void)
{
	struct buf text = BUF_INIT;
	struct tokenizer *t = NULL;
	CHECK(file_read("tests/fuzz/seeds/tokenizer_json/valid-backtracking.json", 1 << 20, &text,
		      NULL) == 0);
	CHECK(tokenizer_from_json(&t, text.data, text.len, NULL) == 0);
	if (t)
		CHECK(strstr(text_ids(t, "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh!",
				     false),
			      "error: the tokenizer's pattern fails") != NULL);
	tokenizer_free(t);
	buf_free(&text);
}

int
main(void)
{
	RUN(added_tokens);
	RUN(bos_and_eos);
	RUN(other_files);
	RUN(python_numbers);
	RUN(wrong_files);
	RUN(foreign_models);
	RUN(gpt2_files);
	RUN(seeds);
	RUN(backtracking_ends);
	TEST_END;
}
