#include "lib/stream/export.h"

#include <string.h>

#include "lib/stream/dialogue.h"

static void
put_key(struct buf *out, const char *key)
{
	buf_putc(out, out->len > 0 && out->data[out->len - 1] != '\n' ? ',' : '{');
	json_write_string(out, key, strlen(key));
	buf_putc(out, ':');
}

static void
put_text(struct buf *out, const char *key, const char *s, size_t n)
{
	put_key(out, key);
	json_write_string(out, s, n);
}

/* One text for tools that have no turns: a lone user's message, else the paper's dialogue. */
static void
put_prompt_text(struct buf *out, const char *key, const struct record *r, bool lone)
{
	struct buf b = BUF_INIT;
	if (r->raw || (lone && r->n_turns == 1 && r->turns[0].role == ROLE_USER))
		buf_put(&b, r->turns[0].text, r->turns[0].n);
	else
		dialogue_write_hh(r->turns, r->n_turns, &b);
	put_text(out, key, b.data, b.len);
	buf_free(&b);
}

/* Members of a response that are a message's: a message has them in OpenAI's form and in chat
 * templates; all else about a response (scores, provenance) is none of it. */
static const char *const message_keys[] = {
	"name", "reasoning_content", "reasoning", "thinking", "weight", "tool_calls"};

static void
put_reply(struct buf *out, const char *key, const struct record *r, const struct response *p)
{
	if (r->raw) {
		put_text(out, key, p->text, p->n);
		return;
	}
	put_key(out, key);
	buf_puts(out, "[{\"role\":\"assistant\",\"content\":");
	json_write_string(out, p->text, p->n);
	for (size_t i = 0; i < sizeof message_keys / sizeof *message_keys; i++) {
		const json_t *x = json_object_get(p->json, message_keys[i]);
		if (x) {
			put_key(out, message_keys[i]);
			json_write(out, x);
		}
	}
	buf_puts(out, "}]");
}

/* The record's own further members (subset, tools ...), but those that the format has itself. */
static void
put_members(struct buf *out, const struct record *r)
{
	static const char *const known[] = {"id", "prompt", "responses", "chosen", "rejected",
		"score_chosen", "score_rejected", "query", "scores"};
	const char *key;
	json_t *x;
	json_object_foreach(r->root, key, x)
	{
		bool skip = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			skip = skip || strcmp(key, known[i]) == 0;
		if (!skip) {
			put_key(out, key);
			json_write(out, x);
		}
	}
}

static void
put_id(struct buf *out, const struct record *r)
{
	if (*r->id)
		put_text(out, "id", r->id, strlen(r->id));
}

/* They would be written alike: the same answer twice is no preference. */
static bool
are_alike(const struct record *r, const struct response *a, const struct response *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	if (a->n != b->n || memcmp(a->text, b->text, a->n) != 0)
		return false;
	put_reply(&x, "", r, a);
	put_reply(&y, "", r, b);
	bool alike = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
	buf_free(&x);
	buf_free(&y);
	return alike;
}

static int
put_trl(struct buf *out, const struct record *r, int k, struct err *e)
{
	const struct response *chosen = &r->responses[0], *rejected = &r->responses[k];
	double a, b;
	int has_a = response_number(chosen, "reward", &a, e);
	int has_b = response_number(rejected, "reward", &b, e);
	if (has_a < 0 || has_b < 0)
		return -1;
	if (has_a > 0 && has_b > 0 && a == b)
		return 0; /* a tie is no preference */
	if (are_alike(r, chosen, rejected))
		return 0;
	put_id(out, r);
	put_key(out, "prompt");
	json_write(out, json_object_get(r->root, "prompt"));
	put_reply(out, "chosen", r, chosen);
	put_reply(out, "rejected", r, rejected);
	if (has_a > 0 && has_b > 0) {
		put_key(out, "score_chosen");
		json_write_real(out, a);
		put_key(out, "score_rejected");
		json_write_real(out, b);
	}
	put_members(out, r);
	buf_puts(out, "}\n");
	return 0;
}

static int
put_rrhf(struct buf *out, const struct record *r, struct err *e)
{
	double score;
	bool all = true;
	for (int i = 0; i < r->n_responses; i++) {
		int rc = response_number(&r->responses[i], "reward", &score, e);
		if (rc < 0)
			return err_prefix(e, "responses[%d]", i);
		all = all && rc > 0;
	}
	put_id(out, r);
	put_prompt_text(out, "query", r, false);
	put_key(out, "responses");
	for (int i = 0; i < r->n_responses; i++) {
		buf_putc(out, i ? ',' : '[');
		json_write_string(out, r->responses[i].text, r->responses[i].n);
	}
	buf_putc(out, ']');
	put_key(out, "scores");
	for (int i = 0; i < r->n_responses; i++) {
		score = r->n_responses - 1 - i;
		if (all)
			response_number(&r->responses[i], "reward", &score, e);
		buf_putc(out, i ? ',' : '[');
		json_write_real(out, score);
	}
	buf_putc(out, ']');
	put_members(out, r);
	buf_puts(out, "}\n");
	return 0;
}

static int
put_alpacaeval(struct buf *out, const struct record *r, struct err *e)
{
	const struct response *p = &r->responses[0];
	const char *subset = NULL;
	if (json_get_string(r->root, "subset", &subset, NULL, e) < 0)
		return -1;
	put_prompt_text(out, "instruction", r, true);
	put_text(out, "output", p->text, p->n);
	put_text(out, "generator", p->source, strlen(p->source));
	if (subset)
		put_text(out, "dataset", subset, strlen(subset));
	buf_puts(out, "}\n");
	return 0;
}

int
export_record(const struct record *r, enum export_format f, struct buf *out, const char **reason,
	struct err *e)
{
	int rc = 0;
	size_t before = out->len;
	if (f != EXPORT_RECORDS && r->n_responses == 0) {
		*reason = "no response";
		return 0;
	}
	if (f == EXPORT_TRL && r->n_responses < 2) {
		*reason = "fewer than 2 responses";
		return 0;
	}
	switch (f) {
	case EXPORT_RECORDS:
		record_write(r, out);
		break;
	case EXPORT_TRL:
		for (int k = 1; k < r->n_responses && rc == 0; k++)
			rc = put_trl(out, r, k, e);
		if (rc == 0 && out->len == before) {
			*reason = "responses that are equal, or of equal reward";
			return 0;
		}
		break;
	case EXPORT_RRHF:
		rc = put_rrhf(out, r, e);
		break;
	case EXPORT_ALPACAEVAL:
		rc = put_alpacaeval(out, r, e);
		break;
	}
	return rc < 0 ? -1 : 1;
}
