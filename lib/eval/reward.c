#include "lib/eval/reward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
	struct record record;
	struct encoded encoded; /* of the wanted responses only */
	int *which;             /* [encoded.n_responses] their places in the record */
	double *scores;         /* [record.n_responses] */
	char *where;
};

void
reward_queue_init(struct reward_queue *q, struct scorer *scorer, struct evaluation *evaluation)
{
	*q = (struct reward_queue){.scorer = scorer, .evaluation = evaluation};
	arena_init(&q->arena);
}

static void
forget(struct reward_queue *q)
{
	for (int i = 0; i < q->n; i++)
		record_free(&q->waiting[i].record);
	q->n = 0;
	q->rows = 0;
	arena_reset(&q->arena);
}

void
reward_queue_free(struct reward_queue *q)
{
	forget(q);
	arena_free(&q->arena);
	X_FREE(q->waiting);
}

static int
encode_wanted(struct reward_queue *q, const struct record *r, struct waiting *w, struct err *e)
{
	struct record wanted = *r; /* a view: fewer responses of the same record */
	struct arena *a = &q->arena;
	size_t n = (size_t)r->n_responses;
	wanted.responses = arena_alloc(a, n * sizeof *wanted.responses);
	wanted.n_responses = 0;
	w->which = arena_alloc(a, n * sizeof *w->which);
	w->scores = arena_calloc(a, n, sizeof *w->scores);
	for (int k = 0; k < r->n_responses; k++)
		if (evaluation_wants(q->evaluation, r, k)) {
			w->which[wanted.n_responses] = k;
			wanted.responses[wanted.n_responses++] = r->responses[k];
		}
	return scorer_encode(q->scorer, &wanted, a, &w->encoded, e);
}

int
reward_queue_add(struct reward_queue *q, struct record *r, const char *where, const char **why,
	struct err *e)
{
	struct waiting w = {0};
	if (q->rows >= SCORE_ROWS && reward_queue_flush(q, e) < 0)
		return -1;
	int rc = encode_wanted(q, r, &w, e);
	if (rc < 0) {
		q->rows++; /* as below */
		return REWARD_UNFIT;
	}
	*why = rc == 0 ? w.encoded.why : scorer_refuses(q->scorer, &w.encoded);
	if (*why) {
		q->rows++; /* its memory goes with the next flush, which must come */
		return REWARD_DROPPED;
	}
	bool cut = w.encoded.prompt_cut > 0 || w.encoded.responses_cut > 0;
	q->rows += scorer_rows(q->scorer, &w.encoded);
	w.where = arena_strndup(&q->arena, where, strlen(where));
	w.record = *r;
	*r = (struct record){0};
	if (q->n == q->cap) {
		q->cap = q->cap ? 2 * q->cap : 64;
		q->waiting = x_realloc(q->waiting, (size_t)q->cap * sizeof *q->waiting);
	}
	q->waiting[q->n++] = w;
	return cut ? REWARD_CUT : REWARD_QUEUED;
}

const struct record *
reward_queue_last(const struct reward_queue *q)
{
	return &q->waiting[q->n - 1].record;
}

static int
take_scores(struct reward_queue *q, struct waiting *w, const double *scores, struct err *e)
{
	for (int k = 0; k < w->encoded.n_responses; k++) {
		if (!isfinite(scores[k]))
			return err_set(e, ERR_SOFTWARE,
				"responses[%d]: the reward model's score is not finite",
				w->which[k]);
		w->scores[w->which[k]] = scores[k];
	}
	return evaluation_add(q->evaluation, &w->record, w->scores, e);
}

int
reward_queue_flush(struct reward_queue *q, struct err *e)
{
	struct arena *a = &q->arena;
	size_t n = (size_t)q->n;
	if (n == 0) {
		forget(q);
		return 0;
	}
	const struct encoded **encoded = arena_alloc(a, n * sizeof *encoded);
	double **scores = arena_alloc(a, n * sizeof *scores);
	for (size_t i = 0; i < n; i++) {
		encoded[i] = &q->waiting[i].encoded;
		scores[i] = arena_calloc(a, (size_t)encoded[i]->n_responses, sizeof **scores);
	}
	if (scorer_rewards(q->scorer, encoded, q->n, scores, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (take_scores(q, &q->waiting[i], scores[i], e) < 0)
			return err_prefix(e, "%s", q->waiting[i].where);
	forget(q);
	return 0;
}
