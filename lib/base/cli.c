#include "lib/base/cli.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/nomem.h"
#include "lib/base/streams.h"
#include "lib/base/visible.h"

#ifndef PRO_VERSION
#define PRO_VERSION "0"
#endif
#ifndef PRO_BUILD
#define PRO_BUILD "unknown build"
#endif

enum { N_STANDARD = 10 };

/*
 * --threads and --device are bounds, which a program without a model keeps too; --seed is a promise
 * that something depends on it.
 */
static void
standard_options(struct cli *c, struct cli_option t[N_STANDARD + 1])
{
	static bool dummy;
	const struct cli_option all[] = {
		OPT_SEED("seed", c->seed, "seed of all randomness", .needs = c->draws),
		OPT_COUNT("threads", c->threads, 0, 4096, "threads to compute with; 0: all cores"),
		OPT_TEXT("device", c->device, "DEVICE", "where to compute: auto or cpu"),
		OPT_COUNT(
			"expect", c->expect, 0, 9e15, "exit 65 unless exactly N records were read"),
		OPT_TEXT("rejects", c->rejects, "FILE",
			"write what was rejected or cut, with line and reason"),
		OPT_PICK("on-bad-line", c->on_bad_line, "error|skip",
			"stop at what is no record, or reject it and go on"),
		OPT_COUNT("progress-interval", c->progress_interval, 0, 1e6,
			"seconds between lines of progress where stderr is no terminal; 0: none",
			.metavar = "SECONDS"),
		OPT_FLAG("quiet", c->quiet, "no progress and no notes on stderr", .letter = 'q'),
		OPT_FLAG("version", dummy, "print version and build facts, and exit"),
		OPT_FLAG("help", dummy, "print this help, and exit", .letter = 'h'),
	};
	int n = 0;
	memset(t, 0, (N_STANDARD + 1) * sizeof *t);
	for (int i = 0; i < N_STANDARD; i++)
		if (!(all[i].value == &c->seed && c->draws == NULL) &&
			!(c->lacks && strstr(c->lacks, all[i].name)))
			t[n++] = all[i];
}

static void
vmessage(const struct cli *c, const char *fmt, va_list ap)
{
	char msg[4096];
	vsnprintf(msg, sizeof msg, fmt, ap);
	struct buf text = BUF_INIT, b = BUF_INIT;
	int columns = streams_columns();
	buf_printf(&text, "%s: ", c->name);
	text_visible(&text, msg, strlen(msg));
	if (isatty(STDERR_FILENO)) /* a line of progress, ours or of another program of the pipe */
		buf_puts(&b, "\r\033[K");
	text_wrap(&b, text.data, text.len, columns > 0 ? columns : INT_MAX);
	buf_putc(&b, '\n');
	fwrite(b.data, 1, b.len, stderr); /* one write: pipelines mix their stderrs */
	buf_free(&text);
	buf_free(&b);
}

void
cli_warn(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vmessage(c, fmt, ap);
	va_end(ap);
}

void
cli_info(const struct cli *c, const char *fmt, ...)
{
	if (c->quiet)
		return;
	va_list ap;
	va_start(ap, fmt);
	vmessage(c, fmt, ap);
	va_end(ap);
}

void
cli_die(const struct cli *c, const struct err *e)
{
	fflush(stdout);
	cli_warn(c, "%s", e->msg);
	exit(e->code ? e->code : ERR_SOFTWARE);
}

int
cli_close_stdout(const struct cli *c)
{
	if (ferror(stdout) || fflush(stdout) == EOF || (fclose(stdout) == EOF && errno != EBADF)) {
		int why = errno ? errno : EIO;
		cli_warn(c, "standard output: %s", strerror(why));
		return why == EINTR ? ERR_TEMPFAIL : ERR_IO;
	}
	return 0;
}

_Noreturn static void
usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vmessage(c, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: try '%s%s%s --help'\n", c->name, c->name, c->command ? " " : "",
		c->command ? c->command : "");
	exit(ERR_USAGE);
}

static void
describe_table(const struct cli_option *t, struct buf *out)
{
	for (; t->name; t++) {
		if (strcmp(t->name, "help") == 0 || strcmp(t->name, "version") == 0)
			continue;
		buf_printf(out, "%s ", t->name);
		option_value(t, out);
		buf_putc(out, '\n');
	}
}

