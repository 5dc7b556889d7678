/* The matrix products; see gemm.h. */
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"

/* Depth of a packed panel: CPU_PANEL*DEPTH floats stay in the second-level cache.  Partial sums are
 * kept in y between blocks, which changes no bits. */
enum { DEPTH = 1024, STRIP = 64 };

/* Register tiles: ROWS x (VECS vectors of TYPE), ROWS dividing CPU_TILE and the width dividing
 * CPU_PANEL; a is [depth][CPU_TILE], b is [depth][CPU_PANEL], y may hold the sum so far. */
/* clang-format off */
#define UNROLL _Pragma("GCC unroll 16")
#define TILE(name, TYPE, ROWS, VECS) \
	CPU_INLINE void name(float *y, size_t ldy, const float *restrict a, \
		const float *restrict b, size_t ldb, int depth, bool load) \
	{ \
		enum { WIDTH = sizeof(TYPE) / sizeof(float) }; \
		TYPE c[ROWS][VECS]; \
		UNROLL for (int r = 0; r < ROWS; r++) \
			UNROLL for (int v = 0; v < VECS; v++) \
				c[r][v] = load ? *(const TYPE *)(y + r * ldy + v * WIDTH) : (TYPE){0}; \
		for (int i = 0; i < depth; i++, a += CPU_TILE, b += ldb) \
			UNROLL for (int r = 0; r < ROWS; r++) \
				UNROLL for (int v = 0; v < VECS; v++) \
					c[r][v] += a[r] * *(const TYPE *)(b + v * WIDTH); \
		UNROLL for (int r = 0; r < ROWS; r++) \
			UNROLL for (int v = 0; v < VECS; v++) \
				*(TYPE *)(y + r * ldy + v * WIDTH) = c[r][v]; \
	}

/* A function on whole tiles of `rows` (rounded up to ROWS) x CPU_PANEL. */
#define TILES(name, part, ROWS, COLS, ATTRIBUTE) \
	ATTRIBUTE static void name(float *y, size_t ldy, const float *a, const float *b, size_t ldb, \
		int depth, int rows, bool load) \
	{ \
		for (int r = 0; r < rows; r += ROWS) \
			for (int c = 0; c < CPU_PANEL; c += COLS) \
				part(y + r * ldy + c, ldy, a + r, b + c, ldb, depth, load); \
	}
/* clang-format on */

typedef float vec4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vec8 __attribute__((vector_size(32), aligned(4), may_alias));

#ifdef __aarch64__
TILE(part_generic, vec4, 6, 4)
TILES(tiles_generic, part_generic, 6, 16, )
#else
TILE(part_generic, vec4, 4, 2)
TILES(tiles_generic, part_generic, 4, 8, )
#endif

#ifdef CPU_X86_LEVELS
typedef float vec16 __attribute__((vector_size(64), aligned(4), may_alias));
TILE(part_v3, vec8, 6, 2)
TILES(tiles_v3, part_v3, 6, 16, __attribute__((target("arch=x86-64-v3"))))
TILE(part_v4_12, vec16, 12, 2)
TILE(part_v4_4, vec16, 4, 2)

__attribute__((target("arch=x86-64-v4"))) static void
tiles_v4(float *y, size_t ldy, const float *a, const float *b, size_t ldb, int depth, int rows,
	bool load)
{
	if (rows > 8)
		part_v4_12(y, ldy, a, b, ldb, depth, load);
	else
		for (int r = 0; r < rows; r += 4)
			part_v4_4(y + r * ldy, ldy, a + r, b, ldb, depth, load);
}

#else
#define tiles_v3 tiles_generic
#define tiles_v4 tiles_generic
#endif

cpu_tile *
cpu_tile_function(const struct kernels *k)
{
	cpu_tile *const all[] = {tiles_generic, tiles_v3, tiles_v4};
	return all[((const struct cpu *)k->priv)->level];
}

size_t
cpu_packed_floats(int rows, int depth)
{
	return (size_t)(rows + CPU_TILE - 1) / CPU_TILE * CPU_TILE * depth;
}

