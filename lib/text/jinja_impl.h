#ifndef PRO_TEXT_JINJA_IMPL_H
#define PRO_TEXT_JINJA_IMPL_H

#include <setjmp.h>
#include <stdint.h>

#include "lib/text/jinja.h"

/*
 * Inside of the Jinja interpreter: tokens, syntax tree, scopes.  A source goes through
 * jinja_lex (tokens), jinja_parse (tree) and jinja_scope (which variable a name is), and is then
 * walked by jinja_exec.  Everything lives in arenas; a failure leaves by longjmp to the one
 * setjmp in jinja_compile or jinja_render, because nothing but arenas has to be given back.
 */
enum {
	JINJA_MAX_SOURCE = 1 << 20,
	JINJA_MAX_NESTING = 200,     /* CPython gives up at as many nested parentheses */
	JINJA_MAX_DEPTH = 1200,      /* nodes being walked at the same time, macros included */
	JINJA_MAX_STEPS = 20000000,  /* nodes walked, elements and blocks of bytes made */
	JINJA_MAX_BYTES = 128 << 20, /* memory of a render, beside 64 times the variables */
};

/* Values.  What a value points to is never changed after it was made, but for iterators,
 * namespaces, loops, joiners and cyclers. */
enum jv_type {
	JV_MISSING, /* no value: a variable not set, an argument not given */
	JV_UNDEF,
	JV_NONE,
	JV_BOOL,
	JV_INT,
	JV_FLOAT,
	JV_STR,
	JV_LIST,
	JV_TUPLE,
	JV_DICT,
	JV_VIEW, /* what keys(), values() and items() of a dict return */
	JV_RANGE,
	JV_ITER,
	JV_NAMESPACE,
	JV_MACRO,
	JV_LOOP,
	JV_JOINER,
	JV_CYCLER,
	JV_FUNC, /* a global function, or a method and its object */
};

/* Text: UTF-8, and for each byte whether the template or the conversation wrote it. */
struct jstr {
	const char *data;
	size_t len;
	size_t chars;        /* code points */
	const uint8_t *mark; /* per byte, or NULL: all bytes are of kind `all` */
	uint8_t all;
	bool safe; /* Markup of the filters safe and escape */
};

struct jv {
	enum jv_type type;
	union {
		bool b;
		int64_t i;
		double f;
		const struct jstr *s;
		const struct jlist *list;
		const struct jdict *dict;
		const struct jview *view;
		const struct jrange *range;
		const struct jundef *undef;
		const struct jfunc *func;
		struct jmacro *macro;
		struct jiter *iter;
		struct jdict *ns;
		struct jloop *loop;
		struct jjoiner *joiner;
		struct jcycler *cycler;
	};
};

enum jn_kind {
	/* statements */
	JN_DATA,         /* value */
	JN_OUTPUT,       /* a */
	JN_IF,           /* a: test; body; other: the elif (JN_IF alone) or the else list */
	JN_FOR,          /* a: target, b: iterable, c: test or NULL; body; other; op: recursive */
	JN_SET,          /* a: target, b: value */
	JN_SET_BLOCK,    /* a: target, b: filter or NULL; body */
	JN_WITH,         /* list: JN_SET nodes; body */
	JN_MACRO,        /* name, list: JN_PARAM; body */
	JN_CALL_BLOCK,   /* a: call, or NULL for generation; list: JN_PARAM; body */
	JN_FILTER_BLOCK, /* b: filter; body */
	JN_BREAK,
	JN_CONTINUE,
	JN_PARAM, /* name; a: default or NULL */
	/* expressions */
	JN_CONST,   /* value */
	JN_NAME,    /* name, hops, slot */
	JN_NSREF,   /* name, hops, slot; value: attribute */
	JN_TUPLE,   /* list */
	JN_LIST,    /* list */
	JN_DICT,    /* list: key, value, key, value ... */
	JN_GETATTR, /* a, value: attribute */
	JN_GETITEM, /* a, b: index or JN_SLICE */
	JN_SLICE,   /* a, b, c: may be NULL */
	JN_CALL,    /* a: callee; list: arguments */
	JN_FILTER,  /* a: operand (NULL: the block's text), name, list: arguments */
	JN_TEST,    /* a: operand, name, list: arguments */
	JN_ARG,     /* a: value; op: enum jn_arg; name for keywords */
	JN_NOT,     /* a */
	JN_NEG,     /* a */
	JN_POS,     /* a */
	JN_BINARY,  /* a, b; op: enum jt */
	JN_AND,     /* a, b */
	JN_OR,      /* a, b */
	JN_CONCAT,  /* list */
	JN_COMPARE, /* a; list: JN_OPERAND */
	JN_OPERAND, /* a; op: enum jt, or JT_IN, JT_NOT_IN */
	JN_COND,    /* a: test, b: then, c: else or NULL */
};
enum jn_arg { ARG_POSITIONAL, ARG_KEYWORD, ARG_STAR, ARG_STARSTAR };

