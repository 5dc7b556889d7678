#include "lib/base/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/streams.h"

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

/*
 * Who draws: a program that has something to show holds a lock of fcntl(2) on the terminal, at a
 * place given by its process group and, in it, its own number; who sees one behind its own is
 * silent.  A shell starts the programs of a pipe from left to right.  The system lets go of what a
 * killed program held, and where there are no such locks all draw.
 */
enum { PLACES = 1 << 22 }; /* PID_MAX_LIMIT of Linux's include/linux/threads.h */

static struct flock
place(short type, off_t first, off_t n)
{
	return (struct flock){.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)getpgrp() * PLACES + first,
		.l_len = n};
}

static void
claim(short type)
{
	struct flock own = place(type, getpid(), 1);
	fcntl(STDERR_FILENO, F_SETLK, &own);
}

static bool
other_draws(void)
{
	off_t behind = (off_t)getpid() + 1;
	struct flock others = place(F_WRLCK, behind, PLACES - behind);
	return behind < PLACES && fcntl(STDERR_FILENO, F_GETLK, &others) == 0 &&
	       others.l_type != F_UNLCK;
}

/* The line, which is ASCII, must not go on below: that would not be wiped. */
static void
cut_to_terminal(struct buf *b, size_t from)
{
	int columns = streams_columns();
	if (columns > 1 && b->len - from > (size_t)columns - 1)
		b->len = from + (size_t)columns - 1;
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
	if (p->terminal && p->drawn == 0)
		claim(F_WRLCK);
	p->drawn = now;
	if (p->terminal && other_draws())
		return;
	double rate = spent > 0 ? (double)done / spent : 0;
	struct buf b = BUF_INIT;
	buf_puts(&b, p->terminal ? "\r\033[K" : "");
	size_t from = b.len;
	buf_printf(&b, "%s: %lld", p->name, (long long)done);
	if (p->total >= 0)
		buf_printf(&b, " of %lld", (long long)p->total);
	buf_printf(&b, " %s, %.1f/s", p->unit, rate);
	if (p->total >= 0 && rate > 0) {
		put_left(&b, (double)(p->total - done) / rate);
	} else if (p->total < 0 && p->share > 0) {
		buf_printf(&b, ", %.0f %%", 100 * p->share);
		put_left(&b, spent * (1 - p->share) / p->share);
	}
	if (p->terminal)
		cut_to_terminal(&b, from);
	else
		buf_putc(&b, '\n');
	fwrite(b.data, 1, b.len, stderr); /* one write: programs of a pipe share the terminal */
	if (p->terminal)
		streams_line_drawn();
	buf_free(&b);
}

void
progress_end(struct progress *p)
{
	if (p->on && p->terminal && p->drawn > 0) {
		if (!other_draws())
			fputs("\r\033[K", stderr);
		claim(F_UNLCK);
	}
	p->on = false;
}
