#include "lib/base/nomem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

static const char *program = "pro";

/* Nothing here allocates.  stdout may be locked by a thread that waits: then it is left. */
static void
end(void)
{
	static const char text[] = ": out of memory\n";
	struct iovec v[] = {{(void *)program, strlen(program)}, {(void *)text, sizeof text - 1}};
	if (ftrylockfile(stdout) == 0)
		fflush_unlocked(stdout);
	if (writev(STDERR_FILENO, v, 2) < 0)
		_exit(ERR_NOMEM);
	_exit(ERR_NOMEM);
}

static void *
crypto_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return x_malloc(n);
}

/* libcrypto's realloc to nothing frees (CRYPTO_realloc(3)). */
static void *
crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	if (n > 0)
		return x_realloc(p, n);
	free(p);
	return NULL;
}

static void
crypto_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

void
nomem_setup(const char *name)
{
	program = name;
	mem_on_failure(end);
	json_set_alloc_funcs(x_malloc, free);
	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
}

/* Runs before the constructors of the shared libraries (System V ABI, DT_PREINIT_ARRAY). */
static void
before_all(int argc, char **argv, char **environment)
{
	(void)environment;
	if (argc > 0) {
		const char *slash = strrchr(argv[0], '/');
		program = slash ? slash + 1 : argv[0];
	}
	mem_on_failure(end);
	nomem_wrap();
}

__attribute__((section(".preinit_array"), used)) static void (*const hook)(
	int, char **, char **) = before_all;
