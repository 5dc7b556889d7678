#include "lib/base/human.h"

/* The next unit from where one decimal would round up to it. */
static const double ROUND = 1 - 0.00005;

void
human_seconds(struct buf *out, double seconds)
{
	if (seconds < 59.95) {
		buf_printf(out, "%.1f s", seconds > 0 ? seconds : 0);
		return;
	}
	long s = (long)(seconds + 0.5);
	buf_printf(out, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

const char *
human_s(int64_t n)
{
	return n == 1 ? "" : "s";
}

static void
scaled(struct buf *out, double x, double base, const char *const *units)
{
	int k = 0;
	for (; x >= base * ROUND && units[k + 1]; k++)
		x /= base;
	buf_printf(out, "%.*f%s", k > 0, x, units[k]);
}

void
human_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = {" bytes", " KiB", " MiB", " GiB", " TiB", NULL};
	scaled(out, bytes, 1024, units);
}

void
human_count(struct buf *out, double n)
{
	static const char *const units[] = {"", " thousand", " million", " billion", NULL};
	scaled(out, n, 1000, units);
}
