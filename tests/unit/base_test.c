/* base: errors, memory, randomness, files. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "tests/test.h"

static void
errors(void)
{
	struct err e = {0};
	CHECK(err_set(&e, ERR_DATA, "bad %d", 3) == -1);
	CHECK(e.code == ERR_DATA);
	CHECK(err_prefix(&e, "f:%d", 7) == -1);
	CHECK_STR(e.msg, "f:7: bad 3");
	err_set(&e, ERR_IO, "again: %s", e.msg);
	CHECK_STR(e.msg, "again: f:7: bad 3");
}

static void
buffers(void)
{
	struct buf b = BUF_INIT;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	CHECK(b.len == 3890 && b.data[b.len] == '\0');
	buf_reset(&b);
	buf_put(&b, "a\0b", 3);
	CHECK(b.len == 3 && b.data[2] == 'b');
	buf_free(&b);

	struct arena a;
	arena_init(&a);
	char *big = NULL;
	for (int round = 0; round < 3; round++) {
		for (int i = 1; i < 2000; i++) {
			char *p = arena_alloc(&a, (size_t)i);
			CHECK(((uintptr_t)p & 15) == 0);
			memset(p, i, (size_t)i);
		}
		big = arena_calloc(&a, 1000, 1000);
		CHECK(big[0] == 0 && big[999999] == 0);
		memset(big, 1, 1000000);
		arena_reset(&a);
	}
	char *kept = arena_strndup(&a, "kept", 4);
	struct arena_mark mark = arena_mark(&a);
	struct arena_chunk *head = a.head;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 5; i++)
			memset(arena_alloc(&a, 500000), 2, 500000);
		arena_back(&a, mark);
		CHECK(a.head == head);
	}
	CHECK_STR(kept, "kept");
	CHECK(arena_alloc(&a, 1) == kept + 16);
	arena_reset(&a);
	arena_free(&a);
	mark = arena_mark(&a);
	arena_alloc(&a, 100);
	arena_back(&a, mark);
	CHECK(a.head == NULL);
	arena_free(&a);

	struct ids s = {0};
	for (int i = 0; i < 1000; i++)
		ids_push(&s, i);
	CHECK(s.n == 1000 && s.v[999] == 999);
	ids_free(&s);
}

/* Known answer of philox4x32-10, counter 0 and key 0 (Random123's kat_vectors). */
static void
philox(void)
{
	CHECK(rng_bits((struct rng){0}, 0) == 0xe169c58d6627e8d5ull);
	struct rng r = rng_mix_string(rng_key(42), "hh:17", 5);
	CHECK(rng_bits(r, 1) == rng_bits(r, 1));
	CHECK(rng_bits(r, 1) != rng_bits(r, 2));
	CHECK(rng_bits(r, 1) != rng_bits(rng_mix_string(rng_key(42), "hh:18", 5), 1));
	double sum = 0, square = 0, u = 0;
	int n = 100000, low = 0;
	for (int i = 0; i < n; i++) {
		double x = rng_normal(r, (uint64_t)i);
		sum += x;
		square += x * x;
		u += rng_uniform(r, (uint64_t)i);
		low += rng_below(r, (uint64_t)i, 10) < 3;
	}
	/* four standard errors */
	CHECK(fabs(sum / n) < 4 / sqrt(n));
	CHECK(fabs(square / n - 1) < 4 * sqrt(2.0 / n));
	CHECK(fabs(u / n - 0.5) < 4 * sqrt(1.0 / 12 / n));
	CHECK(fabs((double)low / n - 0.3) < 4 * sqrt(0.21 / n));
	uint32_t perm[100], seen[100] = {0};
	rng_permutation(r, perm, 100);
	for (int i = 0; i < 100; i++)
		seen[perm[i]]++;
	for (int i = 0; i < 100; i++)
		CHECK(seen[i] == 1);
}

static char dir[] = "/tmp/pro-base-XXXXXX";

