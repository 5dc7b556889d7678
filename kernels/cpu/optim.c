/* The optimizer: gradient norms and AdamW. */
#include <math.h>

#include "kernels/cpu/cpu.h"

enum { LANES = 8, BLOCK = 1 << 13 };

CPU_CLONES static double
block_squares(const float *x, size_t n)
{
	double s[LANES] = {0};
	size_t i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			s[j] += (double)x[i + j] * x[i + j];
	for (int j = 0; i + j < n; j++)
		s[j] += (double)x[i + j] * x[i + j];
	for (int m = LANES / 2; m > 0; m /= 2)
		for (int j = 0; j < m; j++)
			s[j] += s[j + m];
	return s[0];
}

double
cpu_sumsq(struct kernels *k, const float *x, size_t n)
{
	size_t blocks = (n + BLOCK - 1) / BLOCK;
	double *part = cpu_shared(k, (blocks + 1) * sizeof *part, "sumsq");
	if (part == NULL)
		return NAN;
#pragma omp parallel for num_threads(k->threads) if (blocks > 4)
	for (size_t b = 0; b < blocks; b++) {
		size_t i = b * BLOCK;
		part[b] = block_squares(x + i, n - i < BLOCK ? n - i : BLOCK);
	}
	double sum = 0;
	for (size_t b = 0; b < blocks; b++)
		sum += part[b];
	return sum;
}

struct adamw {
	double keep, beta1, beta2, step_size, root_bias2, eps, grad_scale;
};

/* Each element in double, rounded once when it is stored. */
CPU_CLONES static void
adamw_block(float *restrict w, const float *restrict g, float *restrict m, float *restrict v,
	size_t n, const struct adamw *a)
{
	double keep = a->keep, b1 = a->beta1, b2 = a->beta2, size = a->step_size,
	       root = a->root_bias2, eps = a->eps, scale = a->grad_scale;
	for (size_t i = 0; i < n; i++) {
		double gi = (double)g[i] * scale, mi = m[i] + (gi - m[i]) * (1 - b1),
		       vi = v[i] * b2 + gi * gi * (1 - b2);
		m[i] = mi;
		v[i] = vi;
		w[i] = w[i] * keep - size * mi / (sqrt(vi) / root + eps);
	}
}

void
cpu_adamw(struct kernels *k, float *w, const float *g, float *m, float *v, size_t n, double lr,
	double beta1, double beta2, double eps, double decay, double grad_scale, int64_t step)
{
	struct adamw a = {
		.keep = 1 - lr * decay,
		.beta1 = beta1,
		.beta2 = beta2,
		.step_size = lr / (1 - pow(beta1, (double)step)),
		.root_bias2 = sqrt(1 - pow(beta2, (double)step)),
		.eps = eps,
		.grad_scale = grad_scale,
	};
	size_t blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(k->threads) if (blocks > 1)
	for (size_t b = 0; b < blocks; b++) {
		size_t i = b * BLOCK;
		adamw_block(w + i, g + i, m + i, v + i, n - i < BLOCK ? n - i : BLOCK, &a);
	}
}
