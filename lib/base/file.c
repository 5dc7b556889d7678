#include "lib/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/base/foreign.h"
#include "lib/base/leftover.h"

int
file_open(const char *path, struct stat *st, struct err *e)
{
	/* O_NONBLOCK: a FIFO's open would wait for a writer */
	int fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	if (fd < 0)
		return err_errno(e, ERR_NOINPUT, path);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	bool dir = S_ISDIR(st->st_mode);
	close(fd);
	return err_set(
		e, ERR_NOINPUT, "%s: %s", path, dir ? "is a directory" : "not a regular file");
}

ssize_t
fd_read(int fd, void *p, size_t n)
{
	size_t done = 0;
	while (done < n) {
		ssize_t got = read(fd, (char *)p + done, n - done);
		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			break;
		done += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)done;
}

int
fd_write(int fd, const void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = write(fd, (const char *)p + done, n - done);
		if (got < 0 && errno != EINTR)
			return -1;
		done += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int
file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
	enum { BLOCK = 1 << 16 };
	struct stat st;
	int fd = file_open(path, &st, e);
	if (fd < 0)
		return -1;
	size_t start = out->len;
	ssize_t n;
	do {
		buf_reserve(out, BLOCK);
		n = fd_read(fd, out->data + out->len, BLOCK);
		out->len += n > 0 ? (size_t)n : 0;
		out->data[out->len] = '\0';
	} while (n > 0 && out->len - start <= max);
	int why = errno;
	close(fd);
	errno = why;
	if (n < 0)
		return err_errno(e, ERR_IO, path);
	if (out->len - start > max)
		return err_set(e, ERR_DATA, "%s: larger than %zu bytes", path, max);
	if (foreign_is_lfs(out->data + start, out->len - start))
		return err_set(e, ERR_DATA, FOREIGN_LFS, path);
	return 0;
}

int
file_exists(const char *path)
{
	struct stat st;
	/* whatever else may be wrong (EACCES, EIO) is no absence: opening it will tell */
	return lstat(path, &st) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
}

bool
file_is(const char *path, const struct stat *st)
{
	struct stat x;
	return stat(path, &x) == 0 && x.st_dev == st->st_dev && x.st_ino == st->st_ino;
}

bool
file_same(const char *a, const char *b)
{
	struct stat st;
	return stat(b, &st) == 0 && file_is(a, &st);
}

const char *
path_join(struct buf *out, const char *dir, const char *name)
{
	buf_reset(out);
	buf_printf(out, "%s/%s", dir, name);
	return out->data;
}

DIR *
dir_open(const char *path)
{
	DIR *d = opendir(path);
	if (d == NULL && errno == ENOMEM)
		mem_fail();
	return d;
}

int
dir_make(const char *path, struct err *e)
{
	char *p = x_strdup(path);
	for (char *s = p + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		if (mkdir(p, 0777) == 0) /* the last one tells */
			sync_parent(p);
		*s = '/';
	}
	int rc = 0;
	struct stat st;
	if (mkdir(p, 0777) == 0)
		rc = sync_parent(p) < 0 ? err_errno(e, ERR_IO, path) : 0;
	else if (errno != EEXIST || stat(p, &st) < 0 || !S_ISDIR(st.st_mode))
		rc = err_errno(e, ERR_CANTCREAT, path);
	free(p);
	return rc;
}

int
dir_remove(const char *path, struct err *e)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode)) {
		DIR *d = dir_open(path);
		if (d == NULL)
			return err_errno(e, ERR_IO, path);
		int rc = 0;
		struct buf b = BUF_INIT;
		for (struct dirent *de; rc == 0 && (de = readdir(d));)
			if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
				rc = dir_remove(path_join(&b, path, de->d_name), e);
		buf_free(&b);
		closedir(d);
		if (rc < 0)
			return rc;
	}
	if (remove(path) < 0)
		return err_errno(e, ERR_IO, path);
	return 0;
}

int
file_copy(const char *from, const char *to, struct err *e)
{
	struct map m;
	if (map_open(&m, from, e) < 0)
		return -1;
	int rc = file_write(to, m.data, m.size, e);
	map_close(&m);
	return rc;
}

static ssize_t
put(void *cookie, const char *p, size_t n)
{
	return fd_write((int)(intptr_t)cookie, p, n) < 0 ? 0 : (ssize_t)n;
}

/* stdio's own would lose what it has when a signal comes between. */
static FILE *
out_stream(int fd)
{
	enum { BLOCK = 64 << 10 };
	FILE *f = fopencookie((void *)(intptr_t)fd, "w", (cookie_io_functions_t){.write = put});
	if (f)
		setvbuf(f, NULL, _IOFBF, BLOCK);
	return f;
}

/* Where the file that is to be replaced really is: links stay. */
static char *
target_of(const char *path, const struct stat *st)
{
	char real[PATH_MAX];
	return x_strdup(S_ISREG(st->st_mode) && realpath(path, real) ? real : path);
}

