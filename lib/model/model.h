#ifndef PRO_MODEL_MODEL_H
#define PRO_MODEL_MODEL_H

#include "lib/model/config.h"
#include "lib/model/weights.h"

/*
 * A model in memory: its configuration and one table row per tensor.
 *
 * For scoring and generating, the weights stay mapped in their stored type.  For training there is
 * one float block of parameters and one of gradients, each tensor a slice at the same offset, in
 * table order (aligned to 64 bytes, padding zero), so that optimiser, clipping and checkpoints see
 * two flat arrays.
 */
struct param {
	char name[128]; /* Hugging Face's name */
	int rank;
	int64_t shape[2];
	size_t offset; /* in floats, into block and grad */
	size_t n;
	struct k_mat mat; /* where the weights are */
	float *grad;      /* NULL unless training */
	bool owned;       /* mat.data is from k->alloc and not part of block */
};

/* Indices into params; -1 where the architecture has none.  A plain MLP has no gate. */
struct layer_params {
	int attn_norm, attn_norm_bias, q, q_bias, k, k_bias, v, v_bias, qkv, qkv_bias, o, o_bias;
	int mlp_norm, mlp_norm_bias, gate, gate_bias, up, up_bias, down, down_bias;
};

struct model {
	struct model_config config;
	struct kernels *k;
	struct param *params;
	int n_params;
	int embed, final_norm, final_norm_bias;
	int head, head_bias; /* head of an LM with a tied head: embed */
	struct layer_params *layers;
	float *block, *grad; /* [block_n]; NULL unless training */
	size_t block_n;
	float *freq;             /* [rotary_dim/2], device */
	struct buf config_text;  /* config.json as it was read, or written by model_create */
	struct weights *weights; /* of the folder it was opened from; NULL after model_create */
	char hash[65]; /* SHA-256 of config.json's and the tensors' bytes; "" until asked */
};

/* MODEL_PROBE: nothing is loaded, only the configuration and the names and shapes of the tensors
 * are compared: whether the folder can be opened. */
enum model_use { MODEL_INFER, MODEL_TRAIN, MODEL_PROBE };

struct model_open_options {
	enum model_use use;
	enum model_head head;
	bool init_head; /* a missing reward head is initialised by seed (rm training only) */
	uint64_t seed;
};

/*
 * Loads dir.  Wanting HEAD_REWARD of a folder without one is ERR_CONFIG unless init_head; wanting
 * HEAD_LM of a reward model is ERR_CONFIG.  A missing, extra or misshaped tensor is ERR_CONFIG
 * naming it (known buffers like rotary_emb.inv_freq and attention.bias are ignored).
 */
int model_open(struct model **m, const char *dir, struct kernels *k,
	const struct model_open_options *o, struct err *e);
/* Random weights (normal, initializer_range; norms 1, biases 0) for training from scratch. */
int model_create(struct model **m, const struct model_config *c, struct kernels *k, uint64_t seed,
	struct err *e);
void model_close(struct model *m);
/* ERR_IO when the weights are read where they lie in a file, and it was changed or cannot be read:
 * asked after every computation, and after model_hash. */
int model_check(const struct model *m, struct err *e);
/* Hash of what was opened (or created), for provenance; training does not change it.  Computed at
 * the first call, which reads all weights. */
const char *model_hash(struct model *m);

/* The parameter at an index of the table as kernels take it; {NULL} and NULL for index -1. */
static inline struct k_mat
model_mat(const struct model *m, int i)
{
	return i < 0 ? (struct k_mat){NULL, K_F32} : m->params[i].mat;
}
static inline float *
model_grad(const struct model *m, int i)
{
	return i < 0 ? NULL : m->params[i].grad;
}
/* Weights [from, from+n) of a parameter, as float, to the host. */
void model_read(const struct model *m, const struct param *p, size_t from, size_t n, float *out);
/* Fills params, layers, the indices and block_n from the config: names, shapes and offsets. */
void model_table(struct model *m);

/*
 * Writes model.safetensors with config.json to directory dir (which exists), in dtype.  source_dir
 * (may be NULL) gives generation_config.json, copied, and config.json, whose architectures,
 * num_labels and torch_dtype are set to what was written; the tokenizer's files are the caller's to
 * copy (folder_copy, tokenizer_files).  Every file appears whole or not at all; for all or none,
 * save to a new directory and dir_replace it.
 */
int model_save(const struct model *m, const char *dir, const char *source_dir, enum k_dtype dtype,
	struct err *e);

#endif
