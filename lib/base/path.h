#ifndef PRO_BASE_PATH_H
#define PRO_BASE_PATH_H

#include <stdbool.h>

#include "lib/base/err.h"

/*
 * Names of folders that are to be made.  The caller's: free it.
 *
 * path_clean: the same place in a spelling to which a suffix can be put (".checkpoints"), that
 * rename(2) takes, and that no program takes for an option: without slashes at its end ("new/",
 * "new/."), with "./" before a dash; "." and what ends in ".." by its real name.
 */
char *path_clean(const char *path);

/* True when path is dir or lies in it, whatever links and spellings lead there.  Neither need
 * exist. */
bool path_within(const char *path, const char *dir);

/*
 * ERR_USAGE when path, which `what` names ("--model"), is the folder that --out will replace, or
 * lies in it, or in OUT + suffix, where the work is.  path NULL or "-": 0.
 */
int path_apart(
	const char *what, const char *path, const char *out, const char *suffix, struct err *e);

#endif
