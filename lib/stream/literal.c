#include "lib/stream/literal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && *p && strchr(" \t\r\n", *p))
		p++;
	return p;
}

/* s holds name in quotes, followed by a colon: a key. */
static bool
has_key(const char *s, const char *end, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = s; (p = memmem(p, (size_t)(end - p), name, n)) != NULL; p += n) {
		const char *after = p + n;
		if (p > s && after < end && (p[-1] == '"' || p[-1] == '\'') && *after == p[-1]) {
			after = skip_space(after + 1, end);
			if (after < end && *after == ':')
				return true;
		}
	}
	return false;
}

bool
literal_is_messages(const char *s, size_t n)
{
	const char *end = s + n, *p = skip_space(s, end);
	if (p < end && *p == '[')
		p = skip_space(p + 1, end);
	if (p == end || *p != '{')
		return false;
	p = skip_space(p + 1, end);
	if (p == end || (*p != '"' && *p != '\''))
		return false;
	/* a speaker, and a text where it is not cut off before that */
	return has_key(p - 1, end, "role") || has_key(p - 1, end, "from");
}

struct reader {
	const char *p, *end;
	int depth;
	struct err *e;
};

static json_t *
wrong(struct reader *r, const char *what)
{
	err_set(r->e, ERR_DATA, "%s", what);
	return NULL;
}

static void
put_utf8(struct buf *b, unsigned long c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
		return;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
	buf_putc(b, (char)(lead[more] | c >> 6 * more));
	while (more-- > 0)
		buf_putc(b, (char)(0x80 | (c >> 6 * more & 0x3f)));
}

/* Python's \xHH, \uHHHH, \UHHHHHHHH: digits hexadecimal digits at r->p.  False: no character. */
static bool
read_hex(struct reader *r, int digits, struct buf *out)
{
	unsigned long c = 0;
	for (int i = 0; i < digits; i++, r->p++) {
		if (r->p == r->end)
			return false;
		int x = *r->p | 0x20;
		if (*r->p >= '0' && *r->p <= '9')
			c = 16 * c + (unsigned long)(*r->p - '0');
		else if (x >= 'a' && x <= 'f')
			c = 16 * c + (unsigned long)(x - 'a' + 10);
		else
			return false;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	put_utf8(out, c);
	return true;
}

/* Behind a backslash. */
static bool
read_escape(struct reader *r, struct buf *out)
{
	static const char from[] = "\\'\"nrtabfv\n", to[] = "\\'\"\n\r\t\a\b\f\v";
	if (r->p == r->end || *r->p == '\0')
		return false;
	char c = *r->p++;
	const char *k = strchr(from, c);
	if (c == 'x' || c == 'u' || c == 'U')
		return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
	if (k == NULL) {
		if (strchr("01234567N", c))
			return false;
		buf_putc(out, '\\'); /* Python keeps the backslash of what is no escape */
		buf_putc(out, c);
	} else if (to[k - from]) {
		buf_putc(out, to[k - from]);
	}
	return true;
}

static json_t *
read_text(struct reader *r)
{
	struct buf b = BUF_INIT;
	char quote = *r->p++;
	bool good = true;
	buf_puts(&b, "");
	while (good && r->p < r->end && *r->p != quote) {
		if (*r->p == '\\') {
			r->p++;
			good = read_escape(r, &b);
		} else if (*r->p == '\0') {
			good = false;
		} else {
			buf_putc(&b, *r->p++);
		}
	}
	json_t *v = good && r->p < r->end ? json_stringn(b.data, b.len) : NULL;
	buf_free(&b);
	if (v == NULL)
		return wrong(r, good ? "a string without end" : "an escape that is no character");
	r->p++;
	return v;
}

static json_t *read_value(struct reader *r);

/* Up to and with close; a comma between elements, or, between objects, nothing (numpy). */
static json_t *
read_list(struct reader *r, char close)
{
	json_t *list = json_array();
	bool comma = true;
	for (;;) {
		r->p = skip_space(r->p, r->end);
		if (r->p < r->end && *r->p == close)
			break;
		bool object = r->p < r->end && *r->p == '{' && r->p[-1] != '}';
		json_t *v = comma || object ? read_value(r) : wrong(r, "a comma is missing");
		if (v == NULL) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, v);
		r->p = skip_space(r->p, r->end);
		comma = r->p < r->end && *r->p == ',';
		r->p += comma;
	}
	r->p++;
	return list;
}

static json_t *
read_dict(struct reader *r)
{
	json_t *o = json_object();
	bool comma = true;
	for (;;) {
		r->p = skip_space(r->p, r->end);
		if (r->p < r->end && *r->p == '}')
			break;
		bool key = comma && r->p < r->end && (*r->p == '\'' || *r->p == '"');
		json_t *name = key ? read_text(r) : wrong(r, "a key is missing"), *v = NULL;
		r->p = skip_space(r->p, r->end);
		if (name && (r->p == r->end || *r->p++ != ':'))
			wrong(r, "a colon is missing");
		else if (name && json_object_get(o, json_string_value(name)))
			wrong(r, "a key twice");
		else if (name)
			v = read_value(r);
		if (v)
			json_object_set_new(o, json_string_value(name), v);
		json_decref(name);
		if (v == NULL) {
			json_decref(o);
			return NULL;
		}
		r->p = skip_space(r->p, r->end);
		comma = r->p < r->end && *r->p == ',';
		r->p += comma;
	}
	r->p++;
	return o;
}

/* None, True, False, or a number. */
static json_t *
read_word(struct reader *r)
{
	size_t n = 0;
	while (r->p + n < r->end && r->p[n] && !strchr(" \t\r\n,:[]{}()'\"", r->p[n]))
		n++;
	const char *s = r->p;
	r->p += n;
	if (n == 4 && memcmp(s, "None", 4) == 0)
		return json_null();
	if (n == 4 && memcmp(s, "True", 4) == 0)
		return json_true();
	if (n == 5 && memcmp(s, "False", 5) == 0)
		return json_false();
	json_t *v = n > 0 ? json_parse(s, n, NULL) : NULL; /* what JSON has too */
	return v ? v : wrong(r, "a word that is no value");
}

static json_t *
read_value(struct reader *r)
{
	json_t *v;
	r->p = skip_space(r->p, r->end);
	if (r->p == r->end)
		return wrong(r, "cut off");
	if (r->depth == MAX_DEPTH)
		return wrong(r, "nested too deeply");
	r->depth++;
	switch (*r->p) {
	case '[':
	case '(':
		r->p++;
		v = read_list(r, r->p[-1] == '[' ? ']' : ')');
		break;
	case '{':
		r->p++;
		v = read_dict(r);
		break;
	case '\'':
	case '"':
		v = read_text(r);
		break;
	default:
		v = read_word(r);
	}
	r->depth--;
	return v;
}

json_t *
literal_parse(const char *s, size_t n, struct err *e)
{
	struct err json = {0}, python = {0};
	json_t *v = json_parse(s, n, &json);
	if (v)
		return v;
	struct reader r = {.p = s, .end = s + n, .e = &python};
	v = read_value(&r);
	if (v && skip_space(r.p, r.end) != r.end) {
		json_decref(v);
		v = NULL;
		wrong(&r, "text behind the end");
	}
	if (v == NULL)
		err_set(e, ERR_DATA, "neither JSON (%s) nor Python (%s at byte %zu)", json.msg,
			python.msg, (size_t)(r.p - s) + 1);
	return v;
}
