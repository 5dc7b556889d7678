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

static struct jn *
node_ab(struct jcomp *c, enum jn_kind kind, int line, struct jn *a, struct jn *b)
{
	struct jn *n = jp_node(c, kind, line);
	n->a = a;
	n->b = b;
	return jp_done(c, n);
}

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
	struct jn *list = NULL, **end = &list;
	int most = ARG_POSITIONAL;
	jp_expect(c, JT_LPAREN);
	while (!jp_is(c, JT_RPAREN)) {
		if (list) {
			jp_expect(c, JT_COMMA);
			if (jp_is(c, JT_RPAREN))
				break;
		}
		*end = one_argument(c, &most);
		reject_twice(c, list, *end);
		end = &(*end)->next;
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

static struct jn *primary(struct jcomp *c, bool namespaces);
static struct jn *postfix(struct jcomp *c, struct jn *n);

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
		n->list->a = postfix(c, primary(c, false));
		jp_done(c, n->list);
	}
	jp_done(c, n);
	return negated ? node_ab(c, JN_NOT, line, n, NULL) : n;
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
			return node_ab(c, JN_GETITEM, t->line, operand,
				node_const(c, t->line, attr->value));
		if (attr->type != JT_NAME)
			jc_fail(c, attr->line, "expected name or number");
		struct jn *n = node_ab(c, JN_GETATTR, t->line, operand, NULL);
		n->value = attr->value;
		return n;
	}
	struct jn *index = NULL, **end = &index;
	while (!jp_is(c, JT_RBRACKET)) {
		if (index)
			jp_expect(c, JT_COMMA);
		*end = subscribed(c);
		if (index->next && (*end)->kind == JN_SLICE)
			jc_fail(c, t->line, "slices inside of tuples are not supported");
		end = &(*end)->next;
	}
	jp_expect(c, JT_RBRACKET);
	if (index == NULL || index->next) {
		struct jn *tuple = jp_node(c, JN_TUPLE, t->line);
		tuple->list = index;
		index = jp_done(c, tuple);
	}
	return node_ab(c, JN_GETITEM, t->line, operand, index);
}

static struct jn *
call(struct jcomp *c, struct jn *callee)
{
	struct jn *n = jp_node(c, JN_CALL, jp_peek(c, 0)->line);
	n->a = callee;
	n->list = arguments(c);
	return jp_done(c, n);
}

static struct jn *
postfix(struct jcomp *c, struct jn *n)
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

static struct jn *
filter_expression(struct jcomp *c, struct jn *n)
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
	struct jn *n = jp_node(c, kind, jp_next(c)->line), **end = &n->list;
	while (!jp_is(c, close)) {
		if (n->list)
			jp_expect(c, JT_COMMA);
		if (jp_is(c, close))
			break;
		*end = jp_expression(c, true);
		end = &(*end)->next;
		if (kind == JN_DICT) {
			jp_expect(c, JT_COLON);
			*end = jp_expression(c, true);
			end = &(*end)->next;
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

static struct jn *
primary(struct jcomp *c, bool namespaces)
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

static struct jn *
unary(struct jcomp *c, bool with_filter)
{
	struct jn *n;
	int line = jp_peek(c, 0)->line;
	jp_enter(c);
	if (jp_is(c, JT_SUB) || jp_is(c, JT_ADD)) {
		enum jn_kind kind = jp_next(c)->type == JT_SUB ? JN_NEG : JN_POS;
		n = node_ab(c, kind, line, unary(c, false), NULL);
	} else {
		n = primary(c, false);
	}
	n = postfix(c, n);
	if (with_filter)
		n = filter_expression(c, n);
	c->nesting--;
	return n;
}

static struct jn *
binary(struct jcomp *c, struct jn *(*operand)(struct jcomp *), enum jt from, enum jt to)
{
	struct jn *left = operand(c);
	while (jp_peek(c, 0)->type >= from && jp_peek(c, 0)->type <= to) {
		const struct jtoken *t = jp_next(c);
		left = node_ab(c, JN_BINARY, t->line, left, operand(c));
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
	struct jn *n = jp_node(c, JN_CONCAT, line), **end = &first->next;
	n->list = first;
	while (jp_is(c, JT_TILDE)) {
		jp_next(c);
		*end = product(c);
		end = &(*end)->next;
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
	struct jn *first = sum(c), *list = NULL, **end = &list;
	for (enum jt op; (op = comparison(c)) != JT_EOF; end = &(*end)->next) {
		*end = node_ab(c, JN_OPERAND, line, sum(c), NULL);
		(*end)->op = op;
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
	struct jn *n = node_ab(c, JN_NOT, line, negation(c), NULL);
	c->nesting--;
	return n;
}

static struct jn *
conjunction(struct jcomp *c)
{
	struct jn *left = negation(c);
	while (jp_is_name(c, "and")) {
		int line = jp_next(c)->line;
		left = node_ab(c, JN_AND, line, left, negation(c));
	}
	return left;
}

static struct jn *
disjunction(struct jcomp *c)
{
	struct jn *left = conjunction(c);
	while (jp_is_name(c, "or")) {
		int line = jp_next(c)->line;
		left = node_ab(c, JN_OR, line, left, conjunction(c));
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
	struct jn *n = jp_node(c, JN_TUPLE, jp_peek(c, 0)->line), **last = &n->list;
	bool comma = false;
	for (;;) {
		if (n->list)
			jp_expect(c, JT_COMMA);
		if (tuple_ends(c, end))
			break;
		*last = target ? primary(c, namespaces) : jp_expression(c, cond);
		last = &(*last)->next;
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
