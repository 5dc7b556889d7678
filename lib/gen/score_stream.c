#include "lib/gen/score_stream.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/gen/utterance.h"

struct window {
	struct scored *v;
	int n, cap;
	int64_t rows;
	struct arena arena;
};

static struct scored *
slot(struct window *w)
{
	if (w->n == w->cap) {
		int cap = w->cap ? 2 * w->cap : 16;
		w->v = x_realloc(w->v, (size_t)cap * sizeof *w->v);
		memset(w->v + w->cap, 0, (size_t)(cap - w->cap) * sizeof *w->v);
		w->cap = cap;
	}
	return &w->v[w->n];
}

static int
score_window(struct score_stream *s, struct window *w, struct err *e)
{
	const struct encoded **x = arena_calloc(&w->arena, (size_t)w->n, sizeof *x);
	double **reward = arena_calloc(&w->arena, (size_t)w->n, sizeof *reward);
	float ***logprobs = arena_calloc(&w->arena, (size_t)w->n, sizeof *logprobs);
	for (int i = 0; i < w->n; i++) {
		x[i] = &w->v[i].encoded;
		reward[i] = w->v[i].reward;
		logprobs[i] = w->v[i].logprobs;
	}
	return s->scorer->model->config.head == HEAD_LM
		       ? scorer_logprobs(s->scorer, x, w->n, logprobs, e)
		       : scorer_rewards(s->scorer, x, w->n, reward, e);
}

static int
flush(struct score_stream *s, struct window *w, struct err *e)
{
	int rc = 0;
	if (s->scorer && w->n > 0 && score_window(s, w, e) < 0)
		rc = err_prefix(e, "%s:%lld", w->v[0].file, (long long)w->v[0].line);
	for (int i = 0; i < w->n && rc == 0; i++)
		rc = s->done(s->ctx, &w->v[i], e);
	s->n_tokens += w->rows;
	w->n = 0;
	w->rows = 0;
	arena_reset(&w->arena);
	return rc;
}

static int
note_cuts(struct score_stream *s, const struct scored *x, struct err *e)
{
	const struct encoded *c = &x->encoded;
	if (c->prompt_cut == 0 && c->responses_cut == 0)
		return 0;
	char what[128];
	snprintf(what, sizeof what, "cut: %d tokens of the prompt, %d responses", c->prompt_cut,
		c->responses_cut);
	return filter_note_cut(s->filter, &x->record, what, e);
}

/* 1: x is to be scored, 0: it was rejected. */
static int
prepare(struct score_stream *s, struct window *w, struct scored *x, struct err *e)
{
	struct arena *a = &w->arena;
	struct arena_mark mark = arena_mark(a);
	int rc = scorer_encode(s->scorer, &x->record, a, &x->encoded, e);
	if (rc < 0)
		return filter_bad(s->filter, x->record.root, e);
	const char *why = rc == 0 ? x->encoded.why : scorer_refuses(s->scorer, &x->encoded);
	if (why) {
		rc = filter_reject(s->filter, &x->record, why, e);
		arena_back(a, mark); /* the window may not be full for long */
		return rc;
	}
	if (note_cuts(s, x, e) < 0)
		return -1;
	size_t n = (size_t)x->encoded.n_responses;
	if (s->scorer->model->config.head == HEAD_REWARD) {
		x->reward = arena_calloc(a, n, sizeof *x->reward);
	} else {
		x->logprobs = arena_calloc(a, n, sizeof *x->logprobs);
		for (size_t k = 0; k < n; k++)
			x->logprobs[k] =
				arena_calloc(a, (size_t)x->encoded.n_ids[k], sizeof(float));
	}
	w->rows += scorer_rows(s->scorer, &x->encoded);
	s->n_responses += (int64_t)n;
	return 1;
}

