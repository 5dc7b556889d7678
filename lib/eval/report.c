#include "lib/eval/report.h"

#include <math.h>
#include <string.h>

#include "lib/base/visible.h"
#include "lib/eval/table.h"

static bool
has_char(const struct evaluation *v)
{
	return v->params.reference && v->params.char_bleu;
}

static bool
has_sacre(const struct evaluation *v)
{
	return v->params.reference && v->params.sacrebleu;
}

/* The mean x 100; NAN when there is none. */
static double
percent(const struct stats *s)
{
	return s->n > 0 ? 100 * s->mean : NAN;
}

static double
sacrebleu(const struct eval_cell *c)
{
	return c->segments > 0 ? bleu_corpus_score(&c->corpus, NULL, NULL) : NAN;
}

static void
number_cell(struct table *t, double x)
{
	if (isnan(x))
		table_cell(t, "-");
	else
		table_cell(t, "%.2f", x);
}

static void
field_cell(struct table *t, const struct stats *s)
{
	double half = stats_half_width(s);
	if (s->n == 0)
		table_cell(t, "-");
	else if (isnan(half))
		table_cell(t, "%.3f", s->mean);
	else
		table_cell(t, "%.3f\u00b1%.3f", s->mean, half);
}

/* Subsets in order, Total last; alone, it needs no name above. */
static int
nth_subset(const struct evaluation *v, int i)
{
	return i + 1 < v->n_subsets ? i + 1 : 0;
}

static void
heads(const struct evaluation *v, struct table *t)
{
	int per_subset = has_char(v) + has_sacre(v) + v->params.reward + v->params.n_fields;
	t->n_cols = 1 + v->n_subsets * per_subset + 1;
	table_cell(t, "System");
	for (int i = 0; i < v->n_subsets; i++) {
		if (v->n_subsets > 1)
			table_group(t, v->subsets[nth_subset(v, i)], 1 + i * per_subset,
				per_subset + (i == v->n_subsets - 1));
		if (has_char(v))
			table_cell(t, "charBLEU");
		if (has_sacre(v))
			table_cell(t, "sacreBLEU");
		if (v->params.reward)
			table_cell(t, "Reward");
		for (int f = 0; f < v->params.n_fields; f++)
			table_cell(t, "%s", v->params.fields[f]);
	}
	table_cell(t, "n");
}

static void
row(const struct evaluation *v, int system, struct table *t)
{
	table_cell(t, "%s", v->params.hypotheses[system]);
	for (int i = 0; i < v->n_subsets; i++) {
		const struct eval_cell *c = &v->cells[nth_subset(v, i)][system];
		if (has_char(v))
			number_cell(t, percent(&c->char_bleu));
		if (has_sacre(v))
			number_cell(t, sacrebleu(c));
		if (v->params.reward)
			number_cell(t, percent(&c->reward));
		for (int f = 0; f < v->params.n_fields; f++)
			field_cell(t, &c->fields[f]);
	}
	table_cell(t, "%lld", (long long)v->cells[0][system].n);
}

/* "NAME: text" or "text NAME", of a name that came from outside. */
static void
line_with(struct buf *out, const char *before, const char *name, const char *after)
{
	buf_puts(out, before);
	text_visible(out, name, strlen(name));
	buf_puts(out, after);
}

void
report_table(const struct evaluation *v, const char *reward_from, struct buf *out)
{
	struct table t = {0};
	heads(v, &t);
	for (int i = 0; i < v->params.n_hypotheses; i++)
		row(v, i, &t);
	table_print(&t, out);
	table_free(&t);
	buf_putc(out, '\n');
	if (has_char(v))
		line_with(out,
			"charBLEU: nltk's sentence BLEU-4 over characters, not smoothed, mean over "
			"records, x 100; reference ",
			v->params.reference, "\n");
	if (has_sacre(v)) {
		buf_puts(out, "sacreBLEU: corpus BLEU ");
		bleu_signature(out);
		line_with(out, "; reference ", v->params.reference, "\n");
	}
	if (v->params.reward)
		line_with(out, "Reward: mean of sigmoid(score), x 100; scores from ", reward_from,
			"\n");
	for (int f = 0; f < v->params.n_fields; f++)
		line_with(out, "", v->params.fields[f],
			": mean\u00b1half the width of its 95 % interval\n");
}

/* One system on one subset as named numbers, for JSON and CSV alike. */
struct flat {
	double char_bleu, sacrebleu, reward, reward_low, reward_high;
};

static struct flat
flatten(const struct evaluation *v, const struct eval_cell *c)
{
	struct flat f = {NAN, NAN, NAN, NAN, NAN};
	if (has_char(v))
		f.char_bleu = percent(&c->char_bleu);
	if (has_sacre(v))
		f.sacrebleu = sacrebleu(c);
	if (v->params.reward) {
		double half = 100 * stats_half_width(&c->reward);
		f.reward = percent(&c->reward);
		f.reward_low = f.reward - half;
		f.reward_high = f.reward + half;
	}
	return f;
}

