#ifndef PRO_STREAM_IMPORT_IMPL_H
#define PRO_STREAM_IMPORT_IMPL_H

#include "lib/stream/dialogue.h"
#include "lib/stream/import.h"

/*
 * Between import.c, which knows records and filters, and formats_*.c, which know foreign formats.
 *
 * A reader says what the prompt is and, for each response, what its dialogue is: the answer alone,
 * or a whole conversation that has the prompt in it again.  draft_settle makes one of the two.
 */
struct candidate {
	json_t *json; /* the response that it becomes */
	double rank;  /* draft_sort: lowest first */
	int position;
	struct dialogue dialogue;
};

/* A record in the making. */
struct draft {
	const struct importer *im;
	const json_t *v; /* the value that is read */
	struct arena *arena;

	struct dialogue prompt; /* what is known of it beside the candidates; may be empty */
	bool plain;             /* it is one text that is no dialogue: it may stay a string */
	bool turns;             /* an answer came as messages or a dialogue: it does not */
	bool stripped;          /* it was the text of a dialogue: answers are stripped as turns */
	const char *system;     /* a system text beside it, or NULL */
	size_t system_n;
	bool loose; /* the contexts of the candidates may differ, see FILTER_TURNS */

	struct candidate *candidates;
	int n, cap;

	bool equal;    /* settled: the responses are one answer, several times */
	json_t *list;  /* settled: the prompt of the record */
	json_t *used;  /* members that do not go into the record as they are */
	json_t *extra; /* members for the record beside them */
	json_t *owned; /* values that were read out of texts and must live as long as the draft */
};

void draft_init(struct draft *d, const struct importer *im, const json_t *v, struct arena *a);
void draft_free(struct draft *d);
/* A candidate without text as yet; source NULL: none. */
struct candidate *draft_add(struct draft *d, const char *source);
/* Its source is "format:1", "format:2" ... */
struct candidate *draft_add_numbered(struct draft *d);
/* Its source is "format:which", or model when that is a text. */
struct candidate *draft_add_side(struct draft *d, const char *which, const json_t *model);
/* The members of v, but for those named, go into the response. */
void draft_carry(struct candidate *c, const json_t *v, const char *const *except);
/* By rank, stable. */
void draft_sort(struct draft *d);
/* The key is consumed. */
void draft_use(struct draft *d, const char *key);

/*
 * Below: 1, 0 with a static *reason (a reject), -1 with ERR_DATA.
 */

/* The answer that v is: a text, a message, a list of messages (also as text), a list of one text.
 * what names it. */
int draft_answer(struct draft *d, struct candidate *c, const json_t *v, const char *what,
	const char **reason, struct err *e);
/* The prompt that member key is, in any of these forms.  plain: a text may stay a string. */
int draft_prompt(struct draft *d, const char *key, bool plain, const char **reason, struct err *e);
/* The same for v, which what names. */
int draft_prompt_value(struct draft *d, const json_t *v, const char *what, bool plain,
	const char **reason, struct err *e);
/* member system or system_prompt. */
int draft_system(struct draft *d, const char **reason, struct err *e);
/* Searches the prompt among all names in the wild, with system and history; see prompt.c. */
int draft_find_prompt(struct draft *d, const char **reason, struct err *e);
/* What x says, a text or messages, is in a message of list, or has one in it; or x is nothing. */
bool texts_meet(const json_t *list, const json_t *x);
/* A member that draft_find_prompt knows is there, if only null. */
bool draft_has_prompt_member(const struct draft *d);
/* "a, b (null), c": what there is, for messages. */
void members_write(const json_t *v, struct buf *out);
/* The prompt does not end with the assistant: where a format has no answers that are begun, the end
 * would be another answer. */
int draft_waits(const struct draft *d, const char **reason);
/* Joins prompt and candidates: the record's prompt into list, each candidate's text into its
 * json. */
int draft_settle(struct draft *d, const char **reason);

/* The score of a candidate, a number or the text of one, or nothing (missing, null): its reward,
 * and its rank (none: last).  Scaled as --reward-scale says. */
int draft_reward(struct draft *d, struct candidate *c, const json_t *v, const char *what,
	const char **reason, struct err *e);
/* The rewards of two candidates, chosen and rejected: members score_chosen, chosen_score,
 * chosen-rating ... or what --reward-from says. */
int draft_pair_rewards(struct draft *d, const char **reason, struct err *e);
/* The score of one candidate among the members of v: --reward-from, or else member key. */
int draft_member_reward(struct draft *d, struct candidate *c, const json_t *v, const char *key,
	const char **reason, struct err *e);
/* v, or the number that it spells (owned by d); NULL for another text ("N/A"). */
const json_t *draft_number(struct draft *d, const json_t *v);
/* v's member at a path, "a.b.c"; NULL. */
const json_t *json_at(const json_t *v, const char *path);

/* A label of an answer: 1 for good (true, 1), 0 for bad or none. */
int label_good(const json_t *v, const char *what, const char **reason, struct err *e);
/* A text that is not beyond 64 bits' integers. */
bool is_text(const json_t *v);
/* A string or list that has nothing in it, or null, or missing. */
bool is_nothing(const json_t *v);
/* A list member, or one that is text; ERR_DATA. */
const json_t *need_list(struct draft *d, const char *key, struct err *e);
/* A string member; ERR_DATA when it is missing. */
int need_string(const json_t *v, const char *key, const char **s, size_t *n, struct err *e);
/* True when x names a tie. */
bool is_tie(const json_t *x);

typedef int (*format_reader)(struct draft *d, const char **reason, struct err *e);
int read_hh(struct draft *d, const char **reason, struct err *e);
int read_pair(struct draft *d, const char **reason, struct err *e);
int read_pro(struct draft *d, const char **reason, struct err *e);
int read_rrhf(struct draft *d, const char **reason, struct err *e);
int read_ultrafeedback(struct draft *d, const char **reason, struct err *e);
int read_tldr(struct draft *d, const char **reason, struct err *e);
int read_oasst(struct draft *d, const char **reason, struct err *e);
int read_messages(struct draft *d, const char **reason, struct err *e);
int read_swift(struct draft *d, const char **reason, struct err *e);
int read_openai(struct draft *d, const char **reason, struct err *e);
int read_nectar(struct draft *d, const char **reason, struct err *e);
int read_stackexchange(struct draft *d, const char **reason, struct err *e);
int read_shp(struct draft *d, const char **reason, struct err *e);
int read_webgpt(struct draft *d, const char **reason, struct err *e);
int read_saferlhf(struct draft *d, const char **reason, struct err *e);
int read_helpsteer(struct draft *d, const char **reason, struct err *e);
int read_arena(struct draft *d, const char **reason, struct err *e);
int read_prometheus(struct draft *d, const char **reason, struct err *e);
int read_alpacafarm(struct draft *d, const char **reason, struct err *e);
int read_distilabel(struct draft *d, const char **reason, struct err *e);
int read_alpaca(struct draft *d, const char **reason, struct err *e);
int read_single(struct draft *d, const char **reason, struct err *e);
int read_prompts(struct draft *d, const char **reason, struct err *e);

/* One record more of the value, number k of several (0: of one): d is settled and assembled. */
struct importing {
	const struct importer *im;
	const json_t *v;
	int64_t line;
	struct arena *arena;
	struct imports *out;
};
void importing_reject(struct importing *x, const char *reason);
void importing_finish(struct importing *x, struct draft *d, int k);
int import_tree(struct importing *x, struct err *e);

#endif
