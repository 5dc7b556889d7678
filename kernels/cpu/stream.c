/* Few rows against many weights: each weight is read once. */
#include "kernels/cpu/cpu.h"

enum { LANES = 16, CHUNK = 64 };

CPU_INLINE float
sum_lanes(const float *s)
{
	float t[LANES];
	for (int i = 0; i < LANES; i++)
		t[i] = s[i];
	for (int n = LANES / 2; n > 0; n /= 2)
		for (int i = 0; i < n; i++)
			t[i] += t[i + n];
	return t[0];
}

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
	return sum_lanes(s);
}

void
cpu_stream(struct kernels *k, float *y, const float *x, struct k_mat w, struct k_mat bias, int T,
	int I, int O, bool add)
{
	int chunks = (O + CHUNK - 1) / CHUNK;
	size_t bytes = sizeof(float) * I;
#pragma omp parallel for schedule(dynamic) num_threads(k->threads)
	for (int c = 0; c < chunks; c++) {
		float *buf = cpu_scratch(k, bytes, "linear_fwd");
		int end = (c + 1) * CHUNK < O ? (c + 1) * CHUNK : O;
		for (int o = c * CHUNK; buf != NULL && o < end; o++) {
			size_t ld;
			const float *row = cpu_panel(w, o, 1, 0, I, I, buf, &ld);
			float b = 0;
			if (bias.data != NULL)
				cpu_to_f32(&b, bias, o, 1);
			for (int t = 0; t < T; t++) {
				float v = dot(x + (size_t)t * I, row, I) + b,
				      *out = y + (size_t)t * O + o;
				*out = add ? *out + v : v;
			}
		}
	}
}
