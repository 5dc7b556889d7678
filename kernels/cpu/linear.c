/* Matrix products over OpenBLAS in fixed tiles. */
#include "kernels/cpu/blas.h"
#include <string.h>

#include "kernels/cpu/cpu.h"

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

size_t
cpu_tile_floats(size_t cols, size_t depth)
{
	return CPU_ROWS * (cols + depth);
}

void
cpu_tile_product(float *y, size_t ldy, const float *x, const float *w, size_t ldw, int t, int n,
	int depth, bool add, float *scratch)
{
	int whole = t / CPU_ROWS * CPU_ROWS, rest = t - whole;
	for (int i = 0; i < whole; i += CPU_ROWS)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, CPU_ROWS, n, depth, 1,
			x + (size_t)i * depth, depth, w, ldw, add ? 1 : 0, y + i * ldy, ldy);
	if (rest == 0)
		return;
	float *px = scratch, *py = scratch + (size_t)CPU_ROWS * depth;
	y += whole * ldy;
	memcpy(px, x + (size_t)whole * depth, (size_t)rest * depth * sizeof *px);
	memset(px + (size_t)rest * depth, 0, (size_t)(CPU_ROWS - rest) * depth * sizeof *px);
	if (add) {
		for (int i = 0; i < rest; i++)
			memcpy(py + (size_t)i * n, y + i * ldy, n * sizeof *py);
		memset(py + (size_t)rest * n, 0, (size_t)(CPU_ROWS - rest) * n * sizeof *py);
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, CPU_ROWS, n, depth, 1, px, depth, w,
		ldw, add ? 1 : 0, py, n);
	for (int i = 0; i < rest; i++)
		memcpy(y + i * ldy, py + (size_t)i * n, n * sizeof *py);
}

static void
add_bias(float *y, size_t ldy, const float *bias, int t, int n)
{
	for (int i = 0; i < t; i++)
		for (int j = 0; j < n; j++)
			y[i * ldy + j] += bias[j];
}

void
cpu_linear_fwd(struct kernels *k, void *y, const void *x, struct k_mat w, struct k_mat bias, int T,
	int I, int O, unsigned flags)
{
	if (flags & K_STREAM) {
		cpu_stream(k, y, x, w, bias, T, I, O, flags & K_ADD);
		return;
	}
	int blocks = pieces(T, CPU_BLOCK), panels = pieces(O, CPU_COLS);
	size_t panel_floats = w.dtype == K_F32 ? 0 : (size_t)CPU_COLS * I;
	size_t bytes = sizeof(float) * (cpu_tile_floats(CPU_COLS, I) + panel_floats + CPU_COLS);
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int p = 0; p < panels; p++)
		for (int b = 0; b < blocks; b++) {
			float *scratch = cpu_scratch(k, bytes, "linear_fwd");
			if (scratch == NULL)
				continue;
			float *bias_buf = scratch + cpu_tile_floats(CPU_COLS, I);
			int o = p * CPU_COLS, n = min_int(CPU_COLS, O - o);
			int t0 = b * CPU_BLOCK, t = min_int(CPU_BLOCK, T - t0);
			size_t ld;
			const float *wp = cpu_panel(w, o, n, 0, I, I, bias_buf + CPU_COLS, &ld);
			float *yp = (float *)y + (size_t)t0 * O + o;
			cpu_tile_product(yp, O, (const float *)x + (size_t)t0 * I, wp, ld, t, n, I,
				flags & K_ADD, scratch);
			if (bias.data != NULL) {
				cpu_to_f32(bias_buf, bias, o, n);
				add_bias(yp, O, bias_buf, t, n);
			}
		}
}

/* Weights other than F32 are converted in blocks of this many rows for the sum over them. */
enum { DEPTH = 512 };

void
cpu_linear_bwd_x(struct kernels *k, void *dx, const void *dy, struct k_mat w, int T, int I, int O,
	unsigned flags)
{
	int blocks = pieces(T, CPU_BLOCK), panels = pieces(I, CPU_COLS);
	int depth = w.dtype == K_F32 ? O : DEPTH;
	size_t bytes = w.dtype == K_F32 ? 64 : sizeof(float) * DEPTH * CPU_COLS;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int p = 0; p < panels; p++)
		for (int b = 0; b < blocks; b++) {
			float *scratch = cpu_scratch(k, bytes, "linear_bwd_x");
			if (scratch == NULL)
				continue;
			int i = p * CPU_COLS, n = min_int(CPU_COLS, I - i);
			int t0 = b * CPU_BLOCK, t = min_int(CPU_BLOCK, T - t0);
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
	double s[CPU_COLS] = {0};
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
	int rows = pieces(O, CPU_COLS), cols = pieces(I, CPU_COLS);
	const float *g = dy;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(k->threads)
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < cols; c++) {
			int o = r * CPU_COLS, m = min_int(CPU_COLS, O - o);
			int i = c * CPU_COLS, n = min_int(CPU_COLS, I - i);
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
