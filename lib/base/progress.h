#ifndef PRO_BASE_PROGRESS_H
#define PRO_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One line of progress on stderr (records, rate, time left), redrawn at most five times a second
 * and only when stderr is a terminal.  Only cmd/ may call this.
 */
struct progress {
	bool on;
	const char *name, *unit;
	int64_t done, total; /* total -1: not known */
	double start, drawn;
};

void progress_init(
	struct progress *p, const char *name, const char *unit, int64_t total, bool quiet);
void progress_set(struct progress *p, int64_t done);
/* Clears the line. */
void progress_end(struct progress *p);
/* Seconds of a monotonic clock. */
double clock_seconds(void);

#endif
