#include "lib/stream/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

enum { CHUNK = 64 << 10, MAX_LINE = 256 << 20 };

enum gzip_state { GZIP_UNKNOWN, GZIP_NONE, GZIP_MEMBER, GZIP_BETWEEN };

struct input {
	const char *const *files;
	int n_files, next_file;
	const char *name;
	int64_t lineno, lines; /* of this file, of all */
	int64_t done, total;   /* bytes on the disk */
	int fd;                /* -1: none open */
	bool eof;              /* of the open file, decompressed */

	struct err late; /* what input_ready met: the next fill fails by it */
	struct buf data; /* bytes [pos, data.len) are ready */
	size_t pos;

	enum gzip_state gzip;
	z_stream z;
	bool z_open;
	unsigned char raw[CHUNK]; /* compressed bytes; before that the first two of a file */
	bool raw_eof;
};

static bool
is_stdin(const struct input *in, int i)
{
	return in->n_files == 0 || strcmp(in->files[i], "-") == 0;
}

/* Bytes of all inputs that are still to be read; -1 when one of them is no regular file. */
static int64_t
sum_sizes(const struct input *in)
{
	int64_t sum = 0;
	for (int i = 0; i == 0 || i < in->n_files; i++) {
		struct stat st;
		bool piped = is_stdin(in, i);
		if ((piped ? fstat(STDIN_FILENO, &st) : stat(in->files[i], &st)) < 0 ||
			!S_ISREG(st.st_mode))
			return -1;
		off_t at = piped ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;
		sum += at > 0 && at <= st.st_size ? st.st_size - at : st.st_size;
	}
	return sum;
}

struct input *
input_open(const char *const *files, int n)
{
	struct input *in = x_calloc(1, sizeof *in);
	in->files = files;
	in->n_files = n;
	in->fd = -1;
	in->name = "stdin";
	in->total = sum_sizes(in);
	return in;
}

static void
close_file(struct input *in)
{
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
	if (in->z_open)
		inflateEnd(&in->z);
	in->z_open = false;
}

/* 1: the next file is open, 0: there is none. */
static int
open_next(struct input *in, struct err *e)
{
	int i = in->next_file, n = in->n_files > 0 ? in->n_files : 1;
	struct stat st;
	close_file(in);
	if (i >= n)
		return 0;
	in->next_file++;
	in->name = is_stdin(in, i) ? "stdin" : in->files[i];
	in->lineno = 0;
	in->eof = in->raw_eof = false;
	in->gzip = GZIP_UNKNOWN;
	in->z = (z_stream){.next_in = in->raw, .zalloc = x_zalloc, .zfree = x_zfree};
	in->fd = is_stdin(in, i) ? STDIN_FILENO : open(in->name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return err_set(e, errno == EINTR ? ERR_TEMPFAIL : ERR_NOINPUT, "%s: %s", in->name,
			strerror(errno));
	if ((fcntl(in->fd, F_GETFL) & O_ACCMODE) == O_WRONLY) /* see base/streams.h */
		return err_set(e, ERR_NOINPUT, "%s: is closed", in->name);
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOINPUT, "%s: is a directory", in->name);
	return 1;
}

static int64_t
read_some(struct input *in, void *p, size_t n, struct err *e)
{
	ssize_t got = read(in->fd, p, n);
	if (got < 0 && errno == EINTR)
		return err_set(e, ERR_TEMPFAIL, "%s: interrupted", in->name);
	if (got < 0)
		return err_errno(e, ERR_IO, in->name);
	in->done += got;
	return got;
}

/* More bytes behind those that wait in raw. */
static int
fill_raw(struct input *in, struct err *e)
{
	size_t have = in->z.avail_in;
	memmove(in->raw, in->z.next_in, have);
	in->z.next_in = in->raw;
	int64_t got = read_some(in, in->raw + have, sizeof in->raw - have, e);
	if (got < 0)
		return -1;
	in->z.avail_in += (uInt)got;
	in->raw_eof = got == 0;
	return 0;
}

/* Tells gzip by its two bytes (RFC 1952); reads no further than it must to know. */
static int
detect(struct input *in, struct err *e)
{
	while (!in->raw_eof && (in->z.avail_in == 0 || (in->z.avail_in == 1 && in->raw[0] == 0x1f)))
		if (fill_raw(in, e) < 0)
			return -1;
	in->gzip = GZIP_NONE;
	if (in->z.avail_in >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b) {
		if (inflateInit2(&in->z, 16 + MAX_WBITS) != Z_OK)
			return err_set(e, ERR_SOFTWARE, "%s: zlib does not start", in->name);
		in->z_open = true;
		in->gzip = GZIP_MEMBER;
	}
	return 0;
}

/* Between members: zeros are padding (as gzip(1) takes them), anything else starts a member. */
static int
next_member(struct input *in, struct err *e)
{
	for (;;) {
		while (in->z.avail_in > 0 && *in->z.next_in == 0)
			in->z.next_in++, in->z.avail_in--;
		if (in->z.avail_in > 0) {
			in->gzip = GZIP_MEMBER;
			return inflateReset(&in->z) == Z_OK
				       ? 0
				       : err_set(e, ERR_SOFTWARE, "%s: zlib", in->name);
		}
		if (in->raw_eof) {
			in->eof = true;
			return 0;
		}
		if (fill_raw(in, e) < 0)
			return -1;
	}
}

