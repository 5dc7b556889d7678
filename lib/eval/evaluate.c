#include "lib/eval/evaluate.h"

#include <stdlib.h>
#include <string.h>

static int
add_subset(struct evaluation *v, const char *name)
{
	size_t n = (size_t)v->n_subsets, systems = (size_t)v->params.n_hypotheses;
	v->subsets = x_realloc(v->subsets, (n + 1) * sizeof *v->subsets);
	v->cells = x_realloc(v->cells, (n + 1) * sizeof *v->cells);
	v->subsets[n] = x_strdup(name);
	v->cells[n] = x_calloc(systems, sizeof **v->cells);
	for (size_t i = 0; i < systems; i++)
		v->cells[n][i].fields =
			x_calloc((size_t)v->params.n_fields + 1, sizeof(struct stats));
	return v->n_subsets++;
}

void
evaluation_init(struct evaluation *v, const struct eval_params *params)
{
	*v = (struct evaluation){.params = *params};
	v->no_field = x_calloc((size_t)params->n_fields + 1, sizeof *v->no_field);
	v->made_by = x_calloc((size_t)params->n_hypotheses + 1, sizeof *v->made_by);
	v->mixed = x_calloc((size_t)params->n_hypotheses + 1, sizeof *v->mixed);
	add_subset(v, "Total");
}

void
evaluation_free(struct evaluation *v)
{
	for (int s = 0; s < v->n_subsets; s++) {
		for (int i = 0; i < v->params.n_hypotheses; i++)
			free(v->cells[s][i].fields);
		free(v->cells[s]);
		free(v->subsets[s]);
	}
	for (int i = 0; i < v->n_labels; i++)
		free(v->labels[i]);
	for (int i = 0; i < v->n_numbers; i++)
		free(v->numbers[i]);
	for (int i = 0; i < v->params.n_hypotheses; i++)
		free(v->made_by[i]);
	free(v->made_by);
	free(v->mixed);
	free(v->cells);
	free(v->subsets);
	free(v->no_field);
	*v = (struct evaluation){0};
}

static int
system_of(const struct evaluation *v, const struct response *p)
{
	for (int i = 0; i < v->params.n_hypotheses; i++)
		if (strcmp(v->params.hypotheses[i], p->source) == 0)
			return i;
	return -1;
}

bool
evaluation_wants(const struct evaluation *v, const struct record *r, int i)
{
	return system_of(v, &r->responses[i]) >= 0;
}

/* Adds a name to the first ones that were seen. */
static void
note_name(char **seen, int *n, const char *name)
{
	int i = 0;
	while (i < *n && strcmp(seen[i], name) != 0)
		i++;
	if (i == *n && i < EVAL_MAX_LABELS)
		seen[(*n)++] = x_strdup(name);
}

static void
note_labels(struct evaluation *v, const struct record *r)
{
	for (int k = 0; k < r->n_responses; k++)
		note_name(v->labels, &v->n_labels, r->responses[k].source);
}

static void
note_numbers(struct evaluation *v, const struct response *p)
{
	const char *name;
	json_t *value;
	json_object_foreach(p->json, name, value) if (json_is_number(value))
		note_name(v->numbers, &v->n_numbers, name);
}

/* "a, b", or what is said of none. */
static void
put_names(struct buf *out, char *const *seen, int n, const char *none)
{
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", *seen[i] ? seen[i] : "(no source)");
	if (n == EVAL_MAX_LABELS)
		buf_puts(out, ", ...");
	if (n == 0)
		buf_puts(out, none);
}

/* The record's subset, 0 without params.by; -1 on error. */
static int
subset_of(struct evaluation *v, const struct record *r, struct err *e)
{
	if (v->params.by == NULL)
		return 0;
	const char *name = NULL;
	if (json_get_string(r->root, v->params.by, &name, NULL, e) < 0)
		return -1;
	if (name == NULL)
		name = "(none)";
	for (int s = 1; s < v->n_subsets; s++)
		if (strcmp(v->subsets[s], name) == 0)
			return s;
	if (v->n_subsets > EVAL_MAX_SUBSETS)
		return err_set(e, ERR_DATA, "%s: more than %d different values", v->params.by,
			EVAL_MAX_SUBSETS);
	return add_subset(v, name);
}

