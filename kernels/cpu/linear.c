/* Linear layers: the forward over gemm.h, the backward over OpenBLAS in fixed pieces. */
#include "kernels/cpu/blas.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

static int
pieces(int n, int size)
{
	return (n + size - 1) / size;
}

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

void
cpu_linear_fwd(struct kernels *k, void *y, const void *x, struct k_mat w, struct k_mat bias, int T,
	int I, int O, unsigned flags)
{
	if (flags & K_STREAM) {
		cpu_stream(k, y, x, w, bias, T, I, O, flags & K_ADD);
		return;
	}
	int chunk = min_int(T, rows_at_once(I)), panels = pieces(O, CPU_PANEL);
	float *packed = cpu_shared(k, sizeof *packed * cpu_packed_floats(chunk, I), "linear_fwd");
	bool add = (flags & K_ADD) || bias.data != NULL;
	if (packed == NULL)
		return;
	for (int r = 0; r < T; r += chunk) {
		int t = min_int(chunk, T - r);
		cpu_pack(k, packed, (const float *)x + (size_t)r * I, t, I);
#pragma omp parallel for schedule(dynamic) num_threads(k->threads)
		for (int p = 0; p < panels; p++) {
			int o = p * CPU_PANEL, n = min_int(CPU_PANEL, O - o);
			float *out = (float *)y + (size_t)r * O + o;
			float *scratch =
				cpu_scratch(k, sizeof *scratch * cpu_panel_scratch(), "linear_fwd");
			if (scratch == NULL)
				continue;
			if (bias.data != NULL)
				add_bias(out, O, bias, t, o, n, flags & K_ADD);
			cpu_panel_product(
				cpu_tile_function(k), out, O, packed, t, w, o, n, I, add, scratch);
		}
	}
}

/* The backward cuts dx into pieces of ROWS x COLS and dW into pieces of OUT x IN: large for
 * OpenBLAS, many enough for the threads.  Weights other than F32 are converted in blocks of DEPTH
 * rows for the sum over them. */
enum { ROWS = 192, COLS = 288, OUT = 144, IN = 576, DEPTH = 512 };

void
cpu_linear_bwd_x(struct kernels *k, void *dx, const void *dy, struct k_mat w, int T, int I, int O,
	unsigned flags)
{
	int blocks = pieces(T, ROWS), panels = pieces(I, COLS);
	int depth = w.dtype == K_F32 ? O : DEPTH;
	size_t bytes = w.dtype == K_F32 ? 64 : sizeof(float) * DEPTH * COLS;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int p = 0; p < panels; p++)
		for (int b = 0; b < blocks; b++) {
			float *scratch = cpu_scratch(k, bytes, "linear_bwd_x");
			if (scratch == NULL)
				continue;
			int i = p * COLS, n = min_int(COLS, I - i);
			int t0 = b * ROWS, t = min_int(ROWS, T - t0);
			for (int o = 0; o < O; o += depth) {
				size_t ld;
				int d = min_int(depth, O - o);
				const float *wp = cpu_panel(w, o, d, i, n, I, scratch, &ld);
				cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, n, d, 1,
					(const float *)dy + (size_t)t0 * O + o, O, wp, ld,
					o > 0 || (flags & K_ADD) ? 1 : 0,
					(float *)dx + (size_t)t0 * I + i, I);
			}
		}
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

void
cpu_linear_bwd_w(struct kernels *k, float *dw, float *dbias, const void *dy, const void *x, int T,
	int I, int O)
{
	int rows = pieces(O, OUT), cols = pieces(I, IN);
	const float *g = dy;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < cols; c++) {
			int o = r * OUT, m = min_int(OUT, O - o);
			int i = c * IN, n = min_int(IN, I - i);
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, T, 1, g + o, O,
				(const float *)x + i, I, 1, dw + (size_t)o * I + i, I);
			if (dbias != NULL && c == 0)
				column_sums(dbias + o, g + o, O, T, m);
		}
}

void
cpu_logits(struct kernels *k, float *out, const void *h, struct k_mat w, int R, int C, int V,
	unsigned flags)
{
	cpu_linear_fwd(k, out, h, w, (struct k_mat){0}, R, C, V, flags & K_STREAM);
}
