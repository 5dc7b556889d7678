#ifndef PRO_ALIGN_BOOTSTRAP_H
#define PRO_ALIGN_BOOTSTRAP_H

#include "lib/base/process.h"
#include "lib/stream/filter.h"

/*
 * Algorithm 1 of the paper, self-bootstrapping, as a plan of program runs over files:
 *
 *	OUT.work/options	what was asked for, written once the data is split
 *	OUT.work/kernels	the path of the kernels that compute (struct kernels)
 *	OUT.work/part-P/data.jsonl	the records of part P
 *	OUT.work/part-P/augmented.jsonl	... with samples of the policy so far (pro-augment)
 *	OUT.work/part-P/ranked.jsonl	... scored and sorted by the reward model (pro-rerank)
 *	OUT.work/part-P/model/	the policy trained on them (pro-train)
 *	OUT.work/part-P/done	it was trained: the policy may be gone
 *	OUT.work/part-0/split.rejects	what was no record of the input (skip_bad)
 *
 * Every file appears under its name only when it is whole, so that what is there is done.
 */
enum { BOOTSTRAP_MAX_PARTS = 500 };
#define BOOTSTRAP_SPLIT_REJECTS "split.rejects"

/* The three programs, and who gets an option. */
enum bootstrap_program { BOOT_AUGMENT, BOOT_RERANK, BOOT_TRAIN, BOOT_PROGRAMS };

struct bootstrap {
	const char *model, *reward, *out;
	int parts;
	uint64_t seed; /* part P runs with seed + P */
	bool keep_top;
	const char *source;                  /* samples of part P are labelled "SOURCE:P" */
	struct strings extra[BOOT_PROGRAMS]; /* options passed through, as words */
	const char *kernels;                 /* path of those of this machine */
	bool other_bits;                     /* --resume on another one will do, with a note */
};

/* "pro-augment" ... */
const char *bootstrap_name(enum bootstrap_program p);
/* Path in OUT.work, reset into b; part -1: OUT.work/name itself. */
const char *bootstrap_path(const struct bootstrap *o, int part, const char *name, struct buf *b);

/* Writes a small file there, whole or not at all. */
int bootstrap_write(
	const struct bootstrap *o, int part, const char *name, const char *text, struct err *e);

/*
 * The part a record belongs to: by a hash of its prompt, so that no prompt is in two parts; another
 * one than pro-import --split uses, so that a part of a split falls into equal parts again.
 */
int bootstrap_part(uint64_t seed, int parts, const struct record *r);
/*
 * Writes part-P/data.jsonl for all parts, in input order, then the options.  ERR_DATA when a part
 * would be empty, or when there are not `expect` records (-1: any number).
 */
int bootstrap_split(const struct bootstrap *o, struct filter *f, int64_t expect,
	const char *options, struct err *e);
/* Lets go of a work folder whose split failed: nothing of it stays. */
void bootstrap_unclaim(const struct bootstrap *o);

/*
 * Appends the argv of one program on one part, without what depends on how it is run (standard
 * input and output, --resume, --rejects).
 */
void bootstrap_command(
	const struct bootstrap *o, enum bootstrap_program p, int part, struct strings *argv);
/* Appends the whole as a script for bash that leaves the same files; input: the operands of split
 * (n 0: standard input). */
void bootstrap_script(const struct bootstrap *o, const char *const *input, int n, struct buf *out);

/*
 * Compares the kernels of a run that goes on with this machine's, and stores them.  ERR_CONFIG when
 * they differ, unless other_bits: then *was (reset) has the others.
 */
int bootstrap_kernels(const struct bootstrap *o, struct buf *was, struct err *e);

/* What the run tells its program. */
struct bootstrap_hooks {
	void *ctx;
	void (*note)(void *ctx, const char *msg);
	bool (*interrupted)(void);
};

/* Runs every program with its passed options and --help, so that a missing program or a wrong
 * option is known before hours of work: ERR_UNAVAILABLE, or the program's own code. */
int bootstrap_check(const struct bootstrap *o, struct err *e);
/* Appends "input HASH\n", of the files' bytes; HASH is - when one is no regular file (n 0: standard
 * input). */
int bootstrap_hash_input(const char *const *files, int n, struct buf *out, struct err *e);
/*
 * Claims OUT.work (made when missing), which one run at a time may have; *lock is its descriptor,
 * inherited by the programs.  BOOT_NEW: the data is to be split; BOOT_GO_ON: a run goes on behind
 * that, BOOT_DONE: it is finished (both only with resume).  resume: ERR_CONFIG when the run was
 * begun with other options ("name value" lines, the last one "input HASH", where HASH - fits all).
 * ERR_CANTCREAT when OUT or a run is there, unless overwrite, which removes the run.  ERR_TEMPFAIL
 * when another run is at work.
 */
enum { BOOT_NEW, BOOT_GO_ON, BOOT_DONE };
int bootstrap_claim(const struct bootstrap *o, const char *options, bool resume, bool overwrite,
	int *lock, struct err *e);
/*
 * Does all that is left to do after the split, then puts the last policy at OUT.  rejects: a file
 * for what the programs rejected or cut (NULL: none); clean: policies are removed once used, the
 * work at the end.  ERR_TEMPFAIL when interrupted, a program's own code when it failed.
 */
int bootstrap_run(const struct bootstrap *o, const char *rejects, bool clean,
	const struct bootstrap_hooks *hooks, struct err *e);

#endif
