/* Norms, rotary embedding, activations, rows: against double references. */
#include <float.h>

#include "kernels/cpu/cpu.h"
#include "tests/kernels/common.h"

static double
ref_norm_row(enum k_norm kind, const float *x, double *mean, float eps, int C)
{
	double m = 0, s = 0;
	for (int c = 0; c < C; c++)
		m += x[c];
	*mean = m = kind == K_LAYERNORM ? m / C : 0;
	for (int c = 0; c < C; c++)
		s += (x[c] - m) * (x[c] - m);
	return 1 / sqrt(s / C + eps);
}

struct norm_case {
	enum k_norm kind;
	enum k_dtype dtype;
	int T, C;
	bool bias;
	float offset;
};

static void
ref_norm(const struct norm_case *n, const float *x, const float *g, const float *b, float eps,
	const float *dout, double *out, double *dx, double *dg, double *db)
{
	for (int t = 0; t < n->T; t++, x += n->C, dout += n->C, out += n->C, dx += n->C) {
		double mean, rstd = ref_norm_row(n->kind, x, &mean, eps, n->C), a = 0, q = 0;
		for (int c = 0; c < n->C; c++) {
			double h = (x[c] - mean) * rstd;
			out[c] = h * g[c] + (b != NULL ? b[c] : 0);
			dg[c] += dout[c] * h;
			db[c] += dout[c];
			a += (double)dout[c] * g[c] / n->C;
			q += (double)dout[c] * g[c] * h / n->C;
		}
		if (n->kind == K_RMSNORM)
			a = 0;
		for (int c = 0; c < n->C; c++)
			dx[c] += rstd * (dout[c] * g[c] - a - (x[c] - mean) * rstd * q);
	}
}

static double *
doubles(const float *x, size_t n)
{
	double *d = calloc(n, sizeof *d);
	for (size_t i = 0; i < n && x != NULL; i++)
		d[i] = x[i];
	return d;
}

static void
check_norm(const struct norm_case *n)
{
	size_t nx = (size_t)n->T * n->C;
	float *x = floats(nx), *dout = floats(nx), *dx0 = floats(nx), *dg0 = floats(n->C),
	      *db0 = floats(n->C), *first[4] = {0}, eps = 1e-5f;
	struct weights g = weights(n->C, n->dtype), b = weights(n->C, n->dtype);
	for (size_t i = 0; i < nx; i++)
		x[i] += n->offset;
	double *out = doubles(NULL, nx), *dx = doubles(dx0, nx), *dg = doubles(dg0, n->C),
	       *db = doubles(db0, n->C);
	ref_norm(n, x, g.value, n->bias ? b.value : NULL, eps, dout, out, dx, dg, db);
	double tol = 1e-6 + 2e-6 * n->offset; /* the float x - mean */
	for (int threads = 1; threads <= 3; threads++) {
		struct kernels *k = kernels_cpu_open(threads);
		float *y[4] = {floats(nx), copy(dx0, nx), copy(dg0, n->C), copy(db0, n->C)};
		float *stats = floats(2 * n->T), *again = floats(nx);
		struct k_mat bias = n->bias ? b.mat : (struct k_mat){0};
		k->norm_fwd(k, n->kind, y[0], x, g.mat, bias, eps, stats, n->T, n->C);
		k->norm_fwd(k, n->kind, again, x + (nx - n->C), g.mat, bias, eps, NULL, 1, n->C);
		CHECK(same(again, y[0] + (nx - n->C), n->C * sizeof(float)));
		k->norm_bwd(k, n->kind, y[1], y[2], n->bias ? y[3] : NULL, dout, x, g.mat, stats,
			n->T, n->C);
		memcpy(again, dx0, nx * sizeof *again);
		k->norm_bwd(k, n->kind, again, NULL, NULL, dout, x, g.mat, stats, n->T, n->C);
		CHECK(same(again, y[1], nx * sizeof *again));
		CHECK(difference(y[0], out, nx) < tol);
		CHECK(difference(y[1], dx, nx) < 4 * tol);
		CHECK(difference(y[2], dg, n->C) < 4 * tol);
		CHECK(!n->bias || difference(y[3], db, n->C) < tol);
		size_t size[4] = {nx, nx, n->C, n->C};
		for (int i = 0; i < 4; i++) {
			if (threads == 1)
				first[i] = copy(y[i], size[i]);
			CHECK(same(first[i], y[i], size[i] * sizeof(float)));
			free(y[i]);
		}
		k->close(k);
		free(stats), free(again);
	}
	for (int i = 0; i < 4; i++)
		free(first[i]);
	free(x), free(dout), free(dx0), free(dg0), free(db0), free(out), free(dx), free(dg);
	free(db), weights_free(&g), weights_free(&b);
}

