#ifndef PRO_ALIGN_CHECKPOINT_IMPL_H
#define PRO_ALIGN_CHECKPOINT_IMPL_H

/* Shared by checkpoint.c, which writes, and checkpoint_load.c, which reads. */
#include "lib/align/checkpoint.h"

/* "DIR/PREFIXn" into b, which is reset; returns b->data. */
const char *checkpoint_folder(
	struct buf *b, const struct checkpoints *c, const char *prefix, int64_t n);
/* The SHA-256 of every file of dir, by name; NULL on error.  The caller's. */
json_t *checkpoint_hashes(const char *dir, struct err *e);

#endif
