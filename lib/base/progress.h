#ifndef PRO_BASE_PROGRESS_H
#define PRO_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Progress on stderr: records, rate, time left.  On a terminal one line, redrawn at most five times
 * a second and never longer than it is wide; of the programs of a pipe that share it the last one
 * that has something to show draws, for its records are through.  Else (a log, a batch job) a plain
 * line every interval seconds, the first after as many. Only cmd/ may call this.
 */
struct progress {
	bool on, terminal;
	const char *name, *unit;
	int64_t done, total; /* total -1: not known */
	double share;        /* done of the input's bytes, where total is not known; else below 0 */
	double interval, start, drawn;
};

void progress_init(struct progress *p, const char *name, const char *unit, int64_t total,
	bool quiet, int64_t interval); /* 0: no plain lines */
/* What of the input was read; total below 1: not known.  Before progress_set. */
void progress_bytes(struct progress *p, int64_t done, int64_t total);
void progress_set(struct progress *p, int64_t done);
/* Clears the line, if it is this program's. */
void progress_end(struct progress *p);
/* Seconds of a monotonic clock. */
double clock_seconds(void);

#endif
