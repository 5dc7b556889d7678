#include "lib/text/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"

static void
hash_number(struct sha256 *h, int64_t v)
{
	unsigned char b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)((uint64_t)v >> 8 * i);
	sha256_add(h, b, sizeof b);
}

static void
hash_text(struct sha256 *h, const char *s, size_t n)
{
	hash_number(h, (int64_t)n);
	sha256_add(h, s, n);
}

static int
by_rank(const void *x, const void *y)
{
	const struct bpe_merge *a = x, *b = y;
	return (a->rank > b->rank) - (a->rank < b->rank);
}

static void
hash_merges(struct sha256 *h, const struct bpe *b)
{
	struct bpe_merge *m = x_malloc((b->n_merges + 1) * sizeof *m);
	size_t n = 0;
	for (size_t i = 0; b->merge && i <= b->merge_mask; i++)
		if (b->merge[i].pair != UINT64_MAX)
			m[n++] = b->merge[i];
	qsort(m, n, sizeof *m, by_rank);
	hash_number(h, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		hash_number(h, (int64_t)m[i].pair);
	free(m);
}

static void
hash_string(struct sha256 *h, const char *s)
{
	hash_text(h, s ? s : "", s ? strlen(s) : 0);
}

/* What byte-level BPE under NFC has nothing of: those that had a hash before keep it. */
static void
hash_new_kinds(struct sha256 *h, const struct tokenizer *t)
{
	const struct bpe *b = &t->bpe;
	if (t->normal.n > 1 || (t->normal.n == 1 && t->normal.step[0].form != UNICODE_NFC) ||
		(t->normal.n == 1 && t->normal.step[0].kind != NORMAL_FORM))
		hash_string(h, t->normal.source);
	for (int i = 0; i < t->pretok.n; i++) {
		const struct pretok_step *s = &t->pretok.step[i];
		if (s->kind == PRETOK_SPLIT || s->kind == PRETOK_SPACE)
			continue;
		hash_number(h, (int)s->kind + 16 * (int)s->scheme + 64 * (s->re != NULL));
		hash_number(h, (int64_t)s->length);
		hash_string(h, s->mark);
	}
	if (!b->chars)
		return;
	hash_number(h, (int)t->model + 16 * b->byte_fallback);
	hash_number(h, (int64_t)t->most_chars);
	hash_string(h, b->prefix);
	hash_string(h, b->suffix);
	if (t->unigram.score)
		hash_text(
			h, (const char *)t->unigram.score, (size_t)b->n * sizeof *t->unigram.score);
}

void
tokenizer_hash_all(struct tokenizer *t)
{
	struct sha256 h;
	sha256_init(&h);
	hash_number(&h, t->spm ? 1 : 2);
	hash_number(&h, t->vocab);
	hash_number(&h, t->adds_bos ? t->bos : -1);
	hash_number(&h, t->eos);
	for (int32_t id = 0; id < t->vocab; id++) {
		size_t n = 0;
		const char *s = tokenizer_text(t, id, &n);
		if (s == NULL)
			continue;
		hash_number(&h, id);
		hash_text(&h, s, n);
	}
	if (t->spm) {
		sha256_add(&h, t->hash, 64);
		hash_number(&h, t->prefix_after_added);
	}
	hash_merges(&h, &t->bpe);
	hash_number(&h, t->bpe.ignore_merges + 2 * t->bpe.fuse_unk +
				4 * normal_has(&t->normal, NORMAL_FORM));
	hash_number(&h, t->bpe.unk);
	for (int i = 0; i < t->pretok.n; i++) {
		const struct pretok_step *s = &t->pretok.step[i];
		hash_number(&h, (s->kind == PRETOK_SPACE) + 2 * s->invert + 4 * (int)s->behavior);
		hash_string(&h, s->pattern);
	}
	hash_new_kinds(&h, t);
	for (int32_t i = 0; i < t->added.n; i++) {
		const struct added_token *a = &t->added.v[i];
		hash_number(&h, a->id);
		hash_text(&h, a->s, a->n);
		hash_number(&h, a->special + 2 * a->normalized + 4 * a->lstrip + 8 * a->rstrip +
					16 * a->single_word);
	}
	sha256_hex(&h, t->hash);
}
