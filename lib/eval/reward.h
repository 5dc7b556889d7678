#ifndef PRO_EVAL_REWARD_H
#define PRO_EVAL_REWARD_H

#include "lib/eval/evaluate.h"
#include "lib/gen/score.h"

/*
 * Scores the systems' responses with a reward model on their way into an evaluation.  Records wait
 * until there are enough for a packed batch; the evaluation does not depend on how they meet.
 */
struct reward_queue {
	struct scorer *scorer;
	struct evaluation *evaluation;
	struct arena arena; /* of the records that wait */
	struct waiting *waiting;
	int n, cap;
	int64_t rows; /* of those waiting in a packed batch */
};

enum reward_added {
	REWARD_QUEUED = 1,
	REWARD_CUT = 2, /* queued; its text was cut to the model's length */
	REWARD_DROPPED = 0,
	REWARD_UNFIT = 3, /* it cannot be written: e says why, without a place */
};

/* Both are borrowed. */
void reward_queue_init(
	struct reward_queue *q, struct scorer *scorer, struct evaluation *evaluation);
void reward_queue_free(struct reward_queue *q);
/*
 * Adds a record, whose content moves into the queue (r is left empty) unless it was dropped or
 * unfit; it must have a response that evaluation_wants.  where (copied) is put before errors that
 * come later.  Returns an enum reward_added (REWARD_DROPPED: *why, until the next call, says why)
 * or -1; ERR_SOFTWARE for a score that is not finite.
 */
int reward_queue_add(struct reward_queue *q, struct record *r, const char *where, const char **why,
	struct err *e);
/* The record added last, for notes about it. */
const struct record *reward_queue_last(const struct reward_queue *q);
/* Scores and evaluates what waits. */
int reward_queue_flush(struct reward_queue *q, struct err *e);

#endif
