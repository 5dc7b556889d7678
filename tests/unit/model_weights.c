#include "lib/model/weights.h"

#include "tests/unit/model_util.h"

static void
put_image(struct buf *out, const char *header, const void *data, size_t n)
{
	uint64_t size = strlen(header);
	buf_put(out, &size, 8);
	buf_puts(out, header);
	buf_put(out, data, n);
}

static void
write_image(const char *dir, const char *name, const char *header, const void *data, size_t n)
{
	struct buf b = BUF_INIT;
	put_image(&b, header, data, n);
	write_file(dir, name, b.data, b.len);
	buf_free(&b);
}

#define ONE(name) "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"

static void
single_file(void)
{
	char dir[64];
	struct err e = {0};
	struct weights *w;
	float x = 1.5f, y = 0;
	temp_dir(dir);
	CHECK(weights_open(&w, dir, &e) < 0 && e.code == ERR_NOINPUT && w == NULL);
	write_image(dir, "model.safetensors", ONE("a"), &x, 4);
	must(weights_open(&w, dir, &e), &e);
	const struct st_tensor *t = weights_find(w, "a");
	CHECK(t && weights_at(w, 0) == t && !weights_at(w, 1) && !weights_at(w, -1));
	CHECK(weights_find(w, "b") == NULL);
	CHECK(st_to_float(&y, t, &e) == 0 && y == 1.5f);
	weights_close(w);
	/* a file is one image and no more */
	write_image(dir, "model.safetensors", ONE("a"), "12345", 5);
	CHECK(weights_open(&w, dir, &e) < 0 && e.code == ERR_DATA && strstr(e.msg, "behind"));
	write_image(dir, "model.safetensors", ONE("a"), &x, 3);
	CHECK(weights_open(&w, dir, &e) < 0 && e.code == ERR_DATA && strstr(e.msg, "truncated"));
	CHECK(strstr(e.msg, "model.safetensors") != NULL);
	write_text(dir, "model.safetensors", "");
	CHECK(weights_open(&w, dir, &e) < 0 && e.code == ERR_DATA);
	dir_remove(dir, &e);
}

static float
to_float(enum st_dtype type, const void *p, size_t bytes)
{
	struct st_tensor t = {.name = "t", .dtype = type, .data = p, .bytes = bytes};
	struct err e = {0};
	float x = NAN;
	CHECK(st_to_float(&x, &t, &e) == 0);
	return x;
}

static void
shards(void)
{
	char dir[64];
	struct err e = {0};
	struct weights *w;
	float x = 1, y = 2;
	temp_dir(dir);
	write_image(dir, "one.safetensors", ONE("z"), &x, 4);
	write_image(dir, "two.safetensors", ONE("a"), &y, 4);
	write_text(dir, "model.safetensors.index.json",
		"{\"metadata\":{\"total_size\":8},\"weight_map\":{\"z\":\"one.safetensors\","
		"\"a\":\"two.safetensors\"}}");
	must(weights_open(&w, dir, &e), &e);
	CHECK_STR(weights_at(w, 0)->name, "a");
	CHECK_STR(weights_at(w, 1)->name, "z");
	CHECK(to_float(ST_F32, weights_find(w, "z")->data, 4) == 1);
	CHECK(to_float(ST_F32, weights_find(w, "a")->data, 4) == 2);
	weights_close(w);
	dir_remove(dir, &e);
}

static void
hostile_indices(void)
{
	static const struct {
		const char *text, *word;
		int code;
	} t[] = {
		{"", "", ERR_DATA},
		{"{", "", ERR_DATA},
		{"[]", "weight_map", ERR_DATA},
		{"{}", "weight_map", ERR_DATA},
		{"{\"weight_map\":7}", "weight_map", ERR_DATA},
		{"{\"weight_map\":{\"a\":7}}", "file name", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"\"}}", "file name", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"..\"}}", "file name", ERR_DATA},
		{"{\"weight_map\":{\"a\":\".\"}}", "file name", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "file name", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "file name", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "gone", ERR_NOINPUT},
		{"{\"weight_map\":{\"b\":\"one.safetensors\"}}", "tensor b", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"one.safetensors\"}}", "",
			ERR_DATA},
		{"{\"weight_map\":{\"a\":\"one.safetensors\",\"a\\u0000\":\"one.safetensors\"}}",
			"", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"one.safetensors\",\"c\":\"same.safetensors\"}}",
			"two files", ERR_DATA},
		{"{\"weight_map\":{\"a\":\"model.safetensors.index.json\"}}", "header", ERR_DATA},
	};
	char dir[64];
	struct err e = {0};
	struct weights *w;
	temp_dir(dir);
	write_image(dir, "one.safetensors", ONE("a"), "abcd", 4);
	write_image(dir, "same.safetensors",
		"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},"
		"\"c\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,2]}}",
		"ab", 2);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		write_text(dir, "model.safetensors.index.json", t[i].text);
		int rc = weights_open(&w, dir, &e);
		if (rc == 0 || e.code != t[i].code || !strstr(e.msg, t[i].word))
			printf("# %s: %d %s\n", t[i].text, e.code, e.msg);
		CHECK(rc < 0 && e.code == t[i].code && strstr(e.msg, t[i].word));
		weights_close(w);
	}
	dir_remove(dir, &e);
}

