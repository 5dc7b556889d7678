/* The packed batch and the decoder over it: what must be equal, and derivatives. */
#include "lib/model/decoder.h"

#include "tests/unit/model_example.h"

static struct kernels *k;
static struct err e;

/* Log-probabilities of one batch into logp; with coef the gradients are added to the model's. */
static void
run_logprobs(struct model *m, struct batch_builder *b, float *logp, const float *coef)
{
	struct decoder *d = run_forward(m, batch_finish(b), coef != NULL);
	must(decoder_logprobs(d, logp, &e), &e);
	if (coef)
		must(decoder_backward_logprobs(d, coef, &e), &e);
	decoder_close(d);
}

static void
run_scores(struct model *m, struct batch_builder *b, float *scores, const float *coef)
{
	struct decoder *d = run_forward(m, batch_finish(b), coef != NULL);
	must(decoder_scores(d, scores, &e), &e);
	if (coef)
		must(decoder_backward_scores(d, coef, &e), &e);
	decoder_close(d);
}

/* Largest difference of two gradient blocks over the largest entry. */
static double
gradient_difference(const struct model *m, const float *other)
{
	double diff = 0, top = 0;
	for (size_t i = 0; i < m->block_n; i++) {
		diff = fmax(diff, fabs((double)m->grad[i] - other[i]));
		top = fmax(top, fabs(other[i]));
	}
	CHECK(top > 0);
	return diff / top;
}

/* Coefficient of token `pos` of response `owner`, the same in every packing. */
static float
coefficient(int owner, int pos)
{
	return (float)rng_normal(rng_key(9), (uint64_t)(owner * 100 + pos));
}

static void
shared_prefix_of_policy(const struct tiny *tiny)
{
	struct model *m = tiny_model(tiny->config, k, 3);
	struct batch_builder b = {0};
	struct example x = example(4, 11, 3, (int[]){7, 1, 12});
	float logp[64], one[64], coef[64], want[3][16];
	for (int i = 0; i < 3; i++) { /* n separate forwards */
		const int32_t *list = x.ids[i];
		batch_reset(&b);
		batch_add_record(&b, x.prompt, x.n_prompt, &list, &x.n_ids[i], 1, i);
		for (int j = 0; j < x.n_ids[i]; j++)
			coef[j] = coefficient(i, j);
		run_logprobs(m, &b, one, coef);
		memcpy(want[i], one, sizeof want[i]);
	}
	float *grad = malloc(m->block_n * sizeof *grad);
	memcpy(grad, m->grad, m->block_n * sizeof *grad);
	memset(m->grad, 0, m->block_n * sizeof *grad);
	batch_reset(&b);
	add_record(&b, &x, 0);
	const struct batch *t = batch_finish(&b);
	for (int j = 0; j < t->n_targets; j++)
		coef[j] = coefficient(b.target_owner.v[j], b.target_pos.v[j]);
	run_logprobs(m, &b, logp, coef);
	CHECK(t->n_targets == 20);
	for (int j = 0; j < t->n_targets; j++)
		CHECK(fabs(logp[j] - want[b.target_owner.v[j]][b.target_pos.v[j]]) < 1e-5);
	double diff = gradient_difference(m, grad);
	if (diff >= 1e-5)
		printf("# %s: gradients differ by %g\n", tiny->name, diff);
	CHECK(diff < 1e-5);
	free(grad);
	batch_free(&b);
	model_close(m);
}

static void
shared_prefix_of_reward(const struct tiny *tiny)
{
	struct model *m = tiny_model(tiny->config, k, 3);
	struct batch_builder b = {0};
	struct example x = example(4, 11, 3, (int[]){7, 1, 12});
	float scores[3], one[3], coef[3] = {0.7f, -1.1f, 0.4f};
	for (int i = 0; i < 3; i++) {
		int32_t whole[64];
		memcpy(whole, x.prompt, 11 * sizeof *whole);
		memcpy(whole + 11, x.ids[i], (size_t)x.n_ids[i] * sizeof *whole);
		batch_reset(&b);
		batch_add_sequence(&b, whole, 11 + x.n_ids[i]);
		run_scores(m, &b, &one[i], &coef[i]);
		x.list[i] = x.ids[i];
	}
	float *grad = malloc(m->block_n * sizeof *grad);
	memcpy(grad, m->grad, m->block_n * sizeof *grad);
	memset(m->grad, 0, m->block_n * sizeof *grad);
	batch_reset(&b);
	batch_add_shared_sequences(&b, x.prompt, 11, x.list, x.n_ids, 3);
	run_scores(m, &b, scores, coef);
	for (int i = 0; i < 3; i++)
		CHECK(fabs(scores[i] - one[i]) < 1e-5);
	CHECK(gradient_difference(m, grad) < 1e-5);
	free(grad);
	batch_free(&b);
	model_close(m);
}

