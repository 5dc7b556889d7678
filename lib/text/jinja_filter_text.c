/* Filters that work on text and numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/text/jinja_call.h"

static struct jv
f_case(struct jvm *vm, const struct jcall *c)
{
	return js_case(vm, jv_str(vm, c->self), c->builtin->op);
}

static struct jv
f_capitalize(struct jvm *vm, const struct jcall *c)
{
	return js_capitalize(vm, jv_str(vm, c->self));
}

/* Words begin behind white space and the signs - ( { [ <. */
static struct jv
f_title(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = jv_str(vm, c->self);
	struct jsb b;
	bool inside = false;
	int len;
	jsb_init(&b, vm);
	for (size_t at = 0; at < s->len; at += len) {
		int32_t r = js_rune(s, at, &len);
		bool between = jc_space_at(s->data + at, s->len - at) || r == '-' || r == '(' ||
			       r == '{' || r == '[' || r == '<';
		if (between)
			jsb_part(&b, s, at, len);
		else
			js_put_case(&b, s, at, inside ? CASE_LOWER : CASE_UPPER);
		inside = !between;
	}
	return jsb_value(&b);
}

static struct jv
f_trim(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *set = c->v[0].type == JV_MISSING || c->v[0].type == JV_NONE
					 ? NULL
					 : ja_text(vm, c->v[0], "strip arg");
	return js_strip(vm, jv_str(vm, c->self), set, STRIP_LEFT | STRIP_RIGHT);
}

static struct jv
f_replace(struct jvm *vm, const struct jcall *c)
{
	int64_t most = c->v[2].type == JV_NONE ? -1 : ja_int(vm, c->v[2], -1);
	return js_replace(vm, jv_str(vm, c->self), jv_str(vm, c->v[0]), jv_str(vm, c->v[1]), most);
}

static struct jv
f_string(struct jvm *vm, const struct jcall *c)
{
	return (struct jv){JV_STR, .s = jv_str(vm, c->self)};
}

static struct jv
f_safe(struct jvm *vm, const struct jcall *c)
{
	return js_safe(vm, jv_str(vm, c->self), true);
}

static struct jv
f_escape(struct jvm *vm, const struct jcall *c)
{
	struct jsb b;
	bool force = c->builtin->op;
	if (c->self.type == JV_STR && c->self.s->safe && !force)
		return c->self;
	jsb_init(&b, vm);
	js_escape(&b, jv_str(vm, c->self));
	return js_safe(vm, jsb_value(&b).s, true);
}

static const struct jstr *
indentation(struct jvm *vm, struct jv width)
{
	struct jsb b;
	if (width.type == JV_STR)
		return width.s;
	int64_t n = ja_int(vm, width, 4);
	jsb_init(&b, vm);
	jsb_fill(&b, ' ', n > 0 ? (size_t)n : 0);
	return jsb_value(&b).s;
}

static struct jv
f_indent(struct jvm *vm, const struct jcall *c)
{
	if (c->self.type == JV_UNDEF)
		jv_fail_undefined(vm, c->self);
	const struct jstr *s = ja_text(vm, c->self, "the text to indent");
	const struct jstr *by = indentation(vm, c->v[0]);
	bool first = ja_bool(vm, c->v[1], false), blank = ja_bool(vm, c->v[2], false);
	struct jsb b;
	size_t at = 0, next;
	jsb_init(&b, vm);
	for (bool begin = true;; begin = false) {
		size_t end = jm_line_end(s, at, &next);
		if (!begin)
			jsb_puts(&b, "\n");
		if (begin ? first : blank || end > at)
			jsb_str(&b, by);
		jsb_part(&b, s, at, end - at);
		at = next;
		if (next == end) /* no line break: the last line */
			break;
	}
	return s->safe ? js_safe(vm, jsb_value(&b).s, true) : jsb_value(&b);
}

static struct jv
f_wordcount(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = jv_str(vm, c->self);
	int64_t words = 0;
	int len;
	bool inside = false;
	for (size_t at = 0; at < s->len; at += len) {
		int32_t r = js_rune(s, at, &len);
		bool word = r == '_' || jr_alpha(r) || jr_numeric(r) || jr_digit(r);
		words += word && !inside;
		inside = word;
	}
	return JV_I(words);
}

static struct jv
f_center(struct jvm *vm, const struct jcall *c)
{
	struct jv space = js_literal(vm, " ");
	return jm_pad(vm, jv_str(vm, c->self), ja_int(vm, c->v[0], 80), space.s, PAD_CENTER);
}

