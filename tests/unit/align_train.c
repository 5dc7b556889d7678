/* Training steps on golden models: losses, gradients and ten AdamW updates made with PyTorch. */
#include "lib/align/trainer.h"

#include "lib/base/rng.h"
#include "tests/unit/align_util.h"

static struct kernels *k1;

/* All parameters of m within tol of the tensors in tests/golden/NAME. */
static void
compare_weights(const struct model *m, const char *name, double tol)
{
	char path[512];
	snprintf(path, sizeof path, GOLDEN "%s", name);
	struct map map;
	struct st_image s;
	size_t used;
	struct err e = {0};
	must(map_open(&map, path, &e), &e);
	must(st_parse(&s, map.data, map.size, &used, path, &e), &e);
	CHECK(s.n == m->n_params);
	double worst = 0;
	for (int i = 0; i < m->n_params; i++) {
		const struct st_tensor *t = st_find(&s, m->params[i].name);
		CHECK(t != NULL && t->bytes == m->params[i].n * sizeof(float));
		for (size_t j = 0; t && j < m->params[i].n; j++) {
			double d = fabs((double)m->block[m->params[i].offset + j] -
					((const float *)t->data)[j]);
			worst = fmax(worst, d);
		}
	}
	printf("# largest difference of a weight: %.3g\n", worst);
	CHECK(worst <= tol);
	st_image_free(&s);
	map_close(&map);
}

static void
adamw_ten_steps(void)
{
	json_t *want = load_json("adamw/expect.json"), *step;
	struct dataset_options o = options_for("pro");
	struct dataset d;
	load_cases(&d, "llama-gqa", &o);
	struct model *m = load_model("llama-gqa", k1, HEAD_LM);
	struct optim_options a = optim_defaults;
	a.learning_rate = real_of(want, "lr");
	struct trainer t;
	struct step_result r = {0};
	struct err e = {0};
	must(trainer_open(&t, m, &d, &a, 2, &e), &e);
	size_t i;
	json_array_foreach(json_object_get(want, "steps"), i, step)
	{
		uint32_t records[2];
		for (size_t j = 0; j < 2; j++)
			records[j] = (uint32_t)json_integer_value(
				json_array_get(json_object_get(step, "records"), j));
		double rate = optim_rate(&a, (int64_t)i, 10);
		must(trainer_step(&t, records, 2, (int64_t)i, rate, &r, &e), &e);
		CHECK_NEAR(r.loss, real_of(step, "loss"), 1e-4);
		CHECK(fabs(r.grad_norm / real_of(step, "grad_norm") - 1) < 1e-4);
	}
	CHECK(i == 10);
	compare_weights(m, "adamw/final.safetensors", 1e-4);
	step_result_free(&r);
	trainer_close(&t);
	model_close(m);
	dataset_free(&d);
	json_decref(want);
}

/* Mean loss and gradient norm over all cases of a model, with its options. */
static void
golden_gradient(const char *model, const struct dataset_options *o, int micro, const char *suffix)
{
	char name[128], key[64];
	snprintf(name, sizeof name, "%s/expect.json", model);
	json_t *want = load_json(name);
	struct dataset d;
	load_cases(&d, model, o);
	struct model *m = load_model(model, k1, o->method->head);
	struct trainer t;
	struct step_result r = {0};
	struct err e = {0};
	must(trainer_open(&t, m, &d, &optim_defaults, micro, &e), &e);
	uint32_t records[64];
	for (uint32_t i = 0; i < d.n; i++)
		records[i] = i;
	must(trainer_gradient(&t, records, (int)d.n, &r, &e), &e);
	snprintf(key, sizeof key, "loss%s", suffix);
	CHECK_NEAR(r.loss, real_of(want, key), 1e-5);
	snprintf(key, sizeof key, "grad_norm%s", suffix);
	CHECK(fabs(sqrt(k1->sumsq(k1, m->grad, m->block_n)) / real_of(want, key) - 1) < 1e-4);
	double sum = 0;
	for (int k = 0; k < r.n_rank; k++)
		sum += r.rank[k];
	if (o->method->head == HEAD_LM || o->params.listwise)
		CHECK_NEAR(sum, r.ranking, 1e-12);
	step_result_free(&r);
	trainer_close(&t);
	model_close(m);
	dataset_free(&d);
	json_decref(want);
}

