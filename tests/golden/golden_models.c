/*
 * Every model folder of tests/golden against what transformers computed in float64:
 * log-probabilities, scores, losses and the gradient of every tensor.  README.md there has the
 * keys.
 */
#include "tests/test.h"

#include <jansson.h>

#include "lib/base/file.h"
#include "lib/model/decoder.h"
#include "tests/golden/pro_double.h"

enum { MAX_RECORDS = 16, MAX_RESPONSES = 8, MAX_IDS = 64 };

struct record {
	int n_prompt, n, n_ids[MAX_RESPONSES];
	int32_t prompt[MAX_IDS], responses[MAX_RESPONSES][MAX_IDS];
	double rewards[MAX_RESPONSES];
};

struct folder {
	char path[256];
	int n;
	struct record records[MAX_RECORDS];
	json_t *expect;
	struct map map;
	struct st_image image;
	struct kernels *k;
	struct model *m;
	struct decoder *d;
	struct batch_builder b;
	struct err e;
};

static int
read_ids(const json_t *list, int32_t *out)
{
	int n = (int)json_array_size(list);
	for (int i = 0; i < n; i++)
		out[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
	return n;
}

static void
read_cases(struct folder *f)
{
	char path[300];
	snprintf(path, sizeof path, "%s/cases.jsonl", f->path);
	FILE *in = fopen(path, "r");
	json_t *o;
	while (in && (o = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL))) {
		struct record *r = &f->records[f->n++];
		r->n_prompt = read_ids(json_object_get(o, "prompt_ids"), r->prompt);
		json_t *list = json_object_get(o, "responses");
		r->n = (int)json_array_size(list);
		for (int k = 0; k < r->n; k++) {
			r->n_ids[k] = read_ids(json_array_get(list, (size_t)k), r->responses[k]);
			r->rewards[k] = json_number_value(
				json_array_get(json_object_get(o, "rewards"), (size_t)k));
		}
		json_decref(o);
	}
	if (in)
		fclose(in);
}

static bool
folder_open(struct folder *f, const char *name, enum model_head head)
{
	char path[300];
	size_t used;
	*f = (struct folder){0};
	snprintf(f->path, sizeof f->path, "tests/golden/%s", name);
	read_cases(f);
	snprintf(path, sizeof path, "%s/expect.json", f->path);
	f->expect = json_load_file(path, 0, NULL);
	snprintf(path, sizeof path, "%s/expect.safetensors", f->path);
	struct model_open_options o = {.use = MODEL_TRAIN, .head = head};
	f->k = kernels_cpu_open(1);
	CHECK(f->n > 0 && f->expect && f->k);
	bool ok = map_open(&f->map, path, &f->e) == 0 &&
		  st_parse(&f->image, f->map.data, f->map.size, &used, path, &f->e) == 0 &&
		  model_open(&f->m, f->path, f->k, &o, &f->e) == 0;
	if (!ok)
		printf("# %s\n", f->e.msg);
	CHECK(ok);
	return ok;
}

static void
folder_close(struct folder *f)
{
	decoder_close(f->d);
	model_close(f->m);
	batch_free(&f->b);
	st_image_free(&f->image);
	map_close(&f->map);
	json_decref(f->expect);
	if (f->k)
		f->k->close(f->k);
}

static bool
forward(struct folder *f)
{
	const struct batch *b = batch_finish(&f->b);
	struct decoder_limits l = {b->n_rows, b->n_segs, b->n_head, b->n_targets, true, 0};
	bool ok = decoder_open(&f->d, f->m, &l, &f->e) == 0 && decoder_forward(f->d, b, &f->e) == 0;
	CHECK(ok);
	return ok;
}

/* Relative error of a gradient tensor; tensors that are 0 in exact arithmetic are held to a part of
 * the whole gradient. */
