#include "lib/stream/tally.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/visible.h"

enum { NAME = 40, REASON = 60, MAX_REASONS = 100 };

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
	if (t->n_reasons >= MAX_REASONS - 1)
		reason = "other reasons";
	while (i < t->n_reasons && strcmp(t->reasons[i].text, reason) != 0)
		i++;
	if (i == t->n_reasons) {
		t->reasons = x_realloc(t->reasons, (size_t)(i + 1) * sizeof *t->reasons);
		t->reasons[t->n_reasons++] = (struct tally_reason){x_strdup(reason), 0};
	}
	t->reasons[i].n++;
}

static void
pad(struct buf *out, int n)
{
	for (; n > 0; n--)
		buf_putc(out, ' ');
}

static void
write_row(struct buf *out, const char *name, const struct tally_row *r, bool elsewhere)
{
	struct buf shown = BUF_INIT;
	text_visible(&shown, name, strlen(name));
	const char *s = shown.len ? shown.data : "";
	int room = NAME;
	if (text_width(s, shown.len) > room) {
		s += text_tail(s, shown.len, --room); /* the end of a long name tells more */
		buf_puts(out, "\u2026");
	}
	buf_puts(out, s);
	pad(out, room - text_width(s, strlen(s)));
	buf_printf(out, " %9lld %9lld %9lld", (long long)r->raw, (long long)r->kept,
		(long long)(r->raw - r->kept - r->elsewhere));
	if (elsewhere)
		buf_printf(out, " %9lld", (long long)r->elsewhere);
	buf_putc(out, '\n');
	buf_free(&shown);
}

void
tally_line(struct buf *out, const char *reason, int64_t n)
{
	size_t from = out->len;
	text_visible(out, reason, strlen(reason));
	pad(out, REASON - text_width(out->data + from, out->len - from));
	buf_printf(out, " %9lld\n", (long long)n);
}

void
tally_write(const struct tally *t, struct buf *out)
{
	struct tally_row sum = {.file = "total"};
	for (int i = 0; i < t->n_rows; i++) {
		sum.raw += t->rows[i].raw;
		sum.kept += t->rows[i].kept;
		sum.elsewhere += t->rows[i].elsewhere;
	}
	bool elsewhere = sum.elsewhere > 0;
	buf_printf(out, "%-*s %9s %9s %9s%s\n", NAME, "file", "raw", "kept", "rejected",
		elsewhere ? " elsewhere" : "");
	for (int i = 0; i < t->n_rows; i++)
		write_row(out, t->rows[i].file, &t->rows[i], elsewhere);
	if (t->n_rows != 1)
		write_row(out, sum.file, &sum, elsewhere);
	for (int i = 0; i < t->n_reasons; i++)
		tally_line(out, t->reasons[i].text, t->reasons[i].n);
}

void
tally_commonest(const struct tally *t, int n, struct buf *out)
{
	int64_t last = INT64_MAX, others = 0;
	int last_i = -1, written = 0;
	for (int i = 0; i < t->n_reasons; i++)
		others += t->reasons[i].n;
	while (written < n && written < t->n_reasons) {
		int best = -1;
		for (int i = 0; i < t->n_reasons; i++) {
			int64_t x = t->reasons[i].n;
			bool behind = x < last || (x == last && i > last_i);
			if (behind && (best < 0 || x > t->reasons[best].n))
				best = i;
		}
		last = t->reasons[best].n;
		last_i = best;
		others -= last;
		buf_printf(out, "%s%lld %s", written++ ? ", " : "", (long long)last,
			t->reasons[best].text);
	}
	if (others > 0)
		buf_printf(out, ", and %lld others", (long long)others);
}

void
tally_free(struct tally *t)
{
	for (int i = 0; i < t->n_reasons; i++)
		free(t->reasons[i].text);
	X_FREE(t->reasons);
	X_FREE(t->rows);
	*t = (struct tally){0};
}
