#ifndef PRO_TEXT_JINJA_VM_H
#define PRO_TEXT_JINJA_VM_H

#include "lib/text/jinja_str.h"

/* A render under way, its values, and what walks the tree. */
struct jframe { /* the variables of a scope that was entered */
	struct jframe *up;
	struct jv slot[];
};

struct jvm {
	const struct jinja *template;
	struct arena arena;
	size_t bytes, max_bytes;
	int64_t steps;
	int depth, line;
	jmp_buf fail;
	struct err *e;
	const struct jdict *vars;
	struct jframe *frame;
	struct jsb *out;
	struct jv captured; /* what a filter block wrote, for its first filter */
	const struct tm *now;
};

/* ---- failures: they leave the render ---- */
/* What jinja2 or Python would raise: ERR_DATA. */
void vm_raise(struct jvm *vm, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* Something that is not there or passes a limit: ERR_CONFIG. */
void vm_refuse(struct jvm *vm, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void vm_step(struct jvm *vm, size_t n);
void vm_enter(struct jvm *vm);
void *vm_alloc(struct jvm *vm, size_t n);

/* ---- values ---- */
struct jlist {
	size_t n;
	struct jv *v;
	bool group; /* the named tuple of groupby: .grouper and .list */
};
struct jdict_entry {
	struct jv key, value;
};
struct jdict {
	size_t n, cap;
	struct jdict_entry *v;
	uint32_t *index; /* hashed places of v + 1, from some size on */
	size_t n_index;
};
enum jview_kind { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };
struct jview {
	const struct jdict *dict;
	enum jview_kind kind;
};
struct jrange {
	int64_t start, stop, step, n;
};
struct jundef {
	const char *hint; /* or what was looked up: */
	bool of_object, unsafe;
	struct jv object, key;
};
struct jmacro {
	const struct jn *node;
	struct jframe *up;
};
struct jjoiner {
	struct jv separator;
	bool used;
};
struct jcycler {
	const struct jlist *items;
	size_t at;
};
struct jloop {
	struct jiter *it;
	struct jv source, before, current, after, changed;
	const struct jn *node; /* the for, when it is recursive */
	struct jframe *up;
	int64_t index0, length; /* length: -1 while not known */
	int depth0;
	bool peeked;
};

#define JV_B(x) ((struct jv){JV_BOOL, .b = (x)})
#define JV_I(x) ((struct jv){JV_INT, .i = (x)})
#define JV_F(x) ((struct jv){JV_FLOAT, .f = (x)})
#define JV_NOTHING ((struct jv){JV_NONE, .i = 0})
#define JV_ABSENT ((struct jv){JV_MISSING, .i = 0})

/* A list of n elements (type: JV_LIST or JV_TUPLE) to be filled. */
struct jv jv_list(struct jvm *vm, enum jv_type type, size_t n, struct jv **fill);
/* Lists that grow. */
struct jgrow {
	struct jv *v;
	size_t n, cap;
};
void jgrow_push(struct jvm *vm, struct jgrow *g, struct jv v);
struct jv jgrow_value(struct jvm *vm, const struct jgrow *g, enum jv_type type);

struct jdict *jd_new(struct jvm *vm, size_t cap);
void jd_set(struct jvm *vm, struct jdict *d, struct jv key, struct jv value);
/* NULL: no such key.  A key that Python cannot hash raises. */
const struct jv *jd_get(struct jvm *vm, const struct jdict *d, struct jv key);
struct jv jv_json(struct jvm *vm, const json_t *json, uint8_t mark);

struct jv jv_undefined_name(struct jvm *vm, const struct jstr *name);
struct jv jv_undefined_member(struct jvm *vm, struct jv object, struct jv key);
struct jv jv_undefined_hint(struct jvm *vm, const char *hint);
/* Raises what using an undefined value raises. */
void jv_fail_undefined(struct jvm *vm, struct jv v) __attribute__((noreturn));

const char *jv_type_name(struct jv v);
bool jv_true(struct jvm *vm, struct jv v);
bool jv_is_number(struct jv v); /* int, float, bool */
bool jv_hashable(struct jv v);
double jv_double(struct jv v);
int64_t jv_integer(struct jv v); /* of int and bool */
bool jv_equal(struct jvm *vm, struct jv a, struct jv b);
bool jv_same(struct jv a, struct jv b); /* Python's "is" */
/* a < b, a <= b ...: op is JT_LT, JT_LE, JT_GT, JT_GE.  Raises when Python would. */
bool jv_order(struct jvm *vm, struct jv a, struct jv b, enum jt op);
bool jv_contains(struct jvm *vm, struct jv item, struct jv container);
/* len(v); raises TypeError where there is none (-1 when quiet). */
int64_t jv_length(struct jvm *vm, struct jv v, bool quiet);
/* A stable sort of items by keys. */
void jv_sort(struct jvm *vm, struct jv *items, struct jv *keys, size_t n, bool reverse);

/* ---- text of values ---- */
const struct jstr *jv_str(struct jvm *vm, struct jv v);
void jv_put_str(struct jsb *b, struct jv v);
void jv_put_repr(struct jsb *b, struct jv v);
void jv_put_double(struct jsb *b, double x);
void jv_put_json(struct jsb *b, struct jv v, struct jv indent, struct jv separators, bool ascii,
	bool sorted);

/* ---- iteration ---- */
struct jiter {
	/* False: no more. */
	bool (*next)(struct jvm *vm, struct jiter *it, struct jv *out);
	struct jiter *source;
	const struct jv *v;
	const struct jdict *dict;
	const struct jstr *text;
	struct jrange range;
	size_t n, at;
	int64_t step;
	const void *state;
};
struct jiter *ji_new(struct jvm *vm, bool (*next)(struct jvm *, struct jiter *, struct jv *));
/* iter(v): raises TypeError for what cannot be iterated. */
struct jiter *ji_of(struct jvm *vm, struct jv v);
bool ji_can(struct jv v);
bool ji_next(struct jvm *vm, struct jiter *it, struct jv *out);
struct jv ji_value(struct jiter *it);
/* list(v) */
struct jv ji_list(struct jvm *vm, struct jv v);
struct jv jv_pair(struct jvm *vm, struct jv a, struct jv b);

/* ---- evaluation ---- */
struct jv vm_eval(struct jvm *vm, const struct jn *n);
enum jflow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };
enum jflow vm_exec(struct jvm *vm, const struct jn *list);
struct jframe *vm_frame(struct jvm *vm, const struct jscope *s, struct jframe *up);
void vm_frame_begin(struct jvm *vm, const struct jscope *s, struct jframe *f);
void vm_assign(struct jvm *vm, const struct jn *target, struct jv v);
struct jv vm_binary(struct jvm *vm, enum jt op, struct jv a, struct jv b);
struct jv vm_negate(struct jvm *vm, struct jv v, bool minus);
struct jv vm_slice(struct jvm *vm, struct jv v, struct jv from, struct jv to, struct jv step);
/* object.name and object[key], as the sandbox looks them up. */
struct jv vm_getattr(struct jvm *vm, struct jv v, struct jv name);
struct jv vm_getitem(struct jvm *vm, struct jv v, struct jv key);
/* What object.name is but for what it contains; JV_MISSING: it has no such attribute. */
struct jv vm_attribute(struct jvm *vm, struct jv v, const struct jstr *name);
/* printf-style %, and str.format */
struct jv vm_format(struct jvm *vm, const struct jstr *format, struct jv arguments);
struct jv vm_strftime(struct jvm *vm, const struct jstr *format);
/* A variable of the template's user, or a global function; JV_MISSING: neither. */
struct jv vm_lookup(struct jvm *vm, const struct jstr *name);
/* Runs a loop's body over an iterable. */
enum jflow vm_run_loop(
	struct jvm *vm, const struct jn *n, struct jv iterable, int depth0, struct jframe *up);
/* The next item of a loop into its current. */
bool vm_loop_advance(struct jvm *vm, struct jloop *loop);
struct jv vm_loop_call(struct jvm *vm, struct jloop *loop, struct jv iterable);
struct jv vm_loop_attribute(struct jvm *vm, struct jloop *loop, const struct jstr *name);
int64_t vm_loop_length(struct jvm *vm, struct jloop *loop);

#endif
