/*
 * Which variable a name is: jinja2's idtracking.py.  A scope is looked through as a whole before
 * the names in it are bound; the scopes inside of it come after that, so they see names that are
 * set further down.
 */
#include <string.h>

#include "lib/text/jinja_call.h"

static struct jscope *
scope_new(struct jcomp *c, struct jscope *parent)
{
	struct jscope *s = arena_calloc(c->arena, 1, sizeof *s);
	s->parent = parent;
	return s;
}

static struct jsymbol *
own_symbol(const struct jscope *s, const struct jstr *name)
{
	for (int i = 0; i < s->n; i++)
		if (js_equal(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

static bool
known(const struct jscope *s, const struct jstr *name)
{
	for (; s; s = s->parent)
		if (own_symbol(s, name))
			return true;
	return false;
}

static void
define(struct jcomp *c, struct jscope *s, const struct jstr *name, enum js_load load)
{
	struct jsymbol *y = own_symbol(s, name);
	if (y == NULL) {
		if (s->n == s->cap) {
			s->cap = s->cap ? 2 * s->cap : 8;
			struct jsymbol *v = arena_alloc(c->arena, s->cap * sizeof *v);
			if (s->n)
				memcpy(v, s->v, s->n * sizeof *v);
			s->v = v;
		}
		y = &s->v[s->n++];
		*y = (struct jsymbol){.name = name};
	}
	y->load = load;
}

static void
declare(struct jcomp *c, struct jscope *s, const struct jstr *name)
{
	define(c, s, name, JS_PARAM);
}

static void
store(struct jcomp *c, struct jscope *s, const struct jstr *name)
{
	if (own_symbol(s, name))
		return;
	if (s->parent && known(s->parent, name))
		define(c, s, name, JS_ALIAS);
	else
		define(c, s, name, s->conditional ? JS_RESOLVE : JS_UNDEFINED);
}

static void
load(struct jcomp *c, struct jscope *s, const struct jstr *name)
{
	if (!known(s, name))
		define(c, s, name, JS_RESOLVE);
}

static void look(struct jcomp *c, struct jscope *s, const struct jn *n);

static void
look_list(struct jcomp *c, struct jscope *s, const struct jn *n)
{
	for (; n; n = n->next)
		look(c, s, n);
}

static void
look_target(struct jcomp *c, struct jscope *s, const struct jn *n, bool param)
{
	if (n->kind == JN_TUPLE) {
		for (const struct jn *k = n->list; k; k = k->next)
			look_target(c, s, k, param);
	} else if (n->kind == JN_NSREF) {
		load(c, s, n->name);
	} else if (param) {
		declare(c, s, n->name);
	} else {
		store(c, s, n->name);
	}
}

/* What a branch sets may be unset behind it, and a name begins there as what it is outside. */
static void
look_if(struct jcomp *c, struct jscope *s, const struct jn *n)
{
	for (bool more = true; more; n = n->other) {
		more = n->op;
		look(c, s, n->a);
		s->conditional++;
		look_list(c, s, n->body);
		if (!more)
			look_list(c, s, n->other);
		s->conditional--;
	}
}

/* What a statement or an expression does in scope s; the scopes inside of it are not entered. */
static void
look(struct jcomp *c, struct jscope *s, const struct jn *n)
{
	switch (n->kind) {
	case JN_NAME:
	case JN_NSREF:
		load(c, s, n->name);
		return;
	case JN_IF:
		look_if(c, s, n);
		return;
	case JN_FOR:
	case JN_FILTER_BLOCK:
		look(c, s, n->b);
		return;
	case JN_SET:
		look(c, s, n->b);
		look_target(c, s, n->a, false);
		return;
	case JN_SET_BLOCK:
		look_target(c, s, n->a, false);
		return;
	case JN_WITH:
		for (const struct jn *k = n->list; k; k = k->next)
			look(c, s, k->b);
		return;
	case JN_MACRO:
		store(c, s, n->name);
		return;
	case JN_CALL_BLOCK:
		if (n->a)
			look(c, s, n->a);
		return;
	default:
		for (int i = 0; i < 3; i++) {
			const struct jn *k = i == 0 ? n->a : i == 1 ? n->b : n->c;
			if (k)
				look(c, s, k);
		}
		look_list(c, s, n->list);
	}
}

/* find_undeclared of jinja2's compiler.py: is name read in the list before it is set there? */
enum undeclared { UNSEEN, READ, SET };

static enum undeclared undeclared_list(const struct jn *n, const char *name);

static enum undeclared
undeclared_target(const struct jn *n, const char *name)
{
	if (n->kind == JN_NAME && strcmp(n->name->data, name) == 0)
		return SET;
	return n->kind == JN_TUPLE ? undeclared_list(n->list, name) : UNSEEN;
}

static enum undeclared
undeclared(const struct jn *n, const char *name)
{
	/* In the order in which jinja2's nodes name their fields. */
	const struct jn *parts[] = {n->a, n->b, n->c};
	enum undeclared u;
	bool target = n->kind == JN_SET || n->kind == JN_SET_BLOCK || n->kind == JN_FOR;
	if (n->kind == JN_NAME)
		return strcmp(n->name->data, name) == 0 ? READ : UNSEEN;
	if (n->kind == JN_PARAM && strcmp(n->name->data, name) == 0)
		return SET;
	if (target && (u = undeclared_target(n->a, name)) != UNSEEN)
		return u;
	if (n->kind == JN_FOR) {
		const struct jn *order[] = {n->b, n->body, n->other, n->c};
		u = undeclared(order[0], name);
		for (int i = 1; i < 4 && u == UNSEEN; i++)
			u = i == 3 ? (order[i] ? undeclared(order[i], name) : UNSEEN)
				   : undeclared_list(order[i], name);
		return u;
	}
	for (int i = target; i < 3; i++)
		if (parts[i] && (u = undeclared(parts[i], name)) != UNSEEN)
			return u;
	if ((u = undeclared_list(n->list, name)) != UNSEEN ||
		(u = undeclared_list(n->body, name)) != UNSEEN)
		return u;
	return undeclared_list(n->other, name);
}

static enum undeclared
undeclared_list(const struct jn *n, const char *name)
{
	enum undeclared u = UNSEEN;
	for (; n && u == UNSEEN; n = n->next) {
		/* A chain of elif is a list, not a nest. */
		const struct jn *k = n;
		for (; k->kind == JN_IF && k->op && u == UNSEEN; k = k->other) {
			u = undeclared(k->a, name);
			u = u == UNSEEN ? undeclared_list(k->body, name) : u;
		}
		u = u == UNSEEN ? undeclared(k, name) : u;
	}
	return u;
}

static void bind(struct jcomp *c, struct jscope *s, struct jn *n);

static void
bind_list(struct jcomp *c, struct jscope *s, struct jn *n)
{
	for (; n; n = n->next)
		bind(c, s, n);
}

static void
bind_name(struct jcomp *c, const struct jscope *s, struct jn *n)
{
	n->hops = 0;
	for (; s; s = s->parent, n->hops++) {
		const struct jsymbol *y = own_symbol(s, n->name);
		if (y) {
			n->slot = (int)(y - s->v);
			return;
		}
	}
	/* jinja2 fails in its compiler too. */
	jc_fail(c, n->line, "'%s' cannot be used here", n->name->data);
}

/* The aliases of a scope that was looked through. */
static void
bind_aliases(struct jscope *s)
{
	for (int i = 0; i < s->n; i++) {
		struct jsymbol *y = &s->v[i];
		const struct jsymbol *source = NULL;
		if (y->load != JS_ALIAS)
			continue;
		for (const struct jscope *outer = s->parent; outer; outer = outer->parent) {
			source = own_symbol(outer, y->name);
			y->slot = source ? (int)(source - outer->v) : 0;
			if (source)
				break;
			y->hops++;
		}
	}
}

static const struct jstr *
text_name(struct jcomp *c, const char *name)
{
	return jc_string(c, name, strlen(name)).s;
}

static void
bind_for(struct jcomp *c, struct jscope *s, struct jn *n)
{
	n->scope = scope_new(c, s);
	declare(c, n->scope, text_name(c, "loop"));
	look_target(c, n->scope, n->a, true);
	look_list(c, n->scope, n->body);
	bind_aliases(n->scope);
	if (n->c) {
		/* Its variables lie as in the loop's scope; it has no loop of its own. */
		n->scope_test = scope_new(c, s);
		declare(c, n->scope_test, text_name(c, ""));
		look_target(c, n->scope_test, n->a, true);
		look(c, n->scope_test, n->c);
		bind_aliases(n->scope_test);
		bind(c, n->scope_test, n->c);
	}
	n->scope_other = scope_new(c, s);
	look_list(c, n->scope_other, n->other);
	bind_aliases(n->scope_other);
	bind(c, n->scope, n->a);
	bind_list(c, n->scope, n->body);
	bind_list(c, n->scope_other, n->other);
}

/* Parameters come first in a macro's scope, then caller, kwargs and varargs where it asks. */
static void
bind_macro(struct jcomp *c, struct jscope *s, struct jn *n)
{
	struct {
		const char *name;
		bool *wants;
	} special[] = {{"caller", &n->wants_caller}, {"kwargs", &n->wants_kwargs},
		{"varargs", &n->wants_varargs}};
	n->scope = scope_new(c, s);
	for (const struct jn *p = n->list; p; p = p->next)
		declare(c, n->scope, p->name);
	for (int i = 0; i < 3; i++) {
		const struct jn *p = n->list;
		while (p && strcmp(p->name->data, special[i].name) != 0)
			p = p->next;
		if (undeclared_list(n->body, special[i].name) != READ)
			continue;
		if (p && i == 0 && p->a == NULL)
			jc_fail(c, n->line, "the parameter 'caller' needs a default");
		*special[i].wants = i == 0 || p == NULL;
		if (p == NULL)
			declare(c, n->scope, text_name(c, special[i].name));
	}
	for (const struct jn *p = n->list; p; p = p->next)
		if (p->a)
			look(c, n->scope, p->a);
	look_list(c, n->scope, n->body);
	bind_aliases(n->scope);
	for (struct jn *p = n->list; p; p = p->next)
		if (p->a)
			bind(c, n->scope, p->a);
	bind_list(c, n->scope, n->body);
}

static void
bind_block(struct jcomp *c, struct jscope *s, struct jn *n)
{
	n->scope = scope_new(c, s);
	for (const struct jn *k = n->kind == JN_WITH ? n->list : NULL; k; k = k->next)
		look_target(c, n->scope, k->a, true);
	look_list(c, n->scope, n->body);
	if (n->kind == JN_FILTER_BLOCK)
		look(c, n->scope, n->b);
	bind_aliases(n->scope);
	for (struct jn *k = n->kind == JN_WITH ? n->list : NULL; k; k = k->next) {
		bind(c, n->scope, k->a);
		bind(c, s, k->b);
	}
	if (n->b)
		bind(c, n->scope, n->b);
	bind_list(c, n->scope, n->body);
}

/* A filter or test that is not there is an error at once, but where it may never be reached: in
 * an if or a conditional expression, when it is. */
static void
check_builtin(struct jcomp *c, const struct jn *n)
{
	const char *kind = n->kind == JN_FILTER ? "filter" : "test";
	if (c->soft || (n->builtin && n->builtin->fn))
		return;
	if (n->builtin)
		jc_fail(c, n->line, "the %s '%s' is not supported", kind, n->name->data);
	jc_fail(c, n->line, "no %s named '%s'", kind, n->name->data);
}

static void
bind_children(struct jcomp *c, struct jscope *s, struct jn *n)
{
	struct jn *one[] = {n->a, n->b, n->c};
	for (int i = 0; i < 3; i++)
		if (one[i])
			bind(c, s, one[i]);
	bind_list(c, s, n->list);
}

static void
bind_if(struct jcomp *c, struct jscope *s, struct jn *n)
{
	c->soft++;
	for (; n->op; n = n->other) {
		bind(c, s, n->a);
		bind_list(c, s, n->body);
	}
	bind(c, s, n->a);
	bind_list(c, s, n->body);
	bind_list(c, s, n->other);
	c->soft--;
}

/* What has a scope of its own begins anew in that. */
static void
bind_inner(struct jcomp *c, struct jscope *s, struct jn *n,
	void (*inner)(struct jcomp *, struct jscope *, struct jn *))
{
	int soft = c->soft;
	c->soft = 0;
	inner(c, s, n);
	c->soft = soft;
}

static void
bind(struct jcomp *c, struct jscope *s, struct jn *n)
{
	switch (n->kind) {
	case JN_NAME:
	case JN_NSREF:
		bind_name(c, s, n);
		return;
	case JN_FOR:
		bind(c, s, n->b);
		bind_inner(c, s, n, bind_for);
		return;
	case JN_MACRO:
		bind_name(c, s, n);
		bind_inner(c, s, n, bind_macro);
		return;
	case JN_CALL_BLOCK:
		if (n->a)
			bind(c, s, n->a);
		bind_inner(c, s, n, bind_macro);
		return;
	case JN_SET_BLOCK:
		bind(c, s, n->a);
		bind_inner(c, s, n, bind_block);
		return;
	case JN_WITH:
	case JN_FILTER_BLOCK:
		bind_inner(c, s, n, bind_block);
		return;
	case JN_IF:
		bind_if(c, s, n);
		return;
	case JN_FILTER:
	case JN_TEST:
		check_builtin(c, n);
		bind_children(c, s, n);
		return;
	case JN_COND:
		c->soft++;
		bind_children(c, s, n);
		c->soft--;
		return;
	default:
		bind_children(c, s, n);
	}
}

struct jscope *
jinja_scope(struct jcomp *c, struct jn *body)
{
	struct jscope *s = scope_new(c, NULL);
	look_list(c, s, body);
	bind_list(c, s, body);
	return s;
}
