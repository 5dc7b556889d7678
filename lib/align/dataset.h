#ifndef PRO_ALIGN_DATASET_H
#define PRO_ALIGN_DATASET_H

#include "lib/align/method.h"
#include "lib/model/decoder.h"
#include "lib/stream/filter.h"
#include "lib/text/encode.h"

/*
 * The training data: every record ranked for the method and encoded, in memory, in input order.
 */
struct example {
	const char *id;
	int n; /* responses, best first */
	int n_prompt;
	const int32_t *prompt; /* NULL when n_prompt is 0 */
	/*
	 * [n] rows of n_ids[k] tokens.  HEAD_LM: the responses.  HEAD_REWARD: what follows the
	 * prompt in whole sequences that share it, or, with n_prompt 0, the whole sequences.
	 */
	const int32_t *const *ids;
	const int *n_ids;
	const double *reward; /* [n], or NULL */
};

struct dataset_options {
	const struct method *method;
	struct method_params params;
	enum method_order order;
	const char *reward_field;
	struct encode_params encode;
};

struct dataset {
	struct dataset_options o;
	struct arena arena;
	struct example *v;
	size_t n, cap;
	int64_t n_prompt_cut,
		n_response_cut; /* records with a cut prompt, responses that were cut */
	int64_t n_tokens;       /* over all examples, a shared prompt once */
	char hash[65];          /* SHA-256 of all of the above, by dataset_read */
};

void dataset_init(struct dataset *d, const struct dataset_options *o);
void dataset_free(struct dataset *d);

/*
 * Adds one record.  1: added; *cut, when not "",
 * says what was cut off.  0: to be rejected, *why says so.  -1: ERR_DATA, without file and line.
 */
int dataset_add(struct dataset *d, const struct record *r, const char **why, struct buf *cut,
	struct err *e);

/* Adds one that is already encoded (copied).  HEAD_LM with its prompt, or as in struct example. */
void dataset_add_encoded(struct dataset *d, const struct example *x);

/*
 * Reads all of f, JSON Lines or a tensor stream (told by its first bytes; HEAD_LM only), counts and
 * lists what is rejected and cut, and checks the number of records against expect (-1: any).  No
 * record left to train on is ERR_DATA; a stream made with another tokenizer or other lengths is
 * ERR_CONFIG.
 */
int dataset_read(struct dataset *d, struct filter *f, int64_t expect, struct err *e);

/* ERR_CONFIG naming the first record with an id that is not below vocab. */
int dataset_check_vocab(const struct dataset *d, int vocab, struct err *e);

/* The order of epoch `epoch`: order [d->n], a function of seed and epoch alone. */
void dataset_shuffle(const struct dataset *d, uint64_t seed, int64_t epoch, uint32_t *order);

/* Limits that hold every batch of `batch` examples (the largest ones together). */
void dataset_limits(const struct dataset *d, int batch, struct decoder_limits *l);

/* Appends one example to a batch; its first response gets owner first_owner. */
void example_batch(
	const struct example *x, enum model_head head, struct batch_builder *b, int first_owner);

#endif
