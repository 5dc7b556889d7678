/*
 * A real pretrained model, ../shared/models/stories260K: its greedy text, and PRO on real records
 * against ../shared/golden/stories260K-pro.jsonl (float64, independent).
 */
#include "tests/test.h"

#include <jansson.h>

#include "lib/model/decoder.h"
#include "lib/text/encode.h"
#include "tests/golden/pro_double.h"

enum { RECORDS = 16 };

static struct err e;

static void
must(int rc)
{
	if (rc < 0) {
		printf("not ok - set-up: %s\n", e.msg);
		exit(1);
	}
}

/* The model's folder; false without shared material. */
static bool
model_dir(char dir[4096])
{
	const char *path = shared_path("models/stories260K/config.json");
	if (path == NULL)
		return false;
	snprintf(dir, 4096, "%s", path);
	*strrchr(dir, '/') = '\0';
	return true;
}

static int
argmax(const float *x, int n)
{
	int best = 0;
	for (int i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

/* Appends n tokens to ids, decoding over a cache. */
static void
greedy(struct model *m, struct ids *ids, int n)
{
	struct decoder *d;
	int P = (int)ids->n, row = P - 1;
	struct decoder_limits l = {P, 1, 1, 0, false, P + n};
	float *logits = malloc((size_t)m->config.vocab * sizeof *logits);
	int32_t *count = malloc((size_t)P * sizeof *count);
	for (int i = 0; i < P; i++)
		count[i] = i;
	must(decoder_open(&d, m, &l, &e));
	struct k_segment s = {0, P, 0, 0, 0, P};
	struct batch b = {.n_rows = P,
		.ids = ids->v,
		.positions = count,
		.n_segs = 1,
		.segs = &s,
		.n_head = 1,
		.head_rows = &row,
		.slots = count};
	for (int t = 0; t < n; t++) {
		must(decoder_forward(d, &b, &e));
		must(decoder_logits(d, logits, &e));
		int32_t next = argmax(logits, m->config.vocab), at = P + t;
		ids_push(ids, next);
		if (next == m->config.eos)
			break;
		row = 0;
		s = (struct k_segment){0, 1, 0, 0, 0, at + 1};
		count[0] = at;
		b = (struct batch){.n_rows = 1,
			.ids = &ids->v[at],
			.positions = count,
			.n_segs = 1,
			.segs = &s,
			.n_head = 1,
			.head_rows = &row,
			.slots = count,
			.stream = true};
	}
	decoder_close(d);
	free(count);
	free(logits);
}

static void
greedy_text(void)
{
	static const char prompt[] = "Once upon a time, there was a little girl named Lily.";
	char dir[4096];
	struct buf want = BUF_INIT, text = BUF_INIT;
	struct ids ids = {0};
	struct tokenizer *t;
	struct model *m;
	if (!model_dir(dir))
		SKIP("no shared material");
	must(file_read(shared_path("models/stories260K/greedy.txt"), 1 << 20, &want, &e));
	must(tokenizer_load(&t, dir, &e));
	struct kernels *k = kernels_cpu_open(1);
	must(model_open(&m, dir, k, &(struct model_open_options){0}, &e));
	struct text_piece piece = {prompt, strlen(prompt), false};
	ids_push(&ids, tokenizer_bos(t));
	must(tokenizer_encode(t, &piece, 1, 0, &ids, &e));
	size_t n = ids.n;
	greedy(m, &ids, 241);
	buf_puts(&text, prompt);
	tokenizer_decode(t, ids.v + n, ids.n - n, false, false, &text);
	while (want.len && want.data[want.len - 1] == '\n')
		want.data[--want.len] = '\0';
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	CHECK_STR(text.data, want.data);
	CHECK(want.len > 500);
	tokenizer_free(t);
	model_close(m);
	k->close(k);
	ids_free(&ids);
	buf_free(&want);
	buf_free(&text);
}

/* One line of sampled_dev.json as a record, the better response first. */
static void
take_record(struct record *r, const json_t *in)
{
	const json_t *prefix = json_array_get(json_object_get(in, "prefix"), 0);
	const json_t *suffix = json_object_get(in, "suffix");
	const json_t *reward = json_object_get(in, "reward");
	json_t *prompt = json_array(), *responses = json_array();
	size_t n = json_array_size(prefix);
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(prefix, i));
		bool user = strncmp(s, "<|prompter|>", 12) == 0;
		s += strlen(user ? "<|prompter|>" : "<|assistant|>");
		if (*s || i + 1 < n) /* the last is the empty turn that is to be answered */
			json_array_append_new(
				prompt, json_pack("{s:s,s:s}", "role", user ? "user" : "assistant",
						"content", s));
	}
	bool swap = json_number_value(json_array_get(reward, 1)) >
		    json_number_value(json_array_get(reward, 0));
	for (size_t k = 0; k < 2; k++) {
		size_t from = swap ? 1 - k : k;
		json_array_append_new(
			responses, json_pack("{s:O,s:O}", "text", json_array_get(suffix, from),
					   "reward", json_array_get(reward, from)));
	}
	must(record_take(r, json_pack("{s:o,s:o}", "prompt", prompt, "responses", responses), &e));
}

