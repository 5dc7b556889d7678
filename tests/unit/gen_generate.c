/* Generation with a toy model: samples do not depend on batch, neighbours or cutting of the work.
 */
#include <ctype.h>

#include "lib/gen/generate.h"
#include "tests/test.h"
#include "tests/unit/gen_util.h"

enum { REQUESTS = 9, SAMPLES = 4, MAX_TOKENS = 24 };

static struct toy toy;

static const char *const prompts[REQUESTS] = {"a", "The same beginning", "The same beginning",
	"x y z", "Once upon a time there was", "b", "0123456789 0123456789 0123456789", "\n\n",
	"the last"};

struct answers {
	struct gen_result r[REQUESTS][SAMPLES];
	struct arena arena;
};

static int
encode(const char *s, int32_t *ids)
{
	int n = 0;
	for (; *s; s++)
		ids[n++] = (unsigned char)*s; /* a token a byte */
	return n;
}

static struct rng
rng_of(int i)
{
	return rng_mix(rng_key(3), (uint64_t)i);
}

/* Responses [first, first+n) of requests [from, to) at this batch size. */
static void
generate(struct answers *a, const struct sampling *s, int batch, int from, int to, int first, int n)
{
	struct generator g;
	struct err e = {0};
	int rc = generator_open(
		&g, toy.model, toy.tokenizer, toy.template, s, MAX_TOKENS, 64, 40, NULL, batch, &e);
	CHECK(rc == 0);
	if (rc < 0) {
		printf("# %s\n", e.msg);
		return;
	}
	int32_t ids[REQUESTS][64];
	struct gen_request q[REQUESTS];
	struct gen_result *out[REQUESTS];
	for (int i = from; i < to; i++) {
		q[i] = (struct gen_request){.prompt = ids[i],
			.n_prompt = encode(prompts[i], ids[i]),
			.n = n,
			.rng = rng_of(i),
			.first = first};
		out[i] = a->r[i] + first;
	}
	CHECK(generator_run(&g, q + from, to - from, out + from, &a->arena, &e) == 0);
	generator_close(&g);
}

static void
compare(const struct answers *a, const struct answers *b)
{
	for (int i = 0; i < REQUESTS; i++)
		for (int k = 0; k < SAMPLES; k++) {
			const struct gen_result *x = &a->r[i][k], *y = &b->r[i][k];
			CHECK(x->n == y->n && x->ended == y->ended && x->n_tokens == y->n_tokens);
			CHECK(x->text && y->text && memcmp(x->text, y->text, x->n) == 0);
		}
}

static const struct sampling settings[] = {{.temperature = 1, .top_p = 1},
	{.temperature = 0.7, .top_p = 0.9, .top_k = 50},
	{.greedy = true, .temperature = 1, .top_p = 1}};

static void
samples_do_not_depend_on_the_batch(void)
{
	static const int batches[] = {2, 3, 5, 16, 64};
	for (size_t s = 0; s < 3; s++) {
		struct answers one = {0}, other = {0};
		generate(&one, &settings[s], 1, 0, REQUESTS, 0, SAMPLES);
		for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
			memset(other.r, 0, sizeof other.r);
			generate(&other, &settings[s], batches[b], 0, REQUESTS, 0, SAMPLES);
			compare(&one, &other);
			arena_reset(&other.arena);
		}
		arena_free(&one.arena);
		arena_free(&other.arena);
	}
}

/* One request at a time, and one sample at a time, as chained runs of -n 1 would. */
static void
samples_do_not_depend_on_neighbours(void)
{
	struct answers all = {0}, apart = {0};
	generate(&all, &settings[0], 4, 0, REQUESTS, 0, SAMPLES);
	for (int i = 0; i < REQUESTS; i++)
		for (int k = 0; k < SAMPLES; k++)
			generate(&apart, &settings[0], 3, i, i + 1, k, 1);
	compare(&all, &apart);
	arena_free(&all.arena);
	arena_free(&apart.arena);
}

static void
samples_differ_from_each_other(void)
{
	struct answers a = {0};
	int equal = 0, ended = 0, full = 0;
	generate(&a, &settings[0], 8, 0, REQUESTS, 0, SAMPLES);
	for (int i = 0; i < REQUESTS; i++)
		for (int k = 0; k < SAMPLES; k++) {
			const struct gen_result *x = &a.r[i][k];
			for (int j = 0; j < k; j++)
				equal += x->n == a.r[i][j].n &&
					 memcmp(x->text, a.r[i][j].text, x->n) == 0;
			ended += x->ended;
			full += x->n_tokens == MAX_TOKENS && !x->ended;
		}
	CHECK(equal == 0);
	CHECK(ended + full == REQUESTS * SAMPLES);
	CHECK(full > 0);
	/* the same prompt in two records of different ids */
	CHECK(a.r[1][0].n != a.r[2][0].n || memcmp(a.r[1][0].text, a.r[2][0].text, a.r[1][0].n));
	arena_free(&a.arena);
}

