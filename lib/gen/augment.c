#include "lib/gen/augment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct rng
augment_rng(uint64_t seed, const struct record *r, int64_t ordinal)
{
	struct rng g = rng_mix_string(rng_key(seed), "sample", 6);
	if (*r->id)
		return rng_mix_string(g, r->id, strlen(r->id));
	return rng_mix(rng_mix(g, record_prompt_hash(r)), (uint64_t)ordinal);
}

json_t *
augment_provenance(const struct generator *g, const char *model_name, uint64_t seed,
	enum sample_key key, const char *const *extra_stops)
{
	const struct sampling *s = &g->sampling;
	json_t *o = json_object();
	json_put(o, "model", json_text(model_name));
	json_put(o, "hash", json_textn(model_hash(g->model), 12));
	struct buf label = BUF_INIT;
	json_put(o, "template", json_text(template_label(g->template, &label)));
	if (template_date(g->template))
		json_put(o, "date", json_text(template_date(g->template)));
	buf_free(&label);
	json_put(o, "max_tokens", json_integer(g->max_tokens));
	json_put(o, "max_length", json_integer(g->max_length));
	json_put(o, "max_prompt_length", json_integer(g->max_prompt_length));
	if (s->greedy || s->temperature == 0) {
		json_put(o, "greedy", json_true());
	} else {
		char digits[32];
		snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
		json_put(o, "seed", json_parse(digits, strlen(digits), NULL));
		if (key == SAMPLE_BY_SOURCE)
			json_put(o, "sample_key", json_text("source"));
		json_put(o, "temperature", json_real(s->temperature));
		if (s->top_k > 0)
			json_put(o, "top_k", json_integer(s->top_k));
		if (s->top_p < 1)
			json_put(o, "top_p", json_real(s->top_p));
	}
	if (extra_stops && *extra_stops) {
		json_t *list = json_array();
		for (; *extra_stops; extra_stops++)
			json_add(list, json_text(*extra_stops));
		json_put(o, "stop", list);
	}
	return o;
}

/* Records on their way, oldest first: those that the generator owns are taken in this order. */
struct queue {
	struct item {
		struct record record;
		struct item *next;
	} * first, *last;
};

static void
append(struct queue *q, struct item *x)
{
	if (q->last)
		q->last->next = x;
	else
		q->first = x;
	q->last = x;
}

static void
pop(struct queue *q)
{
	struct item *x = q->first;
	assert(x);
	q->first = x->next;
	if (q->first == NULL)
		q->last = NULL;
	record_free(&x->record);
	free(x);
}

static int
emit(struct augment *a, const struct record *r, struct err *e)
{
	if (a->resume) {
		if (resume_write(a->resume, r, e) < 0)
			return -1;
		a->filter->n_out++;
	} else if (filter_emit(a->filter, r, true, e) < 0) {
		return -1;
	}
	if (a->tick)
		a->tick(a->ctx);
	return 0;
}

static void
add_samples(struct augment *a, struct record *r, const struct gen_result *results)
{
	json_t *list = json_object_get(r->root, "responses");
	for (int k = 0; k < a->n; k++) {
		json_t *o = json_object();
		json_put(o, "text", json_textn(results[k].text, results[k].n));
		json_put(o, "source", json_text(a->source));
		json_put(o, "finish_reason", json_text(results[k].ended ? "stop" : "length"));
		json_object_set(o, "generated", a->generated);
		json_add(list, o);
		a->n_responses++;
		a->n_length += !results[k].ended;
	}
}

/* Cuts and encodes a prompt: 1, or 0 when the record was rejected. */
static int
encode_prompt(struct augment *a, const struct record *r, struct arena *arena, struct encoded *out,
	struct err *e)
{
	const struct generator *g = a->generator;
	struct encode_params p = {.tokenizer = g->tokenizer,
		.template = g->template,
		.max_length = g->max_length,
		.max_prompt_length = g->max_prompt_length,
		.on_overlong = a->on_overlong};
	struct record prompt = *r;
	prompt.n_responses = 0;
	int rc = encode_policy(&p, &prompt, arena, out, e);
	if (rc < 0)
		return filter_bad(a->filter, r->root, e);
	if (rc == 0)
		return filter_reject(a->filter, r, out->why, e);
	if (out->n_prompt == 0)
		return filter_reject(a->filter, r, "the prompt has no tokens", e);
	if (out->prompt_cut > 0) {
		char what[64];
		snprintf(what, sizeof what, "cut: %d tokens of the prompt", out->prompt_cut);
		if (filter_note_cut(a->filter, r, what, e) < 0)
			return -1;
	}
	return 1;
}

static struct gen_request
request(const struct augment *a, const struct record *r, const struct encoded *c)
{
	struct gen_request q = {.prompt = c->prompt,
		.n_prompt = c->n_prompt,
		.n = a->n,
		.rng = augment_rng(a->seed, r, a->filter->n_in - 1),
		.first = r->n_responses,
		.name = r->id};
	if (a->key == SAMPLE_BY_SOURCE) {
		q.rng = rng_mix_string(q.rng, "source", 6);
		q.rng = rng_mix_string(q.rng, a->source, strlen(a->source));
		q.first = 0;
		for (int k = 0; k < r->n_responses; k++)
			q.first += strcmp(r->responses[k].source, a->source) == 0;
	}
	return q;
}

