/* Filters that work on sequences.  Those that are generators in jinja2 are lazy here too. */
#include "lib/text/jinja_call.h"

static struct jv
folded(struct jvm *vm, struct jv v, bool case_sensitive)
{
	return v.type == JV_STR && !case_sensitive ? js_case(vm, v.s, CASE_LOWER) : v;
}

static struct jv
f_list(struct jvm *vm, const struct jcall *c)
{
	return ji_list(vm, c->self);
}

static struct jv
f_first(struct jvm *vm, const struct jcall *c)
{
	struct jv v;
	if (ji_next(vm, ji_of(vm, c->self), &v))
		return v;
	return jv_undefined_hint(vm, "No first item, sequence was empty.");
}

/* reversed(v): what has an order and an end. */
static struct jv
backwards(struct jvm *vm, struct jv v)
{
	if (!ji_can(v) || v.type == JV_ITER || v.type == JV_LOOP)
		vm_raise(vm, "'%s' object is not reversible", jv_type_name(v));
	struct jv list = ji_list(vm, v);
	for (size_t i = 0, n = list.list->n; i < n / 2; i++) {
		struct jv t = list.list->v[i];
		list.list->v[i] = list.list->v[n - 1 - i];
		list.list->v[n - 1 - i] = t;
	}
	return list;
}

static struct jv
f_last(struct jvm *vm, const struct jcall *c)
{
	struct jv v = backwards(vm, c->self);
	return v.list->n ? v.list->v[0]
			 : jv_undefined_hint(vm, "No last item, sequence was empty.");
}

static struct jv
f_reverse(struct jvm *vm, const struct jcall *c)
{
	struct jv v = c->self;
	if (v.type == JV_STR)
		return js_slice(vm, v.s, (int64_t)v.s->chars - 1, -1, (int64_t)v.s->chars);
	if (v.type == JV_ITER)
		return backwards(vm, ji_list(vm, v));
	if (!ji_can(v))
		vm_raise(vm, "argument must be iterable");
	return ji_value(ji_of(vm, backwards(vm, v)));
}

static struct jv
f_join(struct jvm *vm, const struct jcall *c)
{
	struct jsb b;
	struct jv item;
	const struct jstr *between = c->v[0].type == JV_MISSING ? NULL : jv_str(vm, c->v[0]);
	struct jiter *it = ji_of(vm, c->self);
	jsb_init(&b, vm);
	for (bool first = true; ji_next(vm, it, &item); first = false) {
		if (!first && between)
			jsb_str(&b, between);
		jv_put_str(&b, ja_path(vm, item, c->v[1], JV_ABSENT));
	}
	return jsb_value(&b);
}

/* ---- map, select and their like ---- */

struct each {
	struct jargs args; /* for the filter or test that is called */
	const struct jstr *name;
	struct jv path, otherwise;
	bool by_path, reject;
};

static bool
next_mapped(struct jvm *vm, struct jiter *it, struct jv *out)
{
	const struct each *m = it->state;
	if (!ji_next(vm, it->source, out))
		return false;
	*out = m->by_path ? ja_path(vm, *out, m->path, m->otherwise)
			  : vm_filter_named(vm, m->name, *out, &m->args);
	return true;
}

static bool
next_selected(struct jvm *vm, struct jiter *it, struct jv *out)
{
	const struct each *m = it->state;
	while (ji_next(vm, it->source, out)) {
		struct jv v = m->by_path ? ja_path(vm, *out, m->path, JV_ABSENT) : *out;
		if (m->name)
			v = vm_test_named(vm, m->name, v, &m->args);
		if (jv_true(vm, v) != m->reject)
			return true;
	}
	return false;
}

/* The arguments of map: attribute and default by name, or a filter and its arguments. */
static void
prepare_map(struct jvm *vm, struct each *m)
{
	struct jargs *a = &m->args;
	bool attribute = false;
	for (size_t i = 0; i < a->n_keywords; i++)
		attribute |= js_is(a->keyword[i].name, "attribute");
	m->by_path = a->n == 0 && attribute;
	if (!m->by_path) {
		if (a->n == 0)
			vm_raise(vm, "map requires a filter argument");
		m->name = ja_text(vm, a->v[0], "a filter's name");
		a->v++;
		a->n--;
		return;
	}
	for (size_t i = 0; i < a->n_keywords; i++) {
		if (js_is(a->keyword[i].name, "attribute"))
			m->path = a->keyword[i].value;
		else if (js_is(a->keyword[i].name, "default"))
			m->otherwise = a->keyword[i].value;
		else
			vm_raise(vm, "Unexpected keyword argument '%.*s'",
				JS_ARG(a->keyword[i].name));
	}
}

