#include "lib/text/regex.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/text/utf8.h"

/*
 * What Oniguruma (doc/RE, syntax ONIG_SYNTAX_ONIGURUMA) and PCRE2 (pcre2pattern(3), with UTF and
 * UCP) read alike: literals; classes of literals, ranges and the escapes below, without nesting or
 * &&; \s \S \d \r \n \t, general categories; ( (?: (?= (?! (?i: and |; greedy, lazy and possessive
 * * + ? and {n,m} alone.  Not alike, and so not here: ^ $ . \w \b \h \R \X \K \G \Z, look-behind,
 * scripts (PCRE2 means Script_Extensions), {n}+ and {n}? (no possessive and lazy forms in
 * Oniguruma), letters beyond ASCII without case.
 */
struct reader {
	const char *s, *end;
	struct buf *out;
	int depth, fold; /* groups open; depth of the outermost (?i: or 0 */
	char before;     /* the letter before, in (?i: */
	bool atom;       /* what a quantifier may follow */
};

/* Unicode White_Space as the inside of a class: Oniguruma's \s.  PCRE2's own has U+180E besides. */
#define SPACE                                                                                    \
	"\\t-\\r\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
	"\\x{3000}"

/* \p{Name} of a general category, s at the p; its length, or 0. */
static size_t
category(const char *s, const char *end)
{
	static const char names[] =
		" L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po "
		"S Sm Sc Sk So Z Zs Zl Zp ";
	char name[8] = " ";
	size_t n = 0;
	if (end - s < 4 || s[1] != '{')
		return 0;
	for (const char *p = s + 2; p < end && *p != '}' && n < 3; p++)
		name[++n] = *p;
	if (n == 0 || n > 2 || s + 2 + n >= end || s[2 + n] != '}' ||
		memchr(name, ' ', n + 1) != name || memchr(name + 1, ' ', n))
		return 0;
	name[n + 1] = ' ';
	return strstr(names, name) ? n + 3 : 0;
}

