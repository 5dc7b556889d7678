#ifndef PRO_TEXT_PRETOK_H
#define PRO_TEXT_PRETOK_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * Normaliser and pre-tokeniser of a tokenizer.json: what makes words out of a text before BPE.
 * Internal to lib/text.  Read-only once built.
 */
enum split_behavior {
	SPLIT_ISOLATED,
	SPLIT_REMOVED,
	SPLIT_WITH_PREVIOUS,
	SPLIT_WITH_NEXT,
	SPLIT_CONTIGUOUS,
};

struct pretok_step {
	bool prefix_space; /* ByteLevel's add_prefix_space; else a split by re */
	enum split_behavior behavior;
	bool invert;   /* the text between the matches is what matches */
	char *pattern; /* as the file has it, for the hash */
	void *re;      /* pcre2_code */
};

enum { PRETOK_MAX_STEPS = 32 };

struct pretok {
	bool nfc;
	bool byte_level;
	int n;
	struct pretok_step step[PRETOK_MAX_STEPS];
};

/* GPT-2's pattern (openai/gpt-2, src/encoder.py), which ByteLevel's use_regex means. */
extern const char pretok_gpt2[];

void pretok_init(struct pretok *p);
void pretok_free(struct pretok *p);
/* Reads the members "normalizer" and "pre_tokenizer".  ERR_CONFIG names what is not supported. */
int pretok_normalizer(struct pretok *p, const json_t *v, struct err *e);
int pretok_steps(struct pretok *p, const json_t *v, struct err *e);
int pretok_add_split(struct pretok *p, const char *pattern, enum split_behavior behavior,
	bool invert, struct err *e);

struct span {
	size_t start, end;
	bool opaque; /* not UTF-8: splits leave it alone */
};

struct spans {
	struct span *v;
	size_t n, cap;
};

/* The words of text, in order, into words (reset first), as spans of out->data: text itself or,
 * with add_prefix_space, a copy.  ERR_DATA when a pattern runs wild. */
int pretok_run(const struct pretok *p, const char *text, size_t n, struct buf *out,
	struct spans *words, struct err *e);
void spans_free(struct spans *s);

#endif
