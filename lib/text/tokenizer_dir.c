#include "lib/text/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/foreign.h"

/* Reading a model folder: which tokenizer it has, and what its configuration adds. */

enum { MAX_CONFIG = 64 << 20 };

const char *const *
tokenizer_files(void)
{
	static const char *const names[] = {"tokenizer.model", "tokenizer.json",
		"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", NULL};
	return names;
}

/* 1 read, 0 not there, -1 error.  The value into *v. */
static int
load_optional(const char *dir, const char *name, json_t **v, struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	*v = NULL;
	int rc = 0;
	if (file_exists(path_join(&path, dir, name))) {
		rc = file_read(path.data, MAX_CONFIG, &text, e);
		if (rc == 0) {
			*v = text_json(text.data, text.len, e);
			if (*v && !json_is_object(*v)) {
				json_decref(*v);
				*v = NULL;
				err_set(e, ERR_DATA, "not a JSON object");
			}
			rc = *v ? 1 : err_prefix(e, "%s", path.data);
		}
	}
	buf_free(&path);
	buf_free(&text);
	return rc;
}

/* "x" or {"content": "x"} */
static const char *
token_text(const json_t *v)
{
	return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
}

static int
add_from_decoder(struct tokenizer *t, const json_t *decoder, struct err *e)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)decoder, key, v)
	{
		struct added_token a;
		char *end;
		long id = strtol(key, &end, 10);
		if (*end || end == key || id < 0 || id >= BPE_MAX_ID)
			return err_set(
				e, ERR_DATA, "added_tokens_decoder: \"%.40s\" is no id", key);
		if (tokenizer_read_added(v, &a, e) < 0)
			return err_prefix(e, "added_tokens_decoder");
		a.id = (int32_t)id;
		if (tokenizer_add(t, &a, e) < 0)
			return err_prefix(e, "added_tokens_decoder");
	}
	return 0;
}

/* {"<|im_end|>": 32001}: no flags.  Those that are named elsewhere as special are. */
static int
add_from_map(struct tokenizer *t, const json_t *map, struct err *e)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)map, key, v)
	{
		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
			json_integer_value(v) >= BPE_MAX_ID || *key == '\0')
			return err_set(e, ERR_DATA, "\"%.40s\": not a token with its id", key);
		if (added_find(&t->added, key, strlen(key)))
			continue;
		struct added_token a = {.s = (char *)key,
			.n = strlen(key),
			.id = (int32_t)json_integer_value(v),
			.special = key[0] == '<' && key[strlen(key) - 1] == '>'};
		if (tokenizer_add(t, &a, e) < 0)
			return -1;
	}
	return 0;
}

/* bos_token or eos_token of a configuration: *id changes when it is there. */
static int
named_token(struct tokenizer *t, const json_t *config, const char *key, int32_t *id, struct err *e)
{
	const char *text = token_text(json_object_get(config, key));
	if (text == NULL)
		return 0;
	int32_t found = tokenizer_id(t, text);
	if (found < 0)
		return err_set(e, ERR_CONFIG, "%s \"%.40s\" is not in the vocabulary", key, text);
	*id = found;
	for (int32_t i = 0; i < t->added.n; i++)
		if (t->added.v[i].id == found)
			return 0;
	struct added_token a = {.s = (char *)text, .n = strlen(text), .id = found, .special = true};
	return tokenizer_add(t, &a, e);
}

/* eos out of config.json, when nothing nearer names it: a number or a list. */
static void
model_token(const struct tokenizer *t, const json_t *config, const char *key, int32_t *id)
{
	const json_t *v = json_object_get(config, key);
	if (json_is_array(v))
		v = json_array_get(v, 0);
	if (*id < 0 && json_is_integer(v) && json_integer_value(v) >= 0 &&
		json_integer_value(v) < t->vocab)
		*id = (int32_t)json_integer_value(v);
}

