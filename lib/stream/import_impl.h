#ifndef PRO_STREAM_IMPORT_IMPL_H
#define PRO_STREAM_IMPORT_IMPL_H

#include "lib/stream/dialogue.h"
#include "lib/stream/import.h"

/* Between import.c, which knows records and filters, and formats.c, which knows foreign formats. */

struct candidate {
	json_t *json; /* the response that it becomes */
	double rank;  /* draft_sort: lowest first */
	int position;
	struct dialogue dialogue; /* draft.whole: the conversation that ends with it */
};

/* A record in the making. */
struct draft {
	const struct importer *im;
	struct arena *arena;
	bool whole;     /* candidates are whole dialogues, still to be split */
	json_t *prompt; /* else this is the prompt: string or list */
	struct candidate *candidates;
	int n, cap;
	json_t *used;  /* members that do not go into the record as they are */
	json_t *extra; /* members for the record beside them */
};

/* source NULL: none. */
struct candidate *draft_add(struct draft *d, const char *source, const char *text, size_t n);
/* Its source is "format:1", "format:2" ... */
struct candidate *draft_add_numbered(struct draft *d, const char *text, size_t n);
/* The members of v, but for those named, go into the response. */
void draft_carry(struct candidate *c, const json_t *v, const char *const *except);
/* By rank, stable. */
void draft_sort(struct draft *d);
/* The key is consumed. */
void draft_use(struct draft *d, const char *key);

/* 1: read, 0: rejected with a static *reason, -1: not in the format. */
typedef int (*format_reader)(struct draft *d, const json_t *v, const char **reason, struct err *e);

int read_hh(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_pair(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_pro(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_rrhf(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_ultrafeedback(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_tldr(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_oasst(struct draft *d, const json_t *v, const char **reason, struct err *e);
int read_messages(struct draft *d, const json_t *v, const char **reason, struct err *e);

#endif
