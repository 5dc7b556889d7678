#include "lib/base/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_MS = 500, SAME_WISH_MS = 500 };

static volatile sig_atomic_t interrupted;
static bool caught, line_drawn, out_is_terminal;
static int64_t deadline_ms; /* of writes that wait, once interrupted; 0: not yet */

static const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP};
enum { N_STOP = sizeof stop_signals / sizeof *stop_signals };

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Waits until fd takes something; false when the program is to stop and it does not.  The signals
 * are blocked between the look at the flag and the wait, or one that comes just then would be slept
 * through.
 */
static bool
writable(int fd)
{
	sigset_t stop, before;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	sigemptyset(&stop);
	for (int i = 0; i < N_STOP; i++)
		sigaddset(&stop, stop_signals[i]);
	for (;;) {
		struct timespec left = {0, 0};
		sigprocmask(SIG_BLOCK, &stop, &before);
		if (interrupted) {
			int64_t now = now_ms();
			if (deadline_ms == 0)
				deadline_ms = now + GRACE_MS;
			if (now < deadline_ms)
				left.tv_nsec = (long)(deadline_ms - now) * 1000000;
		}
		int rc = ppoll(&p, 1, interrupted ? &left : NULL, &before), why = errno;
		sigprocmask(SIG_SETMASK, &before, NULL);
		if (rc > 0)
			return true;
		if (rc == 0) {
			errno = EINTR;
			return false;
		}
		if (why != EINTR)
			return true; /* write(2) will tell */
	}
}

/* What poll(2) promises is room for PIPE_BUF bytes (pipe(7)); more could block. */
static size_t
put(int fd, const char *p, size_t n)
{
	size_t done = 0;
	while (done < n) {
		size_t some = n - done;
		if (caught) {
			if (!writable(fd))
				break;
			some = some < PIPE_BUF ? some : PIPE_BUF;
		}
		ssize_t got = write(fd, p + done, some);
		if (got >= 0)
			done += (size_t)got;
		else if (errno == EAGAIN && !writable(fd))
			break;
		else if (errno != EINTR && errno != EAGAIN)
			break;
	}
	return done;
}

/* To standard output, behind no half line of progress when that is a terminal. */
static size_t
put_behind_line(const char *p, size_t n)
{
	static const char wipe[] = "\r\033[K";
	if (line_drawn && out_is_terminal)
		put(STDERR_FILENO, wipe, sizeof wipe - 1);
	line_drawn = false;
	return put(STDOUT_FILENO, p, n);
}

static ssize_t
put_out(void *cookie, const char *p, size_t n)
{
	(void)cookie;
	return (ssize_t)put_behind_line(p, n);
}

static ssize_t
put_err(void *cookie, const char *p, size_t n)
{
	(void)cookie;
	return (ssize_t)put(STDERR_FILENO, p, n);
}

static int
close_out(void *cookie)
{
	(void)cookie;
	return close(STDOUT_FILENO);
}

size_t
streams_write(const void *p, size_t n)
{
	return fflush(stdout) == EOF ? 0 : put_behind_line(p, n);
}

void
streams_line_drawn(void)
{
	line_drawn = true;
}

void
streams_open(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
			_exit(74); /* no /dev/null: nothing can be said either */
	signal(SIGXFSZ, SIG_IGN);
	out_is_terminal = isatty(STDOUT_FILENO) != 0;
	FILE *out = fopencookie(
		     NULL, "w", (cookie_io_functions_t){.write = put_out, .close = close_out}),
	     *err = fopencookie(NULL, "w", (cookie_io_functions_t){.write = put_err});
	if (out) {
		setvbuf(out, NULL, out_is_terminal ? _IOLBF : _IOFBF, BUFSIZ);
		stdout = out;
	}
	if (err) {
		setvbuf(err, NULL, _IONBF, 0);
		stderr = err;
	}
}

static const char *first_said = "";
static int64_t first_ms;

/* The same wish may come twice: timeout(1) signals the program and then its group. */
static void
on_signal(int sig)
{
	int why = errno;
	if (!interrupted) {
		first_ms = now_ms();
		if (*first_said && write(STDERR_FILENO, first_said, strlen(first_said)) < 0)
			first_said = ""; /* nobody hears it */
		interrupted = 1;
	} else if (now_ms() - first_ms >= SAME_WISH_MS) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	errno = why;
}

void
streams_catch_signals(const char *said)
{
	first_said = said;
	struct sigaction sa = {.sa_handler = on_signal}, was; /* no SA_RESTART: reads return */
	for (int i = 0; i < N_STOP; i++)
		if (sigaction(stop_signals[i], NULL, &was) == 0 &&
			(was.sa_handler != SIG_IGN || stop_signals[i] != SIGHUP))
			sigaction(stop_signals[i], &sa, NULL);
	caught = true;
}

bool
streams_interrupted(void)
{
	return interrupted != 0;
}

void
streams_ignore_pipe(void)
{
	signal(SIGPIPE, SIG_IGN);
}

int
streams_columns(void)
{
	struct winsize w;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}
