#ifndef PRO_KERNELS_CPU_H
#define PRO_KERNELS_CPU_H

/*
 * Shared by the CPU kernels only.
 *
 * Every op cuts its work into items of a size that does not depend on the number of threads, and
 * each item is computed by one thread in one order; so bits do not depend on threads either.
 */
#include <stdatomic.h>

#include "kernels/cpu/pool.h"
#include "kernels/kernels.h"

/* Hot leaves are compiled for several instruction sets, chosen at load time. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(PRO_NO_CLONES)
#define CPU_X86_LEVELS 1 /* hand-dispatched kernels are there too, see cpu_level() */
#define CPU_CLONES \
	__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), noinline))
#else
#define CPU_CLONES __attribute__((noinline))
#endif
#define CPU_INLINE static inline __attribute__((always_inline))

CPU_INLINE int
cpu_min(int a, int b)
{
	return a < b ? a : b;
}

/* How many pieces of `size` cover n. */
CPU_INLINE int
cpu_pieces(size_t n, size_t size)
{
	return (int)((n + size - 1) / size);
}

struct cpu {
	int level; /* of x86-64 that hand-dispatched kernels use: 0 (any machine), 1 (v3: AVX2 and
		      FMA), 2 (v4: AVX-512) */
	char path[128]; /* kernels->path */
	struct pool *pool;
	struct cpu_block {
		void *p;
		size_t bytes;
	} * scratch, shared;          /* cpu_scratch() [threads], cpu_shared() */
	_Atomic(const char *) failed; /* the first op that ran out of memory, until sync */
};

/* The highest level of this machine; tests lower that of a device. */
int cpu_level(void);

/* item(ctx, 0 .. n-1, thread) on the device's threads, or on this one alone when it is not worth
 * more. */
void cpu_run(struct kernels *k, int n, bool worth, pool_item *item, void *ctx);
/* The thread's scratch of at least `bytes`, valid until its next call; NULL after recording the
 * failure of `op` for sync(). */
void *cpu_scratch(struct kernels *k, int thread, size_t bytes, const char *op);
/* The same, one block for the whole op; call it outside of items. */
void *cpu_shared(struct kernels *k, size_t bytes, const char *op);

/* dst[n] = elements [from, from+n) of m, as float. */
void cpu_to_f32(float *dst, struct k_mat m, size_t from, size_t n);
/* A whole vector as float: m's own memory when it is F32, else converted into buf; NULL when it is
 * not there. */
const float *cpu_vector(struct k_mat m, size_t n, float *buf);

#define CPU_OP(name) extern __typeof__(*((struct kernels *)0)->name) cpu_##name
CPU_OP(embed_fwd);
CPU_OP(embed_bwd);
CPU_OP(norm_fwd);
CPU_OP(norm_bwd);
CPU_OP(linear_fwd);
CPU_OP(linear_bwd_x);
CPU_OP(linear_bwd_w);
CPU_OP(add);
CPU_OP(rope);
CPU_OP(attn_fwd);
CPU_OP(attn_bwd);
CPU_OP(act_fwd);
CPU_OP(act_bwd);
CPU_OP(rows_get);
CPU_OP(rows_put);
CPU_OP(rows_add);
CPU_OP(logprob_fwd);
CPU_OP(logprob_bwd);
CPU_OP(logits);
CPU_OP(sumsq);
CPU_OP(adamw);
#undef CPU_OP

/* y[T,O] (+)= x[T,I] w[O,I]^T (+ bias), reading each weight once; any T. */
void cpu_stream(struct kernels *k, float *y, const float *x, struct k_mat w, struct k_mat bias,
	int T, int I, int O, bool add);

/*
 * exp in float, branch-free so that loops over it vectorise; error below 1 ulp or so for normal
 * results.  Range reduction by n = round(x/ln 2) with ln 2 in two parts (Cody and Waite), a
 * polynomial on [-ln2/2, ln2/2], and 2^n in two factors so that results fade into subnormals, 0
 * and infinity.
 */
CPU_INLINE float
cpu_expf(float x)
{
	union {
		float f;
		uint32_t u;
	} n, s1, s2;
	const float magic = 12582912.0f; /* 1.5*2^23: the sum's low bits hold the rounded integer */
	float c = x < -110.0f ? -110.0f : x;
	c = c > 90.0f ? 90.0f : c;
	n.f = c * 1.44269504088896341f + magic;
	float m = n.f - magic;
	float r = (c - m * 0.693145751953125f) - m * 1.428606765330187e-06f;
	float p = 1.9841270e-4f;
	p = p * r + 1.3888889e-3f;
	p = p * r + 8.3333333e-3f;
	p = p * r + 4.1666667e-2f;
	p = p * r + 1.6666667e-1f;
	p = p * r + 0.5f;
	p = p * (r * r) + r + 1.0f;
	uint32_t i = n.u - 0x4b400000u, half = (i + 1024) / 2 - 512;
	s1.u = (half + 127) << 23;
	s2.u = (i - half + 127) << 23;
	return p * s1.f * s2.f;
}

/* One IEEE half as float, exactly.  The exponent is rebiased by a multiplication, which also
 * normalises subnormals. */
CPU_INLINE float
cpu_half(uint16_t h)
{
	union {
		uint32_t u;
		float f;
	} v, scale = {.u = 0x77800000u}; /* 2^112 */
	uint32_t magnitude = h & 0x7fffu, sign = (uint32_t)(h & 0x8000u) << 16;
	v.u = magnitude << 13;
	v.f *= scale.f;
	v.u |= sign | (magnitude >= 0x7c00u ? 0x7f800000u : 0);
	return v.f;
}

#endif
