/* Where a Jinja template's rendering is cut into prompt, answer, end of turn and rest. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/template_impl.h"
#include "lib/text/utf8.h"

struct writing_chat {
	struct chat_turns turns;
	struct jinja_text full;  /* the turns with the answer */
	struct jinja_text frame; /* the same with the probe as the answer; empty: not rendered */
	size_t at;               /* frame: where the probe stands */
};

enum { N_PROBE = sizeof CHAT_PROBE - 1 };

void
chat_end(struct writing_chat *c)
{
	if (c == NULL)
		return;
	chat_turns_free(&c->turns);
	buf_free(&c->full.text);
	buf_free(&c->full.mark);
	buf_free(&c->frame.text);
	buf_free(&c->frame.mark);
	free(c);
}

static int
need_frame(struct writing *w, struct err *e)
{
	struct writing_chat *c = w->chat;
	if (c->frame.text.len > 0)
		return 0;
	if (chat_render(w->p->chat, &c->turns, CHAT_PROBE, N_PROBE, false, &c->frame, e) < 0)
		return -1;
	if (!chat_find_probe(&c->frame, &c->at))
		return err_set(e, ERR_DATA, "the template leaves the answer out");
	return 0;
}

/* How many first bytes a and b have in common. */
static size_t
common(const struct buf *a, const struct buf *b)
{
	size_t n = a->len < b->len ? a->len : b->len, i = 0;
	while (i < n && a->data[i] == b->data[i])
		i++;
	return i;
}

/* The header of the answer's turn, where only the answer brings it: but for spaces at its end,
 * which belong to the response. */
static void
open_answer(struct writing *w)
{
	const struct writing_chat *c = w->chat;
	size_t n = w->prompt.text.len, end = c->at;
	if (common(&w->prompt.text, &c->frame.text) < n)
		return;
	while (end > n && c->frame.text.data[end - 1] == ' ')
		end--;
	marked_append(&w->prompt, &c->frame, n, end);
}

int
chat_prompt(struct writing *w, const struct turn *turns, int n, const json_t *record, struct err *e)
{
	const struct template_chat *p = w->p->chat;
	struct writing_chat *c = w->chat = x_calloc(1, sizeof *c);
	chat_turns_init(&c->turns, p, turns, n);
	if (chat_turns_more(&c->turns, p, record, e) < 0 ||
		chat_render(p, &c->turns, NULL, 0, true, &w->prompt, e) < 0 ||
		(p->opens_answer && need_frame(w, e) < 0))
		return -1;
	if (p->opens_answer)
		open_answer(w);
	return 0;
}

/* Where the run of literals that ends at `end` begins. */
static size_t
literals_before(const struct jinja_text *m, size_t end)
{
	while (end > 0 && m->mark.data[end - 1] == JINJA_LITERAL)
		end--;
	return end;
}

/*
 * Bytes [from, at) of the frame come between the prompt and an answer.  Where the frame does not
 * begin with the prompt: what goes on when the prompt only has more white space there, else what
 * follows the literals at the prompt's end where the answer has the same before it.
 */
static size_t
lead_from(const struct writing *w)
{
	const struct writing_chat *c = w->chat;
	const struct jinja_text *p = &w->prompt, *f = &c->frame;
	size_t n = p->text.len, same = common(&p->text, &f->text);
	if (same == n)
		return n;
	if (utf8_leading_space(p->text.data + same, n - same) == n - same)
		return same + utf8_leading_space(f->text.data + same, c->at - same);
	size_t own = literals_before(p, n), theirs = literals_before(f, c->at);
	if (own < n && c->at - theirs >= n - own &&
		memcmp(p->text.data + own, f->text.data + theirs, n - own) == 0)
		return theirs + n - own;
	return c->at;
}

/*
 * Whether all of the text but white space is in what was rendered for it, in order.  It may begin
 * with what the prompt ends in ("<think>").
 */
