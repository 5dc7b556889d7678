#ifndef PRO_STREAM_IMPORT_H
#define PRO_STREAM_IMPORT_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/stream/json.h"

/*
 * Foreign preference data as ranking records, pro-import(1): one JSON value in, one record out, or
 * a reason why not.  Nothing is kept from one record to the next.
 */
enum import_format {
	IMPORT_AUTO,
	IMPORT_HH,   /* {"chosen", "rejected"}: two dialogues as text (Anthropic HH-RLHF) */
	IMPORT_TRL,  /* {["prompt"], "chosen", "rejected"}: strings or messages (TRL) */
	IMPORT_PRO,  /* {"prefix", "suffix", "reward"} (PRO's processed data) */
	IMPORT_RRHF, /* {"query", "responses", "scores"} */
	IMPORT_ULTRAFEEDBACK, /* {"instruction", "completions"}, or TRL's with score_chosen */
	IMPORT_TLDR,          /* {"info", "summaries", "choice"} (summarize-from-feedback) */
	IMPORT_OASST,         /* {"context", "responses"} with ranks */
	IMPORT_MESSAGES,      /* {"messages"} (OpenAI chat) */
	IMPORT_RECORDS,       /* our own */
};
#define IMPORT_FORMATS "auto|hh|trl|pro|rrhf|ultrafeedback|tldr|oasst|messages|records"
const char *import_format_name(enum import_format f);

/*
 * What may stay, after consecutive messages of one speaker were merged:
 * TURNS     Open-Assistant's rule: the dialogues have the same number of turns; the context is the
 *           first's (this makes Table 1's counts)
 * CONTEXTS  the paper's words: identical contexts, different responses
 * NONE      whatever has a prompt and responses
 */
enum import_filter { FILTER_TURNS, FILTER_CONTEXTS, FILTER_NONE };
#define IMPORT_FILTERS "turns|contexts|none"

struct importer {
	enum import_format format;
	enum import_filter filter;
	bool drop_paragraphs; /* hh: as the paper's processing does */
	const char *name;     /* ids are NAME:LINE; NULL: the subset, else the format's name */
	const char *subset;   /* written into every record; NULL: what is there stays */
};

/* The one format that v is in; ERR_DATA when none or several fit. */
int import_detect(const json_t *v, enum import_format *f, struct err *e);

/*
 * Makes a record of v, which is number line of the input (from 1).  1: *record is the caller's;
 * 0: rejected, *reason is static; -1: v is not in the format, ERR_DATA naming the member.  Fields
 * that the format does not know go into the record; an id becomes source_id.
 */
int import_record(const struct importer *im, const json_t *v, int64_t line, struct arena *a,
	json_t **record, const char **reason, struct err *e);

#endif
