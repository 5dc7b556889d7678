/* Linear layers. */
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
	cpu_panel_product(cpu_tile_function(f->k), f->y + o, f->O, f->packed, f->t,
		(struct cpu_factor){f->w, (size_t)o * f->I, f->I, false}, n, f->I,
		biased || (f->flags & K_ADD), scratch);
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

struct bwd_x {
	struct kernels *k;
	float *dx;           /* of t rows */
	const float *packed; /* the same rows of dy */
	struct k_mat w;
	int t, I, O;
	bool add;
};

static void
bwd_x_item(void *ctx, int p, int thread)
{
	const struct bwd_x *b = ctx;
	int i = p * CPU_PANEL;
	float *scratch =
		cpu_scratch(b->k, thread, sizeof *scratch * cpu_panel_scratch(), "linear_bwd_x");
	if (scratch != NULL)
		cpu_panel_product(cpu_tile_function(b->k), b->dx + i, b->I, b->packed, b->t,
			(struct cpu_factor){b->w, i, b->I, true}, cpu_min(CPU_PANEL, b->I - i),
			b->O, b->add, scratch);
}

void
cpu_linear_bwd_x(struct kernels *k, void *dx, const void *dy, struct k_mat w, int T, int I, int O,
	unsigned flags)
{
	int chunk = cpu_min(T, rows_at_once(O));
	float *packed = cpu_shared(k, sizeof *packed * cpu_packed_floats(chunk, O), "linear_bwd_x");
	if (packed == NULL)
		return;
	for (int r = 0; r < T; r += chunk) {
		struct bwd_x b = {k, (float *)dx + (size_t)r * I, packed, w, cpu_min(chunk, T - r),
			I, O, flags & K_ADD};
		cpu_pack(k, packed, (const float *)dy + (size_t)r * O, b.t, O);
		cpu_run(k, cpu_pieces(I, CPU_PANEL), true, bwd_x_item, &b);
	}
}

/* Outputs of a work item. */
enum { OUT = 32 * CPU_TILE };

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
	struct kernels *k;
	float *dw, *dbias;   /* of m outputs */
	const float *packed; /* their columns of dy */
	const float *dy, *x;
	int m, T, I, O;
};

static void
bwd_w_item(void *ctx, int item, int thread)
{
	const struct bwd_w *b = ctx;
	int panels = cpu_pieces(b->I, CPU_PANEL), i = item % panels * CPU_PANEL;
	int o = item / panels * OUT, m = cpu_min(OUT, b->m - o);
	struct k_mat x = {b->x, K_F32};
	float *scratch =
		cpu_scratch(b->k, thread, sizeof *scratch * cpu_panel_scratch(), "linear_bwd_w");
	if (scratch == NULL)
		return;
	cpu_panel_product(cpu_tile_function(b->k), b->dw + (size_t)o * b->I + i, b->I,
		b->packed + (size_t)o * b->T, m, (struct cpu_factor){x, i, b->I, true},
		cpu_min(CPU_PANEL, b->I - i), b->T, true, scratch);
	if (b->dbias != NULL && i == 0)
		column_sums(b->dbias + o, b->dy + o, b->O, b->T, m);
}

void
cpu_linear_bwd_w(struct kernels *k, float *dw, float *dbias, const void *dy, const void *x, int T,
	int I, int O)
{
	int chunk = cpu_min(O, rows_at_once(T));
	float *packed = cpu_shared(k, sizeof *packed * cpu_packed_floats(chunk, T), "linear_bwd_w");
	if (packed == NULL)
		return;
	for (int o = 0; o < O; o += chunk) {
		const float *columns = (const float *)dy + o;
		struct bwd_w b = {k, dw + (size_t)o * I, dbias ? dbias + o : NULL, packed, columns,
			x, cpu_min(chunk, O - o), T, I, O};
		cpu_pack_columns(k, packed, columns, O, b.m, T);
		cpu_run(k, cpu_pieces(b.m, OUT) * cpu_pieces(I, CPU_PANEL), true, bwd_w_item, &b);
	}
}

void
cpu_logits(struct kernels *k, float *out, const void *h, struct k_mat w, int R, int C, int V,
	unsigned flags)
{
	cpu_linear_fwd(k, out, h, w, (struct k_mat){0}, R, C, V, flags & K_STREAM);
}
