#include "lib/stream/safetensors.h"

#include "tests/test.h"

/* An image with this header and n bytes of data, in memory of its exact size. */
static char *
image(const char *header, size_t n_data, size_t *size)
{
	size_t h = strlen(header);
	*size = 8 + h + n_data;
	char *p = calloc(1, *size);
	for (int i = 0; i < 8; i++)
		p[i] = (char)(h >> 8 * i);
	memcpy(p + 8, header, h);
	for (size_t i = 0; i < n_data; i++)
		p[8 + h + i] = (char)i;
	return p;
}

/* Parses; the message, or "" when it is accepted. */
static const char *
verdict(const char *header, size_t n_data)
{
	static struct err e;
	struct st_image s;
	size_t size, used = 0;
	char *p = image(header, n_data, &size);
	e = (struct err){0};
	int rc = st_parse(&s, p, size, &used, "f", &e);
	CHECK((rc < 0) == (e.code == ERR_DATA));
	if (rc == 0)
		CHECK(used <= size);
	st_image_free(&s);
	free(p);
	return e.msg;
}

static void
test_write_then_parse(void)
{
	struct err e = {0};
	char *bytes = NULL, hex[65], again[65];
	size_t n = 0, used;
	FILE *f = open_memstream(&bytes, &n);
	struct st_writer w;
	struct sha256 sha;
	sha256_init(&sha);
	st_writer_init(&w, f);
	w.sha = &sha;
	const char *meta[] = {"id", "x \"1\"\n", "k", ""};
	st_writer_meta(&w, meta, 2);
	double d[2] = {1.5, -2};
	int32_t i32[3] = {1, -2, 3};
	st_writer_describe(&w, "wide", ST_F64, (int64_t[]){2}, 1);
	st_writer_describe(&w, "a", ST_I32, (int64_t[]){3, 1}, 2);
	st_writer_describe(&w, "none", ST_F32, (int64_t[]){0, 7}, 2);
	st_writer_describe(&w, "scalar", ST_U8, NULL, 0);
	CHECK(st_writer_data(&w, d, 5, &e) == 0); /* in any cutting */
	CHECK(st_writer_data(&w, (char *)d + 5, 11, &e) == 0);
	CHECK(st_writer_data(&w, i32, sizeof i32, &e) == 0);
	CHECK(st_writer_data(&w, "\7", 1, &e) == 0);
	CHECK(st_writer_finish(&w, &e) == 0);
	sha256_hex(&sha, hex);
	fclose(f);

	sha256_init(&sha);
	sha256_add(&sha, bytes, n);
	sha256_hex(&sha, again);
	CHECK_STR(hex, again);
	struct st_image s;
	CHECK(st_parse(&s, bytes, n, &used, "m", &e) == 0);
	CHECK(used == n && s.n == 4 && s.n_meta == 2);
	CHECK_STR(st_meta(&s, "id"), "x \"1\"\n");
	CHECK(st_meta(&s, "none") == NULL && st_find(&s, "wid") == NULL);
	const struct st_tensor *t = st_find(&s, "wide");
	CHECK(t && t->dtype == ST_F64 && t->rank == 1 && t->shape[0] == 2 && t->bytes == 16);
	CHECK(memcmp(t->data, d, 16) == 0 && (size_t)((const char *)t->data - bytes) % 8 == 0);
	t = st_find(&s, "a");
	CHECK(t && t->rank == 2 && t->shape[1] == 1 && memcmp(t->data, i32, 12) == 0);
	CHECK(st_find(&s, "none")->bytes == 0);
	CHECK(st_find(&s, "scalar")->rank == 0 && *(const char *)st_find(&s, "scalar")->data == 7);
	CHECK_STR(s.tensors[0].name, "a"); /* by name */
	st_image_free(&s);

	for (size_t cut = 0; cut < n; cut++) {
		char *p = malloc(cut + (cut == 0));
		memcpy(p, bytes, cut);
		CHECK(st_parse(&s, p, cut, &used, "m", &e) == -1 && e.code == ERR_DATA);
		free(p);
	}
	free(bytes);
}

static void
test_an_empty_image(void)
{
	struct err e = {0};
	char *bytes = NULL;
	size_t n = 0, used;
	FILE *f = open_memstream(&bytes, &n);
	struct st_writer w;
	struct st_image s;
	st_writer_init(&w, f);
	CHECK(st_writer_finish(&w, &e) == 0);
	fclose(f);
	CHECK(st_parse(&s, bytes, n, &used, "m", &e) == 0 && s.n == 0 && used == n);
	CHECK(st_find(&s, "x") == NULL);
	st_image_free(&s);
	free(bytes);
}

#define T(dtype, shape, from, to) \
	"{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"

