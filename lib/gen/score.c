#include "lib/gen/score.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/gen/lengths.h"

static int
open_decoder(struct scorer *s, struct err *e)
{
	struct decoder_limits l = {.max_rows = SCORE_ROWS,
		.max_segs = SCORE_ROWS / 8,
		.max_head = SCORE_ROWS,
		.max_targets = SCORE_ROWS};
	return decoder_open(&s->decoder, s->model, &l, e);
}

/* Tokenizer, template and model; the lengths become what they are. */
static int
open_parts(struct scorer *s, const char *dir, const struct model_open_options *o,
	const struct template_options *template, int *max_length, int *max_prompt_length,
	struct kernels *k, const char **how, struct err *e)
{
	bool lm = o->head == HEAD_LM;
	*s = (struct scorer){.model = NULL};
	if (tokenizer_load(&s->tokenizer, dir, e) < 0 ||
		template_open(&s->template, template, dir, s->tokenizer, how, e) < 0 ||
		model_open(&s->model, dir, k, o, e) < 0)
		return -1;
	return lengths_resolve(
		&s->model->config, lm ? 512 : 1024, max_length, lm ? max_prompt_length : NULL, e);
}

int
scorer_probe(const char *dir, enum model_head head, const struct template_options *template,
	int max_length, int max_prompt_length, struct kernels *k, struct err *e)
{
	struct scorer s;
	struct model_open_options o = {.use = MODEL_PROBE, .head = head};
	int rc = open_parts(&s, dir, &o, template, &max_length, &max_prompt_length, k, NULL, e);
	scorer_close(&s);
	return rc;
}

int
scorer_open(struct scorer *s, const char *dir, enum model_head head,
	const struct template_options *template, int max_length, int max_prompt_length,
	enum on_overlong on_overlong, struct kernels *k, const char **how, struct err *e)
{
	struct model_open_options o = {.use = MODEL_INFER, .head = head};
	if (open_parts(s, dir, &o, template, &max_length, &max_prompt_length, k, how, e) < 0 ||
		open_decoder(s, e) < 0) {
		scorer_close(s);
		return -1;
	}
	s->params = (struct encode_params){.tokenizer = s->tokenizer,
		.template = s->template,
		.max_length = max_length,
		.max_prompt_length = max_prompt_length,
		.on_overlong = on_overlong};
	return 0;
}

void
scorer_close(struct scorer *s)
{
	if (s->decoder)
		decoder_close(s->decoder);
	if (s->model)
		model_close(s->model);
	if (s->template)
		template_free(s->template);
	if (s->tokenizer)
		tokenizer_free(s->tokenizer);
	batch_free(&s->batch);
	free(s->values);
	free(s->owners);
	*s = (struct scorer){.model = NULL};
}

static bool
is_policy(const struct scorer *s)
{
	return s->model->config.head == HEAD_LM;
}

int
scorer_encode(const struct scorer *s, const struct record *r, struct arena *a, struct encoded *out,
	struct err *e)
{
	return is_policy(s) ? encode_policy(&s->params, r, a, out, e)
			    : encode_reward(&s->params, r, a, out, e);
}

const char *
scorer_refuses(const struct scorer *s, const struct encoded *x)
{
	if (is_policy(s) && x->n_prompt == 0)
		return "the prompt has no tokens";
	if (!is_policy(s))
		for (int k = 0; k < x->n_responses; k++)
			if (x->n_ids[k] == 0)
				return "prompt and response have no tokens";
	return NULL;
}

/* A reward model's record whose responses can follow one prompt. */
static bool
shared(const struct encoded *x)
{
	if (x->n_prompt == 0 || x->n_responses < 2)
		return false;
	for (int k = 0; k < x->n_responses; k++)
		if (x->n_ids[k] <= x->n_prompt)
			return false;
	return true;
}

int64_t
scorer_rows(const struct scorer *s, const struct encoded *x)
{
	int64_t rows = is_policy(s) ? x->n_prompt : 0;
	for (int k = 0; k < x->n_responses; k++)
		rows += x->n_ids[k];
	if (!is_policy(s) && shared(x))
		rows -= (int64_t)x->n_prompt * (x->n_responses - 1);
	return rows;
}

/* Where the values of a batch go: response k of record i. */
struct score_owner {
	int i, k;
};

