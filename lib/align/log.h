#ifndef PRO_ALIGN_LOG_H
#define PRO_ALIGN_LOG_H

#include "lib/align/trainer.h"

/* The training log: one JSON object a line, keys as in pro-train(1); values are finite. */
struct log_step {
	int64_t step, num_tokens;
	double epoch, seconds; /* seconds of the step; 0: not known */
};

void log_training(struct buf *line, const struct log_step *l, const struct dataset_options *o,
	const struct step_result *r);
void log_validation(struct buf *line, int64_t step, double epoch, double mean, int n, bool best);

#endif
