#include "lib/text/regex.h"

#include <assert.h>
#include <oniguruma.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lib/base/mem.h"
#include "lib/text/utf8.h"

struct regex {
	pcre2_code *fast; /* one of the three */
	OnigRegex slow;
	char *literal;
	size_t n;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_library(void)
{
	OnigEncoding utf8 = ONIG_ENCODING_UTF8;
	onig_initialize(&utf8, 1);
}

/* NULL when it is no expression. */
static pcre2_code *
compile_fast(const char *pattern, size_t n)
{
	int code = 0;
	PCRE2_SIZE at = 0;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, n,
		PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (re == NULL && code == PCRE2_ERROR_HEAP_FAILED)
		mem_fail();
	if (re)
		pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without it the interpreter does */
	return re;
}

int
regex_compile_slow(struct regex **out, const char *pattern, size_t n, struct err *e)
{
	OnigErrorInfo info;
	OnigRegex re = NULL;
	const OnigUChar *s = (const OnigUChar *)pattern;
	pthread_once(&once, start_library);
	int rc = onig_new(
		&re, s, s + n, ONIG_OPTION_NONE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
	if (rc != ONIG_NORMAL) {
		OnigUChar why[ONIG_MAX_ERROR_MESSAGE_LEN] = "";
		onig_error_code_to_str(why, rc, &info);
		if (rc == ONIGERR_MEMORY)
			mem_fail();
		return err_set(e, ERR_CONFIG, "pattern \"%.200s\": %.90s", pattern, (char *)why);
	}
	*out = x_calloc(1, sizeof **out);
	(*out)->slow = re;
	return 0;
}

int
regex_compile(struct regex **out, const char *pattern, size_t n, struct err *e)
{
	struct buf b = BUF_INIT;
	pcre2_code *fast = regex_translate(pattern, n, &b) ? compile_fast(b.data, b.len) : NULL;
	buf_free(&b);
	if (fast == NULL)
		return regex_compile_slow(out, pattern, n, e);
	*out = x_calloc(1, sizeof **out);
	(*out)->fast = fast;
	return 0;
}

struct regex *
regex_builtin(const char *pattern)
{
	struct regex *r = x_calloc(1, sizeof *r);
	r->fast = compile_fast(pattern, strlen(pattern));
	assert(r->fast);
	return r;
}

struct regex *
regex_literal(const char *text, size_t n)
{
	struct regex *r = x_calloc(1, sizeof *r);
	r->literal = x_strndup(text, n);
	r->n = n;
	return r;
}

void
regex_free(struct regex *r)
{
	if (r == NULL)
		return;
	pcre2_code_free(r->fast);
	if (r->slow)
		onig_free(r->slow);
	free(r->literal);
	free(r);
}

bool
regex_is_fast(const struct regex *r)
{
	return r->fast != NULL;
}

void
regex_walk_start(struct regex_walk *w)
{
	w->at = w->last = 0;
	w->any = false;
}

void
regex_walk_free(struct regex_walk *w)
{
	pcre2_match_data_free(w->md);
	if (w->region)
		onig_region_free(w->region, 1);
	*w = (struct regex_walk){0};
}

static int
gave_up(const char *why, struct err *e)
{
	return err_set(e, ERR_DATA, "the tokenizer's pattern fails on this text: %s", why);
}

static int
search_fast(const struct regex *r, struct regex_walk *w, const char *text, size_t n, size_t *start,
	size_t *end, struct err *e)
{
	if (w->md == NULL && (w->md = pcre2_match_data_create(1, NULL)) == NULL)
		mem_fail();
	int rc = pcre2_match(r->fast, (PCRE2_SPTR)text, n, w->at, PCRE2_NO_UTF_CHECK, w->md, NULL);
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(r->fast, (PCRE2_SPTR)text, n, w->at,
			PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, w->md, NULL);
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc == PCRE2_ERROR_NOMEMORY)
		mem_fail();
	if (rc < 0) {
		PCRE2_UCHAR why[128] = "";
		pcre2_get_error_message(rc, why, sizeof why);
		return gave_up((const char *)why, e);
	}
	const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(w->md);
	*start = ov[0];
	*end = ov[1];
	return 1;
}

static int
search_slow(const struct regex *r, struct regex_walk *w, const char *text, size_t n, size_t *start,
	size_t *end, struct err *e)
{
	const OnigUChar *s = (const OnigUChar *)text;
	if (w->region == NULL && (w->region = onig_region_new()) == NULL)
		mem_fail();
	OnigRegion *region = w->region;
	int rc = onig_search(r->slow, s, s + n, s + w->at, s + n, region, ONIG_OPTION_NONE);
	if (rc == ONIG_MISMATCH)
		return 0;
	if (rc == ONIGERR_MEMORY)
		mem_fail();
	if (rc < 0) {
		OnigUChar why[ONIG_MAX_ERROR_MESSAGE_LEN] = "";
		onig_error_code_to_str(why, rc);
		return gave_up((const char *)why, e);
	}
	*start = (size_t)region->beg[0];
	*end = (size_t)region->end[0];
	return 1;
}

static int
search_literal(const struct regex *r, const struct regex_walk *w, const char *text, size_t n,
	size_t *start, size_t *end)
{
	const char *p = memmem(text + w->at, n - w->at, r->literal, r->n);
	if (p == NULL)
		return 0;
	*start = (size_t)(p - text);
	*end = *start + r->n;
	return 1;
}

/* One character on. */
static void
step(struct regex_walk *w, const char *text, size_t n)
{
	int32_t c;
	int len = w->at < n ? utf8_decode(text + w->at, n - w->at, &c) : 1;
	w->at += (size_t)(len > 0 ? len : 1);
}

int
regex_next(const struct regex *r, struct regex_walk *w, const char *text, size_t n, size_t *start,
	size_t *end, struct err *e)
{
	while (w->at <= n) {
		int rc = r->literal ? search_literal(r, w, text, n, start, end)
			 : r->fast  ? search_fast(r, w, text, n, start, end, e)
				    : search_slow(r, w, text, n, start, end, e);
		if (rc <= 0)
			return rc;
		if (*start == *end && w->any && w->last == *end) {
			step(w, text, n);
			continue;
		}
		w->at = w->last = *end;
		w->any = true;
		return 1;
	}
	return 0;
}