int
score_stream_run(struct score_stream *s, struct err *e)
{
	struct window w = {.v = NULL};
	arena_init(&w.arena);
	int rc;
	for (;;) {
		struct scored *x = slot(&w);
		if ((rc = filter_next(s->filter, &x->record, e)) <= 0)
			break;
		x->file = input_file(s->filter->in);
		x->line = input_lineno(s->filter->in);
		x->encoded = (struct encoded){.n_prompt = 0};
		x->reward = NULL;
		x->logprobs = NULL;
		s->n_without += x->record.n_responses == 0;
		if (s->drop_empty && x->record.n_responses == 0) {
			if ((rc = filter_reject(s->filter, &x->record, "no responses", e)) < 0)
				break;
			continue;
		}
		if (s->scorer && x->record.n_responses > 0) {
			rc = prepare(s, &w, x, e);
			if (rc < 0)
				break;
			if (rc == 0)
				continue;
		}
		w.n++;
		if (s->scorer == NULL || w.rows >= SCORE_ROWS || w.n == s->max_records ||
			w.n == SCORE_ROWS)
			if ((rc = flush(s, &w, e)) < 0)
				break;
	}
	/* What was read before a mistake goes out before it is told. */
	struct err late = {0};
	if (flush(s, &w, rc < 0 ? &late : e) < 0)
		rc = -1;
	for (int i = 0; i < w.cap; i++)
		record_free(&w.v[i].record);
	free(w.v);
	arena_free(&w.arena);
	return rc;
}

static char *
field_name(const char *as, const char *name)
{
	struct buf b = BUF_INIT;
	if (as)
		buf_printf(&b, "%s_", as);
	buf_puts(&b, name);
	return b.data;
}

void
score_fields_init(
	struct score_fields *f, const struct scorer *s, const char *as, const char *model_name)
{
	*f = (struct score_fields){.by = json_object()};
	if (s->model->config.head == HEAD_REWARD) {
		f->reward = x_strdup(as ? as : "reward");
		f->raw = field_name("raw", f->reward);
	} else {
		f->logprob = field_name(as, "logprob");
		f->mean_logprob = field_name(as, "mean_logprob");
		f->tokens = field_name(as, "tokens");
	}
	json_put(f->by, "model", json_text(model_name));
	json_put(f->by, "hash", json_textn(model_hash(s->model), 12));
	struct buf label = BUF_INIT;
	json_put(f->by, "template", json_text(template_label(s->template, &label)));
	if (template_date(s->template))
		json_put(f->by, "date", json_text(template_date(s->template)));
	if (f->reward && template_has_rest(s->template) &&
		template_scores_at(s->template) == SCORE_AT_LAST)
		json_put(f->by, "score_at", json_text("last"));
	buf_free(&label);
}

void
score_fields_free(struct score_fields *f)
{
	free(f->reward);
	free(f->raw);
	free(f->logprob);
	free(f->mean_logprob);
	free(f->tokens);
	json_decref(f->by);
	*f = (struct score_fields){.by = NULL};
}

static int
not_finite(const struct scored *x, int k, const char *field, double v, struct err *e)
{
	return err_set(e, ERR_SOFTWARE, "%s:%lld: record '%s', responses[%d].%s: %s is not finite",
		x->file, (long long)x->line, x->record.id, k, field, isnan(v) ? "nan" : "inf");
}

static int
write_logprobs(const struct score_fields *f, struct scored *x, int k, struct err *e)
{
	json_t *o = x->record.responses[k].json;
	int n = x->encoded.n_ids[k];
	double sum = 0;
	for (int t = 0; t < n; t++)
		sum += x->logprobs[k][t];
	if (!isfinite(sum))
		return not_finite(x, k, f->logprob, sum, e);
	json_put(o, f->logprob, json_real(sum));
	json_put(o, f->mean_logprob, n > 0 ? json_real(sum / n) : json_null());
	json_put(o, f->tokens, json_integer(n));
	return 0;
}

