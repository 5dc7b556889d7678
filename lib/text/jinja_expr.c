/* Expressions, by the grammar of jinja2's parser.py. */
#include <string.h>

#include "lib/text/jinja_call.h"
#include "lib/text/jinja_str.h"

void
jp_enter(struct jcomp *c)
{
	if (++c->nesting > JINJA_MAX_NESTING)
		jc_fail(c, jp_peek(c, 0)->line, "nested deeper than %d levels", JINJA_MAX_NESTING);
}

struct jn *
jp_node(struct jcomp *c, enum jn_kind kind, int line)
{
	struct jn *n = arena_calloc(c->arena, 1, sizeof *n);
	n->kind = kind;
	n->line = line;
	return n;
}

void
jp_append(struct jn **list, struct jn **last, struct jn *n)
{
	if (*last)
		(*last)->next = n;
	else
		*list = n;
	*last = n;
}

static int
list_height(const struct jn *n)
{
	int h = 0;
	for (; n; n = n->next)
		h = n->height > h ? n->height : h;
	return h;
}

struct jn *
jp_done(struct jcomp *c, struct jn *n)
{
	const struct jn *one[] = {n->a, n->b, n->c}, *many[] = {n->list, n->body, n->other};
	for (int i = 0; i < 3; i++) {
		int h = one[i] ? one[i]->height : 0, l = list_height(many[i]);
		n->height = n->height > h ? n->height : h;
		n->height = n->height > l ? n->height : l;
	}
	if (++n->height > JINJA_MAX_NESTING)
		jc_fail(c, n->line, "nested deeper than %d levels", JINJA_MAX_NESTING);
	return n;
}

struct jn *
jp_pair(struct jcomp *c, enum jn_kind kind, int line, struct jn *a, struct jn *b)
{
	struct jn *n = jp_node(c, kind, line);
	n->a = a;
	n->b = b;
	return jp_done(c, n);
}

static struct jn *
unary(struct jcomp *c, bool with_filter)
{
	struct jn *n;
	int line = jp_peek(c, 0)->line;
	jp_enter(c);
	if (jp_is(c, JT_SUB) || jp_is(c, JT_ADD)) {
		enum jn_kind kind = jp_next(c)->type == JT_SUB ? JN_NEG : JN_POS;
		n = jp_pair(c, kind, line, unary(c, false), NULL);
	} else {
		n = jp_primary(c, false);
	}
	n = jp_postfix(c, n);
	if (with_filter)
		n = jp_filter_expression(c, n);
	c->nesting--;
	return n;
}

static struct jn *
binary(struct jcomp *c, struct jn *(*operand)(struct jcomp *), enum jt from, enum jt to)
{
	struct jn *left = operand(c);
	while (jp_peek(c, 0)->type >= from && jp_peek(c, 0)->type <= to) {
		const struct jtoken *t = jp_next(c);
		left = jp_pair(c, JN_BINARY, t->line, left, operand(c));
		left->op = t->type;
	}
	return left;
}

static struct jn *
unary_filtered(struct jcomp *c)
{
	return unary(c, true);
}

static struct jn *
power(struct jcomp *c)
{
	/* Left to right, unlike Python's. */
	return binary(c, unary_filtered, JT_POW, JT_POW);
}

static struct jn *
product(struct jcomp *c)
{
	return binary(c, power, JT_MUL, JT_MOD);
}

static struct jn *
concat(struct jcomp *c)
{
	int line = jp_peek(c, 0)->line;
	struct jn *first = product(c);
	if (!jp_is(c, JT_TILDE))
		return first;
	struct jn *n = jp_node(c, JN_CONCAT, line), *last = NULL;
	jp_append(&n->list, &last, first);
	while (jp_is(c, JT_TILDE)) {
		jp_next(c);
		jp_append(&n->list, &last, product(c));
	}
	return jp_done(c, n);
}

static struct jn *
sum(struct jcomp *c)
{
	return binary(c, concat, JT_ADD, JT_SUB);
}

/* The comparison at hand, JT_EOF when there is none; its tokens are eaten. */
static enum jt
comparison(struct jcomp *c)
{
	enum jt t = jp_peek(c, 0)->type;
	if (t >= JT_EQ && t <= JT_LE) {
		jp_next(c);
		return t;
	}
	if (jp_skip_name(c, "in"))
		return JT_IN;
	const struct jtoken *ahead = jp_peek(c, 1);
	if (jp_is_name(c, "not") && ahead->type == JT_NAME &&
		strcmp(ahead->value.s->data, "in") == 0) {
		jp_next(c);
		jp_next(c);
		return JT_NOT_IN;
	}
	return JT_EOF;
}