CPU_CLONES void
cpu_pack_tile(float *restrict a, const float *restrict x, size_t ld, int rows, int depth)
{
	int i = 0;
	for (; i + 4 <= depth && rows == CPU_TILE; i += 4)
		for (int r = 0; r < CPU_TILE; r += 4) {
			vec4 v[4], w[4];
			for (int j = 0; j < 4; j++)
				v[j] = *(const vec4 *)(x + (r + j) * ld + i);
			w[0] = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
			w[1] = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
			w[2] = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
			w[3] = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
			for (int j = 0; j < 4; j += 2) {
				vec4 *to = (vec4 *)(a + (size_t)(i + j) * CPU_TILE + r);
				to[0] = __builtin_shufflevector(w[j / 2], w[j / 2 + 2], 0, 1, 4, 5);
				to[3] = __builtin_shufflevector(w[j / 2], w[j / 2 + 2], 2, 3, 6, 7);
			}
		}
	for (; i < depth; i++)
		for (int r = 0; r < CPU_TILE; r++)
			a[(size_t)i * CPU_TILE + r] = r < rows ? x[r * ld + i] : 0;
}

CPU_CLONES void
cpu_pack_along(float *restrict b, int width, const float *restrict x, size_t ld, int rows, int cols)
{
	for (int r = 0; r < rows; r++) {
		for (int i = 0; i < cols; i++)
			b[(size_t)r * width + i] = x[r * ld + i];
		for (int i = cols; i < width; i++)
			b[(size_t)r * width + i] = 0;
	}
}

struct pack {
	float *packed;
	const float *x;
	size_t ld;
	int rows, depth;
};

static void
pack_item(void *ctx, int i, int thread)
{
	const struct pack *p = ctx;
	int r = i * CPU_TILE;
	(void)thread;
	cpu_pack_tile(p->packed + (size_t)r * p->depth, p->x + (size_t)r * p->depth, p->depth,
		p->rows - r < CPU_TILE ? p->rows - r : CPU_TILE, p->depth);
}

void
cpu_pack(struct kernels *k, float *packed, const float *x, int rows, int depth)
{
	struct pack p = {packed, x, depth, rows, depth};
	cpu_run(k, cpu_pieces(rows, CPU_TILE), (int64_t)rows * depth > 20000, pack_item, &p);
}

static void
pack_columns_item(void *ctx, int i, int thread)
{
	const struct pack *p = ctx;
	int r = i * CPU_TILE;
	(void)thread;
	cpu_pack_along(p->packed + (size_t)r * p->depth, CPU_TILE, p->x + r, p->ld, p->depth,
		cpu_min(CPU_TILE, p->rows - r));
}

void
cpu_pack_columns(struct kernels *k, float *packed, const float *x, size_t ld, int rows, int depth)
{
	struct pack p = {packed, x, ld, rows, depth};
	cpu_run(k, cpu_pieces(rows, CPU_TILE), (int64_t)rows * depth > 20000, pack_columns_item,
		&p);
}