/* Without a cache: the greedy continuation by whole forwards, one token at a time. */
static void
cached_decoding_is_the_whole_forward(void)
{
	struct answers a = {0};
	struct err e = {0};
	generate(&a, &settings[2], 4, 0, REQUESTS, 0, 2);
	struct decoder_limits l = {.max_rows = 64, .max_segs = 1, .max_head = 1, .max_targets = 1};
	struct decoder *d;
	CHECK(decoder_open(&d, toy.model, &l, &e) == 0);
	float *logits = x_malloc(260 * sizeof *logits);
	for (int i = 0; i < REQUESTS; i++) {
		int32_t ids[64], positions[64];
		struct buf text = BUF_INIT;
		int n = encode(prompts[i], ids), new = 0;
		bool ended = false;
		for (; new < MAX_TOKENS && !ended; new ++) {
			for (int t = 0; t < n; t++)
				positions[t] = t;
			struct k_segment seg = {.n_query = n, .n_own = n};
			int32_t head = n - 1;
			struct batch b = {.n_rows = n,
				.ids = ids,
				.positions = positions,
				.n_segs = 1,
				.segs = &seg,
				.n_head = 1,
				.head_rows = &head};
			CHECK(decoder_forward(d, &b, &e) == 0);
			CHECK(decoder_logits(d, logits, &e) == 0);
			int best = 0;
			for (int v = 1; v < 257; v++)
				best = logits[v] > logits[best] ? v : best;
			ended = best == 256;
			ids[n++] = best;
			if (!ended)
				tokenizer_decode(toy.tokenizer, &best, 1, false, false, &text);
		}
		struct buf whole = BUF_INIT;
		utf8_repair(&whole, text.data ? text.data : "", text.len, !ended);
		const char *s = whole.data ? whole.data : "";
		size_t len = whole.len;
		strip_space(&s, &len);
		for (int k = 0; k < 2; k++)
			CHECK(a.r[i][k].n == len && memcmp(a.r[i][k].text, s, len) == 0 &&
				a.r[i][k].ended == ended && a.r[i][k].n_tokens == new);
		buf_free(&text);
		buf_free(&whole);
	}
	free(logits);
	decoder_close(d);
	arena_free(&a.arena);
}

/* Whatever a response says is a stop string of a second run: it must end right before it. */
static void
stops_cut_the_text(void)
{
	struct answers plain = {0};
	generate(&plain, &settings[0], 4, 0, REQUESTS, 0, SAMPLES);
	int tried = 0;
	for (int i = 0; i < REQUESTS; i++) {
		const struct gen_result *x = &plain.r[i][0];
		size_t two = 1; /* a pair of ASCII bytes: a stop that spans two tokens */
		while (two + 1 < x->n && !(isgraph(x->text[two]) && isgraph(x->text[two + 1])))
			two++;
		if (two + 1 >= x->n)
			continue;
		char stop[3] = {x->text[two], x->text[two + 1], 0};
		const char *stops[] = {stop, NULL};
		struct generator g;
		struct err e = {0};
		CHECK(generator_open(&g, toy.model, toy.tokenizer, toy.template, &settings[0],
			      MAX_TOKENS, 64, 40, stops, 4, &e) == 0);
		int32_t ids[64];
		struct gen_request q = {ids, encode(prompts[i], ids), 1, rng_of(i), 0, NULL};
		struct gen_result r, *out = &r;
		struct arena a;
		arena_init(&a);
		CHECK(generator_run(&g, &q, 1, &out, &a, &e) == 0);
		const char *at = strstr(x->text, stop), *s = x->text;
		size_t n = (size_t)(at - s);
		strip_space(&s, &n);
		CHECK(r.ended && r.n == n && memcmp(r.text, s, n) == 0);
		CHECK(r.n_tokens < x->n_tokens);
		arena_free(&a);
		generator_close(&g);
		tried++;
	}
	arena_free(&plain.arena);
	CHECK(tried > 2);
}

