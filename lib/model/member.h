#ifndef PRO_MODEL_MEMBER_H
#define PRO_MODEL_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * Members of a model's JSON files, strictly typed: a wrong type or range is ERR_DATA naming the
 * member.  null counts as missing, as transformers writes it.
 */
bool member_null(const json_t *v);
/* Whether a name (of an architecture, of a tensor) ends so. */
bool member_ends_in(const char *name, const char *end);
/* Integer in [min, max]; missing gives fallback, or ERR_CONFIG when that is INT_MIN. */
int member_int(
	const json_t *o, const char *key, int min, int max, int fallback, int *out, struct err *e);
/* Number in (min, max]; missing gives fallback. */
int member_real(const json_t *o, const char *key, double min, double max, double fallback,
	double *out, struct err *e);
int member_bool(const json_t *o, const char *key, bool fallback, bool *out, struct err *e);
/* A string, borrowed, or NULL. */
int member_text(const json_t *o, const char *key, const char **out, struct err *e);
/* A token id, or the first of a list of ids, or -1 (which some published files hold for none); all
 * of them into list, each once (NULL: not wanted). */
int member_ids(const json_t *o, const char *key, int32_t *out, struct ids *list, struct err *e);

#endif
