#include "lib/eval/agreement.h"

#include <math.h>
#include <string.h>

#include "lib/eval/table.h"

int
agreement_try(const struct agreement *a, const struct record *r, struct err *e)
{
	double x;
	for (int i = 0; r->n_responses > 1 && i < r->n_responses; i++)
		if (response_number(&r->responses[i], a->field, &x, e) < 0)
			return -1;
	return 0;
}

int
agreement_add(struct agreement *a, const struct record *r, struct err *e)
{
	if (agreement_try(a, r, e) < 0)
		return -1;
	for (int i = 0; i < r->n_responses; i++)
		for (int k = i + 1; k < r->n_responses; k++) {
			double better = 0, worse = 0;
			int x = response_number(&r->responses[i], a->field, &better, NULL);
			int y = response_number(&r->responses[k], a->field, &worse, NULL);
			if (x == 0 || y == 0) {
				a->missing++;
				continue;
			}
			a->pairs++;
			a->right += better > worse ? 1 : better == worse ? 0.5 : 0;
		}
	return 0;
}

double
agreement_share(const struct agreement *a, double *low, double *high)
{
	*low = *high = NAN;
	if (a->pairs == 0)
		return NAN;
	double n = (double)a->pairs, p = a->right / n, z = 1.959963984540054;
	double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
	double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
	*low = middle - half;
	*high = middle + half;
	return p;
}

void
agreement_table(const struct agreement *a, struct buf *out)
{
	double low, high, p = agreement_share(a, &low, &high);
	table_note(out, "Agreement of %s with the order: %.2f %% [%.1f, %.1f] of %lld pairs",
		a->field, 100 * p, 100 * low, 100 * high, (long long)a->pairs);
}

void
agreement_json(const struct agreement *a, struct buf *out)
{
	double low, high, p = agreement_share(a, &low, &high);
	buf_puts(out, "{\"agreement\":");
	json_write_string(out, a->field, strlen(a->field));
	buf_printf(out, ",\"pairs\":%lld,\"missing\":%lld,\"accuracy\":", (long long)a->pairs,
		(long long)a->missing);
	json_write_real(out, p);
	buf_puts(out, ",\"low\":");
	json_write_real(out, low);
	buf_puts(out, ",\"high\":");
	json_write_real(out, high);
	buf_putc(out, '}');
}
