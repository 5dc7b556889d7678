#ifndef PRO_TEXT_TEMPLATE_IMPL_H
#define PRO_TEXT_TEMPLATE_IMPL_H

#include <jansson.h>

#include "lib/text/template.h"

/* What is behind template.h: the members of a template file.  Internal to lib/text. */
enum { TEMPLATE_MAX_STOPS = 16 };

struct template_turn {
	const char *before, *after;
};

struct template
{
	struct arena mem; /* of a template read from JSON; built-in ones are static text */
	const char *name;
	const char *begin, *separator;
	struct template_turn turn[3]; /* by enum role */
	bool fold_system;
	const char *default_system; /* NULL: none is put in */
	bool trim;
	const char *generation;
	bool generation_once;
	const char *response_prefix;
	const char *eos; /* NULL: the tokenizer's */
	const char *stops[TEMPLATE_MAX_STOPS + 1];
	int max_tokens;
};

/* The built-in template of that name; NULL: none.  Copy it by value. */
const struct template *template_builtin(const char *name);
/* "hh, oasst, ..." */
void template_builtin_names(struct buf *out);
/* The name of the built-in template that a chat_template (Jinja) amounts to; NULL: not known. */
const char *template_fingerprint(const char *jinja);

int template_from_json(struct template **out, const json_t *v, struct err *e);

#endif
