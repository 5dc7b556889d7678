#ifndef PRO_STREAM_TALLY_H
#define PRO_STREAM_TALLY_H

#include <stdint.h>

#include "lib/base/mem.h"

/*
 * What became of the records: a row for every input file, a count for every reason of rejection;
 * written like the paper's Table 1.
 */
struct tally_row {
	const char *file; /* borrowed */
	int64_t raw, kept;
};

struct tally {
	struct tally_row *rows;
	int n_rows;
	const char *reasons[32]; /* static strings */
	int64_t counts[32];
	int n_reasons;
};

/* Index of the row of the file that is being read. */
int tally_row(struct tally *t, const char *file);
/* One more rejection for this reason; a 33rd reason is a programmer error. */
void tally_reason(struct tally *t, const char *reason);
void tally_write(const struct tally *t, struct buf *out);
void tally_free(struct tally *t);

#endif
