/* Expressions without operators: literals, names, calls, filters and tests. */
#include <string.h>

#include "lib/text/jinja_call.h"
#include "lib/text/jinja_str.h"

static struct jn *
node_const(struct jcomp *c, int line, struct jv v)
{
	struct jn *n = jp_node(c, JN_CONST, line);
	n->value = v;
	return n;
}

/* The arguments in parentheses after a callee, a filter or a test. */
static struct jn *
one_argument(struct jcomp *c, int *most)
{
	struct jn *n = jp_node(c, JN_ARG, jp_peek(c, 0)->line);
	if (jp_is(c, JT_MUL))
		n->op = ARG_STAR;
	else if (jp_is(c, JT_POW))
		n->op = ARG_STARSTAR;
	else if (jp_is(c, JT_NAME) && jp_peek(c, 1)->type == JT_ASSIGN)
		n->op = ARG_KEYWORD;
	if (n->op < *most && !(n->op == ARG_KEYWORD && *most == ARG_STAR))
		jc_fail(c, n->line, "invalid syntax for function call expression");
	if (n->op == *most && n->op >= ARG_STAR)
		jc_fail(c, n->line, "invalid syntax for function call expression");
	*most = n->op > *most ? n->op : *most;
	if (n->op == ARG_KEYWORD)
		n->name = jp_next(c)->value.s;
	if (n->op != ARG_POSITIONAL)
		jp_next(c);
	n->a = jp_expression(c, true);
	return jp_done(c, n);
}

static void
reject_twice(struct jcomp *c, const struct jn *list, const struct jn *n)
{
	for (const struct jn *o = list; o != n && n->op == ARG_KEYWORD; o = o->next)
		if (o->op == ARG_KEYWORD && js_equal(o->name, n->name))
			jc_fail(c, n->line, "keyword argument repeated: %s", n->name->data);
}

static struct jn *
arguments(struct jcomp *c)
{
	struct jn *list = NULL, *last = NULL;
	int most = ARG_POSITIONAL;
	jp_expect(c, JT_LPAREN);
	while (!jp_is(c, JT_RPAREN)) {
		if (list) {
			jp_expect(c, JT_COMMA);
			if (jp_is(c, JT_RPAREN))
				break;
		}
		jp_append(&list, &last, one_argument(c, &most));
		reject_twice(c, list, last);
	}
	jp_expect(c, JT_RPAREN);
	return list;
}

/* A filter's or a test's name; dotted names exist for nobody. */
static const struct jstr *
dotted_name(struct jcomp *c)
{
	const struct jtoken *t = jp_expect(c, JT_NAME);
	if (jp_is(c, JT_DOT))
		jc_fail(c, t->line, "no filter or test named '%s.'", t->value.s->data);
	return t->value.s;
}

struct jn *
jp_filters(struct jcomp *c, struct jn *operand, bool inline_first)
{
	struct jn *n = operand;
	while (inline_first || jp_is(c, JT_PIPE)) {
		if (!inline_first)
			jp_next(c);
		inline_first = false;
		struct jn *f = jp_node(c, JN_FILTER, jp_peek(c, 0)->line);
		f->a = n;
		f->name = dotted_name(c);
		f->builtin = jinja_filter(f->name);
		if (jp_is(c, JT_LPAREN))
			f->list = arguments(c);
		n = jp_done(c, f);
	}
	return n;
}

/* A test's argument may stand without parentheses: x is divisibleby 3. */
static bool
bare_argument(struct jcomp *c)
{
	switch (jp_peek(c, 0)->type) {
	case JT_NAME:
		return !jp_is_name(c, "else") && !jp_is_name(c, "or") && !jp_is_name(c, "and");
	case JT_STRING:
	case JT_INT:
	case JT_FLOAT:
	case JT_LBRACKET:
	case JT_LBRACE:
		return true;
	default:
		return false;
	}
}

static struct jn *
test(struct jcomp *c, struct jn *operand)
{
	int line = jp_next(c)->line;
	bool negated = jp_skip_name(c, "not");
	struct jn *n = jp_node(c, JN_TEST, line);
	n->a = operand;
	n->name = dotted_name(c);
	n->builtin = jinja_test(n->name);
	if (jp_is(c, JT_LPAREN)) {
		n->list = arguments(c);
	} else if (bare_argument(c)) {
		if (jp_is_name(c, "is"))
			jc_fail(c, line, "you cannot chain multiple tests with is");
		n->list = jp_node(c, JN_ARG, line);
		n->list->a = jp_postfix(c, jp_primary(c, false));
		jp_done(c, n->list);
	}
	jp_done(c, n);
	return negated ? jp_pair(c, JN_NOT, line, n, NULL) : n;
}

static struct jn *
subscribed(struct jcomp *c)
{
	int line = jp_peek(c, 0)->line;
	struct jn *first = jp_is(c, JT_COLON) ? NULL : jp_expression(c, true);
	if (first && !jp_is(c, JT_COLON))
		return first;
	struct jn *n = jp_node(c, JN_SLICE, line);
	n->a = first;
	jp_next(c);
	if (!jp_is(c, JT_COLON) && !jp_is(c, JT_RBRACKET) && !jp_is(c, JT_COMMA))
		n->b = jp_expression(c, true);
	if (jp_is(c, JT_COLON)) {
		jp_next(c);
		if (!jp_is(c, JT_RBRACKET) && !jp_is(c, JT_COMMA))
			n->c = jp_expression(c, true);
	}
	return jp_done(c, n);
}

