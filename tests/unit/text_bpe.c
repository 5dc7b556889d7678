/* Byte-level BPE: against ids of the tokenizers library (tests/golden/text), the trainer against a
 * plain recount, bytes there and back, long and hostile input. */
#include <pthread.h>

#include "lib/base/rng.h"
#include "lib/text/bpe_train.h"
#include "tests/unit/text_util.h"

static const char base_path[] = "tests/golden/text/tokenizer.json";

static char *
read_file(const char *path)
{
	struct buf b = BUF_INIT;
	struct err e = {0};
	if (file_read(path, 1 << 24, &b, &e) < 0)
		printf("# %s\n", e.msg);
	return b.data;
}

static struct tokenizer *
parse(const char *json)
{
	struct tokenizer *t = NULL;
	struct err e = {0};
	if (tokenizer_from_json(&t, json, strlen(json), &e) < 0)
		printf("# %s\n", e.msg);
	return t;
}

/* The base tokenizer with members replaced; those of "model" within it. */
static struct tokenizer *
variant(const json_t *set)
{
	char *text = read_file(base_path);
	json_t *root = json_loads(text, 0, NULL), *v;
	const char *key;
	json_object_foreach((json_t *)set, key, v)
	{
		if (strcmp(key, "model") == 0)
			json_object_update(json_object_get(root, "model"), v);
		else
			json_object_set(root, key, v);
	}
	free(text);
	text = json_dumps(root, 0);
	json_decref(root);
	struct tokenizer *t = parse(text);
	free(text);
	return t;
}

static void
reference_case(const json_t *c, const json_t *strings)
{
	struct tokenizer *t = variant(json_object_get(c, "set"));
	const json_t *list = json_object_get(c, "ids");
	CHECK(t != NULL && json_array_size(list) == json_array_size(strings));
	for (size_t i = 0; t && i < json_array_size(strings); i++) {
		struct buf want = BUF_INIT;
		const json_t *ids = json_array_get(list, i);
		buf_puts(&want, "");
		for (size_t k = 0; k < json_array_size(ids); k++)
			buf_printf(&want, "%s%lld", k ? " " : "",
				(long long)json_integer_value(json_array_get(ids, k)));
		int before = test_failed_checks;
		CHECK_STR(text_ids(t, json_string_value(json_array_get(strings, i)), true),
			want.data);
		if (test_failed_checks > before)
			printf("# %s, string %zu\n", json_string_value(json_object_get(c, "name")),
				i);
		buf_free(&want);
	}
	tokenizer_free(t);
}

static void
reference_ids(void)
{
	char *text = read_file("tests/golden/text/ids.json");
	json_t *root = text ? json_loads(text, 0, NULL) : NULL, *c;
	size_t i;
	CHECK(json_array_size(json_object_get(root, "cases")) == 16);
	json_array_foreach(json_object_get(root, "cases"), i, c)
		reference_case(c, json_object_get(root, "strings"));
	json_decref(root);
	free(text);
}

/* "a b" and ["a", "b"] say the same. */
static void
merge_spellings(void)
{
	char *text = read_file(base_path);
	json_t *root = json_loads(text, 0, NULL), *m;
	json_t *merges = json_object_get(json_object_get(root, "model"), "merges");
	json_t *lines = json_array();
	size_t i;
	json_array_foreach(merges, i, m) json_array_append_new(
		lines, json_sprintf("%s %s", json_string_value(json_array_get(m, 0)),
			       json_string_value(json_array_get(m, 1))));
	json_object_set_new(json_object_get(root, "model"), "merges", lines);
	char *other = json_dumps(root, 0);
	struct tokenizer *a = parse(text), *b = parse(other);
	CHECK(a && b);
	if (a && b) {
		const char *hash = tokenizer_hash(a);
		CHECK_STR(tokenizer_hash(b), hash);
		CHECK(strcmp(text_ids(b, "the License", false), "") != 0);
	}
	/* Another order of merges is another tokenizer. */
	json_t *first = json_incref(json_array_get(lines, 0));
	json_array_remove(lines, 0);
	json_array_insert_new(lines, 1, first);
	char *third = json_dumps(root, 0);
	struct tokenizer *c = parse(third);
	CHECK(c && a && strcmp(tokenizer_hash(c), tokenizer_hash(a)) != 0);
	tokenizer_free(a);
	tokenizer_free(b);
	tokenizer_free(c);
	free(text);
	free(other);
	free(third);
	json_decref(root);
}