/* Behind a backslash, s at the next byte; class: inside of one.  *single: it is one character. */
static bool
escape(struct reader *r, bool class, bool *single)
{
	char c = *r->s;
	size_t n = c == 'p' || c == 'P' ? category(r->s, r->end) : 0;
	*single = false;
	if (n > 0) {
		buf_putc(r->out, '\\');
		buf_put(r->out, r->s, n);
		r->s += n;
		return true;
	}
	r->s++;
	if (c == 's') {
		buf_puts(r->out, class ? SPACE : "[" SPACE "]");
	} else if (c == 'S' && !class) {
		buf_puts(r->out, "[^" SPACE "]");
	} else if (c == 'd' || (c && strchr("rnt", c)) ||
		   (c > ' ' && c < 127 && !strchr("_", c) &&
			   !((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9'))) {
		buf_putc(r->out, '\\');
		buf_putc(r->out, c);
		*single = c != 'd';
	} else {
		return false;
	}
	return true;
}

/* One character that stands for itself. */
static bool
literal(struct reader *r)
{
	int32_t c = 0;
	int len = utf8_decode(r->s, (size_t)(r->end - r->s), &c);
	if (len == 0 || c < ' ' || c == 127)
		return false;
	if (r->fold) {
		/* Several letters that are one character without case: ss, ff, fi, fl, st. */
		static const char pairs[] = "ss ff fi fl st";
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
		char pair[3] = {r->before, letter ? (char)(c | 32) : '\0', '\0'};
		if (c > 127 || (r->before && letter && strstr(pairs, pair)))
			return false;
		r->before = pair[1];
	}
	buf_put(r->out, r->s, (size_t)len);
	r->s += len;
	return true;
}

/* [...], s behind the bracket. */
static bool class(struct reader *r)
{
	bool single = false, first = true;
	buf_putc(r->out, '[');
	if (r->s < r->end && *r->s == '^')
		buf_putc(r->out, *r->s++);
	for (; r->s < r->end && (*r->s != ']' || first); first = false) {
		const char *s = r->s;
		bool last = s + 1 < r->end && s[1] == ']';
		if (strchr("[]", *s) || (*s == '&' && s + 1 < r->end && s[1] == '&'))
			return false;
		if (*s == '-' && !first && !last) { /* a range: between two characters only */
			bool to = false;
			buf_putc(r->out, *r->s++);
			if (!single || r->s >= r->end || strchr("[]-&", *r->s))
				return false;
			if (*r->s == '\\' ? (r->s++, r->s >= r->end || !escape(r, true, &to) || !to)
					  : !literal(r))
				return false;
			single = false;
			continue;
		}
		if (*s == '\\') {
			r->s++;
			if (r->s >= r->end || r->fold || !escape(r, true, &single))
				return false;
			continue;
		}
		if (*s == '-')
			buf_putc(r->out, '\\');
		r->before = 0;
		if (!literal(r))
			return false;
		single = *s != '-';
	}
	r->before = 0;
	if (r->s >= r->end || first)
		return false;
	buf_putc(r->out, *r->s++);
	return true;
}

static bool
open_group(struct reader *r)
{
	static const char *const kinds[] = {"(?:", "(?=", "(?!", "(?i:"};
	size_t n = 1;
	r->depth++;
	if (r->end - r->s >= 2 && r->s[1] == '?') {
		size_t i = 0;
		for (; i < 4; i++) {
			n = strlen(kinds[i]);
			if ((size_t)(r->end - r->s) >= n && memcmp(r->s, kinds[i], n) == 0)
				break;
		}
		if (i == 4)
			return false;
		if (i == 3 && r->fold == 0) {
			r->fold = r->depth;
			r->before = 0;
		}
	}
	buf_put(r->out, r->s, n);
	r->s += n;
	return true;
}

/* {n}, {n,} or {n,m} with n <= m, both below 1000; its length, or 0. */
static size_t
braces(const char *s, const char *end)
{
	int v[2] = {-1, -1};
	const char *p = s + 1;
	int i = 0;
	for (; p < end && *p != '}'; p++) {
		if (*p == ',' && i == 0)
			i = 1;
		else if (*p >= '0' && *p <= '9' && v[i] < 100)
			v[i] = 10 * (v[i] < 0 ? 0 : v[i]) + *p - '0';
		else
			return 0;
	}
	if (p >= end || v[0] < 0 || (i == 1 && v[1] >= 0 && v[1] < v[0]))
		return 0;
	return (size_t)(p + 1 - s);
}

static bool
quantifier(struct reader *r)
{
	size_t n = *r->s == '{' ? braces(r->s, r->end) : 1;
	bool brace = *r->s == '{';
	if (n == 0 || !r->atom || (r->fold && r->before))
		return false;
	buf_put(r->out, r->s, n);
	r->s += n;
	if (r->s < r->end && !brace && (*r->s == '?' || *r->s == '+'))
		buf_putc(r->out, *r->s++);
	r->atom = false;
	return r->s >= r->end || !strchr("*+?{", *r->s);
}

static bool
item(struct reader *r)
{
	bool single;
	switch (*r->s) {
	case '\\':
		r->s++;
		r->atom = true;
		r->before = 0;
		return r->s < r->end && escape(r, false, &single);
	case '[':
		r->s++;
		r->atom = true;
		return class(r);
	case '(':
		r->atom = false;
		return open_group(r);
	case ')':
		if (r->fold == r->depth)
			r->fold = 0;
		r->atom = true;
		buf_putc(r->out, *r->s++);
		return r->depth-- > 0;
	case '|':
		r->atom = false;
		r->before = 0;
		buf_putc(r->out, *r->s++);
		return true;
	case '*':
	case '+':
	case '?':
	case '{':
		return quantifier(r);
	case '^':
	case '$':
	case '.':
		return false;
	default:
		r->atom = true;
		return literal(r);
	}
}

bool
regex_translate(const char *pattern, size_t n, struct buf *out)
{
	struct reader r = {.s = pattern, .end = pattern + n, .out = out};
	while (r.s < r.end)
		if (!item(&r))
			return false;
	return r.depth == 0 && n > 0;
}
