/* More methods of str, and those of the other types. */
#include "lib/text/jinja_call.h"
#include "lib/text/utf8.h"

static const struct jstr *
characters(struct jvm *vm, struct jv v)
{
	if (v.type == JV_MISSING || v.type == JV_NONE)
		return NULL;
	return ja_text(vm, v, "strip arg");
}

static struct jv
m_strip(struct jvm *vm, const struct jcall *c)
{
	return js_strip(vm, c->self.s, characters(vm, c->v[0]), STRIP_LEFT | STRIP_RIGHT);
}

static struct jv
m_lstrip(struct jvm *vm, const struct jcall *c)
{
	return js_strip(vm, c->self.s, characters(vm, c->v[0]), STRIP_LEFT);
}

static struct jv
m_rstrip(struct jvm *vm, const struct jcall *c)
{
	return js_strip(vm, c->self.s, characters(vm, c->v[0]), STRIP_RIGHT);
}

static struct jv
m_upper(struct jvm *vm, const struct jcall *c)
{
	return js_case(vm, c->self.s, CASE_UPPER);
}

static struct jv
m_lower(struct jvm *vm, const struct jcall *c)
{
	return js_case(vm, c->self.s, CASE_LOWER);
}

static struct jv
m_title(struct jvm *vm, const struct jcall *c)
{
	return js_title(vm, c->self.s);
}

static struct jv
m_capitalize(struct jvm *vm, const struct jcall *c)
{
	return js_capitalize(vm, c->self.s);
}

static struct jv
m_swapcase(struct jvm *vm, const struct jcall *c)
{
	return js_swapcase(vm, c->self.s);
}

static struct jv
m_replace(struct jvm *vm, const struct jcall *c)
{
	return js_replace(vm, c->self.s, ja_text(vm, c->v[0], "replace() argument 1"),
		ja_text(vm, c->v[1], "replace() argument 2"), ja_int(vm, c->v[2], -1));
}

static struct jv
m_join(struct jvm *vm, const struct jcall *c)
{
	struct jsb b;
	struct jv item;
	struct jiter *it = ji_of(vm, c->v[0]);
	jsb_init(&b, vm);
	for (size_t i = 0; ji_next(vm, it, &item); i++) {
		if (item.type != JV_STR)
			vm_raise(vm, "sequence item %zu: expected str instance, %s found", i,
				jv_type_name(item));
		if (i)
			jsb_str(&b, c->self.s);
		jsb_str(&b, item.s);
	}
	return jsb_value(&b);
}

static struct jv
m_format(struct jvm *vm, const struct jcall *c)
{
	return jm_format(vm, c->self.s, c->args);
}

static struct jv
m_format_map(struct jvm *vm, const struct jcall *c)
{
	struct jargs args = {0};
	if (c->v[0].type != JV_DICT)
		vm_refuse(vm, "format_map of a %s is not supported", jv_type_name(c->v[0]));
	const struct jdict *d = c->v[0].dict;
	struct jkeyword *k = vm_alloc(vm, (d->n + 1) * sizeof *k);
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].key.type == JV_STR)
			k[args.n_keywords++] = (struct jkeyword){d->v[i].key.s, d->v[i].value};
	args.keyword = k;
	return jm_format(vm, c->self.s, &args);
}

static struct jv
pad(struct jvm *vm, const struct jcall *c, enum jpad side)
{
	struct jv fill = c->v[1].type == JV_MISSING ? js_literal(vm, " ") : c->v[1];
	return jm_pad(vm, c->self.s, ja_int(vm, c->v[0], 0), ja_text(vm, fill, "fillchar"), side);
}

static struct jv
m_center(struct jvm *vm, const struct jcall *c)
{
	return pad(vm, c, PAD_CENTER);
}

static struct jv
m_ljust(struct jvm *vm, const struct jcall *c)
{
	return pad(vm, c, PAD_RIGHT);
}

static struct jv
m_rjust(struct jvm *vm, const struct jcall *c)
{
	return pad(vm, c, PAD_LEFT);
}

static struct jv
m_zfill(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s;
	struct jsb b;
	int64_t zeros = ja_int(vm, c->v[0], 0) - (int64_t)s->chars;
	size_t sign = s->len && (*s->data == '-' || *s->data == '+');
	jsb_init(&b, vm);
	jsb_part(&b, s, 0, sign);
	jsb_fill(&b, '0', zeros > 0 ? (size_t)zeros : 0);
	jsb_part(&b, s, sign, s->len - sign);
	return jsb_value(&b);
}

/* True when there are characters and all of them pass. */
static struct jv
all(const struct jstr *s, bool (*test)(int32_t), bool empty)
{
	int len;
	for (size_t at = 0; at < s->len; at += len)
		if (!test(js_rune(s, at, &len)))
			return JV_B(false);
	return JV_B(s->len > 0 || empty);
}

static bool
is_space(int32_t c)
{
	char room[8];
	struct buf b = {room, 0, sizeof room};
	utf8_put(&b, c);
	return jc_space_at(room, b.len) > 0;
}