static int
unpack(struct input *in, struct err *e)
{
	if (in->gzip == GZIP_BETWEEN && (next_member(in, e) < 0 || in->eof))
		return in->eof ? 0 : -1;
	if (in->z.avail_in == 0 && !in->raw_eof && fill_raw(in, e) < 0)
		return -1;
	if (in->z.avail_in == 0 && in->raw_eof)
		return err_set(e, ERR_DATA, "%s:%lld: truncated gzip", in->name,
			(long long)in->lineno + 1);
	in->z.next_out = (unsigned char *)in->data.data + in->data.len;
	in->z.avail_out = CHUNK;
	int rc = inflate(&in->z, Z_NO_FLUSH);
	in->data.len += CHUNK - in->z.avail_out;
	if (rc == Z_STREAM_END)
		in->gzip = GZIP_BETWEEN;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(e, ERR_DATA, "%s:%lld: broken gzip: %s", in->name,
			(long long)in->lineno + 1, in->z.msg ? in->z.msg : "no data");
	return 0;
}

/* Some more bytes of the open file into data, or eof. */
static int
fill(struct input *in, struct err *e)
{
	if (in->late.code) {
		*e = in->late;
		in->late.code = 0;
		return -1;
	}
	if (in->pos > 0) {
		memmove(in->data.data, in->data.data + in->pos, in->data.len - in->pos);
		in->data.len -= in->pos;
		in->pos = 0;
	}
	buf_reserve(&in->data, CHUNK);
	if (in->gzip == GZIP_UNKNOWN && detect(in, e) < 0)
		return -1;
	if (in->gzip != GZIP_NONE)
		return unpack(in, e);
	if (in->z.avail_in > 0) { /* what detect read */
		buf_put(&in->data, in->z.next_in, in->z.avail_in);
		in->z.avail_in = 0;
		return 0;
	}
	int64_t got = in->raw_eof ? 0 : read_some(in, in->data.data + in->data.len, CHUNK, e);
	if (got < 0)
		return -1;
	in->data.len += (size_t)got;
	in->eof = got == 0;
	return 0;
}

/* Stands on a byte: 1; at the end of all files: 0. */
static int
ready(struct input *in, struct err *e)
{
	while (in->pos == in->data.len) {
		if (in->fd < 0 || in->eof) {
			int rc = open_next(in, e);
			if (rc <= 0)
				return rc;
		}
		if (fill(in, e) < 0)
			return -1;
	}
	return 1;
}

int
input_line(struct input *in, const char **line, size_t *n, struct err *e)
{
	int rc = ready(in, e);
	if (rc <= 0)
		return rc;
	size_t seen = 0;
	for (;;) {
		char *start = in->data.data + in->pos;
		size_t have = in->data.len - in->pos;
		char *nl = memchr(start + seen, '\n', have - seen);
		if (nl || in->eof) {
			*line = start;
			*n = nl ? (size_t)(nl - start) : have;
			in->pos += *n + (nl != NULL);
			in->lineno++;
			in->lines++;
			return 1;
		}
		if (have > MAX_LINE)
			return err_set(e, ERR_DATA, "%s:%lld: line longer than %d MiB", in->name,
				(long long)in->lineno + 1, MAX_LINE >> 20);
		seen = have;
		if (fill(in, e) < 0)
			return -1;
	}
}

/* read(2) on the open file would return at once. */
static bool
readable(const struct input *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};
	return in->z.avail_in > 0 || in->raw_eof || poll(&p, 1, 0) != 0;
}

int
input_ready(struct input *in)
{
	size_t seen = 0;
	while (in->fd >= 0 && !in->eof && in->late.code == 0) {
		size_t have = in->data.len - in->pos;
		if (have > MAX_LINE ||
			(have > seen && memchr(in->data.data + in->pos + seen, '\n', have - seen)))
			return 1;
		if (!readable(in))
			return 0;
		seen = have;
		if (fill(in, &in->late) < 0)
			break;
	}
	return 1;
}

int64_t
input_peek(struct input *in, const char **p, size_t n, struct err *e)
{
	int rc = ready(in, e);
	if (rc < 0)
		return -1;
	while (rc > 0 && in->data.len - in->pos < n && !in->eof)
		if (fill(in, e) < 0)
			return -1;
	size_t have = in->data.len - in->pos;
	*p = have ? in->data.data + in->pos : "";
	return (int64_t)(have < n ? have : n);
}

int
input_bytes(struct input *in, void *p, size_t n, struct err *e)
{
	int rc = ready(in, e);
	if (rc <= 0)
		return rc;
	for (size_t done = 0; done < n;) {
		size_t have = in->data.len - in->pos, take = have < n - done ? have : n - done;
		memcpy((char *)p + done, in->data.data + in->pos, take);
		in->pos += take;
		done += take;
		if (done == n)
			break;
		if (in->eof)
			return err_set(e, ERR_DATA, "truncated: %zu bytes missing", n - done);
		if (fill(in, e) < 0)
			return -1;
	}
	return 1;
}

const char *
input_file(const struct input *in)
{
	return in->name;
}

int64_t
input_lineno(const struct input *in)
{
	return in->lineno;
}

int64_t
input_lines(const struct input *in)
{
	return in->lines;
}

int64_t
input_bytes_done(const struct input *in)
{
	return in->done;
}

int64_t
input_bytes_total(const struct input *in)
{
	return in->total;
}

void
input_close(struct input *in)
{
	if (in == NULL)
		return;
	close_file(in);
	buf_free(&in->data);
	free(in);
}
