#ifndef PRO_BASE_MEM_H
#define PRO_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Small memory: these never return NULL.  When the machine has no memory left for a few bytes,
 * they end the program by mem_fail: no caller could do better.  Blocks that grow with a model or a
 * batch go through kernels->alloc, which is checked.
 */
void *x_malloc(size_t n) __attribute__((returns_nonnull));
void *x_calloc(size_t n, size_t size) __attribute__((returns_nonnull));
void *x_realloc(void *p, size_t n) __attribute__((returns_nonnull));
char *x_strdup(const char *s);
char *x_strndup(const char *s, size_t n);

/*
 * The end for want of memory, also for libraries that take a handler: calls the handler, which
 * does not return (a program's writes a message without allocating and exits ERR_NOMEM, see
 * nomem.h); abort() when none was set.  Of several threads that fail, one gets there.
 */
void mem_fail(void) __attribute__((noreturn));
void mem_on_failure(void (*handler)(void));

/* The same in the shapes of libraries that take an allocator: zlib's zalloc and zfree, zstd's
 * ZSTD_customMem, PCRE2's general context. */
void *x_zalloc(void *ignored, unsigned n, unsigned size);
void x_zfree(void *ignored, void *p);
void *x_alloc_of(void *ignored, size_t n);
void *x_alloc_with(size_t n, void *ignored);
void x_free_with(void *p, void *ignored);

/* Frees *p and sets it to NULL. */
#define X_FREE(p) (free(p), (p) = NULL)

/*
 * An arena: allocations that die together.  A program has two: the run's and the record's, the
 * second reset at each record.  Memory is uninitialised and aligned to 16 bytes.
 */
struct arena {
	struct arena_chunk *head; /* the chunk in use; older ones behind it */
};

void arena_init(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);
void *arena_calloc(struct arena *a, size_t n, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* Forgets all allocations, keeps the largest chunk for the next record. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);
/* arena_back forgets what was allocated since arena_mark. */
struct arena_mark {
	struct arena_chunk *head;
	size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_back(struct arena *a, struct arena_mark m);

/* A byte string that grows.  data is NUL-terminated behind len whenever it is not NULL. */
struct buf {
	char *data;
	size_t len, cap;
};

#define BUF_INIT           \
	{                  \
		NULL, 0, 0 \
	}
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_reserve(struct buf *b, size_t extra);
/* len = 0, memory kept. */
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

/* Token ids (or any int32 list) that grow. */
struct ids {
	int32_t *v;
	size_t n, cap;
};

void ids_push(struct ids *s, int32_t id);
void ids_append(struct ids *s, const int32_t *v, size_t n);
void ids_free(struct ids *s);

#endif
