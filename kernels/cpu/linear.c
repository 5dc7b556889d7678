/* Linear layers: the forward over gemm.h, the backward over OpenBLAS in fixed pieces. */
#include "kernels/cpu/blas.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"

/* Rows packed at a time: about 8 MiB of them, which the last-level cache may hold. */
static int
rows_at_once(int depth)
{
	int n = (2 << 20) / depth / CPU_TILE * CPU_TILE;
	return n < 16 * CPU_TILE ? 16 * CPU_TILE : n > 128 * CPU_TILE ? 128 * CPU_TILE : n;
}

/* The start of a sum: y = or y += bias. */
static void
add_bias(float *y, size_t ldy, struct k_mat bias, int t, int o, int n, bool add)
{
	float b[CPU_PANEL];
	cpu_to_f32(b, bias, o, n);
	for (int i = 0; i < t; i++)
		for (int j = 0; j < n; j++)
			y[i * ldy + j] = add ? y[i * ldy + j] + b[j] : b[j];
}

struct fwd {
	struct kernels *k;
	float *y;            /* of t rows */
	const float *packed; /* the same rows of x */
	struct k_mat w, bias;
	int t, I, O;
	unsigned flags;
};

static void
fwd_item(void *ctx, int p, int thread)
{
	const struct fwd *f = ctx;
	int o = p * CPU_PANEL, n = cpu_min(CPU_PANEL, f->O - o);
	float *scratch =
		cpu_scratch(f->k, thread, sizeof *scratch * cpu_panel_scratch(), "linear_fwd");
	bool biased = f->bias.data != NULL;
	if (scratch == NULL)
		return;
	if (biased)
		add_bias(f->y + o, f->O, f->bias, f->t, o, n, f->flags & K_ADD);
	cpu_panel_product(cpu_tile_function(f->k), f->y + o, f->O, f->packed, f->t, f->w, o, n,
		f->I, biased || (f->flags & K_ADD), scratch);
}

void
cpu_linear_fwd(struct kernels *k, void *y, const void *x, struct k_mat w, struct k_mat bias, int T,
	int I, int O, unsigned flags)
{
	if (flags & K_STREAM) {
		cpu_stream(k, y, x, w, bias, T, I, O, flags & K_ADD);
		return;
	}
	int chunk = cpu_min(T, rows_at_once(I));
	float *packed = cpu_shared(k, sizeof *packed * cpu_packed_floats(chunk, I), "linear_fwd");
	if (packed == NULL)
		return;
	for (int r = 0; r < T; r += chunk) {
		struct fwd f = {k, (float *)y + (size_t)r * O, packed, w, bias,
			cpu_min(chunk, T - r), I, O, flags};
		cpu_pack(k, packed, (const float *)x + (size_t)r * I, f.t, I);
		cpu_run(k, cpu_pieces(O, CPU_PANEL), true, fwd_item, &f);
	}
}

/* The backward cuts dx into pieces of ROWS x COLS and dW into pieces of OUT x IN: large for
 * OpenBLAS, many enough for the threads.  Weights other than F32 are converted in blocks of DEPTH
 * rows for the sum over them. */
enum { ROWS = 192, COLS = 288, OUT = 144, IN = 576, DEPTH = 512 };

struct bwd_x {
	struct kernels *k;
	float *dx;
	const float *dy;
	struct k_mat w;
	int T, I, O;
	unsigned flags;
};

static void
bwd_x_item(void *ctx, int item, int thread)
{
	const struct bwd_x *b = ctx;
	int I = b->I, O = b->O, blocks = cpu_pieces(b->T, ROWS);
	int i = item / blocks * COLS, n = cpu_min(COLS, I - i);
	int r = item % blocks * ROWS, t = cpu_min(ROWS, b->T - r);
	bool f32 = b->w.dtype == K_F32;
	size_t ld, bytes = f32 ? 64 : sizeof(float) * DEPTH * COLS;
	float *scratch = cpu_scratch(b->k, thread, bytes, "linear_bwd_x");
	if (scratch == NULL)
		return;
	for (int o = 0, d; o < O; o += d) {
		d = f32 ? O : cpu_min(DEPTH, O - o);
		const float *w = cpu_panel(b->w, o, d, i, n, I, scratch, &ld);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, n, d, 1,
			b->dy + (size_t)r * O + o, O, w, ld, o > 0 || (b->flags & K_ADD) ? 1 : 0,
			b->dx + (size_t)r * I + i, I);
	}
}

void
cpu_linear_bwd_x(struct kernels *k, void *dx, const void *dy, struct k_mat w, int T, int I, int O,
	unsigned flags)
{
	struct bwd_x b = {k, dx, dy, w, T, I, O, flags};
	cpu_run(k, cpu_pieces(T, ROWS) * cpu_pieces(I, COLS), true, bwd_x_item, &b);
}

static void
column_sums(float *sums, const float *x, size_t ld, int t, int n)
{
	double s[OUT] = {0};
	for (int i = 0; i < t; i++)
		for (int j = 0; j < n; j++)
			s[j] += x[i * ld + j];
	for (int j = 0; j < n; j++)
		sums[j] += s[j];
}

struct bwd_w {
	float *dw, *dbias;
	const float *dy, *x;
	int T, I, O;
};

static void
bwd_w_item(void *ctx, int item, int thread)
{
	const struct bwd_w *b = ctx;
	int I = b->I, O = b->O, cols = cpu_pieces(I, IN);
	int o = item / cols * OUT, m = cpu_min(OUT, O - o);
	int i = item % cols * IN, n = cpu_min(IN, I - i);
	(void)thread;
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, b->T, 1, b->dy + o, O, b->x + i,
		I, 1, b->dw + (size_t)o * I + i, I);
	if (b->dbias != NULL && i == 0)
		column_sums(b->dbias + o, b->dy + o, O, b->T, m);
}

void
cpu_linear_bwd_w(struct kernels *k, float *dw, float *dbias, const void *dy, const void *x, int T,
	int I, int O)
{
	struct bwd_w b = {dw, dbias, dy, x, T, I, O};
	cpu_run(k, cpu_pieces(O, OUT) * cpu_pieces(I, IN), true, bwd_w_item, &b);
}

void
cpu_logits(struct kernels *k, float *out, const void *h, struct k_mat w, int R, int C, int V,
	unsigned flags)
{
	cpu_linear_fwd(k, out, h, w, (struct k_mat){0}, R, C, V, flags & K_STREAM);
}
