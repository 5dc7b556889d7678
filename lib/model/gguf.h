#ifndef PRO_MODEL_GGUF_H
#define PRO_MODEL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernels/kernels.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"

/*
 * GGUF, versions 2 and 3, little-endian
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): header, metadata (typed key-value
 * pairs), tensor descriptions, data.  The file is mapped; every count, length, type, offset and
 * alignment is checked when it is opened, so that what follows may trust the structures below.
 */
enum gguf_type { /* of metadata values */
	GGUF_UINT8,
	GGUF_INT8,
	GGUF_UINT16,
	GGUF_INT16,
	GGUF_UINT32,
	GGUF_INT32,
	GGUF_FLOAT32,
	GGUF_BOOL,
	GGUF_STRING,
	GGUF_ARRAY,
	GGUF_UINT64,
	GGUF_INT64,
	GGUF_FLOAT64,
	GGUF_N_TYPES
};

struct gguf_string {
	const char *s; /* into the map, not NUL-terminated, any bytes */
	size_t n;
};

struct gguf_kv {
	struct gguf_string key;
	enum gguf_type type, item; /* item: of an array's elements */
	uint64_t count;            /* elements of an array, else 1 */
	const unsigned char *data; /* the first element's bytes, unaligned */
};

enum ggml_type { /* of tensors; the ones that are read */
	GGML_F32 = 0,
	GGML_F16 = 1,
	GGML_Q4_0 = 2,
	GGML_Q4_1 = 3,
	GGML_Q5_0 = 6,
	GGML_Q5_1 = 7,
	GGML_Q8_0 = 8,
	GGML_Q4_K = 12,
	GGML_Q5_K = 13,
	GGML_Q6_K = 14,
	GGML_BF16 = 30,
};

struct gguf_tensor {
	struct gguf_string name;
	enum ggml_type type;
	int rank;         /* 1 to 4 */
	int64_t shape[4]; /* slowest dimension first, as Hugging Face writes it (the file has them
			   * the other way round); the last is a whole number of blocks */
	const unsigned char *data;
	size_t bytes;
};

struct gguf {
	struct map map;
	char *path;
	uint32_t version, alignment;
	struct gguf_kv *kv; /* sorted by key, no key twice */
	size_t n_kv;
	struct gguf_tensor *tensors; /* sorted by name, no name twice, data not overlapping */
	size_t n_tensors;
};

/* ERR_NOINPUT, ERR_DATA (what is wrong, and where), ERR_CONFIG for a tensor type that exists but is
 * not read here. */
int gguf_open(struct gguf *g, const char *path, struct err *e);
/* The same over bytes in memory, which must outlive g. */
int gguf_parse(struct gguf *g, const void *data, size_t size, const char *where, struct err *e);
void gguf_close(struct gguf *g);

const struct gguf_kv *gguf_find(const struct gguf *g, const char *key);
const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name);
/* Typed look-ups: 1 found, 0 not there, -1 another type or out of range (ERR_DATA naming the key).
 * Integers of every width are accepted for gguf_int, floats of both for gguf_real. */
int gguf_int(
	const struct gguf *g, const char *key, int64_t min, int64_t max, int64_t *v, struct err *e);
int gguf_real(const struct gguf *g, const char *key, double *v, struct err *e);
int gguf_bool(const struct gguf *g, const char *key, bool *v, struct err *e);
int gguf_string(const struct gguf *g, const char *key, struct gguf_string *v, struct err *e);
/* An array of the given element type. */
int gguf_array(const struct gguf *g, const char *key, enum gguf_type item, const struct gguf_kv **v,
	struct err *e);
/* Walks an array of strings: *cursor starts at kv->data. */
struct gguf_string gguf_next_string(const unsigned char **cursor);
float gguf_float_at(const struct gguf_kv *kv, uint64_t i);   /* of a FLOAT32 array */
int32_t gguf_int32_at(const struct gguf_kv *kv, uint64_t i); /* of an INT32 array */

const char *ggml_type_name(enum ggml_type t);
/* Elements and bytes of a block; false for a type that is not read. */
bool ggml_type_block(uint32_t type, size_t *elements, size_t *bytes);
/* Name of a type that the format has but this reader does not; NULL when there is no such type. */
const char *ggml_foreign_type(uint32_t type);
/* n elements (whole blocks) at src, any alignment, as floats: exactly what ggml's reference
 * dequantisation gives.  Layouts: ggml-org/ggml, src/ggml-common.h and src/ggml-quants.c. */
void ggml_to_float(float *out, enum ggml_type t, const void *src, size_t n);

/*
 * Import: a model folder in Hugging Face's layout out of a GGUF file of architecture llama (LLaMA,
 * Mistral, TinyLlama, SmolLM2), qwen2 or gptneox: config.json, generation_config.json,
 * model.safetensors, tokenizer.json or tokenizer.model, tokenizer_config.json.
 * The folder must not exist; it appears whole or not at all.  Memory does not grow with the model:
 * tensors are converted a few rows at a time.
 */
enum gguf_dtype { GGUF_AUTO, GGUF_TO_F32, GGUF_TO_F16, GGUF_TO_BF16 };

struct gguf_import {
	enum gguf_dtype dtype; /* auto: F32, F16 and BF16 stay, quantised types become F32 */
	/* Called on the finished folder before it gets its name, e.g. to open it once; NULL: none.
	 */
	int (*check)(const char *dir, void *arg, struct err *e);
	void *arg;
	/* What was done, filled by gguf_import: */
	char architecture[32];
	char tokenizer[64]; /* "gpt2, smollm" or "llama" */
	bool pre_missing;   /* no tokenizer.ggml.pre: split as llama.cpp does without one */
	size_t n_tensors;
	int64_t n_parameters;
};

int gguf_import(struct gguf_import *p, const char *path, const char *dir, struct err *e);

/* Its parts. */
struct gguf_shape {
	const char *architecture; /* llama, qwen2, gptneox */
	int64_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab, positions;
	bool tied, qkv_bias;
};
/* Reads and checks the metadata; json gets config.json. */
int gguf_config(const struct gguf *g, struct gguf_shape *s, const char *torch_dtype,
	struct buf *json, struct err *e);
/* tokenizer.json or tokenizer.model, tokenizer_config.json and generation_config.json into dir. */
int gguf_write_tokenizer(const struct gguf *g, const struct gguf_shape *s, const char *dir,
	struct gguf_import *p, struct err *e);
/* All tensors as one safetensors image in p->dtype; counts into p.  ERR_DATA or ERR_CONFIG names a
 * tensor that is missing, unknown or of another shape. */
int gguf_write_tensors(const struct gguf *g, const struct gguf_shape *s, FILE *f,
	struct gguf_import *p, struct err *e);
/* Fewest digits that read back to the same float. */
void gguf_put_float(struct buf *out, double x);

#endif
