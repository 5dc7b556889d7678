#include "lib/align/job.h"

#include <string.h>

#include "lib/base/human.h"
#include "lib/gen/lengths.h"
#include "lib/gen/score_stream.h"
#include "lib/model/folder.h"

const struct job_options job_defaults = {
	.template = {.name = "auto"},
	.data = {.params = {.temperature = true, .sft = true, .beta = -1},
		.reward_field = "reward"},
	.run = {.optim = OPTIM_DEFAULTS,
		.per_device = 2,
		.accumulation = 8,
		.epochs = 2,
		.logging_steps = 1,
		.save_steps = 500,
		.eval_steps = 100,
		.seed = 42},
	.validate = {.batch = 16},
	.save_total_limit = 2,
};

int
job_open(struct job *j, const struct job_options *o, struct kernels *k, const char **how,
	struct err *e)
{
	*j = (struct job){.o = *o, .kernels = k, .checkpoints = {.lock = -1}};
	bool reward = o->data.method->head == HEAD_REWARD;
	int length = (int)o->max_length, prompt = (int)o->max_prompt_length;
	if (o->out_dir &&
		checkpoints_open(&j->checkpoints, o->out_dir, o->resume, o->overwrite, e) < 0)
		return -1;
	if (config_load(&j->config, o->model_dir, e) < 0 ||
		lengths_resolve(
			&j->config, reward ? 1024 : 512, &length, reward ? NULL : &prompt, e) < 0 ||
		tokenizer_load(&j->tokenizer, o->model_dir, e) < 0 ||
		template_open(&j->template, &o->template, o->model_dir, j->tokenizer, how, e) < 0)
		return -1;
	template_describe(j->template, &j->template_text);
	j->o.data.encode =
		(struct encode_params){j->tokenizer, j->template, length, prompt, o->on_overlong};
	return 0;
}

int
job_read(struct job *j, struct filter *f, int64_t expect, struct err *e)
{
	dataset_init(&j->data, &j->o.data);
	if (dataset_read(&j->data, f, expect, e) < 0)
		return -1;
	return dataset_check_vocab(&j->data, j->config.vocab, e);
}

int
job_plan(struct job *j, size_t memory_bytes, double (*clock)(void), struct buf *out, struct err *e)
{
	/* the head that will be trained, whatever the folder has */
	j->config.head = j->o.data.method->head;
	double rate = plan_rate(j->kernels, &j->config, 0.2, clock);
	return run_plan(&j->o.run, &j->config, &j->data, memory_bytes, rate, out, e);
}

void
job_outline(struct job *j, double (*clock)(void), struct strings *out)
{
	const struct run_options *o = &j->o.run;
	struct buf b = BUF_INIT, label = BUF_INIT;
	if (j->checkpoints.done)
		return;
	j->config.head = j->o.data.method->head;
	double rate = j->checkpoints.go_on
			      ? 0
			      : plan_rate_beside(j->kernels, o, &j->config, &j->data, clock);
	human_count(&b, (double)config_parameters(&j->config));
	strings_add(out, "%s: %s parameters; %s on %zu record%s: %lld step%s of %lld",
		model_label(&label, j->o.model_dir), b.data, j->o.data.method->name, j->data.n,
		human_s((int64_t)j->data.n), (long long)run_total(o, j->data.n),
		human_s(run_total(o, j->data.n)), (long long)o->per_device * o->accumulation);
	buf_reset(&b);
	plan_outline(o, &j->config, &j->data, rate, &b);
	strings_add(out, "%s", b.data);
	buf_free(&b);
	buf_free(&label);
}

static int
train(struct job *j, struct model *m, struct validator *v, const struct run_hooks *h,
	const char *described, struct err *e)
{
	struct buf settings = BUF_INIT, meta = BUF_INIT;
	run_settings(&j->o.run, &j->data, v, j->template_text.data, &settings);
	run_describe(&j->data, j->o.model_dir, model_hash(m), j->template_text.data,
		j->kernels->path, described, &meta);
	j->checkpoints.source_dir = j->o.model_dir;
	j->checkpoints.meta = meta.data;
	j->checkpoints.meta_n = meta.len;
	/* so that others who open OUT render as it was trained */
	if (!template_is_own(j->template, j->o.model_dir))
		j->checkpoints.chat_template = template_jinja(j->template);
	j->checkpoints.other_bits = j->o.other_bits;
	j->checkpoints.limit = (int)j->o.save_total_limit;
	struct run r = {.o = &j->o.run,
		.hooks = *h,
		.model = m,
		.data = &j->data,
		.validator = v,
		.checkpoints = &j->checkpoints,
		.settings = settings.data};
	int rc = run_train(&r, e);
	buf_free(&settings);
	buf_free(&meta);
	return rc;
}

/* What the validation reads, as is said of the training data. */
static void
note_validation(const struct job *j, const struct validator *v, const struct run_hooks *h)
{
	struct buf b = BUF_INIT;
	if (h->note == NULL)
		return;
	buf_printf(&b,
		"validation on %d record%s, %lld dropped, %lld prompt%s cut; %s: template %s (%s)",
		v->n, human_s(v->n), (long long)v->n_dropped, (long long)v->n_prompt_cut,
		human_s(v->n_prompt_cut), j->o.validate.reward_dir,
		template_name(v->scorer.template), v->how);
	template_notes(v->scorer.template, true, &b);
	h->note(h->ctx, b.data);
	buf_free(&b);
}

/* A link in the base model's folder may lead to anything: what is copied is said. */
static void
note_links(const struct job *j, const struct run_hooks *h)
{
	static const char *const own[] = {"config.json", "generation_config.json", NULL};
	struct buf links = BUF_INIT, b = BUF_INIT;
	folder_links(j->o.model_dir, own, &links);
	folder_links(j->o.model_dir, tokenizer_files(), &links);
	if (links.len > 0 && h->note) {
		buf_printf(&b, "%s: copied through links to the outside: %s", j->o.model_dir,
			links.data);
		h->note(h->ctx, b.data);
	}
	buf_free(&links);
	buf_free(&b);
}

int
job_train(struct job *j, const struct run_hooks *h, const char *described, struct err *e)
{
	bool reward = j->o.data.method->head == HEAD_REWARD;
	struct model_open_options o = {.use = MODEL_TRAIN,
		.head = j->o.data.method->head,
		.init_head = reward,
		.seed = j->o.run.seed};
	struct model *m;
	if (model_open(&m, j->o.model_dir, j->kernels, &o, e) < 0)
		return -1;
	note_links(j, h);
	model_hash(m);
	if (weights_check(m->weights, e) < 0) { /* from here on the folder may change */
		model_close(m);
		return -1;
	}
	struct validator v;
	int rc;
	if (j->o.validate.file == NULL) {
		rc = train(j, m, NULL, h, described, e);
	} else if ((rc = validator_open(&v, &j->o.validate, m, &j->o.data.encode, e)) == 0) {
		note_validation(j, &v, h);
		rc = train(j, m, &v, h, described, e);
		validator_close(&v);
	}
	model_close(m);
	return rc;
}

void
job_close(struct job *j)
{
	checkpoints_close(&j->checkpoints);
	dataset_free(&j->data);
	if (j->template)
		template_free(j->template);
	if (j->tokenizer)
		tokenizer_free(j->tokenizer);
	config_free(&j->config);
	buf_free(&j->template_text);
}
