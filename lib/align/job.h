#ifndef PRO_ALIGN_JOB_H
#define PRO_ALIGN_JOB_H

#include "lib/align/plan.h"
#include "lib/base/process.h"

/*
 * A training job from folders and files: what pro-train does between its options and its exit.
 * The calls come in this order: job_open, job_read, then job_plan or job_train; job_close always.
 */
struct job_options {
	const char *model_dir, *out_dir; /* out_dir NULL: job_train will not be called */
	/* of what is trained; score_at with method rm only, else it is the validation's */
	struct template_options template;
	struct dataset_options data;           /* but encode */
	int64_t max_length, max_prompt_length; /* 0: the defaults of lengths_resolve */
	enum on_overlong on_overlong;
	struct run_options run;
	struct validate_options validate; /* file NULL: none */
	int64_t save_total_limit;
	bool resume, overwrite;
	bool other_bits; /* resume what other kernels computed */
};

/* method pro as in section 4.3 of the paper; no folders. */
extern const struct job_options job_defaults;

struct job {
	struct job_options o;
	struct kernels *kernels; /* borrowed */
	struct tokenizer *tokenizer;
	struct template *template;
	struct model_config config;
	struct dataset data;
	struct checkpoints checkpoints;
	struct buf template_text;
};

/*
 * Claims OUT, and reads what is needed to encode records: configuration, tokenizer, template.  *how
 * (may be NULL) says how the template was chosen.
 */
int job_open(struct job *j, const struct job_options *o, struct kernels *k, const char **how,
	struct err *e);
int job_read(struct job *j, struct filter *f, int64_t expect, struct err *e);
/* run_plan; clock (seconds) is for measuring the machine. */
int job_plan(
	struct job *j, size_t memory_bytes, double (*clock)(void), struct buf *out, struct err *e);
/*
 * What is about to begin, in two texts: model, method and steps; memory and time.  No time where
 * measuring the machine would cost some, or the run is one that goes on.  Nothing is added when the
 * run is known to be finished.
 */
void job_outline(struct job *j, double (*clock)(void), struct strings *out);
/* Loads the model and trains it (run_train).  described: cli_describe's text, for pro.json. */
int job_train(struct job *j, const struct run_hooks *h, const char *described, struct err *e);
void job_close(struct job *j);

#endif
