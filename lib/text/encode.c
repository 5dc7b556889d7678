#include "lib/text/encode.h"

#include <string.h>

#include "lib/text/writing.h"

static int32_t *
keep(struct arena *a, const int32_t *v, size_t n)
{
	int32_t *p = arena_alloc(a, (n + 1) * sizeof *p);
	if (n)
		memcpy(p, v, n * sizeof *p);
	return p;
}

/*
 * Whether the template sees to bos itself: it begins with one, or a Jinja template has it elsewhere
 * (behind a line feed, before each turn) where transformers puts no other.  Of literals each
 * conversation's first one is the tokenizer's to put.
 */
static bool
writes_bos(const struct encode_params *p, const struct ids *s)
{
	int32_t bos = tokenizer_bos(p->tokenizer);
	size_t n = template_jinja(p->template) && bos != tokenizer_eos(p->tokenizer) ? s->n : 1;
	for (size_t i = 0; i < n && i < s->n; i++)
		if (s->v[i] == bos)
			return true;
	return false;
}

/* [bos] + template(prompt), one bos even where the template writes its own. */
static int
encode_prompt(
	const struct encode_params *p, const struct writing *w, struct ids *out, struct err *e)
{
	int rc = writing_ids(w, WRITING_PROMPT, out, e);
	int32_t bos = tokenizer_bos(p->tokenizer);
	if (rc < 0 || !tokenizer_adds_bos(p->tokenizer) || writes_bos(p, out))
		return rc;
	ids_push(out, bos);
	memmove(out->v + 1, out->v, (out->n - 1) * sizeof *out->v);
	out->v[0] = bos;
	return 0;
}

/* Drops tokens on the left, behind the bos, until at most max are left; how many were cut. */
static int
cut_left(const struct encode_params *p, struct ids *s, int max)
{
	if (s->n <= (size_t)max)
		return 0;
	size_t bos = s->v[0] == tokenizer_bos(p->tokenizer);
	size_t cut = s->n - (size_t)max;
	memmove(s->v + bos, s->v + bos + cut, (s->n - bos - cut) * sizeof *s->v);
	s->n -= cut;
	return (int)cut;
}

static void
start(struct encoded *out, const struct record *r, struct arena *a)
{
	*out = (struct encoded){.n_responses = r->n_responses};
	out->n_ids = arena_calloc(a, (size_t)r->n_responses + 1, sizeof *out->n_ids);
	out->ids = arena_calloc(a, (size_t)r->n_responses + 1, sizeof *out->ids);
}

/* What OVERLONG says about a record that was cut. */
static int
judge(const struct encode_params *p, struct encoded *c, struct err *e)
{
	if (c->prompt_cut == 0 && c->responses_cut == 0)
		return 1;
	if (p->on_overlong == OVERLONG_ERROR)
		return err_set(e, ERR_DATA,
			"too long: %d prompt tokens and %d responses would be cut (--on-overlong "
			"error)",
			c->prompt_cut, c->responses_cut);
	c->why = "too long (--on-overlong drop)";
	return p->on_overlong == OVERLONG_TRUNCATE;
}

static int
finish(const struct encode_params *p, struct encoded *c, int rc, const struct err *own,
	struct err *e)
{
	if (rc < 0 && e)
		*e = *own;
	return rc > 0 ? judge(p, c, e) : rc;
}

/* A template's refusal (ERR_DATA) drops the record: 0, and why. */
static int
refused(struct encoded *out, struct arena *a, struct err *e)
{
	if (e->code != ERR_DATA)
		return -1;
	err_prefix(e, "refused by the template");
	out->why = arena_strndup(a, e->msg, strlen(e->msg));
	return 0;
}

/* Writes r's prompt: 1; 0, the template refuses it; -1. */
static int
begin(struct writing *w, const struct encode_params *p, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e)
{
	int rc = writing_begin_record(w, p->template, p->tokenizer, r, e);
	return rc < 0 ? refused(out, a, e) : 1;
}

/* Appends the ids of a response, through `part` when it ended: 1; 0, refused; -1. */
static int
encode_response(struct writing *w, const struct response *y, enum writing_part part,
	struct ids *ids, struct arena *a, struct encoded *out, struct err *e)
{
	if (writing_respond(w, y->text, y->n, y->ended, e) < 0)
		return refused(out, a, e);
	return writing_ids(w, y->ended ? part : WRITING_ANSWER, ids, e) < 0 ? -1 : 1;
}

