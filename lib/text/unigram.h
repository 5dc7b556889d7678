#ifndef PRO_TEXT_UNIGRAM_H
#define PRO_TEXT_UNIGRAM_H

#include "lib/text/bpe.h"

/*
 * The unigram model of a tokenizer.json (T5, ALBERT, XLM-R): the cut of a word whose pieces' scores
 * sum highest.  The pieces are b's tokens; their scores are here.  Internal to lib/text.  Read-only
 * once built.
 */
struct unigram {
	double *score; /* [b->n] */
	double unk_score;
	int32_t unk;               /* -1: none */
	struct unigram_node *node; /* a trie: hashed edges, [mask + 1] */
	size_t mask;
	uint32_t n_nodes;
	size_t longest; /* bytes of the longest piece */
};

void unigram_free(struct unigram *u);
/* Once b has its tokens and score is filled: the trie over those that text can make, and the score
 * of what is unknown, 10 below the least (src/models/unigram/model.rs, K_UNK_PENALTY). */
void unigram_index(struct unigram *u, const struct bpe *b);

struct unigram_work {
	struct unigram_best *best;
	size_t cap;
};
void unigram_work_free(struct unigram_work *w);

/* Appends the ids of one word: O(n) times the longest piece.  ERR_DATA when something is unknown
 * and there is no unknown token. */
int unigram_encode_word(const struct unigram *u, const struct bpe *b, const char *s, size_t n,
	struct unigram_work *w, struct ids *out, struct err *e);

#endif
