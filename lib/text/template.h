#ifndef PRO_TEXT_TEMPLATE_H
#define PRO_TEXT_TEMPLATE_H

#include "lib/stream/record.h"
#include "lib/text/tokenizer.h"

/*
 * How a conversation is written for a model: hh (the paper's), oasst, alpaca, chatml (smollm2,
 * qwen2, qwen2.5: the same with their own system text), llama2, llama3 (llama3.1), mistral, zephyr,
 * tldr, plain, or a file.
 *
 * A template is a JSON object; every member may be left out:
 *   "name"             for messages ("custom")
 *   "begin"            literal before the first turn, once
 *   "system", "user", "assistant": {"before": "", "after": ""}, literals around a turn's text
 *   "separator"        literal between two turns
 *   "fold_system"      true: system turns go inside the next user turn, before its text (llama2)
 *   "default_system"   a system turn's text when the conversation does not begin with one
 *   "trim"             true: white space around the texts of turns is dropped
 *   "generation"       literal between the last turn and the response
 *   "generation_once"  true: not when the last turn's text ends in it already (tldr)
 *   "response_prefix"  "" or " ": what comes between that and the response, counted to the response
 *   "eos"              the token that ends a response (the tokenizer's eos if it is not there)
 *   "stops"            at most 16 strings at which a generated response is cut
 *   "max_tokens"       most new tokens of a response; 0: no limit of its own
 *
 * Special tokens are recognised in literals (and default_system), never in texts; "{bos}" and
 * "{eos}" in a literal stand for those tokens.  A bos before everything is not written here: the
 * tokenizer says whether there is one.
 */
struct template;

/*
 * name: a built-in template, or a file when it has a '/' or ends in ".json" (ERR_USAGE when there
 * is no such template).  dir and t may be NULL when name is given.  name NULL or "auto": what
 * pro-train stored in dir (pro.json), else a recognised reward model or chat_template fingerprint,
 * else hh for a folder without chat_template; an unrecognised chat_template is ERR_CONFIG naming
 * --template.  *how (may be NULL) gets a static phrase that says how it was chosen, for stderr.
 */
int template_select(struct template **out, const char *name, const char *dir,
	const struct tokenizer *t, const char **how, struct err *e);
void template_free(struct template *p);

const char *template_name(const struct template *p);
/* What names it beside a result, into out: its name, and "@" with a hash of its definition unless
 * it is the built-in template of that name. */
const char *template_label(const struct template *p, struct buf *out);
/* The full definition as JSON text (for pro.json beside a trained model and stream metadata);
 * template_select reads it back. */
void template_describe(const struct template *p, struct buf *out);

/* Prompt ids, without bos, up to the point where the response starts. */
int template_prompt(const struct template *p, const struct tokenizer *t, const struct turn *turns,
	int n_turns, bool raw, struct ids *out, struct err *e);
/* Response ids, the template's leading space included, without eos. */
int template_response(const struct template *p, const struct tokenizer *t, const char *text,
	size_t n, struct ids *out, struct err *e);
/* What the two would be if they were encoded as one text, as many tools do: the ids may differ at
 * the border.  Only for counting that. */
int template_joint(const struct template *p, const struct tokenizer *t, const struct turn *turns,
	int n_turns, const char *text, size_t n, struct ids *out, struct err *e);
/* The id that ends a response: the template's end-of-turn token if it has one, else the
 * tokenizer's eos; -1: none. */
int32_t template_eos(const struct template *p, const struct tokenizer *t);
/* Strings at which a generated response is cut; NULL-terminated, may be empty. */
const char *const *template_stops(const struct template *p);
/* The template's own limit of new tokens (tldr: 64), or 0. */
int template_max_tokens(const struct template *p);

#endif
