/* Python's operators. */
#include <math.h>

#include "lib/text/jinja_vm.h"

static const char *const signs[] = {[JT_ADD] = "+",
	[JT_SUB] = "-",
	[JT_MUL] = "*",
	[JT_DIV] = "/",
	[JT_FLOORDIV] = "//",
	[JT_MOD] = "%",
	[JT_POW] = "** or pow()"};

static void too_big(struct jvm *vm) __attribute__((noreturn));
static void
too_big(struct jvm *vm)
{
	vm_refuse(vm, "integers beyond 64 bits are not supported");
}

static void unsupported(struct jvm *vm, enum jt op, struct jv a, struct jv b)
	__attribute__((noreturn));
static void
unsupported(struct jvm *vm, enum jt op, struct jv a, struct jv b)
{
	vm_raise(vm, "unsupported operand type(s) for %s: '%s' and '%s'", signs[op],
		jv_type_name(a), jv_type_name(b));
}

/* (x // y, x % y) of CPython's floatobject.c. */
static double
float_divmod(double x, double y, double *mod)
{
	double div;
	*mod = fmod(x, y);
	div = (x - *mod) / y;
	if (*mod != 0) {
		if ((y < 0) != (*mod < 0)) {
			*mod += y;
			div -= 1;
		}
	} else {
		*mod = copysign(0, y);
	}
	if (div == 0)
		return copysign(0, x / y);
	double whole = floor(div);
	return div - whole > 0.5 ? whole + 1 : whole;
}

static struct jv
float_pow(struct jvm *vm, double x, double y)
{
	if (x == 0 && y < 0)
		vm_raise(vm, "0.0 cannot be raised to a negative power");
	if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y))
		vm_refuse(vm, "complex numbers are not supported");
	double z = pow(x, y);
	if (isinf(z) && isfinite(x) && isfinite(y))
		vm_raise(vm, "Numerical result out of range");
	return JV_F(z);
}

static struct jv
float_binary(struct jvm *vm, enum jt op, double x, double y)
{
	double mod, div;
	if (y == 0 && (op == JT_DIV || op == JT_FLOORDIV || op == JT_MOD))
		vm_raise(vm, "%s",
			op == JT_DIV   ? "float division by zero"
			: op == JT_MOD ? "float modulo"
				       : "float floor division by zero");
	switch (op) {
	case JT_ADD:
		return JV_F(x + y);
	case JT_SUB:
		return JV_F(x - y);
	case JT_MUL:
		return JV_F(x * y);
	case JT_DIV:
		return JV_F(x / y);
	case JT_POW:
		return float_pow(vm, x, y);
	default:
		div = float_divmod(x, y, &mod);
		return JV_F(op == JT_MOD ? mod : div);
	}
}

static struct jv
int_pow(struct jvm *vm, int64_t x, int64_t y)
{
	int64_t z = 1;
	if (y < 0)
		return float_pow(vm, (double)x, (double)y);
	if (x == 0 || x == 1 || x == -1)
		return JV_I(y == 0 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : x);
	for (; y > 0; y--)
		if (__builtin_mul_overflow(z, x, &z))
			too_big(vm);
	return JV_I(z);
}

static struct jv
int_divide(struct jvm *vm, enum jt op, int64_t x, int64_t y)
{
	const int64_t exact = (int64_t)1 << 53;
	if (y == 0)
		vm_raise(vm, "%s",
			op == JT_DIV ? "division by zero"
				     : (op == JT_MOD ? "integer modulo by zero"
						     : "integer division or modulo by zero"));
	if (op == JT_DIV) {
		if (x > exact || x < -exact || y > exact || y < -exact)
			vm_refuse(vm, "dividing integers beyond 53 bits is not supported");
		return JV_F((double)x / (double)y);
	}
	if (y == -1) {
		if (x == INT64_MIN)
			too_big(vm);
		return JV_I(op == JT_MOD ? 0 : -x);
	}
	int64_t div = x / y, mod = x % y;
	if (mod != 0 && (mod < 0) != (y < 0)) {
		mod += y;
		div--;
	}
	return JV_I(op == JT_MOD ? mod : div);
}

