#ifndef PRO_TESTS_MODEL_EXAMPLE_H
#define PRO_TESTS_MODEL_EXAMPLE_H

/* A made-up record as ids, and how it goes into a batch. */
#include "tests/unit/model_util.h"

enum { MAX_N = 4, VOCAB = 41 };

struct example {
	int n_prompt, n, n_ids[MAX_N];
	int32_t prompt[32], ids[MAX_N][32];
	const int32_t *list[MAX_N];
};

static inline struct example
example(uint64_t seed, int n_prompt, int n, const int *n_ids)
{
	struct example x = {.n_prompt = n_prompt, .n = n};
	random_ids(x.prompt, n_prompt, VOCAB, seed);
	for (int i = 0; i < n; i++) {
		x.n_ids[i] = n_ids[i];
		random_ids(x.ids[i], n_ids[i], VOCAB, seed * 100 + (uint64_t)i + 1);
	}
	return x;
}

static inline void
add_record(struct batch_builder *b, struct example *x, int first)
{
	for (int i = 0; i < x->n; i++)
		x->list[i] = x->ids[i];
	batch_add_record(b, x->prompt, x->n_prompt, x->list, x->n_ids, x->n, first);
}

#endif
