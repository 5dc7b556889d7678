/* Which format a value is in, from the table of import.h; and what to say when it is in none. */
#include <stdlib.h>
#include <string.h>

#include "lib/stream/answers.h"
#include "lib/stream/import_impl.h"

static const struct {
	const char *name, *takes, *members;
} formats[] = {[IMPORT_AUTO] = {"auto", "pr", ""},
#define FORMAT_ROW(E, name, reader, takes, members) [IMPORT_##E] = {name, takes, members},
	IMPORT_TABLE(FORMAT_ROW)
#undef FORMAT_ROW
};

const char *
import_format_name(enum import_format f)
{
	return formats[f].name;
}

/* A dialogue of HH-RLHF, or, for one more try, a member that is there and not null. */
static bool
is_kind(const json_t *x, char kind)
{
	switch (kind) {
	case 's':
		return is_text(x);
	case 'l': /* also one that is text */
		return json_is_array(x) || (is_text(x) && *json_string_value(x) == '[');
	case 'o':
		return json_is_object(x);
	case '?':
		return x != NULL;
	case 'd':
		return json_is_string(x) && dialogue_is_hh(json_string_value(x));
	default:
		return x && !json_is_null(x);
	}
}

/* One alternative, n bytes: name, name:kind or name[key]. */
static bool
has_one(const json_t *v, const char *s, size_t n)
{
	char name[80];
	char kind = '\0', *key = NULL;
	memcpy(name, s, n);
	name[n] = '\0';
	char *colon = strpbrk(name, ":?"), *bracket = strchr(name, '[');
	if (colon)
		kind = *colon == '?' ? '?' : colon[1], *colon = '\0';
	if (bracket) {
		key = bracket + 1;
		*bracket = '\0';
		key[strlen(key) - 1] = '\0';
		kind = 'l';
	}
	const json_t *x = json_object_get(v, name), *first = json_array_get(x, 0);
	if (key && is_text(x))
		return is_kind(x, kind) && strstr(json_string_value(x), key);
	return is_kind(x, kind) &&
	       (key == NULL || json_array_size(x) == 0 || json_object_get(first, key));
}

/* No member but null whose name begins with n bytes of s (prefix), or is them. */
static bool
has_not(const json_t *v, const char *s, size_t n)
{
	const char *key;
	json_t *x;
	bool prefix = s[n - 1] == '*';
	n -= prefix;
	json_object_foreach((json_t *)v, key, x)
	{
		if (!json_is_null(x) && strncmp(key, s, n) == 0 && (prefix || key[n] == '\0'))
			return false;
	}
	return true;
}

static bool fits(const json_t *v, enum import_format f);

/* One term, n bytes. */
static bool
holds(const json_t *v, const char *s, size_t n)
{
	if (n == 2 && memcmp(s, "!~", 2) == 0)
		return answers_member(v, ANSWERS_ANY) == NULL;
	if (*s == '!')
		return has_not(v, s + 1, n - 1);
	if (*s == '@') {
		for (int f = IMPORT_AUTO + 1; f < IMPORT_FORMAT_N; f++)
			if (strlen(formats[f].name) == n - 1 &&
				memcmp(formats[f].name, s + 1, n - 1) == 0)
				return !fits(v, (enum import_format)f);
		return true;
	}
	for (const char *end = s + n; s < end;) {
		size_t k = strcspn(s, "|; ");
		if (has_one(v, s, k))
			return true;
		s += k + 1;
	}
	return false;
}

/* One alternative of a row, up to ';': how many terms say what must be there, how many of these
 * hold (each 2, and 1 for a member that is there in another form), and the first that does not. */
struct match {
	int wanted, there;
	const char *lacks;
	size_t lacks_n;
	bool all; /* terms hold, those that say what must not be there too */
};

/* The term's first name is a member, whatever it is. */
static bool
is_named(const json_t *v, const char *s)
{
	char name[80];
	size_t n = strcspn(s, ":?[|; ");
	memcpy(name, s, n);
	name[n] = '\0';
	return json_object_get(v, name) != NULL;
}

