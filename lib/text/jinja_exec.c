/* Statements. */
#include "lib/text/jinja_call.h"

static struct jframe *
outer_frame(struct jframe *f, int hops)
{
	for (; hops > 0; hops--)
		f = f->up;
	return f;
}

void
vm_frame_begin(struct jvm *vm, const struct jscope *s, struct jframe *f)
{
	vm_step(vm, s->n);
	for (int i = 0; i < s->n; i++) {
		const struct jsymbol *y = &s->v[i];
		if (y->load == JS_RESOLVE)
			f->slot[i] = vm_lookup(vm, y->name);
		else if (y->load == JS_ALIAS)
			f->slot[i] = outer_frame(f->up, y->hops)->slot[y->slot];
		else
			f->slot[i] = JV_ABSENT;
	}
}

struct jframe *
vm_frame(struct jvm *vm, const struct jscope *s, struct jframe *up)
{
	struct jframe *f = vm_alloc(vm, sizeof *f + s->n * sizeof *f->slot);
	f->up = up;
	vm_frame_begin(vm, s, f);
	return f;
}

static void
assign_tuple(struct jvm *vm, const struct jn *target, struct jv v)
{
	size_t want = 0, got = 0;
	for (const struct jn *k = target->list; k; k = k->next)
		want++;
	struct jiter *it = ji_of(vm, v);
	struct jv *items, item;
	jv_list(vm, JV_LIST, want, &items);
	for (; got <= want && ji_next(vm, it, &item); got++)
		if (got < want)
			items[got] = item;
	if (got > want)
		vm_raise(vm, "too many values to unpack (expected %zu)", want);
	if (got < want)
		vm_raise(vm, "not enough values to unpack (expected %zu, got %zu)", want, got);
	for (const struct jn *k = target->list; k; k = k->next)
		vm_assign(vm, k, *items++);
}

void
vm_assign(struct jvm *vm, const struct jn *target, struct jv v)
{
	if (target->kind == JN_TUPLE) {
		assign_tuple(vm, target, v);
		return;
	}
	struct jv *slot = &outer_frame(vm->frame, target->hops)->slot[target->slot];
	if (target->kind == JN_NAME)
		*slot = v;
	else if (slot->type != JV_NAMESPACE)
		vm_raise(vm, "cannot assign attribute on non-namespace object");
	else
		jd_set(vm, slot->ns, target->value, v);
}

/* Runs a list into a text of its own. */
static enum jflow
capture(struct jvm *vm, const struct jn *body, struct jframe *frame, struct jv *text)
{
	struct jsb b, *out = vm->out;
	struct jframe *outer = vm->frame;
	jsb_init(&b, vm);
	vm->out = &b;
	vm->frame = frame;
	enum jflow flow = vm_exec(vm, body);
	vm->out = out;
	vm->frame = outer;
	*text = jsb_value(&b);
	return flow;
}

/* What blocks write has to be text: jinja2 joins it as it is. */
static void
put_text(struct jvm *vm, struct jv v)
{
	if (v.type != JV_STR)
		vm_raise(vm, "expected str instance, %s found", jv_type_name(v));
	jsb_str(vm->out, v.s);
}

/* for ... if test: passes items on that pass it. */
static bool
next_tested(struct jvm *vm, struct jiter *it, struct jv *out)
{
	const struct jn *n = it->state;
	struct jframe *frame = (struct jframe *)it->v, *outer = vm->frame;
	while (ji_next(vm, it->source, out)) {
		vm->frame = frame;
		vm_assign(vm, n->a, *out);
		bool pass = jv_true(vm, vm_eval(vm, n->c));
		vm->frame = outer;
		if (pass)
			return true;
	}
	return false;
}

static enum jflow
run_body(struct jvm *vm, const struct jn *n, struct jloop *loop, struct jframe *frame,
	bool *finished)
{
	enum jflow flow = FLOW_NEXT;
	while (flow != FLOW_BREAK && vm_loop_advance(vm, loop)) {
		vm_frame_begin(vm, n->scope, frame);
		frame->slot[0] = (struct jv){JV_LOOP, .loop = loop};
		vm_assign(vm, n->a, loop->current);
		flow = vm_exec(vm, n->body);
		/* jinja2 sets its mark behind the body: a continue skips it, and else runs. */
		*finished = *finished || flow == FLOW_NEXT;
	}
	return FLOW_NEXT;
}

enum jflow
vm_run_loop(struct jvm *vm, const struct jn *n, struct jv iterable, int depth0, struct jframe *up)
{
	struct jframe *outer = vm->frame, *frame = vm_frame(vm, n->scope, up);
	struct jloop *loop = vm_alloc(vm, sizeof *loop);
	enum jflow flow = FLOW_NEXT;
	bool finished = false;
	*loop = (struct jloop){.source = iterable,
		.it = ji_of(vm, iterable),
		.index0 = -1,
		.length = -1,
		.depth0 = depth0,
		.up = up,
		.node = n->op ? n : NULL};
	if (n->c) {
		struct jiter *it = ji_new(vm, next_tested);
		it->source = loop->it;
		it->v = (const struct jv *)vm_frame(vm, n->scope_test, up);
		it->state = n;
		loop->it = it;
		loop->source = ji_value(it);
	}
	vm->frame = frame;
	run_body(vm, n, loop, frame, &finished);
	if (!finished && n->other) {
		vm->frame = vm_frame(vm, n->scope_other, up);
		flow = vm_exec(vm, n->other);
	}
	vm->frame = outer;
	return flow;
}

