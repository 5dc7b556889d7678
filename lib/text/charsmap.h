#ifndef PRO_TEXT_CHARSMAP_H
#define PRO_TEXT_CHARSMAP_H

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * SentencePiece's precompiled normalisation (google/sentencepiece, src/normalizer.cc,
 * EncodePrecompiledCharsMap): the size in bytes of a trie, little-endian; the trie, a double array
 * of 32-bit units (Darts-clone, darts.h); the replacements, each ended by a NUL byte.  In
 * tokenizer.json it stands in base64.  Internal to lib/text.
 */
struct charsmap;

/* NULL and ERR_DATA when it is none. */
struct charsmap *charsmap_load(const char *base64, size_t n, struct err *e);
void charsmap_free(struct charsmap *m);
/*
 * Appends what becomes of s, as the tokenizers library replaces (spm_precompiled, src/lib.rs): a
 * grapheme of less than 6 bytes as a whole, by what its shortest prefix in the trie gives, else its
 * characters one by one.
 */
void charsmap_run(const struct charsmap *m, const char *s, size_t n, struct buf *out);

#endif
