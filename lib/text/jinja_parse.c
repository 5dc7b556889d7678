/* Statements, by the grammar of jinja2's parser.py, its loop controls and transformers' generation
 * tag. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/text/jinja_str.h"

struct jtoken *
jp_peek(struct jcomp *c, int ahead)
{
	size_t at = c->at + ahead;
	return &c->token[at < c->n_tokens ? at : c->n_tokens - 1];
}

struct jtoken *
jp_next(struct jcomp *c)
{
	struct jtoken *t = jp_peek(c, 0);
	if (t->type != JT_EOF)
		c->at++;
	return t;
}

bool
jp_is(struct jcomp *c, enum jt type)
{
	return jp_peek(c, 0)->type == type;
}

bool
jp_is_name(struct jcomp *c, const char *name)
{
	const struct jtoken *t = jp_peek(c, 0);
	return t->type == JT_NAME && strcmp(t->value.s->data, name) == 0;
}

bool
jp_skip_name(struct jcomp *c, const char *name)
{
	bool is = jp_is_name(c, name);
	c->at += is;
	return is;
}

static const char *
token_name(enum jt type)
{
	static const char *const names[] = {[JT_EOF] = "end of template",
		[JT_DATA] = "template text",
		[JT_VAR_BEGIN] = "{{",
		[JT_VAR_END] = "}}",
		[JT_BLOCK_BEGIN] = "{%",
		[JT_BLOCK_END] = "%}",
		[JT_NAME] = "name",
		[JT_STRING] = "string",
		[JT_INT] = "integer",
		[JT_FLOAT] = "float",
		[JT_ADD] = "+",
		[JT_SUB] = "-",
		[JT_MUL] = "*",
		[JT_DIV] = "/",
		[JT_FLOORDIV] = "//",
		[JT_MOD] = "%",
		[JT_POW] = "**",
		[JT_TILDE] = "~",
		[JT_LBRACKET] = "[",
		[JT_RBRACKET] = "]",
		[JT_LPAREN] = "(",
		[JT_RPAREN] = ")",
		[JT_LBRACE] = "{",
		[JT_RBRACE] = "}",
		[JT_EQ] = "==",
		[JT_NE] = "!=",
		[JT_GT] = ">",
		[JT_GE] = ">=",
		[JT_LT] = "<",
		[JT_LE] = "<=",
		[JT_ASSIGN] = "=",
		[JT_DOT] = ".",
		[JT_COLON] = ":",
		[JT_PIPE] = "|",
		[JT_COMMA] = ",",
		[JT_SEMICOLON] = ";"};
	return names[type];
}

const char *
jp_describe(const struct jtoken *t)
{
	return t->type == JT_NAME ? t->value.s->data : token_name(t->type);
}

struct jtoken *
jp_expect(struct jcomp *c, enum jt type)
{
	const struct jtoken *t = jp_peek(c, 0);
	if (t->type != type)
		jc_fail(c, t->line, "expected '%s', got '%s'", token_name(type), jp_describe(t));
	return jp_next(c);
}

static struct jn *statement(struct jcomp *c);

/* True at "{% name" for one of the ends. */
static bool
at_end(struct jcomp *c, const char *const *ends)
{
	for (; ends && *ends; ends++)
		if (jp_is_name(c, *ends))
			return true;
	return false;
}

/* Statements and text up to one of the ends, whose name is the next token then. */
static struct jn *
body(struct jcomp *c, const char *const *ends)
{
	struct jn *list = NULL, **last = &list;
	jp_enter(c);
	while (!jp_is(c, JT_EOF)) {
		const struct jtoken *t = jp_next(c);
		struct jn *n = jp_node(c, t->type == JT_DATA ? JN_DATA : JN_OUTPUT, t->line);
		if (t->type == JT_DATA) {
			n->value = t->value;
		} else if (t->type == JT_VAR_BEGIN) {
			n->a = jp_tuple(c, true, NULL);
			jp_done(c, n);
			jp_expect(c, JT_VAR_END);
		} else {
			if (at_end(c, ends))
				break;
			n = statement(c);
			jp_expect(c, JT_BLOCK_END);
		}
		for (*last = n; *last; last = &(*last)->next)
			;
	}
	c->nesting--;
	if (ends && jp_is(c, JT_EOF))
		jc_fail(c, jp_peek(c, 0)->line, "unexpected end of template, '%s' is missing",
			ends[0]);
	return list;
}