void
cli_describe(const struct cli *c, struct buf *out)
{
	struct cli_option std[N_STANDARD + 1];
	struct cli copy = *c;
	standard_options(&copy, std);
	describe_table(c->options, out);
	describe_table(std, out);
}

enum { HELP_INDENT = 31, HELP_WIDTH = 79 };

/* Puts text behind what b's last line has (at column), broken at blanks, indented. */
static void
put_wrapped(struct buf *b, const char *text, size_t column)
{
	while (*text) {
		size_t n = strcspn(text, " ");
		if (column > HELP_INDENT && column + 1 + n > HELP_WIDTH) {
			buf_printf(b, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			buf_putc(b, ' ');
			column++;
		}
		buf_put(b, text, n);
		column += n;
		text += n + strspn(text + n, " ");
	}
	buf_putc(b, '\n');
}

/* "  -n, --number K"; choices that are too long for it are told by the help text. */
static bool
help_left(const struct cli_option *t, struct buf *left)
{
	if (t->letter)
		buf_printf(left, "  -%c, --%s", t->letter, t->name);
	else
		buf_printf(left, "      --%s", t->name);
	if (t->kind == CLI_FLAG)
		return false;
	const char *what = t->kind == CLI_CHOICE ? t->choices
			   : t->metavar          ? t->metavar
			   : t->kind == CLI_REAL ? "X"
						 : "N";
	bool fits = left->len + 1 + strlen(what) <= HELP_WIDTH;
	buf_putc(left, ' ');
	if (fits)
		buf_puts(left, what);
	else
		for (const char *s = t->name; *s; s++)
			buf_putc(left, (char)toupper((unsigned char)*s));
	return !fits;
}

static void
help_table(const struct cli_option *t, struct buf *b)
{
	for (; t->name; t++) {
		struct buf left = BUF_INIT, right = BUF_INIT, v = BUF_INIT;
		bool tell = help_left(t, &left);
		buf_puts(&right, t->help);
		for (const char *s = tell ? t->choices : ""; *s; s++) {
			size_t n = strcspn(s, "|");
			buf_printf(&right, "%s%.*s", s == t->choices ? ": " : ", ", (int)n, s);
			s += n - (s[n] == '\0');
		}
		if (t->kind != CLI_FLAG)
			option_value(t, &v);
		bool unset = t->kind == CLI_INT && *(int64_t *)t->value < 0;
		if (v.len > 0 && !unset)
			buf_printf(&right, " [%s]", v.data);
		buf_printf(b, left.len < 30 ? "%-31s" : "%s\n                               ",
			left.data);
		put_wrapped(b, right.data, HELP_INDENT);
		buf_free(&v);
		buf_free(&left);
		buf_free(&right);
	}
}

static void
help(struct cli *c)
{
	struct cli_option std[N_STANDARD + 1];
	struct buf b = BUF_INIT;
	standard_options(c, std);
	buf_printf(&b, "usage: %s%s%s [OPTION...]%s%s\n%s.\n\n", c->name, c->command ? " " : "",
		c->command ? c->command : "", *c->operands ? " " : "", c->operands, c->summary);
	help_table(c->options, &b);
	buf_putc(&b, '\n');
	help_table(std, &b);
	buf_printf(&b, "\nThe manual: man %s; the overview: man 7 pro.\n", c->name);
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	exit(cli_close_stdout(c));
}

_Noreturn static void
unknown(const struct cli *c, const struct options *o, const char *a)
{
	const char *name = a + (a[1] == '-' ? 2 : 1);
	size_t n = strcspn(name, "=");
	struct buf guess = BUF_INIT;
	if (c->draws == NULL && n == 4 && strncmp(name, "seed", n) == 0)
		buf_puts(&guess, "nothing is drawn at random here");
	else if (c->lacks && n > 3 && memmem(c->lacks, strlen(c->lacks), name, n))
		buf_puts(&guess, "it means nothing here");
	else if (options_find(o, name, n, 0) >= 0)
		buf_printf(&guess, "did you mean -%s?", a);
	else
		options_guess(o, name, n, &guess);
	usage(c, "unknown option '%.*s'%s%s", (int)(name + n - a), a, guess.len ? ": " : "",
		guess.len ? guess.data : "");
}

/* Index of the option in argv[i], with the value that stands in the same word. */
static int
find(const struct cli *c, const struct options *o, const char *a, const char **value)
{
	int k;
	if (a[1] == '-') {
		size_t n = strcspn(a + 2, "=");
		k = options_find(o, a + 2, n, 0);
		if (a[2 + n] == '=')
			*value = a + 2 + n + 1;
		if (k >= 0 && o->row[k]->kind == CLI_FLAG && *value)
			usage(c, "--%s takes no value", o->row[k]->name);
	} else {
		k = options_find(o, NULL, 0, a[1]);
		if (a[2] != '\0')
			*value = a + 2;
		if (k >= 0 && *value &&
			(o->row[k]->kind == CLI_FLAG ||
				options_find(o, a + 1, strlen(a + 1), 0) >= 0))
			unknown(c, o, a);
	}
	if (k < 0)
		unknown(c, o, a);
	return k;
}

static int
parse_one(struct cli *c, struct options *o, int i, int argc, char **argv)
{
	const char *a = argv[i], *value = NULL;
	int k = find(c, o, a, &value);
	const struct cli_option *row = o->row[k];
	if (strcmp(row->name, "help") == 0)
		help(c);
	if (strcmp(row->name, "version") == 0) {
		printf("%s (pro) %s\n%s\n", c->name, PRO_VERSION, PRO_BUILD);
		exit(cli_close_stdout(c));
	}
	if (row->kind != CLI_FLAG && value == NULL) {
		if (++i >= argc)
			usage(c, "'%s' needs a value", a);
		value = argv[i];
	}
	struct err e;
	if (options_set(o, k, value, &e) < 0)
		usage(c, "%s", e.msg);
	return i;
}

static char stopping[128]; /* what the first signal says at once; empty under --quiet */

static void
say_first(const struct cli *c, char text[sizeof stopping], const char *what)
{
	if (!c->quiet)
		snprintf(text, sizeof stopping, "%s%s: %s; a second signal gives up\n",
			isatty(STDERR_FILENO) ? "\r\033[K" : "", c->name, what);
}

void
cli_parse(struct cli *c, int argc, char **argv)
{
	streams_open();
	nomem_setup(c->name);
	map_guard();
	c->seed = 42;
	c->device = "auto";
	c->expect = -1;
	c->progress_interval = 30;
	struct cli_option std[N_STANDARD + 1];
	struct options o;
	standard_options(c, std);
	options_init(&o, c->options, std);
	/* operands move to the front of argv: nothing to allocate, or to free at exit */
	c->files = (const char **)argv + (argc > 0);
	bool ended = false;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '\0')
			usage(c, "an operand is empty"); /* an unset "$variable" */
		if (ended || argv[i][0] != '-' || argv[i][1] == '\0')
			c->files[c->n_files++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			ended = true;
		else
			i = parse_one(c, &o, i, argc, argv);
	}
	if (c->n_files < argc)
		c->files[c->n_files] = NULL;
	if (c->max_operands >= 0 && c->n_files > c->max_operands)
		usage(c, "unexpected operand '%s'", c->files[c->max_operands]);
	struct err e;
	if (options_check(&o, &e) < 0)
		usage(c, "%s", e.msg);
	options_free(&o);
	say_first(c, stopping, "stopping at the next good place");
	if (strcmp(c->device, "auto") != 0 && strcmp(c->device, "cpu") != 0) {
		cli_warn(c, "--device %s: this build computes on the CPU only", c->device);
		exit(ERR_UNAVAILABLE);
	}
	if (c->threads == 0) {
		cpu_set_t set;
		c->threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	}
}

void
cli_catch_signals(void)
{
	streams_catch_signals(stopping);
}

void
cli_stops(const struct cli *c, const char *what)
{
	static char text[sizeof stopping];
	say_first(c, text, what);
	streams_catch_signals(text);
}

bool
cli_interrupted(void)
{
	return streams_interrupted();
}

void
cli_keep_work(void)
{
	streams_ignore_pipe();
}

int
cli_write(const void *p, size_t n, size_t *done, struct err *e)
{
	errno = 0;
	*done = streams_write(p, n);
	if (*done == n)
		return 0;
	return err_set(e, errno == EINTR ? ERR_TEMPFAIL : ERR_IO, "standard output: %s",
		strerror(errno ? errno : EIO));
}
