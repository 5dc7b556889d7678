#include "lib/stream/import.h"

#include <stdlib.h>
#include <string.h>

#include "lib/stream/import_impl.h"

static const format_reader readers[] = {
#define READER_ROW(E, name, reader, takes, members) [IMPORT_##E] = reader,
	IMPORT_TABLE(READER_ROW)
#undef READER_ROW
};

static bool
has(const json_t *v, const char *key)
{
	return json_object_get(v, key) != NULL;
}

static bool
all_different(const json_t *responses)
{
	json_t *seen = json_object(); /* a set of texts */
	size_t n = json_array_size(responses);
	for (size_t i = 0; i < n; i++) {
		const char *text = "";
		json_get_string(json_array_get(responses, i), "text", &text, NULL, NULL);
		json_put(seen, text, json_true());
	}
	bool different = json_object_size(seen) == n;
	json_decref(seen);
	return different;
}

static void
set_id(json_t *r, const struct importer *im, int64_t line, int k)
{
	struct buf id = BUF_INIT;
	const char *name = im->name     ? im->name
			   : im->subset ? im->subset
					: import_format_name(im->format);
	buf_printf(&id, "%s:%lld", name, (long long)line);
	if (k > 0)
		buf_printf(&id, ".%d", k);
	json_put(r, "id", json_text(id.data));
	buf_free(&id);
}

/* A member that a record has a meaning of its own for comes under another name: none is lost. */
static void
carry(json_t *r, const char *key, json_t *x)
{
	struct buf name = BUF_INIT;
	if (has(r, key) && json_is_null(x))
		return;
	if (has(r, key) || strcmp(key, "id") == 0)
		buf_puts(&name, "source_");
	buf_puts(&name, key);
	if (!has(r, name.data))
		json_object_set(r, name.data, x);
	buf_free(&name);
}

/* Puts the record together: ours first, then what the format did not use. */
static json_t *
assemble(struct draft *d, int64_t line, int k)
{
	const struct importer *im = d->im;
	json_t *r = json_object(), *list = json_array();
	set_id(r, im, line, k);
	json_object_set(r, "prompt", d->list);
	for (int i = 0; i < d->n; i++)
		json_array_append(list, d->candidates[i].json);
	json_put(r, "responses", list);
	if (im->subset)
		json_put(r, "subset", json_text(im->subset));
	const char *key;
	json_t *x;
	json_object_foreach((json_t *)d->v, key, x)
	{
		bool replaced = im->subset && strcmp(key, "subset") == 0;
		if (!has(d->used, key) && !replaced)
			carry(r, key, x);
	}
	json_object_foreach(d->extra, key, x) carry(r, key, x);
	return r;
}

static struct imported *
next_imported(struct importing *x)
{
	struct imports *out = x->out;
	if (out->n == out->cap) {
		int cap = out->cap ? 2 * out->cap : 4;
		struct imported *v = arena_calloc(x->arena, (size_t)cap, sizeof *v);
		if (out->n > 0)
			memcpy(v, out->v, (size_t)out->n * sizeof *v);
		out->v = v;
		out->cap = cap;
	}
	return &out->v[out->n++];
}

void
importing_reject(struct importing *x, const char *reason)
{
	*next_imported(x) = (struct imported){.reason = reason};
}

static void
importing_keep(struct importing *x, json_t *record)
{
	if (x->im->filter == FILTER_CONTEXTS &&
		!all_different(json_object_get(record, "responses"))) {
		json_decref(record);
		importing_reject(x, "equal responses");
		return;
	}
	*next_imported(x) = (struct imported){.record = record};
}

static void
note_ties(const struct draft *d)
{
	for (int i = 1; i < d->n && d->im->notes; i++) {
		const json_t *a = json_object_get(d->candidates[i - 1].json, "reward");
		const json_t *b = json_object_get(d->candidates[i].json, "reward");
		if (a && b && json_number_value(a) == json_number_value(b)) {
			d->im->notes->ties++;
			return;
		}
	}
}

void
importing_finish(struct importing *x, struct draft *d, int k)
{
	const char *reason = NULL;
	if (draft_settle(d, &reason) == 0) {
		importing_reject(x, reason);
		return;
	}
	note_ties(d);
	if (d->im->notes)
		d->im->notes->equal += d->equal;
	importing_keep(x, assemble(d, x->line, k));
}

static bool
is_list_of(const json_t *list, size_t n)
{
	return json_is_array(list) && json_array_size(list) == n;
}

/* The numbers in a member of all responses do not go down (rank: up): the name of what goes on. */
static bool
is_disordered(const json_t *responses, const char *key, double sign)
{
	double last = 0;
	bool wrong = false;
	for (size_t i = 0; i < json_array_size(responses); i++) {
		const json_t *x = json_object_get(json_array_get(responses, i), key);
		double now = sign * json_number_value(x);
		if (!json_is_number(x))
			return false;
		wrong = wrong || (i > 0 && now > last);
		last = now;
	}
	return wrong;
}

/*
 * Somebody else's list of responses looks like a record, which is in the order of preference:
 * where it has an order of its own, that must be the same.  Ours say where responses come from, or
 * have rewards.
 */
static int
check_order(const json_t *v, const char **reason, struct err *e)
{
	const json_t *list = json_object_get(v, "responses");
	size_t n = json_array_size(list);
	for (size_t i = 0; i < n; i++)
		if (has(json_array_get(list, i), "source") ||
			has(json_array_get(list, i), "reward"))
			return 1;
	if (n > 0 && (is_list_of(json_object_get(v, "scores"), n) ||
			     is_list_of(json_object_get(v, "rewards"), n)))
		return err_set(e, ERR_DATA,
			"a list of scores beside the responses: --format rrhf ranks by it");
	*reason = is_disordered(list, "rank", -1)   ? "responses that are not in the order of rank"
		  : is_disordered(list, "score", 1) ? "responses that are not in the order of score"
						    : NULL;
	return *reason == NULL;
}

/* Our own records keep their id, if they have one. */
static json_t *
pass_record(const struct importer *im, const json_t *v, int64_t line)
{
	json_t *r = json_object();
	if (!has(v, "id"))
		set_id(r, im, line, 0);
	json_object_update(r, (json_t *)v);
	if (im->subset)
		json_put(r, "subset", json_text(im->subset));
	return r;
}

static int
convert(struct importing *x, struct err *e)
{
	struct draft d;
	const char *reason = NULL;
	draft_init(&d, x->im, x->v, x->arena);
	int rc = readers[x->im->format](&d, &reason, e);
	if (rc > 0)
		rc = draft_system(&d, &reason, e);
	if (rc == 0)
		importing_reject(x, reason);
	if (rc > 0)
		importing_finish(x, &d, 0);
	draft_free(&d);
	return rc < 0 ? -1 : 0;
}

int
import_value(const struct importer *im, const json_t *v, int64_t line, struct arena *a,
	struct imports *out, struct err *e)
{
	struct importing x = {.im = im, .v = v, .line = line, .arena = a, .out = out};
	int rc = 0;
	*out = (struct imports){0};
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "not a JSON object");
	if (im->format == IMPORT_RECORDS) {
		const char *reason = NULL;
		rc = check_order(v, &reason, e);
		if (rc > 0)
			importing_keep(&x, pass_record(im, v, line));
		else if (rc == 0)
			importing_reject(&x, reason);
	} else {
		rc = im->format == IMPORT_OASST_TREE ? import_tree(&x, e) : convert(&x, e);
	}
	for (int i = 0; i < out->n && rc < 0; i++)
		json_decref(out->v[i].record);
	if (rc < 0)
		out->n = 0;
	return rc;
}
