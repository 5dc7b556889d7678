/* Log-probabilities of targets under the head, a panel of the vocabulary at a time. */
#include "kernels/cpu/blas.h"
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"

/* Vocabulary and rows of a work item of the forward; vocabulary of a round of the backward, which
 * takes ROWS rows, and of a piece of its products. */
enum { GROUP = 8 * CPU_PANEL, ROWS = 32 * CPU_TILE, ROUND = 96 * CPU_PANEL, PIECE = 192 };

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

static int
pieces(int n, int size)
{
	return (n + size - 1) / size;
}

/* A part of a softmax: the largest logit and the sum of exp(logit - max). */
struct part {
	double sum;
	float max;
};

/* First target whose row is >= row. */
static int
first_target(const int32_t *target_row, int N, int row)
{
	int lo = 0, hi = N;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;
		if (target_row[mid] < row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

CPU_CLONES static struct part
row_part(const float *x, int n)
{
	enum { LANES = 16 };
	float max[LANES], sum[LANES] = {0};
	double total = 0;
	int i = 0;
	for (int j = 0; j < LANES; j++)
		max[j] = -INFINITY;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			max[j] = x[i + j] > max[j] ? x[i + j] : max[j];
	for (; i < n; i++)
		max[0] = x[i] > max[0] ? x[i] : max[0];
	for (int j = 1; j < LANES; j++)
		max[0] = max[j] > max[0] ? max[j] : max[0];
	/* lanes of GROUP/LANES numbers <= 1 in float, then double */
	for (i = 0; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			sum[j] += cpu_expf(x[i + j] - max[0]);
	for (; i < n; i++)
		sum[0] += cpu_expf(x[i] - max[0]);
	for (int j = 0; j < LANES; j++)
		total += sum[j];
	return (struct part){total, max[0]};
}

struct head {
	const float *h;
	struct k_mat w;
	const int32_t *target_row, *target_id;
	int N, R, C, V;
	cpu_tile *tile;
};

/* Logits of t packed rows x [v, v+n) into out (row stride ld). */
static void
logits_of(const struct head *d, float *out, size_t ld, const float *packed, int t, int v, int n,
	float *scratch)
{
	for (int i = 0; i < n; i += CPU_PANEL)
		cpu_panel_product(d->tile, out + i, ld, packed, t, d->w, v + i,
			min_int(CPU_PANEL, n - i), d->C, false, scratch);
}

static void
group_fwd(const struct head *d, float *logp, struct part *parts, int n_groups, const float *packed,
	int r, int t, int g, float *scratch)
{
	int v = g * GROUP, n = min_int(GROUP, d->V - v);
	float *logits = scratch + cpu_panel_scratch();
	int first = first_target(d->target_row, d->N, r),
	    last = first_target(d->target_row, d->N, r + t);
	logits_of(d, logits, GROUP, packed, t, v, n, scratch);
	for (int i = 0; i < t; i++)
		parts[(size_t)(r + i) * n_groups + g] = row_part(logits + (size_t)i * GROUP, n);
	for (int j = first; j < last; j++)
		if (d->target_id[j] >= v && d->target_id[j] < v + n)
			logp[j] = logits[(size_t)(d->target_row[j] - r) * GROUP + d->target_id[j] -
					 v];
}

static double
merge(const struct part *p, int n)
{
	float max = p[0].max;
	double sum = 0;
	for (int i = 1; i < n; i++)
		max = p[i].max > max ? p[i].max : max;
	for (int i = 0; i < n; i++)
		sum += p[i].sum * exp((double)p[i].max - max);
	return max + log(sum);
}

void
cpu_logprob_fwd(struct kernels *k, float *logp, float *lse, const void *h, struct k_mat w,
	const int32_t *target_row, const int32_t *target_id, int N, int R, int C, int V)
{
	struct head d = {h, w, target_row, target_id, N, R, C, V, cpu_tile_function(k)};
	int groups = pieces(V, GROUP), blocks = pieces(R, ROWS);
	size_t part_bytes = (sizeof(struct part) * groups * R + 63) / 64 * 64;
	struct part *parts =
		cpu_shared(k, part_bytes + sizeof(float) * cpu_packed_floats(R, C), "logprob_fwd");
	size_t bytes = sizeof(float) * (cpu_panel_scratch() + (size_t)ROWS * GROUP);
	if (parts == NULL)
		return;
	float *packed = (float *)((char *)parts + part_bytes);
	cpu_pack(k, packed, h, R, C);
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int g = 0; g < groups; g++)
		for (int b = 0; b < blocks; b++) {
			int r = b * ROWS, t = min_int(ROWS, R - r);
			float *scratch = cpu_scratch(k, bytes, "logprob_fwd");
			if (scratch != NULL)
				group_fwd(&d, logp, parts, groups, packed + (size_t)r * C, r, t, g,
					scratch);
		}
	for (int r = 0, j = 0; r < R; r++) {
		double l = merge(parts + (size_t)r * groups, groups);
		for (; j < N && target_row[j] <= r; j++)
			logp[j] -= l;
		if (lse != NULL)
			lse[r] = l;
	}
}

/* dlogit = sum_j coef_j*onehot(target_j) - (sum_j coef_j)*softmax */
CPU_CLONES static void
softmax_row(float *x, float lse, float coef, int n)
{
	for (int i = 0; i < n; i++)
		x[i] = -coef * cpu_expf(x[i] - lse);
}

/* The gradient of the logits of rows [r, r+t) x [v, v+n) into g. */
static void
panel_bwd(const struct head *d, float *g, const float *lse, const float *coef, const float *packed,
	int r, int t, int v, int n, float *scratch)
{
	logits_of(d, g, ROUND, packed, t, v, n, scratch);
	int j = first_target(d->target_row, d->N, r);
	for (int i = 0; i < t; i++) {
		double sum = 0;
		int first = j;
		for (; j < d->N && d->target_row[j] == r + i; j++)
			sum += coef[j];
		softmax_row(g + (size_t)i * ROUND, lse[r + i], sum, n);
		for (int m = first; m < j; m++)
			if (d->target_id[m] >= v && d->target_id[m] < v + n)
				g[(size_t)i * ROUND + d->target_id[m] - v] += coef[m];
	}
}

struct bwd {
	struct head head;
	const float *lse, *coef;
	float *dh, *dw;
	float *packed, *g; /* of ROWS rows: h, and the gradient of ROUND logits */
};

/* dW += g^T h and dh (+)= g W for rows [r, r+t), vocabulary [v, v+n). */
static void
products_bwd(struct kernels *k, const struct bwd *b, int r, int t, int v, int n)
{
	const struct head *d = &b->head;
	int C = d->C, panels = pieces(n, PIECE), cols = pieces(C, PIECE / 2);
	const float *h = d->h + (size_t)r * C;
	if (b->dw != NULL) {
#pragma omp parallel for schedule(dynamic) num_threads(k->threads)
		for (int p = 0; p < panels; p++) {
			int at = p * PIECE;
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, min_int(PIECE, n - at),
				C, t, 1, b->g + at, ROUND, h, C, 1, b->dw + (size_t)(v + at) * C,
				C);
		}
	}
	enum { DEPTH = 512 };
	size_t bytes = sizeof(float) * DEPTH * PIECE / 2;
#pragma omp parallel for schedule(dynamic) num_threads(k->threads)
	for (int p = 0; p < cols; p++) {
		float *buf = cpu_scratch(k, bytes, "logprob_bwd");
		int c = p * (PIECE / 2), m = min_int(PIECE / 2, C - c);
		for (int o = 0; buf != NULL && o < n; o += DEPTH) {
			size_t ld;
			int depth = min_int(DEPTH, n - o);
			const float *w = cpu_panel(d->w, v + o, depth, c, m, C, buf, &ld);
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, m, depth, 1,
				b->g + o, ROUND, w, ld, v + o > 0 ? 1 : 0,
				b->dh + (size_t)r * C + c, C);
		}
	}
}

