#include "lib/align/same.h"
#include "lib/align/run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/align/log.h"
#include "lib/base/human.h"

int64_t
run_per_epoch(const struct run_options *o, size_t n_records)
{
	int64_t batch = o->per_device * o->accumulation;
	return ((int64_t)n_records + batch - 1) / batch;
}

int64_t
run_total(const struct run_options *o, size_t n_records)
{
	if (o->max_steps > 0)
		return o->max_steps;
	double steps = ceil(o->epochs * (double)run_per_epoch(o, n_records));
	return steps < 1 ? 1 : (int64_t)steps;
}

__attribute__((format(printf, 2, 3))) static void
note(const struct run *r, const char *fmt, ...)
{
	if (r->hooks.note == NULL)
		return;
	char msg[2048];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	r->hooks.note(r->hooks.ctx, msg);
}

/* What cannot be written is kept for the checkpoint. */
static int
emit(struct run *r, struct buf *line, struct err *e)
{
	size_t done = 0;
	int rc = r->hooks.log ? r->hooks.log(r->hooks.ctx, line->data, line->len, &done, e) : 0;
	if (rc < 0)
		buf_put(&r->unlogged, line->data + done, line->len - done);
	buf_free(line);
	return rc;
}

/* Epochs done after `step` updates, a partly done one as its share of records. */
static double
epoch_of(const struct run *r, int64_t step)
{
	int64_t per = run_per_epoch(r->o, r->data->n), epochs = step / per, pos = step % per;
	double done = (double)(pos * r->o->per_device * r->o->accumulation) / (double)r->data->n;
	return (double)epochs + done;
}

/* The records of update `step`: *n of them. */
static const uint32_t *
records_of(struct run *r, int64_t step, int *n)
{
	int64_t per = run_per_epoch(r->o, r->data->n), epoch = step / per;
	int64_t batch = r->o->per_device * r->o->accumulation;
	int64_t start = step % per * batch, left = (int64_t)r->data->n - start;
	if (epoch != r->order_epoch) {
		dataset_shuffle(r->data, r->o->seed, epoch, r->order);
		r->order_epoch = epoch;
	}
	*n = (int)(left < batch ? left : batch);
	return r->order + start;
}

static int
save(struct run *r, struct err *e)
{
	if (r->saved == r->state.step && r->unlogged.len == 0)
		return 0;
	r->state.unlogged = r->unlogged.len > 0 ? r->unlogged.data : "";
	if (checkpoint_save(r->checkpoints, r->model, &r->trainer.optim, &r->state, e) < 0)
		return -1;
	r->saved = r->state.step;
	return 0;
}

/* The log ends before the run: nothing that was trained is lost by it. */
static int
stop_unlogged(struct run *r, struct err *e)
{
	struct err why = *e;
	if (save(r, e) < 0)
		return err_prefix(e, "%s; and the checkpoint of step %lld", why.msg,
			(long long)r->state.step);
	if (why.code == ERR_TEMPFAIL)
		return err_set(e, ERR_TEMPFAIL,
			"interrupted after step %lld of %lld, whose line waits for the log's "
			"reader: --resume goes on with it",
			(long long)r->state.step, (long long)r->state.total);
	return err_set(e, why.code, "%s; a checkpoint holds step %lld of %lld: --resume goes on",
		why.msg, (long long)r->state.step, (long long)r->state.total);
}

static int
stop(struct run *r, struct err *e)
{
	if (save(r, e) < 0)
		return -1;
	return err_set(e, ERR_TEMPFAIL, "interrupted after step %lld of %lld: --resume goes on",
		(long long)r->state.step, (long long)r->state.total);
}

