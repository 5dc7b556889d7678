#ifndef PRO_STREAM_UNPACK_H
#define PRO_STREAM_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include <zlib.h>

#include "lib/base/err.h"

/*
 * The bytes of an open file, unpacked when they are gzip (RFC 1952) or zstd (RFC 8878), which is
 * told by their first bytes.  Several gzip members or zstd frames after one another are one text;
 * zeros behind a gzip member and skippable zstd frames are passed over; checksums are checked.
 * Reads go straight to read(2), and no further than a caller's bytes ask for.
 */
enum unpack_kind { UNPACK_UNKNOWN, UNPACK_PLAIN, UNPACK_GZIP, UNPACK_ZSTD };

struct unpack {
	int fd; /* borrowed */
	enum unpack_kind kind;
	int64_t done; /* bytes read of the file */
	bool raw_eof;
	bool between; /* behind a whole member or frame */
	bool pending; /* the last call filled its room: there may be more inside */
	size_t at, n; /* raw[at..n) waits */
	z_stream z;
	bool z_open;
	struct ZSTD_DCtx_s *zstd;
	unsigned char raw[64 << 10];
};

void unpack_init(struct unpack *u, int fd);
void unpack_free(struct unpack *u);
/*
 * Up to n > 0 bytes into p: their number, which may be 0; *eof at the end.  -1, without the file's
 * name: ERR_TEMPFAIL (EINTR after a caught signal), ERR_IO, ERR_DATA (broken or cut short),
 * ERR_NOMEM.
 */
int64_t unpack_read(struct unpack *u, void *p, size_t n, bool *eof, struct err *e);
/* unpack_read would not wait for an upstream program. */
bool unpack_ready(const struct unpack *u);

#endif
