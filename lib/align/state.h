#ifndef PRO_ALIGN_STATE_H
#define PRO_ALIGN_STATE_H

#include "lib/base/err.h"
#include "lib/stream/json.h"

/*
 * state.json of a checkpoint: where a run was, what it was made from, and the SHA-256 of the other
 * files of its folder and of itself.  It may have been written by anyone: everything is checked by
 * type and range before it is used.
 */
struct train_state {
	int64_t step;      /* updates done: 0 .. total */
	int64_t total;     /* updates of the whole run: 1 .. */
	int64_t tokens;    /* trained so far: 0 .. */
	int64_t evaluated; /* last step validated: 0 .. step; -1: none */
	int64_t best_step; /* 1 .. evaluated; -1: no validation beat another yet */
	double best_reward;
	char data_hash[65], model_hash[65];
	const char *settings; /* "name value\n" lines: what must be equal to go on; borrowed */
	const char *kernels;  /* struct kernels' path: what its bits depend on; borrowed */
	const char *unlogged; /* the end of the log that could not be written; borrowed */
};

/* A state that was read; strings are borrowed from json. */
struct saved_state {
	struct train_state s;
	json_t *json, *files; /* files: name -> hash */
};

/* state.json's text, of a folder whose other files have these hashes; takes files. */
void state_write(const struct train_state *s, json_t *files, struct buf *out);
/*
 * Reads dir/state.json.  ERR_DATA: it is not what was written, or a member is missing, of another
 * type or out of range; ERR_CONFIG: of another version; ERR_NOINPUT, ERR_IO.  On error x is empty.
 */
int state_read(struct saved_state *x, const char *dir, struct err *e);
/* safe on one that is empty */
void state_free(struct saved_state *x);

#endif
