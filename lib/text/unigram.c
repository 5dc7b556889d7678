#include "lib/text/unigram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/utf8.h"

/* An edge: from a node by a byte to a node.  Node 0 is the root. */
struct unigram_node {
	uint64_t key; /* (from << 8 | byte) + 1; 0: empty slot */
	uint32_t to;
	int32_t id; /* of the piece that ends at `to`; -1: none */
};

/* The best way to the end of a stretch of the word. */
struct unigram_best {
	double score;
	size_t from; /* SIZE_MAX: no way yet */
	int32_t id;
};

void
unigram_free(struct unigram *u)
{
	X_FREE(u->score);
	X_FREE(u->node);
}

void
unigram_work_free(struct unigram_work *w)
{
	X_FREE(w->best);
	w->cap = 0;
}

static struct unigram_node *
slot_of(struct unigram_node *node, size_t mask, uint32_t from, unsigned char byte)
{
	uint64_t key = ((uint64_t)from << 8 | byte) + 1, h = key * 0x9e3779b97f4a7c15u;
	size_t i = (h ^ h >> 32) & mask;
	while (node[i].key != key && node[i].key != 0)
		i = (i + 1) & mask;
	return &node[i];
}

static void
grow(struct unigram *u)
{
	size_t mask = u->node ? 2 * u->mask + 1 : 1023;
	struct unigram_node *node = x_calloc(mask + 1, sizeof *node);
	for (size_t i = 0; u->node && i <= u->mask; i++) {
		uint64_t key = u->node[i].key;
		if (key != 0)
			*slot_of(node, mask, (uint32_t)((key - 1) >> 8), (unsigned char)(key - 1)) =
				u->node[i];
	}
	free(u->node);
	u->node = node;
	u->mask = mask;
}

static void
put_piece(struct unigram *u, const char *s, size_t n, int32_t id)
{
	uint32_t at = 0;
	for (size_t i = 0; i < n; i++) {
		if (u->node == NULL || 2 * (size_t)u->n_nodes > u->mask)
			grow(u);
		unsigned char byte = (unsigned char)s[i];
		struct unigram_node *p = slot_of(u->node, u->mask, at, byte);
		if (p->key == 0)
			*p = (struct unigram_node){
				((uint64_t)at << 8 | byte) + 1, ++u->n_nodes, -1};
		at = p->to;
		if (i + 1 == n)
			p->id = id;
	}
	if (n > u->longest)
		u->longest = n;
}

void
unigram_index(struct unigram *u, const struct bpe *b)
{
	double least = INFINITY;
	for (int32_t id = 0; id < b->n; id++) {
		const struct bpe_token *t = &b->token[id];
		if (t->s == NULL)
			continue;
		least = u->score[id] < least ? u->score[id] : least;
		if (t->spelled && t->n > 0)
			put_piece(u, t->s, t->n, id);
	}
	u->unk_score = least - 10;
	if (u->node == NULL)
		grow(u);
}

/* A way to best[to] through best[from] by id. */
static void
offer(struct unigram_best *best, size_t from, size_t to, int32_t id, double score)
{
	score += best[from].score;
	if (best[to].from == SIZE_MAX || score > best[to].score)
		best[to] = (struct unigram_best){score, from, id};
}

/* The pieces that begin at s[i..), and the unknown character where none is one character. */
static void
offer_pieces(const struct unigram *u, struct unigram_best *best, const char *s, size_t n, size_t i,
	size_t len)
{
	bool single = false;
	uint32_t at = 0;
	for (size_t k = i; k < n; k++) {
		const struct unigram_node *p = slot_of(u->node, u->mask, at, (unsigned char)s[k]);
		if (p->key == 0)
			break;
		at = p->to;
		if (p->id < 0)
			continue;
		offer(best, i, k + 1, p->id, u->score[p->id]);
		single |= k + 1 - i == len;
	}
	if (!single)
		offer(best, i, i + len, u->unk, u->unk_score);
}

/* Of a stretch that is no piece: its bytes' tokens, or the unknown one. */
static int
put_unknown(const struct unigram *u, const struct bpe *b, const char *s, size_t n, struct ids *out,
	struct err *e)
{
	/* Several unknown characters together may be a piece: the library looks once more. */
	int32_t id = bpe_find(b, s, n);
	bool bytes = b->byte_fallback && (id < 0 || !b->token[id].spelled);
	if (id >= 0 && b->token[id].spelled) {
		ids_push(out, id);
		return 0;
	}
	for (size_t i = 0; bytes && i < n; i++)
		bytes = b->fallback[(unsigned char)s[i]] >= 0;
	for (size_t i = 0; bytes && i < n; i++)
		ids_push(out, b->fallback[(unsigned char)s[i]]);
	if (bytes)
		return 0;
	if (u->unk < 0)
		return err_set(e, ERR_DATA, "the tokenizer has no unknown token for '%.*s'",
			(int)(n < 40 ? n : 40), s);
	ids_push(out, u->unk);
	return 0;
}

/* Reads the best way back, then forward: unknown characters in a row are one. */
static int
put_best(const struct unigram *u, const struct bpe *b, const char *s, size_t n,
	struct unigram_best *best, struct ids *out, struct err *e)
{
	size_t next = n;
	for (size_t at = n; at > 0;) { /* turn the links around */
		size_t from = best[at].from;
		int32_t id = best[at].id;
		best[at].from = next;
		next = at;
		if (from == 0)
			best[0].from = at;
		best[at].score = id; /* kept: ids are exact in a double */
		at = from;
	}
	size_t i = 0, start = 0;
	for (size_t to = best[0].from; i < n; to = best[i].from) {
		bool unknown = (int32_t)best[to].score == u->unk;
		if (!unknown) {
			if (start < i && put_unknown(u, b, s + start, i - start, out, e) < 0)
				return -1;
			ids_push(out, (int32_t)best[to].score);
			start = to;
		}
		i = to;
	}
	return start < n ? put_unknown(u, b, s + start, n - start, out, e) : 0;
}

int
unigram_encode_word(const struct unigram *u, const struct bpe *b, const char *s, size_t n,
	struct unigram_work *w, struct ids *out, struct err *e)
{
	if (n == 0)
		return 0;
	if (n + 1 > w->cap) {
		w->cap = 2 * n + 64;
		w->best = x_realloc(w->best, w->cap * sizeof *w->best);
	}
	for (size_t i = 1; i <= n; i++)
		w->best[i].from = SIZE_MAX;
	w->best[0] = (struct unigram_best){0, 0, -1};
	for (size_t i = 0, len; i < n; i += len) {
		int32_t c;
		len = (size_t)utf8_decode(s + i, n - i, &c);
		len = len > 0 ? len : 1;
		offer_pieces(u, w->best, s, n, i, len);
	}
	return put_best(u, b, s, n, w->best, out, e);
}
