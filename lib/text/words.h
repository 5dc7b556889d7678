#ifndef PRO_TEXT_WORDS_H
#define PRO_TEXT_WORDS_H

#include "lib/text/bpe.h"

/*
 * The models of a tokenizer.json that look words up: WordLevel whole, WordPiece by the longest
 * piece from the left.  The vocabulary is b's, with b->unk, and for WordPiece b->prefix before all
 * pieces but the first.  Internal to lib/text.
 */

/* Appends the id of a word; ERR_DATA when it is unknown and there is no unknown token. */
int words_encode_level(
	const struct bpe *b, const char *s, size_t n, struct ids *out, struct err *e);
/* Appends the ids of a word: the unknown token when it has more than most characters, or no way
 * through it is found.  O(n) times the longest token, of longest bytes. */
int words_encode_pieces(const struct bpe *b, size_t most, size_t longest, const char *s, size_t n,
	struct buf *key, struct ids *out, struct err *e);

#endif
