#include "lib/stream/safetensors.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream/json.h"

/* Names and sizes as in the reference implementation's Dtype; those behind ST_U8 are read past. */
static const struct {
	const char *name;
	enum st_dtype dtype;
	size_t size;
} dtypes[] = {
	{"F32", ST_F32, 4},
	{"F16", ST_F16, 2},
	{"BF16", ST_BF16, 2},
	{"F64", ST_F64, 8},
	{"I64", ST_I64, 8},
	{"I32", ST_I32, 4},
	{"U8", ST_U8, 1},
	{"BOOL", ST_OTHER, 1},
	{"I8", ST_OTHER, 1},
	{"I16", ST_OTHER, 2},
	{"U16", ST_OTHER, 2},
	{"U32", ST_OTHER, 4},
	{"U64", ST_OTHER, 8},
};

enum { N_DTYPES = sizeof dtypes / sizeof *dtypes, MAX_RANK = 8 };

size_t
st_dtype_size(enum st_dtype t)
{
	return t < ST_OTHER ? dtypes[t].size : 0;
}

const char *
st_dtype_name(enum st_dtype t)
{
	return t < ST_OTHER ? dtypes[t].name : "other";
}

/* Element size by name into *size (0: not known here). */
static enum st_dtype
dtype_of(const char *name, size_t *size)
{
	for (int i = 0; i < N_DTYPES; i++) {
		if (strcmp(dtypes[i].name, name) == 0) {
			*size = dtypes[i].size;
			return dtypes[i].dtype;
		}
	}
	*size = 0;
	return ST_OTHER;
}

/* A list of n non-negative integers at most max long; -1 when it is something else. */
static int
read_sizes(const json_t *list, int64_t *out, int max)
{
	if (!json_is_array(list) || json_array_size(list) > (size_t)max)
		return -1;
	int n = (int)json_array_size(list);
	for (int i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, (size_t)i);
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return -1;
		out[i] = json_integer_value(v);
	}
	return n;
}

static int
read_tensor(struct st_tensor *t, const char *name, const json_t *v, struct err *e)
{
	const char *dtype;
	int64_t span[2];
	size_t size, count = 1;
	t->name = x_strdup(name);
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "tensor %s: not an object", name);
	if (json_get_string(v, "dtype", &dtype, NULL, NULL) != 1)
		return err_set(e, ERR_DATA, "tensor %s: no dtype", name);
	t->dtype = dtype_of(dtype, &size);
	t->rank = read_sizes(json_object_get(v, "shape"), t->shape, MAX_RANK);
	if (t->rank < 0)
		return err_set(e, ERR_DATA, "tensor %s: bad shape", name);
	if (read_sizes(json_object_get(v, "data_offsets"), span, 2) != 2 || span[1] < span[0])
		return err_set(e, ERR_DATA, "tensor %s: bad data_offsets", name);
	t->offset = (size_t)span[0];
	t->bytes = (size_t)(span[1] - span[0]);
	for (int i = 0; i < t->rank; i++)
		if (__builtin_mul_overflow(count, (size_t)t->shape[i], &count))
			return err_set(e, ERR_DATA, "tensor %s: shape too large", name);
	if (size == 0)
		return 0;
	if (__builtin_mul_overflow(count, size, &count) || count != t->bytes)
		return err_set(
			e, ERR_DATA, "tensor %s: %zu bytes do not fit its shape", name, t->bytes);
	return 0;
}

static int
read_meta(struct st_image *s, const json_t *v, struct err *e)
{
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "__metadata__: not an object");
	s->meta = x_calloc(2 * json_object_size(v), sizeof *s->meta);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)v, key, value)
	{
		if (!json_is_string(value))
			return err_set(e, ERR_DATA, "__metadata__: %s is not a string", key);
		s->meta[2 * s->n_meta] = x_strdup(key);
		s->meta[2 * s->n_meta++ + 1] = x_strdup(json_string_value(value));
	}
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

static int
by_offset(const void *a, const void *b)
{
	const struct st_tensor *x = *(const struct st_tensor *const *)a;
	const struct st_tensor *y = *(const struct st_tensor *const *)b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The spans must tile [0, *end): no overlap, no hole. */
static int
check_spans(const struct st_image *s, size_t *end, struct err *e)
{
	const struct st_tensor **order = x_malloc((size_t)s->n * sizeof *order);
	for (int i = 0; i < s->n; i++)
		order[i] = &s->tensors[i];
	qsort(order, (size_t)s->n, sizeof *order, by_offset);
	int rc = 0;
	*end = 0;
	for (int i = 0; i < s->n && rc == 0; i++) {
		if (order[i]->offset != *end)
			rc = err_set(e, ERR_DATA, "tensor %s: data_offsets %s", order[i]->name,
				order[i]->offset < *end ? "overlap another tensor"
							: "leave a hole");
		*end = order[i]->offset + order[i]->bytes;
	}
	free(order);
	return rc;
}

static int
read_header(struct st_image *s, const json_t *root, size_t *data_bytes, struct err *e)
{
	if (!json_is_object(root))
		return err_set(e, ERR_DATA, "header: not a JSON object");
	s->tensors = x_calloc(json_object_size(root), sizeof *s->tensors);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)root, key, value)
	{
		if (strcmp(key, "__metadata__") == 0) {
			if (read_meta(s, value, e) < 0)
				return -1;
		} else if (read_tensor(&s->tensors[s->n++], key, value, e) < 0) {
			return -1;
		}
	}
	qsort(s->tensors, (size_t)s->n, sizeof *s->tensors, by_name);
	return check_spans(s, data_bytes, e);
}

