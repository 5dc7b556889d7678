#include "lib/align/dataset.h"

#include <string.h>

#include "lib/base/file.h"
#include "lib/base/rng.h"
#include "lib/stream/tensors.h"

void
dataset_init(struct dataset *d, const struct dataset_options *o)
{
	memset(d, 0, sizeof *d);
	d->o = *o;
	arena_init(&d->arena);
}

void
dataset_free(struct dataset *d)
{
	arena_free(&d->arena);
	X_FREE(d->v);
	memset(d, 0, sizeof *d);
}

static struct example *
push(struct dataset *d)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 256;
		d->v = x_realloc(d->v, d->cap * sizeof *d->v);
	}
	return &d->v[d->n++];
}

static void *
keep(struct dataset *d, const void *p, size_t n)
{
	return memcpy(arena_alloc(&d->arena, n), p, n);
}

void
dataset_add_encoded(struct dataset *d, const struct example *x)
{
	struct example *y = push(d);
	size_t n = (size_t)x->n;
	const int32_t **ids = arena_alloc(&d->arena, n * sizeof *ids);
	for (size_t k = 0; k < n; k++) {
		ids[k] = keep(d, x->ids[k], (size_t)x->n_ids[k] * sizeof **ids);
		d->n_tokens += x->n_ids[k];
	}
	d->n_tokens += x->n_prompt;
	*y = (struct example){
		.id = arena_strndup(&d->arena, x->id, strlen(x->id)),
		.n = x->n,
		.n_prompt = x->n_prompt,
		.prompt = x->n_prompt ? keep(d, x->prompt, (size_t)x->n_prompt * sizeof *x->prompt)
				      : NULL,
		.ids = ids,
		.n_ids = keep(d, x->n_ids, n * sizeof *x->n_ids),
		.reward = x->reward ? keep(d, x->reward, n * sizeof *x->reward) : NULL,
	};
}

/* Whole sequences with a shared prompt become prompt and rest, unless a rest would be empty. */
static void
split_prompt(struct encoded *enc)
{
	bool shared = enc->n_prompt > 0;
	for (int k = 0; shared && k < enc->n_responses; k++)
		shared = enc->n_ids[k] > enc->n_prompt;
	if (!shared)
		enc->n_prompt = 0;
	for (int k = 0; shared && k < enc->n_responses; k++) {
		enc->ids[k] += enc->n_prompt;
		enc->n_ids[k] -= enc->n_prompt;
	}
}

static void
describe_cut(struct dataset *d, const struct encoded *enc, struct buf *cut)
{
	buf_reset(cut);
	if (enc->prompt_cut)
		buf_printf(cut, "%d tokens cut off the prompt", enc->prompt_cut);
	if (enc->responses_cut)
		buf_printf(cut, "%s%d of %d responses cut", cut->len ? ", " : "",
			enc->responses_cut, enc->n_responses);
	d->n_prompt_cut += enc->prompt_cut > 0;
	d->n_response_cut += enc->responses_cut;
}

static bool
is_trainable(const struct method *m, int n, const int *n_ids, int n_prompt, const char **why)
{
	for (int k = 0; k < n; k++) {
		if (n_ids[k] == 0) {
			*why = "a response without a token";
			return false;
		}
	}
	if (m->head == HEAD_LM && n_prompt == 0) {
		*why = "a prompt without a token";
		return false;
	}
	return true;
}

int
dataset_add(
	struct dataset *d, const struct record *r, const char **why, struct buf *cut, struct err *e)
{
	const struct dataset_options *o = &d->o;
	size_t n = (size_t)r->n_responses + 1;
	int *perm = x_malloc(n * sizeof *perm), m = 0;
	double *reward = x_malloc(n * sizeof *reward);
	bool has_reward = false;
	struct encoded enc = {0};
	struct arena tmp;
	arena_init(&tmp);
	int rc = method_rank(o->method, &o->params, o->order, o->reward_field, r, perm, reward, &m,
		&has_reward, why, e);
	if (rc > 0) {
		/* a view in the order of the ranking; the record itself stays as it was read */
		struct record view = *r;
		view.n_responses = m;
		view.responses = arena_alloc(&tmp, (size_t)m * sizeof *view.responses);
		for (int k = 0; k < m; k++)
			view.responses[k] = r->responses[perm[k]];
		rc = o->method->head == HEAD_LM ? encode_policy(&o->encode, &view, &tmp, &enc, e)
						: encode_reward(&o->encode, &view, &tmp, &enc, e);
		if (rc == 0) /* enc goes with tmp */
			*why = arena_strndup(&d->arena, enc.why, strlen(enc.why));
	}
	if (rc > 0 && o->method->head == HEAD_REWARD)
		split_prompt(&enc);
	if (rc > 0 && !is_trainable(o->method, m, enc.n_ids, enc.n_prompt, why))
		rc = 0;
	if (rc > 0) {
		struct example x = {r->id, m, enc.n_prompt, enc.prompt,
			(const int32_t *const *)enc.ids, enc.n_ids, has_reward ? reward : NULL};
		dataset_add_encoded(d, &x);
		describe_cut(d, &enc, cut);
	}
	arena_free(&tmp);
	free(reward);
	free(perm);
	return rc;
}

