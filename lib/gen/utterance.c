#include "lib/gen/utterance.h"

#include <stdint.h>
#include <string.h>

ptrdiff_t
stop_find(const struct stop_list *s, const char *text, size_t n, size_t checked)
{
	if (s->n == 0 || n == 0)
		return -1;
	size_t back = s->longest - 1, from = checked > back ? checked - back : 0;
	const char *best = NULL;
	for (int i = 0; i < s->n; i++) {
		size_t end = best ? (size_t)(best - text) + strlen(s->v[i]) : n;
		end = end < n ? end : n;
		const char *p = memmem(text + from, end - from, s->v[i], strlen(s->v[i]));
		if (p && (best == NULL || p < best))
			best = p;
	}
	return best ? best - text : -1;
}

/* How many continuation bytes follow lead byte c, and the range of the first of them (Unicode 15,
 * table 3-7); -1: not a lead byte. */
static int
sequence(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = 0x80, *high = 0xbf;
	if (c < 0x80)
		return 0;
	if (c >= 0xc2 && c <= 0xdf)
		return 1;
	if (c >= 0xe0 && c <= 0xef) {
		if (c == 0xe0)
			*low = 0xa0;
		if (c == 0xed)
			*high = 0x9f;
		return 2;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (c == 0xf0)
			*low = 0x90;
		if (c == 0xf4)
			*high = 0x8f;
		return 3;
	}
	return -1;
}

void
utf8_repair(struct buf *out, const char *text, size_t n, bool cut_tail)
{
	static const char replacement[] = "\xef\xbf\xbd";
	for (size_t i = 0; i < n;) {
		unsigned char low, high;
		int more = sequence((unsigned char)text[i], &low, &high);
		if (more == 0 && text[i] != '\0') {
			buf_putc(out, text[i++]);
			continue;
		}
		size_t m = 1; /* the well-formed part */
		int have = 0;
		while (have < more && i + m < n) {
			unsigned char c = (unsigned char)text[i + m];
			if (c < low || c > high)
				break;
			low = 0x80, high = 0xbf;
			m++, have++;
		}
		if (more > 0 && have == more)
			buf_put(out, text + i, m);
		else if (!(cut_tail && more > 0 && i + m == n))
			buf_puts(out, replacement);
		i += m;
	}
}

void
strip_space(const char **text, size_t *n)
{
	static const char space[] = " \t\n\v\f\r";
	while (*n > 0 && memchr(space, **text, sizeof space - 1))
		++*text, --*n;
	while (*n > 0 && memchr(space, (*text)[*n - 1], sizeof space - 1))
		--*n;
}
