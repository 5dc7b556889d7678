/* Methods of Python's str. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/text/jinja_call.h"

size_t
jm_line_end(const struct jstr *s, size_t at, size_t *next)
{
	int len;
	for (; at < s->len; at += len) {
		int32_t c = js_rune(s, at, &len);
		if ((c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
			c == 0x2029) {
			bool crlf = c == '\r' && at + 1 < s->len && s->data[at + 1] == '\n';
			*next = at + len + crlf;
			return at;
		}
	}
	*next = s->len;
	return s->len;
}

struct jv
jm_pad(struct jvm *vm, const struct jstr *s, int64_t width, const struct jstr *fill, enum jpad side)
{
	struct jsb b;
	int64_t pad = width - (int64_t)s->chars, left = 0;
	if (fill->chars != 1)
		vm_raise(vm, "The fill character must be exactly one character long");
	if (pad <= 0)
		return (struct jv){JV_STR, .s = s};
	if (side == PAD_LEFT)
		left = pad;
	else if (side == PAD_CENTER)
		left = pad / 2 + (pad & width & 1);
	jsb_init(&b, vm);
	for (int64_t i = 0; i < left; i++)
		jsb_str(&b, fill);
	jsb_str(&b, s);
	for (int64_t i = left; i < pad; i++)
		jsb_str(&b, fill);
	struct jv v = jsb_value(&b);
	return s->safe ? js_safe(vm, v.s, true) : v;
}

/* The number's text without white space around and underscores inside; false when an underscore is
 * not between two digits or it is too long. */
static bool
clean_number(const struct jstr *s, char *out, size_t room)
{
	size_t at = 0, end = jc_rstrip(s->data, s->len), k = 0;
	int n;
	while (at < end && (n = jc_space_at(s->data + at, end - at)) > 0)
		at += n;
	for (; at < end; at++) {
		char c = s->data[at];
		if ((unsigned char)c >= 128 || c == '\0' || k + 1 >= room)
			return false;
		if (c == '_') {
			bool between = k > 0 && at + 1 < end && s->data[at + 1] != '_';
			if (!between || strchr("+-. ", out[k - 1]))
				return false;
			continue;
		}
		out[k++] = c;
	}
	out[k] = '\0';
	return k > 0;
}

static bool
refuse_foreign(struct jvm *vm, const struct jstr *s)
{
	int len;
	for (size_t at = 0; at < s->len; at += len)
		if (jr_decimal(js_rune(s, at, &len)) && len > 1)
			vm_refuse(vm, "numbers in other digits than 0-9 are not supported");
	return false;
}

bool
jm_parse_int(struct jvm *vm, const struct jstr *s, int64_t base, int64_t *i)
{
	char text[400], *end, *p = text;
	if (base != 0 && (base < 2 || base > 36))
		vm_raise(vm, "int() base must be >= 2 and <= 36, or 0");
	if (!clean_number(s, text, sizeof text))
		return s->chars == s->len ? false : refuse_foreign(vm, s);
	bool minus = *p == '-';
	p += *p == '-' || *p == '+';
	int prefix = p[0] != '0'          ? 0
		     : (p[1] | 32) == 'x' ? 16
		     : (p[1] | 32) == 'o' ? 8
		     : (p[1] | 32) == 'b' ? 2
					  : 0;
	if (prefix && (base == 0 || base == prefix)) {
		base = prefix;
		p += 2;
	} else if (base == 0) {
		base = 10;
		if (p[0] == '0' && strspn(p, "0") != strlen(p))
			return false;
	}
	if (*p == '\0' || *p == '+' || *p == '-' || jc_space_at(p, 1))
		return false;
	errno = 0;
	*i = strtoll(p, &end, (int)base);
	if (*end)
		return false;
	if (errno)
		vm_refuse(vm, "integers beyond 64 bits are not supported");
	*i = minus ? -*i : *i;
	return true;
}

bool
jm_parse_double(struct jvm *vm, const struct jstr *s, double *x)
{
	char text[400], *end;
	if (!clean_number(s, text, sizeof text))
		return s->chars == s->len ? false : refuse_foreign(vm, s);
	const char *p = text + (*text == '-' || *text == '+');
	/* strtod knows more than Python: hexadecimal, and nan(...). */
	bool word = (*p | 32) == 'i' || (*p | 32) == 'n';
	if (!word && (!(*p == '.' || (*p >= '0' && *p <= '9')) || strpbrk(p, "xXpP")))
		return false;
	if (strchr(p, '('))
		return false;
	*x = strtod(text, &end);
	return *end == '\0';
}

/* ---- splitting ---- */

static const struct jstr *
separator(struct jvm *vm, struct jv v)
{
	if (v.type == JV_MISSING || v.type == JV_NONE)
		return NULL;
	if (ja_text(vm, v, "the separator")->len == 0)
		vm_raise(vm, "empty separator");
	return v.s;
}

static void
push_part(struct jvm *vm, struct jgrow *g, const struct jstr *s, size_t from, size_t to)
{
	jgrow_push(vm, g, js_part(vm, s, from, to - from));
}