static enum jflow
exec_for(struct jvm *vm, const struct jn *n)
{
	struct jv iterable = vm_eval(vm, n->b);
	vm->line = n->line;
	return vm_run_loop(vm, n, iterable, 0, vm->frame);
}

static enum jflow
exec_if(struct jvm *vm, const struct jn *n)
{
	for (;; n = n->other) {
		if (jv_true(vm, vm_eval(vm, n->a)))
			return vm_exec(vm, n->body);
		if (!n->op)
			return vm_exec(vm, n->other);
	}
}

static enum jflow
exec_set_block(struct jvm *vm, const struct jn *n)
{
	struct jv text;
	struct jframe *outer = vm->frame, *frame = vm_frame(vm, n->scope, outer);
	enum jflow flow = capture(vm, n->body, frame, &text);
	if (flow != FLOW_NEXT)
		return flow;
	if (n->b) {
		vm->captured = text;
		vm->frame = frame;
		text = vm_eval(vm, n->b);
		vm->frame = outer;
	}
	vm_assign(vm, n->a, text);
	return FLOW_NEXT;
}

static enum jflow
exec_with(struct jvm *vm, const struct jn *n)
{
	struct jframe *outer = vm->frame, *frame = vm_frame(vm, n->scope, outer);
	for (const struct jn *k = n->list; k; k = k->next) {
		struct jv v = vm_eval(vm, k->b);
		vm->frame = frame;
		vm_assign(vm, k->a, v);
		vm->frame = outer;
	}
	vm->frame = frame;
	enum jflow flow = vm_exec(vm, n->body);
	vm->frame = outer;
	return flow;
}

static struct jmacro *
macro_new(struct jvm *vm, const struct jn *n)
{
	struct jmacro *m = vm_alloc(vm, sizeof *m);
	*m = (struct jmacro){n, vm->frame};
	return m;
}

static void
exec_call_block(struct jvm *vm, const struct jn *n)
{
	struct jargs args = {0};
	struct jmacro *caller = macro_new(vm, n);
	if (n->a == NULL) {
		put_text(vm, vm_call_macro(vm, caller, &args));
		return;
	}
	struct jv callee = vm_eval(vm, n->a->a);
	vm_arguments(vm, n->a->list, &args);
	struct jkeyword *k = vm_alloc(vm, (args.n_keywords + 1) * sizeof *k);
	for (size_t i = 0; i < args.n_keywords; i++)
		k[i] = args.keyword[i];
	k[args.n_keywords++] =
		(struct jkeyword){js_literal(vm, "caller").s, {JV_MACRO, .macro = caller}};
	args.keyword = k;
	put_text(vm, vm_call(vm, callee, &args));
}

static enum jflow
exec_filter_block(struct jvm *vm, const struct jn *n)
{
	struct jv text;
	struct jframe *outer = vm->frame, *frame = vm_frame(vm, n->scope, outer);
	enum jflow flow = capture(vm, n->body, frame, &text);
	if (flow != FLOW_NEXT)
		return flow;
	vm->captured = text;
	vm->frame = frame;
	put_text(vm, vm_eval(vm, n->b));
	vm->frame = outer;
	return FLOW_NEXT;
}

static void
exec_set(struct jvm *vm, const struct jn *n)
{
	vm_assign(vm, n->a, vm_eval(vm, n->b));
}

static void
exec_macro(struct jvm *vm, const struct jn *n)
{
	struct jframe *f = outer_frame(vm->frame, n->hops);
	f->slot[n->slot] = (struct jv){JV_MACRO, .macro = macro_new(vm, n)};
}

static enum jflow
exec_one(struct jvm *vm, const struct jn *n)
{
	struct jv text;
	switch (n->kind) {
	case JN_DATA:
		jsb_str(vm->out, n->value.s);
		return FLOW_NEXT;
	case JN_OUTPUT:
		jv_put_str(vm->out, vm_eval(vm, n->a));
		return FLOW_NEXT;
	case JN_IF:
		return exec_if(vm, n);
	case JN_FOR:
		if (!n->op)
			return exec_for(vm, n);
		/* A recursive loop is a function: its text comes at once. */
		text = vm_eval(vm, n->b);
		put_text(vm,
			vm_loop_call(vm, &(struct jloop){.node = n, .depth0 = -1, .up = vm->frame},
				text));
		return FLOW_NEXT;
	case JN_SET:
		exec_set(vm, n);
		return FLOW_NEXT;
	case JN_SET_BLOCK:
		return exec_set_block(vm, n);
	case JN_WITH:
		return exec_with(vm, n);
	case JN_MACRO:
		exec_macro(vm, n);
		return FLOW_NEXT;
	case JN_CALL_BLOCK:
		exec_call_block(vm, n);
		return FLOW_NEXT;
	case JN_FILTER_BLOCK:
		return exec_filter_block(vm, n);
	case JN_BREAK:
		return FLOW_BREAK;
	case JN_CONTINUE:
		return FLOW_CONTINUE;
	default:
		vm_refuse(vm, "this statement is not supported");
	}
}

