/* Matrix products against sums in double, and their bits. */
#include "kernels/cpu/cpu.h"
#include "tests/kernels/common.h"

static void
ref_fwd(double *y, const float *x, const float *w, const float *b, int T, int I, int O)
{
	for (int t = 0; t < T; t++)
		for (int o = 0; o < O; o++) {
			double s = b != NULL ? b[o] : 0;
			for (int i = 0; i < I; i++)
				s += (double)x[(size_t)t * I + i] * w[(size_t)o * I + i];
			y[(size_t)t * O + o] += s;
		}
}

static const int SHAPES[][3] = {{1, 1, 1}, {1, 5, 7}, {3, 17, 5}, {48, 64, 192}, {49, 65, 193},
	{7, 300, 200}, {200, 33, 31}, {193, 96, 64}, {5, 576, 130}, {70, 1100, 50}, {200, 590, 150},
	{1600, 3, 5}, {5, 300, 700}, {2, 5, 1700}};
enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

/* A device that uses no more than this x86-64 level. */
static struct kernels *
open_level(int threads, int level)
{
	struct kernels *k = kernels_cpu_open(threads);
	((struct cpu *)k->priv)->level = level;
	return k;
}

static void
check_fwd(struct kernels *k, const int *s, enum k_dtype dtype, unsigned flags, bool bias)
{
	int T = s[0], I = s[1], O = s[2];
	struct weights w = weights((size_t)O * I, dtype), b = weights(O, dtype);
	float *x = floats((size_t)T * I), *y = floats((size_t)T * O);
	double *r = calloc((size_t)T * O, sizeof *r);
	if (flags & K_ADD)
		for (int i = 0; i < T * O; i++)
			r[i] = y[i];
	ref_fwd(r, x, w.value, bias ? b.value : NULL, T, I, O);
	k->linear_fwd(k, y, x, w.mat, bias ? b.mat : (struct k_mat){0}, T, I, O, flags);
	CHECK(difference(y, r, (size_t)T * O) < 1e-6 * sqrt(I) + 2e-7);
	free(x), free(y), free(r), weights_free(&w), weights_free(&b);
}

static void
forward(void)
{
	for (int level = cpu_level(); level >= 0; level--) {
		struct kernels *k = open_level(2, level);
		for (int s = 0; s < N_SHAPES; s++)
			for (int d = 0; d < 3; d++)
				for (unsigned flags = 0; flags < 4; flags++)
					check_fwd(k, SHAPES[s], d, flags, (s + flags) % 2);
		CHECK(k->sync(k, NULL, 0) == 0);
		k->close(k);
	}
}

/* A row alone, among others, anywhere, with any number of threads. */
static void
check_bits(const int *s, enum k_dtype dtype, unsigned flags, int level)
{
	enum { MAX = 200 };
	int I = s[1], O = s[2];
	struct weights w = weights((size_t)O * I, dtype), b = weights(O, dtype);
	float *x = floats((size_t)MAX * I), *y0 = floats((size_t)MAX * O);
	float *y = copy(y0, (size_t)MAX * O), *z = floats((size_t)MAX * O);
	struct kernels *k = open_level(1, level);
	k->linear_fwd(k, y, x, w.mat, b.mat, MAX, I, O, flags);
	k->close(k);
	static const int N[] = {1, 2, 3, 5, 8, 16, 17, 31, 47, 48, 49, 96, 100, 191, 193, 200};
	bool all = true;
	for (int threads = 1; threads <= 3; threads++) {
		k = open_level(threads, level);
		for (size_t n = 0; n<sizeof N / sizeof *N; n += threads> 1 ? 5 : 1)
			for (int at = 0; at + N[n] <= MAX; at += at < 20 ? 7 : 61) {
				memcpy(z, y0 + (size_t)at * O, sizeof *z * N[n] * O);
				k->linear_fwd(
					k, z, x + (size_t)at * I, w.mat, b.mat, N[n], I, O, flags);
				all &= same(z, y + (size_t)at * O, sizeof *z * N[n] * O);
			}
		k->close(k);
	}
	CHECK(all);
	if (!all)
		printf("# I=%d O=%d dtype=%d flags=%u level=%d\n", I, O, dtype, flags, level);
	free(x), free(y), free(y0), free(z), weights_free(&w), weights_free(&b);
}