static struct jv
int_binary(struct jvm *vm, enum jt op, int64_t x, int64_t y)
{
	int64_t z = 0;
	bool over = false;
	switch (op) {
	case JT_ADD:
		over = __builtin_add_overflow(x, y, &z);
		break;
	case JT_SUB:
		over = __builtin_sub_overflow(x, y, &z);
		break;
	case JT_MUL:
		over = __builtin_mul_overflow(x, y, &z);
		break;
	case JT_POW:
		return int_pow(vm, x, y);
	default:
		return int_divide(vm, op, x, y);
	}
	if (over)
		too_big(vm);
	return JV_I(z);
}

static void
put_markup(struct jsb *b, const struct jstr *s)
{
	if (s->safe)
		jsb_str(b, s);
	else
		js_escape(b, s);
}

static struct jv
add_text(struct jvm *vm, const struct jstr *a, const struct jstr *b)
{
	struct jsb t;
	jsb_init(&t, vm);
	if (!a->safe && !b->safe) {
		jsb_str(&t, a);
		jsb_str(&t, b);
		return jsb_value(&t);
	}
	put_markup(&t, a);
	put_markup(&t, b);
	return js_safe(vm, jsb_value(&t).s, true);
}

static struct jv
add(struct jvm *vm, struct jv a, struct jv b)
{
	struct jv *v, list;
	if (a.type == JV_STR && b.type == JV_STR)
		return add_text(vm, a.s, b.s);
	if (a.type == JV_STR)
		vm_raise(vm, "can only concatenate str (not \"%s\") to str", jv_type_name(b));
	if (a.type != b.type || (a.type != JV_LIST && a.type != JV_TUPLE))
		unsupported(vm, JT_ADD, a, b);
	size_t n = a.list->n;
	list = jv_list(vm, a.type, n + b.list->n, &v);
	if (n)
		memcpy(v, a.list->v, n * sizeof *v);
	if (b.list->n)
		memcpy(v + n, b.list->v, b.list->n * sizeof *v);
	return list;
}

static struct jv
repeat_text(struct jvm *vm, const struct jstr *s, int64_t n)
{
	struct jsb b;
	jsb_init(&b, vm);
	for (int64_t i = 0; i < n && s->len; i++) {
		vm_step(vm, 1);
		jsb_str(&b, s);
	}
	struct jv v = jsb_value(&b);
	return s->safe ? js_safe(vm, v.s, true) : v;
}

static struct jv
repeat(struct jvm *vm, struct jv a, struct jv count)
{
	struct jgrow g = {0};
	if (count.type != JV_INT && count.type != JV_BOOL)
		vm_raise(
			vm, "can't multiply sequence by non-int of type '%s'", jv_type_name(count));
	int64_t n = jv_integer(count);
	if (a.type == JV_STR)
		return repeat_text(vm, a.s, n);
	for (int64_t i = 0; i < n && a.list->n; i++)
		for (size_t k = 0; k < a.list->n; k++)
			jgrow_push(vm, &g, a.list->v[k]);
	return jgrow_value(vm, &g, a.type);
}

static bool
is_sequence(struct jv v)
{
	return v.type == JV_STR || v.type == JV_LIST || v.type == JV_TUPLE;
}

