#include "lib/gen/join.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/gen/idmap.h"
#include "lib/stream/input.h"

struct entry {
	size_t at, n; /* the record's bytes in data */
	int64_t line;
	bool used;
};

struct join {
	char *path;
	struct map map;
	struct buf text; /* when the file is not plain */
	const char *data;
	struct entry *entries;
	size_t n, cap;
	int64_t n_used;
	struct idmap ids;
};

/* One record that in stands behind; kept: it is to be copied, else it stays in the file. */
static int
add(struct join *j, const struct input *in, const struct record *r, bool kept, struct err *e)
{
	size_t n, at = (size_t)input_offset(in);
	const char *text = input_text(in, &n);
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
	if (kept) {
		at = j->text.len;
		buf_put(&j->text, text, n);
	}
	idmap_add(&j->ids, r->id, (int64_t)j->n);
	j->entries[j->n++] = (struct entry){at, n, input_lineno(in), false};
	return 0;
}

static int
scan(struct join *j, bool regular, struct err *e)
{
	const char *const files[] = {j->path};
	struct input *in = input_open(files, 1);
	struct record r = {0};
	json_t *v;
	int rc;
	for (;;) {
		rc = input_value(in, &v, e);
		bool placed = !input_bad(in);
		if (rc == 0 || (rc < 0 && placed))
			break;
		if (rc > 0 && (rc = record_take(&r, v, e)) == 0)
			rc = add(j, in, &r, !regular || input_packed(in), e);
		if (rc < 0) {
			err_prefix(e, "%s:%lld", j->path, (long long)input_lineno(in));
			break;
		}
	}
	record_free(&r);
	input_close(in);
	return rc;
}

int
join_open(struct join **out, const char *path, struct err *e)
{
	struct join *j = x_calloc(1, sizeof *j);
	struct stat st;
	bool regular = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
	j->path = x_strdup(path);
	idmap_init(&j->ids);
	/* mapped first: what was scanned is then what map_check vouches for */
	int rc = regular ? map_open(&j->map, path, e) : 0;
	if (rc == 0)
		rc = scan(j, regular, e);
	if (rc < 0 || map_check(&j->map, e) < 0) {
		join_close(j);
		return -1;
	}
	if (j->text.len > 0)
		map_close(&j->map); /* packed: the records were copied */
	j->data = j->text.len > 0 ? j->text.data : j->map.data;
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
