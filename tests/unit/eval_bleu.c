#include "tests/test.h"

#include <float.h>
#include <jansson.h>

#include "lib/eval/bleu.h"

/* tests/golden/bleu.json: what nltk and sacreBLEU say (see tests/golden/README.md). */
static json_t *
golden(const char *key)
{
	static json_t *root;
	json_error_t why;
	if (root == NULL)
		root = json_load_file("tests/golden/bleu.json", JSON_ALLOW_NUL, &why);
	CHECK(root != NULL);
	return json_object_get(root, key);
}

static const char *
text(const json_t *v, size_t *n)
{
	*n = json_string_length(v);
	return json_string_value(v);
}

/* Relative, because the interesting values go down to 1e-231. */
static int
close_to(double got, double want)
{
	return want == 0 ? got == 0 : fabs(got - want) <= 1e-9 * fabs(want);
}

static void
sentences_are_nltk(void)
{
	json_t *list = golden("sentences"), *c;
	size_t i, n_hyp, n_ref, tiny = 0;
	CHECK(json_array_size(list) == 55);
	json_array_foreach(list, i, c)
	{
		const char *hyp = text(json_object_get(c, "hyp"), &n_hyp);
		const char *ref = text(json_object_get(c, "ref"), &n_ref);
		double want = json_number_value(json_object_get(c, "nltk_char"));
		double got = bleu_char(hyp, n_hyp, ref, n_ref);
		if (!close_to(got, want))
			printf("# sentence %zu: %.17g, not %.17g\n", i, got, want);
		CHECK(close_to(got, want));
		tiny += want > 0 && want < 1e-60;
	}
	CHECK(tiny > 5); /* the cases of orders without a match are there */
}

static void
corpora_are_sacrebleu(void)
{
	json_t *list = golden("corpora"), *c;
	size_t i, j, n_hyp, n_ref;
	CHECK(json_array_size(list) == 25);
	json_array_foreach(list, i, c)
	{
		struct bleu_corpus b = {0};
		json_t *hyps = json_object_get(c, "hyp"), *refs = json_object_get(c, "ref"), *h;
		json_array_foreach(hyps, j, h)
		{
			const char *hyp = text(h, &n_hyp);
			const char *ref = text(json_array_get(refs, j), &n_ref);
			bleu_corpus_add(&b, hyp, n_hyp, ref, n_ref);
		}
		double p[BLEU_ORDER], bp, score = bleu_corpus_score(&b, p, &bp);
		double want = json_number_value(json_object_get(c, "score"));
		if (!close_to(score, want))
			printf("# %s: %.17g, not %.17g\n",
				json_string_value(json_object_get(c, "name")), score, want);
		CHECK(close_to(score, want));
		CHECK(close_to(bp, json_number_value(json_object_get(c, "bp"))));
		CHECK(b.hyp_len == json_integer_value(json_object_get(c, "sys_len")));
		CHECK(b.ref_len == json_integer_value(json_object_get(c, "ref_len")));
		for (size_t k = 0; k < BLEU_ORDER; k++) {
			json_t *counts = json_object_get(c, "counts");
			json_t *totals = json_object_get(c, "totals");
			json_t *precs = json_object_get(c, "precisions");
			CHECK(b.correct[k] == json_integer_value(json_array_get(counts, k)));
			CHECK(b.total[k] == json_integer_value(json_array_get(totals, k)));
			CHECK(close_to(p[k], json_number_value(json_array_get(precs, k))));
		}
		char printed[128];
		snprintf(printed, sizeof printed,
			"BLEU = %.2f %.1f/%.1f/%.1f/%.1f (BP = %.3f ratio = %.3f hyp_len = %lld "
			"ref_len = %lld)",
			score, p[0], p[1], p[2], p[3], bp,
			b.ref_len ? (double)b.hyp_len / (double)b.ref_len : 0, (long long)b.hyp_len,
			(long long)b.ref_len);
		CHECK_STR(printed, json_string_value(json_object_get(c, "printed")));
	}
}

static void
tokens_are_13a(void)
{
	json_t *list = golden("corpora"), *c, *h;
	size_t i, j, n, n_want;
	json_array_foreach(list, i, c)
	{
		json_array_foreach(json_object_get(c, "hyp"), j, h)
		{
			struct buf got = BUF_INIT;
			const char *hyp = text(h, &n);
			bleu_tokenize_13a(&got, hyp, n);
			const char *want =
				text(json_array_get(json_object_get(c, "hyp_tokens"), j), &n_want);
			bool same = got.len == n_want &&
				    memcmp(got.len ? got.data : "", want, n_want) == 0;
			if (!same)
				printf("# '%.*s', not '%s'\n", (int)got.len, got.data, want);
			CHECK(same);
			buf_free(&got);
		}
	}
}

static void
signature_names_this_program(void)
{
	struct buf b = BUF_INIT;
	bleu_signature(&b);
	const char *theirs = json_string_value(
		json_object_get(json_array_get(golden("corpora"), 0), "signature"));
	size_t n = strlen("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:");
	CHECK(strncmp(b.data, theirs, n) == 0);
	CHECK(strncmp(b.data + n, "pro-", 4) == 0 && strchr(b.data + n, '.')); /* pro-0.1.0 */
	buf_free(&b);
}

/* Ill-formed UTF-8 is counted byte by byte and never read beyond its end. */
static void
stray_bytes_count_as_characters(void)
{
	char *s = x_strndup(
		"abc\xf0\x9f", 5); /* the end of the block: ASan would see one byte more */
	CHECK_NEAR(bleu_char(s, 5, "abc\xf0\x9f", 5), 1, 0);
	CHECK(bleu_char(s, 5, "abc\xf0\x9e", 5) < 1);
	CHECK(bleu_char("\xff", 1, "\xfe", 1) == 0);
	struct bleu_corpus c = {0};
	bleu_corpus_add(&c, s, 5, s, 5);
	CHECK(c.hyp_len == 1 && c.correct[0] == 1);
	free(s);
}

static void
strip_is_pythons(void)
{
	static const char *const cases[][2] = {
		{"  hello  ", "hello"}, {"\t\r\n\v\fx\x1c\x1d\x1e\x1f", "x"},
		{"\xc2\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000x y\xc2\x85", "x y"},
		{"\u200bx\u200b", "\u200bx\u200b"}, /* zero width space is not white space */
		{" \u2003 ", ""}, {"", ""}, {"\xa0x", "\xa0x"}, /* a stray byte, not U+00A0 */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *s = cases[i][0];
		size_t n = strlen(s);
		bleu_strip(&s, &n);
		CHECK(n == strlen(cases[i][1]) && memcmp(s, cases[i][1], n) == 0);
	}
}

int
main(void)
{
	RUN(sentences_are_nltk);
	RUN(corpora_are_sacrebleu);
	RUN(tokens_are_13a);
	RUN(signature_names_this_program);
	RUN(stray_bytes_count_as_characters);
	RUN(strip_is_pythons);
	TEST_END;
}
