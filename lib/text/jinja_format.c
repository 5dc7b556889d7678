/* Python's format specifications: of str.format and, in other words, of the % operator. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/text/jinja_call.h"

enum { MAX_WIDTH = 10000, MAX_PRECISION = 400 };

struct spec {
	char align; /* '<', '>', '^', '=' or 0 */
	char sign;  /* '+', ' ' or 0 */
	bool alternate;
	char group;               /* ',', '_' or 0 */
	char type;                /* 0: none */
	int64_t width, precision; /* precision -1: none */
	struct jv fill;
};

static void
put_padded(
	struct jsb *b, const struct spec *s, const char *sign, const struct jstr *body, char align)
{
	int64_t pad = s->width - (int64_t)strlen(sign) - (int64_t)body->chars, left = pad;
	if (s->align)
		align = s->align;
	if (align == '<')
		left = 0;
	else if (align == '^')
		left = pad / 2;
	if (align == '=')
		jsb_puts(b, sign);
	for (int64_t i = 0; i < left; i++)
		jsb_str(b, s->fill.s);
	if (align != '=')
		jsb_puts(b, sign);
	jsb_str(b, body);
	for (int64_t i = left; i < pad; i++)
		jsb_str(b, s->fill.s);
}

static void
put_text(struct jsb *b, const struct spec *s, const struct jstr *t)
{
	if (s->precision >= 0 && s->precision < (int64_t)t->chars)
		t = js_slice(b->vm, t, 0, 1, s->precision).s;
	put_padded(b, s, "", t, '<');
}

/* digits with a separator every three (four in the bases of two) before the point */
static struct jv
grouped(struct jvm *vm, const struct spec *s, const char *digits)
{
	struct jsb b;
	size_t n = strspn(digits, "0123456789abcdefABCDEF"), by = 3;
	if (s->type && strchr("xXob", s->type))
		by = 4;
	else
		n = strspn(digits, "0123456789");
	jsb_init(&b, vm);
	for (size_t i = 0; i < n; i++) {
		if (i && s->group && (n - i) % by == 0)
			jsb_put(&b, &s->group, 1, JINJA_LITERAL);
		jsb_put(&b, digits + i, 1, JINJA_LITERAL);
	}
	jsb_puts(&b, digits + n);
	return jsb_value(&b);
}

static void
put_digits(struct jsb *b, const struct spec *s, bool minus, const char *prefix, const char *digits)
{
	char sign[8];
	const char *plus = s->sign == '+' ? "+" : s->sign == ' ' ? " " : "";
	if (s->group && s->align == '=')
		vm_refuse(b->vm, "padding grouped digits is not supported");
	snprintf(sign, sizeof sign, "%s%s", minus ? "-" : plus, prefix);
	put_padded(b, s, sign, grouped(b->vm, s, digits).s, '>');
}

static void
put_int(struct jsb *b, const struct spec *s, int64_t i)
{
	char digits[80];
	uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
	const char *prefix = "";
	if (s->type == 'x' || s->type == 'X') {
		snprintf(digits, sizeof digits, s->type == 'x' ? "%" PRIx64 : "%" PRIX64, u);
		prefix = s->type == 'x' ? "0x" : "0X";
	} else if (s->type == 'o') {
		snprintf(digits, sizeof digits, "%" PRIo64, u);
		prefix = "0o";
	} else if (s->type == 'b') {
		int n = 1;
		while (n < 64 && u >> n)
			n++;
		for (int k = 0; k < n; k++)
			digits[k] = u >> (n - 1 - k) & 1 ? '1' : '0';
		digits[n] = '\0';
		prefix = "0b";
	} else {
		snprintf(digits, sizeof digits, "%" PRIu64, u);
	}
	put_digits(b, s, i < 0, s->alternate ? prefix : "", digits);
}

static void
put_float(struct jsb *b, const struct spec *s, double x)
{
	char digits[MAX_PRECISION + 400], how[8];
	char type = s->type == '%' ? 'f' : s->type;
	int precision = s->precision < 0 ? 6 : (int)s->precision;
	double value = s->type == '%' ? x * 100 : x;
	if (!isfinite(value)) {
		const char *word = isnan(value) ? "nan" : "inf";
		const char *capital = isnan(value) ? "NAN" : "INF";
		put_digits(b, s, value < 0, "", strchr("EFG", type) ? capital : word);
		return;
	}
	snprintf(how, sizeof how, "%%%s.*%c", s->alternate ? "#" : "", type);
	/* one of %.*e, %.*f, %.*g and their capitals */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	size_t n = (size_t)snprintf(digits, sizeof digits - 2, how, precision, fabs(value));
#pragma GCC diagnostic pop
	if (s->type == '%')
		digits[n] = '%', digits[n + 1] = '\0';
	put_digits(b, s, signbit(value), "", digits);
}

