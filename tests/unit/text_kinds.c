/* Every kind of tokenizer.json against ids of the tokenizers library
 * (tests/golden/text/kinds.json), the two engines of expressions against each other, decoding, long
 * input. */

#include "lib/text/utf8.h"
#include "tests/unit/text_util.h"

static json_t *
load(const char *path)
{
	struct buf b = BUF_INIT;
	struct err e = {0};
	json_t *v = NULL;
	if (file_read(path, 1 << 24, &b, &e) == 0)
		v = text_json(b.data, b.len, &e);
	if (v == NULL)
		printf("# %s\n", e.msg);
	buf_free(&b);
	return v;
}

static struct tokenizer *
parse(const json_t *root)
{
	struct tokenizer *t = NULL;
	struct err e = {0};
	char *text = json_dumps(root, 0);
	if (tokenizer_from_json(&t, text, strlen(text), &e) < 0)
		printf("# %s\n", e.msg);
	free(text);
	return t;
}

/* A base with members replaced; those of "model" within it. */
static struct tokenizer *
variant(const json_t *base, const json_t *set)
{
	json_t *root = json_deep_copy(base), *v;
	const char *key;
	json_object_foreach((json_t *)set, key, v)
	{
		if (strcmp(key, "model") == 0)
			json_object_update(json_object_get(root, "model"), v);
		else
			json_object_set(root, key, v);
	}
	struct tokenizer *t = parse(root);
	json_decref(root);
	return t;
}

static void
check_case(const json_t *c, const json_t *base, const json_t *strings, int *n)
{
	const char *name = json_string_value(json_object_get(c, "name"));
	const json_t *all = json_object_get(c, "ids");
	struct tokenizer *t = variant(base, json_object_get(c, "set"));
	int before = test_failed_checks;
	CHECK(t != NULL && json_array_size(all) == json_array_size(strings));
	for (size_t i = 0; t && i < json_array_size(strings); i++) {
		const json_t *ids = json_array_get(all, i);
		struct buf want = BUF_INIT;
		if (json_is_null(ids))
			continue; /* the library panics */
		buf_puts(&want, "");
		for (size_t k = 0; k < json_array_size(ids); k++)
			buf_printf(&want, "%s%lld", k ? " " : "",
				(long long)json_integer_value(json_array_get(ids, k)));
		CHECK_STR(text_ids(t, json_string_value(json_array_get(strings, i)), true),
			want.data);
		buf_free(&want);
		++*n;
	}
	if (test_failed_checks > before)
		printf("# %s\n", name);
	tokenizer_free(t);
}

static void
ids_of_the_library(void)
{
	json_t *root = load("tests/golden/text/kinds.json"), *c;
	json_t *bytes = load("tests/golden/text/tokenizer.json");
	json_t *bases = json_object_get(root, "bases");
	size_t i;
	int n = 0;
	json_array_foreach(json_object_get(root, "cases"), i, c)
	{
		const char *base = json_string_value(json_object_get(c, "base"));
		check_case(c, strcmp(base, "bytes") == 0 ? bytes : json_object_get(bases, base),
			json_object_get(root, "strings"), &n);
	}
	CHECK(n > 3500);
	json_decref(root);
	json_decref(bytes);
}

/* All matches of a pattern in a text, as one number, by one engine or the other. */
static uint64_t
matches(const struct regex *r, const char *s, size_t n)
{
	struct regex_walk w = {0};
	size_t start, end;
	uint64_t h = 0;
	while (regex_next(r, &w, s, n, &start, &end, NULL) > 0)
		h = (h ^ (start << 24) ^ end) * 0x9e3779b97f4a7c15u + 1;
	regex_walk_free(&w);
	return h;
}

/* What goes to PCRE2 means the same to Oniguruma, for every character but the private ones. */
static void
engines_agree(void)
{
	static const char *const fast[] = {pretok_gpt2,
		"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
		" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
		"\\s", "\\S", "\\d", "[^\\s\\d]", "\\p{L}", "\\p{Lu}", "\\p{Ll}", "\\p{Lt}",
		"\\p{Lm}", "\\p{Lo}", "\\p{M}", "\\p{Mn}", "\\p{Mc}", "\\p{Me}", "\\p{N}",
		"\\p{Nd}", "\\p{Nl}", "\\p{No}", "\\p{P}", "\\p{Pc}", "\\p{Pd}", "\\p{Ps}",
		"\\p{Pe}", "\\p{Pi}", "\\p{Pf}", "\\p{Po}", "\\p{S}", "\\p{Sm}", "\\p{Sc}",
		"\\p{Sk}", "\\p{So}", "\\p{Z}", "\\P{L}", "(?i:s)", "(?i:[k-z])", "[a-z\\-_]",
		"[\xc3\xa9-\xc3\xb3]", "x*", "(?=a)|b??"};
	struct buf all = BUF_INIT;
	for (int32_t c = 1; c < 0xe0200; c = c == 0x323af ? 0xe0000 : c + 1)
		if (c < 0xd800 || c > 0xdfff) {
			utf8_put(&all, c);
			if (c % 7 == 0)
				buf_puts(&all, " x'S");
		}
	for (size_t i = 0; i < sizeof fast / sizeof *fast; i++) {
		struct regex *quick = NULL, *slow = NULL;
		size_t n = strlen(fast[i]);
		CHECK(regex_compile(&quick, fast[i], n, NULL) == 0 && regex_is_fast(quick));
		CHECK(regex_compile_slow(&slow, fast[i], n, NULL) == 0 && !regex_is_fast(slow));
		if (matches(quick, all.data, all.len) != matches(slow, all.data, all.len)) {
			printf("# %s\n", fast[i]);
			CHECK(false);
		}
		regex_free(quick);
		regex_free(slow);
	}
	buf_free(&all);
}

