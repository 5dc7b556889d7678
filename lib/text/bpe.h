#ifndef PRO_TEXT_BPE_H
#define PRO_TEXT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * BPE: the vocabulary and the merges of one tokenizer.  Internal to lib/text.
 *
 * Of bytes (GPT-2 and its heirs): files spell a byte as a printable character (openai/gpt-2,
 * src/encoder.py, bytes_to_unicode); here tokens are plain bytes.  Or of characters
 * (SentencePiece's kind): tokens are their text.  Read-only once built.
 *
 * Other models than BPE keep their vocabulary here too, as characters without merges.
 */
struct bpe_token {
	const char *s; /* NULL: no token has this id */
	uint32_t n;
	bool spelled; /* false: not spelled in the byte alphabet, or special: no text makes it */
};

struct bpe_merge {
	uint64_t pair; /* left << 32 | right */
	uint32_t rank;
	int32_t id; /* UINT64_MAX in pair: empty slot */
};

struct bpe {
	struct arena mem;
	int32_t n, cap; /* ids are below n */
	struct bpe_token *token;
	int32_t byte_id[256]; /* -1: the vocabulary lacks this byte */
	int32_t *slot;        /* [slot_mask + 1] ids by hash of their bytes, -1 empty */
	size_t slot_mask;
	struct bpe_merge *merge; /* [merge_mask + 1], open addressing */
	size_t merge_mask, n_merges;
	bool ignore_merges; /* a whole word that is a token is that token (LLaMA 3) */
	int32_t unk;        /* -1: none */
	bool fuse_unk;
	/* Of characters only; set before the first token. */
	bool chars;
	bool byte_fallback; /* unknown characters become the tokens of their bytes, "<0x41>" */
	int32_t fallback[256];
	char *prefix,
		*suffix; /* of all but the first, and of the last character of a word; or NULL */
};

enum { BPE_MAX_ID = 1 << 22 }; /* far above any vocabulary; bounds what a hostile id allocates */

void bpe_init(struct bpe *b);
void bpe_free(struct bpe *b);
/* Adds a vocabulary entry by its spelling.  ERR_DATA on an id out of range or used twice. */
int bpe_add_token(struct bpe *b, const char *key, size_t n, int64_t id, struct err *e);
/* To be called between the last token and the first merge; n_merges is the most to come. */
void bpe_index(struct bpe *b, size_t n_merges);
/* ERR_DATA when left, right or their union is no token.  A later merge of a pair replaces. */
int bpe_add_merge(struct bpe *b, const char *left, size_t left_n, const char *right, size_t right_n,
	uint32_t rank, struct err *e);
/* Id of the token with these bytes, -1 when there is none. */
int32_t bpe_find(const struct bpe *b, const char *s, size_t n);

/* Memory that encoding reuses from word to word. */
struct bpe_work {
	struct bpe_symbol *sym;
	size_t sym_cap;
	uint64_t *heap;
	size_t heap_n, heap_cap;
	struct buf key;
};
void bpe_work_free(struct bpe_work *w);

/* Appends the ids of one word.  O(n log n).  ERR_DATA when a byte has no token and there is no
 * unknown token (a character without one is left out, as in the tokenizers library). */
int bpe_encode_word(const struct bpe *b, const char *s, size_t n, struct bpe_work *w,
	struct ids *out, struct err *e);

/* The spelling of bytes, appended. */
void bpe_spell(const char *s, size_t n, struct buf *out);
/* The bytes of a spelling, appended; false (nothing appended) when a character is none of the
 * 256. */
bool bpe_unspell(const char *s, size_t n, struct buf *out);

#endif
