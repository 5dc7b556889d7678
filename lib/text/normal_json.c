#include "lib/text/normal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/stream/json.h"
#include "lib/text/json_util.h"

static struct normal_step *
new_step(struct normal *p, enum normal_kind kind, struct err *e)
{
	if (p->n == NORMAL_MAX_STEPS) {
		err_set(e, ERR_CONFIG, "normalizer: more than %d steps", NORMAL_MAX_STEPS);
		return NULL;
	}
	p->step[p->n] = (struct normal_step){.kind = kind};
	return &p->step[p->n++];
}

static int
set_text(struct normal_step *s, const json_t *v, const char *key, struct err *e)
{
	const json_t *text = json_object_get(v, key);
	if (!json_is_string(text))
		return err_set(e, ERR_DATA, "normalizer: %s: not a string", key);
	s->n = json_string_length(text);
	s->text = x_strndup(json_string_value(text), s->n);
	return 0;
}

static int
load_replace(struct normal_step *s, const json_t *v, struct err *e)
{
	if (set_text(s, v, "content", e) < 0)
		return -1;
	return text_pattern(json_object_get(v, "pattern"), &s->re, e) < 0
		       ? err_prefix(e, "normalizer: Replace")
		       : 0;
}

static int
load_strip(struct normal_step *s, const json_t *v, struct err *e)
{
	return text_flag(v, "strip_left", true, &s->left, e) < 0 ||
			       text_flag(v, "strip_right", true, &s->right, e) < 0
		       ? -1
		       : 0;
}

static int
load_bert(struct normal_step *s, const json_t *v, struct err *e)
{
	if (text_flag(v, "clean_text", true, &s->clean, e) < 0 ||
		text_flag(v, "handle_chinese_chars", true, &s->chinese, e) < 0 ||
		text_flag(v, "lowercase", true, &s->lower, e) < 0)
		return -1;
	/* null: as lowercase is */
	return text_flag(v, "strip_accents", s->lower, &s->accents, e);
}

static int
load_charsmap(struct normal_step *s, const json_t *v, struct err *e)
{
	const json_t *map = json_object_get(v, "precompiled_charsmap");
	if (!json_is_string(map))
		return err_set(e, ERR_DATA, "normalizer: precompiled_charsmap: not a string");
	s->map = charsmap_load(json_string_value(map), json_string_length(map), e);
	return s->map ? 0 : err_prefix(e, "normalizer");
}

static const struct {
	const char *type;
	enum normal_kind kind;
	enum unicode_form form;
} kinds[] = {
	{"Prepend", NORMAL_PREPEND, 0},
	{"Replace", NORMAL_REPLACE, 0},
	{"NFC", NORMAL_FORM, UNICODE_NFC},
	{"NFD", NORMAL_FORM, UNICODE_NFD},
	{"NFKC", NORMAL_FORM, UNICODE_NFKC},
	{"NFKD", NORMAL_FORM, UNICODE_NFKD},
	{"Lowercase", NORMAL_LOWER, 0},
	{"Strip", NORMAL_STRIP, 0},
	{"StripAccents", NORMAL_STRIP_ACCENTS, 0},
	{"Nmt", NORMAL_NMT, 0},
	{"Precompiled", NORMAL_CHARSMAP, 0},
	{"BertNormalizer", NORMAL_BERT, 0},
	{"ByteLevel", NORMAL_SPELL, 0},
};

static int
add_one(struct normal *p, const json_t *v, const char *type, struct err *e)
{
	size_t i = 0, n = sizeof kinds / sizeof *kinds;
	while (i < n && strcmp(kinds[i].type, type) != 0)
		i++;
	if (i == n)
		return err_set(e, ERR_CONFIG, "normalizer: \"%.40s\" is not supported", type);
	struct normal_step *s = new_step(p, kinds[i].kind, e);
	if (s == NULL)
		return -1;
	s->form = kinds[i].form;
	switch (s->kind) {
	case NORMAL_PREPEND:
		return set_text(s, v, "prepend", e);
	case NORMAL_REPLACE:
		return load_replace(s, v, e);
	case NORMAL_STRIP:
		return load_strip(s, v, e);
	case NORMAL_CHARSMAP:
		return load_charsmap(s, v, e);
	case NORMAL_BERT:
		return load_bert(s, v, e);
	default:
		return 0;
	}
}

static int
add_steps(struct normal *p, const json_t *v, int depth, struct err *e)
{
	const char *type = text_type(v);
	if (strcmp(type, "Sequence") != 0)
		return add_one(p, v, type, e);
	const json_t *list = json_object_get(v, "normalizers");
	if (!json_is_array(list) || depth > 4)
		return err_set(e, ERR_DATA, "normalizer: Sequence: no list of normalizers");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (add_steps(p, json_array_get(list, i), depth + 1, e) < 0)
			return -1;
	return 0;
}

int
normal_load(struct normal *p, const json_t *v, struct err *e)
{
	if (v == NULL || json_is_null(v))
		return 0;
	struct buf b = BUF_INIT;
	json_write(&b, v);
	p->source = x_strdup(b.data);
	buf_free(&b);
	return add_steps(p, v, 0, e);
}
