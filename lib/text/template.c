#include "lib/text/template_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/tokenizer_impl.h"
#include "lib/text/utf8.h"

static const char *
or_empty(const char *s)
{
	return s ? s : "";
}

void
template_free(struct template *p)
{
	if (p == NULL)
		return;
	arena_free(&p->mem);
	free(p);
}

const char *
template_name(const struct template *p)
{
	return p->name;
}

const char *const *
template_stops(const struct template *p)
{
	return p->stops;
}

int
template_max_tokens(const struct template *p)
{
	return p->max_tokens;
}

int32_t
template_eos(const struct template *p, const struct tokenizer *t)
{
	int32_t id = p->eos ? tokenizer_id(t, p->eos) : -1;
	return id >= 0 ? id : tokenizer_eos(t);
}

/* The pieces of a prompt under way; eos and bos are the texts of those tokens. */
struct writer {
	const struct template *p;
	struct text_piece *v;
	int n, cap;
	struct buf eos, bos;
};

static void
put(struct writer *w, const char *s, size_t n, bool literal)
{
	if (n == 0)
		return;
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 32;
		w->v = x_realloc(w->v, (size_t)w->cap * sizeof *w->v);
	}
	w->v[w->n++] = (struct text_piece){s, n, literal};
}

/* A literal, "{eos}" and "{bos}" in it replaced. */
static void
put_literal(struct writer *w, const char *s)
{
	s = or_empty(s);
	for (const char *brace; (brace = strchr(s, '{'));) {
		const struct buf *token = strncmp(brace, "{eos}", 5) == 0   ? &w->eos
					  : strncmp(brace, "{bos}", 5) == 0 ? &w->bos
									    : NULL;
		size_t n = (size_t)(brace - s) + (token ? 0 : 1);
		put(w, s, n, true);
		if (token)
			put(w, token->data, token->len, true);
		s = token ? brace + 5 : brace + 1;
	}
	put(w, s, strlen(s), true);
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
	put(w, s, n, false);
}

/* A turn with the system texts folded into it, turns[from, to), before its own text. */
static void
put_turn(struct writer *w, enum role role, const struct turn *own, const struct turn *folded,
	int n_folded)
{
	put_literal(w, w->p->turn[role].before);
	for (int i = 0; i < n_folded; i++) {
		put_literal(w, w->p->turn[ROLE_SYSTEM].before);
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
	const struct template *p = w->p;
	int waiting = 0; /* system turns just before i, to be folded into the next user turn */
	bool first = true;
	if (p->default_system && (n == 0 || turns[0].role != ROLE_SYSTEM)) {
		put_literal(w, p->turn[ROLE_SYSTEM].before);
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
ends_in_generation(const struct template *p, const struct turn *turns, int n)
{
	const char *g = or_empty(p->generation);
	g += utf8_leading_space(g, strlen(g));
	size_t len = strlen(g);
	return p->generation_once && n > 0 && turns[n - 1].n >= len &&
	       memcmp(turns[n - 1].text + turns[n - 1].n - len, g, len) == 0;
}

static void
put_prompt(struct writer *w, const struct tokenizer *t, const struct turn *turns, int n_turns)
{
	const struct template *p = w->p;
	int32_t eos = tokenizer_eos(t), bos = tokenizer_bos(t);
	tokenizer_decode(t, &eos, 1, false, true, &w->eos);
	tokenizer_decode(t, &bos, 1, false, true, &w->bos);
	put_literal(w, p->begin);
	put_turns(w, turns, n_turns);
	if (!ends_in_generation(p, turns, n_turns))
		put_literal(w, p->generation);
}

static int
finish(struct writer *w, const struct tokenizer *t, struct ids *out, struct err *e)
{
	int rc = tokenizer_encode(t, w->v, w->n, 0, out, e);
	free(w->v);
	buf_free(&w->eos);
	buf_free(&w->bos);
	return rc;
}

int
template_prompt(const struct template *p, const struct tokenizer *t, const struct turn *turns,
	int n_turns, bool raw, struct ids *out, struct err *e)
{
	(void)raw; /* under every template but plain raw text is a user's turn, and plain adds
		    * nothing to one */
	struct writer w = {.p = p};
	put_prompt(&w, t, turns, n_turns);
	return finish(&w, t, out, e);
}

int
template_joint(const struct template *p, const struct tokenizer *t, const struct turn *turns,
	int n_turns, const char *text, size_t n, struct ids *out, struct err *e)
{
	struct writer w = {.p = p};
	const char *prefix = or_empty(p->response_prefix);
	put_prompt(&w, t, turns, n_turns);
	/* template_response writes no space for SentencePiece before nothing */
	if (n > 0 || !tokenizer_has_prefix(t))
		put(&w, prefix, strlen(prefix), true);
	put(&w, text, n, false);
	return finish(&w, t, out, e);
}

int
template_response(const struct template *p, const struct tokenizer *t, const char *text, size_t n,
	struct ids *out, struct err *e)
{
	const char *prefix = or_empty(p->response_prefix);
	unsigned flags = TOKENIZER_NO_PREFIX;
	/* SentencePiece puts that space itself. */
	if (tokenizer_has_prefix(t) && *prefix == ' ') {
		prefix++;
		flags = 0;
	}
	struct text_piece v[2] = {{prefix, strlen(prefix), true}, {text, n, false}};
	return n > 0 || *prefix
		       ? tokenizer_encode(t, v, 2, n > 0 ? flags : TOKENIZER_NO_PREFIX, out, e)
		       : 0;
}
