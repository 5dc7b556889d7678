#include "lib/text/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "lib/text/unicode_new.h"
#include "lib/text/utf8.h"

/* Whether the tokenizers library does not know that of c yet. */
static bool
unknown(int32_t c, enum unicode_unknown what)
{
	int from = 0, to = unicode_new_n;
	if (c < unicode_new[0].first)
		return false;
	while (to - from > 1) {
		int middle = (from + to) / 2;
		if (unicode_new[middle].first <= c)
			from = middle;
		else
			to = middle;
	}
	return c <= unicode_new[from].last && (unicode_new[from].unknown & (int)what);
}

static int
combining_class(utf8proc_int32_t c)
{
	int k = utf8proc_get_property(c)->combining_class & 0xff;
	return k > 0 && unknown(c, UNKNOWN_MARK) ? 0 : k;
}

/*
 * Canonical ordering: a stable sort of every run of non-starters by combining class.  Counting
 * sort, so that a text of nothing but accents costs no more than another.
 */
static void
order_marks(utf8proc_int32_t *c, size_t n)
{
	utf8proc_int32_t *sorted = NULL;
	for (size_t i = 0, j; i < n; i = j + 1) {
		bool ordered = true;
		int last = 0, k;
		for (j = i; j < n && (k = combining_class(c[j])) > 0; j++) {
			ordered &= k >= last;
			last = k;
		}
		if (ordered)
			continue;
		size_t first[257] = {0};
		for (size_t m = i; m < j; m++)
			first[combining_class(c[m]) + 1]++;
		for (k = 0; k < 256; k++)
			first[k + 1] += first[k];
		sorted = x_realloc(sorted, (j - i) * sizeof *sorted);
		for (size_t m = i; m < j; m++)
			sorted[first[combining_class(c[m])]++] = c[m];
		memcpy(c + i, sorted, (j - i) * sizeof *sorted);
	}
	free(sorted);
}

/* The most code points of one decomposition: U+FDFA's. */
enum { MOST = 18 };

static void
normalize_valid(const char *s, size_t n, enum unicode_form form, struct buf *out)
{
	bool compat = form == UNICODE_NFKC || form == UNICODE_NFKD;
	bool compose = form == UNICODE_NFC || form == UNICODE_NFKC;
	utf8proc_option_t how =
		UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (compat ? UTF8PROC_COMPAT : 0);
	size_t m = 0, cap = n + MOST;
	utf8proc_int32_t *c = x_malloc(cap * sizeof *c);
	for (size_t i = 0; i < n;) {
		int32_t v = 0;
		int boundary = 0;
		i += (size_t)utf8_decode(s + i, n - i, &v);
		if (m + MOST > cap) {
			cap = 2 * cap + MOST;
			c = x_realloc(c, cap * sizeof *c);
		}
		utf8proc_ssize_t k = utf8proc_decompose_char(v, c + m, MOST, how, &boundary);
		if (k > 0 && k <= MOST && !unknown(v, UNKNOWN_FORM))
			m += (size_t)k;
		else
			c[m++] = v;
	}
	order_marks(c, m);
	utf8proc_ssize_t k = (utf8proc_ssize_t)m;
	if (compose)
		k = utf8proc_normalize_utf32(c, k, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
	for (utf8proc_ssize_t i = 0; i < k; i++)
		utf8_put(out, c[i]);
	free(c);
}

void
unicode_normalize(const char *s, size_t n, enum unicode_form form, struct buf *out)
{
	/* Below U+0300 (lead byte 0xcc) everything is a starter in NFC already; ASCII in all. */
	unsigned char changes = form == UNICODE_NFC ? 0xcc : 0x80;
	size_t plain = 0;
	while (plain < n && (unsigned char)s[plain] < changes)
		plain++;
	if (plain == n) {
		buf_put(out, s, n);
		return;
	}
	for (size_t i = 0; i < n;) {
		size_t valid = utf8_valid_prefix(s + i, n - i);
		if (valid > 0)
			normalize_valid(s + i, valid, form, out);
		i += valid;
		if (i < n)
			buf_putc(out, s[i++]);
	}
}

void
unicode_lower(const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		int32_t c = 0;
		int len = utf8_decode(s + i, n - i, &c);
		if (len == 0)
			buf_putc(out, s[i]);
		else if (c == 0x130) /* the one that gets longer: SpecialCasing.txt */
			buf_puts(out, "i\xcc\x87");
		else
			utf8_put(out, utf8proc_tolower(c));
		i += (size_t)(len > 0 ? len : 1);
	}
}

/* The library's tables are from before Unicode 12 and 14 made letters, and a spacing mark, of
 * these. */
bool
unicode_is_mark(int32_t c)
{
	utf8proc_category_t k = utf8proc_category(c);
	if (c == 0x1cf2 || c == 0x1cf3)
		return true;
	return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME && !unknown(c, UNKNOWN_MARK);
}

bool
unicode_is_nonspacing(int32_t c)
{
	return c == 0x1734 ||
	       (utf8proc_category(c) == UTF8PROC_CATEGORY_MN && !unknown(c, UNKNOWN_NONSPACING));
}

bool
unicode_is_other(int32_t c)
{
	utf8proc_category_t k = utf8proc_category(c);
	return (k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF ||
		       k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CS) &&
	       !unknown(c, UNKNOWN_OTHER);
}

size_t
unicode_grapheme(const char *s, size_t n)
{
	int32_t c = 0, next = 0;
	utf8proc_int32_t state = 0;
	size_t i = (size_t)utf8_decode(s, n, &c);
	if (i < n && (unsigned char)s[0] < 0x80 && (unsigned char)s[1] < 0x80)
		return s[0] == '\r' && s[1] == '\n' ? 2 : 1;
	while (i < n) {
		size_t len = (size_t)utf8_decode(s + i, n - i, &next);
		if (utf8proc_grapheme_break_stateful(c, next, &state))
			break;
		c = next;
		i += len;
	}
	return i;
}
