#include "lib/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/base/foreign.h"

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
	return lstat(path, &st) == 0 || errno == EACCES || errno == ELOOP || errno == EIO;
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

int
dir_make(const char *path, struct err *e)
{
	char *p = x_strdup(path);
	for (char *s = p + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		mkdir(p, 0777); /* the last one tells */
		*s = '/';
	}
	int rc = 0;
	struct stat st;
	if (mkdir(p, 0777) < 0 && (errno != EEXIST || stat(p, &st) < 0 || !S_ISDIR(st.st_mode)))
		rc = err_set(e, ERR_CANTCREAT, "%s: %s", path, strerror(errno));
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
		DIR *d = opendir(path);
		if (d == NULL)
			return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
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
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
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

int
out_open(struct out *o, const char *path, struct err *e)
{
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s.tmp%ld", path, (long)getpid());
	*o = (struct out){.path = x_strdup(path), .tmp = b.data};
	o->f = fopen(o->tmp, "wbe");
	if (o->f == NULL) {
		int why = errno;
		X_FREE(o->path);
		X_FREE(o->tmp);
		return err_set(e, ERR_CANTCREAT, "%s: %s", path, strerror(why));
	}
	return 0;
}

int
out_write(struct out *o, const void *p, size_t n, struct err *e)
{
	if (n > 0 && fwrite(p, 1, n, o->f) != n)
		return err_set(e, ERR_IO, "%s: %s", o->path, strerror(errno));
	return 0;
}

static int
sync_parent(const char *path)
{
	char *copy = x_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close(fd);
	return rc < 0 && errno != EINVAL ? -1 : 0; /* some file systems cannot fsync a directory */
}

int
out_commit(struct out *o, struct err *e)
{
	errno = 0;
	int bad = ferror(o->f) || fflush(o->f) == EOF || fsync(fileno(o->f)) < 0;
	int why = errno;
	if (fclose(o->f) == EOF && !bad)
		bad = 1, why = errno;
	o->f = NULL;
	if (!bad && (rename(o->tmp, o->path) < 0 || sync_parent(o->path) < 0))
		bad = 1, why = errno;
	int rc = bad ? err_set(e, ERR_IO, "%s: %s", o->path, strerror(why ? why : EIO)) : 0;
	if (bad)
		remove(o->tmp);
	X_FREE(o->path);
	X_FREE(o->tmp);
	return rc;
}

void
out_abort(struct out *o)
{
	if (o->f)
		fclose(o->f);
	if (o->tmp)
		remove(o->tmp);
	o->f = NULL;
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

int
dir_replace(const char *tmp, const char *to, struct err *e)
{
	if (!file_exists(to)) {
		if (rename(tmp, to) < 0 || sync_parent(to) < 0)
			return err_set(e, ERR_IO, "%s: %s", to, strerror(errno));
		return 0;
	}
	/* Exchanged in one step, so that a crash leaves one or the other under the name; where the
	 * file system cannot, moved aside first. */
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, to, RENAME_EXCHANGE) == 0) {
		if (sync_parent(to) < 0)
			return err_set(e, ERR_IO, "%s: %s", to, strerror(errno));
		return dir_remove(tmp, e);
	}
	struct buf old = BUF_INIT;
	buf_printf(&old, "%s.old%ld", to, (long)getpid());
	int rc = 0;
	if (rename(to, old.data) < 0 || rename(tmp, to) < 0 || sync_parent(to) < 0)
		rc = err_set(e, ERR_IO, "%s: %s", to, strerror(errno));
	else
		rc = dir_remove(old.data, e);
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
