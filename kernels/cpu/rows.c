/* Rows moved and added: embeddings, caches, residuals. */
#include <string.h>

#include "kernels/cpu/cpu.h"

void
cpu_embed_fwd(struct kernels *k, void *out, struct k_mat table, const int32_t *ids, int T, int C)
{
#pragma omp parallel for num_threads(k->threads) if ((int64_t)T * C > 20000)
	for (int t = 0; t < T; t++)
		cpu_to_f32((float *)out + (size_t)t * C, table, (size_t)ids[t] * C, C);
}

/* Threads share the columns, so that rows with the same id add up in row order. */
enum { COLUMNS = 64 };

CPU_CLONES static void
add_to(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

static void
scatter_add(struct kernels *k, float *out, const float *x, const int32_t *rows, int T, int C)
{
	int parts = (C + COLUMNS - 1) / COLUMNS;
#pragma omp parallel for num_threads(k->threads) if ((int64_t)T * C > 20000)
	for (int p = 0; p < parts; p++) {
		int c = p * COLUMNS, n = C - c < COLUMNS ? C - c : COLUMNS;
		for (int t = 0; t < T; t++)
			add_to(out + (size_t)rows[t] * C + c, x + (size_t)t * C + c, n);
	}
}

void
cpu_embed_bwd(struct kernels *k, float *dtable, const void *dout, const int32_t *ids, int T, int C)
{
	scatter_add(k, dtable, dout, ids, T, C);
}

void
cpu_rows_add(struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C)
{
	scatter_add(k, out, x, rows, R, C);
}

void
cpu_rows_get(struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C)
{
#pragma omp parallel for num_threads(k->threads) if ((int64_t)R * C > 40000)
	for (int r = 0; r < R; r++)
		memcpy((float *)out + (size_t)r * C, (const float *)x + (size_t)rows[r] * C,
			C * sizeof(float));
}

void
cpu_rows_put(struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C)
{
	(void)k;
	for (int r = 0; r < R; r++)
		memcpy((float *)out + (size_t)rows[r] * C, (const float *)x + (size_t)r * C,
			C * sizeof(float));
}

enum { PIECE = 1 << 14 };

void
cpu_add(struct kernels *k, void *y, const void *x, size_t n)
{
	size_t parts = (n + PIECE - 1) / PIECE;
#pragma omp parallel for num_threads(k->threads) if (parts > 1)
	for (size_t p = 0; p < parts; p++) {
		size_t i = p * PIECE;
		add_to((float *)y + i, (const float *)x + i, n - i < PIECE ? n - i : PIECE);
	}
}