static void
check_gradients(struct folder *f)
{
	double total = json_number_value(json_object_get(f->expect, "grad_norm")), worst = 0;
	int seen = 0;
	for (int i = 0; i < f->m->n_params; i++) {
		const struct param *p = &f->m->params[i];
		char name[200];
		snprintf(name, sizeof name, "grad.%s", p->name);
		const struct st_tensor *t = st_find(&f->image, name);
		CHECK(t && t->dtype == ST_F64 && t->bytes == 8 * p->n);
		if (t == NULL)
			continue;
		double diff = 0, norm = 0, x;
		for (size_t j = 0; j < p->n; j++) {
			memcpy(&x, (const char *)t->data + 8 * j, 8);
			diff += (p->grad[j] - x) * (p->grad[j] - x);
			norm += x * x;
		}
		double rel = sqrt(diff) / (sqrt(norm) + 1e-4 * total);
		if (!(rel <= 1e-4))
			printf("# %s %s: relative error %g of %g\n", f->path, p->name, rel,
				sqrt(norm));
		CHECK(rel <= 1e-4);
		worst = rel > worst ? rel : worst;
		seen++;
	}
	for (int i = 0; i < f->image.n; i++)
		seen -= strncmp(f->image.tensors[i].name, "grad.", 5) == 0;
	CHECK(seen == 0);
	double mine = sqrt(f->k->sumsq(f->k, f->m->grad, f->m->block_n));
	CHECK_NEAR(mine / total, 1, 1e-5);
	printf("# %s: worst gradient %.1e\n", f->path, worst);
}

/* The loss's coefficients for record r of the batch, whose targets are those of `owner`. */
static void
record_loss(struct folder *f, int index, int first, const float *logp, float *coef)
{
	const struct record *r = &f->records[index];
	const json_t *want = json_array_get(json_object_get(f->expect, "records"), (size_t)index);
	double sum[MAX_RESPONSES] = {0}, mean[MAX_RESPONSES], dr[MAX_RESPONSES] = {0};
	int n_targets = f->b.batch.n_targets;
	for (int j = 0; j < n_targets; j++) {
		int k = f->b.target_owner.v[j] - first;
		if (k >= 0 && k < r->n)
			sum[k] += logp[j];
	}
	for (int k = 0; k < r->n; k++) {
		mean[k] = sum[k] / r->n_ids[k];
		CHECK_NEAR(mean[k],
			json_number_value(
				json_array_get(json_object_get(want, "mean_logprob"), (size_t)k)),
			1e-6);
	}
	double beta = 0.05 * (r->n - 1) * (r->n - 1), loss = pro_double(mean, r->rewards, r->n, dr);
	CHECK_NEAR(loss, json_number_value(json_object_get(want, "pro_loss")), 1e-5);
	CHECK_NEAR(loss - beta * sum[0], json_number_value(json_object_get(want, "loss")), 1e-5);
	for (int j = 0; j < n_targets; j++) {
		int k = f->b.target_owner.v[j] - first;
		if (k >= 0 && k < r->n)
			coef[j] = (float)((dr[k] / r->n_ids[k] - (k == 0 ? beta : 0)) / f->n);
	}
}

static void
check_logprobs(struct folder *f, const float *logp, const int *first)
{
	double worst = 0;
	int checked = 0;
	for (int i = 0; i < f->n; i++) {
		for (int k = 0; k < f->records[i].n; k++) {
			char name[64];
			double x;
			snprintf(name, sizeof name, "logprobs.%d.%d", i, k);
			const struct st_tensor *t = st_find(&f->image, name);
			CHECK(t && t->bytes == 8 * (size_t)f->records[i].n_ids[k]);
			for (int j = 0; t && j < f->b.batch.n_targets; j++) {
				if (f->b.target_owner.v[j] != first[i] + k)
					continue;
				memcpy(&x, (const char *)t->data + 8 * f->b.target_pos.v[j], 8);
				worst = fmax(worst, fabs(logp[j] - x));
				checked++;
			}
		}
	}
	CHECK(checked == f->b.batch.n_targets && checked > 50);
	CHECK(worst < 1e-5);
	printf("# %s: worst log-probability %.1e\n", f->path, worst);
}

