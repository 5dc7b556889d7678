#include "lib/gen/generate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/gen/lengths.h"

enum {
	IN_FLIGHT = 8,      /* requests waiting for an older one, in batches */
	PREFILL_ROWS = 512, /* prompts computed together, at least the longest one */
};

struct gen_job {
	struct gen_job *next;
	void *owner;
	struct gen_request request; /* prompt is ours */
	int32_t *prompt;
	char *name;
	bool prefilled;
	int lot;            /* the prompt's part of the cache while it is in use */
	int started, ended; /* responses */
	float *logits;      /* [V] behind the prompt, until all responses have started */
	struct gen_result *results;
};

/* One response on its way. */
struct lane {
	struct gen_job *job; /* NULL: idle */
	int k;               /* position in the request */
	int slot;            /* first of its own cache rows */
	int n, limit;        /* tokens drawn; at most limit */
	int32_t last;
	struct rng rng;
	struct buf text;
	size_t checked; /* searched for stops */
	struct arena scratch;
};

/*
 * The cache is cut into equal lots: one of prompt_lot rows for each of at most batch prompts in
 * use, one of own_lot rows for each lane.  Nothing can be fragmented.
 */
struct gen_work {
	struct gen_job *first, *last; /* by order of push */
	struct gen_job *taken;
	int n_jobs, n_waiting; /* jobs; responses not started */
	struct lane *lanes;    /* [batch] */
	int n_active;
	bool *lot_used; /* [batch] prompts' lots */
	int prompt_lot, own_lot;
	float *logits; /* [batch, V] */
	/* the batch being built */
	struct batch batch;
	struct gen_job **batch_jobs; /* [batch] of its prompts */
	int *batch_lanes;            /* [batch] of its tokens */
	int32_t *drawn;
	int max_rows;
};

static void
free_job(struct gen_job *j)
{
	for (int k = 0; k < j->request.n; k++)
		free(j->results[k].text);
	free(j->results);
	free(j->logits);
	free(j->prompt);
	free(j->name);
	free(j);
}

static int
check_limits(struct generator *g, struct err *e)
{
	if (lengths_resolve(&g->model->config, 512, &g->max_length, &g->max_prompt_length, e) < 0)
		return -1;
	if (g->max_tokens == 0)
		g->max_tokens = template_max_tokens(g->template);
	if (g->max_tokens == 0)
		g->max_tokens = 128;
	return 0;
}

static int
add_stops(struct generator *g, const char *const *list, struct err *e)
{
	for (; list && *list; list++) {
		size_t n = strlen(*list);
		if (n == 0)
			return err_set(e, ERR_USAGE, "--stop: an empty string would stop at once");
		g->stops.v = x_realloc(g->stops.v, (size_t)(g->stops.n + 1) * sizeof *g->stops.v);
		g->stops.v[g->stops.n++] = *list;
		if (n > g->stops.longest)
			g->stops.longest = n;
	}
	return 0;
}

static void
find_ends(struct generator *g)
{
	const struct model_config *c = &g->model->config;
	ids_append(&g->ends, c->eos_list.v, c->eos_list.n);
	int32_t more[] = {c->eos, template_eos(g->template, g->tokenizer)};
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (more[i] >= 0)
			ids_push(&g->ends, more[i]);
}

static int
open_work(struct generator *g, struct err *e)
{
	struct gen_work *w = g->work = x_calloc(1, sizeof *w);
	int B = g->batch;
	size_t V = (size_t)g->model->config.vocab;
	int most = g->max_length - 1; /* behind a prompt of one token */
	w->prompt_lot = g->max_prompt_length;
	w->own_lot = g->max_tokens < most ? g->max_tokens : most;
	int64_t rows = (int64_t)B * (w->prompt_lot + w->own_lot);
	if (rows > INT32_MAX / 2)
		return err_set(e, ERR_CONFIG, "--batch %d is too large", B);
	w->max_rows = g->max_prompt_length > PREFILL_ROWS ? g->max_prompt_length : PREFILL_ROWS;
	w->max_rows = B > w->max_rows ? B : w->max_rows;
	w->lanes = x_calloc((size_t)B, sizeof *w->lanes);
	for (int i = 0; i < B; i++)
		w->lanes[i].slot = B * w->prompt_lot + i * w->own_lot;
	w->lot_used = x_calloc((size_t)B, sizeof *w->lot_used);
	w->logits = x_malloc((size_t)B * V * sizeof *w->logits);
	w->batch_jobs = x_calloc((size_t)B, sizeof(struct gen_job *));
	w->batch_lanes = x_calloc((size_t)B, sizeof *w->batch_lanes);
	w->drawn = x_calloc((size_t)B, sizeof *w->drawn);
	size_t R = (size_t)w->max_rows;
	w->batch = (struct batch){.ids = x_calloc(R, 4),
		.positions = x_calloc(R, 4),
		.slots = x_calloc(R, 4),
		.segs = x_calloc((size_t)B, sizeof(struct k_segment)),
		.head_rows = x_calloc((size_t)B, 4)};
	struct decoder_limits l = {.max_rows = w->max_rows,
		.max_segs = B,
		.max_head = B,
		.max_targets = 1,
		.cache_slots = (int)rows};
	return decoder_open(&g->decoder, g->model, &l, e);
}

