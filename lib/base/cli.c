#include "lib/base/cli.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/nomem.h"
#include "lib/base/streams.h"

#ifndef PRO_VERSION
#define PRO_VERSION "0"
#endif
#ifndef PRO_BUILD
#define PRO_BUILD "unknown build"
#endif

enum { N_STANDARD = 8 };

static void
standard_options(struct cli *c, struct cli_option t[N_STANDARD + 1])
{
	static bool dummy;
	memset(t, 0, (N_STANDARD + 1) * sizeof *t);
	t[0] = (struct cli_option){
		"seed", 0, CLI_UINT, &c->seed, "N", "seed of all randomness", NULL, 0, 0, NULL};
	t[1] = (struct cli_option){"threads", 0, CLI_INT, &c->threads, "N",
		"threads to compute with; 0: all cores", NULL, 0, 4096, NULL};
	t[2] = (struct cli_option){"device", 0, CLI_TEXT, &c->device, "DEVICE",
		"where to compute: auto or cpu", NULL, 0, 0, NULL};
	t[3] = (struct cli_option){"expect", 0, CLI_INT, &c->expect, "N",
		"exit 65 unless exactly N records were read", NULL, 0, 9e15, NULL};
	t[4] = (struct cli_option){"rejects", 0, CLI_TEXT, &c->rejects, "FILE",
		"write what was rejected or cut, with line and reason", NULL, 0, 0, NULL};
	t[5] = (struct cli_option){"quiet", 'q', CLI_FLAG, &c->quiet, NULL,
		"no progress and no notes on stderr", NULL, 0, 0, NULL};
	t[6] = (struct cli_option){"version", 0, CLI_FLAG, &dummy, NULL,
		"print version and build facts, and exit", NULL, 0, 0, NULL};
	t[7] = (struct cli_option){
		"help", 'h', CLI_FLAG, &dummy, NULL, "print this help, and exit", NULL, 0, 0, NULL};
}

