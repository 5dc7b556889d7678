#include "lib/stream/import.h"

#include <stdlib.h>
#include <string.h>

#include "lib/stream/import_impl.h"

static const char *const format_names[] = {"auto", "hh", "trl", "pro", "rrhf", "ultrafeedback",
	"tldr", "oasst", "messages", "records"};

const char *
import_format_name(enum import_format f)
{
	return format_names[f];
}

static bool
has(const json_t *v, const char *key)
{
	return json_object_get(v, key) != NULL;
}

/* The first element of a list member has this key. */
static bool
first_has(const json_t *v, const char *list, const char *key)
{
	return has(json_array_get(json_object_get(v, list), 0), key);
}

static bool
fits(const json_t *v, enum import_format f)
{
	bool pair = has(v, "chosen") && has(v, "rejected");
	bool scored = has(v, "score_chosen") || has(v, "score_rejected");
	bool hh = !has(v, "prompt") && json_is_string(json_object_get(v, "chosen")) &&
		  dialogue_is_hh(json_string_value(json_object_get(v, "chosen")));
	const json_t *responses = json_object_get(v, "responses");
	switch (f) {
	case IMPORT_HH:
		return pair && hh;
	case IMPORT_TRL:
		return pair && !hh && !scored;
	case IMPORT_PRO:
		return has(v, "prefix") && has(v, "suffix");
	case IMPORT_RRHF:
		return has(v, "query") && has(v, "scores") && json_is_array(responses);
	case IMPORT_ULTRAFEEDBACK:
		return (pair && !hh && scored) || (has(v, "instruction") && has(v, "completions"));
	case IMPORT_TLDR:
		return has(v, "info") && has(v, "summaries") && has(v, "choice");
	case IMPORT_OASST:
		return has(v, "context") && json_is_array(responses);
	case IMPORT_MESSAGES:
		return has(v, "messages") && !pair;
	case IMPORT_RECORDS:
		return has(v, "prompt") && json_is_array(responses) &&
		       (json_array_size(responses) == 0 || first_has(v, "responses", "text"));
	case IMPORT_AUTO:
		break;
	}
	return false;
}

int
import_detect(const json_t *v, enum import_format *f, struct err *e)
{
	struct buf names = BUF_INIT;
	int n = 0;
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "not a JSON object");
	for (enum import_format i = IMPORT_AUTO + 1; i <= IMPORT_RECORDS; i++) {
		if (fits(v, i)) {
			buf_printf(&names, "%s%s", n++ ? ", " : "", format_names[i]);
			*f = i;
		}
	}
	if (n == 0)
		err_set(e, ERR_DATA, "unknown format; name it with --format");
	else if (n > 1)
		err_set(e, ERR_DATA, "could be %s; name the format with --format", names.data);
	buf_free(&names);
	return n == 1 ? 0 : -1;
}

struct candidate *
draft_add(struct draft *d, const char *source, const char *text, size_t n)
{
	if (d->n == d->cap) {
		int cap = d->cap ? 2 * d->cap : 4;
		struct candidate *c = arena_calloc(d->arena, (size_t)cap, sizeof *c);
		if (d->n > 0)
			memcpy(c, d->candidates, (size_t)d->n * sizeof *c);
		d->candidates = c;
		d->cap = cap;
	}
	struct candidate *c = &d->candidates[d->n++];
	*c = (struct candidate){.json = json_object()};
	json_object_set_new(c->json, "text", json_stringn(text, n));
	if (source)
		json_object_set_new(c->json, "source", json_string(source));
	return c;
}

struct candidate *
draft_add_numbered(struct draft *d, const char *text, size_t n)
{
	char source[64];
	snprintf(source, sizeof source, "%s:%d", format_names[d->im->format], d->n + 1);
	return draft_add(d, source, text, n);
}

void
draft_carry(struct candidate *c, const json_t *v, const char *const *except)
{
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)v, key, x)
	{
		bool skip = has(c->json, key);
		for (const char *const *k = except; *k && !skip; k++)
			skip = strcmp(*k, key) == 0;
		if (!skip)
			json_object_set(c->json, key, x);
	}
}

static int
by_rank(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->position - y->position;
}

void
draft_sort(struct draft *d)
{
	for (int i = 0; i < d->n; i++)
		d->candidates[i].position = i;
	if (d->n > 0)
		qsort(d->candidates, (size_t)d->n, sizeof *d->candidates, by_rank);
}

void
draft_use(struct draft *d, const char *key)
{
	json_object_set_new(d->used, key, json_true());
}

static bool
all_different(const json_t *responses)
{
	json_t *seen = json_object(); /* a set of texts */
	size_t n = json_array_size(responses);
	for (size_t i = 0; i < n; i++) {
		const char *text = "";
		json_get_string(json_array_get(responses, i), "text", &text, NULL, NULL);
		json_object_set_new(seen, text, json_true());
	}
	bool different = json_object_size(seen) == n;
	json_decref(seen);
	return different;
}

