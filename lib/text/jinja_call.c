/* Calls: how arguments reach parameters. */
#include "lib/text/jinja_call.h"

const struct jbuiltin *
jb_find(const struct jbuiltin *table, const struct jstr *name)
{
	for (; table->name; table++)
		if (strlen(table->name) == name->len &&
			memcmp(table->name, name->data, name->len) == 0)
			return table;
	return NULL;
}

const struct jbuiltin *
jinja_filter(const struct jstr *name)
{
	const struct jbuiltin *b = jb_find(jinja_filters_text, name);
	return b ? b : jb_find(jinja_filters_list, name);
}

const struct jbuiltin *
jinja_test(const struct jstr *name)
{
	return jb_find(jinja_tests_all, name);
}

const struct jbuiltin *
jinja_global(const struct jstr *name)
{
	return jb_find(jinja_globals_all, name);
}

/* The place of a keyword among the parameters, or -1. */
static int
parameter(const char *params, const struct jstr *name)
{
	for (int i = 0; *params; i++) {
		size_t n = strcspn(params, " ");
		if (n == name->len && memcmp(params, name->data, n) == 0)
			return i;
		params += n + (params[n] == ' ');
	}
	return -1;
}

static int
count_parameters(const char *params)
{
	int n = *params != '\0';
	for (; *params; params++)
		n += *params == ' ';
	return n;
}

struct jv
jb_call(struct jvm *vm, const struct jbuiltin *b, struct jv self, const struct jargs *args)
{
	struct jv v[JINJA_MAX_PARAMS] = {0};
	struct jcall call = {b, self, v, args};
	if (b->fn == NULL)
		vm_refuse(vm, "'%s' is not supported", b->name);
	if (*b->params == '*')
		return b->fn(vm, &call);
	int n = count_parameters(b->params);
	if (args->n > (size_t)n)
		vm_raise(vm, "%s() takes at most %d arguments (%zu given)", b->name, n, args->n);
	for (size_t i = 0; i < args->n; i++)
		v[i] = args->v[i];
	for (size_t i = 0; i < args->n_keywords; i++) {
		int at = parameter(b->params, args->keyword[i].name);
		if (at < 0)
			vm_raise(vm, "%s() got an unexpected keyword argument '%.*s'", b->name,
				JS_ARG(args->keyword[i].name));
		if (v[at].type != JV_MISSING)
			vm_raise(vm, "%s() got multiple values for argument '%.*s'", b->name,
				JS_ARG(args->keyword[i].name));
		v[at] = args->keyword[i].value;
	}
	for (int i = 0; i < b->required; i++)
		if (v[i].type == JV_MISSING)
			vm_raise(vm, "%s() is missing a required argument", b->name);
	return b->fn(vm, &call);
}

static struct jv
call_joiner(struct jvm *vm, struct jjoiner *j, const struct jargs *args)
{
	if (args->n || args->n_keywords)
		vm_raise(vm, "Joiner.__call__() takes no arguments");
	struct jv v = j->used ? j->separator : js_literal(vm, "");
	j->used = true;
	return v;
}

static struct jv
call_loop(struct jvm *vm, struct jloop *loop, const struct jargs *args)
{
	if (args->n != 1 || args->n_keywords)
		vm_raise(vm, "LoopContext.__call__() takes one argument");
	return vm_loop_call(vm, loop, args->v[0]);
}

struct jv
vm_call(struct jvm *vm, struct jv callee, const struct jargs *args)
{
	switch (callee.type) {
	case JV_FUNC:
		return jb_call(vm, callee.func->builtin, callee.func->self, args);
	case JV_MACRO:
		return vm_call_macro(vm, callee.macro, args);
	case JV_LOOP:
		return call_loop(vm, callee.loop, args);
	case JV_JOINER:
		return call_joiner(vm, callee.joiner, args);
	case JV_UNDEF:
		jv_fail_undefined(vm, callee);
	default:
		vm_raise(vm, "'%s' object is not callable", jv_type_name(callee));
	}
}

struct jv
vm_filter_named(struct jvm *vm, const struct jstr *name, struct jv v, const struct jargs *args)
{
	const struct jbuiltin *b = jinja_filter(name);
	if (b == NULL)
		vm_refuse(vm, "no filter named '%.*s'", JS_ARG(name));
	return jb_call(vm, b, v, args);
}

struct jv
vm_test_named(struct jvm *vm, const struct jstr *name, struct jv v, const struct jargs *args)
{
	const struct jbuiltin *b = jinja_test(name);
	if (b == NULL)
		vm_refuse(vm, "no test named '%.*s'", JS_ARG(name));
	return jb_call(vm, b, v, args);
}

const struct jstr *
ja_text(struct jvm *vm, struct jv v, const char *what)
{
	if (v.type != JV_STR)
		vm_raise(vm, "%s must be str, not %s", what, jv_type_name(v));
	return v.s;
}

int64_t
ja_int(struct jvm *vm, struct jv v, int64_t otherwise)
{
	if (v.type == JV_MISSING)
		return otherwise;
	if (v.type != JV_INT && v.type != JV_BOOL)
		vm_raise(vm, "'%s' object cannot be interpreted as an integer", jv_type_name(v));
	return jv_integer(v);
}

bool
ja_bool(struct jvm *vm, struct jv v, bool otherwise)
{
	return v.type == JV_MISSING ? otherwise : jv_true(vm, v);
}

static bool
all_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0 && n < 18;
}

struct jv
ja_path(struct jvm *vm, struct jv item, struct jv path, struct jv otherwise)
{
	bool replace = otherwise.type != JV_MISSING && otherwise.type != JV_NONE;
	if (path.type == JV_NONE || path.type == JV_MISSING)
		return item;
	if (path.type != JV_STR) {
		item = vm_getitem(vm, item, path);
		return replace && item.type == JV_UNDEF ? otherwise : item;
	}
	for (size_t at = 0; at <= path.s->len;) {
		const char *s = path.s->data + at, *dot = memchr(s, '.', path.s->len - at);
		size_t n = dot ? (size_t)(dot - s) : path.s->len - at;
		struct jv part = js_part(vm, path.s, at, n);
		if (all_digits(s, n)) {
			int64_t i = 0;
			for (size_t k = 0; k < n; k++)
				i = 10 * i + s[k] - '0';
			part = JV_I(i);
		}
		item = vm_getitem(vm, item, part);
		if (replace && item.type == JV_UNDEF)
			item = otherwise;
		at += n + 1;
	}
	return item;
}
