/* Log-probabilities and their gradients against a double reference. */
#include "tests/kernels/common.h"

struct problem {
	int N, R, C, V;
	float *h, *coef;
	struct weights w;
	int32_t *row, *id;
};

static struct problem
problem(int R, int C, int V, enum k_dtype dtype, float size)
{
	struct problem p = {
		0, R, C, V, floats((size_t)R * C), NULL, weights((size_t)V * C, dtype), NULL, NULL};
	for (int i = 0; i < R * C; i++)
		p.h[i] *= size;
	p.row = malloc(sizeof(int32_t) * R * 5);
	p.id = malloc(sizeof(int32_t) * R * 5);
	for (int r = 0; r < R; r++) /* 0 to 5 targets a row, repeated ids included */
		for (int j = 0; j < (r == 0 ? 5 : (r * 7) % 4); j++, p.N++) {
			p.row[p.N] = r;
			p.id[p.N] = j == 1 ? p.id[p.N - 1] : (int)(fabsf(rnd()) * (V - 1));
		}
	p.id[0] = V - 1;
	p.coef = floats(p.N);
	return p;
}

static void
problem_free(struct problem *p)
{
	free(p->h), free(p->coef), free(p->row), free(p->id);
	weights_free(&p->w);
}

static double *
ref_logits(const struct problem *p)
{
	double *l = calloc((size_t)p->R * p->V, sizeof *l);
	for (int r = 0; r < p->R; r++)
		for (int v = 0; v < p->V; v++)
			for (int c = 0; c < p->C; c++)
				l[(size_t)r * p->V + v] += (double)p->h[(size_t)r * p->C + c] *
							   p->w.value[(size_t)v * p->C + c];
	return l;
}

static double
ref_lse(const double *x, int n)
{
	double max = -INFINITY, sum = 0;
	for (int i = 0; i < n; i++)
		max = fmax(max, x[i]);
	for (int i = 0; i < n; i++)
		sum += exp(x[i] - max);
	return max + log(sum);
}

static void
check_fwd(const struct problem *p, const double *l, const double *lse, double tol)
{
	float *first = NULL;
	for (int threads = 1; threads <= 3; threads++) {
		struct kernels *k = kernels_cpu_open(threads);
		float *logp = floats(p->N), *e = floats(p->R), *out = floats((size_t)p->R * p->V);
		k->logprob_fwd(k, logp, e, p->h, p->w.mat, p->row, p->id, p->N, p->R, p->C, p->V);
		CHECK(difference(e, lse, p->R) < tol);
		for (int j = 0; j < p->N; j++)
			CHECK_NEAR(logp[j], l[(size_t)p->row[j] * p->V + p->id[j]] - lse[p->row[j]],
				tol);
		k->logits(k, out, p->h, p->w.mat, p->R, p->C, p->V, 0);
		CHECK(difference(out, l, (size_t)p->R * p->V) < tol);
		k->logits(k, out, p->h, p->w.mat, p->R, p->C, p->V, K_STREAM);
		CHECK(difference(out, l, (size_t)p->R * p->V) < tol);
		if (threads == 1)
			first = logp;
		else
			CHECK(same(first, logp, sizeof *logp * p->N));
		if (threads > 1)
			free(logp);
		free(e), free(out);
		k->close(k);
	}
	free(first);
}

/* Gradients: dlogit = sum_j coef_j (onehot_j - softmax). */
static void
ref_bwd(const struct problem *p, const double *l, const double *lse, double *dh, double *dw)
{
	int j = 0;
	double *g = malloc(p->V * sizeof *g);
	for (int r = 0; r < p->R; r++) {
		for (int v = 0; v < p->V; v++)
			g[v] = 0;
		for (; j < p->N && p->row[j] == r; j++) {
			for (int v = 0; v < p->V; v++)
				g[v] -= p->coef[j] * exp(l[(size_t)r * p->V + v] - lse[r]);
			g[p->id[j]] += p->coef[j];
		}
		for (int v = 0; v < p->V; v++)
			for (int c = 0; c < p->C; c++) {
				size_t w = (size_t)v * p->C + c, h = (size_t)r * p->C + c;
				dh[h] += g[v] * p->w.value[w];
				dw[w] += g[v] * p->h[h];
			}
	}
	free(g);
}

