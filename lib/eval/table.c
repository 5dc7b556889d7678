#include "lib/eval/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "lib/base/visible.h"

void
table_group(struct table *t, const char *name, int first, int n)
{
	t->groups = x_realloc(t->groups, (size_t)(t->n_groups + 1) * sizeof *t->groups);
	struct buf b = BUF_INIT;
	text_visible(&b, name, strlen(name));
	t->groups[t->n_groups++] = (struct table_group){x_strdup(b.len ? b.data : ""), first, n};
	buf_free(&b);
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *s = x_malloc((size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	struct buf b = BUF_INIT;
	text_visible(&b, s, (size_t)n);
	free(s);
	s = x_strdup(b.len ? b.data : "");
	buf_free(&b);
	t->cells = x_realloc(t->cells, (t->n_cells + 1) * sizeof *t->cells);
	t->cells[t->n_cells++] = s;
}

/* Columns on a terminal. */
static int
width(const char *s)
{
	int w = 0;
	utf8proc_int32_t c;
	for (utf8proc_ssize_t n; *s; s += n) {
		n = utf8proc_iterate((const utf8proc_uint8_t *)s, -1, &c);
		if (n <= 0)
			n = 1, w++;
		else
			w += utf8proc_charwidth(c);
	}
	return w;
}

static void
pad(struct buf *out, int n)
{
	for (; n > 0; n--)
		buf_putc(out, ' ');
}

enum { GAP = 2 };

static int
span(const int *widths, int first, int n)
{
	int w = (n - 1) * GAP;
	for (int i = first; i < first + n; i++)
		w += widths[i];
	return w;
}

static void
print_groups(const struct table *t, const int *widths, struct buf *out)
{
	int at = 0;
	for (int g = 0; g < t->n_groups; g++) {
		const struct table_group *group = &t->groups[g];
		int start = group->first > 0 ? span(widths, 0, group->first) + GAP : 0;
		int left = (span(widths, group->first, group->n) - width(group->name)) / 2;
		pad(out, start + left - at);
		buf_puts(out, group->name);
		at = start + left + width(group->name);
	}
	buf_putc(out, '\n');
}

void
table_print(const struct table *t, struct buf *out)
{
	assert(t->n_cols > 0 && t->n_cells % (size_t)t->n_cols == 0);
	int *widths = x_calloc((size_t)t->n_cols, sizeof *widths);
	for (size_t i = 0; i < t->n_cells; i++) {
		int w = width(t->cells[i]), *max = &widths[i % (size_t)t->n_cols];
		*max = w > *max ? w : *max;
	}
	for (int g = 0; g < t->n_groups; g++) {
		const struct table_group *group = &t->groups[g];
		int lacks = width(group->name) - span(widths, group->first, group->n);
		widths[group->first] += lacks > 0 ? lacks : 0;
	}
	if (t->n_groups > 0)
		print_groups(t, widths, out);
	for (size_t i = 0; i < t->n_cells; i++) {
		int col = (int)(i % (size_t)t->n_cols), w = widths[col] - width(t->cells[i]);
		if (col > 0)
			pad(out, GAP + w);
		buf_puts(out, t->cells[i]);
		if (col == 0 && t->n_cols > 1)
			pad(out, w);
		if (col == t->n_cols - 1)
			buf_putc(out, '\n');
	}
	free(widths);
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	for (int g = 0; g < t->n_groups; g++)
		free(t->groups[g].name);
	free(t->cells);
	free(t->groups);
	*t = (struct table){0};
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
