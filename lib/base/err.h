#ifndef PRO_BASE_ERR_H
#define PRO_BASE_ERR_H

/*
 * Expected failures.  A function that can fail returns a negative int and fills a struct err;
 * the library never prints and never exits.  Programmer errors are assert()s.
 */

/* Exit codes, after sysexits(3).  An err carries the code its program will exit with. */
enum err_code {
	ERR_USAGE = 64,       /* wrong option or operand */
	ERR_DATA = 65,        /* the input is wrong */
	ERR_NOINPUT = 66,     /* an input cannot be opened */
	ERR_UNAVAILABLE = 69, /* a service or a device cannot be had */
	ERR_SOFTWARE = 70,    /* internal, or not finite */
	ERR_NOMEM = 71,       /* out of memory, or of what else the system gives (EX_OSERR) */
	ERR_CANTCREAT = 73,   /* an output cannot be created */
	ERR_IO = 74,          /* reading or writing failed on the way */
	ERR_TEMPFAIL = 75,    /* interrupted, or another run is at work: the same again, later */
	ERR_CONFIG = 78,      /* a model folder, checkpoint or option does not fit the other */
};

struct err {
	int code;       /* enum err_code; 0 when nothing happened */
	char msg[2048]; /* one line, no newline, no program name; UTF-8 */
};

/* Sets code and message and returns -1, so that `return err_set(...)` reads well.  e may be NULL.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Sets "what: strerror(errno)" with that code, but ERR_NOMEM and "out of memory" when errno says
 * so: for calls of the system that allocate (fopen, opendir, mmap ...). */
int err_errno(struct err *e, int code, const char *what);

/* Puts "prefix: " before the message there is (a file name, a line); returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
