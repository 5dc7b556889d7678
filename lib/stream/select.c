#include "lib/stream/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"

enum { MAX_PARTS = 64 };

int
split_parse(struct split *s, const char *spec, const char *part, struct err *e)
{
	const char *names[MAX_PARTS];
	size_t lengths[MAX_PARTS];
	int n = 0;
	bool found = false;
	double low = 0;
	for (const char *p = spec;;) {
		size_t len = strcspn(p, "=,");
		char *end = NULL;
		const char *digits = p + len + 1;
		if (len == 0 || p[len] != '=' || n == MAX_PARTS || !strchr(".0123456789", *digits))
			return err_set(e, ERR_USAGE, "--split %s: not NAME=FRACTION,...", spec);
		double fraction = strtod(digits, &end);
		if ((*end != ',' && *end != '\0') || !(fraction > 0 && fraction <= 1))
			return err_set(e, ERR_USAGE, "--split %s: %.*s is no fraction of 1", spec,
				(int)len, p);
		for (int i = 0; i < n; i++)
			if (lengths[i] == len && strncmp(names[i], p, len) == 0)
				return err_set(
					e, ERR_USAGE, "--split %s: %.*s twice", spec, (int)len, p);
		names[n] = p;
		lengths[n++] = len;
		double high = low + fraction;
		if (high > 1 + 1e-9)
			return err_set(e, ERR_USAGE, "--split %s: more than 1 in all", spec);
		if (high > 1 - 1e-9)
			high = 1; /* .8 + .1 + .1 */
		if (strlen(part) == len && strncmp(part, p, len) == 0) {
			*s = (struct split){low, high};
			found = true;
		}
		low = high;
		if (*end == '\0')
			break;
		p = end + 1;
	}
	if (!found)
		return err_set(e, ERR_USAGE, "--part %s: not in --split %s", part, spec);
	return 0;
}

bool
split_has(const struct split *s, uint64_t prompt_hash)
{
	double u = (double)(prompt_hash >> 11) * 0x1p-53;
	return u >= s->low && u < s->high;
}

void
sample_init(struct sample *s, int64_t n, uint64_t seed)
{
	*s = (struct sample){.n = n, .seed = seed};
}

void
sample_add(struct sample *s, void *data, void **out)
{
	struct sample_item item = {s->seen++, data};
	*out = NULL;
	if (s->n_items < s->n) {
		if ((s->n_items & (s->n_items - 1)) == 0) /* grows by doubling, as items come */
			s->items = x_realloc(s->items,
				(size_t)(s->n_items ? 2 * s->n_items : 1) * sizeof *s->items);
		s->items[s->n_items++] = item;
		return;
	}
	struct rng r = rng_mix_string(rng_key(s->seed), "sample", 6);
	uint64_t j = rng_below(r, (uint64_t)item.index, (uint64_t)s->seen);
	if (j < (uint64_t)s->n) {
		*out = s->items[j].data;
		s->items[j] = item;
	} else {
		*out = data;
	}
}

static int
by_index(const void *a, const void *b)
{
	const struct sample_item *x = a, *y = b;
	return x->index < y->index ? -1 : x->index > y->index;
}

void
sample_sort(struct sample *s)
{
	if (s->n_items > 0)
		qsort(s->items, (size_t)s->n_items, sizeof *s->items, by_index);
}

void
sample_free(struct sample *s)
{
	X_FREE(s->items);
	s->n_items = 0;
}
