/* Python's str() and repr(). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/text/jinja_call.h"

void
jv_put_double(struct jsb *b, double x)
{
	char e[40], digits[24];
	int n = 0;
	if (isnan(x) || isinf(x)) {
		jsb_puts(b, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
		return;
	}
	/* The fewest digits that read back. */
	for (int p = 0; p < 17; p++) {
		snprintf(e, sizeof e, "%.*e", p, fabs(x));
		if (strtod(e, NULL) == fabs(x))
			break;
	}
	char *exp = strchr(e, 'e');
	int point = (int)strtol(exp + 1, NULL, 10) + 1;
	for (const char *p = e; p < exp; p++)
		if (*p != '.')
			digits[n++] = *p;
	digits[n] = '\0';
	if (signbit(x))
		jsb_puts(b, "-");
	/* float_repr_style of CPython: an exponent below 1e-4 and from 1e16 on. */
	if (point <= -4 || point > 16) {
		jsb_printf(b, "%c%s%s", digits[0], n > 1 ? "." : "", digits + 1);
		jsb_printf(b, "e%c%02d", point > 0 ? '+' : '-', abs(point - 1));
		return;
	}
	if (point <= 0) {
		jsb_printf(b, "0.%.*s%s", -point, "0000", digits);
		return;
	}
	for (int i = 0; i < point; i++)
		jsb_printf(b, "%c", i < n ? digits[i] : '0');
	jsb_printf(b, ".%s", n > point ? digits + point : "0");
}

static void
put_rune_repr(struct jsb *b, const struct jstr *s, size_t at, int len, int32_t c)
{
	static const char plain[] = "\t\n\r\\", letter[] = "tnr\\";
	uint8_t mark = js_mark(s, at);
	char e[16];
	const char *p = c < 128 && c ? strchr(plain, c) : NULL;
	if (p)
		snprintf(e, sizeof e, "\\%c", letter[p - plain]);
	else if (jr_printable(c))
		e[0] = '\0';
	else if (c < 0x100)
		snprintf(e, sizeof e, "\\x%02" PRIx32, c);
	else if (c < 0x10000)
		snprintf(e, sizeof e, "\\u%04" PRIx32, c);
	else
		snprintf(e, sizeof e, "\\U%08" PRIx32, c);
	if (e[0])
		jsb_put(b, e, strlen(e), mark);
	else
		jsb_part(b, s, at, len);
}

static void
put_text_repr(struct jsb *b, const struct jstr *s)
{
	bool single = memchr(s->data, '\'', s->len) != NULL;
	bool twice = memchr(s->data, '"', s->len) != NULL;
	char quote = single && !twice ? '"' : '\'';
	int len;
	jsb_printf(b, "%s%c", s->safe ? "Markup(" : "", quote);
	for (size_t at = 0; at < s->len; at += len) {
		int32_t c = js_rune(s, at, &len);
		if (c == quote)
			jsb_put(b, "\\", 1, js_mark(s, at));
		put_rune_repr(b, s, at, len, c);
	}
	jsb_printf(b, "%c%s", quote, s->safe ? ")" : "");
}

static void
put_items(struct jsb *b, const struct jlist *l, const char *open, const char *close)
{
	jsb_puts(b, open);
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			jsb_puts(b, ", ");
		jv_put_repr(b, l->v[i]);
	}
	jsb_puts(b, close);
}

static void
put_entries(struct jsb *b, const struct jdict *d)
{
	jsb_puts(b, "{");
	for (size_t i = 0; i < d->n; i++) {
		if (i)
			jsb_puts(b, ", ");
		jv_put_repr(b, d->v[i].key);
		jsb_puts(b, ": ");
		jv_put_repr(b, d->v[i].value);
	}
	jsb_puts(b, "}");
}

static void
put_range(struct jsb *b, const struct jrange *r)
{
	jsb_printf(b, "range(%" PRId64 ", %" PRId64, r->start, r->stop);
	if (r->step != 1)
		jsb_printf(b, ", %" PRId64, r->step);
	jsb_puts(b, ")");
}

static void
put_view(struct jsb *b, struct jv v)
{
	jsb_printf(b, "%s(", jv_type_name(v));
	put_items(b, ji_list(b->vm, v).list, "[", "]");
	jsb_puts(b, ")");
}

static void
put_object(struct jsb *b, struct jv v)
{
	switch (v.type) {
	case JV_NAMESPACE:
		jsb_puts(b, "<Namespace ");
		put_entries(b, v.ns);
		jsb_puts(b, ">");
		return;
	case JV_MACRO:
		jsb_puts(b, "<Macro ");
		if (v.macro->node->kind == JN_MACRO)
			put_text_repr(b, v.macro->node->name);
		else
			jsb_puts(b, "anonymous");
		jsb_puts(b, ">");
		return;
	case JV_LOOP:
		jsb_printf(b, "<LoopContext %" PRId64 "/", v.loop->index0 + 1);
		jsb_printf(b, "%" PRId64 ">", vm_loop_length(b->vm, v.loop));
		return;
	default:
		vm_refuse(b->vm, "the text of a %s depends on the machine's memory",
			v.type == JV_FUNC ? "function" : jv_type_name(v));
	}
}

void
jv_put_repr(struct jsb *b, struct jv v)
{
	vm_enter(b->vm);
	vm_step(b->vm, 1);
	switch (v.type) {
	case JV_MISSING:
		jsb_puts(b, "missing");
		break;
	case JV_UNDEF:
		jsb_puts(b, "Undefined");
		break;
	case JV_NONE:
		jsb_puts(b, "None");
		break;
	case JV_BOOL:
		jsb_puts(b, v.b ? "True" : "False");
		break;
	case JV_INT:
		jsb_printf(b, "%" PRId64, v.i);
		break;
	case JV_FLOAT:
		jv_put_double(b, v.f);
		break;
	case JV_STR:
		put_text_repr(b, v.s);
		break;
	case JV_LIST:
		put_items(b, v.list, "[", "]");
		break;
	case JV_TUPLE:
		put_items(b, v.list, "(", v.list->n == 1 ? ",)" : ")");
		break;
	case JV_DICT:
		put_entries(b, v.dict);
		break;
	case JV_RANGE:
		put_range(b, v.range);
		break;
	case JV_VIEW:
		put_view(b, v);
		break;
	default:
		put_object(b, v);
	}
	b->vm->depth--;
}

void
jv_put_str(struct jsb *b, struct jv v)
{
	if (v.type == JV_STR)
		jsb_str(b, v.s);
	else if (v.type != JV_UNDEF)
		jv_put_repr(b, v);
}

const struct jstr *
jv_str(struct jvm *vm, struct jv v)
{
	struct jsb b;
	if (v.type == JV_STR)
		return v.s;
	jsb_init(&b, vm);
	jv_put_str(&b, v);
	return jsb_value(&b).s;
}