static bool
keeps(const struct writing *w, const char *s, size_t n)
{
	const struct jinja_text *p = &w->prompt, *r = &w->response;
	size_t k = literals_before(p, p->text.len), n_p = p->text.len, end = n_p + w->answer;
	for (size_t i = 0; i < n; i++, k++) {
		i += utf8_leading_space(s + i, n - i);
		if (i == n)
			break;
		while (k < end && (k < n_p ? p->text.data[k] : r->text.data[k - n_p]) != s[i])
			k++;
		if (k >= end)
			return false;
	}
	return true;
}

static bool
is_literal(const struct jinja_text *m, size_t from)
{
	return literals_before(m, m->text.len) <= from;
}

/* Finds the end of the answer and of its turn in the response. */
static void
find_ends(struct writing *w)
{
	const struct template_chat *p = w->p->chat;
	const struct jinja_text *r = &w->response;
	size_t n = r->text.len, start = n - p->n_tail, n_end;
	bool usual = n >= p->n_tail && is_literal(r, start) &&
		     (p->n_tail == 0 || memcmp(r->text.data + start, p->tail, p->n_tail) == 0);
	if (usual) {
		w->answer = start;
		n_end = p->n_end;
		w->has_end = p->end >= 0;
	} else {
		w->answer = literals_before(r, n);
		w->has_end = chat_find_end(w->t, r->text.data ? r->text.data + w->answer : "",
				     n - w->answer, &n_end) >= 0;
	}
	w->turn = w->answer + n_end;
}

/* How much of the text repeats a "<think>" that the prompt ends in. */
static size_t
repeated(const struct writing *w, const char *s, size_t n)
{
	const struct buf *p = &w->prompt.text;
	size_t end = utf8_trailing_space(p->data, p->len), from = end;
	if (end == 0 || p->data[--from] != '>')
		return 0;
	while (from > 0 && (isalpha((unsigned char)p->data[from - 1]) || p->data[from - 1] == '_'))
		from--;
	size_t at = utf8_leading_space(s, n);
	if (from == 0 || p->data[--from] != '<' || n - at < end - from ||
		memcmp(s + at, p->data + from, end - from) != 0)
		return 0;
	at += end - from;
	return at + utf8_leading_space(s + at, n - at);
}

/* The answer as the template renders it: false when that does not follow the prompt, or leaves
 * something out. */
static int
rendered(struct writing *w, const char *text, size_t n, struct err *e)
{
	struct writing_chat *c = w->chat;
	size_t from = w->prompt.text.len;
	if (chat_render(w->p->chat, &c->turns, text, n, false, &c->full, e) < 0)
		return -1;
	if (common(&w->prompt.text, &c->full.text) < from) {
		if (need_frame(w, e) < 0)
			return -1;
		from = c->at;
		if (common(&c->frame.text, &c->full.text) < from || repeated(w, text, n) > 0)
			return 0;
		marked_append(&w->response, &c->frame, lead_from(w), c->at);
	}
	marked_append(&w->response, &c->full, from, c->full.text.len);
	find_ends(w);
	return keeps(w, text, n);
}

/* The answer as it is, behind white space that the template has there. */
static int
as_it_is(struct writing *w, const char *text, size_t n, bool ended, struct err *e)
{
	struct writing_chat *c = w->chat;
	if (need_frame(w, e) < 0)
		return -1;
	size_t from = lead_from(w), lead = c->at - from;
	buf_reset(&w->response.text);
	buf_reset(&w->response.mark);
	if (utf8_leading_space(c->frame.text.data + from, lead) == lead)
		marked_append(&w->response, &c->frame, from, c->at);
	size_t skip = repeated(w, text, n);
	marked_put(&w->response, text + skip, n - skip, JINJA_DATA);
	w->answer = w->turn = w->response.text.len;
	w->has_end = false;
	if (ended) {
		marked_append(&w->response, &c->frame, c->at + N_PROBE, c->frame.text.len);
		find_ends(w);
	}
	return 0;
}

int
chat_response(struct writing *w, const char *text, size_t n, bool ended, struct err *e)
{
	int rc = ended ? rendered(w, text, n, e) : 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return as_it_is(w, text, n, ended, e);
}
