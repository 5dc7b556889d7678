#ifndef PRO_ALIGN_CHECKPOINT_H
#define PRO_ALIGN_CHECKPOINT_H

#include "lib/align/optim.h"
#include "lib/align/state.h"
#include "lib/base/file.h"
#include "lib/model/model.h"

/*
 * What a training run leaves on disk.  OUT appears whole, at the end.  Until then everything lies
 * in OUT.checkpoints, on the same file system:
 *
 *	step-N/	model folder (F32, with its tokenizer), optimizer.safetensors (m, v), state.json
 *	best-N/	model folder of the best validation so far
 *	tmp-X/	being written; never read, removed at the next start
 *	source/	the base model's small files, while a run is at work: its folder may go
 *	finished	OUT is there; only where the checkpoints are kept
 *
 * Every folder is written under tmp-X, fsync'ed and renamed; state.json has the SHA-256 of the
 * other files, which is checked at load.  So a run that is killed at any moment finds its last
 * finished checkpoint, and one that has rotted is passed over.
 */
struct checkpoints {
	char *out, *dir;
	bool finished;          /* the marker was there */
	bool go_on;             /* resume, and there is a checkpoint to go on from */
	bool done;              /* resume, and OUT is there without checkpoints */
	int lock;               /* directory descriptor, flock'ed: one run at a time */
	int limit;              /* step-N folders kept; at least 1 */
	const char *source_dir; /* gives tokenizer files and config.json; borrowed */
	char *source;           /* our copy of those, from checkpoints_begin on */
	const char *meta;       /* text of pro.json beside every model; borrowed */
	size_t meta_n;
	const char *chat_template; /* text of chat_template.jinja beside every model; borrowed;
				    * NULL: what source_dir has */
	bool other_bits; /* checkpoint_load: one made by other kernels will do, with a note */
};

/*
 * Claims OUT.checkpoints (made when missing).  A run that was not finished is there: ERR_CANTCREAT,
 * unless resume, or overwrite, which lets checkpoints_begin discard it.  resume begins where there
 * is nothing; else it sets go_on or done.  OUT exists: ERR_CANTCREAT, unless overwrite or resume;
 * always when it is not what pro-train made and nothing else (made.h), for it would be removed.
 * Another process holds OUT.checkpoints: ERR_TEMPFAIL.
 */
int checkpoints_open(
	struct checkpoints *c, const char *out, bool resume, bool overwrite, struct err *e);
/* Before the first write: removes left-overs, and unless resume all that another run left. */
int checkpoints_begin(struct checkpoints *c, bool resume, struct err *e);
/* A finished run is made longer: from now on it is unfinished. */
int checkpoints_reopen(struct checkpoints *c, struct err *e);
/* OUT is there: removes OUT.checkpoints, or keeps it, marked as finished. */
int checkpoints_finish(struct checkpoints *c, bool keep, struct err *e);
/* Lets go; an OUT.checkpoints in which nothing was written is removed. */
void checkpoints_close(struct checkpoints *c);

/* Writes step-N, then removes what is not needed any more. */
int checkpoint_save(struct checkpoints *c, const struct model *m, const struct optim *o,
	const struct train_state *s, struct err *e);
/*
 * Loads the newest good checkpoint into m and o, whose base model and data s describes (hashes,
 * settings and kernels are compared: ERR_CONFIG names the first that differs; a run that was at
 * its end may be made longer).  s gets step, total,
 * tokens and best; *unlogged (reset) what of the log was not written.  Checkpoints that do not hold
 * are passed over, with a line each in notes; ERR_DATA when none is left.
 */
int checkpoint_load(struct checkpoints *c, struct model *m, struct optim *o, struct train_state *s,
	struct buf *unlogged, struct buf *notes, struct err *e);

/* best-N of the run's step N. */
int checkpoint_save_best(
	struct checkpoints *c, const struct model *m, const struct train_state *s, struct err *e);
int checkpoint_load_best(struct checkpoints *c, struct model *m, int64_t step, struct err *e);

/* Writes OUT itself from m, replacing what is there. */
int checkpoint_publish(
	struct checkpoints *c, const struct model *m, enum k_dtype dtype, struct err *e);

#endif
