#ifndef PRO_TEXT_DECODER_H
#define PRO_TEXT_DECODER_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * The decoder of a tokenizer.json: what a token's text becomes.  One token at a time, so that text
 * can be had while it is generated; bytes come as bytes, whole characters or not.  Internal to
 * lib/text.
 */
enum { DECODER_MAX_REPLACE = 8 };

struct decoder {
	bool given;         /* the file has one */
	bool byte_level;    /* tokens are spelled in ByteLevel's alphabet */
	bool byte_fallback; /* "<0x41>" is a byte */
	struct {
		char *from, *to;
	} replace[DECODER_MAX_REPLACE];
	int n_replace;
	char *strip; /* what is taken off the text's beginning, at most n_strip times */
	size_t n_strip;
	bool bare;    /* Metaspace: the first token has no marks at all */
	char *prefix; /* WordPiece: a token with it joins the one before, others have a space */
	bool cleanup; /* and none before punctuation */
	char *suffix; /* BPEDecoder: a word's end, which becomes a space */
};

void decoder_free(struct decoder *d);
/* Reads the member "decoder".  ERR_CONFIG names what is not supported. */
int decoder_load(struct decoder *d, const json_t *v, struct err *e);
void decoder_replace(struct decoder *d, const char *from, const char *to);
/* Whether the beginning of a text is another than its middle. */
bool decoder_strips(const struct decoder *d);
/* Appends the text of a token; first: it begins the text. */
void decoder_token(const struct decoder *d, const char *s, size_t n, bool first, struct buf *out);

#endif