static void
hash_examples(struct dataset *d)
{
	struct sha256 s;
	sha256_init(&s);
	for (size_t i = 0; i < d->n; i++) {
		const struct example *x = &d->v[i];
		int32_t head[3] = {x->n, x->n_prompt, x->reward != NULL};
		sha256_add(&s, x->id, strlen(x->id) + 1);
		sha256_add(&s, head, sizeof head);
		if (x->n_prompt)
			sha256_add(&s, x->prompt, (size_t)x->n_prompt * sizeof *x->prompt);
		sha256_add(&s, x->n_ids, (size_t)x->n * sizeof *x->n_ids);
		for (int k = 0; k < x->n; k++)
			sha256_add(&s, x->ids[k], (size_t)x->n_ids[k] * sizeof **x->ids);
		if (x->reward)
			sha256_add(&s, x->reward, (size_t)x->n * sizeof *x->reward);
	}
	sha256_hex(&s, d->hash);
}

static int
read_records(struct dataset *d, struct filter *f, struct err *e)
{
	struct record r = {0};
	struct buf cut = BUF_INIT;
	int rc;
	while ((rc = filter_next(f, &r, e)) > 0) {
		const char *why = "";
		int added = dataset_add(d, &r, &why, &cut, e);
		if (added < 0)
			rc = filter_bad(f, r.root, e);
		else if (added == 0)
			rc = filter_reject(f, &r, why, e);
		else if (cut.len > 0 && filter_note_cut(f, &r, cut.data, e) < 0)
			rc = -1;
		else
			f->n_out++, rc = 0;
		if (rc < 0)
			break;
	}
	buf_free(&cut);
	record_free(&r);
	return rc;
}

/* One record of a tensor stream: 1 added, 0 to be rejected, -1. */
static int
add_tensors(struct dataset *d, const struct tensor_record *t, const char **why, struct err *e)
{
	const struct dataset_options *o = &d->o;
	size_t n = (size_t)t->n + 1;
	struct arena tmp;
	arena_init(&tmp);
	int *perm = arena_alloc(&tmp, n * sizeof *perm), m = 0;
	double *reward = arena_alloc(&tmp, n * sizeof *reward);
	bool has_reward = false;
	int rc = method_rank_rewards(o->method, &o->params, o->order, t->rewards, t->n, perm,
		reward, &m, &has_reward, why, e);
	const int32_t **ids = arena_alloc(&tmp, n * sizeof *ids);
	int *n_ids = arena_alloc(&tmp, n * sizeof *n_ids);
	for (int k = 0; rc > 0 && k < m; k++) {
		ids[k] = t->ids + t->offsets[perm[k]];
		n_ids[k] = (int)(t->offsets[perm[k] + 1] - t->offsets[perm[k]]);
	}
	if (rc > 0 && !is_trainable(o->method, m, n_ids, t->n_prompt, why))
		rc = 0;
	if (rc > 0) {
		struct example x = {
			t->id, m, t->n_prompt, t->prompt, ids, n_ids, has_reward ? reward : NULL};
		dataset_add_encoded(d, &x);
	}
	arena_free(&tmp);
	return rc;
}

/* A frame that is of no use, for which e has the reason without the place: rejected under skip_bad,
 * else -1. */
static int
bad_frame(struct filter *f, const struct tensor_reader *t, const struct tensor_record *r,
	struct err *e)
{
	if (!f->skip_bad || e->code != ERR_DATA)
		return err_prefix(e, "%s: frame %lld", input_file(f->in), (long long)t->frame);
	json_t *id = json_object();
	if (r->id && *r->id)
		json_put(id, "id", json_text(r->id));
	int rc = filter_bad_at(f, input_file(f->in), t->frame, id, e);
	json_decref(id);
	return rc;
}

/* A record of the stream, encoded as wanted: kept or rejected. */
static int
take_frame(struct dataset *d, struct filter *f, const struct tensor_reader *t,
	const struct tensor_record *r, const struct tensor_meta *want, struct err *e)
{
	const char *why = "";
	int rc = tensor_meta_check(&r->meta, want, e);
	if (rc == 0)
		rc = add_tensors(d, r, &why, e);
	if (rc < 0)
		return bad_frame(f, t, r, e);
	f->n_out += rc > 0;
	return rc > 0 ? 0 : filter_reject_json(f, input_file(f->in), t->frame, r->id, why, NULL, e);
}

