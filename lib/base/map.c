/* Files mapped into memory, and what happens when they change under us. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/foreign.h"

/*
 * Where maps are, for the signal handler, which may use nothing but atomics.  A map beyond the
 * table's end is as safe as without the handler.
 */
enum { MAX_MAPS = 8192 };
static struct {
	_Atomic uintptr_t start, end; /* start 0: free */
	atomic_bool damaged;
} maps[MAX_MAPS];

static int
enter(uintptr_t start, size_t n)
{
	for (int i = 0; i < MAX_MAPS; i++) {
		uintptr_t none = 0;
		/* end is 0 until both are there: the handler finds nothing in between */
		if (atomic_load(&maps[i].end) == 0 &&
			atomic_compare_exchange_strong(&maps[i].start, &none, start)) {
			atomic_store(&maps[i].damaged, false);
			atomic_store(&maps[i].end, start + n);
			return i;
		}
	}
	return -1;
}

static void
leave(int i)
{
	if (i < 0)
		return;
	atomic_store(&maps[i].end, 0);
	atomic_store(&maps[i].start, 0);
}

/*
 * A page whose file has lost its end, or that the disk does not give, becomes zeros: the
 * computation runs on to where map_check says what happened.  mmap is a system call and nothing
 * else.
 */
static void
on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	int why = errno;
	uintptr_t at = (uintptr_t)info->si_addr;
	for (int i = 0; i < MAX_MAPS; i++) {
		uintptr_t start = atomic_load(&maps[i].start), end = atomic_load(&maps[i].end);
		if (start == 0 || at < start || at >= end)
			continue;
		uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
		void *p = (void *)(at & ~(page - 1));
		atomic_store(&maps[i].damaged, true);
		if (mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p) {
			errno = why;
			return;
		}
	}
	signal(sig, SIG_DFL); /* and it comes again */
}

void
map_guard(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGBUS, &sa, NULL);
}

static int
refuse_lfs(struct map *m, const char *path, struct err *e)
{
	if (!foreign_is_lfs(m->data, m->size))
		return 0;
	map_close(m);
	return err_set(e, ERR_DATA, FOREIGN_LFS, path);
}

int
map_open(struct map *m, const char *path, struct err *e)
{
	struct stat st;
	*m = (struct map){.data = ""};
	int fd = file_open(path, &st, e);
	if (fd < 0)
		return -1;
	if (st.st_size == 0) {
		close(fd);
		return 0;
	}
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		int why = errno;
		close(fd);
		errno = why;
		return err_errno(e, ERR_IO, path);
	}
	*m = (struct map){.data = p,
		.size = (size_t)st.st_size,
		.mapped = true,
		.fd = fd,
		.place = enter((uintptr_t)p, (size_t)st.st_size),
		.path = x_strdup(path),
		.written = st.st_mtim};
	return refuse_lfs(m, path, e);
}

int
map_check(const struct map *m, struct err *e)
{
	struct stat st;
	if (!m->mapped)
		return 0;
	if (fstat(m->fd, &st) == 0 && (size_t)st.st_size == m->size &&
		st.st_mtim.tv_sec == m->written.tv_sec &&
		st.st_mtim.tv_nsec == m->written.tv_nsec) {
		if (m->place < 0 || !atomic_load(&maps[m->place].damaged))
			return 0;
		return err_set(e, ERR_IO, "%s: cannot be read", m->path);
	}
	return err_set(e, ERR_IO, "%s: was changed while it was in use", m->path);
}

void
map_close(struct map *m)
{
	if (m->mapped) {
		leave(m->place);
		munmap((void *)m->data, m->size);
		close(m->fd);
		free(m->path);
	}
	*m = (struct map){.data = ""};
}

int
map_finish(struct map *m, int rc, struct err *e)
{
	if (map_check(m, e) < 0)
		rc = -1;
	map_close(m);
	return rc;
}
