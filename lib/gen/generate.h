#ifndef PRO_GEN_GENERATE_H
#define PRO_GEN_GENERATE_H

#include "lib/base/rng.h"
#include "lib/model/decoder.h"
#include "lib/text/encode.h"

struct sampling {
	bool greedy;
	double temperature; /* 1 */
	double top_p;       /* 1: off */
	int top_k;          /* 0: off */
};

/*
 * One draw from logits[V]: temperature, then top-k, then top-p (the smallest set of most probable
 * tokens whose probability reaches top_p), computed in double; ties by lower id.  u in [0,1).
 * greedy: the first maximum.
 */
int32_t sample_token(
	const struct sampling *s, const float *logits, int V, double u, struct arena *a);

struct generator {
	struct model *model;
	struct tokenizer *tokenizer;
	struct template *template;
	struct sampling sampling;
	int max_tokens;
	int max_length, max_prompt_length; /* as in encode_policy; generation stops at max_length */
	const char **stops;                /* NULL-terminated: the template's and the user's */
	struct decoder *decoder;
	int batch; /* sequences decoded at once */
	struct batch_builder builder;
};

struct gen_request {
	const int32_t *prompt; /* bos included */
	int n_prompt;
	int n;          /* responses wanted, sharing the prompt's cache */
	struct rng rng; /* of the record: response k draws from rng_mix(rng, first + k) */
	int first;      /* position in responses of the first one */
};

struct gen_result {
	char *text; /* stripped of white space at both ends */
	size_t n;
	bool ended; /* eos or a stop string; false: length */
	int n_tokens;
};

/* Borrows the model; opens nothing else.  template NULL-checked by the caller. */
int generator_open(struct generator *g, struct model *m, struct tokenizer *t, struct template *p,
	const struct sampling *s, int max_tokens, int max_length, int max_prompt_length,
	const char *const *extra_stops, int batch, struct err *e);
void generator_close(struct generator *g);
/* results[i][k] for request i, response k; texts out of a.  Bits do not depend on what else is in
 * the same call. */
int generator_run(struct generator *g, const struct gen_request *requests, int n,
	struct gen_result **results, struct arena *a, struct err *e);

#endif
