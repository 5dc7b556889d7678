#ifndef PRO_STREAM_IDWATCH_H
#define PRO_STREAM_IDWATCH_H

#include <stdint.h>

/*
 * Watches a stream for ids that are there twice, in constant memory: of all ids it remembers those
 * whose hash ends in enough zeros to be few (distinct sampling: Gibbons, VLDB 2001).  Up to 4096
 * different ids that is all of them; beyond, two imports under one name share thousands of ids, of
 * which some are remembered.  What it reports was there twice, but for equal hashes of 64 bits.
 */
struct id_watch {
	uint64_t *table; /* open addressing, 0 is free; NULL before the first id */
	int n, zeros;    /* remembered; low bits of a hash that are 0 */
	int64_t twice;   /* times that a remembered id came again */
	char first[80];  /* the first such id, cut */
};

/* Zeroed before its first use.  The empty id is none. */
void id_watch_add(struct id_watch *w, const char *id);
void id_watch_free(struct id_watch *w);

#endif
