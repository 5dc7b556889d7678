#include "lib/eval/report.h"

#include <math.h>
#include <string.h>

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

/* A mean and half the width of its interval, where it has one, both times `scale`. */
static void
mean_cell(struct table *t, const struct stats *s, double scale, int digits)
{
	double half = scale * stats_half_width(s);
	if (s->n == 0)
		table_cell(t, "-");
	else if (isnan(half))
		table_cell(t, "%.*f", digits, scale * s->mean);
	else
		table_cell(t, "%.*f\u00b1%.*f", digits, scale * s->mean, digits, half);
}

/* Subsets in order, Total last; alone, it needs no name above. */
static int
nth_subset(const struct evaluation *v, int i)
{
	return i + 1 < v->n_subsets ? i + 1 : 0;
}

static int
n_figures(const struct evaluation *v)
{
	return has_char(v) + has_sacre(v) + v->params.reward + v->params.n_fields;
}

static void
figure_heads(const struct evaluation *v, struct table *t)
{
	if (has_char(v))
		table_cell(t, "charBLEU");
	if (has_sacre(v))
		table_cell(t, "sacreBLEU");
	if (v->params.reward)
		table_cell(t, "Reward");
	for (int f = 0; f < v->params.n_fields; f++)
		table_cell(t, "%s", v->params.fields[f]);
}

static void
figures(const struct evaluation *v, const struct eval_cell *c, struct table *t)
{
	if (has_char(v))
		mean_cell(t, &c->char_bleu, 100, 2);
	if (has_sacre(v) && c->segments > 0)
		table_cell(t, "%.2f", sacrebleu(c));
	else if (has_sacre(v))
		table_cell(t, "-");
	if (v->params.reward)
		mean_cell(t, &c->reward, 100, 2);
	for (int f = 0; f < v->params.n_fields; f++)
		mean_cell(t, &c->fields[f], 1, 3);
}

/* A row a system, the subsets beside each other. */
static void
wide_form(const struct evaluation *v, struct table *t)
{
	int per_subset = n_figures(v);
	t->n_cols = 1 + v->n_subsets * per_subset + 1;
	table_cell(t, "System");
	for (int i = 0; i < v->n_subsets; i++) {
		if (v->n_subsets > 1)
			table_group(t, v->subsets[nth_subset(v, i)], 1 + i * per_subset,
				per_subset + (i == v->n_subsets - 1));
		figure_heads(v, t);
	}
	table_cell(t, "n");
	for (int system = 0; system < v->params.n_hypotheses; system++) {
		table_cell(t, "%s", v->params.hypotheses[system]);
		for (int i = 0; i < v->n_subsets; i++)
			figures(v, &v->cells[nth_subset(v, i)][system], t);
		table_cell(t, "%lld", (long long)v->cells[0][system].n);
	}
}

/* A row a system and subset, the subsets below each other. */
static void
long_form(const struct evaluation *v, struct table *t)
{
	t->n_cols = 1 + n_figures(v) + 1;
	table_cell(t, "System");
	figure_heads(v, t);
	table_cell(t, "n");
	for (int i = 0; i < v->n_subsets; i++) {
		const struct eval_cell *cells = v->cells[nth_subset(v, i)];
		if (v->n_subsets > 1)
			table_section(t, v->subsets[nth_subset(v, i)]);
		for (int system = 0; system < v->params.n_hypotheses; system++) {
			table_cell(t, "%s", v->params.hypotheses[system]);
			figures(v, &cells[system], t);
			table_cell(t, "%lld", (long long)cells[system].n);
		}
	}
}

/* What the columns are. */
static void
notes(const struct evaluation *v, const char *reward_from, struct buf *out)
{
	if (has_char(v))
		table_note(out,
			"charBLEU: nltk's sentence BLEU-4 over characters, not smoothed; mean, x "
			"100; "
			"reference %s",
			v->params.reference);
	if (has_sacre(v)) {
		struct buf signature = BUF_INIT;
		bleu_signature(&signature);
		table_note(out, "sacreBLEU: %s; reference %s", signature.data, v->params.reference);
		buf_free(&signature);
	}
	if (v->params.reward)
		table_note(
			out, "Reward: mean of sigmoid(score), x 100; scores from %s", reward_from);
	for (int f = 0; f < v->params.n_fields; f++)
		table_note(out, "%s: plain mean", v->params.fields[f]);
	if (has_char(v) || v->params.reward || v->params.n_fields > 0)
		table_note(
			out, "\u00b1: half the width of the 95 %% interval of a mean over records");
}

void
report_table(const struct evaluation *v, const char *reward_from, struct buf *out)
{
	struct table t = {0};
	wide_form(v, &t);
	if (table_width(&t) > TABLE_WIDTH) {
		table_free(&t);
		long_form(v, &t);
	}
	table_print(&t, out);
	table_free(&t);
	buf_putc(out, '\n');
	notes(v, reward_from, out);
}

/* One system on one subset as named numbers, for JSON and CSV alike. */
struct flat {
	double char_bleu, char_low, char_high, sacrebleu, reward, reward_low, reward_high;
};

static struct flat
flatten(const struct evaluation *v, const struct eval_cell *c)
{
	struct flat f = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	if (has_char(v)) {
		double half = 100 * stats_half_width(&c->char_bleu);
		f.char_bleu = percent(&c->char_bleu);
		f.char_low = f.char_bleu - half;
		f.char_high = f.char_bleu + half;
	}
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
	json_number(out, "bleu_char_low", x.char_low);
	json_number(out, "bleu_char_high", x.char_high);
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
	csv_number(out, x.char_low);
	csv_number(out, x.char_high);
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
	buf_puts(out, "system,subset,n,responses,missing,bleu_char,bleu_char_low,"
		      "bleu_char_high,sacrebleu,signature,reward,reward_low,reward_high");
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
