/* Rotary embedding. */
#include <math.h>

#include "kernels/cpu/cpu.h"

/* The angle is rounded to float before its cosine is taken, as the reference implementations do. */
static void
angles(float *cs, int32_t position, const float *freq, int n, bool inverse)
{
	for (int i = 0; i < n; i++) {
		float a = (float)position * freq[i], s;
		sincosf(a, &s, &cs[i]);
		cs[n + i] = inverse ? -s : s;
	}
}

CPU_CLONES static void
rotate(float *x, const float *cs, int n)
{
	float *y = x + n;
	for (int i = 0; i < n; i++) {
		float a = x[i], b = y[i];
		x[i] = a * cs[i] - b * cs[n + i];
		y[i] = b * cs[i] + a * cs[n + i];
	}
}

struct job {
	struct kernels *k;
	struct k_heads x;
	const int32_t *positions;
	const float *freq;
	int n_freq, n_heads;
	bool inverse;
};

static void
row_item(void *ctx, int t, int thread)
{
	const struct job *j = ctx;
	float *cs = cpu_scratch(j->k, thread, 2 * j->n_freq * sizeof *cs, "rope");
	if (cs == NULL)
		return;
	angles(cs, j->positions[t], j->freq, j->n_freq, j->inverse);
	for (int h = 0; h < j->n_heads; h++)
		rotate((float *)j->x.data + t * j->x.row + h * j->x.head, cs, j->n_freq);
}

void
cpu_rope(struct kernels *k, struct k_heads x, const int32_t *positions, const float *freq,
	int n_freq, int T, int n_heads, bool inverse)
{
	struct job j = {k, x, positions, freq, n_freq, n_heads, inverse};
	cpu_run(k, T, (int64_t)T * n_freq > 2000, row_item, &j);
}
