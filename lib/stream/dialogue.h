#ifndef PRO_STREAM_DIALOGUE_H
#define PRO_STREAM_DIALOGUE_H

#include "lib/base/mem.h"
#include "lib/stream/record.h"

/*
 * A whole conversation, response included, as foreign formats have it.  Consecutive messages of
 * one speaker are merged, joined by a newline, as Open-Assistant reads HH-RLHF: this is what makes
 * the counts of the paper's Table 1.  Texts live in the arena or where the caller had them.
 */
struct dialogue {
	struct turn *turns;
	int n, cap;
	size_t room; /* of the last turn's text, when it was merged */
};

/* n bytes at *s without white space at both ends (Unicode's, as Python's str.strip has it). */
void text_strip(const char **s, size_t *n);

void dialogue_add(struct dialogue *d, struct arena *a, enum role role, const char *text, size_t n);
void dialogue_append(struct dialogue *d, struct arena *a, const struct dialogue *more);

/*
 * "\n\nHuman: ...\n\nAssistant: ...": a turn begins at a paragraph that starts with "Human:" or
 * "Assistant:"; messages are stripped.  Other paragraphs belong to the turn before them, or are
 * dropped when drop is set (the paper's own processing loses them).  Text before the first turn is
 * 0 with *reason set, unless dropped; else 1.
 */
int dialogue_read_hh(struct dialogue *d, struct arena *a, const char *text, size_t n, bool drop,
	const char **reason);
/* True when text begins with such a turn. */
bool dialogue_is_hh(const char *text);

/*
 * A JSON list of messages {role_key, text_key}; a text may be a list of {"type": "text"} parts.
 * 1, or 0 and *reason (static) for a speaker or a part that a record has no place for (tools,
 * images), or -1 with ERR_DATA naming the member.  what names the list.
 */
int dialogue_read_messages(struct dialogue *d, struct arena *a, const json_t *list,
	const char *role_key, const char *text_key, const char *what, const char **reason,
	struct err *e);

/* The first n turns as a record's prompt; a new reference. */
json_t *dialogue_prompt(const struct dialogue *d, int n);
bool dialogue_same(const struct dialogue *a, const struct dialogue *b, int n);
/* The paper's text of turns: "\n\nHuman: ..." ... "\n\nAssistant:" (a system turn stands bare). */
void dialogue_write_hh(const struct turn *turns, int n, struct buf *out);

#endif