int
generator_open(struct generator *g, struct model *m, struct tokenizer *t, struct template *p,
	const struct sampling *s, int max_tokens, int max_length, int max_prompt_length,
	const char *const *extra_stops, int batch, struct err *e)
{
	assert(batch > 0 && max_tokens >= 0);
	*g = (struct generator){.model = m,
		.tokenizer = t,
		.template = p,
		.sampling = *s,
		.max_tokens = max_tokens,
		.max_length = max_length,
		.max_prompt_length = max_prompt_length,
		.batch = batch};
	if (check_limits(g, e) < 0 || add_stops(g, template_stops(p), e) < 0 ||
		add_stops(g, extra_stops, e) < 0)
		goto fail;
	find_ends(g);
	if (open_work(g, e) < 0)
		goto fail;
	return 0;
fail:
	generator_close(g);
	return -1;
}

void
generator_close(struct generator *g)
{
	struct gen_work *w = g->work;
	if (w) {
		generator_clear(g);
		for (int i = 0; i < g->batch; i++) {
			buf_free(&w->lanes[i].text);
			arena_free(&w->lanes[i].scratch);
		}
		free(w->lanes);
		free(w->logits);
		free(w->batch_jobs);
		free(w->batch_lanes);
		free(w->drawn);
		free(w->batch.ids);
		free(w->batch.positions);
		free(w->batch.slots);
		free(w->batch.segs);
		free(w->batch.head_rows);
		free(w->lot_used);
		X_FREE(g->work);
	}
	if (g->decoder)
		decoder_close(g->decoder);
	g->decoder = NULL;
	X_FREE(g->stops.v);
	ids_free(&g->ends);
}

void
generator_push(struct generator *g, const struct gen_request *r, void *owner)
{
	struct gen_work *w = g->work;
	assert(r->n_prompt > 0 && r->n_prompt <= g->max_prompt_length && r->n >= 0);
	struct gen_job *j = x_calloc(1, sizeof *j);
	j->owner = owner;
	j->request = *r;
	j->prompt = x_malloc((size_t)r->n_prompt * sizeof *j->prompt);
	memcpy(j->prompt, r->prompt, (size_t)r->n_prompt * sizeof *j->prompt);
	j->request.prompt = j->prompt;
	j->name = r->name ? x_strdup(r->name) : NULL;
	j->results = x_calloc((size_t)r->n, sizeof *j->results);
	if (w->last)
		w->last->next = j;
	else
		w->first = j;
	w->last = j;
	w->n_jobs++;
	w->n_waiting += r->n;
}

bool
generator_hungry(const struct generator *g)
{
	const struct gen_work *w = g->work;
	return w->n_active + w->n_waiting < g->batch && w->n_jobs < IN_FLIGHT * g->batch;
}

/* The lane is idle again; behind the request's last response the prompt's lot is free too. */
static void
end_lane(struct generator *g, struct lane *l, bool ended, size_t n_text)
{
	struct gen_work *w = g->work;
	struct gen_job *j = l->job;
	struct buf text = BUF_INIT;
	utf8_repair(&text, l->text.data ? l->text.data : "", n_text, !ended);
	const char *s = text.data ? text.data : "";
	size_t n = text.len;
	strip_space(&s, &n);
	j->results[l->k] = (struct gen_result){
		.text = x_strndup(s, n), .n = n, .ended = ended, .n_tokens = l->n};
	buf_free(&text);
	l->job = NULL;
	w->n_active--;
	if (++j->ended == j->request.n) {
		w->lot_used[j->lot] = false;
		X_FREE(j->logits);
	}
}

/* The next token of a lane, or -1 when the logits are not finite.  A pure function: lanes draw in
 * parallel. */