/* format(v, spec) */
static void
put_formatted(struct jsb *b, const struct spec *s, struct jv v, bool empty)
{
	char t = s->type;
	if (empty) {
		jv_put_str(b, v);
	} else if (v.type == JV_STR) {
		if (t && t != 's')
			vm_raise(b->vm, "Unknown format code '%c' for object of type 'str'", t);
		if (s->align == '=' || s->sign || s->alternate || s->group)
			vm_raise(b->vm, "this format is not allowed with strings");
		put_text(b, s, v.s);
	} else if (!jv_is_number(v)) {
		vm_raise(b->vm, "unsupported format string passed to %s.__format__",
			jv_type_name(v));
	} else if (t && strchr("eEfFgG%", t)) {
		put_float(b, s, jv_double(v));
	} else if (v.type != JV_FLOAT && (t == 0 || strchr("dxXob", t))) {
		if (s->precision >= 0)
			vm_raise(b->vm, "Precision not allowed in integer format specifier");
		put_int(b, s, jv_integer(v));
	} else if (v.type == JV_FLOAT && t == 0 && s->precision < 0) {
		struct jsb text;
		jsb_init(&text, b->vm);
		jv_put_double(&text, fabs(v.f));
		put_digits(b, s, signbit(v.f), "", jsb_value(&text).s->data);
	} else if (t == 'n' || t == 'c' || t == 0) {
		vm_refuse(b->vm, "the format code '%c' is not supported", t ? t : '.');
	} else {
		vm_raise(b->vm, "Unknown format code '%c' for object of type '%s'", t,
			jv_type_name(v));
	}
}

static int64_t
parse_count(struct jvm *vm, const char **p, int64_t limit)
{
	int64_t n = 0;
	for (; **p >= '0' && **p <= '9'; ++*p)
		if ((n = 10 * n + **p - '0') > limit)
			vm_refuse(vm, "a width or precision in a format is too large");
	return n;
}

static struct spec
parse_spec(struct jvm *vm, const struct jstr *text)
{
	struct spec s = {.precision = -1, .fill = js_literal(vm, " ")};
	/* A copy that ends in NUL. */
	const char *p = js_make(vm, text->data, text->len, JINJA_LITERAL).s->data;
	int len = 1;
	if (text->len)
		js_rune(text, 0, &len);
	if (*p && p[len - 1] && p[len] && strchr("<>^=", p[len])) {
		s.fill = js_part(vm, text, 0, len);
		s.align = p[len];
		p += len + 1;
	} else if (*p && strchr("<>^=", *p)) {
		s.align = *p++;
	}
	if (*p == '+' || *p == '-' || *p == ' ')
		s.sign = *p == '-' ? 0 : *p, p++;
	s.alternate = *p == '#';
	p += *p == '#';
	if (*p == '0' && !s.align) {
		s.align = '=';
		s.fill = js_literal(vm, "0");
	}
	s.width = parse_count(vm, &p, MAX_WIDTH);
	if (*p == ',' || *p == '_')
		s.group = *p++;
	if (*p == '.') {
		const char *from = ++p;
		s.precision = parse_count(vm, &p, MAX_PRECISION);
		if (p == from)
			vm_raise(vm, "Format specifier missing precision");
	}
	s.type = *p;
	if (*p && p[1])
		vm_raise(vm, "Invalid format specifier");
	return s;
}

/* ---- str.format ---- */

struct fields {
	struct jvm *vm;
	const struct jargs *args;
	int64_t automatic; /* the next number; -1: fields are numbered by hand */
};

