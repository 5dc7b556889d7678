#ifndef PRO_TEXT_TOKENIZER_H
#define PRO_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * The tokenizer of a model folder: tokenizer.json (of every model of Hugging Face's tokenizers
 * library: BPE of bytes or characters, Unigram, WordPiece, WordLevel), which its AutoTokenizer
 * prefers too; else tokenizer.model (libsentencepiece), else vocab.json + merges.txt.
 * tokenizer_config.json, special_tokens_map.json and added_tokens.json are read where they are.
 * Immutable after loading, safe to share between threads.
 */
struct tokenizer;

int tokenizer_load(struct tokenizer **t, const char *dir, struct err *e);
void tokenizer_free(struct tokenizer *t);

/*
 * A text to encode is a list of pieces, joined before it is split into tokens: merges may cross
 * their borders.  `special` added tokens ("<|im_end|>") are recognised inside literal pieces only,
 * never in a record's text; added tokens that are not special are recognised everywhere.  Nor does
 * a record make one by another way: not by its full-width letters under NFKC, where
 * the library's Unigram would give the special token.
 */
struct text_piece {
	const char *s;
	size_t n;
	bool literal; /* from a template, not from a record */
};

enum {
	TOKENIZER_NO_PREFIX = 1, /* SentencePiece's kind: no mark of a space before the text */
};

/* Appends ids; never bos or eos of itself.  Fails only on a tokenizer that cannot spell the text.
 */
int tokenizer_encode(const struct tokenizer *t, const struct text_piece *pieces, int n,
	unsigned flags, struct ids *out, struct err *e);

/*
 * Appends the text of ids.  Special tokens print nothing unless show_special.  A SentencePiece
 * dummy prefix is stripped when at_start.  Bytes may be an incomplete UTF-8 sequence at the end.
 */
void tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool at_start,
	bool show_special, struct buf *out);

int32_t tokenizer_vocab(const struct tokenizer *t); /* ids are below this */
int32_t tokenizer_bos(const struct tokenizer *t);   /* -1: none */
int32_t tokenizer_eos(const struct tokenizer *t); /* -1: none; from tokenizer_config or the model */
bool tokenizer_adds_bos(
	const struct tokenizer *t); /* interfaces: where the tokenizer prepends it */
/* "sentencepiece", "byte-level bpe", "bpe", "unigram", "wordpiece" or "wordlevel". */
const char *tokenizer_kind(const struct tokenizer *t);
/* Id of a token by its exact text (special ones included); -1 when there is none. */
int32_t tokenizer_id(const struct tokenizer *t, const char *token);
/* The longest special token that s begins with, and its length; -1: none. */
int32_t tokenizer_special(const struct tokenizer *t, const char *s, size_t n, size_t *len);
/* SHA-256 (hex) over what determines the ids: same tokenizer, same hash. */
const char *tokenizer_hash(const struct tokenizer *t);
/* The names of the files of dir that make up its tokenizer, for copying beside a saved model;
 * NULL-terminated static list of all names ever used (copy those that exist). */
const char *const *tokenizer_files(void);

#endif
