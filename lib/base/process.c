#include "lib/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void
strings_add(struct strings *s, const char *fmt, ...)
{
	va_list ap;
	char *text;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		mem_fail();
	s->v = x_realloc(s->v, (size_t)(s->n + 2) * sizeof *s->v);
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
}

void
strings_free(struct strings *s)
{
	for (int i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strings){0};
}

void
shell_quote(struct buf *out, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "%+,-./:@_";
	if (*s && s[strspn(s, plain)] == '\0') {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '\'');
}

void
shell_command(struct buf *out, const struct strings *argv)
{
	for (int i = 0; i < argv->n; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		shell_quote(out, argv->v[i]);
	}
}

int
program_find(struct buf *path, const char *name, struct err *e)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n > 0) {
		self[n] = '\0';
		char *slash = strrchr(self, '/');
		*(slash ? slash : self) = '\0';
		buf_reset(path);
		buf_printf(path, "%s/%s", self, name);
		if (access(path->data, X_OK) == 0)
			return 0;
	}
	const char *p = getenv("PATH");
	while (p && *p) {
		size_t len = strcspn(p, ":");
		buf_reset(path);
		buf_printf(path, "%.*s/%s", len ? (int)len : 1, len ? p : ".", name);
		if (access(path->data, X_OK) == 0)
			return 0;
		p += len + (p[len] == ':');
	}
	return err_set(e, ERR_UNAVAILABLE, "%s: neither beside this program nor along PATH", name);
}

_Noreturn static void
child(const struct process *p, const sigset_t *mask, pid_t parent, int report)
{
	int in = open("/dev/null", O_RDONLY), why;
	int out = p->out ? open(p->out, O_WRONLY | O_CREAT | O_TRUNC, 0666) : STDOUT_FILENO;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before prctl */
		_exit(ERR_SOFTWARE);
	signal(SIGPIPE, SIG_DFL); /* what we ignore would be ignored there */
	signal(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (in >= 0 && out >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
		if (in > STDERR_FILENO)
			close(in);
		if (out > STDERR_FILENO)
			close(out);
		execv(p->path, p->argv);
	}
	why = errno;
	if (write(report, &why, sizeof why) < 0)
		_exit(ERR_UNAVAILABLE);
	_exit(ERR_UNAVAILABLE);
}

static double
seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The child's exit code; signals are blocked. */
static int
await(pid_t pid, const sigset_t *signals, bool *interrupted)
{
	int status;
	double first = 0;
	for (;;) {
		int sig = sigwaitinfo(signals, NULL);
		bool stop = sig == SIGTERM || sig == SIGINT || sig == SIGHUP;
		if (stop && first == 0) {
			first = seconds();
			*interrupted = true;
			kill(pid, SIGTERM);
		} else if (stop && seconds() > first + 1) {
			kill(pid, SIGKILL);
		}
		pid_t got = waitpid(pid, &status, WNOHANG);
		if (got == pid && WIFEXITED(status))
			return WEXITSTATUS(status);
		if (got == pid && WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
		if (got < 0 && errno != EINTR)
			return ERR_SOFTWARE;
	}
}

/* A blocked signal waits even where it is ignored, as SIGHUP is under nohup(1). */
static void
what_to_wait_for(sigset_t *signals)
{
	static const int stop[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction was;
	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	for (int i = 0; i < 3; i++)
		if (sigaction(stop[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaddset(signals, stop[i]);
}

int
process_run(const struct process *p, bool *interrupted, struct err *e)
{
	sigset_t signals, before;
	int fds[2], why = 0, rc;
	what_to_wait_for(&signals);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, ERR_SOFTWARE, "pipe");
	signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap without telling us */
	sigprocmask(SIG_BLOCK, &signals, &before);
	if (p->stop && p->stop()) { /* from here on one waits for sigwaitinfo */
		*interrupted = true;
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(fds[0]);
		close(fds[1]);
		return ERR_TEMPFAIL;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		child(p, &before, parent, fds[1]);
	why = errno;
	close(fds[1]);
	if (pid < 0) {
		errno = why;
		rc = err_errno(e, ERR_NOMEM, "fork");
	} else if (read(fds[0], &why, sizeof why) == (ssize_t)sizeof why) {
		waitpid(pid, NULL, 0);
		errno = why;
		rc = err_errno(e, ERR_UNAVAILABLE, p->path);
	} else {
		rc = await(pid, &signals, interrupted);
	}
	close(fds[0]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* A limit of the control group at path: 0 when there is none. */
static size_t
group_limit(const char *path)
{
	char text[32] = "";
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	bool read = fgets(text, sizeof text, f) != NULL;
	fclose(f);
	return read ? (size_t)strtoull(text, NULL, 10) : 0; /* "max" is none */
}

size_t
memory_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	size_t least = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0;
	struct rlimit r;
	const size_t others[] = {group_limit("/sys/fs/cgroup/memory.max"),
		group_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
		getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY ? (size_t)r.rlim_cur
									     : 0};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i] > 0 && (least == 0 || others[i] < least))
			least = others[i];
	return least;
}