/* And what may mean another thing goes to Oniguruma. */
static void
engines_chosen(void)
{
	static const char *const slow[] = {"^", "$", ".", "\\w", "\\b", "\\h", "\\X", "\\p{Han}",
		"\\p{Alpha}", "\\p{^L}", "a{2}+", "a{2}?", "a{,2}", "a**", "[a-z&&b]",
		"[[:alpha:]]", "[\\S]", "(?<=a)", "(?m:a)", "(?i:ss)", "(?i:\xc3\xa9)", "(?i:fI)",
		"(?i:s+)", "\\x41", "(a)\\1", "(?>a)", "[a-\\d]", "", "(?#x)", "\\p{Lx}", "\\Ka",
		"\\Ra", "[]a]"};
	for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
		struct buf b = BUF_INIT;
		if (regex_translate(slow[i], strlen(slow[i]), &b)) {
			printf("# %s\n", slow[i]);
			CHECK(false);
		}
		buf_free(&b);
	}
	struct regex *r = NULL;
	struct err e = {0};
	CHECK(regex_compile(&r, "(", 1, &e) < 0 && e.code == ERR_CONFIG && strstr(e.msg, "\"(\""));
}

static void
check_decoder(const char *decoder, const char *want, const char *rest)
{
	static const char *const tokens[] = {
		"\xe2\x96\x81the", "\xe2\x96\x81se", "a", "<0xC3>", "<0xA9>", "##s", "."};
	json_t *v = decoder ? json_loads(decoder, 0, NULL) : NULL;
	struct decoder d = {0};
	struct buf b = BUF_INIT;
	struct err e = {0};
	CHECK(decoder_load(&d, v, &e) == 0);
	for (int i = 0; i < 7; i++)
		decoder_token(&d, tokens[i], strlen(tokens[i]), i == 0, &b);
	CHECK_STR(b.data, want);
	buf_reset(&b);
	decoder_token(&d, tokens[0], strlen(tokens[0]), false, &b);
	CHECK_STR(b.data, rest);
	buf_free(&b);
	decoder_free(&d);
	json_decref(v);
}

#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xe2\x96\x81\"},\"content\":\" \"}"

static void
decoders(void)
{
	check_decoder("{\"type\":\"Sequence\",\"decoders\":[" REPLACE
		      ",{\"type\":\"ByteFallback\"},"
		      "{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,"
		      "\"stop\":0}]}",
		"the sea\xc3\xa9##s.", " the");
	check_decoder("{\"type\":\"Sequence\",\"decoders\":[" REPLACE ",{\"type\":\"Fuse\"}]}",
		" the sea<0xC3><0xA9>##s.", " the");
	check_decoder("{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":"
		      "\"always\"}",
		"the sea<0xC3><0xA9>##s.", " the");
	check_decoder("{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":"
		      "\"never\"}",
		" the sea<0xC3><0xA9>##s.", " the");
	check_decoder("{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
		"\xe2\x96\x81the \xe2\x96\x81se a <0xC3> <0xA9>s.", " \xe2\x96\x81the");
}

/* What a model writes comes out byte by byte, as whole characters when all are there. */
static void
text_there_and_back(void)
{
	static const char *const texts[] = {
		"the sea", " the  sea", "caf\xc3\xa9 \xe4\xb8\xad\xf0\x9f\x98\x80!", "a\nb"};
	json_t *root = load("tests/golden/text/kinds.json"), *set;
	set = json_loads(
		"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
		"\"Prepend\",\"prepend\":\"\xe2\x96\x81\"},{\"type\":\"Replace\",\"pattern\":"
		"{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}]}}",
		0, NULL);
	struct tokenizer *t = variant(json_object_get(json_object_get(root, "bases"), "bpe"), set);
	CHECK(t && tokenizer_has_prefix(t));
	CHECK(t && strcmp(tokenizer_kind(t), "bpe") == 0);
	for (size_t i = 0; t && i < sizeof texts / sizeof *texts; i++)
		for (unsigned flags = 0; flags < 2; flags++) {
			struct text_piece p = {texts[i], strlen(texts[i]), false};
			struct ids ids = {0};
			struct buf b = BUF_INIT;
			CHECK(tokenizer_encode(
				      t, &p, 1, flags ? TOKENIZER_NO_PREFIX : 0, &ids, NULL) == 0);
			for (size_t k = 0; k < ids.n; k++)
				tokenizer_decode(t, ids.v + k, 1, !flags && k == 0, false, &b);
			CHECK_STR(b.data, texts[i]);
			buf_free(&b);
			ids_free(&ids);
		}
	tokenizer_free(t);
	json_decref(set);
	json_decref(root);
}

