#ifndef PRO_STREAM_DIALOGUE_H
#define PRO_STREAM_DIALOGUE_H

#include "lib/base/mem.h"
#include "lib/stream/record.h"

/*
 * A whole conversation, response included, as foreign formats have it.  Consecutive messages of
 * one speaker are merged, joined by a newline, as Open-Assistant reads HH-RLHF: this is what makes
 * the counts of the paper's Table 1.  Messages whose further members differ stay apart: one turn
 * could not hold both.  Texts live in the arena or where the caller had them.
 */
struct dialogue {
	struct turn *turns;
	/* what each turn was made of, for its further members (name, weight, reasoning_content
	 * ...); borrowed, NULL: none */
	const json_t **said;
	int n, cap;
	size_t room; /* of the last turn's text, when it was merged */
};

/* n bytes at *s without white space at both ends (Unicode's, as Python's str.strip has it). */
void text_strip(const char **s, size_t *n);

/* said: the message, or NULL. */
void dialogue_add(struct dialogue *d, struct arena *a, enum role role, const char *text, size_t n,
	const json_t *said);
/* Turns [from, to) of more. */
void dialogue_append(
	struct dialogue *d, struct arena *a, const struct dialogue *more, int from, int to);
/* Turn first of more goes on, byte for byte, where the last turn of d stops (an assistant's turn
 * that was begun in the prompt); false when both have further members, and different ones. */
bool dialogue_continue(struct dialogue *d, struct arena *a, const struct dialogue *more, int first);

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
 * A JSON list of messages {role, content} or {from, value} (or text in place of content), or of
 * pairs [question, answer], {input, output}, {human, assistant} and {question, answer}; a content
 * may be a list of {"type": "text"} parts.  1, or 0 and *reason (static) for a speaker or a part
 * that a record has no place for (tools, images), or -1 with ERR_DATA naming the member.  what
 * names the list.
 */
int dialogue_read_messages(struct dialogue *d, struct arena *a, const json_t *list,
	const char *what, const char **reason, struct err *e);
/* True when v is an object with a speaker and a text. */
bool message_is(const json_t *v);
/* Both messages (NULL: none) have the same members beside speaker and text; null is as good as
 * none. */
bool message_same_members(const json_t *a, const json_t *b);
/* The members of a message but for speaker and text into o; those that o has already are put under
 * "source_" and their name.  NULL: none. */
void message_members(const json_t *message, json_t *o);

/* The first n turns as a record's prompt; a new reference. */
json_t *dialogue_prompt(const struct dialogue *d, int n);
/* The n turns from i of a and from k of b are the same; but for white space at their ends, when
 * alike. */
bool dialogue_same(
	const struct dialogue *a, int i, const struct dialogue *b, int k, int n, bool alike);
/* The paper's text of turns: "\n\nHuman: ..." ... "\n\nAssistant:" (a system turn stands bare). */
void dialogue_write_hh(const struct turn *turns, int n, struct buf *out);

#endif
