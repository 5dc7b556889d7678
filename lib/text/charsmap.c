#include "lib/text/charsmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/unicode.h"
#include "lib/text/utf8.h"

struct charsmap {
	uint32_t *unit;
	size_t n_units;
	char *text; /* NUL-terminated */
	size_t n_text;
};

static int
base64_digit(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'             ? 62
	       : c == '/'             ? 63
				      : -1;
}

static int
base64_decode(const char *s, size_t n, struct buf *out)
{
	uint32_t bits = 0;
	int have = 0;
	while (n > 0 && s[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		int d = base64_digit(s[i]);
		if (d < 0)
			return -1;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_putc(out, (char)(bits >> have & 0xff));
		}
	}
	return 0;
}

static uint32_t
unit_at(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

struct charsmap *
charsmap_load(const char *base64, size_t n, struct err *e)
{
	struct buf b = BUF_INIT;
	size_t size = 0;
	bool ok = base64_decode(base64, n, &b) == 0 && b.len >= 4;
	if (ok)
		size = unit_at(b.data);
	if (!ok || size > b.len - 4 || size % 4 != 0 || size == 0) {
		buf_free(&b);
		err_set(e, ERR_DATA, "precompiled_charsmap: not what SentencePiece writes");
		return NULL;
	}
	struct charsmap *m = x_calloc(1, sizeof *m);
	m->n_units = size / 4;
	m->unit = x_malloc(size);
	for (size_t i = 0; i < m->n_units; i++)
		m->unit[i] = unit_at(b.data + 4 + 4 * i);
	m->n_text = b.len - 4 - size;
	m->text = x_malloc(m->n_text + 1);
	memcpy(m->text, b.data + 4 + size, m->n_text);
	m->text[m->n_text] = '\0';
	buf_free(&b);
	return m;
}

void
charsmap_free(struct charsmap *m)
{
	if (m == NULL)
		return;
	free(m->unit);
	free(m->text);
	free(m);
}

/* Fields of a unit: darts.h, class DoubleArrayUnit. */
static size_t
offset_of(uint32_t u)
{
	return (size_t)(u >> 10) << ((u & 1u << 9) >> 6);
}

/* What the shortest prefix of s in the trie gives; NULL: none. */
static const char *
find(const struct charsmap *m, const char *s, size_t n)
{
	size_t at = offset_of(m->unit[0]);
	for (size_t i = 0; i < n && s[i]; i++) {
		unsigned char c = (unsigned char)s[i];
		at ^= c;
		if (at >= m->n_units || (m->unit[at] & (1u << 31 | 0xff)) != c)
			return NULL;
		uint32_t u = m->unit[at];
		at ^= offset_of(u);
		if (u >> 8 & 1) { /* a leaf: its value is in the next unit */
			size_t value = at < m->n_units ? m->unit[at] & ((1u << 31) - 1) : SIZE_MAX;
			return value <= m->n_text ? m->text + value : NULL;
		}
	}
	return NULL;
}

static void
run_valid(const struct charsmap *m, const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = unicode_grapheme(s + i, n - i);
		const char *to = len < 6 ? find(m, s + i, len) : NULL;
		if (to) {
			buf_puts(out, to);
			continue;
		}
		for (size_t k = i, c_len; k < i + len; k += c_len) {
			int32_t c;
			c_len = (size_t)utf8_decode(s + k, i + len - k, &c);
			to = find(m, s + k, c_len);
			if (to)
				buf_puts(out, to);
			else
				buf_put(out, s + k, c_len);
		}
	}
}

void
charsmap_run(const struct charsmap *m, const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		size_t valid = utf8_valid_prefix(s + i, n - i);
		run_valid(m, s + i, valid, out);
		i += valid;
		if (i < n)
			buf_putc(out, s[i++]);
	}
}