enum jflow
vm_exec(struct jvm *vm, const struct jn *list)
{
	enum jflow flow = FLOW_NEXT;
	vm_enter(vm);
	for (const struct jn *n = list; n && flow == FLOW_NEXT; n = n->next) {
		vm_step(vm, 1);
		vm->line = n->line;
		flow = exec_one(vm, n);
	}
	vm->depth--;
	return flow;
}

/* Parameters that were not given take their defaults, which see the ones before them. */
static void
fill_defaults(struct jvm *vm, const struct jn *n, struct jframe *frame)
{
	struct jframe *outer = vm->frame;
	int i = 0;
	vm->frame = frame;
	for (const struct jn *p = n->list; p; p = p->next, i++) {
		if (frame->slot[i].type != JV_MISSING)
			continue;
		struct jsb b;
		jsb_init(&b, vm);
		if (p->a) {
			frame->slot[i] = vm_eval(vm, p->a);
			continue;
		}
		jsb_printf(&b, "parameter '%.100s' was not provided", p->name->data);
		frame->slot[i] = jv_undefined_hint(vm, jsb_value(&b).s->data);
	}
	vm->frame = outer;
}

/* Takes a keyword out of the list. */
static bool
take_keyword(struct jkeyword *k, size_t *n, const struct jstr *name, struct jv *v)
{
	for (size_t i = 0; i < *n; i++)
		if (js_equal(k[i].name, name)) {
			*v = k[i].value;
			memmove(k + i, k + i + 1, (--*n - i) * sizeof *k);
			return true;
		}
	return false;
}

static struct jv
keyword_dict(struct jvm *vm, const struct jkeyword *k, size_t n)
{
	struct jdict *d = jd_new(vm, n);
	for (size_t i = 0; i < n; i++)
		jd_set(vm, d, (struct jv){JV_STR, .s = k[i].name}, k[i].value);
	return (struct jv){JV_DICT, .dict = d};
}

static void
bind_special(struct jvm *vm, const struct jn *n, struct jframe *frame, size_t n_params,
	const struct jargs *args, struct jkeyword *k, size_t n_keywords, bool explicit_caller)
{
	const char *name = n->name ? n->name->data : "None";
	size_t slot = n_params;
	struct jv v, *rest;
	if (n->wants_caller && !explicit_caller) {
		const struct jstr *caller = js_literal(vm, "caller").s;
		frame->slot[slot++] = take_keyword(k, &n_keywords, caller, &v)
					      ? v
					      : jv_undefined_hint(vm, "No caller defined");
	}
	if (n->wants_kwargs)
		frame->slot[slot++] = keyword_dict(vm, k, n_keywords);
	else if (n_keywords)
		vm_raise(vm, "macro '%.100s' takes no keyword argument '%.*s'", name,
			JS_ARG(k[0].name));
	size_t extra = args->n > n_params ? args->n - n_params : 0;
	if (n->wants_varargs) {
		frame->slot[slot] = jv_list(vm, JV_TUPLE, extra, &rest);
		for (size_t i = 0; i < extra; i++)
			rest[i] = args->v[n_params + i];
	} else if (extra) {
		vm_raise(vm, "macro '%.100s' takes not more than %zu argument(s)", name, n_params);
	}
}

struct jv
vm_call_macro(struct jvm *vm, struct jmacro *m, const struct jargs *args)
{
	const struct jn *n = m->node;
	struct jframe *frame = vm_frame(vm, n->scope, m->up);
	size_t i = 0, n_keywords = args->n_keywords;
	bool explicit_caller = false;
	struct jkeyword *k = vm_alloc(vm, (n_keywords + 1) * sizeof *k);
	for (size_t j = 0; j < n_keywords; j++)
		k[j] = args->keyword[j];
	for (const struct jn *p = n->list; p; p = p->next, i++) {
		explicit_caller |= strcmp(p->name->data, "caller") == 0;
		if (i < args->n)
			frame->slot[i] = args->v[i];
		else
			take_keyword(k, &n_keywords, p->name, &frame->slot[i]);
	}
	bind_special(vm, n, frame, i, args, k, n_keywords, explicit_caller);
	fill_defaults(vm, n, frame);
	struct jv text;
	capture(vm, n->body, frame, &text);
	return text;
}

struct jv
vm_loop_call(struct jvm *vm, struct jloop *loop, struct jv iterable)
{
	struct jsb b, *out = vm->out;
	if (loop->node == NULL)
		vm_raise(vm, "The loop must have the 'recursive' marker to be called "
			     "recursively.");
	jsb_init(&b, vm);
	vm->out = &b;
	vm_run_loop(vm, loop->node, iterable, loop->depth0 + 1, loop->up);
	vm->out = out;
	return jsb_value(&b);
}
