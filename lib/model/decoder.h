#ifndef PRO_MODEL_DECODER_H
#define PRO_MODEL_DECODER_H

#include "lib/model/model.h"

/*
 * The decoder over packed rows, forward and backward, written by hand over kernels.h.
 *
 * A batch is rows of token ids with their positions, cut into segments (see k_segment); there is no
 * padding.  A record [prompt | y1 | ... | yn] is one segment for the prompt and one for each
 * response with the prompt as its prefix; positions of every response start at the prompt's length.
 * head_rows are the rows whose final hidden state is used: for log-probabilities the row before
 * each target (the last prompt row predicts the first token of all n responses), for scores the
 * last row of each segment.
 */
struct batch {
	int n_rows;
	int32_t *ids, *positions; /* [n_rows] */
	int n_segs;
	struct k_segment *segs; /* [n_segs] */
	int n_head;
	int32_t *head_rows; /* [n_head], ascending */
	int n_targets;
	int32_t *target_row; /* [n_targets] index into head_rows, ascending */
	int32_t *target_id;  /* [n_targets] */
	int32_t *slots;      /* [n_rows] cache slots, or NULL without a cache */
	bool stream;         /* decoding: few rows (K_STREAM) */
};

/* Building batches: batch_reset, then add; memory grows and is kept. */
struct batch_builder {
	struct batch batch;
	struct ids ids, positions, head_rows, target_row, target_id, target_owner, target_pos;
	struct k_segment *segs;
	size_t cap_segs;
};
void batch_reset(struct batch_builder *b);
void batch_free(struct batch_builder *b);
/*
 * Adds [prompt | responses] with shared prefix and targets for every response token; response k of
 * this record gets owner id first_owner + k.  target_owner/target_pos of the builder say, for every
 * target of the batch (in target order, which is sorted by head row), which response it belongs to
 * and at what position: targets of the n first tokens share a row and so come interleaved.
 * n_prompt >= 1, except that responses without prompt are refused (assert).
 */
void batch_add_record(struct batch_builder *b, const int32_t *prompt, int n_prompt,
	const int32_t *const *responses, const int *n_ids, int n, int first_owner);
/* Adds one whole sequence, scored at its last row (reward models). */
void batch_add_sequence(struct batch_builder *b, const int32_t *ids, int n);
/* Adds [prompt | rest_k] with a shared prefix, each scored at its last row (reward models, when no
 * response was cut). */
void batch_add_shared_sequences(struct batch_builder *b, const int32_t *prompt, int n_prompt,
	const int32_t *const *rest, const int *n_rest, int n);
/* Points b->batch at the lists; call before use. */
const struct batch *batch_finish(struct batch_builder *b);

struct decoder_limits {
	int max_rows, max_segs, max_head, max_targets;
	bool train;      /* keeps what the backward needs */
	int cache_slots; /* > 0: a key/value cache of that many rows in every layer */
};

/* All activations, reserved up front. */
struct decoder;

int decoder_open(
	struct decoder **d, struct model *m, const struct decoder_limits *l, struct err *e);
void decoder_close(struct decoder *d);
/* Bytes that decoder_open would reserve. */
size_t decoder_bytes(const struct model_config *c, const struct decoder_limits *l);
/* Makes room for a larger batch (frees and reserves again when a limit is exceeded; without a
 * cache only). */
int decoder_fit(struct decoder *d, const struct batch *b, struct err *e);

/* Runs the trunk and the final norm; keeps the head rows.  ERR_DATA for ids outside the vocabulary.
 */
int decoder_forward(struct decoder *d, const struct batch *b, struct err *e);
/* After forward: logp[n_targets] to the host. */
int decoder_logprobs(struct decoder *d, float *logp, struct err *e);
/* After forward: scores[n_head] of the reward head to the host. */
int decoder_scores(struct decoder *d, float *scores, struct err *e);
/* After forward: logits[n_head, vocab] to the host. */
int decoder_logits(struct decoder *d, float *logits, struct err *e);
/* After decoder_logprobs: adds to the model's gradients for coef[n_targets] = dL/dlogp. */
int decoder_backward_logprobs(struct decoder *d, const float *coef, struct err *e);
/* After decoder_scores: the same for coef[n_head] = dL/dscore. */
int decoder_backward_scores(struct decoder *d, const float *coef, struct err *e);
/* Cache rows [from, from+n) copied to [to, to+n) in every layer. */
void decoder_cache_move(struct decoder *d, int to, int from, int n);

#endif
