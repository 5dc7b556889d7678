#ifndef PRO_GEN_AUGMENT_H
#define PRO_GEN_AUGMENT_H

#include "lib/gen/generate.h"
#include "lib/gen/join.h"
#include "lib/gen/resume.h"
#include "lib/stream/filter.h"

/*
 * What a sample's random numbers belong to, beside the seed and the record's id: its place among
 * the responses, or its source and how many of it come before.  In the first way no two samples of
 * a record share numbers; in the second a source's samples are the same wherever they stand.
 */
enum sample_key { SAMPLE_BY_POSITION, SAMPLE_BY_SOURCE };
#define SAMPLE_KEY_CHOICES "position|source"

/*
 * Appends responses to records: n samples of a model, or the responses of another file's record of
 * the same id.  Records are read while the generator has idle lanes, written in input order as soon
 * as they and all before them are done, and flushed one by one.
 */
struct augment {
	struct filter *filter;
	struct generator *generator; /* or NULL and join */
	struct join *join;
	int n;              /* responses to add; with join the first so many, 0: all */
	const char *source; /* label; with join NULL: as it is */
	json_t *generated;  /* what goes into each sampled response */
	uint64_t seed;
	enum sample_key key;
	enum on_overlong on_overlong;
	struct resume *resume;   /* NULL: records go to filter->out */
	bool (*stop)(void);      /* may be NULL; true: ERR_TEMPFAIL, records in work are dropped */
	void (*tick)(void *ctx); /* may be NULL; after each record written */
	void *ctx;

	int64_t n_responses, n_length; /* added; of those, stopped by the length limit */
	int64_t n_missing,
		n_short; /* join: records without a partner, with one of too few responses */
};

int augment_run(struct augment *a, struct err *e);

/* What the samples of a generator were made with: model, hash, seed and its key (unless that is the
 * position), and the settings that matter. */
json_t *augment_provenance(const struct generator *g, const char *model_name, uint64_t seed,
	enum sample_key key, const char *const *extra_stops);

/*
 * The random numbers of a record: a function of the seed and its id.  A record without id takes its
 * prompt's hash and its place in the input (from 0) instead.  Purpose-tagged, so that no other use
 * of the seed draws the same numbers.
 */
struct rng augment_rng(uint64_t seed, const struct record *r, int64_t ordinal);

#endif
