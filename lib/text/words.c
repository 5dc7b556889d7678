#include "lib/text/words.h"

#include <string.h>

#include "lib/text/utf8.h"

static int
unknown(const struct bpe *b, const char *s, size_t n, struct ids *out, struct err *e)
{
	if (b->unk < 0)
		return err_set(e, ERR_DATA, "the tokenizer has no unknown token for '%.*s'",
			(int)(n < 40 ? n : 40), s);
	ids_push(out, b->unk);
	return 0;
}

static int32_t
find(const struct bpe *b, const char *s, size_t n)
{
	int32_t id = bpe_find(b, s, n);
	return id >= 0 && b->token[id].spelled ? id : -1;
}

int
words_encode_level(const struct bpe *b, const char *s, size_t n, struct ids *out, struct err *e)
{
	int32_t id = find(b, s, n);
	if (id < 0)
		return unknown(b, s, n, out, e);
	ids_push(out, id);
	return 0;
}

static size_t
char_length(const char *s, size_t n)
{
	int32_t c;
	int len = utf8_decode(s, n, &c);
	return len > 0 ? (size_t)len : 1;
}

/* The longest piece that begins s[0..n), which is the word's rest: its length, 0 none. */
static size_t
longest_piece(const struct bpe *b, const char *s, size_t n, size_t longest, bool first,
	struct buf *key, int32_t *id)
{
	size_t skip = 0, end = n;
	buf_reset(key);
	if (!first && b->prefix)
		buf_puts(key, b->prefix);
	skip = key->len;
	if (end > longest)
		end = longest;
	buf_put(key, s, end);
	for (; end > 0; end--) {
		if (end < n && ((unsigned char)s[end] & 0xc0) == 0x80)
			continue; /* inside a character */
		*id = find(b, key->data, skip + end);
		if (*id >= 0)
			return end;
	}
	return 0;
}

int
words_encode_pieces(const struct bpe *b, size_t most, size_t longest, const char *s, size_t n,
	struct buf *key, struct ids *out, struct err *e)
{
	size_t chars = 0, before = out->n;
	for (size_t i = 0; i < n && chars <= most; chars++)
		i += char_length(s + i, n - i);
	if (chars > most)
		return unknown(b, s, n, out, e);
	for (size_t i = 0, len; i < n; i += len) {
		int32_t id = -1;
		len = longest_piece(b, s + i, n - i, longest, i == 0, key, &id);
		if (len == 0) {
			out->n = before;
			return unknown(b, s, n, out, e);
		}
		ids_push(out, id);
	}
	return 0;
}