/*
 * transformers lets add_prefix_space of tokenizer_config.json override what the tokenizer's own
 * file says of a leading space; here the file decides, and a contradiction is refused.
 */
static int
check_prefix_space(const struct tokenizer *t, const json_t *config, struct err *e)
{
	const json_t *v = json_object_get(config, "add_prefix_space");
	bool own = tokenizer_has_prefix(t) || pretok_has(&t->pretok, PRETOK_SPACE);
	if (!json_is_boolean(v) || json_is_true(v) == own)
		return 0;
	return err_set(e, ERR_CONFIG, "add_prefix_space is %s, but not in the tokenizer's own file",
		json_is_true(v) ? "true" : "false");
}

static int
apply_config(struct tokenizer *t, const char *dir, struct err *e)
{
	json_t *config, *map, *added, *model;
	int rc = load_optional(dir, "tokenizer_config.json", &config, e);
	if (rc > 0) {
		rc = add_from_decoder(t, json_object_get(config, "added_tokens_decoder"), e);
		if (rc >= 0)
			rc = check_prefix_space(t, config, e);
		if (rc < 0)
			err_prefix(e, "%s/tokenizer_config.json", dir);
	}
	if (rc >= 0 && (rc = load_optional(dir, "added_tokens.json", &added, e)) > 0) {
		rc = add_from_map(t, added, e);
		json_decref(added);
		if (rc < 0)
			err_prefix(e, "%s/added_tokens.json", dir);
	}
	if (rc >= 0 && (rc = load_optional(dir, "special_tokens_map.json", &map, e)) > 0) {
		rc = named_token(t, map, "bos_token", &t->bos, e) < 0 ||
				     named_token(t, map, "eos_token", &t->eos, e) < 0
			     ? err_prefix(e, "%s/special_tokens_map.json", dir)
			     : 0;
		json_decref(map);
	}
	if (rc >= 0 && config) {
		const json_t *adds = json_object_get(config, "add_bos_token");
		rc = named_token(t, config, "bos_token", &t->bos, e) < 0 ||
				     named_token(t, config, "eos_token", &t->eos, e) < 0
			     ? err_prefix(e, "%s/tokenizer_config.json", dir)
			     : 0;
		if (json_is_boolean(adds))
			t->adds_bos = json_is_true(adds);
	}
	/* transformers: "legacy", true when it is not said; a tokenizer.json has its own rule */
	if (rc >= 0 && t->spm)
		t->prefix_after_added = !json_is_false(json_object_get(config, "legacy"));
	json_decref(config);
	/* Only a last resort: what is wrong with config.json is for the model's loader to say. */
	if (rc >= 0 && load_optional(dir, "config.json", &model, NULL) > 0) {
		model_token(t, model, "bos_token_id", &t->bos);
		model_token(t, model, "eos_token_id", &t->eos);
		json_decref(model);
	}
	if (rc >= 0 && t->adds_bos && t->bos < 0)
		rc = err_set(
			e, ERR_CONFIG, "%s: add_bos_token is true, but there is no bos token", dir);
	return rc < 0 ? -1 : 0;
}

/* Lines of base64 and a number: openai/tiktoken, tiktoken/load.py; LLaMA 3's tokenizer.model. */
static bool
is_tiktoken(const char *s, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	size_t i = 0, start;
	while (i < n && s[i] && strchr(digits, s[i]))
		i++;
	if (i == 0 || i % 4 != 0 || i >= n || s[i] != ' ')
		return false;
	for (start = ++i; i < n && s[i] >= '0' && s[i] <= '9';)
		i++;
	return i > start && (i == n || s[i] == '\n' || s[i] == '\r');
}