static bool
is_alnum(int32_t c)
{
	return jr_alpha(c) || jr_numeric(c) || jr_digit(c);
}

static bool
is_ascii(int32_t c)
{
	return c < 128;
}

static struct jv
m_isalpha(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, jr_alpha, false);
}

static struct jv
m_isalnum(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, is_alnum, false);
}

static struct jv
m_isdigit(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, jr_digit, false);
}

static struct jv
m_isdecimal(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, jr_decimal, false);
}

static struct jv
m_isnumeric(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, jr_numeric, false);
}

static struct jv
m_isspace(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, is_space, false);
}

static struct jv
m_isascii(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, is_ascii, true);
}

static struct jv
m_isprintable(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return all(c->self.s, jr_printable, true);
}

bool
jm_is_case(const struct jstr *s, bool upper)
{
	int len;
	bool cased = false;
	for (size_t at = 0; at < s->len; at += len) {
		int32_t c = js_rune(s, at, &len);
		if (jr_cased(c) && !(upper ? jr_upper(c) : jr_lower(c)))
			return false;
		cased |= jr_cased(c);
	}
	return cased;
}

static struct jv
m_islower(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(jm_is_case(c->self.s, false));
}

static struct jv
m_isupper(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(jm_is_case(c->self.s, true));
}

static struct jv
m_istitle(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s;
	bool inside = false, any = false;
	int len;
	(void)vm;
	for (size_t at = 0; at < s->len; at += len) {
		int32_t r = js_rune(s, at, &len);
		bool lower = jr_lower(r), cased = jr_cased(r);
		if (cased && lower != inside)
			return JV_B(false);
		inside = cased;
		any |= cased;
	}
	return JV_B(any);
}

static const struct jbuiltin text[] = {
	{"capitalize", m_capitalize, "", 0, METHOD_SAFE},
	{"casefold", NULL, "", 0, METHOD_PLAIN},
	{"center", m_center, "/width /fillchar", 1, METHOD_PLAIN},
	{"encode", NULL, "", 0, METHOD_PLAIN},
	{"expandtabs", NULL, "", 0, METHOD_PLAIN},
	{"format", m_format, "*", 0, METHOD_PLAIN},
	{"format_map", m_format_map, "/mapping", 1, METHOD_PLAIN},
	{"isalnum", m_isalnum, "", 0, METHOD_SAFE},
	{"isalpha", m_isalpha, "", 0, METHOD_SAFE},
	{"isascii", m_isascii, "", 0, METHOD_SAFE},
	{"isdecimal", m_isdecimal, "", 0, METHOD_SAFE},
	{"isdigit", m_isdigit, "", 0, METHOD_SAFE},
	{"isidentifier", NULL, "", 0, METHOD_PLAIN},
	{"islower", m_islower, "", 0, METHOD_SAFE},
	{"isnumeric", m_isnumeric, "", 0, METHOD_SAFE},
	{"isprintable", m_isprintable, "", 0, METHOD_SAFE},
	{"isspace", m_isspace, "", 0, METHOD_SAFE},
	{"istitle", m_istitle, "", 0, METHOD_SAFE},
	{"isupper", m_isupper, "", 0, METHOD_SAFE},
	{"join", m_join, "/iterable", 1, METHOD_PLAIN},
	{"ljust", m_ljust, "/width /fillchar", 1, METHOD_PLAIN},
	{"lower", m_lower, "", 0, METHOD_SAFE},
	{"lstrip", m_lstrip, "/chars", 0, METHOD_SAFE},
	{"maketrans", NULL, "", 0, METHOD_PLAIN},
	{"replace", m_replace, "/old /new /count", 2, METHOD_PLAIN},
	{"rjust", m_rjust, "/width /fillchar", 1, METHOD_PLAIN},
	{"rstrip", m_rstrip, "/chars", 0, METHOD_SAFE},
	{"strip", m_strip, "/chars", 0, METHOD_SAFE},
	{"swapcase", m_swapcase, "", 0, METHOD_SAFE},
	{"title", m_title, "", 0, METHOD_SAFE},
	{"translate", NULL, "", 0, METHOD_PLAIN},
	{"upper", m_upper, "", 0, METHOD_SAFE},
	{"zfill", m_zfill, "/width", 1, METHOD_PLAIN},
	{0},
};

/* ---- dict ---- */

static struct jv
view(struct jvm *vm, const struct jcall *c, enum jview_kind kind)
{
	struct jview *v = vm_alloc(vm, sizeof *v);
	*v = (struct jview){c->self.dict, kind};
	return (struct jv){JV_VIEW, .view = v};
}

static struct jv
m_keys(struct jvm *vm, const struct jcall *c)
{
	return view(vm, c, VIEW_KEYS);
}

static struct jv
m_values(struct jvm *vm, const struct jcall *c)
{
	return view(vm, c, VIEW_VALUES);
}

