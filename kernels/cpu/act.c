/* Activations, plain and gated. */
#include <math.h>

#include "kernels/cpu/cpu.h"

enum { PIECE = 1 << 12 };

/* sqrt(2/pi) and the cubic term of the tanh approximation of GELU (Hendrycks and Gimpel 2016). */
#define GELU_A 0.797884560802865356f
#define GELU_B 0.044715f

/* sigmoid(x) and *d = sigmoid(x)*sigmoid(-x), both to full relative precision: from exp(-|x|), so
 * that neither is a difference. */
CPU_INLINE float
sigmoid(float x, float *d)
{
	float e = cpu_expf(-fabsf(x)), high = 1.0f / (1.0f + e), low = e * high;
	*d = high * low;
	return x < 0 ? low : high;
}

/* The normal distribution function, and *d = exp(-x*x/2).  For z = |x|/sqrt(2) and t = 1/(1 + z/2),
 * erfc(z)*exp(z*z)/t is interpolated in u = 2.4 t - 1.4 at the nine Chebyshev nodes of z in [0,10]
 * (t in [1/6,1]); relative error 5.3e-8.  Beyond, exp(-z*z) is 0. */
CPU_INLINE float
normal(float x, float *d)
{
	float z = fabsf(x) * 0.707106781186547524f;
	z = z > 10 ? 10 : z;
	float t = 1.0f / (1.0f + 0.5f * z), u = 2.4f * t - 1.4f;
	float p = -5.424914697e-05f;
	p = p * u + 1.983809964e-05f;
	p = p * u + 5.873263004e-04f;
	p = p * u - 6.311517342e-04f;
	p = p * u - 6.151694287e-03f;
	p = p * u + 5.966061744e-03f;
	p = p * u + 1.020295999e-01f;
	p = p * u + 3.262222517e-01f;
	p = p * u + 5.720119758e-01f;
	*d = cpu_expf(-0.5f * (x * x));
	p = 0.5f * p * t * *d;
	return x < 0 ? p : 1.0f - p;
}

/* The value and, at *d, the derivative. */
CPU_INLINE float
act(enum k_act_kind kind, float x, float *d)
{
	float s, u, c;
	switch (kind) {
	case K_SILU:
		s = sigmoid(x, &u);
		*d = s + x * u;
		return x * s;
	case K_GELU_TANH: /* 1 + tanh(u) = 2*sigmoid(2u); constant beyond 30, where u^3 is finite */
		c = x < -30 ? -30 : x;
		c = c > 30 ? 30 : c;
		s = sigmoid(2 * GELU_A * (c + GELU_B * c * c * c), &u);
		*d = s + c * u * (2 * GELU_A * (1.0f + 3 * GELU_B * c * c));
		return x * s;
	case K_GELU:
		s = normal(x, &u);
		c = x < -30 ? -30 : x;
		c = c > 30 ? 30 : c;
		*d = s + c * 0.398942280401432678f * u;
		return x * s;
	default:
		*d = x > 0 ? 1.0f : 0.0f;
		return x > 0 ? x : 0.0f;
	}
}

CPU_INLINE void
fwd(enum k_act_kind kind, float *out, const float *gate, const float *up, size_t n)
{
	float d;
	if (up != NULL)
		for (size_t i = 0; i < n; i++)
			out[i] = act(kind, gate[i], &d) * up[i];
	else
		for (size_t i = 0; i < n; i++)
			out[i] = act(kind, gate[i], &d);
}

CPU_INLINE void
bwd(enum k_act_kind kind, float *dgate, float *dup, const float *dout, const float *gate,
	const float *up, size_t n)
{
	if (up != NULL)
		for (size_t i = 0; i < n; i++) {
			float d, a = act(kind, gate[i], &d), g = dout[i], u = up[i];
			dgate[i] = g * u * d;
			dup[i] = g * a;
		}
	else
		for (size_t i = 0; i < n; i++) {
			float d;
			act(kind, gate[i], &d);
			dgate[i] = dout[i] * d;
		}
}

CPU_CLONES static void
fwd_piece(enum k_act_kind kind, float *out, const float *gate, const float *up, size_t n)
{
	switch (kind) {
	case K_SILU:
		fwd(K_SILU, out, gate, up, n);
		break;
	case K_GELU:
		fwd(K_GELU, out, gate, up, n);
		break;
	case K_GELU_TANH:
		fwd(K_GELU_TANH, out, gate, up, n);
		break;
	case K_RELU:
		fwd(K_RELU, out, gate, up, n);
	}
}

CPU_CLONES static void
bwd_piece(enum k_act_kind kind, float *dgate, float *dup, const float *dout, const float *gate,
	const float *up, size_t n)
{
	switch (kind) {
	case K_SILU:
		bwd(K_SILU, dgate, dup, dout, gate, up, n);
		break;
	case K_GELU:
		bwd(K_GELU, dgate, dup, dout, gate, up, n);
		break;
	case K_GELU_TANH:
		bwd(K_GELU_TANH, dgate, dup, dout, gate, up, n);
		break;
	case K_RELU:
		bwd(K_RELU, dgate, dup, dout, gate, up, n);
	}
}

struct job {
	enum k_act_kind kind;
	float *out, *dgate, *dup;
	const float *dout, *gate, *up;
	size_t n;
};

static void
fwd_item(void *ctx, int p, int thread)
{
	const struct job *j = ctx;
	size_t i = (size_t)p * PIECE;
	(void)thread;
	fwd_piece(j->kind, j->out + i, j->gate + i, j->up != NULL ? j->up + i : NULL,
		j->n - i < PIECE ? j->n - i : PIECE);
}

static void
bwd_item(void *ctx, int p, int thread)
{
	const struct job *j = ctx;
	size_t i = (size_t)p * PIECE;
	(void)thread;
	bwd_piece(j->kind, j->dgate + i, j->up != NULL ? j->dup + i : NULL, j->dout + i,
		j->gate + i, j->up != NULL ? j->up + i : NULL, j->n - i < PIECE ? j->n - i : PIECE);
}

void
cpu_act_fwd(struct kernels *k, enum k_act_kind kind, void *out, const void *gate, const void *up,
	size_t n)
{
	struct job j = {.kind = kind, .out = out, .gate = gate, .up = up, .n = n};
	cpu_run(k, cpu_pieces(n, PIECE), true, fwd_item, &j);
}

void
cpu_act_bwd(struct kernels *k, enum k_act_kind kind, void *dgate, void *dup, const void *dout,
	const void *gate, const void *up, size_t n)
{
	struct job j = {kind, NULL, dgate, dup, dout, gate, up, n};
	cpu_run(k, cpu_pieces(n, PIECE), true, bwd_item, &j);
}