struct jn {
	enum jn_kind kind;
	int op, line;
	int height;      /* of the tree below: bounds what walks it */
	struct jn *next; /* the next of a list */
	struct jn *a, *b, *c, *list, *body, *other;
	const struct jstr *name;
	struct jv value;
	int hops, slot; /* where a name's variable is: scopes up, place in it */
	struct jscope *scope, *scope_other, *scope_test;
	const struct jbuiltin *builtin; /* the filter or test called name; NULL: unknown */
	bool wants_caller, wants_kwargs, wants_varargs; /* of macros */
};

/*
 * The variables of a block, as jinja2's idtracking.py decides at compile time: a name belongs to
 * the innermost scope that sets or declares it, and begins there as its symbol says.
 */
enum js_load {
	JS_PARAM,     /* given by who enters the scope */
	JS_RESOLVE,   /* a variable given to the template, or a global function */
	JS_ALIAS,     /* a copy of the outer variable of that name */
	JS_UNDEFINED, /* nothing */
};
struct jsymbol {
	const struct jstr *name;
	enum js_load load;
	int hops, slot; /* JS_ALIAS: where the outer one is, hops counted from the outer scope */
};
struct jscope {
	struct jscope *parent;
	struct jsymbol *v;
	int n, cap;
	int conditional; /* while it is looked through: inside of so many ifs */
};

/* Tokens. */
enum jt {
	JT_EOF,
	JT_DATA,
	JT_VAR_BEGIN,
	JT_VAR_END,
	JT_BLOCK_BEGIN,
	JT_BLOCK_END,
	JT_NAME,
	JT_STRING,
	JT_INT,
	JT_FLOAT,
	JT_ADD,
	JT_SUB,
	JT_MUL,
	JT_DIV,
	JT_FLOORDIV,
	JT_MOD,
	JT_POW,
	JT_TILDE,
	JT_LBRACKET,
	JT_RBRACKET,
	JT_LPAREN,
	JT_RPAREN,
	JT_LBRACE,
	JT_RBRACE,
	JT_EQ,
	JT_NE,
	JT_GT,
	JT_GE,
	JT_LT,
	JT_LE,
	JT_ASSIGN,
	JT_DOT,
	JT_COLON,
	JT_PIPE,
	JT_COMMA,
	JT_SEMICOLON,
	JT_IN, /* operators of JN_OPERAND only */
	JT_NOT_IN,
};
struct jtoken {
	enum jt type;
	int line;
	struct jv value; /* text of data, names and strings; numbers */
};

/* Compilation. */
struct jcomp {
	struct arena *arena;
	struct err *e;
	jmp_buf fail;
	const char *src; /* with newlines as \n and without the last one */
	size_t n;
	struct jtoken *token; /* JT_EOF ends it */
	size_t n_tokens, cap_tokens, at;
	int nesting, loops; /* loops: that break may leave */
	int soft;           /* while names are bound: inside of so many conditions */
	bool uses_date;
};

/* Fails with ERR_CONFIG, "line N: ...". */
void jc_fail(struct jcomp *c, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
struct jv jc_string(struct jcomp *c, const char *s, size_t n);

void jinja_lex(struct jcomp *c);
struct jn *jinja_parse(struct jcomp *c);
struct jscope *jinja_scope(struct jcomp *c, struct jn *body);

/* Between the parser's files (statements, expressions, primaries). */
struct jtoken *jp_peek(struct jcomp *c, int ahead);
struct jtoken *jp_next(struct jcomp *c);
bool jp_is(struct jcomp *c, enum jt type);
bool jp_is_name(struct jcomp *c, const char *name);
bool jp_skip_name(struct jcomp *c, const char *name);
struct jtoken *jp_expect(struct jcomp *c, enum jt type);
const char *jp_describe(const struct jtoken *t);
void jp_enter(struct jcomp *c);
struct jn *jp_node(struct jcomp *c, enum jn_kind kind, int line);
/* Sets n->height from its children; returns n. */
struct jn *jp_done(struct jcomp *c, struct jn *n);
/* A node with the children a and b, done. */
struct jn *jp_pair(struct jcomp *c, enum jn_kind kind, int line, struct jn *a, struct jn *b);
/* Appends n to a list whose last is *last (NULL: the list is empty). */
void jp_append(struct jn **list, struct jn **last, struct jn *n);
/* A literal, a name or something in brackets; namespaces: a.b is a target. */
struct jn *jp_primary(struct jcomp *c, bool namespaces);
/* What follows it: .a [b] (c); and | filters, is tests. */
struct jn *jp_postfix(struct jcomp *c, struct jn *n);
struct jn *jp_filter_expression(struct jcomp *c, struct jn *n);
/* end: a name that ends the tuple too, or NULL. */
struct jn *jp_tuple(struct jcomp *c, bool cond, const char *end);
struct jn *jp_expression(struct jcomp *c, bool cond);
/* The filters that follow ("| a | b"); inline_first: the first without its bar. */
struct jn *jp_filters(struct jcomp *c, struct jn *operand, bool inline_first);
struct jn *jp_target(struct jcomp *c, const char *end, bool namespaces);

struct jinja {
	struct arena arena;
	struct jn *body;
	struct jscope *scope;
	bool uses_date;
};

#endif
