#ifndef PRO_BASE_RNG_H
#define PRO_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/*
 * Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011).  There is no generator state to save: a number is a function of a key and
 * a counter, so samples do not depend on batch, shard, restart or order.
 *
 * A key is derived from what a number belongs to: rng_key(seed), then rng_mix() for each of
 * record id, response position, purpose.
 */
struct rng {
	uint64_t key;
};

struct rng rng_key(uint64_t seed);
struct rng rng_mix(struct rng r, uint64_t value);
struct rng rng_mix_string(struct rng r, const char *s, size_t n);

/* 64 random bits of counter i. */
uint64_t rng_bits(struct rng r, uint64_t i);
/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng r, uint64_t i);
/* Standard normal (Box-Muller on one Philox block). */
double rng_normal(struct rng r, uint64_t i);
/* Uniform integer in [0, n), n >= 1, without modulo bias beyond 2^-64 * n. */
uint64_t rng_below(struct rng r, uint64_t i, uint64_t n);
/* Fisher-Yates permutation of 0..n-1 into out [n]. */
void rng_permutation(struct rng r, uint32_t *out, uint32_t n);

/* FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): hashes of ids and prompts. */
uint64_t hash64(const void *p, size_t n);

#endif
