/* Rows moved and added: embeddings, caches, residuals. */
#include <string.h>

#include "kernels/cpu/cpu.h"

struct embed {
	float *out;
	struct k_mat table;
	const int32_t *ids;
	int C;
};

static void
embed_item(void *ctx, int t, int thread)
{
	const struct embed *e = ctx;
	(void)thread;
	cpu_to_f32(e->out + (size_t)t * e->C, e->table, (size_t)e->ids[t] * e->C, e->C);
}

void
cpu_embed_fwd(struct kernels *k, void *out, struct k_mat table, const int32_t *ids, int T, int C)
{
	struct embed e = {out, table, ids, C};
	cpu_run(k, T, (int64_t)T * C > 20000, embed_item, &e);
}

/* Threads share the columns, so that rows with the same id add up in row order. */
enum { COLUMNS = 64 };

CPU_CLONES static void
add_to(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

/* Rows moved or added: of x to or from `rows` of out. */
struct move {
	float *out;
	const float *x;
	const int32_t *rows;
	int T, C;
};

static void
scatter_item(void *ctx, int p, int thread)
{
	const struct move *m = ctx;
	int c = p * COLUMNS, n = m->C - c < COLUMNS ? m->C - c : COLUMNS;
	(void)thread;
	for (int t = 0; t < m->T; t++)
		add_to(m->out + (size_t)m->rows[t] * m->C + c, m->x + (size_t)t * m->C + c, n);
}

static void
scatter_add(struct kernels *k, float *out, const float *x, const int32_t *rows, int T, int C)
{
	struct move m = {out, x, rows, T, C};
	cpu_run(k, cpu_pieces(C, COLUMNS), (int64_t)T * C > 20000, scatter_item, &m);
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

static void
get_item(void *ctx, int r, int thread)
{
	const struct move *m = ctx;
	(void)thread;
	memcpy(m->out + (size_t)r * m->C, m->x + (size_t)m->rows[r] * m->C, m->C * sizeof *m->x);
}

void
cpu_rows_get(struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C)
{
	struct move m = {out, x, rows, R, C};
	cpu_run(k, R, (int64_t)R * C > 40000, get_item, &m);
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

struct sum {
	float *y;
	const float *x;
	size_t n;
};

static void
add_item(void *ctx, int p, int thread)
{
	const struct sum *s = ctx;
	size_t i = (size_t)p * PIECE;
	(void)thread;
	add_to(s->y + i, s->x + i, s->n - i < PIECE ? s->n - i : PIECE);
}

void
cpu_add(struct kernels *k, void *y, const void *x, size_t n)
{
	struct sum s = {y, x, n};
	cpu_run(k, cpu_pieces(n, PIECE), true, add_item, &s);
}