static const struct response *
reference_of(struct evaluation *v, const struct record *r)
{
	const struct response *found = NULL;
	for (int k = 0; v->params.reference && k < r->n_responses; k++) {
		if (strcmp(r->responses[k].source, v->params.reference) != 0)
			continue;
		if (found)
			v->extra_references++;
		else
			found = &r->responses[k];
	}
	if (v->params.reference && found == NULL)
		v->no_reference++;
	return found;
}

/* What one system's responses in one record come to. */
struct sums {
	int64_t responses, segments;
	struct stats char_bleu, reward, *fields;
	struct bleu_corpus corpus;
};

static void
add_bleu(const struct evaluation *v, struct sums *s, const struct response *p,
	const struct response *ref)
{
	const char *hyp = p->text, *want = ref->text;
	size_t n_hyp = p->n, n_want = ref->n;
	bleu_strip(&hyp, &n_hyp);
	bleu_strip(&want, &n_want);
	s->segments++;
	if (v->params.char_bleu)
		stats_add(&s->char_bleu, bleu_char(hyp, n_hyp, want, n_want));
	if (v->params.sacrebleu)
		bleu_corpus_add(&s->corpus, hyp, n_hyp, want, n_want);
}

static void
add_response(struct evaluation *v, struct sums *s, const struct record *r, int k,
	const struct response *ref, const double *scores)
{
	const struct response *p = &r->responses[k];
	const struct eval_params *params = &v->params;
	double x = 0;
	int found = scores != NULL;
	s->responses++;
	if (ref)
		add_bleu(v, s, p, ref);
	if (scores)
		x = scores[k];
	else if (params->reward_field)
		found = response_number(p, params->reward_field, &x, NULL) > 0;
	if (found)
		stats_add(&s->reward, sigmoid(x));
	else
		v->no_reward += params->reward;
	if (!found && params->reward)
		note_numbers(v, p);
	for (int f = 0; f < params->n_fields; f++) {
		if (response_number(p, params->fields[f], &x, NULL) > 0)
			stats_add(&s->fields[f], x);
		else
			v->no_field[f]++, note_numbers(v, p);
	}
}

static void
add_mean(struct stats *to, const struct stats *of_record)
{
	if (of_record->n > 0)
		stats_add(to, of_record->mean);
}

static void
add_to_cell(struct eval_cell *c, const struct sums *s, int n_fields)
{
	if (s->responses == 0) {
		c->missing++;
		return;
	}
	c->n++;
	c->responses += s->responses;
	c->segments += s->segments;
	add_mean(&c->char_bleu, &s->char_bleu);
	add_mean(&c->reward, &s->reward);
	for (int f = 0; f < n_fields; f++)
		add_mean(&c->fields[f], &s->fields[f]);
	for (int k = 0; k < BLEU_ORDER; k++) {
		c->corpus.correct[k] += s->corpus.correct[k];
		c->corpus.total[k] += s->corpus.total[k];
	}
	c->corpus.hyp_len += s->corpus.hyp_len;
	c->corpus.ref_len += s->corpus.ref_len;
}

int
evaluation_try(struct evaluation *v, const struct record *r, bool scored, struct err *e)
{
	const struct eval_params *p = &v->params;
	double x;
	for (int k = 0; k < r->n_responses; k++) {
		const struct response *one = &r->responses[k];
		bool bad = false;
		if (system_of(v, one) < 0)
			continue;
		if (!scored && p->reward_field)
			bad = response_number(one, p->reward_field, &x, e) < 0;
		for (int f = 0; f < p->n_fields && !bad; f++)
			bad = response_number(one, p->fields[f], &x, e) < 0;
		if (bad)
			return err_prefix(e, "responses[%d]", k);
	}
	return subset_of(v, r, e) < 0 ? -1 : 0;
}

static void
note_maker(struct evaluation *v, int i, const struct response *p)
{
	const json_t *made = json_object_get(p->json, "generated");
	const char *hash = json_string_value(json_object_get(made, "hash"));
	if (hash == NULL)
		return;
	if (v->made_by[i] == NULL)
		v->made_by[i] = x_strdup(hash);
	v->mixed[i] |= strcmp(v->made_by[i], hash) != 0;
}