/* The rest of a tag and the statements behind it; the end's name is eaten when there is one end. */
static struct jn *
block(struct jcomp *c, const char *end, const char * or, const char *or2)
{
	const char *ends[] = {end, or, or2, NULL};
	if (jp_is(c, JT_COLON))
		jp_next(c);
	jp_expect(c, JT_BLOCK_END);
	struct jn *n = body(c, ends);
	if (or == NULL)
		jp_next(c);
	return n;
}

/* What is inside of a macro or its like is a function: break does not leave it. */
static struct jn *
function_body(struct jcomp *c, const char *end)
{
	int loops = c->loops;
	c->loops = 0;
	struct jn *n = block(c, end, NULL, NULL);
	c->loops = loops;
	return n;
}

static struct jn *
parse_set(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_SET, line);
	n->a = jp_target(c, NULL, true);
	if (jp_is(c, JT_ASSIGN)) {
		jp_next(c);
		n->b = jp_tuple(c, true, NULL);
		return jp_done(c, n);
	}
	n->kind = JN_SET_BLOCK;
	n->b = jp_filters(c, NULL, false);
	n->body = block(c, "endset", NULL, NULL);
	return jp_done(c, n);
}

static struct jn *
parse_for(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_FOR, line);
	c->loops++;
	n->a = jp_target(c, "in", false);
	c->loops--;
	if (!jp_skip_name(c, "in"))
		jc_fail(c, line, "expected 'in', got '%s'", jp_describe(jp_peek(c, 0)));
	n->b = jp_tuple(c, false, "recursive");
	if (jp_skip_name(c, "if"))
		n->c = jp_expression(c, true);
	n->op = jp_skip_name(c, "recursive");
	c->loops++;
	n->body = block(c, "endfor", "else", NULL);
	c->loops--;
	if (jp_skip_name(c, "else"))
		n->other = block(c, "endfor", NULL, NULL);
	else
		jp_next(c);
	return jp_done(c, n);
}

static struct jn *
parse_if(struct jcomp *c, int line)
{
	struct jn *first = NULL, **at = &first;
	for (;;) {
		/* A chain of elif is no nesting: each hangs in `other` of the one before, and
		 * jinja_exec walks it as a list. */
		struct jn *n = *at = jp_node(c, JN_IF, line);
		n->a = jp_tuple(c, false, NULL);
		n->body = block(c, "endif", "elif", "else");
		jp_done(c, n);
		line = jp_peek(c, 0)->line;
		if (jp_skip_name(c, "elif")) {
			n->op = true;
			at = &n->other;
			continue;
		}
		if (jp_skip_name(c, "else"))
			n->other = block(c, "endif", NULL, NULL);
		else
			jp_next(c);
		jp_done(c, n);
		return first;
	}
}

static struct jn *
parse_with(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_WITH, line), **end = &n->list;
	while (!jp_is(c, JT_BLOCK_END)) {
		if (n->list)
			jp_expect(c, JT_COMMA);
		struct jn *set = *end = jp_node(c, JN_SET, line);
		set->a = jp_target(c, NULL, false);
		jp_expect(c, JT_ASSIGN);
		set->b = jp_expression(c, true);
		end = &jp_done(c, set)->next;
	}
	n->body = block(c, "endwith", NULL, NULL);
	return jp_done(c, n);
}