/* Splits whole dialogues into the common context and the responses. */
static int
split_dialogues(struct draft *d, const char **reason)
{
	const struct dialogue *first = &d->candidates[0].dialogue;
	for (int i = 0; i < d->n; i++) {
		const struct dialogue *x = &d->candidates[i].dialogue;
		if (i == 0) {
			bool speaks = false;
			for (int k = 0; k < x->n; k++)
				speaks = speaks || x->turns[k].role == ROLE_ASSISTANT;
			if (!speaks) {
				*reason = "no turn of the assistant in the first dialogue";
				return 0;
			}
		} else if (d->im->filter == FILTER_TURNS && x->n != first->n) {
			*reason = "different numbers of turns";
			return 0;
		}
		if (x->n == 0 || x->turns[x->n - 1].role != ROLE_ASSISTANT) {
			*reason = "a dialogue does not end with the assistant";
			return 0;
		}
		if (d->im->filter == FILTER_CONTEXTS &&
			(x->n != first->n || !dialogue_same(x, first, x->n - 1))) {
			*reason = "different contexts";
			return 0;
		}
		const struct turn *t = &x->turns[x->n - 1];
		json_object_set_new(d->candidates[i].json, "text", json_stringn(t->text, t->n));
	}
	d->prompt = dialogue_prompt(first, first->n - 1);
	return 1;
}

static int
check_prompt(struct draft *d, const char **reason)
{
	if (d->whole && split_dialogues(d, reason) == 0)
		return 0;
	size_t n = json_array_size(d->prompt);
	const char *role = "";
	if (json_is_array(d->prompt) && n == 0) {
		*reason = "no prompt";
		return 0;
	}
	json_get_string(json_array_get(d->prompt, n - 1), "role", &role, NULL, NULL);
	if (n > 0 && strcmp(role, role_name(ROLE_ASSISTANT)) == 0) {
		*reason = "the prompt ends with the assistant";
		return 0;
	}
	return 1;
}

static void
set_id(json_t *r, const struct importer *im, int64_t line)
{
	struct buf id = BUF_INIT;
	const char *name = im->name ? im->name : im->subset ? im->subset : format_names[im->format];
	buf_printf(&id, "%s:%lld", name, (long long)line);
	json_object_set_new(r, "id", json_string(id.data));
	buf_free(&id);
}

/* Puts the record together: ours first, then what the format did not use. */
static json_t *
assemble(struct draft *d, const json_t *v, int64_t line)
{
	const struct importer *im = d->im;
	json_t *r = json_object(), *list = json_array();
	set_id(r, im, line);
	json_object_set_new(r, "prompt", d->prompt);
	d->prompt = NULL;
	for (int i = 0; i < d->n; i++)
		json_array_append(list, d->candidates[i].json);
	json_object_set_new(r, "responses", list);
	if (im->subset)
		json_object_set_new(r, "subset", json_string(im->subset));
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)v, key, x)
	{
		if (strcmp(key, "id") == 0)
			json_object_set(r, "source_id", x);
		else if (!has(d->used, key) && !has(r, key))
			json_object_set(r, key, x);
	}
	json_object_update(r, d->extra);
	return r;
}

/* Our own records keep their id, if they have one. */
static json_t *
pass_record(const struct importer *im, const json_t *v, int64_t line)
{
	json_t *r = json_object();
	if (!has(v, "id"))
		set_id(r, im, line);
	json_object_update(r, (json_t *)v);
	if (im->subset)
		json_object_set_new(r, "subset", json_string(im->subset));
	return r;
}

static int
convert(const struct importer *im, const json_t *v, int64_t line, struct arena *a, json_t **record,
	const char **reason, struct err *e)
{
	static const format_reader readers[] = {
		[IMPORT_HH] = read_hh,
		[IMPORT_TRL] = read_pair,
		[IMPORT_PRO] = read_pro,
		[IMPORT_RRHF] = read_rrhf,
		[IMPORT_ULTRAFEEDBACK] = read_ultrafeedback,
		[IMPORT_TLDR] = read_tldr,
		[IMPORT_OASST] = read_oasst,
		[IMPORT_MESSAGES] = read_messages,
	};
	struct draft d = {.im = im, .arena = a, .used = json_object(), .extra = json_object()};
	int rc = readers[im->format](&d, v, reason, e);
	if (rc > 0)
		rc = check_prompt(&d, reason);
	if (rc > 0)
		*record = assemble(&d, v, line);
	for (int i = 0; i < d.n; i++)
		json_decref(d.candidates[i].json);
	json_decref(d.prompt);
	json_decref(d.used);
	json_decref(d.extra);
	return rc;
}

int
import_record(const struct importer *im, const json_t *v, int64_t line, struct arena *a,
	json_t **record, const char **reason, struct err *e)
{
	int rc = 1;
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "not a JSON object");
	if (im->format == IMPORT_RECORDS)
		*record = pass_record(im, v, line);
	else
		rc = convert(im, v, line, a, record, reason, e);
	if (rc > 0 && im->filter == FILTER_CONTEXTS &&
		!all_different(json_object_get(*record, "responses"))) {
		json_decref(*record);
		*reason = "equal responses";
		rc = 0;
	}
	return rc;
}