/* Any bytes, valid or not, come back. */
static void
bytes_round_trip(void)
{
	char *text = read_file(base_path);
	struct tokenizer *t = parse(text);
	struct rng r = rng_key(1);
	CHECK(t != NULL);
	for (uint64_t i = 0; t && i < 400; i++) {
		char s[200];
		size_t n = rng_below(r, 1000 * i, sizeof s);
		for (size_t k = 0; k < n; k++) {
			uint64_t x = rng_bits(r, 1000 * i + k + 1);
			s[k] = i % 2 ? (char)x : "\xc3\xa9\xe2\x82 a1\n\0\xf0"[x % 10];
		}
		struct text_piece p = {s, n, i % 3 == 0};
		struct ids ids = {0};
		struct buf back = BUF_INIT;
		CHECK(tokenizer_encode(t, &p, 1, 0, &ids, NULL) == 0);
		tokenizer_decode(t, ids.v, ids.n, true, true, &back);
		CHECK(back.len == n && memcmp(back.data, s, n) == 0);
		ids_free(&ids);
		buf_free(&back);
	}
	tokenizer_free(t);
	free(text);
}

/* Merging as it is defined: the lowest rank anywhere, leftmost, again and again. */
static void
naive_word(const struct bpe *b, const char *s, size_t n, struct ids *out)
{
	for (size_t i = 0; i < n; i++)
		ids_push(out, b->byte_id[(unsigned char)s[i]]);
	for (;;) {
		const struct bpe_merge *best = NULL;
		size_t at = 0;
		for (size_t i = 0; i + 1 < out->n; i++)
			for (size_t k = 0; k <= b->merge_mask; k++) {
				const struct bpe_merge *m = &b->merge[k];
				if (m->pair == ((uint64_t)out->v[i] << 32 |
						       (uint32_t)out->v[i + 1]) &&
					(best == NULL || m->rank < best->rank))
					best = m, at = i;
			}
		if (best == NULL)
			return;
		out->v[at] = best->id;
		memmove(out->v + at + 1, out->v + at + 2, (out->n - at - 2) * sizeof *out->v);
		out->n--;
	}
}

static void
merges_by_definition(void)
{
	char *text = read_file(base_path);
	struct tokenizer *t = parse(text);
	struct rng r = rng_key(2);
	struct bpe_work work = {0};
	CHECK(t != NULL);
	for (uint64_t i = 0; t && i < 100; i++) {
		char s[40];
		size_t n = 1 + rng_below(r, 100 * i, sizeof s - 1);
		for (size_t k = 0; k < n; k++)
			s[k] = "etaoinshr "[rng_below(r, 100 * i + k + 1, 10)];
		struct ids a = {0}, b = {0};
		CHECK(bpe_encode_word(&t->bpe, s, n, &work, &a, NULL) == 0);
		naive_word(&t->bpe, s, n, &b);
		CHECK(a.n == b.n && memcmp(a.v, b.v, a.n * sizeof *a.v) == 0);
		ids_free(&a);
		ids_free(&b);
	}
	bpe_work_free(&work);
	tokenizer_free(t);
	free(text);
}

