#ifndef PRO_BASE_CLI_H
#define PRO_BASE_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/option.h"

/*
 * Command lines.  Only cmd/ may call this (and progress.h): these print and exit.
 *
 * A program's options are one table (lib/base/option.h).  Long options take '-' and '_' alike
 * ("--max_length" is "--max-length"), "--name value" and "--name=value"; one-letter options take
 * "-n 3" and "-n3"; "--" ends the options.  There are no abbreviations, but an unknown option is
 * answered with the name that was probably meant.  Numbers are strict: the whole word, in range,
 * finite.  Operands and texts are not empty, but for a LABEL.  Options without effect are refused.
 */
struct cli {
	const char *name;                 /* "pro-import" */
	const char *command;              /* "init" of "pro-model init"; NULL: none */
	const char *summary;              /* one line for --help */
	const char *operands;             /* "[FILE...]" or "" */
	const struct cli_option *options; /* the program's own table */
	int max_operands;                 /* -1: any number */
	/*
	 * When something is drawn at random, in the words of cli_option.needs; "": always.  NULL:
	 * never, and --seed is refused.
	 */
	const char *draws;
	const char *lacks; /* standard options that mean nothing to it: "expect rejects"; or NULL */

	/* The options every program has, filled by cli_parse: */
	bool quiet;
	uint64_t seed;             /* default 42, as in the paper's code */
	int64_t threads;           /* at most; 0: all cores of the affinity mask */
	const char *device;        /* auto | cpu (| cuda[:n] later) */
	int64_t expect;            /* -1: not asked for */
	const char *rejects;       /* NULL: none */
	int64_t progress_interval; /* seconds; default 30, 0: none */
	int on_bad_line;           /* index into error|skip */
	const char **files;        /* operands; n_files 0 means stdin */
	int n_files;
};

/* Parses, handles --help and --version (prints, exits 0), exits 64 on a wrong command line. */
void cli_parse(struct cli *c, int argc, char **argv);

/* All options with their values as "name value" lines, for storing beside a model. */
void cli_describe(const struct cli *c, struct buf *out);

/* "name: message\n" on stderr, control characters escaped; cli_info is silent under --quiet. */
void cli_warn(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_info(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints e and exits with its code, after flushing stdout (records already written stay whole). */
_Noreturn void cli_die(const struct cli *c, const struct err *e);

/* Flushes and checks stdout; exit code for main(): 0, or 74 with a message (75: it waited
 * for a reader when the program was to stop). */
int cli_close_stdout(const struct cli *c);

/*
 * cli_parse has made the standard streams safe: lib/base/streams.h says how (stdout and stderr have
 * no fileno() any more).
 *
 * SIGTERM, SIGINT and SIGHUP ask a long program to stop at the next good place: after
 * cli_catch_signals, cli_interrupted() is true once one has come; a second one kills.  Writes that
 * then wait for a reader end, ERR_TEMPFAIL.
 */
void cli_catch_signals(void);
/* From here on a first signal is answered with this instead of "stopping at the next good place";
 * behind cli_catch_signals, once. */
void cli_stops(const struct cli *c, const char *what);
bool cli_interrupted(void);
/* For a program that has something to keep: a reader that has gone is ERR_IO, not death. */
void cli_keep_work(void);
/* Writes to standard output at once.  -1: *done bytes of the n went out. */
int cli_write(const void *p, size_t n, size_t *done, struct err *e);

#endif
