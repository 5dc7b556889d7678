#ifndef PRO_KERNELS_GEMM_H
#define PRO_KERNELS_GEMM_H

#include "kernels/kernels.h"

/*
 * The matrix products, forward (y = x W^T) and backward (dx = dy W, dW += dy^T x).  Each element of
 * y is one chain of multiply-adds in the order of the depth, whatever the tile, the place in it or
 * the number of rows; so the bits of a row depend on nothing but the row and the weights.  (A BLAS
 * chooses kernels by the shape and promises no such thing.)
 *
 * x is packed first, in tiles of CPU_TILE rows ([depth][CPU_TILE] each, the last one padded), to be
 * shared by all threads; a thread then takes panels of CPU_PANEL output columns.
 */
enum { CPU_TILE = 12, CPU_PANEL = 32 };

/* One tile: y[CPU_TILE,CPU_PANEL] (row stride ldy) = (or += when load) a[depth,CPU_TILE]^T
 * b[depth,CPU_PANEL] (row stride ldb).  Rows behind the first `rows` may be left out. */
typedef void cpu_tile(float *y, size_t ldy, const float *a, const float *b, size_t ldb, int depth,
	int rows, bool load);
cpu_tile *cpu_tile_function(const struct kernels *k);
/* a[depth,CPU_TILE] = x[rows,depth]^T, padded with zeros; ld: the row stride of x. */
void cpu_pack_tile(float *a, const float *x, size_t ld, int rows, int depth);
/* b[depth,CPU_PANEL] = x[rows,depth]^T, padded with zeros. */
void cpu_pack_across(float *b, const float *x, size_t ld, int rows, int depth);
/* b[rows,width] = x[rows,cols], padded with zeros. */
void cpu_pack_along(float *b, int width, const float *x, size_t ld, int rows, int cols);

/* Floats that `rows` packed rows take. */
size_t cpu_packed_floats(int rows, int depth);
/* Packs the rows x[rows, depth] in parallel. */
void cpu_pack(struct kernels *k, float *packed, const float *x, int rows, int depth);
/* The same for the columns of x[depth,rows] (row stride ld). */
void cpu_pack_columns(
	struct kernels *k, float *packed, const float *x, size_t ld, int rows, int depth);

/* The second factor: element i of column j is w[at + j*ld + i], or w[at + i*ld + j] where columns
 * lie along the rows of memory. */
struct cpu_factor {
	struct k_mat w;
	size_t at, ld;
	bool along;
};

/* Floats of a thread's scratch for cpu_panel_product. */
size_t cpu_panel_scratch(void);
/* y[rows,n] (row stride ldy) = (or += when add) x f, for packed x and n <= CPU_PANEL columns of f.
 */
void cpu_panel_product(cpu_tile *tile, float *y, size_t ldy, const float *packed, int rows,
	struct cpu_factor f, int n, int depth, bool add, float *scratch);

#endif
