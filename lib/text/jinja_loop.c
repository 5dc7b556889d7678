/* The loop variable: jinja2's LoopContext. */
#include "lib/text/jinja_call.h"

bool
vm_loop_advance(struct jvm *vm, struct jloop *loop)
{
	struct jv v;
	if (loop->peeked && loop->after.type == JV_MISSING)
		return false;
	if (loop->peeked)
		v = loop->after;
	else if (!ji_next(vm, loop->it, &v))
		return false;
	loop->peeked = false;
	loop->index0++;
	loop->before = loop->current;
	loop->current = v;
	return true;
}

/* JV_MISSING: there is no next item. */
static struct jv
peek(struct jvm *vm, struct jloop *loop)
{
	if (!loop->peeked && !ji_next(vm, loop->it, &loop->after))
		loop->after = JV_ABSENT;
	loop->peeked = true;
	return loop->after;
}

int64_t
vm_loop_length(struct jvm *vm, struct jloop *loop)
{
	if (loop->length >= 0)
		return loop->length;
	loop->length = jv_length(vm, loop->source, true);
	if (loop->length < 0) {
		struct jv rest = ji_list(vm, ji_value(loop->it));
		loop->it = ji_of(vm, rest);
		loop->length = (int64_t)rest.list->n + loop->index0 + 1 +
			       (loop->peeked && loop->after.type != JV_MISSING);
	}
	return loop->length;
}

static struct jv
get_index(struct jvm *vm, struct jloop *loop)
{
	(void)vm;
	return JV_I(loop->index0 + 1);
}

static struct jv
get_index0(struct jvm *vm, struct jloop *loop)
{
	(void)vm;
	return JV_I(loop->index0);
}

static struct jv
get_revindex(struct jvm *vm, struct jloop *loop)
{
	return JV_I(vm_loop_length(vm, loop) - loop->index0);
}

static struct jv
get_revindex0(struct jvm *vm, struct jloop *loop)
{
	return JV_I(vm_loop_length(vm, loop) - loop->index0 - 1);
}

static struct jv
get_first(struct jvm *vm, struct jloop *loop)
{
	(void)vm;
	return JV_B(loop->index0 == 0);
}

static struct jv
get_last(struct jvm *vm, struct jloop *loop)
{
	return JV_B(peek(vm, loop).type == JV_MISSING);
}

static struct jv
get_length(struct jvm *vm, struct jloop *loop)
{
	return JV_I(vm_loop_length(vm, loop));
}

static struct jv
get_depth(struct jvm *vm, struct jloop *loop)
{
	(void)vm;
	return JV_I(loop->depth0 + 1);
}

static struct jv
get_depth0(struct jvm *vm, struct jloop *loop)
{
	(void)vm;
	return JV_I(loop->depth0);
}

static struct jv
get_previtem(struct jvm *vm, struct jloop *loop)
{
	return loop->index0 == 0 ? jv_undefined_hint(vm, "there is no previous item")
				 : loop->before;
}

static struct jv
get_nextitem(struct jvm *vm, struct jloop *loop)
{
	struct jv v = peek(vm, loop);
	return v.type == JV_MISSING ? jv_undefined_hint(vm, "there is no next item") : v;
}

static struct jv
call_cycle(struct jvm *vm, const struct jcall *c)
{
	if (c->args->n == 0)
		vm_raise(vm, "no items for cycling given");
	return c->args->v[c->self.loop->index0 % (int64_t)c->args->n];
}

static struct jv
call_changed(struct jvm *vm, const struct jcall *c)
{
	struct jloop *loop = c->self.loop;
	struct jv *v, value = jv_list(vm, JV_TUPLE, c->args->n, &v);
	for (size_t i = 0; i < c->args->n; i++)
		v[i] = c->args->v[i];
	if (loop->changed.type != JV_MISSING && jv_equal(vm, loop->changed, value))
		return JV_B(false);
	loop->changed = value;
	return JV_B(true);
}

static const struct {
	const char *name;
	struct jv (*get)(struct jvm *vm, struct jloop *loop);
} getters[] = {{"index", get_index}, {"index0", get_index0}, {"first", get_first},
	{"last", get_last}, {"length", get_length}, {"revindex", get_revindex},
	{"revindex0", get_revindex0}, {"previtem", get_previtem}, {"nextitem", get_nextitem},
	{"depth", get_depth}, {"depth0", get_depth0}};

static const struct jbuiltin calls[] = {
	{"cycle", call_cycle, "*", 0, 0}, {"changed", call_changed, "*", 0, 0}, {0}};

struct jv
vm_loop_attribute(struct jvm *vm, struct jloop *loop, const struct jstr *name)
{
	for (size_t i = 0; i < sizeof getters / sizeof *getters; i++)
		if (js_is(name, getters[i].name))
			return getters[i].get(vm, loop);
	const struct jbuiltin *b = jb_find(calls, name);
	if (b == NULL)
		return JV_ABSENT;
	struct jfunc *f = vm_alloc(vm, sizeof *f);
	*f = (struct jfunc){b, {JV_LOOP, .loop = loop}};
	return (struct jv){JV_FUNC, .func = f};
}
