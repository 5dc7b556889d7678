/* The GGUF reader: what is in a file written here, and everything that can be wrong with one. */
#include "tests/unit/gguf_util.h"

/* A float is given as its bits. */
static void
write_sample(struct buf *b, int version)
{
	put_header(b, version, 2, 12);
	put_key(b, "general.alignment", GGUF_UINT32), put_int(b, 16, 4);
	put_key(b, "u8", GGUF_UINT8), put_int(b, 200, 1);
	put_key(b, "i8", GGUF_INT8), put_int(b, 0xff, 1);
	put_key(b, "i16", GGUF_INT16), put_int(b, 0x8000, 2);
	put_key(b, "u64", GGUF_UINT64), put_int(b, UINT64_MAX, 8);
	put_key(b, "i64", GGUF_INT64), put_int(b, (uint64_t)-5, 8);
	put_key(b, "f32", GGUF_FLOAT32), put_int(b, 0x40490fdb, 4);
	put_key(b, "f64", GGUF_FLOAT64), put_int(b, 0x4005bf0a8b145769, 8);
	put_key(b, "yes", GGUF_BOOL), put_int(b, 1, 1);
	put_key(b, "name", GGUF_STRING), put_string(b, "caf\xc3\xa9");
	put_key(b, "words", GGUF_ARRAY), put_int(b, GGUF_STRING, 4), put_int(b, 2, 8);
	put_string(b, ""), put_string(b, "two");
	put_key(b, "nested", GGUF_ARRAY), put_int(b, GGUF_ARRAY, 4), put_int(b, 2, 8);
	put_int(b, GGUF_INT32, 4), put_int(b, 1, 8), put_int(b, 7, 4);
	put_int(b, GGUF_STRING, 4), put_int(b, 1, 8), put_string(b, "x");
	put_info(b, "b.weight", 32, 3, GGML_Q8_0, 16);
	put_info(b, "a.weight", 4, 0, GGML_F32, 0);
	pad(b, 16);
	for (int i = 0; i < 16 + 3 * 34; i++)
		buf_putc(b, (char)i);
}

static void
values(void)
{
	for (int version = 2; version <= 3; version++) {
		struct buf b = BUF_INIT;
		struct gguf g;
		struct err e = {0};
		write_sample(&b, version);
		CHECK(gguf_parse(&g, b.data, b.len, "sample", &e) == 0);
		CHECK(g.version == (uint32_t)version && g.alignment == 16);
		CHECK(g.n_kv == 12 && g.n_tensors == 2);
		int64_t i;
		CHECK(gguf_int(&g, "u8", 0, 255, &i, &e) == 1 && i == 200);
		CHECK(gguf_int(&g, "i8", -9, 0, &i, &e) == 1 && i == -1);
		CHECK(gguf_int(&g, "i16", -40000, 0, &i, &e) == 1 && i == -32768);
		CHECK(gguf_int(&g, "i64", -9, 0, &i, &e) == 1 && i == -5);
		CHECK(gguf_int(&g, "u8", 0, 199, &i, &e) == -1 && e.code == ERR_DATA);
		CHECK_STR(e.msg, "u8: not within 0..199");
		CHECK(gguf_int(&g, "u64", INT64_MIN, INT64_MAX, &i, &e) == -1);
		CHECK(gguf_int(&g, "f32", 0, 9, &i, &e) == -1);
		CHECK(gguf_int(&g, "none", 0, 9, &i, &e) == 0);
		double x;
		CHECK(gguf_real(&g, "f32", &x, &e) == 1 && (float)x == 3.14159274f);
		CHECK(gguf_real(&g, "f64", &x, &e) == 1 && x == 2.718281828459045);
		CHECK(gguf_real(&g, "u8", &x, &e) == -1);
		bool yes = false;
		CHECK(gguf_bool(&g, "yes", &yes, &e) == 1 && yes);
		CHECK(gguf_bool(&g, "u8", &yes, &e) == -1);
		struct gguf_string s;
		CHECK(gguf_string(&g, "name", &s, &e) == 1 && s.n == 5);
		CHECK(gguf_string(&g, "words", &s, &e) == -1);
		const struct gguf_kv *kv;
		CHECK(gguf_array(&g, "nested", GGUF_STRING, &kv, &e) == -1);
		CHECK(gguf_array(&g, "words", GGUF_STRING, &kv, &e) == 1 && kv->count == 2);
		const unsigned char *cursor = kv->data;
		CHECK(gguf_next_string(&cursor).n == 0);
		s = gguf_next_string(&cursor);
		CHECK(s.n == 3 && memcmp(s.s, "two", 3) == 0);
		const struct gguf_tensor *t = gguf_tensor(&g, "b.weight");
		CHECK(t && t->rank == 2 && t->shape[0] == 3 && t->shape[1] == 32);
		CHECK(t && t->bytes == 102 && t->data[0] == 16 && t->type == GGML_Q8_0);
		t = gguf_tensor(&g, "a.weight");
		CHECK(t && t->rank == 1 && t->shape[0] == 4 && t->data[1] == 1);
		CHECK(gguf_tensor(&g, "c") == NULL);
		gguf_close(&g);
		buf_free(&b);
	}
}

