#include "lib/text/tokenizer_impl.h"

#include <string.h>

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

static void
decode_token(const struct tokenizer *t, int32_t id, bool first, struct buf *out)
{
	const struct bpe *b = &t->bpe;
	if (id >= b->n || b->token[id].s == NULL)
		return;
	if (b->chars)
		decoder_token(&t->decoder, b->token[id].s, b->token[id].n, first, out);
	else
		buf_put(out, b->token[id].s, b->token[id].n);
}

void
tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool at_start,
	bool show_special, struct buf *out)
{
	bool first = at_start;
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
				strip = first = false;
			continue;
		}
		if (!t->spm) {
			decode_token(t, id, first, out);
			first = false;
			continue;
		}
		if (id >= spm_size(t->spm))
			continue;
		decode_spm_piece(t, id, strip, out);
		strip = false;
	}
}
