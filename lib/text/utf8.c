#include "lib/text/utf8.h"

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
	/* Alphabetic beyond the categories: PropList.txt, Other_Alphabetic: circled letters. */
	bool circled = (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
		       (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
	return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) ||
	       k == UTF8PROC_CATEGORY_PC || circled || c == 0x200c || c == 0x200d;
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
