#ifndef PRO_STREAM_SELECT_H
#define PRO_STREAM_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * Parts of a data set: "train=.8,dev=.1,test=.1".  A record's part follows from its prompt's hash
 * alone, so no prompt is in two parts, and no record moves when others come or go.
 */
struct split {
	double low, high; /* of the wanted part, within [0, 1) */
};

/* ERR_USAGE for a malformed spec, a name twice, a sum above 1, or a part that is not in it. */
int split_parse(struct split *s, const char *spec, const char *part, struct err *e);
bool split_has(const struct split *s, uint64_t prompt_hash);

/*
 * A uniform sample of n items of a stream of unknown length, in their order (reservoir sampling:
 * Vitter's algorithm R), by seed.
 */
struct sample_item {
	int64_t index; /* of the item in the stream */
	void *data;
};

struct sample {
	int64_t n, seen;
	uint64_t seed;
	struct sample_item *items;
	int64_t n_items;
};

void sample_init(struct sample *s, int64_t n, uint64_t seed);
/* Takes data or an older item out: *out is what is not in the sample (maybe data), or NULL. */
void sample_add(struct sample *s, void *data, void **out);
/* Puts the items into the order of the stream. */
void sample_sort(struct sample *s);
/* Frees the list; the caller has taken the data. */
void sample_free(struct sample *s);

#endif
