#include "lib/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/model/member.h"

enum { SLICE = 1 << 16 /* elements converted at a time */, MAX_CONFIG = 4 << 20 };

/* The CPU reads a mapped file in place; another device needs a copy. */
static bool
reads_maps(const struct kernels *k)
{
	return strcmp(k->name, "cpu") == 0;
}

static int
k_dtype_of(enum st_dtype t, enum k_dtype *out)
{
	*out = t == ST_BF16 ? K_BF16 : t == ST_F16 ? K_F16 : K_F32;
	return t == ST_F32 || t == ST_BF16 || t == ST_F16 ? 0 : -1;
}

static void *
reserve(struct kernels *k, size_t bytes, const char *what, struct err *e)
{
	void *p = k->alloc(k, bytes ? bytes : 1);
	if (p == NULL)
		err_set(e, ERR_NOMEM, "out of memory: %zu bytes for %s", bytes, what);
	return p;
}

/* The tensor of a parameter, under the names that checkpoints use: the whole model's, or those of
 * a trunk saved alone. */
static const struct st_tensor *
find_tensor(const struct model *m, const struct param *p)
{
	const char *trunk = m->config.family == FAMILY_NEOX ? "gpt_neox." : "model.";
	const struct st_tensor *t = weights_find(m->weights, p->name);
	if (t == NULL && strncmp(p->name, trunk, strlen(trunk)) == 0)
		t = weights_find(m->weights, p->name + strlen(trunk));
	return t;
}

/* Tensors that are not weights (buffers of older versions), or not of the head wanted. */
static bool
is_ignored(const struct model *m, const char *name)
{
	if (member_ends_in(name, "rotary_emb.inv_freq") ||
		member_ends_in(name, "attention.masked_bias"))
		return true;
	if (m->config.family == FAMILY_NEOX && member_ends_in(name, ".attention.bias"))
		return true;
	return m->config.head == HEAD_REWARD &&
	       (strcmp(name, "lm_head.weight") == 0 || strcmp(name, "embed_out.weight") == 0);
}

/* A tied head that is stored all the same must be the embedding. */
static bool
is_tied_copy(const struct model *m, const struct st_tensor *t)
{
	if (m->config.head != HEAD_LM || !m->config.tied_head ||
		(strcmp(t->name, "lm_head.weight") != 0 &&
			strcmp(t->name, "embed_out.weight") != 0))
		return false;
	const struct st_tensor *embed = find_tensor(m, &m->params[m->embed]);
	return embed && embed->dtype == t->dtype && embed->bytes == t->bytes &&
	       memcmp(embed->data, t->data, t->bytes) == 0;
}

