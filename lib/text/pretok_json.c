#include "lib/text/pretok.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/json_util.h"

const char pretok_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
			   "\\s+(?!\\S)|\\s+";

/* Unicode White_Space; Rust's \w (UTS 18, annex C); ASCII's punctuation and Unicode's. */
#define SPACE                                                                                    \
	"\\t-\\r\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
	"\\x{3000}"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
#define PUNCTUATION "[\\p{P}$+<=>^`|~]"

void
pretok_init(struct pretok *p)
{
	*p = (struct pretok){0};
}

void
pretok_free(struct pretok *p)
{
	for (int i = 0; i < p->n; i++) {
		X_FREE(p->step[i].pattern);
		X_FREE(p->step[i].mark);
		regex_free(p->step[i].re);
	}
	p->n = 0;
}

bool
pretok_has(const struct pretok *p, enum pretok_kind kind)
{
	for (int i = 0; i < p->n; i++)
		if (p->step[i].kind == kind)
			return true;
	return false;
}

bool
pretok_prefixes(const struct pretok *p)
{
	for (int i = 0; i < p->n; i++)
		if (p->step[i].kind == PRETOK_META && p->step[i].scheme != META_NEVER)
			return true;
	return false;
}

static struct pretok_step *
new_step(struct pretok *p, enum pretok_kind kind, struct err *e)
{
	if (p->n == PRETOK_MAX_STEPS) {
		err_set(e, ERR_CONFIG, "pre_tokenizer: more than %d steps", PRETOK_MAX_STEPS);
		return NULL;
	}
	p->step[p->n] = (struct pretok_step){.kind = kind};
	return &p->step[p->n++];
}

void
pretok_spell(struct pretok *p)
{
	if (p->byte_level && new_step(p, PRETOK_SPELL, NULL))
		p->byte_level = false;
}

static int
add_split(struct pretok *p, struct regex *re, const char *pattern, enum split_behavior behavior,
	bool invert, struct err *e)
{
	struct pretok_step *s = new_step(p, PRETOK_SPLIT, e);
	if (s == NULL) {
		regex_free(re);
		return -1;
	}
	s->re = re;
	s->pattern = x_strdup(pattern);
	s->behavior = behavior;
	s->invert = invert;
	return 0;
}

int
pretok_add_split(struct pretok *p, const char *pattern, enum split_behavior behavior, bool invert,
	struct err *e)
{
	struct regex *re;
	if (regex_compile(&re, pattern, strlen(pattern), e) < 0)
		return err_prefix(e, "pre_tokenizer");
	return add_split(p, re, pattern, behavior, invert, e);
}

static int
add_builtin(struct pretok *p, const char *pattern, enum split_behavior behavior, bool invert,
	struct err *e)
{
	return add_split(p, regex_builtin(pattern), pattern, behavior, invert, e);
}

static int
add_byte_level(struct pretok *p, const json_t *v, struct err *e)
{
	bool prefix = true, regex = true;
	if (text_flag(v, "add_prefix_space", true, &prefix, e) < 0 ||
		text_flag(v, "use_regex", true, &regex, e) < 0)
		return -1;
	if (prefix && new_step(p, PRETOK_SPACE, e) == NULL)
		return -1;
	if (regex && pretok_add_split(p, pretok_gpt2, SPLIT_ISOLATED, false, e) < 0)
		return -1;
	p->byte_level = true;
	return 0;
}

static int
get_behavior(const json_t *v, const char *def, enum split_behavior *out, struct err *e)
{
	static const char *const names[] = {
		"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
	const char *name = json_string_value(json_object_get(v, "behavior"));
	if (name == NULL)
		name = def;
	for (int i = 0; name && i < 5; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum split_behavior)i;
			return 0;
		}
	return err_set(
		e, ERR_CONFIG, "pre_tokenizer: behavior \"%.40s\"", name ? name : "(no behavior)");
}

static int
add_split_step(struct pretok *p, const json_t *v, struct err *e)
{
	const json_t *pattern = json_object_get(v, "pattern");
	const char *regex = json_string_value(json_object_get(pattern, "Regex"));
	const char *string = json_string_value(json_object_get(pattern, "String"));
	enum split_behavior behavior;
	struct regex *re;
	bool invert = false;
	if (get_behavior(v, NULL, &behavior, e) < 0 ||
		text_flag(v, "invert", false, &invert, e) < 0)
		return -1;
	if (text_pattern(pattern, &re, e) < 0)
		return err_prefix(e, "pre_tokenizer: Split");
	return add_split(p, re, regex ? regex : string, behavior, invert, e);
}

static int
add_digits(struct pretok *p, const json_t *v, struct err *e)
{
	bool single = false;
	if (text_flag(v, "individual_digits", false, &single, e) < 0)
		return -1;
	return add_builtin(p, single ? "\\p{N}" : "\\p{N}+", SPLIT_ISOLATED, false, e);
}