static struct match
match(const json_t *v, const char *s, const char **end)
{
	struct match m = {.all = true};
	while (*s && *s != ';') {
		size_t n = strcspn(s, " ;");
		bool positive = *s != '!' && *s != '@';
		bool yes = holds(v, s, n);
		m.all = m.all && yes;
		m.wanted += positive;
		m.there += !positive ? 0 : yes ? 2 : is_named(v, s);
		if (positive && !yes && m.lacks == NULL)
			m.lacks = s, m.lacks_n = n;
		s += n;
		s += *s == ' ';
	}
	*end = *s == ';' ? s + 1 : NULL;
	return m;
}

static bool
fits(const json_t *v, enum import_format f)
{
	for (const char *s = formats[f].members; s;)
		if (match(v, s, &s).all)
			return true;
	return false;
}

void
members_write(const json_t *v, struct buf *out)
{
	const char *key;
	json_t *x;
	int n = 0;
	json_object_foreach((json_t *)v, key, x)
	{
		if (n++ == 16) {
			buf_puts(out, " ...");
			return;
		}
		buf_printf(
			out, "%s%.40s%s", n > 1 ? ", " : "", key, json_is_null(x) ? " (null)" : "");
	}
	if (n == 0)
		buf_puts(out, "none");
}

/* The row of which most is there, and then least is lacking; *f is IMPORT_AUTO when nothing is. */
static struct match
nearest(const json_t *v, enum import_format *f)
{
	struct match best = {0};
	*f = IMPORT_AUTO;
	for (int i = IMPORT_AUTO + 1; i < IMPORT_FORMAT_N; i++) {
		for (const char *s = formats[i].members; s;) {
			struct match m = match(v, s, &s);
			if (m.lacks == NULL || m.there < best.there || m.there == 0)
				continue;
			if (m.there > best.there || m.wanted < best.wanted) {
				best = m;
				*f = (enum import_format)i;
			}
		}
	}
	return best;
}

/* A term in words: "score_chosen or score_rejected", "answers (objects with answer)". */
static void
write_term(const char *s, size_t n, struct buf *out)
{
	static const struct {
		char kind;
		const char *words;
	} kinds[] = {{'s', " (a string)"}, {'l', " (a list)"}, {'o', " (an object)"},
		{'d', " (the text of a dialogue)"}};
	for (const char *end = s + n; s < end; s++) {
		if (*s == '|')
			buf_puts(out, " or ");
		else if (*s == '[')
			buf_puts(out, " (objects with ");
		else if (*s == ']')
			buf_puts(out, ")");
		else if (*s != ':' && *s != '?')
			buf_putc(out, *s);
		for (size_t k = 0; *s == ':' && k < sizeof kinds / sizeof *kinds; k++)
			if (kinds[k].kind == s[1])
				buf_puts(out, kinds[k].words);
		s += *s == ':';
	}
}

/* A prompt, and answers under a name that the nearest format does not have: it says nothing. */
static bool
is_prompt_with(const json_t *v, const char *answers, struct match m, enum import_format nearest)
{
	const json_t *prompt = json_object_get(v, "prompt");
	return answers && m.there <= 2 && prompt && !json_is_null(prompt) &&
	       !strstr(formats[nearest].members, answers);
}

/* A member that is a list of values in some format: the records of a file of one object. */
static const char *
records_within(const json_t *v)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)v, key, x)
	{
		const json_t *first = json_array_get(x, 0);
		for (int f = IMPORT_AUTO + 1; f < IMPORT_FORMAT_N && json_is_object(first); f++)
			if (fits(first, (enum import_format)f))
				return key;
	}
	return NULL;
}

static int
unknown(const json_t *v, struct err *e)
{
	struct buf members = BUF_INIT, lacks = BUF_INIT;
	enum import_format f;
	struct match m = nearest(v, &f);
	const char *answers = answers_member(v, ANSWERS_ANY), *within = records_within(v);
	members_write(v, &members);
	if (m.lacks)
		write_term(m.lacks, m.lacks_n, &lacks);
	if (is_prompt_with(v, answers, m, f))
		err_set(e, ERR_DATA,
			"unknown format: the members are %s; %.40s may hold responses, and no "
			"format has it beside a prompt; --format prompts reads the prompt alone",
			members.data, answers);
	else if (f == IMPORT_AUTO && within)
		err_set(e, ERR_DATA,
			"unknown format: the members are %s; are the records those of %.40s? jq -c "
			"'.\"%.40s\"[]' prints them as lines",
			members.data, within, within);
	else if (f == IMPORT_AUTO)
		err_set(e, ERR_DATA,
			"unknown format: the members are %s, and no format has one of them; "
			"pro-import(1) lists the formats",
			members.data);
	else
		err_set(e, ERR_DATA,
			"unknown format: the members are %s; the nearest format is %s, which needs "
			"%s too",
			members.data, formats[f].name, lacks.data);
	buf_free(&members);
	buf_free(&lacks);
	return -1;
}

