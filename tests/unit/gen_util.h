#ifndef PRO_TESTS_GEN_UTIL_H
#define PRO_TESTS_GEN_UTIL_H

/* A toy model folder for tests: random weights and a byte-level tokenizer (256 bytes and an end
 * token), written to a directory of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/model/model.h"
#include "lib/text/template.h"
#include "lib/text/tokenizer.h"

static const char toy_config[] =
	"{\"architectures\":[\"%s\"],\"model_type\":\"llama\",\"hidden_size\":16,"
	"\"intermediate_size\":24,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
	"\"num_key_value_heads\":2,\"vocab_size\":260,\"max_position_embeddings\":%d,"
	"\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"hidden_act\":\"silu\","
	"\"tie_word_embeddings\":false,\"initializer_range\":%s,\"bos_token_id\":256,"
	"\"eos_token_id\":256%s}";

static inline void
toy_write(const char *dir, const char *name, const struct buf *b)
{
	struct buf path = BUF_INIT;
	FILE *f = fopen(path_join(&path, dir, name), "w");
	if (f == NULL || fwrite(b->data, 1, b->len, f) != b->len || fclose(f) != 0)
		abort();
	buf_free(&path);
}

/* GPT-2's names of bytes: printable ones are themselves, the others U+0100 and up. */
static inline void
toy_tokenizer(const char *dir)
{
	struct buf b = BUF_INIT;
	int other = 0x100;
	buf_puts(&b, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
	for (int c = 0; c < 256; c++) {
		bool printable = (c >= 33 && c <= 126) || (c >= 161 && c != 173);
		buf_printf(&b, "%s\"\\u%04x\":%d", c ? "," : "", printable ? c : other++, c);
	}
	buf_puts(&b, "}},\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
		     "\"use_regex\":true},\"decoder\":{\"type\":\"ByteLevel\"},"
		     "\"added_tokens\":[{\"id\":256,\"content\":\"<|endoftext|>\","
		     "\"special\":true}]}");
	toy_write(dir, "tokenizer.json", &b);
	buf_reset(&b);
	buf_puts(&b, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":\"<|endoftext|>\"}");
	toy_write(dir, "tokenizer_config.json", &b);
	buf_free(&b);
}

struct toy {
	char dir[64];
	struct kernels *k;
	struct model *model;
	struct tokenizer *tokenizer;
	struct template *template;
};

/* Returns false (and says why) when something fails. */
static inline bool
toy_make(struct toy *t, enum model_head head, int max_positions, const char *range)
{
	struct err e = {0};
	struct model_config c = {0};
	struct model *m = NULL;
	struct buf b = BUF_INIT;
	*t = (struct toy){.dir = "/tmp/pro-toy-XXXXXX"};
	t->k = kernels_cpu_open(1);
	bool lm = head == HEAD_LM;
	if (mkdtemp(t->dir) == NULL)
		return false;
	buf_printf(&b, toy_config, lm ? "LlamaForCausalLM" : "LlamaForSequenceClassification",
		max_positions, range, lm ? "" : ",\"num_labels\":1");
	toy_write(t->dir, "config.json", &b);
	toy_tokenizer(t->dir);
	struct model_open_options o = {.use = MODEL_INFER, .head = head};
	bool ok = config_parse(&c, b.data, b.len, "toy", &e) == 0 &&
		  model_create(&m, &c, t->k, 7, &e) == 0 &&
		  model_save(m, t->dir, t->dir, K_F32, &e) == 0 &&
		  model_open(&t->model, t->dir, t->k, &o, &e) == 0 &&
		  tokenizer_load(&t->tokenizer, t->dir, &e) == 0 &&
		  template_select(&t->template, "plain", t->dir, t->tokenizer, NULL, &e) == 0;
	if (!ok)
		printf("# %s\n", e.msg);
	if (m)
		model_close(m);
	config_free(&c);
	buf_free(&b);
	return ok;
}

/* Makes the last weights of the file NaN. */
static inline void
toy_poison(const struct toy *t)
{
	struct buf path = BUF_INIT;
	FILE *f = fopen(path_join(&path, t->dir, "model.safetensors"), "r+");
	if (f == NULL || fseek(f, -8192, SEEK_END) != 0)
		abort();
	for (int i = 0; i < 8192; i++)
		fputc(0xff, f);
	if (fclose(f) != 0)
		abort();
	buf_free(&path);
}

static inline void
toy_free(struct toy *t)
{
	struct err e;
	model_close(t->model);
	template_free(t->template);
	tokenizer_free(t->tokenizer);
	if (t->k)
		t->k->close(t->k);
	dir_remove(t->dir, &e);
}

#endif
