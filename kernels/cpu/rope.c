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

void
cpu_rope(struct kernels *k, struct k_heads x, const int32_t *positions, const float *freq,
	int n_freq, int T, int n_heads, bool inverse)
{
#pragma omp parallel for num_threads(k->threads) if ((int64_t)T * n_freq > 2000)
	for (int t = 0; t < T; t++) {
		float *cs = cpu_scratch(k, 2 * n_freq * sizeof *cs, "rope");
		if (cs == NULL)
			continue;
		angles(cs, positions[t], freq, n_freq, inverse);
		for (int h = 0; h < n_heads; h++)
			rotate((float *)x.data + t * x.row + h * x.head, cs, n_freq);
	}
}