static int
add_punctuation(struct pretok *p, const json_t *v, struct err *e)
{
	enum split_behavior behavior;
	if (get_behavior(v, "Isolated", &behavior, e) < 0)
		return -1;
	return add_builtin(p, PUNCTUATION, behavior, false, e);
}

static int
add_delimiter(struct pretok *p, const json_t *v, struct err *e)
{
	const char *s = json_string_value(json_object_get(v, "delimiter"));
	if (s == NULL || *s == '\0')
		return err_set(e, ERR_DATA, "pre_tokenizer: CharDelimiterSplit: no delimiter");
	return add_split(p, regex_literal(s, strlen(s)), s, SPLIT_REMOVED, false, e);
}

static int
add_length(struct pretok *p, const json_t *v, struct err *e)
{
	const json_t *n = json_object_get(v, "length");
	if (!json_is_integer(n) || json_integer_value(n) < 1)
		return err_set(e, ERR_DATA, "pre_tokenizer: FixedLength: length: not 1 or more");
	struct pretok_step *s = new_step(p, PRETOK_LENGTH, e);
	if (s == NULL)
		return -1;
	s->length = (size_t)json_integer_value(n);
	return 0;
}

/* add_prefix_space is the older member: false contradicts every scheme but "never". */
static int
add_metaspace(struct pretok *p, const json_t *v, struct err *e)
{
	static const char *const schemes[] = {"always", "first", "never"};
	const char *mark = json_string_value(json_object_get(v, "replacement"));
	const char *scheme = json_string_value(json_object_get(v, "prepend_scheme"));
	bool cut = true;
	int i = 0;
	if (text_flag(v, "split", true, &cut, e) < 0)
		return -1;
	while (scheme && i < 3 && strcmp(schemes[i], scheme) != 0)
		i++;
	if (mark == NULL || *mark == '\0' || i == 3)
		return err_set(e, ERR_DATA, "pre_tokenizer: Metaspace: %s",
			i == 3 ? "prepend_scheme is not always, first or never" : "no replacement");
	if (json_is_false(json_object_get(v, "add_prefix_space")) && i != META_NEVER)
		return err_set(e, ERR_CONFIG,
			"pre_tokenizer: Metaspace: add_prefix_space and prepend_scheme differ");
	struct pretok_step *s = new_step(p, PRETOK_META, e);
	if (s == NULL)
		return -1;
	s->scheme = (enum meta_scheme)i;
	s->mark = x_strdup(mark);
	s->behavior = SPLIT_WITH_NEXT;
	if (cut)
		s->re = regex_literal(mark, strlen(mark));
	return 0;
}

static int
add_white(struct pretok *p, const json_t *v, struct err *e)
{
	(void)v;
	return add_builtin(p, "[" SPACE "]", SPLIT_REMOVED, false, e);
}

static int
add_words(struct pretok *p, const json_t *v, struct err *e)
{
	(void)v;
	return add_builtin(p, "[" WORD "]+|[^" WORD SPACE "]+", SPLIT_REMOVED, true, e);
}

static int
add_bert(struct pretok *p, const json_t *v, struct err *e)
{
	return add_white(p, v, e) < 0 ? -1 : add_builtin(p, PUNCTUATION, SPLIT_ISOLATED, false, e);
}

static const struct {
	const char *type;
	int (*add)(struct pretok *p, const json_t *v, struct err *e);
} kinds[] = {
	{"ByteLevel", add_byte_level},
	{"Split", add_split_step},
	{"Digits", add_digits},
	{"Metaspace", add_metaspace},
	{"Punctuation", add_punctuation},
	{"WhitespaceSplit", add_white},
	{"Whitespace", add_words},
	{"BertPreTokenizer", add_bert},
	{"CharDelimiterSplit", add_delimiter},
	{"FixedLength", add_length},
};

static int
add_steps(struct pretok *p, const json_t *v, int depth, struct err *e)
{
	const char *type = text_type(v);
	pretok_spell(p); /* the alphabet of a ByteLevel before this one */
	if (strcmp(type, "Sequence") == 0) {
		const json_t *list = json_object_get(v, "pretokenizers");
		if (!json_is_array(list) || depth > 4)
			return err_set(
				e, ERR_DATA, "pre_tokenizer: Sequence: no list of pretokenizers");
		for (size_t i = 0; i < json_array_size(list); i++)
			if (add_steps(p, json_array_get(list, i), depth + 1, e) < 0)
				return -1;
		return 0;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].add(p, v, e);
	return err_set(e, ERR_CONFIG, "pre_tokenizer: \"%.40s\" is not supported", type);
}

int
pretok_load(struct pretok *p, const json_t *v, struct err *e)
{
	return v == NULL || json_is_null(v) ? 0 : add_steps(p, v, 0, e);
}
