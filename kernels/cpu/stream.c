/*
 * Few rows against many weights, each weight read once and straight from its stored type.  An
 * output is the sum of fixed lanes, each a chain of multiply-adds along the row, so its bits do not
 * depend on the tile of rows and weights that computed it.
 */
#include <string.h>

#include "kernels/cpu/cpu.h"
#ifdef CPU_X86_LEVELS
#include <immintrin.h>
#endif

enum { CHUNK = 64, TILE_W = 4 }; /* weight rows of a work item and of a register tile */

struct job {
	float *y;
	const float *x;
	struct k_mat w, bias;
	int T, I, O;
	bool add;
	struct kernels *k;
	float *sums; /* [T,CHUNK] of the item; rows far apart in y would fight for the cache */
};

/* Vectors of N floats and the same numbers of half words and words. */
#define VECTORS(N)                                                                           \
	typedef float vec##N __attribute__((vector_size(4 * N), aligned(4), may_alias));     \
	typedef uint32_t word##N __attribute__((vector_size(4 * N), aligned(4), may_alias)); \
	typedef uint16_t half##N __attribute__((vector_size(2 * N), aligned(2), may_alias));
VECTORS(4)
VECTORS(8)
VECTORS(16)

/* What the functions for vectors of N floats are compiled for, and how they read halves. */
#define TARGET4
#define HALVES4(p) widen4(p)
#ifdef CPU_X86_LEVELS
#define TARGET8 __attribute__((target("arch=x86-64-v3")))
#define TARGET16 __attribute__((target("arch=x86-64-v4")))
#define HALVES8(p) (vec8) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
#define HALVES16(p) (vec16) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#endif

CPU_INLINE vec4
widen4(const char *p)
{
	word4 h = __builtin_convertvector(*(const half4 *)p, word4), m = h & 0x7fff;
	vec4 f = (vec4)(m << 13) * 0x1p112f; /* as cpu_half() */
	return (vec4)((word4)f | (h & 0x8000) << 16 | ((word4)(m >= 0x7c00) & 0x7f800000));
}

