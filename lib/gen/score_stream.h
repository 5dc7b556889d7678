#ifndef PRO_GEN_SCORE_STREAM_H
#define PRO_GEN_SCORE_STREAM_H

#include "lib/gen/score.h"
#include "lib/stream/filter.h"
#include "lib/stream/tensors.h"

/* One record with its scores. */
struct scored {
	struct record record;
	const char *file; /* where it was read */
	int64_t line;
	struct encoded encoded; /* n_responses 0 where the record has none */
	double *reward;         /* [n] of a reward model, else NULL */
	float **logprobs;       /* [n][tokens of response] of a policy, else NULL */
};

/*
 * Reads records, scores them in batches and hands them on in input order.  Records that the length
 * rule drops, or that have no tokens to score, are rejected; cuts are noted.  Records without
 * responses are handed on as they are.
 */
struct score_stream {
	struct filter *filter;
	struct scorer *scorer; /* NULL: records are handed on unscored, one by one */
	bool drop_empty;       /* reject records without responses */
	int max_records;       /* in one batch; 0: as many as fit SCORE_ROWS */
	int (*done)(void *ctx, struct scored *x, struct err *e);
	void *ctx;
	int64_t n_responses, n_tokens, n_without; /* counted: n_tokens as rows computed */
};

int score_stream_run(struct score_stream *s, struct err *e);
/* filter_finish; ERR_DATA, too, when there were records and none written has a response. */
int score_stream_finish(const struct score_stream *s, int64_t expect, struct err *e);

/*
 * What pro-score adds to a record.  A reward model: FIELD for every response.  A policy: logprob
 * (sum), mean_logprob (eq. 6; null for a response without tokens) and tokens, with as != NULL under
 * the names as_logprob, as_mean_logprob and as_tokens.  by goes to scored_by under the (first)
 * field's name; raw_FIELD, which pro-rerank --keep-top derived from an earlier score, is removed.
 * ERR_SOFTWARE names a response whose score is not finite.
 */
struct score_fields {
	char *reward, *raw;                    /* of a reward model */
	char *logprob, *mean_logprob, *tokens; /* of a policy */
	json_t *by;
};
void score_fields_init(
	struct score_fields *f, const struct scorer *s, const char *as, const char *model_name);
void score_fields_free(struct score_fields *f);
int score_fields_write(const struct score_fields *f, struct scored *x, struct err *e);

/*
 * Writes a policy's scored record as a frame of a tensor stream: its ids and log-probabilities, and
 * the numbers in reward_field when every response has one.
 */
int scored_put_tensors(
	struct tensor_writer *w, const struct scored *x, const char *reward_field, struct err *e);

/* The last component of a folder's path as valid UTF-8, for model names and labels ("." and ".."
 * are resolved first); out is reset. */
const char *model_label(struct buf *out, const char *dir);

#endif