static struct jn *
subscript(struct jcomp *c, struct jn *operand)
{
	const struct jtoken *t = jp_next(c);
	if (t->type == JT_DOT) {
		const struct jtoken *attr = jp_next(c);
		if (attr->type == JT_INT)
			return jp_pair(c, JN_GETITEM, t->line, operand,
				node_const(c, t->line, attr->value));
		if (attr->type != JT_NAME)
			jc_fail(c, attr->line, "expected name or number");
		struct jn *n = jp_pair(c, JN_GETATTR, t->line, operand, NULL);
		n->value = attr->value;
		return n;
	}
	struct jn *index = NULL, *last = NULL;
	while (!jp_is(c, JT_RBRACKET)) {
		if (index)
			jp_expect(c, JT_COMMA);
		jp_append(&index, &last, subscribed(c));
		if (index != last && (index->kind == JN_SLICE || last->kind == JN_SLICE))
			jc_fail(c, t->line, "slices inside of tuples are not supported");
	}
	jp_expect(c, JT_RBRACKET);
	if (index == NULL || index->next) {
		struct jn *tuple = jp_node(c, JN_TUPLE, t->line);
		tuple->list = index;
		index = jp_done(c, tuple);
	}
	return jp_pair(c, JN_GETITEM, t->line, operand, index);
}

static struct jn *
call(struct jcomp *c, struct jn *callee)
{
	struct jn *n = jp_node(c, JN_CALL, jp_peek(c, 0)->line);
	n->a = callee;
	n->list = arguments(c);
	return jp_done(c, n);
}

struct jn *
jp_postfix(struct jcomp *c, struct jn *n)
{
	for (;;) {
		if (jp_is(c, JT_DOT) || jp_is(c, JT_LBRACKET))
			n = subscript(c, n);
		else if (jp_is(c, JT_LPAREN))
			n = call(c, n);
		else
			return n;
	}
}

struct jn *
jp_filter_expression(struct jcomp *c, struct jn *n)
{
	for (;;) {
		if (jp_is(c, JT_PIPE))
			n = jp_filters(c, n, false);
		else if (jp_is_name(c, "is"))
			n = test(c, n);
		else if (jp_is(c, JT_LPAREN))
			n = call(c, n);
		else
			return n;
	}
}

/* Items separated by commas, up to `close`; pairs: "key: value". */
static struct jn *
literal(struct jcomp *c, enum jn_kind kind, enum jt close)
{
	struct jn *n = jp_node(c, kind, jp_next(c)->line), *last = NULL;
	while (!jp_is(c, close)) {
		if (n->list)
			jp_expect(c, JT_COMMA);
		if (jp_is(c, close))
			break;
		jp_append(&n->list, &last, jp_expression(c, true));
		if (kind == JN_DICT) {
			jp_expect(c, JT_COLON);
			jp_append(&n->list, &last, jp_expression(c, true));
		}
	}
	jp_expect(c, close);
	return jp_done(c, n);
}

static struct jn *
strings(struct jcomp *c)
{
	const struct jtoken *t = jp_next(c);
	struct jv v = t->value;
	if (!jp_is(c, JT_STRING))
		return node_const(c, t->line, v);
	size_t n = v.s->len, from = c->at;
	for (size_t i = from; c->token[i].type == JT_STRING; i++)
		n += c->token[i].value.s->len;
	char *all = arena_alloc(c->arena, n + 1);
	memcpy(all, v.s->data, n = v.s->len);
	while (jp_is(c, JT_STRING)) {
		const struct jstr *s = jp_next(c)->value.s;
		memcpy(all + n, s->data, s->len);
		n += s->len;
	}
	return node_const(c, t->line, jc_string(c, all, n));
}

static struct jn *
name(struct jcomp *c, bool namespaces)
{
	static const struct {
		const char *name;
		struct jv value;
	} constants[] = {
		{"true", {JV_BOOL, .b = true}},
		{"True", {JV_BOOL, .b = true}},
		{"false", {JV_BOOL, .b = false}},
		{"False", {JV_BOOL, .b = false}},
		{"none", {JV_NONE, .i = 0}},
		{"None", {JV_NONE, .i = 0}},
	};
	const struct jtoken *t = jp_next(c);
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (strcmp(t->value.s->data, constants[i].name) == 0)
			return node_const(c, t->line, constants[i].value);
	struct jn *n = jp_node(c, JN_NAME, t->line);
	n->name = t->value.s;
	if (namespaces && jp_is(c, JT_DOT)) {
		jp_next(c);
		n->kind = JN_NSREF;
		n->value = jp_expect(c, JT_NAME)->value;
	} else if (strcmp(t->value.s->data, "strftime_now") == 0) {
		c->uses_date = true;
	}
	return n;
}

struct jn *
jp_primary(struct jcomp *c, bool namespaces)
{
	const struct jtoken *t = jp_peek(c, 0);
	struct jn *n;
	switch (t->type) {
	case JT_NAME:
		return name(c, namespaces);
	case JT_STRING:
		return strings(c);
	case JT_INT:
	case JT_FLOAT:
		return node_const(c, t->line, jp_next(c)->value);
	case JT_LPAREN:
		jp_next(c);
		n = jp_tuple(c, true, "(");
		jp_expect(c, JT_RPAREN);
		return n;
	case JT_LBRACKET:
		return literal(c, JN_LIST, JT_RBRACKET);
	case JT_LBRACE:
		return literal(c, JN_DICT, JT_RBRACE);
	default:
		jc_fail(c, t->line, "unexpected '%s'", jp_describe(t));
	}
}
