#ifndef PRO_TEXT_TOKENIZER_IMPL_H
#define PRO_TEXT_TOKENIZER_IMPL_H

#include <jansson.h>

#include "lib/text/added.h"
#include "lib/text/bpe.h"
#include "lib/text/decoder.h"
#include "lib/text/json_util.h"
#include "lib/text/normal.h"
#include "lib/text/pretok.h"
#include "lib/text/spm.h"
#include "lib/text/tokenizer.h"
#include "lib/text/unigram.h"

/* What is behind tokenizer.h.  Internal to lib/text, its tests and fuzzers. */
enum tokenizer_model { MODEL_BPE, MODEL_UNIGRAM, MODEL_WORDPIECE, MODEL_WORDLEVEL };

struct tokenizer {
	struct spm *spm; /* or NULL: what follows, to added, of a tokenizer.json */
	enum tokenizer_model model;
	struct bpe bpe; /* the vocabulary of every model */
	struct unigram unigram;
	size_t most_chars, longest; /* of a word, of a token: WordPiece */
	struct normal normal;
	struct pretok pretok;
	struct decoder decoder;
	struct added added;      /* of both kinds */
	bool prefix_after_added; /* SentencePiece: the dummy prefix behind added tokens too */
	int32_t vocab, bos, eos;
	bool adds_bos;
	char hash[65]; /* until tokenizer_finish: of the file tokenizer.model */
};

struct tokenizer *tokenizer_new(void);
/* Fills t from the text of a tokenizer.json, to the point where tokenizer_finish may follow. */
int tokenizer_parse_json(struct tokenizer *t, const char *text, size_t n, struct err *e);
/* The same of its member "model"; t->pretok is read already. */
int tokenizer_load_model(struct tokenizer *t, const json_t *model, struct err *e);
/* The same from vocab.json and merges.txt of GPT-2. */
int tokenizer_parse_gpt2(struct tokenizer *t, const char *vocab, size_t vocab_n, const char *merges,
	size_t merges_n, struct err *e);
/* Adds one added token, checked against the vocabulary. */
int tokenizer_add(struct tokenizer *t, const struct added_token *a, struct err *e);
/* Reads an added-token object's content and flags; content points into v. */
int tokenizer_read_added(const json_t *v, struct added_token *a, struct err *e);
/* Builds the indices and the hash; t is immutable from here.  ERR_DATA from a normaliser that runs
 * wild on an added token. */
int tokenizer_finish(struct tokenizer *t, struct err *e);
/* SHA-256 over what determines the ids, into t->hash. */
void tokenizer_hash_all(struct tokenizer *t);
/* True when a mark of a space before the text is the tokenizer's own doing (SentencePiece's dummy
 * prefix, Prepend, Metaspace). */
bool tokenizer_has_prefix(const struct tokenizer *t);
/* A whole tokenizer.json from memory. */
int tokenizer_from_json(struct tokenizer **t, const char *text, size_t n, struct err *e);
/* The text that the vocabulary has at id; NULL: none. */
const char *tokenizer_text(const struct tokenizer *t, int32_t id, size_t *n);

#endif
