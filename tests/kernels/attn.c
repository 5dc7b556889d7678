/* Attention over packed segments against a double reference, its gradients and its bits. */
#include "kernels/cpu/cpu.h"
#include "tests/kernels/common.h"

/* How q, k and v lie in memory. */
struct layout {
	int H, G, D;
	bool interleaved; /* GPT-NeoX: [T,H,3,D] */
};

struct pack {
	float *memory;
	struct k_heads q, k, v;
	size_t n;
};

static struct pack
pack(struct layout l, int rows)
{
	struct pack p = {0};
	int width = l.interleaved ? 3 * l.H * l.D : (l.H + 2 * l.G) * l.D;
	p.n = (size_t)rows * width;
	p.memory = floats(p.n);
	float *m = p.memory;
	if (l.interleaved) {
		p.q = (struct k_heads){m, width, 3 * l.D};
		p.k = (struct k_heads){m + l.D, width, 3 * l.D};
		p.v = (struct k_heads){m + 2 * l.D, width, 3 * l.D};
	} else {
		p.q = (struct k_heads){m, l.H * l.D, l.D};
		p.k = (struct k_heads){m + (size_t)rows * l.H * l.D, l.G * l.D, l.D};
		p.v = (struct k_heads){m + (size_t)rows * (l.H + l.G) * l.D, l.G * l.D, l.D};
	}
	return p;
}

static float *
at(struct k_heads x, int64_t t, int h)
{
	return (float *)x.data + t * x.row + h * x.head;
}

static double
dotd(const float *a, const float *b, int n)
{
	double s = 0;
	for (int i = 0; i < n; i++)
		s += (double)a[i] * b[i];
	return s;
}

static int
key_row(const struct k_segment *s, int j)
{
	return j < s->n_prefix ? s->prefix + j : s->own + j - s->n_prefix;
}

/* One query: probabilities p of its n keys; returns the log-sum-exp. */
static double
ref_query(double *p, double *out, const struct pack *x, struct layout l, const struct k_segment *s,
	int i, int h, double scale)
{
	int n = s->n_prefix + s->n_own - s->n_query + i + 1, g = h / (l.H / l.G);
	double max = -INFINITY, sum = 0;
	for (int j = 0; j < n; j++) {
		p[j] = scale * dotd(at(x->q, s->query + i, h), at(x->k, key_row(s, j), g), l.D);
		max = fmax(max, p[j]);
	}
	for (int j = 0; j < n; j++)
		sum += p[j] = exp(p[j] - max);
	for (int d = 0; d < l.D; d++)
		out[d] = 0;
	for (int j = 0; j < n; j++) {
		p[j] /= sum;
		for (int d = 0; d < l.D; d++)
			out[d] += p[j] * at(x->v, key_row(s, j), g)[d];
	}
	return max + log(sum);
}

static void
ref_fwd(double *out, double *lse, const struct pack *x, struct layout l,
	const struct k_segment *segs, int n_segs, double scale)
{
	double *p = malloc(10000 * sizeof *p);
	for (int s = 0; s < n_segs; s++)
		for (int i = 0; i < segs[s].n_query; i++)
			for (int h = 0; h < l.H; h++) {
				size_t r = (size_t)(segs[s].query + i) * l.H + h;
				lse[r] = ref_query(p, out + r * l.D, x, l, &segs[s], i, h, scale);
			}
	free(p);
}

/* Records [prompt | responses] of these lengths; 0 ends a record, -1 ends the list. */
static int
records(struct k_segment *segs, const int *lengths, int *rows)
{
	int n = 0, row = 0, prompt = -1;
	for (; *lengths >= 0; lengths++) {
		if (*lengths == 0) {
			prompt = -1;
			continue;
		}
		segs[n] = (struct k_segment){row, *lengths, 0, 0, row, *lengths};
		if (prompt >= 0) {
			segs[n].prefix = segs[prompt].query;
			segs[n].n_prefix = segs[prompt].n_query;
		} else {
			prompt = n;
		}
		row += *lengths;
		n++;
	}
	*rows = row;
	return n;
}

static const struct layout LAYOUTS[] = {{2, 2, 8, false}, {4, 2, 16, false}, {9, 3, 64, false},
	{3, 1, 5, false}, {2, 2, 20, true}, {1, 1, 128, false}, {6, 2, 36, false}};
enum { N_LAYOUTS = sizeof LAYOUTS / sizeof *LAYOUTS };
static const int LISTS[][16] = {{1, -1}, {7, 3, 1, 5, 0, 2, 9, -1},
	{33, 0, 17, 16, 0, 48, 65, 31, -1}, {64, 64, 64, 0, 1, 1, 1, -1}, {130, 20, 77, -1}};
enum { N_LISTS = sizeof LISTS / sizeof *LISTS };

/* A device that uses no more than this x86-64 level. */
static struct kernels *
open_level(int threads, int level)
{
	struct kernels *k = kernels_cpu_open(threads);
	((struct cpu *)k->priv)->level = level;
	return k;
}

