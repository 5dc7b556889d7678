#ifndef PRO_STREAM_FILTER_H
#define PRO_STREAM_FILTER_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/stream/idwatch.h"
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
	struct id_watch ids; /* of the records that filter_next gave; see FILTER_TWICE */
	int64_t n_in, n_out, n_rejected, n_cut;
};

/* For the user, with ids.first, when ids.twice is not 0, as with two imports under one name: where
 * ids matter (samples, --from, --resume) such records are mixed up. */
#define FILTER_TWICE                                                                            \
	"ids are there twice, such as %s: give imports that are put together each a --name of " \
	"its own"

/*
 * rejects_path NULL: none.  The file is created at once (ERR_CANTCREAT), unless it, or out, is one
 * of the inputs (ERR_USAGE).  files and rejects_path must outlive the filter.
 */
int filter_open(struct filter *f, const char *const *files, int n_files, FILE *out,
	const char *rejects_path, struct err *e);
/* 1 and a record, 0 at the end, -1 with "file:line: what" (ERR_DATA, ERR_IO ...).  Empty lines are
 * skipped.  r is a zeroed or used record. */
int filter_next(struct filter *f, struct record *r, struct err *e);
/* The next line as any JSON value, counted (pro-import's foreign records); *v is the caller's. */
int filter_next_json(struct filter *f, json_t **v, struct err *e);
/* Writes a record to out; flushes when flush (generation: a record is safe once it is done). */
int filter_emit(struct filter *f, const struct record *r, bool flush, struct err *e);
/* The same for bytes that are a record already (another format, a kept one): counts one out. */
int filter_emit_bytes(struct filter *f, const char *p, size_t n, bool flush, struct err *e);
/* Counts one record as rejected and writes {"file","line","id","reason"[,"record"]} to rejects.
 * file and line are those last read. */
int filter_reject(struct filter *f, const struct record *r, const char *reason, struct err *e);
/* The same for any JSON value (NULL: none) that was read earlier.  id NULL: none. */
int filter_reject_json(struct filter *f, const char *file, int64_t line, const char *id,
	const char *reason, const json_t *v, struct err *e);
/* As filter_reject for a record that goes on, changed (a cut): counted in n_cut, listed. */
int filter_note_cut(struct filter *f, const struct record *r, const char *what, struct err *e);
/* "%s:%lld: " of the line last read before the message of e; returns -1. */
int filter_where(const struct filter *f, struct err *e);
/* After the last record: checks --expect (-1: none), flushes and checks both files.  ERR_DATA
 * when the count is another one.  The caller prints the counts. */
int filter_finish(struct filter *f, int64_t expect, struct err *e);
/* "12 records read, 10 written, 2 rejected[, 3 cut]" into out. */
void filter_summary(const struct filter *f, struct buf *out);
/* Frees; safe at any time. */
void filter_close(struct filter *f);

#endif
