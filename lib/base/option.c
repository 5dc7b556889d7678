#include "lib/base/option.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/habit.h"

void
options_init(struct options *o, const struct cli_option *own, const struct cli_option *standard)
{
	const struct cli_option *tables[] = {own, standard};
	*o = (struct options){0};
	for (int pass = 0; pass < 2; pass++) {
		int n = 0;
		for (int t = 0; t < 2; t++)
			for (const struct cli_option *r = tables[t]; r && r->name; r++, n++)
				if (pass == 1)
					o->row[n] = r;
		if (pass == 0) {
			o->row = x_calloc((size_t)n + 1, sizeof *o->row);
			o->given = x_calloc((size_t)n + 1, sizeof *o->given);
		}
		o->n = n;
	}
}

void
options_free(struct options *o)
{
	free((void *)o->row);
	free(o->given);
	*o = (struct options){0};
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

int
options_find(const struct options *o, const char *name, size_t n, char letter)
{
	for (int i = 0; i < o->n; i++)
		if (name ? same_name(o->row[i]->name, name, n)
			 : letter && o->row[i]->letter == letter)
			return i;
	return -1;
}

/* "text" in quotes, on one line. */
static void
put_quoted(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	for (; *s; s++)
		if ((unsigned char)*s < 0x20)
			buf_printf(b, "\\x%02x", (unsigned char)*s);
		else
			buf_printf(b, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	buf_putc(b, '"');
}

/* As it is, unless that could be taken for something else. */
static void
put_text(struct buf *b, const char *s)
{
	bool plain = *s != '"';
	for (const char *p = s; *p; p++)
		plain &= (unsigned char)*p >= 0x20;
	if (plain)
		buf_puts(b, s);
	else
		put_quoted(b, s);
}

void
option_value(const struct cli_option *o, struct buf *b)
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
		put_text(b, *(const char **)o->value ? *(const char **)o->value : "");
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
		for (int i = 0; i < l->n; i++) {
			buf_puts(b, i ? " " : "");
			put_quoted(b, l->v[i]);
		}
		break;
	}
	}
}

/* Index of the word of "a|b|c" that is word [n], or -1. */
static int
choice_index(const char *choices, const char *word, size_t len)
{
	for (int i = 0;; i++) {
		size_t n = strcspn(choices, "|");
		if (len == n && strncmp(choices, word, n) == 0)
			return i;
		if (choices[n] == '\0')
			return -1;
		choices += n + 1;
	}
}

static int
set_choice(const struct cli_option *o, const char *value, struct err *e)
{
	int i = choice_index(o->choices, value, strlen(value));
	size_t n;
	if (i >= 0) {
		*(int *)o->value = i;
		return 0;
	}
	struct buf known = BUF_INIT;
	if (habit_value(o->name, value, &known)) {
		err_set(e, ERR_USAGE, "--%s: '%s' is none of %s: %s", o->name, value, o->choices,
			known.data);
		buf_free(&known);
		return -1;
	}
	const char *near = nearest_word(o->choices, value, &n);
	if (near)
		return err_set(e, ERR_USAGE, "--%s: '%s' is none of %s: did you mean %.*s?",
			o->name, value, o->choices, (int)n, near);
	return err_set(e, ERR_USAGE, "--%s: '%s' is none of %s", o->name, value, o->choices);
}

static int
set_number(const struct cli_option *o, const char *v, struct err *e)
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
		return err_set(e, ERR_USAGE, "--%s: '%s' is not a whole number from 0 to 2^64 - 1",
			o->name, v);
	if (!ok)
		return err_set(e, ERR_USAGE, "--%s: '%s' is not a %snumber", o->name, v,
			o->kind == CLI_INT ? "whole " : "");
	if (limited && (d < o->min || d > o->max))
		return err_set(
			e, ERR_USAGE, "--%s: %s is not within %g..%g", o->name, v, o->min, o->max);
	return 0;
}

int
options_set(struct options *opts, int i, const char *value, struct err *e)
{
	const struct cli_option *o = opts->row[i];
	int rc = 0;
	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->value = true;
		break;
	case CLI_TEXT:
		if (*value == '\0' && strcmp(o->metavar, "LABEL") != 0)
			return err_set(e, ERR_USAGE, "--%s: the value is empty", o->name);
		*(const char **)o->value = value;
		break;
	case CLI_LIST: {
		struct cli_list *l = o->value;
		l->v = x_realloc(l->v, (size_t)(l->n + 1) * sizeof *l->v);
		l->v[l->n++] = value;
		break;
	}
	case CLI_CHOICE:
		rc = set_choice(o, value, e);
		break;
	default:
		rc = set_number(o, value, e);
	}
	opts->given[i] = true;
	if (o->given)
		*o->given = true;
	return rc;
}

/* Whether the option has a value that is not 0, false or none. */
static bool
is_set(const struct cli_option *o)
{
	switch (o->kind) {
	case CLI_FLAG:
		return *(bool *)o->value;
	case CLI_INT:
		return *(int64_t *)o->value > 0;
	case CLI_UINT:
		return *(uint64_t *)o->value > 0;
	case CLI_REAL:
		return *(double *)o->value > 0;
	case CLI_TEXT:
		return *(const char **)o->value != NULL;
	case CLI_CHOICE:
		return *(int *)o->value > 0;
	default:
		return ((const struct cli_list *)o->value)->n > 0;
	}
}