static void
prepare_select(struct jvm *vm, struct each *m)
{
	struct jargs *a = &m->args;
	if (m->by_path) {
		if (a->n == 0)
			vm_raise(vm, "Missing parameter for attribute name");
		m->path = a->v[0];
		a->v++;
		a->n--;
	}
	if (a->n) {
		m->name = ja_text(vm, a->v[0], "a test's name");
		a->v++;
		a->n--;
	}
}

enum { EACH_MAP, EACH_SELECT, EACH_REJECT, EACH_SELECT_ATTR, EACH_REJECT_ATTR };

/* What a generator does when its first item is asked for. */
static bool
next_first(struct jvm *vm, struct jiter *it, struct jv *out)
{
	struct each *m = (struct each *)it->state;
	if (!jv_true(vm, *it->v))
		return false;
	if (it->step == EACH_MAP)
		prepare_map(vm, m);
	else
		prepare_select(vm, m);
	it->source = ji_of(vm, *it->v);
	it->next = it->step == EACH_MAP ? next_mapped : next_selected;
	return it->next(vm, it, out);
}

static struct jv
f_each(struct jvm *vm, const struct jcall *c)
{
	struct jiter *it = ji_new(vm, next_first);
	struct each *m = vm_alloc(vm, sizeof *m);
	struct jv *self = vm_alloc(vm, sizeof *self);
	int op = c->builtin->op;
	*self = c->self;
	*m = (struct each){.args = *c->args,
		.path = JV_NOTHING,
		.otherwise = JV_ABSENT,
		.by_path = op == EACH_SELECT_ATTR || op == EACH_REJECT_ATTR,
		.reject = op == EACH_REJECT || op == EACH_REJECT_ATTR};
	it->v = self;
	it->step = op;
	it->state = m;
	return ji_value(it);
}

/* ---- items, unique, batch, slice ---- */

static bool
next_item(struct jvm *vm, struct jiter *it, struct jv *out)
{
	if (it->v->type == JV_UNDEF)
		return false;
	if (it->v->type != JV_DICT)
		vm_raise(vm, "Can only get item pairs from a mapping.");
	if (it->at >= it->v->dict->n)
		return false;
	const struct jdict_entry *e = &it->v->dict->v[it->at++];
	*out = jv_pair(vm, e->key, e->value);
	return true;
}

static struct jiter *
generator(struct jvm *vm, const struct jcall *c,
	bool (*next)(struct jvm *, struct jiter *, struct jv *))
{
	struct jiter *it = ji_new(vm, next);
	struct jv *v = vm_alloc(vm, (1 + JINJA_MAX_PARAMS) * sizeof *v);
	v[0] = c->self;
	memcpy(v + 1, c->v, JINJA_MAX_PARAMS * sizeof *v);
	it->v = v;
	return it;
}

static struct jv
f_items(struct jvm *vm, const struct jcall *c)
{
	return ji_value(generator(vm, c, next_item));
}

static bool
next_unique(struct jvm *vm, struct jiter *it, struct jv *out)
{
	if (it->source == NULL)
		it->source = ji_of(vm, it->v[0]);
	while (ji_next(vm, it->source, out)) {
		struct jv key = ja_path(vm, *out, it->v[2], JV_ABSENT);
		key = folded(vm, key, ja_bool(vm, it->v[1], false));
		if (jd_get(vm, it->dict, key))
			continue;
		jd_set(vm, (struct jdict *)it->dict, key, JV_NOTHING);
		return true;
	}
	return false;
}

static struct jv
f_unique(struct jvm *vm, const struct jcall *c)
{
	struct jiter *it = generator(vm, c, next_unique);
	it->dict = jd_new(vm, 8);
	return ji_value(it);
}

