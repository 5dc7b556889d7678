#include "lib/gen/idmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"

void
idmap_init(struct idmap *m)
{
	*m = (struct idmap){.cap = 64};
	m->slots = x_calloc(m->cap, sizeof *m->slots);
	arena_init(&m->strings);
}

void
idmap_free(struct idmap *m)
{
	X_FREE(m->slots);
	arena_free(&m->strings);
	m->n = m->cap = 0;
}

/* The slot that holds id, or the empty one where it belongs. */
static struct idmap_slot *
probe(const struct idmap *m, const char *id)
{
	size_t i = hash64(id, strlen(id)) & (m->cap - 1);
	while (m->slots[i].id && strcmp(m->slots[i].id, id) != 0)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

int64_t *
idmap_find(const struct idmap *m, const char *id)
{
	struct idmap_slot *s = probe(m, id);
	return s->id ? &s->value : NULL;
}

static void
grow(struct idmap *m)
{
	struct idmap old = *m;
	m->cap *= 2;
	m->slots = x_calloc(m->cap, sizeof *m->slots);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].id)
			*probe(m, old.slots[i].id) = old.slots[i];
	free(old.slots);
}

int
idmap_add(struct idmap *m, const char *id, int64_t value)
{
	struct idmap_slot *s = probe(m, id);
	if (s->id)
		return 0;
	*s = (struct idmap_slot){arena_strndup(&m->strings, id, strlen(id)), value};
	if (2 * ++m->n > m->cap)
		grow(m);
	return 1;
}
