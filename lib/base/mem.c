#include "lib/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*on_failure)(void);
static atomic_flag failed = ATOMIC_FLAG_INIT;

void
mem_on_failure(void (*handler)(void))
{
	on_failure = handler;
}

void
mem_fail(void)
{
	while (atomic_flag_test_and_set(&failed)) /* another thread is ending the program */
		pause();
	if (on_failure)
		on_failure();
	abort();
}

static void *
check(void *p)
{
	if (p == NULL)
		mem_fail();
	return p;
}

void *
x_malloc(size_t n)
{
	return check(malloc(n ? n : 1));
}

void *
x_calloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1));
}

void *
x_realloc(void *p, size_t n)
{
	return check(realloc(p, n ? n : 1));
}

char *
x_strdup(const char *s)
{
	return x_strndup(s, strlen(s));
}

char *
x_strndup(const char *s, size_t n)
{
	char *p = x_malloc(n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

void *
x_zalloc(void *ignored, unsigned n, unsigned size)
{
	(void)ignored;
	return x_calloc(n, size);
}

void
x_zfree(void *ignored, void *p)
{
	(void)ignored;
	free(p);
}

void *
x_alloc_of(void *ignored, size_t n)
{
	(void)ignored;
	return x_malloc(n);
}

void *
x_alloc_with(size_t n, void *ignored)
{
	(void)ignored;
	return x_malloc(n);
}

void
x_free_with(void *p, void *ignored)
{
	(void)ignored;
	free(p);
}

enum { CHUNK = 64 << 10, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	size_t pad;
	char data[];
};

void
arena_init(struct arena *a)
{
	a->head = NULL;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	assert(n < SIZE_MAX - ALIGN);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (a->head == NULL || a->head->size - a->head->used < n) {
		size_t size = n > CHUNK ? n : CHUNK;
		struct arena_chunk *c = x_malloc(sizeof *c + size);
		*c = (struct arena_chunk){.next = a->head, .size = size};
		a->head = c;
	}
	void *p = a->head->data + a->head->used;
	a->head->used += n;
	return p;
}

void *
arena_calloc(struct arena *a, size_t n, size_t size)
{
	assert(size == 0 || n <= SIZE_MAX / 2 / size);
	return memset(arena_alloc(a, n * size), 0, n * size);
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL, *next;
	for (struct arena_chunk *c = a->head; c; c = next) {
		next = c->next;
		if (keep == NULL || c->size > keep->size) {
			free(keep);
			keep = c;
		} else {
			free(c);
		}
	}
	if (keep)
		keep->next = NULL, keep->used = 0;
	a->head = keep;
}

void
arena_free(struct arena *a)
{
	arena_reset(a);
	X_FREE(a->head);
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->head, a->head ? a->head->used : 0};
}

void
arena_back(struct arena *a, struct arena_mark m)
{
	while (a->head != m.head) {
		struct arena_chunk *next = a->head->next;
		free(a->head);
		a->head = next;
	}
	if (a->head)
		a->head->used = m.used;
}

void
buf_reserve(struct buf *b, size_t extra)
{
	assert(extra < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	if (b->data && b->cap - b->len > extra)
		return;
	size_t cap = b->cap ? b->cap : 64;
	while (cap - b->len <= extra)
		cap *= 2;
	b->data = x_realloc(b->data, cap);
	b->cap = cap;
	b->data[b->len] = '\0';
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (b->data == NULL || b->cap - b->len <= n)
		buf_reserve(b, n);
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_putc(struct buf *b, char c)
{
	if (b->data == NULL || b->cap - b->len <= 1)
		buf_reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	size_t room = b->data ? b->cap - b->len : 0; /* mostly enough: written once */
	int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		buf_reserve(b, (size_t)n + 1);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	b->len += (size_t)n;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	X_FREE(b->data);
	b->len = b->cap = 0;
}

void
ids_push(struct ids *s, int32_t id)
{
	ids_append(s, &id, 1);
}

void
ids_append(struct ids *s, const int32_t *v, size_t n)
{
	if (n == 0)
		return;
	if (s->cap - s->n < n) {
		size_t cap = s->cap ? s->cap : 64;
		while (cap - s->n < n)
			cap *= 2;
		s->v = x_realloc(s->v, cap * sizeof *s->v);
		s->cap = cap;
	}
	memcpy(s->v + s->n, v, n * sizeof *v);
	s->n += n;
}

void
ids_free(struct ids *s)
{
	X_FREE(s->v);
	s->n = s->cap = 0;
}
