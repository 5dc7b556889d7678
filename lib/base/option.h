#ifndef PRO_BASE_OPTION_H
#define PRO_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * Rows of an option table.  A program's options are one table of these; parsing, --help, the
 * synopsis that a test holds the man page to, the configuration stored beside a trained model and
 * the refusal of options without effect come from it.
 *
 *	static const struct cli_option options[] = {
 *		OPT_TEXT("model", opt.model, "DIR", "sample from this model folder"),
 *		OPT_FLAG("greedy", opt.greedy, "take the most probable token", .needs = "model"),
 *		OPT_COUNT("top-k", opt.top_k, 0, 1e9, "...", .needs = "model !greedy"),
 *		OPT_END,
 *	};
 *
 * An option given in vain is a usage error.  .needs says when it has an effect, in words that must
 * all hold; a number that is 0 (--max-steps 0) is an option that is off:
 *
 *	NAME        the option NAME has a value that is not 0, false or none
 *	!NAME       it has none
 *	NAME|OTHER  one of the two has
 *	NAME=A|B    the choice NAME has one of these values
 *
 * The variable is named, not its address; a wrong type does not compile without a warning.  Behind
 * the help text any member can be set by name (.letter, .given, .needs, .metavar).
 */
enum cli_kind {
	CLI_FLAG,   /* bool *: set true; "--no-NAME" is a name like any other */
	CLI_INT,    /* int64_t *, within [min, max]; max > min is required to have a limit */
	CLI_UINT,   /* uint64_t *: a seed */
	CLI_REAL,   /* double *, within [min, max] */
	CLI_TEXT,   /* const char **; metavar "LABEL": may be empty */
	CLI_CHOICE, /* int *: index into choices */
	CLI_LIST,   /* struct cli_list *: repeatable */
};

struct cli_list {
	const char **v;
	int n;
};

struct cli_option {
	const char *name; /* without dashes; NULL ends the table */
	char letter;      /* 0: none */
	enum cli_kind kind;
	void *value;         /* where it goes; what is there before parsing is the default */
	const char *metavar; /* NULL: "N", or "X" for CLI_REAL */
	const char *help;    /* one line, no final stop */
	const char *choices; /* "a|b|c", CLI_CHOICE only */
	double min, max;     /* inclusive; both 0: no limit */
	bool *given;         /* set true when the option appears; may be NULL */
	const char *needs;   /* when it has an effect, see below; NULL: always */
};

/* &(x), if x is a T. */
#define OPT_AT(T, x) (1 ? &(x) : (T *)0)

/* clang-format off */
#define OPT_FLAG(n, var, ...) \
	{ .name = (n), .kind = CLI_FLAG, .value = OPT_AT(bool, var), .help = __VA_ARGS__ }
#define OPT_COUNT(n, var, lo, hi, ...) \
	{ .name = (n), .kind = CLI_INT, .value = OPT_AT(int64_t, var), .min = (lo), .max = (hi), \
	  .help = __VA_ARGS__ }
#define OPT_SEED(n, var, ...) \
	{ .name = (n), .kind = CLI_UINT, .value = OPT_AT(uint64_t, var), .help = __VA_ARGS__ }
#define OPT_REAL(n, var, lo, hi, ...) \
	{ .name = (n), .kind = CLI_REAL, .value = OPT_AT(double, var), .min = (lo), .max = (hi), \
	  .help = __VA_ARGS__ }
#define OPT_TEXT(n, var, mv, ...) \
	{ .name = (n), .kind = CLI_TEXT, .value = OPT_AT(const char *, var), .metavar = (mv), \
	  .help = __VA_ARGS__ }
#define OPT_PICK(n, var, ch, ...) \
	{ .name = (n), .kind = CLI_CHOICE, .value = OPT_AT(int, var), .choices = (ch), \
	  .help = __VA_ARGS__ }
#define OPT_LIST(n, var, mv, ...) \
	{ .name = (n), .kind = CLI_LIST, .value = OPT_AT(struct cli_list, var), .metavar = (mv), \
	  .help = __VA_ARGS__ }
#define OPT_END { .name = NULL }
/* clang-format on */

/* A program's own rows and the standard ones behind them, with what was given. */
struct options {
	const struct cli_option **row; /* [n] */
	bool *given;                   /* [n] */
	int n;
};

/* The tables (either may be NULL) must outlive o. */
void options_init(
	struct options *o, const struct cli_option *own, const struct cli_option *standard);
void options_free(struct options *o);

/* Index of the option of this name ('-' and '_' alike; name [n]) or, name NULL, letter; or -1. */
int options_find(const struct options *o, const char *name, size_t n, char letter);

/* Sets option i; ERR_USAGE says what is wrong with value (NULL for a flag). */
int options_set(struct options *o, int i, const char *value, struct err *e);

/* ERR_USAGE when an option was given whose .needs does not hold. */
int options_check(const struct options *o, struct err *e);

/*
 * What was probably meant by an unknown option (name [n], no dashes): "did you mean --x?", perhaps
 * with a sentence for habits of other tools, or a sentence alone; into out, nothing when there is
 * no good guess.
 */
void options_guess(const struct options *o, const char *name, size_t n, struct buf *out);

/*
 * The value on one line, such that different values are different texts: words of a list in quotes,
 * a text too when it has control characters.  Nothing for a text that is not set.
 */
void option_value(const struct cli_option *o, struct buf *out);

/* The word of "a|b|c" nearest to name, as [*n] bytes of words, or NULL when none is near. */
const char *nearest_word(const char *words, const char *name, size_t *n);

#endif
