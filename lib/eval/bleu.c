#include "lib/eval/bleu.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "lib/base/rng.h"

#ifndef PRO_VERSION
#define PRO_VERSION "0"
#endif

/* The code point at s, its length in *used.  Stray bytes get numbers above Unicode. */
static int32_t
code_point(const char *s, size_t n, size_t *used)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t len =
		utf8proc_iterate((const utf8proc_uint8_t *)s, n > 4 ? 4 : (utf8proc_ssize_t)n, &c);
	if (len <= 0) {
		*used = 1;
		return 0x110000 + (unsigned char)*s;
	}
	*used = (size_t)len;
	return c;
}

/* str.isspace() of Python, which str.split() and str.strip() go by. */
static bool
is_space(int32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202f || c == 0x205f || c == 0x3000;
}

static size_t
rstrip(const char *s, size_t n)
{
	size_t end = 0;
	for (size_t i = 0, used; i < n; i += used)
		if (!is_space(code_point(s + i, n - i, &used)))
			end = i + used;
	return end;
}

void
bleu_strip(const char **s, size_t *n)
{
	*n = rstrip(*s, *n);
	size_t used;
	while (*n > 0 && is_space(code_point(*s, *n, &used)))
		*s += used, *n -= used;
}

/*
 * Clipped matches of the n-grams of one order: the sum over different n-grams of
 * min(count in hyp, count in ref).  A slot of the table holds one n-gram by its first place.
 */
struct slot {
	const int32_t *gram;
	int64_t left; /* occurrences in ref that hyp has not used up */
};

static struct slot *
find_slot(struct slot *table, size_t mask, const int32_t *gram, size_t order)
{
	size_t i = (size_t)hash64(gram, order * sizeof *gram) & mask;
	while (table[i].gram && memcmp(table[i].gram, gram, order * sizeof *gram) != 0)
		i = (i + 1) & mask;
	return &table[i];
}

static int64_t
matches(const struct ids *hyp, const struct ids *ref, size_t order)
{
	if (hyp->n < order || ref->n < order)
		return 0;
	size_t cap = 16;
	while (cap < 2 * ref->n)
		cap *= 2;
	struct slot *table = x_calloc(cap, sizeof *table);
	for (size_t i = 0; i + order <= ref->n; i++) {
		struct slot *s = find_slot(table, cap - 1, ref->v + i, order);
		s->gram = ref->v + i;
		s->left++;
	}
	int64_t n = 0;
	for (size_t i = 0; i + order <= hyp->n; i++) {
		struct slot *s = find_slot(table, cap - 1, hyp->v + i, order);
		if (s->left > 0)
			s->left--, n++;
	}
	free(table);
	return n;
}

static void
code_points(struct ids *out, const char *s, size_t n)
{
	for (size_t i = 0, used; i < n; i += used)
		ids_push(out, code_point(s + i, n - i, &used));
}

double
bleu_char(const char *hyp, size_t n_hyp, const char *ref, size_t n_ref)
{
	struct ids h = {0}, r = {0};
	code_points(&h, hyp, n_hyp);
	code_points(&r, ref, n_ref);
	double log_sum = 0, score = 0;
	for (size_t k = 1; k <= BLEU_ORDER; k++) {
		int64_t correct = matches(&h, &r, k);
		if (k == 1 && correct == 0)
			goto done;
		double total = h.n >= k ? (double)(h.n - k + 1) : 1;
		log_sum += log(correct > 0 ? (double)correct / total : DBL_MIN) / BLEU_ORDER;
	}
	double brevity = h.n > r.n ? 1 : exp(1 - (double)r.n / (double)h.n);
	score = brevity * exp(log_sum);
done:
	ids_free(&h);
	ids_free(&r);
	return score;
}