/* A record just read goes to the generator (1), or it was rejected or is done already (0). */
static int
submit(struct augment *a, struct item *x, struct arena *arena, struct err *e)
{
	struct encoded c;
	struct record *r = &x->record;
	int rc = encode_prompt(a, r, arena, &c, e);
	if (rc <= 0)
		return rc;
	if (a->resume) {
		int there = resume_match(a->resume, r, a->n, a->source, a->generated, e);
		if (there < 0)
			return filter_where(a->filter, e);
		if (there > 0) {
			a->filter->n_out++;
			return 0;
		}
	}
	struct gen_request q = request(a, r, &c);
	generator_push(a->generator, &q, x);
	return 1;
}

/* 0: the input would make us wait, and there is work.  When there is none, what is done is on the
 * disk before we wait. */
static int
may_read(struct augment *a, const struct queue *q, struct err *e)
{
	if (!q->first && !a->resume)
		return 1;
	if (input_ready(a->filter->in))
		return 1;
	if (q->first)
		return 0;
	return resume_sync(a->resume, true, e) < 0 ? -1 : 1;
}

/* Reads until the generator has enough, or would wait for the input with work to do: 1, 0 at the
 * end of the input. */
static int
feed(struct augment *a, struct queue *q, struct arena *arena, struct err *e)
{
	struct record spare = {0};
	int rc = 1;
	while (rc > 0 && generator_hungry(a->generator)) {
		if (a->stop && a->stop()) {
			rc = err_set(e, ERR_TEMPFAIL, "interrupted");
			break;
		}
		int ready = may_read(a, q, e);
		if (ready <= 0) {
			rc = ready < 0 ? -1 : rc;
			break;
		}
		if ((rc = filter_next(a->filter, &spare, e)) <= 0)
			break;
		arena_reset(arena);
		struct item *x = x_calloc(1, sizeof *x);
		x->record = spare;
		spare = (struct record){0};
		int pushed = submit(a, x, arena, e);
		if (pushed > 0) {
			append(q, x);
			continue;
		}
		spare = x->record;
		free(x);
		rc = pushed < 0 ? -1 : 1;
	}
	record_free(&spare);
	return rc;
}

/* Writes what is done, in order. */
static int
drain(struct augment *a, struct queue *q, struct err *e)
{
	const struct gen_result *results;
	struct item *x;
	while ((x = generator_take(a->generator, &results)) != NULL) {
		add_samples(a, &x->record, results);
		if (emit(a, &x->record, e) < 0)
			return -1;
		pop(q);
	}
	return 0;
}

static int
sample(struct augment *a, struct err *e)
{
	struct queue q = {NULL, NULL};
	struct arena arena;
	struct err late = {0}; /* a mistake in the input waits for what was read before it */
	int more = 1, rc = 0, working = 1;
	arena_init(&arena);
	while (rc == 0 && (more > 0 || working > 0)) {
		if (more > 0)
			more = feed(a, &q, &arena, &late);
		if (late.code == ERR_TEMPFAIL || (a->stop && a->stop())) {
			rc = err_set(e, ERR_TEMPFAIL, "interrupted");
			break;
		}
		working = generator_step(a->generator, e);
		if (working < 0 || drain(a, &q, e) < 0 ||
			(a->resume && resume_sync(a->resume, false, e) < 0))
			rc = -1;
	}
	if (rc == 0 && more < 0) {
		*e = late;
		rc = -1;
	}
	if (rc == 0 && a->resume)
		rc = resume_end(a->resume, e);
	if (a->resume && resume_sync(a->resume, true, rc < 0 ? NULL : e) < 0)
		rc = -1;
	generator_clear(a->generator);
	while (q.first)
		pop(&q);
	arena_free(&arena);
	return rc;
}

/* Appends the responses of from, the record of the same id. */
static int
add_joined(struct augment *a, struct record *r, const struct record *from, struct err *e)
{
	json_t *list = json_object_get(r->root, "responses");
	int n = a->n > 0 && a->n < from->n_responses ? a->n : from->n_responses;
	for (int k = 0; k < n; k++) {
		json_t *o = json_deep_copy(from->responses[k].json);
		if (a->source)
			json_put(o, "source", json_text(a->source));
		json_add(list, o);
	}
	a->n_responses += n;
	if (n >= a->n && n > 0)
		return 0;
	a->n_short++;
	char what[96];
	snprintf(what, sizeof what, "%d responses in the other file, %d wanted", n,
		a->n > 0 ? a->n : 1);
	return filter_note_cut(a->filter, r, what, e);
}

static int
join(struct augment *a, struct err *e)
{
	struct record r = {0}, from = {0};
	int rc;
	while ((rc = filter_next(a->filter, &r, e)) > 0) {
		if (a->stop && a->stop()) {
			rc = err_set(e, ERR_TEMPFAIL, "interrupted");
			break;
		}
		int found = join_find(a->join, &r, &from, e);
		if (found < 0) {
			rc = filter_where(a->filter, e);
			break;
		}
		a->n_missing += !found;
		if ((found ? add_joined(a, &r, &from, e)
			   : filter_note_cut(a->filter, &r, "id not in the other file", e)) < 0 ||
			emit(a, &r, e) < 0) {
			rc = -1;
			break;
		}
	}
	record_free(&r);
	record_free(&from);
	return rc;
}

int
augment_run(struct augment *a, struct err *e)
{
	return a->join ? join(a, e) : sample(a, e);
}