/* Every prefix of a file fails, and nothing outside it is read (ASan sees the exact block). */
static void
truncated(void)
{
	struct buf b = BUF_INIT;
	write_sample(&b, 3);
	for (size_t n = 0; n < b.len; n++) {
		char *copy = malloc(n ? n : 1);
		memcpy(copy, b.data, n);
		struct gguf g;
		struct err e = {0};
		CHECK(gguf_parse(&g, copy, n, "cut", &e) == -1 && e.code == ERR_DATA);
		CHECK(strncmp(e.msg, "cut: ", 5) == 0);
		free(copy);
	}
	buf_free(&b);
}

/* Every byte set to some values: an error or not, but no access out of bounds, and what is accepted
 * lies within the file. */
static void
damaged(void)
{
	static const unsigned char with[] = {0, 1, 0x7f, 0x80, 0xff};
	struct buf b = BUF_INIT;
	write_sample(&b, 3);
	int accepted = 0;
	for (size_t i = 0; i < b.len; i++)
		for (size_t k = 0; k < sizeof with; k++) {
			char *copy = malloc(b.len);
			memcpy(copy, b.data, b.len);
			copy[i] = (char)with[k];
			struct gguf g;
			struct err e;
			if (gguf_parse(&g, copy, b.len, "bad", &e) == 0) {
				for (size_t t = 0; t < g.n_tensors; t++)
					CHECK((const char *)g.tensors[t].data +
							g.tensors[t].bytes <=
						copy + b.len);
				gguf_close(&g);
				accepted++;
			}
			free(copy);
		}
	CHECK(accepted > 0);
	buf_free(&b);
}

static void
refused(struct buf *b, int code, const char *why)
{
	struct gguf g;
	struct err e = {0};
	char *copy = malloc(b->len + 1); /* exactly as long as it says, for ASan */
	memcpy(copy, b->data, b->len);
	bool ok = gguf_parse(&g, copy, b->len, "f", &e) == 0;
	CHECK(!ok);
	if (ok)
		gguf_close(&g);
	else if (e.code != code || strstr(e.msg, why) == NULL) {
		printf("# %d: %s\n", e.code, e.msg);
		CHECK(e.code == code);
		CHECK(strstr(e.msg, why) != NULL);
	}
	free(copy);
	buf_free(b);
}

static void
hostile_metadata(void)
{
	struct buf b = BUF_INIT;
	buf_puts(&b, "GGML and more of it, for length");
	refused(&b, ERR_DATA, "not a GGUF file");
	put_header(&b, 1, 0, 0);
	refused(&b, ERR_DATA, "version 1");
	put_header(&b, 0x03000000, 0, 0);
	refused(&b, ERR_DATA, "big-endian");
	put_header(&b, 3, 0, UINT64_MAX / 2);
	refused(&b, ERR_DATA, "do not fit");
	put_header(&b, 3, UINT64_MAX, 0);
	refused(&b, ERR_DATA, "do not fit");
	put_header(&b, 3, 0, 1);
	put_int(&b, UINT64_MAX - 3, 8), buf_puts(&b, "key with a length that wraps around");
	refused(&b, ERR_DATA, "metadata entry 0");
	put_header(&b, 3, 0, 1);
	put_key(&b, "a\nb", GGUF_UINT8), put_int(&b, 1, 8);
	refused(&b, ERR_DATA, "not plain ASCII");
	put_header(&b, 3, 0, 1);
	put_key(&b, "k", GGUF_N_TYPES), put_int(&b, 1, 8);
	refused(&b, ERR_DATA, "k: unknown value type 13");
	put_header(&b, 3, 0, 1);
	put_key(&b, "k", GGUF_BOOL), put_int(&b, 2, 8);
	refused(&b, ERR_DATA, "neither 0 nor 1");
	put_header(&b, 3, 0, 1);
	put_key(&b, "k", GGUF_STRING), put_int(&b, UINT64_MAX, 8);
	refused(&b, ERR_DATA, "k: has a string that runs");
	put_header(&b, 3, 0, 1);
	put_key(&b, "k", GGUF_ARRAY), put_int(&b, GGUF_UINT64, 4),
		put_int(&b, UINT64_MAX / 8 + 2, 8);
	refused(&b, ERR_DATA, "k: runs over the end");
	put_header(&b, 3, 0, 1);
	put_key(&b, "k", GGUF_ARRAY), put_int(&b, 99, 4), put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "unknown element type 99");
	put_header(&b, 3, 0, 1);
	put_key(&b, "k", GGUF_ARRAY);
	for (int i = 0; i < 100000; i++)
		put_int(&b, GGUF_ARRAY, 4), put_int(&b, 1, 8);
	refused(&b, ERR_DATA, "nested too deep");
	put_header(&b, 3, 0, 2);
	put_key(&b, "twice", GGUF_UINT8), put_int(&b, 1, 1);
	put_key(&b, "twice", GGUF_UINT8), put_int(&b, 1, 1);
	refused(&b, ERR_DATA, "twice: there twice");
	put_header(&b, 3, 0, 1);
	put_key(&b, "general.alignment", GGUF_UINT32), put_int(&b, 24, 4);
	refused(&b, ERR_DATA, "not a power of two");
	put_header(&b, 3, 0, 1);
	put_key(&b, "general.alignment", GGUF_UINT32), put_int(&b, 0, 4);
	refused(&b, ERR_DATA, "general.alignment: not within");
}

