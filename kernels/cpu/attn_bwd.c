/* Attention over packed segments, backward. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum { LANES = 16 };

CPU_CLONES static float
dot(const float *restrict x, const float *restrict w, int n)
{
	float s[LANES] = {0};
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			s[j] += x[i + j] * w[i + j];
	for (int j = 0; i + j < n; j++)
		s[j] += x[i + j] * w[i + j];
	for (int m = LANES / 2; m > 0; m /= 2)
		for (int j = 0; j < m; j++)
			s[j] += s[j + m];
	return s[0];
}

CPU_CLONES static void
axpy(float *restrict y, float a, const float *restrict x, int n)
{
	for (int i = 0; i < n; i++)
		y[i] += a * x[i];
}

static float *
row_of(struct k_heads x, int64_t row, int head)
{
	return (float *)x.data + row * x.row + head * x.head;
}

struct job {
	struct k_heads dq, dk, dv, q, key, value;
	const float *dout, *out, *lse;
	int H, G, D;
	float scale;
};

static void
query_bwd(const struct job *j, const struct k_segment *s, int i, int h, int g)
{
	int n = s->n_prefix + i + 1, D = j->D;
	size_t t = s->query + i;
	const float *q = row_of(j->q, t, h), *dout = j->dout + (t * j->H + h) * D;
	float *dq = row_of(j->dq, t, h), lse = j->lse[t * j->H + h];
	float delta = dot(dout, j->out + (t * j->H + h) * D, D);
	memset(dq, 0, D * sizeof *dq);
	for (int c = 0; c < n; c++) {
		int64_t row = c < s->n_prefix ? s->prefix + c : s->own + c - s->n_prefix;
		const float *kr = row_of(j->key, row, g);
		float p = expf(j->scale * dot(q, kr, D) - lse);
		float ds = j->scale * p * (dot(dout, row_of(j->value, row, g), D) - delta);
		axpy(dq, ds, kr, D);
		axpy(row_of(j->dk, row, g), ds, q, D);
		axpy(row_of(j->dv, row, g), p, dout, D);
	}
}

static void
group_bwd(const struct job *j, const struct k_segment *segs, int n, int g)
{
	int shared = j->H / j->G;
	for (int s = 0; s < n; s++)
		for (int i = 0; i < segs[s].n_own; i++) {
			memset(row_of(j->dk, segs[s].own + i, g), 0, j->D * sizeof(float));
			memset(row_of(j->dv, segs[s].own + i, g), 0, j->D * sizeof(float));
		}
	for (int s = 0; s < n; s++)
		for (int h = g * shared; h < (g + 1) * shared; h++)
			for (int i = 0; i < segs[s].n_query; i++)
				query_bwd(j, &segs[s], i, h, g);
}

void
cpu_attn_bwd(struct kernels *k, struct k_heads dq, struct k_heads dk, struct k_heads dv,
	const void *dout, const void *out, const float *lse, struct k_heads q, struct k_heads key,
	struct k_heads value, const struct k_segment *segs, int n_segs, int H, int G, int D,
	float scale)
{
	struct job j = {dq, dk, dv, q, key, value, dout, out, lse, H, G, D, scale};
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int s = 0; s < n_segs; s++)
		for (int g = 0; g < G; g++) {
			if (s > 0 && segs[s].n_prefix > 0)
				continue;
			int n = 1;
			while (s + n < n_segs && segs[s + n].n_prefix > 0)
				n++;
			group_bwd(&j, segs + s, n, g);
		}
}
