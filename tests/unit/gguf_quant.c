/* Dequantisation: every type against blocks packed here bit by bit, and bit for bit against the
 * gguf package of llama.cpp (tests/golden/gguf/make_gguf.py). */
#include "tests/test.h"

#include "lib/base/file.h"
#include "lib/base/rng.h"
#include "lib/model/gguf.h"
#include "lib/stream/safetensors.h"

static uint32_t
bits(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

/* The value of a half, from its definition. */
static float
half_value(unsigned h)
{
	int exponent = h >> 10 & 31, fraction = h & 1023;
	double x = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
	return (float)(h & 0x8000 ? -x : x);
}

static void
halves(void)
{
	for (unsigned h = 0; h < 65536; h++) {
		unsigned char b[2] = {(unsigned char)h, (unsigned char)(h >> 8)};
		float x;
		ggml_to_float(&x, GGML_F16, b, 1);
		if ((h & 0x7c00) != 0x7c00)
			CHECK(bits(x) == bits(half_value(h)));
		else if (h & 1023)
			CHECK(isnan(x));
		else
			CHECK(x == (h & 0x8000 ? -INFINITY : INFINITY));
		ggml_to_float(&x, GGML_BF16, b, 1);
		CHECK(bits(x) == h << 16);
	}
}

static void
sizes(void)
{
	/* static_asserts of ggml-org/ggml, src/ggml-common.h */
	static const struct {
		uint32_t type;
		size_t elements, bytes;
	} want[] = {{GGML_F32, 1, 4}, {GGML_F16, 1, 2}, {GGML_BF16, 1, 2}, {GGML_Q4_0, 32, 18},
		{GGML_Q4_1, 32, 20}, {GGML_Q5_0, 32, 22}, {GGML_Q5_1, 32, 24}, {GGML_Q8_0, 32, 34},
		{GGML_Q4_K, 256, 144}, {GGML_Q5_K, 256, 176}, {GGML_Q6_K, 256, 210}};
	size_t n, b;
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		CHECK(ggml_type_block(want[i].type, &n, &b));
		CHECK(n == want[i].elements && b == want[i].bytes);
	}
	CHECK(!ggml_type_block(4, &n, &b) && !ggml_type_block(10, &n, &b));
	CHECK(!ggml_type_block(~0u, &n, &b));
	CHECK_STR(ggml_foreign_type(10), "Q2_K");
	CHECK(ggml_foreign_type(4) == NULL && ggml_foreign_type(~0u) == NULL);
	CHECK_STR(ggml_type_name(GGML_Q6_K), "Q6_K");
}

enum { D = 0x3555, M = 0xb266, D_BYTES = 2 }; /* 1/3 and -0.2, about, as halves */

static void
put_half(unsigned char *b, unsigned h)
{
	b[0] = (unsigned char)h;
	b[1] = (unsigned char)(h >> 8);
}

/* Quants of 32 elements into a block: bit by bit, where the layout has each. */
static void
pack_32(unsigned char *b, const int *q, bool five, size_t high_at, size_t low_at)
{
	for (int i = 0; i < 32; i++) {
		b[low_at + (size_t)i % 16] |= (unsigned char)((q[i] & 15) << (i < 16 ? 0 : 4));
		if (five && q[i] & 16)
			b[high_at + (size_t)i / 8] |= (unsigned char)(1 << i % 8);
	}
}

static void
small_blocks(void)
{
	static const struct {
		enum ggml_type type;
		int bits, offset;
		bool min;
	} kinds[] = {{GGML_Q4_0, 4, 8, false}, {GGML_Q4_1, 4, 0, true}, {GGML_Q5_0, 5, 16, false},
		{GGML_Q5_1, 5, 0, true}};
	float d = half_value(D), m = half_value(M);
	for (int k = 0; k < 4; k++)
		for (int round = 0; round < 8; round++) {
			unsigned char b[64] = {0};
			int q[32];
			for (int i = 0; i < 32; i++)
				q[i] = (int)rng_below(
					rng_key((uint64_t)round), (uint64_t)i, 1u << kinds[k].bits);
			size_t at = kinds[k].min ? 4 : 2;
			put_half(b, D);
			if (kinds[k].min)
				put_half(b + 2, M);
			pack_32(b, q, kinds[k].bits == 5, at, kinds[k].bits == 5 ? at + 4 : at);
			float y[32];
			ggml_to_float(y, kinds[k].type, b, 32);
			for (int i = 0; i < 32; i++) {
				float want = (float)(q[i] - kinds[k].offset) * d;
				CHECK(y[i] == (kinds[k].min ? want + m : want));
			}
		}
	unsigned char b[34];
	float y[32];
	put_half(b, D);
	for (int i = 0; i < 32; i++)
		b[2 + i] = (unsigned char)(i * 8 - 128);
	ggml_to_float(y, GGML_Q8_0, b, 32);
	for (int i = 0; i < 32; i++)
		CHECK(y[i] == (float)(i * 8 - 128) * d);
}

/* Eight 6-bit scales and minima into the 12 bytes: the first four in the low six bits of bytes 0-3
 * and 4-7; of the last four the low nibbles in bytes 8-11, the high pairs on top of bytes 0-7. */
