#include "lib/text/show.h"

#include <string.h>

#include "lib/text/encode.h"
#include "lib/text/writing.h"

static json_t *
id_list(const int32_t *v, int n)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++)
		json_add(list, json_integer(v[i]));
	return list;
}

static json_t *
part(const struct jinja_text *m, size_t from, size_t to)
{
	return json_textn(to > from ? m->text.data + from : "", to - from);
}

static json_t *
end_token(const struct template *p, const struct tokenizer *t)
{
	struct buf b = BUF_INIT;
	int32_t id = template_eos(p, t);
	buf_puts(&b, "");
	if (id >= 0)
		tokenizer_decode(t, &id, 1, false, true, &b);
	json_t *v = json_textn(b.data, b.len);
	buf_free(&b);
	return v;
}

/* Writes the record once more, for its texts. */
static int
put_texts(const struct template *p, const struct tokenizer *t, const struct record *r, json_t *o,
	struct err *e)
{
	struct writing w;
	json_t *list = json_object_get(o, "responses");
	int rc = writing_begin_record(&w, p, t, r, e);
	if (rc == 0)
		json_put(json_object_get(o, "prompt"), "text",
			part(&w.prompt, 0, w.prompt.text.len));
	for (int k = 0; rc == 0 && k < r->n_responses; k++) {
		const struct response *y = &r->responses[k];
		rc = writing_respond(&w, y->text, y->n, y->ended, e);
		json_t *v = json_array_get(list, (size_t)k);
		if (rc < 0)
			break;
		json_put(v, "text", part(&w.response, 0, w.turn));
		json_put(v, "end", y->ended && !w.has_end ? end_token(p, t) : json_null());
		json_put(v, "rest", part(&w.response, w.turn, w.response.text.len));
	}
	writing_end(&w);
	return rc;
}

int
show_record(const struct template *p, const struct tokenizer *t, const struct record *r,
	json_t **out, struct err *e)
{
	const struct encode_params params = {
		t, p, 1 << 30, 1 << 29, OVERLONG_TRUNCATE}; /* longer than anything */
	struct encoded c;
	struct arena a;
	arena_init(&a);
	int rc = encode_policy(&params, r, &a, &c, e);
	if (rc == 0)
		*out = json_text(c.why);
	if (rc > 0) {
		json_t *o = *out = json_object(), *prompt = json_object(), *list = json_array();
		json_put(o, "id", json_text(r->id));
		json_put(prompt, "text", json_text("")); /* first in order */
		json_put(prompt, "ids", id_list(c.prompt, c.n_prompt));
		json_put(o, "prompt", prompt);
		for (int k = 0; k < c.n_responses; k++) {
			json_t *y = json_object();
			json_put(y, "text", json_text(""));
			json_put(y, "ids", id_list(c.ids[k], c.n_ids[k]));
			json_add(list, y);
		}
		json_put(o, "responses", list);
		if (put_texts(p, t, r, o, e) < 0) {
			json_decref(o);
			rc = -1;
		}
	}
	arena_free(&a);
	return rc;
}

/* Every line behind "| ", so that a newline at the end shows. */
static void
put_lines(struct buf *out, const json_t *text)
{
	const char *s = json_string_value(text);
	size_t n = json_string_length(text);
	buf_puts(out, "| ");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] < 0xa0;
		if (c == '\n')
			buf_puts(out, "\n| ");
		else if ((c < 0x20 && c != '\t') || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else if (c1)
			buf_printf(out, "\\u%04x", (unsigned char)s[++i]);
		else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '\n');
}

void
show_lines(const json_t *shown, struct buf *out)
{
	const json_t *prompt = json_object_get(shown, "prompt");
	const json_t *list = json_object_get(shown, "responses");
	struct buf id = BUF_INIT;
	json_write(&id, json_object_get(shown, "id")); /* quoted, escaped */
	buf_printf(out, "==> %s, prompt: %zu tokens\n", id.data,
		json_array_size(json_object_get(prompt, "ids")));
	put_lines(out, json_object_get(prompt, "text"));
	for (size_t k = 0; k < json_array_size(list); k++) {
		const json_t *y = json_array_get(list, k), *rest = json_object_get(y, "rest");
		const char *end = json_string_value(json_object_get(y, "end"));
		buf_printf(out, "==> %s, response %zu: %zu tokens%s%s\n", id.data, k + 1,
			json_array_size(json_object_get(y, "ids")), end ? ", the last is " : "",
			end ? *end ? end : "not there" : "");
		put_lines(out, json_object_get(y, "text"));
		if (json_string_length(rest) > 0) {
			buf_printf(out, "==> %s, behind response %zu\n", id.data, k + 1);
			put_lines(out, rest);
		}
	}
	buf_free(&id);
}
