#include "lib/model/weights.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/foreign.h"
#include "lib/stream/json.h"

enum { MAX_INDEX = 64 << 20, MAX_SHARDS = 4096 };

struct shard {
	char *file;
	struct map map;
	struct st_image image;
};

struct weights {
	struct shard *shards;
	int n_shards;
	const struct st_tensor **tensors; /* of all shards, by name */
	int n;
};

static int
open_shard(struct weights *w, const char *dir, const char *file, struct err *e)
{
	struct shard *s = &w->shards[w->n_shards++];
	struct buf path = BUF_INIT;
	size_t used = 0;
	s->file = x_strdup(file);
	path_join(&path, dir, file);
	int rc = map_open(&s->map, path.data, e);
	if (rc == 0)
		rc = st_parse(&s->image, s->map.data, s->map.size, &used, path.data, e);
	if (rc == 0 && used != s->map.size)
		rc = err_set(e, ERR_DATA, "%s: %zu bytes behind the last tensor", path.data,
			s->map.size - used);
	buf_free(&path);
	return rc;
}

/* A shard's name must stay inside the folder. */
static int
check_file(const char *file, struct err *e)
{
	if (file == NULL || *file == '\0' || strchr(file, '/') || strcmp(file, ".") == 0 ||
		strcmp(file, "..") == 0)
		return err_set(
			e, ERR_DATA, "weight_map: \"%.200s\" is not a file name", file ? file : "");
	return 0;
}

static int
open_index(struct weights *w, const char *dir, const json_t *map, struct err *e)
{
	if (!json_is_object(map))
		return err_set(e, ERR_DATA, "no weight_map");
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)map, name, value)
	{
		const char *file = json_string_value(value);
		if (check_file(file, e) < 0)
			return -1;
		int i = 0;
		while (i < w->n_shards && strcmp(w->shards[i].file, file) != 0)
			i++;
		if (i == MAX_SHARDS)
			return err_set(e, ERR_DATA, "more than %d files", MAX_SHARDS);
		if (i == w->n_shards && open_shard(w, dir, file, e) < 0)
			return -1;
		if (st_find(&w->shards[i].image, name) == NULL)
			return err_set(e, ERR_DATA, "tensor %.200s is not in %.200s", name, file);
	}
	return 0;
}

static int
open_sharded(struct weights *w, const char *dir, const char *path, struct err *e)
{
	struct buf text = BUF_INIT;
	json_t *root = NULL;
	int rc = file_read(path, MAX_INDEX, &text, e);
	if (rc == 0) {
		root = json_parse_python(text.data ? text.data : "", text.len, e);
		rc = root ? open_index(w, dir, json_object_get(root, "weight_map"), e) : -1;
		if (rc < 0)
			err_prefix(e, "%s", path);
	}
	json_decref(root);
	buf_free(&text);
	return rc;
}

static int
by_name(const void *a, const void *b)
{
	const struct st_tensor *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static int
collect(struct weights *w, const char *dir, struct err *e)
{
	for (int i = 0; i < w->n_shards; i++)
		w->n += w->shards[i].image.n;
	w->tensors = x_calloc((size_t)w->n + 1, sizeof(void *));
	int n = 0;
	for (int i = 0; i < w->n_shards; i++)
		for (int j = 0; j < w->shards[i].image.n; j++)
			w->tensors[n++] = &w->shards[i].image.tensors[j];
	qsort(w->tensors, (size_t)n, sizeof(void *), by_name);
	for (int i = 1; i < n; i++)
		if (strcmp(w->tensors[i - 1]->name, w->tensors[i]->name) == 0)
			return err_set(e, ERR_DATA, "%s: tensor %.200s is in two files", dir,
				w->tensors[i]->name);
	return 0;
}

int
weights_open(struct weights **out, const char *dir, struct err *e)
{
	struct weights *w = x_calloc(1, sizeof *w);
	struct buf path = BUF_INIT;
	int rc;
	w->shards = x_calloc(MAX_SHARDS, sizeof *w->shards);
	if (file_exists(path_join(&path, dir, "model.safetensors")))
		rc = open_shard(w, dir, "model.safetensors", e);
	else if (file_exists(path_join(&path, dir, "model.safetensors.index.json")))
		rc = open_sharded(w, dir, path.data, e);
	else
		rc = foreign_explain(dir, "model.safetensors", e);
	buf_free(&path);
	if (rc == 0)
		rc = collect(w, dir, e);
	if (rc < 0) {
		weights_close(w);
		w = NULL;
	}
	*out = w;
	return rc;
}

const struct st_tensor *
weights_find(const struct weights *w, const char *name)
{
	struct st_tensor key = {.name = (char *)name};
	const struct st_tensor *p = &key, **hit = NULL;
	if (w->n)
		hit = bsearch(&p, w->tensors, (size_t)w->n, sizeof(void *), by_name);
	return hit ? *hit : NULL;
}

const struct st_tensor *
weights_at(const struct weights *w, int i)
{
	return i >= 0 && i < w->n ? w->tensors[i] : NULL;
}

int
weights_check(const struct weights *w, struct err *e)
{
	for (int i = 0; i < w->n_shards; i++)
		if (map_check(&w->shards[i].map, e) < 0)
			return -1;
	return 0;
}

void
weights_close(struct weights *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < w->n_shards; i++) {
		st_image_free(&w->shards[i].image);
		map_close(&w->shards[i].map);
		free(w->shards[i].file);
	}
	free(w->shards);
	free(w->tensors);
	free(w);
}