/* The row of name [n], which a table's .needs speaks of. */
static int
must_find(const struct options *opts, const char *name, size_t n)
{
	int i = options_find(opts, name, n, 0);
	assert(i >= 0);
	return i;
}

/* "NAME=A|B" [n]; when it does not hold, why into out. */
static bool
has_choice(const struct options *opts, const char *word, size_t n, struct buf *out)
{
	size_t name = strcspn(word, "="), len = 0;
	const struct cli_option *o = opts->row[must_find(opts, word, name)];
	const char *now = o->choices;
	for (int i = *(int *)o->value; i > 0; i--)
		now = strchr(now, '|') + 1;
	for (size_t at = name + 1; at < n; at += len + 1) {
		len = strcspn(word + at, "| ");
		if (len == strcspn(now, "|") && strncmp(word + at, now, len) == 0)
			return true;
	}
	buf_printf(out, "with --%s %.*s, only with %.*s", o->name, (int)strcspn(now, "|"), now,
		(int)(n - name - 1), word + name + 1);
	return false;
}

/*
 * One word [n] of .needs: whether it holds; when not, why into out, to be read after "--x has no
 * effect ".
 */
static bool
holds(const struct options *opts, const char *word, size_t n, struct buf *out)
{
	if (memchr(word, '=', n))
		return has_choice(opts, word, n, out);
	if (*word == '!') {
		const struct cli_option *o = opts->row[must_find(opts, word + 1, n - 1)];
		if (!is_set(o))
			return true;
		buf_printf(out, "with --%s", o->name);
		if (o->kind == CLI_INT)
			buf_printf(out, " %lld", (long long)*(int64_t *)o->value);
		return false;
	}
	buf_puts(out, "without");
	for (size_t from = 0, len; from < n; from += len + 1) {
		for (len = 0; from + len < n && word[from + len] != '|';)
			len++;
		int i = must_find(opts, word + from, len);
		if (is_set(opts->row[i]))
			return true;
		if (opts->given[i]) {
			buf_reset(out);
			buf_printf(out, "with --%s 0", opts->row[i]->name);
			return false;
		}
		buf_printf(out, "%s --%s", from ? " or" : "", opts->row[i]->name);
	}
	return false;
}

int
options_check(const struct options *o, struct err *e)
{
	for (int i = 0; i < o->n; i++) {
		const char *s = o->given[i] ? o->row[i]->needs : NULL;
		for (size_t n; s && *s; s += n + (s[n] != '\0')) {
			struct buf why = BUF_INIT;
			n = strcspn(s, " ");
			bool ok = holds(o, s, n, &why);
			if (!ok)
				err_set(e, ERR_USAGE, "--%s has no effect %s", o->row[i]->name,
					why.data);
			buf_free(&why);
			if (!ok)
				return -1;
		}
	}
	return 0;
}

/* Letters to insert, delete, change or swap until a [na] is b [nb]; both are short. */
static int
distance(const char *a, size_t na, const char *b, size_t nb)
{
	enum { MAX = 64 };
	int d[3][MAX + 1];
	if (na > MAX || nb > MAX)
		return 2 * MAX;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int *now = d[i % 3], *last = d[(i + 2) % 3], *before = d[(i + 1) % 3];
		now[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = a[i - 1] == b[j - 1] || (a[i - 1] == '_' && b[j - 1] == '-');
			int best = last[j - 1] + !same;
			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return d[na % 3][nb];
}

/* How far word is from what was typed; 0 is equal, below 0 far: no guess. */
static int
nearness(const char *typed, size_t n, const char *word, size_t len)
{
	/* of a short word not half may be wrong: --temp is no --help */
	size_t less = n < len ? n : len;
	int d = distance(typed, n, word, len);
	int most = n < 4 || less < 5 ? 1 : n < 8 ? 2 : (int)n / 3;
	if (d <= most)
		return d;
	if (n >= 3 && len > n && strncmp(word, typed, n) == 0)
		return most + 1; /* an abbreviation */
	return -1;
}

const char *
nearest_word(const char *words, const char *name, size_t *n)
{
	const char *best = NULL;
	int best_d = 0;
	for (const char *s = words;; s++) {
		size_t len = strcspn(s, "|");
		int d = nearness(name, strlen(name), s, len);
		if (d >= 0 && (best == NULL || d < best_d)) {
			best = s;
			best_d = d;
			*n = len;
		}
		s += len;
		if (*s == '\0')
			return best;
	}
}

void
options_guess(const struct options *o, const char *name, size_t n, struct buf *out)
{
	const char *best = NULL;
	int best_d = 0;
	int letter = n == 1 ? options_find(o, NULL, 0, *name) : -1;
	if (letter >= 0) { /* "--n 3" */
		buf_printf(out, "did you mean -%c, --%s?", *name, o->row[letter]->name);
		return;
	}
	if (habit_guess(o, name, n, out))
		return;
	for (int i = 0; i < o->n; i++) {
		int d = nearness(name, n, o->row[i]->name, strlen(o->row[i]->name));
		if (d >= 0 && (best == NULL || d < best_d)) {
			best = o->row[i]->name;
			best_d = d;
		}
	}
	if (best)
		buf_printf(out, "did you mean --%s?", best);
}