static void
golden_losses(void)
{
	static const char *const policies[] = {"llama-gqa", "qwen2", "neox", "mistral"};
	for (int i = 0; i < 4; i++) {
		struct dataset_options o = options_for("pro");
		golden_gradient(policies[i], &o, 7, "");
		o.params.first_only = true;
		golden_gradient(policies[i], &o, 3, "_first_only");
		o.params.temperature = false;
		golden_gradient(policies[i], &o, 1, "_no_temperature_first_only");
		o.params.first_only = false;
		golden_gradient(policies[i], &o, 2, "_no_temperature");
		o = options_for("pro");
		o.params.sft = false;
		golden_gradient(policies[i], &o, 2, "_no_sft");
	}
}

static void
golden_reward_models(void)
{
	static const char *const models[] = {"llama-reward", "neox-reward"};
	for (int i = 0; i < 2; i++) {
		struct dataset_options o = options_for("rm");
		golden_gradient(models[i], &o, 2, "");
		o.params.listwise = true;
		golden_gradient(models[i], &o, 5, "_listwise");
	}
}

/* Gradient of all cases in the given order and micro-batch size. */
static double
gradient_of(const char *model, const struct dataset_options *o, int micro, const uint32_t *order,
	float *grad, size_t *n)
{
	struct dataset d;
	load_cases(&d, model, o);
	struct model *m = load_model(model, k1, o->method->head);
	struct trainer t;
	struct step_result r = {0};
	struct err e = {0};
	must(trainer_open(&t, m, &d, &optim_defaults, micro, &e), &e);
	must(trainer_gradient(&t, order, (int)d.n, &r, &e), &e);
	memcpy(grad, m->grad, m->block_n * sizeof *grad);
	*n = m->block_n;
	double loss = r.loss;
	step_result_free(&r);
	trainer_close(&t);
	model_close(m);
	dataset_free(&d);
	return loss;
}

/* The loss does not depend on micro-batch, accumulation or the order of records. */
static void
any_partition(void)
{
	struct dataset_options o = options_for("pro");
	float *want = x_calloc(1 << 16, sizeof *want), *got = x_calloc(1 << 16, sizeof *got);
	uint32_t order[7] = {0, 1, 2, 3, 4, 5, 6};
	size_t n;
	double loss = gradient_of("llama-gqa", &o, 7, order, want, &n);
	CHECK(n < 1 << 16);
	double scale = 0;
	for (size_t i = 0; i < n; i++)
		scale = fmax(scale, fabs(want[i]));
	for (int micro = 1; micro <= 7; micro++) {
		rng_permutation(rng_key((uint64_t)micro), order, 7);
		CHECK_NEAR(gradient_of("llama-gqa", &o, micro, order, got, &n), loss, 1e-6);
		for (size_t i = 0; i < n; i++)
			CHECK(fabs(got[i] - want[i]) <= 1e-6 * scale);
	}
	free(want);
	free(got);
}

/* A reward model computes a shared prompt once, with the same result. */
static void
shared_reward_prompt(void)
{
	struct dataset_options o = options_for("rm");
	struct dataset whole, shared;
	load_cases(&whole, "llama-reward", &o);
	dataset_init(&shared, &o);
	static const int common[] = {6, 0, 20, 11, 3}; /* tests/golden/make_models.py */
	for (size_t i = 0; i < whole.n; i++) {
		struct example x = whole.v[i];
		const int32_t *rest[8];
		int n_rest[8];
		for (int j = 0; j < x.n; j++)
			rest[j] = x.ids[j] + common[i], n_rest[j] = x.n_ids[j] - common[i];
		x.n_prompt = common[i];
		x.prompt = x.ids[0];
		x.ids = rest;
		x.n_ids = n_rest;
		dataset_add_encoded(&shared, &x);
	}
	uint32_t order[5] = {0, 1, 2, 3, 4};
	double loss[2], norm[2];
	int64_t tokens[2];
	for (int i = 0; i < 2; i++) {
		struct model *m = load_model("llama-reward", k1, HEAD_REWARD);
		struct trainer t;
		struct step_result r = {0};
		struct err e = {0};
		must(trainer_open(&t, m, i ? &shared : &whole, &optim_defaults, 2, &e), &e);
		must(trainer_gradient(&t, order, 5, &r, &e), &e);
		loss[i] = r.loss;
		norm[i] = sqrt(k1->sumsq(k1, m->grad, m->block_n));
		tokens[i] = r.tokens;
		step_result_free(&r);
		trainer_close(&t);
		model_close(m);
	}
	CHECK_NEAR(loss[1], loss[0], 1e-6);
	CHECK_NEAR(norm[1], norm[0], 1e-5);
	/* every response but the first of a record saves its prompt */
	CHECK(tokens[0] - tokens[1] == 6 * 1 + 20 * 4 + 11 * 3 + 3 * 1);
	dataset_free(&whole);
	dataset_free(&shared);
}