static void
hostile_tensors(void)
{
	struct buf b = BUF_INIT;
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 4, 0, 4, 0), pad(&b, 32), put_int(&b, 0, 8), put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "tensor t: unknown tensor type 4");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 256, 0, 10, 0), pad(&b, 32), put_int(&b, 0, 8);
	refused(&b, ERR_CONFIG, "tensor t: type Q2_K is not supported");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 40, 0, GGML_Q8_0, 0), pad(&b, 32);
	refused(&b, ERR_DATA, "not whole Q8_0 blocks");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 0, 0, GGML_F32, 0), pad(&b, 32);
	refused(&b, ERR_DATA, "impossible dimensions");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 1ull << 40, 1ull << 40, GGML_F32, 0), pad(&b, 32);
	refused(&b, ERR_DATA, "impossible dimensions");
	put_header(&b, 3, 1, 0); /* 2^62 elements of 4 bytes: 2^64 bytes */
	put_info(&b, "t", 1ull << 31, 1ull << 31, GGML_F32, 0), pad(&b, 32);
	refused(&b, ERR_DATA, "impossible dimensions");
	put_header(&b, 3, 1, 0);
	put_string(&b, "t"), put_int(&b, 5, 4), put_int(&b, 1, 8), put_int(&b, 1, 8);
	put_int(&b, 1, 8);
	refused(&b, ERR_DATA, "5 dimensions");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 4, 0, GGML_F32, 8), pad(&b, 32), put_int(&b, 0, 8), put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "offset 8 is not a multiple of 32");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 4, 0, GGML_F32, 1ull << 63), pad(&b, 32), put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "run over the end of the file");
	put_header(&b, 3, 1, 0);
	put_info(&b, "t", 5, 0, GGML_F32, 0), pad(&b, 32), put_int(&b, 0, 8), put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "its 20 bytes at offset 0 run over");
	put_header(&b, 3, 2, 0);
	put_info(&b, "t", 4, 0, GGML_F32, 0), put_info(&b, "t", 4, 0, GGML_F32, 32), pad(&b, 32);
	for (int i = 0; i < 8; i++)
		put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "tensor t: there twice");
	put_header(&b, 3, 2, 0);
	put_info(&b, "s", 9, 0, GGML_F32, 0), put_info(&b, "t", 4, 0, GGML_F32, 32), pad(&b, 32);
	for (int i = 0; i < 8; i++)
		put_int(&b, 0, 8);
	refused(&b, ERR_DATA, "tensors s and t overlap");
	put_header(&b, 3, 1, 0);
	put_info(&b, "a-name-of-more-than-64-characters-a-name-of-more-than-64-characters", 4, 0,
		GGML_F32, 0);
	refused(&b, ERR_DATA, "tensor 0: the name");
}

static void
files(void)
{
	struct gguf g;
	struct err e = {0};
	CHECK(gguf_open(&g, "tests/golden/gguf/none.gguf", &e) == -1 && e.code == ERR_NOINPUT);
	CHECK(gguf_open(&g, "tests/golden/gguf/expect.json", &e) == -1 && e.code == ERR_DATA);
	CHECK(gguf_open(&g, "/dev/null", &e) == -1);
	CHECK(gguf_open(&g, "tests/golden/gguf/neox.gguf", &e) == 0);
	CHECK(g.version == 3 && g.n_tensors == 28 && g.alignment == 32);
	gguf_close(&g);
}

int
main(void)
{
	RUN(values);
	RUN(truncated);
	RUN(damaged);
	RUN(hostile_metadata);
	RUN(hostile_tensors);
	RUN(files);
	TEST_END;
}
