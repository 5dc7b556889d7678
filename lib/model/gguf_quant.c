#include "lib/model/gguf.h"

#include <assert.h>
#include <string.h>

/*
 * Block layouts after ggml-org/ggml, src/ggml-common.h (the structs named block_*) and the
 * reference dequantisation in src/ggml-quants.c.  All scales are IEEE halves; "lo" and "hi" are the
 * two nibbles of a byte.
 */
enum {
	BLOCK = 32,    /* elements of Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 */
	SUPER = 256,   /* elements of the K types */
	K_SCALES = 12, /* bytes that hold eight 6-bit scales and eight 6-bit minima */
	Q4_K_BYTES = 2 + 2 + K_SCALES + SUPER / 2,
	Q5_K_BYTES = 2 + 2 + K_SCALES + SUPER / 8 + SUPER / 2,
	Q6_K_BYTES = SUPER / 2 + SUPER / 4 + SUPER / 16 + 2,
};

static const struct {
	uint32_t type;
	const char *name;
	size_t elements, bytes;
} types[] = {
	{GGML_F32, "F32", 1, 4},
	{GGML_F16, "F16", 1, 2},
	{GGML_BF16, "BF16", 1, 2},
	{GGML_Q4_0, "Q4_0", BLOCK, 2 + BLOCK / 2},
	{GGML_Q4_1, "Q4_1", BLOCK, 4 + BLOCK / 2},
	{GGML_Q5_0, "Q5_0", BLOCK, 2 + 4 + BLOCK / 2},
	{GGML_Q5_1, "Q5_1", BLOCK, 4 + 4 + BLOCK / 2},
	{GGML_Q8_0, "Q8_0", BLOCK, 2 + BLOCK},
	{GGML_Q4_K, "Q4_K", SUPER, Q4_K_BYTES},
	{GGML_Q5_K, "Q5_K", SUPER, Q5_K_BYTES},
	{GGML_Q6_K, "Q6_K", SUPER, Q6_K_BYTES},
};

enum { N_TYPES = sizeof types / sizeof types[0] };

const char *
ggml_type_name(enum ggml_type t)
{
	for (int i = 0; i < N_TYPES; i++)
		if (types[i].type == (uint32_t)t)
			return types[i].name;
	return "unknown";
}

bool
ggml_type_block(uint32_t type, size_t *elements, size_t *bytes)
{
	for (int i = 0; i < N_TYPES; i++)
		if (types[i].type == type) {
			*elements = types[i].elements;
			*bytes = types[i].bytes;
			return true;
		}
	return false;
}

const char *
ggml_foreign_type(uint32_t type)
{
	/* enum ggml_type of docs/gguf.md; NULL where support has been removed. */
	static const char *const names[] = {
		[9] = "Q8_1",
		[10] = "Q2_K",
		[11] = "Q3_K",
		[15] = "Q8_K",
		[16] = "IQ2_XXS",
		[17] = "IQ2_XS",
		[18] = "IQ3_XXS",
		[19] = "IQ1_S",
		[20] = "IQ4_NL",
		[21] = "IQ3_S",
		[22] = "IQ2_S",
		[23] = "IQ4_XS",
		[24] = "I8",
		[25] = "I16",
		[26] = "I32",
		[27] = "I64",
		[28] = "F64",
		[29] = "IQ1_M",
		[34] = "TQ1_0",
		[35] = "TQ2_0",
		[39] = "MXFP4",
	};
	return type < sizeof names / sizeof names[0] ? names[type] : NULL;
}

