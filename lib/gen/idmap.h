#ifndef PRO_GEN_IDMAP_H
#define PRO_GEN_IDMAP_H

#include <stdint.h>

#include "lib/base/mem.h"

/* Record ids with a number each: for joining files by id, and for telling duplicates. */
struct idmap {
	struct idmap_slot {
		const char *id; /* NULL: empty */
		int64_t value;
	} * slots;
	size_t n, cap; /* cap a power of 2 */
	struct arena strings;
};

void idmap_init(struct idmap *m);
void idmap_free(struct idmap *m);
/* Where id's number is, NULL when it is not there; valid until the next idmap_add. */
int64_t *idmap_find(const struct idmap *m, const char *id);
/* 1: added, 0: it was there (and keeps its number). */
int idmap_add(struct idmap *m, const char *id, int64_t value);

#endif
