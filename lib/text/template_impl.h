#ifndef PRO_TEXT_TEMPLATE_IMPL_H
#define PRO_TEXT_TEMPLATE_IMPL_H

#include <jansson.h>
#include <time.h>

#include "lib/text/jinja.h"
#include "lib/text/template.h"
#include "lib/text/writing.h"

/* What is behind template.h and writing.h: a head and one of two bodies.  Internal to lib/text. */
enum { TEMPLATE_MAX_STOPS = 16 };

/* Literals around the texts of turns: the members of a template file. */
struct template_turn {
	const char *before, *after;
};

struct template_literals {
	const char *begin, *separator;
	struct template_turn turn[3]; /* by enum role */
	bool fold_system;
	const char *preamble;
	const char *default_system; /* NULL: none is put in */
	bool trim;
	const char *generation;
	bool generation_once;
	const char *response_prefix;
};

/* A Jinja template, with what one rendering of a small conversation shows of it. */
struct template_chat {
	struct jinja *jinja;
	const char *source;
	json_t *tokens; /* bos_token, eos_token ... as the template sees them */
	struct tm date;
	char day[11];      /* the same as YYYY-MM-DD */
	bool parts;        /* contents are lists of {type, text}: it does not write strings */
	bool opens_answer; /* add_generation_prompt changes nothing, and it opens an answer's turn
			    * with a header: that belongs to the prompt */
	bool joins;        /* an answer is written where the prompt ends */
	const char *tail;  /* what is written behind an answer ... */
	size_t n_tail, n_end; /* ... and how much of it ends the turn */
	int32_t end;          /* the last token of that, a special one; -1: none */
};

struct template
{
	struct arena mem; /* of a template that was read; built-in ones are static text */
	const char *name;
	const char *eos; /* NULL: the tokenizer's */
	const char *stops[TEMPLATE_MAX_STOPS + 1];
	int max_tokens;
	enum score_at score_at; /* SCORE_AT_AUTO: the default of its kind */
	struct template_literals lit;
	struct template_chat *chat; /* NULL: lit counts */
};

/* The built-in template of that name; NULL: none.  Copy it by value. */
const struct template *template_builtin(const char *name);
/* "hh, oasst, ..." */
void template_builtin_names(struct buf *out);

/* A template out of its description.  t: see chat_new. */
int template_from_json(
	struct template **out, const json_t *v, const struct tokenizer *t, struct err *e);

/*
 * A Jinja template.  tokens: an object of strings, not owned.  t (NULL: ends of turns are not
 * found) says which tokens are special.  ERR_CONFIG: not valid, not supported, or it cannot write a
 * question and its answer.
 */
int chat_new(struct template **out, const char *name, const char *source, size_t n,
	const json_t *tokens, const struct tokenizer *t, struct err *e);
void chat_free(struct template_chat *c);
/* "2024-07-26"; ERR_USAGE when that is no day.  c NULL: only checks. */
int chat_set_date(struct template_chat *c, const char *day, struct err *e);

/* Of a member chat_template, a string (the default) or a list of {name, template}; NULL: none. */
const json_t *chat_named(const json_t *v, const char *name);
/* What a model folder has: its Jinja template of that name ("default" is the one that counts)
 * behind source, 1; 0: none; -1.  *where says in which file. */
int folder_chat(
	const char *dir, const char *name, struct buf *source, struct buf *where, struct err *e);
/* The special tokens that transformers would give to its template; NULL on error. */
json_t *folder_tokens(const char *dir, const struct tokenizer *t, struct err *e);
/* JSON of dir/name (name NULL: dir is the file): 1 read, 0 not there, -1 error. */
int folder_json(const char *dir, const char *name, json_t **v, struct err *e);

/*
 * Renders turns (and, text not NULL, the assistant's answer behind them) into out, which is
 * emptied.  ERR_DATA: the template refuses them.
 */
struct chat_turns {
	json_t *vars;     /* for jinja_render */
	json_t *messages; /* in it, borrowed */
};
void chat_turns_init(
	struct chat_turns *c, const struct template_chat *p, const struct turn *turns, int n);
/* What a record (its JSON; NULL: nothing) tells the template beside: see writing_begin_record. */
int chat_turns_more(const struct chat_turns *c, const struct template_chat *p, const json_t *record,
	struct err *e);
void chat_turns_free(struct chat_turns *c);
int chat_render(const struct template_chat *p, const struct chat_turns *c, const char *text,
	size_t n, bool generation, struct jinja_text *out, struct err *e);
/* Where the probe's text stands in what was rendered for it, n bytes from *at; false: nowhere. */
#define CHAT_PROBE     \
	"\xee\x80\x80" \
	"answer"       \
	"\xee\x80\x80" /* U+E000: in nobody's text */
bool chat_find_probe(const struct jinja_text *m, size_t *at);

/*
 * The end of a turn in the literal tail behind an answer: through the first special token, and
 * through special tokens that adjoin it if eos is one of them (Cohere's <|END_RESPONSE|> before
 * <|END_OF_TURN_TOKEN|>).  Its last token, and its length; -1 and 0: none.
 */
int32_t chat_find_end(const struct tokenizer *t, const char *tail, size_t n, size_t *n_end);

/* The two bodies of writing_begin, writing_respond and writing_end. */
void literals_prompt(struct writing *w, const struct turn *turns, int n);
bool literals_have_rest(const struct template *p);
void literals_response(struct writing *w, const char *text, size_t n, bool ended);
int chat_prompt(
	struct writing *w, const struct turn *turns, int n, const json_t *record, struct err *e);
int chat_response(struct writing *w, const char *text, size_t n, bool ended, struct err *e);
void chat_end(struct writing_chat *c);

void marked_put(struct jinja_text *m, const char *s, size_t n, char mark);
/* Bytes [start, end) of from with their marks. */
void marked_append(struct jinja_text *m, const struct jinja_text *from, size_t start, size_t end);

#endif