static void
shared_prefix_equals_separate_forwards(void)
{
	for (int i = 0; i < N_TINIES; i++) {
		if (strstr(tinies[i].name, "reward"))
			shared_prefix_of_reward(&tinies[i]);
		else
			shared_prefix_of_policy(&tinies[i]);
	}
}

/* Adds x as a record, or as sequences to score. */
static void
add_example(struct batch_builder *b, struct example *x, bool reward)
{
	for (int i = 0; i < x->n; i++)
		x->list[i] = x->ids[i];
	if (reward)
		batch_add_shared_sequences(b, x->prompt, x->n_prompt, x->list, x->n_ids, x->n);
	else
		add_record(b, x, 0);
}

/* A record alone, first, in the middle and last of several; training and inference. */
static void
bits_do_not_depend_on_the_batch(void)
{
	for (int i = 0; i < N_TINIES; i++) {
		struct model *m = tiny_model(tinies[i].config, k, 3);
		bool reward = m->config.head == HEAD_REWARD;
		struct batch_builder b = {0};
		struct example x = example(4, 9, 3, (int[]){7, 1, 12}),
			       y = example(8, 20, 2, (int[]){13, 2}),
			       z = example(9, 1, 3, (int[]){5, 30, 8});
		struct example *orders[][3] = {{&x}, {&x, &y, &z}, {&y, &x, &z}, {&z, &y, &x}};
		float alone[20], all[200];
		int before = 0;
		size_t n = reward ? 3 : 20;
		for (int order = 0; order < 8; order++) {
			batch_reset(&b);
			for (int part = 0; part < 3 && orders[order / 2][part]; part++) {
				if (orders[order / 2][part] == &x)
					before = (int)(reward ? b.head_rows.n : b.target_id.n);
				add_example(&b, orders[order / 2][part], reward);
			}
			struct decoder *d = run_forward(m, batch_finish(&b), order % 2);
			must(reward ? decoder_scores(d, all, &e) : decoder_logprobs(d, all, &e),
				&e);
			if (order == 0)
				memcpy(alone, all, n * sizeof *alone);
			CHECK(memcmp(alone, all + before, n * sizeof *alone) == 0);
			decoder_close(d);
		}
		batch_free(&b);
		model_close(m);
	}
}

/* Reference logits of a sequence: every row is a head row of one plain forward. */
static void
full_logits(struct model *m, const int32_t *ids, int n, float *logits)
{
	struct batch_builder b = {0};
	batch_add_sequence(&b, ids, n);
	b.head_rows.n = 0;
	for (int i = 0; i < n; i++)
		ids_push(&b.head_rows, i);
	struct decoder *d = run_forward(m, batch_finish(&b), false);
	must(decoder_logits(d, logits, &e), &e);
	decoder_close(d);
	batch_free(&b);
}

static double
difference(const float *a, const float *b, int n)
{
	double worst = 0;
	for (int i = 0; i < n; i++)
		worst = fmax(worst, fabs((double)a[i] - b[i]));
	return worst;
}

/*
 * Two continuations of one prompt, decoded token by token over a cache: prompt in slots 3.., the
 * responses behind it, the second moved down by two slots (over itself) on the way.
 */
