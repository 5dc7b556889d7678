/* json.dumps of Python's standard library, which transformers' tojson calls. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "lib/text/jinja_call.h"

struct dump {
	struct jsb *b;
	const struct jstr *indent; /* of one level; NULL: all in one line */
	const struct jstr *item, *key;
	bool ascii, sorted;
	int level;
};

static void dump_value(struct dump *d, struct jv v);

static void
put_unit(struct jsb *b, int32_t c, uint8_t mark)
{
	char e[16];
	snprintf(e, sizeof e, "\\u%04" PRIx32, c);
	jsb_put(b, e, 6, mark);
}

static void
put_escaped(struct dump *d, int32_t c, uint8_t mark)
{
	static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
	const char *p = c && c < 128 ? strchr(from, c) : NULL;
	char e[2] = {'\\', p ? to[p - from] : 0};
	if (p) {
		jsb_put(d->b, e, 2, mark);
	} else if (c >= 0x10000) {
		put_unit(d->b, 0xd800 + ((c - 0x10000) >> 10), mark);
		put_unit(d->b, 0xdc00 + ((c - 0x10000) & 0x3ff), mark);
	} else {
		put_unit(d->b, c, mark);
	}
}

static void
dump_text(struct dump *d, const struct jstr *s)
{
	size_t plain = 0;
	int len;
	jsb_puts(d->b, "\"");
	for (size_t at = 0; at < s->len; at += len) {
		int32_t c = js_rune(s, at, &len);
		if (c >= ' ' && c != '"' && c != '\\' && !(d->ascii && c > 126))
			continue;
		jsb_part(d->b, s, plain, at - plain);
		put_escaped(d, c, js_mark(s, at));
		plain = at + len;
	}
	jsb_part(d->b, s, plain, s->len - plain);
	jsb_puts(d->b, "\"");
}

static void
dump_double(struct dump *d, double x)
{
	if (isnan(x))
		jsb_puts(d->b, "NaN");
	else if (isinf(x))
		jsb_puts(d->b, x < 0 ? "-Infinity" : "Infinity");
	else
		jv_put_double(d->b, x);
}

static void
new_line(struct dump *d)
{
	if (d->indent == NULL)
		return;
	jsb_puts(d->b, "\n");
	for (int i = 0; i < d->level; i++)
		jsb_str(d->b, d->indent);
}

static void
dump_list(struct dump *d, const struct jlist *l)
{
	if (l->n == 0) {
		jsb_puts(d->b, "[]");
		return;
	}
	jsb_puts(d->b, "[");
	d->level++;
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			jsb_str(d->b, d->item);
		new_line(d);
		dump_value(d, l->v[i]);
	}
	d->level--;
	new_line(d);
	jsb_puts(d->b, "]");
}

static void
dump_key(struct dump *d, struct jv key)
{
	if (key.type == JV_STR) {
		dump_text(d, key.s);
		return;
	}
	if (!jv_is_number(key) && key.type != JV_NONE)
		vm_raise(d->b->vm, "keys must be str, int, float, bool or None, not %s",
			jv_type_name(key));
	jsb_puts(d->b, "\"");
	dump_value(d, key);
	jsb_puts(d->b, "\"");
}

static const struct jdict *
sorted_dict(struct jvm *vm, const struct jdict *from)
{
	struct jdict *to = jd_new(vm, from->n);
	struct jv *key = vm_alloc(vm, 2 * (from->n + 1) * sizeof *key), *value = key + from->n + 1;
	for (size_t i = 0; i < from->n; i++) {
		key[i] = from->v[i].key;
		value[i] = from->v[i].value;
	}
	jv_sort(vm, value, key, from->n, false);
	for (size_t i = 0; i < from->n; i++)
		jd_set(vm, to, key[i], value[i]);
	return to;
}

static void
dump_dict(struct dump *d, const struct jdict *dict)
{
	if (dict->n == 0) {
		jsb_puts(d->b, "{}");
		return;
	}
	if (d->sorted)
		dict = sorted_dict(d->b->vm, dict);
	jsb_puts(d->b, "{");
	d->level++;
	for (size_t i = 0; i < dict->n; i++) {
		if (i)
			jsb_str(d->b, d->item);
		new_line(d);
		dump_key(d, dict->v[i].key);
		jsb_str(d->b, d->key);
		dump_value(d, dict->v[i].value);
	}
	d->level--;
	new_line(d);
	jsb_puts(d->b, "}");
}

static void
dump_value(struct dump *d, struct jv v)
{
	struct jvm *vm = d->b->vm;
	vm_enter(vm);
	vm_step(vm, 1);
	switch (v.type) {
	case JV_NONE:
		jsb_puts(d->b, "null");
		break;
	case JV_BOOL:
		jsb_puts(d->b, v.b ? "true" : "false");
		break;
	case JV_INT:
		jsb_printf(d->b, "%" PRId64, v.i);
		break;
	case JV_FLOAT:
		dump_double(d, v.f);
		break;
	case JV_STR:
		dump_text(d, v.s);
		break;
	case JV_LIST:
	case JV_TUPLE:
		dump_list(d, v.list);
		break;
	case JV_DICT:
		dump_dict(d, v.dict);
		break;
	default:
		vm_raise(vm, "Object of type %s is not JSON serializable", jv_type_name(v));
	}
	vm->depth--;
}

static const struct jstr *
indentation(struct jvm *vm, struct jv v)
{
	struct jsb b;
	if (v.type == JV_NONE || v.type == JV_MISSING)
		return NULL;
	if (v.type == JV_STR)
		return v.s;
	if (v.type == JV_FLOAT || !jv_is_number(v))
		vm_raise(vm, "can't multiply sequence by non-int of type '%s'", jv_type_name(v));
	jsb_init(&b, vm);
	if (jv_integer(v) > 0)
		jsb_fill(&b, ' ', (size_t)jv_integer(v));
	return jsb_value(&b).s;
}

void
jv_put_json(
	struct jsb *b, struct jv v, struct jv indent, struct jv separators, bool ascii, bool sorted)
{
	struct dump d = {
		.b = b, .indent = indentation(b->vm, indent), .ascii = ascii, .sorted = sorted};
	d.item = js_literal(b->vm, d.indent ? "," : ", ").s;
	d.key = js_literal(b->vm, ": ").s;
	if (separators.type != JV_NONE && separators.type != JV_MISSING) {
		const struct jlist *l = ji_list(b->vm, separators).list;
		if (l->n != 2 || l->v[0].type != JV_STR || l->v[1].type != JV_STR)
			vm_raise(b->vm, "separators must be two strings");
		d.item = l->v[0].s;
		d.key = l->v[1].s;
	}
	dump_value(&d, v);
}