/* All 65536 values of both half types against their definition, and there and back. */
static void
halves_exhaustively(void)
{
	int bad = 0;
	for (uint32_t i = 0; i < 65536; i++) {
		uint16_t h = (uint16_t)i, back;
		int exp = h >> 10 & 31, frac = h & 1023;
		double want = exp == 31  ? (frac ? NAN : INFINITY)
			      : exp == 0 ? ldexp(frac, -24)
					 : ldexp(1024 + frac, exp - 25);
		float x = to_float(ST_F16, &h, 2), y = h & 0x8000 ? -x : x;
		bad += !(y == (float)want || (isnan(y) && isnan(want)));
		bad += !!signbit(x) != (h >> 15) && !isnan(x);
		k_from_float(&back, K_F16, &x, 1);
		bad += isnan(x) ? (back & 0x7c00) != 0x7c00 || (back & 1023) == 0 : back != h;

		uint32_t wide = i << 16;
		float b;
		memcpy(&b, &wide, 4);
		x = to_float(ST_BF16, &h, 2);
		bad += memcmp(&x, &b, 4) != 0;
		k_from_float(&back, K_BF16, &x, 1);
		bad += isnan(x) ? (back & 0x7f80) != 0x7f80 || (back & 127) == 0 : back != h;
	}
	CHECK(bad == 0);
}

/* Nearest, ties to even: between every two neighbours a little below, at and above the middle. */
static void
rounding_is_to_nearest_even(void)
{
	int bad = 0;
	for (int type = K_BF16; type <= K_F16; type++) {
		uint32_t end = type == K_F16 ? 0x7bff : 0x7f7f; /* the largest finite one */
		for (uint16_t h = 0; h < end; h++) {
			uint16_t up = (uint16_t)(h + 1), got;
			enum st_dtype st = type == K_F16 ? ST_F16 : ST_BF16;
			double a = to_float(st, &h, 2), b = to_float(st, &up, 2);
			float middle = (float)((a + b) / 2), x;
			if (middle != (a + b) / 2)
				continue; /* between the smallest bf16: not a float */
			k_from_float(&got, (enum k_dtype)type, &middle, 1);
			bad += got != (h % 2 ? up : h);
			x = nextafterf(middle, 0);
			k_from_float(&got, (enum k_dtype)type, &x, 1);
			bad += got != h;
			x = -nextafterf(middle, INFINITY);
			k_from_float(&got, (enum k_dtype)type, &x, 1);
			bad += got != (up | 0x8000);
		}
	}
	CHECK(bad == 0);
	static const struct {
		float x;
		uint16_t f16, bf16;
	} edges[] = {
		{65519.996f, 0x7bff, 0x4780},
		{65520, 0x7c00, 0x4780},
		{-INFINITY, 0xfc00, 0xff80},
		{3.4e38f, 0x7c00, 0x7f80},
		{0x1p-25f, 0, 0x3300},
		{0x1.000002p-25f, 1, 0x3300},
		{-0.0f, 0x8000, 0x8000},
	};
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
		uint16_t h, b;
		k_from_float(&h, K_F16, &edges[i].x, 1);
		k_from_float(&b, K_BF16, &edges[i].x, 1);
		CHECK(h == edges[i].f16);
		CHECK(b == edges[i].bf16);
	}
}

static void
other_types(void)
{
	double d = -2.5;
	struct st_tensor t = {.name = "t", .dtype = ST_I32, .data = "abcd", .bytes = 4};
	struct err e = {0};
	float x = 3.25f, y;
	CHECK(to_float(ST_F64, &d, 8) == -2.5f);
	CHECK(to_float(ST_F32, &x, 4) == 3.25f);
	k_from_float(&y, K_F32, &x, 1);
	CHECK(y == x);
	CHECK(st_to_float(&y, &t, &e) < 0 && e.code == ERR_DATA && strstr(e.msg, "tensor t"));
	t.dtype = ST_OTHER;
	CHECK(st_to_float(&y, &t, &e) < 0 && e.code == ERR_DATA);
	/* data in a file may lie at any address */
	char bytes[9] = {0};
	memcpy(bytes + 1, &x, 4);
	CHECK(to_float(ST_F32, bytes + 1, 4) == x);
}

int
main(void)
{
	RUN(single_file);
	RUN(shards);
	RUN(hostile_indices);
	RUN(halves_exhaustively);
	RUN(rounding_is_to_nearest_even);
	RUN(other_types);
	TEST_END;
}