static void
pack_scales(unsigned char *s, const int *scale, const int *min)
{
	for (int j = 0; j < 4; j++) {
		s[j] = (unsigned char)(scale[j] | (scale[j + 4] >> 4) << 6);
		s[j + 4] = (unsigned char)(min[j] | (min[j + 4] >> 4) << 6);
		s[j + 8] = (unsigned char)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
	}
}

static void
k_blocks(bool five)
{
	struct rng r = rng_key(five);
	unsigned char b[176] = {0};
	int q[256], scale[8], min[8];
	for (int j = 0; j < 8; j++) {
		scale[j] = (int)rng_below(r, (uint64_t)j, 64);
		min[j] = (int)rng_below(r, (uint64_t)j + 8, 64);
	}
	put_half(b, D);
	put_half(b + 2, M);
	pack_scales(b + 4, scale, min);
	unsigned char *low = b + (five ? 48 : 16);
	for (int i = 0; i < 256; i++) {
		q[i] = (int)rng_below(r, (uint64_t)i + 100, five ? 32 : 16);
		int pair = i / 64, upper = i / 32 % 2;
		low[pair * 32 + i % 32] |= (unsigned char)((q[i] & 15) << 4 * upper);
		if (five && q[i] & 16)
			b[16 + i % 32] |= (unsigned char)(1 << i / 32);
	}
	float y[256], d = half_value(D), m = half_value(M);
	ggml_to_float(y, five ? GGML_Q5_K : GGML_Q4_K, b, 256);
	for (int i = 0; i < 256; i++) {
		float a = d * (float)scale[i / 32], c = m * (float)min[i / 32];
		CHECK(y[i] == a * (float)q[i] - c);
	}
}

static void
super_blocks(void)
{
	k_blocks(false);
	k_blocks(true);
	unsigned char b[210] = {0};
	int q[256];
	struct rng r = rng_key(6);
	for (int j = 0; j < 16; j++)
		b[192 + j] = (unsigned char)rng_below(r, (uint64_t)j, 256);
	put_half(b + 208, D);
	for (int i = 0; i < 256; i++) {
		q[i] = (int)rng_below(r, (uint64_t)i + 100, 64);
		int half = i / 128, row = i % 128 / 32, l = i % 32;
		b[64 * half + 32 * (row % 2) + l] |= (unsigned char)((q[i] & 15) << 4 * (row / 2));
		b[128 + 32 * half + l] |= (unsigned char)((q[i] >> 4) << 2 * row);
	}
	float y[256], d = half_value(D);
	ggml_to_float(y, GGML_Q6_K, b, 256);
	for (int i = 0; i < 256; i++)
		CHECK(y[i] == d * (float)(int8_t)b[192 + i / 16] * (float)(q[i] - 32));
}

static void
same_as_gguf_package(void)
{
	static const struct {
		const char *name;
		enum ggml_type type;
	} kinds[] = {{"F16", GGML_F16}, {"Q4_0", GGML_Q4_0}, {"Q4_1", GGML_Q4_1},
		{"Q5_0", GGML_Q5_0}, {"Q5_1", GGML_Q5_1}, {"Q8_0", GGML_Q8_0}, {"Q4_K", GGML_Q4_K},
		{"Q5_K", GGML_Q5_K}, {"Q6_K", GGML_Q6_K}};
	const char *path = "tests/golden/gguf/blocks.safetensors";
	struct map map;
	struct st_image im;
	struct err e = {0};
	size_t used;
	CHECK(map_open(&map, path, &e) == 0);
	CHECK(st_parse(&im, map.data, map.size, &used, path, &e) == 0);
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		char name[32];
		snprintf(name, sizeof name, "%s.blocks", kinds[k].name);
		const struct st_tensor *blocks = st_find(&im, name);
		snprintf(name, sizeof name, "%s.floats", kinds[k].name);
		const struct st_tensor *floats = st_find(&im, name);
		size_t n, bytes;
		CHECK(blocks && floats && ggml_type_block(kinds[k].type, &n, &bytes));
		if (blocks == NULL || floats == NULL)
			continue;
		size_t total = floats->bytes / 4;
		CHECK(total > 100 && blocks->bytes / bytes * n == total);
		float *y = x_malloc(total * sizeof *y);
		ggml_to_float(y, kinds[k].type, blocks->data, total);
		size_t wrong = 0;
		for (size_t i = 0; i < total; i++) {
			float want;
			memcpy(&want, (const char *)floats->data + 4 * i, 4);
			/* numpy has +0 where 0 * -d is -0 */
			wrong += bits(y[i]) != bits(want) && !(y[i] == 0 && want == 0);
		}
		if (wrong)
			printf("# %s: %zu of %zu differ\n", kinds[k].name, wrong, total);
		CHECK(wrong == 0);
		free(y);
	}
	st_image_free(&im);
	map_close(&map);
}

int
main(void)
{
	RUN(halves);
	RUN(sizes);
	RUN(small_blocks);
	RUN(super_blocks);
	RUN(same_as_gguf_package);
	TEST_END;
}