/* Validates once at a step where it is due.  1; 0 interrupted; -1. */
static int
validate(struct run *r, struct err *e)
{
	struct train_state *s = &r->state;
	bool last = s->step == s->total;
	bool due = last || (r->o->eval_steps > 0 ? s->step % r->o->eval_steps == 0 : s->step == 0);
	if (r->validator == NULL || !due || s->evaluated >= s->step)
		return 1;
	double mean = 0;
	int rc = validator_run(r->validator, &mean, e);
	if (rc <= 0)
		return rc < 0 ? err_prefix(e, "validation at step %lld", (long long)s->step) : 0;
	if (r->validator->n_answer_cut > 0)
		note(r, "validation at step %lld: %lld of %d texts cut for the reward model",
			(long long)s->step, (long long)r->validator->n_answer_cut, r->validator->n);
	/* step 0 is logged only: the model that training starts from is no candidate */
	bool better = s->step > 0 && (s->best_step < 0 || mean > s->best_reward);
	if (better) {
		if (checkpoint_save_best(r->checkpoints, r->model, s, e) < 0)
			return -1;
		s->best_step = s->step;
		s->best_reward = mean;
	}
	s->evaluated = s->step;
	struct buf line = BUF_INIT;
	log_validation(&line, s->step, epoch_of(r, s->step), mean, r->validator->n, better);
	return emit(r, &line, e) < 0 ? -1 : 1;
}

static double
now(const struct run *r)
{
	return r->hooks.clock ? r->hooks.clock(r->hooks.ctx) : 0;
}

/* One update and its line.  1; 0 interrupted, nothing changed; -1. */
static int
update(struct run *r, struct step_result *result, struct err *e)
{
	struct train_state *s = &r->state;
	int n;
	const uint32_t *records = records_of(r, s->step, &n);
	double start = now(r), rate = optim_rate(&r->o->optim, s->step, s->total);
	int rc = trainer_step(&r->trainer, records, n, s->step, rate, result, e);
	if (rc < 0)
		return err_prefix(e, "step %lld", (long long)s->step + 1);
	if (rc == 0)
		return 0;
	s->step++;
	s->tokens += result->tokens;
	r->loss = result->loss;
	if (s->step % r->o->logging_steps == 0 || s->step == s->total) {
		struct log_step l = {s->step, s->tokens, epoch_of(r, s->step), now(r) - start};
		struct buf line = BUF_INIT;
		log_training(&line, &l, &r->data->o, result);
		rc = emit(r, &line, e);
	}
	if (r->hooks.progress)
		r->hooks.progress(r->hooks.ctx, s->step, s->total);
	return rc < 0 ? -1 : 1;
}

static int
loop(struct run *r, struct err *e)
{
	struct train_state *s = &r->state;
	struct step_result result = {0};
	int rc;
	while ((rc = validate(r, e)) > 0 && s->step < s->total) {
		bool due = r->o->save_steps > 0 && s->step > 0 && s->step % r->o->save_steps == 0;
		if (due && save(r, e) < 0) {
			rc = -1;
			break;
		}
		rc = update(r, &result, e);
		if (rc <= 0)
			break;
	}
	step_result_free(&result);
	if (rc < 0 && r->unlogged.len > 0)
		return stop_unlogged(r, e);
	return rc == 0 ? stop(r, e) : rc;
}

/* From the newest checkpoint. */
static int
go_on(struct run *r, struct err *e)
{
	struct train_state *s = &r->state;
	struct buf notes = BUF_INIT, line = BUF_INIT;
	int rc = checkpoint_load(r->checkpoints, r->model, &r->trainer.optim, s, &line, &notes, e);
	for (char *p = notes.data, *end; p && (end = strchr(p, '\n')); p = end + 1)
		note(r, "%.*s", (int)(end - p), p);
	buf_free(&notes);
	r->done = rc == 0 && s->step == s->total && r->checkpoints->finished &&
		  file_exists(r->checkpoints->out);
	if (r->done)
		note(r, "%s: done at step %lld: nothing to do", r->checkpoints->out,
			(long long)s->step);
	else if (rc == 0 && r->checkpoints->finished)
		rc = checkpoints_reopen(r->checkpoints, e);
	if (rc == 0 && !r->done) {
		r->saved = s->step;
		note(r, "resumed at step %lld of %lld", (long long)s->step, (long long)s->total);
	}
	if (rc == 0 && line.len > 0) {
		r->saved = -1; /* what is there would be logged twice */
		if ((rc = emit(r, &line, e)) < 0)
			rc = stop_unlogged(r, e);
	}
	buf_free(&line);
	return rc;
}