/* A record of ours that carries a member of what it was made of, such as another answer: v fits
 * records and one more format, the later of which in the table is last. */
static bool
is_ours(const json_t *v, enum import_format last)
{
	bool single = last == IMPORT_KTO || last == IMPORT_ALPACA || last == IMPORT_COMPLETION ||
		      (last == IMPORT_RECORDS && fits(v, IMPORT_MESSAGES));
	return single && fits(v, IMPORT_RECORDS) &&
	       json_array_size(json_object_get(v, "responses")) > 0;
}

int
import_detect(const json_t *v, enum import_format *f, struct err *e)
{
	struct buf names = BUF_INIT;
	int n = 0;
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "not a JSON object");
	for (int i = IMPORT_AUTO + 1; i < IMPORT_FORMAT_N; i++) {
		if (fits(v, (enum import_format)i)) {
			buf_printf(&names, "%s%s", n++ ? ", " : "", formats[i].name);
			*f = (enum import_format)i;
		}
	}
	if (n == 2 && is_ours(v, *f)) {
		*f = IMPORT_RECORDS;
		n = 1;
	}
	if (n > 1)
		err_set(e, ERR_DATA, "could be %s; name the format with --format", names.data);
	buf_free(&names);
	return n == 1 ? 0 : n > 1 ? -1 : unknown(v, e);
}

/* f's reader reads v, of format g, as g's does: the formats differ by a member that may be null, as
 * a score or a label; and what is no dialogue of hh is rejected as such. */
static bool
is_alike(const json_t *v, enum import_format f, enum import_format g)
{
	static const enum import_format alike[][3] = {{IMPORT_TRL, IMPORT_ULTRAFEEDBACK, IMPORT_HH},
		{IMPORT_KTO, IMPORT_COMPLETION, IMPORT_ALPACA}};
	if (f == IMPORT_HH)
		return g == IMPORT_TRL && json_object_get(v, "prompt") == NULL;
	for (int i = 0; i < 2; i++) {
		bool has_f = false, has_g = false;
		for (int k = 0; k < 3; k++) {
			has_f = has_f || alike[i][k] == f;
			has_g = has_g || alike[i][k] == g;
		}
		if (has_f)
			return has_g;
	}
	return false;
}

/* A record of ours may be without responses, as a prompt is. */
static bool
is_of(const json_t *v, enum import_format f)
{
	return fits(v, f) || (f == IMPORT_RECORDS && fits(v, IMPORT_PROMPTS));
}

int
import_same(const json_t *v, enum import_format f, struct err *e)
{
	enum import_format other;
	struct err ignored = {0};
	if (!json_is_object(v) || is_of(v, f))
		return 0;
	if (import_detect(v, &other, &ignored) < 0) {
		const char *key = answers_member(v, ANSWERS_ANY);
		bool lost = (f == IMPORT_PROMPTS || f == IMPORT_RECORDS) && key;
		return lost ? err_set(e, ERR_DATA,
				      "the format is %s, but %.40s is there, which may hold "
				      "responses",
				      formats[f].name, key)
			    : 0; /* its reader says what is wrong */
	}
	return is_alike(v, f, other) ? 0
				     : err_set(e, ERR_DATA,
					       "a record of format %s among those of format %s; "
					       "import them apart",
					       formats[other].name, formats[f].name);
}

int
import_check(const struct importer *im, struct err *e)
{
	const char *takes = formats[im->format].takes;
	if (im->prompt_from && !strchr(takes, 'p'))
		return err_set(e, ERR_USAGE, "--prompt-from: format %s says where its prompt is",
			formats[im->format].name);
	if (im->reward_from && !strchr(takes, 'r'))
		return err_set(e, ERR_USAGE,
			"--reward-from: format %s has no scores to choose from",
			formats[im->format].name);
	return 0;
}