static void
forward_at(int level)
{
	for (int a = 0; a < N_LAYOUTS; a++)
		for (int b = 0; b < N_LISTS; b++) {
			struct layout l = LAYOUTS[a];
			struct k_segment segs[16];
			int rows, n = records(segs, LISTS[b], &rows);
			struct pack x = pack(l, rows);
			size_t nh = (size_t)rows * l.H;
			float *out = floats(nh * l.D), *lse = floats(nh), scale = 1 / sqrtf(l.D);
			double *ro = calloc(nh * l.D, 8), *rl = calloc(nh, 8);
			ref_fwd(ro, rl, &x, l, segs, n, scale);
			for (int threads = 1; threads <= 3; threads++) {
				struct kernels *k = open_level(threads, level);
				k->attn_fwd(
					k, out, lse, x.q, x.k, x.v, segs, n, l.H, l.G, l.D, scale);
				k->close(k);
				CHECK(difference(out, ro, nh * l.D) < 2e-6);
				CHECK(difference(lse, rl, nh) < 2e-6);
			}
			free(x.memory), free(out), free(lse), free(ro), free(rl);
		}
}

static void
forward(void)
{
	for (int level = cpu_level(); level >= 0; level--)
		forward_at(level);
}

/* A query alone with a cache gives the bits that it has inside its segment. */
static void
decode_bits_at(int level)
{
	for (int a = 0; a < N_LAYOUTS; a++)
		for (int b = 0; b < N_LISTS; b++) {
			struct layout l = LAYOUTS[a];
			struct k_segment segs[16];
			int rows, n = records(segs, LISTS[b], &rows);
			struct pack x = pack(l, rows);
			size_t row = (size_t)l.H * l.D;
			float *out = floats(rows * row), *one = floats(rows * row), scale = 0.7f;
			float *lse = floats((size_t)rows * l.H);
			struct kernels *k = open_level(1, level), *k2 = open_level(2, level);
			k->attn_fwd(k, out, lse, x.q, x.k, x.v, segs, n, l.H, l.G, l.D, scale);
			k2->attn_fwd(k2, one, NULL, x.q, x.k, x.v, segs, n, l.H, l.G, l.D, scale);
			CHECK(same(one, out, sizeof *out * rows * row));
			/* any number of queries, ending anywhere */
			bool all = true;
			for (int s = 0; s < n; s++)
				for (int m = 1; m <= segs[s].n_query; m += 1 + m / 2)
					for (int e = m; e <= segs[s].n_own; e += 1 + e / 3) {
						struct k_segment c = segs[s];
						c.query = e - m;
						c.n_query = m;
						c.n_own = e;
						struct k_heads q = x.q;
						q.data = at(x.q, segs[s].query, 0);
						k2->attn_fwd(k2, one, NULL, q, x.k, x.v, &c, 1, l.H,
							l.G, l.D, scale);
						all &= same(one + (e - m) * row,
							out + (segs[s].query + e - m) * row,
							sizeof *out * m * row);
					}
			CHECK(all);
			k->close(k), k2->close(k2);
			free(x.memory), free(out), free(one), free(lse);
		}
}

static void
decode_bits(void)
{
	for (int level = cpu_level(); level >= 0; level--)
		decode_bits_at(level);
}

static void
ref_bwd(double *dq, double *dk, double *dv, const struct pack *x, struct layout l,
	const float *dout, const struct k_segment *segs, int n_segs, double scale)
{
	double p[10000], out[256];
	int D = l.D;
	for (int s = 0; s < n_segs; s++)
		for (int i = 0; i < segs[s].n_query; i++)
			for (int h = 0; h < l.H; h++) {
				const struct k_segment *g = &segs[s];
				size_t t = g->query + i, kh = h / (l.H / l.G);
				const float *d = dout + (t * l.H + h) * D, *q = at(x->q, t, h);
				ref_query(p, out, x, l, g, i, h, scale);
				double delta = 0;
				for (int c = 0; c < D; c++)
					delta += d[c] * out[c];
				for (int j = 0; j < g->n_prefix + i + 1; j++) {
					size_t r = key_row(g, j);
					double ds = scale * p[j] *
						    (dotd(d, at(x->v, r, kh), D) - delta);
					for (int c = 0; c < D; c++) {
						dq[(t * l.H + h) * D + c] +=
							ds * at(x->k, r, kh)[c];
						dk[(r * l.G + kh) * D + c] += ds * q[c];
						dv[(r * l.G + kh) * D + c] += p[j] * d[c];
					}
				}
			}
}

static double
heads_difference(struct k_heads x, const double *r, int rows, int H, int D)
{
	double worst = 0;
	for (int t = 0; t < rows; t++)
		for (int h = 0; h < H; h++)
			worst = fmax(
				worst, difference(at(x, t, h), r + ((size_t)t * H + h) * D, D));
	return worst;
}

