#ifndef PRO_ALIGN_VALIDATE_H
#define PRO_ALIGN_VALIDATE_H

#include "lib/gen/generate.h"
#include "lib/gen/score.h"

/*
 * Validation while training: greedy responses of the policy to the prompts of a file, scored by a
 * reward model; the figure is the mean of sigmoid(score), as in the paper's code.
 */
struct validator {
	struct generator generator;
	struct scorer scorer;
	struct encode_params params; /* the policy's */
	struct record *records;      /* prompts only */
	int n, cap;
	int64_t n_prompt_cut, n_dropped; /* prompts that were longer than the policy's limit */
	int64_t n_answer_cut;            /* of the last run: texts cut for the reward model */
	const char *how;                 /* how the reward model's template was chosen */
	char hash[65];                   /* SHA-256 of the file's records and of the reward model */
	bool (*interrupted)(void *ctx);  /* may be NULL */
	void *ctx;
};

struct validate_options {
	const char *file;       /* records; responses in it are not used */
	const char *reward_dir; /* the reward model, with its own tokenizer and template */
	struct template_options template; /* of the reward model */
	int64_t max_tokens;               /* 0: the template's, else 128 */
	int64_t batch;                    /* sequences decoded at once */
};

/*
 * Borrows the policy being trained, its tokenizer and template (in params).  Prompts are cut, or
 * records left out, as for training.
 */
int validator_open(struct validator *v, const struct validate_options *o, struct model *policy,
	const struct encode_params *params, struct err *e);
void validator_close(struct validator *v);

/* 1 and *mean; 0 interrupted; -1. */
int validator_run(struct validator *v, double *mean, struct err *e);

#endif
