#ifndef PRO_BASE_NOMEM_H
#define PRO_BASE_NOMEM_H

/*
 * Out of memory in a program: "name: out of memory" on stderr and exit 71, wherever the allocation
 * that failed was made.  A program that links this file has that before its first line runs (the
 * constructors of C++ libraries allocate before main); cli_parse calls nomem_setup, which
 *
 * - gives the name that messages begin with, and
 * - puts jansson and libcrypto on x_malloc, so that no result of theirs is NULL, or a list
 *   shorter, for want of memory.
 *
 * The other libraries are given our allocator, or asked, where they are used (zlib in
 * lib/stream/input.c, C++ in lib/text/spm.cc); and malloc itself is wrapped (nomem_malloc.c), for
 * those where neither can be.
 *
 * The end is _exit: nothing is tidied, as after kill -9.  What stdout holds is written before, for
 * records that were written stay whole.
 */
void nomem_setup(const char *name);

/* Before all else, and within lib/base only: from now on malloc ends the program rather than say
 * NULL. */
void nomem_wrap(void);

#endif
