/* The thread pool: every item once, by a thread of its own, whatever the machine does. */
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cpu/pool.h"
#include "tests/kernels/common.h"

enum { MOST = 5000, THREADS = 9 };

struct job {
	struct pool *pool;
	int threads;
	int count[MOST]; /* plain: an item has one thread, and the end orders them */
	int order[MOST];
	int work; /* of an item, the more the later it is when < 0 */
	atomic_int inside[THREADS], next, wrong;
	int nested;
};

static void
inner_item(void *ctx, int i, int thread)
{
	struct job *j = ctx;
	/* on the thread of the outer item, in order */
	if (thread < 0 || atomic_load(&j->inside[thread]) != 1)
		atomic_fetch_add(&j->wrong, 1);
	j->order[thread] = i == 0 ? 0 : j->order[thread] + 1;
	if (j->order[thread] != i)
		atomic_fetch_add(&j->wrong, 1);
}

static void
item(void *ctx, int i, int thread)
{
	struct job *j = ctx;
	if (thread < 0 || thread >= j->threads) {
		atomic_fetch_add(&j->wrong, 1);
		return;
	}
	if (atomic_fetch_add(&j->inside[thread], 1) != 0)
		atomic_fetch_add(&j->wrong, 1);
	volatile double x = 1;
	for (int w = 0; w < (j->work < 0 ? i * -j->work : j->work); w++)
		x = x * 1.0000001;
	j->count[i]++;
	if (j->nested > 0) {
		pool_run(j->pool, j->nested, inner_item, j);
		if (j->order[thread] != j->nested - 1)
			atomic_fetch_add(&j->wrong, 1);
	}
	atomic_fetch_sub(&j->inside[thread], 1);
}

/* Each of n items was computed `times` times. */
static bool
exactly(const struct job *j, int n, int times)
{
	for (int i = 0; i < MOST; i++)
		if (j->count[i] != (i < n ? times : 0))
			return false;
	return true;
}

static struct job *
job_open(int threads)
{
	struct job *j = calloc(1, sizeof *j);
	j->threads = threads;
	j->pool = pool_open(threads);
	return j;
}

static void
job_close(struct job *j)
{
	CHECK(atomic_load(&j->wrong) == 0);
	pool_close(j->pool);
	free(j);
}

static void
all_items_once(void)
{
	static const int N[] = {0, 1, 2, 3, 7, 64, 1000, MOST}, WORK[] = {0, 100, -3};
	for (int threads = 1; threads <= THREADS; threads += threads > 2 ? 3 : 1) {
		struct job *j = job_open(threads);
		for (size_t n = 0; n < sizeof N / sizeof *N; n++)
			for (size_t w = 0; w < sizeof WORK / sizeof *WORK; w++) {
				memset(j->count, 0, sizeof j->count);
				j->work = N[n] > 1000 ? 10 : WORK[w];
				pool_run(j->pool, N[n], item, j);
				CHECK(exactly(j, N[n], 1));
				pool_run_here(j->pool, N[n], item, j);
				CHECK(exactly(j, N[n], 2));
			}
		job_close(j);
	}
}

/* Jobs as fast as they come, so that workers arrive in the middle of the next, at its end, after
 * it; more threads than cores. */
static void
many_tiny_jobs(void)
{
	for (int threads = 2; threads <= THREADS; threads += 7) {
		struct job *j = job_open(threads);
		long total = 0, sum = 0;
		for (int r = 0; r < 20000; r++) {
			int n = 2 + r % 13;
			pool_run(j->pool, n, item, j);
			total += n;
			if (r % 4000 == 0)
				usleep(2000); /* the workers sleep */
		}
		for (int i = 0; i < MOST; i++)
			sum += j->count[i];
		CHECK(sum == total);
		job_close(j);
	}
}

/* Jobs so far apart that every worker sleeps at every one. */
static void
sleepy_jobs(void)
{
	struct job *j = job_open(4);
	j->work = 20000;
	for (int r = 0; r < 100; r++) {
		usleep(500);
		pool_run(j->pool, 16, item, j);
	}
	CHECK(exactly(j, 16, 100));
	job_close(j);
}

static void
nested_runs_inline(void)
{
	for (int threads = 1; threads <= 4; threads += 3) {
		struct job *j = job_open(threads);
		j->nested = 5;
		for (int r = 0; r < 200; r++)
			pool_run(j->pool, 30, item, j);
		pool_run(j->pool, 1, item, j);
		pool_run_here(j->pool, 30, item, j);
		CHECK(j->count[0] == 202 && j->count[29] == 201);
		job_close(j);
	}
}

struct meeting {
	atomic_int came;
	int most;
};

/* Items that wait for each other need a thread each. */
static void
meet(void *ctx, int i, int thread)
{
	struct meeting *m = ctx;
	(void)i;
	(void)thread;
	atomic_fetch_add(&m->came, 1);
	for (int t = 0; t < 10000 && atomic_load(&m->came) < m->most; t++)
		usleep(1000);
}

static void
workers_come(void)
{
	struct pool *p = pool_open(4);
	for (int r = 0; r < 20; r++) {
		struct meeting m = {.most = 4};
		if (r % 2 == 0)
			usleep(1000);
		pool_run(p, 4, meet, &m);
		CHECK(atomic_load(&m.came) == 4);
	}
	pool_close(p);
}

/* A child has no workers and does without. */
static void
after_fork(void)
{
	struct job *j = job_open(3);
	pool_run(j->pool, 50, item, j);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(30);
		pool_run(j->pool, 50, item, j);
		bool good = exactly(j, 50, 2) && atomic_load(&j->wrong) == 0;
		pool_close(j->pool);
		_exit(good ? 0 : 1);
	}
	int status = -1;
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pool_run(j->pool, 50, item, j);
	CHECK(exactly(j, 50, 2));
	job_close(j);
}

static void
open_and_close(void)
{
	for (int r = 0; r < 300; r++) {
		struct pool *p = pool_open(1 + r % 6);
		CHECK(p != NULL);
		pool_close(p);
	}
	pool_close(NULL);
}

/* The device's host work. */
static void
host_work(void)
{
	for (int threads = 1; threads <= 3; threads++) {
		struct kernels *k = kernels_cpu_open(threads);
		struct job *j = job_open(threads);
		k->parallel(k, 777, item, j);
		CHECK(exactly(j, 777, 1));
		job_close(j);
		k->close(k);
	}
}

int
main(void)
{
	RUN(all_items_once);
	RUN(many_tiny_jobs);
	RUN(sleepy_jobs);
	RUN(nested_runs_inline);
	RUN(workers_come);
	RUN(after_fork);
	RUN(open_and_close);
	RUN(host_work);
	TEST_END;
}
