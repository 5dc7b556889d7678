#ifndef PRO_BASE_LEFTOVER_H
#define PRO_BASE_LEFTOVER_H

#include "lib/base/mem.h"

/*
 * Temporary names beside what is being written, "PATH.tmp-pro-PID" and "PATH.old-pro-PID", and what
 * a run that was killed left under them.  Who writes holds flock(2) on the file or folder, so that
 * a process of another machine or container, whose PID says nothing here, is noticed too.
 */

/* Appends the name for this process; kind is "tmp" or "old". */
void leftover_name(struct buf *out, const char *path, const char *kind);
/* Holds what has that name as long as the descriptor is open; 0, or -1 when it cannot. */
int leftover_hold(int fd);
/* Removes what processes that are no more left beside path; an "old" only when path is there. */
void leftover_sweep(const char *path);

#endif
