#ifndef PRO_GEN_SCORE_H
#define PRO_GEN_SCORE_H

#include "lib/model/decoder.h"
#include "lib/text/encode.h"

/*
 * Scoring the responses of records: by a policy (log-probabilities) or by a reward model.  Records
 * are collected into packed batches of about max_tokens rows; results do not depend on how.
 */
struct scorer {
	struct model *model;
	struct tokenizer *tokenizer;
	struct template *template;
	struct encode_params params;
	struct decoder *decoder;
	struct batch_builder batch;
};

/* Opens a model folder with its tokenizer and template (name NULL: auto).  head says which kind. */
int scorer_open(struct scorer *s, const char *dir, enum model_head head, const char *template_name,
	int max_length, int max_prompt_length, enum on_overlong on_overlong, struct kernels *k,
	const char **how, struct err *e);
void scorer_close(struct scorer *s);

/* Scores encoded records together: reward[i][k]. */
int scorer_rewards(struct scorer *s, const struct encoded *const *records, int n, double **reward,
	struct err *e);
/* logprobs[i][k][t], all of response k's tokens (eos included), as given by encode_policy. */
int scorer_logprobs(struct scorer *s, const struct encoded *const *records, int n,
	float ***logprobs, struct err *e);

#endif
