#ifndef PRO_TEXT_ENCODE_H
#define PRO_TEXT_ENCODE_H

#include "lib/text/template.h"

/*
 * A record as token ids (interfaces: "Encoding of a record for a policy" and "Reward models").
 */
enum on_overlong { OVERLONG_TRUNCATE, OVERLONG_DROP, OVERLONG_ERROR };

struct encode_params {
	const struct tokenizer *tokenizer;
	const struct template *template;
	int max_length;        /* 512: prompt + response; 1024 for reward models */
	int max_prompt_length; /* 384, bos counted; not used for reward models */
	enum on_overlong on_overlong;
};

struct encoded {
	int n_prompt;
	int32_t *prompt; /* [n_prompt], bos first where the tokenizer prepends it, unless a Jinja
			  * template writes it elsewhere */
	int n_responses;
	int *n_ids;     /* [n_responses] */
	int32_t **ids;  /* [n_responses][n_ids[k]], eos included where the response ended uncut */
	int prompt_cut; /* tokens cut off the prompt */
	int responses_cut; /* responses that were cut */
	const char *why;   /* when 0 was returned */
};

/*
 * Policy: prompt cut on the left to max_prompt_length (bos stays), every response encoded apart,
 * with its eos unless !ended, and cut on the right so that prompt + response <= max_length: eos
 * counts, and a response of which only the eos is cut off counts as cut.  ERR_USAGE unless
 * 2 <= max_prompt_length < max_length.  n_ids[k] is 0 for an empty response without eos.
 * Returns 1 when encoded, 0 when the record is to be rejected (OVERLONG_DROP, or the template
 * refuses the conversation), -1 on error (OVERLONG_ERROR: ERR_DATA).  All memory is out of a.
 */
int encode_policy(const struct encode_params *p, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e);

/*
 * Reward model: ids[k] = [bos] template(prompt) + response k + eos (and what the template writes
 * behind it, where template_scores_at is the last token), cut on the left to max_length
 * per response (bos stays); n_prompt is the number of leading tokens that all ids[k] share as the
 * prompt when none was cut, else 0 (then the record is computed unshared); prompt = ids[0].
 * ids[k] are whole rows, prompt included.
 */
int encode_reward(const struct encode_params *p, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e);

/* How many of r's responses would have other ids, or the prompt before them, were prompt and
 * response encoded as one text; before any cut.  -1 on error. */
int encode_joint_differs(const struct encode_params *p, const struct record *r, struct err *e);

#endif