static int
check_shape(const struct param *p, const struct st_tensor *t, struct err *e)
{
	enum k_dtype dtype;
	if (t->rank != p->rank || t->shape[0] != p->shape[0] ||
		(p->rank == 2 && t->shape[1] != p->shape[1])) {
		struct buf shape = BUF_INIT;
		for (int i = 0; i < t->rank; i++)
			buf_printf(&shape, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
		err_set(e, ERR_CONFIG,
			"tensor %.200s has shape [%s], config.json wants [%lld%s%.0lld]", t->name,
			shape.data ? shape.data : "", (long long)p->shape[0],
			p->rank == 2 ? ", " : "", (long long)p->shape[1]);
		buf_free(&shape);
		return -1;
	}
	if (k_dtype_of(t->dtype, &dtype) < 0)
		return err_set(e, ERR_CONFIG, "tensor %.200s has type %s: not F32, BF16 or F16",
			t->name, st_dtype_name(t->dtype));
	return 0;
}

static int
by_pointer(const void *a, const void *b)
{
	const struct st_tensor *const *x = a, *const *y = b;
	return (*x > *y) - (*x < *y);
}

/* Every parameter has its tensor in found (the head may lack it when it can be made), and every
 * tensor is a parameter. */
static int
match_tensors(const struct model *m, const struct st_tensor **found, bool init_head, struct err *e)
{
	for (int i = 0; i < m->n_params; i++) {
		found[i] = find_tensor(m, &m->params[i]);
		if (found[i] && check_shape(&m->params[i], found[i], e) < 0)
			return -1;
		if (!found[i] && !(init_head && i == m->head && m->config.head == HEAD_REWARD))
			return err_set(e, ERR_CONFIG, "tensor %s is missing", m->params[i].name);
	}
	int rc = 0;
	size_t n = (size_t)m->n_params;
	const struct st_tensor **sorted = x_malloc(n * sizeof(void *)), *t;
	memcpy(sorted, found, n * sizeof(void *));
	qsort(sorted, n, sizeof(void *), by_pointer);
	for (int i = 0; rc == 0 && (t = weights_at(m->weights, i)); i++)
		if (!bsearch(&t, sorted, n, sizeof(void *), by_pointer) &&
			!is_ignored(m, t->name) && !is_tied_copy(m, t))
			rc = err_set(e, ERR_CONFIG,
				"tensor %.200s does not belong to the model that config.json "
				"describes%s",
				t->name,
				strstr(t->name, "lora_") ? ": a LoRA adapter that was not merged"
							 : "");
	free(sorted);
	return rc;
}

/* Normal with the config's standard deviation, as transformers initialises; by the tensor's name,
 * so that a head is the same whatever else there is. */
static void
random_values(const struct model *m, const struct param *p, uint64_t seed, size_t from, size_t n,
	float *out)
{
	struct rng r = rng_mix_string(rng_key(seed), p->name, strlen(p->name));
	bool norm = strstr(p->name, "norm.") != NULL;
	for (size_t i = 0; i < n; i++) {
		if (p->rank == 1)
			out[i] = norm && member_ends_in(p->name, "weight") ? 1 : 0;
		else
			out[i] = (float)(m->config.initializer_range * rng_normal(r, from + i));
	}
}

/* Fills a float slice from the tensor t, or at random when t is NULL. */
static void
fill(struct model *m, const struct param *p, const struct st_tensor *t, uint64_t seed, float *dst)
{
	float *host = x_malloc(SLICE * sizeof *host);
	for (size_t from = 0; from < p->n; from += SLICE) {
		size_t n = p->n - from < SLICE ? p->n - from : SLICE;
		if (t) {
			struct st_tensor part = *t;
			part.data = (const char *)t->data + from * st_dtype_size(t->dtype);
			part.bytes = n * st_dtype_size(t->dtype);
			st_to_float(host, &part, NULL); /* the type was checked */
		} else {
			random_values(m, p, seed, from, n, host);
		}
		m->k->upload(m->k, dst + from, host, n * sizeof *host);
	}
	free(host);
}

static int
load_train(struct model *m, const struct st_tensor **found, uint64_t seed, struct err *e)
{
	m->block = reserve(m->k, m->block_n * sizeof *m->block, "the weights", e);
	m->grad = m->block ? reserve(m->k, m->block_n * sizeof *m->grad, "the gradients", e) : NULL;
	if (m->grad == NULL)
		return -1;
	for (int i = 0; i < m->n_params; i++) {
		struct param *p = &m->params[i];
		p->mat = (struct k_mat){m->block + p->offset, K_F32};
		p->grad = m->grad + p->offset;
		fill(m, p, found ? found[i] : NULL, seed, m->block + p->offset);
	}
	return 0;
}

/* Uses the map in place where the device and the alignment allow it. */
static int
load_infer(struct model *m, const struct st_tensor **found, uint64_t seed, struct err *e)
{
	for (int i = 0; i < m->n_params; i++) {
		struct param *p = &m->params[i];
		const struct st_tensor *t = found[i];
		if (t)
			k_dtype_of(t->dtype, &p->mat.dtype);
		size_t size = k_dtype_size(p->mat.dtype);
		if (t && reads_maps(m->k) && (uintptr_t)t->data % size == 0) {
			p->mat.data = t->data;
			continue;
		}
		void *copy = reserve(m->k, p->n * size, p->name, e);
		if (copy == NULL)
			return -1;
		p->mat.data = copy;
		p->owned = true;
		if (t)
			m->k->upload(m->k, copy, t->data, p->n * size);
		else
			fill(m, p, NULL, seed, copy);
	}
	return 0;
}

static int
load_freq(struct model *m, struct err *e)
{
	size_t n = (size_t)m->config.rotary_dim / 2;
	float *host = x_calloc(n + 1, sizeof *host);
	m->freq = reserve(m->k, n * sizeof *host, "rotary frequencies", e);
	if (m->freq) {
		config_rope_freq(&m->config, host);
		m->k->upload(m->k, m->freq, host, n * sizeof *host);
	}
	free(host);
	return m->freq ? 0 : -1;
}

static int
choose_head(struct model *m, const struct model_open_options *o, struct err *e)
{
	struct model_config *c = &m->config;
	if (o->head == HEAD_LM && c->head == HEAD_REWARD)
		return err_set(e, ERR_CONFIG, "a reward model (%s), not a language model",
			config_architecture(c));
	if (o->head == HEAD_REWARD && c->head == HEAD_LM && !o->init_head)
		return err_set(e, ERR_CONFIG, "%s has no reward head", config_architecture(c));
	c->head = o->head;
	return 0;
}

static int
load(struct model *m, const char *dir, const struct model_open_options *o, struct err *e)
{
	if (config_load(&m->config, dir, e) < 0)
		return -1;
	struct buf path = BUF_INIT;
	int rc = file_read(path_join(&path, dir, "config.json"), MAX_CONFIG, &m->config_text, e);
	buf_free(&path);
	if (rc < 0 || weights_open(&m->weights, dir, e) < 0)
		return -1;
	if (choose_head(m, o, e) < 0)
		return err_prefix(e, "%s", dir);
	model_table(m);
	const struct st_tensor **found = x_calloc((size_t)m->n_params, sizeof(void *));
	rc = match_tensors(m, found, o->init_head, e);
	if (rc < 0)
		err_prefix(e, "%s", dir);
	else if (o->use == MODEL_TRAIN)
		rc = load_train(m, found, o->seed, e);
	else if (o->use == MODEL_INFER)
		rc = load_infer(m, found, o->seed, e);
	free(found);
	return rc < 0 || weights_check(m->weights, e) < 0 ? -1 : load_freq(m, e);
}

int
model_open(struct model **out, const char *dir, struct kernels *k,
	const struct model_open_options *o, struct err *e)
{
	struct model *m = x_calloc(1, sizeof *m);
	m->k = k;
	int rc = load(m, dir, o, e);
	if (rc < 0) {
		model_close(m);
		m = NULL;
	}
	*out = m;
	return rc;
}

int
model_create(struct model **out, const struct model_config *c, struct kernels *k, uint64_t seed,
	struct err *e)
{
	struct model *m = x_calloc(1, sizeof *m);
	m->k = k;
	m->config = *c;
	m->config.eos_list = (struct ids){0};
	ids_append(&m->config.eos_list, c->eos_list.v, c->eos_list.n);
	config_write(c, &m->config_text);
	model_table(m);
	int rc = load_train(m, NULL, seed, e);
	if (rc == 0)
		rc = load_freq(m, e);
	if (rc < 0) {
		model_close(m);
		m = NULL;
	}
	*out = m;
	return rc;
}

int
model_check(const struct model *m, struct err *e)
{
	return m->weights && m->block == NULL ? weights_check(m->weights, e) : 0;
}

void
model_close(struct model *m)
{
	if (m == NULL)
		return;
	for (int i = 0; i < m->n_params; i++)
		if (m->params[i].owned)
			m->k->free(m->k, (void *)m->params[i].mat.data);
	m->k->free(m->k, m->block);
	m->k->free(m->k, m->grad);
	m->k->free(m->k, m->freq);
	weights_close(m->weights);
	config_free(&m->config);
	buf_free(&m->config_text);
	free(m->params);
	free(m->layers);
	free(m);
}

void
model_read(const struct model *m, const struct param *p, size_t from, size_t n, float *out)
{
	size_t size = k_dtype_size(p->mat.dtype);
	static const enum st_dtype types[] = {
		[K_F32] = ST_F32, [K_BF16] = ST_BF16, [K_F16] = ST_F16};
	struct st_tensor t = {.dtype = types[p->mat.dtype], .bytes = n * size};
	void *raw = x_malloc(n * size + 1);
	m->k->download(m->k, raw, (const char *)p->mat.data + from * size, n * size);
	t.data = raw;
	st_to_float(out, &t, NULL);
	free(raw);
}

/* The weights of a model that has no folder behind it. */
static void
hash_block(const struct model *m, struct sha256 *s)
{
	float *host = x_malloc(SLICE * sizeof *host);
	for (int i = 0; i < m->n_params; i++) {
		const struct param *p = &m->params[i];
		sha256_add(s, p->name, strlen(p->name) + 1);
		for (size_t from = 0; from < p->n; from += SLICE) {
			size_t n = p->n - from < SLICE ? p->n - from : SLICE;
			model_read(m, p, from, n, host);
			sha256_add(s, host, n * sizeof *host);
		}
	}
	free(host);
}

const char *
model_hash(struct model *m)
{
	if (m->hash[0])
		return m->hash;
	struct sha256 s;
	const struct st_tensor *t;
	sha256_init(&s);
	sha256_add(&s, m->config_text.data, m->config_text.len);
	for (int i = 0; m->weights && (t = weights_at(m->weights, i)); i++) {
		sha256_add(&s, t->name, strlen(t->name) + 1);
		sha256_add(&s, st_dtype_name(t->dtype), strlen(st_dtype_name(t->dtype)) + 1);
		sha256_add(&s, t->data, t->bytes);
	}
	if (m->weights == NULL)
		hash_block(m, &s);
	sha256_hex(&s, m->hash);
	return m->hash;
}