static struct jv
first_value(struct fields *f, const struct jstr *name)
{
	bool number = name->len > 0;
	int64_t i = 0;
	for (size_t k = 0; k < name->len; k++) {
		number &= name->data[k] >= '0' && name->data[k] <= '9' && k < 9;
		i = number ? 10 * i + name->data[k] - '0' : 0;
	}
	if (name->len == 0 || number) {
		if (name->len == 0 ? f->automatic < 0 : f->automatic > 0)
			vm_raise(f->vm, "cannot switch between automatic and manual field "
					"numbering");
		i = name->len == 0 ? f->automatic++ : i;
		f->automatic = name->len == 0 ? f->automatic : -1;
		if (i >= (int64_t)f->args->n)
			vm_raise(f->vm,
				"Replacement index %" PRId64 " out of range for "
				"positional args tuple",
				i);
		return f->args->v[i];
	}
	for (size_t k = 0; k < f->args->n_keywords; k++)
		if (js_equal(f->args->keyword[k].name, name))
			return f->args->keyword[k].value;
	vm_raise(f->vm, "'%.*s' is missing for format", JS_ARG(name));
}

/* name.attribute[index]... */
static struct jv
field_value(struct fields *f, const struct jstr *path)
{
	size_t end = 0;
	while (end < path->len && path->data[end] != '.' && path->data[end] != '[')
		end++;
	struct jv v = first_value(f, js_part(f->vm, path, 0, end).s);
	if (end < path->len)
		vm_refuse(f->vm, "attributes in the fields of format are not supported");
	return v;
}

static void put_fields(struct fields *f, struct jsb *b, const struct jstr *s, int depth);

static void
put_field(struct fields *f, struct jsb *b, const struct jstr *field, int depth)
{
	size_t colon = 0;
	struct jsb spec_text;
	while (colon < field->len && field->data[colon] != ':' && field->data[colon] != '!')
		colon++;
	struct jv v = field_value(f, js_part(f->vm, field, 0, colon).s);
	if (colon < field->len && field->data[colon] == '!') {
		char how = colon + 1 < field->len ? field->data[colon + 1] : 0;
		jsb_init(&spec_text, f->vm);
		if (how != 's' && how != 'r')
			vm_refuse(f->vm, "this conversion in a format is not supported");
		if (how == 'r')
			jv_put_repr(&spec_text, v);
		else
			jv_put_str(&spec_text, v);
		v = jsb_value(&spec_text);
		colon += 2;
		if (colon < field->len && field->data[colon] != ':')
			vm_raise(f->vm, "expected ':' after conversion specifier");
	}
	jsb_init(&spec_text, f->vm);
	if (colon < field->len)
		put_fields(f, &spec_text,
			js_part(f->vm, field, colon + 1, field->len - colon - 1).s, depth + 1);
	const struct jstr *t = jsb_value(&spec_text).s;
	struct spec s = parse_spec(f->vm, t);
	put_formatted(b, &s, v, t->len == 0);
}

static void
put_fields(struct fields *f, struct jsb *b, const struct jstr *s, int depth)
{
	if (depth > 2)
		vm_raise(f->vm, "Max string recursion exceeded");
	for (size_t at = 0; at < s->len; at++) {
		char c = s->data[at], ahead = at + 1 < s->len ? s->data[at + 1] : 0;
		if (c != '{' && c != '}') {
			jsb_part(b, s, at, 1);
			continue;
		}
		if (ahead == c) {
			jsb_part(b, s, at++, 1);
			continue;
		}
		if (c == '}')
			vm_raise(f->vm, "Single '}' encountered in format string");
		size_t from = at + 1;
		for (int open = 1; open > 0; open += s->data[at] == '{'   ? 1
						     : s->data[at] == '}' ? -1
									  : 0)
			if (++at >= s->len)
				vm_raise(f->vm, "expected '}' before end of string");
		put_field(f, b, js_part(f->vm, s, from, at - from).s, depth);
	}
}

struct jv
jm_format(struct jvm *vm, const struct jstr *s, const struct jargs *args)
{
	struct fields f = {vm, args, 0};
	struct jsb b;
	jsb_init(&b, vm);
	put_fields(&f, &b, s, 0);
	return jsb_value(&b);
}

/* ---- the % operator ---- */

struct percent {
	struct jvm *vm;
	struct jv arguments;
	size_t used;
};

static struct jv
next_argument(struct percent *p)
{
	bool tuple = p->arguments.type == JV_TUPLE;
	size_t n = tuple ? p->arguments.list->n : 1;
	if (p->used >= n)
		vm_raise(p->vm, "not enough arguments for format string");
	p->used++;
	return tuple ? p->arguments.list->v[p->used - 1] : p->arguments;
}

