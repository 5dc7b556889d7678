#ifndef PRO_STREAM_EXPORT_H
#define PRO_STREAM_EXPORT_H

#include "lib/stream/record.h"

/*
 * Records in the formats of other tools, one JSON object a line:
 * TRL         {"id", "prompt", "chosen", "rejected"[, "score_chosen", "score_rejected"]}: the first
 *             response against each of the others, n-1 lines, less those of equal reward or text;
 *             messages where the prompt has turns, with what a message may have (weight ...)
 * RRHF        {"id", "query", "responses", "scores"}; without rewards the scores are n-1 ... 0
 *             Further members of the record go into TRL's and RRHF's lines as they are.
 * ALPACAEVAL  {"instruction", "output", "generator"[, "dataset"]}: the first response
 */
enum export_format { EXPORT_RECORDS, EXPORT_TRL, EXPORT_RRHF, EXPORT_ALPACAEVAL };
#define EXPORT_FORMATS "records|trl|rrhf|alpacaeval"

/* Appends lines; 1, or 0 when the record has too few responses (*reason is static), or -1. */
int export_record(const struct record *r, enum export_format f, struct buf *out,
	const char **reason, struct err *e);

#endif
