/* Scores against the golden models; the same bits in any batch; shared prompts against whole rows.
 */
#include "lib/gen/score.h"
#include "lib/stream/json.h"
#include "tests/test.h"
#include "tests/unit/gen_util.h"

enum { MAX_RECORDS = 16, MAX_N = 8 };

static struct arena arena;

/* Records of cases.jsonl.  Reward models: whole rows; their common beginning is the prompt when
 * share. */
struct cases {
	struct encoded v[MAX_RECORDS];
	const struct encoded *list[MAX_RECORDS];
	int n;
};

static int32_t *
take_ids(const json_t *list, int *n)
{
	*n = (int)json_array_size(list);
	int32_t *ids = arena_calloc(&arena, (size_t)*n + 1, sizeof *ids);
	for (int i = 0; i < *n; i++)
		ids[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
	return ids;
}

static int
common(const struct encoded *x)
{
	int n = x->n_ids[0];
	for (int k = 1; k < x->n_responses; k++) {
		int i = 0;
		while (i < n && i < x->n_ids[k] && x->ids[k][i] == x->ids[0][i])
			i++;
		n = i;
	}
	return n;
}

static void
load_cases(struct cases *c, const char *model, bool share)
{
	char path[256];
	struct buf text = BUF_INIT;
	struct err e = {0};
	snprintf(path, sizeof path, "tests/golden/%s/cases.jsonl", model);
	CHECK(file_read(path, 1 << 20, &text, &e) == 0);
	c->n = 0;
	for (char *line = text.data, *nl; line && (nl = strchr(line, '\n')); line = nl + 1) {
		json_t *v = json_parse(line, (size_t)(nl - line), &e);
		struct encoded *x = &c->v[c->n];
		const json_t *r = json_object_get(v, "responses");
		*x = (struct encoded){.n_responses = (int)json_array_size(r)};
		x->prompt = take_ids(json_object_get(v, "prompt_ids"), &x->n_prompt);
		x->n_ids = arena_calloc(&arena, MAX_N, sizeof *x->n_ids);
		x->ids = arena_calloc(&arena, MAX_N, sizeof *x->ids);
		for (int k = 0; k < x->n_responses; k++)
			x->ids[k] = take_ids(json_array_get(r, (size_t)k), &x->n_ids[k]);
		if (share) {
			x->n_prompt = common(x);
			x->prompt = x->ids[0];
		}
		c->list[c->n++] = x;
		json_decref(v);
	}
	buf_free(&text);
}

static bool
open_scorer(struct scorer *s, struct kernels *k, const char *dir, enum model_head head)
{
	struct err e = {0};
	struct model_open_options o = {.use = MODEL_INFER, .head = head};
	struct decoder_limits l = {1, 1, 1, 1, false, 0};
	*s = (struct scorer){.model = NULL};
	if (model_open(&s->model, dir, k, &o, &e) == 0 &&
		decoder_open(&s->decoder, s->model, &l, &e) == 0)
		return true;
	printf("# %s\n", e.msg);
	return false;
}

struct values {
	double reward[MAX_RECORDS][MAX_N];
	float logp[MAX_RECORDS][MAX_N][64];
};

/* Scores records in groups of `group`. */
static void
score(struct scorer *s, const struct cases *c, int group, struct values *v)
{
	struct err e = {0};
	double *reward[MAX_RECORDS];
	float *rows[MAX_RECORDS][MAX_N], **logp[MAX_RECORDS];
	memset(v, 0, sizeof *v);
	for (int i = 0; i < c->n; i++) {
		reward[i] = v->reward[i];
		logp[i] = rows[i];
		for (int k = 0; k < MAX_N; k++)
			rows[i][k] = v->logp[i][k];
	}
	for (int i = 0; i < c->n; i += group) {
		int n = c->n - i < group ? c->n - i : group;
		if (s->model->config.head == HEAD_REWARD)
			CHECK(scorer_rewards(s, c->list + i, n, reward + i, &e) == 0);
		else
			CHECK(scorer_logprobs(s, c->list + i, n, logp + i, &e) == 0);
	}
}

static void
check_golden(const char *model, enum model_head head, const struct cases *c, const struct values *v)
{
	char path[256], name[64];
	struct map map;
	struct st_image image;
	struct err e = {0};
	size_t used;
	snprintf(path, sizeof path, "tests/golden/%s/expect.safetensors", model);
	CHECK(map_open(&map, path, &e) == 0);
	CHECK(st_parse(&image, map.data, map.size, &used, path, &e) == 0);
	for (int i = 0; i < c->n; i++)
		for (int k = 0; k < c->v[i].n_responses; k++) {
			double want;
			if (head == HEAD_REWARD) {
				snprintf(name, sizeof name, "score.%d", i);
				const struct st_tensor *t = st_find(&image, name);
				memcpy(&want, (const char *)t->data + 8 * k, 8);
				CHECK_NEAR(v->reward[i][k], want, 1e-5);
				continue;
			}
			snprintf(name, sizeof name, "logprobs.%d.%d", i, k);
			const struct st_tensor *t = st_find(&image, name);
			for (int j = 0; j < c->v[i].n_ids[k]; j++) {
				memcpy(&want, (const char *)t->data + 8 * j, 8);
				CHECK_NEAR(v->logp[i][k][j], want, 1e-5);
			}
		}
	st_image_free(&image);
	map_close(&map);
}

static double
largest_difference(const struct values *a, const struct values *b)
{
	double d = 0;
	for (int i = 0; i < MAX_RECORDS; i++)
		for (int k = 0; k < MAX_N; k++) {
			d = fmax(d, fabs(a->reward[i][k] - b->reward[i][k]));
			for (int j = 0; j < 64; j++)
				d = fmax(d, fabs(a->logp[i][k][j] - b->logp[i][k][j]));
		}
	return d;
}

static void
check_model(const char *model, enum model_head head, bool share)
{
	static struct values together, alone, pairs, threads;
	struct kernels *one = kernels_cpu_open(1), *two = kernels_cpu_open(2);
	struct scorer s;
	struct cases c;
	char dir[256];
	arena_init(&arena);
	snprintf(dir, sizeof dir, "tests/golden/%s", model);
	load_cases(&c, model, share);
	CHECK(c.n > 3);
	CHECK(open_scorer(&s, one, dir, head));
	score(&s, &c, MAX_RECORDS, &together);
	score(&s, &c, 1, &alone);
	score(&s, &c, 2, &pairs);
	scorer_close(&s);
	check_golden(model, head, &c, &together);
	CHECK(memcmp(&together, &alone, sizeof together) == 0); /* bits */
	CHECK(memcmp(&together, &pairs, sizeof together) == 0);
	CHECK(open_scorer(&s, two, dir, head));
	score(&s, &c, MAX_RECORDS, &threads);
	scorer_close(&s);
	CHECK(largest_difference(&together, &threads) <= 1e-6);
	arena_free(&arena);
	one->close(one);
	two->close(two);
}

static void
policies_give_the_golden_logprobs(void)
{
	check_model("llama-gqa", HEAD_LM, false);
	check_model("llama3-rope", HEAD_LM, false);
	check_model("qwen2", HEAD_LM, false);
	check_model("mistral", HEAD_LM, false);
	check_model("neox", HEAD_LM, false);
	check_model("neox-serial", HEAD_LM, false);
}

static void
reward_models_give_the_golden_scores(void)
{
	check_model("llama-reward", HEAD_REWARD, false);
	check_model("neox-reward", HEAD_REWARD, false);
}

static void
shared_prompts_give_the_same_scores(void)
{
	check_model("llama-reward", HEAD_REWARD, true);
	check_model("neox-reward", HEAD_REWARD, true);
}

/* Many records of a toy model: more rows than one batch holds. */
static void
fill(struct encoded *x, int i)
{
	*x = (struct encoded){.n_prompt = 1 + (i * 37) % 50, .n_responses = 1 + i % 5};
	x->prompt = arena_calloc(&arena, (size_t)x->n_prompt, sizeof *x->prompt);
	x->n_ids = arena_calloc(&arena, 5, sizeof *x->n_ids);
	x->ids = arena_calloc(&arena, 5, sizeof *x->ids);
	for (int t = 0; t < x->n_prompt; t++)
		x->prompt[t] = (i * 7 + t * 3) % 256;
	for (int k = 0; k < x->n_responses; k++) {
		x->n_ids[k] = (i * 11 + k * 5) % 14; /* 0 too */
		x->ids[k] = arena_calloc(&arena, 14, sizeof **x->ids);
		for (int t = 0; t < x->n_ids[k]; t++)
			x->ids[k][t] = (i + 13 * k + t * t) % 256;
	}
}

enum { MANY = 120 };

static void
many_records_fill_several_batches(void)
{
	static struct encoded x[MANY];
	static float all[MANY][5][14], one[5][14];
	const struct encoded *list[MANY];
	float *rows[MANY][5], **logp[MANY], *single[5], **alone = single;
	struct toy toy;
	struct scorer s;
	struct err e = {0};
	int64_t total = 0;
	arena_init(&arena);
	CHECK(toy_make(&toy, HEAD_LM, 64, "0.5"));
	CHECK(open_scorer(&s, toy.k, toy.dir, HEAD_LM));
	for (int i = 0; i < MANY; i++) {
		fill(&x[i], i);
		list[i] = &x[i];
		logp[i] = rows[i];
		for (int k = 0; k < 5; k++)
			rows[i][k] = all[i][k];
		total += scorer_rows(&s, &x[i]);
	}
	CHECK(total > 2 * SCORE_ROWS);
	CHECK(scorer_logprobs(&s, list, MANY, logp, &e) == 0);
	for (int i = 0; i < MANY; i++) {
		memset(one, 0, sizeof one);
		for (int k = 0; k < 5; k++)
			single[k] = one[k];
		CHECK(scorer_logprobs(&s, &list[i], 1, &alone, &e) == 0);
		CHECK(memcmp(one, all[i], sizeof one) == 0);
		for (int k = 0; k < x[i].n_responses; k++)
			for (int t = 0; t < x[i].n_ids[k]; t++)
				CHECK(all[i][k][t] < 0);
	}
	scorer_close(&s);
	toy_free(&toy);
	arena_free(&arena);
}

static void
rows_that_cannot_be_scored_are_refused(void)
{
	struct kernels *k = kernels_cpu_open(1);
	struct scorer p, r;
	int n_ids[] = {2, 0};
	struct encoded none = {.n_responses = 2, .n_ids = n_ids}, some = {.n_prompt = 1};
	CHECK(open_scorer(&p, k, "tests/golden/qwen2", HEAD_LM));
	CHECK(open_scorer(&r, k, "tests/golden/llama-reward", HEAD_REWARD));
	CHECK(scorer_refuses(&p, &none) && !scorer_refuses(&p, &some));
	CHECK(scorer_refuses(&r, &none) && !scorer_refuses(&r, &some));
	scorer_close(&p);
	scorer_close(&r);
	k->close(k);
}

int
main(void)
{
	RUN(policies_give_the_golden_logprobs);
	RUN(reward_models_give_the_golden_scores);
	RUN(shared_prompts_give_the_same_scores);
	RUN(many_records_fill_several_batches);
	RUN(rows_that_cannot_be_scored_are_refused);
	TEST_END;
}
