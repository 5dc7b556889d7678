#include "lib/align/validate.h"

#include <math.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/stream/filter.h"

/* Takes the prompt of r alone: what a response is made for. */
static int
take_prompt(struct validator *v, const struct record *r, struct err *e)
{
	if (v->n == v->cap) {
		v->cap = 2 * v->cap + 64;
		v->records = x_realloc(v->records, (size_t)v->cap * sizeof *v->records);
	}
	json_t *root = json_object();
	json_put(root, "id", json_text(r->id));
	json_object_set(root, "prompt", json_object_get(r->root, "prompt"));
	json_put(root, "responses", json_array());
	v->records[v->n] = (struct record){0};
	return record_take(&v->records[v->n++], root, e);
}

/* 1; 0 when the prompt is too long and --on-overlong says drop; -1. */
static int
add_prompt(struct validator *v, const struct record *r, struct err *e)
{
	struct arena a;
	struct encoded enc;
	arena_init(&a);
	int rc = take_prompt(v, r, e);
	if (rc == 0)
		rc = encode_policy(&v->params, &v->records[v->n - 1], &a, &enc, e);
	if (rc > 0)
		v->n_prompt_cut += enc.prompt_cut > 0;
	if (rc == 0) {
		v->n_dropped++;
		record_free(&v->records[--v->n]);
	}
	arena_free(&a);
	return rc;
}

static int
read_prompts(struct validator *v, const char *file, struct sha256 *s, struct err *e)
{
	struct filter f;
	struct record r = {0};
	struct buf text = BUF_INIT;
	int rc = filter_open(&f, &file, 1, NULL, NULL, e);
	while (rc >= 0 && (rc = filter_next(&f, &r, e)) > 0) {
		rc = add_prompt(v, &r, e);
		if (rc < 0)
			filter_where(&f, e);
		if (rc > 0) {
			record_write(&v->records[v->n - 1], &text);
			sha256_add(s, text.data, text.len);
			buf_reset(&text);
		}
	}
	if (rc == 0 && v->n == 0)
		rc = err_set(e, ERR_DATA, "%s: no record to validate on", file);
	buf_free(&text);
	record_free(&r);
	filter_close(&f);
	return rc;
}

/* What the scores depend on: the reward model, and its template where that can be chosen. */
static void
hash_scorer(const struct validator *v, struct sha256 *s)
{
	const char *hash = model_hash(v->scorer.model);
	sha256_add(s, hash, strlen(hash));
	if (template_jinja(v->scorer.template) == NULL &&
		template_scores_at(v->scorer.template) == SCORE_AT_END_OF_TURN)
		return;
	struct buf b = BUF_INIT;
	template_identity(v->scorer.template, &b);
	sha256_add(s, b.data, b.len);
	buf_free(&b);
}

/* Drops the prompts that the reward model's template refuses. */
static int
drop_refused(struct validator *v, const char *file, struct err *e)
{
	struct arena a;
	struct encoded enc;
	int kept = 0, rc = 1;
	arena_init(&a);
	for (int i = 0; i < v->n; i++) {
		arena_reset(&a);
		if (rc >= 0)
			rc = scorer_encode(&v->scorer, &v->records[i], &a, &enc, e);
		if (rc == 0) {
			record_free(&v->records[i]);
			v->n_dropped++;
		} else {
			v->records[kept++] = v->records[i];
		}
	}
	arena_free(&a);
	v->n = kept;
	if (rc < 0)
		return -1;
	return kept > 0 ? 0 : err_set(e, ERR_DATA, "%s: no record to validate on", file);
}

int
validator_open(struct validator *v, const struct validate_options *o, struct model *policy,
	const struct encode_params *params, struct err *e)
{
	static const struct sampling greedy = {.greedy = true, .temperature = 1, .top_p = 1};
	*v = (struct validator){.params = *params};
	struct sha256 s;
	sha256_init(&s);
	int rc = read_prompts(v, o->file, &s, e);
	if (rc == 0)
		rc = scorer_open(&v->scorer, o->reward_dir, HEAD_REWARD, &o->template, 0, 0,
			OVERLONG_TRUNCATE, policy->k, &v->how, e);
	if (rc == 0)
		rc = drop_refused(v, o->file, e);
	if (rc == 0) {
		hash_scorer(v, &s);
		rc = generator_open(&v->generator, policy, (struct tokenizer *)params->tokenizer,
			(struct template *)params->template, &greedy, (int)o->max_tokens,
			params->max_length, params->max_prompt_length, NULL, (int)o->batch, e);
	}
	sha256_hex(&s, v->hash);
	if (rc < 0)
		validator_close(v);
	return rc;
}

