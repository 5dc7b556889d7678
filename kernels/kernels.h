#ifndef PRO_KERNELS_H
#define PRO_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The whole seam between the models and a machine: one struct of function pointers per device.
 * kernels/cpu fills it; kernels/cuda will fill it with the same names.
 *
 * Contracts, once for all:
 * - Pointers are device pointers, from alloc(); on the CPU plain memory.  Activations ("act") are
 *   stored in k->act (F32 on the CPU, BF16 on CUDA); weights in the dtype that their k_mat says;
 *   gradients of weights, statistics, log-probabilities, moments and all "f32" are float.
 * - Parameter gradients are accumulated (+=); activation gradients are assigned (=) unless the
 *   comment says +=.
 * - Everything is row-major; [T,C] means T rows of C; the last index is contiguous.
 * - Determinism: no atomics, fixed orders.  A row of linear_fwd, norm_fwd, rope, attn_fwd, act_fwd,
 *   logprob_fwd and logits has bits that do not depend on the other rows, on their number or on the
 *   number of threads.
 * - Ops return nothing.  Errors are sticky and reported by sync().
 * - T = rows, C = hidden size, H = query heads, G = key/value heads, D = head size, F =
 * feed-forward size, V = vocabulary, R = head rows, N = targets.
 */
enum k_dtype { K_F32, K_BF16, K_F16 };

enum k_norm { K_RMSNORM, K_LAYERNORM };
enum k_act_kind { K_SILU, K_GELU, K_GELU_TANH, K_RELU };

/* A weight matrix or vector as stored.  data NULL: not there (a bias). */
struct k_mat {
	const void *data;
	enum k_dtype dtype;
};

/* Heads inside rows: element (t, h, d) lies at data[t*row + h*head + d] (strides in elements), so
 * that separate q, k, v and GPT-NeoX's interleaved [H,3,D] projection both fit. */
struct k_heads {
	void *data;
	int64_t row, head;
};

/*
 * One causal segment of a packed batch.  Its queries are rows [query, query+n_query) of q and out.
 * Its keys are rows of k and v: first [prefix, prefix+n_prefix), all of them visible, then
 * [own, own+n_own), causally: query i sees own rows 0 .. n_own-n_query+i.
 * Training and prompts: own == query, n_own == n_query.  A response: prefix = its prompt's rows.
 * Decoding: k and v are a cache, n_query = 1.
 * attn_bwd wants a prompt's segment (n_prefix 0) directly before the segments that share it.
 */
struct k_segment {
	int32_t query, n_query, prefix, n_prefix, own, n_own;
};

enum {
	K_ADD = 1,    /* y += instead of y = */
	K_STREAM = 2, /* few rows (decoding): read the weights at memory speed */
};

enum { K_FAILED = -1, K_NO_MEMORY = -2 }; /* what sync returns */

struct kernels {
	const char *name;
	/* What the bits of results depend on beside the input: which code computes, as words
	 * ("cpu x86-64-v3"); another path, other bits. */
	const char *path;
	enum k_dtype act;
	int threads;

	/* Memory.  alloc: 64-byte aligned, zeroed, NULL when there is none. */
	void *(*alloc)(struct kernels *k, size_t bytes);
	void (*free)(struct kernels *k, void *p);
	void (*upload)(struct kernels *k, void *dst, const void *src, size_t bytes);
	void (*download)(struct kernels *k, void *dst, const void *src, size_t bytes);
	void (*zero)(struct kernels *k, void *p, size_t bytes);
	/* Waits; 0, or with the first error since the last sync in msg K_FAILED or K_NO_MEMORY. */
	int (*sync)(struct kernels *k, char *msg, size_t n);
	void (*close)(struct kernels *k);
	/* Host work on the device's host threads: item(ctx, i, thread) for i in [0,n), thread in
	 * [0,threads); all are done when it returns.  An item may call no op of k. */
	void (*parallel)(
		struct kernels *k, int n, void (*item)(void *ctx, int i, int thread), void *ctx);

	/* out[T,C] act = table[V,C] rows ids[T].  bwd: dtable[V,C] f32 += in row order. */
	void (*embed_fwd)(
		struct kernels *k, void *out, struct k_mat table, const int32_t *ids, int T, int C);
	void (*embed_bwd)(struct kernels *k, float *dtable, const void *dout, const int32_t *ids,
		int T, int C);

	/* out[T,C] = gain * (x - mean) * rstd (+ bias); RMSNorm: no mean, no bias.
	 * stats[T,2] f32: mean, rstd (may be NULL when no backward follows).
	 * bwd: dx[T,C] +=, dgain[C] +=, dbias[C] += (NULL: none); dgain NULL: frozen. */
	void (*norm_fwd)(struct kernels *k, enum k_norm kind, void *out, const void *x,
		struct k_mat gain, struct k_mat bias, float eps, float *stats, int T, int C);
	void (*norm_bwd)(struct kernels *k, enum k_norm kind, void *dx, float *dgain, float *dbias,
		const void *dout, const void *x, struct k_mat gain, const float *stats, int T,
		int C);