static void
norms(void)
{
	static const int S[][2] = {{1, 1}, {1, 7}, {5, 64}, {37, 100}, {300, 33}, {3, 1000}};
	for (size_t s = 0; s < sizeof S / sizeof *S; s++)
		for (int d = 0; d < 3; d++) {
			check_norm(&(struct norm_case){K_RMSNORM, d, S[s][0], S[s][1], false, 0});
			if (S[s][1] > 1) {
				check_norm(&(struct norm_case){
					K_LAYERNORM, d, S[s][0], S[s][1], true, 0});
				check_norm(&(struct norm_case){
					K_LAYERNORM, d, S[s][0], S[s][1], false, 30});
			}
		}
}

static void
rope(void)
{
	enum { T = 19, H = 3, D = 20, NF = 6 };
	float freq[NF];
	int32_t pos[T];
	for (int i = 0; i < NF; i++)
		freq[i] = powf(10000, -(float)i / NF);
	for (int t = 0; t < T; t++)
		pos[t] = t % 3 ? t * 37 : t;
	for (int wide = 0; wide < 2; wide++) { /* plain rows and NeoX's interleaved ones */
		int head = wide ? 3 * D : D, row = H * head;
		float *x = floats(T * row), *y = copy(x, T * row), *one = copy(x, T * row);
		struct kernels *k = kernels_cpu_open(2), *k1 = kernels_cpu_open(1);
		struct k_heads heads = {y, row, head};
		k->rope(k, heads, pos, freq, NF, T, H, false);
		bool good = true;
		for (int t = 0; t < T; t++)
			for (int j = 0; j < row; j++) {
				int d = j % head;
				const float *v = x + t * row + j - d;
				double a = pos[t] * freq[d % NF];
				double want = d < NF       ? v[d] * cos(a) - v[d + NF] * sin(a)
					      : d < 2 * NF ? v[d] * cos(a) + v[d - NF] * sin(a)
							   : v[d];
				CHECK_NEAR(y[t * row + j], want, 4e-7);
			}
		for (int t = 0; t < T; t++) { /* a row alone, one thread */
			heads.data = one + t * row;
			k1->rope(k1, heads, pos + t, freq, NF, 1, H, false);
			good &= same(one + t * row, y + t * row, row * sizeof *y);
		}
		CHECK(good);
		heads.data = y;
		k->rope(k, heads, pos, freq, NF, T, H, true);
		for (int i = 0; i < T * row; i++)
			CHECK_NEAR(y[i], x[i], 1e-6);
		k->close(k), k1->close(k1);
		free(x), free(y), free(one);
	}
}

static double
ref_act(enum k_act_kind kind, double x, double *d)
{
	double s, u;
	switch (kind) {
	case K_SILU:
		s = 1 / (1 + exp(-x));
		*d = s + x * s * (1 - s);
		return x * s;
	case K_GELU:
		s = 0.5 * erfc(-x / sqrt(2));
		*d = s + x * exp(-0.5 * x * x) / sqrt(2 * M_PI);
		return x * s;
	case K_GELU_TANH:
		u = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
		s = 1 / (1 + exp(-2 * u));
		*d = s + 2 * x * s * (1 - s) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
		return x * s;
	default:
		*d = x > 0;
		return x > 0 ? x : 0;
	}
}

/* The exponential under all softmaxes, against libm. */
static void
exponential(void)
{
	double worst = 0, tiny = 0;
	for (double x = -110; x < 88.72; x += 1.7e-4) {
		float f = x;
		double want = exp(f), error = fabs(cpu_expf(f) - want);
		if (want >= FLT_MIN)
			worst = fmax(worst, error / want);
		else
			tiny = fmax(tiny, error);
	}
	CHECK(worst < 1.8e-7);  /* 1.5 ulp of 2^-23 */
	CHECK(tiny <= 1.5e-45); /* one step of the subnormals */
	CHECK(cpu_expf(0) == 1 && cpu_expf(-105) == 0 && cpu_expf(-INFINITY) == 0);
	CHECK(isinf(cpu_expf(89)) && isinf(cpu_expf(INFINITY)) && isnan(cpu_expf(NAN)));
}

