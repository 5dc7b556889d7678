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
	int64_t elsewhere; /* not asked for: neither kept nor rejected */
};

struct tally_reason {
	char *text;
	int64_t n;
};

struct tally {
	struct tally_row *rows;
	int n_rows;
	struct tally_reason *reasons; /* in order of appearance */
	int n_reasons;
};

/* Index of the row of the file that is being read. */
int tally_row(struct tally *t, const char *file);
/* One more rejection for this reason (copied); beyond 100 of them they are "other reasons". */
void tally_reason(struct tally *t, const char *reason);
/* Aligned by what text_width says of the names, which are as text_visible writes them; of a long
 * one the end is shown. */
void tally_write(const struct tally *t, struct buf *out);
/* A line as those of the reasons. */
void tally_line(struct buf *out, const char *reason, int64_t n);
/* The commonest n reasons in a line: "5 no prompt, 2 equal responses, and 3 others"; nothing when
 * there are none. */
void tally_commonest(const struct tally *t, int n, struct buf *out);
void tally_free(struct tally *t);

#endif
