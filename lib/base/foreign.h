#ifndef PRO_BASE_FOREIGN_H
#define PRO_BASE_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/*
 * What stands where a model folder was looked for.  A name on the hub, a GGUF file, a LoRA adapter
 * or a folder of pickled weights is what people hand over first; "No such file or directory"
 * tells none of them what to do.
 */

/*
 * dir has no file wanted (its plain name), or is not there at all: ERR_NOINPUT that says what dir
 * is instead and the way from there to a folder that can be opened.  Returns -1.
 */
int foreign_explain(const char *dir, const char *wanted, struct err *e);

/*
 * True for the text that a clone without git-lfs has in place of a large file: it begins with its
 * version line, as the Git LFS specification demands (docs/spec.md of git-lfs).
 */
bool foreign_is_lfs(const char *data, size_t n);
#define FOREIGN_LFS "%s: a Git LFS pointer, not the file itself; fetch it with git lfs pull"

#endif
