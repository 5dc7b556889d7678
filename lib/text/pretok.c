#include "lib/text/pretok.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/bpe.h"
#include "lib/text/utf8.h"

static void
spans_push(struct spans *s, struct span v)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->v = x_realloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = v;
}

void
pretok_work_free(struct pretok_work *w)
{
	buf_free(&w->text);
	buf_free(&w->other);
	free(w->words.v);
	free(w->next.v);
	free(w->parts.v);
	regex_walk_free(&w->walk);
	*w = (struct pretok_work){0};
}

/* [start, end) as a word of out, cut from `in`; nothing when it is empty. */
static void
put_word(struct spans *out, const struct span *in, size_t start, size_t end)
{
	if (end > start)
		spans_push(out, (struct span){start, end, false, in->first && start == in->start});
}

/*
 * Matches and what is between them, in order, empty ones too, become words
 * (huggingface/tokenizers, src/tokenizer/normalizer.rs, NormalizedString::split).  opaque: is a
 * match.
 */
static void
join_parts(const struct pretok_step *step, const struct spans *parts, const struct span *in,
	struct spans *out)
{
	size_t n = 0;
	bool last = false, backward = step->behavior == SPLIT_WITH_NEXT;
	struct span *v = parts->v; /* joined in place: what is written lies behind what is read */
	for (size_t i = 0; i < parts->n; i++) {
		struct span p = v[backward ? parts->n - 1 - i : i];
		bool match = p.opaque,
		     join = step->behavior == SPLIT_CONTIGUOUS ? match == last : match && !last;
		struct span *o = n > 0 ? &v[backward ? parts->n - n : n - 1] : NULL;
		last = match;
		if (o && join && backward)
			o->start = p.start;
		else if (o && join)
			o->end = p.end;
		else if (n++, backward)
			v[parts->n - n] = p;
		else
			v[n - 1] = p;
	}
	for (size_t i = 0; i < n; i++) {
		const struct span *p = &v[backward ? parts->n - n + i : i];
		put_word(out, in, p->start, p->end);
	}
}

static void
take_part(const struct pretok_step *step, struct pretok_work *w, const struct span *in,
	size_t start, size_t end, bool match)
{
	match ^= step->invert;
	if (step->behavior == SPLIT_ISOLATED || (step->behavior == SPLIT_REMOVED && !match))
		put_word(&w->next, in, start, end);
	else if (step->behavior != SPLIT_REMOVED)
		spans_push(&w->parts, (struct span){start, end, match, false});
}

static int
split_span(const struct pretok_step *step, struct pretok_work *w, const char *text,
	const struct span *in, struct err *e)
{
	const char *base = text + in->start;
	size_t n = in->end - in->start, done = 0, start = 0, end = 0;
	int rc;
	w->parts.n = 0;
	regex_walk_start(&w->walk);
	while ((rc = regex_next(step->re, &w->walk, base, n, &start, &end, e)) > 0) {
		if (start < done)
			continue; /* \K played tricks */
		if (start > done)
			take_part(step, w, in, in->start + done, in->start + start, false);
		take_part(step, w, in, in->start + start, in->start + end, true);
		done = end;
	}
	if (rc < 0)
		return -1;
	if (done < n)
		take_part(step, w, in, in->start + done, in->end, false);
	if (w->parts.n > 0)
		join_parts(step, &w->parts, in, &w->next);
	return 0;
}

static void
cut_span(const struct pretok_step *step, struct pretok_work *w, const char *text,
	const struct span *in)
{
	for (size_t i = in->start, start = i; i < in->end; start = i) {
		for (size_t k = 0; k < step->length && i < in->end; k++) {
			int32_t c;
			int len = utf8_decode(text + i, in->end - i, &c);
			i += (size_t)(len > 0 ? len : 1);
		}
		put_word(&w->next, in, start, i);
	}
}

/* The spans of w->words cut further, into themselves. */
static int
cut_all(const struct pretok_step *step, struct pretok_work *w, struct err *e)
{
	int rc = 0;
	w->next.n = 0;
	for (size_t k = 0; rc == 0 && k < w->words.n; k++) {
		const struct span *in = &w->words.v[k];
		if (in->opaque)
			spans_push(&w->next, *in);
		else if (step->kind == PRETOK_LENGTH)
			cut_span(step, w, w->text.data, in);
		else
			rc = split_span(step, w, w->text.data, in, e);
	}
	struct spans swap = w->words;
	w->words = w->next;
	w->next = swap;
	return rc;
}

static void
put_marked(const struct pretok_step *step, const char *s, size_t n, bool prefix, struct buf *out)
{
	size_t len = strlen(step->mark);
	if (prefix && *s != ' ' && (n < len || memcmp(s, step->mark, len) != 0))
		buf_put(out, step->mark, len);
	for (size_t i = 0; i < n;) {
		const char *space = memchr(s + i, ' ', n - i);
		size_t end = space ? (size_t)(space - s) : n;
		buf_put(out, s + i, end - i);
		if (space)
			buf_put(out, step->mark, len);
		i = end + (space != NULL);
	}
}

/* Every span's text changed, in a new text without gaps. */
static void
rewrite(const struct pretok_step *step, struct pretok_work *w, unsigned flags)
{
	struct buf *b = &w->other;
	buf_reset(b);
	buf_reserve(b, w->text.len + w->words.n + 1);
	for (size_t i = 0; i < w->words.n; i++) {
		struct span *s = &w->words.v[i];
		const char *text = w->text.data + s->start;
		size_t start = b->len, n = s->end - s->start;
		bool prefix =
			step->scheme == META_ALWAYS || (step->scheme == META_FIRST && s->first);
		if (s->first && (flags & PRETOK_NO_PREFIX))
			prefix = false;
		if (step->kind == PRETOK_SPELL) {
			bpe_spell(text, n, b);
			s->opaque = false;
		} else if (step->kind == PRETOK_META) {
			put_marked(step, text, n, prefix, b);
		} else {
			if (*text != ' ')
				buf_putc(b, ' ');
			buf_put(b, text, n);
		}
		s->start = start;
		s->end = b->len;
	}
	struct buf swap = w->text;
	w->text = *b;
	*b = swap;
}

/* Stretches of UTF-8, and what is none. */
static void
start_spans(const char *s, size_t n, bool first, struct spans *out)
{
	for (size_t i = 0; i < n;) {
		size_t valid = utf8_valid_prefix(s + i, n - i), bad = i + valid;
		if (valid > 0)
			spans_push(out, (struct span){i, bad, false, first && i == 0});
		for (i = bad; i < n && utf8_valid_prefix(s + i, n - i) == 0;)
			i++;
		if (i > bad)
			spans_push(out, (struct span){bad, i, true, first && bad == 0});
	}
}

int
pretok_run(const struct pretok *p, struct pretok_work *w, const char *text, size_t n,
	unsigned flags, struct err *e)
{
	buf_reset(&w->text);
	buf_put(&w->text, text, n);
	w->words.n = 0;
	start_spans(w->text.data, n, flags & PRETOK_FIRST, &w->words);
	for (int i = 0; i < p->n; i++) {
		const struct pretok_step *s = &p->step[i];
		bool cuts = s->kind == PRETOK_SPLIT || s->kind == PRETOK_LENGTH;
		if (!cuts)
			rewrite(s, w, flags);
		if ((cuts || s->re) && cut_all(s, w, e) < 0)
			return -1;
	}
	return 0;
}
