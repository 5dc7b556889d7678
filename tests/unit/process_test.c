#include "tests/test.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/process.h"

static int
shell(const char *script, const char *out, bool *interrupted, struct err *e)
{
	char *argv[] = {"sh", "-c", (char *)script, NULL};
	return process_run(&(struct process){"/bin/sh", argv, out, NULL}, interrupted, e);
}

static void
words_survive_a_shell(void)
{
	static const char *const words[] = {"plain/a-b_1.2:@%+,", "", "two words", "it's", "a\nb",
		"$x", "`id`", "*", "~", "a=b", "\\", "\"", "na\u00efve", "#", "!x", "-n"};
	struct strings argv = {0};
	struct buf line = BUF_INIT, got = BUF_INIT, want = BUF_INIT;
	struct err e = {0};
	bool interrupted = false;
	char path[] = "/tmp/pro-process-XXXXXX";
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
	strings_add(&argv, "printf");
	strings_add(&argv, "%%s|");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		strings_add(&argv, "%s", words[i]);
		buf_printf(&want, "%s|", words[i]);
	}
	shell_command(&line, &argv);
	CHECK(strncmp(line.data, "printf '%s|' plain/a-b_1.2:@%+, '' 'two words' 'it'\\''s' ",
		      57) == 0);
	CHECK(shell(line.data, path, &interrupted, &e) == 0);
	CHECK(file_read(path, 1 << 16, &got, &e) == 0);
	CHECK_STR(got.data, want.data);
	remove(path);
	strings_free(&argv);
	buf_free(&line);
	buf_free(&got);
	buf_free(&want);
}

static void
exit_codes_come_back(void)
{
	struct err e = {0};
	bool interrupted = false;
	CHECK(shell("exit 0", NULL, &interrupted, &e) == 0);
	CHECK(shell("exit 65", NULL, &interrupted, &e) == 65);
	CHECK(shell("kill -9 $$", NULL, &interrupted, &e) == 128 + 9);
	CHECK(shell("read x", NULL, &interrupted, &e) == 1); /* its input is empty */
	CHECK(!interrupted);
	char *argv[] = {"none", NULL};
	CHECK(process_run(&(struct process){"/nonexistent/none", argv, NULL, NULL}, &interrupted,
		      &e) == -1);
	CHECK(e.code == ERR_UNAVAILABLE && strstr(e.msg, "/nonexistent/none: No such file"));
	CHECK(shell("exit 0", "/nonexistent/out", &interrupted, &e) == -1);
	/* A parent that ignores SIGCHLD still learns the code. */
	signal(SIGCHLD, SIG_IGN);
	CHECK(shell("exit 3", NULL, &interrupted, &e) == 3);
}

/* Sends sig to this process, twice when again (seconds later), from a process of its own. */
static pid_t
send_later(int sig, double again)
{
	pid_t us = getpid(), pid = fork();
	if (pid == 0) {
		usleep(300000);
		kill(us, sig);
		if (again > 0) {
			usleep((useconds_t)(again * 1e6));
			kill(us, sig);
		}
		_exit(0);
	}
	return pid;
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
signals_are_passed_on(void)
{
	static const int sigs[] = {SIGTERM, SIGINT};
	for (int i = 0; i < 2; i++) {
		struct err e = {0};
		bool interrupted = false;
		send_later(sigs[i], 0.1); /* the second one comes too soon to kill */
		CHECK(shell("trap 'sleep 0.5; exit 75' TERM; while :; do sleep 0.05; done", NULL,
			      &interrupted, &e) == 75);
		CHECK(interrupted);
	}
	struct err e = {0};
	bool interrupted = false;
	double start = now();
	send_later(SIGTERM, 1.3);
	CHECK(shell("trap '' TERM; i=0; while [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done",
		      NULL, &interrupted, &e) == 128 + 9);
	CHECK(interrupted && now() - start < 8);
}

/* A killed parent takes its program with it. */
static void
nothing_outlives_its_parent(void)
{
	char path[] = "/tmp/pro-process-XXXXXX", script[128];
	struct stat before, after;
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
	snprintf(script, sizeof script, "while :; do echo x >>%s; sleep 0.02; done", path);
	pid_t pid = fork();
	if (pid == 0) {
		struct err e;
		bool interrupted = false;
		shell(script, NULL, &interrupted, &e);
		_exit(0);
	}
	usleep(500000);
	kill(pid, SIGKILL);
	usleep(200000);
	CHECK(stat(path, &before) == 0 && before.st_size > 0);
	usleep(300000);
	CHECK(stat(path, &after) == 0 && after.st_size == before.st_size);
	remove(path);
}

static void
programs_are_found(void)
{
	struct buf path = BUF_INIT;
	struct err e = {0};
	CHECK(program_find(&path, "process_test", &e) == 0); /* beside us: us */
	CHECK(path.data[0] == '/' && strstr(path.data, "/tests/unit/process_test"));
	CHECK(program_find(&path, "sh", &e) == 0);
	CHECK(access(path.data, X_OK) == 0);
	CHECK(program_find(&path, "no-such-program", &e) < 0 && e.code == ERR_UNAVAILABLE);
	buf_free(&path);
}

int
main(void)
{
	RUN(words_survive_a_shell);
	RUN(exit_codes_come_back);
	RUN(signals_are_passed_on);
	RUN(nothing_outlives_its_parent);
	RUN(programs_are_found);
	TEST_END;
}