static int32_t
draw(const struct generator *g, struct lane *l, const float *logits)
{
	/* Rows that pad the vocabulary have no text. */
	int V = g->model->config.vocab, known = tokenizer_vocab(g->tokenizer);
	bool some = false, broken = false;
	V = known < V ? known : V;
	for (int i = 0; i < V; i++) {
		some |= isfinite(logits[i]) != 0;
		broken |= isnan(logits[i]) || logits[i] == INFINITY;
	}
	if (broken || !some)
		return -1;
	arena_reset(&l->scratch);
	double u = rng_uniform(l->rng, (uint64_t)l->n);
	return sample_token(&g->sampling, logits, V, u, &l->scratch);
}

/* Takes the token drawn: the response ends, or goes on. */
static int
take(struct generator *g, struct lane *l, int32_t token, struct err *e)
{
	if (token < 0)
		return err_set(e, ERR_SOFTWARE,
			"record '%s', response %d, token %d: the model's logits are not finite",
			l->job->name ? l->job->name : "", l->job->request.first + l->k, l->n);
	l->last = token;
	l->n++;
	g->n_tokens++;
	for (size_t i = 0; i < g->ends.n; i++)
		if (token == g->ends.v[i]) {
			end_lane(g, l, true, l->text.len);
			return 0;
		}
	tokenizer_decode(g->tokenizer, &token, 1, l->n == 1, false, &l->text);
	ptrdiff_t stop = stop_find(&g->stops, l->text.data, l->text.len, l->checked);
	l->checked = l->text.len;
	if (stop >= 0)
		end_lane(g, l, true, (size_t)stop);
	else if (l->n == l->limit)
		end_lane(g, l, false, l->text.len);
	return 0;
}

/* Starts the next response of j in an idle lane; its first token comes from the prompt's logits. */
static int
start_lane(struct generator *g, struct gen_job *j, struct err *e)
{
	struct gen_work *w = g->work;
	struct lane *l = w->lanes;
	while (l->job)
		l++;
	int limit = g->max_length - j->request.n_prompt;
	limit = limit < g->max_tokens ? limit : g->max_tokens;
	l->job = j;
	l->k = j->started++;
	l->n = 0;
	l->limit = limit;
	l->rng = rng_mix(j->request.rng, (uint64_t)j->request.first + (uint64_t)l->k);
	l->checked = 0;
	buf_reset(&l->text);
	w->n_active++;
	w->n_waiting--;
	if (take(g, l, draw(g, l, j->logits), e) < 0)
		return -1;
	if (j->started == j->request.n)
		X_FREE(j->logits);
	return 0;
}

static void
batch_clear(struct batch *b)
{
	b->n_rows = b->n_segs = b->n_head = 0;
}

static void
batch_prompt(struct batch *b, const struct gen_job *j, int slot)
{
	int at = b->n_rows, n = j->request.n_prompt;
	for (int i = 0; i < n; i++) {
		b->ids[at + i] = j->prompt[i];
		b->positions[at + i] = i;
		b->slots[at + i] = slot + i;
	}
	b->segs[b->n_segs++] = (struct k_segment){
		.query = at, .n_query = n, .prefix = slot, .own = slot, .n_own = n};
	b->n_rows += n;
	b->head_rows[b->n_head++] = b->n_rows - 1;
}

static void
batch_token(struct batch *b, const struct lane *l, int prompt_slot)
{
	int at = b->n_rows++, n_prompt = l->job->request.n_prompt;
	b->ids[at] = l->last;
	b->positions[at] = n_prompt + l->n - 1;
	b->slots[at] = l->slot + l->n - 1;
	b->segs[b->n_segs++] = (struct k_segment){.query = at,
		.n_query = 1,
		.prefix = prompt_slot,
		.n_prefix = n_prompt,
		.own = l->slot,
		.n_own = l->n};
	b->head_rows[b->n_head++] = at;
}

