/* Log-probabilities of targets under the head, a panel of the vocabulary at a time. */
#include "kernels/cpu/blas.h"
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

/* Vocabulary of a work item of the forward, and of a round of the backward; rows of a round. */
enum { GROUP = 4 * CPU_COLS, ROUND = 16 * CPU_COLS, CHUNK = 2 * CPU_BLOCK };

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

CPU_CLONES static void
add_part(struct part *p, const float *x, int n)
{
	enum { LANES = 16 };
	float max = x[0];
	double s[LANES] = {0}, sum = 0;
	for (int i = 1; i < n; i++)
		max = x[i] > max ? x[i] : max;
	if (max < p->max)
		max = p->max;
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			s[j] += cpu_expf(x[i + j] - max);
	for (; i < n; i++)
		s[0] += cpu_expf(x[i] - max);
	for (int j = 0; j < LANES; j++)
		sum += s[j];
	if (p->sum > 0)
		sum += p->sum * exp((double)p->max - max);
	p->max = max;
	p->sum = sum;
}

struct head {
	const float *h;
	struct k_mat w;
	const int32_t *target_row, *target_id;
	int N, R, C, V;
};

/* Logits of rows [r, r+t) x [v, v+n) into out[t,n]; buf as in scratch_floats. */
static void
logits_panel(const struct head *d, float *out, size_t ld, int r, int t, int v, int n, float *buf)
{
	size_t ldw;
	const float *w =
		cpu_panel(d->w, v, n, 0, d->C, d->C, buf + cpu_tile_floats(CPU_COLS, d->C), &ldw);
	cpu_tile_product(out, ld, d->h + (size_t)r * d->C, w, ldw, t, n, d->C, false, buf);
}

static size_t
panel_floats(const struct head *d)
{
	return cpu_tile_floats(CPU_COLS, d->C) +
	       (d->w.dtype == K_F32 ? 0 : (size_t)CPU_COLS * d->C);
}

static void
group_fwd(const struct head *d, float *logp, struct part *parts, int n_groups, int r, int t, int v0,
	int v1, float *scratch)
{
	float *logits = scratch + panel_floats(d);
	int first = first_target(d->target_row, d->N, r),
	    last = first_target(d->target_row, d->N, r + t);
	for (int i = 0; i < t; i++)
		parts[(size_t)i * n_groups] = (struct part){0, -INFINITY};
	for (int v = v0; v < v1; v += CPU_COLS) {
		int n = min_int(CPU_COLS, v1 - v);
		logits_panel(d, logits, n, r, t, v, n, scratch);
		for (int i = 0; i < t; i++)
			add_part(&parts[(size_t)i * n_groups], logits + (size_t)i * n, n);
		for (int j = first; j < last; j++)
			if (d->target_id[j] >= v && d->target_id[j] < v + n)
				logp[j] = logits[(size_t)(d->target_row[j] - r) * n +
						 d->target_id[j] - v];
	}
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
	struct head d = {h, w, target_row, target_id, N, R, C, V};
	int blocks = pieces(R, CPU_BLOCK), groups = pieces(V, GROUP);
	struct part *parts = cpu_shared(k, sizeof *parts * groups * ((size_t)R + 1), "logprob_fwd");
	size_t bytes = sizeof(float) * (panel_floats(&d) + (size_t)CPU_BLOCK * CPU_COLS);
	if (parts == NULL)
		return;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int g = 0; g < groups; g++)
		for (int b = 0; b < blocks; b++) {
			int r = b * CPU_BLOCK, t = min_int(CPU_BLOCK, R - r), v = g * GROUP;
			float *scratch = cpu_scratch(k, bytes, "logprob_fwd");
			if (scratch != NULL)
				group_fwd(&d, logp, parts + (size_t)r * groups + g, groups, r, t, v,
					min_int(V, v + GROUP), scratch);
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

static void
panel_bwd(const struct head *d, float *g, const float *lse, const float *coef, int r, int t, int v,
	int n, float *scratch)
{
	logits_panel(d, g, ROUND, r, t, v, n, scratch);
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
};

/* Rows [r, r+t), vocabulary [v, v+n): the gradient of the logits into g, then its products. */
static void
round_bwd(struct kernels *k, const struct bwd *b, float *g, int r, int t, int v, int n)
{
	const struct head *d = &b->head;
	int panels = pieces(n, CPU_COLS), blocks = pieces(t, CPU_BLOCK), C = d->C;
	size_t bytes = sizeof(float) * panel_floats(d);
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int p = 0; p < panels; p++)
		for (int i = 0; i < blocks; i++) {
			float *scratch = cpu_scratch(k, bytes, "logprob_bwd");
			int at = p * CPU_COLS, row = i * CPU_BLOCK;
			if (scratch != NULL)
				panel_bwd(d, g + (size_t)row * ROUND + at, b->lse, b->coef, r + row,
					min_int(CPU_BLOCK, t - row), v + at,
					min_int(CPU_COLS, n - at), scratch);
		}
	const float *h = d->h + (size_t)r * C;
	if (b->dw != NULL) {
#pragma omp parallel for schedule(dynamic) num_threads(k->threads)
		for (int p = 0; p < panels; p++) {
			int at = p * CPU_COLS;
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans,
				min_int(CPU_COLS, n - at), C, t, 1, g + at, ROUND, h, C, 1,
				b->dw + (size_t)(v + at) * C, C);
		}
	}
	int cols = pieces(C, CPU_COLS);
	size_t part = sizeof(float) * CPU_COLS * CPU_COLS;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int p = 0; p < cols; p++)
		for (int i = 0; i < blocks; i++) {
			float *buf = cpu_scratch(k, part, "logprob_bwd");
			int c = p * CPU_COLS, row = i * CPU_BLOCK, m = min_int(CPU_BLOCK, t - row);
			for (int o = 0; buf != NULL && o < n; o += CPU_COLS) {
				size_t ld;
				int depth = min_int(CPU_COLS, n - o), nc = min_int(CPU_COLS, C - c);
				const float *w = cpu_panel(d->w, v + o, depth, c, nc, C, buf, &ld);
				cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, nc, depth,
					1, g + (size_t)row * ROUND + o, ROUND, w, ld,
					v + o > 0 ? 1 : 0, b->dh + (size_t)(r + row) * C + c, C);
			}
		}
}

void
cpu_logprob_bwd(struct kernels *k, void *dh, float *dw, const void *h, struct k_mat w,
	const float *lse, const int32_t *target_row, const int32_t *target_id, const float *coef,
	int N, int R, int C, int V)
{
	struct bwd b = {{h, w, target_row, target_id, N, R, C, V}, lse, coef, dh, dw};
	float *g = cpu_shared(k, sizeof *g * CHUNK * ROUND, "logprob_bwd");
	if (g == NULL)
		return;
	for (int r = 0; r < R; r += CHUNK)
		for (int v = 0; v < V; v += ROUND)
			round_bwd(k, &b, g, r, min_int(CHUNK, R - r), v, min_int(ROUND, V - v));
}