static void
decode_with_cache(const struct tiny *tiny)
{
	enum { P = 9, N = 6, BASE = 3, ROOM = 12 };
	struct model *m = tiny_model(tiny->config, k, 3);
	struct example x = example(4, P, 2, (int[]){N, N});
	float want[2][(P + N) * VOCAB], got[2 * VOCAB];
	for (int i = 0; i < 2; i++) {
		int32_t whole[P + N];
		memcpy(whole, x.prompt, sizeof x.prompt[0] * P);
		memcpy(whole + P, x.ids[i], sizeof x.prompt[0] * N);
		full_logits(m, whole, P + N, want[i]);
	}
	struct decoder *d;
	struct decoder_limits l = {P, 2, 2, 0, false, BASE + P + 2 * ROOM};
	must(decoder_open(&d, m, &l, &e), &e);
	int32_t positions[P], slots[P], head[2] = {P - 1, 0};
	for (int i = 0; i < P; i++)
		positions[i] = i, slots[i] = BASE + i;
	struct k_segment prompt = {0, P, 0, 0, BASE, P};
	struct batch b = {.n_rows = P,
		.ids = x.prompt,
		.positions = positions,
		.n_segs = 1,
		.segs = &prompt,
		.n_head = 1,
		.head_rows = head,
		.slots = slots};
	must(decoder_forward(d, &b, &e), &e);
	must(decoder_logits(d, got, &e), &e);
	CHECK(difference(got, want[0] + (P - 1) * VOCAB, VOCAB) < 1e-5);
	int start[2] = {BASE + P, BASE + P + ROOM};
	for (int t = 0; t < N; t++) {
		if (t == N / 2) {
			decoder_cache_move(d, start[1] - 2, start[1], t);
			start[1] -= 2;
		}
		int32_t ids[2] = {x.ids[0][t], x.ids[1][t]}, at[2] = {P + t, P + t};
		int32_t to[2] = {start[0] + t, start[1] + t}, rows[2] = {0, 1};
		struct k_segment segs[2] = {
			{0, 1, BASE, P, start[0], t + 1}, {1, 1, BASE, P, start[1], t + 1}};
		struct batch step = {.n_rows = 2,
			.ids = ids,
			.positions = at,
			.n_segs = 2,
			.segs = segs,
			.n_head = 2,
			.head_rows = rows,
			.slots = to,
			.stream = true};
		float alone[VOCAB];
		/* the second alone first: its bits must not change beside the other */
		struct k_segment one = {0, 1, BASE, P, start[1], t + 1};
		struct batch single = {.n_rows = 1,
			.ids = ids + 1,
			.positions = at,
			.n_segs = 1,
			.segs = &one,
			.n_head = 1,
			.head_rows = rows,
			.slots = to + 1,
			.stream = true};
		must(decoder_forward(d, &single, &e), &e);
		must(decoder_logits(d, alone, &e), &e);
		must(decoder_forward(d, &step, &e), &e);
		must(decoder_logits(d, got, &e), &e);
		CHECK(memcmp(alone, got + VOCAB, sizeof alone) == 0);
		for (int i = 0; i < 2; i++) {
			double diff = difference(got + i * VOCAB, want[i] + (P + t) * VOCAB, VOCAB);
			if (diff >= 1e-5)
				printf("# %s: logits differ by %g\n", tiny->name, diff);
			CHECK(diff < 1e-5);
		}
	}
	decoder_close(d);
	model_close(m);
}

static void
decoding_with_a_cache_equals_the_full_forward(void)
{
	for (int i = 0; i < N_TINIES; i++)
		if (strstr(tinies[i].name, "reward") == NULL)
			decode_with_cache(&tinies[i]);
}

/* Moving more rows than the scratch holds, up and down, over themselves. */
static void
cache_moves_overlap(void)
{
	enum { N = 10, SLOTS = 40 };
	struct model *m = tiny_model(tiny_config("neox"), k, 3);
	struct example x = example(4, N, 0, NULL);
	float want[N * VOCAB], got[VOCAB];
	full_logits(m, x.prompt, N, want);
	struct decoder *d;
	struct decoder_limits l = {3, 1, 1, 0, false, SLOTS};
	must(decoder_open(&d, m, &l, &e), &e);
	int base = 5;
	static const int moves[N] = {0, 0, 0, 0, 0, 2, -3, 7, -1, 20};
	for (int t = 0; t < N; t++) {
		decoder_cache_move(d, base + moves[t], base, t);
		base += moves[t];
		int32_t at = t, slot = base + t, row = 0;
		struct k_segment s = {0, 1, 0, 0, base, t + 1};
		struct batch b = {.n_rows = 1,
			.ids = &x.prompt[t],
			.positions = &at,
			.n_segs = 1,
			.segs = &s,
			.n_head = 1,
			.head_rows = &row,
			.slots = &slot,
			.stream = true};
		must(decoder_forward(d, &b, &e), &e);
		must(decoder_logits(d, got, &e), &e);
		CHECK(difference(got, want + t * VOCAB, VOCAB) < 1e-5);
	}
	decoder_close(d);
	model_close(m);
}

