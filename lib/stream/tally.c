#include "lib/stream/tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 40 };

int
tally_row(struct tally *t, const char *file)
{
	if (t->n_rows == 0 || strcmp(t->rows[t->n_rows - 1].file, file) != 0) {
		t->rows = x_realloc(t->rows, (size_t)(t->n_rows + 1) * sizeof *t->rows);
		t->rows[t->n_rows++] = (struct tally_row){.file = file};
	}
	return t->n_rows - 1;
}

void
tally_reason(struct tally *t, const char *reason)
{
	int i = 0;
	while (i < t->n_reasons && strcmp(t->reasons[i], reason) != 0)
		i++;
	assert(i < 32);
	if (i == t->n_reasons)
		t->reasons[t->n_reasons++] = reason;
	t->counts[i]++;
}

static void
write_row(struct buf *out, const char *name, int64_t raw, int64_t kept)
{
	size_t n = strlen(name); /* the end of a long name tells more */
	buf_printf(out, "%-*s %9lld %9lld %9lld\n", NAME, n > NAME ? name + n - NAME : name,
		(long long)raw, (long long)kept, (long long)(raw - kept));
}

void
tally_write(const struct tally *t, struct buf *out)
{
	int64_t raw = 0, kept = 0;
	buf_printf(out, "%-*s %9s %9s %9s\n", NAME, "file", "raw", "kept", "rejected");
	for (int i = 0; i < t->n_rows; i++) {
		write_row(out, t->rows[i].file, t->rows[i].raw, t->rows[i].kept);
		raw += t->rows[i].raw;
		kept += t->rows[i].kept;
	}
	if (t->n_rows != 1)
		write_row(out, "total", raw, kept);
	for (int i = 0; i < t->n_reasons; i++)
		buf_printf(out, "%-60s %9lld\n", t->reasons[i], (long long)t->counts[i]);
}

void
tally_free(struct tally *t)
{
	X_FREE(t->rows);
	*t = (struct tally){0};
}
