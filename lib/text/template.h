#ifndef PRO_TEXT_TEMPLATE_H
#define PRO_TEXT_TEMPLATE_H

#include "lib/stream/record.h"
#include "lib/text/tokenizer.h"

/*
 * How a conversation is written for a model: hh (the paper's), oasst, alpaca, chatml, llama2,
 * llama3, zephyr, tldr, plain, or a file (format in pro(7)).
 */
struct template;

/*
 * name NULL or "auto": what pro-train stored in dir (pro.json), else a recognised reward model or
 * chat_template fingerprint, else hh for a folder without chat_template; an unrecognised
 * chat_template is ERR_CONFIG naming --template.  *how (may be NULL) gets a static phrase that says
 * how it was chosen, for stderr.
 */
int template_select(struct template **out, const char *name, const char *dir,
	const struct tokenizer *t, const char **how, struct err *e);
void template_free(struct template *p);

const char *template_name(const struct template *p);
/* The full definition as JSON text (for pro.json beside a trained model and stream metadata);
 * template_select reads it back. */
void template_describe(const struct template *p, struct buf *out);

/* Prompt ids, without bos, up to the point where the response starts. */
int template_prompt(const struct template *p, const struct tokenizer *t, const struct turn *turns,
	int n_turns, bool raw, struct ids *out, struct err *e);
/* Response ids, the template's leading space included, without eos. */
int template_response(const struct template *p, const struct tokenizer *t, const char *text,
	size_t n, struct ids *out, struct err *e);
/* The id that ends a response: the template's end-of-turn token if it has one, else the
 * tokenizer's eos; -1: none. */
int32_t template_eos(const struct template *p, const struct tokenizer *t);
/* Strings at which a generated response is cut; NULL-terminated, may be empty. */
const char *const *template_stops(const struct template *p);
/* The template's own limit of new tokens (tldr: 64), or 0. */
int template_max_tokens(const struct template *p);

#endif
