#include "lib/text/tokenizer_impl.h"

#include <string.h>

static int
load_vocab(struct bpe *b, const json_t *vocab, struct err *e)
{
	if (!json_is_object(vocab) || json_object_size(vocab) == 0)
		return err_set(e, ERR_DATA, "vocab: not an object with tokens");
	const char *key;
	json_t *id;
	json_object_foreach((json_t *)vocab, key, id)
	{
		if (!json_is_integer(id))
			return err_set(
				e, ERR_DATA, "vocab: the id of \"%.40s\" is no integer", key);
		if (bpe_add_token(b, key, strlen(key), json_integer_value(id), e) < 0)
			return -1;
	}
	return 0;
}

/* "a b": neither side may hold a space (a space is spelled otherwise). */
static int
merge_line(struct bpe *b, const char *s, size_t n, uint32_t rank, struct err *e)
{
	const char *space = memchr(s, ' ', n);
	if (space == NULL || memchr(space + 1, ' ', n - (size_t)(space + 1 - s)))
		return err_set(e, ERR_DATA, "merges: number %u, \"%.*s\": not two tokens", rank + 1,
			(int)(n < 40 ? n : 40), s);
	return bpe_add_merge(
		b, s, (size_t)(space - s), space + 1, n - (size_t)(space + 1 - s), rank, e);
}

static int
load_merges(struct bpe *b, const json_t *merges, struct err *e)
{
	if (!json_is_array(merges))
		return err_set(e, ERR_DATA, "merges: not an array");
	size_t i;
	json_t *m;
	json_array_foreach((json_t *)merges, i, m)
	{
		const json_t *l = json_array_get(m, 0), *r = json_array_get(m, 1);
		int rc;
		if (json_is_string(m))
			rc = merge_line(
				b, json_string_value(m), json_string_length(m), (uint32_t)i, e);
		else if (json_array_size(m) == 2 && json_is_string(l) && json_is_string(r))
			rc = bpe_add_merge(b, json_string_value(l), json_string_length(l),
				json_string_value(r), json_string_length(r), (uint32_t)i, e);
		else
			rc = err_set(e, ERR_DATA, "merges: number %zu is no pair of tokens", i + 1);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The member key as a text, NULL when it is absent, null or empty. */
static const char *
get_text(const json_t *model, const char *key)
{
	const char *s = json_string_value(json_object_get(model, key));
	return s && *s ? s : NULL;
}

static int
set_unknown(struct bpe *b, const json_t *model, struct err *e)
{
	const json_t *unk = json_object_get(model, "unk_token");
	if (unk && !json_is_null(unk) && !json_is_string(unk))
		return err_set(e, ERR_DATA, "model: unk_token: not a string");
	if (json_is_string(unk))
		b->unk = bpe_find(b, json_string_value(unk), json_string_length(unk));
	return 0;
}

static int
load_bpe(struct tokenizer *t, const json_t *model, struct err *e)
{
	struct bpe *b = &t->bpe;
	const char *prefix = get_text(model, "continuing_subword_prefix");
	const char *suffix = get_text(model, "end_of_word_suffix");
	if (text_flag(model, "byte_fallback", false, &b->byte_fallback, e) < 0 ||
		text_flag(model, "ignore_merges", false, &b->ignore_merges, e) < 0 ||
		text_flag(model, "fuse_unk", false, &b->fuse_unk, e) < 0)
		return -1;
	if (json_number_value(json_object_get(model, "dropout")) != 0)
		return err_set(e, ERR_CONFIG, "model: dropout is not supported");
	if (b->byte_fallback && (prefix || suffix))
		return err_set(e, ERR_CONFIG,
			"model: byte_fallback with a subword prefix or suffix is not supported");
	/* Bytes only where nothing but merges makes tokens of them. */
	if (b->byte_fallback || prefix || suffix)
		pretok_spell(&t->pretok);
	b->chars = !t->pretok.byte_level;
	b->prefix = prefix ? x_strdup(prefix) : NULL;
	b->suffix = suffix ? x_strdup(suffix) : NULL;
	const json_t *merges = json_object_get(model, "merges");
	if (load_vocab(b, json_object_get(model, "vocab"), e) < 0)
		return -1;
	bpe_index(b, json_array_size(merges));
	return set_unknown(b, model, e) < 0 ? -1 : load_merges(b, merges, e);
}

/* [["piece", score], ...]: ids are places in the list. */
static int
load_unigram(struct tokenizer *t, const json_t *model, struct err *e)
{
	struct bpe *b = &t->bpe;
	struct unigram *u = &t->unigram;
	const json_t *vocab = json_object_get(model, "vocab");
	const json_t *unk = json_object_get(model, "unk_id");
	size_t n = json_array_size(vocab);
	if (n == 0)
		return err_set(e, ERR_DATA, "vocab: not a list of pieces with scores");
	if (text_flag(model, "byte_fallback", false, &b->byte_fallback, e) < 0)
		return -1;
	b->chars = true;
	u->score = x_calloc(n, sizeof *u->score);
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(vocab, i), *s = json_array_get(row, 0);
		const json_t *score = json_array_get(row, 1);
		if (!json_is_string(s) || !json_is_number(score))
			return err_set(
				e, ERR_DATA, "vocab: number %zu is no piece with a score", i);
		u->score[i] = json_number_value(score);
		if (bpe_add_token(b, json_string_value(s), json_string_length(s), (int64_t)i, e) <
			0)
			return -1;
	}
	bpe_index(b, 0);
	u->unk = -1;
	if (json_is_integer(unk) && json_integer_value(unk) >= 0 &&
		(size_t)json_integer_value(unk) < n)
		u->unk = (int32_t)json_integer_value(unk);
	else if (unk && !json_is_null(unk))
		return err_set(e, ERR_DATA, "model: unk_id: not an id of the vocabulary");
	b->unk = u->unk;
	return 0;
}

static int
load_words(struct tokenizer *t, const json_t *model, struct err *e)
{
	struct bpe *b = &t->bpe;
	const json_t *prefix = json_object_get(model, "continuing_subword_prefix");
	const json_t *most = json_object_get(model, "max_input_chars_per_word");
	b->chars = true;
	if (load_vocab(b, json_object_get(model, "vocab"), e) < 0)
		return -1;
	bpe_index(b, 0);
	if (t->model == MODEL_WORDPIECE)
		b->prefix = x_strdup(json_is_string(prefix) ? json_string_value(prefix) : "##");
	if (json_is_integer(most) && json_integer_value(most) >= 0)
		t->most_chars = (size_t)json_integer_value(most);
	for (int32_t id = 0; id < b->n; id++)
		if (b->token[id].s && b->token[id].n > t->longest)
			t->longest = b->token[id].n;
	return set_unknown(b, model, e);
}

/* Files older than the member "type" are told by what else they have. */
static const char *
model_type(const json_t *model)
{
	const json_t *type = json_object_get(model, "type");
	if (type)
		return json_string_value(type);
	return json_object_get(model, "merges")                     ? "BPE"
	       : json_is_array(json_object_get(model, "vocab"))     ? "Unigram"
	       : json_object_get(model, "max_input_chars_per_word") ? "WordPiece"
								    : NULL;
}

/* What a file without a decoder means: the marks that its own steps put become spaces again. */
static void
assume_decoder(struct tokenizer *t)
{
	struct decoder *d = &t->decoder;
	if (d->given)
		return;
	if (t->model == MODEL_WORDPIECE) {
		d->prefix = x_strdup(t->bpe.prefix);
		return;
	}
	d->byte_level =
		pretok_has(&t->pretok, PRETOK_SPELL) || normal_has(&t->normal, NORMAL_SPELL);
	d->byte_fallback = t->bpe.byte_fallback;
	decoder_replace(d, "\xe2\x96\x81", " "); /* U+2581 */
	if (normal_has(&t->normal, NORMAL_PREPEND) || pretok_prefixes(&t->pretok)) {
		d->strip = x_strdup(" ");
		d->n_strip = 1;
	}
	if (t->bpe.suffix)
		d->suffix = x_strdup(t->bpe.suffix);
}

int
tokenizer_load_model(struct tokenizer *t, const json_t *model, struct err *e)
{
	static const struct {
		const char *name;
		int (*load)(struct tokenizer *t, const json_t *model, struct err *e);
	} kinds[] = {
		[MODEL_BPE] = {"BPE", load_bpe},
		[MODEL_UNIGRAM] = {"Unigram", load_unigram},
		[MODEL_WORDPIECE] = {"WordPiece", load_words},
		[MODEL_WORDLEVEL] = {"WordLevel", load_words},
	};
	if (!json_is_object(model))
		return err_set(e, ERR_DATA, "model: not an object");
	const char *name = model_type(model);
	for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		t->model = (enum tokenizer_model)i;
		/* The other models have no other alphabet than what their words are written in. */
		if (t->model != MODEL_BPE)
			pretok_spell(&t->pretok);
		if (kinds[i].load(t, model, e) < 0)
			return -1;
		assume_decoder(t);
		return 0;
	}
	return err_set(e, ERR_CONFIG,
		"model: type \"%.40s\" is not supported (BPE, Unigram, WordPiece and WordLevel "
		"are)",
		name ? name : "?");
}

