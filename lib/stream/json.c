#include "lib/stream/json.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

/*
 * jansson has no integer beyond 64 bits, and no -0.  Such a number is kept as a string of a NUL
 * byte and its digits, which no JSON text gives (\u0000 is refused), and written back as it came.
 * So are the three words that Python's json module writes for numbers that are not finite.
 */
bool
json_is_big(const json_t *v)
{
	return json_is_string(v) && json_string_length(v) > 0 && *json_string_value(v) == '\0';
}

/* Length of the integer at s if it is one that does not fit 64 bits, or -0; else 0. */
static size_t
big_integer(const char *s, const char *end)
{
	const char *p = s, *digits;
	if (*p == '-')
		p++;
	for (digits = p; p < end && *p >= '0' && *p <= '9'; p++)
		;
	size_t n = (size_t)(p - digits);
	if (n == 1 && *s == '-' && *digits == '0' && (p == end || !strchr(".eE", *p)))
		return 2;
	if (n < 19 || *digits == '0' || (p < end && (*p == '.' || *p == 'e' || *p == 'E')))
		return 0;
	if (n == 19 &&
		memcmp(digits, *s == '-' ? "9223372036854775808" : "9223372036854775807", 19) <= 0)
		return 0;
	return (size_t)(p - s);
}

/* Length of NaN, Infinity or -Infinity at s, else 0. */
static size_t
python_number(const char *s, const char *end)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(end - s) >= n && memcmp(s, words[i], n) == 0)
			return n;
	}
	return 0;
}

static void
put_raw(struct buf *out, const char *kept, const char *p, size_t n)
{
	buf_put(out, kept, (size_t)(p - kept));
	buf_puts(out, "\"\\u0000");
	buf_put(out, p, n);
	buf_putc(out, '"');
}

/*
 * How many bytes stand before the first that is a quote, a backslash or a control character; eight
 * at a time: x - y borrows through the high bit of a byte that is below y, and then maybe of those
 * above it, so that the lowest bit found is right.
 */
