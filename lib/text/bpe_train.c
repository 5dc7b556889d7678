#include "lib/text/bpe_train.h"

#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/text/added.h"
#include "lib/text/bpe.h"
#include "lib/text/pretok.h"
#include "lib/text/utf8.h"

/* A distinct word of the text: its symbols now, of which the first n are in use. */
struct word {
	int32_t *sym; /* [n], out of the arena */
	uint32_t n;
	uint32_t bytes; /* length of the word itself, at text */
	int64_t count;
	const char *text;
};

/* A pair of neighbouring symbols: how often, and in which words (some may have lost it since). */
struct pair {
	uint64_t key; /* left << 32 | right; UINT64_MAX: empty slot */
	int64_t count;
	struct ids words;
};

struct heap_item {
	int64_t count;
	uint64_t key;
};

struct trainer {
	struct arena mem;
	struct word *word;
	int32_t n_words, word_cap;
	int32_t *word_slot;
	size_t word_mask;
	struct pair *pair;
	size_t pair_mask, n_pairs;
	struct heap_item *heap;
	size_t heap_n, heap_cap;
	struct bpe_token *token; /* [n_tokens], by symbol */
	int32_t n_tokens;
	uint64_t *merge; /* [n_merges] keys in order */
	int32_t n_merges;
	int32_t *touched; /* [n_words] the last merge that looked at the word */
};

/* ---- words ---- */

static void
word_grow(struct trainer *t)
{
	size_t size = t->word_slot ? 2 * (t->word_mask + 1) : 1 << 14;
	free(t->word_slot);
	t->word_slot = x_malloc(size * sizeof *t->word_slot);
	memset(t->word_slot, 0xff, size * sizeof *t->word_slot);
	t->word_mask = size - 1;
	for (int32_t w = 0; w < t->n_words; w++) {
		size_t i = hash64(t->word[w].text, t->word[w].bytes) & t->word_mask;
		while (t->word_slot[i] >= 0)
			i = (i + 1) & t->word_mask;
		t->word_slot[i] = w;
	}
}

static void
count_word(struct trainer *t, const char *s, size_t n)
{
	if (t->word_slot == NULL || 2 * (size_t)t->n_words > t->word_mask)
		word_grow(t);
	size_t i = hash64(s, n) & t->word_mask;
	for (; t->word_slot[i] >= 0; i = (i + 1) & t->word_mask) {
		struct word *w = &t->word[t->word_slot[i]];
		if (w->bytes == n && memcmp(w->text, s, n) == 0) {
			w->count++;
			return;
		}
	}
	if (t->n_words == t->word_cap) {
		t->word_cap = t->word_cap ? 2 * t->word_cap : 1024;
		t->word = x_realloc(t->word, (size_t)t->word_cap * sizeof *t->word);
	}
	t->word_slot[i] = t->n_words;
	t->word[t->n_words++] = (struct word){
		.bytes = (uint32_t)n, .count = 1, .text = arena_strndup(&t->mem, s, n)};
}

/* The words of a stretch without special tokens.  Cut at line ends into pieces of moderate size:
 * the pattern never reaches from a newline into a following letter, so few words differ. */
static int
count_words(struct trainer *t, const struct pretok *p, const char *s, size_t n, struct err *e)
{
	struct pretok_work w = {0};
	int rc = 0;
	for (size_t i = 0, end; rc == 0 && i < n; i = end) {
		end = n - i > 1 << 20 ? i + (1 << 20) : n;
		while (end < n && !(s[end - 1] == '\n' && s[end] != '\n' && s[end] != ' '))
			end++;
		rc = pretok_run(p, &w, s + i, end - i, 0, e);
		for (size_t k = 0; rc == 0 && k < w.words.n; k++) {
			const struct span *x = &w.words.v[k];
			count_word(t, w.text.data + x->start, x->end - x->start);
		}
	}
	pretok_work_free(&w);
	return rc;
}

static int
count_text(
	struct trainer *t, const char *s, size_t n, const struct bpe_train_params *p, struct err *e)
{
	struct pretok pretok;
	struct added special = {0};
	struct added_cursor at = {0};
	size_t done = 0, start, end;
	pretok_init(&pretok);
	int rc = pretok_add_split(&pretok, pretok_gpt2, SPLIT_ISOLATED, false, e);
	for (int i = 0; i < p->n_special; i++) {
		/* Not marked special here: found anywhere. */
		struct added_token x = {
			.s = (char *)p->special[i], .n = strlen(p->special[i]), .id = i};
		added_put(&special, &x);
	}
	added_index(&special, NULL, NULL);
	while (rc == 0 && added_next(&special, &special.raw, s, n, &at, NULL, &start, &end)) {
		rc = count_words(t, &pretok, s + done, start - done, e);
		done = end;
	}
	if (rc == 0)
		rc = count_words(t, &pretok, s + done, n - done, e);
	added_free(&special);
	pretok_free(&pretok);
	return rc;
}