int
evaluation_add(struct evaluation *v, const struct record *r, const double *scores, struct err *e)
{
	int n_systems = v->params.n_hypotheses, n_fields = v->params.n_fields, any = 0;
	if (evaluation_try(v, r, scores != NULL, e) < 0)
		return -1;
	int subset = subset_of(v, r, e);
	v->n_records++;
	note_labels(v, r);
	const struct response *ref = reference_of(v, r);
	struct sums *sums = x_calloc((size_t)n_systems, sizeof *sums);
	for (int i = 0; i < n_systems; i++)
		sums[i].fields = x_calloc((size_t)n_fields + 1, sizeof(struct stats));
	for (int k = 0; k < r->n_responses; k++) {
		int i = system_of(v, &r->responses[k]);
		if (i < 0)
			continue;
		any = 1;
		add_response(v, &sums[i], r, k, ref, scores);
		note_maker(v, i, &r->responses[k]);
	}
	for (int i = 0; i < n_systems; i++) {
		add_to_cell(&v->cells[0][i], &sums[i], n_fields);
		if (subset > 0)
			add_to_cell(&v->cells[subset][i], &sums[i], n_fields);
		free(sums[i].fields);
	}
	free(sums);
	return any;
}

static int
never_seen(const struct evaluation *v, const char *what, const char *label, struct err *e)
{
	struct buf seen = BUF_INIT;
	put_names(&seen, v->labels, v->n_labels, "no responses");
	err_set(e, ERR_DATA, "%s %s: no response has this source; there are: %s", what, label,
		seen.data);
	buf_free(&seen);
	return -1;
}

void
evaluation_note_numbers(struct evaluation *v, const struct record *r)
{
	for (int k = 0; k < r->n_responses; k++)
		note_numbers(v, &r->responses[k]);
}

void
evaluation_numbers(const struct evaluation *v, struct buf *out)
{
	put_names(out, v->numbers, v->n_numbers, "none (pro-score adds some)");
}

static int
no_number(const struct evaluation *v, const char *field, struct err *e)
{
	struct buf seen = BUF_INIT;
	evaluation_numbers(v, &seen);
	err_set(e, ERR_DATA, "no response has a number in '%s'; there are: %s", field, seen.data);
	buf_free(&seen);
	return -1;
}

int
evaluation_check(const struct evaluation *v, struct err *e)
{
	const struct eval_params *p = &v->params;
	int64_t n_reward = 0, responses = 0;
	if (v->n_records == 0)
		return err_set(e, ERR_DATA, "no records: nothing was evaluated");
	for (int i = 0; i < p->n_hypotheses; i++) {
		const struct eval_cell *c = &v->cells[0][i];
		if (c->n == 0)
			return never_seen(v, "--hypothesis", p->hypotheses[i], e);
		n_reward += c->reward.n;
		responses += c->responses;
	}
	if (p->reference && v->no_reference == v->n_records)
		return never_seen(v, "--reference", p->reference, e);
	if (p->reward && n_reward == 0)
		return no_number(v, p->reward_field ? p->reward_field : "reward", e);
	for (int f = 0; f < p->n_fields; f++)
		if (v->no_field[f] == responses)
			return no_number(v, p->fields[f], e);
	return 0;
}

void
evaluation_notes(const struct evaluation *v, struct strings *out)
{
	const struct eval_params *p = &v->params;
	long long n = (long long)v->n_records;
	for (int i = 0; i < p->n_hypotheses; i++) {
		const struct eval_cell *c = &v->cells[0][i];
		if (c->missing > 0)
			strings_add(out, "%s: no response in %lld of %lld records",
				p->hypotheses[i], (long long)c->missing, n);
		if (c->responses > c->n)
			strings_add(out,
				"%s: %lld responses in %lld records; a record counts with their "
				"mean",
				p->hypotheses[i], (long long)c->responses, (long long)c->n);
		if (v->mixed[i])
			strings_add(out,
				"%s: two models made responses of this label (pro-augment "
				"--source tells them apart)",
				p->hypotheses[i]);
	}
	if (v->no_reference > 0)
		strings_add(out, "%s: no reference in %lld of %lld records, which have no BLEU",
			p->reference, (long long)v->no_reference, n);
	if (v->extra_references > 0)
		strings_add(out, "%s: %lld further references in a record, the first one counts",
			p->reference, (long long)v->extra_references);
	if (v->no_reward > 0)
		strings_add(out, "%lld responses without a number in '%s' have no reward",
			(long long)v->no_reward, p->reward_field);
	for (int f = 0; f < p->n_fields; f++)
		if (v->no_field[f] > 0)
			strings_add(out,
				"%lld responses without a number in '%s' are not in its mean",
				(long long)v->no_field[f], p->fields[f]);
}
