#include "lib/model/member.h"

#include <limits.h>
#include <string.h>

#include "lib/stream/json.h"

bool
member_null(const json_t *v)
{
	return v == NULL || json_is_null(v);
}

int
member_int(
	const json_t *o, const char *key, int min, int max, int fallback, int *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	*out = fallback;
	if (member_null(v))
		return fallback == INT_MIN ? err_set(e, ERR_CONFIG, "no %s", key) : 0;
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return err_set(e, ERR_DATA, "%s: not an integer in [%d, %d]", key, min, max);
	*out = (int)json_integer_value(v);
	return 0;
}

int
member_real(const json_t *o, const char *key, double min, double max, double fallback, double *out,
	struct err *e)
{
	const json_t *v = json_object_get(o, key);
	*out = fallback;
	if (member_null(v))
		return 0;
	if (!json_is_number(v) || !(json_number_value(v) > min && json_number_value(v) <= max))
		return err_set(e, ERR_DATA, "%s: not a number in (%g, %g]", key, min, max);
	*out = json_number_value(v);
	return 0;
}

int
member_bool(const json_t *o, const char *key, bool fallback, bool *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	*out = fallback;
	if (member_null(v))
		return 0;
	if (!json_is_boolean(v))
		return err_set(e, ERR_DATA, "%s: not true or false", key);
	*out = json_is_true(v);
	return 0;
}

int
member_text(const json_t *o, const char *key, const char **out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	*out = NULL;
	if (member_null(v))
		return 0;
	if (!json_is_string(v) || json_is_big(v))
		return err_set(e, ERR_DATA, "%s: not a string", key);
	*out = json_string_value(v);
	return 0;
}

int
member_ids(const json_t *o, const char *key, int32_t *out, struct ids *list, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	bool many = json_is_array(v);
	*out = -1;
	if (member_null(v))
		return 0;
	for (size_t i = 0; i < (many ? json_array_size(v) : 1); i++) {
		const json_t *x = many ? json_array_get(v, i) : v;
		json_int_t id = json_integer_value(x);
		if (!json_is_integer(x) || id < -1 || id > INT32_MAX)
			return err_set(e, ERR_DATA, "%s: not a token id", key);
		if (i == 0)
			*out = (int32_t)id;
		bool known = id < 0;
		for (size_t j = 0; list && j < list->n; j++)
			known |= list->v[j] == id;
		if (list && !known)
			ids_push(list, (int32_t)id);
	}
	return 0;
}

bool
member_ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);
	return n >= k && strcmp(name + n - k, end) == 0;
}
