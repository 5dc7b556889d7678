/* RMSNorm and LayerNorm.  Sums over a row run in double over fixed lanes. */
#include <math.h>

#include "kernels/cpu/cpu.h"

enum { LANES = 8 };

CPU_INLINE double
sum_lanes(double *s)
{
	for (int n = LANES / 2; n > 0; n /= 2)
		for (int i = 0; i < n; i++)
			s[i] += s[i + n];
	return s[0];
}

/* Sums of (x - mean) * (mask ? y : 1), in double. */
CPU_INLINE double
row_sum(const float *x, int n)
{
	double s[LANES] = {0};
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			s[j] += x[i + j];
	for (int j = 0; i + j < n; j++)
		s[j] += x[i + j];
	return sum_lanes(s);
}

CPU_INLINE double
row_squares(const float *x, double mean, int n)
{
	double s[LANES] = {0};
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			double d = x[i + j] - mean;
			s[j] += d * d;
		}
	for (int j = 0; i + j < n; j++) {
		double d = x[i + j] - mean;
		s[j] += d * d;
	}
	return sum_lanes(s);
}

CPU_CLONES static void
row_fwd(enum k_norm kind, float *restrict out, const float *restrict x, const float *restrict gain,
	const float *restrict bias, float eps, float *stats, int n)
{
	double mean = kind == K_LAYERNORM ? row_sum(x, n) / n : 0;
	float m = mean, rstd = 1 / sqrt(row_squares(x, mean, n) / n + eps);
	if (stats != NULL)
		stats[0] = m, stats[1] = rstd;
	if (bias != NULL)
		for (int i = 0; i < n; i++)
			out[i] = (x[i] - m) * rstd * gain[i] + bias[i];
	else
		for (int i = 0; i < n; i++)
			out[i] = (x[i] - m) * rstd * gain[i];
}

struct fwd {
	enum k_norm kind;
	float *out, *stats;
	const float *x, *gain, *bias;
	float eps;
	int C;
};

static void
fwd_item(void *ctx, int t, int thread)
{
	const struct fwd *f = ctx;
	size_t at = (size_t)t * f->C;
	(void)thread;
	row_fwd(f->kind, f->out + at, f->x + at, f->gain, f->bias, f->eps,
		f->stats != NULL ? f->stats + 2 * t : NULL, f->C);
}

void
cpu_norm_fwd(struct kernels *k, enum k_norm kind, void *out, const void *x, struct k_mat gain,
	struct k_mat bias, float eps, float *stats, int T, int C)
{
	float *buf = cpu_shared(k, 2 * C * sizeof(float), "norm_fwd");
	if (buf == NULL)
		return;
	struct fwd f = {kind, out, stats, x, cpu_vector(gain, C, buf), cpu_vector(bias, C, buf + C),
		eps, C};
	cpu_run(k, T, (int64_t)T * C > 20000, fwd_item, &f);
}

/* With xh = (x - mean)*rstd and g = dout*gain:
 * dx += rstd * (g - mean(g) - xh * mean(g*xh)), mean(g) for LayerNorm only. */
CPU_CLONES static void
row_bwd(enum k_norm kind, float *restrict dx, const float *restrict dout, const float *restrict x,
	const float *restrict gain, const float *stats, int n)
{
	double s[LANES] = {0}, q[LANES] = {0};
	float mean = stats[0], rstd = stats[1];
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			double g = dout[i + j] * gain[i + j];
			s[j] += g;
			q[j] += g * ((x[i + j] - mean) * rstd);
		}
	for (int j = 0; i + j < n; j++) {
		double g = dout[i + j] * gain[i + j];
		s[j] += g;
		q[j] += g * ((x[i + j] - mean) * rstd);
	}
	float a = kind == K_LAYERNORM ? sum_lanes(s) / n : 0, b = sum_lanes(q) / n;
	for (i = 0; i < n; i++)
		dx[i] += rstd * (dout[i] * gain[i] - a - (x[i] - mean) * rstd * b);
}

enum { COLUMNS = 64 };

/* dgain and dbias of up to COLUMNS columns, rows in order. */
CPU_CLONES static void
columns_bwd(float *dgain, float *dbias, const float *dout, const float *x, const float *stats,
	int T, int C, int n)
{
	double g[COLUMNS] = {0}, b[COLUMNS] = {0};
	for (int t = 0; t < T; t++) {
		const float *d = dout + (size_t)t * C, *r = x + (size_t)t * C;
		float mean = stats[2 * t], rstd = stats[2 * t + 1];
		for (int i = 0; i < n; i++) {
			g[i] += d[i] * ((r[i] - mean) * rstd);
			b[i] += d[i];
		}
	}
	for (int i = 0; i < n; i++) {
		if (dgain != NULL)
			dgain[i] += g[i];
		if (dbias != NULL)
			dbias[i] += b[i];
	}
}

struct bwd {
	enum k_norm kind;
	float *dx, *dgain, *dbias;
	const float *dout, *x, *gain, *stats;
	int T, C;
};

static void
row_item(void *ctx, int t, int thread)
{
	const struct bwd *b = ctx;
	size_t at = (size_t)t * b->C;
	(void)thread;
	row_bwd(b->kind, b->dx + at, b->dout + at, b->x + at, b->gain, b->stats + 2 * t, b->C);
}

static void
columns_item(void *ctx, int p, int thread)
{
	const struct bwd *b = ctx;
	int c = p * COLUMNS, n = b->C - c < COLUMNS ? b->C - c : COLUMNS;
	(void)thread;
	columns_bwd(b->dgain != NULL ? b->dgain + c : NULL, b->dbias != NULL ? b->dbias + c : NULL,
		b->dout + c, b->x + c, b->stats, b->T, b->C, n);
}

void
cpu_norm_bwd(struct kernels *k, enum k_norm kind, void *dx, float *dgain, float *dbias,
	const void *dout, const void *x, struct k_mat gain, const float *stats, int T, int C)
{
	float *buf = cpu_shared(k, C * sizeof(float), "norm_bwd");
	if (buf == NULL)
		return;
	struct bwd b = {kind, dx, dgain, dbias, dout, x, cpu_vector(gain, C, buf), stats, T, C};
	bool worth = (int64_t)T * C > 20000;
	cpu_run(k, T, worth, row_item, &b);
	if (dgain != NULL || dbias != NULL)
		cpu_run(k, cpu_pieces(C, COLUMNS), worth, columns_item, &b);
}
