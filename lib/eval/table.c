#include "lib/eval/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/visible.h"

/* The text as it may be shown; the caller frees it. */
static char *
shown(const char *text)
{
	struct buf b = BUF_INIT;
	text_visible(&b, text, strlen(text));
	char *s = x_strdup(b.len ? b.data : "");
	buf_free(&b);
	return s;
}

__attribute__((format(printf, 1, 0))) static char *
shown_format(const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *s = x_malloc((size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	char *text = shown(s);
	free(s);
	return text;
}

void
table_group(struct table *t, const char *name, int first, int n)
{
	t->groups = x_realloc(t->groups, (size_t)(t->n_groups + 1) * sizeof *t->groups);
	t->groups[t->n_groups++] = (struct table_group){shown(name), first, n};
}

void
table_section(struct table *t, const char *name)
{
	assert(t->n_cols > 0 && t->n_cells % (size_t)t->n_cols == 0);
	t->sections = x_realloc(t->sections, (size_t)(t->n_sections + 1) * sizeof *t->sections);
	t->sections[t->n_sections++] =
		(struct table_section){shown(name), t->n_cells / (size_t)t->n_cols};
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	t->cells = x_realloc(t->cells, (t->n_cells + 1) * sizeof *t->cells);
	va_start(ap, fmt);
	t->cells[t->n_cells++] = shown_format(fmt, ap);
	va_end(ap);
}

/* Columns on a terminal. */
static int
width(const char *s)
{
	return text_width(s, strlen(s));
}

static void
pad(struct buf *out, int n)
{
	for (; n > 0; n--)
		buf_putc(out, ' ');
}

enum { GAP = 2, INDENT = 2 };

/* What the columns need before the plus-minus sign of their numbers, and from it on. */
struct column {
	int left, right;
};

static int
whole(const struct column *c)
{
	return c->left + c->right;
}

/* Rows of a section are indented. */
static int
indent_of(const struct table *t, size_t row)
{
	return row > 0 && t->n_sections > 0 ? INDENT : 0;
}

static struct column
measure(const struct table *t, size_t cell)
{
	const char *s = t->cells[cell];
	size_t row = cell / (size_t)t->n_cols, col = cell % (size_t)t->n_cols;
	const char *sign = row > 0 && col > 0 ? strstr(s, "\u00b1") : NULL;
	if (sign == NULL || sign == s)
		return (struct column){width(s) + (col == 0 ? indent_of(t, row) : 0), 0};
	return (struct column){text_width(s, (size_t)(sign - s)), width(sign)};
}

static int
span(const struct column *columns, int first, int n)
{
	int w = (n - 1) * GAP;
	for (int i = first; i < first + n; i++)
		w += whole(&columns[i]);
	return w;
}

/* The caller frees it. */
static struct column *
layout(const struct table *t)
{
	assert(t->n_cols > 0 && t->n_cells % (size_t)t->n_cols == 0);
	size_t n_cols = (size_t)t->n_cols;
	struct column *columns = x_calloc(n_cols, sizeof *columns);
	for (size_t i = n_cols; i < t->n_cells; i++) {
		struct column m = measure(t, i), *max = &columns[i % n_cols];
		max->left = m.left > max->left ? m.left : max->left;
		max->right = m.right > max->right ? m.right : max->right;
	}
	for (size_t i = 0; i < n_cols && i < t->n_cells; i++) {
		int lacks = width(t->cells[i]) - whole(&columns[i]);
		columns[i].left += lacks > 0 ? lacks : 0;
	}
	for (int g = 0; g < t->n_groups; g++) {
		const struct table_group *group = &t->groups[g];
		int lacks = width(group->name) - span(columns, group->first, group->n);
		columns[group->first].left += lacks > 0 ? lacks : 0;
	}
	return columns;
}

int
table_width(const struct table *t)
{
	struct column *columns = layout(t);
	int w = span(columns, 0, t->n_cols);
	free(columns);
	return w;
}

static void
print_groups(const struct table *t, const struct column *columns, struct buf *out)
{
	int at = 0;
	for (int g = 0; g < t->n_groups; g++) {
		const struct table_group *group = &t->groups[g];
		int start = group->first > 0 ? span(columns, 0, group->first) + GAP : 0;
		int left = (span(columns, group->first, group->n) - width(group->name)) / 2;
		pad(out, start + left - at);
		buf_puts(out, group->name);
		at = start + left + width(group->name);
	}
	if (t->n_groups > 0)
		buf_putc(out, '\n');
}

/* The first column and n others from `first` on. */
static void
print_row(const struct table *t, const struct column *columns, size_t row, int first, int n,
	struct buf *out)
{
	size_t at = row * (size_t)t->n_cols;
	int left = indent_of(t, row), w = left + width(t->cells[at]);
	pad(out, left);
	buf_puts(out, t->cells[at]);
	if (w > whole(&columns[0]) && n > 0) {
		buf_putc(out, '\n');
		w = 0;
	}
	if (n > 0)
		pad(out, whole(&columns[0]) - w);
	for (int i = first; i < first + n; i++) {
		struct column m = measure(t, at + (size_t)i);
		int after = row > 0 ? columns[i].right - m.right : 0;
		pad(out, GAP + whole(&columns[i]) - whole(&m) - after);
		buf_puts(out, t->cells[at + (size_t)i]);
		if (i < first + n - 1)
			pad(out, after);
	}
	buf_putc(out, '\n');
}

static void
print_rows(const struct table *t, const struct column *columns, int first, int n, struct buf *out)
{
	size_t n_rows = t->n_cells / (size_t)t->n_cols;
	int section = 0;
	for (size_t row = 0; row < n_rows; row++) {
		for (; section < t->n_sections && t->sections[section].row <= row; section++) {
			buf_puts(out, t->sections[section].name);
			buf_putc(out, '\n');
		}
		print_row(t, columns, row, first, n, out);
	}
}

void
table_print(const struct table *t, struct buf *out)
{
	struct column *columns = layout(t);
	print_groups(t, columns, out);
	if (t->n_groups == 0 && span(columns, 0, t->n_cols) > TABLE_WIDTH &&
		whole(&columns[0]) > TABLE_WIDTH / 2)
		columns[0] = (struct column){TABLE_WIDTH / 4, 0};
	for (int first = 1, n; first < t->n_cols || first == 1; first += n) {
		int w = whole(&columns[0]);
		for (n = 0; first + n < t->n_cols; n++) {
			w += GAP + whole(&columns[first + n]);
			if (w > TABLE_WIDTH && n > 0 && t->n_groups == 0)
				break;
		}
		if (first > 1)
			buf_putc(out, '\n');
		print_rows(t, columns, first, n, out);
		if (n == 0)
			break;
	}
	free(columns);
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	for (int g = 0; g < t->n_groups; g++)
		free(t->groups[g].name);
	for (int i = 0; i < t->n_sections; i++)
		free(t->sections[i].name);
	free(t->cells);
	free(t->groups);
	free(t->sections);
	*t = (struct table){0};
}

void
table_note(struct buf *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = shown_format(fmt, ap);
	va_end(ap);
	text_wrap(out, s, strlen(s), TABLE_WIDTH);
	buf_putc(out, '\n');
	free(s);
}

void
csv_field(struct buf *out, const char *s)
{
	if (strpbrk(s, ",\"\r\n") == NULL) {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_putc(out, '"');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}
