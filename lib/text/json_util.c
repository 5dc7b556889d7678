#include "lib/text/json_util.h"

#include "lib/stream/json.h"

json_t *
text_json(const char *text, size_t n, struct err *e)
{
	return json_parse_python(text, n, e);
}

const char *
text_type(const json_t *v)
{
	const char *s = json_string_value(json_object_get(v, "type"));
	return s ? s : "(no type)";
}

int
text_flag(const json_t *v, const char *key, bool def, bool *out, struct err *e)
{
	const json_t *b = json_object_get(v, key);
	if (b && !json_is_boolean(b) && !json_is_null(b))
		return err_set(e, ERR_DATA, "%s: not true or false", key);
	*out = json_is_boolean(b) ? json_is_true(b) : def;
	return 0;
}

int
text_pattern(const json_t *v, struct regex **re, struct err *e)
{
	const json_t *regex = json_object_get(v, "Regex"), *text = json_object_get(v, "String");
	if (json_is_string(regex) == json_is_string(text))
		return err_set(e, ERR_DATA, "pattern: Regex or String expected");
	if (json_is_string(text) && json_string_length(text) > 0) {
		*re = regex_literal(json_string_value(text), json_string_length(text));
		return 0;
	}
	/* An empty String is the empty expression to the library: it matches everywhere. */
	const json_t *s = json_is_string(regex) ? regex : text;
	return regex_compile(re, json_string_value(s), json_string_length(s), e);
}
