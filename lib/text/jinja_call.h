#ifndef PRO_TEXT_JINJA_CALL_H
#define PRO_TEXT_JINJA_CALL_H

#include "lib/text/jinja_vm.h"

/* Functions, filters, tests and methods: tables of these, and how arguments reach them. */
struct jkeyword {
	const struct jstr *name;
	struct jv value;
};
struct jargs { /* of a call, as they were written */
	const struct jv *v;
	size_t n;
	const struct jkeyword *keyword;
	size_t n_keywords;
};

enum { JINJA_MAX_PARAMS = 6 };
struct jcall {
	const struct jbuiltin *builtin;
	struct jv self;           /* what is filtered or tested; the object of a method */
	const struct jv *v;       /* one for each of params; JV_MISSING: not given */
	const struct jargs *args; /* as they were written */
};
/*
 * params: names separated by spaces, e.g. "width first blank", the first `required` of which must
 * be given; a '/' before a name: by position only.  "*": any arguments, fn looks at args.  fn NULL:
 * Python has it and we do not, which is said when it is used.
 */
struct jbuiltin {
	const char *name;
	struct jv (*fn)(struct jvm *vm, const struct jcall *c);
	const char *params;
	int required;
	int op; /* for functions that share one fn */
};
/* op of methods */
enum {
	METHOD_PLAIN,
	METHOD_SAFE,     /* gives safe text out of safe text as markupsafe's does */
	METHOD_MUTATES,  /* forbidden by the sandbox */
	METHOD_PROPERTY, /* no method but a value, which is not there */
};
struct jfunc {
	const struct jbuiltin *builtin;
	struct jv self;
};

/* NULL: there is none. */
const struct jbuiltin *jinja_filter(const struct jstr *name);
const struct jbuiltin *jinja_test(const struct jstr *name);
const struct jbuiltin *jinja_global(const struct jstr *name);
const struct jbuiltin *jinja_method(enum jv_type type, const struct jstr *name);
const struct jbuiltin *jb_find(const struct jbuiltin *table, const struct jstr *name);

struct jv jb_call(
	struct jvm *vm, const struct jbuiltin *b, struct jv self, const struct jargs *args);
/* callee(*args, **keywords) */
struct jv vm_call(struct jvm *vm, struct jv callee, const struct jargs *args);
/* str.format */
struct jv jm_format(struct jvm *vm, const struct jstr *s, const struct jargs *args);
struct jv vm_call_macro(struct jvm *vm, struct jmacro *m, const struct jargs *args);
/* Evaluates the arguments of a node. */
void vm_arguments(struct jvm *vm, const struct jn *list, struct jargs *args);
/* The filter or test of that name on a value, as map and select call them. */
struct jv vm_filter_named(
	struct jvm *vm, const struct jstr *name, struct jv v, const struct jargs *args);
struct jv vm_test_named(
	struct jvm *vm, const struct jstr *name, struct jv v, const struct jargs *args);

/* What a parameter holds, or raises. */
const struct jstr *ja_text(struct jvm *vm, struct jv v, const char *what);
int64_t ja_int(struct jvm *vm, struct jv v, int64_t otherwise);
bool ja_bool(struct jvm *vm, struct jv v, bool otherwise);
/* The items of a path "a.b.0" (or an int) looked up one after the other; otherwise replaces what is
 * undefined when it is not JV_MISSING or none. */
struct jv ja_path(struct jvm *vm, struct jv item, struct jv path, struct jv otherwise);

/* jinja_method.c, for filters too */
/* End of the line that begins at `at`; *next: where the next begins, the end itself when no line
 * break follows. */
size_t jm_line_end(const struct jstr *s, size_t at, size_t *next);
bool jm_is_case(const struct jstr *s, bool upper);
enum jpad { PAD_LEFT, PAD_RIGHT, PAD_CENTER }; /* which side is filled */
struct jv jm_pad(struct jvm *vm, const struct jstr *s, int64_t width, const struct jstr *fill,
	enum jpad side);
/* Python's int(s, base) and float(s): false where they raise ValueError. */
bool jm_parse_int(struct jvm *vm, const struct jstr *s, int64_t base, int64_t *i);
bool jm_parse_double(struct jvm *vm, const struct jstr *s, double *x);

/* Tables, each ended by a row without a name. */
extern const struct jbuiltin jinja_filters_text[], jinja_filters_list[], jinja_methods_search[],
	jinja_tests_all[], jinja_globals_all[];

#endif
