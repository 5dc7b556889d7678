#include "lib/align/state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/file.h"

enum { VERSION = 3, STATE_MAX = 1 << 20 };
static const int64_t MAX_COUNT = (int64_t)1 << 53; /* more than any run can do */

/* The hash of all that state.json says, itself left out: a member named sha256. */
static void
hash_state(const json_t *o, char hex[65])
{
	struct buf text = BUF_INIT;
	struct sha256 s;
	json_write(&text, o);
	sha256_init(&s);
	sha256_add(&s, text.data, text.len);
	sha256_hex(&s, hex);
	buf_free(&text);
}

void
state_write(const struct train_state *s, json_t *files, struct buf *out)
{
	json_t *o = json_object();
	char hex[65];
	json_put(o, "version", json_integer(VERSION));
	json_put(o, "step", json_integer(s->step));
	json_put(o, "total", json_integer(s->total));
	json_put(o, "tokens", json_integer(s->tokens));
	json_put(o, "evaluated", json_integer(s->evaluated));
	json_put(o, "best_step", json_integer(s->best_step));
	json_put(o, "best_reward", json_real(s->best_reward));
	json_put(o, "data", json_text(s->data_hash));
	json_put(o, "model", json_text(s->model_hash));
	json_put(o, "settings", json_text(s->settings));
	json_put(o, "kernels", json_text(s->kernels));
	json_put(o, "unlogged", json_text(s->unlogged));
	json_put(o, "files", files);
	hash_state(o, hex);
	json_put(o, "sha256", json_text(hex));
	json_write(out, o);
	buf_putc(out, '\n');
	json_decref(o);
}

static int
read_count(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *v, struct err *e)
{
	const json_t *x = json_object_get(o, key);
	if (!json_is_integer(x))
		return err_set(e, ERR_DATA, "%s: not a whole number", key);
	*v = json_integer_value(x);
	if (*v < min || *v > max)
		return err_set(e, ERR_DATA, "%s: %lld is not within %lld..%lld", key, (long long)*v,
			(long long)min, (long long)max);
	return 0;
}

static int
read_text(const json_t *o, const char *key, const char **v, struct err *e)
{
	int rc = json_get_string(o, key, v, NULL, e);
	return rc == 0 ? err_set(e, ERR_DATA, "%s: missing", key) : rc < 0 ? -1 : 0;
}

static bool
is_hash(const json_t *x)
{
	const char *s = json_string_value(x);
	return s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int
read_hash(const json_t *o, const char *key, char out[65], struct err *e)
{
	const json_t *x = json_object_get(o, key);
	if (!is_hash(x))
		return err_set(e, ERR_DATA, "%s: not a SHA-256", key);
	memcpy(out, json_string_value(x), 65);
	return 0;
}

static int
read_counts(const json_t *o, struct train_state *s, struct err *e)
{
	if (read_count(o, "total", 1, MAX_COUNT, &s->total, e) < 0 ||
		read_count(o, "step", 0, s->total, &s->step, e) < 0 ||
		read_count(o, "tokens", 0, MAX_COUNT, &s->tokens, e) < 0 ||
		read_count(o, "evaluated", -1, s->step, &s->evaluated, e) < 0 ||
		read_count(o, "best_step", -1, s->evaluated, &s->best_step, e) < 0)
		return -1;
	if (s->best_step == 0)
		return err_set(e, ERR_DATA, "best_step: 0 is no candidate");
	int rc = json_get_number(o, "best_reward", &s->best_reward, e);
	return rc == 0 ? err_set(e, ERR_DATA, "best_reward: missing") : rc < 0 ? -1 : 0;
}

static int
read_files(json_t *o, struct saved_state *x, struct err *e)
{
	const char *name;
	json_t *hash;
	x->files = json_object_get(o, "files");
	if (!json_is_object(x->files) || json_object_get(x->files, "model.safetensors") == NULL)
		return err_set(e, ERR_DATA, "files: does not list the model");
	json_object_foreach(x->files, name, hash)
	{
		if (!is_hash(hash))
			return err_set(e, ERR_DATA, "files: %.200s: not a SHA-256", name);
	}
	return 0;
}

static int
check_hash(json_t *o, struct err *e)
{
	char hex[65];
	json_t *want = json_incref(json_object_get(o, "sha256"));
	json_object_del(o, "sha256");
	hash_state(o, hex);
	int rc = is_hash(want) && strcmp(json_string_value(want), hex) == 0
			 ? 0
			 : err_set(e, ERR_DATA, "is not what was written");
	json_decref(want);
	return rc;
}

static int
take(struct saved_state *x, struct err *e)
{
	json_t *o = x->json;
	struct train_state *s = &x->s;
	if (!json_is_object(o) || !json_is_integer(json_object_get(o, "version")))
		return err_set(e, ERR_DATA, "is no state of a run");
	if (json_integer_value(json_object_get(o, "version")) != VERSION)
		return err_set(e, ERR_CONFIG, "of another version of pro-train");
	if (check_hash(o, e) < 0 || read_counts(o, s, e) < 0 ||
		read_hash(o, "data", s->data_hash, e) < 0 ||
		read_hash(o, "model", s->model_hash, e) < 0 ||
		read_text(o, "settings", &s->settings, e) < 0 ||
		read_text(o, "kernels", &s->kernels, e) < 0 ||
		read_text(o, "unlogged", &s->unlogged, e) < 0)
		return -1;
	return read_files(o, x, e);
}

int
state_read(struct saved_state *x, const char *dir, struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	*x = (struct saved_state){.json = NULL};
	int rc = file_read(path_join(&path, dir, "state.json"), STATE_MAX, &text, e);
	if (rc == 0) {
		x->json = json_parse(text.data ? text.data : "", text.len, e);
		rc = x->json ? take(x, e) : -1;
		if (rc < 0)
			err_prefix(e, "%s", path.data);
	}
	if (rc < 0)
		state_free(x);
	buf_free(&path);
	buf_free(&text);
	return rc;
}

void
state_free(struct saved_state *x)
{
	json_decref(x->json);
	*x = (struct saved_state){.json = NULL};
}