static void
put(const char *path, const char *text)
{
	struct out o;
	struct err e = {0};
	CHECK(out_open(&o, path, &e) == 0 && out_write(&o, text, strlen(text), &e) == 0);
	CHECK(out_commit(&o, &e) == 0);
}

static void
files(void)
{
	struct buf p = BUF_INIT, q = BUF_INIT, text = BUF_INIT;
	struct err e = {0};
	CHECK(mkdtemp(dir) != NULL);
	path_join(&p, dir, "a/b/c");
	CHECK(dir_make(p.data, &e) == 0 && dir_make(p.data, &e) == 0);
	path_join(&p, dir, "a/file");
	put(p.data, "old");
	struct out o;
	CHECK(out_open(&o, p.data, &e) == 0 && out_write(&o, "new", 3, &e) == 0);
	out_abort(&o);
	CHECK(file_read(p.data, 100, &text, &e) == 0);
	CHECK_STR(text.data, "old");
	CHECK(file_read(p.data, 2, &text, &e) < 0 && e.code == ERR_DATA);
	path_join(&q, dir, "b");
	path_join(&p, dir, "a");
	CHECK(dir_make(q.data, &e) == 0);
	CHECK(dir_replace(p.data, q.data, &e) == 0);
	CHECK(!file_exists(p.data));
	path_join(&p, dir, "b/file");
	CHECK(file_exists(p.data));
	path_join(&q, dir, "b/copy");
	CHECK(file_copy(p.data, q.data, &e) == 0 && file_exists(q.data));
	struct map m;
	CHECK(map_open(&m, q.data, &e) == 0 && m.size == 3 && memcmp(m.data, "old", 3) == 0);
	map_close(&m);
	CHECK(map_open(&m, dir, &e) < 0 && e.code == ERR_NOINPUT);
	CHECK(out_open(&o, "/nonexistent/x", &e) < 0 && e.code == ERR_CANTCREAT);
	/* A full disk is noticed at commit. */
	if (file_exists("/dev/full")) {
		struct stat st;
		CHECK(out_open(&o, "/dev/full", &e) == 0 && out_write(&o, "x", 1, &e) == 0);
		CHECK(out_commit(&o, &e) < 0 && e.code == ERR_IO);
		CHECK(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode)); /* not replaced */
	}
	CHECK(dir_remove(dir, &e) == 0 && !file_exists(dir));
	buf_free(&p);
	buf_free(&q);
	buf_free(&text);
}

/* FIPS 180-2, appendix B.1. */
static void
sha256(void)
{
	struct sha256 s;
	char hex[65];
	sha256_init(&s);
	sha256_add(&s, "ab", 2);
	sha256_add(&s, "c", 1);
	sha256_hex(&s, hex);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* AddressSanitizer, where there is one, is to answer NULL as malloc does. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
leave(void)
{
	_exit(ERR_NOMEM);
}

/* Exit status of a child that asks for more than there is. */
static int
ask(void (*handler)(void), int how)
{
	pid_t pid = fork();
	if (pid == 0) {
		volatile size_t n = SIZE_MAX / 2;
		mem_on_failure(handler);
		freopen("/dev/null", "w", stderr);
		free(how == 0 ? x_malloc(n) : how == 1 ? x_calloc(n, 1) : x_realloc(NULL, n));
		_exit(0);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
no_memory(void)
{
	struct err e = {0};
	for (int how = 0; how < 3; how++)
		CHECK(ask(leave, how) == ERR_NOMEM);
	CHECK(ask(NULL, 0) == -SIGABRT);
	errno = ENOMEM;
	CHECK(err_errno(&e, ERR_NOINPUT, "x") == -1 && e.code == ERR_NOMEM);
	CHECK_STR(e.msg, "x: out of memory");
	errno = ENOENT;
	CHECK(err_errno(&e, ERR_NOINPUT, "x") == -1 && e.code == ERR_NOINPUT);
	CHECK_STR(e.msg, "x: No such file or directory");
}

int
main(void)
{
	RUN(errors);
	RUN(buffers);
	RUN(philox);
	RUN(files);
	RUN(sha256);
	RUN(no_memory);
	TEST_END;
}