static size_t
plain(const char *s, size_t n)
{
	size_t i = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint64_t one = 0x0101010101010101, high = 0x8080808080808080;
	for (uint64_t x, found; n - i >= sizeof x; i += sizeof x) {
		memcpy(&x, s + i, sizeof x);
		uint64_t quote = x ^ one * '"', slash = x ^ one * '\\';
		found = ((x - one * 0x20) & ~x) | ((quote - one) & ~quote) |
			((slash - one) & ~slash);
		if (found & high)
			return i + (size_t)__builtin_ctzll(found & high) / 8;
	}
#endif
	while (i < n && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

/* Moves over the number, word or sign at p, so that its tail is not taken for another. */
static const char *
pass_number(const char *p, const char *end)
{
	while (p < end && *p && strchr("+-.eE0123456789", *p))
		p++;
	return p;
}

/*
 * Reads over the text once and rewrites big integers (python: words for numbers that are not
 * finite, too) into the form above, into out, which stays empty when there is none.  The place of a
 * \u0000, else NULL; all other mistakes are jansson's.
 */
static const char *
prescan(const char *s, size_t n, bool python, struct buf *out)
{
	const char *p = s, *end = s + n, *kept = s;
	bool string = false;
	while (p < end) {
		if (string && *p == '\\') {
			if (end - p >= 6 && memcmp(p, "\\u0000", 6) == 0)
				return p;
			p += 2;
			if (p < end)
				p += plain(p, (size_t)(end - p));
		} else if (*p == '"') {
			string = !string;
			p++;
			if (string)
				p += plain(p, (size_t)(end - p));
		} else if (!string && python && (*p == 'N' || *p == 'I' || *p == '-') &&
			   python_number(p, end)) {
			size_t word = python_number(p, end);
			put_raw(out, kept, p, word);
			kept = p += word;
		} else if (!string && (*p == '-' || (*p >= '0' && *p <= '9'))) {
			size_t big = big_integer(p, end);
			if (big > 0) {
				put_raw(out, kept, p, big);
				kept = p + big;
			}
			p = pass_number(p, end);
		} else {
			p++;
		}
	}
	if (out->len > 0 && kept < end)
		buf_put(out, kept, (size_t)(end - kept));
	return NULL;
}

/* Spellings of other languages where jansson met no JSON, and what to say of them; p: what is left
 * of the text from there on, n bytes. */
static const char *
foreign_word(const char *p, size_t n)
{
	static const struct {
		const char *word, *say;
	} words[] = {
		{"NaN", "NaN is no JSON number (null is none, too)"},
		{"nan", "nan is no JSON number (null is none, too)"},
		{"Infinity", "Infinity is no JSON number"},
		{"-Infinity", "-Infinity is no JSON number"},
		{"inf", "inf is no JSON number"},
		{"-inf", "-inf is no JSON number"},
		{"True", "True is Python's spelling, not JSON: true (json.dumps writes it)"},
		{"False", "False is Python's spelling, not JSON: false (json.dumps writes it)"},
		{"None", "None is Python's spelling, not JSON: null (json.dumps writes it)"},
		{"'", "' is no quote of JSON (Python's str() writes it, json.dumps does not)"},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t len = strlen(words[i].word);
		if (n >= len && memcmp(p, words[i].word, len) == 0)
			return words[i].say;
	}
	return NULL;
}

/* What jansson's message means, where its own words do not tell. */
static const char *
explain(const char *s, size_t n, const json_error_t *je)
{
	enum json_error_code code = json_error_code(je);
	size_t at = je->position > 0 ? (size_t)je->position : 0, from = at < n ? at : n;
	const char *token = strstr(je->text, " near '");
	/* position is behind the token, which the message ends with in quotes */
	size_t len = token ? strlen(token + 7) - 1 : 0;
	if (code == json_error_invalid_syntax && strstr(je->text, "invalid Unicode"))
		return "a lone surrogate (\\ud800 to \\udfff): half of a character";
	if (code == json_error_invalid_syntax && len > 0 && len <= from) {
		const char *say = foreign_word(s + from - len, n - (from - len));
		if (say)
			return say;
	}
	if (code == json_error_end_of_input_expected && from > 0 && s[from - 1] == ',')
		return "a comma behind the value: a piece of a JSON array, whose [ and ] are "
		       "missing?";
	return je->text;
}

static json_t *
parse(const char *s, size_t n, bool python, int64_t *line, int column, struct err *e)
{
	struct buf rewritten = BUF_INIT;
	json_error_t je = {.line = -1};
	const char *nul = prescan(s, n, python, &rewritten);
	json_t *v = NULL;
	if (nul) {
		const char *begin = s;
		for (const char *nl; (nl = memchr(begin, '\n', (size_t)(nul - begin)));
			begin = nl + 1)
			++*line;
		err_set(e, ERR_DATA, "JSON: column %d: \\u0000 (a NUL) in a string",
			(int)(nul - begin) + (begin == s ? column : 1));
		buf_free(&rewritten);
		return NULL;
	}
	if (rewritten.len > 0)
		s = rewritten.data, n = rewritten.len;
	v = json_loadb(s, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
	if (v == NULL) {
		*line += je.line > 1 ? je.line - 1 : 0;
		err_set(e, ERR_DATA, "JSON: column %d: %s",
			je.column + (je.line <= 1 ? column - 1 : 0), explain(s, n, &je));
	}
	buf_free(&rewritten);
	return v;
}

json_t *
json_parse_at(const char *s, size_t n, int64_t *line, int column, struct err *e)
{
	return parse(s, n, false, line, column, e);
}

static json_t *
parse_alone(const char *s, size_t n, bool python, struct err *e)
{
	int64_t line = 1;
	struct err why = {0};
	json_t *v = parse(s, n, python, &line, 1, &why);
	if (v == NULL && line > 1) /* a file, not a line of one */
		err_set(e, ERR_DATA, "JSON: line %lld, %s", (long long)line,
			why.msg + strlen("JSON: "));
	else if (v == NULL)
		err_set(e, why.code, "%s", why.msg);
	return v;
}

json_t *
json_parse(const char *s, size_t n, struct err *e)
{
	return parse_alone(s, n, false, e);
}

json_t *
json_parse_python(const char *s, size_t n, struct err *e)
{
	return parse_alone(s, n, true, e);
}

void
json_write_real(struct buf *out, double x)
{
	char s[40];
	if (!isfinite(x)) {
		buf_puts(out, "null");
		return;
	}
	/* 15 digits are always kept, except by the denormals, which have fewer */
	for (int digits = fabs(x) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, x);
		if (strtod(s, NULL) == x)
			break;
	}
	buf_puts(out, s);
	if (s[strcspn(s, ".e")] == '\0')
		buf_puts(out, ".0"); /* so that a real stays one */
}

void
json_write_string(struct buf *out, const char *s, size_t n)
{
	static const char letters[] = "btnvfr"; /* from \b on; \v has no escape in JSON */
	const char *end = s + n, *kept = s;
	buf_putc(out, '"');
	for (; (s += plain(s, (size_t)(end - s))) < end; s++) {
		unsigned char c = (unsigned char)*s;
		buf_put(out, kept, (size_t)(s - kept));
		kept = s + 1;
		if (c == '"' || c == '\\')
			buf_put(out, (const char[]){'\\', *s}, 2);
		else if (c >= '\b' && c <= '\r' && c != '\v')
			buf_put(out, (const char[]){'\\', letters[c - '\b']}, 2);
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_put(out, kept, (size_t)(end - kept));
	buf_putc(out, '"');
}

/* Length of the UTF-8 character at s (RFC 3629, table 3-7 of Unicode); 0: there is none. */
static size_t
character(const unsigned char *s, size_t n)
{
	unsigned char c = s[0], low = 0x80, high = 0xbf;
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	if (len < 2 || n < len)
		return len == 1 && c != 0;
	if (c == 0xe0)
		low = 0xa0;
	if (c == 0xed)
		high = 0x9f; /* no surrogates */
	if (c == 0xf0)
		low = 0x90;
	if (c == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void
json_write_bytes(struct buf *out, const char *s, size_t n)
{
	struct buf text = BUF_INIT;
	buf_puts(&text, "");
	for (size_t i = 0, len; i < n; i += len ? len : 1) {
		len = character((const unsigned char *)s + i, n - i);
		buf_put(&text, len ? s + i : "\xef\xbf\xbd", len ? len : 3);
	}
	json_write_string(out, text.data, text.len);
	buf_free(&text);
}

static void
write_object(struct buf *out, const json_t *v)
{
	bool first = true;
	buf_putc(out, '{');
	for (void *i = json_object_iter((json_t *)v); i;
		i = json_object_iter_next((json_t *)v, i)) {
		const char *key = json_object_iter_key(i);
		if (!first)
			buf_putc(out, ',');
		first = false;
		json_write_string(out, key, strlen(key));
		buf_putc(out, ':');
		json_write(out, json_object_iter_value(i));
	}
	buf_putc(out, '}');
}

void
json_write(struct buf *out, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		write_object(out, v);
		break;
	case JSON_ARRAY:
		buf_putc(out, '[');
		for (size_t i = 0; i < json_array_size(v); i++) {
			if (i > 0)
				buf_putc(out, ',');
			json_write(out, json_array_get(v, i));
		}
		buf_putc(out, ']');
		break;
	case JSON_STRING:
		if (json_is_big(v))
			buf_put(out, json_string_value(v) + 1, json_string_length(v) - 1);
		else
			json_write_string(out, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		json_write_real(out, json_real_value(v));
		break;
	case JSON_TRUE:
		buf_puts(out, "true");
		break;
	case JSON_FALSE:
		buf_puts(out, "false");
		break;
	case JSON_NULL:
		buf_puts(out, "null");
		break;
	}
}

/* s with U+FFFD for each byte that is no UTF-8. */
static void
repair(const char *s, size_t n, struct buf *out)
{
	while (n > 0) {
		utf8proc_int32_t c;
		utf8proc_ssize_t k = utf8proc_iterate(
			(const utf8proc_uint8_t *)s, (utf8proc_ssize_t)(n < 4 ? n : 4), &c);
		if (k > 0)
			buf_put(out, s, (size_t)k);
		else
			buf_puts(out, "\xef\xbf\xbd"), k = 1;
		s += k, n -= (size_t)k;
	}
}

json_t *
json_text(const char *s)
{
	return json_textn(s, strlen(s));
}

json_t *
json_textn(const char *s, size_t n)
{
	json_t *v = json_stringn(s, n);
	if (v)
		return v;
	struct buf b = BUF_INIT;
	repair(s, n, &b);
	v = json_stringn(b.data, b.len);
	assert(v);
	buf_free(&b);
	return v;
}

void
json_put(json_t *o, const char *key, json_t *v)
{
	assert(json_is_object(o) && v && v != o);
	if (json_object_set(o, key, v) < 0) {
		struct buf b = BUF_INIT;
		repair(key, strlen(key), &b);
		int rc = json_object_set(o, b.data, v);
		assert(rc == 0);
		(void)rc;
		buf_free(&b);
	}
	json_decref(v);
}

void
json_add(json_t *list, json_t *v)
{
	int rc = json_array_append_new(list, v);
	assert(rc == 0);
	(void)rc;
}

int
json_get_string(const json_t *o, const char *key, const char **v, size_t *n, struct err *e)
{
	const json_t *x = json_object_get(o, key);
	if (x == NULL)
		return 0;
	if (!json_is_string(x) || json_is_big(x))
		return err_set(e, ERR_DATA, "%s: not a string", key);
	*v = json_string_value(x);
	if (n)
		*n = json_string_length(x);
	return 1;
}

int
json_get_number(const json_t *o, const char *key, double *v, struct err *e)
{
	const json_t *x = json_object_get(o, key);
	if (x == NULL)
		return 0;
	if (json_is_big(x))
		*v = strtod(json_string_value(x) + 1, NULL);
	else if (json_is_number(x))
		*v = json_number_value(x);
	else
		return err_set(e, ERR_DATA, "%s: not a number", key);
	return isfinite(*v) ? 1 : err_set(e, ERR_DATA, "%s: not finite", key);
}
