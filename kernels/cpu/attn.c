/* Attention over packed segments, forward: blocks of keys under an online softmax. */
#include <math.h>

#include "kernels/cpu/attn.h"

enum { LANES = 16 };

/* Scratch of a work item: at most ATTN_ROWS rows. */
struct work {
	float *rows; /* [ATTN_ROWS,D] */
	float *q;    /* tiles [D,CPU_TILE] of the rows */
	float *k;    /* panels [D,CPU_PANEL] of the block's keys */
	float *v;    /* strips [ATTN_KEYS,CPU_PANEL] of the block's values */
	float *s;    /* [ATTN_ROWS,ATTN_KEYS] scores */
	float *p;    /* [ATTN_KEYS,CPU_TILE] probabilities of a tile */
	float *o;    /* [ATTN_ROWS,width] sums */
	float *max;  /* [ATTN_ROWS] */
	double *sum; /* [ATTN_ROWS] */
};

static size_t
work_init(struct work *w, const struct attn *a, void *p)
{
	size_t used = 0;
#define TAKE(field, n) w->field = (void *)((uintptr_t)p + used), used += sizeof *w->field * (n)
	TAKE(sum, ATTN_ROWS);
	TAKE(max, ATTN_ROWS);
	TAKE(rows, ATTN_ROWS * a->D);
	TAKE(q, ATTN_ROWS * a->D);
	TAKE(k, ATTN_KEYS * a->D);
	TAKE(v, ATTN_KEYS * a->width);
	TAKE(s, ATTN_ROWS * ATTN_KEYS);
	TAKE(p, ATTN_KEYS * CPU_TILE);
	TAKE(o, ATTN_ROWS * a->width);
#undef TAKE
	return used;
}

/* A row of scores becomes exp(scale*s - max) with the running maximum and sum; only the first `see`
 * of n keys count.  Returns the factor of what was summed before. */
CPU_CLONES static float
row_softmax(float *s, int n, int see, float scale, float *max, double *sum)
{
	float m[LANES], l[LANES] = {0}, old = *max;
	for (int j = 0; j < LANES; j++)
		m[j] = old;
	for (int i = see; i < n; i++)
		s[i] = -INFINITY;
	for (int i = 0; i < n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			s[i + j] *= scale;
			m[j] = s[i + j] > m[j] ? s[i + j] : m[j];
		}
	for (int j = 1; j < LANES; j++)
		m[0] = m[j] > m[0] ? m[j] : m[0];
	float top = m[0];
	for (int i = 0; i < n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			s[i + j] = cpu_expf(s[i + j] - top);
			l[j] += s[i + j];
		}
	for (int h = LANES / 2; h > 0; h /= 2)
		for (int j = 0; j < h; j++)
			l[j] += l[j + h];
	float factor = top == old ? 1 : cpu_expf(old - top);
	*max = top;
	*sum = *sum * factor + l[0];
	return factor;
}

/* Rows [first, first+m) of the segment against keys [row, row+n), of which row r of the block sees
 * the first see(r) = before + (first + r)/share, at most n. */
static void
key_block(const struct attn *a, struct work *w, int g, int64_t row, int n, int first, int m,
	int before)
{
	int wide = attn_round(n, CPU_PANEL);
	const float *key = attn_at(a->key, row, g), *value = attn_at(a->value, row, g);
	for (int c = 0; c < n; c += CPU_PANEL)
		cpu_pack_across(w->k + (size_t)c * a->D, key + c * a->key.row, a->key.row,
			attn_min(CPU_PANEL, n - c), a->D);
	/* whole panels of values are used where they lie */
	bool direct = a->width == a->D;
	const float *v = direct ? value : w->v;
	size_t ldv = direct ? (size_t)a->value.row : CPU_PANEL, step = direct ? 1 : ATTN_KEYS;
	for (int d = 0; d < a->D && !direct; d += CPU_PANEL)
		cpu_pack_along(w->v + (size_t)d * ATTN_KEYS, CPU_PANEL, value + d, a->value.row, n,
			attn_min(CPU_PANEL, a->D - d));
	for (int r = 0; r < m; r += CPU_TILE) {
		float *s = w->s + (size_t)r * ATTN_KEYS, *o = w->o + (size_t)r * a->width;
		int rows = attn_min(CPU_TILE, m - r);
		for (int c = 0; c < n; c += CPU_PANEL)
			a->tile(s + c, ATTN_KEYS, w->q + (size_t)r * a->D, w->k + (size_t)c * a->D,
				CPU_PANEL, a->D, rows, false);
		for (int i = 0; i < rows; i++) {
			int see = attn_min(n, before + (first + r + i) / a->share);
			float f = row_softmax(s + (size_t)i * ATTN_KEYS, wide, see < 0 ? 0 : see,
				a->scale, &w->max[r + i], &w->sum[r + i]);
			for (int d = 0; f != 1 && d < a->width; d++)
				o[(size_t)i * a->width + d] *= f;
		}
		cpu_pack_tile(w->p, s, ATTN_KEYS, rows, n);
		for (int d = 0; d < a->width; d += CPU_PANEL)
			a->tile(o + d, a->width, w->p, v + d * step, ldv, n, rows, true);
	}
}

