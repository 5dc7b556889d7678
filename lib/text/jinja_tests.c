/* Tests: what stands behind "is". */
#include "lib/text/jinja_call.h"

static struct jv
remainder_is(struct jvm *vm, const struct jcall *c, struct jv by, int64_t want)
{
	return JV_B(jv_equal(vm, vm_binary(vm, JT_MOD, c->self, by), JV_I(want)));
}

static struct jv
t_odd(struct jvm *vm, const struct jcall *c)
{
	return remainder_is(vm, c, JV_I(2), 1);
}

static struct jv
t_even(struct jvm *vm, const struct jcall *c)
{
	return remainder_is(vm, c, JV_I(2), 0);
}

static struct jv
t_divisibleby(struct jvm *vm, const struct jcall *c)
{
	return remainder_is(vm, c, c->v[0], 0);
}

static struct jv
t_defined(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(c->self.type != JV_UNDEF);
}

/* of the type that the row names */
static struct jv
t_type(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B((int)c->self.type == c->builtin->op);
}

static struct jv
t_bool(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(c->self.type == JV_BOOL && c->self.b == (bool)c->builtin->op);
}

static struct jv
t_number(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(jv_is_number(c->self));
}

static struct jv
t_sequence(struct jvm *vm, const struct jcall *c)
{
	enum jv_type t = c->self.type;
	(void)vm;
	/* What has a length and can be indexed, in Python's eyes. */
	return JV_B(t == JV_STR || t == JV_LIST || t == JV_TUPLE || t == JV_DICT || t == JV_RANGE ||
		    t == JV_UNDEF);
}

static struct jv
t_iterable(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(ji_can(c->self));
}

static struct jv
t_callable(struct jvm *vm, const struct jcall *c)
{
	enum jv_type t = c->self.type;
	(void)vm;
	return JV_B(
		t == JV_FUNC || t == JV_MACRO || t == JV_LOOP || t == JV_JOINER || t == JV_UNDEF);
}

static struct jv
t_case(struct jvm *vm, const struct jcall *c)
{
	return JV_B(jm_is_case(jv_str(vm, c->self), c->builtin->op));
}

static struct jv
t_compare(struct jvm *vm, const struct jcall *c)
{
	bool equal = c->builtin->op == JT_EQ;
	if (equal || c->builtin->op == JT_NE)
		return JV_B(jv_equal(vm, c->self, c->v[0]) == equal);
	return JV_B(jv_order(vm, c->self, c->v[0], c->builtin->op));
}

static struct jv
t_in(struct jvm *vm, const struct jcall *c)
{
	return JV_B(jv_contains(vm, c->self, c->v[0]));
}

static struct jv
t_sameas(struct jvm *vm, const struct jcall *c)
{
	struct jv a = c->self, b = c->v[0];
	bool small = a.type == JV_INT && a.i >= -5 && a.i <= 256;
	bool value = (a.type == JV_INT && !small) || a.type == JV_FLOAT || a.type == JV_STR ||
		     a.type == JV_TUPLE || a.type == JV_UNDEF;
	if (a.type == b.type && value)
		vm_refuse(vm, "'sameas' of two %s is not supported", jv_type_name(a));
	return JV_B(jv_same(a, b));
}

static struct jv
t_escaped(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(c->self.type == JV_STR && c->self.s->safe);
}

static struct jv
t_filter(struct jvm *vm, const struct jcall *c)
{
	if (!jv_hashable(c->self))
		vm_raise(vm, "unhashable type: '%s'", jv_type_name(c->self));
	return JV_B(c->self.type == JV_STR && jinja_filter(c->self.s) != NULL);
}

static struct jv
t_test(struct jvm *vm, const struct jcall *c)
{
	if (!jv_hashable(c->self))
		vm_raise(vm, "unhashable type: '%s'", jv_type_name(c->self));
	return JV_B(c->self.type == JV_STR && jinja_test(c->self.s) != NULL);
}

static struct jv
t_undefined(struct jvm *vm, const struct jcall *c)
{
	(void)vm;
	return JV_B(c->self.type == JV_UNDEF);
}

const struct jbuiltin jinja_tests_all[] = {
	{"!=", t_compare, "/b", 1, JT_NE},
	{"<", t_compare, "/b", 1, JT_LT},
	{"<=", t_compare, "/b", 1, JT_LE},
	{"==", t_compare, "/b", 1, JT_EQ},
	{">", t_compare, "/b", 1, JT_GT},
	{">=", t_compare, "/b", 1, JT_GE},
	{"boolean", t_type, "", 0, JV_BOOL},
	{"callable", t_callable, "", 0, 0},
	{"defined", t_defined, "", 0, 0},
	{"divisibleby", t_divisibleby, "num", 1, 0},
	{"eq", t_compare, "/b", 1, JT_EQ},
	{"equalto", t_compare, "/b", 1, JT_EQ},
	{"escaped", t_escaped, "", 0, 0},
	{"even", t_even, "", 0, 0},
	{"false", t_bool, "", 0, false},
	{"filter", t_filter, "", 0, 0},
	{"float", t_type, "", 0, JV_FLOAT},
	{"ge", t_compare, "/b", 1, JT_GE},
	{"greaterthan", t_compare, "/b", 1, JT_GT},
	{"gt", t_compare, "/b", 1, JT_GT},
	{"in", t_in, "seq", 1, 0},
	{"integer", t_type, "", 0, JV_INT},
	{"iterable", t_iterable, "", 0, 0},
	{"le", t_compare, "/b", 1, JT_LE},
	{"lessthan", t_compare, "/b", 1, JT_LT},
	{"lower", t_case, "", 0, false},
	{"lt", t_compare, "/b", 1, JT_LT},
	{"mapping", t_type, "", 0, JV_DICT},
	{"ne", t_compare, "/b", 1, JT_NE},
	{"none", t_type, "", 0, JV_NONE},
	{"number", t_number, "", 0, 0},
	{"odd", t_odd, "", 0, 0},
	{"sameas", t_sameas, "other", 1, 0},
	{"sequence", t_sequence, "", 0, 0},
	{"string", t_type, "", 0, JV_STR},
	{"test", t_test, "", 0, 0},
	{"true", t_bool, "", 0, true},
	{"undefined", t_undefined, "", 0, 0},
	{"upper", t_case, "", 0, true},
	{0},
};