static void
own(struct scorer *s, int i, int k)
{
	if (s->n_owners == s->cap_owners) {
		s->cap_owners = s->cap_owners ? 2 * s->cap_owners : 256;
		s->owners = x_realloc(s->owners, s->cap_owners * sizeof *s->owners);
	}
	s->owners[s->n_owners++] = (struct score_owner){i, k};
}

static float *
values(struct scorer *s, int n)
{
	if ((size_t)n > s->cap_values) {
		s->cap_values = (size_t)n;
		s->values = x_realloc(s->values, s->cap_values * sizeof *s->values);
	}
	return s->values;
}

static const struct batch *
forward(struct scorer *s, struct err *e)
{
	const struct batch *b = batch_finish(&s->batch);
	if (decoder_fit(s->decoder, b, e) < 0 || decoder_forward(s->decoder, b, e) < 0)
		return NULL;
	return b;
}

static int
flush_rewards(struct scorer *s, double **reward, struct err *e)
{
	if (s->n_owners == 0)
		return 0;
	const struct batch *b = forward(s, e);
	if (b == NULL)
		return -1;
	assert((size_t)b->n_head == s->n_owners);
	float *v = values(s, b->n_head);
	if (decoder_scores(s->decoder, v, e) < 0)
		return -1;
	for (size_t j = 0; j < s->n_owners; j++)
		reward[s->owners[j].i][s->owners[j].k] = v[j];
	batch_reset(&s->batch);
	s->n_owners = 0;
	return 0;
}

static void
add_shared(struct scorer *s, const struct encoded *x)
{
	int n = x->n_responses;
	const int32_t **rest = x_malloc((size_t)n * sizeof *rest);
	int *n_rest = x_malloc((size_t)n * sizeof *n_rest);
	for (int k = 0; k < n; k++) {
		rest[k] = x->ids[k] + x->n_prompt;
		n_rest[k] = x->n_ids[k] - x->n_prompt;
	}
	batch_add_shared_sequences(&s->batch, x->prompt, x->n_prompt, rest, n_rest, n);
	free(rest);
	free(n_rest);
}

int
scorer_rewards(struct scorer *s, const struct encoded *const *records, int n, double **reward,
	struct err *e)
{
	int64_t rows = 0;
	batch_reset(&s->batch);
	s->n_owners = 0;
	for (int i = 0; i < n; i++) {
		const struct encoded *x = records[i];
		bool together = shared(x);
		for (int k = 0; k < x->n_responses; k++) {
			int64_t more = together ? scorer_rows(s, x) : x->n_ids[k];
			if ((k == 0 || !together) && rows > 0 && rows + more > SCORE_ROWS) {
				if (flush_rewards(s, reward, e) < 0)
					return -1;
				rows = 0;
			}
			own(s, i, k);
			if (together && k > 0)
				continue;
			if (together)
				add_shared(s, x);
			else
				batch_add_sequence(&s->batch, x->ids[k], x->n_ids[k]);
			rows += more;
		}
	}
	return flush_rewards(s, reward, e);
}

static int
flush_logprobs(struct scorer *s, float ***logprobs, struct err *e)
{
	if (s->n_owners == 0)
		return 0;
	const struct batch *b = forward(s, e);
	if (b == NULL)
		return -1;
	float *v = values(s, b->n_targets);
	if (decoder_logprobs(s->decoder, v, e) < 0)
		return -1;
	for (int j = 0; j < b->n_targets; j++) {
		struct score_owner o = s->owners[s->batch.target_owner.v[j]];
		logprobs[o.i][o.k][s->batch.target_pos.v[j]] = v[j];
	}
	batch_reset(&s->batch);
	s->n_owners = 0;
	return 0;
}

int
scorer_logprobs(struct scorer *s, const struct encoded *const *records, int n, float ***logprobs,
	struct err *e)
{
	int64_t rows = 0;
	batch_reset(&s->batch);
	s->n_owners = 0;
	for (int i = 0; i < n; i++) {
		const struct encoded *x = records[i];
		int64_t more = scorer_rows(s, x);
		if (more == x->n_prompt)
			continue; /* nothing to predict */
		if (rows > 0 && rows + more > SCORE_ROWS) {
			if (flush_logprobs(s, logprobs, e) < 0)
				return -1;
			rows = 0;
		}
		batch_add_record(&s->batch, x->prompt, x->n_prompt, (const int32_t *const *)x->ids,
			x->n_ids, x->n_responses, (int)s->n_owners);
		for (int k = 0; k < x->n_responses; k++)
			own(s, i, k);
		rows += more;
	}
	return flush_logprobs(s, logprobs, e);
}
