#ifndef PRO_KERNELS_ATTN_H
#define PRO_KERNELS_ATTN_H

#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"

/*
 * Shared by the attention's two directions.
 *
 * The query heads that share a key/value head are rows of one matrix: row r of a segment is query
 * r/share under head g*share + r%share.  Keys are taken in blocks that start at the first key of a
 * range, so that a query meets the same blocks in any batch; keys it may not see count exactly 0.
 */
enum { ATTN_ROWS = 8 * CPU_TILE, ATTN_KEYS = 4 * CPU_PANEL };

struct attn {
	struct k_heads q, key, value;
	const struct k_segment *segs;
	int n_segs, H, G, D;
	int share; /* H/G */
	int width; /* D rounded up to CPU_PANEL */
	float scale;
	cpu_tile *tile;
};

CPU_INLINE float *
attn_at(struct k_heads x, int64_t row, int head)
{
	return (float *)x.data + row * x.row + head * x.head;
}

CPU_INLINE int
attn_min(int a, int b)
{
	return a < b ? a : b;
}

CPU_INLINE int
attn_round(int n, int to)
{
	return (n + to - 1) / to * to;
}

/* x[n,D] = rows [first, first+n) of kv head g of a segment; heads lie as `from` says. */
static inline void
attn_gather(float *x, const struct attn *a, struct k_heads from, const struct k_segment *s, int g,
	int first, int n)
{
	for (int r = 0; r < n; r++) {
		int i = (first + r) / a->share, h = g * a->share + (first + r) % a->share;
		memcpy(x + (size_t)r * a->D, attn_at(from, s->query + i, h), a->D * sizeof *x);
	}
}

#endif
