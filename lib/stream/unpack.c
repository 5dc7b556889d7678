#include "lib/stream/unpack.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "lib/base/mem.h"

/*
 * The largest window that is taken, as zstd --long=31 writes (data sets of whole sites have it);
 * the library's own limit is 27.  Memory is had only as a frame asks for it.
 */
enum { WINDOW_LOG = sizeof(size_t) > 4 ? 31 : 30 };

void
unpack_init(struct unpack *u, int fd)
{
	u->fd = fd;
	u->kind = UNPACK_UNKNOWN;
	u->done = 0;
	u->raw_eof = u->between = u->pending = u->z_open = false;
	u->at = u->n = 0;
	u->z = (z_stream){.zalloc = x_zalloc, .zfree = x_zfree};
	u->zstd = NULL;
}

void
unpack_free(struct unpack *u)
{
	if (u->z_open)
		inflateEnd(&u->z);
	ZSTD_freeDCtx(u->zstd);
	u->z_open = false;
	u->zstd = NULL;
}

static int64_t
read_some(struct unpack *u, void *p, size_t n, struct err *e)
{
	ssize_t got = read(u->fd, p, n);
	if (got < 0 && errno == EINTR)
		return err_set(e, ERR_TEMPFAIL, "interrupted");
	if (got < 0)
		return err_set(e, errno == ENOMEM ? ERR_NOMEM : ERR_IO, "%s", strerror(errno));
	u->done += got;
	return got;
}

/* More bytes behind those that wait in raw. */
static int
fill_raw(struct unpack *u, struct err *e)
{
	memmove(u->raw, u->raw + u->at, u->n - u->at);
	u->n -= u->at;
	u->at = 0;
	int64_t got = read_some(u, u->raw + u->n, sizeof u->raw - u->n, e);
	if (got < 0)
		return -1;
	u->n += (size_t)got;
	u->raw_eof = got == 0;
	return 0;
}

static bool
begins(const struct unpack *u, const char *magic, size_t n)
{
	size_t have = u->n - u->at;
	return memcmp(u->raw + u->at, magic, have < n ? have : n) == 0;
}

/* A zstd frame, or a skippable one (RFC 8878, 3.1.1 and 3.1.2): as far as bytes are there. */
static bool
begins_zstd(const struct unpack *u)
{
	if (begins(u, "\x28\xb5\x2f\xfd", 4))
		return true;
	const unsigned char *p = u->raw + u->at;
	size_t have = u->n - u->at;
	return (have < 1 || (*p & 0xf0) == 0x50) &&
	       (have < 2 || memcmp(p + 1, "\x2a\x4d\x18", (have < 4 ? have : 4) - 1) == 0);
}

static int
start(struct unpack *u, enum unpack_kind kind, struct err *e)
{
	u->kind = kind;
	if (kind == UNPACK_GZIP) {
		if (inflateInit2(&u->z, 16 + MAX_WBITS) != Z_OK)
			return err_set(e, ERR_NOMEM, "out of memory");
		u->z_open = true;
	} else if (kind == UNPACK_ZSTD) {
		u->zstd = ZSTD_createDCtx();
		if (u->zstd == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG);
	}
	return 0;
}

/* Reads no further than it must to know what it is. */
static int
detect(struct unpack *u, struct err *e)
{
	for (;;) {
		size_t have = u->n - u->at;
		bool gzip = begins(u, "\x1f\x8b", 2), zstd = begins_zstd(u);
		if (have >= 2 && gzip)
			return start(u, UNPACK_GZIP, e);
		if (have >= 4 && zstd)
			return start(u, UNPACK_ZSTD, e);
		if (u->raw_eof || (have > 0 && !gzip && !zstd))
			return start(u, UNPACK_PLAIN, e);
		if (fill_raw(u, e) < 0)
			return -1;
	}
}

