#ifndef PRO_TEXT_JINJA_STR_H
#define PRO_TEXT_JINJA_STR_H

#include <string.h>

#include "lib/text/jinja_impl.h"

struct jvm;

/* Text of the interpreter: marks follow every byte through whatever makes new text out of old. */

static inline bool
js_equal(const struct jstr *a, const struct jstr *b)
{
	return a == b || (a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

static inline bool
js_is(const struct jstr *s, const char *text)
{
	return strlen(text) == s->len && memcmp(s->data, text, s->len) == 0;
}

/* For "%.*s": a text that is part of another does not end in NUL. */
#define JS_ARG(s) (int)((s)->len < 100 ? (s)->len : 100), (s)->data

/* Python's str.isspace of the character that begins s: its bytes, or 0. */
int jc_space_at(const char *s, size_t n);
/* Length of s without white space at its end. */
size_t jc_rstrip(const char *s, size_t n);
size_t js_count(const char *s, size_t n);

/* A text that grows, in the arena of the render. */
struct jsb {
	struct jvm *vm;
	char *data;
	uint8_t *mark; /* NULL while all bytes are of kind `all` */
	size_t len, cap;
	uint8_t all;
};
void jsb_init(struct jsb *b, struct jvm *vm);
void jsb_put(struct jsb *b, const char *s, size_t n, uint8_t mark);
/* Of the template's own text. */
void jsb_puts(struct jsb *b, const char *s);
void jsb_printf(struct jsb *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Bytes [from, from + n) of s with their marks. */
void jsb_part(struct jsb *b, const struct jstr *s, size_t from, size_t n);
void jsb_str(struct jsb *b, const struct jstr *s);
void jsb_fill(struct jsb *b, char c, size_t n);
void jsb_rune(struct jsb *b, int32_t c, uint8_t mark);
/* The text; b is not to be used after it. */
struct jv jsb_value(struct jsb *b);

uint8_t js_mark(const struct jstr *s, size_t at);
struct jv js_literal(struct jvm *vm, const char *s);
struct jv js_make(struct jvm *vm, const char *s, size_t n, uint8_t mark);
/* Shares the bytes of s. */
struct jv js_part(struct jvm *vm, const struct jstr *s, size_t from, size_t n);
struct jv js_safe(struct jvm *vm, const struct jstr *s, bool safe);

/* Byte offset of a code point; chars >= s->chars is the end. */
size_t js_offset(const struct jstr *s, size_t chars);
/* The code point at a byte; *len gets its bytes. */
int32_t js_rune(const struct jstr *s, size_t at, int *len);
/* Code points [from, to) with a step, as Python slices. */
struct jv js_slice(struct jvm *vm, const struct jstr *s, int64_t from, int64_t step, int64_t count);
/* First (last) byte offset of what in s[from, to), or SIZE_MAX. */
size_t js_find(const struct jstr *s, const struct jstr *what, size_t from, size_t to);
size_t js_rfind(const struct jstr *s, const struct jstr *what, size_t from, size_t to);
/* white space, or the characters of set when it is not NULL, taken off the ends. */
enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };
struct jv js_strip(struct jvm *vm, const struct jstr *s, const struct jstr *set, int ends);
/* At most `most` times when it is not negative. */
struct jv js_replace(struct jvm *vm, const struct jstr *s, const struct jstr *from,
	const struct jstr *to, int64_t most);
/* Appends s with & < > " ' as entities: markupsafe's escape. */
void js_escape(struct jsb *b, const struct jstr *s);

/* jinja_case.c: what Python's str knows of characters. */
enum js_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };
/* Appends the character at byte `at` in another case. */
void js_put_case(struct jsb *b, const struct jstr *s, size_t at, enum js_case to);
struct jv js_case(struct jvm *vm, const struct jstr *s, enum js_case to);
struct jv js_capitalize(struct jvm *vm, const struct jstr *s);
struct jv js_title(struct jvm *vm, const struct jstr *s);
struct jv js_swapcase(struct jvm *vm, const struct jstr *s);
bool jr_printable(int32_t c);
bool jr_cased(int32_t c);
bool jr_upper(int32_t c);
bool jr_lower(int32_t c);
bool jr_alpha(int32_t c);
bool jr_decimal(int32_t c);
bool jr_digit(int32_t c);
bool jr_numeric(int32_t c);

#endif
