/* The thread pool; see pool.h. */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels/cpu/pool.h"

/* How long a thread looks for something before it sleeps; a worker that looked in vain looks half
 * as long the next time, one that found a job twice as long. */
enum { SPIN_MIN = 4000, SPIN_MAX = 50000 }; /* ns */
/* A thread takes 1/SHARES of its fair part of what is left, at least one item. */
enum { SHARES = 8, LINE = 64 };

struct worker {
	struct pool *pool;
	pthread_t id;
	int thread;
};

struct pool {
	int threads, n_workers;
	pid_t process; /* that has the workers */
	struct worker *workers;

	/* The job: its number << 32 | items not handed out.  Who takes items by compare-and-swap
	 * knows that the job did not end meanwhile, so that what it read of n, item and ctx before
	 * belongs to it; they change only between jobs. */
	_Alignas(LINE) _Atomic uint64_t job;
	atomic_int n;
	_Atomic(pool_item *) item;
	_Atomic(void *) ctx;

	_Alignas(LINE) atomic_uint done; /* items; a futex for the caller */
	atomic_bool waiting;             /* the caller sleeps on it */

	_Alignas(LINE) atomic_uint calls; /* to wake up; a futex for the workers */
	atomic_int sleepers;
	atomic_bool closing;
};

/* The pool whose item the thread is computing, and its index there. */
static _Thread_local struct here {
	struct pool *pool;
	int thread;
} here;

static void
futex_wait(atomic_uint *word, unsigned value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
futex_wake(atomic_uint *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static int64_t
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
pause_some(void)
{
	for (int i = 0; i < 8; i++) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#endif
	}
}

/* Looks for a job (done < 0) or for so many done items, for some time; whether there were. */
static bool
spin(struct pool *p, int64_t done, int64_t ns)
{
	int64_t end = now() + ns;
	do {
		if (done < 0 ? (uint32_t)atomic_load(&p->job) > 0 : atomic_load(&p->done) == done)
			return true;
		pause_some();
	} while (now() < end);
	return false;
}

/* Takes and computes items until none are left; returns how many. */
static unsigned
work(struct pool *p, int thread)
{
	unsigned mine = 0;
	uint64_t job = atomic_load(&p->job);
	while ((uint32_t)job > 0) {
		int left = (int)(uint32_t)job, take = left / (SHARES * p->threads);
		int first = atomic_load_explicit(&p->n, memory_order_relaxed) - left;
		pool_item *item = atomic_load_explicit(&p->item, memory_order_relaxed);
		void *ctx = atomic_load_explicit(&p->ctx, memory_order_relaxed);
		take = take > 1 ? take : 1;
		if (!atomic_compare_exchange_weak(&p->job, &job, job - (uint64_t)take))
			continue;
		for (int i = first; i < first + take; i++)
			item(ctx, i, thread);
		mine += (unsigned)take;
		job = atomic_load(&p->job);
	}
	return mine;
}

/* Sleeps until a job or the end calls, unless one is there. */
static void
sleep_until_called(struct pool *p)
{
	unsigned calls = atomic_load(&p->calls);
	atomic_fetch_add(&p->sleepers, 1);
	/* a caller that does not see the sleeper has made its job visible before */
	if ((uint32_t)atomic_load(&p->job) == 0 && !atomic_load(&p->closing))
		futex_wait(&p->calls, calls);
	atomic_fetch_sub(&p->sleepers, 1);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	int64_t ns = SPIN_MAX;
	here = (struct here){p, w->thread};
	while (!atomic_load(&p->closing)) {
		if (!spin(p, -1, ns)) {
			ns = ns / 2 > SPIN_MIN ? ns / 2 : SPIN_MIN;
			sleep_until_called(p);
			continue;
		}
		ns = 2 * ns < SPIN_MAX ? 2 * ns : SPIN_MAX;
		unsigned mine = work(p, w->thread);
		/* until these are counted the job cannot end */
		unsigned n = (unsigned)atomic_load_explicit(&p->n, memory_order_relaxed);
		if (mine > 0 && atomic_fetch_add(&p->done, mine) + mine == n &&
			atomic_load(&p->waiting))
			futex_wake(&p->done, 1);
	}
	return NULL;
}

struct pool *
pool_open(int threads)
{
	struct pool *p = aligned_alloc(LINE, sizeof *p);
	struct worker *workers = calloc((size_t)(threads > 1 ? threads : 1), sizeof *workers);
	if (p == NULL || workers == NULL) {
		free(p);
		free(workers);
		return NULL;
	}
	*p = (struct pool){.threads = threads, .process = getpid(), .workers = workers};
	sigset_t all, before;
	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* of a mapped file: blocked, it would be death */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < threads - 1; i++) {
		struct worker *w = &p->workers[i];
		*w = (struct worker){.pool = p, .thread = i + 1};
		if (pthread_create(&w->id, NULL, worker_main, w) != 0)
			break;
		p->n_workers++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return p;
}

void
pool_close(struct pool *p)
{
	if (p == NULL)
		return;
	atomic_store(&p->closing, true);
	atomic_fetch_add(&p->calls, 1);
	futex_wake(&p->calls, p->n_workers);
	for (int i = 0; i < p->n_workers && p->process == getpid(); i++)
		pthread_join(p->workers[i].id, NULL);
	free(p->workers);
	free(p);
}

void
pool_run_here(struct pool *p, int n, pool_item *item, void *ctx)
{
	struct here before = here;
	if (here.pool != p)
		here = (struct here){p, 0};
	int thread = here.thread;
	for (int i = 0; i < n; i++)
		item(ctx, i, thread);
	here = before;
}

/* Waits for the items that others compute. */
static void
wait_done(struct pool *p, unsigned n)
{
	unsigned done;
	if (spin(p, n, SPIN_MAX))
		return;
	atomic_store(&p->waiting, true);
	while ((done = atomic_load(&p->done)) != n)
		futex_wait(&p->done, done);
	atomic_store(&p->waiting, false);
}

void
pool_run(struct pool *p, int n, pool_item *item, void *ctx)
{
	if (n <= 1 || p->n_workers == 0 || here.pool == p) {
		pool_run_here(p, n, item, ctx);
		return;
	}
	struct here before = here;
	here = (struct here){p, 0};
	atomic_store_explicit(&p->n, n, memory_order_relaxed);
	atomic_store_explicit(&p->item, item, memory_order_relaxed);
	atomic_store_explicit(&p->ctx, ctx, memory_order_relaxed);
	atomic_store_explicit(&p->done, 0, memory_order_relaxed);
	atomic_store(&p->job, ((atomic_load(&p->job) >> 32) + 1) << 32 | (uint32_t)n);
	if (atomic_load(&p->sleepers) > 0) {
		atomic_fetch_add(&p->calls, 1);
		futex_wake(&p->calls, n - 1);
	}
	unsigned mine = work(p, 0);
	if (atomic_fetch_add(&p->done, mine) + mine != (unsigned)n)
		wait_done(p, (unsigned)n);
	here = before;
}
