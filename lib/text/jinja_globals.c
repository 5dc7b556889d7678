/* Global functions. */
#include "lib/text/jinja_call.h"

/* jinja2's sandbox: MAX_RANGE */
enum { MAX_RANGE = 100000 };

static struct jv
g_range(struct jvm *vm, const struct jcall *c)
{
	int64_t first = ja_int(vm, c->v[0], 0), start = 0, stop = first, step = 1, n = 0;
	if (c->v[1].type != JV_MISSING) {
		start = first;
		stop = ja_int(vm, c->v[1], 0);
		step = ja_int(vm, c->v[2], 1);
	}
	if (step == 0)
		vm_raise(vm, "range() arg 3 must not be zero");
	__int128 gap = step > 0 ? (__int128)stop - start : (__int128)start - stop;
	__int128 size = step > 0 ? (__int128)step : -(__int128)step;
	if (gap > 0) {
		__int128 count = (gap - 1) / size + 1;
		if (count > MAX_RANGE)
			vm_raise(vm,
				"Range too big. The sandbox blocks ranges larger than "
				"MAX_RANGE (%d).",
				MAX_RANGE);
		n = (int64_t)count;
	}
	struct jrange *r = vm_alloc(vm, sizeof *r);
	*r = (struct jrange){start, stop, step, n};
	return (struct jv){JV_RANGE, .range = r};
}

/* dict(mapping or pairs, **keywords) */
static struct jdict *
make_dict(struct jvm *vm, const struct jargs *a)
{
	struct jdict *d = jd_new(vm, a->n_keywords);
	struct jv item;
	if (a->n > 1)
		vm_raise(vm, "dict expected at most 1 argument, got %zu", a->n);
	if (a->n == 1 && a->v[0].type == JV_UNDEF) /* asked for its keys() */
		jv_fail_undefined(vm, a->v[0]);
	if (a->n == 1 && a->v[0].type == JV_DICT) {
		for (size_t i = 0; i < a->v[0].dict->n; i++)
			jd_set(vm, d, a->v[0].dict->v[i].key, a->v[0].dict->v[i].value);
	} else if (a->n == 1) {
		struct jiter *it = ji_of(vm, a->v[0]);
		while (ji_next(vm, it, &item)) {
			struct jv pair = ji_list(vm, item);
			if (pair.list->n != 2)
				vm_raise(vm,
					"dictionary update sequence element has length %zu; "
					"2 is required",
					pair.list->n);
			jd_set(vm, d, pair.list->v[0], pair.list->v[1]);
		}
	}
	for (size_t i = 0; i < a->n_keywords; i++)
		jd_set(vm, d, (struct jv){JV_STR, .s = a->keyword[i].name}, a->keyword[i].value);
	return d;
}

static struct jv
g_dict(struct jvm *vm, const struct jcall *c)
{
	return (struct jv){JV_DICT, .dict = make_dict(vm, c->args)};
}

static struct jv
g_namespace(struct jvm *vm, const struct jcall *c)
{
	return (struct jv){JV_NAMESPACE, .ns = make_dict(vm, c->args)};
}

static struct jv
g_joiner(struct jvm *vm, const struct jcall *c)
{
	struct jjoiner *j = vm_alloc(vm, sizeof *j);
	*j = (struct jjoiner){c->v[0].type == JV_MISSING ? js_literal(vm, ", ") : c->v[0], false};
	return (struct jv){JV_JOINER, .joiner = j};
}

static struct jv
g_cycler(struct jvm *vm, const struct jcall *c)
{
	if (c->args->n_keywords)
		vm_raise(vm, "cycler() takes no keyword arguments");
	if (c->args->n == 0)
		vm_raise(vm, "at least one item has to be provided");
	struct jgrow g = {0};
	for (size_t i = 0; i < c->args->n; i++)
		jgrow_push(vm, &g, c->args->v[i]);
	struct jcycler *y = vm_alloc(vm, sizeof *y);
	*y = (struct jcycler){jgrow_value(vm, &g, JV_TUPLE).list, 0};
	return (struct jv){JV_CYCLER, .cycler = y};
}

static struct jv
g_raise_exception(struct jvm *vm, const struct jcall *c)
{
	const struct jstr *s = jv_str(vm, c->v[0]);
	vm->line = 0;
	vm_raise(vm, "%.*s", (int)(s->len < 1500 ? s->len : 1500), s->data);
}

static struct jv
g_strftime_now(struct jvm *vm, const struct jcall *c)
{
	return vm_strftime(vm, ja_text(vm, c->v[0], "strftime() argument 1"));
}

const struct jbuiltin jinja_globals_all[] = {
	{"cycler", g_cycler, "*", 0, 0},
	{"dict", g_dict, "*", 0, 0},
	{"joiner", g_joiner, "sep", 0, 0},
	{"lipsum", NULL, "*", 0, 0},
	{"namespace", g_namespace, "*", 0, 0},
	{"raise_exception", g_raise_exception, "message", 1, 0},
	{"range", g_range, "/start /stop /step", 1, 0},
	{"strftime_now", g_strftime_now, "format", 1, 0},
	{0},
};