/* Sum of coefficients times outputs of a fixed batch; with gradients when grad is set. */
static double
objective(struct model *m, bool grad)
{
	struct batch_builder b = {0};
	struct example x = example(4, 6, 2, (int[]){5, 3}), y = example(5, 2, 1, (int[]){4});
	float out[64], coef[64];
	double sum = 0;
	int n;
	for (int j = 0; j < 64; j++)
		coef[j] = coefficient(7, j);
	if (m->config.head == HEAD_REWARD) {
		x.list[0] = x.ids[0], x.list[1] = x.ids[1];
		batch_add_shared_sequences(&b, x.prompt, 6, x.list, x.n_ids, 2);
		batch_add_sequence(&b, y.ids[0], 4);
		run_scores(m, &b, out, grad ? coef : NULL);
		n = b.batch.n_head;
	} else {
		add_record(&b, &x, 0);
		add_record(&b, &y, 2);
		run_logprobs(m, &b, out, grad ? coef : NULL);
		n = b.batch.n_targets;
	}
	for (int j = 0; j < n; j++)
		sum += (double)coef[j] * out[j];
	batch_free(&b);
	return sum;
}

/* Derivative along a direction of a tensor, central differences of fourth order. */
static double
numeric(struct model *m, const struct param *p, const double *direction, double h)
{
	static const double steps[] = {-2, -1, 1, 2}, weights[] = {1, -8, 8, -1};
	float *w = m->block + p->offset, *saved = malloc(p->n * sizeof *saved);
	double sum = 0;
	memcpy(saved, w, p->n * sizeof *w);
	for (int s = 0; s < 4; s++) {
		for (size_t i = 0; i < p->n; i++)
			w[i] = (float)(saved[i] + steps[s] * h * direction[i]);
		sum += weights[s] * objective(m, false);
	}
	memcpy(w, saved, p->n * sizeof *w);
	free(saved);
	return sum / (12 * h);
}

/* Every tensor: along its gradient (the strongest signal), and at three single weights. */
static void
derivatives_of(const struct tiny *tiny)
{
	struct model *m = tiny_model(tiny->config, k, 3);
	double worst = 0;
	objective(m, true);
	for (int i = 0; i < m->n_params; i++) {
		const struct param *p = &m->params[i];
		double *direction = calloc(p->n, sizeof *direction), norm = 0;
		for (size_t j = 0; j < p->n; j++)
			norm += (double)p->grad[j] * p->grad[j];
		norm = sqrt(norm);
		for (size_t j = 0; j < p->n; j++)
			direction[j] = norm > 0 ? p->grad[j] / norm : 0;
		double got = numeric(m, p, direction, 0.005);
		double error = fabs(got - norm) / (norm + 0.1);
		for (int r = 0; r < 3; r++) {
			size_t at = rng_below(rng_key(11), (uint64_t)(3 * i + r), p->n);
			memset(direction, 0, p->n * sizeof *direction);
			direction[at] = 1;
			got = numeric(m, p, direction, 0.02);
			error = fmax(error, fabs(got - p->grad[at]) / (norm + 0.1));
		}
		if (error > 1e-3)
			printf("# %s %s: relative error %g\n", tiny->name, p->name, error);
		worst = fmax(worst, error);
		free(direction);
	}
	printf("# %s: worst derivative %.1e\n", tiny->name, worst);
	CHECK(worst < 1e-3);
	model_close(m);
}

static void
finite_differences(void)
{
	for (int i = 0; i < N_TINIES; i++)
		derivatives_of(&tinies[i]);
}