static void
backward_at(int level)
{
	for (int a = 0; a < N_LAYOUTS; a++)
		for (int b = 0; b < N_LISTS; b++) {
			struct layout l = LAYOUTS[a];
			struct k_segment segs[16];
			int rows, n = records(segs, LISTS[b], &rows);
			struct pack x = pack(l, rows), first = {0};
			size_t nh = (size_t)rows * l.H, nk = (size_t)rows * l.G * l.D;
			float *out = floats(nh * l.D), *lse = floats(nh), *dout = floats(nh * l.D);
			float scale = 1 / sqrtf(l.D);
			double *rq = calloc(nh * l.D, 8), *rk = calloc(nk, 8), *rv = calloc(nk, 8);
			ref_bwd(rq, rk, rv, &x, l, dout, segs, n, scale);
			for (int threads = 1; threads <= 3; threads++) {
				struct kernels *k = open_level(threads, level);
				struct pack d = pack(l, rows);
				k->attn_fwd(
					k, out, lse, x.q, x.k, x.v, segs, n, l.H, l.G, l.D, scale);
				k->attn_bwd(k, d.q, d.k, d.v, dout, out, lse, x.q, x.k, x.v, segs,
					n, l.H, l.G, l.D, scale);
				k->close(k);
				CHECK(heads_difference(d.q, rq, rows, l.H, l.D) < 5e-6);
				CHECK(heads_difference(d.k, rk, rows, l.G, l.D) < 5e-6);
				CHECK(heads_difference(d.v, rv, rows, l.G, l.D) < 5e-6);
				if (threads == 1)
					first = d;
				else {
					CHECK(same(first.memory, d.memory, d.n * sizeof(float)));
					free(d.memory);
				}
			}
			free(first.memory), free(x.memory);
			free(out), free(lse), free(dout), free(rq), free(rk), free(rv);
		}
}

static void
backward(void)
{
	for (int level = cpu_level(); level >= 0; level--)
		backward_at(level);
}

/* Scores of hundreds, whole numbers and so exact: the softmax is nearly one-hot, nothing
 * overflows. */
static void
large_scores(void)
{
	struct layout l = {2, 1, 32, false};
	struct k_segment segs[16];
	int rows, n = records(segs, LISTS[2], &rows);
	struct pack x = pack(l, rows), d = pack(l, rows);
	size_t nh = (size_t)rows * l.H;
	for (size_t i = 0; i < x.n; i++)
		x.memory[i] = rintf(x.memory[i] * 20);
	float *out = floats(nh * l.D), *lse = floats(nh), *dout = floats(nh * l.D);
	double *ro = calloc(nh * l.D, 8), *rl = calloc(nh, 8);
	ref_fwd(ro, rl, &x, l, segs, n, 1);
	struct kernels *k = kernels_cpu_open(1);
	k->attn_fwd(k, out, lse, x.q, x.k, x.v, segs, n, l.H, l.G, l.D, 1);
	CHECK(difference(out, ro, nh * l.D) < 2e-6);
	CHECK(difference(lse, rl, nh) < 1e-6);
	k->attn_bwd(k, d.q, d.k, d.v, dout, out, lse, x.q, x.k, x.v, segs, n, l.H, l.G, l.D, 1);
	bool finite = true;
	for (size_t i = 0; i < d.n; i++)
		finite &= isfinite(d.memory[i]);
	CHECK(finite);
	k->close(k);
	free(x.memory), free(d.memory), free(out), free(lse), free(dout), free(ro), free(rl);
}

static void
long_prompt(void)
{
	struct layout l = {2, 1, 64, false};
	struct k_segment segs[2] = {{0, 2500, 0, 0, 0, 2500}, {2500, 3, 0, 2500, 2500, 3}};
	struct pack x = pack(l, 2503);
	size_t nh = (size_t)2503 * l.H;
	float *out = floats(nh * l.D), *lse = floats(nh);
	double *p = malloc(2600 * sizeof *p), r[64];
	struct kernels *k = kernels_cpu_open(2);
	k->attn_fwd(k, out, lse, x.q, x.k, x.v, segs, 2, l.H, l.G, l.D, 0.125f);
	for (int t = 0; t < 2503; t += t < 2400 ? 61 : 1)
		for (int h = 0; h < l.H; h++) {
			const struct k_segment *s = &segs[t >= 2500];
			double e = ref_query(p, r, &x, l, s, t - s->query, h, 0.125);
			size_t at_row = (size_t)t * l.H + h;
			CHECK_NEAR(lse[at_row], e, 1e-6);
			CHECK(difference(out + at_row * l.D, r, l.D) < 2e-6);
		}
	k->close(k);
	free(x.memory), free(out), free(lse), free(p);
}

int
main(void)
{
	RUN(forward);
	RUN(decode_bits);
	RUN(backward);
	RUN(large_scores);
	RUN(long_prompt);
	TEST_END;
}
