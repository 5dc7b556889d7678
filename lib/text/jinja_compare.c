/* Python's ==, <, in and sorted. */
#include <math.h>

#include "lib/text/jinja_vm.h"

static bool
equal_lists(struct jvm *vm, const struct jlist *a, const struct jlist *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!jv_same(a->v[i], b->v[i]) && !jv_equal(vm, a->v[i], b->v[i]))
			return false;
	return true;
}

static bool
equal_dicts(struct jvm *vm, const struct jdict *a, const struct jdict *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct jv *v = jd_get(vm, b, a->v[i].key);
		if (v == NULL || !(jv_same(*v, a->v[i].value) || jv_equal(vm, *v, a->v[i].value)))
			return false;
	}
	return true;
}

static bool
equal_ranges(const struct jrange *a, const struct jrange *b)
{
	return a->n == b->n && (a->n == 0 || a->start == b->start) &&
	       (a->n <= 1 || a->step == b->step);
}

static bool
equal_numbers(struct jv a, struct jv b)
{
	if (a.type == JV_FLOAT || b.type == JV_FLOAT) {
		long double x = a.type == JV_FLOAT ? (long double)a.f : jv_integer(a);
		return x == (b.type == JV_FLOAT ? (long double)b.f : jv_integer(b));
	}
	return jv_integer(a) == jv_integer(b);
}

bool
jv_equal(struct jvm *vm, struct jv a, struct jv b)
{
	bool is = false;
	if (jv_is_number(a) && jv_is_number(b))
		return equal_numbers(a, b);
	if (a.type != b.type)
		return false;
	vm_enter(vm);
	vm_step(vm, 1);
	switch (a.type) {
	case JV_STR:
		vm_step(vm, a.s->len == b.s->len ? a.s->len / 64 : 0);
		is = js_equal(a.s, b.s);
		break;
	case JV_LIST:
	case JV_TUPLE:
		is = equal_lists(vm, a.list, b.list);
		break;
	case JV_DICT:
		is = equal_dicts(vm, a.dict, b.dict);
		break;
	case JV_RANGE:
		is = equal_ranges(a.range, b.range);
		break;
	case JV_VIEW:
		if (a.view->kind != VIEW_VALUES && b.view->kind != VIEW_VALUES)
			vm_refuse(vm, "comparing views of dicts is not supported");
		is = a.view == b.view;
		break;
	case JV_UNDEF:
	case JV_NONE:
		is = true;
		break;
	default:
		is = a.s == b.s;
	}
	vm->depth--;
	return is;
}

static bool
holds(int order, enum jt op)
{
	switch (op) {
	case JT_LT:
		return order < 0;
	case JT_LE:
		return order <= 0;
	case JT_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static bool
order_numbers(struct jv a, struct jv b, enum jt op)
{
	long double x = a.type == JV_FLOAT ? (long double)a.f : jv_integer(a);
	long double y = b.type == JV_FLOAT ? (long double)b.f : jv_integer(b);
	return !isnan(x) && !isnan(y) && holds(x < y ? -1 : x > y, op);
}

static bool
order_lists(struct jvm *vm, const struct jlist *a, const struct jlist *b, enum jt op)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!jv_same(a->v[i], b->v[i]) && !jv_equal(vm, a->v[i], b->v[i]))
			return jv_order(vm, a->v[i], b->v[i], op);
	return holds(a->n < b->n ? -1 : a->n > b->n, op);
}