/* A megabyte of the same: at quadratic cost these would take hours. */
static void
long_input(void)
{
	enum { N = 1 << 20 };
	static const char *const unit[] = {
		"e", " ", "\n ", "'", "\xcc\x81\xcc\xa7", "1", "e ", "\xff"};
	json_t *set = json_pack("{s:{s:s}}", "normalizer", "type", "NFC");
	struct tokenizer *t = variant(set);
	struct buf b = BUF_INIT;
	CHECK(t != NULL);
	for (size_t u = 0; t && u < sizeof unit / sizeof *unit; u++) {
		struct ids ids = {0};
		buf_reset(&b);
		while (b.len < N)
			buf_puts(&b, unit[u]);
		struct text_piece p = {b.data, b.len, true};
		CHECK(tokenizer_encode(t, &p, 1, 0, &ids, NULL) == 0);
		CHECK(ids.n > 0 && ids.n <= b.len);
		ids_free(&ids);
	}
	buf_free(&b);
	tokenizer_free(t);
	json_decref(set);
}

struct sharer {
	const struct tokenizer *t;
	struct text_piece p;
	const struct ids *want;
	int bad;
};

static void *
encode_again(void *arg)
{
	struct sharer *s = arg;
	for (int i = 0; i < 8; i++) {
		struct ids ids = {0};
		s->bad += tokenizer_encode(s->t, &s->p, 1, 0, &ids, NULL) < 0 ||
			  ids.n != s->want->n ||
			  memcmp(ids.v, s->want->v, ids.n * sizeof *ids.v) != 0;
		ids_free(&ids);
	}
	return NULL;
}

/* One tokenizer, many threads: nothing in it changes. */
static void
threads_share(void)
{
	char *text = read_file(base_path), *license = read_file("LICENSE");
	struct tokenizer *t = parse(text);
	struct text_piece p = {license, strlen(license), false};
	struct ids want = {0};
	CHECK(t && tokenizer_encode(t, &p, 1, 0, &want, NULL) == 0 && want.n > 1000);
	pthread_t thread[4];
	struct sharer s[4];
	for (int i = 0; i < 4; i++) {
		s[i] = (struct sharer){t, p, &want, 0};
		CHECK(pthread_create(&thread[i], NULL, encode_again, &s[i]) == 0);
	}
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(thread[i], NULL) == 0 && s[i].bad == 0);
	ids_free(&want);
	tokenizer_free(t);
	free(text);
	free(license);
}

/* ---- trainer ---- */

static void
trainer_bytes(void)
{
	static const char *const special[] = {"<|endoftext|>"};
	struct bpe_train_params p = {600, special, 1, 0};
	struct buf json = BUF_INIT, config = BUF_INIT;
	char *license = read_file("LICENSE"), *want = read_file(base_path);
	int vocab = 0;
	CHECK(bpe_train(license, strlen(license), &p, &json, &config, &vocab, NULL) == 0);
	CHECK(vocab == 600);
	CHECK(json.data && strcmp(json.data, want) == 0);
	CHECK(config.data && strstr(config.data, "\"eos_token\": \"<|endoftext|>\""));
	buf_free(&json);
	buf_free(&config);
	free(license);
	free(want);
}

/* One step of BPE by recounting everything: the most frequent pair of ids, smallest among equals.
 */
static bool
recount_step(struct ids *words, size_t n, int32_t id, int32_t pair[2])
{
	long best = 1; /* less than 2 is not merged */
	for (size_t w = 0; w < n; w++)
		for (size_t i = 0; i + 1 < words[w].n; i++) {
			int32_t a = words[w].v[i], b = words[w].v[i + 1];
			long count = 0;
			for (size_t x = 0; x < n; x++)
				for (size_t k = 0; k + 1 < words[x].n; k++)
					count += words[x].v[k] == a && words[x].v[k + 1] == b;
			if (count > best || (count == best && best > 1 &&
						    (a < pair[0] || (a == pair[0] && b < pair[1]))))
				best = count, pair[0] = a, pair[1] = b;
		}
	if (best < 2)
		return false;
	for (size_t w = 0; w < n; w++) {
		size_t o = 0;
		for (size_t i = 0; i < words[w].n; i++) {
			bool hit = i + 1 < words[w].n && words[w].v[i] == pair[0] &&
				   words[w].v[i + 1] == pair[1];
			words[w].v[o++] = hit ? id : words[w].v[i];
			i += hit;
		}
		words[w].n = o;
	}
	return true;
}