static void
replace(struct buf *b, const char *from, const char *to)
{
	size_t n = strlen(from), m = strlen(to), w = 0;
	for (size_t i = 0; i < b->len;) {
		if (b->len - i >= n && memcmp(b->data + i, from, n) == 0) {
			memcpy(b->data + w, to, m); /* never longer than from */
			w += m, i += n;
		} else {
			b->data[w++] = b->data[i++];
		}
	}
	b->len = w;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_stop(char c)
{
	return c == '.' || c == ',';
}

/* ASCII punctuation but for ' , - and . */
static bool
is_symbol(char c)
{
	return (c >= '!' && c <= '&') || (c >= '(' && c <= '+') || c == '/' ||
	       (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/*
 * mteval-v13a's language-dependent part: one left-to-right pass per rule, where what a rule has
 * matched is not looked at again.  Bytes do: no rule looks for anything but ASCII, and a rule's
 * "not a digit" holds for the last byte of a longer character as it does for the character.
 */
enum rule { SYMBOLS, STOP_AFTER, STOP_BEFORE, DASH };

static void
apply(enum rule rule, struct buf *b, struct buf *tmp)
{
	buf_reset(tmp);
	for (size_t i = 0; i < b->len; i++) {
		char c = b->data[i], next = i + 1 < b->len ? b->data[i + 1] : 0;
		bool two = i + 1 < b->len;
		if (rule == SYMBOLS && is_symbol(c)) {
			buf_putc(tmp, ' ');
			buf_putc(tmp, c);
			buf_putc(tmp, ' ');
		} else if (rule == STOP_BEFORE && two && is_stop(c) && !is_digit(next)) {
			buf_putc(tmp, ' ');
			buf_putc(tmp, c);
			buf_putc(tmp, ' ');
			buf_putc(tmp, next);
			i++;
		} else if (two && ((rule == STOP_AFTER && !is_digit(c) && is_stop(next)) ||
					  (rule == DASH && is_digit(c) && next == '-'))) {
			buf_putc(tmp, c);
			buf_putc(tmp, ' ');
			buf_putc(tmp, next);
			buf_putc(tmp, ' ');
			i++;
		} else {
			buf_putc(tmp, c);
		}
	}
	struct buf swap = *b;
	*b = *tmp;
	*tmp = swap;
}

void
bleu_tokenize_13a(struct buf *out, const char *s, size_t n)
{
	struct buf b = BUF_INIT, tmp = BUF_INIT;
	buf_put(&b, " ", 1);
	buf_put(&b, s, rstrip(s, n));
	replace(&b, "<skipped>", "");
	replace(&b, "-\n", "");
	replace(&b, "\n", " ");
	replace(&b, "&quot;", "\"");
	replace(&b, "&amp;", "&");
	replace(&b, "&lt;", "<");
	replace(&b, "&gt;", ">");
	buf_put(&b, " ", 1);
	for (int rule = SYMBOLS; rule <= DASH; rule++)
		apply((enum rule)rule, &b, &tmp);
	bool inside = false, first = true;
	for (size_t i = 0, used; i < b.len; i += used) {
		if (is_space(code_point(b.data + i, b.len - i, &used))) {
			inside = false;
			continue;
		}
		if (!inside && !first)
			buf_putc(out, ' ');
		inside = true, first = false;
		buf_put(out, b.data + i, used);
	}
	buf_free(&b);
	buf_free(&tmp);
}

/* Words of one segment pair to numbers: equal words, equal numbers. */
struct words {
	struct buf text; /* tokens of both sides, blanks between */
	struct word {
		size_t at, n;
		int32_t id;
	} * table;
	size_t mask;
	int32_t next;
};

static void
number_words(struct words *w, size_t begin, size_t end, struct ids *out)
{
	const char *s = w->text.data;
	while (begin < end) {
		const char *blank = memchr(s + begin, ' ', end - begin);
		size_t n = blank ? (size_t)(blank - s) - begin : end - begin;
		size_t i = (size_t)hash64(s + begin, n) & w->mask;
		while (w->table[i].n &&
			(w->table[i].n != n || memcmp(s + w->table[i].at, s + begin, n) != 0))
			i = (i + 1) & w->mask;
		if (w->table[i].n == 0)
			w->table[i] = (struct word){begin, n, w->next++};
		ids_push(out, w->table[i].id);
		begin += n + 1;
	}
}

void
bleu_corpus_add(struct bleu_corpus *c, const char *hyp, size_t n_hyp, const char *ref, size_t n_ref)
{
	struct words w = {.mask = 15};
	struct ids h = {0}, r = {0};
	bleu_tokenize_13a(&w.text, hyp, n_hyp);
	size_t middle = w.text.len;
	bleu_tokenize_13a(&w.text, ref, n_ref);
	while (w.mask < w.text.len) /* a token takes two bytes, so it stays half empty */
		w.mask = 2 * w.mask + 1;
	w.table = x_calloc(w.mask + 1, sizeof *w.table);
	number_words(&w, 0, middle, &h);
	number_words(&w, middle, w.text.len, &r);
	for (size_t k = 1; k <= BLEU_ORDER; k++) {
		c->correct[k - 1] += matches(&h, &r, k);
		c->total[k - 1] += h.n >= k ? (int64_t)(h.n - k + 1) : 0;
	}
	c->hyp_len += (int64_t)h.n;
	c->ref_len += (int64_t)r.n;
	ids_free(&h);
	ids_free(&r);
	free(w.table);
	buf_free(&w.text);
}

double
bleu_corpus_score(const struct bleu_corpus *c, double *precisions, double *brevity)
{
	double p[BLEU_ORDER] = {0}, bp = 1, log_sum = 0, divide = 1;
	if (c->hyp_len < c->ref_len)
		bp = c->hyp_len > 0 ? exp(1 - (double)c->ref_len / (double)c->hyp_len) : 0;
	/* Only unigrams decide: without one, no longer n-gram matches either. */
	for (int k = 0; k < BLEU_ORDER && c->correct[0] > 0 && c->total[k] > 0; k++) {
		if (c->correct[k] > 0)
			p[k] = 100.0 * (double)c->correct[k] / (double)c->total[k];
		else
			p[k] = 100.0 / ((divide *= 2) * (double)c->total[k]);
	}
	for (int k = 0; k < BLEU_ORDER; k++)
		log_sum += log(p[k]); /* -inf for 0: the score is then exactly 0 */
	if (precisions)
		memcpy(precisions, p, sizeof p);
	if (brevity)
		*brevity = bp;
	return bp * exp(log_sum / BLEU_ORDER);
}

void
bleu_signature(struct buf *out)
{
	buf_puts(out, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:pro-" PRO_VERSION);
}
