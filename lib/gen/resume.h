#ifndef PRO_GEN_RESUME_H
#define PRO_GEN_RESUME_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/gen/idmap.h"
#include "lib/stream/input.h"
#include "lib/stream/record.h"

/*
 * A file of records that an interrupted run began and this one goes on with, in place: what it
 * holds must be what this run would have written so far.
 */
struct resume {
	char *path;
	FILE *f;              /* appends */
	struct input *in;     /* the finished records; NULL once all are matched */
	const char *files[1]; /* of in */
	struct record record;
	struct idmap ids;
	int64_t n_done;        /* records that were there */
	int64_t n_torn;        /* bytes of a torn last line, which the next record replaces */
	bool torn;             /* it is still there */
	int64_t whole, n_read; /* bytes of whole lines, of those that were read */
	double (*clock)(void); /* seconds; resume_open's is CLOCK_MONOTONIC */
	double synced;         /* when the disk had all that is written */
	bool dirty;            /* there is more since */
	struct buf line;
};

/*
 * A record that is written survives the program's end at once, and a power cut RESUME_SYNC seconds
 * later at the latest, or when the run ends: fsync(2) costs milliseconds on a disk, so it is called
 * for all records of that time together.
 */
#define RESUME_SYNC 1.0

/* Opens or creates path and locks it against a second run (ERR_TEMPFAIL). */
int resume_open(struct resume *r, const char *path, struct err *e);
void resume_close(struct resume *r);

/*
 * For the next record of the input that this run does not reject: 1 when the file has it, with n
 * responses behind its own, made by `source` and `generated`; 0 when the file ends before it.
 * ERR_CONFIG when the file has another record or other responses there; ERR_DATA when the record
 * has no id or one seen before.
 */
int resume_match(struct resume *r, const struct record *x, int n, const char *source,
	const json_t *generated, struct err *e);
/* At the end of the input: ERR_CONFIG when the file has more. */
int resume_end(struct resume *r, struct err *e);
/* Appends a record and flushes.  The first one takes the place of a torn last line, if that is the
 * record's beginning (else ERR_CONFIG). */
int resume_write(struct resume *r, const struct record *x, struct err *e);
/* What was written goes to the disk if it is time, or, now, in any case: call it while the run
 * works; before it waits or ends, with now. */
int resume_sync(struct resume *r, bool now, struct err *e);

#endif
