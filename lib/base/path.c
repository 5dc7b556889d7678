#include "lib/base/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"

static bool
ends_with(const char *s, size_t n, const char *end)
{
	size_t k = strlen(end);
	return n >= k && memcmp(s + n - k, end, k) == 0;
}

char *
path_clean(const char *path)
{
	struct buf b = BUF_INIT;
	char real[PATH_MAX];
	if (*path == '-')
		buf_puts(&b, "./");
	buf_puts(&b, path);
	for (;;) {
		if (b.len > 1 && b.data[b.len - 1] == '/')
			b.len--;
		else if (b.len > 2 && ends_with(b.data, b.len, "/."))
			b.len -= 2;
		else
			break;
	}
	b.data[b.len] = '\0';
	bool dots = strcmp(b.data, ".") == 0 || strcmp(b.data, "..") == 0 ||
		    ends_with(b.data, b.len, "/..");
	if (dots && realpath(b.data, real)) {
		buf_reset(&b);
		buf_puts(&b, real);
	}
	return b.data;
}

/* The real name of what need not exist: of the part that does, and the rest as it is. */
static char *
real_name(const char *path)
{
	char *clean = path_clean(path), real[PATH_MAX];
	struct buf out = BUF_INIT;
	size_t n = strlen(clean);
	for (;;) {
		char saved = clean[n];
		clean[n] = '\0';
		bool there = realpath(n > 0 ? clean : *path == '/' ? "/" : ".", real) != NULL;
		clean[n] = saved;
		if (there || n == 0)
			break;
		while (n > 0 && clean[n - 1] != '/')
			n--;
		while (n > 0 && clean[n - 1] == '/')
			n--;
	}
	buf_puts(&out, real);
	const char *rest = clean + n + strspn(clean + n, "/");
	if (*rest)
		buf_printf(&out, "%s%s", strcmp(real, "/") == 0 ? "" : "/", rest);
	free(clean);
	return out.data;
}

bool
path_within(const char *path, const char *dir)
{
	char *p = real_name(path), *d = real_name(dir);
	struct stat want, st;
	bool found = false, there = stat(d, &want) == 0;
	for (size_t n = strlen(p); !found && n > 0;) {
		p[n] = '\0';
		/* by number too: a folder may be mounted twice */
		found = strcmp(p, d) == 0 ||
			(there && stat(p, &st) == 0 && st.st_dev == want.st_dev &&
				st.st_ino == want.st_ino);
		while (n > 0 && p[n - 1] != '/')
			n--;
		n -= n > 1;
		if (n == 1)
			break; /* the root */
	}
	free(p);
	free(d);
	return found;
}

int
path_apart(const char *what, const char *path, const char *out, const char *suffix, struct err *e)
{
	struct buf work = BUF_INIT;
	if (path == NULL || strcmp(path, "-") == 0)
		return 0;
	buf_printf(&work, "%s%s", out, suffix);
	int rc = 0;
	if (path_within(path, out))
		rc = err_set(e, ERR_USAGE, "%s %s is%s --out %s, which is to be replaced", what,
			path, path_within(out, path) ? "" : " in", out);
	else if (path_within(path, work.data))
		rc = err_set(e, ERR_USAGE, "%s %s is in %s, where --out %s is worked on", what,
			path, work.data, out);
	buf_free(&work);
	return rc;
}
