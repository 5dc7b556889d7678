/* Values: making them, what they are called, their truth and length. */
#include <math.h>

#include "lib/stream/json.h"
#include "lib/text/jinja_vm.h"

struct jv
jv_list(struct jvm *vm, enum jv_type type, size_t n, struct jv **fill)
{
	struct jlist *l = vm_alloc(vm, sizeof *l);
	*l = (struct jlist){n, vm_alloc(vm, (n + 1) * sizeof *l->v), false};
	vm_step(vm, n / 8);
	*fill = l->v;
	return (struct jv){type, .list = l};
}

struct jv
jv_pair(struct jvm *vm, struct jv a, struct jv b)
{
	struct jv *v, t = jv_list(vm, JV_TUPLE, 2, &v);
	v[0] = a;
	v[1] = b;
	return t;
}

void
jgrow_push(struct jvm *vm, struct jgrow *g, struct jv v)
{
	vm_step(vm, 1);
	if (g->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 8;
		struct jv *w = vm_alloc(vm, g->cap * sizeof *w);
		if (g->n)
			memcpy(w, g->v, g->n * sizeof *w);
		g->v = w;
	}
	g->v[g->n++] = v;
}

struct jv
jgrow_value(struct jvm *vm, const struct jgrow *g, enum jv_type type)
{
	struct jlist *l = vm_alloc(vm, sizeof *l);
	*l = (struct jlist){g->n, g->v, false};
	return (struct jv){type, .list = l};
}

/* ---- what JSON holds ---- */

/* Who speaks is one of few words, and templates make special tokens of it: "<|" + role + "|>". */
static bool
is_role(const char *key, const json_t *value)
{
	static const char *const roles[] = {"system", "user", "assistant", "tool", "developer"};
	if (strcmp(key, "role") != 0 || !json_is_string(value))
		return false;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (strcmp(json_string_value(value), roles[i]) == 0)
			return true;
	return false;
}

static struct jv
from_object(struct jvm *vm, const json_t *json, uint8_t mark)
{
	struct jdict *d = jd_new(vm, json_object_size(json));
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)json, key, value)
		jd_set(vm, d, js_make(vm, key, strlen(key), mark),
			jv_json(vm, value, is_role(key, value) ? JINJA_LITERAL : mark));
	return (struct jv){JV_DICT, .dict = d};
}

static struct jv
from_array(struct jvm *vm, const json_t *json, uint8_t mark)
{
	struct jv *v, list = jv_list(vm, JV_LIST, json_array_size(json), &v);
	for (size_t i = 0; i < list.list->n; i++)
		v[i] = jv_json(vm, json_array_get(json, i), mark);
	return list;
}

struct jv
jv_json(struct jvm *vm, const json_t *json, uint8_t mark)
{
	struct jv v = JV_NOTHING;
	vm_enter(vm);
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		v = from_object(vm, json, mark);
		break;
	case JSON_ARRAY:
		v = from_array(vm, json, mark);
		break;
	case JSON_STRING:
		if (json_is_big(json))
			vm_refuse(vm, "integers beyond 64 bits are not supported");
		v = js_make(vm, json_string_value(json), json_string_length(json), mark);
		break;
	case JSON_INTEGER:
		v = JV_I(json_integer_value(json));
		break;
	case JSON_REAL:
		v = JV_F(json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		v = JV_B(json_is_true(json));
		break;
	case JSON_NULL:
		break;
	}
	vm->depth--;
	return v;
}

/* ---- undefined ---- */

static struct jv
undefined(struct jvm *vm, struct jundef u)
{
	struct jundef *p = vm_alloc(vm, sizeof *p);
	*p = u;
	return (struct jv){JV_UNDEF, .undef = p};
}

struct jv
jv_undefined_name(struct jvm *vm, const struct jstr *name)
{
	return undefined(vm, (struct jundef){.key = {JV_STR, .s = name}});
}

struct jv
jv_undefined_member(struct jvm *vm, struct jv object, struct jv key)
{
	return undefined(vm, (struct jundef){.of_object = true, .object = object, .key = key});
}

