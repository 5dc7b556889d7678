#ifndef PRO_TEXT_BPE_TRAIN_H
#define PRO_TEXT_BPE_TRAIN_H

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * Learns a byte-level BPE vocabulary (Sennrich, Haddow, Birch, "Neural machine translation of rare
 * words with subword units", ACL 2016; over bytes as in GPT-2) and writes it as Hugging Face lays
 * tokenizers out.  The same text and parameters give the same bytes on every machine.
 */
struct bpe_train_params {
	int vocab;                  /* ids wanted, special tokens and the 256 bytes included */
	const char *const *special; /* [n_special] special tokens: ids 0.. in this order; the first
				     * is eos.  May be empty. */
	int n_special;
	int min_count; /* pairs seen less often are not merged; 0 means 2 */
};

/*
 * tokenizer.json into json and tokenizer_config.json into config (each appended).  Words are cut
 * out by GPT-2's pattern; special tokens in the text separate it and are not learned from.  *vocab
 * (may be NULL) gets the ids there are in the end: fewer than wanted when the text has no more
 * pairs to merge.  ERR_USAGE when vocab has no room for the bytes and the special tokens.
 */
int bpe_train(const char *text, size_t n, const struct bpe_train_params *p, struct buf *json,
	struct buf *config, int *vocab, struct err *e);

#endif
