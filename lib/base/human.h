#ifndef PRO_BASE_HUMAN_H
#define PRO_BASE_HUMAN_H

#include <stdint.h>

#include "lib/base/mem.h"

/* Quantities for people to read; each appends. */

/* "4.2 s", from a minute on "0:01:05". */
void human_seconds(struct buf *out, double seconds);
/* "512 bytes", "1.5 KiB", "42.0 MiB", "3.1 GiB". */
void human_bytes(struct buf *out, double bytes);
/* The ending of a noun that n stands before: "" for 1, else "s". */
const char *human_s(int64_t n);
/* "986", "12.3 thousand", "1.1 million", "7.2 billion". */
void human_count(struct buf *out, double n);

#endif
