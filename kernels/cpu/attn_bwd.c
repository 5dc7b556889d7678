/*
 * Attention over packed segments, backward.  A work item is a group (a prompt and the segments that
 * share it) under one key/value head, so that nothing is shared between threads: blocks of keys
 * outside, rows of queries inside, the gradients of a block's keys summed over prompt, y1, .., yn
 * in this order.
 */
#include <math.h>

#include "kernels/cpu/attn.h"

struct job {
	struct kernels *k;
	struct attn a;
	struct k_heads dq, dk, dv;
	const float *dout, *out, *lse;
};

/* Scratch of a work item.  Rows of all segments of the group follow each other, each segment padded
 * to whole tiles; n is their number. */
struct work {
	float *rows;              /* [ATTN_ROWS,D] */
	float *q, *o;             /* q and dout in tiles [D,CPU_TILE] */
	float *q_along, *o_along; /* the same in strips [n,CPU_PANEL] */
	float *dq;                /* [n,width] */
	float *lse, *delta;       /* [n]; delta = dout . out */
	float *k, *v;             /* panels [D,CPU_PANEL] of a block's keys and values */
	float *k_along;           /* strips [ATTN_KEYS,CPU_PANEL] */
	float *dk, *dv;           /* [KEYS,width] */
	float *p, *ds;            /* [ATTN_ROWS,ATTN_KEYS] */
	float *left;              /* a left operand of a product */
	int n;
};
enum { KEYS = (ATTN_KEYS + CPU_TILE - 1) / CPU_TILE * CPU_TILE };

static size_t
work_init(struct work *w, const struct attn *a, int n, void *p)
{
	size_t used = 0;
	w->n = n;
#define TAKE(field, count)                        \
	w->field = (void *)((uintptr_t)p + used), \
	used += (sizeof *w->field * (count) + 63) / 64 * 64
	TAKE(rows, (size_t)ATTN_ROWS * a->D);
	TAKE(q, (size_t)n * a->D);
	TAKE(o, (size_t)n * a->D);
	TAKE(q_along, (size_t)n * a->width);
	TAKE(o_along, (size_t)n * a->width);
	TAKE(dq, (size_t)n * a->width);
	TAKE(lse, n);
	TAKE(delta, n);
	TAKE(k, (size_t)ATTN_KEYS * a->D);
	TAKE(v, (size_t)ATTN_KEYS * a->D);
	TAKE(k_along, (size_t)ATTN_KEYS * a->width);
	TAKE(dk, (size_t)KEYS * a->width);
	TAKE(dv, (size_t)KEYS * a->width);
	TAKE(p, (size_t)ATTN_ROWS * ATTN_KEYS);
	TAKE(ds, (size_t)ATTN_ROWS * ATTN_KEYS);
	TAKE(left, (size_t)CPU_TILE * (ATTN_ROWS > ATTN_KEYS ? ATTN_ROWS : ATTN_KEYS));
#undef TAKE
	return used;
}

static int
padded_rows(const struct attn *a, const struct k_segment *s)
{
	return attn_round(s->n_query * a->share, CPU_TILE);
}

/* Both layouts of m rows from `at` on; strips are [n,CPU_PANEL] apart. */
static void
pack_both(const struct attn *a, const struct work *w, float *tiles, float *along, int at, int m)
{
	for (int r = 0; r < m; r += CPU_TILE)
		cpu_pack_tile(tiles + (size_t)(at + r) * a->D, w->rows + (size_t)r * a->D, a->D,
			attn_min(CPU_TILE, m - r), a->D);
	for (int d = 0; d < a->D; d += CPU_PANEL) {
		float *strip = along + (size_t)d * w->n + (size_t)at * CPU_PANEL;
		cpu_pack_along(
			strip, CPU_PANEL, w->rows + d, a->D, m, attn_min(CPU_PANEL, a->D - d));
		memset(strip + (size_t)m * CPU_PANEL, 0,
			sizeof *strip * CPU_PANEL * (attn_round(m, CPU_TILE) - m));
	}
}

CPU_CLONES static float
dot(const float *x, const float *y, int n)
{
	enum { LANES = 16 };
	float s[LANES] = {0};
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			s[j] += x[i + j] * y[i + j];
	for (int j = 0; i + j < n; j++)
		s[j] += x[i + j] * y[i + j];
	for (int m = LANES / 2; m > 0; m /= 2)
		for (int j = 0; j < m; j++)
			s[j] += s[j + m];
	return s[0];
}

