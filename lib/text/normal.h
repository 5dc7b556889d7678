#ifndef PRO_TEXT_NORMAL_H
#define PRO_TEXT_NORMAL_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/text/charsmap.h"
#include "lib/text/regex.h"
#include "lib/text/unicode.h"

/*
 * The normaliser of a tokenizer.json: a list of steps from text to text.  Internal to lib/text.
 * Read-only once built.
 */
enum normal_kind {
	NORMAL_PREPEND, /* text before every text that is not empty */
	NORMAL_REPLACE, /* matches of re by text */
	NORMAL_FORM,    /* NFC, NFD, NFKC, NFKD */
	NORMAL_LOWER,
	NORMAL_STRIP,         /* white space at the left, right or both */
	NORMAL_STRIP_ACCENTS, /* marks */
	NORMAL_NMT,
	NORMAL_CHARSMAP,
	NORMAL_BERT,
	NORMAL_SPELL, /* ByteLevel's printable alphabet (bpe_spell) */
};

struct normal_step {
	enum normal_kind kind;
	struct regex *re;
	char *text; /* of PREPEND and REPLACE */
	size_t n;
	enum unicode_form form;
	bool left, right;                    /* STRIP */
	bool clean, chinese, accents, lower; /* BERT */
	struct charsmap *map;
};

enum { NORMAL_MAX_STEPS = 32 };

struct normal {
	int n;
	struct normal_step step[NORMAL_MAX_STEPS];
	char *source; /* compact JSON, for the hash; NULL: no normaliser */
};

void normal_free(struct normal *p);
/* Reads the member "normalizer".  ERR_CONFIG names what is not supported. */
int normal_load(struct normal *p, const json_t *v, struct err *e);
/* Whether it has a step of that kind. */
bool normal_has(const struct normal *p, enum normal_kind kind);

/* Memory that goes from text to text. */
struct normal_work {
	struct buf a, b;
	struct regex_walk walk;
};
void normal_work_free(struct normal_work *w);

/*
 * *s[0..*n) normalised: they then point into w, or stay when there is nothing to do.  prefix false
 * leaves out PREPEND.  ERR_DATA when an expression runs wild.
 */
int normal_run(const struct normal *p, struct normal_work *w, bool prefix, const char **s,
	size_t *n, struct err *e);

#endif
