/* Tokens of a template, by the rules of jinja2's lexer.py with trim_blocks and lstrip_blocks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/jinja_str.h"
#include "lib/text/utf8.h"

struct lexer {
	struct jcomp *c;
	size_t at;
	int line;
	bool line_starting; /* the last match ended in a newline */
	char open[JINJA_MAX_NESTING];
	int n_open;
};

static bool
looking_at(const struct lexer *x, size_t at, const char *s)
{
	size_t n = strlen(s);
	return at + n <= x->c->n && memcmp(x->c->src + at, s, n) == 0;
}

static size_t
space_end(const struct lexer *x, size_t at)
{
	int n;
	while (at < x->c->n && (n = jc_space_at(x->c->src + at, x->c->n - at)) > 0)
		at += n;
	return at;
}

static struct jtoken *
push(struct lexer *x, enum jt type)
{
	struct jcomp *c = x->c;
	if (c->n_tokens == c->cap_tokens) {
		size_t cap = c->cap_tokens ? 2 * c->cap_tokens : 256;
		struct jtoken *t = arena_calloc(c->arena, cap, sizeof *t);
		if (c->n_tokens)
			memcpy(t, c->token, c->n_tokens * sizeof *t);
		c->token = t;
		c->cap_tokens = cap;
	}
	struct jtoken *t = &c->token[c->n_tokens++];
	t->type = type;
	t->line = x->line;
	return t;
}

/* Moves to `to`, counting lines. */
static void
advance(struct lexer *x, size_t to)
{
	for (size_t i = x->at; i < to; i++)
		x->line += x->c->src[i] == '\n';
	if (to > x->at)
		x->line_starting = x->c->src[to - 1] == '\n';
	x->at = to;
}

/* Text [from, to) before a tag that begins with sign ('-', '+' or 0). */
static void
push_data(struct lexer *x, size_t from, size_t to, char sign, bool lstrip)
{
	const char *s = x->c->src;
	if (sign == '-') {
		to = from + jc_rstrip(s + from, to - from);
	} else if (sign != '+' && lstrip) {
		size_t line = to;
		while (line > from && s[line - 1] != '\n')
			line--;
		if ((line > from || x->line_starting) && space_end(x, line) >= to)
			to = line;
	}
	if (to > from)
		push(x, JT_DATA)->value = jc_string(x->c, s + from, to - from);
}

static char
sign_at(const struct lexer *x, size_t at)
{
	char c = at < x->c->n ? x->c->src[at] : 0;
	return c == '-' || c == '+' ? c : 0;
}

/* The end of a tag that closes with `end` at `at` ("%}" or "#}", a sign before it allowed): where
 * the text goes on, or 0 when there is none here. */
static size_t
tag_end(const struct lexer *x, size_t at, const char *end, bool plus, bool trim)
{
	char sign = sign_at(x, at);
	if (sign == '+' && !plus)
		return 0;
	if (!looking_at(x, at + (sign != 0), end))
		return 0;
	at += (sign != 0) + strlen(end);
	if (sign == '-')
		return space_end(x, at);
	return at + (sign == 0 && trim && looking_at(x, at, "\n"));
}

static void
lex_comment(struct lexer *x, size_t at)
{
	for (size_t i = at; i < x->c->n; i++) {
		size_t end = tag_end(x, i, "#}", true, true);
		if (end) {
			advance(x, end);
			return;
		}
	}
	if (at < x->c->n) /* jinja2 lets one pass that ends with the source */
		jc_fail(x->c, x->line, "missing end of comment tag");
}

/* The end of "{% name %}" at `at`, or 0; *sign is the one after "{%". */
static size_t
whole_tag(const struct lexer *x, size_t at, const char *name, bool closing, char *sign)
{
	*sign = sign_at(x, at + 2);
	at = space_end(x, at + 2 + (*sign != 0));
	if (!looking_at(x, at, name))
		return 0;
	return tag_end(x, space_end(x, at + strlen(name)), "%}", closing, closing);
}

