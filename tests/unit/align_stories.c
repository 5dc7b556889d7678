/*
 * A real pretrained model and real records against an independent float64 implementation: token
 * counts, mean log-likelihoods, losses, and the norm of every tensor's gradient.
 */
#include "lib/text/encode.h"
#include "tests/unit/align_util.h"

static struct kernels *k1;

static json_t *
next_line(FILE *f)
{
	static char line[1 << 16];
	return fgets(line, sizeof line, f) ? json_loads(line, 0, NULL) : NULL;
}

/* The authors' layout as a record: "<|prompter|>..." turns, suffixes, rewards. */
static json_t *
record_of(const json_t *v)
{
	json_t *o = json_object(), *prompt = json_array(), *responses = json_array();
	const json_t *turns = json_array_get(json_object_get(v, "prefix"), 0);
	for (size_t i = 0; i + 1 < json_array_size(turns); i++) {
		const char *s = json_string_value(json_array_get(turns, i));
		const char *text = strstr(s, "|>") + 2;
		json_array_append_new(
			prompt, json_pack("{s:s, s:s}", "role",
					strncmp(s, "<|prompter", 10) == 0 ? "user" : "assistant",
					"content", text));
	}
	for (size_t k = 0; k < json_array_size(json_object_get(v, "suffix")); k++)
		json_array_append_new(responses,
			json_pack("{s:O, s:O}", "text",
				json_array_get(json_object_get(v, "suffix"), k), "reward",
				json_array_get(json_object_get(v, "reward"), k)));
	json_object_set_new(o, "prompt", prompt);
	json_object_set_new(o, "responses", responses);
	return o;
}

static void
relative(double got, double want, double tol)
{
	if (!(fabs(got / want - 1) <= tol))
		printf("# got %.9g, want %.9g\n", got, want);
	CHECK(fabs(got / want - 1) <= tol);
}

/* One record: its figures, and its share of the mean gradient in sum. */
static void
check_record(struct trainer *t, uint32_t i, const json_t *want, float *sum)
{
	const struct example *x = &t->data->v[i];
	struct step_result r = {0};
	struct err e = {0};
	must(trainer_gradient(t, &i, 1, &r, &e), &e);
	const json_t *tokens = json_object_get(want, "response_tokens");
	const json_t *mean = json_object_get(want, "mean_logp");
	CHECK(x->n_prompt == json_integer_value(json_object_get(want, "prompt_tokens")));
	CHECK(x->n == 2 && json_array_size(tokens) == 2);
	for (size_t k = 0; k < 2; k++)
		CHECK(x->n_ids[k] == json_integer_value(json_array_get(tokens, k)));
	double first = -r.sft / x->n_ids[0];
	CHECK(fabs(first - json_number_value(json_array_get(mean, 0))) < 1e-4);
	if (r.pairs == 1)
		CHECK(fabs(first - r.margin - json_number_value(json_array_get(mean, 1))) < 1e-4);
	/* the file has six digits */
	CHECK(fabs(r.ranking - real_of(want, "pro_loss")) <
		1e-4 * real_of(want, "pro_loss") + 1e-6);
	relative(r.sft, real_of(want, "sft_nll_sum"), 1e-4);
	relative(r.loss, real_of(want, "loss"), 1e-4);
	for (size_t j = 0; j < t->model->block_n; j++)
		sum[j] += t->model->grad[j] / 16;
	step_result_free(&r);
}

static void
check_norms(const struct model *m, const float *grad, const json_t *want)
{
	relative(sqrt(k1->sumsq(k1, grad, m->block_n)), real_of(want, "grad_norm"), 1e-3);
	const json_t *each = json_object_get(want, "grad_norm_per_tensor");
	CHECK((int)json_object_size(each) == m->n_params);
	for (int i = 0; i < m->n_params; i++) {
		const struct param *p = &m->params[i];
		relative(sqrt(k1->sumsq(k1, grad + p->offset, p->n)), real_of(each, p->name), 1e-3);
	}
}

static void
stories260K(void)
{
	char golden[4096], data[4096], dir[4096];
	const char *path = shared_path("golden/stories260K-pro.jsonl");
	if (path == NULL)
		SKIP("no shared reference material");
	snprintf(golden, sizeof golden, "%s", path);
	path = shared_path("data/pro-hh/sampled_dev.json");
	snprintf(data, sizeof data, "%s", path ? path : "");
	path = shared_path("models/stories260K/config.json");
	snprintf(dir, sizeof dir, "%.*s", path ? (int)(strlen(path) - strlen("/config.json")) : 0,
		path ? path : "");

	struct err e = {0};
	struct tokenizer *tokenizer;
	struct template *template;
	struct model *m;
	struct model_open_options mo = {.use = MODEL_TRAIN, .head = HEAD_LM};
	must(tokenizer_load(&tokenizer, dir, &e), &e);
	must(template_select(&template, "hh", dir, tokenizer, NULL, &e), &e);
	must(model_open(&m, dir, k1, &mo, &e), &e);
	struct dataset_options o = options_for("pro");
	o.encode = (struct encode_params){tokenizer, template, 512, 384, OVERLONG_TRUNCATE};
	struct dataset d;
	dataset_init(&d, &o);

	FILE *f = fopen(data, "r");
	for (int i = 0; i < 16; i++) {
		json_t *v = next_line(f);
		struct record r = {0};
		struct buf cut = BUF_INIT;
		const char *why = "";
		must(record_take(&r, record_of(v), &e), &e);
		CHECK(dataset_add(&d, &r, &why, &cut, &e) == 1);
		record_free(&r);
		buf_free(&cut);
		json_decref(v);
	}
	fclose(f);

	struct trainer t;
	must(trainer_open(&t, m, &d, &optim_defaults, 1, &e), &e);
	float *sum = x_calloc(m->block_n, sizeof *sum);
	f = fopen(golden, "r");
	for (uint32_t i = 0; i < 16; i++) {
		json_t *want = next_line(f);
		check_record(&t, i, want, sum);
		json_decref(want);
	}
	json_t *last = next_line(f);
	check_norms(m, sum, last);
	json_decref(last);
	fclose(f);
	free(sum);
	trainer_close(&t);
	dataset_free(&d);
	model_close(m);
	template_free(template);
	tokenizer_free(tokenizer);
}

int
main(void)
{
	k1 = kernels_cpu_open(1);
	RUN(stories260K);
	k1->close(k1);
	TEST_END;
}
