#ifndef PRO_TEXT_SHOW_H
#define PRO_TEXT_SHOW_H

#include "lib/text/template.h"

/*
 * What a template makes of a record, whole (nothing is cut), as a JSON object:
 *   id, prompt {text, ids}, responses [{text, ids, end, rest}]
 * text is what is written, ids are what a model reads (a bos before the prompt is in ids only), end
 * the token that is put behind an answer where the template writes none (null: it does), rest is
 * what the template writes behind the end of the turn. 1, and *out is the caller's; 0: the template
 * refuses the record, and *out is a string that says why; -1.
 */
int show_record(const struct template *p, const struct tokenizer *t, const struct record *r,
	json_t **out, struct err *e);

/* The same for reading: headings, and every line of a text behind "| ", control characters escaped.
 */
void show_lines(const json_t *shown, struct buf *out);

#endif
