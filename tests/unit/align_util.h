#ifndef PRO_TESTS_ALIGN_UTIL_H
#define PRO_TESTS_ALIGN_UTIL_H

/* Golden models and their cases as data sets. */
#include <jansson.h>

#include "lib/align/trainer.h"
#include "tests/test.h"

#define GOLDEN "tests/golden/"

/* Dies with the error: a fixture that cannot be read is no test. */
static inline void
must(int rc, const struct err *e)
{
	if (rc < 0) {
		printf("not ok - fixture: %s\n", e->msg);
		exit(1);
	}
}

static inline int32_t *
ids_of(struct arena *a, const json_t *list, int *n)
{
	*n = (int)json_array_size(list);
	int32_t *v = arena_alloc(a, ((size_t)*n + 1) * sizeof *v);
	for (int i = 0; i < *n; i++)
		v[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
	return v;
}

static inline void
add_case(struct dataset *d, const json_t *c, int line)
{
	struct arena a;
	arena_init(&a);
	const json_t *responses = json_object_get(c, "responses");
	const json_t *rewards = json_object_get(c, "rewards");
	size_t n = json_array_size(responses);
	char id[32];
	snprintf(id, sizeof id, "case:%d", line);
	struct example x = {.id = id, .n = (int)n};
	const int32_t **ids = arena_alloc(&a, n * sizeof *ids);
	int *n_ids = arena_alloc(&a, n * sizeof *n_ids);
	double *reward = arena_alloc(&a, n * sizeof *reward);
	x.prompt = ids_of(&a, json_object_get(c, "prompt_ids"), &x.n_prompt);
	for (size_t k = 0; k < n; k++) {
		ids[k] = ids_of(&a, json_array_get(responses, k), &n_ids[k]);
		reward[k] = json_number_value(json_array_get(rewards, k));
	}
	x.ids = ids;
	x.n_ids = n_ids;
	x.reward = rewards ? reward : NULL;
	dataset_add_encoded(d, &x);
	arena_free(&a);
}

/* tests/golden/NAME/cases.jsonl */
static inline void
load_cases(struct dataset *d, const char *name, const struct dataset_options *o)
{
	char path[512], line[65536];
	snprintf(path, sizeof path, GOLDEN "%s/cases.jsonl", name);
	dataset_init(d, o);
	FILE *f = fopen(path, "r");
	struct err e = {0};
	must(f ? 0 : err_set(&e, 1, "%s: cannot be opened", path), &e);
	for (int i = 0; fgets(line, sizeof line, f); i++) {
		json_t *c = json_loads(line, 0, NULL);
		add_case(d, c, i);
		json_decref(c);
	}
	fclose(f);
	memset(d->hash, '0', 64);
}

static inline struct model *
load_model(const char *name, struct kernels *k, enum model_head head)
{
	char path[512];
	snprintf(path, sizeof path, GOLDEN "%s", name);
	struct model_open_options o = {.use = MODEL_TRAIN, .head = head};
	struct model *m = NULL;
	struct err e = {0};
	must(model_open(&m, path, k, &o, &e), &e);
	return m;
}

static inline json_t *
load_json(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, GOLDEN "%s", name);
	json_t *o = json_load_file(path, 0, NULL);
	struct err e = {0};
	must(o ? 0 : err_set(&e, 1, "%s: cannot be read", path), &e);
	return o;
}

static inline double
real_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	CHECK(json_is_number(v));
	return json_number_value(v);
}

static inline struct dataset_options
options_for(const char *method)
{
	return (struct dataset_options){.method = method_find(method),
		.params = {.temperature = true, .sft = true, .beta = -1},
		.reward_field = "reward"};
}

#endif
