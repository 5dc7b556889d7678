#include "lib/gen/sample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct candidate {
	float logit;
	int32_t id;
};

/* More probable, or as probable with the lower id. */
static bool
before(const struct candidate *a, const struct candidate *b)
{
	return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static void
sift(struct candidate *h, int n, int i)
{
	struct candidate x = h[i];
	for (int c; (c = 2 * i + 1) < n; i = c) {
		if (c + 1 < n && before(&h[c + 1], &h[c]))
			c++;
		if (!before(&h[c], &x))
			break;
		h[i] = h[c];
	}
	h[i] = x;
}

static int
by_id(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static int32_t
first_maximum(const float *logits, int V)
{
	int32_t best = 0;
	for (int32_t i = 1; i < V; i++)
		if (logits[i] > logits[best])
			best = i;
	return best;
}

/* The tokens that top-k and top-p leave, by falling probability: a heap gives them one by one, so
 * that a small set out of a large vocabulary costs no sort. */
static int
keep_best(const struct sampling *s, struct candidate *h, int V, double top, struct candidate *kept)
{
	int limit = s->top_k > 0 && s->top_k < V ? s->top_k : V, n = 0;
	for (int i = V / 2 - 1; i >= 0; i--)
		sift(h, V, i);
	for (int left = V; n < limit; n++) {
		kept[n] = h[0];
		h[0] = h[--left];
		if (left > 0)
			sift(h, left, 0);
	}
	if (s->top_p >= 1)
		return n;
	double total = 0, sum = 0;
	for (int i = 0; i < n; i++)
		total += exp(((double)kept[i].logit - top) / s->temperature);
	for (int i = 0; i < n; i++) {
		sum += exp(((double)kept[i].logit - top) / s->temperature);
		if (sum >= s->top_p * total)
			return i + 1;
	}
	return n;
}

/* As keep_best when only top-p limits: stops the heap as soon as the mass is there. */
static int
keep_mass(const struct sampling *s, struct candidate *h, int V, double top, struct candidate *kept)
{
	double total = 0, sum = 0;
	int n = 0;
	for (int i = 0; i < V; i++)
		total += exp(((double)h[i].logit - top) / s->temperature);
	for (int i = V / 2 - 1; i >= 0; i--)
		sift(h, V, i);
	for (int left = V; left > 0 && sum < s->top_p * total;) {
		sum += exp(((double)h[0].logit - top) / s->temperature);
		kept[n++] = h[0];
		h[0] = h[--left];
		if (left > 0)
			sift(h, left, 0);
	}
	return n;
}

/* The index at which the cumulative sums of weights w[n] pass u of their total; w is overwritten.
 */
static int
invert(double *w, int n, double u)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		w[i] = sum += w[i];
	int low = 0, high = n - 1;
	while (low < high) {
		int mid = low + (high - low) / 2;
		if (u * sum < w[mid])
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

int32_t
sample_token(const struct sampling *s, const float *logits, int V, double u, struct arena *a)
{
	assert(V > 0 && u >= 0 && u < 1);
	int32_t best = first_maximum(logits, V);
	if (s->greedy || s->temperature == 0 || s->top_k == 1)
		return best;
	double top = logits[best];
	bool limit_k = s->top_k > 0 && s->top_k < V, limit_p = s->top_p < 1;
	double *weights = arena_alloc(a, (size_t)V * sizeof *weights);
	if (!limit_k && !limit_p) {
		for (int i = 0; i < V; i++)
			weights[i] = exp(((double)logits[i] - top) / s->temperature);
		return invert(weights, V, u);
	}
	struct candidate *heap = arena_alloc(a, (size_t)V * sizeof *heap);
	struct candidate *kept = arena_alloc(a, (size_t)V * sizeof *kept);
	for (int32_t i = 0; i < V; i++)
		heap[i] = (struct candidate){logits[i], i};
	int n = limit_k ? keep_best(s, heap, V, top, kept) : keep_mass(s, heap, V, top, kept);
	qsort(kept, (size_t)n, sizeof *kept, by_id);
	for (int i = 0; i < n; i++)
		weights[i] = exp(((double)kept[i].logit - top) / s->temperature);
	return kept[invert(weights, n, u)].id;
}
