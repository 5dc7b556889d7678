#ifndef PRO_GEN_SCORE_H
#define PRO_GEN_SCORE_H

#include "lib/model/decoder.h"
#include "lib/text/encode.h"

/*
 * Scoring the responses of records: by a policy (log-probabilities) or by a reward model.  Records
 * are packed into batches of about SCORE_ROWS rows, a prompt once for all its responses; results do
 * not depend on how records are packed.
 */
enum { SCORE_ROWS = 2048 };

struct scorer {
	struct model *model;
	struct tokenizer *tokenizer;
	struct template *template;
	struct encode_params params;
	struct decoder *decoder;
	struct batch_builder batch;
	float *values; /* of the batch in work */
	size_t cap_values;
	struct score_owner *owners;
	size_t n_owners, cap_owners;
};

/*
 * Opens a model folder with its tokenizer and template (options NULL: auto).  head says which kind:
 * HEAD_LM for scorer_logprobs, HEAD_REWARD for scorer_rewards.  max_length 0: 512 for a policy,
 * 1024 for a reward model, or the model's max_position_embeddings when that is less;
 * max_prompt_length 0: 384, or three quarters of max_length when that is less than 512.  ERR_CONFIG
 * when a limit does not fit the model or the other.  *how as in template_open.
 */
int scorer_open(struct scorer *s, const char *dir, enum model_head head,
	const struct template_options *template, int max_length, int max_prompt_length,
	enum on_overlong on_overlong, struct kernels *k, const char **how, struct err *e);
void scorer_close(struct scorer *s);
/* Whether scorer_open would, but for memory: nothing is loaded (MODEL_PROBE).  Its errors. */
int scorer_probe(const char *dir, enum model_head head, const struct template_options *template,
	int max_length, int max_prompt_length, struct kernels *k, struct err *e);

/* encode_reward or encode_policy, whichever the model asks for. */
int scorer_encode(const struct scorer *s, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e);
/* NULL when the encoded record can be scored, else why not: a prompt or a row without tokens. */
const char *scorer_refuses(const struct scorer *s, const struct encoded *x);
/* Rows that a record takes in a batch. */
int64_t scorer_rows(const struct scorer *s, const struct encoded *x);

/* Scores encoded records together: reward[i][k].  Scores may be infinite or NaN: the caller checks.
 */
int scorer_rewards(struct scorer *s, const struct encoded *const *records, int n, double **reward,
	struct err *e);
/* logprobs[i][k][t], all of response k's tokens (eos included), as given by encode_policy. */
int scorer_logprobs(struct scorer *s, const struct encoded *const *records, int n,
	float ***logprobs, struct err *e);

#endif
