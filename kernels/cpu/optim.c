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

struct squares {
	double *part; /* of each block */
	const float *x;
	size_t n;
};

static void
squares_item(void *ctx, int b, int thread)
{
	const struct squares *s = ctx;
	size_t i = (size_t)b * BLOCK;
	(void)thread;
	s->part[b] = block_squares(s->x + i, s->n - i < BLOCK ? s->n - i : BLOCK);
}

double
cpu_sumsq(struct kernels *k, const float *x, size_t n)
{
	size_t blocks = (n + BLOCK - 1) / BLOCK;
	struct squares s = {cpu_shared(k, (blocks + 1) * sizeof *s.part, "sumsq"), x, n};
	if (s.part == NULL)
		return NAN;
	cpu_run(k, (int)blocks, blocks > 4, squares_item, &s);
	double sum = 0;
	for (size_t b = 0; b < blocks; b++)
		sum += s.part[b];
	return sum;
}

struct adamw {
	float *w, *m, *v;
	const float *g;
	size_t n;
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

static void
adamw_item(void *ctx, int b, int thread)
{
	const struct adamw *a = ctx;
	size_t i = (size_t)b * BLOCK;
	(void)thread;
	adamw_block(a->w + i, a->g + i, a->m + i, a->v + i, a->n - i < BLOCK ? a->n - i : BLOCK, a);
}

void
cpu_adamw(struct kernels *k, float *w, const float *g, float *m, float *v, size_t n, double lr,
	double beta1, double beta2, double eps, double decay, double grad_scale, int64_t step)
{
	struct adamw a = {
		.w = w,
		.m = m,
		.v = v,
		.g = g,
		.n = n,
		.keep = 1 - lr * decay,
		.beta1 = beta1,
		.beta2 = beta2,
		.step_size = lr / (1 - pow(beta1, (double)step)),
		.root_bias2 = sqrt(1 - pow(beta2, (double)step)),
		.eps = eps,
		.grad_scale = grad_scale,
	};
	cpu_run(k, cpu_pieces(n, BLOCK), true, adamw_item, &a);
}