int
st_header(struct st_image *s, const char *json, size_t n, size_t *data_bytes, const char *where,
	struct err *e)
{
	*s = (struct st_image){0};
	json_t *root = json_parse(json, n, e);
	int rc = -1;
	if (root == NULL)
		err_prefix(e, "header");
	else
		rc = read_header(s, root, data_bytes, e);
	json_decref(root);
	if (rc < 0) {
		st_image_free(s);
		return err_prefix(e, "%s", where);
	}
	return 0;
}

void
st_attach(struct st_image *s, const void *data)
{
	for (int i = 0; i < s->n; i++)
		s->tensors[i].data = (const char *)data + s->tensors[i].offset;
}

int
st_parse(struct st_image *s, const void *data, size_t size, size_t *used, const char *where,
	struct err *e)
{
	const unsigned char *p = data;
	uint64_t header = 0;
	size_t bytes;
	*s = (struct st_image){0};
	if (size < 8)
		return err_set(e, ERR_DATA, "%s: not safetensors: %zu bytes", where, size);
	for (int i = 0; i < 8; i++)
		header |= (uint64_t)p[i] << 8 * i;
	if (header > ST_MAX_HEADER)
		return err_set(e, ERR_DATA, "%s: not safetensors: header of %llu bytes", where,
			(unsigned long long)header);
	if (header > size - 8)
		return err_set(e, ERR_DATA, "%s: truncated: header of %llu bytes, %zu are there",
			where, (unsigned long long)header, size - 8);
	if (st_header(s, (const char *)p + 8, (size_t)header, &bytes, where, e) < 0)
		return -1;
	size_t have = size - 8 - (size_t)header;
	if (bytes > have) {
		st_image_free(s);
		return err_set(e, ERR_DATA, "%s: truncated: %zu bytes of data, %zu are there",
			where, bytes, have);
	}
	st_attach(s, p + 8 + header);
	*used = 8 + (size_t)header + bytes;
	return 0;
}

const struct st_tensor *
st_find(const struct st_image *s, const char *name)
{
	struct st_tensor key = {.name = (char *)name};
	if (s->n == 0)
		return NULL;
	return bsearch(&key, s->tensors, (size_t)s->n, sizeof key, by_name);
}

const char *
st_meta(const struct st_image *s, const char *key)
{
	for (int i = 0; i < s->n_meta; i++)
		if (strcmp(s->meta[2 * i], key) == 0)
			return s->meta[2 * i + 1];
	return NULL;
}

void
st_image_free(struct st_image *s)
{
	for (int i = 0; i < s->n; i++)
		free(s->tensors[i].name);
	for (int i = 0; i < 2 * s->n_meta; i++)
		free(s->meta[i]);
	free(s->tensors);
	free(s->meta);
	*s = (struct st_image){0};
}

void
st_writer_init(struct st_writer *w, FILE *f)
{
	*w = (struct st_writer){.f = f};
	buf_putc(&w->header, '{');
}

void
st_writer_meta(struct st_writer *w, const char *const *pairs, int n_pairs)
{
	assert(!w->started && w->header.len == 1);
	buf_puts(&w->header, "\"__metadata__\":{");
	for (int i = 0; i < 2 * n_pairs; i++) {
		if (i > 0)
			buf_putc(&w->header, i % 2 ? ':' : ',');
		json_write_string(&w->header, pairs[i], strlen(pairs[i]));
	}
	buf_putc(&w->header, '}');
}

void
st_writer_describe(
	struct st_writer *w, const char *name, enum st_dtype t, const int64_t *shape, int rank)
{
	assert(!w->started && t < ST_OTHER && rank <= MAX_RANK);
	struct buf *h = &w->header;
	size_t bytes = st_dtype_size(t);
	if (h->len > 1)
		buf_putc(h, ',');
	json_write_string(h, name, strlen(name));
	buf_printf(h, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_name(t));
	for (int i = 0; i < rank; i++) {
		assert(shape[i] >= 0);
		buf_printf(h, "%s%lld", i ? "," : "", (long long)shape[i]);
		bytes *= (size_t)shape[i];
	}
	buf_printf(h, "],\"data_offsets\":[%zu,%zu]}", w->offset, w->offset + bytes);
	w->offset += bytes;
	w->n++;
}

static int
put(struct st_writer *w, const void *p, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (fwrite(p, 1, n, w->f) != n)
		return err_set(e, errno == EINTR ? ERR_TEMPFAIL : ERR_IO, "write error: %s",
			strerror(errno));
	if (w->sha)
		sha256_add(w->sha, p, n);
	return 0;
}

static int
start(struct st_writer *w, struct err *e)
{
	if (w->started)
		return 0;
	w->started = true;
	buf_putc(&w->header, '}');
	while (w->header.len % 8)
		buf_putc(&w->header, ' ');
	unsigned char size[8];
	for (int i = 0; i < 8; i++)
		size[i] = (unsigned char)((uint64_t)w->header.len >> 8 * i);
	if (put(w, size, sizeof size, e) < 0)
		return -1;
	return put(w, w->header.data, w->header.len, e);
}

int
st_writer_data(struct st_writer *w, const void *p, size_t bytes, struct err *e)
{
	if (start(w, e) < 0)
		return -1;
	w->written += bytes;
	assert(w->written <= w->offset);
	return put(w, p, bytes, e);
}

int
st_writer_finish(struct st_writer *w, struct err *e)
{
	int rc = start(w, e);
	assert(rc < 0 || w->written == w->offset);
	st_writer_free(w);
	return rc;
}

void
st_writer_free(struct st_writer *w)
{
	buf_free(&w->header);
}
