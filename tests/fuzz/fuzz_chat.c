/*
 * A chat template and an answer: "SOURCE\0ANSWER".  Whatever the template renders, prompt and
 * response have a mark for each byte, their parts are in order, and the answer is not lost.
 */
#include <assert.h>
#include <string.h>

#include "lib/text/template_impl.h"
#include "lib/text/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void
respond(struct writing *w, const char *text, size_t n, bool ended)
{
	struct err e = {0};
	if (writing_respond(w, text, n, ended, &e) < 0) {
		assert(e.code != 0 && e.msg[0]);
		return;
	}
	assert(w->response.text.len == w->response.mark.len);
	assert(w->answer <= w->turn && w->turn <= w->response.text.len);
	assert(ended || (w->turn == w->response.text.len && !w->has_end));
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	static struct tokenizer *t;
	static const struct turn turns[] = {{ROLE_USER, "Hi <s>", 6, NULL},
		{ROLE_ASSISTANT, "Ho", 2, NULL}, {ROLE_USER, "Why?", 4, NULL}};
	static const char json[] =
		"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"added_tokens\":[{\"id\":1,"
		"\"content\":\"</s>\",\"special\":true}],\"model\":{\"type\":\"BPE\","
		"\"merges\":[],\"vocab\":{\"a\":0,\"</s>\":1}}}";
	if (t == NULL && tokenizer_from_json(&t, json, strlen(json), NULL) < 0)
		return 0;
	const unsigned char *nul = n ? memchr(data, 0, n) : NULL;
	size_t n_source = nul ? (size_t)(nul - data) : n;
	struct template *p;
	struct err e = {0};
	if (chat_new(&p, "fuzz", (const char *)data, n_source, NULL, t, &e) < 0) {
		assert(e.code != 0 && e.msg[0]);
		return 0;
	}
	struct writing w;
	if (writing_begin(&w, p, t, turns, 3, &e) == 0) {
		assert(w.prompt.text.len == w.prompt.mark.len);
		const char *text = nul ? (const char *)nul + 1 : "";
		size_t n_text = nul ? n - n_source - 1 : 0;
		json_t *v = json_stringn(text, n_text); /* records are UTF-8 */
		if (v && memchr(text, 0, n_text) == NULL) {
			respond(&w, text, n_text, true);
			respond(&w, text, n_text, false);
		}
		json_decref(v);
	}
	writing_end(&w);
	template_free(p);
	return 0;
}
