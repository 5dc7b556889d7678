/* Python's str.upper, lower, title and their like (Objects/unicodeobject.c of CPython 3.11), and
 * the classes of characters behind them. */
#include <utf8proc.h>

#include "lib/text/jinja_case_table.h"
#include "lib/text/jinja_vm.h"

static bool
in_ranges(const struct jr_range *r, int32_t c)
{
	for (; r->last; r++)
		if (c >= r->first && c <= r->last)
			return true;
	return false;
}

static bool
category_in(int32_t c, utf8proc_category_t from, utf8proc_category_t to)
{
	utf8proc_category_t k = utf8proc_category(c);
	return k >= from && k <= to;
}

bool
jr_printable(int32_t c)
{
	if (c < 128)
		return c >= ' ' && c < 127;
	/* Zs, Zl, Zp, Cc, Cf, Cs, Co follow each other. */
	return !category_in(c, UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_CO) &&
	       !category_in(c, UTF8PROC_CATEGORY_CN, UTF8PROC_CATEGORY_CN);
}

bool
jr_lower(int32_t c)
{
	return category_in(c, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LL) ||
	       (c >= 128 && in_ranges(jr_lowers, c));
}

bool
jr_upper(int32_t c)
{
	return category_in(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LU) ||
	       (c >= 128 && in_ranges(jr_uppers, c));
}

bool
jr_cased(int32_t c)
{
	return jr_lower(c) || jr_upper(c) ||
	       category_in(c, UTF8PROC_CATEGORY_LT, UTF8PROC_CATEGORY_LT);
}

bool
jr_alpha(int32_t c)
{
	return category_in(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO);
}

bool
jr_decimal(int32_t c)
{
	return category_in(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND);
}

bool
jr_digit(int32_t c)
{
	return jr_decimal(c) || (c >= 128 && in_ranges(jr_digits, c));
}

bool
jr_numeric(int32_t c)
{
	return category_in(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO) ||
	       (c >= 128 && in_ranges(jr_numerics, c));
}

/* Unicode's Case_Ignorable: marks, modifiers, format characters and some punctuation. */
static bool
case_ignorable(int32_t c)
{
	static const int32_t more[] = {'\'', '.', ':', 0xb7, 0x387, 0x55f, 0x5f4, 0x2018, 0x2019,
		0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (c == more[i])
			return true;
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_SK:
		return true;
	default:
		return false;
	}
}

/* A capital sigma is a final one behind a letter and before none. */
static bool
final_sigma(const struct jstr *s, size_t at)
{
	int len;
	int32_t c = 0;
	size_t i = at;
	bool behind = false, ahead = false;
	while (i > 0) {
		do
			i--;
		while (i > 0 && ((unsigned char)s->data[i] & 0xc0) == 0x80);
		c = js_rune(s, i, &len);
		if (!case_ignorable(c)) {
			behind = jr_cased(c);
			break;
		}
	}
	for (i = at + 2; behind && i < s->len; i += len) {
		c = js_rune(s, i, &len);
		if (!case_ignorable(c)) {
			ahead = jr_cased(c);
			break;
		}
	}
	return behind && !ahead;
}

static const struct jr_special *
special(int32_t c)
{
	const struct jr_special *p = jr_specials;
	while (p->c && p->c != c)
		p++;
	return c >= 128 && p->c ? p : NULL;
}

static void
put_lower(struct jsb *b, const struct jstr *s, size_t at, int32_t c, uint8_t mark)
{
	if (c == 0x3a3) {
		jsb_rune(b, final_sigma(s, at) ? 0x3c2 : 0x3c3, mark);
	} else if (c == 0x130) {
		jsb_rune(b, 'i', mark);
		jsb_rune(b, 0x307, mark);
	} else {
		jsb_rune(b, utf8proc_tolower(c), mark);
	}
}

void
js_put_case(struct jsb *b, const struct jstr *s, size_t at, enum js_case to)
{
	int len;
	int32_t c = js_rune(s, at, &len);
	uint8_t mark = js_mark(s, at);
	const struct jr_special *p = to == CASE_LOWER ? NULL : special(c);
	if (to == CASE_LOWER) {
		put_lower(b, s, at, c, mark);
	} else if (p) {
		const int32_t *v = to == CASE_UPPER ? p->upper : p->title;
		for (int i = 0; i < 3 && v[i]; i++)
			jsb_rune(b, v[i], mark);
	} else {
		jsb_rune(b, to == CASE_UPPER ? utf8proc_toupper(c) : utf8proc_totitle(c), mark);
	}
}

static struct jv
finish(struct jsb *b, const struct jstr *s)
{
	struct jv v = jsb_value(b);
	return s->safe ? js_safe(b->vm, v.s, true) : v;
}

struct jv
js_case(struct jvm *vm, const struct jstr *s, enum js_case to)
{
	struct jsb b;
	int len;
	jsb_init(&b, vm);
	vm_step(vm, s->len / 8);
	for (size_t i = 0; i < s->len; i += len) {
		js_rune(s, i, &len);
		js_put_case(&b, s, i, to);
	}
	return finish(&b, s);
}

struct jv
js_capitalize(struct jvm *vm, const struct jstr *s)
{
	struct jsb b;
	int len;
	jsb_init(&b, vm);
	vm_step(vm, s->len / 8);
	for (size_t i = 0; i < s->len; i += len) {
		js_rune(s, i, &len);
		js_put_case(&b, s, i, i ? CASE_LOWER : CASE_TITLE);
	}
	return finish(&b, s);
}

struct jv
js_title(struct jvm *vm, const struct jstr *s)
{
	struct jsb b;
	int len;
	bool cased = false;
	jsb_init(&b, vm);
	vm_step(vm, s->len / 8);
	for (size_t i = 0; i < s->len; i += len) {
		int32_t c = js_rune(s, i, &len);
		js_put_case(&b, s, i, cased ? CASE_LOWER : CASE_TITLE);
		cased = jr_cased(c);
	}
	return finish(&b, s);
}

struct jv
js_swapcase(struct jvm *vm, const struct jstr *s)
{
	struct jsb b;
	int len;
	jsb_init(&b, vm);
	vm_step(vm, s->len / 8);
	for (size_t i = 0; i < s->len; i += len) {
		int32_t c = js_rune(s, i, &len);
		if (jr_upper(c))
			js_put_case(&b, s, i, CASE_LOWER);
		else if (jr_lower(c))
			js_put_case(&b, s, i, CASE_UPPER);
		else
			jsb_part(&b, s, i, len);
	}
	return finish(&b, s);
}
