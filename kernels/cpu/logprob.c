/* Log-probabilities of targets under the head, a panel of the vocabulary at a time. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"

/* Vocabulary and rows of a work item of the forward. */
enum { GROUP = 8 * CPU_PANEL, ROWS = 32 * CPU_TILE };
/* Of the backward, which takes ROWS rows at a time, too: whole panels and whole tiles of the
 * vocabulary; and the vocabulary of a round. */
enum { PIECE = 9 * CPU_PANEL, ROUND = 11 * PIECE };
_Static_assert(PIECE % CPU_TILE == 0, "pieces of the vocabulary are whole tiles");

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
	struct kernels *k;
	cpu_tile *tile;
};

/* Logits of t packed rows x [v, v+n) into out (row stride ld). */
static void
logits_of(const struct head *d, float *out, size_t ld, const float *packed, int t, int v, int n,
	float *scratch)
{
	for (int i = 0; i < n; i += CPU_PANEL)
		cpu_panel_product(d->tile, out + i, ld, packed, t,
			(struct cpu_factor){d->w, (size_t)(v + i) * d->C, d->C, false},
			cpu_min(CPU_PANEL, n - i), d->C, false, scratch);
}

struct fwd {
	struct head head;
	float *logp, *packed;
	struct part *parts; /* [R,groups] */
	int groups, blocks; /* of the vocabulary and of rows */
};

