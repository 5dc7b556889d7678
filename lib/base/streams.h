#ifndef PRO_BASE_STREAMS_H
#define PRO_BASE_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The standard streams and the signals of a program.  Only lib/base/cli.c calls streams_open, and
 * it does so before anything else.
 *
 * A descriptor of 0, 1 and 2 that is closed is opened on /dev/null, so that no file of ours gets
 * its number: for writing only in place of standard input, for reading only in place of standard
 * output, so that its use is an error (EBADF) and not silence.  What is said on a closed standard
 * error is lost.
 *
 * stdout and stderr become streams whose writes end when the program is to stop: a reader that does
 * not read gets half a second, then the write fails with EINTR.  (fileno() of them is -1: write
 * STDOUT_FILENO.)  A descriptor that does not block is waited for.  SIGXFSZ is ignored: a file at
 * its limit is an error like a full disk.
 */
void streams_open(void);

/* Columns of the terminal that standard error is; 0: it is none, or does not say. */
int streams_columns(void);

/* Writes to standard output at once, behind what stdout has; the number of bytes written, with
 * errno set when it is less than n. */
size_t streams_write(const void *p, size_t n);

/* A line without an end (progress) is on standard error, a terminal: the next bytes for a standard
 * output that is a terminal wipe it first. */
void streams_line_drawn(void);

/*
 * SIGTERM, SIGINT and SIGHUP (this one unless it was ignored at the start, as under nohup(1)) ask
 * the program to stop at the next good place: from then on streams_interrupted() is true.  A
 * second one kills, unless it comes within half a second (timeout(1) sends two).  Reads that wait
 * return with EINTR.  The first writes said (which must last; may be empty) to standard error at
 * once.
 */
void streams_catch_signals(const char *said);
bool streams_interrupted(void);
/* For a program that has something to keep: a reader that has gone is an error (EPIPE), not death.
 */
void streams_ignore_pipe(void);

#endif
