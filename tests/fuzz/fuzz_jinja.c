/* A chat template and a conversation: whatever the bytes, a text of known provenance or an error of
 * the two kinds, within the limits. */
#include <stdint.h>

#include "lib/text/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *
conversation(void)
{
	static const char text[] =
		"{\"messages\":[{\"role\":\"system\",\"content\":\" S \"},{\"role\":\"user\","
		"\"content\":\"h\\u00e9 <b>\",\"n\":3,\"f\":1.5},{\"role\":\"assistant\","
		"\"content\":[{\"type\":\"text\",\"text\":\"a,b\"}],\"tool_calls\":[{\"function\":"
		"{\"name\":\"f\",\"arguments\":{\"x\":[1,null,true]}}}]}],\"bos_token\":\"<s>\","
		"\"add_generation_prompt\":true,\"tools\":null}";
	return json_loads(text, 0, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tm now = {.tm_year = 126, .tm_mday = 15};
	struct jinja *j;
	struct err e = {0};
	struct jinja_text out = {BUF_INIT, BUF_INIT};
	if (jinja_compile(&j, (const char *)data, size, &e) < 0) {
		if (e.code != ERR_CONFIG || e.msg[0] == '\0' || j != NULL)
			__builtin_trap();
		return 0;
	}
	json_t *vars = conversation();
	if (jinja_render(j, vars, &now, &out, &e) < 0) {
		if ((e.code != ERR_DATA && e.code != ERR_CONFIG) || e.msg[0] == '\0')
			__builtin_trap();
	} else if (out.text.len != out.mark.len) {
		__builtin_trap();
	}
	for (size_t i = 0; i < out.mark.len; i++)
		if (out.mark.data[i] != JINJA_LITERAL && out.mark.data[i] != JINJA_DATA)
			__builtin_trap();
	json_decref(vars);
	buf_free(&out.text);
	buf_free(&out.mark);
	jinja_free(j);
	return 0;
}
