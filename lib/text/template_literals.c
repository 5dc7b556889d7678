/* Templates that are literals around the texts of turns. */
#include <string.h>

#include "lib/text/template_impl.h"
#include "lib/text/utf8.h"

static const char *
or_empty(const char *s)
{
	return s ? s : "";
}

/* A prompt or response under way. */
struct writer {
	const struct template_literals *p;
	const struct tokenizer *t;
	struct jinja_text *out;
	bool preamble; /* has been written */
};

static void
put_token(struct writer *w, int32_t id)
{
	struct buf b = BUF_INIT;
	tokenizer_decode(w->t, &id, 1, false, true, &b);
	marked_put(w->out, b.data, b.len, JINJA_LITERAL);
	buf_free(&b);
}

/* n bytes of a literal, "{eos}" and "{bos}" in it replaced. */
static void
put_literal_n(struct writer *w, const char *s, size_t n)
{
	const char *end = s + n;
	for (const char *brace; (brace = memchr(s, '{', (size_t)(end - s)));) {
		bool eos = end - brace >= 5 && memcmp(brace, "{eos}", 5) == 0;
		bool bos = end - brace >= 5 && memcmp(brace, "{bos}", 5) == 0;
		marked_put(w->out, s, (size_t)(brace - s) + !(eos || bos), JINJA_LITERAL);
		if (eos || bos)
			put_token(w, eos ? tokenizer_eos(w->t) : tokenizer_bos(w->t));
		s = brace + (eos || bos ? 5 : 1);
	}
	marked_put(w->out, s, (size_t)(end - s), JINJA_LITERAL);
}

static void
put_literal(struct writer *w, const char *s)
{
	s = or_empty(s);
	put_literal_n(w, s, strlen(s));
}

/* What opens a system text: before, and for the first one the preamble. */
static void
open_system(struct writer *w)
{
	put_literal(w, w->p->turn[ROLE_SYSTEM].before);
	if (!w->preamble)
		put_literal(w, w->p->preamble);
	w->preamble = true;
}

static void
put_text(struct writer *w, const struct turn *t)
{
	const char *s = t->text;
	size_t n = t->n;
	if (w->p->trim) {
		size_t lead = utf8_leading_space(s, n);
		s += lead;
		n = utf8_trailing_space(s, n - lead);
	}
	marked_put(w->out, s, n, JINJA_DATA);
}

/* A turn with the system texts folded into it, turns[from, to), before its own text. */
static void
put_turn(struct writer *w, enum role role, const struct turn *own, const struct turn *folded,
	int n_folded)
{
	if (role == ROLE_SYSTEM)
		open_system(w);
	else
		put_literal(w, w->p->turn[role].before);
	for (int i = 0; i < n_folded; i++) {
		open_system(w);
		put_text(w, &folded[i]);
		put_literal(w, w->p->turn[ROLE_SYSTEM].after);
	}
	if (own)
		put_text(w, own);
	put_literal(w, w->p->turn[role].after);
}

static void
put_turns(struct writer *w, const struct turn *turns, int n)
{
	const struct template_literals *p = w->p;
	int waiting = 0; /* system turns just before i, to be folded into the next user turn */
	bool first = true;
	if (p->default_system && (n == 0 || turns[0].role != ROLE_SYSTEM)) {
		open_system(w);
		put_literal(w, p->default_system);
		put_literal(w, p->turn[ROLE_SYSTEM].after);
		first = false;
	}
	for (int i = 0; i < n; i++) {
		enum role role = turns[i].role;
		if (role == ROLE_SYSTEM && p->fold_system) {
			waiting++;
			if (i + 1 < n)
				continue;
		}
		if (!first)
			put_literal(w, p->separator);
		first = false;
		if (waiting > 0 && role != ROLE_USER) {
			/* No user turn to take them: they make one. */
			bool last = role == ROLE_SYSTEM;
			put_turn(w, ROLE_USER, NULL, turns + i + last - waiting, waiting);
			waiting = 0;
			if (last)
				continue;
			put_literal(w, p->separator);
		}
		put_turn(w, role, &turns[i], turns + i - waiting, waiting);
		waiting = 0;
	}
}

/* Whether the prompt ends, white space aside, in what starts the response anyway. */
static bool
ends_in_generation(const struct template_literals *p, const struct turn *turns, int n)
{
	const char *g = or_empty(p->generation);
	g += utf8_leading_space(g, strlen(g));
	size_t len = strlen(g);
	return p->generation_once && n > 0 && turns[n - 1].n >= len &&
	       memcmp(turns[n - 1].text + turns[n - 1].n - len, g, len) == 0;
}

void
literals_prompt(struct writing *c, const struct turn *turns, int n)
{
	struct writer w = {.p = &c->p->lit, .t = c->t, .out = &c->prompt};
	put_literal(&w, w.p->begin);
	put_turns(&w, turns, n);
	if (!ends_in_generation(w.p, turns, n))
		put_literal(&w, w.p->generation);
}

/* How much of what follows an assistant's turn is its end: through the first end-of-turn token.
 * All of it when there is none, for the rest is told by what is behind. */
static size_t
end_of_turn(const struct template *p, const char *after)
{
	const char *eos = strstr(after, "{eos}"), *own = p->eos ? strstr(after, p->eos) : NULL;
	if (own && (eos == NULL || own < eos))
		return (size_t)(own - after) + strlen(p->eos);
	return eos ? (size_t)(eos - after) + 5 : strlen(after);
}

/* What follows the end of the turn; a bos there begins the next one. */
static const char *
rest(const struct template *p, size_t *n)
{
	const char *after = or_empty(p->lit.turn[ROLE_ASSISTANT].after);
	after += end_of_turn(p, after);
	const char *bos = strstr(after, "{bos}");
	*n = bos ? (size_t)(bos - after) : strlen(after);
	return after;
}

bool
literals_have_rest(const struct template *p)
{
	size_t n;
	rest(p, &n);
	return n > 0;
}

void
literals_response(struct writing *c, const char *text, size_t n, bool ended)
{
	struct writer w = {.p = &c->p->lit, .t = c->t, .out = &c->response};
	const char *prefix = or_empty(w.p->response_prefix);
	marked_put(w.out, prefix, strlen(prefix), JINJA_LITERAL);
	marked_put(w.out, text, n, JINJA_DATA);
	c->answer = c->turn = w.out->text.len;
	c->has_end = false; /* it is put as an id */
	if (!ended)
		return;
	size_t n_rest;
	const char *s = rest(c->p, &n_rest);
	put_literal_n(&w, s, n_rest);
}
