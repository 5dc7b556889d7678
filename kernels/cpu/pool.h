#ifndef PRO_KERNELS_POOL_H
#define PRO_KERNELS_POOL_H

/*
 * Threads that share the items of a job.  The caller works too, and waits for items that a thread
 * is computing, never for a thread that has not come: on a machine with more to do than cores a job
 * takes no longer than the caller alone would need, but for the last item of each thread.  Idle
 * threads look for the next job for some microseconds and then sleep.
 *
 * One thread at a time may call pool_run.  A call from inside an item computes its items one after
 * the other on the same thread.  In a child after fork() there are no threads but the caller, which
 * does everything itself; fork() is not for items.  The threads take no signals but SIGBUS.
 */
struct pool;

/* thread: who computes the item, 0 (the caller) to threads-1; no two at a time have the same. */
typedef void pool_item(void *ctx, int item, int thread);

/* NULL when out of memory; the system giving fewer threads than asked for is no failure. */
struct pool *pool_open(int threads);
void pool_close(struct pool *p);
/* Computes item(ctx, 0, .) .. item(ctx, n-1, .), handed out in this order; all are done, and what
 * they wrote is seen, when it returns. */
void pool_run(struct pool *p, int n, pool_item *item, void *ctx);
/* The same on the calling thread alone, for jobs not worth waking anyone. */
void pool_run_here(struct pool *p, int n, pool_item *item, void *ctx);

#endif