static void
row_bits(void)
{
	static const int S[][3] = {
		{0, 1, 1}, {0, 17, 5}, {0, 64, 192}, {0, 65, 33}, {0, 100, 201}, {0, 1100, 11}};
	for (int level = cpu_level(); level >= 0; level--)
		for (size_t s = 0; s < sizeof S / sizeof *S; s++)
			for (unsigned flags = 0; flags < 4; flags++)
				check_bits(S[s], (s + flags) % 3, flags, level);
}

static void
check_bwd(const int *s, enum k_dtype dtype, int level)
{
	int T = s[0], I = s[1], O = s[2];
	size_t nx = (size_t)T * I, nw = (size_t)O * I, ny = (size_t)T * O;
	struct weights w = weights(nw, dtype);
	float *x = floats(nx), *dy = floats(ny), *dw0 = floats(nw), *db0 = floats(O);
	float *dx0 = floats(nx), *first[4] = {0};
	double *rx = calloc(nx, sizeof *rx), *rw = calloc(nw, sizeof *rw),
	       *rb = calloc(O, sizeof *rb);
	for (size_t i = 0; i < nw; i++)
		rw[i] = dw0[i];
	for (int o = 0; o < O; o++)
		rb[o] = db0[o];
	for (int t = 0; t < T; t++)
		for (int o = 0; o < O; o++) {
			double g = dy[(size_t)t * O + o];
			rb[o] += g;
			for (int i = 0; i < I; i++) {
				rx[(size_t)t * I + i] += g * w.value[(size_t)o * I + i];
				rw[(size_t)o * I + i] += g * x[(size_t)t * I + i];
			}
		}
	double *added = malloc(nx * sizeof *added);
	for (size_t i = 0; i < nx; i++)
		added[i] = rx[i] + dx0[i];
	for (int threads = 1; threads <= 3; threads++) {
		struct kernels *k = open_level(threads, level);
		float *out[4] = {copy(dx0, nx), copy(dx0, nx), copy(dw0, nw), copy(db0, O)};
		k->linear_bwd_x(k, out[0], dy, w.mat, T, I, O, 0);
		k->linear_bwd_x(k, out[1], dy, w.mat, T, I, O, K_ADD);
		k->linear_bwd_w(k, out[2], out[3], dy, x, T, I, O);
		k->close(k);
		CHECK(difference(out[0], rx, nx) < 1e-6 * sqrt(O) + 2e-7);
		CHECK(difference(out[2], rw, nw) < 1e-6 * sqrt(T) + 2e-7);
		CHECK(difference(out[3], rb, O) < 1e-6);
		CHECK(difference(out[1], added, nx) < 1e-6 * sqrt(O) + 2e-7);
		size_t n[4] = {nx, nx, nw, O};
		for (int i = 0; i < 4; i++) {
			if (threads == 1)
				first[i] = copy(out[i], n[i]);
			CHECK(same(first[i], out[i], n[i] * sizeof(float)));
			free(out[i]);
		}
	}
	for (int i = 0; i < 4; i++)
		free(first[i]);
	free(x), free(dy), free(dw0), free(db0), free(dx0), free(rx), free(rw), free(rb);
	free(added);
	weights_free(&w);
}

static void
backward(void)
{
	for (int level = cpu_level(); level >= 0; level--)
		for (int s = 0; s < N_SHAPES; s++)
			for (int d = 0; d < 3; d++)
				check_bwd(SHAPES[s], d, level);
}

/* Halves with all exponents, infinities and NaN come through a 1x1 product unharmed. */
static void
all_halves(void)
{
	struct kernels *k = kernels_cpu_open(1);
	uint16_t *h = malloc(65536 * sizeof *h);
	float *out = malloc(65536 * sizeof *out);
	for (int i = 0; i < 65536; i++)
		h[i] = i;
	int32_t id = 0;
	k->embed_fwd(k, out, (struct k_mat){h, K_F16}, &id, 1, 65536);
	int bad = 0;
	for (int i = 0; i < 65536; i++) {
		int e = i >> 10 & 31, m = i & 1023;
		double v = e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
		if (e == 31)
			v = m ? NAN : INFINITY;
		v = i >> 15 ? -v : v;
		bad += isnan(v) ? !isnan(out[i]) : out[i] != v || !signbit(out[i]) != !(i >> 15);
	}
	CHECK(bad == 0);
	k->close(k);
	free(h), free(out);
}

int
main(void)
{
	RUN(forward);
	RUN(row_bits);
	RUN(backward);
	RUN(all_halves);
	TEST_END;
}