/* A record's text makes no special token, in whatever form they are looked for. */
static void
specials_from_literals_only(void)
{
	json_t *root = load("tests/golden/text/kinds.json");
	json_t *set = json_loads("{\"normalizer\":{\"type\":\"NFKC\"},\"added_tokens\":[{\"id\":1,"
				 "\"content\":\"<s>\","
				 "\"normalized\":true,\"special\":true}]}",
		0, NULL);
	struct tokenizer *t = variant(json_object_get(json_object_get(root, "bases"), "bpe"), set);
	struct text_piece p[] = {
		{"<s>", 3, false}, {"e<s>\xef\xac\x81", 7, true}, {"<s>", 3, false}};
	const char *ids = t ? ids_of(t, p, 3, 0) : "";
	const char *one = strstr(ids, " 1 ");
	CHECK(one && strstr(one + 1, " 1 ") == NULL && strncmp(ids, "1 ", 2) != 0);
	tokenizer_free(t);
	/* nor in a form that the normaliser makes of it: <s> in full-width letters */
	t = variant(json_object_get(json_object_get(root, "bases"), "unigram"), set);
	ids = t ? text_ids(t, "\xef\xbc\x9c\x73\xef\xbc\x9e x", true) : "";
	CHECK(t && *ids && strncmp(ids, "1 ", 2) == 0);
	ids = t ? text_ids(t, "\xef\xbc\x9c\x73\xef\xbc\x9e x", false) : "";
	CHECK(t && *ids && strncmp(ids, "1 ", 2) != 0 && strstr(ids, " 1 ") == NULL);
	tokenizer_free(t);
	json_decref(set);
	json_decref(root);
}

/* A megabyte without a space: at quadratic cost these would take hours. */
static void
long_input(void)
{
	static const char *const kinds[] = {"bpe", "unigram", "wordpiece", "wordlevel"};
	static const char *const units[] = {
		"e", "the", "\xc3\xa9", "\xe4\xb8\xad", "\xff", "1", "\xcc\x81\xcc\xa7"};
	json_t *root = load("tests/golden/text/kinds.json");
	struct buf b = BUF_INIT;
	for (size_t k = 0; k < 4; k++) {
		struct tokenizer *t =
			parse(json_object_get(json_object_get(root, "bases"), kinds[k]));
		for (size_t u = 0; t && u < sizeof units / sizeof *units; u++) {
			struct ids ids = {0};
			buf_reset(&b);
			while (b.len < 1 << 20)
				buf_puts(&b, units[u]);
			struct text_piece p = {b.data, b.len, true};
			CHECK(tokenizer_encode(t, &p, 1, 0, &ids, NULL) == 0);
			/* BERT drops the marks of the last */
			CHECK((ids.n > 0 || (k > 1 && units[u][0] == '\xcc')) &&
				ids.n <= 2 * b.len);
			ids_free(&ids);
		}
		CHECK(t != NULL);
		tokenizer_free(t);
	}
	buf_free(&b);
	json_decref(root);
}

static const char *
form_of(const char *s, enum unicode_form form)
{
	static struct buf b;
	buf_reset(&b);
	unicode_normalize(s, strlen(s), form, &b);
	return b.data;
}

/* The library's tables are older than ours: what is new in Unicode stays as it is. */
static void
characters_new_to_the_library(void)
{
	CHECK(unicode_is_mark(0x301) && unicode_is_mark(0x1cf2) && !unicode_is_mark(0x8d3));
	CHECK(unicode_is_nonspacing(0x301) && unicode_is_nonspacing(0x1734));
	CHECK(!unicode_is_nonspacing(0x8d4) && !unicode_is_nonspacing(0x1ac1));
	CHECK(unicode_is_other(0x200b) && !unicode_is_other(0x890) && !unicode_is_other('a'));
	CHECK_STR(form_of("\xe3\x8b\xbf\xe3\x8b\xbe", UNICODE_NFKC),
		"\xe3\x8b\xbf\xe3\x83\xb2"); /* U+32FF is of 2019, U+32FE is not */
	CHECK_STR(form_of("a\xcc\x81\xcc\xa3", UNICODE_NFD), "a\xcc\xa3\xcc\x81");
	CHECK_STR(form_of("a\xcc\x81\xe0\xa3\x93", UNICODE_NFD), "a\xcc\x81\xe0\xa3\x93");
}

int
main(void)
{
	RUN(ids_of_the_library);
	RUN(engines_agree);
	RUN(engines_chosen);
	RUN(decoders);
	RUN(text_there_and_back);
	RUN(specials_from_literals_only);
	RUN(characters_new_to_the_library);
	RUN(long_input);
	TEST_END;
}
