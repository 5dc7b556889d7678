#include "lib/stream/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/stream/answers.h"

static const char *const role_names[] = {"user", "assistant", "system"};

const char *
role_name(enum role role)
{
	return role_names[role];
}

static int
read_turn(struct turn *t, json_t *v, struct err *e)
{
	const char *role;
	int rc;
	t->json = v;
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "not an object");
	if ((rc = json_get_string(v, "role", &role, NULL, e)) <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_DATA, "role: missing");
	for (t->role = ROLE_USER; strcmp(role, role_names[t->role]) != 0; t->role++)
		if (t->role == ROLE_SYSTEM)
			return err_set(
				e, ERR_DATA, "role: '%s' is none of user, assistant, system", role);
	if ((rc = json_get_string(v, "content", &t->text, &t->n, e)) <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_DATA, "content: missing");
	return 0;
}

/* Names of prompts elsewhere: what has one is a record of another format. */
static int
no_prompt(const json_t *root, struct err *e)
{
	static const char *const names[] = {"messages", "conversations", "conversation",
		"instruction", "question", "query", "input", "chosen", "history", "context"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (json_object_get(root, names[i]))
			return err_set(e, ERR_DATA,
				"prompt: missing, but %s is there: pro-import makes records of "
				"other formats",
				names[i]);
	return err_set(e, ERR_DATA, "prompt: missing");
}

static int
read_prompt(struct record *r, struct err *e)
{
	const json_t *p = json_object_get(r->root, "prompt");
	if (p == NULL)
		return no_prompt(r->root, e);
	r->raw = json_is_string(p) && !json_is_big(p);
	if (!r->raw && !json_is_array(p))
		return err_set(e, ERR_DATA, "prompt: neither a string nor a list");
	size_t n = r->raw ? 1 : json_array_size(p);
	if (n == 0)
		return err_set(e, ERR_DATA, "prompt: empty list");
	r->turns = x_realloc(r->turns, n * sizeof *r->turns);
	r->n_turns = (int)n;
	if (r->raw) {
		r->turns[0] =
			(struct turn){ROLE_USER, json_string_value(p), json_string_length(p), NULL};
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (read_turn(&r->turns[i], json_array_get(p, i), e) < 0)
			return err_prefix(e, "prompt[%zu]", i);
	if (r->turns[n - 1].role == ROLE_ASSISTANT)
		return err_set(e, ERR_DATA, "prompt: the last turn is the assistant's");
	return 0;
}

static int
read_response(struct response *p, json_t *v, struct err *e)
{
	int rc;
	*p = (struct response){.source = "", .ended = true, .json = v};
	if (!json_is_object(v))
		return err_set(e, ERR_DATA, "not an object");
	if ((rc = json_get_string(v, "text", &p->text, &p->n, e)) <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_DATA, "text: missing");
	if (json_get_string(v, "source", &p->source, NULL, e) < 0)
		return -1;
	const char *why = "";
	if (!json_is_null(json_object_get(v, "finish_reason")) &&
		json_get_string(v, "finish_reason", &why, NULL, e) < 0)
		return -1;
	p->ended = strcmp(why, "length") != 0;
	return 0;
}

static int
read_responses(struct record *r, struct err *e)
{
	json_t *list = json_object_get(r->root, "responses");
	if (list == NULL) {
		const char *key = answers_member(r->root, ANSWERS_SIDES);
		if (key)
			return err_set(e, ERR_DATA,
				"responses: missing, but %s is there: pro-import makes records of "
				"other formats",
				key);
		list = json_array();
		json_put(r->root, "responses", list);
	}
	if (!json_is_array(list))
		return err_set(e, ERR_DATA, "responses: not a list");
	size_t n = json_array_size(list);
	r->responses = x_realloc(r->responses, n * sizeof *r->responses);
	r->n_responses = (int)n;
	for (size_t i = 0; i < n; i++)
		if (read_response(&r->responses[i], json_array_get(list, i), e) < 0)
			return err_prefix(e, "responses[%zu]", i);
	return 0;
}

int
record_refresh(struct record *r, struct err *e)
{
	r->id = "";
	r->n_turns = r->n_responses = 0;
	if (!json_is_object(r->root))
		return err_set(e, ERR_DATA, "not a JSON object");
	if (json_get_string(r->root, "id", &r->id, NULL, e) < 0 || read_prompt(r, e) < 0 ||
		read_responses(r, e) < 0)
		return -1;
	return 0;
}

int
record_take(struct record *r, json_t *root, struct err *e)
{
	json_decref(r->root);
	r->root = root;
	return record_refresh(r, e);
}

int
record_parse(struct record *r, const char *line, size_t n, struct err *e)
{
	json_t *root = json_parse(line, n, e);
	return root ? record_take(r, root, e) : -1;
}

void
record_free(struct record *r)
{
	json_decref(r->root);
	free(r->turns);
	free(r->responses);
	*r = (struct record){0};
}

void
record_write(const struct record *r, struct buf *out)
{
	json_write(out, r->root);
	buf_putc(out, '\n');
}

int
response_number(const struct response *p, const char *field, double *v, struct err *e)
{
	if (json_is_null(json_object_get(p->json, field)))
		return 0;
	return json_get_number(p->json, field, v, e);
}

uint64_t
record_prompt_hash(const struct record *r)
{
	struct rng h = rng_key(0);
	for (int i = 0; i < r->n_turns; i++) {
		h = rng_mix(h, r->turns[i].role);
		h = rng_mix_string(h, r->turns[i].text, r->turns[i].n);
	}
	return h.key;
}

int
record_permute(struct record *r, const int *perm, int m, struct err *e)
{
	json_t *list = json_array();
	bool *taken = x_calloc((size_t)r->n_responses, sizeof *taken);
	int rc = 0;
	for (int i = 0; i < m && rc == 0; i++) {
		int k = perm[i];
		if (k < 0 || k >= r->n_responses || taken[k]) {
			rc = err_set(e, ERR_SOFTWARE, "record_permute: bad index %d", k);
			break;
		}
		taken[k] = true;
		json_array_append(list, r->responses[k].json);
	}
	free(taken);
	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	json_put(r->root, "responses", list);
	return record_refresh(r, e);
}