static void
vmessage(const struct cli *c, const char *fmt, va_list ap)
{
	char msg[4096];
	vsnprintf(msg, sizeof msg, fmt, ap);
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s: ", c->name);
	for (const char *s = msg; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			buf_printf(&b, "\\x%02x", (unsigned char)*s);
		else
			buf_putc(&b, *s);
	}
	buf_putc(&b, '\n');
	fwrite(b.data, 1, b.len, stderr); /* one write: pipelines mix their stderrs */
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
print_value(const struct cli_option *o, struct buf *b)
{
	switch (o->kind) {
	case CLI_FLAG:
		buf_puts(b, *(bool *)o->value ? "true" : "false");
		break;
	case CLI_INT:
		buf_printf(b, "%lld", (long long)*(int64_t *)o->value);
		break;
	case CLI_UINT:
		buf_printf(b, "%llu", (unsigned long long)*(uint64_t *)o->value);
		break;
	case CLI_REAL:
		buf_printf(b, "%.15g", *(double *)o->value);
		break;
	case CLI_TEXT:
		buf_puts(b, *(const char **)o->value ? *(const char **)o->value : "");
		break;
	case CLI_CHOICE: {
		const char *s = o->choices;
		for (int i = *(int *)o->value; i > 0; i--)
			s = strchr(s, '|') + 1;
		buf_put(b, s, strcspn(s, "|"));
		break;
	}
	case CLI_LIST: {
		const struct cli_list *l = o->value;
		for (int i = 0; i < l->n; i++)
			buf_printf(b, "%s%s", i ? " " : "", l->v[i]);
		break;
	}
	}
}

static void
describe_table(const struct cli_option *t, struct buf *out)
{
	for (; t->name; t++) {
		if (strcmp(t->name, "help") == 0 || strcmp(t->name, "version") == 0)
			continue;
		buf_printf(out, "%s ", t->name);
		print_value(t, out);
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

static void
help_table(const struct cli_option *t, struct buf *b)
{
	for (; t->name; t++) {
		struct buf left = BUF_INIT;
		if (t->letter)
			buf_printf(&left, "  -%c, --%s", t->letter, t->name);
		else
			buf_printf(&left, "      --%s", t->name);
		if (t->kind != CLI_FLAG)
			buf_printf(&left, " %s",
				t->kind == CLI_CHOICE ? t->choices
				: t->metavar          ? t->metavar
						      : "X");
		buf_printf(b, left.len < 30 ? "%-31s" : "%s\n                               ",
			left.data);
		buf_puts(b, t->help);
		struct buf v = BUF_INIT;
		if (t->kind != CLI_FLAG)
			print_value(t, &v);
		bool unset = t->kind == CLI_INT && *(int64_t *)t->value < 0;
		if (v.len > 0 && !unset)
			buf_printf(b, " [%s]", v.data);
		buf_putc(b, '\n');
		buf_free(&v);
		buf_free(&left);
	}
}

static void
help(struct cli *c, const struct cli_option *std)
{
	struct buf b = BUF_INIT;
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

static bool
same_name(const char *want, const char *got, size_t n)
{
	if (strlen(want) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (want[i] != (got[i] == '_' ? '-' : got[i]))
			return false;
	return true;
}

static void
set_choice(const struct cli *c, const struct cli_option *o, const char *value)
{
	int i = 0;
	for (const char *s = o->choices;; i++) {
		size_t n = strcspn(s, "|");
		if (strlen(value) == n && strncmp(s, value, n) == 0) {
			*(int *)o->value = i;
			return;
		}
		if (s[n] == '\0')
			break;
		s += n + 1;
	}
	usage(c, "--%s: '%s' is none of %s", o->name, value, o->choices);
}

static void
set_number(const struct cli *c, const struct cli_option *o, const char *v)
{
	char *end;
	bool limited = o->max > o->min;
	/* strto* would take leading blanks, hexadecimals and inf; a user did not mean those. */
	bool ok = *v &&
		  strspn(v, o->kind == CLI_REAL ? "+-0123456789.eE" : "+-0123456789") == strlen(v);
	errno = 0;
	double d = 0;
	if (o->kind == CLI_REAL) {
		d = strtod(v, &end);
		ok = ok && *end == '\0' && isfinite(d);
		if (ok)
			*(double *)o->value = d;
	} else if (o->kind == CLI_INT) {
		long long i = strtoll(v, &end, 10);
		ok = ok && *end == '\0' && errno == 0;
		d = (double)i;
		if (ok)
			*(int64_t *)o->value = i;
	} else {
		unsigned long long u = strtoull(v, &end, 10);
		ok = ok && *v != '-' && *end == '\0' && errno == 0;
		limited = false;
		if (ok)
			*(uint64_t *)o->value = u;
	}
	if (!ok && o->kind == CLI_UINT)
		usage(c, "--%s: '%s' is not a whole number from 0 to 2^64 - 1", o->name, v);
	if (!ok)
		usage(c, "--%s: '%s' is not a %snumber", o->name, v,
			o->kind == CLI_INT ? "whole " : "");
	if (limited && (d < o->min || d > o->max))
		usage(c, "--%s: %s is not within %g..%g", o->name, v, o->min, o->max);
}

static void
set_option(const struct cli *c, const struct cli_option *o, const char *value)
{
	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->value = true;
		break;
	case CLI_TEXT:
		if (*value == '\0' && strcmp(o->metavar, "LABEL") != 0)
			usage(c, "--%s: the value is empty", o->name);
		*(const char **)o->value = value;
		break;
	case CLI_LIST: {
		struct cli_list *l = o->value;
		l->v = x_realloc(l->v, (size_t)(l->n + 1) * sizeof *l->v);
		l->v[l->n++] = value;
		break;
	}
	case CLI_CHOICE:
		set_choice(c, o, value);
		break;
	default:
		set_number(c, o, value);
	}
	if (o->given)
		*o->given = true;
}

static const struct cli_option *
find(const struct cli *c, const struct cli_option *std, const char *name, size_t n, char letter)
{
	const struct cli_option *tables[] = {c->options, std};
	for (int i = 0; i < 2; i++)
		for (const struct cli_option *o = tables[i]; o->name; o++)
			if (name ? same_name(o->name, name, n) : o->letter == letter)
				return o;
	return NULL;
}

static int
parse_one(struct cli *c, const struct cli_option *std, int i, int argc, char **argv)
{
	const char *a = argv[i], *value = NULL;
	const struct cli_option *o;
	if (a[1] == '-') {
		size_t n = strcspn(a + 2, "=");
		o = find(c, std, a + 2, n, 0);
		if (a[2 + n] == '=')
			value = a + 2 + n + 1;
		if (o && o->kind == CLI_FLAG && value)
			usage(c, "--%s takes no value", o->name);
	} else {
		o = find(c, std, NULL, 0, a[1]);
		if (a[2] != '\0')
			value = a + 2;
		if (o && o->kind == CLI_FLAG && value)
			usage(c, "unknown option '%s'", a);
	}
	if (o == NULL)
		usage(c, "unknown option '%s'", a);
	if (strcmp(o->name, "help") == 0)
		help(c, std);
	if (strcmp(o->name, "version") == 0) {
		printf("%s (pro) %s\n%s\n", c->name, PRO_VERSION, PRO_BUILD);
		exit(cli_close_stdout(c));
	}
	if (o->kind != CLI_FLAG && value == NULL) {
		if (++i >= argc)
			usage(c, "'%s' needs a value", a);
		value = argv[i];
	}
	set_option(c, o, value);
	return i;
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
	struct cli_option std[N_STANDARD + 1];
	standard_options(c, std);
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
			i = parse_one(c, std, i, argc, argv);
	}
	if (c->n_files < argc)
		c->files[c->n_files] = NULL;
	if (c->max_operands >= 0 && c->n_files > c->max_operands)
		usage(c, "unexpected operand '%s'", c->files[c->max_operands]);
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
	streams_catch_signals();
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