#define LOAD(N)                                                                               \
	TARGET##N CPU_INLINE void load##N(vec##N *v, const char *p, enum k_dtype dtype)       \
	{                                                                                     \
		if (dtype == K_F32)                                                           \
			*v = *(const vec##N *)p;                                              \
		else if (dtype == K_BF16)                                                     \
			*v = (vec##N)(                                                        \
				__builtin_convertvector(*(const half##N *)p, word##N) << 16); \
		else                                                                          \
			*v = HALVES##N(p);                                                    \
	}

CPU_INLINE float
sum4(const vec4 *v)
{
	return ((*v)[0] + (*v)[2]) + ((*v)[1] + (*v)[3]);
}

#ifdef CPU_X86_LEVELS
TARGET8 CPU_INLINE float
sum8(const vec8 *v)
{
	vec4 s = __builtin_shufflevector(*v, *v, 0, 1, 2, 3) +
		 __builtin_shufflevector(*v, *v, 4, 5, 6, 7);
	return sum4(&s);
}

TARGET16 CPU_INLINE float
sum16(const vec16 *v)
{
	vec8 s = __builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7) +
		 __builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15);
	return sum8(&s);
}
#endif

/* R rows of x times W rows of weights from (t, o), lanes N wide.  The last lanes of a row whose
 * length is no multiple of N are padded with zeros. */
#define UNROLL _Pragma("GCC unroll 8")
#define TILE(N)                                                                                 \
	TARGET##N CPU_INLINE void tile##N(                                                      \
		const struct job *j, enum k_dtype dtype, int t, int o, int R, int W)            \
	{                                                                                       \
		vec##N s[4][TILE_W] = {0};                                                      \
		size_t size = dtype == K_F32 ? 4 : 2, row = j->I * size;                        \
		const float *x = j->x + (size_t)t * j->I;                                       \
		const char *w = (const char *)j->w.data + o * row;                              \
		int i = 0, rest = j->I % N;                                                     \
		for (; i + N <= j->I; i += N) {                                                 \
			vec##N v[TILE_W];                                                       \
			UNROLL for (int c = 0; c < W; c++)                                      \
				load##N(&v[c], w + c * row + i * size, dtype);                  \
			UNROLL for (int c = 0; c < W && t == 0; c++) __builtin_prefetch(        \
				(const void *)((uintptr_t)w + (c + W) * row + i * size), 0, 2); \
			UNROLL for (int r = 0; r < R; r++) UNROLL for (int c = 0; c < W; c++)   \
				s[r][c] += *(const vec##N *)(x + (size_t)r * j->I + i) * v[c];  \
		}                                                                               \
		for (int c = 0; c < W && rest > 0; c++) {                                       \
			char last[4 * N] = {0};                                                 \
			vec##N v;                                                               \
			memcpy(last, w + c * row + i * size, rest * size);                      \
			load##N(&v, last, dtype);                                               \
			for (int r = 0; r < R; r++) {                                           \
				float part[N] = {0};                                            \
				memcpy(part, x + (size_t)r * j->I + i, rest * sizeof *part);    \
				s[r][c] += *(const vec##N *)part * v;                           \
			}                                                                       \
		}                                                                               \
		UNROLL for (int r = 0; r < R; r++) UNROLL for (int c = 0; c < W; c++)           \
		{                                                                               \
			size_t at = (size_t)(t + r) * CHUNK + (o + c) % CHUNK;                  \
			j->sums[at] = sum##N(&s[r][c]);                                         \
		}                                                                               \
	}

/* Weights [o, end) for all rows, R rows at a time. */
#define ROWS(N, R)                                                                                 \
	TARGET##N CPU_INLINE void rows##N(const struct job *j, enum k_dtype dtype, int o, int end) \
	{                                                                                          \
		for (; o + TILE_W <= end; o += TILE_W) {                                           \
			int t = 0;                                                                 \
			for (; t + R <= j->T; t += R)                                              \
				tile##N(j, dtype, t, o, R, TILE_W);                                \
			for (; t < j->T; t++)                                                      \
				tile##N(j, dtype, t, o, 1, TILE_W);                                \
		}                                                                                  \
		for (; o < end; o++)                                                               \
			for (int t = 0; t < j->T; t++)                                             \
				tile##N(j, dtype, t, o, 1, 1);                                     \
	}

#define STREAM(name, N, R)                                              \
	LOAD(N)                                                         \
	TILE(N)                                                         \
	ROWS(N, R)                                                      \
	TARGET##N static void name(const struct job *j, int o, int end) \
	{                                                               \
		if (j->w.dtype == K_F32)                                \
			rows##N(j, K_F32, o, end);                      \
		else if (j->w.dtype == K_BF16)                          \
			rows##N(j, K_BF16, o, end);                     \
		else                                                    \
			rows##N(j, K_F16, o, end);                      \
	}
STREAM(stream_generic, 4, 2)
#ifdef CPU_X86_LEVELS
STREAM(stream_v3, 8, 2)
STREAM(stream_v4, 16, 4)
#else
#define stream_v3 stream_generic
#define stream_v4 stream_generic
#endif
typedef void stream_function(const struct job *j, int o, int end);

/* y (+)= the sums of n outputs from o on, + bias. */
static void
store(const struct job *j, const float *sums, int o, int n)
{
	float b[CHUNK] = {0};
	if (j->bias.data != NULL)
		cpu_to_f32(b, j->bias, o, n);
	for (int t = 0; t < j->T; t++, sums += CHUNK) {
		float *y = j->y + (size_t)t * j->O + o;
		for (int i = 0; i < n; i++)
			y[i] = j->add ? y[i] + (sums[i] + b[i]) : sums[i] + b[i];
	}
}

static void
chunk_item(void *ctx, int c, int thread)
{
	stream_function *const f[] = {stream_generic, stream_v3, stream_v4};
	struct job j = *(const struct job *)ctx;
	int o = c * CHUNK, end = o + CHUNK < j.O ? o + CHUNK : j.O;
	j.sums = cpu_scratch(j.k, thread, sizeof *j.sums * CHUNK * j.T, "linear_fwd");
	if (j.sums == NULL)
		return;
	f[((struct cpu *)j.k->priv)->level](&j, o, end);
	store(&j, j.sums, o, end - o);
}

void
cpu_stream(struct kernels *k, float *y, const float *x, struct k_mat w, struct k_mat bias, int T,
	int I, int O, bool add)
{
	struct job j = {y, x, w, bias, T, I, O, add, k, NULL};
	cpu_run(k, cpu_pieces(O, CHUNK), true, chunk_item, &j);
}
