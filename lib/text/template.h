#ifndef PRO_TEXT_TEMPLATE_H
#define PRO_TEXT_TEMPLATE_H

#include "lib/stream/record.h"
#include "lib/text/tokenizer.h"

/*
 * How a conversation is written for a model.  lib/text/writing.h writes one.  A template is one of
 * two kinds, which only lib/text tells apart.
 *
 * Literals around the texts of turns, the kind of the built-in templates: hh (the paper's), oasst,
 * alpaca, chatml (smollm2, qwen2, qwen2.5: the same with their own system text), llama2, llama3
 * (llama3.1), mistral, zephyr, tldr, plain, or a JSON file, whose members may all be left out:
 *   "name"             for messages ("custom")
 *   "begin"            literal before the first turn, once
 *   "system", "user", "assistant": {"before": "", "after": ""}, literals around a turn's text
 *   "separator"        literal between two turns
 *   "fold_system"      true: system turns go inside the next user turn, before its text (llama2)
 *   "preamble"         literal before the text of the first system turn (llama3.1: the dates)
 *   "default_system"   a system turn's text when the conversation does not begin with one
 *   "trim"             true: white space around the texts of turns is dropped
 *   "generation"       literal between the last turn and the response
 *   "generation_once"  true: not when the last turn's text ends in it already (tldr)
 *   "response_prefix"  "" or " ": what comes between that and the response, counted to the response
 *   "eos"              the token that ends a response (the tokenizer's eos if it is not there)
 *   "stops"            at most 16 strings at which a generated response is cut
 *   "max_tokens"       most new tokens of a response; 0: no limit of its own
 *   "score_at"         where a reward model's score is read: "end-of-turn" or "last"
 * "{bos}" and "{eos}" in a literal stand for those tokens.
 *
 * Or Jinja, a model's own chat_template (lib/text/jinja.h).  The prompt is what it renders for the
 * turns with add_generation_prompt; a response is what the rendering of the turns and the answer
 * has behind that, through the end-of-turn token.  That is the first special token behind the
 * answer (or a later one that adjoins it and is the tokenizer's eos); what follows it is only
 * written for reward models that score there.  Where there is none, the tokenizer's eos is put
 * behind the answer, and text that the template has there (not white space) becomes a stop string.
 * Not everything that is published renders like that:
 *   - add_generation_prompt changes nothing, and the answer's turn opens with a header that names
 *     the assistant: the header belongs to the prompt, but not spaces at its end;
 *   - the prompt goes beyond what is rendered before an answer ("<think>\n"), or is another one
 *     (system text only in a last user turn): the answer follows the prompt with what the template
 *     puts between the last literal of the prompt and the answer, and its own end;
 *   - an answer loses more than white space (its thinking): it follows as it is;
 *   - a response that did not end: as it is, without an end.
 *
 * With both kinds, special tokens are recognised in what the template writes, never in the texts
 * of a record.  A bos before everything need not be written: the tokenizer says whether there is
 * one, and there is never more than one: none is put where the prompt begins with it, nor before
 * what Jinja renders with one elsewhere.
 */
struct template;

/* Where the score of a reward model is read: at the end-of-turn token, or at the last token that
 * the template writes (TRL's RewardTrainer and transformers' pipeline: the newline of ChatML). */
enum score_at { SCORE_AT_AUTO, SCORE_AT_END_OF_TURN, SCORE_AT_LAST };
#define SCORE_AT_CHOICES "auto|end-of-turn|last"
const char *score_at_name(enum score_at at);

/* What Llama 3's templates take where there is no clock: the default of --date. */
#define TEMPLATE_DATE "2024-07-26"

struct template_options {
	const char *name;       /* see template_select */
	const char *date;       /* YYYY-MM-DD that a Jinja template is told; NULL: stored, or
				 * TEMPLATE_DATE */
	bool date_if_asked;     /* a date for a template that does not ask is no ERR_USAGE */
	enum score_at score_at; /* AUTO: stored, else last for Jinja, end-of-turn for literals */
};

/*
 * name: a built-in template; a file when it has a '/' or ends in ".json" or ".jinja"; or one of the
 * named templates of the folder ("default", "tool_use", "rag").  ERR_USAGE when there is no such
 * template.  dir and t may be NULL when name is a built-in one.  name NULL or "auto": what
 * pro-train stored in dir (pro.json), else its own chat_template, else that of a recognised reward
 * model, else hh.  A chat_template that is not supported is ERR_CONFIG naming the line and
 * --template.  *how (may be NULL) gets a static phrase that says how it was chosen, for stderr.
 */
int template_select(struct template **out, const char *name, const char *dir,
	const struct tokenizer *t, const char **how, struct err *e);
/* The same with all options.  o NULL: none. */
int template_open(struct template **out, const struct template_options *o, const char *dir,
	const struct tokenizer *t, const char **how, struct err *e);
void template_free(struct template *p);

const char *template_name(const struct template *p);
/* What names it beside a result, into out: its name, and "@" with a hash of its definition unless
 * it is the built-in template of that name. */
const char *template_label(const struct template *p, struct buf *out);
/* The full definition as JSON text (for pro.json beside a trained model); template_select reads it
 * back. */
void template_describe(const struct template *p, struct buf *out);
/* The same with a hash in place of a Jinja source, for comparing (metadata of a tensor stream). */
void template_identity(const struct template *p, struct buf *out);
/* True when it is the chat_template that others (transformers) find in the folder. */
bool template_is_own(const struct template *p, const char *dir);
/* The Jinja source; NULL: literals. */
const char *template_jinja(const struct template *p);
/* The date that it is told, YYYY-MM-DD; NULL when it asks for none. */
const char *template_date(const struct template *p);
/* SCORE_AT_END_OF_TURN or SCORE_AT_LAST. */
enum score_at template_scores_at(const struct template *p);
/* Whether that is another token than the end of the turn. */
bool template_has_rest(const struct template *p);
/* What a user should know of it beside its name, each as "; ...": the date, where scores (true:
 * it is a reward model's) are read, an answer that does not join the prompt. */
void template_notes(const struct template *p, bool scores, struct buf *out);

/* The id that ends a response: the template's end-of-turn token if it has one, else the
 * tokenizer's eos; -1: none. */
int32_t template_eos(const struct template *p, const struct tokenizer *t);
/* Strings at which a generated response is cut; NULL-terminated, may be empty. */
const char *const *template_stops(const struct template *p);
/* The template's own limit of new tokens (tldr: 64), or 0. */
int template_max_tokens(const struct template *p);

#endif
