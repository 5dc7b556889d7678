#ifndef PRO_TEXT_WRITING_H
#define PRO_TEXT_WRITING_H

#include "lib/text/jinja.h"
#include "lib/text/template.h"

/*
 * A conversation as a template writes it: one prompt, and behind it any number of responses, one
 * after the other.  Prompt and response are encoded apart: no token spans their border.
 *
 * The prompt ends where a response starts.  A response is, in this order: what the template writes
 * before an answer (a space), the answer, what ends its turn, and the rest behind that (the newline
 * of ChatML), which nothing is trained on.
 */
struct writing {
	const struct template *p;
	const struct tokenizer *t;
	struct jinja_text prompt, response; /* text, and which bytes came out of the record */
	size_t answer;                      /* response: bytes up to the end of the answer */
	size_t turn;                        /* and through the end of its turn */
	bool has_end; /* whose last token is in the text; else template_eos is put there */
	struct writing_chat *chat; /* of a Jinja template */
};

/*
 * Begins with the prompt.  p, t and turns are borrowed until writing_end, which is to be called
 * always.  ERR_DATA: the template refuses this conversation, and the message is its reason.
 */
int writing_begin(struct writing *w, const struct template *p, const struct tokenizer *t,
	const struct turn *turns, int n_turns, struct err *e);
/*
 * The same with a record's turns and what else it tells a Jinja template, as in TRL's data
 * (data_utils.py): tools, a list of JSON schemas or that as JSON text, empty: none; and
 * chat_template_kwargs, an object of further variables (enable_thinking).  Literals have no place
 * for either.  ERR_DATA also when they are something else, or would set messages,
 * add_generation_prompt or a token.
 */
int writing_begin_record(struct writing *w, const struct template *p, const struct tokenizer *t,
	const struct record *r, struct err *e);
/*
 * Writes one response.  ended false (it was cut by a length limit): the text as it is, without an
 * end of turn.  A Jinja template's response is what it renders for the conversation with the answer
 * behind what it renders for the prompt; see template.h for when it is not.
 */
int writing_respond(struct writing *w, const char *text, size_t n, bool ended, struct err *e);
void writing_end(struct writing *w);

enum writing_part {
	WRITING_PROMPT, /* without a bos that the tokenizer puts */
	WRITING_ANSWER, /* the response up to the end of the answer */
	WRITING_TURN,   /* through the end of the turn; template_eos where the template has none */
	WRITING_WHOLE,  /* through all that is written */
	WRITING_JOINT,  /* prompt and answer as one text, as many tools encode them: the ids may
			 * differ at the border; only for counting that */
};
/* Appends the ids of a part of prompt and last response. */
int writing_ids(const struct writing *w, enum writing_part part, struct ids *out, struct err *e);

#endif
