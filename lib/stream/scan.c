#include "lib/stream/scan.h"

#include <string.h>

/*
 * States: 'v' a value, 'f' the first value of a list or its end, 'k' a key, 'o' the first key of an
 * object or its end, ':' a colon, ',' a comma or the end of what is open, 's' in a string that is a
 * value, 'S' in a key, 'w' in a number or a word, 'e' the end.
 */
void
scan_init(struct scan *s)
{
	s->at = 0;
	s->depth = 0;
	s->state = 'v';
	s->escaped = false;
}

bool
scan_in_string(const struct scan *s)
{
	return s->state == 's' || s->state == 'S';
}

static void
after_value(struct scan *s)
{
	s->state = s->depth > 0 ? ',' : 'e';
}

static bool
in_object(const struct scan *s)
{
	int d = s->depth - 1;
	return d >= 0 && (s->object[d / 8] >> d % 8 & 1);
}

static bool
open_level(struct scan *s, bool object)
{
	int d = s->depth;
	if (d == SCAN_DEPTH)
		return false;
	s->object[d / 8] = (unsigned char)((s->object[d / 8] & ~(1 << d % 8)) | object << d % 8);
	s->depth++;
	s->state = object ? 'o' : 'f';
	return true;
}

static bool
close_level(struct scan *s, char c)
{
	if (s->depth == 0 || in_object(s) != (c == '}'))
		return false;
	s->depth--;
	after_value(s);
	return true;
}

/* The rest of a string: s->at behind its closing quote, or n.  false: a byte that no string has. */
static bool
pass_string(struct scan *s, const char *p, size_t n)
{
	for (; s->at < n; s->at++) {
		char c = p[s->at];
		if (c == '\n')
			return false;
		if (s->escaped) {
			s->escaped = false;
		} else if (c == '\\') {
			s->escaped = true;
		} else if (c == '"') {
			s->at++;
			if (s->state == 'S')
				s->state = ':';
			else
				after_value(s);
			return true;
		}
	}
	return true;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '+' || c == '.';
}

static bool
begin_value(struct scan *s, char c)
{
	if (c == '{' || c == '[')
		return open_level(s, c == '{');
	if (c != '"' && !is_word(c))
		return false;
	s->state = c == '"' ? 's' : 'w';
	return true;
}

/* One byte outside of strings and words. */
static bool
take(struct scan *s, char c)
{
	switch (s->state) {
	case 'f':
		return c == ']' ? close_level(s, c) : begin_value(s, c);
	case 'v':
		return begin_value(s, c);
	case 'o':
		if (c == '}')
			return close_level(s, c);
		/* fall through */
	case 'k':
		s->state = 'S';
		return c == '"';
	case ':':
		s->state = 'v';
		return c == ':';
	default: /* ',' */
		if (c != ',')
			return (c == '}' || c == ']') && close_level(s, c);
		s->state = in_object(s) ? 'k' : 'v';
		return true;
	}
}

int
scan_more(struct scan *s, const char *p, size_t n)
{
	while (s->state != 'e') {
		if (s->at >= n)
			return 0;
		if (scan_in_string(s)) {
			if (!pass_string(s, p, n))
				return -1;
			continue;
		}
		char c = p[s->at];
		if (s->state == 'w') {
			if (is_word(c))
				s->at++;
			else
				after_value(s);
			continue;
		}
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
			char state = s->state;
			if (!take(s, c)) {
				s->state = state;
				return -1;
			}
		}
		s->at++;
	}
	return 1;
}
