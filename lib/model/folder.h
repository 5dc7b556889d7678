#ifndef PRO_MODEL_FOLDER_H
#define PRO_MODEL_FOLDER_H

#include "lib/model/config.h"

/*
 * New model folders.  A folder is filled under a temporary name beside its own and renamed when it
 * is finished: it appears whole or not at all, and never replaces one that is there.
 */

struct folder {
	char *dir, *tmp; /* its name, and where it is filled; tmp NULL: not begun */
	int lock;        /* held, see base/leftover.h */
};

/* ERR_CANTCREAT when dir exists already or cannot be made.  What a killed run left is removed. */
int folder_begin(struct folder *f, const char *dir, struct err *e);
/* rc 0: gives the folder its name.  rc < 0: removes it, keeping e as it is.  Frees f, which need
 * not have been begun (then -1).  Returns rc, or -1. */
int folder_end(struct folder *f, int rc, struct err *e);

/* Writes one small file into a folder. */
int folder_write(const char *dir, const char *name, const struct buf *text, struct err *e);
/* Appends "name -> where, ..." for those of the files names (NULL-terminated) that are links to
 * somewhere outside of dir: what a copy would take from there. */
void folder_links(const char *dir, const char *const *names, struct buf *out);
/* Copies those of the files names (NULL-terminated) that from has. */
int folder_copy(const char *from, const char *to, const char *const *names, struct err *e);

/* What a tokenizer knows, for a configuration that leaves it open. */
struct folder_defaults {
	int vocab;        /* 0: not known */
	int32_t bos, eos; /* -1: none */
};

/* Reads the configuration at path; vocab_size (absent, null or 0), bos_token_id and eos_token_id
 * (absent) are filled in from d.  ERR_CONFIG when vocab_size is below d's. */
int folder_config(
	struct model_config *c, const char *path, const struct folder_defaults *d, struct err *e);

#endif
