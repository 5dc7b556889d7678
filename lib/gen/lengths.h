#ifndef PRO_GEN_LENGTHS_H
#define PRO_GEN_LENGTHS_H

#include "lib/model/config.h"

/*
 * The lengths that records are cut to, against what a model can read.  *max_length 0 becomes
 * default_length, or the model's max_position_embeddings when that is less; *max_prompt_length 0
 * becomes 384, or three quarters of *max_length when that is less than 512 (512 - 128 in
 * section 4.3 of the paper).  max_prompt_length NULL: prompts are not cut by themselves (reward
 * models).  ERR_CONFIG when a limit does not fit the model (a sliding window included) or the
 * other, or is too short for anything: see encode_policy and encode_reward.
 */
enum { LENGTHS_MIN_PROMPT = 2 }; /* bos and one token */
int lengths_resolve(const struct model_config *c, int default_length, int *max_length,
	int *max_prompt_length, struct err *e);

#endif
