#ifndef PRO_TESTS_KERNELS_COMMON_H
#define PRO_TESTS_KERNELS_COMMON_H

#include "kernels/kernels.h"
#include "tests/test.h"

static uint64_t seed = 1;

/* A number in [-1, 1) (splitmix64). */
static inline float
rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (float)(int32_t)(z >> 32) / 2147483648.0f;
}

static inline float *
floats(size_t n)
{
	float *p = malloc((n ? n : 1) * sizeof *p);
	for (size_t i = 0; i < n; i++)
		p[i] = rnd();
	return p;
}

static inline float *
copy(const float *x, size_t n)
{
	float *p = malloc((n ? n : 1) * sizeof *p);
	memcpy(p, x, n * sizeof *p);
	return p;
}

/* Weights in a dtype, and the exact values they have as float. */
struct weights {
	void *stored;
	float *value;
	struct k_mat mat;
};

static inline struct weights
weights(size_t n, enum k_dtype dtype)
{
	struct weights w = {malloc(n * k_dtype_size(dtype) + 1), floats(n), {0}};
	for (size_t i = 0; i < n; i++) {
		uint32_t u;
		if (dtype == K_BF16) {
			memcpy(&u, &w.value[i], 4);
			((uint16_t *)w.stored)[i] = u >> 16;
			u &= 0xffff0000u;
			memcpy(&w.value[i], &u, 4);
		} else if (dtype == K_F16) {
			/* sign, exponent 1..15 or 0 (subnormal) now and then, 10 bits */
			uint16_t h = (w.value[i] < 0) << 15;
			int e = 8 + (int)(7 * fabsf(rnd())), m = (int)(1023 * fabsf(rnd()));
			if (i % 17 == 3)
				e = 0;
			h |= e << 10 | m;
			double v = e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
			((uint16_t *)w.stored)[i] = h;
			w.value[i] = h >> 15 ? -v : v;
		} else {
			((float *)w.stored)[i] = w.value[i];
		}
	}
	w.mat = (struct k_mat){w.stored, dtype};
	return w;
}

static inline void
weights_free(struct weights *w)
{
	free(w->stored);
	free(w->value);
}

/* Largest |a-b| over the larger of 1 and |b|; NaN counts as infinity. */
static inline double
difference(const float *a, const double *b, size_t n)
{
	double worst = 0;
	for (size_t i = 0; i < n; i++) {
		double d = fabs(a[i] - b[i]) / (fabs(b[i]) > 1 ? fabs(b[i]) : 1);
		if (!(d <= worst))
			worst = isnan(d) ? INFINITY : d;
	}
	return worst;
}

static inline bool
same(const void *a, const void *b, size_t bytes)
{
	return memcmp(a, b, bytes) == 0;
}

#endif
