#ifndef PRO_MODEL_BLOCK_H
#define PRO_MODEL_BLOCK_H

#include "lib/model/decoder.h"

/*
 * One transformer block over the T rows of a batch, and the memory that it works in.  Private to
 * lib/model; decoder.h is the interface.
 *
 * Training keeps per layer and row, in floats: the block's input and the residual stream behind the
 * attention (2C; C with a parallel residual), q, k, v after rotation ((H + 2G) D), the attention's
 * output and log-sum-exp (HD + H), gate and up (2F; F without a gate) and the statistics of two
 * norms (4).  The normalised inputs of the projections and the product act(gate) * up are computed
 * again in the backward.  Inference has the same buffers once for all layers.
 */
struct layer_acts {
	void *x;              /* [T,C] into the block; the next layer's x is its result */
	void *mid;            /* [T,C] behind the attention; x itself with a parallel residual */
	float *norm1, *norm2; /* [T,2] statistics; NULL in inference */
	void *q, *k, *v;      /* [T,H*D], [T,G*D] twice; fused: q is [T,H*3*D], k and v are NULL */
	void *attn;           /* [T,H*D] */
	float *lse;           /* [T,H]; NULL in inference */
	void *gate, *up;      /* [T,F]; without a gate, gate is the input of the activation */
	void *cache_k, *cache_v; /* [cache_slots,G*D] or NULL */
};

struct decoder {
	struct model *m;
	struct decoder_limits limits;
	char *block;               /* all memory */
	struct layer_acts *layers; /* [n_layers + 1]: the last has x only, the trunk's result */

	void *norm, *branch, *prod;       /* scratch: [T,C], [T,C], [T,F] */
	void *split;                      /* [T,G*D]: keys or values out of fused rows */
	int32_t *split_k, *split_v;       /* [T*H] their rows, of D elements */
	void *dx, *dnorm, *dattn;         /* [T,C], [T,C], [T,H*D] */
	void *dq, *dk, *dv, *dgate, *dup; /* as q, k, v, gate, up */

	void *head_x, *head_n, *dhead_x, *dhead_n; /* [R,C] before and behind the final norm */
	float *head_stats, *head_lse;              /* [R,2], [R] */
	void *dscore;                              /* [R] act */
	float *logp, *coef;                        /* [N] */
	float *logits;                             /* [logits_rows,V], or [R,1] for scores */
	int logits_rows;

	/* The batch on the device. */
	int T, R, N, n_segs;
	int32_t *ids, *positions, *head_rows, *target_row, *target_id, *slots;
	struct k_segment *segs;
	bool cached, stream;
};

void block_forward(struct decoder *d, int layer);
/* dx is the gradient of the block's result, and of its input afterwards. */
void block_backward(struct decoder *d, int layer);

#endif