int
tokenizer_parse_gpt2(struct tokenizer *t, const char *vocab, size_t vocab_n, const char *merges,
	size_t merges_n, struct err *e)
{
	json_t *root = text_json(vocab, vocab_n, e);
	if (root == NULL)
		return err_prefix(e, "vocab.json");
	int rc = load_vocab(&t->bpe, root, e);
	json_decref(root);
	if (rc < 0)
		return err_prefix(e, "vocab.json");
	size_t lines = 1;
	for (size_t i = 0; i < merges_n; i++)
		lines += merges[i] == '\n';
	bpe_index(&t->bpe, lines);
	t->vocab = t->bpe.n;
	uint32_t rank = 0;
	for (size_t i = 0, end; i < merges_n; i = end + 1) {
		const char *nl = memchr(merges + i, '\n', merges_n - i);
		end = nl ? (size_t)(nl - merges) : merges_n;
		size_t n = end - i - (end > i && merges[end - 1] == '\r');
		if (n == 0 || (i == 0 && n >= 8 && memcmp(merges, "#version", 8) == 0))
			continue;
		if (merge_line(&t->bpe, merges + i, n, rank++, e) < 0)
			return err_prefix(e, "merges.txt");
	}
	t->pretok.byte_level = true;
	return pretok_add_split(&t->pretok, pretok_gpt2, SPLIT_ISOLATED, false, e);
}
