#ifndef PRO_EVAL_TABLE_H
#define PRO_EVAL_TABLE_H

#include "lib/base/mem.h"

/* Columns that a table and the notes below it take: those of a terminal as it opens. */
enum { TABLE_WIDTH = 80 };

/*
 * A table of text with column heads and, above them, groups of columns (as in Table 2 of the paper:
 * subsets above BLEU and Reward), or groups of rows under a line with their name.  The first column
 * is flush left, the others flush right, what has a plus-minus sign aligned at it.
 */
struct table {
	int n_cols, n_groups;
	char **cells; /* row after row; the first row is the heads */
	size_t n_cells;
	struct table_group {
		char *name;
		int first, n; /* columns */
	} * groups;
	struct table_section {
		char *name;
		size_t row; /* above this one; 0 is the heads */
	} * sections;
	int n_sections;
};

/* A zeroed table is empty; n_cols is set before the first cell. */
/* The rows from here on are of a group of this name. */
void table_section(struct table *t, const char *name);
void table_group(struct table *t, const char *name, int first, int n);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Columns that the table takes when it is not folded. */
int table_width(const struct table *t);
/*
 * Appends the table as aligned text; cells, groups and sections are as text_visible writes them.
 * One without groups of columns that is wider than TABLE_WIDTH is folded: as many columns as fit,
 * then the others below, each time after the first one; where that is wider than half of the
 * width, its text has a line of its own.  A column that is wider for itself is left so.
 */
void table_print(const struct table *t, struct buf *out);
void table_free(struct table *t);

/* Appends text as a paragraph of lines of at most TABLE_WIDTH columns, where it has blanks to break
 * it at; it may hold anything. */
void table_note(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends one field of a line of comma-separated values, quoted where RFC 4180 asks for it. */
void csv_field(struct buf *out, const char *s);

#endif