void
validator_close(struct validator *v)
{
	generator_close(&v->generator);
	scorer_close(&v->scorer);
	for (int i = 0; i < v->n; i++)
		record_free(&v->records[i]);
	X_FREE(v->records);
	v->n = v->cap = 0;
}

/* The scorer's encoding of record i with a response that the policy gave. */
static int
encode_answer(struct validator *v, int i, const struct gen_result *g, struct arena *a,
	struct encoded *out, struct err *e)
{
	json_t *root = json_object(), *list = json_array(), *p = json_object();
	json_put(p, "text", json_textn(g->text, g->n));
	json_put(p, "finish_reason", json_text(g->ended ? "stop" : "length"));
	json_add(list, p);
	json_put(root, "id", json_text(v->records[i].id));
	json_object_set(root, "prompt", json_object_get(v->records[i].root, "prompt"));
	json_put(root, "responses", list);
	struct record r = {0};
	int rc = record_take(&r, root, e);
	if (rc == 0)
		rc = scorer_encode(&v->scorer, &r, a, out, e);
	if (rc == 0)
		rc = err_set(
			e, ERR_DATA, "record %s cannot be scored: %s", v->records[i].id, out->why);
	record_free(&r);
	v->n_answer_cut += rc > 0 && out->responses_cut > 0;
	if (rc > 0 && scorer_refuses(&v->scorer, out))
		rc = err_set(e, ERR_DATA, "record %s: %s", v->records[i].id,
			scorer_refuses(&v->scorer, out));
	return rc < 0 ? -1 : 0;
}

static int
push_prompts(struct validator *v, struct arena *a, int *next, struct err *e)
{
	while (*next < v->n && generator_hungry(&v->generator)) {
		struct record *r = &v->records[*next];
		struct encoded enc;
		if (encode_policy(&v->params, r, a, &enc, e) < 0)
			return -1;
		if (enc.n_prompt == 0)
			return err_set(e, ERR_DATA, "record %s: a prompt without a token", r->id);
		struct gen_request q = {.prompt = enc.prompt,
			.n_prompt = enc.n_prompt,
			.n = 1,
			.rng = rng_key(0), /* greedy: not used */
			.name = r->id};
		generator_push(&v->generator, &q, r);
		++*next;
	}
	return 0;
}

/* Responses of all prompts, encoded for the scorer.  1 done, 0 interrupted. */
static int
generate(struct validator *v, struct arena *a, struct encoded *out, struct err *e)
{
	int next = 0, more = 1;
	while (more) {
		if (v->interrupted && v->interrupted(v->ctx)) {
			generator_clear(&v->generator);
			return 0;
		}
		if (push_prompts(v, a, &next, e) < 0 ||
			(more = generator_step(&v->generator, e)) < 0) {
			generator_clear(&v->generator);
			return -1;
		}
		const struct gen_result *g;
		for (struct record *r; (r = generator_take(&v->generator, &g));) {
			int i = (int)(r - v->records);
			if (encode_answer(v, i, g, a, &out[i], e) < 0)
				return -1;
		}
		more |= next < v->n;
	}
	return 1;
}

int
validator_run(struct validator *v, double *mean, struct err *e)
{
	struct arena a;
	arena_init(&a);
	size_t n = (size_t)v->n;
	struct encoded *enc = arena_calloc(&a, n, sizeof *enc);
	const struct encoded **list = arena_alloc(&a, n * sizeof *list);
	double *score = arena_calloc(&a, n, sizeof *score), sum = 0;
	double **rewards = arena_alloc(&a, n * sizeof *rewards);
	for (size_t i = 0; i < n; i++)
		list[i] = &enc[i], rewards[i] = &score[i];
	v->n_answer_cut = 0;
	int rc = generate(v, &a, enc, e);
	if (rc > 0 && scorer_rewards(&v->scorer, list, v->n, rewards, e) < 0)
		rc = -1;
	for (size_t i = 0; i < n && rc > 0; i++) {
		if (!isfinite(score[i]))
			rc = err_set(e, ERR_SOFTWARE, "record %s: the reward is not finite",
				v->records[i].id);
		sum += 1 / (1 + exp(-score[i]));
	}
	*mean = sum / (double)n;
	arena_free(&a);
	return rc;
}
