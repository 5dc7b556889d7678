#include "lib/align/checkpoint_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/align/made.h"
#include "lib/align/numbered.h"
#include "lib/base/leftover.h"
#include "lib/base/path.h"
#include "lib/model/folder.h"
#include "lib/text/tokenizer.h"

enum { CHUNK = 1 << 20 };
#define FINISHED "finished"

/* ------------------------------------------------------------------ folders */

const char *
checkpoint_folder(struct buf *b, const struct checkpoints *c, const char *prefix, int64_t n)
{
	buf_reset(b);
	buf_printf(b, "%s/%s%lld", c->dir, prefix, (long long)n);
	return b->data;
}

static int
sync_path(const char *path, struct err *e)
{
	int fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
	int rc = fd < 0 ? -1 : TEMP_FAILURE_RETRY(fsync(fd)), why = errno;
	if (fd >= 0)
		close(fd);
	if (rc < 0 && why != EINVAL)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(why));
	return 0;
}

/* Calls f for every file of dir, in name order. */
static int
each_file(const char *dir, int (*f)(void *ctx, const char *name, const char *path, struct err *e),
	void *ctx, struct err *e)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort), rc = 0;
	if (n < 0)
		return err_errno(e, ERR_IO, dir);
	struct buf path = BUF_INIT;
	for (int i = 0; i < n; i++) {
		if (rc == 0 && list[i]->d_name[0] != '.')
			rc = f(ctx, list[i]->d_name, path_join(&path, dir, list[i]->d_name), e);
		free(list[i]);
	}
	free(list);
	buf_free(&path);
	return rc;
}

static int
sync_file(void *ctx, const char *name, const char *path, struct err *e)
{
	(void)ctx, (void)name;
	return sync_path(path, e);
}

static int
sync_dir(const char *dir, struct err *e)
{
	return each_file(dir, sync_file, NULL, e) < 0 ? -1 : sync_path(dir, e);
}

/* Removes left-overs of a killed run: tmp-N. */
static int
remove_temporary(const char *dir, struct err *e)
{
	DIR *d = dir_open(dir);
	struct buf path = BUF_INIT;
	int rc = 0;
	for (struct dirent *de; d && rc == 0 && (de = readdir(d));)
		if (made_numbered(de->d_name, "tmp-"))
			rc = dir_remove(path_join(&path, dir, de->d_name), e);
	if (d)
		closedir(d);
	buf_free(&path);
	return rc;
}

static int
claim(struct checkpoints *c, struct err *e)
{
	struct stat st;
	for (;;) {
		if (dir_make(c->dir, e) < 0)
			return -1;
		c->lock = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (c->lock < 0 && errno != ENOENT)
			return err_errno(e, ERR_CANTCREAT, c->dir);
		if (c->lock >= 0 && flock(c->lock, LOCK_EX | LOCK_NB) < 0) {
			close(c->lock);
			c->lock = -1; /* not ours: checkpoints_close leaves the folder alone */
			return err_set(e, ERR_TEMPFAIL, "%s: another run is writing there", c->dir);
		}
		if (c->lock >= 0 && fstat(c->lock, &st) == 0 && file_is(c->dir, &st))
			return 0;
		if (c->lock >= 0)
			close(c->lock); /* a run that ended just then has removed it */
	}
}

static int
check_start(struct checkpoints *c, bool resume, bool overwrite, struct err *e)
{
	struct buf path = BUF_INIT;
	int64_t *steps;
	int n = numbered_list(c->dir, "step-", &steps), rc = 0;
	if (n < 0) {
		buf_free(&path);
		return err_errno(e, ERR_IO, c->dir);
	}
	bool out = file_exists(c->out);
	c->finished = file_exists(path_join(&path, c->dir, FINISHED));
	c->go_on = resume && n > 0;
	c->done = resume && n == 0 && out;
	free(steps);
	buf_free(&path);
	if (!resume && !overwrite && n > 0 && !c->finished)
		rc = err_set(e, ERR_CANTCREAT,
			"%s: an unfinished run: --resume goes on with it, --overwrite discards it",
			c->dir);
	else if (made_check(c->out, "pro-train", e) < 0) /* it would be removed */
		rc = -1;
	else if (!resume && !overwrite && out)
		rc = err_set(e, ERR_CANTCREAT, "%s: exists; --overwrite replaces it", c->out);
	return rc;
}

int
checkpoints_open(struct checkpoints *c, const char *out, bool resume, bool overwrite, struct err *e)
{
	*c = (struct checkpoints){.lock = -1, .limit = 2, .out = path_clean(out)};
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s.checkpoints", c->out);
	c->dir = b.data; /* kept */
	if (claim(c, e) < 0 || check_start(c, resume, overwrite, e) < 0) {
		checkpoints_close(c);
		return -1;
	}
	return 0;
}

static const char *
temporary(struct buf *b, const struct checkpoints *c)
{
	return checkpoint_folder(b, c, "tmp-", getpid());
}

