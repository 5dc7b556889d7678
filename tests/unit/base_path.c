/* Names of what is to be made, what is left of killed runs, and files that change under us. */
#include "lib/base/path.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/leftover.h"
#include "tests/test.h"

static char dir[] = "/tmp/pro-path-XXXXXX";
static char real[4096];

static void
clean(void)
{
	static const char *const names[][2] = {{"new", "new"}, {"new/", "new"}, {"new///", "new"},
		{"./new/", "./new"}, {"new/.", "new"}, {"new/./", "new"}, {"-new", "./-new"},
		{"--", "./--"}, {"-a/b/", "./-a/b"}, {"a/-b", "a/-b"}, {"/", "/"}, {"///", "/"},
		{"a//b", "a//b"}, {".hidden", ".hidden"}, {"a..", "a.."}, {"a/b..", "a/b.."}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *got = path_clean(names[i][0]);
		CHECK_STR(got, names[i][1]);
		free(got);
	}
	char *here = path_clean("."), *dots = path_clean("a/..");
	CHECK_STR(here, real);
	CHECK_STR(dots, real);
	free(here);
	free(dots);
}

static void
within(void)
{
	/* a/b/f, link -> a, deep -> a/b */
	CHECK(mkdir("a", 0777) == 0 && mkdir("a/b", 0777) == 0 && mkdir("ab", 0777) == 0);
	CHECK(symlink("a", "link") == 0 && symlink("a/b", "deep") == 0);
	struct err e = {0};
	CHECK(file_write("a/b/f", "x", 1, &e) == 0);
	static const char *const in[][2] = {{"a", "a"}, {"a/", "a"}, {"./a", "a"}, {"a/b", "a"},
		{"a/b/f", "a"}, {"link", "a"}, {"a", "link"}, {"link/b/f", "a"}, {"deep", "a"},
		{"deep/f", "link"}, {"a/../a/b", "a"}, {"a/none", "a"}, {"a/none/x", "link"},
		{"none", "none"}, {"none/", "./none"}, {"none/x", "none"}, {"ab/../none", "none"}};
	for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
		CHECK(path_within(in[i][0], in[i][1]));
		if (!path_within(in[i][0], in[i][1]))
			printf("# %s in %s\n", in[i][0], in[i][1]);
	}
	static const char *const out[][2] = {{"ab", "a"}, {"a", "a/b"}, {"a", "ab"},
		{"nonesuch", "none"}, {"/", "a"}, {"/tmp", "a"}, {"..", "a"}, {".", "a"},
		{"link/../ab", "a"}, {"none", "a"}};
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		CHECK(!path_within(out[i][0], out[i][1]));
	char absolute[5000];
	snprintf(absolute, sizeof absolute, "%s/a/b", real);
	CHECK(path_within(absolute, "link") && path_within("deep", absolute));
	CHECK(path_apart("--model", NULL, "a", ".work", &e) == 0);
	CHECK(path_apart("--model", "-", "a", ".work", &e) == 0);
	CHECK(path_apart("--model", "ab", "a", ".work", &e) == 0);
	CHECK(path_apart("--model", "link", "a", ".work", &e) == -1 && e.code == ERR_USAGE);
	CHECK(strstr(e.msg, "--model link is --out a") != NULL);
	CHECK(path_apart("x", "deep/f", "a", ".work", &e) == -1 && strstr(e.msg, "is in --out a"));
	CHECK(path_apart("x", "a.work/y", "a", ".work", &e) == -1 && strstr(e.msg, "a.work"));
}

