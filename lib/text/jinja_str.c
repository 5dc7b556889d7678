#include "lib/text/jinja_str.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/text/jinja_vm.h"
#include "lib/text/utf8.h"

int
jc_space_at(const char *s, size_t n)
{
	int32_t cp = 0;
	if (n == 0)
		return 0;
	unsigned char c = (unsigned char)*s;
	if (c < 128)
		return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
	int len = utf8_decode(s, n, &cp);
	return len > 0 && utf8_is_space(cp) ? len : 0;
}

/* Where the character that ends before `end` begins. */
static size_t
before(const char *s, size_t end)
{
	do
		end--;
	while (end > 0 && ((unsigned char)s[end] & 0xc0) == 0x80);
	return end;
}

size_t
jc_rstrip(const char *s, size_t n)
{
	while (n > 0) {
		size_t at = before(s, n);
		if (!jc_space_at(s + at, n - at))
			break;
		n = at;
	}
	return n;
}

size_t
js_count(const char *s, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

void
jsb_init(struct jsb *b, struct jvm *vm)
{
	*b = (struct jsb){.vm = vm};
}

static void
reserve(struct jsb *b, size_t extra)
{
	if (b->len + extra + 1 <= b->cap)
		return;
	size_t cap = b->cap ? 2 * b->cap : 64;
	while (cap < b->len + extra + 1)
		cap *= 2;
	char *data = vm_alloc(b->vm, cap);
	if (b->len)
		memcpy(data, b->data, b->len);
	if (b->mark) {
		uint8_t *mark = vm_alloc(b->vm, cap);
		memcpy(mark, b->mark, b->len);
		b->mark = mark;
	}
	b->data = data;
	b->cap = cap;
}

/* The marks one by one from here on. */
static void
mixed(struct jsb *b)
{
	if (b->mark)
		return;
	b->mark = vm_alloc(b->vm, b->cap);
	memset(b->mark, b->all, b->len);
}

static void
append(struct jsb *b, const char *s, size_t n, const uint8_t *marks, uint8_t all)
{
	if (n == 0)
		return;
	vm_step(b->vm, n / 64);
	reserve(b, n);
	if (b->len == 0 && !b->mark)
		b->all = all;
	if (marks || all != b->all)
		mixed(b);
	memcpy(b->data + b->len, s, n);
	if (marks)
		memcpy(b->mark + b->len, marks, n);
	else if (b->mark)
		memset(b->mark + b->len, all, n);
	b->len += n;
}

void
jsb_put(struct jsb *b, const char *s, size_t n, uint8_t mark)
{
	append(b, s, n, NULL, mark);
}

void
jsb_puts(struct jsb *b, const char *s)
{
	append(b, s, strlen(s), NULL, JINJA_LITERAL);
}

void
jsb_printf(struct jsb *b, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	jsb_puts(b, text);
}

void
jsb_part(struct jsb *b, const struct jstr *s, size_t from, size_t n)
{
	append(b, s->data + from, n, s->mark ? s->mark + from : NULL, s->all);
}

void
jsb_str(struct jsb *b, const struct jstr *s)
{
	jsb_part(b, s, 0, s->len);
}

void
jsb_fill(struct jsb *b, char c, size_t n)
{
	for (; n > 0; n--)
		append(b, &c, 1, NULL, JINJA_LITERAL);
}

void
jsb_rune(struct jsb *b, int32_t c, uint8_t mark)
{
	char room[8];
	struct buf u = {room, 0, sizeof room};
	utf8_put(&u, c);
	append(b, u.data, u.len, NULL, mark);
}

static struct jv
value(struct jvm *vm, struct jstr s)
{
	struct jstr *p = vm_alloc(vm, sizeof *p);
	*p = s;
	p->chars = js_count(s.data, s.len);
	return (struct jv){JV_STR, .s = p};
}

struct jv
jsb_value(struct jsb *b)
{
	if (b->len == 0)
		return js_literal(b->vm, "");
	b->data[b->len] = '\0';
	return value(b->vm, (struct jstr){b->data, b->len, 0, b->mark, b->all, false});
}

uint8_t
js_mark(const struct jstr *s, size_t at)
{
	return s->mark && at < s->len ? s->mark[at] : s->all;
}

struct jv
js_literal(struct jvm *vm, const char *s)
{
	return value(vm, (struct jstr){s, strlen(s), 0, NULL, JINJA_LITERAL, false});
}

struct jv
js_make(struct jvm *vm, const char *s, size_t n, uint8_t mark)
{
	char *copy = vm_alloc(vm, n + 1);
	memcpy(copy, s, n);
	copy[n] = '\0';
	return value(vm, (struct jstr){copy, n, 0, NULL, mark, false});
}

struct jv
js_part(struct jvm *vm, const struct jstr *s, size_t from, size_t n)
{
	vm_step(vm, n / 64);
	return value(vm, (struct jstr){s->data + from, n, 0, s->mark ? s->mark + from : NULL,
				 s->all, s->safe});
}

struct jv
js_safe(struct jvm *vm, const struct jstr *s, bool safe)
{
	struct jstr *p = vm_alloc(vm, sizeof *p);
	*p = *s;
	p->safe = safe;
	return (struct jv){JV_STR, .s = p};
}

size_t
js_offset(const struct jstr *s, size_t chars)
{
	if (chars >= s->chars)
		return s->len;
	if (s->chars == s->len)
		return chars;
	size_t at = 0;
	for (; at < s->len; at++)
		if (((unsigned char)s->data[at] & 0xc0) != 0x80 && chars-- == 0)
			break;
	return at;
}

int32_t
js_rune(const struct jstr *s, size_t at, int *len)
{
	int32_t c = 0xfffd;
	*len = utf8_decode(s->data + at, s->len - at, &c);
	if (*len <= 0)
		*len = 1;
	return c;
}

struct jv
js_slice(struct jvm *vm, const struct jstr *s, int64_t from, int64_t step, int64_t count)
{
	vm_step(vm, s->chars == s->len ? 0 : s->len / 64);
	if (count <= 0)
		return js_part(vm, s, 0, 0);
	if (step == 1) {
		size_t at = js_offset(s, from);
		return js_part(vm, s, at, js_offset(s, from + count) - at);
	}
	struct jsb b;
	jsb_init(&b, vm);
	size_t at = js_offset(s, from);
	for (int64_t i = 0; i < count; i++) {
		int len;
		js_rune(s, at, &len);
		jsb_part(&b, s, at, len);
		for (int64_t k = 0; i + 1 < count && k < (step < 0 ? -step : step); k++) {
			js_rune(s, at, &len);
			at = step < 0 ? before(s->data, at) : at + len;
		}
	}
	struct jv v = jsb_value(&b);
	return s->safe ? js_safe(vm, v.s, true) : v;
}

size_t
js_find(const struct jstr *s, const struct jstr *what, size_t from, size_t to)
{
	if (from > to || to - from < what->len)
		return SIZE_MAX;
	if (what->len == 0)
		return from;
	const char *p = memmem(s->data + from, to - from, what->data, what->len);
	return p ? (size_t)(p - s->data) : SIZE_MAX;
}

size_t
js_rfind(const struct jstr *s, const struct jstr *what, size_t from, size_t to)
{
	if (from > to || to - from < what->len)
		return SIZE_MAX;
	for (size_t at = to - what->len + 1; at-- > from;)
		if (memcmp(s->data + at, what->data, what->len) == 0)
			return at;
	return SIZE_MAX;
}

/* Bytes of the character at s when it is to be stripped. */
static size_t
strippable(const char *s, size_t n, const struct jstr *set)
{
	if (set == NULL)
		return jc_space_at(s, n);
	size_t len = 1;
	while (len < n && ((unsigned char)s[len] & 0xc0) == 0x80)
		len++;
	return set->len && memmem(set->data, set->len, s, len) ? len : 0;
}

struct jv
js_strip(struct jvm *vm, const struct jstr *s, const struct jstr *set, int ends)
{
	size_t from = 0, to = s->len, n;
	while ((ends & STRIP_LEFT) && from < to &&
		(n = strippable(s->data + from, to - from, set)) > 0)
		from += n;
	while ((ends & STRIP_RIGHT) && to > from) {
		size_t at = before(s->data, to);
		if (!strippable(s->data + at, to - at, set))
			break;
		to = at;
	}
	return js_part(vm, s, from, to - from);
}

/* An empty `from` stands before every character and at the end. */
static struct jv
interleave(struct jvm *vm, const struct jstr *s, const struct jstr *to, int64_t most)
{
	struct jsb b;
	jsb_init(&b, vm);
	size_t at = 0;
	for (; most != 0; most--) {
		int len = 0;
		jsb_str(&b, to);
		if (at >= s->len)
			break;
		js_rune(s, at, &len);
		jsb_part(&b, s, at, len);
		at += len;
	}
	jsb_part(&b, s, at, s->len - at);
	return jsb_value(&b);
}

struct jv
js_replace(struct jvm *vm, const struct jstr *s, const struct jstr *from, const struct jstr *to,
	int64_t most)
{
	struct jsb b;
	size_t at = 0, hit;
	vm_step(vm, s->len / 64);
	if (from->len == 0)
		return interleave(vm, s, to, most);
	jsb_init(&b, vm);
	for (; most != 0 && (hit = js_find(s, from, at, s->len)) != SIZE_MAX; most--) {
		vm_step(vm, 1);
		jsb_part(&b, s, at, hit - at);
		jsb_str(&b, to);
		at = hit + from->len;
	}
	jsb_part(&b, s, at, s->len - at);
	return jsb_value(&b);
}

void
js_escape(struct jsb *b, const struct jstr *s)
{
	static const char from[] = "&<>\"'";
	static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
	size_t at = 0;
	for (size_t i = 0; i < s->len; i++) {
		const char *p = memchr(from, s->data[i], sizeof from - 1);
		if (p == NULL)
			continue;
		jsb_part(b, s, at, i - at);
		jsb_put(b, to[p - from], strlen(to[p - from]), js_mark(s, i));
		at = i + 1;
	}
	jsb_part(b, s, at, s->len - at);
}