static void
activations(void)
{
	enum { N = 9001 };
	float *gate = floats(N), *up = floats(N), *dout = floats(N), *out = floats(N);
	float *dg = floats(N), *du = floats(N), *one = floats(N);
	for (int i = 0; i < N; i++)
		gate[i] = i < 8000 ? gate[i] * 8 : gate[i] * 200;
	struct kernels *k = kernels_cpu_open(2), *k1 = kernels_cpu_open(1);
	for (int kind = K_SILU; kind <= K_RELU; kind++)
		for (int gated = 0; gated < 2; gated++) {
			const float *u = gated ? up : NULL;
			k->act_fwd(k, kind, out, gate, u, N);
			k->act_bwd(k, kind, dg, gated ? du : NULL, dout, gate, u, N);
			for (int i = 0; i < N; i++) {
				double d, a = ref_act(kind, gate[i], &d), m = gated ? up[i] : 1;
				CHECK_NEAR(out[i], a * m, 4e-7);
				CHECK_NEAR(dg[i], dout[i] * m * d, 1e-6);
				if (gated)
					CHECK_NEAR(du[i], dout[i] * a, 4e-7);
			}
			bool good = true; /* the element at any place in any piece */
			for (int at = 0; at < 40; at++) {
				k1->act_fwd(k1, kind, one, gate + at, gated ? u + at : NULL,
					N - at * 200);
				good &= same(one, out + at, (N - at * 200) * sizeof *one);
			}
			CHECK(good);
		}
	/* far out: limits, no NaN */
	float far[4] = {-1e30f, 1e30f, -FLT_MAX, 90}, y[4], g[4], ones[4] = {1, 1, 1, 1};
	for (int kind = K_SILU; kind <= K_RELU; kind++) {
		k->act_fwd(k, kind, y, far, NULL, 4);
		CHECK(y[0] == 0 && y[1] == 1e30f && y[2] == 0 && y[3] == 90);
		k->act_bwd(k, kind, g, NULL, ones, far, NULL, 4);
		CHECK(g[0] == 0 && g[1] == 1 && g[2] == 0 && g[3] == 1);
	}
	k->close(k), k1->close(k1);
	free(gate), free(up), free(dout), free(out), free(dg), free(du), free(one);
}

static void
rows(void)
{
	enum { T = 50, V = 13, C = 131 };
	for (int d = 0; d < 3; d++) {
		struct weights w = weights(V * C, d);
		float *out = floats(T * C), *x = floats(T * C), *t0 = floats(V * C), *first = NULL;
		int32_t ids[T];
		for (int t = 0; t < T; t++)
			ids[t] = t * t % V;
		double *want = doubles(t0, V * C);
		for (int i = 0; i < T * C; i++)
			want[ids[i / C] * C + i % C] += x[i];
		for (int threads = 1; threads <= 3; threads++) {
			struct kernels *k = kernels_cpu_open(threads);
			k->embed_fwd(k, out, w.mat, ids, T, C);
			for (int t = 0; t < T; t++)
				CHECK(same(out + t * C, w.value + ids[t] * C, C * sizeof *out));
			float *table = copy(t0, V * C), *other = copy(t0, V * C);
			k->embed_bwd(k, table, x, ids, T, C);
			CHECK(difference(table, want, V * C) < 1e-6);
			k->rows_add(k, other, x, ids, T, C);
			CHECK(same(table, other, V * C * sizeof *table));
			if (first == NULL)
				first = copy(table, V * C);
			CHECK(same(table, first, V * C * sizeof *table));
			k->close(k);
			free(table), free(other);
		}
		free(out), free(x), free(t0), free(first), free(want);
		weights_free(&w);
	}
}

static void
moves(void)
{
	enum { R = 90, C = 37, N = 200 };
	struct kernels *k = kernels_cpu_open(2);
	float *x = floats(N * C), *out = floats(R * C), *back = floats(N * C);
	float *y = floats(N * C), *y0 = copy(y, N * C);
	int32_t at[R];
	for (int r = 0; r < R; r++)
		at[r] = (r * 77 + 5) % N;
	k->rows_get(k, out, x, at, R, C);
	k->rows_put(k, back, out, at, R, C);
	for (int r = 0; r < R; r++) {
		CHECK(same(out + r * C, x + at[r] * C, C * sizeof *x));
		CHECK(same(back + at[r] * C, x + at[r] * C, C * sizeof *x));
	}
	for (size_t n = 0; n <= N * C; n += 1 + n) {
		memcpy(y, y0, N * C * sizeof *y);
		k->add(k, y, x, n);
		for (size_t i = 0; i < N * C; i++)
			CHECK(y[i] == (i < n ? y0[i] + x[i] : y0[i]));
	}
	k->close(k);
	free(x), free(out), free(back), free(y), free(y0);
}

int
main(void)
{
	RUN(norms);
	RUN(rope);
	RUN(exponential);
	RUN(activations);
	RUN(rows);
	RUN(moves);
	TEST_END;
}
