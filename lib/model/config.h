#ifndef PRO_MODEL_CONFIG_H
#define PRO_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * One decoder, described: LLaMA 1/2/3, Mistral, Qwen2/2.5, SmolLM2, TinyLlama, GPT-NeoX/Pythia;
 * LM head or scalar reward head.  Read from config.json (spellings of transformers 4 and 5).
 * A key that is not understood and would change the output is ERR_CONFIG; text that is not JSON, a
 * value of the wrong type or out of all reason is ERR_DATA.
 */
enum model_family { FAMILY_LLAMA, FAMILY_MISTRAL, FAMILY_QWEN2, FAMILY_NEOX };
enum model_head { HEAD_LM, HEAD_REWARD };

struct model_config {
	enum model_family family;
	enum model_head head;
	bool oasst_head; /* head named out_proj.*, with bias (oasst-rm) instead of score.weight */
	int n_layers, hidden, n_heads, n_kv_heads, head_dim, ffn, vocab, max_positions;
	enum k_norm norm;
	float norm_eps;
	enum k_act_kind act;
	bool gated;                                 /* gate and up projections */
	bool parallel_residual;                     /* x + attn(n1(x)) + mlp(n2(x)) */
	bool qkv_bias, o_bias, mlp_bias, fused_qkv; /* fused: rows of [n_heads, 3, head_dim] */
	bool tied_head;
	double rope_theta;
	int rotary_dim; /* head_dim, or less (GPT-NeoX rotary_pct) */
	bool rope_llama3;
	double rope_factor, rope_low_freq_factor, rope_high_freq_factor;
	int rope_original_positions;
	int sliding_window;    /* positions at and above it would see a window; 0: none.
				  decoder_forward    refuses them */
	int32_t bos, eos, pad; /* of config.json; -1: none */
	struct ids eos_list;   /* all ids at which generation stops: generation_config.json too */
	float initializer_range;
	enum k_dtype dtype; /* stored type, for info */
};

/* dir holds config.json (and generation_config.json, optional). */
int config_load(struct model_config *c, const char *dir, struct err *e);
/* Parses config text; where names it in errors. */
int config_parse(
	struct model_config *c, const char *text, size_t n, const char *where, struct err *e);
void config_free(struct model_config *c);
/* The same as the text of a config.json in transformers 4's spelling (which 5 reads too). */
void config_write(const struct model_config *c, struct buf *out);
/* "LlamaForCausalLM" and the like: what config.json's architectures holds. */
const char *config_architecture(const struct model_config *c);
/* ERR_CONFIG when sequences of that many tokens would need a sliding window. */
int config_check_length(const struct model_config *c, int length, struct err *e);
/* Rotary frequencies freq[rotary_dim/2], llama3 scaling applied. */
void config_rope_freq(const struct model_config *c, float *freq);
/* Number of weights, the head's included. */
int64_t config_parameters(const struct model_config *c);

#endif
