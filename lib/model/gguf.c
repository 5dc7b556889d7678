#include "lib/model/gguf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is left of the file.  A reader that runs over the end fails and stays where it is. */
struct cursor {
	const unsigned char *p, *end;
};

enum {
	MAX_KEY = 65535,    /* docs/gguf.md: gguf_metadata_kv_t */
	MAX_NAME = 64,      /* docs/gguf.md: gguf_tensor_info_t */
	MAX_DEPTH = 8,      /* arrays in arrays; no writer nests them at all */
	MIN_KV = 8 + 4 + 1, /* bytes of the smallest key-value pair */
	MIN_INFO = 8 + 4 + 8 + 4 + 8,
};

static size_t
left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static uint64_t
little(const unsigned char *p, int bytes)
{
	uint64_t v = 0;
	for (int i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static bool
take(struct cursor *c, int bytes, uint64_t *v)
{
	if (left(c) < (size_t)bytes)
		return false;
	*v = little(c->p, bytes);
	c->p += bytes;
	return true;
}

static bool
take_string(struct cursor *c, struct gguf_string *s)
{
	uint64_t n;
	struct cursor start = *c;
	if (!take(c, 8, &n) || n > left(c)) {
		*c = start;
		return false;
	}
	s->s = (const char *)c->p;
	s->n = (size_t)n;
	c->p += n;
	return true;
}

/* Bytes of a value of fixed size; 0 for strings and arrays. */
static int
value_size(enum gguf_type t)
{
	static const unsigned char size[GGUF_N_TYPES] = {
		[GGUF_UINT8] = 1,
		[GGUF_INT8] = 1,
		[GGUF_UINT16] = 2,
		[GGUF_INT16] = 2,
		[GGUF_UINT32] = 4,
		[GGUF_INT32] = 4,
		[GGUF_FLOAT32] = 4,
		[GGUF_BOOL] = 1,
		[GGUF_UINT64] = 8,
		[GGUF_INT64] = 8,
		[GGUF_FLOAT64] = 8,
	};
	return size[t];
}

/* Steps over count values of type t; NULL, or what is wrong. */
static const char *
skip_values(struct cursor *c, enum gguf_type t, uint64_t count, int depth)
{
	int size = value_size(t);
	if (size > 0) {
		if (count > left(c) / (size_t)size)
			return "runs over the end of the file";
		for (uint64_t i = 0; t == GGUF_BOOL && i < count; i++)
			if (c->p[i] > 1)
				return "has a truth value that is neither 0 nor 1";
		c->p += count * (uint64_t)size;
		return NULL;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct gguf_string s;
		uint64_t type, n;
		const char *why;
		if (t == GGUF_STRING) {
			if (!take_string(c, &s))
				return "has a string that runs over the end of the file";
			continue;
		}
		if (depth >= MAX_DEPTH)
			return "has arrays nested too deep";
		if (!take(c, 4, &type) || !take(c, 8, &n))
			return "runs over the end of the file";
		if (type >= GGUF_N_TYPES)
			return "has an unknown type";
		if ((why = skip_values(c, (enum gguf_type)type, n, depth + 1)))
			return why;
	}
	return NULL;
}

static bool
printable(struct gguf_string s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.s[i] <= ' ' || (unsigned char)s.s[i] > '~')
			return false;
	return s.n > 0;
}

static int
compare(struct gguf_string a, struct gguf_string b)
{
	int c = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int
compare_kv(const void *a, const void *b)
{
	return compare(((const struct gguf_kv *)a)->key, ((const struct gguf_kv *)b)->key);
}

static int
compare_name(const void *a, const void *b)
{
	return compare(
		((const struct gguf_tensor *)a)->name, ((const struct gguf_tensor *)b)->name);
}

static int
compare_data(const void *a, const void *b)
{
	const struct gguf_tensor *x = *(struct gguf_tensor *const *)a;
	const struct gguf_tensor *y = *(struct gguf_tensor *const *)b;
	return (x->data > y->data) - (x->data < y->data);
}

/* For messages: at most 80 characters of a string. */
#define SHOW(str) (int)((str).n < 80 ? (str).n : 80), (str).s

static int
read_kv(struct gguf_kv *kv, size_t i, struct cursor *c, struct err *e)
{
	uint64_t type;
	if (!take_string(c, &kv->key) || !take(c, 4, &type))
		return err_set(e, ERR_DATA, "metadata entry %zu runs over the end of the file", i);
	if (kv->key.n > MAX_KEY || !printable(kv->key))
		return err_set(
			e, ERR_DATA, "metadata entry %zu: the key is not plain ASCII text", i);
	if (type >= GGUF_N_TYPES)
		return err_set(
			e, ERR_DATA, "%.*s: unknown value type %u", SHOW(kv->key), (unsigned)type);
	kv->type = kv->item = (enum gguf_type)type;
	kv->count = 1;
	if (kv->type == GGUF_ARRAY) {
		if (!take(c, 4, &type) || !take(c, 8, &kv->count))
			return err_set(
				e, ERR_DATA, "%.*s: runs over the end of the file", SHOW(kv->key));
		if (type >= GGUF_N_TYPES)
			return err_set(e, ERR_DATA, "%.*s: unknown element type %u", SHOW(kv->key),
				(unsigned)type);
		kv->item = (enum gguf_type)type;
	}
	kv->data = c->p;
	const char *why = skip_values(c, kv->item, kv->count, 0);
	if (why)
		return err_set(e, ERR_DATA, "%.*s: %s", SHOW(kv->key), why);
	return 0;
}

static int
read_metadata(struct gguf *g, uint64_t n, struct cursor *c, struct err *e)
{
	if (n > left(c) / MIN_KV)
		return err_set(e, ERR_DATA, "%llu metadata entries do not fit into the file",
			(unsigned long long)n);
	g->kv = x_calloc((size_t)n + 1, sizeof *g->kv);
	for (size_t i = 0; i < n; i++) {
		if (read_kv(&g->kv[i], i, c, e) < 0)
			return -1;
		g->n_kv++;
	}
	qsort(g->kv, g->n_kv, sizeof *g->kv, compare_kv);
	for (size_t i = 1; i < g->n_kv; i++)
		if (compare_kv(&g->kv[i - 1], &g->kv[i]) == 0)
			return err_set(e, ERR_DATA, "%.*s: there twice", SHOW(g->kv[i].key));
	int64_t v = 32; /* docs/gguf.md: the default */
	if (gguf_int(g, "general.alignment", 1, 1 << 30, &v, e) < 0)
		return -1;
	if ((v & (v - 1)) != 0)
		return err_set(
			e, ERR_DATA, "general.alignment: %lld is not a power of two", (long long)v);
	g->alignment = (uint32_t)v;
	return 0;
}

/* Dimensions and type into t, whose bytes follow from them. */
static int
read_shape(struct gguf_tensor *t, struct cursor *c, struct err *e)
{
	uint64_t rank, type, dim, total = 1;
	if (!take(c, 4, &rank))
		return err_set(e, ERR_DATA, "runs over the end of the file");
	if (rank < 1 || rank > 4)
		return err_set(e, ERR_DATA, "%u dimensions", (unsigned)rank);
	t->rank = (int)rank;
	for (int i = t->rank - 1; i >= 0; i--) {
		if (!take(c, 8, &dim))
			return err_set(e, ERR_DATA, "runs over the end of the file");
		if (dim == 0 || dim > INT64_MAX / total)
			return err_set(e, ERR_DATA, "impossible dimensions");
		total *= dim;
		t->shape[i] = (int64_t)dim;
	}
	if (!take(c, 4, &type))
		return err_set(e, ERR_DATA, "runs over the end of the file");
	size_t elements, bytes;
	if (!ggml_type_block((uint32_t)type, &elements, &bytes)) {
		const char *name = ggml_foreign_type((uint32_t)type);
		if (name == NULL)
			return err_set(e, ERR_DATA, "unknown tensor type %u", (unsigned)type);
		return err_set(e, ERR_CONFIG,
			"type %s is not supported; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
			"Q4_K, Q5_K and Q6_K are",
			name);
	}
	t->type = (enum ggml_type)type;
	if ((uint64_t)t->shape[t->rank - 1] % elements != 0)
		return err_set(e, ERR_DATA, "rows of %lld elements are not whole %s blocks",
			(long long)t->shape[t->rank - 1], ggml_type_name(t->type));
	if (total / elements > SIZE_MAX / bytes)
		return err_set(e, ERR_DATA, "impossible dimensions");
	t->bytes = (size_t)(total / elements) * bytes;
	return 0;
}

/* *offset: from the start of the tensor data. */
static int
read_info(struct gguf_tensor *t, size_t i, uint32_t alignment, struct cursor *c, uint64_t *offset,
	struct err *e)
{
	if (!take_string(c, &t->name))
		return err_set(e, ERR_DATA, "tensor %zu runs over the end of the file", i);
	if (t->name.n > MAX_NAME || !printable(t->name))
		return err_set(e, ERR_DATA, "tensor %zu: the name is not plain ASCII text", i);
	if (read_shape(t, c, e) < 0)
		return err_prefix(e, "tensor %.*s", SHOW(t->name));
	if (!take(c, 8, offset))
		return err_set(
			e, ERR_DATA, "tensor %.*s: runs over the end of the file", SHOW(t->name));
	if (*offset % alignment != 0)
		return err_set(e, ERR_DATA, "tensor %.*s: offset %llu is not a multiple of %u",
			SHOW(t->name), (unsigned long long)*offset, alignment);
	return 0;
}

/* Offsets into pointers, now that it is known where the data begins. */
static int
place_tensors(struct gguf *g, const uint64_t *offsets, const unsigned char *base,
	const struct cursor *c, struct err *e)
{
	size_t head = (size_t)(c->p - base),
	       pad = (g->alignment - head % g->alignment) % g->alignment;
	size_t room = left(c) > pad ? left(c) - pad : 0;
	for (size_t i = 0; i < g->n_tensors; i++) {
		struct gguf_tensor *t = &g->tensors[i];
		if (offsets[i] > room || t->bytes > room - offsets[i])
			return err_set(e, ERR_DATA,
				"tensor %.*s: its %zu bytes at offset %llu run over the end of the "
				"file",
				SHOW(t->name), t->bytes, (unsigned long long)offsets[i]);
		t->data = c->p + pad + offsets[i];
	}
	return 0;
}

static int
check_tensors(struct gguf *g, struct err *e)
{
	qsort(g->tensors, g->n_tensors, sizeof *g->tensors, compare_name);
	struct gguf_tensor **by = x_calloc(g->n_tensors + 1, sizeof *by);
	for (size_t i = 0; i < g->n_tensors; i++)
		by[i] = &g->tensors[i];
	qsort(by, g->n_tensors, sizeof *by, compare_data);
	int r = 0;
	for (size_t i = 1; i < g->n_tensors && r == 0; i++) {
		if (compare_name(&g->tensors[i - 1], &g->tensors[i]) == 0)
			r = err_set(
				e, ERR_DATA, "tensor %.*s: there twice", SHOW(g->tensors[i].name));
		else if ((size_t)(by[i]->data - by[i - 1]->data) < by[i - 1]->bytes)
			r = err_set(e, ERR_DATA, "tensors %.*s and %.*s overlap",
				SHOW(by[i - 1]->name), SHOW(by[i]->name));
	}
	free(by);
	return r;
}

static int
read_tensors(struct gguf *g, uint64_t n, const unsigned char *base, struct cursor *c, struct err *e)
{
	if (n > left(c) / MIN_INFO)
		return err_set(e, ERR_DATA, "%llu tensors do not fit into the file",
			(unsigned long long)n);
	g->tensors = x_calloc((size_t)n + 1, sizeof *g->tensors);
	uint64_t *offsets = x_calloc((size_t)n + 1, sizeof *offsets);
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = read_info(&g->tensors[i], i, g->alignment, c, &offsets[i], e);
		g->n_tensors += r == 0;
	}
	if (r == 0)
		r = place_tensors(g, offsets, base, c, e);
	free(offsets);
	return r == 0 ? check_tensors(g, e) : r;
}

static int
parse(struct gguf *g, const unsigned char *data, size_t size, struct err *e)
{
	struct cursor c = {data, data + size};
	uint64_t version, n_tensors, n_kv;
	if (size < 4 || memcmp(data, "GGUF", 4) != 0)
		return err_set(e, ERR_DATA, "not a GGUF file");
	c.p += 4;
	if (!take(&c, 4, &version) || !take(&c, 8, &n_tensors) || !take(&c, 8, &n_kv))
		return err_set(e, ERR_DATA, "the header runs over the end of the file");
	if (version != 0 && (version & 0xffff) == 0)
		return err_set(e, ERR_DATA, "big-endian GGUF is not supported");
	if (version != 2 && version != 3)
		return err_set(
			e, ERR_DATA, "GGUF version %u; 2 and 3 are supported", (unsigned)version);
	g->version = (uint32_t)version;
	if (read_metadata(g, n_kv, &c, e) < 0)
		return -1;
	return read_tensors(g, n_tensors, data, &c, e);
}

int
gguf_parse(struct gguf *g, const void *data, size_t size, const char *where, struct err *e)
{
	*g = (struct gguf){.path = x_strdup(where)};
	if (parse(g, data, size, e) < 0) {
		err_prefix(e, "%s", where);
		gguf_close(g);
		return -1;
	}
	return 0;
}

int
gguf_open(struct gguf *g, const char *path, struct err *e)
{
	struct map map;
	if (map_open(&map, path, e) < 0)
		return -1;
	if (gguf_parse(g, map.data, map.size, path, e) < 0) {
		map_close(&map);
		return -1;
	}
	g->map = map;
	return 0;
}

void
gguf_close(struct gguf *g)
{
	free(g->path);
	free(g->kv);
	free(g->tensors);
	if (g->map.data)
		map_close(&g->map);
	*g = (struct gguf){0};
}

const struct gguf_kv *
gguf_find(const struct gguf *g, const char *key)
{
	struct gguf_kv want = {.key = {key, strlen(key)}};
	if (g->n_kv == 0)
		return NULL;
	return bsearch(&want, g->kv, g->n_kv, sizeof *g->kv, compare_kv);
}

const struct gguf_tensor *
gguf_tensor(const struct gguf *g, const char *name)
{
	struct gguf_tensor want = {.name = {name, strlen(name)}};
	if (g->n_tensors == 0)
		return NULL;
	return bsearch(&want, g->tensors, g->n_tensors, sizeof *g->tensors, compare_name);
}

int
gguf_int(const struct gguf *g, const char *key, int64_t min, int64_t max, int64_t *v, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);
	if (kv == NULL)
		return 0;
	int size = value_size(kv->type);
	if (kv->type == GGUF_ARRAY || size == 0 || kv->type == GGUF_BOOL ||
		kv->type == GGUF_FLOAT32 || kv->type == GGUF_FLOAT64)
		return err_set(e, ERR_DATA, "%s: not an integer", key);
	uint64_t u = little(kv->data, size);
	bool is_signed = kv->type == GGUF_INT8 || kv->type == GGUF_INT16 ||
			 kv->type == GGUF_INT32 || kv->type == GGUF_INT64;
	bool negative = is_signed && u >> (size * 8 - 1);
	if (negative && size < 8)
		u |= ~(uint64_t)0 << size * 8;
	if ((!negative && u > INT64_MAX) || (int64_t)u < min || (int64_t)u > max)
		return err_set(e, ERR_DATA, "%s: not within %lld..%lld", key, (long long)min,
			(long long)max);
	*v = (int64_t)u;
	return 1;
}