static struct jv
f_truncate(struct jvm *vm, const struct jcall *c)
{
	int64_t length = ja_int(vm, c->v[0], 255);
	struct jv end = c->v[2].type == JV_MISSING ? js_literal(vm, "...") : c->v[2];
	int64_t leeway = c->v[3].type == JV_NONE ? 5 : ja_int(vm, c->v[3], 5);
	int64_t keep = length - (int64_t)ja_text(vm, end, "end")->chars;
	if (keep < 0 || leeway < 0)
		vm_raise(vm, "truncate: expected length >= len(end) and leeway >= 0");
	if (jv_length(vm, c->self, false) <= length + leeway)
		return c->self;
	const struct jstr *s = ja_text(vm, c->self, "the text to truncate");
	struct jv head = js_slice(vm, s, 0, 1, keep);
	if (!ja_bool(vm, c->v[1], false)) {
		const char *space = memrchr(head.s->data, ' ', head.s->len);
		if (space)
			head = js_part(vm, head.s, 0, (size_t)(space - head.s->data));
	}
	return vm_binary(vm, JT_ADD, head, end);
}

static struct jv
f_format(struct jvm *vm, const struct jcall *c)
{
	const struct jargs *a = c->args;
	struct jv *v, values;
	if (a->n && a->n_keywords)
		vm_raise(vm, "can't handle positional and keyword arguments at the same time");
	if (a->n_keywords) {
		struct jdict *d = jd_new(vm, a->n_keywords);
		for (size_t i = 0; i < a->n_keywords; i++)
			jd_set(vm, d, (struct jv){JV_STR, .s = a->keyword[i].name},
				a->keyword[i].value);
		return vm_format(vm, jv_str(vm, c->self), (struct jv){JV_DICT, .dict = d});
	}
	values = jv_list(vm, JV_TUPLE, a->n, &v);
	for (size_t i = 0; i < a->n; i++)
		v[i] = a->v[i];
	return vm_format(vm, jv_str(vm, c->self), values);
}

static void
quote_url(struct jsb *b, const struct jstr *s, bool query)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.-~";
	char e[4];
	for (size_t i = 0; i < s->len; i++) {
		unsigned char u = (unsigned char)s->data[i];
		if ((u && strchr(plain, u)) || (u == '/' && !query))
			jsb_part(b, s, i, 1);
		else if (u == ' ' && query)
			jsb_put(b, "+", 1, js_mark(s, i));
		else if (snprintf(e, sizeof e, "%%%02X", u) > 0)
			jsb_put(b, e, 3, js_mark(s, i));
	}
}

static struct jv
f_urlencode(struct jvm *vm, const struct jcall *c)
{
	struct jv item, v = c->self;
	struct jsb b;
	jsb_init(&b, vm);
	if (v.type == JV_STR || !ji_can(v)) {
		quote_url(&b, jv_str(vm, v), false);
		return jsb_value(&b);
	}
	if (v.type == JV_DICT) {
		struct jview *view = vm_alloc(vm, sizeof *view);
		*view = (struct jview){v.dict, VIEW_ITEMS};
		v = (struct jv){JV_VIEW, .view = view};
	}
	struct jiter *it = ji_of(vm, v);
	for (bool first = true; ji_next(vm, it, &item); first = false) {
		struct jv pair = ji_list(vm, item);
		if (pair.list->n != 2)
			vm_raise(vm, "urlencode needs pairs");
		if (!first)
			jsb_puts(&b, "&");
		quote_url(&b, jv_str(vm, pair.list->v[0]), true);
		jsb_puts(&b, "=");
		quote_url(&b, jv_str(vm, pair.list->v[1]), true);
	}
	return jsb_value(&b);
}

/* transformers' own: json.dumps(x, ensure_ascii=False, indent, separators, sort_keys) */
static struct jv
f_tojson(struct jvm *vm, const struct jcall *c)
{
	struct jsb b;
	jsb_init(&b, vm);
	jv_put_json(&b, c->self, c->v[1], c->v[2], ja_bool(vm, c->v[0], false),
		ja_bool(vm, c->v[3], false));
	return jsb_value(&b);
}

/* ---- numbers ---- */

static struct jv
int_of_double(struct jvm *vm, double x)
{
	if (fabs(x) >= 9.2e18)
		vm_refuse(vm, "integers beyond 64 bits are not supported");
	return JV_I((int64_t)x);
}

static struct jv
f_int(struct jvm *vm, const struct jcall *c)
{
	struct jv v = c->self, otherwise = c->v[0].type == JV_MISSING ? JV_I(0) : c->v[0];
	int64_t i;
	double x;
	if (v.type == JV_UNDEF)
		jv_fail_undefined(vm, v);
	if (v.type == JV_STR) {
		if (jm_parse_int(vm, v.s, ja_int(vm, c->v[1], 10), &i))
			return JV_I(i);
		if (!jm_parse_double(vm, v.s, &x) || isnan(x) || isinf(x))
			return otherwise;
		return int_of_double(vm, x);
	}
	if (v.type == JV_FLOAT && isinf(v.f))
		vm_raise(vm, "cannot convert float infinity to integer");
	if (v.type == JV_FLOAT)
		return isnan(v.f) ? otherwise : int_of_double(vm, v.f);
	return jv_is_number(v) ? JV_I(jv_integer(v)) : otherwise;
}