static int
read_tensors(struct dataset *d, struct filter *f, struct err *e)
{
	const struct encode_params *p = &d->o.encode;
	if (d->o.method->head == HEAD_REWARD)
		return err_set(e, ERR_CONFIG,
			"%s: a tensor stream has a policy's ids; --method rm takes records",
			input_file(f->in));
	struct buf text = BUF_INIT;
	struct tensor_reader t;
	struct tensor_record r;
	template_identity(p->template, &text);
	struct tensor_meta want = {
		tokenizer_hash(p->tokenizer), text.data, p->max_length, p->max_prompt_length};
	tensor_reader_init(&t, f->in);
	int rc;
	while ((rc = tensor_reader_next(&t, &r, e)) > 0 || t.unfit) {
		f->n_in++;
		rc = rc > 0 ? take_frame(d, f, &t, &r, &want, e) : bad_frame(f, &t, &r, e);
		if (rc < 0)
			break;
	}
	tensor_reader_free(&t);
	buf_free(&text);
	return rc;
}

int
dataset_read(struct dataset *d, struct filter *f, int64_t expect, struct err *e)
{
	int tensors = tensor_stream_next(f->in, e);
	if (tensors < 0 || (tensors ? read_tensors(d, f, e) : read_records(d, f, e)) < 0 ||
		filter_finish(f, expect, e) < 0)
		return -1;
	if (d->n == 0)
		return err_set(e, ERR_DATA, "%s: no record to train on (%lld read, %lld rejected)",
			input_file(f->in), (long long)f->n_in, (long long)f->n_rejected);
	hash_examples(d);
	return 0;
}

static int32_t
largest_id(const struct example *x)
{
	int32_t max = -1;
	for (int i = 0; i < x->n_prompt; i++)
		max = x->prompt[i] > max ? x->prompt[i] : max;
	for (int k = 0; k < x->n; k++)
		for (int i = 0; i < x->n_ids[k]; i++)
			max = x->ids[k][i] > max ? x->ids[k][i] : max;
	return max;
}

int
dataset_check_vocab(const struct dataset *d, int vocab, struct err *e)
{
	for (size_t i = 0; i < d->n; i++) {
		int32_t id = largest_id(&d->v[i]);
		if (id >= vocab)
			return err_set(e, ERR_CONFIG,
				"record %s: token id %d, but the model's vocabulary ends at %d: "
				"the "
				"tokenizer is not the model's",
				d->v[i].id, id, vocab - 1);
	}
	return 0;
}

void
dataset_shuffle(const struct dataset *d, uint64_t seed, int64_t epoch, uint32_t *order)
{
	struct rng r = rng_mix_string(rng_key(seed), "shuffle", 7);
	rng_permutation(rng_mix(r, (uint64_t)epoch), order, (uint32_t)d->n);
}

static int
descending(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x < y) - (x > y);
}

static int
sum_of_largest(int *v, size_t n, int batch)
{
	int64_t sum = 0;
	qsort(v, n, sizeof *v, descending);
	for (size_t i = 0; i < n && i < (size_t)batch; i++)
		sum += v[i];
	return sum > INT32_MAX ? INT32_MAX : (int)sum;
}

void
dataset_limits(const struct dataset *d, int batch, struct decoder_limits *l)
{
	int *rows = x_malloc((d->n + 1) * sizeof *rows),
	    *segs = x_malloc((d->n + 1) * sizeof *segs);
	int *targets = x_malloc((d->n + 1) * sizeof *targets);
	for (size_t i = 0; i < d->n; i++) {
		const struct example *x = &d->v[i];
		targets[i] = 0;
		for (int k = 0; k < x->n; k++)
			targets[i] += x->n_ids[k];
		rows[i] = x->n_prompt + targets[i];
		segs[i] = x->n + 1;
		if (d->o.method->head == HEAD_REWARD)
			targets[i] = x->n;
	}
	*l = (struct decoder_limits){.train = true};
	l->max_rows = sum_of_largest(rows, d->n, batch);
	l->max_segs = sum_of_largest(segs, d->n, batch);
	l->max_targets = sum_of_largest(targets, d->n, batch);
	l->max_head = l->max_targets;
	free(rows);
	free(segs);
	free(targets);
}

void
example_batch(
	const struct example *x, enum model_head head, struct batch_builder *b, int first_owner)
{
	if (head == HEAD_LM) {
		batch_add_record(b, x->prompt, x->n_prompt, x->ids, x->n_ids, x->n, first_owner);
	} else if (x->n_prompt > 0) {
		batch_add_shared_sequences(b, x->prompt, x->n_prompt, x->ids, x->n_ids, x->n);
	} else {
		for (int k = 0; k < x->n; k++)
			batch_add_sequence(b, x->ids[k], x->n_ids[k]);
	}
}
