#include "lib/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/base/foreign.h"

static int
refuse_lfs(const char *path, const char *data, size_t n, struct err *e)
{
	if (!foreign_is_lfs(data, n))
		return 0;
	return err_set(e, ERR_DATA,
		"%s: a Git LFS pointer, not the file itself; fetch it with git lfs pull", path);
}

int
map_open(struct map *m, const char *path, struct err *e)
{
	*m = (struct map){.data = ""};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_NOINPUT, "%s: %s", path, strerror(errno));
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, ERR_NOINPUT, "%s: not a regular file", path);
	}
	if (st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED) {
			int why = errno;
			close(fd);
			errno = why;
			return err_errno(e, ERR_IO, path);
		}
		*m = (struct map){p, (size_t)st.st_size, 1};
	}
	close(fd);
	if (refuse_lfs(path, m->data, m->size, e) == 0)
		return 0;
	map_close(m);
	return -1;
}

void
map_close(struct map *m)
{
	if (m->mapped)
		munmap((void *)m->data, m->size);
	*m = (struct map){.data = ""};
}

int
file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return err_set(e, ERR_NOINPUT, "%s: %s", path, strerror(errno));
	size_t start = out->len, n;
	do {
		buf_reserve(out, 1 << 16);
		n = fread(out->data + out->len, 1, 1 << 16, f);
		out->len += n;
		out->data[out->len] = '\0';
	} while (n > 0 && out->len - start <= max);
	int bad = ferror(f);
	fclose(f);
	if (bad)
		return err_set(e, ERR_IO, "%s: read error", path);
	if (out->len - start > max)
		return err_set(e, ERR_DATA, "%s: larger than %zu bytes", path, max);
	return refuse_lfs(path, out->data + start, out->len - start, e);
}

int
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
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