int
score_fields_write(const struct score_fields *f, struct scored *x, struct err *e)
{
	struct record *r = &x->record;
	if (r->n_responses == 0)
		return 0;
	for (int k = 0; k < r->n_responses; k++) {
		if (f->reward == NULL) {
			if (write_logprobs(f, x, k, e) < 0)
				return -1;
			continue;
		}
		if (!isfinite(x->reward[k]))
			return not_finite(x, k, f->reward, x->reward[k], e);
		json_put(r->responses[k].json, f->reward, json_real(x->reward[k]));
		json_object_del(r->responses[k].json, f->raw);
	}
	json_t *by = json_object_get(r->root, "scored_by");
	if (!json_is_object(by)) {
		by = json_object();
		json_put(r->root, "scored_by", by);
	}
	json_object_set(by, f->reward ? f->reward : f->logprob, f->by);
	return record_refresh(r, e);
}

/* All rewards into v: 1, or 0 when one is missing. */
static int
read_rewards(const struct record *r, const char *field, double *v, struct err *e)
{
	int rc = 1;
	for (int k = 0; k < r->n_responses && rc > 0; k++) {
		rc = response_number(&r->responses[k], field, &v[k], e);
		if (rc < 0)
			err_prefix(e, "responses[%d]", k);
	}
	return rc;
}

int
scored_put_tensors(
	struct tensor_writer *w, const struct scored *x, const char *reward_field, struct err *e)
{
	const struct encoded *c = &x->encoded;
	const struct record *r = &x->record;
	size_t n = (size_t)c->n_responses;
	int64_t *offsets = x_calloc(n + 1, sizeof *offsets);
	double *rewards = x_calloc(n, sizeof *rewards);
	struct ids ids = {NULL, 0, 0};
	struct buf sources = BUF_INIT;
	buf_putc(&sources, '[');
	for (size_t k = 0; k < n; k++) {
		const char *label = r->responses[k].source;
		offsets[k + 1] = offsets[k] + c->n_ids[k];
		ids_append(&ids, c->ids[k], (size_t)c->n_ids[k]);
		buf_puts(&sources, k > 0 ? "," : "");
		json_write_string(&sources, label, strlen(label));
	}
	buf_putc(&sources, ']');
	float *logprobs = x_calloc(ids.n, sizeof *logprobs);
	for (size_t k = 0; k < n; k++)
		memcpy(logprobs + offsets[k], x->logprobs[k],
			(size_t)c->n_ids[k] * sizeof *logprobs);
	int rc = read_rewards(r, reward_field, rewards, e);
	struct tensor_record t = {.id = r->id,
		.sources = sources.data,
		.n_prompt = c->n_prompt,
		.prompt = c->prompt,
		.n = c->n_responses,
		.offsets = offsets,
		.ids = ids.v,
		.rewards = rc > 0 ? rewards : NULL,
		.logprobs = logprobs};
	if (rc < 0)
		err_prefix(e, "%s:%lld: record '%s'", x->file, (long long)x->line, r->id);
	else
		rc = tensor_writer_put(w, &t, e);
	free(offsets);
	free(rewards);
	free(logprobs);
	ids_free(&ids);
	buf_free(&sources);
	return rc;
}

/* NULL when it is not there. */
static char *
real_path(const char *path)
{
	char *real = realpath(path, NULL);
	if (real == NULL && errno == ENOMEM)
		mem_fail();
	return real;
}

const char *
model_label(struct buf *out, const char *dir)
{
	char *path = x_strdup(dir), *real = NULL;
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	const char *slash = strrchr(path, '/'), *base = slash && slash[1] ? slash + 1 : path;
	if (strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		real = real_path(path);
	if (real) {
		slash = strrchr(real, '/');
		base = slash[1] ? slash + 1 : real;
	}
	buf_reset(out);
	utf8_repair(out, base, strlen(base), false);
	free(real);
	free(path);
	return out->data;
}

int
score_stream_finish(const struct score_stream *s, int64_t expect, struct err *e)
{
	const struct filter *f = s->filter;
	if (filter_finish(s->filter, expect, e) < 0)
		return -1;
	if (s->drop_empty || s->n_without == 0 || s->n_without < f->n_out)
		return 0;
	return err_set(e, ERR_DATA, "nothing was done: no record written has a response");
}