static void
rows_bwd(struct kernels *k, const struct bwd *b, int r, int t)
{
	const struct head *d = &b->head;
	cpu_pack(k, b->packed, d->h + (size_t)r * d->C, t, d->C);
	for (int v = 0; v < d->V; v += ROUND) {
		int n = min_int(ROUND, d->V - v), groups = pieces(n, GROUP);
#pragma omp parallel for schedule(dynamic) num_threads(k->threads)
		for (int i = 0; i < groups; i++) {
			float *scratch =
				cpu_scratch(k, sizeof(float) * cpu_panel_scratch(), "logprob_bwd");
			int at = i * GROUP;
			if (scratch != NULL)
				panel_bwd(d, b->g + at, b->lse, b->coef, b->packed, r, t, v + at,
					min_int(GROUP, n - at), scratch);
		}
		products_bwd(k, b, r, t, v, n);
	}
}

void
cpu_logprob_bwd(struct kernels *k, void *dh, float *dw, const void *h, struct k_mat w,
	const float *lse, const int32_t *target_row, const int32_t *target_id, const float *coef,
	int N, int R, int C, int V)
{
	struct bwd b = {{h, w, target_row, target_id, N, R, C, V, cpu_tile_function(k)}, lse, coef,
		dh, dw, NULL, NULL};
	size_t g = (size_t)ROWS * ROUND;
	b.g = cpu_shared(k, sizeof *b.g * (g + cpu_packed_floats(ROWS, C)), "logprob_bwd");
	if (b.g == NULL)
		return;
	b.packed = b.g + g;
	for (int r = 0; r < R; r += ROWS)
		rows_bwd(k, &b, r, min_int(ROWS, R - r));
}