static bool
next_batch(struct jvm *vm, struct jiter *it, struct jv *out)
{
	struct jgrow g = {0};
	struct jv v, fill = it->v[2];
	if (it->source == NULL)
		it->source = ji_of(vm, it->v[0]);
	int64_t count = ja_int(vm, it->v[1], 0);
	if (count < 1)
		vm_refuse(vm, "batches of less than one are not supported");
	while ((int64_t)g.n < count && ji_next(vm, it->source, &v))
		jgrow_push(vm, &g, v);
	if (g.n == 0)
		return false;
	while ((int64_t)g.n < count && fill.type != JV_MISSING && fill.type != JV_NONE)
		jgrow_push(vm, &g, fill);
	*out = jgrow_value(vm, &g, JV_LIST);
	return true;
}

static struct jv
f_batch(struct jvm *vm, const struct jcall *c)
{
	return ji_value(generator(vm, c, next_batch));
}

static bool
next_slice(struct jvm *vm, struct jiter *it, struct jv *out)
{
	struct jgrow g = {0};
	struct jv all = it->source ? ji_value(it->source) : ji_list(vm, it->v[0]);
	if (it->source == NULL) {
		it->source = ji_of(vm, all);
		it->n = all.list->n;
	}
	int64_t slices = ja_int(vm, it->v[1], 0);
	if (slices == 0)
		vm_raise(vm, "integer division or modulo by zero");
	if ((int64_t)it->at >= slices)
		return false;
	size_t each = it->n / slices, extra = it->n % slices;
	size_t take = each + (it->at < extra);
	struct jv v, fill = it->v[2];
	while (g.n < take && ji_next(vm, it->source, &v))
		jgrow_push(vm, &g, v);
	if (fill.type != JV_MISSING && fill.type != JV_NONE && it->at >= extra)
		jgrow_push(vm, &g, fill);
	it->at++;
	*out = jgrow_value(vm, &g, JV_LIST);
	return true;
}

static struct jv
f_slice(struct jvm *vm, const struct jcall *c)
{
	return ji_value(generator(vm, c, next_slice));
}

/* ---- sorting and summing ---- */

/* "a,b.c": a list of what the paths lead to, so that equal undefined values need no order. */
static struct jv
sort_key(struct jvm *vm, struct jv item, struct jv path, bool case_sensitive)
{
	struct jgrow g = {0};
	if (path.type != JV_STR) {
		item = folded(vm, ja_path(vm, item, path, JV_ABSENT), case_sensitive);
		jgrow_push(vm, &g, item);
		return jgrow_value(vm, &g, JV_LIST);
	}
	for (size_t at = 0; at <= path.s->len;) {
		const char *s = path.s->data + at, *comma = memchr(s, ',', path.s->len - at);
		size_t n = comma ? (size_t)(comma - s) : path.s->len - at;
		struct jv v = ja_path(vm, item, js_part(vm, path.s, at, n), JV_ABSENT);
		jgrow_push(vm, &g, folded(vm, v, case_sensitive));
		at += n + 1;
	}
	return jgrow_value(vm, &g, JV_LIST);
}

static struct jv
f_sort(struct jvm *vm, const struct jcall *c)
{
	struct jv list = ji_list(vm, c->self), *keys;
	size_t n = list.list->n;
	jv_list(vm, JV_LIST, n, &keys);
	for (size_t i = 0; i < n; i++)
		keys[i] = sort_key(vm, list.list->v[i], c->v[2], ja_bool(vm, c->v[1], false));
	jv_sort(vm, list.list->v, keys, n, ja_bool(vm, c->v[0], false));
	return list;
}

static struct jv
f_dictsort(struct jvm *vm, const struct jcall *c)
{
	bool by_value = false;
	if (c->v[1].type != JV_MISSING) {
		by_value = c->v[1].type == JV_STR && js_is(c->v[1].s, "value");
		if (!by_value && !(c->v[1].type == JV_STR && js_is(c->v[1].s, "key")))
			vm_raise(vm, "You can only sort by either \"key\" or \"value\"");
	}
	if (c->self.type == JV_UNDEF)
		jv_fail_undefined(vm, c->self);
	if (c->self.type != JV_DICT)
		vm_raise(vm, "'%s' object has no attribute 'items'", jv_type_name(c->self));
	const struct jdict *d = c->self.dict;
	struct jv *items, *keys, list = jv_list(vm, JV_LIST, d->n, &items);
	jv_list(vm, JV_LIST, d->n, &keys);
	for (size_t i = 0; i < d->n; i++) {
		items[i] = jv_pair(vm, d->v[i].key, d->v[i].value);
		keys[i] = folded(
			vm, by_value ? d->v[i].value : d->v[i].key, ja_bool(vm, c->v[0], false));
	}
	jv_sort(vm, items, keys, d->n, ja_bool(vm, c->v[2], false));
	return list;
}

