/* Expressions. */
#include "lib/text/jinja_call.h"

struct jv
vm_lookup(struct jvm *vm, const struct jstr *name)
{
	const struct jv *v = jd_get(vm, vm->vars, (struct jv){JV_STR, .s = name});
	if (v)
		return *v;
	const struct jbuiltin *b = jinja_global(name);
	if (b == NULL)
		return JV_ABSENT;
	struct jfunc *f = vm_alloc(vm, sizeof *f);
	*f = (struct jfunc){b, JV_NOTHING};
	return (struct jv){JV_FUNC, .func = f};
}

static struct jv
eval_name(struct jvm *vm, const struct jn *n)
{
	const struct jframe *f = vm->frame;
	for (int i = 0; i < n->hops; i++)
		f = f->up;
	struct jv v = f->slot[n->slot];
	return v.type == JV_MISSING ? jv_undefined_name(vm, n->name) : v;
}

static struct jv
eval_items(struct jvm *vm, const struct jn *n, enum jv_type type)
{
	struct jgrow g = {0};
	for (const struct jn *k = n->list; k; k = k->next)
		jgrow_push(vm, &g, vm_eval(vm, k));
	return jgrow_value(vm, &g, type);
}

static struct jv
eval_dict(struct jvm *vm, const struct jn *n)
{
	struct jdict *d = jd_new(vm, 0);
	for (const struct jn *k = n->list; k; k = k->next->next) {
		struct jv key = vm_eval(vm, k);
		jd_set(vm, d, key, vm_eval(vm, k->next));
	}
	return (struct jv){JV_DICT, .dict = d};
}

static struct jv
eval_or_none(struct jvm *vm, const struct jn *n)
{
	return n ? vm_eval(vm, n) : JV_NOTHING;
}

static struct jv
eval_getitem(struct jvm *vm, const struct jn *n)
{
	struct jv v = vm_eval(vm, n->a);
	const struct jn *s = n->b;
	if (s->kind != JN_SLICE)
		return vm_getitem(vm, v, vm_eval(vm, s));
	struct jv from = eval_or_none(vm, s->a), to = eval_or_none(vm, s->b);
	return vm_slice(vm, v, from, to, eval_or_none(vm, s->c));
}

static void
push_keyword(struct jvm *vm, struct jargs *args, const struct jstr *name, struct jv v)
{
	/* Keywords are few: each gets a longer list. */
	struct jkeyword *k = vm_alloc(vm, (args->n_keywords + 1) * sizeof *k);
	for (size_t i = 0; i < args->n_keywords; i++) {
		k[i] = args->keyword[i];
		if (js_equal(k[i].name, name))
			vm_raise(vm, "got multiple values for keyword argument '%.*s'",
				JS_ARG(name));
	}
	vm_step(vm, args->n_keywords);
	k[args->n_keywords++] = (struct jkeyword){name, v};
	args->keyword = k;
}

static void
push_keywords(struct jvm *vm, struct jargs *args, struct jv v)
{
	if (v.type != JV_DICT)
		vm_raise(vm, "argument after ** must be a mapping, not %s", jv_type_name(v));
	for (size_t i = 0; i < v.dict->n; i++) {
		if (v.dict->v[i].key.type != JV_STR)
			vm_raise(vm, "keywords must be strings");
		push_keyword(vm, args, v.dict->v[i].key.s, v.dict->v[i].value);
	}
}

void
vm_arguments(struct jvm *vm, const struct jn *list, struct jargs *args)
{
	struct jgrow g = {0};
	*args = (struct jargs){0};
	for (const struct jn *k = list; k; k = k->next) {
		struct jv v = vm_eval(vm, k->a), item;
		if (k->op == ARG_POSITIONAL)
			jgrow_push(vm, &g, v);
		else if (k->op == ARG_KEYWORD)
			push_keyword(vm, args, k->name, v);
		else if (k->op == ARG_STARSTAR)
			push_keywords(vm, args, v);
		else
			for (struct jiter *it = ji_of(vm, v); ji_next(vm, it, &item);)
				jgrow_push(vm, &g, item);
	}
	args->v = g.v;
	args->n = g.n;
}

static struct jv
eval_call(struct jvm *vm, const struct jn *n)
{
	struct jargs args;
	struct jv callee = vm_eval(vm, n->a);
	vm_arguments(vm, n->list, &args);
	vm->line = n->line;
	return vm_call(vm, callee, &args);
}