static void
not_finite(void)
{
	struct dataset_options o = options_for("pro");
	struct dataset d;
	load_cases(&d, "llama-gqa", &o);
	struct model *m = load_model("llama-gqa", k1, HEAD_LM);
	struct trainer t;
	struct step_result r = {0};
	struct err e = {0};
	must(trainer_open(&t, m, &d, &optim_defaults, 1, &e), &e);
	uint32_t records[2] = {5, 3};
	size_t at = m->params[m->final_norm].offset;
	m->block[at] = NAN;
	float before = m->block[at + 1];
	CHECK(trainer_step(&t, records, 2, 0, 1e-3, &r, &e) == -1);
	CHECK(e.code == ERR_SOFTWARE && strstr(e.msg, "case:5"));
	CHECK(m->block[at + 1] == before);
	step_result_free(&r);
	trainer_close(&t);
	model_close(m);
	dataset_free(&d);
}

static void
shuffling(void)
{
	struct dataset d = {.n = 1000};
	uint32_t a[1000], b[1000];
	dataset_shuffle(&d, 42, 3, a);
	dataset_shuffle(&d, 42, 3, b);
	CHECK(memcmp(a, b, sizeof a) == 0);
	bool seen[1000] = {false};
	for (int i = 0; i < 1000; i++)
		seen[a[i]] = true;
	for (int i = 0; i < 1000; i++)
		CHECK(seen[i]);
	dataset_shuffle(&d, 42, 4, b);
	CHECK(memcmp(a, b, sizeof a) != 0);
	dataset_shuffle(&d, 43, 3, b);
	CHECK(memcmp(a, b, sizeof a) != 0);
}

static void
schedules(void)
{
	struct optim_options o = optim_defaults;
	o.learning_rate = 1;
	CHECK(optim_rate(&o, 0, 10) == 1 && optim_rate(&o, 9, 10) == 1);
	o.warmup_ratio = 0.2;
	CHECK(optim_rate(&o, 0, 10) == 0 && optim_rate(&o, 1, 10) == 0.5);
	CHECK(optim_rate(&o, 2, 10) == 1);
	o.schedule = LR_LINEAR;
	CHECK_NEAR(optim_rate(&o, 6, 10), 0.5, 1e-15);
	CHECK_NEAR(optim_rate(&o, 9, 10), 0.125, 1e-15);
	o.schedule = LR_COSINE;
	CHECK_NEAR(optim_rate(&o, 6, 10), 0.5, 1e-15);
	CHECK_NEAR(optim_rate(&o, 4, 10), 0.5 * (1 + cos(0.25 * acos(-1))), 1e-15);
	CHECK_NEAR(optim_rate(&o, 10, 10), 0, 1e-15);
	CHECK(optim_defaults.learning_rate == 5e-6 && optim_defaults.weight_decay == 0.01);
}

int
main(void)
{
	k1 = kernels_cpu_open(1);
	RUN(adamw_ten_steps);
	RUN(golden_losses);
	RUN(golden_reward_models);
	RUN(any_partition);
	RUN(shared_reward_prompt);
	RUN(not_finite);
	RUN(shuffling);
	RUN(schedules);
	k1->close(k1);
	TEST_END;
}
