#ifndef PRO_EVAL_EVALUATE_H
#define PRO_EVAL_EVALUATE_H

#include <stdbool.h>

#include "lib/base/process.h"
#include "lib/eval/bleu.h"
#include "lib/eval/stats.h"
#include "lib/stream/record.h"

/*
 * The evaluation of section 4.2 and Table 2: systems, told by their responses' source, against a
 * reference response, on subsets and over all records.  Only sums are kept, so memory does not
 * grow with the number of records.
 */
enum { EVAL_MAX_SUBSETS = 1000, EVAL_MAX_LABELS = 12 };

struct eval_params {
	const char *const *hypotheses; /* [n_hypotheses] labels, different */
	int n_hypotheses;
	const char *reference;     /* label; NULL: no BLEU */
	bool char_bleu, sacrebleu; /* which BLEUs; ignored without a reference */
	const char *reward_field;  /* NULL: rewards come with evaluation_add, or there are none */
	bool reward;               /* there is a reward column */
	const char *const *fields; /* [n_fields] plain means of these numbers of a response */
	int n_fields;
	const char *by; /* member of a record that names its subset; NULL: all together */
};

/*
 * One system on one subset.  The value of a record is the mean over its responses with the label;
 * char_bleu, reward and fields are over records.
 */
struct eval_cell {
	int64_t n, missing; /* records with a response of the system, and without */
	int64_t responses;
	struct stats char_bleu;    /* in [0, 1] */
	struct bleu_corpus corpus; /* every response is a segment */
	int64_t segments;          /* responses compared with a reference */
	struct stats reward;       /* of sigmoid(score), in [0, 1] */
	struct stats *fields;      /* [n_fields] */
};

struct evaluation {
	struct eval_params params;
	int n_subsets;                /* "Total", the first one, included */
	char **subsets;               /* [n_subsets], in order of appearance */
	struct eval_cell **cells;     /* [n_subsets][n_hypotheses] */
	int64_t n_records;            /* seen, evaluated or not */
	int64_t no_reference;         /* records without a response of the reference's label */
	int64_t extra_references;     /* responses of that label after a record's first, unused */
	int64_t no_reward, *no_field; /* responses of the systems without these numbers */
	char **made_by; /* [n_hypotheses] hash of the model that made the first response, or NULL */
	bool *mixed;    /* [n_hypotheses] another model made another one: labels that clash */
	char *labels[EVAL_MAX_LABELS]; /* the first sources seen, for messages */
	int n_labels;
	char *numbers[EVAL_MAX_LABELS]; /* where responses without a number asked for have others */
	int n_numbers;
};

/* params' strings are borrowed. */
void evaluation_init(struct evaluation *v, const struct eval_params *params);
void evaluation_free(struct evaluation *v);

/* 1 when response i belongs to one of the systems. */
bool evaluation_wants(const struct evaluation *v, const struct record *r, int i);
/*
 * Whether a record can be added, for a caller that adds it later (scored: with scores): 0, or -1
 * and nothing is counted.  ERR_DATA: a number that is none, a subset that is no string, too many
 * subsets.  Its subset has a row from then on.
 */
int evaluation_try(struct evaluation *v, const struct record *r, bool scored, struct err *e);
/*
 * Adds a record: 1, or 0 when none of the systems has a response in it.  scores [n_responses]:
 * reward model scores, looked at where evaluation_wants; NULL: from params.reward_field, if any.
 * -1 as evaluation_try, with nothing counted.
 */
int evaluation_add(
	struct evaluation *v, const struct record *r, const double *scores, struct err *e);
/* Remembers which numbers the responses of a record have, for a message that none is where one was
 * asked for (evaluation_add does so by itself), and appends them: "reward, f1". */
void evaluation_note_numbers(struct evaluation *v, const struct record *r);
void evaluation_numbers(const struct evaluation *v, struct buf *out);
/* ERR_DATA when there was no record, or a system, the reference or a number never appeared. */
int evaluation_check(const struct evaluation *v, struct err *e);
/* What no figure shows: a line for each kind of response or number that is missing somewhere. */
void evaluation_notes(const struct evaluation *v, struct strings *out);

#endif
