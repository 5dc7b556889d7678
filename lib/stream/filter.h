#ifndef PRO_STREAM_FILTER_H
#define PRO_STREAM_FILTER_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/stream/input.h"
#include "lib/stream/record.h"

/*
 * What every program that reads records does: lines in, records out, rejects beside, counts that
 * must add up (in = out + rejected).  It owns no policy: the caller decides what is rejected.
 */
struct filter {
	struct input *in;
	FILE *out;     /* stdout, or NULL */
	FILE *rejects; /* --rejects FILE, or NULL */
	const char *rejects_path;
	struct buf line;
	int64_t n_in, n_out, n_rejected, n_cut;
};

/* rejects_path NULL: none.  The file is created at once (ERR_CANTCREAT). */
int filter_open(struct filter *f, const char *const *files, int n_files, FILE *out,
	const char *rejects_path, struct err *e);
/* 1 and a record, 0 at the end, -1 with "file:line: what" (ERR_DATA, ERR_IO ...).  Empty lines are
 * skipped.  r is a zeroed or used record. */
int filter_next(struct filter *f, struct record *r, struct err *e);
/* Writes a record to out; flushes when flush (generation: a record is safe once it is done). */
int filter_emit(struct filter *f, const struct record *r, bool flush, struct err *e);
/* Counts one record as rejected and writes {"file","line","id","reason"[,"record"]} to rejects. */
int filter_reject(struct filter *f, const struct record *r, const char *reason, struct err *e);
/* As filter_reject for a record that goes on, changed (a cut): counted in n_cut, listed. */
int filter_note_cut(struct filter *f, const struct record *r, const char *what, struct err *e);
/* After the last record: checks --expect (-1: none), flushes and checks both files.  ERR_DATA
 * when the count is another one.  The caller prints the counts. */
int filter_finish(struct filter *f, int64_t expect, struct err *e);
/* Frees; safe at any time. */
void filter_close(struct filter *f);

#endif