static void
policy(const char *name)
{
	struct folder f;
	int first[MAX_RECORDS], owner = 0;
	if (folder_open(&f, name, HEAD_LM)) {
		for (int i = 0; i < f.n; i++) {
			const struct record *r = &f.records[i];
			const int32_t *ids[MAX_RESPONSES];
			for (int k = 0; k < r->n; k++)
				ids[k] = r->responses[k];
			first[i] = owner;
			batch_add_record(&f.b, r->prompt, r->n_prompt, ids, r->n_ids, r->n, owner);
			owner += r->n;
		}
		float *logp = calloc(1000, sizeof *logp), *coef = calloc(1000, sizeof *coef);
		if (forward(&f)) {
			CHECK(decoder_logprobs(f.d, logp, &f.e) == 0);
			check_logprobs(&f, logp, first);
			for (int i = 0; i < f.n; i++)
				record_loss(&f, i, first[i], logp, coef);
			CHECK(decoder_backward_logprobs(f.d, coef, &f.e) == 0);
			check_gradients(&f);
		}
		free(logp);
		free(coef);
	}
	folder_close(&f);
}

/* All pairs of -log sigmoid(s_i - s_k), averaged, and the mean over records. */
static void
reward(const char *name)
{
	struct folder f;
	float scores[MAX_RECORDS * MAX_RESPONSES], coef[MAX_RECORDS * MAX_RESPONSES] = {0};
	if (folder_open(&f, name, HEAD_REWARD)) {
		for (int i = 0; i < f.n; i++)
			for (int k = 0; k < f.records[i].n; k++)
				batch_add_sequence(
					&f.b, f.records[i].responses[k], f.records[i].n_ids[k]);
		if (forward(&f)) {
			CHECK(decoder_scores(f.d, scores, &f.e) == 0);
			int at = 0;
			double mean = 0;
			for (int i = 0; i < f.n; i++) {
				int n = f.records[i].n, pairs = n * (n - 1) / 2;
				char key[64];
				snprintf(key, sizeof key, "score.%d", i);
				const struct st_tensor *t = st_find(&f.image, key);
				CHECK(t && t->bytes == 8 * (size_t)n);
				for (int a = 0; t && a < n; a++) {
					double x;
					memcpy(&x, (const char *)t->data + 8 * a, 8);
					CHECK_NEAR(scores[at + a], x, 1e-5);
					for (int b = a + 1; b < n; b++) {
						double s = (double)scores[at + a] - scores[at + b];
						double g = 1 / (1 + exp(s)) / pairs / f.n;
						mean += log1p(exp(-s)) / pairs / f.n;
						coef[at + a] -= (float)g;
						coef[at + b] += (float)g;
					}
				}
				at += n;
			}
			CHECK_NEAR(
				mean, json_number_value(json_object_get(f.expect, "loss")), 1e-5);
			CHECK(decoder_backward_scores(f.d, coef, &f.e) == 0);
			check_gradients(&f);
		}
	}
	folder_close(&f);
}

static void
llama_with_grouped_heads(void)
{
	policy("llama-gqa");
}

static void
llama3_rope_bf16_sharded(void)
{
	policy("llama3-rope");
}

static void
qwen2_with_biases(void)
{
	policy("qwen2");
}

static void
mistral_f16(void)
{
	policy("mistral");
}

static void
neox_parallel(void)
{
	policy("neox");
}

static void
neox_serial(void)
{
	policy("neox-serial");
}

static void
llama_reward(void)
{
	reward("llama-reward");
}

static void
neox_reward(void)
{
	reward("neox-reward");
}

int
main(void)
{
	RUN(llama_with_grouped_heads);
	RUN(llama3_rope_bf16_sharded);
	RUN(qwen2_with_biases);
	RUN(mistral_f16);
	RUN(neox_parallel);
	RUN(neox_serial);
	RUN(llama_reward);
	RUN(neox_reward);
	TEST_END;
}
