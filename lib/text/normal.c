#include "lib/text/normal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/bpe.h"
#include "lib/text/utf8.h"

void
normal_free(struct normal *p)
{
	for (int i = 0; i < p->n; i++) {
		regex_free(p->step[i].re);
		charsmap_free(p->step[i].map);
		X_FREE(p->step[i].text);
	}
	p->n = 0;
	X_FREE(p->source);
}

bool
normal_has(const struct normal *p, enum normal_kind kind)
{
	for (int i = 0; i < p->n; i++)
		if (p->step[i].kind == kind)
			return true;
	return false;
}

void
normal_work_free(struct normal_work *w)
{
	buf_free(&w->a);
	buf_free(&w->b);
	regex_walk_free(&w->walk);
}

/* Replaces in a text that is UTF-8. */
static int
replace_valid(const struct normal_step *s, struct regex_walk *w, const char *text, size_t n,
	struct buf *out, struct err *e)
{
	size_t done = 0, start = 0, end = 0;
	int rc;
	if (n == 0)
		return 0;
	regex_walk_start(w);
	while ((rc = regex_next(s->re, w, text, n, &start, &end, e)) > 0) {
		if (start < done || end < start)
			continue; /* \K: what was replaced stays so */
		buf_put(out, text + done, start - done);
		buf_put(out, s->text, s->n);
		done = end;
	}
	buf_put(out, text + done, n - done);
	return rc;
}

static int
replace(const struct normal_step *s, struct regex_walk *w, const char *text, size_t n,
	struct buf *out, struct err *e)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n;) {
		size_t valid = utf8_valid_prefix(text + i, n - i);
		rc = replace_valid(s, w, text + i, valid, out, e);
		i += valid;
		if (i < n)
			buf_putc(out, text[i++]);
	}
	return rc;
}

/* tokenizers, normalizers/unicode.rs, Nmt: 0 for what goes, else what it becomes. */
static int32_t
nmt(int32_t c)
{
	if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
		c == 0x9f)
		return 0;
	bool space = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
		     (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
		     c == 0xfeff || c == 0xfffd;
	return space ? ' ' : c;
}

/* BERT's own tokenization.py, _is_chinese_char, as the library has it. */
static bool
is_chinese(int32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
	       (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
	       (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
	       (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void
clean(const struct normal_step *s, int32_t c, struct buf *out)
{
	if (s->clean) {
		bool blank = c == '\t' || c == '\n' || c == '\r';
		if (c == 0 || c == 0xfffd || (!blank && unicode_is_other(c)))
			return;
		if (blank || utf8_is_space(c))
			c = ' ';
	}
	bool apart = s->chinese && is_chinese(c);
	if (apart)
		buf_putc(out, ' ');
	utf8_put(out, c);
	if (apart)
		buf_putc(out, ' ');
}

/* Steps that look at one character: what becomes of c. */
static void
one_character(const struct normal_step *s, int32_t c, struct buf *out)
{
	switch (s->kind) {
	case NORMAL_NMT:
		if (c == 0 || (c = nmt(c)) != 0)
			utf8_put(out, c);
		break;
	case NORMAL_BERT:
		clean(s, c, out);
		break;
	default: /* NORMAL_STRIP_ACCENTS */
		if (!unicode_is_mark(c))
			utf8_put(out, c);
	}
}

static void
characters(const struct normal_step *s, const char *text, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		int32_t c = 0;
		int len = utf8_decode(text + i, n - i, &c);
		if (len > 0)
			one_character(s, c, out);
		else
			buf_putc(out, text[i]);
		i += (size_t)(len > 0 ? len : 1);
	}
}

/* In out alone: NFD without nonspacing marks. */
static void
drop_accents(struct buf *out)
{
	struct buf d = BUF_INIT;
	unicode_normalize(out->data, out->len, UNICODE_NFD, &d);
	buf_reset(out);
	for (size_t i = 0; i < d.len;) {
		int32_t c = 0;
		int len = utf8_decode(d.data + i, d.len - i, &c);
		size_t k = (size_t)(len > 0 ? len : 1);
		if (len == 0 || !unicode_is_nonspacing(c))
			buf_put(out, d.data + i, k);
		i += k;
	}
	buf_free(&d);
}

static void
bert(const struct normal_step *s, const char *text, size_t n, struct buf *out)
{
	characters(s, text, n, out);
	if (s->accents && out->len > 0)
		drop_accents(out);
	if (s->lower && out->len > 0) {
		struct buf d = BUF_INIT;
		unicode_lower(out->data, out->len, &d);
		buf_free(out);
		*out = d;
	}
}

static void
strip(const struct normal_step *s, const char *text, size_t n, struct buf *out)
{
	size_t from = s->left ? utf8_leading_space(text, n) : 0;
	size_t to = s->right ? from + utf8_trailing_space(text + from, n - from) : n;
	buf_put(out, text + from, to - from);
}

static int
run_step(const struct normal_step *s, struct regex_walk *w, const char *text, size_t n,
	struct buf *out, struct err *e)
{
	switch (s->kind) {
	case NORMAL_PREPEND:
		if (n > 0)
			buf_put(out, s->text, s->n);
		buf_put(out, text, n);
		return 0;
	case NORMAL_REPLACE:
		return replace(s, w, text, n, out, e);
	case NORMAL_FORM:
		unicode_normalize(text, n, s->form, out);
		return 0;
	case NORMAL_LOWER:
		unicode_lower(text, n, out);
		return 0;
	case NORMAL_STRIP:
		strip(s, text, n, out);
		return 0;
	case NORMAL_CHARSMAP:
		charsmap_run(s->map, text, n, out);
		return 0;
	case NORMAL_SPELL:
		bpe_spell(text, n, out);
		return 0;
	case NORMAL_BERT:
		bert(s, text, n, out);
		return 0;
	case NORMAL_NMT:
	case NORMAL_STRIP_ACCENTS:
		break;
	}
	characters(s, text, n, out);
	return 0;
}

int
normal_run(const struct normal *p, struct normal_work *w, bool prefix, const char **s, size_t *n,
	struct err *e)
{
	struct buf *to = &w->a, *other = &w->b;
	for (int i = 0; i < p->n; i++) {
		if (!prefix && p->step[i].kind == NORMAL_PREPEND)
			continue;
		buf_reset(to);
		buf_reserve(to, *n + 1);
		if (run_step(&p->step[i], &w->walk, *s, *n, to, e) < 0)
			return -1;
		*s = to->data ? to->data : "";
		*n = to->len;
		struct buf *swap = to;
		to = other;
		other = swap;
	}
	return 0;
}