static float
bits_float(uint32_t bits)
{
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* An IEEE half, little-endian. */
static float
half_at(const unsigned char *p)
{
	uint32_t h = (uint32_t)p[0] | (uint32_t)p[1] << 8;
	uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
	if (exponent == 31) /* infinity, or not a number */
		return bits_float(sign | 0x7f800000 | fraction << 13);
	if (exponent == 0) /* zero, or fraction * 2^-24 */
		return bits_float(sign | 0x33800000) * (float)fraction;
	return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
}

/* scale (2), 16 bytes: element j in the low nibble, j+16 in the high one; minus 8. */
static void
q4_0(float *y, const unsigned char *b)
{
	float d = half_at(b);
	for (int j = 0; j < 16; j++) {
		y[j] = (float)((b[2 + j] & 15) - 8) * d;
		y[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
	}
}

/* scale (2), minimum (2), nibbles as in Q4_0 but without the offset. */
static void
q4_1(float *y, const unsigned char *b)
{
	float d = half_at(b), m = half_at(b + 2);
	for (int j = 0; j < 16; j++) {
		y[j] = (float)(b[4 + j] & 15) * d + m;
		y[j + 16] = (float)(b[4 + j] >> 4) * d + m;
	}
}

/* Bit j of the 32 high bits at p, as the fifth bit of a quant. */
static int
fifth(const unsigned char *p, int j)
{
	return (p[j >> 3] >> (j & 7) & 1) << 4;
}

/* scale (2), high bits (4), nibbles; minus 16. */
static void
q5_0(float *y, const unsigned char *b)
{
	float d = half_at(b);
	for (int j = 0; j < 16; j++) {
		y[j] = (float)(((b[6 + j] & 15) | fifth(b + 2, j)) - 16) * d;
		y[j + 16] = (float)(((b[6 + j] >> 4) | fifth(b + 2, j + 16)) - 16) * d;
	}
}

/* scale (2), minimum (2), high bits (4), nibbles. */
static void
q5_1(float *y, const unsigned char *b)
{
	float d = half_at(b), m = half_at(b + 2);
	for (int j = 0; j < 16; j++) {
		y[j] = (float)((b[8 + j] & 15) | fifth(b + 4, j)) * d + m;
		y[j + 16] = (float)((b[8 + j] >> 4) | fifth(b + 4, j + 16)) * d + m;
	}
}

/* scale (2), 32 signed bytes. */
static void
q8_0(float *y, const unsigned char *b)
{
	float d = half_at(b);
	for (int j = 0; j < BLOCK; j++)
		y[j] = (float)(int8_t)b[2 + j] * d;
}

/*
 * The twelve bytes s of Q4_K and Q5_K: scale and minimum of sub-block j of 8.  The first four keep
 * six bits in s[j] and s[j+4]; the last four have their low four bits in s[j+4] and their high two
 * on top of the first four's bytes.
 */
static void
k_scale(const unsigned char *s, int j, float *scale, float *min)
{
	int sc, m;
	if (j < 4) {
		sc = s[j] & 63;
		m = s[j + 4] & 63;
	} else {
		sc = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
		m = s[j + 4] >> 4 | s[j] >> 6 << 4;
	}
	*scale = (float)sc;
	*min = (float)m;
}

/* scale (2), scale of minima (2), scales (12), then for Q5_K high bits (32: bit j of byte l belongs
 * to element l of sub-block j), then nibbles: 32 bytes for every two sub-blocks, low ones first. */
static void
q45_k(float *y, const unsigned char *b, bool five)
{
	float d = half_at(b), dmin = half_at(b + 2);
	const unsigned char *high = b + 4 + K_SCALES, *low = five ? high + SUPER / 8 : high;
	for (int j = 0; j < 8; j++) {
		float scale, min;
		k_scale(b + 4, j, &scale, &min);
		scale *= d;
		min *= dmin;
		for (int l = 0; l < 32; l++) {
			int q = low[j / 2 * 32 + l] >> (j & 1) * 4 & 15;
			if (five)
				q |= (high[l] >> j & 1) << 4;
			y[j * 32 + l] = scale * (float)q - min;
		}
	}
}

/*
 * Low nibbles (128), high bit pairs (64), signed scales of 16 elements (16), scale (2).  Each half
 * of 128 elements has four rows of 32: row r takes low nibbles of bytes (r&1)*32 .. for r < 2, high
 * nibbles for r >= 2, and bits 2r, 2r+1 of the half's 32 high bytes; minus 32.
 */
static void
q6_k(float *y, const unsigned char *b)
{
	const unsigned char *scales = b + SUPER / 2 + SUPER / 4;
	float d = half_at(scales + SUPER / 16);
	for (int i = 0; i < SUPER; i++) {
		int half = i >> 7, r = i >> 5 & 3, l = i & 31;
		int low = b[half * 64 + (r & 1) * 32 + l] >> (r >> 1) * 4 & 15;
		int high = b[SUPER / 2 + half * 32 + l] >> 2 * r & 3;
		y[i] = d * (float)(int8_t)scales[i >> 4] * (float)((low | high << 4) - 32);
	}
}

static void
block_to_float(float *y, enum ggml_type t, const unsigned char *b)
{
	switch (t) {
	case GGML_F32:
		y[0] = bits_float((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
				  (uint32_t)b[3] << 24);
		break;
	case GGML_F16:
		y[0] = half_at(b);
		break;
	case GGML_BF16:
		y[0] = bits_float((uint32_t)b[0] << 16 | (uint32_t)b[1] << 24);
		break;
	case GGML_Q4_0:
		q4_0(y, b);
		break;
	case GGML_Q4_1:
		q4_1(y, b);
		break;
	case GGML_Q5_0:
		q5_0(y, b);
		break;
	case GGML_Q5_1:
		q5_1(y, b);
		break;
	case GGML_Q8_0:
		q8_0(y, b);
		break;
	case GGML_Q4_K:
		q45_k(y, b, false);
		break;
	case GGML_Q5_K:
		q45_k(y, b, true);
		break;
	case GGML_Q6_K:
		q6_k(y, b);
		break;
	}
}

void
ggml_to_float(float *out, enum ggml_type t, const void *src, size_t n)
{
	size_t elements, bytes;
	bool known = ggml_type_block(t, &elements, &bytes);
	assert(known && n % elements == 0);
	(void)known;
	const unsigned char *b = src;
	for (size_t i = 0; i < n; i += elements, b += bytes)
		block_to_float(out + i, t, b);
}