static void
put_percent(struct percent *p, struct jsb *b, struct spec *s, struct jv v)
{
	struct jsb text;
	jsb_init(&text, p->vm);
	if (s->type == 's' || s->type == 'r') {
		if (s->type == 's')
			jv_put_str(&text, v);
		else
			jv_put_repr(&text, v);
		if (s->align == '=')
			*s = (struct spec){.width = s->width,
				.precision = s->precision,
				.fill = js_literal(p->vm, " ")};
		s->align = s->align ? s->align : '>';
		put_text(b, s, jsb_value(&text).s);
		return;
	}
	if (!strchr("diuxXoeEfFgG", s->type))
		vm_refuse(p->vm, "%%%c in a format is not supported", s->type);
	if (v.type == JV_UNDEF)
		jv_fail_undefined(p->vm, v);
	if (!jv_is_number(v) || (strchr("xXo", s->type) && v.type == JV_FLOAT))
		vm_raise(p->vm, "%%%c format: a real number is required, not %s", s->type,
			jv_type_name(v));
	if (strchr("eEfFgG", s->type)) {
		put_float(b, s, jv_double(v));
		return;
	}
	if (s->precision >= 0 || (v.type == JV_FLOAT && !(fabs(v.f) < 9e18)))
		vm_refuse(p->vm, "this %%%c in a format is not supported", s->type);
	s->type = strchr("xXo", s->type) ? s->type : 'd';
	put_int(b, s, v.type == JV_FLOAT ? (int64_t)v.f : jv_integer(v));
}

/* (name), which gives the value instead of the next argument */
static const char *
percent_key(struct percent *p, const char *at, struct jv *v)
{
	const char *close = strchr(at, ')');
	if (close == NULL)
		vm_raise(p->vm, "incomplete format key");
	if (p->arguments.type != JV_DICT)
		vm_raise(p->vm, "format requires a mapping");
	struct jv key = js_make(p->vm, at + 1, (size_t)(close - at - 1), JINJA_LITERAL);
	const struct jv *found = jd_get(p->vm, p->arguments.dict, key);
	if (found == NULL)
		vm_raise(p->vm, "%s is missing for the format", key.s->data);
	*v = *found;
	return close + 1;
}

/* One conversion behind its '%': where it ends. */
static const char *
percent_one(struct percent *p, struct jsb *b, const char *at)
{
	struct spec s = {.precision = -1, .fill = js_literal(p->vm, " ")};
	struct jv v = JV_ABSENT;
	if (*at == '(')
		at = percent_key(p, at, &v);
	for (; *at && strchr("-+ #0", *at); at++) {
		if (*at == '-')
			s.align = '<', s.fill = js_literal(p->vm, " ");
		else if (*at == '0' && s.align != '<')
			s.align = '=', s.fill = js_literal(p->vm, "0");
		else if (*at == '+' || (*at == ' ' && !s.sign))
			s.sign = *at;
		else if (*at == '#')
			s.alternate = true;
	}
	s.width = parse_count(p->vm, &at, MAX_WIDTH);
	if (*at == '.') {
		at++;
		s.precision = parse_count(p->vm, &at, MAX_PRECISION);
	}
	at += strspn(at, "hlL") > 0;
	if (*at == '\0')
		vm_raise(p->vm, "incomplete format");
	s.type = *at;
	if (*at == '%')
		jsb_puts(b, "%");
	else
		put_percent(p, b, &s, v.type == JV_MISSING ? next_argument(p) : v);
	return at + 1;
}

struct jv
vm_format(struct jvm *vm, const struct jstr *format, struct jv arguments)
{
	struct percent p = {vm, arguments, 0};
	struct jsb b;
	enum jv_type t = arguments.type;
	if (format->safe)
		vm_refuse(vm, "formatting safe text is not supported");
	/* A copy that ends in NUL; what stands between the conversions keeps its marks. */
	const char *text = js_make(vm, format->data, format->len, JINJA_LITERAL).s->data;
	jsb_init(&b, vm);
	for (size_t at = 0; at < format->len;) {
		const char *sign = memchr(text + at, '%', format->len - at);
		size_t n = sign ? (size_t)(sign - text) - at : format->len - at;
		jsb_part(&b, format, at, n);
		at = sign ? (size_t)(percent_one(&p, &b, sign + 1) - text) : format->len;
	}
	size_t n = t == JV_TUPLE ? arguments.list->n : 1;
	if (p.used < n && t != JV_DICT && t != JV_LIST && t != JV_UNDEF && t != JV_RANGE)
		vm_raise(vm, "not all arguments converted during string formatting");
	return jsb_value(&b);
}