/* In one step, so that a kill leaves no half of a checkpoint under its name. */
static int
drop(const struct checkpoints *c, const char *dir, struct err *e)
{
	struct buf tmp = BUF_INIT;
	int rc = dir_remove(temporary(&tmp, c), e);
	if (rc == 0 && rename(dir, tmp.data) < 0)
		rc = err_errno(e, ERR_IO, dir);
	if (rc == 0)
		rc = dir_remove(tmp.data, e);
	buf_free(&tmp);
	return rc;
}

/* Removes all step-N and best-N that pro-train made.  The lock stays on the directory itself. */
static int
discard(struct checkpoints *c, struct err *e)
{
	static const char *const prefixes[] = {"step-", "best-"};
	struct buf path = BUF_INIT;
	int rc = 0;
	for (int p = 0; p < 2; p++) {
		int64_t *v;
		int n = numbered_list(c->dir, prefixes[p], &v);
		if (n < 0)
			rc = err_errno(e, ERR_IO, c->dir);
		for (int i = 0; i < n && rc == 0; i++) {
			const char *dir = checkpoint_folder(&path, c, prefixes[p], v[i]);
			rc = made_check(dir, "pro-train", e);
			if (rc == 0)
				rc = drop(c, dir, e);
		}
		free(v);
	}
	if (rc == 0)
		remove(path_join(
			&path, c->dir, FINISHED)); /* last: until then the run counts as done */
	buf_free(&path);
	return rc;
}

/* What every checkpoint needs of the base model's folder, which need not be there for so long. */
static int
keep_source(struct checkpoints *c, struct err *e)
{
	static const char *const own[] = {"config.json", "generation_config.json", NULL};
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s/source", c->dir);
	c->source = b.data; /* kept */
	if (dir_remove(c->source, e) < 0 || dir_make(c->source, e) < 0)
		return -1;
	return folder_copy(c->source_dir, c->source, own, e) < 0 ||
			       folder_copy(c->source_dir, c->source, tokenizer_files(), e) < 0
		       ? -1
		       : 0;
}

int
checkpoints_begin(struct checkpoints *c, bool resume, struct err *e)
{
	leftover_sweep(c->out);
	if (remove_temporary(c->dir, e) < 0 || (!resume && discard(c, e) < 0))
		return -1;
	return c->source_dir ? keep_source(c, e) : 0;
}

int
checkpoints_reopen(struct checkpoints *c, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = unlink(path_join(&path, c->dir, FINISHED)) < 0 && errno != ENOENT
			 ? err_set(e, ERR_IO, "%s: %s", path.data, strerror(errno))
			 : 0;
	c->finished = false;
	buf_free(&path);
	return rc;
}

int
checkpoints_finish(struct checkpoints *c, bool keep, struct err *e)
{
	struct buf path = BUF_INIT;
	struct out o;
	int rc = out_open(&o, path_join(&path, c->dir, FINISHED), e);
	if (rc == 0)
		rc = out_commit(&o, e);
	buf_free(&path);
	if (rc == 0 && !keep)
		rc = discard(c, e); /* checkpoints_close removes the empty folder */
	return rc < 0 ? err_prefix(e, "%s is whole, but", c->out) : 0;
}

void
checkpoints_close(struct checkpoints *c)
{
	if (c->lock >= 0) {
		if (c->source)
			dir_remove(c->source, NULL);
		rmdir(c->dir); /* only when it is empty */
		close(c->lock);
	}
	X_FREE(c->source);
	X_FREE(c->out);
	X_FREE(c->dir);
	c->lock = -1;
}

/* ------------------------------------------------------------------ writing */

static int
hash_file(void *ctx, const char *name, const char *path, struct err *e)
{
	struct map m;
	if (map_open(&m, path, e) < 0)
		return -1;
	struct sha256 s;
	char hex[65];
	sha256_init(&s);
	sha256_add(&s, m.data, m.size);
	sha256_hex(&s, hex);
	json_put(ctx, name, json_text(hex));
	return map_finish(&m, 0, e);
}

json_t *
checkpoint_hashes(const char *dir, struct err *e)
{
	json_t *files = json_object();
	if (each_file(dir, hash_file, files, e) == 0)
		return files;
	json_decref(files);
	return NULL;
}

static int
write_optimizer(const char *path, const struct optim *o, struct err *e)
{
	struct out out;
	if (out_open(&out, path, e) < 0)
		return -1;
	struct st_writer w;
	st_writer_init(&w, out.f);
	int64_t shape = (int64_t)o->n;
	st_writer_describe(&w, "m", ST_F32, &shape, 1);
	st_writer_describe(&w, "v", ST_F32, &shape, 1);
	float *host = x_malloc(CHUNK * sizeof *host);
	int rc = 0;
	for (int half = 0; half < 2; half++) {
		const float *src = half ? o->v : o->m;
		for (size_t i = 0; i < o->n && rc == 0; i += CHUNK) {
			size_t n = o->n - i < CHUNK ? o->n - i : CHUNK;
			o->k->download(o->k, host, src + i, n * sizeof *host);
			rc = st_writer_data(&w, host, n * sizeof *host, e);
		}
	}
	free(host);
	if (rc == 0)
		rc = st_writer_finish(&w, e);
	st_writer_free(&w);
	if (rc == 0)
		return out_commit(&out, e);
	out_abort(&out);
	return err_prefix(e, "%s", path);
}

