#include "lib/text/tokenizer_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/text/utf8.h"

enum { MAX_ADDED = 1 << 14 };

struct tokenizer *
tokenizer_new(void)
{
	struct tokenizer *t = x_calloc(1, sizeof *t);
	bpe_init(&t->bpe);
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
	pretok_free(&t->pretok);
	added_free(&t->added);
	free(t);
}

/* The text that the vocabulary has at id; NULL: none. */
static const char *
vocab_text(const struct tokenizer *t, int32_t id, size_t *n)
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
	if (t->spm)
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
	const char *s = vocab_text(t, a->id, &n);
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
hash_all(struct tokenizer *t)
{
	struct sha256 h;
	sha256_init(&h);
	hash_number(&h, t->spm ? 1 : 2);
	hash_number(&h, t->vocab);
	hash_number(&h, t->adds_bos ? t->bos : -1);
	hash_number(&h, t->eos);
	for (int32_t id = 0; id < t->vocab; id++) {
		size_t n = 0;
		const char *s = vocab_text(t, id, &n);
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
	hash_number(&h, t->bpe.ignore_merges + 2 * t->bpe.fuse_unk + 4 * t->pretok.nfc);
	hash_number(&h, t->bpe.unk);
	for (int i = 0; i < t->pretok.n; i++) {
		const struct pretok_step *s = &t->pretok.step[i];
		hash_number(&h, s->prefix_space + 2 * s->invert + 4 * (int)s->behavior);
		hash_text(&h, s->pattern ? s->pattern : "", s->pattern ? strlen(s->pattern) : 0);
	}
	for (int32_t i = 0; i < t->added.n; i++) {
		const struct added_token *a = &t->added.v[i];
		hash_number(&h, a->id);
		hash_text(&h, a->s, a->n);
		hash_number(&h, a->special + 2 * a->normalized + 4 * a->lstrip + 8 * a->rstrip +
					16 * a->single_word);
	}
	sha256_hex(&h, t->hash);
}

void
tokenizer_finish(struct tokenizer *t)
{
	added_index(&t->added, t->pretok.nfc);
	/* A whole word may be a token of the vocabulary, but not a special one. */
	for (int32_t i = 0; i < t->added.n; i++)
		if (t->added.v[i].special && t->added.v[i].id < t->bpe.n)
			t->bpe.token[t->added.v[i].id].spelled = false;
	hash_all(t);
}

int
tokenizer_from_json(struct tokenizer **out, const char *text, size_t n, struct err *e)
{
	struct tokenizer *t = tokenizer_new();
	if (tokenizer_parse_json(t, text, n, e) < 0) {
		tokenizer_free(t);
		return -1;
	}
	tokenizer_finish(t);
	*out = t;
	return 0;
}

/* One call of tokenizer_encode. */
struct encoding {
	const struct tokenizer *t;
	struct buf joined, normal, words;
	struct spans spans;
	struct literals lit;
	struct bpe_work work;
	struct ids *out;
};

static void
join(struct encoding *c, const struct text_piece *pieces, int n)
{
	for (int i = 0; i < n; i++) {
		size_t start = c->joined.len;
		buf_put(&c->joined, pieces[i].s, pieces[i].n);
		if (!pieces[i].literal || pieces[i].n == 0)
			continue;
		if (c->lit.n == c->lit.cap) {
			c->lit.cap = c->lit.cap ? 2 * c->lit.cap : 16;
			c->lit.v = x_realloc(c->lit.v, c->lit.cap * sizeof *c->lit.v);
		}
		c->lit.v[c->lit.n][0] = start;
		c->lit.v[c->lit.n++][1] = c->joined.len;
	}
}

static int
encode_words(struct encoding *c, const char *s, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (pretok_run(&c->t->pretok, s, n, &c->words, &c->spans, e) < 0)
		return -1;
	for (size_t i = 0; i < c->spans.n; i++) {
		const struct span *w = &c->spans.v[i];
		if (bpe_encode_word(&c->t->bpe, c->words.data + w->start, w->end - w->start,
			    &c->work, c->out, e) < 0)
			return -1;
	}
	return 0;
}

/* Text between two added tokens: normalise, look for those added tokens that are meant to be found
 * in normalised text, and make words of the rest. */
static int
encode_segment(struct encoding *c, const char *s, size_t n, bool prefix, struct err *e)
{
	if (n == 0)
		return 0;
	if (c->t->spm) {
		if (spm_encode(c->t->spm, s, n, prefix, c->out) < 0)
			return err_set(e, ERR_DATA, "SentencePiece cannot encode this text");
		return 0;
	}
	if (c->t->pretok.nfc) {
		buf_reset(&c->normal);
		utf8_nfc(s, n, &c->normal);
		s = c->normal.data;
		n = c->normal.len;
	}
	const struct added_token *a;
	struct added_cursor at = {0};
	size_t done = 0, start, end;
	for (; (a = added_next(
			&c->t->added, &c->t->added.normalized, s, n, &at, NULL, &start, &end));
		done = at.done) {
		if (start > done && encode_words(c, s + done, start - done, e) < 0)
			return -1;
		ids_push(c->out, a->id);
	}
	return encode_words(c, s + done, n - done, e);
}

int
tokenizer_encode(const struct tokenizer *t, const struct text_piece *pieces, int n, unsigned flags,
	struct ids *out, struct err *e)
{
	struct encoding c = {.t = t, .out = out};
	const struct added_token *a;
	struct added_cursor at = {0};
	size_t done = 0, start, end;
	bool prefix = !(flags & TOKENIZER_NO_PREFIX);
	int rc = 0;
	join(&c, pieces, n);
	for (; rc == 0 && (a = added_next(&t->added, &t->added.raw, c.joined.data, c.joined.len,
				   &at, &c.lit, &start, &end));
		done = at.done) {
		if (start > done)
			rc = encode_segment(&c, c.joined.data + done, start - done, prefix, e);
		if (rc == 0)
			ids_push(out, a->id);
		prefix = t->prefix_after_added;
	}
	if (rc == 0 && c.joined.len > done)
		rc = encode_segment(&c, c.joined.data + done, c.joined.len - done, prefix, e);
	buf_free(&c.joined);
	buf_free(&c.normal);
	buf_free(&c.words);
	spans_free(&c.spans);
	free(c.lit.v);
	bpe_work_free(&c.work);
	return rc;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : 0;
}

static void
decode_spm_piece(const struct tokenizer *t, int32_t id, bool strip, struct buf *out)
{
	static const char space[] = "\xe2\x96\x81"; /* U+2581 */
	size_t n, i = 0;
	const char *s = spm_piece(t->spm, id, &n);
	switch (spm_piece_kind(t->spm, id)) {
	case SPM_UNKNOWN:
		buf_puts(out, " \xe2\x81\x87 "); /* the library's unk_surface, U+2047 */
		return;
	case SPM_BYTE: /* "<0x41>" */
		buf_putc(out, n == 6 ? (char)(hex_digit(s[3]) * 16 + hex_digit(s[4])) : '?');
		return;
	case SPM_CONTROL:
	case SPM_NORMAL:
		break;
	}
	if (strip && n >= 3 && memcmp(s, space, 3) == 0)
		i = 3;
	while (i < n) {
		if (n - i >= 3 && memcmp(s + i, space, 3) == 0) {
			buf_putc(out, ' ');
			i += 3;
		} else {
			buf_putc(out, s[i++]);
		}
	}
}

void
tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool at_start,
	bool show_special, struct buf *out)
{
	bool strip = at_start && tokenizer_has_prefix(t);
	buf_reserve(out, 1);
	for (size_t i = 0; i < n; i++) {
		int32_t id = ids[i];
		const struct added_token *a = added_by_id(&t->added, id);
		if (id < 0 || id >= t->vocab)
			continue;
		if (a) {
			if (!a->special || show_special)
				buf_put(out, a->s, a->n);
			if (!a->special)
				strip = false;
			continue;
		}
		if (!t->spm) {
			if (id < t->bpe.n && t->bpe.token[id].s)
				buf_put(out, t->bpe.token[id].s, t->bpe.token[id].n);
			continue;
		}
		if (id >= spm_size(t->spm))
			continue;
		decode_spm_piece(t, id, strip, out);
		strip = false;
	}
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

bool
tokenizer_is_spm(const struct tokenizer *t)
{
	return t->spm != NULL;
}

bool
tokenizer_has_prefix(const struct tokenizer *t)
{
	return t->spm && spm_has_prefix(t->spm);
}

int32_t
tokenizer_id(const struct tokenizer *t, const char *token)
{
	const struct added_token *a = added_find(&t->added, token, strlen(token));
	if (a)
		return a->id;
	return t->spm ? spm_find(t->spm, token) : bpe_find(&t->bpe, token, strlen(token));
}

const char *
tokenizer_hash(const struct tokenizer *t)
{
	return t->hash;
}
