#ifndef PRO_GEN_GENERATE_H
#define PRO_GEN_GENERATE_H

#include "lib/base/rng.h"
#include "lib/gen/sample.h"
#include "lib/gen/utterance.h"
#include "lib/model/decoder.h"
#include "lib/text/encode.h"

/*
 * Generation: every prompt is computed once, into a key/value cache that all its samples read; each
 * sample has cache rows of its own; when a sample ends, another takes its place (continuous
 * batching).  What a sample says is a function of the model, its prompt, the sampling settings and
 * its random numbers: prompts are computed as rows of a packed batch, one segment each; new tokens
 * always as streamed rows (K_STREAM), however many there are; a row's bits do not depend on its
 * neighbours (kernels.h), so samples do not depend on batch, on n or on the order of requests.
 */
struct generator {
	struct model *model;
	struct tokenizer *tokenizer;
	struct template *template;
	struct sampling sampling;
	int max_tokens;                    /* new tokens, the end token counted */
	int max_length, max_prompt_length; /* as in encode_policy; generation stops at max_length */
	struct stop_list stops;            /* the template's and the caller's */
	struct ids ends;                   /* ids that end a response */
	struct decoder *decoder;
	int batch;        /* sequences decoded at once */
	int64_t n_tokens; /* drawn since the generator was opened */
	struct gen_work *work;
};

struct gen_request {
	const int32_t *prompt; /* bos included; at least one token, at most max_prompt_length */
	int n_prompt;
	int n;          /* responses wanted, sharing the prompt's cache */
	struct rng rng; /* of the record: response k draws token t at rng_mix(rng, first + k), t */
	int first;      /* number of the first one: its position, or as enum sample_key says */
	const char *name; /* for errors: the record's id; may be NULL */
};

struct gen_result {
	char *text; /* valid UTF-8 without NUL, stripped of white space at both ends */
	size_t n;
	bool ended;   /* an end token or a stop string; false: the length limit */
	int n_tokens; /* drawn, the end token included */
};

/*
 * Borrows model, tokenizer and template.  max_tokens 0: the template's limit, else 128.  max_length
 * 0: 512, or the model's max_position_embeddings when that is less; max_prompt_length 0: 384, or
 * three quarters of max_length when that is less than 512.  ERR_CONFIG when a limit does not fit
 * the model or the others.  extra_stops is NULL-terminated or NULL, and borrowed; an empty string
 * in it is ERR_USAGE.
 */
int generator_open(struct generator *g, struct model *m, struct tokenizer *t, struct template *p,
	const struct sampling *s, int max_tokens, int max_length, int max_prompt_length,
	const char *const *extra_stops, int batch, struct err *e);
void generator_close(struct generator *g);

/* results[i][k] for request i, response k; results[i] has room for requests[i].n; texts out of a.
 */
int generator_run(struct generator *g, const struct gen_request *requests, int n,
	struct gen_result **results, struct arena *a, struct err *e);

/*
 * The same as a stream.  generator_push queues a request (the prompt is copied) with an owner that
 * generator_take gives back; push while generator_hungry, then generator_step, which computes one
 * batch of prompts and one token for every sequence; take what is done.  Requests are given back in
 * the order they were pushed.
 */
void generator_push(struct generator *g, const struct gen_request *r, void *owner);
/* True when lanes would be idle, and fewer than 8 * batch requests are in flight. */
bool generator_hungry(const struct generator *g);
/* 1 when something was computed, 0 when all pushed requests are done, -1 on error (ERR_SOFTWARE
 * names a request whose logits are not finite). */
int generator_step(struct generator *g, struct err *e);
/* The oldest request's owner and its results [n] once it is done, else NULL.  The texts are the
 * generator's until the next call of generator_take. */
void *generator_take(struct generator *g, const struct gen_result **results);
/* Forgets what was pushed and not taken. */
void generator_clear(struct generator *g);

#endif
