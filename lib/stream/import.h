#ifndef PRO_STREAM_IMPORT_H
#define PRO_STREAM_IMPORT_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/stream/json.h"

/*
 * Foreign preference data as ranking records, pro-import(1): one JSON value in, records out (one,
 * but for the trees of Open-Assistant), or a reason why not.  Nothing is kept from one value to the
 * next but for the notes.
 *
 * A format is one row: name, what it is called on the command line, its reader
 * (lib/stream/import_impl.h), which options mean something to it (p: --prompt-from, r:
 * --reward-from), and what tells it, in alternatives split by ';', each a list of
 * members that must be there and not null:
 *   a|b      one of them          a:s a:l a:o   it is a string, a list, an object
 *   a:d      it is a text that begins as a dialogue of HH-RLHF
 *   a?       it is there, null too: a verdict that nobody gave
 *   a[b]     it is a list, empty or of objects that have b
 *   !a !a*   it is not there; none whose name begins so
 *   !~       none that may hold answers (lib/stream/answers.h)
 *   @f       and it is not format f
 * --format, the man page and the message about an unknown format follow from this table.
 */
#define IMPORT_TABLE(X)                                                                           \
	/* Anthropic HH-RLHF: two dialogues as text */                                            \
	X(HH, "hh", read_hh, "", "chosen:d rejected !prompt")                                     \
	/* TRL's preference types, and all else that has a chosen and a rejected side: Orca,      \
	 * Alpaca, ShareGPT and LLaMA-Factory pairs, argilla, axolotl, RewardBench */             \
	X(TRL, "trl", read_pair, "pr",                                                            \
		"chosen|chosen_response|response_chosen "                                         \
		"rejected?|rejected_response?|reject?|response_rejected? @hh @ultrafeedback;"     \
		"chosen?|chosen_response?|response_chosen? "                                      \
		"rejected|rejected_response|reject|response_rejected @hh @ultrafeedback")         \
	/* PRO's processed data */                                                                \
	X(PRO, "pro", read_pro, "", "prefix suffix")                                              \
	X(RRHF, "rrhf", read_rrhf, "pr",                                                          \
		"query|prompt|instruction|question|messages|conversations "                       \
		"scores:l|rewards:l responses:l !context @records")                               \
	/* openbmb/UltraFeedback; TRL's with score_chosen (HuggingFaceH4) */                      \
	X(ULTRAFEEDBACK, "ultrafeedback", read_ultrafeedback, "pr",                               \
		"instruction completions;chosen rejected score_chosen|score_rejected @hh")        \
	/* summarize-from-feedback */                                                             \
	X(TLDR, "tldr", read_tldr, "", "info summaries choice?")                                  \
	/* Open-Assistant's rankings */                                                           \
	X(OASST, "oasst", read_oasst, "", "context responses:l")                                  \
	/* OpenAI and ShareGPT chats, with or without LLaMA-Factory's label */                    \
	X(MESSAGES, "messages", read_messages, "r",                                               \
		"messages|conversations|conversation !chosen* !rejected* !completion "            \
		"!negative_messages @rrhf @swift")                                                \
	X(RECORDS, "records", NULL, "", "prompt responses[text]")                                 \
	/* ms-swift's preferences */                                                              \
	X(SWIFT, "swift", read_swift, "p",                                                        \
		"messages|query rejected_response?|rejected_messages? !chosen*")                  \
	/* OpenAI's preference fine-tuning */                                                     \
	X(OPENAI, "openai", read_openai, "p", "input preferred_output non_preferred_output")      \
	X(NECTAR, "nectar", read_nectar, "p", "prompt answers[answer]")                           \
	/* HuggingFaceH4/stack-exchange-preferences, lvwerra/stack-exchange-paired */             \
	X(STACKEXCHANGE, "stackexchange", read_stackexchange, "pr",                               \
		"question response_j response_k;question answers[text]")                          \
	/* stanfordnlp/SHP */                                                                     \
	X(SHP, "shp", read_shp, "p", "history human_ref_A? human_ref_B? labels?")                 \
	X(WEBGPT, "webgpt", read_webgpt, "p", "question answer_0? answer_1? score_0 score_1")     \
	X(SAFERLHF, "saferlhf", read_saferlhf, "pr",                                              \
		"prompt response_0? response_1? better_response_id?|safer_response_id?")          \
	/* nvidia/HelpSteer, HelpSteer2 and its preferences, HelpSteer3 */                        \
	X(HELPSTEER, "helpsteer", read_helpsteer, "pr",                                           \
		"prompt response_1? response_2? preference_strength?;"                            \
		"context response1? response2? overall_preference?;"                              \
		"prompt response helpfulness")                                                    \
	/* OpenAssistant/oasst1, oasst2: message trees */                                         \
	X(OASST_TREE, "oasst-tree", NULL, "", "message_tree_id prompt:o")                         \
	/* lmsys/chatbot_arena_conversations, lmsys-arena-human-preference-55k, MT-bench's        \
	 * human judgments */                                                                     \
	X(ARENA, "arena", read_arena, "p",                                                        \
		"conversation_a conversation_b winner?;"                                          \
		"prompt|question|instruction response_a? response_b? "                            \
		"winner_model_a?|winner?|preferred?|preference?")                                 \
	/* prometheus-eval/Preference-Collection */                                               \
	X(PROMETHEUS, "prometheus", read_prometheus, "p",                                         \
		"orig_instruction orig_response_A? orig_response_B? "                             \
		"orig_preference?|orig_score_A")                                                  \
	/* AlpacaFarm and AlpacaEval annotations */                                               \
	X(ALPACAFARM, "alpacafarm", read_alpacafarm, "p",                                         \
		"instruction output_1? output_2? preference?")                                    \
	/* distilabel: generations and ratings in two lists */                                    \
	X(DISTILABEL, "distilabel", read_distilabel, "pr",                                        \
		"instruction|prompt|input generations ratings|rating !chosen*")                   \
	/* TRL's and LLaMA-Factory's KTO, BeaverTails: one answer and a label */                  \
	X(KTO, "kto", read_single, "pr",                                                          \
		"prompt|question|instruction|query|input|messages "                               \
		"completion|response|answer|output label?|kto_tag?|is_safe? !chosen* !rejected*") \
	/* Alpaca; LLaMA-Factory's ranking: output is a list, best first */                       \
	X(ALPACA, "alpaca", read_alpaca, "pr",                                                    \
		"instruction output !chosen* !rejected* @kto @messages @prometheus")              \
	/* TRL's prompt and completion */                                                         \
	X(COMPLETION, "completion", read_single, "pr",                                            \
		"prompt|question|query|problem|instruction|input "                                \
		"completion|response|answer|output "                                              \
		"!chosen* !rejected* !label !score_0 @kto @alpaca @helpsteer @messages "          \
		"@prometheus")                                                                    \
	/* TRL's prompts alone */                                                                 \
	X(PROMPTS, "prompts", read_prompts, "p",                                                  \
		"prompt !chosen* !reject* !completion !response* !answer !answers !output "       \
		"!suffix "                                                                        \
		"!generations !messages !label !~ @oasst-tree")