static void
test_hostile_headers(void)
{
	CHECK_STR(verdict("{\"a\":" T("F32", "2", 0, 8) "}", 8), "");
	CHECK_STR(verdict("{\"a\":" T("F32", "2", 0, 8) "}   ", 9), "");
	CHECK_STR(verdict("{\"a\":" T("F8_E9", "2", 0, 8) "}", 8), ""); /* not known: not judged */
	static const struct {
		const char *header, *why;
	} bad[] = {
		{"", "f: header: JSON: column 0: unexpected token near end of file"},
		{"[]", "f: header: not a JSON object"},
		{"{\"a\":1}", "f: tensor a: not an object"},
		{"{\"a\":{}}", "f: tensor a: no dtype"},
		{"{\"a\":{\"dtype\":3}}", "f: tensor a: no dtype"},
		{"{\"a\":{\"dtype\":\"F32\"}}", "f: tensor a: bad shape"},
		{"{\"a\":" T("F32", "-1", 0, 8) "}", "f: tensor a: bad shape"},
		{"{\"a\":" T("F32", "2.0", 0, 8) "}", "f: tensor a: bad shape"},
		{"{\"a\":" T("F32", "1,1,1,1,1,1,1,1,2", 0, 8) "}", "f: tensor a: bad shape"},
		{"{\"a\":" T("F32", "99999999999999999999", 0, 8) "}", "f: tensor a: bad shape"},
		{"{\"a\":" T("F32", "4294967296,4294967296,2", 0, 8) "}",
			"f: tensor a: shape too large"},
		{"{\"a\":" T("F32", "4611686018427387904", 0, 0) "}",
			"f: tensor a: 0 bytes do not fit its shape"},
		{"{\"a\":" T("F32", "2", 0, 7) "}", "f: tensor a: 7 bytes do not fit its shape"},
		{"{\"a\":" T("I8", "2", 0, 8) "}", "f: tensor a: 8 bytes do not fit its shape"},
		{"{\"a\":" T("F32", "2", 8, 0) "}", "f: tensor a: bad data_offsets"},
		{"{\"a\":" T("F32", "2", -8, 0) "}", "f: tensor a: bad data_offsets"},
		{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",
			"f: tensor a: bad data_offsets"},
		{"{\"a\":" T("F32", "2", 4, 12) "}", "f: tensor a: data_offsets leave a hole"},
		{"{\"a\":" T("F32", "1", 0, 4) ",\"b\":" T("F32", "1", 8, 12) "}",
			"f: tensor b: data_offsets leave a hole"},
		{"{\"a\":" T("F32", "2", 0, 8) ",\"b\":" T("F32", "2", 4, 12) "}",
			"f: tensor b: data_offsets overlap another tensor"},
		{"{\"a\":" T("F32", "1", 0, 4) ",\"b\":" T("F32", "1", 0, 4) "}",
			"f: tensor b: data_offsets overlap another tensor"},
		{"{\"a\":" T("F32", "4", 0, 16) "}",
			"f: truncated: 16 bytes of data, 12 are there"},
		{"{\"a\":" T("X", "4", 0, 9223372036854775807) "}",
			"f: truncated: 9223372036854775807 bytes of data, 12 are there"},
		{"{\"a\":" T("F32", "1", 0, 4) ",\"a\":" T("F32", "1", 4, 8) "}", "duplicate"},
		{"{\"__metadata__\":[]}", "f: __metadata__: not an object"},
		{"{\"__metadata__\":{\"k\":1}}", "f: __metadata__: k is not a string"},
		{"{\"a\":" T("F32", "1", 0, 4) "} x", "end of file expected"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *got = verdict(bad[i].header, 12);
		if (strncmp(bad[i].why, "f: ", 3) == 0)
			CHECK_STR(got, bad[i].why);
		else
			CHECK(strstr(got, bad[i].why) != NULL);
	}
}

static void
test_hostile_lengths(void)
{
	struct err e = {0};
	struct st_image s;
	size_t used;
	unsigned char p[16] = {0};
	CHECK(st_parse(&s, p, 7, &used, "f", &e) == -1 && e.code == ERR_DATA);
	memset(p, 0xff, 8);
	CHECK(st_parse(&s, p, 16, &used, "f", &e) == -1 && strstr(e.msg, "not safetensors"));
	memset(p, 0, 8);
	p[0] = 9; /* one more than there is */
	CHECK(st_parse(&s, p, 16, &used, "f", &e) == -1 && strstr(e.msg, "truncated: header"));
	p[0] = 0x01, p[1] = 0xe1, p[2] = 0xf5, p[3] = 0x05; /* 100 000 001 */
	CHECK(st_parse(&s, p, 16, &used, "f", &e) == -1 && strstr(e.msg, "not safetensors"));
}

static void
test_full_disk(void)
{
	struct err e = {0};
	FILE *f = fopen("/dev/full", "w");
	if (f == NULL)
		SKIP("no /dev/full");
	setvbuf(f, NULL, _IONBF, 0);
	struct st_writer w;
	st_writer_init(&w, f);
	st_writer_describe(&w, "a", ST_U8, (int64_t[]){1}, 1);
	CHECK(st_writer_data(&w, "x", 1, &e) == -1 && e.code == ERR_IO);
	st_writer_free(&w);
	fclose(f);
}

static void
test_a_real_model(void)
{
	struct err e = {0};
	struct map m;
	struct st_image s;
	size_t used;
	const char *path = shared_path("models/stories260K/model.safetensors");
	if (path == NULL)
		SKIP("no ../shared/models");
	CHECK(map_open(&m, path, &e) == 0);
	CHECK(st_parse(&s, m.data, m.size, &used, path, &e) == 0);
	CHECK(used == m.size && s.n == 47);
	const struct st_tensor *t = st_find(&s, "model.embed_tokens.weight");
	CHECK(t && t->dtype == ST_F32 && t->rank == 2 && t->shape[0] == 512 && t->shape[1] == 64);
	st_image_free(&s);
	map_close(&m);
}

int
main(void)
{
	RUN(test_write_then_parse);
	RUN(test_an_empty_image);
	RUN(test_hostile_headers);
	RUN(test_hostile_lengths);
	RUN(test_full_disk);
	RUN(test_a_real_model);
	TEST_END;
}