struct jv
jv_undefined_hint(struct jvm *vm, const char *hint)
{
	return undefined(vm, (struct jundef){.hint = hint, .key = JV_NOTHING});
}

void
jv_fail_undefined(struct jvm *vm, struct jv v)
{
	const struct jundef *u = v.undef;
	struct jsb b;
	jsb_init(&b, vm);
	jv_put_repr(&b, u->key);
	const char *key = jsb_value(&b).s->data, *type = jv_type_name(u->object);
	const char *object = u->object.type == JV_NONE ? "" : " object";
	type = u->object.type == JV_NONE ? "None" : type;
	if (u->hint)
		vm_raise(vm, "%s", u->hint);
	if (!u->of_object)
		vm_raise(vm, "%s is undefined", key);
	if (u->unsafe)
		vm_raise(vm, "access to attribute %s of '%s' object is unsafe.", key, type);
	if (u->key.type != JV_STR)
		vm_raise(vm, "%s%s has no element %s", type, object, key);
	vm_raise(vm, "'%s%s' has no attribute %s", type, object, key);
}

/* ---- of all types ---- */

static const char *
view_name(enum jview_kind kind)
{
	return kind == VIEW_KEYS ? "dict_keys" : kind == VIEW_VALUES ? "dict_values" : "dict_items";
}

const char *
jv_type_name(struct jv v)
{
	static const char *const names[] = {[JV_MISSING] = "missing",
		[JV_UNDEF] = "Undefined",
		[JV_NONE] = "NoneType",
		[JV_BOOL] = "bool",
		[JV_INT] = "int",
		[JV_FLOAT] = "float",
		[JV_STR] = "str",
		[JV_LIST] = "list",
		[JV_TUPLE] = "tuple",
		[JV_DICT] = "dict",
		[JV_VIEW] = "",
		[JV_RANGE] = "range",
		[JV_ITER] = "generator",
		[JV_NAMESPACE] = "jinja2.utils.Namespace",
		[JV_MACRO] = "jinja2.runtime.Macro",
		[JV_LOOP] = "jinja2.runtime.LoopContext",
		[JV_JOINER] = "jinja2.utils.Joiner",
		[JV_CYCLER] = "jinja2.utils.Cycler",
		[JV_FUNC] = "function"};
	if (v.type == JV_STR && v.s->safe)
		return "markupsafe.Markup";
	return v.type == JV_VIEW ? view_name(v.view->kind) : names[v.type];
}

int64_t
jv_length(struct jvm *vm, struct jv v, bool quiet)
{
	switch (v.type) {
	case JV_UNDEF:
		return 0;
	case JV_STR:
		return (int64_t)v.s->chars;
	case JV_LIST:
	case JV_TUPLE:
		return (int64_t)v.list->n;
	case JV_DICT:
		return (int64_t)v.dict->n;
	case JV_VIEW:
		return (int64_t)v.view->dict->n;
	case JV_RANGE:
		return v.range->n;
	case JV_LOOP:
		return vm_loop_length(vm, v.loop);
	default:
		if (quiet)
			return -1;
		vm_raise(vm, "object of type '%s' has no len()", jv_type_name(v));
	}
}

bool
jv_true(struct jvm *vm, struct jv v)
{
	switch (v.type) {
	case JV_MISSING:
	case JV_UNDEF:
	case JV_NONE:
		return false;
	case JV_BOOL:
		return v.b;
	case JV_INT:
		return v.i != 0;
	case JV_FLOAT:
		return v.f != 0;
	default:
		return jv_length(vm, v, true) != 0;
	}
}

bool
jv_is_number(struct jv v)
{
	return v.type == JV_INT || v.type == JV_FLOAT || v.type == JV_BOOL;
}

int64_t
jv_integer(struct jv v)
{
	return v.type == JV_BOOL ? v.b : v.i;
}

double
jv_double(struct jv v)
{
	return v.type == JV_FLOAT ? v.f : (double)jv_integer(v);
}

bool
jv_same(struct jv a, struct jv b)
{
	if (a.type != b.type)
		return false;
	switch (a.type) {
	case JV_NONE:
		return true;
	case JV_BOOL:
		return a.b == b.b;
	default:
		return a.s == b.s;
	}
}