static void
row_block(const struct attn *a, struct work *w, const struct k_segment *s, int g, int first, int m)
{
	attn_gather(w->rows, a, a->q, s, g, first, m);
	for (int r = 0; r < m; r += CPU_TILE)
		cpu_pack_tile(w->q + (size_t)r * a->D, w->rows + (size_t)r * a->D, a->D,
			attn_min(CPU_TILE, m - r), a->D);
	memset(w->o, 0, sizeof *w->o * ATTN_ROWS * a->width);
	for (int r = 0; r < m; r++)
		w->max[r] = -INFINITY, w->sum[r] = 0;
	for (int j = 0; j < s->n_prefix; j += ATTN_KEYS)
		key_block(a, w, g, s->prefix + j, attn_min(ATTN_KEYS, s->n_prefix - j), first, m,
			ATTN_KEYS);
	int past = s->n_own - s->n_query, visible = past + (first + m - 1) / a->share + 1;
	for (int j = 0; j < visible; j += ATTN_KEYS)
		key_block(a, w, g, s->own + j, attn_min(ATTN_KEYS, visible - j), first, m,
			past + 1 - j);
}

static void
finish(const struct attn *a, const struct work *w, const struct k_segment *s, int g, int first,
	int m, float *out, float *lse)
{
	for (int r = 0; r < m; r++) {
		int i = (first + r) / a->share, h = g * a->share + (first + r) % a->share;
		size_t at = (size_t)(s->query + i) * a->H + h;
		float sum = w->sum[r];
		for (int d = 0; d < a->D; d++)
			out[at * a->D + d] = w->o[(size_t)r * a->width + d] / sum;
		if (lse != NULL)
			lse[at] = w->max[r] + log(w->sum[r]);
	}
}

struct fwd {
	struct kernels *k;
	struct attn a;
	float *out, *lse;
	int blocks; /* of ATTN_ROWS rows, of the longest segment */
	size_t bytes;
};

static void
fwd_item(void *ctx, int item, int thread)
{
	const struct fwd *f = ctx;
	const struct attn *a = &f->a;
	/* the last blocks of a segment are the longest: first */
	int g = item % a->G, first = (f->blocks - 1 - item / a->G / a->n_segs) * ATTN_ROWS;
	const struct k_segment *s = &a->segs[item / a->G % a->n_segs];
	int rows = s->n_query * a->share;
	if (first >= rows)
		return;
	struct work w;
	void *scratch = cpu_scratch(f->k, thread, f->bytes, "attn_fwd");
	if (scratch == NULL)
		return;
	int m = attn_min(ATTN_ROWS, rows - first);
	work_init(&w, a, scratch);
	row_block(a, &w, s, g, first, m);
	finish(a, &w, s, g, first, m, f->out, f->lse);
}

void
cpu_attn_fwd(struct kernels *k, void *out, float *lse, struct k_heads q, struct k_heads key,
	struct k_heads value, const struct k_segment *segs, int n_segs, int H, int G, int D,
	float scale)
{
	struct fwd f = {k,
		{q, key, value, segs, n_segs, H, G, D, H / G, attn_round(D, CPU_PANEL), scale,
			cpu_tile_function(k)},
		out, lse, 0, 0};
	struct work none;
	int most = 0;
	for (int s = 0; s < n_segs; s++)
		most = segs[s].n_query > most ? segs[s].n_query : most;
	f.blocks = attn_round(most * f.a.share, ATTN_ROWS) / ATTN_ROWS;
	f.bytes = work_init(&none, &f.a, NULL);
	cpu_run(k, f.blocks * n_segs * G, true, fwd_item, &f);
}
