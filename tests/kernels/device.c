/* Memory, sticky errors, the optimizer. */
#include <stdint.h>

#include "tests/kernels/common.h"

static void
memory(void)
{
	struct kernels *k = kernels_cpu_open(1);
	CHECK(strcmp(k->name, "cpu") == 0 && k->act == K_F32 && k->threads == 1);
	static const size_t SIZES[] = {0, 1, 63, 64, 1000, (1 << 20) - 1, 1 << 20, 5000001};
	for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
		char *p = k->alloc(k, SIZES[s]);
		CHECK(p != NULL && (uintptr_t)p % 64 == 0);
		size_t sum = 0;
		for (size_t i = 0; p != NULL && i < SIZES[s]; i++)
			sum += p[i] != 0;
		CHECK(sum == 0);
		if (p != NULL && SIZES[s] >= 64) {
			char text[64], back[64] = {0};
			memset(text, 'x', 64);
			k->upload(k, p, text, 64);
			k->zero(k, p + 1, 62);
			k->download(k, back, p, 64);
			CHECK(back[0] == 'x' && back[1] == 0 && back[62] == 0 && back[63] == 'x');
		}
		k->free(k, p);
	}
	k->free(k, NULL);
	k->upload(k, NULL, NULL, 0);
	CHECK(k->alloc(k, SIZE_MAX) == NULL);
	CHECK(k->alloc(k, SIZE_MAX - 100) == NULL);
	CHECK(k->alloc(k, (size_t)1 << 60) == NULL);
	k->close(k);
	k = kernels_cpu_open(0);
	CHECK(k->threads == 1);
	k->close(k);
}

/* A result too large to have scratch for is reported by sync, once. */
static void
sticky_error(void)
{
	struct kernels *k = kernels_cpu_open(2);
	char msg[100] = "";
	CHECK(k->sync(k, msg, sizeof msg) == 0);
	struct k_segment s = {0, 1, 0, 0, 0, 1};
	float x = 1, out = 7;
	struct k_heads h = {&x, 1, 1};
	CHECK(isnan(k->sumsq(k, &x, SIZE_MAX / 2)));
	CHECK(k->sync(k, msg, sizeof msg) == K_NO_MEMORY);
	CHECK_STR(msg, "sumsq: out of memory for scratch space");
	CHECK(k->sync(k, msg, sizeof msg) == 0);
	k->attn_fwd(k, &out, NULL, h, h, h, &s, 1, 1, 1, 1, 1);
	CHECK(out == 1 && k->sync(k, msg, sizeof msg) == 0);
	k->close(k);
}

static void
sumsq(void)
{
	static const size_t N[] = {0, 1, 7, 8, 1000, 8192, 8193, 100003};
	struct kernels *k[3] = {kernels_cpu_open(1), kernels_cpu_open(2), kernels_cpu_open(3)};
	for (size_t n = 0; n < sizeof N / sizeof *N; n++) {
		float *x = floats(N[n]);
		long double want = 0;
		for (size_t i = 0; i < N[n]; i++)
			want += (long double)x[i] * x[i];
		double first = k[0]->sumsq(k[0], x, N[n]);
		CHECK(fabs(first - (double)want) <= 1e-13 * (double)want);
		CHECK(k[1]->sumsq(k[1], x, N[n]) == first);
		CHECK(k[2]->sumsq(k[2], x, N[n]) == first);
		free(x);
	}
	float big[2] = {1e30f, 1e30f};
	CHECK_NEAR(k[0]->sumsq(k[0], big, 2) / 2e60, 1, 1e-6);
	for (int i = 0; i < 3; i++)
		k[i]->close(k[i]);
}

/* Eight steps against the definition, in long double. */
static void
adamw(void)
{
	enum { N = 20001 };
	float *w0 = floats(N), *g[8];
	for (int s = 0; s < 8; s++)
		g[s] = floats(N);
	const double lr = 3e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.1, scale = 0.37;
	float *first = NULL;
	for (int threads = 1; threads <= 3; threads++) {
		struct kernels *k = kernels_cpu_open(threads);
		float *w = copy(w0, N), *m = calloc(N, sizeof *m), *v = calloc(N, sizeof *v);
		for (int s = 0; s < 8; s++)
			k->adamw(k, w, g[s], m, v, N, lr, b1, b2, eps, decay, scale, s + 1);
		double worst = 0;
		for (int i = 0; i < N && threads == 1; i++) {
			long double x = w0[i], mi = 0, vi = 0;
			for (int s = 0; s < 8; s++) {
				long double gi = g[s][i] * scale;
				x -= lr * decay * x;
				mi = b1 * mi + (1 - b1) * gi;
				vi = b2 * vi + (1 - b2) * gi * gi;
				x -= lr * (mi / (1 - powl(b1, s + 1))) /
				     (sqrtl(vi / (1 - powl(b2, s + 1))) + eps);
			}
			worst = fmax(worst, fabs(w[i] - (double)x));
		}
		CHECK(worst < 1e-6);
		if (first == NULL)
			first = copy(w, N);
		CHECK(same(first, w, N * sizeof *w));
		k->close(k);
		free(w), free(m), free(v);
	}
	free(first), free(w0);
	for (int s = 0; s < 8; s++)
		free(g[s]);
}

int
main(void)
{
	RUN(memory);
	RUN(sticky_error);
	RUN(sumsq);
	RUN(adamw);
	TEST_END;
}
