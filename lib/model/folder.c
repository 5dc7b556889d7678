#include "lib/model/folder.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/leftover.h"
#include "lib/base/path.h"
#include "lib/stream/json.h"

enum { MAX_CONFIG = 1 << 22 };

static int
begin(struct folder *f, struct err *e)
{
	struct buf tmp = BUF_INIT;
	if (file_exists(f->dir))
		return err_set(e, ERR_CANTCREAT, "%s: exists already", f->dir);
	leftover_sweep(f->dir);
	leftover_name(&tmp, f->dir, "tmp");
	if (dir_make(tmp.data, e) < 0) {
		buf_free(&tmp);
		return err_errno(e, ERR_CANTCREAT, f->dir); /* the name that was given */
	}
	f->tmp = tmp.data;
	f->lock = open(f->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->lock >= 0)
		leftover_hold(f->lock);
	return 0;
}

int
folder_begin(struct folder *f, const char *dir, struct err *e)
{
	*f = (struct folder){.dir = path_clean(dir), .lock = -1};
	return begin(f, e);
}

int
folder_end(struct folder *f, int rc, struct err *e)
{
	if (f->tmp == NULL)
		rc = -1;
	if (rc == 0)
		rc = dir_publish(f->tmp, f->dir, e);
	if (rc < 0 && f->tmp)
		dir_remove(f->tmp, NULL); /* nothing, when it has its name already */
	if (f->lock >= 0)
		close(f->lock);
	free(f->dir);
	free(f->tmp);
	*f = (struct folder){.lock = -1};
	return rc;
}

int
folder_write(const char *dir, const char *name, const struct buf *text, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = file_write(path_join(&path, dir, name), text->data, text->len, e);
	buf_free(&path);
	return rc;
}

void
folder_links(const char *dir, const char *const *names, struct buf *out)
{
	struct buf path = BUF_INIT;
	char real[PATH_MAX];
	for (; *names; names++)
		if (realpath(path_join(&path, dir, *names), real) && !path_within(real, dir))
			buf_printf(out, "%s%s -> %s", out->len > 0 ? ", " : "", *names, real);
	buf_free(&path);
}

int
folder_copy(const char *from, const char *to, const char *const *names, struct err *e)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	int rc = 0;
	for (; *names && rc == 0; names++)
		if (file_exists(path_join(&a, from, *names)))
			rc = file_copy(a.data, path_join(&b, to, *names), e);
	buf_free(&a);
	buf_free(&b);
	return rc;
}

static void
fill_id(json_t *o, const char *key, int32_t id)
{
	if (id >= 0 && json_object_get(o, key) == NULL)
		json_put(o, key, json_integer(id));
}

int
folder_config(
	struct model_config *c, const char *path, const struct folder_defaults *d, struct err *e)
{
	struct buf text = BUF_INIT;
	if (file_read(path, MAX_CONFIG, &text, e) < 0) {
		buf_free(&text);
		return -1;
	}
	json_t *o = json_parse_python(text.data, text.len, e);
	int rc = o == NULL ? err_prefix(e, "%s", path) : 0;
	if (rc == 0 && !json_is_object(o))
		rc = err_set(e, ERR_DATA, "%s: not a JSON object", path);
	if (rc == 0) {
		const json_t *vocab = json_object_get(o, "vocab_size");
		bool open = vocab == NULL || json_is_null(vocab) ||
			    (json_is_integer(vocab) && json_integer_value(vocab) == 0);
		if (open && d->vocab > 0)
			json_put(o, "vocab_size", json_integer(d->vocab));
		fill_id(o, "bos_token_id", d->bos);
		fill_id(o, "eos_token_id", d->eos);
		buf_reset(&text);
		json_write(&text, o);
		rc = config_parse(c, text.data, text.len, path, e);
	}
	json_decref(o);
	buf_free(&text);
	if (rc == 0 && d->vocab > c->vocab) {
		rc = err_set(e, ERR_CONFIG, "%s: vocab_size %d, but the tokenizer has %d tokens",
			path, c->vocab, d->vocab);
		config_free(c);
	}
	return rc;
}
