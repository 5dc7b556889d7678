#ifndef PRO_TEXT_PRETOK_H
#define PRO_TEXT_PRETOK_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/text/regex.h"

/*
 * The pre-tokeniser of a tokenizer.json: what makes words out of a normalised text.  Internal to
 * lib/text.  Read-only once built.
 */
enum split_behavior {
	SPLIT_ISOLATED,
	SPLIT_REMOVED,
	SPLIT_WITH_PREVIOUS,
	SPLIT_WITH_NEXT,
	SPLIT_CONTIGUOUS,
};

enum pretok_kind {
	PRETOK_SPLIT,  /* by re */
	PRETOK_SPACE,  /* ByteLevel's add_prefix_space */
	PRETOK_META,   /* Metaspace: mark for spaces, and before words as scheme says */
	PRETOK_SPELL,  /* ByteLevel's printable alphabet (bpe_spell) */
	PRETOK_LENGTH, /* words of so many characters */
};

enum meta_scheme { META_ALWAYS, META_FIRST, META_NEVER };

struct pretok_step {
	enum pretok_kind kind;
	enum split_behavior behavior;
	bool invert;   /* the text between the matches is what matches */
	char *pattern; /* as the file has it, for the hash */
	struct regex *re;
	char *mark; /* META: what a space becomes */
	enum meta_scheme scheme;
	size_t length;
};

enum { PRETOK_MAX_STEPS = 32 };

struct pretok {
	bool byte_level; /* it ends in ByteLevel: words are bytes, and its alphabet is left out */
	int n;
	struct pretok_step step[PRETOK_MAX_STEPS];
};

/* GPT-2's pattern (openai/gpt-2, src/encoder.py), which ByteLevel's use_regex means. */
extern const char pretok_gpt2[];

void pretok_init(struct pretok *p);
void pretok_free(struct pretok *p);
/* Reads the member "pre_tokenizer".  ERR_CONFIG names what is not supported. */
int pretok_load(struct pretok *p, const json_t *v, struct err *e);
int pretok_add_split(struct pretok *p, const char *pattern, enum split_behavior behavior,
	bool invert, struct err *e);
/* Makes the alphabet of a last ByteLevel a step like others: words are text then. */
void pretok_spell(struct pretok *p);
bool pretok_has(const struct pretok *p, enum pretok_kind kind);
/* True when a Metaspace may put its mark where no space was. */
bool pretok_prefixes(const struct pretok *p);

struct span {
	size_t start, end;
	bool opaque; /* not UTF-8: splits leave it alone */
	bool first;  /* begins where the whole input does */
};

struct spans {
	struct span *v;
	size_t n, cap;
};

/* Memory that goes from text to text; words are what the last run found, spans of text. */
struct pretok_work {
	struct buf text, other;
	struct spans words, next, parts;
	struct regex_walk walk;
};
void pretok_work_free(struct pretok_work *w);

enum {
	PRETOK_FIRST = 1,     /* the text begins the input */
	PRETOK_NO_PREFIX = 2, /* and no mark is to be put before it */
};

/* The words of text, in order, into w->words.  ERR_DATA when a pattern runs wild. */
int pretok_run(const struct pretok *p, struct pretok_work *w, const char *text, size_t n,
	unsigned flags, struct err *e);

#endif
