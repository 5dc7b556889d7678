#include "lib/stream/idwatch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/rng.h"

enum { SLOTS = 8192, MOST = SLOTS / 2 };

/* Puts h in; false when it is there. */
static bool
insert(struct id_watch *w, uint64_t h)
{
	size_t i = (size_t)(h >> 40) % SLOTS; /* not of the low bits, which are all 0 */
	for (; w->table[i]; i = (i + 1) % SLOTS)
		if (w->table[i] == h)
			return false;
	w->table[i] = h;
	w->n++;
	return true;
}

static bool
is_kept(const struct id_watch *w, uint64_t h)
{
	return (h & ((UINT64_C(1) << w->zeros) - 1)) == 0;
}

/* One zero more: about half of them go. */
static void
thin(struct id_watch *w)
{
	uint64_t *old = w->table;
	w->table = x_calloc(SLOTS, sizeof *w->table);
	w->n = 0;
	w->zeros++;
	for (int i = 0; i < SLOTS; i++)
		if (old[i] && is_kept(w, old[i]))
			insert(w, old[i]);
	free(old);
}

void
id_watch_add(struct id_watch *w, const char *id)
{
	if (*id == '\0')
		return;
	uint64_t h = rng_mix_string(rng_key(0), id, strlen(id)).key;
	if (h == 0 || !is_kept(w, h))
		return;
	if (w->table == NULL)
		w->table = x_calloc(SLOTS, sizeof *w->table);
	if (!insert(w, h)) {
		if (w->twice++ == 0)
			snprintf(w->first, sizeof w->first, "%s", id);
		return;
	}
	while (w->n > MOST && w->zeros < 63)
		thin(w);
}

void
id_watch_free(struct id_watch *w)
{
	free(w->table);
	*w = (struct id_watch){0};
}