int
out_open(struct out *o, const char *path, struct err *e)
{
	struct stat st = {.st_mode = 0};
	struct buf tmp = BUF_INIT;
	bool there = stat(path, &st) == 0, direct = there && !S_ISREG(st.st_mode);
	*o = (struct out){.path = target_of(path, &st)};
	if (!direct) {
		leftover_sweep(o->path);
		leftover_name(&tmp, o->path, "tmp");
	}
	int flags = direct ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
	o->tmp = tmp.data;
	o->fd = TEMP_FAILURE_RETRY(open(direct ? o->path : o->tmp, flags, 0666));
	if (o->fd >= 0 && !direct)
		leftover_hold(o->fd);
	o->f = o->fd < 0 ? NULL : out_stream(o->fd);
	if (o->f)
		return 0;
	int why = errno;
	out_abort(o);
	errno = why;
	return err_errno(e, ERR_CANTCREAT, path);
}

int
out_write(struct out *o, const void *p, size_t n, struct err *e)
{
	if (n > 0 && fwrite(p, 1, n, o->f) != n)
		return err_errno(e, ERR_IO, o->path);
	return 0;
}

int
fd_sync(int fd)
{
	int rc = TEMP_FAILURE_RETRY(fsync(fd));
	return rc < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
}

int
sync_parent(const char *path)
{
	char *copy = x_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0) /* one may make files where one may not look */
		return errno == EACCES ? 0 : -1;
	int rc = fd_sync(fd), why = errno;
	close(fd);
	errno = why;
	return rc;
}

int
out_commit(struct out *o, struct err *e)
{
	errno = 0;
	int bad = ferror(o->f) || fflush(o->f) == EOF, why = errno;
	if (!bad && o->tmp && TEMP_FAILURE_RETRY(fsync(o->fd)) < 0)
		bad = 1, why = errno;
	/* under its name before the descriptor, and with it the lock, is gone */
	if (!bad && o->tmp && rename(o->tmp, o->path) < 0)
		bad = 1, why = errno;
	if (!bad)
		X_FREE(o->tmp);
	fclose(o->f);
	o->f = NULL;
	if (close(o->fd) < 0 && errno != EINTR && !bad)
		bad = 1, why = errno;
	o->fd = -1;
	if (!bad && sync_parent(o->path) < 0)
		bad = 1, why = errno;
	errno = why;
	int rc = bad ? err_errno(e, ERR_IO, o->path) : 0;
	out_abort(o);
	return rc;
}

void
out_abort(struct out *o)
{
	if (o->f)
		fclose(o->f);
	if (o->fd > STDERR_FILENO) /* 0: never opened */
		close(o->fd);
	if (o->tmp)
		remove(o->tmp);
	o->f = NULL;
	o->fd = -1;
	X_FREE(o->path);
	X_FREE(o->tmp);
}

int
file_write(const char *path, const void *p, size_t n, struct err *e)
{
	struct out o;
	int rc = out_open(&o, path, e);
	if (rc == 0) {
		rc = out_write(&o, p, n, e);
		if (rc == 0)
			rc = out_commit(&o, e);
		else
			out_abort(&o);
	}
	return rc;
}

/* `to` is in its place: what fails behind that is told apart. */
static int
whole(const char *to, struct err *e)
{
	return err_prefix(e, "%s is whole, but", to);
}

int
dir_publish(const char *tmp, const char *to, struct err *e)
{
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, to, RENAME_NOREPLACE) < 0) {
		/* where the file system has no such flag (renameat2(2)) */
		if (errno != EINVAL || file_exists(to) || rename(tmp, to) < 0) {
			int code = errno == EEXIST || errno == EINVAL ? ERR_CANTCREAT : ERR_IO;
			return err_errno(e, code, to);
		}
	}
	if (sync_parent(to) < 0)
		return err_errno(e, ERR_IO, "the disk"), whole(to, e);
	return 0;
}

int
dir_replace(const char *tmp, const char *to, struct err *e)
{
	if (!file_exists(to))
		return dir_publish(tmp, to, e);
	/* Exchanged in one step, so that a crash leaves one or the other under the name; where the
	 * file system cannot, moved aside first. */
	struct buf old = BUF_INIT;
	int rc = 0;
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, to, RENAME_EXCHANGE) == 0) {
		buf_puts(&old, tmp);
	} else {
		leftover_name(&old, to, "old");
		if (rename(to, old.data) < 0) {
			rc = err_errno(e, ERR_IO, to);
		} else if (rename(tmp, to) < 0) {
			rc = err_errno(e, ERR_IO, to);
			if (rename(old.data, to) < 0)
				err_prefix(e, "what was there is in %s", old.data);
		}
	}
	if (rc == 0 && sync_parent(to) < 0)
		rc = err_errno(e, ERR_IO, "the disk"), whole(to, e);
	if (rc == 0 && dir_remove(old.data, e) < 0)
		rc = whole(to, e);
	buf_free(&old);
	return rc;
}

void
sha256_init(struct sha256 *s)
{
	s->ctx = EVP_MD_CTX_new();
	int ok = s->ctx && EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL);
	assert(ok);
	(void)ok;
}

void
sha256_add(struct sha256 *s, const void *p, size_t n)
{
	int ok = EVP_DigestUpdate(s->ctx, p, n);
	assert(ok);
	(void)ok;
}

void
sha256_hex(struct sha256 *s, char hex[65])
{
	unsigned char d[32];
	int ok = EVP_DigestFinal_ex(s->ctx, d, NULL);
	assert(ok);
	(void)ok;
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", d[i]);
	EVP_MD_CTX_free(s->ctx);
	s->ctx = NULL;
}
