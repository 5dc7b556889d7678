/* Attention over packed segments, forward. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum { LANES = 16, TILE = 16 };

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

CPU_CLONES static double
exp_sum(float *s, float max, int n)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		s[i] = cpu_expf(s[i] - max);
	for (int i = 0; i < n; i++)
		sum += s[i];
	return sum;
}

static const float *
row_of(struct k_heads x, int64_t row, int head)
{
	return (const float *)x.data + row * x.row + head * x.head;
}

static void
query_fwd(float *out, float *lse, const float *q, struct k_heads key, struct k_heads value,
	const struct k_segment *s, int i, int g, int D, float scale, float *p)
{
	int n = s->n_prefix + s->n_own - s->n_query + i + 1;
	float max = -INFINITY;
	for (int j = 0; j < n; j++) {
		int64_t row = j < s->n_prefix ? s->prefix + j : s->own + j - s->n_prefix;
		p[j] = scale * dot(q, row_of(key, row, g), D);
		if (p[j] > max)
			max = p[j];
	}
	double sum = exp_sum(p, max, n);
	memset(out, 0, D * sizeof *out);
	for (int j = 0; j < n; j++) {
		int64_t row = j < s->n_prefix ? s->prefix + j : s->own + j - s->n_prefix;
		axpy(out, p[j], row_of(value, row, g), D);
	}
	for (int d = 0; d < D; d++)
		out[d] /= (float)sum;
	if (lse != NULL)
		*lse = max + log(sum);
}

void
cpu_attn_fwd(struct kernels *k, void *out, float *lse, struct k_heads q, struct k_heads key,
	struct k_heads value, const struct k_segment *segs, int n_segs, int H, int G, int D,
	float scale)
{
	for (int s = 0; s < n_segs; s++) {
		const struct k_segment *seg = &segs[s];
		size_t bytes = sizeof(float) * ((size_t)seg->n_prefix + seg->n_own + 1);
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
		for (int h = 0; h < H; h++)
			for (int i = 0; i < seg->n_query; i++) {
				float *p = cpu_scratch(k, bytes, "attn_fwd");
				size_t t = seg->query + i;
				if (p != NULL)
					query_fwd((float *)out + (t * H + h) * D,
						lse != NULL ? lse + t * H + h : NULL,
						row_of(q, t, h), key, value, seg, i, h / (H / G), D,
						scale, p);
			}
	}
}
