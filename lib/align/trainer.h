#ifndef PRO_ALIGN_TRAINER_H
#define PRO_ALIGN_TRAINER_H

#include "lib/align/dataset.h"
#include "lib/align/optim.h"

/*
 * One optimiser update over any records of a data set.  The loss is the mean over the records;
 * every micro-batch is one packed batch (shared prefixes, no padding) whose gradient is weighted by
 * 1 / records, so that neither micro-batching nor accumulation changes the value.
 */
struct trainer {
	struct model *model; /* opened with MODEL_TRAIN; borrowed */
	const struct dataset *data;
	struct optim_options optim_options;
	int micro; /* records a micro-batch */
	struct optim optim;
	struct decoder *decoder;
	struct batch_builder batch;
	struct arena arena;             /* of a micro-batch */
	bool (*interrupted)(void *ctx); /* may be NULL */
	void *ctx;
};

/* What a step saw, before its update. */
struct step_result {
	int n_records;
	double loss;    /* means over the records */
	double ranking; /* struct method_output's ranking */
	double sft;
	int n_rank;
	double *rank; /* [n_rank] terms of ranking, divided by n_records: they sum to it */
	double accuracy, margin; /* over all pairs of the step; 0 without a pair */
	int64_t pairs;
	int64_t tokens; /* rows computed: a shared prompt counts once */
	double learning_rate, grad_norm;
	size_t rank_cap;
};

/* Reserves optimiser and activations for the worst micro-batch.  ERR_NOMEM: no memory. */
int trainer_open(struct trainer *t, struct model *m, const struct dataset *d,
	const struct optim_options *o, int micro, struct err *e);
void trainer_close(struct trainer *t);

/*
 * Computes loss and gradient (into model->grad) of the mean over records[n], without an update.
 * 1 done; 0 interrupted between two micro-batches; -1: ERR_SOFTWARE naming the record whose loss is
 * not finite, ERR_DATA for ids that the model does not have.
 */
int trainer_gradient(
	struct trainer *t, const uint32_t *records, int n, struct step_result *r, struct err *e);
/* The same and update `step` (0-based) with the learning rate given. */
int trainer_step(struct trainer *t, const uint32_t *records, int n, int64_t step, double rate,
	struct step_result *r, struct err *e);
void step_result_free(struct step_result *r);

/* Bytes that training takes, before anything is loaded: for --plan. */
struct train_plan {
	size_t parameters, gradients, moments, activations;
	struct decoder_limits limits;
};
void trainer_plan(
	const struct model_config *c, const struct dataset *d, int micro, struct train_plan *p);

#endif
