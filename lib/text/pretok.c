#include "lib/text/pretok.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lib/text/utf8.h"

const char pretok_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
			   "\\s+(?!\\S)|\\s+";

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
		pcre2_code_free(p->step[i].re);
	}
	p->n = 0;
}

static int
add_step(struct pretok *p, struct pretok_step s, struct err *e)
{
	if (p->n == PRETOK_MAX_STEPS)
		return err_set(
			e, ERR_CONFIG, "pre_tokenizer: more than %d steps", PRETOK_MAX_STEPS);
	p->step[p->n++] = s;
	return 0;
}

/* Unicode White_Space as the inside of a class; PCRE2's own \s has U+180E besides. */
#define SPACE                                                                                    \
	"\\t-\\r\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
	"\\x{3000}"

static void
translate(const char *s, struct buf *out)
{
	bool class = false;
	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
			if (*s == 's')
				buf_puts(out, class ? SPACE : "[" SPACE "]");
			else if (*s == 'S' && !class)
				buf_puts(out, "[^" SPACE "]");
			else
				buf_putc(out, '\\'), buf_putc(out, *s);
			continue;
		}
		if (*s == '[' && !class) {
			class = true;
			buf_putc(out, *s);
			if (s[1] == '^')
				buf_putc(out, *++s);
			if (s[1] == ']')
				buf_putc(out, *++s);
			continue;
		}
		if (*s == ']')
			class = false;
		buf_putc(out, *s);
	}
}

int
pretok_add_split(struct pretok *p, const char *pattern, enum split_behavior behavior, bool invert,
	struct err *e)
{
	struct buf b = BUF_INIT;
	int code = 0;
	PCRE2_SIZE at = 0;
	translate(pattern, &b);
	/* \C could stop inside a character, which would break the promise of NO_UTF_CHECK. */
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)(b.data ? b.data : ""), b.len,
		PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	buf_free(&b);
	if (re == NULL) {
		PCRE2_UCHAR why[128] = "";
		pcre2_get_error_message(code, why, sizeof why);
		return err_set(e, ERR_CONFIG, "pre_tokenizer: pattern \"%.200s\": %s", pattern,
			(char *)why);
	}
	pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without it the interpreter does */
	struct pretok_step step = {.behavior = behavior, .invert = invert, .re = re};
	if (add_step(p, step, e) < 0) {
		pcre2_code_free(re);
		return -1;
	}
	p->step[p->n - 1].pattern = x_strdup(pattern);
	return 0;
}

static const char *
type_of(const json_t *v)
{
	const char *s = json_string_value(json_object_get(v, "type"));
	return s ? s : "(no type)";
}

static int
get_bool(const json_t *v, const char *key, bool def, bool *out, struct err *e)
{
	const json_t *b = json_object_get(v, key);
	if (b && !json_is_boolean(b) && !json_is_null(b))
		return err_set(e, ERR_DATA, "%s: not true or false", key);
	*out = json_is_boolean(b) ? json_is_true(b) : def;
	return 0;
}

int
pretok_normalizer(struct pretok *p, const json_t *v, struct err *e)
{
	if (v == NULL || json_is_null(v))
		return 0;
	const char *type = type_of(v);
	if (strcmp(type, "NFC") == 0) {
		p->nfc = true;
		return 0;
	}
	const json_t *list = json_object_get(v, "normalizers");
	if (strcmp(type, "Sequence") != 0 || !json_is_array(list))
		return err_set(
			e, ERR_CONFIG, "normalizer: \"%.40s\" is not supported (NFC is)", type);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		if (strcmp(type_of(item), "Sequence") == 0)
			return err_set(e, ERR_CONFIG, "normalizer: a Sequence in a Sequence");
		if (pretok_normalizer(p, item, e) < 0)
			return -1;
	}
	return 0;
}

static int
add_byte_level(struct pretok *p, const json_t *v, struct err *e)
{
	bool prefix = true, regex = true;
	if (get_bool(v, "add_prefix_space", true, &prefix, e) < 0 ||
		get_bool(v, "use_regex", true, &regex, e) < 0)
		return -1;
	p->byte_level = true;
	if (prefix && add_step(p, (struct pretok_step){.prefix_space = true}, e) < 0)
		return -1;
	return regex ? pretok_add_split(p, pretok_gpt2, SPLIT_ISOLATED, false, e) : 0;
}