/* A new run's state, or the newest checkpoint's. */
static int
start(struct run *r, struct err *e)
{
	struct train_state *s = &r->state;
	*s = (struct train_state){.total = run_total(r->o, r->data->n),
		.evaluated = -1,
		.best_step = -1,
		.settings = r->settings,
		.kernels = r->model->k->path,
		.unlogged = ""};
	const char *hash = model_hash(r->model);
	snprintf(s->model_hash, sizeof s->model_hash, "%s", hash);
	memcpy(s->data_hash, r->data->hash, sizeof s->data_hash);
	r->saved = -1;
	r->order_epoch = -1;
	r->order = x_malloc(r->data->n * sizeof *r->order);
	if (checkpoints_begin(r->checkpoints, r->checkpoints->go_on, e) < 0)
		return -1;
	if (trainer_open(&r->trainer, r->model, r->data, &r->o->optim, (int)r->o->per_device, e) <
		0)
		return -1;
	r->trainer.interrupted = r->hooks.interrupted;
	r->trainer.ctx = r->hooks.ctx;
	if (r->validator) {
		r->validator->interrupted = r->hooks.interrupted;
		r->validator->ctx = r->hooks.ctx;
	}
	return r->checkpoints->go_on ? go_on(r, e) : 0;
}

static int
finish(struct run *r, struct err *e)
{
	const struct train_state *s = &r->state;
	if (r->o->keep_checkpoints && save(r, e) < 0)
		return -1;
	if (s->best_step >= 0) {
		if (checkpoint_load_best(r->checkpoints, r->model, s->best_step, e) < 0)
			return -1;
		note(r, "the best is step %lld with %.6f", (long long)s->best_step, s->best_reward);
	}
	if (checkpoint_publish(r->checkpoints, r->model, r->o->save_dtype, e) < 0)
		return -1;
	return checkpoints_finish(r->checkpoints, r->o->keep_checkpoints, e);
}

/* The closing line: what this process did, at what speed, and where the result is. */
static void
say_finished(const struct run *r)
{
	const struct train_state *s = &r->state;
	double spent = now(r) - r->begun;
	struct buf b = BUF_INIT;
	if (spent > 0) {
		buf_puts(&b, " in ");
		human_seconds(&b, spent);
		buf_printf(&b, ", %.0f tokens/s", (double)(s->tokens - r->begun_tokens) / spent);
	}
	if (s->step > r->begun_at)
		buf_printf(&b, ", last loss %.4f", r->loss);
	note(r, "%s: %lld step%s%s", r->checkpoints->out, (long long)(s->step - r->begun_at),
		human_s(s->step - r->begun_at), b.len ? b.data : "");
	buf_free(&b);
}

/* OUT is there and its checkpoints are gone: it must be what this run would make. */
static int
say_done(struct run *r, struct err *e)
{
	if (model_same(r->checkpoints->out, r->checkpoints->meta, e) < 0)
		return -1;
	r->done = true;
	note(r, "%s: done: nothing to do", r->checkpoints->out);
	return 0;
}

int
run_train(struct run *r, struct err *e)
{
	if (r->checkpoints->done)
		return say_done(r, e);
	int rc = start(r, e);
	r->begun = now(r);
	r->begun_at = r->state.step;
	r->begun_tokens = r->state.tokens;
	if (rc == 0 && !r->done)
		rc = loop(r, e);
	if (rc > 0 && (rc = finish(r, e)) == 0)
		say_finished(r);
	trainer_close(&r->trainer);
	X_FREE(r->order);
	buf_free(&r->unlogged);
	return rc < 0 ? -1 : 0;
}
