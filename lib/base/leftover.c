#include "lib/base/leftover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/base/file.h"

void
leftover_name(struct buf *out, const char *path, const char *kind)
{
	buf_printf(out, "%s.%s-pro-%ld", path, kind, (long)getpid());
}

int
leftover_hold(int fd)
{
	return TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB));
}

/* The process behind "BASE.tmp-pro-PID"; 0 for any other name. */
static pid_t
owner(const char *name, const char *base, bool *old)
{
	size_t n = strlen(base);
	if (strncmp(name, base, n) != 0)
		return 0;
	*old = strncmp(name + n, ".old-pro-", 9) == 0;
	if (!*old && strncmp(name + n, ".tmp-pro-", 9) != 0)
		return 0;
	const char *number = name + n + 9;
	size_t digits = strspn(number, "0123456789");
	return digits == 0 || digits > 9 || number[digits] ? 0 : (pid_t)strtol(number, NULL, 10);
}

static bool
is_held(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return true;
	bool held = leftover_hold(fd) < 0;
	close(fd);
	return held;
}

void
leftover_sweep(const char *path)
{
	char *a = x_strdup(path), *b = x_strdup(path);
	const char *dir = dirname(a), *base = basename(b);
	struct buf name = BUF_INIT;
	DIR *d = dir_open(dir);
	for (struct dirent *de; d && (de = readdir(d));) {
		bool old;
		pid_t pid = owner(de->d_name, base, &old);
		if (pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH || (old && !file_exists(path)))
			continue;
		if (!is_held(path_join(&name, dir, de->d_name)))
			dir_remove(name.data, NULL);
	}
	if (d)
		closedir(d);
	buf_free(&name);
	free(a);
	free(b);
}
