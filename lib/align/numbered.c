#include "lib/align/numbered.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"

/* Number of "PREFIX-N"; -1 for any other name. */
static int64_t
folder_number(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	if (strncmp(name, prefix, n) != 0 || name[n] < '0' || name[n] > '9' ||
		strlen(name) > n + 18)
		return -1;
	char *end;
	long long v = strtoll(name + n, &end, 10);
	return *end ? -1 : v;
}

int
numbered_list(const char *dir, const char *prefix, int64_t **v)
{
	int n = 0, cap = 0;
	*v = NULL;
	DIR *d = dir_open(dir);
	if (d == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	errno = 0;
	for (struct dirent *de; (de = readdir(d)); errno = 0) {
		int64_t x = folder_number(de->d_name, prefix);
		if (x < 0)
			continue;
		if (n == cap)
			*v = x_realloc(*v, (size_t)(cap = 2 * cap + 8) * sizeof **v);
		int i = n++;
		for (; i > 0 && (*v)[i - 1] < x; i--)
			(*v)[i] = (*v)[i - 1];
		(*v)[i] = x;
	}
	int why = errno;
	closedir(d);
	if (why == 0)
		return n;
	free(*v);
	*v = NULL;
	errno = why;
	return -1;
}
