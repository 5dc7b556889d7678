#ifndef PRO_GEN_JOIN_H
#define PRO_GEN_JOIN_H

#include "lib/stream/record.h"

/*
 * Records of a file, found by id: the other side of pro-augment --from.  The whole file is checked
 * when it is opened; a plain file stays mapped and costs memory for its ids only, a compressed one
 * or a pipe is held in memory.
 */
struct join;

/* ERR_DATA with file and line: a broken record, one without id, an id that was there before. */
int join_open(struct join **j, const char *path, struct err *e);
void join_close(struct join *j);
/* The record of r's id into out: 1, or 0 when there is none.  ERR_DATA: r has no id, its id was
 * asked for before, or the two prompts differ (then ids do not mean the same records). */
int join_find(struct join *j, const struct record *r, struct record *out, struct err *e);
/* Records of the file that were not asked for. */
int64_t join_unused(const struct join *j);

#endif
