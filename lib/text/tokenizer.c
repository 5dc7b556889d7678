#include "lib/text/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ADDED = 1 << 14 };

struct tokenizer *
tokenizer_new(void)
{
	struct tokenizer *t = x_calloc(1, sizeof *t);
	bpe_init(&t->bpe);
	t->most_chars = 100;
	pretok_init(&t->pretok);
	t->bos = t->eos = -1;
	return t;
}

void
tokenizer_free(struct tokenizer *t)
{
	if (t == NULL)
		return;
	if (t->spm)
		spm_free(t->spm);
	bpe_free(&t->bpe);
	unigram_free(&t->unigram);
	normal_free(&t->normal);
	pretok_free(&t->pretok);
	decoder_free(&t->decoder);
	added_free(&t->added);
	free(t);
}

const char *
tokenizer_text(const struct tokenizer *t, int32_t id, size_t *n)
{
	if (t->spm)
		return id < spm_size(t->spm) ? spm_piece(t->spm, id, n) : NULL;
	if (id >= t->bpe.n || t->bpe.token[id].s == NULL)
		return NULL;
	*n = t->bpe.token[id].n;
	return t->bpe.token[id].s;
}

/* Whether content a is what the vocabulary holds at a->id. */
static bool
same_text(const struct tokenizer *t, const struct added_token *a, const char *s, size_t n)
{
	if (n == a->n && memcmp(s, a->s, n) == 0)
		return true;
	if (t->spm || t->bpe.chars)
		return false;
	struct buf b = BUF_INIT;
	bool same = bpe_unspell(a->s, a->n, &b) && b.len == n && memcmp(b.data, s, n) == 0;
	buf_free(&b);
	return same;
}

int
tokenizer_add(struct tokenizer *t, const struct added_token *a, struct err *e)
{
	size_t n = 0;
	if (a->id < 0 || a->id >= BPE_MAX_ID)
		return err_set(e, ERR_DATA, "added token \"%.40s\": id %d is not in 0..%d", a->s,
			a->id, BPE_MAX_ID - 1);
	const char *s = tokenizer_text(t, a->id, &n);
	if (s && !same_text(t, a, s, n))
		return err_set(e, ERR_DATA,
			"added token \"%.40s\": its id %d is \"%.40s\" in the vocabulary", a->s,
			a->id, s);
	const struct added_token *twin = added_find(&t->added, a->s, a->n);
	if (twin && twin->id != a->id)
		return err_set(e, ERR_DATA, "added token \"%.40s\" has two ids, %d and %d", a->s,
			twin->id, a->id);
	for (int32_t i = 0; i < t->added.n; i++)
		if (t->added.v[i].id == a->id && &t->added.v[i] != twin)
			return err_set(e, ERR_DATA,
				"id %d is given to two added tokens, \"%.40s\" and \"%.40s\"",
				a->id, t->added.v[i].s, a->s);
	if (t->added.n >= MAX_ADDED)
		return err_set(e, ERR_CONFIG, "more than %d added tokens", MAX_ADDED);
	added_put(&t->added, a);
	if (a->id >= t->vocab)
		t->vocab = a->id + 1;
	return 0;
}

int
tokenizer_finish(struct tokenizer *t, struct err *e)
{
	/* A whole word may be a token of the vocabulary, but not a special one. */
	for (int32_t i = 0; i < t->added.n; i++)
		if (t->added.v[i].special && t->added.v[i].id < t->bpe.n)
			t->bpe.token[t->added.v[i].id].spelled = false;
	if (t->model == MODEL_UNIGRAM)
		unigram_index(&t->unigram, &t->bpe);
	if (added_index(&t->added, &t->normal, e) < 0)
		return -1;
	tokenizer_hash_all(t);
	return 0;
}

int
tokenizer_from_json(struct tokenizer **out, const char *text, size_t n, struct err *e)
{
	struct tokenizer *t = tokenizer_new();
	if (tokenizer_parse_json(t, text, n, e) < 0 || tokenizer_finish(t, e) < 0) {
		tokenizer_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

int32_t
tokenizer_vocab(const struct tokenizer *t)
{
	return t->vocab;
}

int32_t
tokenizer_bos(const struct tokenizer *t)
{
	return t->bos;
}

int32_t
tokenizer_eos(const struct tokenizer *t)
{
	return t->eos;
}

bool
tokenizer_adds_bos(const struct tokenizer *t)
{
	return t->adds_bos;
}

const char *
tokenizer_kind(const struct tokenizer *t)
{
	static const char *const names[] = {
		[MODEL_BPE] = "bpe",
		[MODEL_UNIGRAM] = "unigram",
		[MODEL_WORDPIECE] = "wordpiece",
		[MODEL_WORDLEVEL] = "wordlevel",
	};
	return t->spm                                   ? "sentencepiece"
	       : t->model == MODEL_BPE && !t->bpe.chars ? "byte-level bpe"
							: names[t->model];
}

bool
tokenizer_has_prefix(const struct tokenizer *t)
{
	if (t->spm)
		return spm_has_prefix(t->spm);
	return normal_has(&t->normal, NORMAL_PREPEND) || pretok_prefixes(&t->pretok);
}

int32_t
tokenizer_id(const struct tokenizer *t, const char *token)
{
	const struct added_token *a = added_find(&t->added, token, strlen(token));
	if (a)
		return a->id;
	return t->spm ? spm_find(t->spm, token) : bpe_find(&t->bpe, token, strlen(token));
}

int32_t
tokenizer_special(const struct tokenizer *t, const char *s, size_t n, size_t *len)
{
	const struct added_token *best = NULL;
	for (int32_t i = 0; i < t->added.n; i++) {
		const struct added_token *a = &t->added.v[i];
		if (a->special && a->n > 0 && a->n <= n && memcmp(a->s, s, a->n) == 0 &&
			(best == NULL || a->n > best->n))
			best = a;
	}
	if (best == NULL)
		return -1;
	*len = best->n;
	return best->id;
}

const char *
tokenizer_hash(const struct tokenizer *t)
{
	return t->hash;
}