static struct jv
f_groupby(struct jvm *vm, const struct jcall *c)
{
	struct jv list = ji_list(vm, c->self), *keys, *v = list.list->v;
	struct jv fallback = c->v[1];
	bool case_sensitive = ja_bool(vm, c->v[2], false);
	size_t n = list.list->n;
	struct jgrow out = {0};
	jv_list(vm, JV_LIST, n, &keys);
	for (size_t i = 0; i < n; i++)
		keys[i] = folded(vm, ja_path(vm, v[i], c->v[0], fallback), case_sensitive);
	jv_sort(vm, v, keys, n, false);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && jv_equal(vm, keys[i], keys[k]);)
			k++;
		struct jv *members, group = jv_list(vm, JV_LIST, k - i, &members);
		memcpy(members, v + i, (k - i) * sizeof *members);
		struct jv pair = jv_pair(vm, ja_path(vm, v[i], c->v[0], fallback), group);
		((struct jlist *)pair.list)->group = true;
		jgrow_push(vm, &out, pair);
	}
	return jgrow_value(vm, &out, JV_LIST);
}

/* min and max */
static struct jv
f_extreme(struct jvm *vm, const struct jcall *c)
{
	struct jiter *it = ji_of(vm, c->self);
	bool case_sensitive = ja_bool(vm, c->v[0], false);
	struct jv best, key, item;
	if (!ji_next(vm, it, &best))
		return jv_undefined_hint(vm, "No aggregated item, sequence was empty.");
	key = folded(vm, ja_path(vm, best, c->v[1], JV_ABSENT), case_sensitive);
	while (ji_next(vm, it, &item)) {
		struct jv k = folded(vm, ja_path(vm, item, c->v[1], JV_ABSENT), case_sensitive);
		if (jv_order(vm, k, key, c->builtin->op)) {
			key = k;
			best = item;
		}
	}
	return best;
}

static struct jv
f_sum(struct jvm *vm, const struct jcall *c)
{
	struct jv total = c->v[1].type == JV_MISSING ? JV_I(0) : c->v[1], item;
	struct jiter *it = ji_of(vm, c->self);
	if (total.type == JV_STR)
		vm_raise(vm, "sum() can't sum strings [use ''.join(seq) instead]");
	while (ji_next(vm, it, &item))
		total = vm_binary(vm, JT_ADD, total, ja_path(vm, item, c->v[0], JV_ABSENT));
	return total;
}

const struct jbuiltin jinja_filters_list[] = {
	{"batch", f_batch, "linecount fill_with", 1, 0},
	{"dictsort", f_dictsort, "case_sensitive by reverse", 0, 0},
	{"first", f_first, "", 0, 0},
	{"groupby", f_groupby, "attribute default case_sensitive", 1, 0},
	{"items", f_items, "", 0, 0},
	{"join", f_join, "d attribute", 0, 0},
	{"last", f_last, "", 0, 0},
	{"list", f_list, "", 0, 0},
	{"map", f_each, "*", 0, EACH_MAP},
	{"max", f_extreme, "case_sensitive attribute", 0, JT_GT},
	{"min", f_extreme, "case_sensitive attribute", 0, JT_LT},
	{"random", NULL, "", 0, 0},
	{"reject", f_each, "*", 0, EACH_REJECT},
	{"rejectattr", f_each, "*", 0, EACH_REJECT_ATTR},
	{"reverse", f_reverse, "", 0, 0},
	{"select", f_each, "*", 0, EACH_SELECT},
	{"selectattr", f_each, "*", 0, EACH_SELECT_ATTR},
	{"slice", f_slice, "slices fill_with", 1, 0},
	{"sort", f_sort, "reverse case_sensitive attribute", 0, 0},
	{"sum", f_sum, "attribute start", 0, 0},
	{"unique", f_unique, "case_sensitive attribute", 0, 0},
	{0},
};