static void
pack_segment(const struct job *j, struct work *w, const struct k_segment *s, int g, int at)
{
	const struct attn *a = &j->a;
	struct k_heads dout = {(void *)(uintptr_t)j->dout, (int64_t)a->H * a->D, a->D};
	int rows = s->n_query * a->share;
	for (int first = 0; first < rows; first += ATTN_ROWS) {
		int m = attn_min(ATTN_ROWS, rows - first);
		attn_gather(w->rows, a, a->q, s, g, first, m);
		pack_both(a, w, w->q, w->q_along, at + first, m);
		attn_gather(w->rows, a, dout, s, g, first, m);
		pack_both(a, w, w->o, w->o_along, at + first, m);
		for (int r = first; r < first + m; r++) {
			size_t t = (size_t)(s->query + r / a->share) * a->H + g * a->share +
				   r % a->share;
			w->lse[at + r] = j->lse[t];
			w->delta[at + r] = dot(j->dout + t * a->D, j->out + t * a->D, a->D);
		}
	}
}

/* Scores s and products d = dout . v of a row become p and the gradient of the scores. */
CPU_CLONES static void
row_gradient(
	float *restrict s, float *restrict d, int n, int see, float scale, float lse, float delta)
{
	for (int i = 0; i < n; i++) {
		float p = i < see ? cpu_expf(scale * s[i] - lse) : 0;
		s[i] = p;
		d[i] = i < see ? scale * p * (d[i] - delta) : 0;
	}
}

/* dx[n,width] += x^T y over m rows: x [m,ATTN_KEYS], y in strips `along` from row `at` on. */
static void
add_keys(const struct attn *a, struct work *w, float *dx, const float *x, const float *along,
	int at, int n, int m)
{
	for (int i = 0; i < n; i += CPU_TILE) {
		int keys = attn_min(CPU_TILE, n - i);
		cpu_pack_along(w->left, CPU_TILE, x + i, ATTN_KEYS, m, keys);
		for (int d = 0; d < a->width; d += CPU_PANEL)
			a->tile(dx + (size_t)i * a->width + d, a->width, w->left,
				along + (size_t)d * w->n + (size_t)at * CPU_PANEL, CPU_PANEL, m,
				CPU_TILE, true);
	}
}

/* A block of m rows from `first` on of the segment whose rows begin at `at`, against the n keys of
 * the packed block; row r sees the first before + (first+r)/share. */
static void
rows_bwd(
	const struct attn *a, struct work *w, int at, int first, int m, int rows, int n, int before)
{
	int wide = attn_round(n, CPU_PANEL);
	for (int r = 0; r < m; r += CPU_TILE) {
		size_t row = at + first + r;
		float *p = w->p + (size_t)r * ATTN_KEYS, *ds = w->ds + (size_t)r * ATTN_KEYS;
		for (int c = 0; c < n; c += CPU_PANEL) {
			a->tile(p + c, ATTN_KEYS, w->q + row * a->D, w->k + (size_t)c * a->D,
				CPU_PANEL, a->D, CPU_TILE, false);
			a->tile(ds + c, ATTN_KEYS, w->o + row * a->D, w->v + (size_t)c * a->D,
				CPU_PANEL, a->D, CPU_TILE, false);
		}
		for (int i = 0; i < CPU_TILE; i++) {
			int see = attn_min(n, before + (first + r + i) / a->share);
			row_gradient(p + (size_t)i * ATTN_KEYS, ds + (size_t)i * ATTN_KEYS, wide,
				first + r + i < rows && see > 0 ? see : 0, a->scale,
				w->lse[row + i], w->delta[row + i]);
		}
		cpu_pack_tile(w->left, ds, ATTN_KEYS, CPU_TILE, n);
		for (int d = 0; d < a->width; d += CPU_PANEL)
			a->tile(w->dq + row * a->width + d, a->width, w->left,
				w->k_along + (size_t)d * ATTN_KEYS, CPU_PANEL, n, CPU_TILE, true);
	}
	add_keys(a, w, w->dv, w->p, w->o_along, at + first, n, m);
	add_keys(a, w, w->dk, w->ds, w->q_along, at + first, n, m);
}

