#include "lib/gen/join.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/gen/idmap.h"
#include "lib/stream/input.h"

struct entry {
	size_t at, n; /* the line's bytes */
	int64_t line;
	bool used;
};

struct join {
	char *path;
	struct map map;
	struct buf text; /* when the file is not plain */
	const char *data;
	size_t size;
	struct entry *entries;
	size_t n, cap;
	int64_t n_used;
	struct idmap ids;
};

static int
slurp(struct join *j, struct err *e)
{
	const char *const files[] = {j->path};
	struct input *in = input_open(files, 1);
	const char *line;
	size_t n;
	int rc;
	while ((rc = input_line(in, &line, &n, e)) > 0) {
		buf_put(&j->text, line, n);
		buf_putc(&j->text, '\n');
	}
	input_close(in);
	j->data = j->text.data ? j->text.data : "";
	j->size = j->text.len;
	return rc;
}

static int
load(struct join *j, struct err *e)
{
	struct stat st;
	if (strcmp(j->path, "-") == 0 || (stat(j->path, &st) == 0 && S_ISFIFO(st.st_mode)))
		return slurp(j, e);
	if (map_open(&j->map, j->path, e) < 0)
		return -1;
	j->data = j->map.data;
	j->size = j->map.size;
	if (j->size >= 2 && memcmp(j->data, "\x1f\x8b", 2) == 0) {
		map_close(&j->map);
		return slurp(j, e);
	}
	return 0;
}

static bool
is_blank(const char *s, size_t n)
{
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		n--;
	return n == 0;
}

static int
add(struct join *j, struct record *r, size_t at, size_t n, int64_t line, struct err *e)
{
	if (record_parse(r, j->data + at, n, e) < 0)
		return -1;
	if (*r->id == '\0')
		return err_set(e, ERR_DATA, "id: missing, and records are joined by it");
	int64_t *before = idmap_find(&j->ids, r->id);
	if (before)
		return err_set(e, ERR_DATA, "id '%s' is on line %lld too", r->id,
			(long long)j->entries[*before].line);
	if (j->n == j->cap) {
		j->cap = j->cap ? 2 * j->cap : 256;
		j->entries = x_realloc(j->entries, j->cap * sizeof *j->entries);
	}
	idmap_add(&j->ids, r->id, (int64_t)j->n);
	j->entries[j->n++] = (struct entry){at, n, line, false};
	return 0;
}

static int
scan(struct join *j, struct err *e)
{
	struct record r = {0};
	int64_t line = 1;
	int rc = 0;
	for (size_t at = 0; at < j->size && rc == 0; line++) {
		const char *nl = memchr(j->data + at, '\n', j->size - at);
		size_t n = nl ? (size_t)(nl - j->data) - at : j->size - at;
		if (!is_blank(j->data + at, n) && add(j, &r, at, n, line, e) < 0)
			rc = err_prefix(e, "%s:%lld", j->path, (long long)line);
		at += n + 1;
	}
	record_free(&r);
	return rc;
}

int
join_open(struct join **out, const char *path, struct err *e)
{
	struct join *j = x_calloc(1, sizeof *j);
	j->path = x_strdup(path);
	idmap_init(&j->ids);
	if (load(j, e) < 0 || scan(j, e) < 0 || map_check(&j->map, e) < 0) {
		join_close(j);
		return -1;
	}
	*out = j;
	return 0;
}

void
join_close(struct join *j)
{
	if (j == NULL)
		return;
	map_close(&j->map);
	buf_free(&j->text);
	idmap_free(&j->ids);
	free(j->entries);
	free(j->path);
	free(j);
}

int
join_find(struct join *j, const struct record *r, struct record *out, struct err *e)
{
	if (*r->id == '\0')
		return err_set(e, ERR_DATA, "id: missing, and records are joined by it");
	int64_t *i = idmap_find(&j->ids, r->id);
	if (i == NULL)
		return 0;
	struct entry *x = &j->entries[*i];
	if (x->used)
		return err_set(e, ERR_DATA, "id '%s' was read before", r->id);
	x->used = true;
	j->n_used++;
	int rc = record_parse(out, j->data + x->at, x->n, e);
	if (map_check(&j->map, e) < 0)
		return -1;
	if (rc < 0)
		return err_prefix(e, "%s:%lld", j->path, (long long)x->line);
	if (record_prompt_hash(out) != record_prompt_hash(r))
		return err_set(e, ERR_DATA, "id '%s' has another prompt in %s:%lld", r->id, j->path,
			(long long)x->line);
	return 1;
}

int64_t
join_unused(const struct join *j)
{
	return (int64_t)j->n - j->n_used;
}
