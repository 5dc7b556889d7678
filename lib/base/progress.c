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
progress_init(struct progress *p, const char *name, const char *unit, int64_t total, bool quiet,
	int64_t interval)
{
	double now = clock_seconds();
	bool terminal = isatty(STDERR_FILENO);
	*p = (struct progress){.on = !quiet && (terminal || interval > 0),
		.terminal = terminal,
		.name = name,
		.unit = unit,
		.total = total,
		.share = -1,
		.interval = terminal ? 0.2 : (double)interval,
		.start = now,
		.drawn = terminal ? 0 : now};
}

void
progress_bytes(struct progress *p, int64_t done, int64_t total)
{
	p->share = total > 0 && done <= total ? (double)done / (double)total : -1;
}

static void
put_left(struct buf *b, double seconds)
{
	long left = (long)seconds;
	buf_printf(b, ", %ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
}

void
progress_set(struct progress *p, int64_t done)
{
	p->done = done;
	if (!p->on)
		return;
	double now = clock_seconds(), spent = now - p->start;
	if (now - p->drawn < p->interval)
		return;
	p->drawn = now;
	double rate = spent > 0 ? (double)done / spent : 0;
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s%s: %lld", p->terminal ? "\r\033[K" : "", p->name, (long long)done);
	if (p->total >= 0)
		buf_printf(&b, " of %lld", (long long)p->total);
	buf_printf(&b, " %s, %.1f/s", p->unit, rate);
	if (p->total >= 0 && rate > 0) {
		put_left(&b, (double)(p->total - done) / rate);
	} else if (p->total < 0 && p->share > 0) {
		buf_printf(&b, ", %.0f %%", 100 * p->share);
		put_left(&b, spent * (1 - p->share) / p->share);
	}
	if (!p->terminal)
		buf_putc(&b, '\n');
	fwrite(b.data, 1, b.len, stderr); /* one write: programs of a pipe share the terminal */
	buf_free(&b);
}

void
progress_end(struct progress *p)
{
	if (p->on && p->terminal && p->drawn > 0)
		fputs("\r\033[K", stderr);
	p->on = false;
}