static void
leftovers(void)
{
	struct err e = {0};
	struct buf mine = BUF_INIT;
	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	waitpid(dead, NULL, 0);
	leftover_name(&mine, "left", "tmp");
	char file[100], folder[100], held[100], old[100];
	snprintf(file, sizeof file, "left.tmp-pro-%d", (int)dead);
	snprintf(folder, sizeof folder, "left2.tmp-pro-%d", (int)dead);
	snprintf(held, sizeof held, "left3.tmp-pro-%d", (int)dead);
	snprintf(old, sizeof old, "left4.old-pro-%d", (int)dead);
	static const char *const others[] = {"left.tmp-pro-", "left.tmp-pro-x", "left.tmp1",
		"left.tmp-pro-1x", "leftish.tmp-pro-1", "left"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		close(open(others[i], O_CREAT | O_WRONLY, 0666));
	close(open(file, O_CREAT | O_WRONLY, 0666));
	close(open(mine.data, O_CREAT | O_WRONLY, 0666));
	CHECK(dir_make(folder, &e) == 0 && dir_make(old, &e) == 0);
	int fd = open(held, O_CREAT | O_WRONLY, 0666);
	CHECK(leftover_hold(fd) == 0);
	for (int i = 0; i < 4; i++)
		leftover_sweep(i == 0 ? "left" : i == 1 ? "./left2" : i == 2 ? "left3" : "left4");
	CHECK(!file_exists(file) && !file_exists(folder));
	CHECK(file_exists(mine.data)); /* we live */
	CHECK(file_exists(held));      /* somebody has it */
	CHECK(file_exists(old));       /* there is nothing else under the name */
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(file_exists(others[i]));
	close(fd);
	leftover_sweep("left3");
	CHECK(!file_exists(held));
	buf_free(&mine);
}

static void
links_and_pipes(void)
{
	struct err e = {0};
	struct stat st;
	struct buf text = BUF_INIT;
	CHECK(file_write("target", "old", 3, &e) == 0 && symlink("target", "to") == 0);
	CHECK(file_write("to", "new", 3, &e) == 0);
	CHECK(lstat("to", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(file_read("target", 10, &text, &e) == 0);
	CHECK_STR(text.data, "new");
	buf_free(&text);
	CHECK(symlink("nothing", "dangling") == 0 && file_exists("dangling"));
	struct map m;
	CHECK(mkfifo("fifo", 0666) == 0);
	CHECK(map_open(&m, "fifo", &e) == -1 && e.code == ERR_NOINPUT);
	CHECK(file_read("fifo", 10, &text, &e) == -1 && e.code == ERR_NOINPUT);
	CHECK(file_read("/dev/zero", 10, &text, &e) == -1 && e.code == ERR_NOINPUT);
	CHECK(file_read(".", 10, &text, &e) == -1 && e.code == ERR_NOINPUT);
	CHECK(file_read("dangling", 10, &text, &e) == -1 && e.code == ERR_NOINPUT);
	buf_free(&text);
}

static void
taken_names(void)
{
	struct err e = {0};
	CHECK(dir_make("one", &e) == 0 && dir_make("two", &e) == 0);
	CHECK(file_write("two/mine", "x", 1, &e) == 0);
	CHECK(dir_publish("one", "two", &e) == -1 && e.code == ERR_CANTCREAT);
	CHECK(file_exists("two/mine") && file_exists("one"));
	CHECK(dir_publish("one", "three", &e) == 0 && file_exists("three"));
}

static void
changed_maps(void)
{
	struct err e = {0};
	struct map m;
	size_t n = 40000;
	char *bytes = x_calloc(n, 1);
	memset(bytes, 'a', n);
	CHECK(file_write("map", bytes, n, &e) == 0 && map_open(&m, "map", &e) == 0);
	CHECK(map_check(&m, &e) == 0);
	/* under another name, and another file under this one: ours stays what it was */
	CHECK(rename("map", "moved") == 0 && file_write("map", "b", 1, &e) == 0);
	CHECK(map_check(&m, &e) == 0 && m.data[n - 1] == 'a');
	CHECK(truncate("moved", 10) == 0);
	CHECK(map_check(&m, &e) == -1 && e.code == ERR_IO);
	/* of the page that is half there the rest is zeros; those behind are a SIGBUS */
	volatile char last = m.data[n - 1];
	CHECK(last == 0 && m.data[9] == 'a' && m.data[10] == 0);
	CHECK(map_finish(&m, 7, &e) == -1 && strstr(e.msg, "changed while it was in use"));
	CHECK(map_open(&m, "map", &e) == 0 && map_finish(&m, 7, &e) == 7);
	free(bytes);
}

int
main(void)
{
	map_guard();
	if (mkdtemp(dir) == NULL || chdir(dir) < 0 || realpath(".", real) == NULL)
		return 1;
	RUN(within);
	RUN(clean);
	RUN(leftovers);
	RUN(links_and_pipes);
	RUN(taken_names);
	RUN(changed_maps);
	dir_remove(dir, NULL);
	TEST_END;
}
