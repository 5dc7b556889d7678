#include "lib/text/jinja.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/text/jinja_call.h"
#include "lib/text/utf8.h"

/* ---- compilation ---- */

struct jv
jc_string(struct jcomp *c, const char *s, size_t n)
{
	struct jstr *p = arena_alloc(c->arena, sizeof *p);
	*p = (struct jstr){
		arena_strndup(c->arena, s, n), n, js_count(s, n), NULL, JINJA_LITERAL, false};
	return (struct jv){JV_STR, .s = p};
}

/* The source as jinja2's lexer sees it: lines end in \n, and the last one's end is dropped. */
static void
normalise(struct jcomp *c, const char *src, size_t n)
{
	char *to = arena_alloc(c->arena, n + 1);
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		if (src[i] == '\r' && i + 1 < n && src[i + 1] == '\n')
			continue;
		to[k++] = src[i] == '\r' ? '\n' : src[i];
	}
	k -= k > 0 && to[k - 1] == '\n';
	to[k] = '\0';
	c->src = to;
	c->n = k;
}

int
jinja_compile(struct jinja **out, const char *src, size_t n, struct err *e)
{
	*out = NULL;
	if (n > JINJA_MAX_SOURCE)
		return err_set(
			e, ERR_CONFIG, "a chat template of more than %d bytes", JINJA_MAX_SOURCE);
	if (utf8_valid_prefix(src, n) != n)
		return err_set(e, ERR_CONFIG, "a chat template that is not UTF-8");
	struct jinja *j = x_calloc(1, sizeof *j);
	arena_init(&j->arena);
	struct jcomp *c = arena_calloc(&j->arena, 1, sizeof *c);
	c->arena = &j->arena;
	c->e = e;
	if (setjmp(c->fail)) {
		jinja_free(j);
		return -1;
	}
	normalise(c, src, n);
	jinja_lex(c);
	j->body = jinja_parse(c);
	j->scope = jinja_scope(c, j->body);
	j->uses_date = c->uses_date;
	*out = j;
	return 0;
}

void
jinja_free(struct jinja *j)
{
	if (j == NULL)
		return;
	arena_free(&j->arena);
	free(j);
}

bool
jinja_uses_date(const struct jinja *j)
{
	return j->uses_date;
}

/* ---- failures and limits ---- */

static void
fail(struct jvm *vm, int code, const char *fmt, va_list ap)
{
	char what[1600];
	vsnprintf(what, sizeof what, fmt, ap);
	what[utf8_valid_prefix(what, strlen(what))] = '\0';
	for (char *p = what; *p; p++)
		*p = (unsigned char)*p < ' ' ? ' ' : *p;
	if (vm->line > 0)
		err_set(vm->e, code, "%s (line %d of the template)", what, vm->line);
	else
		err_set(vm->e, code, "%s", what);
}

void
vm_raise(struct jvm *vm, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fail(vm, ERR_DATA, fmt, ap);
	va_end(ap);
	longjmp(vm->fail, 1);
}

void
vm_refuse(struct jvm *vm, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fail(vm, ERR_CONFIG, fmt, ap);
	va_end(ap);
	longjmp(vm->fail, 1);
}

void
vm_step(struct jvm *vm, size_t n)
{
	vm->steps += (int64_t)n;
	if (vm->steps > JINJA_MAX_STEPS)
		vm_refuse(vm, "the chat template takes more than %d steps", JINJA_MAX_STEPS);
}

void
vm_enter(struct jvm *vm)
{
	if (++vm->depth > JINJA_MAX_DEPTH)
		vm_refuse(vm, "the chat template goes deeper than %d levels", JINJA_MAX_DEPTH);
}

void *
vm_alloc(struct jvm *vm, size_t n)
{
	if (n > vm->max_bytes - vm->bytes)
		vm_refuse(vm, "the chat template takes more than %zu bytes", vm->max_bytes);
	vm->bytes += n;
	return arena_alloc(&vm->arena, n);
}

/* ---- rendering ---- */

static size_t
json_bytes(const json_t *v, int depth)
{
	const char *key;
	json_t *member;
	size_t n = 64, i;
	if (json_is_string(v))
		n += json_string_length(v);
	if (depth > JINJA_MAX_DEPTH)
		return n;
	json_object_foreach((json_t *)v, key, member) n +=
		64 + strlen(key) + json_bytes(member, depth + 1);
	json_array_foreach((json_t *)v, i, member) n += json_bytes(member, depth + 1);
	return n;
}

/* bos_token ...: the tokenizer's, and so the template's. */
static bool
is_token(const char *key)
{
	static const char end[] = "_token";
	size_t n = strlen(key);
	return (n >= sizeof end && strcmp(key + n - sizeof end + 1, end) == 0) ||
	       strcmp(key, "additional_special_tokens") == 0;
}

/* All texts but tokens are data. */
static const struct jdict *
read_vars(struct jvm *vm, const json_t *vars)
{
	struct jdict *d = jd_new(vm, json_object_size(vars));
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)vars, key, value)
	{
		uint8_t mark = is_token(key) ? JINJA_LITERAL : JINJA_DATA;
		jd_set(vm, d, js_make(vm, key, strlen(key), JINJA_LITERAL),
			jv_json(vm, value, mark));
	}
	return d;
}

static void
render(struct jvm *vm, const json_t *vars, struct jinja_text *out)
{
	struct jsb b;
	jsb_init(&b, vm);
	vm->out = &b;
	vm->vars = read_vars(vm, vars);
	vm->frame = vm_frame(vm, vm->template->scope, NULL);
	vm_exec(vm, vm->template->body);
	const struct jstr *s = jsb_value(&b).s;
	buf_put(&out->text, s->data, s->len);
	if (s->mark) {
		buf_put(&out->mark, s->mark, s->len);
		return;
	}
	buf_reserve(&out->mark, s->len + 1);
	memset(out->mark.data, s->all, s->len);
	out->mark.len = s->len;
	out->mark.data[s->len] = '\0';
}

int
jinja_render(const struct jinja *j, const json_t *vars, const struct tm *now,
	struct jinja_text *out, struct err *e)
{
	struct jvm *vm = x_calloc(1, sizeof *vm);
	volatile int rc = 0;
	buf_reset(&out->text);
	buf_reset(&out->mark);
	vm->template = j;
	vm->e = e;
	vm->now = now;
	vm->max_bytes = JINJA_MAX_BYTES + 64 * json_bytes(vars, 0);
	arena_init(&vm->arena);
	if (setjmp(vm->fail) == 0)
		render(vm, vars, out);
	else
		rc = -1;
	arena_free(&vm->arena);
	free(vm);
	return rc;
}