static void
pack_keys(const struct attn *a, struct work *w, int64_t row, int n, int g)
{
	const float *key = attn_at(a->key, row, g), *value = attn_at(a->value, row, g);
	for (int c = 0; c < n; c += CPU_PANEL) {
		int m = attn_min(CPU_PANEL, n - c);
		cpu_pack_across(w->k + (size_t)c * a->D, key + c * a->key.row, a->key.row, m, a->D);
		cpu_pack_across(
			w->v + (size_t)c * a->D, value + c * a->value.row, a->value.row, m, a->D);
	}
	for (int d = 0; d < a->D; d += CPU_PANEL)
		cpu_pack_along(w->k_along + (size_t)d * ATTN_KEYS, CPU_PANEL, key + d, a->key.row,
			n, attn_min(CPU_PANEL, a->D - d));
	memset(w->dk, 0, sizeof *w->dk * KEYS * a->width);
	memset(w->dv, 0, sizeof *w->dv * KEYS * a->width);
}

/* Keys [j, j+n) of segment s of a group of n_segs, against all rows that see them. */
static void
keys_bwd(const struct job *job, struct work *w, const struct k_segment *segs, int n_segs, int s,
	int at, int g, int j, int n)
{
	const struct attn *a = &job->a;
	int64_t row = segs[s].own + j;
	pack_keys(a, w, row, n, g);
	for (int t = s; t < (segs[s].n_prefix == 0 ? n_segs : s + 1); t++) {
		int rows = segs[t].n_query * a->share, padded = padded_rows(a, &segs[t]);
		/* rows before query j do not see the block of their own keys */
		int first = t == s ? j * a->share / CPU_TILE * CPU_TILE : 0;
		int keys = t == s ? n : attn_min(n, segs[t].n_prefix - j);
		for (; first < padded && keys > 0; first += ATTN_ROWS) {
			int m = attn_min(ATTN_ROWS, padded - first),
			    last = (first + m - 1) / a->share;
			if (t == s)
				rows_bwd(
					a, w, at, first, m, rows, attn_min(n, last - j + 1), 1 - j);
			else
				rows_bwd(a, w, at, first, m, rows, keys, keys);
		}
		at += padded;
	}
	for (int i = 0; i < n; i++) {
		memcpy(attn_at(job->dk, row + i, g), w->dk + (size_t)i * a->width,
			a->D * sizeof(float));
		memcpy(attn_at(job->dv, row + i, g), w->dv + (size_t)i * a->width,
			a->D * sizeof(float));
	}
}

static void
group_bwd(const struct job *job, struct work *w, const struct k_segment *segs, int n, int g)
{
	const struct attn *a = &job->a;
	memset(w->dq, 0, sizeof *w->dq * w->n * a->width);
	for (int s = 0, at = 0; s < n; at += padded_rows(a, &segs[s++]))
		pack_segment(job, w, &segs[s], g, at);
	for (int s = 0, at = 0; s < n; at += padded_rows(a, &segs[s++]))
		for (int j = 0; j < segs[s].n_own; j += ATTN_KEYS)
			keys_bwd(job, w, segs, n, s, at, g, j,
				attn_min(ATTN_KEYS, segs[s].n_own - j));
	for (int s = 0, at = 0; s < n; at += padded_rows(a, &segs[s++]))
		for (int r = 0; r < segs[s].n_query * a->share; r++)
			memcpy(attn_at(job->dq, segs[s].query + r / a->share,
				       g * a->share + r % a->share),
				w->dq + (size_t)(at + r) * a->width, a->D * sizeof(float));
}

static void
bwd_item(void *ctx, int item, int thread)
{
	const struct job *j = ctx;
	const struct attn *a = &j->a;
	const struct k_segment *segs = a->segs + item / a->G;
	int n = 0, rows = 0, most = a->n_segs - item / a->G;
	if (segs > a->segs && segs->n_prefix > 0)
		return; /* in the group of an earlier one */
	do
		rows += padded_rows(a, &segs[n]);
	while (++n < most && segs[n].n_prefix > 0);
	struct work w;
	void *scratch = cpu_scratch(j->k, thread, work_init(&w, a, rows, NULL), "attn_bwd");
	if (scratch == NULL)
		return;
	work_init(&w, a, rows, scratch);
	group_bwd(j, &w, segs, n, item % a->G);
}

void
cpu_attn_bwd(struct kernels *k, struct k_heads dq, struct k_heads dk, struct k_heads dv,
	const void *dout, const void *out, const float *lse, struct k_heads q, struct k_heads key,
	struct k_heads value, const struct k_segment *segs, int n_segs, int H, int G, int D,
	float scale)
{
	struct job j = {k,
		{q, key, value, segs, n_segs, H, G, D, H / G, attn_round(D, CPU_PANEL), scale,
			cpu_tile_function(k)},
		dq, dk, dv, dout, out, lse};
	cpu_run(k, n_segs * G, true, bwd_item, &j);
}