struct run {
	struct model *m;
	struct decoder *d;
	struct batch_builder b;
	struct encode_params params;
	double mean_loss;
};

/* Forward and backward of one record of the step. */
static void
run_record(struct run *run, const json_t *in, const json_t *want)
{
	struct record r = {0};
	struct arena a;
	struct encoded x;
	float logp[1024], coef[1024];
	double sum[2] = {0}, mean[2], R[2], dr[2] = {0}, beta = 0.05;
	arena_init(&a);
	take_record(&r, in);
	CHECK(encode_policy(&run->params, &r, &a, &x, &e) == 1);
	batch_reset(&run->b);
	batch_add_record(
		&run->b, x.prompt, x.n_prompt, (const int32_t *const *)x.ids, x.n_ids, 2, 0);
	const struct batch *b = batch_finish(&run->b);
	must(decoder_fit(run->d, b, &e));
	must(decoder_forward(run->d, b, &e));
	must(decoder_logprobs(run->d, logp, &e));
	for (int j = 0; j < b->n_targets; j++)
		sum[run->b.target_owner.v[j]] += logp[j];
	for (int k = 0; k < 2; k++) {
		mean[k] = sum[k] / x.n_ids[k];
		must(response_number(&r.responses[k], "reward", &R[k], &e));
		CHECK(fabs(mean[k] - json_number_value(json_array_get(
					     json_object_get(want, "mean_logp"), (size_t)k))) <
			1e-5);
	}
	double pro = pro_double(mean, R, 2, dr), loss = pro - beta * sum[0];
	CHECK_NEAR(pro, json_number_value(json_object_get(want, "pro_loss")), 1e-5);
	CHECK_NEAR(-sum[0], json_number_value(json_object_get(want, "sft_nll_sum")), 1e-5);
	CHECK_NEAR(loss, json_number_value(json_object_get(want, "loss")), 1e-5);
	run->mean_loss += loss / RECORDS;
	for (int j = 0; j < b->n_targets; j++) {
		int k = run->b.target_owner.v[j];
		coef[j] = (float)((dr[k] / x.n_ids[k] - (k == 0 ? beta : 0)) / RECORDS);
	}
	must(decoder_backward_logprobs(run->d, coef, &e));
	record_free(&r);
	arena_free(&a);
}

static void
check_norms(const struct model *m, const json_t *want)
{
	const json_t *each = json_object_get(want, "grad_norm_per_tensor");
	double worst = 0;
	for (int i = 0; i < m->n_params; i++) {
		const struct param *p = &m->params[i];
		double norm = sqrt(m->k->sumsq(m->k, p->grad, p->n));
		double x = json_number_value(json_object_get(each, p->name));
		worst = fmax(worst, fabs(norm / x - 1));
	}
	CHECK(json_object_size(each) == (size_t)m->n_params);
	double total = sqrt(m->k->sumsq(m->k, m->grad, m->block_n));
	CHECK_NEAR(total, json_number_value(json_object_get(want, "grad_norm")), 1e-5);
	printf("# worst norm of a tensor's gradient: %.1e\n", worst);
	CHECK(worst < 1e-4);
}

static void
pro_on_real_records(void)
{
	char dir[4096];
	struct buf in = BUF_INIT, golden = BUF_INIT;
	struct run run = {0};
	struct tokenizer *t;
	struct template *hh;
	const char *how;
	if (!model_dir(dir) || !shared_path("golden/stories260K-pro.jsonl"))
		SKIP("no shared material");
	must(file_read(shared_path("data/pro-hh/sampled_dev.json"), 1 << 24, &in, &e));
	must(file_read(shared_path("golden/stories260K-pro.jsonl"), 1 << 20, &golden, &e));
	must(tokenizer_load(&t, dir, &e));
	must(template_select(&hh, "hh", dir, t, &how, &e));
	struct kernels *k = kernels_cpu_open(1);
	must(model_open(&run.m, dir, k, &(struct model_open_options){.use = MODEL_TRAIN}, &e));
	must(decoder_open(&run.d, run.m, &(struct decoder_limits){1, 1, 1, 1, true, 0}, &e));
	run.params = (struct encode_params){t, hh, 512, 384, OVERLONG_TRUNCATE};
	const char *s = in.data, *g = golden.data;
	for (int i = 0; i <= RECORDS; i++) {
		json_t *record = json_loads(s, JSON_DISABLE_EOF_CHECK, NULL);
		json_t *want = json_loads(g, JSON_DISABLE_EOF_CHECK, NULL);
		CHECK(record && want);
		if (i < RECORDS)
			run_record(&run, record, want);
		else
			check_norms(run.m, want);
		if (i == RECORDS)
			CHECK_NEAR(run.mean_loss,
				json_number_value(json_object_get(want, "mean_loss")), 1e-6);
		json_decref(record);
		json_decref(want);
		s = strchr(s, '\n') + 1;
		g = strchr(g, '\n') + 1;
	}
	decoder_close(run.d);
	model_close(run.m);
	k->close(k);
	template_free(hh);
	tokenizer_free(t);
	batch_free(&run.b);
	buf_free(&in);
	buf_free(&golden);
}

int
main(void)
{
	RUN(greedy_text);
	RUN(pro_on_real_records);
	TEST_END;
}
