#include "lib/text/encode.h"

#include <string.h>

static int32_t *
keep(struct arena *a, const int32_t *v, size_t n)
{
	int32_t *p = arena_alloc(a, (n + 1) * sizeof *p);
	if (n)
		memcpy(p, v, n * sizeof *p);
	return p;
}

/* [bos] + template(prompt), one bos even where the template begins with its own. */
static int
encode_prompt(const struct encode_params *p, const struct record *r, struct ids *out, struct err *e)
{
	int rc = template_prompt(p->template, p->tokenizer, r->turns, r->n_turns, r->raw, out, e);
	int32_t bos = tokenizer_bos(p->tokenizer);
	if (rc < 0 || !tokenizer_adds_bos(p->tokenizer) || (out->n > 0 && out->v[0] == bos))
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
	size_t bos = tokenizer_adds_bos(p->tokenizer);
	if (s->n <= (size_t)max)
		return 0;
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
judge(const struct encode_params *p, const struct encoded *c, struct err *e)
{
	if (c->prompt_cut == 0 && c->responses_cut == 0)
		return 1;
	if (p->on_overlong == OVERLONG_ERROR)
		return err_set(e, ERR_DATA,
			"too long: %d prompt tokens and %d responses would be cut (--on-overlong "
			"error)",
			c->prompt_cut, c->responses_cut);
	return p->on_overlong == OVERLONG_TRUNCATE;
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
	int32_t eos = template_eos(p->template, p->tokenizer);
	start(out, r, a);
	int rc = encode_prompt(p, r, &ids, e);
	if (rc == 0) {
		out->prompt_cut = cut_left(p, &ids, p->max_prompt_length);
		out->n_prompt = (int)ids.n;
		out->prompt = keep(a, ids.v, ids.n);
	}
	size_t room = (size_t)(p->max_length - out->n_prompt);
	for (int k = 0; rc == 0 && k < r->n_responses; k++) {
		const struct response *y = &r->responses[k];
		ids.n = 0;
		rc = template_response(p->template, p->tokenizer, y->text, y->n, &ids, e);
		if (rc < 0)
			break;
		if (y->ended && eos >= 0)
			ids_push(&ids, eos);
		/* The eos counts: where it has no place, the response has been cut. */
		if (ids.n > room) {
			ids.n = room;
			out->responses_cut++;
		}
		out->n_ids[k] = (int)ids.n;
		out->ids[k] = keep(a, ids.v, ids.n);
	}
	ids_free(&ids);
	return rc < 0 ? -1 : judge(p, out, e);
}

int
encode_reward(const struct encode_params *p, const struct record *r, struct arena *a,
	struct encoded *out, struct err *e)
{
	if (p->max_length < 2)
		return err_set(e, ERR_USAGE, "--max-length %d: expected 2 or more", p->max_length);
	struct ids prompt = {0}, row = {0};
	int32_t eos = template_eos(p->template, p->tokenizer);
	start(out, r, a);
	int rc = encode_prompt(p, r, &prompt, e);
	for (int k = 0; rc == 0 && k < r->n_responses; k++) {
		const struct response *y = &r->responses[k];
		row.n = 0;
		ids_append(&row, prompt.v, prompt.n);
		rc = template_response(p->template, p->tokenizer, y->text, y->n, &row, e);
		if (rc < 0)
			break;
		if (y->ended && eos >= 0)
			ids_push(&row, eos);
		int cut = cut_left(p, &row, p->max_length);
		/* A row is cut from its left, so what goes first is the prompt. */
		out->responses_cut += cut > 0;
		if (cut > out->prompt_cut)
			out->prompt_cut = cut;
		out->n_ids[k] = (int)row.n;
		out->ids[k] = keep(a, row.v, row.n);
	}
	if (rc == 0 && out->responses_cut == 0)
		out->n_prompt = (int)prompt.n;
	out->prompt = r->n_responses > 0 ? out->ids[0] : keep(a, prompt.v, prompt.n);
	ids_free(&prompt);
	ids_free(&row);
	return rc < 0 ? -1 : judge(p, out, e);
}
