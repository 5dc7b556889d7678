#ifndef PRO_TESTS_MODEL_UTIL_H
#define PRO_TESTS_MODEL_UTIL_H

#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/rng.h"
#include "lib/model/decoder.h"
#include "tests/test.h"

/* Tiny models, one for every path through the decoder. */
static const struct tiny {
	const char *name, *config;
} tinies[] = {
	{"llama", "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_"
		  "size\":24,"
		  "\"intermediate_size\":20,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
		  "\"num_key_value_heads\":2,\"vocab_size\":41,\"initializer_range\":0.2,"
		  "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
		  "\"high_freq_factor\":4,\"original_max_position_embeddings\":32},"
		  "\"attention_bias\":true,\"mlp_bias\":true,\"max_position_embeddings\":64}"},
	{"mistral",
		"{\"architectures\":[\"MistralForCausalLM\"],\"model_type\":\"mistral\","
		"\"hidden_size\":24,\"intermediate_size\":20,\"num_hidden_layers\":3,"
		"\"num_attention_heads\":3,\"num_key_value_heads\":1,\"head_dim\":12,"
		"\"sliding_window\":null,\"hidden_act\":\"gelu_pytorch_tanh\",\"vocab_size\":41,"
		"\"initializer_range\":0.2,\"max_position_embeddings\":64}"},
	{"qwen2", "{\"architectures\":[\"Qwen2ForCausalLM\"],\"model_type\":\"qwen2\",\"hidden_"
		  "size\":24,"
		  "\"intermediate_size\":20,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
		  "\"num_key_value_heads\":4,\"vocab_size\":41,\"initializer_range\":0.2,"
		  "\"tie_word_embeddings\":true,\"max_position_embeddings\":64}"},
	{"neox", "{\"architectures\":[\"GPTNeoXForCausalLM\"],\"model_type\":\"gpt_neox\","
		 "\"hidden_size\":32,\"intermediate_size\":20,\"num_hidden_layers\":3,"
		 "\"num_attention_heads\":2,\"vocab_size\":41,\"initializer_range\":0.2,"
		 "\"max_position_embeddings\":64}"},
	{"neox-serial",
		"{\"architectures\":[\"GPTNeoXForCausalLM\"],\"model_type\":\"gpt_neox\","
		"\"hidden_size\":32,\"intermediate_size\":20,\"num_hidden_layers\":2,"
		"\"num_attention_heads\":2,\"vocab_size\":41,\"initializer_range\":0.2,"
		"\"use_parallel_residual\":false,\"rotary_pct\":0.5,\"attention_bias\":false,"
		"\"hidden_act\":\"gelu_new\",\"max_position_embeddings\":64}"},
	{"llama-reward",
		"{\"architectures\":[\"LlamaForSequenceClassification\"],\"model_type\":\"llama\","
		"\"hidden_size\":24,\"intermediate_size\":20,\"num_hidden_layers\":2,"
		"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"vocab_size\":41,"
		"\"initializer_range\":0.2,\"num_labels\":1,\"max_position_embeddings\":64}"},
	{"oasst-reward", "{\"architectures\":[\"GPTNeoXRewardModel\"],\"model_type\":\"gpt_neox_"
			 "reward_model\","
			 "\"hidden_size\":32,\"intermediate_size\":20,\"num_hidden_layers\":2,"
			 "\"num_attention_heads\":2,\"vocab_size\":41,\"initializer_range\":0.2,"
			 "\"max_position_embeddings\":64}"},
};
enum { N_TINIES = sizeof tinies / sizeof *tinies };

/* Fails the whole program: tests cannot go on without their models. */
static inline void
must(int rc, const struct err *e)
{
	if (rc < 0) {
		printf("not ok - set-up: %s\n", e->msg);
		exit(1);
	}
}

/* A random model of a config text, with gains around 1 and biases that are not 0. */
static inline struct model *
tiny_model(const char *text, struct kernels *k, uint64_t seed)
{
	struct err e = {0};
	struct model_config c;
	struct model *m;
	must(config_parse(&c, text, strlen(text), "tiny", &e), &e);
	must(model_create(&m, &c, k, seed, &e), &e);
	config_free(&c);
	for (int i = 0; i < m->n_params; i++) {
		struct param *p = &m->params[i];
		for (size_t j = 0; p->rank == 1 && j < p->n; j++)
			m->block[p->offset + j] +=
				0.2f * (float)rng_normal(rng_key(seed + 77), p->offset + j);
	}
	return m;
}

static inline const char *
tiny_config(const char *name)
{
	for (int i = 0; i < N_TINIES; i++)
		if (strcmp(tinies[i].name, name) == 0)
			return tinies[i].config;
	abort();
}

/* A decoder with room for the batch, after forward. */
static inline struct decoder *
run_forward(struct model *m, const struct batch *b, bool train)
{
	struct err e = {0};
	struct decoder *d;
	struct decoder_limits l = {b->n_rows, b->n_segs, b->n_head, b->n_targets, train, 0};
	must(decoder_open(&d, m, &l, &e), &e);
	must(decoder_forward(d, b, &e), &e);
	return d;
}

static inline void
random_ids(int32_t *ids, int n, int vocab, uint64_t seed)
{
	for (int i = 0; i < n; i++)
		ids[i] = (int32_t)rng_below(rng_key(seed), (uint64_t)i, (uint64_t)vocab);
}

static inline void
temp_dir(char dir[64])
{
	strcpy(dir, "/tmp/pro-model-XXXXXX");
	if (mkdtemp(dir) == NULL) {
		printf("not ok - set-up: no temporary directory\n");
		exit(1);
	}
}

static inline void
write_file(const char *dir, const char *name, const void *bytes, size_t n)
{
	struct buf path = BUF_INIT;
	struct err e = {0};
	struct out o;
	must(out_open(&o, path_join(&path, dir, name), &e), &e);
	must(out_write(&o, bytes, n, &e), &e);
	must(out_commit(&o, &e), &e);
	buf_free(&path);
}

static inline void
write_text(const char *dir, const char *name, const char *text)
{
	write_file(dir, name, text, strlen(text));
}

/* The bytes of dir/name; the caller frees. */
static inline struct buf
read_back(const char *dir, const char *name)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct err e = {0};
	must(file_read(path_join(&path, dir, name), 1 << 26, &text, &e), &e);
	buf_free(&path);
	return text;
}

#endif