/* Computes prompts of the oldest waiting requests, as many as there are idle lanes for. */
static int
prefill(struct generator *g, struct err *e)
{
	struct gen_work *w = g->work;
	int idle = g->batch - w->n_active, n = 0;
	size_t V = (size_t)g->model->config.vocab;
	batch_clear(&w->batch);
	for (struct gen_job *j = w->first; j && idle > 0; j = j->next) {
		int left = j->request.n - j->started;
		idle -= left;
		if (left == 0 || j->prefilled)
			continue;
		if (w->batch.n_rows + j->request.n_prompt > w->max_rows)
			break;
		for (j->lot = 0; w->lot_used[j->lot]; j->lot++)
			assert(j->lot < g->batch - 1); /* prompts in use <= lanes */
		w->lot_used[j->lot] = true;
		j->prefilled = true;
		batch_prompt(&w->batch, j, j->lot * w->prompt_lot);
		w->batch_jobs[n++] = j;
	}
	if (n == 0)
		return 0;
	w->batch.stream = false;
	if (decoder_forward(g->decoder, &w->batch, e) < 0 ||
		decoder_logits(g->decoder, w->logits, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct gen_job *j = w->batch_jobs[i];
		j->logits = x_malloc(V * sizeof *j->logits);
		memcpy(j->logits, w->logits + (size_t)i * V, V * sizeof *j->logits);
	}
	return 0;
}

/* Starts responses while there are idle lanes. */
static int
admit(struct generator *g, struct err *e)
{
	struct gen_work *w = g->work;
	while (w->n_waiting > 0 && w->n_active < g->batch) {
		if (prefill(g, e) < 0)
			return -1;
		for (struct gen_job *j = w->first; j; j = j->next)
			while (j->prefilled && j->started < j->request.n && w->n_active < g->batch)
				if (start_lane(g, j, e) < 0)
					return -1;
	}
	return 0;
}

static void
draw_row(void *ctx, int r, int thread)
{
	const struct generator *g = ctx;
	struct gen_work *w = g->work;
	size_t V = (size_t)g->model->config.vocab;
	(void)thread;
	w->drawn[r] = draw(g, &w->lanes[w->batch_lanes[r]], w->logits + (size_t)r * V);
}

static int
decode(struct generator *g, struct err *e)
{
	struct gen_work *w = g->work;
	batch_clear(&w->batch);
	for (int i = 0; i < g->batch; i++)
		if (w->lanes[i].job) {
			w->batch_lanes[w->batch.n_rows] = i;
			batch_token(&w->batch, &w->lanes[i], w->lanes[i].job->lot * w->prompt_lot);
		}
	w->batch.stream = true;
	if (decoder_forward(g->decoder, &w->batch, e) < 0 ||
		decoder_logits(g->decoder, w->logits, e) < 0)
		return -1;
	const int *lanes = w->batch_lanes;
	int n = w->batch.n_rows;
	g->model->k->parallel(g->model->k, n, draw_row, g);
	for (int r = 0; r < n; r++)
		if (take(g, &w->lanes[lanes[r]], w->drawn[r], e) < 0)
			return -1;
	return 0;
}

int
generator_step(struct generator *g, struct err *e)
{
	struct gen_work *w = g->work;
	int64_t before = g->n_tokens;
	if (admit(g, e) < 0)
		return -1;
	if (w->n_active == 0)
		return g->n_tokens > before;
	return decode(g, e) < 0 ? -1 : 1;
}

void *
generator_take(struct generator *g, const struct gen_result **results)
{
	struct gen_work *w = g->work;
	if (w->taken)
		free_job(w->taken);
	w->taken = NULL;
	struct gen_job *j = w->first;
	if (j == NULL || j->ended < j->request.n)
		return NULL;
	w->first = j->next;
	if (w->first == NULL)
		w->last = NULL;
	w->n_jobs--;
	w->taken = j;
	*results = j->results;
	return j->owner;
}

void
generator_clear(struct generator *g)
{
	struct gen_work *w = g->work;
	for (struct gen_job *j = w->first, *next; j; j = next) {
		next = j->next;
		free_job(j);
	}
	if (w->taken)
		free_job(w->taken);
	w->first = w->last = w->taken = NULL;
	w->n_jobs = w->n_waiting = w->n_active = 0;
	for (int i = 0; i < g->batch; i++)
		w->lanes[i].job = NULL;
	memset(w->lot_used, 0, (size_t)g->batch * sizeof *w->lot_used);
}

int
generator_run(struct generator *g, const struct gen_request *requests, int n,
	struct gen_result **results, struct arena *a, struct err *e)
{
	int pushed = 0;
	for (int taken = 0; taken < n;) {
		while (pushed < n && generator_hungry(g)) {
			generator_push(g, &requests[pushed], results[pushed]);
			pushed++;
		}
		if (generator_step(g, e) < 0) {
			generator_clear(g);
			return -1;
		}
		const struct gen_result *done;
		for (struct gen_result *out; (out = generator_take(g, &done)) != NULL; taken++)
			for (int k = 0; k < requests[taken].n; k++) {
				out[k] = done[k];
				out[k].text = arena_strndup(a, done[k].text, done[k].n);
			}
	}
	return 0;
}