static struct jn *
signature(struct jcomp *c)
{
	struct jn *list = NULL, **end = &list;
	bool defaults = false;
	jp_expect(c, JT_LPAREN);
	while (!jp_is(c, JT_RPAREN)) {
		if (list)
			jp_expect(c, JT_COMMA);
		const struct jtoken *t = jp_expect(c, JT_NAME);
		struct jn *p = jp_node(c, JN_PARAM, t->line);
		p->name = t->value.s;
		for (const struct jn *o = list; o; o = o->next)
			if (js_equal(o->name, p->name))
				jc_fail(c, t->line, "parameter '%s' twice", p->name->data);
		if (jp_is(c, JT_ASSIGN)) {
			jp_next(c);
			p->a = jp_expression(c, true);
			defaults = true;
		} else if (defaults) {
			jc_fail(c, t->line, "non-default argument follows default argument");
		}
		*end = jp_done(c, p);
		end = &p->next;
	}
	jp_expect(c, JT_RPAREN);
	return list;
}

static struct jn *
parse_macro(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_MACRO, line);
	n->name = jp_expect(c, JT_NAME)->value.s;
	n->list = signature(c);
	n->body = function_body(c, "endmacro");
	return jp_done(c, n);
}

static struct jn *
parse_call(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_CALL_BLOCK, line);
	if (jp_is(c, JT_LPAREN))
		n->list = signature(c);
	n->a = jp_expression(c, true);
	if (n->a->kind != JN_CALL)
		jc_fail(c, line, "expected call");
	n->body = function_body(c, "endcall");
	return jp_done(c, n);
}

/* transformers' AssistantTracker: a call block around nothing. */
static struct jn *
parse_generation(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_CALL_BLOCK, line);
	n->body = function_body(c, "endgeneration");
	return jp_done(c, n);
}

static struct jn *
parse_filter(struct jcomp *c, int line)
{
	struct jn *n = jp_node(c, JN_FILTER_BLOCK, line);
	n->b = jp_filters(c, NULL, true);
	n->body = block(c, "endfilter", NULL, NULL);
	return jp_done(c, n);
}

static struct jn *
parse_print(struct jcomp *c, int line)
{
	struct jn *list = NULL, **end = &list;
	while (!jp_is(c, JT_BLOCK_END)) {
		if (list)
			jp_expect(c, JT_COMMA);
		*end = jp_node(c, JN_OUTPUT, line);
		(*end)->a = jp_expression(c, true);
		end = &jp_done(c, *end)->next;
	}
	return list;
}

static struct jn *
parse_break(struct jcomp *c, int line)
{
	if (c->loops == 0)
		jc_fail(c, line, "'break' outside loop");
	return jp_node(c, JN_BREAK, line);
}

static struct jn *
parse_continue(struct jcomp *c, int line)
{
	if (c->loops == 0)
		jc_fail(c, line, "'continue' outside loop");
	return jp_node(c, JN_CONTINUE, line);
}

static struct jn *
unsupported(struct jcomp *c, int line)
{
	jc_fail(c, line, "the tag '%s' is not supported", c->token[c->at - 1].value.s->data);
}

static struct jn *
statement(struct jcomp *c)
{
	static const struct {
		const char *name;
		struct jn *(*parse)(struct jcomp *c, int line);
	} tags[] = {{"if", parse_if}, {"set", parse_set}, {"for", parse_for},
		{"macro", parse_macro}, {"call", parse_call}, {"generation", parse_generation},
		{"filter", parse_filter}, {"with", parse_with}, {"print", parse_print},
		{"break", parse_break}, {"continue", parse_continue}, {"block", unsupported},
		{"extends", unsupported}, {"include", unsupported}, {"import", unsupported},
		{"from", unsupported}, {"autoescape", unsupported}};
	const struct jtoken *t = jp_expect(c, JT_NAME);
	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		if (strcmp(t->value.s->data, tags[i].name) == 0)
			return tags[i].parse(c, t->line);
	jc_fail(c, t->line, "unknown tag '%s'", t->value.s->data);
}

struct jn *
jinja_parse(struct jcomp *c)
{
	return body(c, NULL);
}

void
jc_fail(struct jcomp *c, int line, const char *fmt, ...)
{
	char what[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	for (char *p = what; *p; p++)
		*p = (unsigned char)*p < ' ' ? ' ' : *p;
	err_set(c->e, ERR_CONFIG, "line %d: %s", line, what);
	longjmp(c->fail, 1);
}