static struct jv
m_items(struct jvm *vm, const struct jcall *c)
{
	return view(vm, c, VIEW_ITEMS);
}

static struct jv
m_get(struct jvm *vm, const struct jcall *c)
{
	const struct jv *v = jd_get(vm, c->self.dict, c->v[0]);
	if (v)
		return *v;
	return c->v[1].type == JV_MISSING ? JV_NOTHING : c->v[1];
}

static struct jv
m_copy(struct jvm *vm, const struct jcall *c)
{
	/* Nothing can change it, so that it may stand for its copy. */
	(void)vm;
	return c->self;
}

static const struct jbuiltin dict[] = {
	{"clear", NULL, "", 0, METHOD_MUTATES},
	{"copy", m_copy, "", 0, METHOD_PLAIN},
	{"fromkeys", NULL, "", 0, METHOD_PLAIN},
	{"get", m_get, "/key /default", 1, METHOD_PLAIN},
	{"items", m_items, "", 0, METHOD_PLAIN},
	{"keys", m_keys, "", 0, METHOD_PLAIN},
	{"pop", NULL, "", 0, METHOD_MUTATES},
	{"popitem", NULL, "", 0, METHOD_MUTATES},
	{"setdefault", NULL, "", 0, METHOD_MUTATES},
	{"update", NULL, "", 0, METHOD_MUTATES},
	{"values", m_values, "", 0, METHOD_PLAIN},
	{0},
};

/* ---- list, tuple, range ---- */

static struct jv
m_list_index(struct jvm *vm, const struct jcall *c)
{
	struct jiter *it = ji_of(vm, c->self);
	struct jv v;
	if (c->v[1].type != JV_MISSING)
		vm_refuse(vm, "index with bounds is not supported");
	for (int64_t i = 0; ji_next(vm, it, &v); i++)
		if (jv_same(v, c->v[0]) || jv_equal(vm, v, c->v[0]))
			return JV_I(i);
	vm_raise(vm, "the value is not in the list");
}

static struct jv
m_list_count(struct jvm *vm, const struct jcall *c)
{
	struct jiter *it = ji_of(vm, c->self);
	struct jv v;
	int64_t n = 0;
	while (ji_next(vm, it, &v))
		n += jv_same(v, c->v[0]) || jv_equal(vm, v, c->v[0]);
	return JV_I(n);
}

static const struct jbuiltin list[] = {
	{"append", NULL, "", 0, METHOD_MUTATES},
	{"clear", NULL, "", 0, METHOD_MUTATES},
	{"copy", m_copy, "", 0, METHOD_PLAIN},
	{"count", m_list_count, "/value", 1, METHOD_PLAIN},
	{"extend", NULL, "", 0, METHOD_MUTATES},
	{"index", m_list_index, "/value /start /stop", 1, METHOD_PLAIN},
	{"insert", NULL, "", 0, METHOD_MUTATES},
	{"pop", NULL, "", 0, METHOD_MUTATES},
	{"remove", NULL, "", 0, METHOD_MUTATES},
	{"reverse", NULL, "", 0, METHOD_MUTATES},
	{"sort", NULL, "", 0, METHOD_MUTATES},
	{0},
};

static const struct jbuiltin tuple[] = {
	{"count", m_list_count, "/value", 1, METHOD_PLAIN},
	{"index", m_list_index, "/value /start /stop", 1, METHOD_PLAIN},
	{0},
};

static const struct jbuiltin number[] = {
	{"as_integer_ratio", NULL, "", 0, METHOD_PLAIN},
	{"bit_count", NULL, "", 0, METHOD_PLAIN},
	{"bit_length", NULL, "", 0, METHOD_PLAIN},
	{"conjugate", NULL, "", 0, METHOD_PLAIN},
	{"denominator", NULL, "", 0, METHOD_PROPERTY},
	{"from_bytes", NULL, "", 0, METHOD_PLAIN},
	{"fromhex", NULL, "", 0, METHOD_PLAIN},
	{"hex", NULL, "", 0, METHOD_PLAIN},
	{"imag", NULL, "", 0, METHOD_PROPERTY},
	{"is_integer", NULL, "", 0, METHOD_PLAIN},
	{"numerator", NULL, "", 0, METHOD_PROPERTY},
	{"real", NULL, "", 0, METHOD_PROPERTY},
	{"to_bytes", NULL, "", 0, METHOD_PLAIN},
	{0},
};

const struct jbuiltin *
jinja_method(enum jv_type type, const struct jstr *name)
{
	const struct jbuiltin *b;
	switch (type) {
	case JV_STR:
		b = jb_find(jinja_methods_search, name);
		return b ? b : jb_find(text, name);
	case JV_DICT:
		return jb_find(dict, name);
	case JV_LIST:
		return jb_find(list, name);
	case JV_TUPLE:
	case JV_RANGE:
		return jb_find(tuple, name);
	case JV_INT:
	case JV_FLOAT:
	case JV_BOOL:
		return jb_find(number, name);
	default:
		return NULL;
	}
}