static void
split_space(struct jvm *vm, struct jgrow *g, const struct jstr *s, int64_t most)
{
	size_t at = 0;
	int n;
	for (;;) {
		while (at < s->len && (n = jc_space_at(s->data + at, s->len - at)) > 0)
			at += n;
		if (at >= s->len)
			return;
		if (most-- == 0) {
			push_part(vm, g, s, at, s->len);
			return;
		}
		size_t from = at;
		while (at < s->len && !jc_space_at(s->data + at, s->len - at))
			at++;
		push_part(vm, g, s, from, at);
	}
}

static struct jv
m_split(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s, *by = separator(vm, c->v[0]);
	int64_t most = ja_int(vm, c->v[1], -1);
	struct jgrow g = {0};
	size_t at = 0, hit;
	if (by == NULL) {
		split_space(vm, &g, s, most);
		return jgrow_value(vm, &g, JV_LIST);
	}
	for (; most != 0 && (hit = js_find(s, by, at, s->len)) != SIZE_MAX; most--) {
		push_part(vm, &g, s, at, hit);
		at = hit + by->len;
	}
	push_part(vm, &g, s, at, s->len);
	return jgrow_value(vm, &g, JV_LIST);
}

static size_t
char_before(const struct jstr *s, size_t end)
{
	do
		end--;
	while (end > 0 && ((unsigned char)s->data[end] & 0xc0) == 0x80);
	return end;
}

static void
rsplit_space(struct jvm *vm, struct jgrow *g, const struct jstr *s, int64_t most)
{
	size_t end = jc_rstrip(s->data, s->len);
	for (; end > 0; end = jc_rstrip(s->data, end)) {
		size_t from = end;
		if (most-- == 0) {
			push_part(vm, g, s, 0, end);
			return;
		}
		while (from > 0) {
			size_t at = char_before(s, from);
			if (jc_space_at(s->data + at, from - at))
				break;
			from = at;
		}
		push_part(vm, g, s, from, end);
		end = from;
	}
}

static struct jv
m_rsplit(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s, *by = separator(vm, c->v[0]);
	int64_t most = ja_int(vm, c->v[1], -1);
	struct jgrow g = {0};
	size_t end = s->len, hit;
	if (by == NULL)
		rsplit_space(vm, &g, s, most);
	for (; by && most != 0 && (hit = js_rfind(s, by, 0, end)) != SIZE_MAX; most--) {
		push_part(vm, &g, s, hit + by->len, end);
		end = hit;
	}
	if (by)
		push_part(vm, &g, s, 0, end);
	for (size_t i = 0; i < g.n / 2; i++) {
		struct jv t = g.v[i];
		g.v[i] = g.v[g.n - 1 - i];
		g.v[g.n - 1 - i] = t;
	}
	return jgrow_value(vm, &g, JV_LIST);
}

static struct jv
m_splitlines(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s;
	bool keep = ja_bool(vm, c->v[0], false);
	struct jgrow g = {0};
	for (size_t at = 0, next; at < s->len; at = next) {
		size_t end = jm_line_end(s, at, &next);
		push_part(vm, &g, s, at, keep ? next : end);
	}
	return jgrow_value(vm, &g, JV_LIST);
}

static struct jv
partition(struct jvm *vm, const struct jcall *c, bool last)
{
	const struct jstr *s = c->self.s, *by = separator(vm, c->v[0]);
	struct jv *v, tuple = jv_list(vm, JV_TUPLE, 3, &v);
	if (by == NULL)
		vm_raise(vm, "must be str, not %s", jv_type_name(c->v[0]));
	size_t hit = last ? js_rfind(s, by, 0, s->len) : js_find(s, by, 0, s->len);
	v[0] = v[1] = v[2] = js_literal(vm, "");
	if (hit == SIZE_MAX) {
		v[last ? 2 : 0] = c->self;
		return tuple;
	}
	v[0] = js_part(vm, s, 0, hit);
	v[1] = c->v[0];
	v[2] = js_part(vm, s, hit + by->len, s->len - hit - by->len);
	return tuple;
}

static struct jv
m_partition(struct jvm *vm, const struct jcall *c)
{
	return partition(vm, c, false);
}

static struct jv
m_rpartition(struct jvm *vm, const struct jcall *c)
{
	return partition(vm, c, true);
}

/* ---- finding ---- */

/* The bytes [*from, *to) that start and end, in characters, leave of s; false: an empty place
 * beyond its end, where not even "" is found. */
static bool
window(struct jvm *vm, const struct jstr *s, const struct jv *v, size_t *from, size_t *to)
{
	int64_t n = (int64_t)s->chars, a = 0, b = n;
	if (v[0].type != JV_MISSING && v[0].type != JV_NONE)
		a = ja_int(vm, v[0], 0);
	if (v[1].type != JV_MISSING && v[1].type != JV_NONE)
		b = ja_int(vm, v[1], n);
	a = a < 0 ? a + n : a;
	b = b < 0 ? b + n : b;
	a = a < 0 ? 0 : a;
	b = b < 0 ? 0 : b > n ? n : b;
	if (a > b)
		return false;
	vm_step(vm, s->chars == s->len ? 0 : s->len / 64);
	*from = js_offset(s, a);
	*to = js_offset(s, b);
	return true;
}

