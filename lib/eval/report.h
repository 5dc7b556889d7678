#ifndef PRO_EVAL_REPORT_H
#define PRO_EVAL_REPORT_H

#include "lib/eval/agreement.h"
#include "lib/eval/evaluate.h"

/* How an evaluation is shown; each appends to out. */

/*
 * As Table 2 of the paper: a row per system, the BLEUs, Reward (both x 100, two decimals) and the
 * plain means per subset and in Total, what is a mean over records with ± half the width of its
 * 95 % interval; where that is wider than TABLE_WIDTH, a row per subset and system, Total last.
 * Notes below say what each column is.  reward_from names where the scores are from.
 */
void report_table(const struct evaluation *v, const char *reward_from, struct buf *out);
/*
 * A list of objects {system, subset, n, responses, missing, bleu_char, bleu_char_low,
 * bleu_char_high, sacrebleu, signature, reward, reward_low, reward_high, fields: {NAME: {mean, low,
 * high}}}, one per system and subset ("Total" last), then the n agreements, at full precision;
 * BLEUs and rewards x 100 as in the table; what was not asked for is null.
 */
void report_json(
	const struct evaluation *v, const struct agreement *agreements, int n, struct buf *out);
/* The same as lines of comma-separated values under a line of names; null is an empty field. */
void report_csv(const struct evaluation *v, struct buf *out);

#endif