int
gguf_real(const struct gguf *g, const char *key, double *v, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);
	if (kv == NULL)
		return 0;
	double x;
	if (kv->type == GGUF_FLOAT32)
		x = gguf_float_at(kv, 0);
	else if (kv->type == GGUF_FLOAT64)
		memcpy(&x, kv->data, sizeof x);
	else
		return err_set(e, ERR_DATA, "%s: not a floating-point number", key);
	if (!isfinite(x))
		return err_set(e, ERR_DATA, "%s: not finite", key);
	*v = x;
	return 1;
}

int
gguf_bool(const struct gguf *g, const char *key, bool *v, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);
	if (kv == NULL)
		return 0;
	if (kv->type != GGUF_BOOL)
		return err_set(e, ERR_DATA, "%s: not a truth value", key);
	*v = kv->data[0] == 1;
	return 1;
}

int
gguf_string(const struct gguf *g, const char *key, struct gguf_string *v, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);
	if (kv == NULL)
		return 0;
	if (kv->type != GGUF_STRING)
		return err_set(e, ERR_DATA, "%s: not a string", key);
	const unsigned char *cursor = kv->data;
	*v = gguf_next_string(&cursor);
	return 1;
}

int
gguf_array(const struct gguf *g, const char *key, enum gguf_type item, const struct gguf_kv **v,
	struct err *e)
{
	*v = gguf_find(g, key);
	if (*v == NULL)
		return 0;
	if ((*v)->type != GGUF_ARRAY || (*v)->item != item)
		return err_set(e, ERR_DATA, "%s: not an array of the right type", key);
	return 1;
}

struct gguf_string
gguf_next_string(const unsigned char **cursor)
{
	struct gguf_string s = {(const char *)*cursor + 8, (size_t)little(*cursor, 8)};
	*cursor += 8 + s.n;
	return s;
}

float
gguf_float_at(const struct gguf_kv *kv, uint64_t i)
{
	uint32_t bits = (uint32_t)little(kv->data + 4 * i, 4);
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

int32_t
gguf_int32_at(const struct gguf_kv *kv, uint64_t i)
{
	return (int32_t)(uint32_t)little(kv->data + 4 * i, 4);
}
