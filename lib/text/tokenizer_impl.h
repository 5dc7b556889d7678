#ifndef PRO_TEXT_TOKENIZER_IMPL_H
#define PRO_TEXT_TOKENIZER_IMPL_H

#include <jansson.h>

#include "lib/text/added.h"
#include "lib/text/bpe.h"
#include "lib/text/pretok.h"
#include "lib/text/spm.h"
#include "lib/text/tokenizer.h"

/* What is behind tokenizer.h.  Internal to lib/text, its tests and fuzzers. */
struct tokenizer {
	struct spm *spm; /* or NULL: the four below */
	struct bpe bpe;
	struct pretok pretok;
	struct added added;      /* of both kinds */
	bool prefix_after_added; /* SentencePiece: the dummy prefix behind added tokens too */
	int32_t vocab, bos, eos;
	bool adds_bos;
	char hash[65]; /* until tokenizer_finish: of the file tokenizer.model */
};

struct tokenizer *tokenizer_new(void);
/* Fills t from the text of a tokenizer.json, to the point where tokenizer_finish may follow. */
int tokenizer_parse_json(struct tokenizer *t, const char *text, size_t n, struct err *e);
/* The same from vocab.json and merges.txt of GPT-2. */
int tokenizer_parse_gpt2(struct tokenizer *t, const char *vocab, size_t vocab_n, const char *merges,
	size_t merges_n, struct err *e);
/* Adds one added token, checked against the vocabulary. */
int tokenizer_add(struct tokenizer *t, const struct added_token *a, struct err *e);
/* Reads an added-token object's content and flags; content points into v. */
int tokenizer_read_added(const json_t *v, struct added_token *a, struct err *e);
/* Builds the indices and the hash; t is immutable from here. */
void tokenizer_finish(struct tokenizer *t);
/* True when a space before the text is the tokenizer's own doing (SentencePiece dummy prefix). */
bool tokenizer_has_prefix(const struct tokenizer *t);
/* A whole tokenizer.json from memory. */
int tokenizer_from_json(struct tokenizer **t, const char *text, size_t n, struct err *e);

/* JSON text to value, duplicate keys refused; ERR_DATA with line and column. */
json_t *text_json(const char *text, size_t n, struct err *e);

#endif
