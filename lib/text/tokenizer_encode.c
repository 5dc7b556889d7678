#include "lib/text/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/words.h"

/* One call of tokenizer_encode. */
struct encoding {
	const struct tokenizer *t;
	struct buf joined, key;
	struct literals lit;    /* of joined */
	struct literals inside; /* of a normalised segment */
	struct normal_work normal, measure;
	struct pretok_work pretok;
	struct bpe_work bpe;
	struct unigram_work unigram;
	struct ids *out;
};

static void
free_all(struct encoding *c)
{
	buf_free(&c->joined);
	buf_free(&c->key);
	free(c->lit.v);
	free(c->inside.v);
	normal_work_free(&c->normal);
	normal_work_free(&c->measure);
	pretok_work_free(&c->pretok);
	bpe_work_free(&c->bpe);
	unigram_work_free(&c->unigram);
}

static void
put_literal(struct literals *l, size_t start, size_t end)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->v = x_realloc(l->v, l->cap * sizeof *l->v);
	}
	l->v[l->n][0] = start;
	l->v[l->n++][1] = end;
}

static void
join(struct encoding *c, const struct text_piece *pieces, int n)
{
	for (int i = 0; i < n; i++) {
		size_t start = c->joined.len;
		buf_put(&c->joined, pieces[i].s, pieces[i].n);
		if (pieces[i].literal && pieces[i].n > 0)
			put_literal(&c->lit, start, c->joined.len);
	}
}

static int
encode_word(struct encoding *c, const char *s, size_t n, struct err *e)
{
	const struct tokenizer *t = c->t;
	switch (t->model) {
	case MODEL_UNIGRAM:
		return unigram_encode_word(&t->unigram, &t->bpe, s, n, &c->unigram, c->out, e);
	case MODEL_WORDPIECE:
		return words_encode_pieces(
			&t->bpe, t->most_chars, t->longest, s, n, &c->key, c->out, e);
	case MODEL_WORDLEVEL:
		return words_encode_level(&t->bpe, s, n, c->out, e);
	case MODEL_BPE:
		break;
	}
	return bpe_encode_word(&t->bpe, s, n, &c->bpe, c->out, e);
}

static int
encode_words(struct encoding *c, const char *s, size_t n, unsigned flags, struct err *e)
{
	if (n == 0)
		return 0;
	if (pretok_run(&c->t->pretok, &c->pretok, s, n, flags, e) < 0)
		return -1;
	for (size_t i = 0; i < c->pretok.words.n; i++) {
		const struct span *w = &c->pretok.words.v[i];
		if (encode_word(c, c->pretok.text.data + w->start, w->end - w->start, e) < 0)
			return -1;
	}
	return 0;
}

/* Length of the normal form of joined[from, to). */
static int
measure(struct encoding *c, size_t from, size_t to, bool prefix, size_t *n, struct err *e)
{
	const char *s = c->joined.data + from;
	*n = to - from;
	return normal_run(&c->t->normal, &c->measure, prefix, &s, n, e);
}

/*
 * The literals of joined[from, to) as stretches of its normal form.  Where text and literal
 * influence each other's form the borders are off by a few bytes, never by a whole token.
 */
static int
find_inside(struct encoding *c, size_t from, size_t to, bool prefix, struct err *e)
{
	c->inside.n = 0;
	if (!c->t->added.normalized_special)
		return 0;
	for (size_t i = 0; i < c->lit.n; i++) {
		size_t start = c->lit.v[i][0], end = c->lit.v[i][1];
		start = start < from ? from : start;
		end = end > to ? to : end;
		if (start >= end)
			continue;
		if (measure(c, from, start, prefix, &start, e) < 0 ||
			measure(c, from, end, prefix, &end, e) < 0)
			return -1;
		put_literal(&c->inside, start, end);
	}
	return 0;
}

/* Text between two added tokens: normalise, look for those added tokens that are meant to be found
 * in normalised text, and make words of the rest. */
static int
encode_segment(struct encoding *c, size_t from, size_t to, bool prefix, struct err *e)
{
	const struct tokenizer *t = c->t;
	const char *s = c->joined.data + from;
	size_t n = to - from, done = 0, start, end;
	if (n == 0)
		return 0;
	if (t->spm) {
		if (spm_encode(t->spm, s, n, prefix, c->out) < 0)
			return err_set(e, ERR_DATA, "SentencePiece cannot encode this text");
		return 0;
	}
	if (find_inside(c, from, to, prefix, e) < 0 ||
		normal_run(&t->normal, &c->normal, prefix, &s, &n, e) < 0)
		return -1;
	unsigned flags = from == 0 ? PRETOK_FIRST | (prefix ? 0 : PRETOK_NO_PREFIX) : 0;
	const struct added_token *a;
	struct added_cursor at = {0};
	for (; (a = added_next(
			&t->added, &t->added.normalized, s, n, &at, &c->inside, &start, &end));
		done = at.done, flags = 0) {
		if (start > done && encode_words(c, s + done, start - done, flags, e) < 0)
			return -1;
		ids_push(c->out, a->id);
	}
	return n > done ? encode_words(c, s + done, n - done, flags, e) : 0;
}

int
tokenizer_encode(const struct tokenizer *t, const struct text_piece *pieces, int n, unsigned flags,
	struct ids *out, struct err *e)
{
	struct encoding c = {.t = t, .out = out};
	const struct added_token *a;
	struct added_cursor at = {0};
	size_t done = 0, start, end;
	bool prefix = !(flags & TOKENIZER_NO_PREFIX);
	int rc = 0;
	join(&c, pieces, n);
	for (; rc == 0 && (a = added_next(&t->added, &t->added.raw, c.joined.data, c.joined.len,
				   &at, &c.lit, &start, &end));
		done = at.done) {
		if (start > done)
			rc = encode_segment(&c, done, start, prefix, e);
		if (rc == 0)
			ids_push(out, a->id);
		prefix = t->spm == NULL || t->prefix_after_added;
	}
	if (rc == 0 && c.joined.len > done)
		rc = encode_segment(&c, done, c.joined.len, prefix, e);
	free_all(&c);
	return rc;
}
