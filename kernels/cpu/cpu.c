/* Opening, memory and scratch of the CPU backend. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/cpu/cpu.h"

/* Blocks carry their size in the 64 bytes before them.  Large ones come from mmap, whose pages
 * stay untouched (and uncounted) until they are written. */
enum { HEADER = 64 };
#ifdef PRO_NO_CLONES /* sanitizers see the end of a malloc()ed block only */
static const size_t MMAP_FROM = (size_t)1 << 36;
#else
static const size_t MMAP_FROM = 1 << 20;
#endif
struct header {
	size_t bytes;
	bool mapped;
};

static void *
block_alloc(size_t bytes)
{
	if (bytes > SIZE_MAX / 2 - HEADER)
		return NULL;
	bool mapped = bytes >= MMAP_FROM;
	void *p = NULL;
	if (mapped) {
		p = mmap(NULL, bytes + HEADER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		if (p == MAP_FAILED)
			return NULL;
		madvise(p, bytes + HEADER, MADV_HUGEPAGE);
	} else if (posix_memalign(&p, 64, bytes + HEADER) != 0) {
		return NULL;
	} else {
		memset(p, 0, bytes + HEADER);
	}
	struct header *h = p;
	h->bytes = bytes;
	h->mapped = mapped;
	return (char *)p + HEADER;
}

static void
block_free(void *p)
{
	if (p == NULL)
		return;
	struct header *h = (struct header *)((char *)p - HEADER);
	if (h->mapped)
		munmap(h, h->bytes + HEADER);
	else
		free(h);
}

static void *
cpu_alloc(struct kernels *k, size_t bytes)
{
	(void)k;
	return block_alloc(bytes);
}

static void
cpu_free(struct kernels *k, void *p)
{
	(void)k;
	block_free(p);
}

static void
cpu_copy(struct kernels *k, void *dst, const void *src, size_t bytes)
{
	(void)k;
	if (bytes > 0)
		memcpy(dst, src, bytes);
}

static void
cpu_zero(struct kernels *k, void *p, size_t bytes)
{
	(void)k;
	if (bytes > 0)
		memset(p, 0, bytes);
}

static int
cpu_sync(struct kernels *k, char *msg, size_t n)
{
	struct cpu *c = k->priv;
	const char *op = atomic_exchange(&c->failed, NULL);
	if (op == NULL)
		return 0;
	snprintf(msg, n, "%s: out of memory for scratch space", op);
	return K_NO_MEMORY;
}

static void
cpu_close(struct kernels *k)
{
	struct cpu *c = k->priv;
	pool_close(c->pool);
	for (int i = 0; i < k->threads; i++)
		block_free(c->scratch[i].p);
	block_free(c->shared.p);
	free(c->scratch);
	free(c);
	free(k);
}

static void *
grow(struct cpu *c, struct cpu_block *b, size_t bytes, const char *op)
{
	if (b->bytes >= bytes && b->p != NULL)
		return b->p;
	block_free(b->p);
	b->p = block_alloc(bytes);
	b->bytes = b->p != NULL ? bytes : 0;
	if (b->p == NULL) {
		const char *none = NULL;
		atomic_compare_exchange_strong(&c->failed, &none, op);
	}
	return b->p;
}

void *
cpu_scratch(struct kernels *k, int thread, size_t bytes, const char *op)
{
	struct cpu *c = k->priv;
	return grow(c, &c->scratch[thread], bytes, op);
}

void *
cpu_shared(struct kernels *k, size_t bytes, const char *op)
{
	struct cpu *c = k->priv;
	return grow(c, &c->shared, bytes, op);
}

void
cpu_run(struct kernels *k, int n, bool worth, pool_item *item, void *ctx)
{
	struct cpu *c = k->priv;
	if (worth)
		pool_run(c->pool, n, item, ctx);
	else
		pool_run_here(c->pool, n, item, ctx);
}

static void
cpu_parallel(struct kernels *k, int n, pool_item *item, void *ctx)
{
	cpu_run(k, n, true, item, ctx);
}

int
cpu_level(void)
{
#ifdef CPU_X86_LEVELS
	if (__builtin_cpu_supports("x86-64-v4"))
		return 2;
	if (__builtin_cpu_supports("x86-64-v3"))
		return 1;
#endif
	return 0;
}

/* target_clones (cpu.h) choose by the same levels as cpu_level(). */
static void
describe_path(char *out, size_t n)
{
#ifdef CPU_X86_LEVELS
	static const char *const levels[] = {"x86-64", "x86-64-v3", "x86-64-v4"};
	const char *own = levels[cpu_level()];
#else
	const char *own = "plain";
#endif
	snprintf(out, n, "cpu %s", own);
}

struct kernels *
kernels_cpu_open(int threads)
{
	if (threads < 1)
		threads = 1;
	struct kernels *k = calloc(1, sizeof *k);
	struct cpu *c = calloc(1, sizeof *c);
	if (c != NULL) {
		c->scratch = calloc(threads, sizeof *c->scratch);
		c->pool = pool_open(threads);
	}
	if (k == NULL || c == NULL || c->scratch == NULL || c->pool == NULL) {
		if (c != NULL) {
			pool_close(c->pool);
			free(c->scratch);
		}
		free(c);
		free(k);
		return NULL;
	}
	c->level = cpu_level();
	describe_path(c->path, sizeof c->path);
	*k = (struct kernels){
		.name = "cpu",
		.path = c->path,
		.act = K_F32,
		.threads = threads,
		.alloc = cpu_alloc,
		.free = cpu_free,
		.upload = cpu_copy,
		.download = cpu_copy,
		.zero = cpu_zero,
		.sync = cpu_sync,
		.close = cpu_close,
		.parallel = cpu_parallel,
		.embed_fwd = cpu_embed_fwd,
		.embed_bwd = cpu_embed_bwd,
		.norm_fwd = cpu_norm_fwd,
		.norm_bwd = cpu_norm_bwd,
		.linear_fwd = cpu_linear_fwd,
		.linear_bwd_x = cpu_linear_bwd_x,
		.linear_bwd_w = cpu_linear_bwd_w,
		.add = cpu_add,
		.rope = cpu_rope,
		.attn_fwd = cpu_attn_fwd,
		.attn_bwd = cpu_attn_bwd,
		.act_fwd = cpu_act_fwd,
		.act_bwd = cpu_act_bwd,
		.rows_get = cpu_rows_get,
		.rows_put = cpu_rows_put,
		.rows_add = cpu_rows_add,
		.logprob_fwd = cpu_logprob_fwd,
		.logprob_bwd = cpu_logprob_bwd,
		.logits = cpu_logits,
		.sumsq = cpu_sumsq,
		.adamw = cpu_adamw,
		.priv = c,
	};
	return k;
}