static int
policy_rows(const struct encode_params *p, struct writing *w, const struct record *r,
	struct ids *ids, struct arena *a, struct encoded *out, struct err *e)
{
	if (encode_prompt(p, w, ids, e) < 0)
		return -1;
	out->prompt_cut = cut_left(p, ids, p->max_prompt_length);
	out->n_prompt = (int)ids->n;
	out->prompt = keep(a, ids->v, ids->n);
	size_t room = (size_t)(p->max_length - out->n_prompt);
	for (int k = 0; k < r->n_responses; k++) {
		ids->n = 0;
		int rc = encode_response(w, &r->responses[k], WRITING_TURN, ids, a, out, e);
		if (rc <= 0)
			return rc;
		/* The eos counts: where it has no place, the response has been cut. */
		if (ids->n > room) {
			ids->n = room;
			out->responses_cut++;
		}
		out->n_ids[k] = (int)ids->n;
		out->ids[k] = keep(a, ids->v, ids->n);
	}
	return 1;
}

int
encode_policy(const struct encode_params *p, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e)
{
	if (p->max_prompt_length < 2 || p->max_prompt_length >= p->max_length)
		return err_set(e, ERR_USAGE,
			"--max-prompt-length %d: expected 2 to %d (less than --max-length)",
			p->max_prompt_length, p->max_length - 1);
	struct ids ids = {0};
	struct writing w;
	struct err own = {0};
	start(out, r, a);
	int rc = begin(&w, p, r, a, out, &own);
	if (rc > 0)
		rc = policy_rows(p, &w, r, &ids, a, out, &own);
	writing_end(&w);
	ids_free(&ids);
	return finish(p, out, rc, &own, e);
}

static int
reward_rows(const struct encode_params *p, struct writing *w, const struct record *r,
	struct ids *prompt, struct ids *row, struct arena *a, struct encoded *out, struct err *e)
{
	enum writing_part part =
		template_scores_at(p->template) == SCORE_AT_LAST ? WRITING_WHOLE : WRITING_TURN;
	if (encode_prompt(p, w, prompt, e) < 0)
		return -1;
	for (int k = 0; k < r->n_responses; k++) {
		row->n = 0;
		ids_append(row, prompt->v, prompt->n);
		int rc = encode_response(w, &r->responses[k], part, row, a, out, e);
		if (rc <= 0)
			return rc;
		int cut = cut_left(p, row, p->max_length);
		/* A row is cut from its left, so what goes first is the prompt. */
		out->responses_cut += cut > 0;
		if (cut > out->prompt_cut)
			out->prompt_cut = cut;
		out->n_ids[k] = (int)row->n;
		out->ids[k] = keep(a, row->v, row->n);
	}
	if (out->responses_cut == 0)
		out->n_prompt = (int)prompt->n;
	out->prompt = r->n_responses > 0 ? out->ids[0] : keep(a, prompt->v, prompt->n);
	return 1;
}

int
encode_reward(const struct encode_params *p, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e)
{
	if (p->max_length < 2)
		return err_set(e, ERR_USAGE, "--max-length %d: expected 2 or more", p->max_length);
	struct ids prompt = {0}, row = {0};
	struct writing w;
	struct err own = {0};
	start(out, r, a);
	int rc = begin(&w, p, r, a, out, &own);
	if (rc > 0)
		rc = reward_rows(p, &w, r, &prompt, &row, a, out, &own);
	writing_end(&w);
	ids_free(&prompt);
	ids_free(&row);
	return finish(p, out, rc, &own, e);
}

/* Whether the answer written last has other ids in one text with its prompt. */
static int
differs(const struct writing *w, const struct ids *prompt, struct err *e)
{
	struct ids apart = {0}, joint = {0};
	ids_append(&apart, prompt->v, prompt->n);
	int rc = writing_ids(w, WRITING_ANSWER, &apart, e);
	if (rc == 0)
		rc = writing_ids(w, WRITING_JOINT, &joint, e);
	bool other = apart.n != joint.n ||
		     (apart.n > 0 && memcmp(apart.v, joint.v, apart.n * sizeof *apart.v) != 0);
	ids_free(&apart);
	ids_free(&joint);
	return rc < 0 ? -1 : other;
}

int
encode_joint_differs(const struct encode_params *p, const struct record *r, struct err *e)
{
	struct ids prompt = {0};
	struct writing w;
	int rc = writing_begin_record(&w, p->template, p->tokenizer, r, e);
	int n = 0;
	if (rc == 0)
		rc = writing_ids(&w, WRITING_PROMPT, &prompt, e);
	for (int k = 0; rc >= 0 && k < r->n_responses; k++) {
		const struct response *y = &r->responses[k];
		if ((rc = writing_respond(&w, y->text, y->n, y->ended, e)) == 0)
			rc = differs(&w, &prompt, e);
		n += rc > 0;
	}
	writing_end(&w);
	ids_free(&prompt);
	return rc < 0 ? -1 : n;
}