static void
check_bwd(const struct problem *p, const double *l, const double *lse, double tol)
{
	size_t nh = (size_t)p->R * p->C, nw = (size_t)p->V * p->C;
	double *rh = calloc(nh, sizeof *rh), *rw = calloc(nw, sizeof *rw);
	float *dw0 = floats(nw), *e = floats(p->R), *logp = floats(p->N), *first[2] = {0};
	for (size_t i = 0; i < nw; i++)
		rw[i] = dw0[i];
	ref_bwd(p, l, lse, rh, rw);
	for (int threads = 1; threads <= 3; threads++) {
		struct kernels *k = kernels_cpu_open(threads);
		float *dh = floats(nh), *dh2 = floats(nh), *dw = copy(dw0, nw);
		k->logprob_fwd(k, logp, e, p->h, p->w.mat, p->row, p->id, p->N, p->R, p->C, p->V);
		k->logprob_bwd(k, dh, dw, p->h, p->w.mat, e, p->row, p->id, p->coef, p->N, p->R,
			p->C, p->V);
		k->logprob_bwd(k, dh2, NULL, p->h, p->w.mat, e, p->row, p->id, p->coef, p->N, p->R,
			p->C, p->V);
		CHECK(difference(dh, rh, nh) < tol);
		CHECK(difference(dw, rw, nw) < tol);
		CHECK(same(dh, dh2, nh * sizeof *dh));
		if (threads == 1) {
			first[0] = dh;
			first[1] = dw;
		} else {
			CHECK(same(first[0], dh, nh * sizeof *dh));
			CHECK(same(first[1], dw, nw * sizeof *dw));
			free(dh), free(dw);
		}
		free(dh2);
		k->close(k);
	}
	free(first[0]), free(first[1]), free(rh), free(rw), free(dw0), free(e), free(logp);
}

static void
check(int R, int C, int V, enum k_dtype dtype, float size, double tol)
{
	struct problem p = problem(R, C, V, dtype, size);
	double *l = ref_logits(&p), *lse = malloc(R * sizeof *lse);
	for (int r = 0; r < R; r++)
		lse[r] = ref_lse(l + (size_t)r * V, V);
	check_fwd(&p, l, lse, tol);
	check_bwd(&p, l, lse, tol);
	free(l), free(lse);
	problem_free(&p);
}

static void
shapes(void)
{
	for (int d = 0; d < 3; d++) {
		check(1, 1, 1, d, 1, 2e-6);
		check(3, 17, 5, d, 1, 4e-6);
		check(48, 32, 192, d, 1, 4e-6);
		check(61, 33, 801, d, 1, 4e-6);
		check(200, 20, 773, d, 1, 4e-6);
	}
	check(400, 24, 3300, K_F32, 1, 5e-6); /* more than one round of the backward each way */
}

/* Logits of thousands: all of the mass on one word, nothing overflows. */
static void
extreme_logits(void)
{
	check(20, 16, 300, K_F32, 1000, 2e-3);
	struct kernels *k = kernels_cpu_open(1);
	float h[2] = {1, -1}, w[3] = {3e38f, -3e38f, 0}, logp[3], lse[2];
	int32_t row[3] = {0, 0, 1}, id[3] = {0, 2, 1};
	k->logprob_fwd(k, logp, lse, h, (struct k_mat){w, K_F32}, row, id, 3, 2, 1, 3);
	CHECK(logp[0] == 0 && logp[1] == -3e38f && logp[2] == 0);
	CHECK(lse[0] == 3e38f && lse[1] == 3e38f);
	k->close(k);
}

/* A row's log-probability does not depend on its neighbours. */
static void
row_bits(void)
{
	struct problem p = problem(210, 40, 900, K_BF16, 1);
	struct kernels *k = kernels_cpu_open(1), *k2 = kernels_cpu_open(2);
	float *all = floats(p.N), *one = floats(p.N), *lse = floats(p.R), *e = floats(p.R);
	k->logprob_fwd(k, all, lse, p.h, p.w.mat, p.row, p.id, p.N, p.R, p.C, p.V);
	bool good = true;
	for (int r = 0; r < p.R; r += 1 + r / 9)
		for (int n = 1; r + n <= p.R; n += 1 + n * 2) {
			int32_t row[5 * 210];
			int a = 0, m = 0;
			while (a < p.N && p.row[a] < r)
				a++;
			for (; a + m < p.N && p.row[a + m] < r + n; m++)
				row[m] = p.row[a + m] - r;
			k2->logprob_fwd(k2, one, e, p.h + (size_t)r * p.C, p.w.mat, row, p.id + a,
				m, n, p.C, p.V);
			good &= same(one, all + a, m * sizeof *one) &&
				same(e, lse + r, n * sizeof *e);
		}
	CHECK(good);
	k->close(k), k2->close(k2);
	free(all), free(one), free(lse), free(e);
	problem_free(&p);
}

int
main(void)
{
	RUN(shapes);
	RUN(extreme_logits);
	RUN(row_bits);
	TEST_END;
}
