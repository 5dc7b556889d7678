#include "lib/text/writing.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/template_impl.h"
#include "lib/text/tokenizer_impl.h"

static int
begin(struct writing *w, const struct turn *turns, int n, const json_t *record, struct err *e)
{
	if (w->p->chat)
		return chat_prompt(w, turns, n, record, e);
	literals_prompt(w, turns, n);
	return 0;
}

int
writing_begin(struct writing *w, const struct template *p, const struct tokenizer *t,
	const struct turn *turns, int n_turns, struct err *e)
{
	*w = (struct writing){.p = p, .t = t};
	return begin(w, turns, n_turns, NULL, e);
}

int
writing_begin_record(struct writing *w, const struct template *p, const struct tokenizer *t,
	const struct record *r, struct err *e)
{
	*w = (struct writing){.p = p, .t = t};
	return begin(w, r->turns, r->n_turns, r->root, e);
}

int
writing_respond(struct writing *w, const char *text, size_t n, bool ended, struct err *e)
{
	buf_reset(&w->response.text);
	buf_reset(&w->response.mark);
	if (w->chat)
		return chat_response(w, text, n, ended, e);
	literals_response(w, text, n, ended);
	return 0;
}

static void
marked_free(struct jinja_text *m)
{
	buf_free(&m->text);
	buf_free(&m->mark);
}

void
writing_end(struct writing *w)
{
	chat_end(w->chat);
	marked_free(&w->prompt);
	marked_free(&w->response);
	*w = (struct writing){.p = NULL};
}

void
marked_put(struct jinja_text *m, const char *s, size_t n, char mark)
{
	buf_put(&m->text, s, n);
	buf_reserve(&m->mark, n);
	for (size_t i = 0; i < n; i++)
		buf_putc(&m->mark, mark);
}

void
marked_append(struct jinja_text *m, const struct jinja_text *from, size_t start, size_t end)
{
	if (end <= start)
		return;
	buf_put(&m->text, from->text.data + start, end - start);
	buf_put(&m->mark, from->mark.data + start, end - start);
}

/* A text cut into runs that a template or that a record wrote. */
struct pieces {
	struct text_piece *v;
	int n, cap;
};

static void
add_runs(struct pieces *p, const struct jinja_text *m, size_t from, size_t to)
{
	for (size_t end; from < to; from = end) {
		char mark = m->mark.data[from];
		for (end = from + 1; end < to && m->mark.data[end] == mark; end++)
			;
		if (p->n == p->cap) {
			p->cap = p->cap ? 2 * p->cap : 32;
			p->v = x_realloc(p->v, (size_t)p->cap * sizeof *p->v);
		}
		p->v[p->n++] =
			(struct text_piece){m->text.data + from, end - from, mark == JINJA_LITERAL};
	}
}

/* Where the text of a response starts, and how it is encoded: SentencePiece puts the space itself
 * that a template has there. */
static size_t
response_start(const struct writing *w, size_t to, unsigned *flags)
{
	const struct jinja_text *m = &w->response;
	bool space = to > 0 && tokenizer_has_prefix(w->t) && m->text.data[0] == ' ' &&
		     m->mark.data[0] == JINJA_LITERAL;
	*flags = space ? 0 : TOKENIZER_NO_PREFIX;
	return space;
}

/* The prompt with the answer; the tokenizer writes no space of its own before nothing. */
static void
add_joint(const struct writing *w, struct pieces *p)
{
	unsigned flags;
	bool empty = response_start(w, w->answer, &flags) == w->answer;
	add_runs(p, &w->prompt, 0, w->prompt.text.len);
	add_runs(p, &w->response, 0, empty && tokenizer_has_prefix(w->t) ? 0 : w->answer);
}

static int
encode_response(const struct writing *w, size_t to, struct ids *out, struct err *e)
{
	struct pieces p = {NULL, 0, 0};
	unsigned flags;
	add_runs(&p, &w->response, response_start(w, to, &flags), to);
	int rc = p.n > 0 ? tokenizer_encode(w->t, p.v, p.n, flags, out, e) : 0;
	free(p.v);
	return rc;
}

/* What a turn ends with where the template writes no such token. */
static int
end_turn(const struct writing *w, enum writing_part part, struct ids *out, struct err *e)
{
	int32_t eos = template_eos(w->p, w->t);
	if (eos >= 0)
		ids_push(out, eos);
	if (part == WRITING_TURN || w->turn == w->response.text.len)
		return 0;
	struct pieces p = {NULL, 0, 0};
	add_runs(&p, &w->response, w->turn, w->response.text.len);
	int rc = tokenizer_encode(w->t, p.v, p.n, TOKENIZER_NO_PREFIX, out, e);
	free(p.v);
	return rc;
}

int
writing_ids(const struct writing *w, enum writing_part part, struct ids *out, struct err *e)
{
	if (part == WRITING_PROMPT || part == WRITING_JOINT) {
		struct pieces p = {NULL, 0, 0};
		if (part == WRITING_JOINT)
			add_joint(w, &p);
		else
			add_runs(&p, &w->prompt, 0, w->prompt.text.len);
		int rc = tokenizer_encode(w->t, p.v, p.n, 0, out, e);
		free(p.v);
		return rc;
	}
	if (part == WRITING_ANSWER)
		return encode_response(w, w->answer, out, e);
	if (w->has_end)
		return encode_response(
			w, part == WRITING_TURN ? w->turn : w->response.text.len, out, e);
	return encode_response(w, w->turn, out, e) < 0 ? -1 : end_turn(w, part, out, e);
}