static void
limits_and_bytes(void)
{
	struct model *m = tiny_model(tiny_config("llama"), k, 3);
	struct batch_builder b = {0};
	struct example x = example(4, 6, 2, (int[]){5, 3});
	struct decoder *d;
	struct decoder_limits l = {1, 1, 1, 1, true, 0}, large = {100, 5, 50, 50, true, 0};
	float logp[64], again[64];
	must(decoder_open(&d, m, &l, &e), &e);
	add_record(&b, &x, 0);
	const struct batch *t = batch_finish(&b);
	must(decoder_fit(d, t, &e), &e);
	must(decoder_forward(d, t, &e), &e);
	must(decoder_logprobs(d, logp, &e), &e);
	must(decoder_fit(d, t, &e), &e); /* nothing to do */
	must(decoder_forward(d, t, &e), &e);
	must(decoder_logprobs(d, again, &e), &e);
	CHECK(memcmp(logp, again, (size_t)t->n_targets * sizeof *logp) == 0);
	decoder_close(d);
	/* what block.h says a row of training costs per layer: all else is counted once */
	const struct model_config *c = &m->config;
	struct decoder_limits more = large;
	more.max_rows += 64;
	struct model_config deep = *c;
	deep.n_layers++;
	int H = c->n_heads, G = c->n_kv_heads, D = c->head_dim;
	size_t row = 2 * (size_t)c->hidden + (size_t)((H + 2 * G) * D + H * D + H) +
		     2 * (size_t)c->ffn + 4;
	size_t per_layer = decoder_bytes(&deep, &more) - decoder_bytes(c, &more) -
			   (decoder_bytes(&deep, &large) - decoder_bytes(c, &large));
	CHECK(per_layer == 64 * row * sizeof(float));
	/* a cache slot costs a key and a value in every layer */
	struct decoder_limits cache = {8, 1, 8, 0, false, 64}, twice = cache;
	twice.cache_slots = 128;
	CHECK(decoder_bytes(c, &twice) - decoder_bytes(c, &cache) ==
		64 * 2 * (size_t)(G * D * c->n_layers) * sizeof(float));
	batch_free(&b);
	model_close(m);
}

static void
wrong_ids_and_windows(void)
{
	struct model *m = tiny_model(tiny_config("mistral"), k, 3);
	struct batch_builder b = {0};
	struct example x = example(4, 6, 2, (int[]){5, 3});
	struct decoder_limits l = {50, 5, 50, 50, false, 0};
	struct decoder *d;
	must(decoder_open(&d, m, &l, &e), &e);
	static const int32_t wrong[] = {-1, VOCAB, INT32_MAX, INT32_MIN};
	for (int i = 0; i < 8; i++) {
		struct example bad = x;
		if (i % 2)
			bad.prompt[2] = wrong[i / 2];
		else
			bad.ids[1][2] = wrong[i / 2]; /* a target only */
		batch_reset(&b);
		add_record(&b, &bad, 0);
		e = (struct err){0};
		CHECK(decoder_forward(d, batch_finish(&b), &e) < 0 && e.code == ERR_DATA);
		CHECK(strstr(e.msg, "vocabulary of 41") != NULL);
	}
	batch_reset(&b);
	add_record(&b, &x, 0);
	m->config.sliding_window = 9;
	CHECK(decoder_forward(d, batch_finish(&b), &e) < 0 && e.code == ERR_CONFIG);
	m->config.sliding_window = 10; /* 6 + 5 tokens, of which the last needs no row */
	CHECK(decoder_forward(d, batch_finish(&b), &e) == 0);
	decoder_close(d);
	batch_free(&b);
	model_close(m);
}

/* A batch whose responses are all empty predicts nothing: no error, and no gradient. */
static void
nothing_to_predict(void)
{
	struct model *m = tiny_model(tiny_config("llama"), k, 3);
	struct batch_builder b = {0};
	struct example x = example(4, 6, 2, (int[]){0, 0});
	float none[1];
	add_record(&b, &x, 0);
	CHECK(batch_finish(&b)->n_targets == 0 && b.batch.n_head == 0 && b.batch.n_rows == 6);
	run_logprobs(m, &b, none, none);
	for (size_t i = 0; i < m->block_n; i++)
		CHECK(m->grad[i] == 0);
	batch_free(&b);
	model_close(m);
}

/* Another number of threads: the same up to rounding at worst. */
static void
threads_agree(void)
{
	struct kernels *two = kernels_cpu_open(2);
	for (int i = 0; i < 4; i++) {
		struct model *a = tiny_model(tinies[i].config, k, 3),
			     *b = tiny_model(tinies[i].config, two, 3);
		double x = objective(a, true), y = objective(b, true);
		CHECK(fabs(x - y) <= 1e-6 * fabs(x));
		CHECK(gradient_difference(a, b->grad) < 1e-6);
		model_close(a);
		model_close(b);
	}
	two->close(two);
}

int
main(void)
{
	k = kernels_cpu_open(1);
	RUN(shared_prefix_equals_separate_forwards);
	RUN(bits_do_not_depend_on_the_batch);
	RUN(decoding_with_a_cache_equals_the_full_forward);
	RUN(cache_moves_overlap);
	RUN(finite_differences);
	RUN(limits_and_bytes);
	RUN(wrong_ids_and_windows);
	RUN(nothing_to_predict);
	RUN(threads_agree);
	k->close(k);
	TEST_END;
}