/* Every id of generation_config.json's list ends a response, right where it would have stood. */
static void
all_end_tokens_end(void)
{
	struct toy more;
	struct answers plain = {0}, ended = {0};
	struct err e = {0};
	struct buf b = BUF_INIT;
	generate(&plain, &settings[0], 4, 0, REQUESTS, 0, SAMPLES);
	CHECK(toy_make(&more, HEAD_LM, 64, "0.5"));
	buf_puts(&b, "{\"eos_token_id\":[256");
	for (int c = '0'; c <= 'z'; c++)
		buf_printf(&b, ",%d", c);
	buf_puts(&b, "]}");
	toy_write(more.dir, "generation_config.json", &b);
	buf_free(&b);
	model_close(more.model);
	struct model_open_options o = {.use = MODEL_INFER, .head = HEAD_LM};
	CHECK(model_open(&more.model, more.dir, more.k, &o, &e) == 0);
	struct toy kept = toy;
	toy = more;
	generate(&ended, &settings[0], 4, 0, REQUESTS, 0, SAMPLES);
	toy = kept;
	int cut = 0;
	for (int i = 0; i < REQUESTS; i++)
		for (int k = 0; k < SAMPLES; k++) {
			const struct gen_result *x = &plain.r[i][k], *y = &ended.r[i][k];
			size_t n = 0;
			while (n < x->n && !(x->text[n] >= '0' && x->text[n] <= 'z'))
				n++;
			const char *s = x->text;
			if (n < x->n) {
				CHECK(y->ended && y->n_tokens <= x->n_tokens);
				cut++;
			}
			strip_space(&s, &n);
			CHECK(y->n == n && memcmp(y->text, s, n) == 0);
		}
	CHECK(cut > 5);
	toy_free(&more);
	arena_free(&plain.arena);
	arena_free(&ended.arena);
}

/* A prompt that leaves little room: prompt and new tokens together stay within max_length. */
static void
generation_stops_at_max_length(void)
{
	struct generator g;
	struct err e = {0};
	struct arena a;
	int32_t ids[64];
	arena_init(&a);
	CHECK(generator_open(&g, toy.model, toy.tokenizer, toy.template, &settings[2], 1000, 36, 35,
		      NULL, 2, &e) == 0);
	struct gen_request q = {ids, encode(prompts[6], ids), 1, rng_of(0), 0, NULL};
	struct gen_result r, *out = &r;
	CHECK(q.n_prompt == 32);
	CHECK(generator_run(&g, &q, 1, &out, &a, &e) == 0);
	CHECK(r.ended ? r.n_tokens <= 4 : r.n_tokens == 4);
	generator_close(&g);
	arena_free(&a);
}

static void
limits_that_do_not_fit_are_refused(void)
{
	struct generator g;
	struct err e = {0};
	const char *empty[] = {"", NULL};
	struct sampling s = settings[0];
	CHECK(generator_open(
		      &g, toy.model, toy.tokenizer, toy.template, &s, 8, 1000, 0, NULL, 1, &e) < 0);
	CHECK(e.code == ERR_CONFIG && strstr(e.msg, "--max-length 1000"));
	CHECK(generator_open(
		      &g, toy.model, toy.tokenizer, toy.template, &s, 8, 32, 32, NULL, 1, &e) < 0);
	CHECK(e.code == ERR_CONFIG && strstr(e.msg, "--max-prompt-length 32"));
	CHECK(generator_open(
		      &g, toy.model, toy.tokenizer, toy.template, &s, 8, 32, 8, empty, 1, &e) < 0);
	CHECK(e.code == ERR_USAGE);
}

static void
a_model_that_is_not_finite_is_an_error(void)
{
	struct toy bad;
	struct generator g;
	struct err e = {0};
	struct arena a;
	arena_init(&a);
	CHECK(toy_make(&bad, HEAD_LM, 64, "0.5"));
	model_close(bad.model);
	toy_poison(&bad);
	struct model_open_options o = {.use = MODEL_INFER, .head = HEAD_LM};
	CHECK(model_open(&bad.model, bad.dir, bad.k, &o, &e) == 0);
	CHECK(generator_open(&g, bad.model, bad.tokenizer, bad.template, &settings[0], 4, 32, 16,
		      NULL, 2, &e) == 0);
	int32_t ids[8];
	struct gen_request q = {ids, encode("a", ids), 2, rng_of(0), 1, "hh:17"};
	struct gen_result r[2], *out = r;
	CHECK(generator_run(&g, &q, 1, &out, &a, &e) < 0);
	CHECK(e.code == ERR_SOFTWARE && strstr(e.msg, "hh:17") && strstr(e.msg, "not finite"));
	generator_close(&g);
	toy_free(&bad);
	arena_free(&a);
}

int
main(void)
{
	if (!toy_make(&toy, HEAD_LM, 64, "0.5")) {
		printf("not ok - toy model\n");
		return 1;
	}
	RUN(samples_do_not_depend_on_the_batch);
	RUN(samples_do_not_depend_on_neighbours);
	RUN(samples_differ_from_each_other);
	RUN(cached_decoding_is_the_whole_forward);
	RUN(stops_cut_the_text);
	RUN(all_end_tokens_end);
	RUN(generation_stops_at_max_length);
	RUN(limits_that_do_not_fit_are_refused);
	RUN(a_model_that_is_not_finite_is_an_error);
	toy_free(&toy);
	TEST_END;
}