static void
trainer_by_recount(void)
{
	/* Single words, so that what the pattern cuts is plain: a space leads every word. */
	static const char text[] = " abab ababab aaaa aaaaa banana bandana abba baab abab"
				   " cabcab abcabc nana anna";
	struct bpe_train_params p = {300, NULL, 0, 0};
	struct buf json = BUF_INIT, config = BUF_INIT;
	struct ids words[32] = {{0}};
	size_t n = 0;
	for (const char *s = text; *s; s++) {
		n += *s == ' ';
		ids_push(&words[n - 1], (unsigned char)*s);
	}
	int vocab = 0;
	CHECK(bpe_train(text, strlen(text), &p, &json, &config, &vocab, NULL) == 0);
	struct tokenizer *t = parse(json.data);
	CHECK(t != NULL);
	int32_t id = 256, pair[2];
	for (; t && recount_step(words, n, id, pair); id++) {
		bool found = false;
		for (size_t k = 0; k <= t->bpe.merge_mask; k++)
			found |= t->bpe.merge[k].pair ==
					 ((uint64_t)pair[0] << 32 | (uint32_t)pair[1]) &&
				 t->bpe.merge[k].rank == (uint32_t)id - 256 &&
				 t->bpe.merge[k].id == id;
		CHECK(found);
	}
	CHECK(id == vocab && vocab < 300); /* the text has no more pairs */
	CHECK(t && tokenizer_vocab(t) == vocab);
	for (size_t w = 0; w < n; w++)
		ids_free(&words[w]);
	tokenizer_free(t);
	buf_free(&json);
	buf_free(&config);
}

static int
train_code(int vocab, const char *a, const char *b)
{
	const char *special[] = {a, b};
	struct bpe_train_params p = {vocab, special, (a != NULL) + (b != NULL), 0};
	struct buf json = BUF_INIT, config = BUF_INIT;
	struct err e = {0};
	int rc = bpe_train("some text", 9, &p, &json, &config, NULL, &e);
	buf_free(&json);
	buf_free(&config);
	return rc < 0 ? e.code : 0;
}

static void
trainer_options(void)
{
	CHECK(train_code(257, "<s>", NULL) == 0);
	CHECK(train_code(256, NULL, NULL) == 0);
	CHECK(train_code(256, "<s>", NULL) == ERR_USAGE);
	CHECK(train_code(-1, NULL, NULL) == ERR_USAGE);
	CHECK(train_code(300, "<s>", "<s>") == ERR_USAGE);
	CHECK(train_code(300, "", NULL) == ERR_USAGE);
	CHECK(train_code(300, "x", NULL) == ERR_USAGE);
	CHECK(train_code(300, "\xff\xfe", NULL) == ERR_USAGE);
	CHECK(train_code(300, "\xc4\xa0the", NULL) == ERR_USAGE); /* spells " the" */
	/* Special tokens separate and are not learned from: nothing is left to merge here. */
	static const char *const special[] = {"<|eot|>"};
	struct bpe_train_params p = {300, special, 1, 0};
	struct buf json = BUF_INIT, config = BUF_INIT;
	int vocab = 0;
	CHECK(bpe_train("a<|eot|>b<|eot|>a<|eot|>b", 25, &p, &json, &config, &vocab, NULL) == 0);
	CHECK(vocab == 257);
	/* Bytes that are not UTF-8, NUL and nothing at all are texts too. */
	buf_reset(&json);
	CHECK(bpe_train("\xff\xfe\0\xff\xfe\0", 6, &p, &json, &config, &vocab, NULL) == 0);
	CHECK(bpe_train("", 0, &p, &json, &config, &vocab, NULL) == 0);
	CHECK(vocab == 257);
	buf_free(&json);
	buf_free(&config);
}

int
main(void)
{
	RUN(reference_ids);
	RUN(merge_spellings);
	RUN(bytes_round_trip);
	RUN(merges_by_definition);
	RUN(long_input);
	RUN(threads_share);
	RUN(trainer_bytes);
	RUN(trainer_by_recount);
	RUN(trainer_options);
	TEST_END;
}
