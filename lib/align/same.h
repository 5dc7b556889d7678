#ifndef PRO_ALIGN_SAME_H
#define PRO_ALIGN_SAME_H

#include "lib/base/err.h"

/*
 * Whether two runs are the same: `was` and `now` are "name value\n" lines, in which no value has a
 * newline (cli_describe, run_settings).  The line of the name `but` (NULL: none) may differ.
 * ERR_CONFIG names the first that does.
 */
int settings_same(const char *was, const char *now, const char *but, struct err *e);

/*
 * Whether the model in out_dir is what this run would make: its pro.json is compared with meta
 * (run_describe), all but where things lie and how a run is watched.  ERR_CONFIG names the first
 * that differs; ERR_DATA, ERR_NOINPUT and ERR_IO for a pro.json that cannot be read.
 */
int model_same(const char *out_dir, const char *meta, struct err *e);

#endif
