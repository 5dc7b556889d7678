/* Iterators, lazy as Python's: what a filter like map does happens when its items are asked for. */
#include "lib/text/jinja_vm.h"

struct jiter *
ji_new(struct jvm *vm, bool (*next)(struct jvm *, struct jiter *, struct jv *))
{
	struct jiter *it = vm_alloc(vm, sizeof *it);
	*it = (struct jiter){.next = next};
	return it;
}

struct jv
ji_value(struct jiter *it)
{
	return (struct jv){JV_ITER, .iter = it};
}

bool
ji_next(struct jvm *vm, struct jiter *it, struct jv *out)
{
	vm_enter(vm);
	vm_step(vm, 1);
	bool more = it->next(vm, it, out);
	vm->depth--;
	return more;
}

static bool
next_array(struct jvm *vm, struct jiter *it, struct jv *out)
{
	(void)vm;
	if (it->at >= it->n)
		return false;
	*out = it->v[it->at++];
	return true;
}

static bool
next_char(struct jvm *vm, struct jiter *it, struct jv *out)
{
	int len;
	if (it->at >= it->text->len)
		return false;
	js_rune(it->text, it->at, &len);
	*out = js_part(vm, it->text, it->at, len);
	it->at += len;
	if (out->s->safe)
		*out = js_safe(vm, out->s, false);
	return true;
}

static bool
next_number(struct jvm *vm, struct jiter *it, struct jv *out)
{
	(void)vm;
	if (it->range.n <= 0)
		return false;
	*out = JV_I(it->range.start);
	if (--it->range.n > 0)
		it->range.start += it->range.step;
	return true;
}

static bool
next_entry(struct jvm *vm, struct jiter *it, struct jv *out)
{
	if (it->at >= it->dict->n)
		return false;
	const struct jdict_entry *e = &it->dict->v[it->at++];
	*out = it->step == VIEW_KEYS     ? e->key
	       : it->step == VIEW_VALUES ? e->value
					 : jv_pair(vm, e->key, e->value);
	return true;
}

static bool
next_nothing(struct jvm *vm, struct jiter *it, struct jv *out)
{
	(void)vm, (void)it, (void)out;
	return false;
}

bool
ji_can(struct jv v)
{
	switch (v.type) {
	case JV_UNDEF:
	case JV_STR:
	case JV_LIST:
	case JV_TUPLE:
	case JV_DICT:
	case JV_VIEW:
	case JV_RANGE:
	case JV_ITER:
	case JV_LOOP:
		return true;
	default:
		return false;
	}
}

struct jiter *
ji_of(struct jvm *vm, struct jv v)
{
	struct jiter *it;
	switch (v.type) {
	case JV_ITER:
		return v.iter;
	case JV_UNDEF:
		return ji_new(vm, next_nothing);
	case JV_STR:
		it = ji_new(vm, next_char);
		it->text = v.s;
		return it;
	case JV_LIST:
	case JV_TUPLE:
		it = ji_new(vm, next_array);
		it->v = v.list->v;
		it->n = v.list->n;
		return it;
	case JV_DICT:
	case JV_VIEW:
		it = ji_new(vm, next_entry);
		it->dict = v.type == JV_DICT ? v.dict : v.view->dict;
		it->step = v.type == JV_DICT ? VIEW_KEYS : v.view->kind;
		return it;
	case JV_RANGE:
		it = ji_new(vm, next_number);
		it->range = *v.range;
		return it;
	case JV_LOOP:
		vm_refuse(vm, "iterating over loop is not supported");
	default:
		vm_raise(vm, "'%s' object is not iterable", jv_type_name(v));
	}
}

struct jv
ji_list(struct jvm *vm, struct jv v)
{
	struct jgrow g = {0};
	struct jiter *it = ji_of(vm, v);
	struct jv item;
	while (ji_next(vm, it, &item))
		jgrow_push(vm, &g, item);
	return jgrow_value(vm, &g, JV_LIST);
}
