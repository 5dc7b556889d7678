#include "lib/text/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/bpe.h"
#include "lib/text/json_util.h"
#include "lib/text/utf8.h"

void
decoder_free(struct decoder *d)
{
	for (int i = 0; i < d->n_replace; i++) {
		X_FREE(d->replace[i].from);
		X_FREE(d->replace[i].to);
	}
	X_FREE(d->strip);
	X_FREE(d->prefix);
	X_FREE(d->suffix);
	d->n_replace = 0;
}

void
decoder_replace(struct decoder *d, const char *from, const char *to)
{
	if (d->n_replace == DECODER_MAX_REPLACE)
		return;
	d->replace[d->n_replace].from = x_strdup(from);
	d->replace[d->n_replace++].to = x_strdup(to);
}

bool
decoder_strips(const struct decoder *d)
{
	return d->n_strip > 0 || d->bare;
}

static void
set(char **p, const char *s)
{
	free(*p);
	*p = x_strdup(s);
}

static int
load_replace(struct decoder *d, const json_t *v, bool fused, struct err *e)
{
	const char *from =
		json_string_value(json_object_get(json_object_get(v, "pattern"), "String"));
	const char *to = json_string_value(json_object_get(v, "content"));
	int32_t c;
	if (from == NULL || *from == '\0' || to == NULL)
		return err_set(e, ERR_CONFIG, "decoder: Replace of other than a String");
	/* Across tokens it would see more than one token at a time can show. */
	if (fused && (size_t)utf8_decode(from, strlen(from), &c) != strlen(from))
		return err_set(e, ERR_CONFIG, "decoder: Replace behind Fuse is not supported");
	if (d->n_replace == DECODER_MAX_REPLACE)
		return err_set(e, ERR_CONFIG, "decoder: more than %d Replace", DECODER_MAX_REPLACE);
	decoder_replace(d, from, to);
	return 0;
}

static int
load_strip(struct decoder *d, const json_t *v, bool fused, struct err *e)
{
	const char *content = json_string_value(json_object_get(v, "content"));
	json_int_t start = json_integer_value(json_object_get(v, "start"));
	json_int_t stop = json_integer_value(json_object_get(v, "stop"));
	if (content == NULL || *content == '\0' || start < 0)
		return err_set(e, ERR_DATA, "decoder: Strip: no content");
	if (stop != 0 || (start > 0 && !fused))
		return err_set(e, ERR_CONFIG,
			"decoder: Strip of every token or of the text's end is "
			"not supported");
	set(&d->strip, content);
	d->n_strip = (size_t)start;
	return 0;
}

static int
load_metaspace(struct decoder *d, const json_t *v, struct err *e)
{
	const char *mark = json_string_value(json_object_get(v, "replacement"));
	const char *scheme = json_string_value(json_object_get(v, "prepend_scheme"));
	if (mark == NULL || *mark == '\0')
		return err_set(e, ERR_DATA, "decoder: Metaspace: no replacement");
	d->bare = (scheme == NULL || strcmp(scheme, "never") != 0) &&
		  !json_is_false(json_object_get(v, "add_prefix_space"));
	if (d->bare)
		set(&d->strip, mark);
	decoder_replace(d, mark, " ");
	return 0;
}

static int
load_wordpiece(struct decoder *d, const json_t *v, struct err *e)
{
	const char *prefix = json_string_value(json_object_get(v, "prefix"));
	set(&d->prefix, prefix ? prefix : "##");
	return text_flag(v, "cleanup", true, &d->cleanup, e);
}

static int
load_step(struct decoder *d, const json_t *v, bool *fused, int depth, struct err *e)
{
	const char *type = text_type(v);
	const json_t *list = json_object_get(v, "decoders");
	if (strcmp(type, "ByteLevel") == 0)
		d->byte_level = true;
	else if (strcmp(type, "ByteFallback") == 0)
		d->byte_fallback = true;
	else if (strcmp(type, "Fuse") == 0)
		*fused = true;
	else if (strcmp(type, "Replace") == 0)
		return load_replace(d, v, *fused, e);
	else if (strcmp(type, "Strip") == 0)
		return load_strip(d, v, *fused, e);
	else if (strcmp(type, "Metaspace") == 0)
		return load_metaspace(d, v, e);
	else if (strcmp(type, "WordPiece") == 0)
		return load_wordpiece(d, v, e);
	else if (strcmp(type, "BPEDecoder") == 0)
		set(&d->suffix, json_string_value(json_object_get(v, "suffix"))
					? json_string_value(json_object_get(v, "suffix"))
					: "</w>");
	else if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 4)
		return err_set(e, ERR_CONFIG, "decoder: \"%.40s\" is not supported", type);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (load_step(d, json_array_get(list, i), fused, depth + 1, e) < 0)
			return -1;
	return 0;
}

int
decoder_load(struct decoder *d, const json_t *v, struct err *e)
{
	bool fused = false;
	d->given = v && !json_is_null(v);
	return d->given ? load_step(d, v, &fused, 0, e) : 0;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* "<0x41>": its byte, else -1. */
static int
byte_of(const char *s, size_t n)
{
	if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
		return -1;
	int high = hex_digit(s[3]), low = hex_digit(s[4]);
	return high < 0 || low < 0 ? -1 : 16 * high + low;
}

static bool
begins(const char *s, size_t n, const char *with)
{
	size_t k = strlen(with);
	return k > 0 && n >= k && memcmp(s, with, k) == 0;
}

static void
put_replaced(const struct decoder *d, const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		int k = 0;
		while (k < d->n_replace && !begins(s + i, n - i, d->replace[k].from))
			k++;
		if (k == d->n_replace) {
			buf_putc(out, s[i++]);
			continue;
		}
		buf_puts(out, d->replace[k].to);
		i += strlen(d->replace[k].from);
	}
}

/* " ." is "." and so on: huggingface/tokenizers, src/decoders/wordpiece.rs, cleanup. */
static bool
joins(const char *s, size_t n)
{
	static const char *const ends[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (begins(s, n, ends[i]))
			return true;
	return false;
}

static void
put_wordpiece(const struct decoder *d, const char *s, size_t n, bool first, struct buf *out)
{
	bool joined = begins(s, n, d->prefix);
	if (joined && !first) {
		buf_put(out, s + strlen(d->prefix), n - strlen(d->prefix));
		return;
	}
	if (!first && !(d->cleanup && joins(s, n)))
		buf_putc(out, ' ');
	buf_put(out, s, n);
}

void
decoder_token(const struct decoder *d, const char *s, size_t n, bool first, struct buf *out)
{
	int byte = d->byte_fallback ? byte_of(s, n) : -1;
	if (byte >= 0) {
		buf_putc(out, (char)byte);
		return;
	}
	if (d->byte_level && bpe_unspell(s, n, out))
		return;
	if (d->prefix) {
		put_wordpiece(d, s, n, first, out);
		return;
	}
	size_t k = d->suffix ? strlen(d->suffix) : 0;
	bool word = k > 0 && n >= k && memcmp(s + n - k, d->suffix, k) == 0;
	struct buf b = BUF_INIT;
	for (; first && d->bare && begins(s, n, d->strip); s += strlen(d->strip))
		n -= strlen(d->strip);
	put_replaced(d, s, word ? n - k : n, &b);
	if (word)
		buf_putc(&b, ' ');
	size_t from = 0;
	for (size_t i = 0; first && i < d->n_strip && begins(b.data + from, b.len - from, d->strip);
		i++)
		from += strlen(d->strip);
	buf_put(out, b.len ? b.data + from : "", b.len - from);
	buf_free(&b);
}
