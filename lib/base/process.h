#ifndef PRO_BASE_PROCESS_H
#define PRO_BASE_PROCESS_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/* A list of strings that grows, kept NULL-terminated: an argv.  It owns its strings. */
struct strings {
	char **v;
	int n;
};

void strings_add(struct strings *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strings_free(struct strings *s);

/* Appends s as one word of a POSIX shell, quoted where it must be. */
void shell_quote(struct buf *out, const char *s);
/* Appends a command line: argv, quoted, blanks between. */
void shell_command(struct buf *out, const struct strings *argv);

/* Path of program `name`: beside the running executable, else along PATH.  ERR_UNAVAILABLE when it
 * is in neither. */
int program_find(struct buf *path, const char *name, struct err *e);

/*
 * Bytes of memory that this process can have: the machine's, or less where a control group (of
 * systemd, of a container: memory.max, cgroup-v2.rst of Linux) or ulimit -v says so; 0: not known.
 */
size_t memory_limit(void);

/* Runs a program and waits for it.  path: the executable; argv[0] is what it is told its name is.
 */
struct process {
	const char *path;
	char *const *argv;
	const char *out;    /* file for its standard output, truncated; NULL: ours */
	bool (*stop)(void); /* a signal came before: it is not started, and *interrupted is set */
};

/*
 * Its standard input is empty.  SIGTERM, SIGINT and SIGHUP to us become one SIGTERM to it,
 * *interrupted is set, and we wait on for its end; one that comes more than a second later kills it
 * (timeout(1) sends two at once).  It is in a process group of its own, so that what a terminal
 * sends to all reaches it once; when we are killed, so is it.
 *
 * Returns its exit code, 128 + N when signal N killed it; -1: it could not be started.
 */
int process_run(const struct process *p, bool *interrupted, struct err *e);

#endif