static void
lex_raw(struct lexer *x)
{
	size_t from = x->at;
	for (size_t i = from; i < x->c->n; i++) {
		char sign;
		size_t end = looking_at(x, i, "{%") ? whole_tag(x, i, "endraw", true, &sign) : 0;
		if (end) {
			push_data(x, from, i, sign, true);
			advance(x, end);
			return;
		}
	}
	if (from < x->c->n)
		jc_fail(x->c, x->line, "missing end of raw directive");
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* Digits with single underscores between them: how many bytes. */
static size_t
digits(const char *s, size_t n, int base, bool first_underscore)
{
	size_t i = 0;
	while (i < n) {
		size_t u = i + (s[i] == '_' && (i > 0 || first_underscore));
		if (u >= n || digit_value(s[u]) >= base)
			break;
		i = u + 1;
	}
	return i;
}

static size_t
float_length(const char *s, size_t n)
{
	size_t i = digits(s, n, 10, false), f = 0;
	if (i == 0)
		return 0;
	if (i + 1 < n && s[i] == '.')
		f = digits(s + i + 1, n - i - 1, 10, false);
	size_t end = f ? i + 1 + f : i;
	if (end < n && (s[end] | 32) == 'e') {
		size_t e = end + 1 + (end + 1 < n && (s[end + 1] == '+' || s[end + 1] == '-'));
		size_t d = e < n ? digits(s + e, n - e, 10, false) : 0;
		if (d)
			return e + d;
	}
	return f ? end : 0;
}

static size_t
integer_length(const char *s, size_t n, int *base)
{
	static const struct {
		char letter;
		int base;
	} prefix[] = {{'b', 2}, {'o', 8}, {'x', 16}};
	*base = 10;
	if (n == 0 || digit_value(*s) > 9)
		return 0;
	if (*s != '0')
		return digits(s, n, 10, false);
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (n > 2 && (s[1] | 32) == prefix[i].letter) {
			size_t d = digits(s + 2, n - 2, prefix[i].base, true);
			*base = prefix[i].base;
			if (d)
				return 2 + d;
		}
	*base = 10;
	return digits(s, n, 1, false);
}

/* A number at x->at; false: there is none. */
static bool
lex_number(struct lexer *x)
{
	const char *s = x->c->src + x->at;
	size_t n = x->c->n - x->at;
	int base = 10;
	bool after_dot = x->at > 0 && s[-1] == '.';
	size_t f = after_dot ? 0 : float_length(s, n), len = f ? f : integer_length(s, n, &base);
	if (len == 0)
		return false;
	char text[400];
	size_t k = 0;
	for (size_t i = base == 10 ? 0 : 2; i < len; i++)
		if (s[i] != '_' && k < sizeof text - 1)
			text[k++] = s[i];
	text[k] = '\0';
	struct jtoken *t = push(x, f ? JT_FLOAT : JT_INT);
	errno = 0;
	if (f)
		t->value = (struct jv){JV_FLOAT, .f = strtod(text, NULL)};
	else
		t->value = (struct jv){JV_INT, .i = strtoll(text, NULL, base)};
	if (k == sizeof text - 1 || (!f && errno))
		jc_fail(x->c, x->line, "integers beyond 64 bits are not supported");
	advance(x, x->at + len);
	return true;
}

static bool
is_word(char c)
{
	return c == '_' || digit_value(c) < 36;
}

static bool
lex_name(struct lexer *x)
{
	size_t end = x->at;
	while (end < x->c->n && is_word(x->c->src[end]))
		end++;
	if (end < x->c->n && (unsigned char)x->c->src[end] >= 128)
		jc_fail(x->c, x->line, "names outside ASCII are not supported");
	if (end == x->at)
		return false;
	push(x, JT_NAME)->value = jc_string(x->c, x->c->src + x->at, end - x->at);
	advance(x, end);
	return true;
}

static int32_t
escape_hex(struct lexer *x, const char *s, size_t n, size_t want)
{
	int32_t v = 0;
	for (size_t i = 0; i < want; i++) {
		if (i >= n || digit_value(s[i]) > 15 || v > 0xfffffff)
			jc_fail(x->c, x->line, "a truncated or unknown escape in a string");
		v = v * 16 + digit_value(s[i]);
	}
	if (v > 0x10ffff)
		jc_fail(x->c, x->line, "an illegal Unicode character in a string");
	if (v >= 0xd800 && v < 0xe000)
		jc_fail(x->c, x->line, "lone surrogates in strings are not supported");
	return v;
}

/* Python's codec sees "\xe9" for é: behind a backslash its own backslash is what was escaped. */
static size_t
escape_foreign(struct buf *b, const char *s, size_t n)
{
	int32_t cp = 0;
	int len = utf8_decode(s, n, &cp);
	if (cp < 0x100)
		buf_printf(b, "\\x%02x", cp);
	else if (cp < 0x10000)
		buf_printf(b, "\\u%04x", cp);
	else
		buf_printf(b, "\\U%08x", cp);
	return len > 0 ? len : 1;
}

/* One escape behind its backslash: bytes used. */
static size_t
escape(struct lexer *x, struct buf *b, const char *s, size_t n)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *p = memchr(from, *s, sizeof from - 1);
	if (p) {
		buf_putc(b, to[p - from]);
		return 1;
	}
	if (*s == '\n')
		return 1;
	if (*s >= '0' && *s <= '7') {
		int v = 0;
		size_t i = 0;
		for (; i < 3 && i < n && s[i] >= '0' && s[i] <= '7'; i++)
			v = v * 8 + s[i] - '0';
		utf8_put(b, v);
		return i;
	}
	if (*s == 'x' || *s == 'u' || *s == 'U') {
		size_t want = *s == 'x' ? 2 : *s == 'u' ? 4 : 8;
		utf8_put(b, escape_hex(x, s + 1, n - 1, want));
		return 1 + want;
	}
	if (*s == 'N')
		jc_fail(x->c, x->line, "\\N escapes in strings are not supported");
	if ((unsigned char)*s >= 128)
		return escape_foreign(b, s, n);
	buf_putc(b, '\\');
	return 0;
}

/* The escapes of s[0..n) resolved.  The scratch is an arena string: no buffer outlives a failure.
 */
