#include "lib/text/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

int
utf8_decode(const char *s, size_t n, int32_t *c)
{
	const unsigned char *p = (const unsigned char *)s;
	if (p[0] < 0x80) {
		*c = p[0];
		return 1;
	}
	int len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (len == 0 || n < (size_t)len)
		return 0;
	int32_t v = p[0] & (0xff >> (len + 1));
	for (int i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	static const int32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*c = v;
	return len;
}

void
utf8_put(struct buf *b, int32_t c)
{
	utf8proc_uint8_t s[4];
	buf_put(b, s, (size_t)utf8proc_encode_char(c, s));
}

size_t
utf8_valid_prefix(const char *s, size_t n)
{
	size_t i = 0;
	int32_t c;
	for (int len; i < n && (len = utf8_decode(s + i, n - i, &c)) > 0;)
		i += (size_t)len;
	return i;
}

bool
utf8_is_space(int32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

bool
utf8_is_word(int32_t c)
{
	utf8proc_category_t k = utf8proc_category(c);
	return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_ND) ||
	       k == UTF8PROC_CATEGORY_PC;
}

size_t
utf8_trailing_space(const char *s, size_t n)
{
	while (n > 0) {
		size_t i = n - 1;
		int32_t c;
		while (i > 0 && n - i < 4 && ((unsigned char)s[i] & 0xc0) == 0x80)
			i--;
		if (utf8_decode(s + i, n - i, &c) != (int)(n - i) || !utf8_is_space(c))
			break;
		n = i;
	}
	return n;
}

size_t
utf8_leading_space(const char *s, size_t n)
{
	size_t i = 0;
	int32_t c;
	for (int len; i < n && (len = utf8_decode(s + i, n - i, &c)) > 0 && utf8_is_space(c);)
		i += (size_t)len;
	return i;
}

static int
combining_class(utf8proc_int32_t c)
{
	return utf8proc_get_property(c)->combining_class & 0xff;
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

static void
nfc_valid(const char *s, size_t n, struct buf *out)
{
	/* Canonical decompositions have at most 4 code points; every one comes of 2 bytes or more,
	 * except ASCII, which has none. */
	utf8proc_int32_t *c = x_malloc((2 * n + 4) * sizeof *c);
	size_t m = 0;
	for (size_t i = 0; i < n;) {
		int32_t v = 0;
		int boundary = 0;
		i += (size_t)utf8_decode(s + i, n - i, &v);
		m += (size_t)utf8proc_decompose_char(
			v, c + m, 4, UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
	}
	order_marks(c, m);
	utf8proc_ssize_t k = utf8proc_normalize_utf32(
		c, (utf8proc_ssize_t)m, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
	for (utf8proc_ssize_t i = 0; i < k; i++)
		utf8_put(out, c[i]);
	free(c);
}

void
utf8_nfc(const char *s, size_t n, struct buf *out)
{
	/* Below U+0300 (lead byte 0xcc) everything is a starter in NFC already. */
	size_t plain = 0;
	while (plain < n && (unsigned char)s[plain] < 0xcc)
		plain++;
	if (plain == n) {
		buf_put(out, s, n);
		return;
	}
	for (size_t i = 0; i < n;) {
		size_t valid = utf8_valid_prefix(s + i, n - i);
		if (valid > 0)
			nfc_valid(s + i, valid, out);
		i += valid;
		if (i < n)
			buf_putc(out, s[i++]);
	}
}