	/* y[T,O] = x[T,I] W[O,I]^T + bias[O]; flags K_ADD, K_STREAM. */
	void (*linear_fwd)(struct kernels *k, void *y, const void *x, struct k_mat w,
		struct k_mat bias, int T, int I, int O, unsigned flags);
	/* dx[T,I] = dy[T,O] W[O,I]; flag K_ADD. */
	void (*linear_bwd_x)(struct kernels *k, void *dx, const void *dy, struct k_mat w, int T,
		int I, int O, unsigned flags);
	/* dW[O,I] f32 += dy^T x; dbias[O] f32 += column sums of dy (NULL: none). */
	void (*linear_bwd_w)(struct kernels *k, float *dw, float *dbias, const void *dy,
		const void *x, int T, int I, int O);

	/* y[n] += x[n], act. */
	void (*add)(struct kernels *k, void *y, const void *x, size_t n);
	/* Rotary embedding of the first 2*n_freq elements of each of n_heads heads, in place, the
	 * two halves paired (i, i+n_freq) as Hugging Face stores them: angle =
	 * positions[t]*freq[i]. inverse: by -angle (the backward). */
	void (*rope)(struct kernels *k, struct k_heads x, const int32_t *positions,
		const float *freq, int n_freq, int T, int n_heads, bool inverse);

	/* out[T,H,D] = softmax(scale q k^T) v over the segments; query head h uses kv head h/(H/G).
	 * lse[T,H] f32: log-sum-exp of the scaled scores (NULL when no backward follows).
	 * segs [n_segs] is device memory. */
	void (*attn_fwd)(struct kernels *k, void *out, float *lse, struct k_heads q,
		struct k_heads key, struct k_heads value, const struct k_segment *segs, int n_segs,
		int H, int G, int D, float scale);
	/* dq, dk, dv (=) for all rows of the batch, own == query for every segment. */
	void (*attn_bwd)(struct kernels *k, struct k_heads dq, struct k_heads dk, struct k_heads dv,
		const void *dout, const void *out, const float *lse, struct k_heads q,
		struct k_heads key, struct k_heads value, const struct k_segment *segs, int n_segs,
		int H, int G, int D, float scale);

	/* out[n] = act(gate) * up, or act(gate) when up is NULL.  bwd: dgate, dup (=). */
	void (*act_fwd)(struct kernels *k, enum k_act_kind kind, void *out, const void *gate,
		const void *up, size_t n);
	void (*act_bwd)(struct kernels *k, enum k_act_kind kind, void *dgate, void *dup,
		const void *dout, const void *gate, const void *up, size_t n);

	/* out[R,C] = x rows; put: out[rows[r]] = x[r] (KV cache); add: out[rows[r]] += x[r]. */
	void (*rows_get)(
		struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C);
	void (*rows_put)(
		struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C);
	void (*rows_add)(
		struct kernels *k, void *out, const void *x, const int32_t *rows, int R, int C);

	/* Log-probabilities: logp[N] = logits[target_row[j]][target_id[j]] - lse[target_row[j]],
	 * with logits[R,V] = h[R,C] W[V,C]^T never stored whole.  A row may have many targets (the
	 * first tokens of n responses).  Targets are sorted by row. */
	void (*logprob_fwd)(struct kernels *k, float *logp, float *lse, const void *h,
		struct k_mat w, const int32_t *target_row, const int32_t *target_id, int N, int R,
		int C, int V);
	/* dh[R,C] = , dW[V,C] f32 += (NULL: frozen) for coef[N] = dL/dlogp; logits are recomputed.
	 */
	void (*logprob_bwd)(struct kernels *k, void *dh, float *dw, const void *h, struct k_mat w,
		const float *lse, const int32_t *target_row, const int32_t *target_id,
		const float *coef, int N, int R, int C, int V);
	/* logits[R,V] f32 = h W^T; flag K_STREAM. */
	void (*logits)(struct kernels *k, float *out, const void *h, struct k_mat w, int R, int C,
		int V, unsigned flags);

	/* Sum of squares of x[n] f32, accumulated in double, fixed order; returned to the host. */
	double (*sumsq)(struct kernels *k, const float *x, size_t n);
	/* AdamW as torch.optim.AdamW: g *= grad_scale; w *= 1 - lr*decay; m, v; bias correction by
	 * step (1-based); w -= lr * mhat / (sqrt(vhat) + eps). */
	void (*adamw)(struct kernels *k, float *w, const float *g, float *m, float *v, size_t n,
		double lr, double beta1, double beta2, double eps, double decay, double grad_scale,
		int64_t step);

	void *priv;
};

/* The CPU backend; threads >= 1.  NULL when out of memory. */
struct kernels *kernels_cpu_open(int threads);

static inline size_t
k_dtype_size(enum k_dtype t)
{
	return t == K_F32 ? 4 : 2;
}

#endif