struct jv
vm_binary(struct jvm *vm, enum jt op, struct jv a, struct jv b)
{
	if (op == JT_MOD && a.type == JV_STR)
		return vm_format(vm, a.s, b);
	if (a.type == JV_UNDEF || b.type == JV_UNDEF)
		jv_fail_undefined(vm, a.type == JV_UNDEF ? a : b);
	if (jv_is_number(a) && jv_is_number(b)) {
		if (a.type == JV_FLOAT || b.type == JV_FLOAT)
			return float_binary(vm, op, jv_double(a), jv_double(b));
		return int_binary(vm, op, jv_integer(a), jv_integer(b));
	}
	if (op == JT_ADD)
		return add(vm, a, b);
	if (op == JT_MUL && is_sequence(a))
		return repeat(vm, a, b);
	if (op == JT_MUL && is_sequence(b))
		return repeat(vm, b, a);
	if (a.type == JV_VIEW || b.type == JV_VIEW)
		vm_refuse(vm, "set operations on views of dicts are not supported");
	unsupported(vm, op, a, b);
}

struct jv
vm_negate(struct jvm *vm, struct jv v, bool minus)
{
	if (v.type == JV_UNDEF)
		jv_fail_undefined(vm, v);
	if (!jv_is_number(v))
		vm_raise(vm, "bad operand type for unary %c: '%s'", minus ? '-' : '+',
			jv_type_name(v));
	if (v.type == JV_FLOAT)
		return JV_F(minus ? -v.f : v.f);
	if (minus && jv_integer(v) == INT64_MIN)
		too_big(vm);
	return JV_I(minus ? -jv_integer(v) : jv_integer(v));
}

/* One bound of a slice, clipped as Python's slice.indices does. */
static int64_t
bound(struct jvm *vm, struct jv v, int64_t n, int64_t otherwise, int64_t low, int64_t high)
{
	if (v.type == JV_NONE)
		return otherwise;
	if (v.type != JV_INT && v.type != JV_BOOL)
		vm_raise(vm, "slice indices must be integers or None or have an __index__ "
			     "method");
	int64_t i = jv_integer(v);
	i = i < 0 ? i + n : i;
	return i < low ? low : i > high ? high : i;
}

static struct jv
slice_items(struct jvm *vm, struct jv v, int64_t from, int64_t step, int64_t count)
{
	struct jv *items, list = jv_list(vm, v.type, count > 0 ? (size_t)count : 0, &items);
	for (int64_t i = 0; i < count; i++)
		items[i] = v.list->v[from + i * step];
	return list;
}

static struct jv
slice_range(struct jvm *vm, const struct jrange *r, int64_t from, int64_t to, int64_t step,
	int64_t count)
{
	struct jrange *part = vm_alloc(vm, sizeof *part);
	*part = (struct jrange){r->start + from * r->step, r->start + to * r->step, r->step * step,
		count > 0 ? count : 0};
	return (struct jv){JV_RANGE, .range = part};
}

struct jv
vm_slice(struct jvm *vm, struct jv v, struct jv from, struct jv to, struct jv step)
{
	if (v.type == JV_UNDEF)
		jv_fail_undefined(vm, v);
	if (!is_sequence(v) && v.type != JV_RANGE)
		vm_raise(vm,
			v.type == JV_DICT ? "unhashable type: 'slice'"
					  : "'%s' object is not subscriptable",
			jv_type_name(v));
	int64_t n = jv_length(vm, v, false), by = 1, count;
	if (step.type != JV_NONE) {
		by = bound(vm, step, 0, 1, -INT64_MAX, INT64_MAX);
		if (by == 0)
			vm_raise(vm, "slice step cannot be zero");
	}
	int64_t low = by < 0 ? -1 : 0, high = by < 0 ? n - 1 : n;
	int64_t a = bound(vm, from, n, by < 0 ? high : low, low, high);
	int64_t b = bound(vm, to, n, by < 0 ? low : high, low, high);
	int64_t gap = by < 0 ? a - b : b - a, size = by < 0 ? -by : by;
	count = gap > 0 ? (gap - 1) / size + 1 : 0;
	if (v.type == JV_STR)
		return js_slice(vm, v.s, a, by, count);
	if (v.type == JV_RANGE)
		return slice_range(vm, v.range, a, b, by, count);
	return slice_items(vm, v, a, by, count);
}