#define IMPORT_ENUM(E, name, reader, takes, members) IMPORT_##E,
enum import_format { IMPORT_AUTO, IMPORT_TABLE(IMPORT_ENUM) IMPORT_FORMAT_N };
#undef IMPORT_ENUM
#define IMPORT_CHOICE(E, name, reader, takes, members) "|" name
#define IMPORT_FORMATS "auto" IMPORT_TABLE(IMPORT_CHOICE)
const char *import_format_name(enum import_format f);

/*
 * What may stay, after consecutive messages of one speaker were merged:
 * TURNS     Open-Assistant's rule for hh and pro: the dialogues have the same number of turns; the
 *           context is the first's (this makes Table 1's counts).  In every other format a response
 *           to another context is no response to this one: the contexts are the same; and one
 *           answer, however often it stands there, is no preference.
 * CONTEXTS  the paper's words: identical contexts, different responses
 * NONE      whatever has a prompt and responses
 */
enum import_filter { FILTER_TURNS, FILTER_CONTEXTS, FILTER_NONE };
#define IMPORT_FILTERS "turns|contexts|none"

/* What a run should hear of at its end; zeroed by the caller. */
struct import_notes {
	int64_t rewards;  /* scores that the data brought */
	double low, high; /* the least and the greatest of them, as they are in the data */
	int64_t doubtful; /* UltraFeedback: overall_score contradicts fine-grained_score */
	int64_t ties;     /* records of which two responses have one reward */
	int64_t equal;    /* records that stay, of which all responses are the same */
};

struct importer {
	enum import_format format;
	enum import_filter filter;
	bool drop_paragraphs;    /* hh: as the paper's processing does */
	const char *name;        /* ids are NAME:LINE; NULL: the subset, else the format's name */
	const char *subset;      /* written into every record; NULL: what is there stays */
	const char *prompt_from; /* members that are the prompt, "a,b"; NULL: see prompt_find */
	const char *reward_from; /* the member that is the score; NULL: the format's own */
	/* scaled: reward = (score - scale_low) / scale_by, and a score outside low..high is
	 * rejected; or, where these are infinite, score * scale_by */
	bool scaled;
	double scale_low, scale_high, scale_by;
	struct import_notes *notes; /* NULL: not wanted */
};

/* "MIN:MAX" (onto 0..1) or a factor; ERR_USAGE. */
int import_parse_scale(struct importer *im, const char *spec, struct err *e);

/* The one format that v is in; ERR_DATA when several fit, or none: with v's members, the nearest
 * format and what it lacks. */
int import_detect(const json_t *v, enum import_format *f, struct err *e);

/* A later value, when an earlier one told format f: ERR_DATA when it is in another format, whose
 * answers f's reader would not see. */
int import_same(const json_t *v, enum import_format f, struct err *e);

/* ERR_USAGE when im has an option that its format has no use for. */
int import_check(const struct importer *im, struct err *e);

/* What became of one value: records (the caller's) and rejects, in order. */
struct imported {
	json_t *record;     /* NULL: rejected */
	const char *reason; /* why, static */
};

struct imports {
	struct imported *v; /* [n], in the arena */
	int n, cap;
};

/*
 * Makes records of v, which is number line of the input (from 1): out->n is 1 or more.  -1: v is
 * not in the format, ERR_DATA naming the member, and out is empty.  Fields that the format does not
 * know go into the record; an id becomes source_id.
 */
int import_value(const struct importer *im, const json_t *v, int64_t line, struct arena *a,
	struct imports *out, struct err *e);

#endif
