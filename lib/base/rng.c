#include "lib/base/rng.h"

#include <math.h>

/* Philox4x32 constants, from the paper's table 2. */
static void
philox(uint32_t c[4], uint32_t k0, uint32_t k1)
{
	for (int round = 0; round < 10; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
		uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
		uint32_t n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
		c[0] = n0;
		c[1] = (uint32_t)p1;
		c[2] = n2;
		c[3] = (uint32_t)p0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
}

static void
block(struct rng r, uint64_t i, uint32_t lane, uint32_t c[4])
{
	c[0] = (uint32_t)i;
	c[1] = (uint32_t)(i >> 32);
	c[2] = lane;
	c[3] = 0;
	philox(c, (uint32_t)r.key, (uint32_t)(r.key >> 32));
}

struct rng
rng_key(uint64_t seed)
{
	return rng_mix((struct rng){0x70726f2d72616e6bull}, seed);
}

struct rng
rng_mix(struct rng r, uint64_t value)
{
	uint32_t c[4];
	block(r, value, 1, c); /* lane 1 keeps derivation apart from drawing */
	return (struct rng){c[0] | (uint64_t)c[1] << 32};
}

struct rng
rng_mix_string(struct rng r, const char *s, size_t n)
{
	return rng_mix(rng_mix(r, hash64(s, n)), n);
}

uint64_t
rng_bits(struct rng r, uint64_t i)
{
	uint32_t c[4];
	block(r, i, 0, c);
	return c[0] | (uint64_t)c[1] << 32;
}

double
rng_uniform(struct rng r, uint64_t i)
{
	return (double)(rng_bits(r, i) >> 11) * 0x1p-53;
}

double
rng_normal(struct rng r, uint64_t i)
{
	uint32_t c[4];
	block(r, i, 0, c);
	double u = ((double)((c[0] | (uint64_t)c[1] << 32) >> 11) + 0.5) * 0x1p-53;
	double v = (double)((c[2] | (uint64_t)c[3] << 32) >> 11) * 0x1p-53;
	return sqrt(-2 * log(u)) * cos(6.283185307179586477 * v);
}

uint64_t
rng_below(struct rng r, uint64_t i, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_bits(r, i) * n) >> 64);
}

void
rng_permutation(struct rng r, uint32_t *out, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = i;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = (uint32_t)rng_below(r, i, i), t = out[i - 1];
		out[i - 1] = out[j];
		out[j] = t;
	}
}

uint64_t
hash64(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3ull;
	return h;
}
