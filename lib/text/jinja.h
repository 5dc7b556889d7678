#ifndef PRO_TEXT_JINJA_H
#define PRO_TEXT_JINJA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * Jinja for chat templates: renders what jinja2 3.1 renders when it is set up as Hugging Face
 * transformers does it (utils/chat_template_utils.py): an ImmutableSandboxedEnvironment with
 * trim_blocks and lstrip_blocks, the loop controls extension, {% generation %} as a block that
 * passes through, tojson by json.dumps with ensure_ascii false, raise_exception and strftime_now.
 * The language is jinja.palletsprojects.com/en/stable/templates; values behave as Python's.
 *
 * Not there: extends, include, import, the i18n and do tags, and what nobody writes in chat
 * templates; those are refused by name.  Nothing is ever rendered approximately.
 */
struct jinja; /* a compiled template */

/*
 * Compiles n bytes of UTF-8.  ERR_CONFIG names the line and what is not valid or not supported.
 * Bounded: 1 MiB of source, 200 levels of blocks and parentheses.
 */
int jinja_compile(struct jinja **out, const char *src, size_t n, struct err *e);
void jinja_free(struct jinja *j);

/* True when rendering may ask for the date (strftime_now), for a note on stderr. */
bool jinja_uses_date(const struct jinja *j);

/*
 * What was rendered, and where each byte came from: special tokens are recognised in literals
 * only.  Both buffers have the same length; jinja_render empties them first, buf_free frees them.
 */
enum { JINJA_LITERAL = 0, JINJA_DATA = 1 };
struct jinja_text {
	struct buf text;
	struct buf mark; /* JINJA_LITERAL: the template wrote the byte, or it is of a variable
			  * "..._token" or additional_special_tokens;
			  * JINJA_DATA: it came out of another string of vars, such as those of
			  * messages and tools, through trim, +, slices, replace, tojson ... too;
			  * but for a member "role" that is one of system, user, assistant, tool
			  * and developer */
};

/*
 * vars: a JSON object: messages, add_generation_prompt, bos_token, eos_token ...; tools (a
 * list, or null), documents null or absent.  now: for strftime_now.
 * ERR_DATA: the template raised (raise_exception, or what jinja2 raises for this conversation: a
 * member of something undefined, a wrong type); e->msg is the reason.
 * ERR_CONFIG: the template needs something that is not there, or passes a limit of steps, depth or
 * memory.
 */
int jinja_render(const struct jinja *j, const json_t *vars, const struct tm *now,
	struct jinja_text *out, struct err *e);

#endif
