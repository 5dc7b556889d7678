#include "lib/text/added.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text/utf8.h"

struct trie_node {
	int32_t child, next; /* first child, next sibling; 0: none */
	int32_t token;       /* index into added.v, or -1 */
	unsigned char byte;
};

static int32_t
trie_new(struct trie *t, unsigned char byte)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->node = x_realloc(t->node, (size_t)t->cap * sizeof *t->node);
	}
	t->node[t->n] = (struct trie_node){.token = -1, .byte = byte};
	return t->n++;
}

static int32_t
trie_child(const struct trie *t, int32_t node, unsigned char byte)
{
	int32_t c = t->node[node].child;
	while (c && t->node[c].byte != byte)
		c = t->node[c].next;
	return c;
}

static void
trie_put(struct trie *t, const char *s, size_t n, int32_t token)
{
	int32_t at = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)s[i];
		int32_t c = trie_child(t, at, byte);
		if (c == 0) {
			c = trie_new(t, byte);
			t->node[c].next = t->node[at].child;
			t->node[at].child = c;
		}
		at = c;
	}
	if (at != 0 && t->node[at].token < 0)
		t->node[at].token = token;
}

void
added_free(struct added *a)
{
	for (int32_t i = 0; i < a->n; i++)
		X_FREE(a->v[i].s);
	X_FREE(a->v);
	X_FREE(a->raw.node);
	X_FREE(a->normalized.node);
	*a = (struct added){0};
}

void
added_put(struct added *a, const struct added_token *t)
{
	struct added_token *p = NULL;
	for (int32_t i = 0; i < a->n && p == NULL; i++)
		if (a->v[i].id == t->id)
			p = &a->v[i];
	if (p == NULL) {
		if (a->n == a->cap) {
			a->cap = a->cap ? 2 * a->cap : 32;
			a->v = x_realloc(a->v, (size_t)a->cap * sizeof *a->v);
		}
		p = &a->v[a->n++];
		p->s = NULL;
	}
	char *s = x_strndup(t->s, t->n);
	free(p->s);
	*p = *t;
	p->s = s;
}

const struct added_token *
added_find(const struct added *a, const char *s, size_t n)
{
	for (int32_t i = 0; i < a->n; i++)
		if (a->v[i].n == n && memcmp(a->v[i].s, s, n) == 0)
			return &a->v[i];
	return NULL;
}

static int
by_id(const void *x, const void *y)
{
	const struct added_token *a = x, *b = y;
	return (a->id > b->id) - (a->id < b->id);
}

const struct added_token *
added_by_id(const struct added *a, int32_t id)
{
	struct added_token key = {.id = id};
	return a->n ? bsearch(&key, a->v, (size_t)a->n, sizeof *a->v, by_id) : NULL;
}

int
added_index(struct added *a, const struct normal *normal, struct err *e)
{
	struct normal_work w = {0};
	int rc = 0;
	if (a->n > 1)
		qsort(a->v, (size_t)a->n, sizeof *a->v, by_id);
	trie_new(&a->raw, 0);
	trie_new(&a->normalized, 0);
	for (int32_t i = 0; rc == 0 && i < a->n; i++) {
		const struct added_token *t = &a->v[i];
		const char *s = t->s;
		size_t n = t->n;
		if (t->normalized && normal)
			rc = normal_run(normal, &w, true, &s, &n, e);
		if (rc == 0 && n == 0)
			rc = err_set(e, ERR_CONFIG,
				"added token \"%.40s\": the normaliser leaves nothing of it", t->s);
		if (rc == 0)
			trie_put(t->normalized ? &a->normalized : &a->raw, s, n, i);
		a->normalized_special |= t->normalized && t->special;
	}
	normal_work_free(&w);
	return rc;
}

static bool
stands_alone(const char *text, size_t n, size_t start, size_t end)
{
	int32_t c;
	size_t i = start;
	while (i > 0 && start - i < 4) {
		i--;
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			break;
	}
	if (i < start && utf8_decode(text + i, start - i, &c) == (int)(start - i) &&
		utf8_is_word(c))
		return false;
	return end >= n || utf8_decode(text + end, n - end, &c) == 0 || !utf8_is_word(c);
}

/* The longest token at text[i..] that may stand there; its length into *len. */
static const struct added_token *
longest(const struct added *a, const struct trie *t, const char *text, size_t n, size_t i,
	size_t literal_end, size_t *len)
{
	const struct added_token *best = NULL;
	int32_t at = 0;
	for (size_t j = i; j < n && (at = trie_child(t, at, (unsigned char)text[j])) != 0; j++) {
		int32_t k = t->node[at].token;
		if (k < 0 || (a->v[k].special && j + 1 > literal_end))
			continue;
		best = &a->v[k];
		*len = j + 1 - i;
	}
	return best;
}

const struct added_token *
added_next(const struct added *a, const struct trie *t, const char *text, size_t n,
	struct added_cursor *c, const struct literals *lit, size_t *start, size_t *end)
{
	if (t->n <= 1)
		return NULL;
	size_t l = 0;
	for (size_t i = c->search; i < n;) {
		while (lit && l < lit->n && lit->v[l][1] <= i)
			l++;
		size_t literal_end = lit && l < lit->n && lit->v[l][0] <= i ? lit->v[l][1] : 0;
		size_t len = 0;
		const struct added_token *x = longest(a, t, text, n, i, literal_end, &len);
		if (x == NULL) {
			i++;
			continue;
		}
		if (x->single_word && !stands_alone(text, n, i, i + len)) {
			i += len;
			continue;
		}
		*start = i;
		if (x->lstrip)
			*start = i > c->done ? c->done + utf8_trailing_space(
								 text + c->done, i - c->done)
					     : c->done;
		if (*start >= i + len) { /* all of it went to the token before */
			i += len;
			continue;
		}
		*end = i + len + (x->rstrip ? utf8_leading_space(text + i + len, n - i - len) : 0);
		c->search = i + len;
		c->done = *end;
		return x;
	}
	return NULL;
}
