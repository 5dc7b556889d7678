#ifndef PRO_TESTS_GGUF_UTIL_H
#define PRO_TESTS_GGUF_UTIL_H

#include "lib/model/gguf.h"
#include "tests/test.h"

/* Writing GGUF, piece by piece. */
static inline void
put_int(struct buf *b, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_putc(b, (char)(v >> 8 * i));
}

static inline void
put_string(struct buf *b, const char *s)
{
	put_int(b, strlen(s), 8);
	buf_puts(b, s);
}

static inline void
put_key(struct buf *b, const char *key, enum gguf_type type)
{
	put_string(b, key);
	put_int(b, type, 4);
}

static inline void
put_header(struct buf *b, int version, uint64_t tensors, uint64_t kvs)
{
	buf_puts(b, "GGUF");
	put_int(b, (uint64_t)version, 4);
	put_int(b, tensors, 8);
	put_int(b, kvs, 8);
}

/* One-dimensional unless rows > 0. */
static inline void
put_info(struct buf *b, const char *name, uint64_t cols, uint64_t rows, unsigned type,
	uint64_t offset)
{
	put_string(b, name);
	put_int(b, rows ? 2 : 1, 4);
	put_int(b, cols, 8);
	if (rows)
		put_int(b, rows, 8);
	put_int(b, type, 4);
	put_int(b, offset, 8);
}

static inline void
pad(struct buf *b, size_t to)
{
	while (b->len % to)
		buf_putc(b, 0);
}

static char tmp[64];

static inline void
make_tmp(void)
{
	strcpy(tmp, "/tmp/pro-gguf-XXXXXX");
	if (mkdtemp(tmp) == NULL)
		abort();
}

static inline const char *
in_tmp(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", tmp, name);
	return path;
}

#endif