static void
fwd_item(void *ctx, int item, int thread)
{
	const struct fwd *f = ctx;
	const struct head *d = &f->head;
	int g = item / f->blocks, v = g * GROUP, n = cpu_min(GROUP, d->V - v);
	int r = item % f->blocks * ROWS, t = cpu_min(ROWS, d->R - r);
	float *scratch = cpu_scratch(d->k, thread,
		sizeof *scratch * (cpu_panel_scratch() + (size_t)ROWS * GROUP), "logprob_fwd");
	if (scratch == NULL)
		return;
	float *logits = scratch + cpu_panel_scratch();
	int first = first_target(d->target_row, d->N, r),
	    last = first_target(d->target_row, d->N, r + t);
	logits_of(d, logits, GROUP, f->packed + (size_t)r * d->C, t, v, n, scratch);
	for (int i = 0; i < t; i++)
		f->parts[(size_t)(r + i) * f->groups + g] = row_part(logits + (size_t)i * GROUP, n);
	for (int j = first; j < last; j++)
		if (d->target_id[j] >= v && d->target_id[j] < v + n)
			f->logp[j] = logits[(size_t)(d->target_row[j] - r) * GROUP +
					    d->target_id[j] - v];
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
	int groups = cpu_pieces(V, GROUP);
	size_t part_bytes = (sizeof(struct part) * groups * R + 63) / 64 * 64;
	struct part *parts =
		cpu_shared(k, part_bytes + sizeof(float) * cpu_packed_floats(R, C), "logprob_fwd");
	if (parts == NULL)
		return;
	struct fwd f = {{h, w, target_row, target_id, N, R, C, V, k, cpu_tile_function(k)}, logp,
		(float *)((char *)parts + part_bytes), parts, groups, cpu_pieces(R, ROWS)};
	cpu_pack(k, f.packed, h, R, C);
	cpu_run(k, groups * f.blocks, true, fwd_item, &f);
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

struct bwd {
	struct head head;
	const float *lse, *coef;
	float *dh, *dw;
	float *h;           /* the round's rows, packed */
	float *across, *up; /* the gradient of its logits: rows packed, and columns packed */
	int r, t, v, n;     /* the round: rows [r, r+t), vocabulary [v, v+n) */
};

/* Both ways that the products want the gradients g[t,PIECE] of the vocabulary from `at` on. */
static void
pack_gradients(const struct bwd *b, const float *g, int at, int n)
{
	for (int i = 0; i < b->t; i += CPU_TILE)
		cpu_pack_tile(b->across + (size_t)i * b->n + (size_t)at * CPU_TILE,
			g + (size_t)i * PIECE, PIECE, cpu_min(CPU_TILE, b->t - i), n);
	for (int i = 0; b->dw != NULL && i < n; i += CPU_TILE)
		cpu_pack_along(b->up + (size_t)(at + i) * b->t, CPU_TILE, g + i, PIECE, b->t,
			cpu_min(CPU_TILE, n - i));
}

/* The gradient of the round's logits, PIECE of them. */
static void
logits_item(void *ctx, int item, int thread)
{
	const struct bwd *b = ctx;
	const struct head *d = &b->head;
	int at = item * PIECE, v = b->v + at, n = cpu_min(PIECE, b->n - at);
	float *scratch = cpu_scratch(d->k, thread,
		sizeof *scratch * (cpu_panel_scratch() + (size_t)ROWS * PIECE), "logprob_bwd");
	if (scratch == NULL)
		return;
	float *g = scratch + cpu_panel_scratch();
	logits_of(d, g, PIECE, b->h, b->t, v, n, scratch);
	int j = first_target(d->target_row, d->N, b->r);
	for (int i = 0; i < b->t; i++) {
		double sum = 0;
		int first = j;
		for (; j < d->N && d->target_row[j] == b->r + i; j++)
			sum += b->coef[j];
		softmax_row(g + (size_t)i * PIECE, b->lse[b->r + i], sum, n);
		for (int m = first; m < j; m++)
			if (d->target_id[m] >= v && d->target_id[m] < v + n)
				g[(size_t)i * PIECE + d->target_id[m] - v] += b->coef[m];
	}
	pack_gradients(b, g, at, n);
}

/* y[rows,n] (+)= x w[depth,C] for a panel of C and packed x. */
static void
product_item(const struct bwd *b, int thread, float *y, const float *packed, int rows,
	struct k_mat w, size_t row, int c, int depth, bool add)
{
	const struct head *d = &b->head;
	float *scratch =
		cpu_scratch(d->k, thread, sizeof *scratch * cpu_panel_scratch(), "logprob_bwd");
	if (scratch != NULL)
		cpu_panel_product(d->tile, y + c, d->C, packed, rows,
			(struct cpu_factor){w, row * d->C + c, d->C, true},
			cpu_min(CPU_PANEL, d->C - c), depth, add, scratch);
}

/* dW += g^T h for PIECE of the round's vocabulary and a panel of C. */
static void
dw_item(void *ctx, int item, int thread)
{
	const struct bwd *b = ctx;
	int pieces = cpu_pieces(b->n, PIECE), at = item % pieces * PIECE;
	struct k_mat h = {b->head.h, K_F32};
	product_item(b, thread, b->dw + (size_t)(b->v + at) * b->head.C, b->up + (size_t)at * b->t,
		cpu_min(PIECE, b->n - at), h, b->r, item / pieces * CPU_PANEL, b->t, true);
}

/* dh (+)= g W for a panel of C. */
static void
dh_item(void *ctx, int item, int thread)
{
	const struct bwd *b = ctx;
	product_item(b, thread, b->dh + (size_t)b->r * b->head.C, b->across, b->t, b->head.w, b->v,
		item * CPU_PANEL, b->n, b->v > 0);
}

void
cpu_logprob_bwd(struct kernels *k, void *dh, float *dw, const void *h, struct k_mat w,
	const float *lse, const int32_t *target_row, const int32_t *target_id, const float *coef,
	int N, int R, int C, int V)
{
	struct bwd b = {.head = {h, w, target_row, target_id, N, R, C, V, k, cpu_tile_function(k)},
		.lse = lse,
		.coef = coef,
		.dh = dh,
		.dw = dw};
	size_t g = (size_t)ROWS * ROUND;
	b.h = cpu_shared(k, sizeof *b.h * (2 * g + cpu_packed_floats(ROWS, C)), "logprob_bwd");
	if (b.h == NULL)
		return;
	b.across = b.h + cpu_packed_floats(ROWS, C);
	b.up = b.across + g;
	int panels = cpu_pieces(C, CPU_PANEL);
	for (b.r = 0; b.r < R; b.r += ROWS) {
		b.t = cpu_min(ROWS, R - b.r);
		cpu_pack(k, b.h, b.head.h + (size_t)b.r * C, b.t, C);
		for (b.v = 0; b.v < V; b.v += ROUND) {
			b.n = cpu_min(ROUND, V - b.v);
			cpu_run(k, cpu_pieces(b.n, PIECE), true, logits_item, &b);
			if (dw != NULL)
				cpu_run(k, cpu_pieces(b.n, PIECE) * panels, true, dw_item, &b);
			cpu_run(k, panels, true, dh_item, &b);
		}
	}
}
