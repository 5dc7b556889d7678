/*
 * Fails chosen allocations of a program: LD_PRELOAD=failnth.so with
 *
 *   FAILNTH_AT=N      the Nth allocation is not given
 *   FAILNTH_FROM=N    nor any from the Nth on
 *   FAILNTH_IN=NAME   only in a process whose program is called NAME (default: in all)
 *   FAILNTH_COUNT=F   writes the number of allocations there were into F at the end
 *
 * Counted are malloc and its kin (operator new, fopen, opendir, qsort ... come through them), mmap
 * and the creation of threads; not what glibc does inside without asking malloc.  The constructors
 * of libraries count, as far as they run after this one's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, so that nothing must be looked up before the first allocation */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static atomic_long count;
static long at = -1, from = -1;
static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static void *(*map)(void *, size_t, int, int, int, off_t);

static long
number(const char *name)
{
	const char *s = getenv(name);
	return s ? atol(s) : -1;
}

__attribute__((constructor)) static void
start(void)
{
	const char *in = getenv("FAILNTH_IN");
	create = (__typeof__(create))dlsym(RTLD_NEXT, "pthread_create");
	map = (__typeof__(map))dlsym(RTLD_NEXT, "mmap");
	count = 0;
	if (in && strcmp(in, program_invocation_short_name) != 0)
		return;
	at = number("FAILNTH_AT");
	from = number("FAILNTH_FROM");
}

__attribute__((destructor)) static void
end(void)
{
	const char *in = getenv("FAILNTH_IN"), *path = getenv("FAILNTH_COUNT");
	char text[32];
	if (path == NULL || (in && strcmp(in, program_invocation_short_name) != 0))
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	int n = snprintf(text, sizeof text, "%ld\n", atomic_load(&count));
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		_exit(99);
	close(fd);
}

static int
fails(void)
{
	long i = atomic_fetch_add(&count, 1) + 1;
	if (i != at && (from < 0 || i < from))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, n * size);
}

void *
memalign(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

int
posix_memalign(void **p, size_t align, size_t n)
{
	if (fails() || (*p = __libc_memalign(align, n)) == NULL)
		return ENOMEM;
	return 0;
}

void *
mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
	return map && fails() ? MAP_FAILED : map(addr, n, prot, flags, fd, offset);
}

void *
mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
	return mmap(addr, n, prot, flags, fd, offset);
}

int
pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return fails() ? EAGAIN : create(t, attr, run, arg);
}
