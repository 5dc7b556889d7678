#include "lib/align/method.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "lib/align/loss.h"
#include "lib/base/mem.h"

/* Mean log-probabilities, eq. 6. */
static double *
means(const struct method_input *in)
{
	double *r = x_malloc((size_t)in->n * sizeof *r);
	for (int k = 0; k < in->n; k++)
		r[k] = in->score[k] / in->length[k];
	return r;
}

/* Eq. 7: L_PRO + beta L_SFT. */
static void
pro_loss(const struct method_params *p, const struct method_input *in, struct method_output *out)
{
	double *r = means(in), beta = p->beta < 0 ? loss_beta(in->n) : p->beta;
	out->ranking = loss_pro(
		r, p->temperature ? in->reward : NULL, in->n, p->first_only, out->rank, out->grad);
	out->sft = loss_sft(in->score[0]);
	out->loss = out->ranking;
	for (int k = 0; k < in->n; k++)
		out->grad[k] /= in->length[k];
	if (p->sft) {
		out->loss += beta * out->sft;
		out->grad[0] -= beta;
	}
	out->pairs = loss_agreement(r, in->reward, in->n, &out->right, &out->margin);
	free(r);
}

/* Eq. 1 on the first response. */
static void
sft_loss(const struct method_params *p, const struct method_input *in, struct method_output *out)
{
	(void)p;
	out->sft = out->loss = loss_sft(in->score[0]);
	out->ranking = 0;
	for (int k = 0; k < in->n; k++)
		out->grad[k] = k == 0 ? -1 : 0;
	for (int k = 0; k < in->n - 1; k++)
		out->rank[k] = 0;
	out->pairs = out->right = 0;
	out->margin = 0;
}

static void
rm_loss(const struct method_params *p, const struct method_input *in, struct method_output *out)
{
	for (int k = 0; k < in->n - 1; k++)
		out->rank[k] = 0;
	out->loss = p->listwise ? loss_rm_listwise(in->score, in->n, out->rank, out->grad)
				: loss_rm_pairwise(in->score, in->reward, in->n, NULL, out->grad);
	out->ranking = out->loss;
	out->sft = 0;
	out->pairs = loss_agreement(in->score, in->reward, in->n, &out->right, &out->margin);
}

/* clang-format off */
static const struct method methods[] = {
	{ .name = "pro", .head = HEAD_LM, .min_responses = 2, .sorts = true, .uses_difference = true,
	  .loss_key = "pro_loss", .loss = pro_loss },
	{ .name = "sft", .head = HEAD_LM, .min_responses = 1, .keep = 1, .loss = sft_loss },
	{ .name = "bon", .head = HEAD_LM, .min_responses = 1, .keep = 1, .sorts = true,
	  .needs_reward = true, .loss = sft_loss },
	{ .name = "rm", .head = HEAD_REWARD, .min_responses = 2, .sorts = true,
	  .loss_key = "rm_loss", .loss = rm_loss },
};
/* clang-format on */

const struct method *
method_at(int i)
{
	return i >= 0 && i < (int)(sizeof methods / sizeof *methods) ? &methods[i] : NULL;
}

const struct method *
method_find(const char *name)
{
	for (int i = 0; method_at(i); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/* Stable, best first: insertion, for n is the length of a ranking. */
static void
sort_by_reward(int *perm, const double *all, int n)
{
	for (int i = 1; i < n; i++) {
		int p = perm[i], j = i;
		for (; j > 0 && all[perm[j - 1]] < all[p]; j--)
			perm[j] = perm[j - 1];
		perm[j] = p;
	}
}

/* Index of the first response without a reward (NAN), or -1. */
static int
first_missing(const double *all, int n)
{
	for (int i = 0; i < n; i++)
		if (all == NULL || isnan(all[i]))
			return i;
	return -1;
}

static int
check_missing(const struct method *m, const struct method_params *p, enum method_order order,
	int missing, struct err *e)
{
	if (missing < 0)
		return 0;
	if (m->uses_difference && p->temperature)
		return err_set(e, ERR_DATA,
			"responses[%d]: no reward, which --method %s needs: pro-rerank --reward "
			"DIR "
			"adds rewards, --no-temperature trains on the order alone",
			missing, m->name);
	if (order == ORDER_REWARD || (order == ORDER_AUTO && m->needs_reward))
		return err_set(e, ERR_DATA,
			"responses[%d]: no reward, which --method %s needs to sort by: pro-rerank "
			"--reward DIR adds rewards, --order given takes the order as it stands",
			missing, m->name);
	return 0;
}

int
method_rank_rewards(const struct method *m, const struct method_params *p, enum method_order order,
	const double *all, int n_all, int *perm, double *reward, int *n, bool *has_reward,
	const char **why, struct err *e)
{
	if (n_all < m->min_responses) {
		*why = m->min_responses == 1 ? "no response" : "fewer than 2 responses";
		return 0;
	}
	int missing = first_missing(all, n_all);
	if (check_missing(m, p, order, missing, e) < 0)
		return -1;
	for (int i = 0; i < n_all; i++)
		perm[i] = i;
	*has_reward = missing < 0;
	if (*has_reward && (order == ORDER_REWARD || (order == ORDER_AUTO && m->sorts)))
		sort_by_reward(perm, all, n_all);
	*n = m->keep && m->keep < n_all ? m->keep : n_all;
	for (int i = 0; i < *n; i++)
		reward[i] = *has_reward ? all[perm[i]] : 0;
	bool differences = m->uses_difference && p->temperature, unequal = false;
	for (int i = 1; *has_reward && i < *n; i++) {
		unequal |= reward[i] != reward[0];
		if (differences && reward[i] > reward[i - 1])
			return err_set(e, ERR_DATA,
				"responses[%d]: reward %.17g above the %.17g before it: under "
				"--order "
				"given the rewards must not rise (pro-rerank sorts)",
				i, reward[i], reward[i - 1]);
	}
	if (m->head == HEAD_REWARD && !p->listwise && *has_reward && !unequal) {
		*why = "all rewards equal: no pair to learn from";
		return 0;
	}
	return 1;
}

int
method_rank(const struct method *m, const struct method_params *p, enum method_order order,
	const char *reward_field, const struct record *r, int *perm, double *reward, int *n,
	bool *has_reward, const char **why, struct err *e)
{
	double *all = x_malloc(((size_t)r->n_responses + 1) * sizeof *all);
	int rc = 1;
	for (int i = 0; rc > 0 && i < r->n_responses; i++) {
		int got = response_number(&r->responses[i], reward_field, &all[i], e);
		if (got < 0)
			rc = err_prefix(e, "responses[%d]", i);
		else if (got == 0)
			all[i] = NAN;
	}
	if (rc > 0)
		rc = method_rank_rewards(
			m, p, order, all, r->n_responses, perm, reward, n, has_reward, why, e);
	free(all);
	return rc;
}
