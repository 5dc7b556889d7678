#include "lib/model/weights.h"

#include <string.h>

/* IEEE 754 binary16 and bfloat16 by bits: the same on every compiler. */

static float
from_bits(uint32_t b)
{
	float x;
	memcpy(&x, &b, 4);
	return x;
}

static uint32_t
to_bits(float x)
{
	uint32_t b;
	memcpy(&b, &x, 4);
	return b;
}

static float
f16_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, frac = h & 0x3ff;
	if (exp == 31)
		return from_bits(sign | 0x7f800000 | frac << 13);
	if (exp == 0) {
		float x = (float)frac * 0x1p-24f;
		return sign ? -x : x;
	}
	return from_bits(sign | (exp + 112) << 23 | frac << 13);
}

static uint16_t
f16_from_float(float x)
{
	uint32_t b = to_bits(x), sign = b >> 16 & 0x8000, a = b & 0x7fffffff;
	if (a > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (a >= 0x477ff000) /* 65520: rounds to infinity */
		return (uint16_t)(sign | 0x7c00);
	if (a < 0x38800000) { /* below 2^-14, subnormal: the sum's last bit is worth 2^-24 */
		return (uint16_t)(sign | (to_bits(from_bits(a) + 0.5f) - to_bits(0.5f)));
	}
	a += 0xfff + (a >> 13 & 1);
	return (uint16_t)(sign | (a - 0x38000000) >> 13);
}

static uint16_t
bf16_from_float(float x)
{
	uint32_t b = to_bits(x);
	if ((b & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(b >> 16 | 0x40);
	return (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}

int
st_to_float(float *out, const struct st_tensor *t, struct err *e)
{
	const char *p = t->data; /* may not be aligned: memcpy */
	size_t n = st_dtype_size(t->dtype) ? t->bytes / st_dtype_size(t->dtype) : 0;
	uint16_t h;
	double d;
	switch (t->dtype) {
	case ST_F32:
		if (n)
			memcpy(out, p, 4 * n);
		return 0;
	case ST_F16:
		for (size_t i = 0; i < n; i++) {
			memcpy(&h, p + 2 * i, 2);
			out[i] = f16_to_float(h);
		}
		return 0;
	case ST_BF16:
		for (size_t i = 0; i < n; i++) {
			memcpy(&h, p + 2 * i, 2);
			out[i] = from_bits((uint32_t)h << 16);
		}
		return 0;
	case ST_F64:
		for (size_t i = 0; i < n; i++) {
			memcpy(&d, p + 8 * i, 8);
			out[i] = (float)d;
		}
		return 0;
	default:
		return err_set(e, ERR_DATA, "tensor %.200s: not of a floating type", t->name);
	}
}

void
k_from_float(void *out, enum k_dtype t, const float *x, size_t n)
{
	uint16_t *h = out;
	if (t == K_F32 && n)
		memcpy(out, x, 4 * n);
	else if (t == K_F16)
		for (size_t i = 0; i < n; i++)
			h[i] = f16_from_float(x[i]);
	else if (t == K_BF16)
		for (size_t i = 0; i < n; i++)
			h[i] = bf16_from_float(x[i]);
}
