#ifndef PRO_TEXT_SPM_H
#define PRO_TEXT_SPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

/*
 * The C face of libsentencepiece (0.1.97): tokenizer.model of either kind (BPE, unigram).
 * Internal to lib/text.  No exception leaves it.
 */
struct spm;

enum spm_kind { SPM_NORMAL, SPM_CONTROL, SPM_UNKNOWN, SPM_BYTE };

/* The library's message goes into why.  NULL when the n bytes are no model. */
struct spm *spm_load(const void *data, size_t n, char *why, size_t why_size);
void spm_free(struct spm *s);

int32_t spm_size(const struct spm *s);
/* True when the model's normaliser puts a space (U+2581) before every text. */
bool spm_has_prefix(const struct spm *s);
/* Appends the ids of a text; prefix false leaves out the model's dummy prefix.  -1: failed. */
int spm_encode(const struct spm *s, const char *text, size_t n, bool prefix, struct ids *out);
/* Text of a piece as the model has it (U+2581 for a space); NUL-terminated, owned by s. */
const char *spm_piece(const struct spm *s, int32_t id, size_t *n);
enum spm_kind spm_piece_kind(const struct spm *s, int32_t id);
/* Id of a piece by its text; -1 when there is none. */
int32_t spm_find(const struct spm *s, const char *piece);
/* Ids of the model; -1: none. */
int32_t spm_bos(const struct spm *s);
int32_t spm_eos(const struct spm *s);

#endif
