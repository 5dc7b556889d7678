#ifndef PRO_STREAM_FILTER_H
#define PRO_STREAM_FILTER_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/stream/idwatch.h"
#include "lib/stream/input.h"
#include "lib/stream/record.h"
#include "lib/stream/tally.h"

/*
 * What every program that reads records does: records in, records out, rejects beside, counts that
 * must add up (in = out + rejected + elsewhere).  It owns no policy: the caller decides what is
 * rejected.
 */
struct filter {
	struct input *in;
	FILE *out;     /* stdout, or NULL */
	FILE *rejects; /* --rejects FILE, or NULL */
	const char *rejects_path;
	bool skip_bad; /* --on-bad-line skip; the caller sets it behind filter_open */
	struct buf line;
	struct id_watch ids; /* of the records that filter_next gave; see FILTER_TWICE */
	int64_t n_in, n_out, n_rejected, n_cut;
	int64_t n_bad;                       /* of those rejected, what could not be read */
	int64_t n_other_part, n_not_sampled; /* not asked for: neither written nor rejected */
	struct tally tally;                  /* of reasons; its rows are the caller's */
	char first_bad[256];                 /* "file:line: why" of the first of n_bad */
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
/* 1 and a record, 0 at the end, -1 with "file:line: what" (ERR_DATA, ERR_IO ...).  r is a zeroed or
 * used record.  What is no record goes through filter_bad. */
int filter_next(struct filter *f, struct record *r, struct err *e);
/* The next JSON value (input_value), counted (pro-import's foreign records); *v is the caller's. */
int filter_next_json(struct filter *f, json_t **v, struct err *e);
/*
 * The value just read cannot be used, and e says why.  Under skip_bad it is counted as rejected and
 * listed (v; NULL: the text as it was read), e is cleared, and 0 is returned.  Otherwise, and for
 * what is no ERR_DATA, -1 with "file:line: " before the message.
 */
int filter_bad(struct filter *f, const json_t *v, struct err *e);
/* The same for one that was read earlier. */
int filter_bad_at(struct filter *f, const char *file, int64_t line, const json_t *v, struct err *e);
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
/*
 * After the last record: flushes and checks both files (rejects are on the disk then), and that
 * something was done.  ERR_DATA when the count is not expect (-1: any), or when there were records
 * and all that were asked for were rejected.  The caller prints the counts.
 */
int filter_finish(struct filter *f, int64_t expect, struct err *e);
/* For progress: input_bytes_done of the records that are finished.  What was read and is not
 * counted as written or rejected is left out, and so are `waiting` more. */
int64_t filter_bytes_done(const struct filter *f, int64_t waiting);
/* Whether its counts say something: rc is below 0 when there is a mistake to tell, which may have
 * come before any record. */
bool filter_counts(const struct filter *f, int rc);
/* "12 records read, 10 written, 2 rejected (WHY)[, 5 in other parts][, 7 not in the sample][, 3
 * cut]" into out; WHY: "1 bad line, the first FILE:LINE: why; 1 no prompt". */
void filter_summary(const struct filter *f, struct buf *out);
/* Its middle, from "2 rejected" on, without what was cut. */
void filter_rejected(const struct filter *f, struct buf *out);
/* Frees; safe at any time. */
void filter_close(struct filter *f);

#endif