static struct jv
unescape(struct lexer *x, const char *s, size_t n)
{
	/* An escape never makes more than five times its bytes; what is not one makes itself. */
	struct buf b = {arena_alloc(x->c->arena, 5 * n + 16), 0, 5 * n + 16};
	for (size_t i = 0; i < n;) {
		if (s[i] != '\\') {
			buf_putc(&b, s[i++]);
			continue;
		}
		i += 1 + escape(x, &b, s + i + 1, n - i - 1);
	}
	return jc_string(x->c, b.data, b.len);
}

static bool
lex_string(struct lexer *x)
{
	const char *s = x->c->src;
	char quote = s[x->at];
	if (quote != '\'' && quote != '"')
		return false;
	size_t end = x->at + 1;
	while (end < x->c->n && s[end] != quote)
		end += s[end] == '\\' ? 2 : 1;
	if (end >= x->c->n)
		return false;
	struct jtoken *t = push(x, JT_STRING);
	t->value = unescape(x, s + x->at + 1, end - x->at - 1);
	advance(x, end + 1);
	return true;
}

static const struct {
	const char *text;
	enum jt type;
} operators[] = {
	{"//", JT_FLOORDIV},
	{"**", JT_POW},
	{"==", JT_EQ},
	{"!=", JT_NE},
	{">=", JT_GE},
	{"<=", JT_LE},
	{"+", JT_ADD},
	{"-", JT_SUB},
	{"/", JT_DIV},
	{"*", JT_MUL},
	{"%", JT_MOD},
	{"~", JT_TILDE},
	{"[", JT_LBRACKET},
	{"]", JT_RBRACKET},
	{"(", JT_LPAREN},
	{")", JT_RPAREN},
	{"{", JT_LBRACE},
	{"}", JT_RBRACE},
	{">", JT_GT},
	{"<", JT_LT},
	{"=", JT_ASSIGN},
	{".", JT_DOT},
	{":", JT_COLON},
	{"|", JT_PIPE},
	{",", JT_COMMA},
	{";", JT_SEMICOLON},
};

static void
balance(struct lexer *x, char c)
{
	static const char opening[] = "([{", closing[] = ")]}";
	const char *p = strchr(opening, c);
	if (p) {
		if (x->n_open == JINJA_MAX_NESTING)
			jc_fail(x->c, x->line, "too many nested brackets");
		x->open[x->n_open++] = closing[p - opening];
	} else if (strchr(closing, c)) {
		if (x->n_open == 0 || x->open[--x->n_open] != c)
			jc_fail(x->c, x->line, "unexpected '%c'", c);
	}
}

static bool
lex_operator(struct lexer *x)
{
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		if (!looking_at(x, x->at, operators[i].text))
			continue;
		if (!operators[i].text[1])
			balance(x, *operators[i].text);
		push(x, operators[i].type);
		advance(x, x->at + strlen(operators[i].text));
		return true;
	}
	return false;
}

/* What is between the marks of a tag, up to and with its end. */
static void
lex_inside(struct lexer *x, enum jt end_type)
{
	bool block = end_type == JT_BLOCK_END;
	x->n_open = 0;
	while (x->at < x->c->n) {
		size_t end = x->n_open ? 0 : tag_end(x, x->at, block ? "%}" : "}}", block, block);
		if (end) {
			push(x, end_type);
			advance(x, end);
			return;
		}
		size_t space = space_end(x, x->at);
		if (space > x->at)
			advance(x, space);
		else if (!lex_number(x) && !lex_name(x) && !lex_string(x) && !lex_operator(x))
			jc_fail(x->c, x->line, "unexpected character '%c'", x->c->src[x->at]);
	}
}

/* The next tag's place, or the end. */
static size_t
find_tag(const struct lexer *x)
{
	for (size_t i = x->at; i + 1 < x->c->n; i++)
		if (x->c->src[i] == '{' && strchr("{%#", x->c->src[i + 1]) && x->c->src[i + 1])
			return i;
	return x->c->n;
}

static void
lex_tag(struct lexer *x, size_t tag)
{
	char sign = sign_at(x, tag + 2), raw_sign, kind = x->c->src[tag + 1];
	size_t inside = tag + 2 + (sign != 0);
	size_t raw = kind == '%' ? whole_tag(x, tag, "raw", false, &raw_sign) : 0;
	push_data(x, x->at, tag, sign, kind != '{');
	if (raw) {
		advance(x, raw);
		lex_raw(x);
		return;
	}
	advance(x, inside);
	if (kind == '#') {
		lex_comment(x, inside);
		return;
	}
	push(x, kind == '{' ? JT_VAR_BEGIN : JT_BLOCK_BEGIN);
	lex_inside(x, kind == '{' ? JT_VAR_END : JT_BLOCK_END);
}

void
jinja_lex(struct jcomp *c)
{
	struct lexer x = {c, 0, 1, true, {0}, 0};
	while (x.at < c->n) {
		size_t tag = find_tag(&x);
		if (tag < c->n) {
			lex_tag(&x, tag);
		} else {
			push_data(&x, x.at, c->n, 0, false);
			advance(&x, c->n);
		}
	}
	push(&x, JT_EOF);
}
