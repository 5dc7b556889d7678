#ifndef PRO_EVAL_TABLE_H
#define PRO_EVAL_TABLE_H

#include "lib/base/mem.h"

/*
 * A table of text with column heads and, above them, groups of columns (as in Table 2 of the paper:
 * subsets above BLEU and Reward).  The first column is flush left, the others flush right.
 */
struct table {
	int n_cols, n_groups;
	char **cells; /* row after row; the first row is the heads */
	size_t n_cells;
	struct table_group {
		char *name;
		int first, n; /* columns */
	} * groups;
};

/* A zeroed table is empty; n_cols is set before the first cell. */
void table_group(struct table *t, const char *name, int first, int n);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends the table as aligned text; cells and groups are as text_visible writes them. */
void table_print(const struct table *t, struct buf *out);
void table_free(struct table *t);

/* Appends one field of a line of comma-separated values, quoted where RFC 4180 asks for it. */
void csv_field(struct buf *out, const char *s);

#endif
