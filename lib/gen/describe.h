#ifndef PRO_GEN_DESCRIBE_H
#define PRO_GEN_DESCRIBE_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/kernels.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * A model folder as one JSON object, in this order: architecture, head (lm or reward), parameters,
 * dtype, bytes, tensors; layers, hidden, heads, kv_heads, head_dim, ffn, vocab, positions,
 * tied_head; with a tokenizer also tokenizer, tokenizer_vocab, bos, eos (-1: none), adds_bos,
 * tokenizer_hash, template (null when there is one that is not supported), template_chosen (how, or
 * why not), template_date where it asks for one, score_at where that matters; with hash (all
 * weights are read), hash. Opens all of it, so a folder that can be described can be used.  o is
 * the caller's.
 */
int describe_folder(json_t **o, const char *dir, bool hash, struct kernels *k, struct err *e);
/* The same as "name value" lines; ids of -1 and null are "none". */
void describe_lines(struct buf *out, const json_t *o);

#endif