static int
write_text(const char *dir, const char *name, const char *s, size_t n, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = file_write(path_join(&path, dir, name), s, n, e);
	buf_free(&path);
	return rc;
}

static int
write_state(const char *dir, const struct train_state *s, struct err *e)
{
	json_t *files = checkpoint_hashes(dir, e);
	if (files == NULL)
		return -1;
	struct buf text = BUF_INIT;
	state_write(s, files, &text);
	int rc = write_text(dir, "state.json", text.data, text.len, e);
	buf_free(&text);
	return rc;
}

/* A model folder under tmp-NAME, synced; then renamed to `to`.  o and s NULL: the model alone. */
static int
write_folder(struct checkpoints *c, const char *to, const struct model *m, enum k_dtype dtype,
	const struct optim *o, const struct train_state *s, struct err *e)
{
	struct buf tmp = BUF_INIT, path = BUF_INIT;
	int rc = dir_remove(temporary(&tmp, c), e);
	if (rc == 0)
		rc = dir_make(tmp.data, e);
	if (rc == 0)
		rc = model_save(m, tmp.data, c->source, dtype, e);
	if (rc == 0 && c->source)
		rc = folder_copy(c->source, tmp.data, tokenizer_files(), e);
	if (rc == 0)
		rc = write_text(tmp.data, "pro.json", c->meta, c->meta_n, e);
	if (rc == 0 && c->chat_template)
		rc = write_text(tmp.data, "chat_template.jinja", c->chat_template,
			strlen(c->chat_template), e);
	if (rc == 0 && o)
		rc = write_optimizer(path_join(&path, tmp.data, "optimizer.safetensors"), o, e);
	if (rc == 0 && s)
		rc = write_state(tmp.data, s, e);
	if (rc == 0)
		rc = sync_dir(tmp.data, e);
	if (rc == 0)
		rc = dir_replace(tmp.data, to, e);
	if (rc < 0)
		dir_remove(tmp.data, NULL);
	buf_free(&tmp);
	buf_free(&path);
	return rc;
}

/* ------------------------------------------------------------------ what stays */

/* The best-N that the first n steps refer to into used [n]; how many, -1 when one does not say. */
static int
bests_of(const struct checkpoints *c, const int64_t *steps, int n, int64_t *used)
{
	struct buf path = BUF_INIT;
	int n_used = 0;
	for (int i = 0; i < n && n_used >= 0; i++) {
		struct saved_state x;
		if (state_read(&x, checkpoint_folder(&path, c, "step-", steps[i]), NULL) < 0) {
			n_used = -1;
		} else {
			used[n_used++] = x.s.best_step;
			state_free(&x);
		}
	}
	buf_free(&path);
	return n_used;
}

static bool
is_in(const int64_t *v, int n, int64_t x)
{
	for (int i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

/*
 * Removes step-N beyond the limit, and each best-N that no checkpoint left refers to.  A state that
 * cannot be read may refer to any: then all of them stay.
 */
static int
prune(struct checkpoints *c, struct err *e)
{
	int64_t *steps, *bests;
	struct buf path = BUF_INIT;
	int n = numbered_list(c->dir, "step-", &steps), rc = 0;
	if (n < 0)
		return err_errno(e, ERR_IO, c->dir);
	for (int i = c->limit; i < n && rc == 0; i++)
		rc = drop(c, checkpoint_folder(&path, c, "step-", steps[i]), e);
	int kept = n < c->limit ? n : c->limit;
	int64_t *used = x_calloc((size_t)kept + 1, sizeof *used);
	int n_used = bests_of(c, steps, kept, used);
	int n_best = n_used < 0 ? 0 : numbered_list(c->dir, "best-", &bests);
	for (int i = 0; i < n_best && rc == 0; i++)
		if (!is_in(used, n_used, bests[i]))
			rc = drop(c, checkpoint_folder(&path, c, "best-", bests[i]), e);
	if (n_used >= 0)
		free(bests);
	free(steps);
	free(used);
	buf_free(&path);
	return rc;
}

int
checkpoint_save(struct checkpoints *c, const struct model *m, const struct optim *o,
	const struct train_state *s, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = write_folder(c, checkpoint_folder(&path, c, "step-", s->step), m, K_F32, o, s, e);
	buf_free(&path);
	return rc < 0 ? rc : prune(c, e);
}

int
checkpoint_save_best(
	struct checkpoints *c, const struct model *m, const struct train_state *s, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = write_folder(
		c, checkpoint_folder(&path, c, "best-", s->step), m, K_F32, NULL, s, e);
	buf_free(&path);
	return rc;
}

int
checkpoint_publish(struct checkpoints *c, const struct model *m, enum k_dtype dtype, struct err *e)
{
	/* again: it may have come while we trained */
	if (made_check(c->out, "pro-train", e) < 0)
		return -1;
	return write_folder(c, c->out, m, dtype, NULL, NULL, e);
}