static int64_t
read_plain(struct unpack *u, void *p, size_t n, bool *eof, struct err *e)
{
	size_t have = u->n - u->at;
	if (have > 0) { /* what detect read */
		size_t take = have < n ? have : n;
		memcpy(p, u->raw + u->at, take);
		u->at += take;
		return (int64_t)take;
	}
	int64_t got = u->raw_eof ? 0 : read_some(u, p, n, e);
	*eof = got == 0;
	return got;
}

/* Behind a gzip member: zeros are padding (as gzip(1) takes them), anything else starts another.
 * 1: there is one, 0: at the end. */
static int
next_member(struct unpack *u, struct err *e)
{
	for (;;) {
		while (u->at < u->n && u->raw[u->at] == 0)
			u->at++;
		if (u->at < u->n) {
			u->between = false;
			return inflateReset(&u->z) == Z_OK ? 1 : err_set(e, ERR_SOFTWARE, "zlib");
		}
		if (u->raw_eof)
			return 0;
		if (fill_raw(u, e) < 0)
			return -1;
	}
}

static int64_t
read_gzip(struct unpack *u, void *p, size_t n, struct err *e)
{
	u->z.next_in = u->raw + u->at;
	u->z.avail_in = (uInt)(u->n - u->at);
	u->z.next_out = p;
	u->z.avail_out = (uInt)n;
	int rc = inflate(&u->z, Z_NO_FLUSH);
	u->at = u->n - u->z.avail_in;
	u->pending = u->z.avail_out == 0;
	u->between = rc == Z_STREAM_END;
	if (rc == Z_MEM_ERROR)
		return err_set(e, ERR_NOMEM, "out of memory");
	bool bad = rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END;
	if (bad && u->z.avail_out == n) /* else what is whole first; the next call says it again */
		return err_set(e, ERR_DATA, "broken gzip: %s", u->z.msg ? u->z.msg : "no data");
	return (int64_t)(n - u->z.avail_out);
}

static int64_t
read_zstd(struct unpack *u, void *p, size_t n, struct err *e)
{
	ZSTD_inBuffer in = {u->raw + u->at, u->n - u->at, 0};
	ZSTD_outBuffer out = {p, n, 0};
	size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
	u->at += in.pos;
	u->pending = out.pos == n;
	u->between = rc == 0;
	if (!ZSTD_isError(rc))
		return (int64_t)out.pos;
	if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
		return err_set(e, ERR_NOMEM, "out of memory");
	return err_set(e, ERR_DATA, "broken zstd: %s", ZSTD_getErrorName(rc));
}

int64_t
unpack_read(struct unpack *u, void *p, size_t n, bool *eof, struct err *e)
{
	*eof = false;
	if (n > INT32_MAX)
		n = INT32_MAX; /* zlib counts in 32 bits */
	if (u->kind == UNPACK_UNKNOWN && detect(u, e) < 0)
		return -1;
	if (u->kind == UNPACK_PLAIN)
		return read_plain(u, p, n, eof, e);
	bool gzip = u->kind == UNPACK_GZIP;
	if (u->between && gzip) {
		int rc = next_member(u, e);
		*eof = rc == 0;
		if (rc <= 0)
			return rc;
	}
	/* what waits inside comes out before more is asked for */
	if (u->at == u->n && !u->raw_eof && !(u->pending && !u->between) && fill_raw(u, e) < 0)
		return -1;
	if (u->at == u->n && u->raw_eof && u->between) {
		*eof = true;
		return 0;
	}
	int64_t got = gzip ? read_gzip(u, p, n, e) : read_zstd(u, p, n, e);
	if (got == 0 && u->at == u->n && u->raw_eof && !u->between)
		return err_set(e, ERR_DATA, "truncated %s", gzip ? "gzip" : "zstd");
	return got;
}

bool
unpack_ready(const struct unpack *u)
{
	struct pollfd p = {.fd = u->fd, .events = POLLIN};
	return u->at < u->n || u->raw_eof || (u->pending && !u->between) || poll(&p, 1, 0) != 0;
}