static struct jn *
compare(struct jcomp *c)
{
	int line = jp_peek(c, 0)->line;
	struct jn *first = sum(c), *list = NULL, *last = NULL;
	for (enum jt op; (op = comparison(c)) != JT_EOF;) {
		jp_append(&list, &last, jp_pair(c, JN_OPERAND, line, sum(c), NULL));
		last->op = op;
	}
	if (list == NULL)
		return first;
	struct jn *n = jp_node(c, JN_COMPARE, line);
	n->a = first;
	n->list = list;
	return jp_done(c, n);
}

static struct jn *
negation(struct jcomp *c)
{
	int line = jp_peek(c, 0)->line;
	if (!jp_skip_name(c, "not"))
		return compare(c);
	jp_enter(c);
	struct jn *n = jp_pair(c, JN_NOT, line, negation(c), NULL);
	c->nesting--;
	return n;
}

static struct jn *
conjunction(struct jcomp *c)
{
	struct jn *left = negation(c);
	while (jp_is_name(c, "and")) {
		int line = jp_next(c)->line;
		left = jp_pair(c, JN_AND, line, left, negation(c));
	}
	return left;
}

static struct jn *
disjunction(struct jcomp *c)
{
	struct jn *left = conjunction(c);
	while (jp_is_name(c, "or")) {
		int line = jp_next(c)->line;
		left = jp_pair(c, JN_OR, line, left, conjunction(c));
	}
	return left;
}

struct jn *
jp_expression(struct jcomp *c, bool cond)
{
	jp_enter(c);
	struct jn *n = disjunction(c);
	while (cond && jp_is_name(c, "if")) {
		struct jn *q = jp_node(c, JN_COND, jp_next(c)->line);
		q->b = n;
		q->a = disjunction(c);
		if (jp_skip_name(c, "else"))
			q->c = jp_expression(c, true);
		n = jp_done(c, q);
	}
	c->nesting--;
	return n;
}

static bool
tuple_ends(struct jcomp *c, const char *end)
{
	return jp_is(c, JT_VAR_END) || jp_is(c, JT_BLOCK_END) || jp_is(c, JT_RPAREN) ||
	       (end && *end != '(' && jp_is_name(c, end));
}

/* An expression or, with commas, a tuple.  target: names and their like only.  end: a name that
 * ends it too, "(" when it stands in parentheses and may be empty, or NULL. */
static struct jn *
tuple(struct jcomp *c, bool cond, const char *end, bool target, bool namespaces)
{
	struct jn *n = jp_node(c, JN_TUPLE, jp_peek(c, 0)->line), *last = NULL;
	bool comma = false;
	for (;;) {
		if (n->list)
			jp_expect(c, JT_COMMA);
		if (tuple_ends(c, end))
			break;
		jp_append(&n->list, &last,
			target ? jp_primary(c, namespaces) : jp_expression(c, cond));
		if (!jp_is(c, JT_COMMA))
			break;
		comma = true;
	}
	if (!comma && n->list)
		return n->list;
	if (!comma && !(end && *end == '('))
		jc_fail(c, n->line, "expected an expression, got '%s'", jp_describe(jp_peek(c, 0)));
	return jp_done(c, n);
}

struct jn *
jp_tuple(struct jcomp *c, bool cond, const char *end)
{
	return tuple(c, cond, end, false, false);
}

static void
check_target(struct jcomp *c, const struct jn *n)
{
	if (n->kind == JN_TUPLE) {
		for (const struct jn *k = n->list; k; k = k->next)
			check_target(c, k);
		return;
	}
	if (n->kind != JN_NAME && n->kind != JN_NSREF)
		jc_fail(c, n->line, "can't assign to this expression");
	if (n->kind == JN_NAME && c->loops && strcmp(n->name->data, "loop") == 0)
		jc_fail(c, n->line, "can't assign to the special loop variable");
}

struct jn *
jp_target(struct jcomp *c, const char *end, bool namespaces)
{
	struct jn *n = tuple(c, true, end, true, namespaces);
	check_target(c, n);
	return n;
}