/* out[i*CPU_PANEL + r] = in[r*ld + i] for 8 rows r and n columns i. */
CPU_CLONES static void
transpose8(float *restrict out, const float *restrict in, size_t ld, int n)
{
	int i = 0;
	for (; i + 8 <= n; i += 8) {
		vec8 a[8], b[8];
		for (int r = 0; r < 8; r++)
			a[r] = *(const vec8 *)(in + r * ld + i);
		for (int r = 0; r < 8; r += 2) {
			b[r] = __builtin_shufflevector(a[r], a[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
			b[r + 1] =
				__builtin_shufflevector(a[r], a[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
		}
		for (int r = 0; r < 8; r += 4)
			for (int h = 0; h < 2; h++) {
				a[r + 2 * h] = __builtin_shufflevector(
					b[r + h], b[r + 2 + h], 0, 1, 8, 9, 4, 5, 12, 13);
				a[r + 2 * h + 1] = __builtin_shufflevector(
					b[r + h], b[r + 2 + h], 2, 3, 10, 11, 6, 7, 14, 15);
			}
		for (int r = 0; r < 4; r++) {
			*(vec8 *)(out + (size_t)(i + r) * CPU_PANEL) =
				__builtin_shufflevector(a[r], a[r + 4], 0, 1, 2, 3, 8, 9, 10, 11);
			*(vec8 *)(out + (size_t)(i + r + 4) * CPU_PANEL) =
				__builtin_shufflevector(a[r], a[r + 4], 4, 5, 6, 7, 12, 13, 14, 15);
		}
	}
	for (; i < n; i++)
		for (int r = 0; r < 8; r++)
			out[(size_t)i * CPU_PANEL + r] = in[r * ld + i];
}

/* b[d][CPU_PANEL] = depth [i, i+d) of n columns of f, which lie across the rows of memory. */
static void
pack_across(float *b, const struct cpu_factor *f, int n, int i, int d)
{
	float strip[8 * STRIP];
	for (int r = 0; r < CPU_PANEL; r += 8) {
		int m = n - r < 8 ? n - r : 8;
		size_t from = f->at + r * f->ld + i;
		if (f->w.dtype == K_F32 && m == 8) {
			transpose8(b + r, (const float *)f->w.data + from, f->ld, d);
			continue;
		}
		if (m < 8)
			memset(strip, 0, sizeof strip);
		for (int s = 0; s < d; s += STRIP) {
			int c = d - s < STRIP ? d - s : STRIP;
			for (int j = 0; j < m; j++)
				cpu_to_f32(strip + j * STRIP, f->w, from + j * f->ld + s, c);
			transpose8(b + r + (size_t)s * CPU_PANEL, strip, STRIP, c);
		}
	}
}

/* The same of columns that lie along them. */
static void
pack_along(float *b, const struct cpu_factor *f, int n, int i, int d)
{
	size_t from = f->at + i * f->ld;
	if (f->w.dtype == K_F32) {
		cpu_pack_along(b, CPU_PANEL, (const float *)f->w.data + from, f->ld, d, n);
		return;
	}
	for (int r = 0; r < d; r++, b += CPU_PANEL) {
		cpu_to_f32(b, f->w, from + r * f->ld, n);
		for (int j = n; j < CPU_PANEL; j++)
			b[j] = 0;
	}
}

void
cpu_pack_across(float *b, const float *x, size_t ld, int rows, int depth)
{
	for (int r = 0; r < CPU_PANEL; r += 8) {
		if (r + 8 <= rows) {
			transpose8(b + r, x + r * ld, ld, depth);
			continue;
		}
		for (int i = 0; i < depth; i++)
			for (int j = r; j < r + 8; j++)
				b[(size_t)i * CPU_PANEL + j] = j < rows ? x[j * ld + i] : 0;
	}
}

size_t
cpu_panel_scratch(void)
{
	return CPU_PANEL * DEPTH;
}

/* A tile that sticks out of y goes through a whole one. */
static void
edge_tile(cpu_tile *tile, float *y, size_t ldy, const float *a, const float *b, int depth, int rows,
	int n, bool load)
{
	float whole[CPU_TILE * CPU_PANEL] = {0};
	for (int r = 0; load && r < rows; r++)
		memcpy(whole + r * CPU_PANEL, y + r * ldy, n * sizeof *y);
	tile(whole, CPU_PANEL, a, b, CPU_PANEL, depth, rows, load);
	for (int r = 0; r < rows; r++)
		memcpy(y + r * ldy, whole + r * CPU_PANEL, n * sizeof *y);
}

void
cpu_panel_product(cpu_tile *tile, float *y, size_t ldy, const float *packed, int rows,
	struct cpu_factor f, int n, int depth, bool add, float *scratch)
{
	for (int i = 0; i < depth; i += DEPTH) {
		int d = depth - i < DEPTH ? depth - i : DEPTH;
		(f.along ? pack_along : pack_across)(scratch, &f, n, i, d);
		for (int r = 0; r < rows; r += CPU_TILE) {
			const float *a = packed + (size_t)r * depth + (size_t)i * CPU_TILE;
			int m = rows - r < CPU_TILE ? rows - r : CPU_TILE;
			bool load = add || i > 0;
			if (m == CPU_TILE && n == CPU_PANEL)
				tile(y + r * ldy, ldy, a, scratch, CPU_PANEL, d, CPU_TILE, load);
			else
				edge_tile(tile, y + r * ldy, ldy, a, scratch, d, m, n, load);
		}
	}
}