static struct jv
f_float(struct jvm *vm, const struct jcall *c)
{
	struct jv v = c->self, otherwise = c->v[0].type == JV_MISSING ? JV_F(0) : c->v[0];
	double x;
	if (v.type == JV_UNDEF)
		jv_fail_undefined(vm, v);
	if (v.type == JV_STR)
		return jm_parse_double(vm, v.s, &x) ? JV_F(x) : otherwise;
	return jv_is_number(v) ? JV_F(jv_double(v)) : otherwise;
}

static struct jv
f_abs(struct jvm *vm, const struct jcall *c)
{
	struct jv v = c->self;
	if (!jv_is_number(v))
		vm_raise(vm, "bad operand type for abs(): '%s'", jv_type_name(v));
	if (v.type == JV_FLOAT)
		return JV_F(fabs(v.f));
	return jv_integer(v) < 0 ? vm_negate(vm, v, true) : JV_I(jv_integer(v));
}

static struct jv
round_common(struct jvm *vm, struct jv v, int64_t digits)
{
	char text[800];
	if (v.type != JV_FLOAT && digits >= 0)
		return JV_I(jv_integer(v));
	if (digits < 0)
		vm_refuse(vm, "rounding to tens is not supported");
	if (!isfinite(v.f) || digits > 340)
		return v;
	/* printf rounds the exact value, half to even, as Python's round does. */
	snprintf(text, sizeof text, "%.*f", (int)digits, v.f);
	return JV_F(strtod(text, NULL));
}

static struct jv
f_round(struct jvm *vm, const struct jcall *c)
{
	int64_t digits = ja_int(vm, c->v[0], 0);
	struct jv method = c->v[1].type == JV_MISSING ? js_literal(vm, "common") : c->v[1];
	const struct jstr *how = ja_text(vm, method, "method");
	bool up = js_is(how, "ceil");
	if (!js_is(how, "common") && !up && !js_is(how, "floor"))
		vm_raise(vm, "method must be common, ceil or floor");
	if (!jv_is_number(c->self))
		vm_raise(vm, "type %s doesn't define __round__ method", jv_type_name(c->self));
	if (js_is(how, "common"))
		return round_common(vm, c->self, digits);
	double scale = pow(10, (double)digits), x = jv_double(c->self) * scale;
	if (!isfinite(x))
		vm_raise(vm, "cannot convert float to integer");
	return JV_F((up ? ceil(x) : floor(x)) / scale);
}

/* ---- of any value ---- */

static struct jv
f_default(struct jvm *vm, const struct jcall *c)
{
	struct jv v = c->self;
	if (v.type != JV_UNDEF && !(ja_bool(vm, c->v[1], false) && !jv_true(vm, v)))
		return v;
	return c->v[0].type == JV_MISSING ? js_literal(vm, "") : c->v[0];
}

static struct jv
f_length(struct jvm *vm, const struct jcall *c)
{
	return JV_I(jv_length(vm, c->self, false));
}

static struct jv
f_attr(struct jvm *vm, const struct jcall *c)
{
	if (c->self.type == JV_UNDEF)
		jv_fail_undefined(vm, c->self);
	struct jv v = vm_attribute(vm, c->self, ja_text(vm, c->v[0], "attribute name"));
	return v.type == JV_MISSING ? jv_undefined_member(vm, c->self, c->v[0]) : v;
}

const struct jbuiltin jinja_filters_text[] = {
	{"abs", f_abs, "", 0, 0},
	{"attr", f_attr, "name", 1, 0},
	{"capitalize", f_capitalize, "", 0, 0},
	{"center", f_center, "width", 0, 0},
	{"count", f_length, "", 0, 0},
	{"d", f_default, "default_value boolean", 0, 0},
	{"default", f_default, "default_value boolean", 0, 0},
	{"e", f_escape, "", 0, 0},
	{"escape", f_escape, "", 0, 0},
	{"filesizeformat", NULL, "", 0, 0},
	{"float", f_float, "default", 0, 0},
	{"forceescape", f_escape, "", 0, 1},
	{"format", f_format, "*", 0, 0},
	{"indent", f_indent, "width first blank", 0, 0},
	{"int", f_int, "default base", 0, 0},
	{"length", f_length, "", 0, 0},
	{"lower", f_case, "", 0, CASE_LOWER},
	{"pprint", NULL, "", 0, 0},
	{"replace", f_replace, "old new count", 2, 0},
	{"round", f_round, "precision method", 0, 0},
	{"safe", f_safe, "", 0, 0},
	{"string", f_string, "", 0, 0},
	{"striptags", NULL, "", 0, 0},
	{"title", f_title, "", 0, 0},
	{"tojson", f_tojson, "ensure_ascii indent separators sort_keys", 0, 0},
	{"trim", f_trim, "chars", 0, 0},
	{"truncate", f_truncate, "length killwords end leeway", 0, 0},
	{"upper", f_case, "", 0, CASE_UPPER},
	{"urlencode", f_urlencode, "", 0, 0},
	{"urlize", NULL, "", 0, 0},
	{"wordcount", f_wordcount, "", 0, 0},
	{"wordwrap", NULL, "", 0, 0},
	{"xmlattr", NULL, "", 0, 0},
	{0},
};