static int
load_spm(struct tokenizer *t, const char *path, struct err *e)
{
	struct map m;
	char why[512];
	if (map_open(&m, path, e) < 0)
		return -1;
	bool tiktoken = is_tiktoken(m.data, m.size);
	t->spm = tiktoken ? NULL : spm_load(m.data, m.size, why, sizeof why);
	struct sha256 h;
	sha256_init(&h);
	sha256_add(&h, m.data, m.size);
	sha256_hex(&h, t->hash);
	if (map_finish(&m, 0, e) < 0)
		return -1;
	if (t->spm == NULL)
		return tiktoken ? err_set(e, ERR_CONFIG,
					  "%s: a tiktoken vocabulary, not a SentencePiece model; "
					  "the model's tokenizer.json belongs beside it",
					  path)
				: err_set(e, ERR_DATA, "%s: %s", path, why);
	t->vocab = spm_size(t->spm);
	t->bos = spm_bos(t->spm);
	t->eos = spm_eos(t->spm);
	t->adds_bos = t->bos >= 0;
	t->prefix_after_added = true;
	for (int32_t id = 0; id < t->vocab; id++) {
		enum spm_kind kind = spm_piece_kind(t->spm, id);
		if (kind != SPM_CONTROL)
			continue;
		struct added_token a = {.id = id, .special = true};
		a.s = (char *)spm_piece(t->spm, id, &a.n);
		if (a.n > 0 && tokenizer_add(t, &a, e) < 0)
			return err_prefix(e, "%s", path);
	}
	return 0;
}

static int
load_json(struct tokenizer *t, const char *path, struct err *e)
{
	struct map m;
	if (map_open(&m, path, e) < 0)
		return -1;
	int rc = tokenizer_parse_json(t, m.data, m.size, e);
	if (rc < 0)
		err_prefix(e, "%s", path);
	return map_finish(&m, rc, e);
}

static int
load_gpt2(
	struct tokenizer *t, const char *dir, const char *vocab, const char *merges, struct err *e)
{
	struct map v, m;
	if (map_open(&v, vocab, e) < 0)
		return -1;
	if (map_open(&m, merges, e) < 0) {
		map_close(&v);
		return -1;
	}
	int rc = tokenizer_parse_gpt2(t, v.data, v.size, m.data, m.size, e);
	if (rc < 0)
		err_prefix(e, "%s", dir);
	rc = map_finish(&m, map_finish(&v, rc, e), e);
	if (rc < 0)
		return -1;
	/* GPT-2's one special token, which no file of these two marks as such. */
	struct added_token a = {.s = "<|endoftext|>", .n = 13, .special = true};
	a.id = bpe_find(&t->bpe, a.s, a.n);
	if (a.id < 0)
		return 0;
	t->bos = t->eos = a.id;
	return tokenizer_add(t, &a, e);
}

int
tokenizer_load(struct tokenizer **out, const char *dir, struct err *e)
{
	struct buf path = BUF_INIT, second = BUF_INIT;
	struct tokenizer *t = tokenizer_new();
	int rc;
	if (file_exists(path_join(&path, dir, "tokenizer.json")))
		rc = load_json(t, path.data, e);
	else if (file_exists(path_join(&path, dir, "tokenizer.model")))
		rc = load_spm(t, path.data, e);
	else if (file_exists(path_join(&path, dir, "vocab.json")) &&
		 file_exists(path_join(&second, dir, "merges.txt")))
		rc = load_gpt2(t, dir, path.data, second.data, e);
	else if (!file_exists(path_join(&path, dir, "config.json")))
		rc = foreign_explain(dir, "tokenizer.json", e);
	else
		rc = err_set(e, ERR_NOINPUT,
			"%s: no tokenizer.json, tokenizer.model or vocab.json with merges.txt",
			dir);
	if (rc == 0)
		rc = apply_config(t, dir, e);
	if (rc == 0)
		rc = tokenizer_finish(t, e);
	buf_free(&path);
	buf_free(&second);
	if (rc < 0) {
		tokenizer_free(t);
		return -1;
	}
	*out = t;
	return 0;
}