/* A String pattern is itself, quoted for PCRE2. */
static void
quote(const char *s, struct buf *out)
{
	for (; *s; s++) {
		if (strchr("\\^$.[]|()?*+{}#-/", *s))
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

static int
add_split_step(struct pretok *p, const json_t *v, struct err *e)
{
	static const char *const names[] = {
		"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
	const json_t *pattern = json_object_get(v, "pattern");
	const char *regex = json_string_value(json_object_get(pattern, "Regex"));
	const char *string = json_string_value(json_object_get(pattern, "String"));
	const char *behavior = json_string_value(json_object_get(v, "behavior"));
	bool invert = false;
	if ((regex == NULL) == (string == NULL) || behavior == NULL)
		return err_set(e, ERR_DATA,
			"pre_tokenizer: Split: pattern (Regex or String) and behavior expected");
	if (get_bool(v, "invert", false, &invert, e) < 0)
		return -1;
	size_t i = 0;
	while (i < 5 && strcmp(names[i], behavior) != 0)
		i++;
	if (i == 5)
		return err_set(e, ERR_CONFIG, "pre_tokenizer: Split: behavior \"%.40s\"", behavior);
	if (regex)
		return pretok_add_split(p, regex, (enum split_behavior)i, invert, e);
	struct buf b = BUF_INIT;
	buf_puts(&b, "");
	quote(string, &b);
	/* An empty string matches nothing. */
	int rc = pretok_add_split(p, b.len ? b.data : "(?!)", (enum split_behavior)i, invert, e);
	buf_free(&b);
	return rc;
}

static int
add_steps(struct pretok *p, const json_t *v, int depth, struct err *e)
{
	const char *type = type_of(v);
	if (p->byte_level)
		return err_set(e, ERR_CONFIG,
			"pre_tokenizer: \"%.40s\" behind ByteLevel is not supported", type);
	if (strcmp(type, "ByteLevel") == 0)
		return add_byte_level(p, v, e);
	if (strcmp(type, "Split") == 0)
		return add_split_step(p, v, e);
	if (strcmp(type, "Digits") == 0) {
		bool single = false;
		if (get_bool(v, "individual_digits", false, &single, e) < 0)
			return -1;
		return pretok_add_split(p, single ? "\\p{N}" : "\\p{N}+", SPLIT_ISOLATED, false, e);
	}
	const json_t *list = json_object_get(v, "pretokenizers");
	if (strcmp(type, "Sequence") == 0 && json_is_array(list) && depth < 4) {
		for (size_t i = 0; i < json_array_size(list); i++)
			if (add_steps(p, json_array_get(list, i), depth + 1, e) < 0)
				return -1;
		return 0;
	}
	return err_set(e, ERR_CONFIG,
		"pre_tokenizer: \"%.40s\" is not supported (ByteLevel, Split, Digits, Sequence "
		"are)",
		type);
}

int
pretok_steps(struct pretok *p, const json_t *v, struct err *e)
{
	if (v != NULL && !json_is_null(v) && add_steps(p, v, 0, e) < 0)
		return -1;
	if (!p->byte_level)
		return err_set(e, ERR_CONFIG,
			"pre_tokenizer: no ByteLevel: only byte-level BPE is supported in "
			"tokenizer.json (a SentencePiece model is read from tokenizer.model)");
	return 0;
}

static void
spans_push(struct spans *s, size_t start, size_t end, bool opaque)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->v = x_realloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = (struct span){start, end, opaque};
}

void
spans_free(struct spans *s)
{
	X_FREE(s->v);
	s->n = s->cap = 0;
}

/* State of one split of one span: what is pushed depends on what came before. */
struct splitter {
	const struct pretok_step *step;
	struct spans *out;
	size_t first;    /* spans of this split begin here in out */
	bool last_match; /* the part before was a match */
	bool joinable;   /* SPLIT_WITH_NEXT: out's last is a match that waits for its next */
};

static void
take_part(struct splitter *s, size_t start, size_t end, bool match)
{
	if (start == end)
		return;
	match ^= s->step->invert;
	struct spans *o = s->out;
	bool has = o->n > s->first, join = false;
	switch (s->step->behavior) {
	case SPLIT_ISOLATED:
		break;
	case SPLIT_REMOVED:
		if (match)
			return;
		break;
	case SPLIT_WITH_PREVIOUS:
		join = has && match && !s->last_match;
		break;
	case SPLIT_CONTIGUOUS:
		join = has && match == s->last_match;
		break;
	case SPLIT_WITH_NEXT:
		/* The last of several matches in a row joins what follows. */
		join = s->joinable && !match;
		s->joinable = match;
		break;
	}
	s->last_match = match;
	if (join)
		o->v[o->n - 1].end = end;
	else
		spans_push(o, start, end, false);
}

static int
split_span(const struct pretok_step *step, const char *text, struct span in, pcre2_match_data *md,
	struct spans *out, struct err *e)
{
	struct splitter s = {.step = step, .out = out, .first = out->n};
	const char *base = text + in.start;
	size_t n = in.end - in.start, prev = 0, at = 0;
	while (at < n) {
		int rc = pcre2_match(
			step->re, (PCRE2_SPTR)base, n, at, PCRE2_NO_UTF_CHECK, md, NULL);
		if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
			rc = pcre2_match(step->re, (PCRE2_SPTR)base, n, at,
				PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, md, NULL);
		if (rc == PCRE2_ERROR_NOMATCH)
			break;
		if (rc < 0) {
			PCRE2_UCHAR why[128] = "";
			pcre2_get_error_message(rc, why, sizeof why);
			return err_set(e, ERR_DATA,
				"the tokenizer's pattern fails on this text: %s", (char *)why);
		}
		const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(md);
		size_t ms = ov[0], me = ov[1];
		if (me <= ms || ms < prev) { /* empty, or \K played tricks: one character on */
			size_t from = me > at && me < n ? me : at;
			int32_t c;
			int len = utf8_decode(base + from, n - from, &c);
			at = from + (size_t)(len > 0 ? len : 1);
			continue;
		}
		take_part(&s, in.start + prev, in.start + ms, false);
		take_part(&s, in.start + ms, in.start + me, true);
		prev = at = me;
	}
	take_part(&s, in.start + prev, in.end, false);
	return 0;
}

/* A space before every span that does not begin with one, in a new text. */
static void
prefix_spans(struct buf *text, struct spans *in)
{
	struct buf b = BUF_INIT;
	buf_reserve(&b, text->len + in->n);
	for (size_t i = 0; i < in->n; i++) {
		struct span *s = &in->v[i];
		size_t start = b.len;
		if (s->start < s->end && text->data[s->start] != ' ')
			buf_putc(&b, ' ');
		buf_put(&b, text->data + s->start, s->end - s->start);
		s->start = start;
		s->end = b.len;
	}
	buf_free(text);
	*text = b;
}

static void
start_spans(const char *s, size_t n, struct spans *out)
{
	for (size_t i = 0; i < n;) {
		size_t valid = utf8_valid_prefix(s + i, n - i), bad = i + valid;
		if (valid > 0)
			spans_push(out, i, bad, false);
		for (i = bad; i < n && utf8_valid_prefix(s + i, n - i) == 0;)
			i++;
		if (i > bad)
			spans_push(out, bad, i, true);
	}
}

int
pretok_run(const struct pretok *p, const char *text, size_t n, struct buf *out, struct spans *words,
	struct err *e)
{
	struct spans next = {0};
	int rc = 0;
	buf_reset(out);
	buf_put(out, text, n);
	words->n = 0;
	start_spans(out->data, n, words);
	pcre2_match_data *md = pcre2_match_data_create(1, NULL);
	if (md == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; rc == 0 && i < p->n; i++) {
		if (p->step[i].prefix_space) {
			prefix_spans(out, words);
			continue;
		}
		next.n = 0;
		for (size_t k = 0; rc == 0 && k < words->n; k++) {
			if (words->v[k].opaque)
				spans_push(&next, words->v[k].start, words->v[k].end, true);
			else
				rc = split_span(&p->step[i], out->data, words->v[k], md, &next, e);
		}
		struct spans swap = *words;
		*words = next;
		next = swap;
	}
	pcre2_match_data_free(md);
	spans_free(&next);
	return rc;
}
