#include "lib/text/bpe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/text/utf8.h"

/* Printable Latin-1 spells itself; the other 68 bytes are spelled U+0100 and on, in order. */
static bool
spells_itself(int c)
{
	return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

static int32_t
spelling_of(unsigned char byte)
{
	if (spells_itself(byte))
		return byte;
	int32_t c = 256;
	for (int i = 0; i < byte; i++)
		c += !spells_itself(i);
	return c;
}

void
bpe_spell(const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		utf8_put(out, spelling_of((unsigned char)s[i]));
}

static int
byte_of(int32_t c)
{
	if (c < 256)
		return spells_itself(c) ? c : -1;
	if (c >= 256 + 68)
		return -1;
	/* 0..32 are the first 33, then 127..160, then 173. */
	c -= 256;
	return c < 33 ? c : c < 67 ? c - 33 + 127 : 173;
}

bool
bpe_unspell(const char *s, size_t n, struct buf *out)
{
	size_t start = out->len;
	buf_reserve(out, n);
	for (size_t i = 0; i < n;) {
		int32_t c = 0;
		int len = utf8_decode(s + i, n - i, &c), byte = len ? byte_of(c) : -1;
		if (byte < 0) {
			out->len = start;
			out->data[start] = '\0';
			return false;
		}
		buf_putc(out, (char)byte);
		i += (size_t)len;
	}
	return true;
}

void
bpe_init(struct bpe *b)
{
	*b = (struct bpe){.unk = -1};
	arena_init(&b->mem);
	memset(b->byte_id, 0xff, sizeof b->byte_id);
}

void
bpe_free(struct bpe *b)
{
	arena_free(&b->mem);
	X_FREE(b->token);
	X_FREE(b->slot);
	X_FREE(b->merge);
	X_FREE(b->prefix);
	X_FREE(b->suffix);
}

int
bpe_add_token(struct bpe *b, const char *key, size_t n, int64_t id, struct err *e)
{
	if (id < 0 || id >= BPE_MAX_ID)
		return err_set(e, ERR_DATA, "vocab: token \"%.40s\" has id %lld, not in 0..%d", key,
			(long long)id, BPE_MAX_ID - 1);
	if (n >= UINT32_MAX)
		return err_set(e, ERR_DATA, "vocab: token %lld is too long", (long long)id);
	if (id >= b->cap) {
		int32_t cap = b->cap ? b->cap : 1024;
		while (cap <= id)
			cap *= 2;
		b->token = x_realloc(b->token, (size_t)cap * sizeof *b->token);
		memset(b->token + b->cap, 0, (size_t)(cap - b->cap) * sizeof *b->token);
		b->cap = cap;
	}
	if (b->token[id].s)
		return err_set(e, ERR_DATA,
			"vocab: id %lld is given twice, the second time to \"%.40s\"",
			(long long)id, key);
	struct buf bytes = BUF_INIT;
	bool spelled = b->chars || bpe_unspell(key, n, &bytes);
	if (spelled && !b->chars)
		key = bytes.data, n = bytes.len;
	b->token[id] = (struct bpe_token){arena_strndup(&b->mem, key, n), (uint32_t)n, spelled};
	buf_free(&bytes);
	if (id >= b->n)
		b->n = (int32_t)id + 1;
	return 0;
}

static size_t
slot_of(const struct bpe *b, const char *s, size_t n)
{
	size_t i = hash64(s, n) & b->slot_mask;
	for (;; i = (i + 1) & b->slot_mask) {
		if (b->slot[i] < 0)
			return i;
		const struct bpe_token *t = &b->token[b->slot[i]];
		if (t->n == n && memcmp(t->s, s, n) == 0)
			return i;
	}
}

int32_t
bpe_find(const struct bpe *b, const char *s, size_t n)
{
	return b->slot ? b->slot[slot_of(b, s, n)] : -1;
}

static size_t
table_size(size_t n)
{
	size_t size = 16;
	while (size < 2 * n)
		size *= 2;
	return size;
}

void
bpe_index(struct bpe *b, size_t n_merges)
{
	size_t size = table_size((size_t)b->n);
	b->slot_mask = size - 1;
	b->slot = x_malloc(size * sizeof *b->slot);
	memset(b->slot, 0xff, size * sizeof *b->slot);
	for (int32_t id = 0; id < b->n; id++) {
		const struct bpe_token *t = &b->token[id];
		if (t->s == NULL)
			continue;
		int32_t *p = &b->slot[slot_of(b, t->s, t->n)];
		if (*p < 0 || t->spelled)
			*p = id;
		if (t->spelled && t->n == 1)
			b->byte_id[(unsigned char)t->s[0]] = id;
	}
	for (int i = 0; i < 256; i++) {
		char name[8];
		snprintf(name, sizeof name, "<0x%02X>", i);
		b->fallback[i] = b->byte_fallback ? bpe_find(b, name, 6) : -1;
	}
	size = table_size(n_merges);
	b->merge_mask = size - 1;
	b->merge = x_malloc(size * sizeof *b->merge);
	for (size_t i = 0; i < size; i++)
		b->merge[i] = (struct bpe_merge){UINT64_MAX, 0, -1};
}

static struct bpe_merge *
merge_slot(const struct bpe *b, uint64_t pair)
{
	/* Fibonacci hashing, the upper half folded in. */
	uint64_t h = pair * 0x9e3779b97f4a7c15u;
	size_t i = (h ^ h >> 32) & b->merge_mask;
	while (b->merge[i].pair != pair && b->merge[i].pair != UINT64_MAX)
		i = (i + 1) & b->merge_mask;
	return &b->merge[i];
}

static int32_t
find_spelled(const struct bpe *b, const char *s, size_t n, struct buf *bytes)
{
	if (b->chars)
		return bpe_find(b, s, n);
	buf_reset(bytes);
	if (!bpe_unspell(s, n, bytes))
		return -1;
	int32_t id = bpe_find(b, bytes->data, bytes->len);
	return id >= 0 && b->token[id].spelled ? id : -1;
}

/* The right side's prefix is left out. */
static void
put_union(const struct bpe *b, const char *left, size_t left_n, const char *right, size_t right_n,
	struct buf *out)
{
	size_t cut = b->prefix ? strlen(b->prefix) : 0;
	if (cut > right_n || (cut > 0 && memcmp(right, b->prefix, cut) != 0))
		cut = 0;
	buf_put(out, left, left_n);
	buf_put(out, right + cut, right_n - cut);
}

int
bpe_add_merge(struct bpe *b, const char *left, size_t left_n, const char *right, size_t right_n,
	uint32_t rank, struct err *e)
{
	struct buf whole = BUF_INIT;
	int32_t l = find_spelled(b, left, left_n, &whole);
	int32_t r = find_spelled(b, right, right_n, &whole);
	bool spelled = b->chars;
	buf_reset(&whole);
	if (b->chars)
		put_union(b, left, left_n, right, right_n, &whole);
	else
		spelled = bpe_unspell(left, left_n, &whole) && bpe_unspell(right, right_n, &whole);
	int32_t id = spelled ? bpe_find(b, whole.data, whole.len) : -1;
	buf_free(&whole);
	if (l < 0 || r < 0 || id < 0 || !b->token[id].spelled || left_n == 0 || right_n == 0)
		return err_set(e, ERR_DATA,
			"merges: number %u, \"%.*s\" and \"%.*s\": %s not in the vocabulary",
			rank + 1, (int)(left_n < 40 ? left_n : 40), left,
			(int)(right_n < 40 ? right_n : 40), right,
			l < 0 || r < 0 ? "one is" : "their union is");
	struct bpe_merge *m = merge_slot(b, (uint64_t)l << 32 | (uint32_t)r);
	if (m->pair == UINT64_MAX)
		b->n_merges++;
	assert(2 * b->n_merges <= b->merge_mask + 1 || b->n_merges <= 8);
	*m = (struct bpe_merge){(uint64_t)l << 32 | (uint32_t)r, rank, id};
	return 0;
}

/* A word under way: a list of symbols, of which some have been swallowed by their left
 * neighbour (id -1). */
struct bpe_symbol {
	int32_t id;
	uint32_t prev, next; /* NONE at the ends */
};
#define NONE UINT32_MAX

void
bpe_work_free(struct bpe_work *w)
{
	X_FREE(w->sym);
	X_FREE(w->heap);
	buf_free(&w->key);
	*w = (struct bpe_work){0};
}

/* The heap holds rank << 32 | position: the lowest rank first, the leftmost among equals. */
static void
heap_push(struct bpe_work *w, uint64_t v)
{
	if (w->heap_n == w->heap_cap) {
		w->heap_cap = w->heap_cap ? 2 * w->heap_cap : 64;
		w->heap = x_realloc(w->heap, w->heap_cap * sizeof *w->heap);
	}
	size_t i = w->heap_n++;
	for (; i > 0 && w->heap[(i - 1) / 2] > v; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = v;
}

static uint64_t
heap_pop(struct bpe_work *w)
{
	uint64_t top = w->heap[0], v = w->heap[--w->heap_n];
	size_t i = 0;
	for (size_t c; (c = 2 * i + 1) < w->heap_n; i = c) {
		if (c + 1 < w->heap_n && w->heap[c + 1] < w->heap[c])
			c++;
		if (w->heap[c] >= v)
			break;
		w->heap[i] = w->heap[c];
	}
	w->heap[i] = v;
	return top;
}

static const struct bpe_merge *
merge_at(const struct bpe *b, const struct bpe_symbol *s, uint32_t i)
{
	if (i == NONE || s[i].id < 0 || s[i].next == NONE)
		return NULL;
	const struct bpe_merge *m =
		merge_slot(b, (uint64_t)s[i].id << 32 | (uint32_t)s[s[i].next].id);
	return m->pair == UINT64_MAX ? NULL : m;
}

static void
consider(const struct bpe *b, struct bpe_work *w, uint32_t i)
{
	const struct bpe_merge *m = merge_at(b, w->sym, i);
	if (m)
		heap_push(w, (uint64_t)m->rank << 32 | i);
}

/* One symbol a byte; several unknown bytes are one when the model fuses them.  -1: error. */
static int64_t
start_symbols(const struct bpe *b, const char *s, size_t n, struct bpe_work *w, struct err *e)
{
	uint32_t m = 0;
	for (size_t i = 0; i < n; i++) {
		int32_t id = b->byte_id[(unsigned char)s[i]];
		if (id < 0 && b->unk < 0)
			return err_set(e, ERR_DATA, "the tokenizer has no token for byte 0x%02x",
				(unsigned char)s[i]);
		if (id < 0 && b->fuse_unk && m > 0 && w->sym[m - 1].id == b->unk)
			continue;
		w->sym[m] = (struct bpe_symbol){id < 0 ? b->unk : id, m - 1, m + 1};
		m++;
	}
	w->sym[0].prev = NONE;
	w->sym[m - 1].next = NONE;
	return m;
}

/* The id of the character s[0..n) at its place in the word. */
static int32_t
char_id(const struct bpe *b, const char *s, size_t n, bool first, bool last, struct buf *key)
{
	bool prefix = b->prefix && !first, suffix = b->suffix && last;
	if (!prefix && !suffix)
		return n == 1 ? b->byte_id[(unsigned char)*s] : bpe_find(b, s, n);
	buf_reset(key);
	if (prefix)
		buf_puts(key, b->prefix);
	buf_put(key, s, n);
	if (suffix)
		buf_puts(key, b->suffix);
	return bpe_find(b, key->data, key->len);
}

static bool
has_fallback(const struct bpe *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b->fallback[(unsigned char)s[i]] < 0)
			return false;
	return true;
}

static void
put_symbol(struct bpe_work *w, uint32_t *m, int32_t id)
{
	w->sym[*m] = (struct bpe_symbol){id, *m - 1, *m + 1};
	++*m;
}

/*
 * One symbol a character, or a byte where it falls back.  As the library does it
 * (huggingface/tokenizers, src/models/bpe/model.rs, merge_word): an unknown token waits until a
 * known one or, unless they are fused, another unknown one comes; bytes are put before it.
 */
static int64_t
start_chars(const struct bpe *b, const char *s, size_t n, struct bpe_work *w)
{
	uint32_t m = 0;
	bool waits = false;
	for (size_t i = 0, len; i < n; i += len) {
		int32_t c;
		len = (size_t)utf8_decode(s + i, n - i, &c);
		len = len > 0 ? len : 1;
		int32_t id = char_id(b, s + i, len, i == 0, i + len == n, &w->key);
		if (id < 0 && b->byte_fallback && has_fallback(b, s + i, len)) {
			for (size_t k = 0; k < len; k++)
				put_symbol(w, &m, b->fallback[(unsigned char)s[i + k]]);
			continue;
		}
		if (waits && (id >= 0 || !b->fuse_unk)) {
			put_symbol(w, &m, b->unk);
			waits = false;
		}
		if (id >= 0)
			put_symbol(w, &m, id);
		else
			waits = b->unk >= 0;
	}
	if (waits)
		put_symbol(w, &m, b->unk);
	if (m == 0)
		return 0;
	w->sym[0].prev = NONE;
	w->sym[m - 1].next = NONE;
	return m;
}

static void
reserve_symbols(struct bpe_work *w, size_t n)
{
	if (n <= w->sym_cap)
		return;
	w->sym_cap = n < 64 ? 64 : 2 * n;
	w->sym = x_realloc(w->sym, w->sym_cap * sizeof *w->sym);
}

int
bpe_encode_word(const struct bpe *b, const char *s, size_t n, struct bpe_work *w, struct ids *out,
	struct err *e)
{
	if (n == 0)
		return 0;
	if (n >= INT32_MAX)
		return err_set(e, ERR_DATA, "a word of %zu bytes is too long", n);
	if (b->ignore_merges) {
		int32_t id = bpe_find(b, s, n);
		if (id >= 0 && b->token[id].spelled) {
			ids_push(out, id);
			return 0;
		}
	}
	reserve_symbols(w, n + 1);
	int64_t m = b->chars ? start_chars(b, s, n, w) : start_symbols(b, s, n, w, e);
	if (m <= 0)
		return (int)m;
	struct bpe_symbol *sym = w->sym;
	w->heap_n = 0;
	for (int64_t i = 0; i + 1 < m; i++)
		consider(b, w, (uint32_t)i);
	while (w->heap_n > 0) {
		uint64_t top = heap_pop(w);
		uint32_t i = (uint32_t)top;
		const struct bpe_merge *g = merge_at(b, sym, i);
		if (g == NULL || g->rank != top >> 32)
			continue; /* one of the two has been merged since */
		uint32_t r = sym[i].next;
		sym[i].id = g->id;
		sym[i].next = sym[r].next;
		sym[r].id = -1;
		if (sym[i].next != NONE)
			sym[sym[i].next].prev = i;
		consider(b, w, sym[i].prev);
		consider(b, w, i);
	}
	for (uint32_t i = 0; i != NONE; i = sym[i].next)
		ids_push(out, sym[i].id);
	return 0;
}
