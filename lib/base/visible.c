#include "lib/base/visible.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <utf8proc.h>

/* Bytes of the character at s [n], 0 when it is none (RFC 3629); *c is its number. */
static size_t
decode(const unsigned char *s, size_t n, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = *s < 0x80   ? 1
		     : *s < 0xc2 ? 0
		     : *s < 0xe0 ? 2
		     : *s < 0xf0 ? 3
		     : *s < 0xf5 ? 4
				 : 0;
	if (len == 0 || len > n)
		return 0;
	*c = len == 1 ? *s : *s & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3fu);
	}
	return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

static bool
is_control(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void
text_visible(struct buf *out, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c = 0;
	for (size_t i = 0, len; i < n; i += len) {
		len = decode(s + i, n - i, &c);
		if (len == 0 || c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\x%02x", s[i]);
			len = 1;
		} else if (is_control(c)) {
			buf_printf(out, "\\u%04x", (unsigned)c);
		} else {
			buf_put(out, text + i, len);
		}
	}
}

/* The character at text [n]: its columns; *len its bytes. */
static int
width_at(const char *text, size_t n, size_t *len)
{
	uint32_t c = 0;
	*len = decode((const unsigned char *)text, n, &c);
	if (*len > 0)
		return utf8proc_charwidth((utf8proc_int32_t)c);
	*len = 1;
	return 1;
}

int
text_width(const char *text, size_t n)
{
	int w = 0;
	for (size_t i = 0, len; i < n; i += len)
		w += width_at(text + i, n - i, &len);
	return w;
}

size_t
text_tail(const char *text, size_t n, int width)
{
	int w = text_width(text, n), one;
	size_t at = 0, len;
	if (w <= width)
		return 0;
	for (; at < n; at += len, w -= one) {
		one = width_at(text + at, n - at, &len);
		if (w <= width && one > 0)
			break; /* marks above what is left out go with it */
	}
	return at;
}

void
text_wrap(struct buf *out, const char *text, size_t n, int width)
{
	static const char go_on[] = "\n  ";
	int at = 0;
	for (size_t i = 0, end; i < n; i = end + 1) {
		const char *blank = memchr(text + i, ' ', n - i);
		end = blank ? (size_t)(blank - text) : n;
		int w = text_width(text + i, end - i);
		if (at > 0 && at + 1 + w > width) {
			buf_puts(out, go_on);
			at = (int)sizeof go_on - 2;
		} else if (i > 0) {
			buf_putc(out, ' ');
			at++;
		}
		buf_put(out, text + i, end - i);
		at += w;
	}
}
