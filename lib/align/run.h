#ifndef PRO_ALIGN_RUN_H
#define PRO_ALIGN_RUN_H

#include "lib/align/checkpoint.h"
#include "lib/align/trainer.h"
#include "lib/align/validate.h"

/*
 * A whole training run: epochs, log, validation, checkpoints, and the finished model at the end.
 * Everything that a run does follows from the number of updates done, so that a resumed run equals
 * one that was not interrupted, bit by bit (at the same number of threads).
 */
struct run_options {
	struct optim_options optim;
	int64_t per_device, accumulation; /* records of an update: their product */
	double epochs;
	int64_t max_steps;                             /* > 0: updates, instead of epochs */
	int64_t logging_steps, save_steps, eval_steps; /* save_steps 0: only when interrupted */
	uint64_t seed;
	enum k_dtype save_dtype;
	bool keep_checkpoints;
};

/* What the run tells its program; every member may be NULL. */
struct run_hooks {
	void *ctx;
	/* A JSON object and its newline for the log.  -1: *done of its bytes were written. */
	int (*log)(void *ctx, const char *line, size_t n, size_t *done, struct err *e);
	void (*note)(void *ctx, const char *msg);
	void (*progress)(void *ctx, int64_t step, int64_t total);
	bool (*interrupted)(void *ctx);
	double (*clock)(void *ctx); /* seconds, for tokens_per_second */
};

struct run {
	const struct run_options *o;
	struct run_hooks hooks;
	struct model *model;
	const struct dataset *data;
	struct validator *validator;     /* NULL: none */
	struct checkpoints *checkpoints; /* opened */
	const char *settings;            /* run_settings */

	bool done; /* it was finished: nothing was done */
	struct trainer trainer;
	struct train_state state;
	double loss, begun;   /* of the last step; by hooks.clock */
	int64_t begun_at;     /* step, */
	int64_t begun_tokens; /* and tokens then */
	int64_t saved;        /* step of the newest checkpoint; -1 */
	struct buf unlogged;  /* what of the log could not be written */
	uint32_t *order;
	int64_t order_epoch;
};

/* Updates of the whole run, and of an epoch. */
int64_t run_total(const struct run_options *o, size_t n_records);
int64_t run_per_epoch(const struct run_options *o, size_t n_records);

/*
 * What must be equal for a run to go on with a checkpoint, as "name value" lines: everything that
 * the result depends on but data and base model, which are compared by hash.
 */
void run_settings(const struct run_options *o, const struct dataset *d, const struct validator *v,
	const char *template_text, struct buf *out);

/*
 * Trains.  The members above the empty line are set by the caller; r->model is trained in place,
 * from the newest checkpoint where checkpoints_open found one to go on with; a run that is finished
 * is noted, and nothing is done; what was done is noted at the end (time with hooks.clock).
 * ERR_TEMPFAIL: interrupted, a checkpoint was written.  A log that cannot be written ends the run
 * the same way, with hooks.log's error: what of it is missing is in the checkpoint, and a resumed
 * run writes it first.  ERR_SOFTWARE: a loss or gradient that is not finite, naming step and
 * record.  On success OUT is there and the checkpoints are gone (unless keep_checkpoints).
 */
int run_train(struct run *r, struct err *e);

/* pro.json: what was trained from what, how and by which kernels (their path).  options:
 * cli_describe's text. */
void run_describe(const struct dataset *d, const char *model_dir, const char *model_sha256,
	const char *template_text, const char *kernels, const char *options, struct buf *out);

#endif
