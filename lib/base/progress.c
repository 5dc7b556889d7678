#include "lib/base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"

double
clock_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
progress_init(struct progress *p, const char *name, const char *unit, int64_t total, bool quiet)
{
	*p = (struct progress){.on = !quiet && isatty(STDERR_FILENO),
		.name = name,
		.unit = unit,
		.total = total,
		.start = clock_seconds()};
}

void
progress_set(struct progress *p, int64_t done)
{
	p->done = done;
	if (!p->on)
		return;
	double now = clock_seconds(), spent = now - p->start;
	if (now - p->drawn < 0.2)
		return;
	p->drawn = now;
	double rate = spent > 0 ? (double)done / spent : 0;
	struct buf b = BUF_INIT;
	buf_printf(&b, "\r\033[K%s: %lld", p->name, (long long)done);
	if (p->total >= 0)
		buf_printf(&b, " of %lld", (long long)p->total);
	buf_printf(&b, " %s, %.1f/s", p->unit, rate);
	if (p->total >= 0 && rate > 0) {
		long left = (long)((double)(p->total - done) / rate);
		buf_printf(&b, ", %ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
	}
	fwrite(b.data, 1, b.len, stderr); /* one write: programs of a pipe share the terminal */
	buf_free(&b);
}

void
progress_end(struct progress *p)
{
	if (p->on && p->drawn > 0)
		fputs("\r\033[K", stderr);
	p->on = false;
}
