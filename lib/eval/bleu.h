#ifndef PRO_EVAL_BLEU_H
#define PRO_EVAL_BLEU_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

/*
 * Two different BLEUs (Papineni et al., "BLEU: a method for automatic evaluation of machine
 * translation", ACL 2002), each with its own name.
 *
 * Texts are UTF-8 of n bytes; NUL is a character like any other.  A byte that does not belong to
 * well-formed UTF-8 counts as a character of its own.
 */
enum { BLEU_ORDER = 4 };

/*
 * The BLEU of the paper: its code calls nltk's sentence_bleu on raw strings, so this is BLEU-4 over
 * characters (Unicode code points) of one sentence against one reference, in [0, 1].  As nltk 3.8
 * and later have it without a smoothing function: 0 when no character matches; an order without a
 * match counts as precision DBL_MIN, which leaves a tiny score (1e-77 and below) rather than 0.
 */
double bleu_char(const char *hyp, size_t n_hyp, const char *ref, size_t n_ref);

/*
 * sacreBLEU's corpus BLEU with its defaults (Post, "A call for clarity in reporting BLEU scores",
 * WMT 2018): tokenizer 13a, case kept, "exp" smoothing, no effective order, one reference.  All it
 * keeps of a corpus are these counts.  A zeroed struct is an empty corpus.
 */
struct bleu_corpus {
	int64_t correct[BLEU_ORDER], total[BLEU_ORDER]; /* n-grams of order 1.. */
	int64_t hyp_len, ref_len;                       /* tokens */
};

void bleu_corpus_add(
	struct bleu_corpus *c, const char *hyp, size_t n_hyp, const char *ref, size_t n_ref);
/* The score in [0, 100]; precisions [BLEU_ORDER] (percent, smoothed) and *brevity may be NULL. */
double bleu_corpus_score(const struct bleu_corpus *c, double *precisions, double *brevity);
/* Appends what sacreBLEU calls the signature, with this program as the version. */
void bleu_signature(struct buf *out);

/* Appends the 13a tokens of s, separated by one blank each. */
void bleu_tokenize_13a(struct buf *out, const char *s, size_t n);

/* Narrows *s to what is between white space at both ends, as Python's str.strip() does (all Unicode
 * white space and the separators U+001C..U+001F). */
void bleu_strip(const char **s, size_t *n);

#endif
