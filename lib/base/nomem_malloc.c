/*
 * malloc, calloc and realloc of a program: those of the C library (or of what LD_PRELOAD put
 * before it), but for want of memory the program ends.  For libraries that take no allocator and
 * lose their heads: Oniguruma frees twice, glibc's stdio loses a line.  Blocks that may well be too
 * large, and are reported with their size, come from mmap and posix_memalign (kernels/cpu).
 *
 * The definitions of a program stand before those of its libraries (see "Replacing malloc" in the
 * manual of the GNU C library).  Sanitizers and fuzzers bring their own.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/base/nomem.h"

#ifdef PRO_NO_CLONES

void
nomem_wrap(void)
{
}

#else

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

/* The loader allocates before nomem_wrap has looked for others. */
static void *(*next_malloc)(size_t) = __libc_malloc;
static void *(*next_calloc)(size_t, size_t) = __libc_calloc;
static void *(*next_realloc)(void *, size_t) = __libc_realloc;
static int wrapped;

void
nomem_wrap(void)
{
	void *m = dlsym(RTLD_NEXT, "malloc"), *c = dlsym(RTLD_NEXT, "calloc"),
	     *r = dlsym(RTLD_NEXT, "realloc");
	if (m && c && r) {
		next_malloc = (__typeof__(next_malloc))m;
		next_calloc = (__typeof__(next_calloc))c;
		next_realloc = (__typeof__(next_realloc))r;
	}
	wrapped = 1;
}

void *
malloc(size_t n)
{
	void *p = next_malloc(n);
	if (p == NULL && n > 0 && wrapped)
		mem_fail();
	return p;
}

void *
calloc(size_t n, size_t size)
{
	void *p = next_calloc(n, size);
	if (p == NULL && n > 0 && size > 0 && wrapped)
		mem_fail();
	return p;
}

void *
realloc(void *p, size_t n)
{
	void *q = next_realloc(p, n);
	if (q == NULL && n > 0 && wrapped)
		mem_fail();
	return q;
}

#endif
