/* object.name and object[key], as jinja2's immutable sandbox looks them up. */
#include "lib/text/jinja_call.h"

static struct jv
unsafe(struct jvm *vm, struct jv object, const struct jstr *name)
{
	struct jundef *u = vm_alloc(vm, sizeof *u);
	*u = (struct jundef){
		.of_object = true, .unsafe = true, .object = object, .key = {JV_STR, .s = name}};
	return (struct jv){JV_UNDEF, .undef = u};
}

static struct jv
method(struct jvm *vm, const struct jbuiltin *b, struct jv self)
{
	struct jfunc *f = vm_alloc(vm, sizeof *f);
	*f = (struct jfunc){b, self};
	return (struct jv){JV_FUNC, .func = f};
}

static struct jv
cycler_next(struct jvm *vm, const struct jcall *c)
{
	struct jcycler *y = c->self.cycler;
	struct jv v = y->items->v[y->at];
	(void)vm;
	y->at = (y->at + 1) % y->items->n;
	return v;
}

static struct jv
cycler_reset(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	c->self.cycler->at = 0;
	return JV_NOTHING;
}

static const struct jbuiltin cycler_methods[] = {
	{"next", cycler_next, "", 0, 0}, {"reset", cycler_reset, "", 0, 0}, {0}};

static struct jv
namespace_member(struct jvm *vm, struct jv v, const struct jstr *name)
{
	const struct jv *found = jd_get(vm, v.ns, (struct jv){JV_STR, .s = name});
	if (found && name->data[0] == '_')
		return unsafe(vm, v, name);
	return found ? *found : JV_ABSENT;
}

static struct jv
range_member(const struct jrange *r, const struct jstr *name)
{
	if (js_is(name, "start"))
		return JV_I(r->start);
	if (js_is(name, "stop"))
		return JV_I(r->stop);
	return js_is(name, "step") ? JV_I(r->step) : JV_ABSENT;
}

static struct jv
macro_member(struct jvm *vm, const struct jmacro *m, const struct jstr *name)
{
	struct jgrow g = {0};
	if (js_is(name, "name"))
		return m->node->name ? (struct jv){JV_STR, .s = m->node->name} : JV_NOTHING;
	if (js_is(name, "arguments")) {
		for (const struct jn *p = m->node->list; p; p = p->next)
			jgrow_push(vm, &g, (struct jv){JV_STR, .s = p->name});
		return jgrow_value(vm, &g, JV_TUPLE);
	}
	if (js_is(name, "catch_kwargs"))
		return JV_B(m->node->wants_kwargs);
	if (js_is(name, "catch_varargs"))
		return JV_B(m->node->wants_varargs);
	return js_is(name, "caller") ? JV_B(m->node->wants_caller) : JV_ABSENT;
}

/* What generators, views of dicts and joiners have in Python and not here. */
static void
refuse_member(struct jvm *vm, struct jv v, const struct jstr *name)
{
	static const char *const members[] = {"close", "send", "throw", "gi_code", "gi_frame",
		"gi_running", "gi_suspended", "gi_yieldfrom", "isdisjoint", "mapping", "sep",
		"used"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (js_is(name, members[i]))
			vm_refuse(vm, "attribute '%s' of %s is not supported", members[i],
				jv_type_name(v));
}

static struct jv
object_member(struct jvm *vm, struct jv v, const struct jstr *name)
{
	const struct jbuiltin *b;
	switch (v.type) {
	case JV_NAMESPACE:
		return namespace_member(vm, v, name);
	case JV_LOOP:
		return vm_loop_attribute(vm, v.loop, name);
	case JV_MACRO:
		return macro_member(vm, v.macro, name);
	case JV_RANGE:
		return range_member(v.range, name);
	case JV_CYCLER:
		if (js_is(name, "current"))
			return v.cycler->items->v[v.cycler->at];
		b = jb_find(cycler_methods, name);
		return b ? method(vm, b, v) : JV_ABSENT;
	case JV_JOINER:
	case JV_ITER:
	case JV_VIEW:
		refuse_member(vm, v, name);
		return JV_ABSENT;
	default:
		return JV_ABSENT;
	}
}

struct jv
vm_attribute(struct jvm *vm, struct jv v, const struct jstr *name)
{
	size_t n = name->len;
	if (n > 4 && memcmp(name->data, "__", 2) == 0 && memcmp(name->data + n - 2, "__", 2) == 0)
		vm_refuse(vm, "attributes like '%.*s' are not supported", JS_ARG(name));
	if (v.type == JV_TUPLE && v.list->group) {
		if (js_is(name, "grouper"))
			return v.list->v[0];
		if (js_is(name, "list"))
			return v.list->v[1];
	}
	const struct jbuiltin *b = jinja_method(v.type, name);
	if (b == NULL)
		return object_member(vm, v, name);
	if (b->op == METHOD_MUTATES)
		return unsafe(vm, v, name);
	if (b->op == METHOD_PROPERTY || (v.type == JV_STR && v.s->safe && b->op != METHOD_SAFE))
		vm_refuse(vm, "'%s' of %s is not supported", b->name, jv_type_name(v));
	return method(vm, b, v);
}

struct jv
vm_getattr(struct jvm *vm, struct jv v, struct jv name)
{
	const struct jv *item;
	if (v.type == JV_UNDEF)
		jv_fail_undefined(vm, v);
	struct jv found = vm_attribute(vm, v, name.s);
	if (found.type != JV_MISSING)
		return found;
	if (v.type == JV_DICT && (item = jd_get(vm, v.dict, name)) != NULL)
		return *item;
	return jv_undefined_member(vm, v, name);
}

/* v[i] of a sequence; JV_MISSING when it has no such item. */
static struct jv
element(struct jvm *vm, struct jv v, int64_t i)
{
	bool sequence =
		v.type == JV_LIST || v.type == JV_TUPLE || v.type == JV_STR || v.type == JV_RANGE;
	if (!sequence)
		return JV_ABSENT;
	int64_t n = jv_length(vm, v, true);
	i = i < 0 ? i + n : i;
	if (i < 0 || i >= n)
		return JV_ABSENT;
	if (v.type == JV_STR)
		return js_slice(vm, v.s, i, 1, 1);
	return v.type == JV_RANGE ? JV_I(v.range->start + i * v.range->step) : v.list->v[i];
}

struct jv
vm_getitem(struct jvm *vm, struct jv v, struct jv key)
{
	const struct jv *item;
	struct jv found = JV_ABSENT;
	if (v.type == JV_UNDEF)
		jv_fail_undefined(vm, v);
	if (v.type == JV_DICT) {
		if (jv_hashable(key) && (item = jd_get(vm, v.dict, key)) != NULL)
			return *item;
	} else if (key.type == JV_INT || key.type == JV_BOOL) {
		found = element(vm, v, jv_integer(key));
	}
	if (found.type == JV_MISSING && key.type == JV_STR)
		found = vm_attribute(vm, v, key.s);
	return found.type == JV_MISSING ? jv_undefined_member(vm, v, key) : found;
}
