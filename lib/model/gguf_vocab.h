#ifndef PRO_MODEL_GGUF_VOCAB_H
#define PRO_MODEL_GGUF_VOCAB_H

#include "lib/model/gguf.h"

/*
 * The vocabulary of a GGUF file, checked, and what is written of it; private to lib/model/gguf_*.c.
 */

/* Values of tokenizer.ggml.token_type: ggml-org/llama.cpp, include/llama.h, enum llama_token_type;
 * the same as SentencePiece's (google/sentencepiece, src/sentencepiece_model.proto). */
enum {
	TOKEN_UNDEFINED, /* read as TOKEN_NORMAL: text makes it, as in llama.cpp */
	TOKEN_NORMAL,
	TOKEN_UNKNOWN,
	TOKEN_CONTROL,
	TOKEN_USER,
	TOKEN_UNUSED,
	TOKEN_BYTE
};

struct gguf_vocab {
	struct gguf_string *token; /* [n], into the map; UTF-8, none twice but the empty one */
	int *type;                 /* [n] */
	int64_t n;
	const struct gguf_kv *scores; /* FLOAT32 [n]; NULL: none */
	int64_t bos, eos, unk, pad;   /* -1: none */
	bool add_bos, add_eos, has_add_eos, add_space_prefix, remove_spaces;
	struct gguf_string chat_template; /* s NULL: none */
};

/* How tokenizer.ggml.pre cuts text into words. */
struct gguf_pre;

/* *missing: the key is not there, and *pre is "default". */
int gguf_pre_find(const struct gguf *g, const struct gguf_pre **pre, bool *missing, struct err *e);
const char *gguf_pre_name(const struct gguf_pre *pre);
bool gguf_pre_adds_bos(const struct gguf_pre *pre);

/* Vocabulary of at most embeddings tokens; spm: defaults of a SentencePiece model. */
int gguf_vocab_read(struct gguf_vocab *v, const struct gguf *g, int64_t embeddings, bool spm,
	bool add_bos, struct err *e);
void gguf_vocab_free(struct gguf_vocab *v);
int gguf_vocab_id(const struct gguf *g, const struct gguf_vocab *v, const char *name,
	int64_t otherwise, int64_t *id, struct err *e);
/* Tokens that are recognised in text by themselves. */
bool gguf_vocab_is_added(const struct gguf_vocab *v, int64_t id);
/* The token as a JSON string. */
void gguf_vocab_put(struct buf *out, const struct gguf_vocab *v, int64_t id);
bool gguf_valid_utf8(struct gguf_string s);

/* tokenizer.json; nfc: with that normaliser whatever pre says. */
int gguf_put_bpe(struct buf *out, const struct gguf *g, const struct gguf_vocab *v,
	const struct gguf_pre *pre, bool nfc, struct err *e);
/* tokenizer.model */
int gguf_put_spm(struct buf *out, const struct gguf *g, const struct gguf_vocab *v, struct err *e);

#endif