bool
jv_order(struct jvm *vm, struct jv a, struct jv b, enum jt op)
{
	static const char *const signs[] = {
		[JT_LT] = "<", [JT_LE] = "<=", [JT_GT] = ">", [JT_GE] = ">="};
	vm_step(vm, 1);
	if (jv_is_number(a) && jv_is_number(b))
		return order_numbers(a, b, op);
	if (a.type == JV_UNDEF || b.type == JV_UNDEF)
		jv_fail_undefined(vm, a.type == JV_UNDEF ? a : b);
	if (a.type == JV_STR && b.type == JV_STR) {
		size_t n = a.s->len < b.s->len ? a.s->len : b.s->len;
		int order = n ? memcmp(a.s->data, b.s->data, n) : 0;
		vm_step(vm, n / 64);
		order = order ? order : a.s->len < b.s->len ? -1 : a.s->len > b.s->len;
		return holds(order, op);
	}
	if (a.type == b.type && (a.type == JV_LIST || a.type == JV_TUPLE)) {
		vm_enter(vm);
		bool is = order_lists(vm, a.list, b.list, op);
		vm->depth--;
		return is;
	}
	if (a.type == JV_VIEW && b.type == JV_VIEW)
		vm_refuse(vm, "comparing views of dicts is not supported");
	vm_raise(vm, "'%s' not supported between instances of '%s' and '%s'", signs[op],
		jv_type_name(a), jv_type_name(b));
}

static bool
contains_item(struct jvm *vm, struct jv item, struct jv container)
{
	struct jiter *it = ji_of(vm, container);
	struct jv v;
	while (ji_next(vm, it, &v))
		if (jv_same(v, item) || jv_equal(vm, v, item))
			return true;
	return false;
}

bool
jv_contains(struct jvm *vm, struct jv item, struct jv container)
{
	switch (container.type) {
	case JV_STR:
		if (item.type != JV_STR)
			vm_raise(vm, "'in <string>' requires string as left operand, not %s",
				jv_type_name(item));
		vm_step(vm, container.s->len / 64);
		return js_find(container.s, item.s, 0, container.s->len) != SIZE_MAX;
	case JV_DICT:
		return jd_get(vm, container.dict, item) != NULL;
	case JV_VIEW:
		if (container.view->kind == VIEW_KEYS)
			return jd_get(vm, container.view->dict, item) != NULL;
		return contains_item(vm, item, container);
	default:
		if (!ji_can(container))
			vm_raise(vm, "argument of type '%s' is not iterable",
				jv_type_name(container));
		return contains_item(vm, item, container);
	}
}

/* Merges the sorted halves [0, half) and [half, n). */
static void
merge(struct jvm *vm, size_t *at, size_t *room, size_t half, size_t n, const struct jv *key,
	bool reverse)
{
	size_t a = 0, b = half;
	for (size_t i = 0; i < n; i++) {
		bool right = a == half;
		if (a < half && b < n)
			right = reverse ? jv_order(vm, key[at[a]], key[at[b]], JT_LT)
					: jv_order(vm, key[at[b]], key[at[a]], JT_LT);
		room[i] = right ? at[b++] : at[a++];
	}
	memcpy(at, room, n * sizeof *at);
}

static void
sort_places(struct jvm *vm, size_t *at, size_t *room, size_t n, const struct jv *key, bool reverse)
{
	if (n < 2)
		return;
	sort_places(vm, at, room, n / 2, key, reverse);
	sort_places(vm, at + n / 2, room, n - n / 2, key, reverse);
	merge(vm, at, room, n / 2, n, key, reverse);
}

void
jv_sort(struct jvm *vm, struct jv *items, struct jv *keys, size_t n, bool reverse)
{
	size_t *at = vm_alloc(vm, 2 * (n + 1) * sizeof *at);
	struct jv *sorted = vm_alloc(vm, 2 * (n + 1) * sizeof *sorted);
	for (size_t i = 0; i < n; i++)
		at[i] = i;
	sort_places(vm, at, at + n + 1, n, keys, reverse);
	for (size_t i = 0; i < n; i++) {
		sorted[i] = items[at[i]];
		sorted[n + 1 + i] = keys[at[i]];
	}
	if (n == 0)
		return;
	memcpy(items, sorted, n * sizeof *items);
	memcpy(keys, sorted + n + 1, n * sizeof *keys);
}