/* A filter or a test. */
static struct jv
eval_builtin(struct jvm *vm, const struct jn *n)
{
	struct jargs args;
	struct jv v = n->a ? vm_eval(vm, n->a) : vm->captured;
	const char *kind = n->kind == JN_FILTER ? "filter" : "test";
	if (n->builtin == NULL)
		vm_refuse(vm, "no %s named '%s'", kind, n->name->data);
	vm_arguments(vm, n->list, &args);
	vm->line = n->line;
	return jb_call(vm, n->builtin, v, &args);
}

static bool
compare(struct jvm *vm, enum jt op, struct jv a, struct jv b)
{
	switch (op) {
	case JT_EQ:
		return jv_equal(vm, a, b);
	case JT_NE:
		return !jv_equal(vm, a, b);
	case JT_IN:
		return jv_contains(vm, a, b);
	case JT_NOT_IN:
		return !jv_contains(vm, a, b);
	default:
		return jv_order(vm, a, b, op);
	}
}

static struct jv
eval_compare(struct jvm *vm, const struct jn *n)
{
	struct jv left = vm_eval(vm, n->a);
	for (const struct jn *k = n->list; k; k = k->next) {
		struct jv right = vm_eval(vm, k->a);
		vm->line = k->line;
		if (!compare(vm, k->op, left, right))
			return JV_B(false);
		left = right;
	}
	return JV_B(true);
}

static struct jv
eval_concat(struct jvm *vm, const struct jn *n)
{
	struct jsb b;
	struct jv all = eval_items(vm, n, JV_LIST);
	jsb_init(&b, vm);
	for (size_t i = 0; i < all.list->n; i++)
		jv_put_str(&b, all.list->v[i]);
	return jsb_value(&b);
}

static struct jv
eval_cond(struct jvm *vm, const struct jn *n)
{
	if (jv_true(vm, vm_eval(vm, n->a)))
		return vm_eval(vm, n->b);
	if (n->c)
		return vm_eval(vm, n->c);
	return jv_undefined_hint(vm, "the inline if-expression evaluated to false and no else"
				     " section was defined.");
}

static struct jv
eval_logic(struct jvm *vm, const struct jn *n)
{
	struct jv a = vm_eval(vm, n->a);
	return jv_true(vm, a) == (n->kind == JN_AND) ? vm_eval(vm, n->b) : a;
}

static struct jv
eval_binary(struct jvm *vm, const struct jn *n)
{
	struct jv a = vm_eval(vm, n->a), b = vm_eval(vm, n->b);
	vm->line = n->line;
	return vm_binary(vm, n->op, a, b);
}

static struct jv
eval(struct jvm *vm, const struct jn *n)
{
	switch (n->kind) {
	case JN_CONST:
		return n->value;
	case JN_NAME:
		return eval_name(vm, n);
	case JN_TUPLE:
		return eval_items(vm, n, JV_TUPLE);
	case JN_LIST:
		return eval_items(vm, n, JV_LIST);
	case JN_DICT:
		return eval_dict(vm, n);
	case JN_GETATTR:
		return vm_getattr(vm, vm_eval(vm, n->a), n->value);
	case JN_GETITEM:
		return eval_getitem(vm, n);
	case JN_CALL:
		return eval_call(vm, n);
	case JN_FILTER:
	case JN_TEST:
		return eval_builtin(vm, n);
	case JN_NOT:
		return JV_B(!jv_true(vm, vm_eval(vm, n->a)));
	case JN_NEG:
	case JN_POS:
		return vm_negate(vm, vm_eval(vm, n->a), n->kind == JN_NEG);
	case JN_BINARY:
		return eval_binary(vm, n);
	case JN_AND:
	case JN_OR:
		return eval_logic(vm, n);
	case JN_CONCAT:
		return eval_concat(vm, n);
	case JN_COMPARE:
		return eval_compare(vm, n);
	case JN_COND:
		return eval_cond(vm, n);
	default:
		vm_refuse(vm, "this expression is not supported");
	}
}

struct jv
vm_eval(struct jvm *vm, const struct jn *n)
{
	vm_enter(vm);
	vm_step(vm, 1);
	vm->line = n->line;
	struct jv v = eval(vm, n);
	vm->depth--;
	return v;
}