enum { FIND_FIRST, FIND_LAST, INDEX_FIRST, INDEX_LAST };

static struct jv
find(struct jvm *vm, const struct jcall *c, int how)
{
	const struct jstr *s = c->self.s, *what = ja_text(vm, c->v[0], "what is looked for");
	size_t from, to, hit = SIZE_MAX;
	vm_step(vm, s->len / 64);
	if (window(vm, s, c->v + 1, &from, &to))
		hit = how % 2 ? js_rfind(s, what, from, to) : js_find(s, what, from, to);
	if (hit == SIZE_MAX && how >= INDEX_FIRST)
		vm_raise(vm, "substring not found");
	return JV_I(hit == SIZE_MAX ? -1 : (int64_t)js_count(s->data, hit));
}

static struct jv
m_find(struct jvm *vm, const struct jcall *c)
{
	return find(vm, c, FIND_FIRST);
}

static struct jv
m_rfind(struct jvm *vm, const struct jcall *c)
{
	return find(vm, c, FIND_LAST);
}

static struct jv
m_index(struct jvm *vm, const struct jcall *c)
{
	return find(vm, c, INDEX_FIRST);
}

static struct jv
m_rindex(struct jvm *vm, const struct jcall *c)
{
	return find(vm, c, INDEX_LAST);
}

static struct jv
m_count(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s, *what = ja_text(vm, c->v[0], "what is counted");
	size_t from, to, hit;
	int64_t n = 0;
	if (!window(vm, s, c->v + 1, &from, &to))
		return JV_I(0);
	if (what->len == 0)
		return JV_I((int64_t)js_count(s->data + from, to - from) + 1);
	for (; (hit = js_find(s, what, from, to)) != SIZE_MAX; from = hit + what->len)
		n++;
	vm_step(vm, n + s->len / 64);
	return JV_I(n);
}

static bool
fix_matches(const struct jstr *s, const struct jstr *fix, size_t from, size_t to, bool end)
{
	if (to - from < fix->len)
		return false;
	return memcmp(s->data + (end ? to - fix->len : from), fix->data, fix->len) == 0;
}

static struct jv
starts_or_ends(struct jvm *vm, const struct jcall *c, bool end)
{
	const struct jstr *s = c->self.s;
	size_t from, to;
	struct jv fix = c->v[0];
	bool inside = window(vm, s, c->v + 1, &from, &to);
	if (fix.type == JV_STR)
		return JV_B(inside && fix_matches(s, fix.s, from, to, end));
	if (fix.type != JV_TUPLE)
		vm_raise(vm, "%s first arg must be str or a tuple of str, not %s", c->builtin->name,
			jv_type_name(fix));
	for (size_t i = 0; i < fix.list->n; i++) {
		const struct jstr *f = ja_text(vm, fix.list->v[i], "a member of the tuple");
		if (inside && fix_matches(s, f, from, to, end))
			return JV_B(true);
	}
	return JV_B(false);
}

static struct jv
m_startswith(struct jvm *vm, const struct jcall *c)
{
	return starts_or_ends(vm, c, false);
}

static struct jv
m_endswith(struct jvm *vm, const struct jcall *c)
{
	return starts_or_ends(vm, c, true);
}

static struct jv
m_removeprefix(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s, *f = ja_text(vm, c->v[0], "the prefix");
	bool has = fix_matches(s, f, 0, s->len, false);
	return has ? js_part(vm, s, f->len, s->len - f->len) : c->self;
}

static struct jv
m_removesuffix(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = c->self.s, *f = ja_text(vm, c->v[0], "the suffix");
	bool has = fix_matches(s, f, 0, s->len, true);
	return has ? js_part(vm, s, 0, s->len - f->len) : c->self;
}

const struct jbuiltin jinja_methods_search[] = {
	{"count", m_count, "/sub /start /end", 1, METHOD_SAFE},
	{"endswith", m_endswith, "/suffix /start /end", 1, METHOD_SAFE},
	{"find", m_find, "/sub /start /end", 1, METHOD_SAFE},
	{"index", m_index, "/sub /start /end", 1, METHOD_SAFE},
	{"partition", m_partition, "/sep", 1, METHOD_PLAIN},
	{"removeprefix", m_removeprefix, "/prefix", 1, METHOD_SAFE},
	{"removesuffix", m_removesuffix, "/suffix", 1, METHOD_SAFE},
	{"rfind", m_rfind, "/sub /start /end", 1, METHOD_SAFE},
	{"rindex", m_rindex, "/sub /start /end", 1, METHOD_SAFE},
	{"rpartition", m_rpartition, "/sep", 1, METHOD_PLAIN},
	{"rsplit", m_rsplit, "sep maxsplit", 0, METHOD_SAFE},
	{"split", m_split, "sep maxsplit", 0, METHOD_SAFE},
	{"splitlines", m_splitlines, "keepends", 0, METHOD_SAFE},
	{"startswith", m_startswith, "/prefix /start /end", 1, METHOD_SAFE},
	{0},
};
