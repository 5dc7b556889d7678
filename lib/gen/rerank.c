#include "lib/gen/rerank.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct ranked {
	double value;
	json_t *number; /* as it is written; owned */
	int index;
};

static int
by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* The true value of each response. */
static int
read_values(const struct record *r, const char *field, const char *raw, struct ranked *out,
	struct err *e)
{
	for (int i = 0; i < r->n_responses; i++) {
		const struct response *p = &r->responses[i];
		const char *name = field;
		double v;
		int rc = response_number(p, field, &v, e);
		double true_value;
		int kept = rc > 0 && raw ? response_number(p, raw, &true_value, e) : 0;
		if (kept < 0)
			rc = -1;
		if (kept > 0)
			name = raw, v = true_value;
		if (rc < 0)
			return err_prefix(e, "responses[%d]", i);
		if (rc == 0)
			return err_set(e, ERR_DATA,
				"responses[%d].%s: missing: --reward DIR adds it, --reward-field "
				"NAME sorts by another number",
				i, field);
		out[i] = (struct ranked){v, json_incref(json_object_get(p->json, name)), i};
	}
	return 0;
}

static void
reassign(struct record *r, const char *field, const char *raw, struct ranked *kept, int n)
{
	for (int i = 0; i < n; i++)
		json_object_set(r->responses[i].json, raw, kept[i].number);
	qsort(kept, (size_t)n, sizeof *kept, by_value);
	for (int i = 0; i < n; i++)
		json_object_set(r->responses[i].json, field, kept[i].number);
}

int
rerank_record(struct record *r, const struct rerank_options *o, struct err *e)
{
	int n = r->n_responses, kept = o->length > 0 && o->length < n ? o->length : n;
	int first = o->keep_top && n > 0;
	struct buf raw = BUF_INIT;
	buf_printf(&raw, "raw_%s", o->field);
	struct ranked *v = x_calloc((size_t)n, sizeof *v);
	int *perm = x_calloc((size_t)n, sizeof *perm);
	int rc = read_values(r, o->field, o->keep_top ? raw.data : NULL, v, e);
	if (rc == 0) {
		qsort(v + first, (size_t)(n - first), sizeof *v, by_value);
		for (int i = 0; i < n; i++)
			perm[i] = v[i].index;
		rc = record_permute(r, perm, kept, e);
	}
	if (rc == 0 && o->keep_top)
		reassign(r, o->field, raw.data, v, kept);
	for (int i = 0; i < n; i++)
		json_decref(v[i].number);
	free(v);
	free(perm);
	buf_free(&raw);
	return rc;
}
