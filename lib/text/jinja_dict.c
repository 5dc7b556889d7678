/* Dictionaries: in order of insertion, hashed when they are large. */
#include <math.h>

#include "lib/text/jinja_vm.h"

enum { HASH_FROM = 12 };

static uint64_t
mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

/* Equal numbers have equal hashes whatever their type. */
static uint64_t
hash_number(struct jv v)
{
	uint64_t bits = 0;
	double f = jv_double(v);
	if (v.type == JV_FLOAT && (isnan(f) || isinf(f) || f != floor(f) || fabs(f) > 9e18)) {
		memcpy(&bits, &f, sizeof bits);
		return mix(1, bits);
	}
	return mix(2, v.type == JV_FLOAT ? (uint64_t)(int64_t)f : (uint64_t)jv_integer(v));
}

bool
jv_hashable(struct jv v)
{
	if (v.type == JV_TUPLE)
		for (size_t i = 0; i < v.list->n; i++)
			if (!jv_hashable(v.list->v[i]))
				return false;
	return v.type != JV_LIST && v.type != JV_DICT &&
	       !(v.type == JV_VIEW && v.view->kind != VIEW_VALUES);
}

static uint64_t
hash(struct jv v)
{
	uint64_t h = 3;
	switch (v.type) {
	case JV_BOOL:
	case JV_INT:
	case JV_FLOAT:
		return hash_number(v);
	case JV_STR:
		for (size_t i = 0; i < v.s->len; i++)
			h = (h ^ (unsigned char)v.s->data[i]) * 0x100000001b3u;
		return h ^ h >> 32;
	case JV_TUPLE:
		for (size_t i = 0; i < v.list->n; i++)
			h = mix(h, hash(v.list->v[i]));
		return h;
	case JV_RANGE: /* equal ranges may be of different steps */
		return mix(4, (uint64_t)v.range->n);
	case JV_NONE:
	case JV_UNDEF:
	case JV_MISSING:
		return 5 + v.type;
	default:
		return mix(6, (uint64_t)(uintptr_t)v.s);
	}
}

static void
index_put(struct jdict *d, size_t place)
{
	size_t at = hash(d->v[place].key) & (d->n_index - 1);
	while (d->index[at])
		at = (at + 1) & (d->n_index - 1);
	d->index[at] = (uint32_t)place + 1;
}

static void
index_make(struct jvm *vm, struct jdict *d)
{
	d->n_index = 64;
	while (d->n_index < 4 * d->n)
		d->n_index *= 2;
	d->index = vm_alloc(vm, d->n_index * sizeof *d->index);
	memset(d->index, 0, d->n_index * sizeof *d->index);
	for (size_t i = 0; i < d->n; i++)
		index_put(d, i);
}

struct jdict *
jd_new(struct jvm *vm, size_t cap)
{
	struct jdict *d = vm_alloc(vm, sizeof *d);
	*d = (struct jdict){.cap = cap, .v = vm_alloc(vm, (cap + 1) * sizeof *d->v)};
	return d;
}

static struct jdict_entry *
find(struct jvm *vm, const struct jdict *d, struct jv key)
{
	vm_step(vm, 1);
	if (!jv_hashable(key))
		vm_raise(vm, "unhashable type: '%s'", jv_type_name(key));
	for (size_t i = 0; d->index == NULL && i < d->n; i++)
		if (jv_equal(vm, d->v[i].key, key))
			return &d->v[i];
	if (d->index == NULL)
		return NULL;
	size_t at = hash(key) & (d->n_index - 1);
	for (; d->index[at]; at = (at + 1) & (d->n_index - 1)) {
		struct jdict_entry *e = &d->v[d->index[at] - 1];
		if (jv_equal(vm, e->key, key))
			return e;
	}
	return NULL;
}

void
jd_set(struct jvm *vm, struct jdict *d, struct jv key, struct jv value)
{
	struct jdict_entry *e = find(vm, d, key);
	if (e) {
		e->value = value;
		return;
	}
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 8;
		struct jdict_entry *v = vm_alloc(vm, d->cap * sizeof *v);
		if (d->n)
			memcpy(v, d->v, d->n * sizeof *v);
		d->v = v;
	}
	d->v[d->n++] = (struct jdict_entry){key, value};
	if (d->index && 2 * d->n < d->n_index)
		index_put(d, d->n - 1);
	else if (d->n >= HASH_FROM)
		index_make(vm, d);
}

const struct jv *
jd_get(struct jvm *vm, const struct jdict *d, struct jv key)
{
	const struct jdict_entry *e = find(vm, d, key);
	return e ? &e->value : NULL;
}