static void
json_number(struct buf *out, const char *name, double x)
{
	buf_printf(out, ",\"%s\":", name);
	json_write_real(out, x);
}

static void
json_string_member(struct buf *out, const char *name, const char *s)
{
	buf_printf(out, "\"%s\":", name);
	json_write_string(out, s, strlen(s));
}

static void
json_fields(const struct evaluation *v, const struct eval_cell *c, struct buf *out)
{
	buf_puts(out, ",\"fields\":{");
	for (int f = 0; f < v->params.n_fields; f++) {
		const struct stats *s = &c->fields[f];
		double mean = s->n > 0 ? s->mean : NAN, half = stats_half_width(s);
		if (f > 0)
			buf_putc(out, ',');
		json_write_string(out, v->params.fields[f], strlen(v->params.fields[f]));
		buf_puts(out, ":{\"mean\":");
		json_write_real(out, mean);
		json_number(out, "low", mean - half);
		json_number(out, "high", mean + half);
		buf_putc(out, '}');
	}
	buf_putc(out, '}');
}

static void
json_cell(const struct evaluation *v, int subset, int system, struct buf *out)
{
	const struct eval_cell *c = &v->cells[subset][system];
	struct flat x = flatten(v, c);
	buf_putc(out, '{');
	json_string_member(out, "system", v->params.hypotheses[system]);
	buf_putc(out, ',');
	json_string_member(out, "subset", v->subsets[subset]);
	buf_printf(out, ",\"n\":%lld,\"responses\":%lld,\"missing\":%lld", (long long)c->n,
		(long long)c->responses, (long long)c->missing);
	json_number(out, "bleu_char", x.char_bleu);
	json_number(out, "sacrebleu", x.sacrebleu);
	buf_putc(out, ',');
	struct buf signature = BUF_INIT;
	bleu_signature(&signature);
	if (has_sacre(v))
		json_string_member(out, "signature", signature.data);
	else
		buf_puts(out, "\"signature\":null");
	buf_free(&signature);
	json_number(out, "reward", x.reward);
	json_number(out, "reward_low", x.reward_low);
	json_number(out, "reward_high", x.reward_high);
	json_fields(v, c, out);
	buf_putc(out, '}');
}

void
report_json(const struct evaluation *v, const struct agreement *agreements, int n, struct buf *out)
{
	const char *sep = "[";
	for (int system = 0; system < v->params.n_hypotheses; system++)
		for (int i = 0; i < v->n_subsets; i++) {
			buf_puts(out, sep);
			json_cell(v, nth_subset(v, i), system, out);
			sep = ",\n";
		}
	for (int i = 0; i < n; i++, sep = ",\n") {
		buf_puts(out, sep);
		agreement_json(&agreements[i], out);
	}
	buf_puts(out, "]\n");
}

static void
csv_number(struct buf *out, double x)
{
	buf_putc(out, ',');
	if (!isnan(x))
		json_write_real(out, x);
}

static void
csv_cell(const struct evaluation *v, int subset, int system, struct buf *out)
{
	const struct eval_cell *c = &v->cells[subset][system];
	struct flat x = flatten(v, c);
	csv_field(out, v->params.hypotheses[system]);
	buf_putc(out, ',');
	csv_field(out, v->subsets[subset]);
	buf_printf(out, ",%lld,%lld,%lld", (long long)c->n, (long long)c->responses,
		(long long)c->missing);
	csv_number(out, x.char_bleu);
	csv_number(out, x.sacrebleu);
	buf_putc(out, ',');
	if (has_sacre(v))
		bleu_signature(out);
	csv_number(out, x.reward);
	csv_number(out, x.reward_low);
	csv_number(out, x.reward_high);
	for (int f = 0; f < v->params.n_fields; f++) {
		const struct stats *s = &c->fields[f];
		double mean = s->n > 0 ? s->mean : NAN, half = stats_half_width(s);
		csv_number(out, mean);
		csv_number(out, mean - half);
		csv_number(out, mean + half);
	}
	buf_putc(out, '\n');
}

void
report_csv(const struct evaluation *v, struct buf *out)
{
	buf_puts(out, "system,subset,n,responses,missing,bleu_char,sacrebleu,signature,reward,"
		      "reward_low,reward_high");
	static const char *const suffixes[] = {"", "_low", "_high"};
	for (int f = 0; f < v->params.n_fields; f++)
		for (int k = 0; k < 3; k++) {
			struct buf name = BUF_INIT;
			buf_printf(&name, "%s%s", v->params.fields[f], suffixes[k]);
			buf_putc(out, ',');
			csv_field(out, name.data);
			buf_free(&name);
		}
	buf_putc(out, '\n');
	for (int system = 0; system < v->params.n_hypotheses; system++)
		for (int i = 0; i < v->n_subsets; i++)
			csv_cell(v, nth_subset(v, i), system, out);
}