/* ---- pairs ---- */

static size_t
pair_slot(const struct trainer *t, uint64_t key)
{
	uint64_t h = key * 0x9e3779b97f4a7c15u;
	size_t i = (h ^ h >> 32) & t->pair_mask;
	while (t->pair[i].key != key && t->pair[i].key != UINT64_MAX)
		i = (i + 1) & t->pair_mask;
	return i;
}

static void
pair_grow(struct trainer *t)
{
	struct pair *old = t->pair;
	size_t n = old ? t->pair_mask + 1 : 0, size = old ? 2 * n : 1 << 14;
	t->pair = x_calloc(size, sizeof *t->pair);
	t->pair_mask = size - 1;
	for (size_t i = 0; i < size; i++)
		t->pair[i].key = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (old[i].key != UINT64_MAX)
			t->pair[pair_slot(t, old[i].key)] = old[i];
	free(old);
}

static struct pair *
pair_at(struct trainer *t, uint64_t key)
{
	if (t->pair == NULL || 2 * t->n_pairs > t->pair_mask)
		pair_grow(t);
	struct pair *p = &t->pair[pair_slot(t, key)];
	if (p->key == UINT64_MAX) {
		p->key = key;
		t->n_pairs++;
	}
	return p;
}

/* More often first; among equals the pair of the smaller ids, which were made earlier. */
static bool
before(const struct heap_item *a, const struct heap_item *b)
{
	return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static void
heap_push(struct trainer *t, struct heap_item v)
{
	if (t->heap_n == t->heap_cap) {
		t->heap_cap = t->heap_cap ? 2 * t->heap_cap : 1024;
		t->heap = x_realloc(t->heap, t->heap_cap * sizeof *t->heap);
	}
	size_t i = t->heap_n++;
	for (; i > 0 && before(&v, &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
		t->heap[i] = t->heap[(i - 1) / 2];
	t->heap[i] = v;
}

static struct heap_item
heap_pop(struct trainer *t)
{
	struct heap_item top = t->heap[0], v = t->heap[--t->heap_n];
	size_t i = 0;
	for (size_t c; (c = 2 * i + 1) < t->heap_n; i = c) {
		if (c + 1 < t->heap_n && before(&t->heap[c + 1], &t->heap[c]))
			c++;
		if (!before(&t->heap[c], &v))
			break;
		t->heap[i] = t->heap[c];
	}
	t->heap[i] = v;
	return top;
}

static uint64_t
key_of(int32_t left, int32_t right)
{
	return (uint64_t)left << 32 | (uint32_t)right;
}

/* Counts of a pair in word w change by n; a word that gains it is noted. */
static void
change(struct trainer *t, uint64_t key, int32_t w, int64_t n)
{
	struct pair *p = pair_at(t, key);
	p->count += n;
	if (n > 0 && (p->words.n == 0 || p->words.v[p->words.n - 1] != w))
		ids_push(&p->words, w);
}

static void
start_pairs(struct trainer *t, int32_t first_byte)
{
	for (int32_t w = 0; w < t->n_words; w++) {
		struct word *x = &t->word[w];
		x->n = x->bytes;
		x->sym = arena_alloc(&t->mem, x->n * sizeof *x->sym);
		for (uint32_t i = 0; i < x->n; i++)
			x->sym[i] = first_byte + (unsigned char)x->text[i];
		for (uint32_t i = 0; i + 1 < x->n; i++)
			change(t, key_of(x->sym[i], x->sym[i + 1]), w, x->count);
	}
	for (size_t i = 0; t->pair && i <= t->pair_mask; i++)
		if (t->pair[i].key != UINT64_MAX)
			heap_push(t, (struct heap_item){t->pair[i].count, t->pair[i].key});
}

/* Replaces the pair by symbol id in word w, left to right, keeping the counts of its neighbours. */
static void
merge_in_word(struct trainer *t, int32_t w, uint64_t key, int32_t id, struct ids *fresh)
{
	struct word *x = &t->word[w];
	int32_t left = (int32_t)(key >> 32), right = (int32_t)(uint32_t)key;
	uint32_t out = 0;
	for (uint32_t i = 0; i < x->n; i++) {
		if (i + 1 >= x->n || x->sym[i] != left || x->sym[i + 1] != right) {
			x->sym[out++] = x->sym[i];
			continue;
		}
		/* What stood before it stands at out - 1 already, merged or not. */
		if (out > 0) {
			change(t, key_of(x->sym[out - 1], left), w, -x->count);
			change(t, key_of(x->sym[out - 1], id), w, x->count);
			ids_push(fresh, x->sym[out - 1]);
			ids_push(fresh, id);
		}
		if (i + 2 < x->n) {
			change(t, key_of(right, x->sym[i + 2]), w, -x->count);
			change(t, key_of(id, x->sym[i + 2]), w, x->count);
			ids_push(fresh, id);
			ids_push(fresh, x->sym[i + 2]);
		}
		x->sym[out++] = id;
		i++;
	}
	x->n = out;
}

static int
by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void
merge(struct trainer *t, uint64_t key)
{
	const struct bpe_token *l = &t->token[key >> 32], *r = &t->token[(uint32_t)key];
	int32_t id = t->n_tokens++;
	char *s = arena_alloc(&t->mem, (size_t)l->n + r->n + 1);
	memcpy(s, l->s, l->n);
	memcpy(s + l->n, r->s, r->n);
	s[l->n + r->n] = '\0';
	t->token[id] = (struct bpe_token){s, l->n + r->n, true};
	t->merge[t->n_merges++] = key;
	struct pair *p = pair_at(t, key);
	struct ids words = p->words, fresh = {0};
	p->words = (struct ids){0};
	for (size_t i = 0; i < words.n; i++) {
		if (t->touched[words.v[i]] == id)
			continue;
		t->touched[words.v[i]] = id;
		merge_in_word(t, words.v[i], key, id, &fresh);
	}
	pair_at(t, key)->count = 0;
	size_t n = fresh.n / 2;
	uint64_t *keys = x_malloc((n + 1) * sizeof *keys);
	for (size_t i = 0; i < n; i++)
		keys[i] = key_of(fresh.v[2 * i], fresh.v[2 * i + 1]);
	qsort(keys, n, sizeof *keys, by_key);
	for (size_t i = 0; i < n; i++) {
		int64_t count = i > 0 && keys[i] == keys[i - 1] ? 0 : pair_at(t, keys[i])->count;
		if (count > 0)
			heap_push(t, (struct heap_item){count, keys[i]});
	}
	free(keys);
	ids_free(&fresh);
	ids_free(&words);
}

static void
learn(struct trainer *t, int vocab, int64_t min_count)
{
	while (t->n_tokens < vocab && t->heap_n > 0) {
		struct heap_item top = heap_pop(t);
		int64_t count = pair_at(t, top.key)->count;
		if (count != top.count) {
			/* Its count has fallen since it was pushed. */
			if (count > 0 && count < top.count)
				heap_push(t, (struct heap_item){count, top.key});
			continue;
		}
		if (count < min_count)
			break;
		merge(t, top.key);
	}
}

/* ---- output ---- */

static json_t *
spelled(const char *s, size_t n)
{
	struct buf b = BUF_INIT;
	bpe_spell(s, n, &b);
	json_t *v = json_stringn(b.data, b.len);
	buf_free(&b);
	return v;
}

static json_t *
byte_level(void)
{
	return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
		"trim_offsets", 1, "use_regex", 1);
}

static json_t *
model_json(const struct trainer *t, const struct bpe_train_params *p)
{
	json_t *vocab = json_object(), *merges = json_array();
	for (int32_t id = 0; id < t->n_tokens; id++) {
		const struct bpe_token *k = &t->token[id];
		if (id < p->n_special) {
			json_object_set_new(vocab, k->s, json_integer(id));
			continue;
		}
		json_t *key = spelled(k->s, k->n);
		json_object_set_new(vocab, json_string_value(key), json_integer(id));
		json_decref(key);
	}
	for (int32_t i = 0; i < t->n_merges; i++) {
		const struct bpe_token *l = &t->token[t->merge[i] >> 32];
		const struct bpe_token *r = &t->token[(uint32_t)t->merge[i]];
		json_t *m = json_array();
		json_array_append_new(m, spelled(l->s, l->n));
		json_array_append_new(m, spelled(r->s, r->n));
		json_array_append_new(merges, m);
	}
	return json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE",
		"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
		"fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab, "merges",
		merges);
}

static void
dump(json_t *v, struct buf *out)
{
	char *s = json_dumps(v, JSON_INDENT(1));
	assert(s);
	buf_puts(out, s);
	buf_putc(out, '\n');
	free(s);
	json_decref(v);
}

static void
write_json(const struct trainer *t, const struct bpe_train_params *p, struct buf *json,
	struct buf *config)
{
	json_t *added = json_array(), *decoder = json_object();
	for (int i = 0; i < p->n_special; i++) {
		char id[16];
		json_t *a = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", p->special[i],
			"single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1);
		snprintf(id, sizeof id, "%d", i);
		json_object_set(decoder, id, a);
		json_t *with_id = json_pack("{s:i}", "id", i);
		json_object_update(with_id, a);
		json_array_append_new(added, with_id);
		json_decref(a);
	}
	dump(json_pack("{s:s, s:n, s:n, s:o, s:n, s:o, s:o, s:o, s:o}", "version", "1.0",
		     "truncation", "padding", "added_tokens", added, "normalizer", "pre_tokenizer",
		     byte_level(), "post_processor", byte_level(), "decoder", byte_level(), "model",
		     model_json(t, p)),
		json);
	json_t *c = json_pack("{s:s, s:b, s:b, s:o}", "tokenizer_class", "PreTrainedTokenizerFast",
		"add_bos_token", 0, "clean_up_tokenization_spaces", 0, "added_tokens_decoder",
		decoder);
	if (p->n_special > 0)
		json_object_set_new(c, "eos_token", json_string(p->special[0]));
	dump(c, config);
}

static int
check_params(const struct bpe_train_params *p, struct err *e)
{
	if (p->vocab < 256 + p->n_special || p->vocab > BPE_MAX_ID)
		return err_set(e, ERR_USAGE,
			"a vocabulary of %d: expected %d (bytes and special tokens) to %d",
			p->vocab, 256 + p->n_special, BPE_MAX_ID);
	for (int i = 0; i < p->n_special; i++) {
		const char *s = p->special[i];
		size_t n = strlen(s);
		struct buf bytes = BUF_INIT;
		/* It must not be taken for the spelling of a byte or of something learned. */
		bool taken = bpe_unspell(s, n, &bytes) &&
			     (n <= 1 || bytes.len != n || memcmp(bytes.data, s, n) != 0);
		buf_free(&bytes);
		if (n == 0 || taken || utf8_valid_prefix(s, n) < n)
			return err_set(e, ERR_USAGE,
				"special token \"%.40s\": empty, not UTF-8 or spelled like bytes",
				s);
		for (int k = 0; k < i; k++)
			if (strcmp(p->special[i], p->special[k]) == 0)
				return err_set(e, ERR_USAGE, "special token \"%.40s\" twice",
					p->special[i]);
	}
	return 0;
}

static void
start_tokens(struct trainer *t, const struct bpe_train_params *p)
{
	t->token = x_malloc((size_t)p->vocab * sizeof *t->token);
	t->merge = x_malloc((size_t)p->vocab * sizeof *t->merge);
	for (int i = 0; i < p->n_special; i++)
		t->token[t->n_tokens++] =
			(struct bpe_token){p->special[i], (uint32_t)strlen(p->special[i]), false};
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;
		t->token[t->n_tokens++] =
			(struct bpe_token){arena_strndup(&t->mem, &byte, 1), 1, true};
	}
}

int
bpe_train(const char *text, size_t n, const struct bpe_train_params *p, struct buf *json,
	struct buf *config, int *vocab, struct err *e)
{
	struct trainer t = {0};
	if (check_params(p, e) < 0)
		return -1;
	arena_init(&t.mem);
	int rc = count_text(&t, text, n, p, e);
	if (rc == 0) {
		start_tokens(&t, p);
		t.touched = x_calloc((size_t)t.n_words + 1, sizeof *t.touched);
		start_pairs(&t, p->n_special);
		learn(&t, p->vocab, p->min_count > 0 ? p->min_count : 2);
		write_json(&t, p, json, config);
		if (vocab)
			*vocab = t.n_tokens;
	}
	for (size_t i = 0; t.pair && i <= t.pair_mask; i++)
		ids_free(&t.pair[i].words);
	free(t.pair);
	free(t.heap);
	free(t.word);
	free(t.word_slot);
	free(t.token);
	free(t.merge);
	free(t.touched);
	arena_free(&t.mem);
	return rc;
}
