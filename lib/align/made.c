#include "lib/align/made.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/text/tokenizer.h"

/* pro-train's own, beside the tokenizer's (lib/model/save.c, lib/align/checkpoint.c). */
static const char *const own[] = {"config.json", "model.safetensors", "generation_config.json",
	"pro.json", "optimizer.safetensors", "state.json", NULL};

static bool
is_in(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static bool
is_ours(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_in(own, name) ||
	       is_in(tokenizer_files(), name);
}

int
made_check(const char *dir, const char *by, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = 0;
	if (!file_exists(dir))
		return 0;
	DIR *d = dir_open(dir);
	if (d == NULL || !file_exists(path_join(&path, dir, "pro.json")))
		rc = err_set(e, ERR_CANTCREAT, "%s: exists and was not made by %s", dir, by);
	errno = 0;
	for (struct dirent *de; d && rc == 0 && (de = readdir(d)); errno = 0)
		if (!is_ours(de->d_name))
			rc = err_set(e, ERR_CANTCREAT,
				"%s/%s: was not made by %s, which replaces %s: move it away", dir,
				de->d_name, by, dir);
	if (rc == 0 && errno != 0) /* what was not seen might be of others */
		rc = err_errno(e, ERR_IO, dir);
	if (d)
		closedir(d);
	buf_free(&path);
	return rc;
}

bool
made_numbered(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(name, prefix, n) == 0 && name[n] &&
	       name[n + strspn(name + n, "0123456789")] == '\0';
}
