#include "lib/align/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/align/numbered.h"
#include "lib/model/folder.h"
#include "lib/stream/json.h"
#include "lib/text/tokenizer.h"

enum { CHUNK = 1 << 20 };
#define FINISHED "finished"

/* ------------------------------------------------------------------ folders */

static const char *
folder(struct buf *b, const struct checkpoints *c, const char *prefix, int64_t n)
{
	buf_reset(b);
	buf_printf(b, "%s/%s%lld", c->dir, prefix, (long long)n);
	return b->data;
}

static int
sync_path(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd), why = errno;
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
		return err_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
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

/* Removes left-overs of a killed run: tmp-*. */
static int
remove_temporary(const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	struct buf path = BUF_INIT;
	int rc = 0;
	for (struct dirent *de; d && rc == 0 && (de = readdir(d));)
		if (strncmp(de->d_name, "tmp-", 4) == 0)
			rc = dir_remove(path_join(&path, dir, de->d_name), e);
	if (d)
		closedir(d);
	buf_free(&path);
	return rc;
}

static int
claim(struct checkpoints *c, struct err *e)
{
	c->lock = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->lock < 0)
		return err_set(e, ERR_CANTCREAT, "%s: %s", c->dir, strerror(errno));
	if (flock(c->lock, LOCK_EX | LOCK_NB) < 0) {
		close(c->lock);
		c->lock = -1; /* not ours: checkpoints_close leaves the folder alone */
		return err_set(e, ERR_CANTCREAT, "%s: another run is writing there", c->dir);
	}
	return 0;
}

static int
check_start(struct checkpoints *c, bool resume, bool overwrite, struct err *e)
{
	struct buf path = BUF_INIT;
	int64_t *steps;
	int n = numbered_list(c->dir, "step-", &steps), rc = 0;
	bool out = file_exists(c->out), finished = file_exists(path_join(&path, c->dir, FINISHED));
	bool ours = file_exists(path_join(&path, c->out, "pro.json"));
	free(steps);
	buf_free(&path);
	if (resume && (finished || (n == 0 && out)))
		rc = err_set(e, ERR_CONFIG, "%s: the run is finished: nothing to resume", c->out);
	else if (resume && n == 0)
		rc = err_set(e, ERR_NOINPUT, "%s: no checkpoint to resume from", c->dir);
	else if (!resume && !overwrite && n > 0 && !finished)
		rc = err_set(e, ERR_CANTCREAT,
			"%s: an unfinished run: --resume goes on with it, --overwrite discards it",
			c->dir);
	else if (out && !ours) /* whatever it is, it would be removed */
		rc = err_set(e, ERR_CANTCREAT, "%s: exists and was not made by pro-train", c->out);
	else if (!resume && !overwrite && out)
		rc = err_set(e, ERR_CANTCREAT, "%s: exists; --overwrite replaces it", c->out);
	return rc;
}

int
checkpoints_open(struct checkpoints *c, const char *out, bool resume, bool overwrite, struct err *e)
{
	*c = (struct checkpoints){.lock = -1, .limit = 2, .out = x_strdup(out)};
	for (size_t n = strlen(c->out); n > 1 && c->out[n - 1] == '/'; n--)
		c->out[n - 1] = '\0';
	struct buf b = BUF_INIT;
	buf_printf(&b, "%s.checkpoints", c->out);
	c->dir = b.data; /* kept */
	if (check_start(c, resume, overwrite, e) < 0 || dir_make(c->dir, e) < 0 ||
		claim(c, e) < 0) {
		checkpoints_close(c);
		return -1;
	}
	return 0;
}

/* Removes all step-N and best-N.  The lock stays on the directory itself. */
static int
discard(struct checkpoints *c, struct err *e)
{
	static const char *const prefixes[] = {"step-", "best-"};
	struct buf path = BUF_INIT;
	int rc = 0;
	for (int p = 0; p < 2; p++) {
		int64_t *v;
		int n = numbered_list(c->dir, prefixes[p], &v);
		for (int i = 0; i < n && rc == 0; i++)
			rc = dir_remove(folder(&path, c, prefixes[p], v[i]), e);
		free(v);
	}
	if (rc == 0)
		remove(path_join(
			&path, c->dir, FINISHED)); /* last: until then the run counts as done */
	buf_free(&path);
	return rc;
}

int
checkpoints_begin(struct checkpoints *c, bool resume, struct err *e)
{
	return remove_temporary(c->dir, e) < 0 || (!resume && discard(c, e) < 0) ? -1 : 0;
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
	return rc < 0 || keep ? rc : discard(c, e); /* checkpoints_close removes the empty folder */
}

void
checkpoints_close(struct checkpoints *c)
{
	if (c->lock >= 0) {
		rmdir(c->dir); /* only when it is empty */
		close(c->lock);
	}
	X_FREE(c->out);
	X_FREE(c->dir);
	c->lock = -1;
}

/* ------------------------------------------------------------------ writing */

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
	map_close(&m);
	json_object_set_new(ctx, name, json_string(hex));
	return 0;
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
	json_t *files = json_object();
	if (each_file(dir, hash_file, files, e) < 0) {
		json_decref(files);
		return -1;
	}
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
	buf_printf(&tmp, "%s/tmp-%ld", c->dir, (long)getpid());
	int rc = dir_remove(tmp.data, e);
	if (rc == 0)
		rc = dir_make(tmp.data, e);
	if (rc == 0)
		rc = model_save(m, tmp.data, c->source_dir, dtype, e);
	if (rc == 0 && c->source_dir)
		rc = folder_copy(c->source_dir, tmp.data, tokenizer_files(), e);
	if (rc == 0)
		rc = write_text(tmp.data, "pro.json", c->meta, c->meta_n, e);
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

/* ------------------------------------------------------------------ reading */

static int
check_files(const char *dir, json_t *want, struct err *e)
{
	json_t *got = json_object();
	const char *name;
	json_t *hash;
	int rc = each_file(dir, hash_file, got, e);
	if (rc == 0)
		json_object_foreach(
			want, name, hash) if (!json_equal(hash, json_object_get(got, name))) rc =
			err_set(e, ERR_DATA, "%s/%s: the file is not what was written", dir, name);
	json_decref(got);
	return rc;
}

static int
load_weights(const char *dir, struct model *m, struct err *e)
{
	struct weights *w;
	if (weights_open(&w, dir, e) < 0)
		return -1;
	int rc = 0;
	for (int i = 0; i < m->n_params && rc == 0; i++) {
		struct param *p = &m->params[i];
		const struct st_tensor *t = weights_find(w, p->name);
		if (t == NULL || t->dtype != ST_F32 || t->bytes != p->n * sizeof(float)) {
			rc = err_set(e, ERR_CONFIG, "%s: %s is missing or has another shape", dir,
				p->name);
			break;
		}
		m->k->upload(m->k, m->block + p->offset, t->data, t->bytes);
	}
	weights_close(w);
	return rc;
}

static bool
is_moment(const struct st_tensor *t, size_t n)
{
	return t && t->dtype == ST_F32 && t->rank == 1 && t->shape[0] == (int64_t)n;
}

static int
load_optimizer(const char *dir, struct optim *o, struct err *e)
{
	struct buf path = BUF_INIT;
	struct map map;
	struct st_image s;
	size_t used;
	int rc = map_open(&map, path_join(&path, dir, "optimizer.safetensors"), e);
	if (rc == 0 && (rc = st_parse(&s, map.data, map.size, &used, path.data, e)) == 0) {
		const struct st_tensor *m = st_find(&s, "m"), *v = st_find(&s, "v");
		size_t bytes = o->n * sizeof(float);
		if (is_moment(m, o->n) && is_moment(v, o->n) && used == map.size && s.n == 2) {
			o->k->upload(o->k, o->m, m->data, bytes);
			o->k->upload(o->k, o->v, v->data, bytes);
		} else {
			rc = err_set(e, ERR_CONFIG, "%s: not of this model", path.data);
		}
		st_image_free(&s);
	}
	map_close(&map);
	buf_free(&path);
	return rc;
}

/* The first line of `now` that `was` does not have at the same place. */
static int
compare_settings(const char *was, const char *now, struct err *e)
{
	while (*was || *now) {
		size_t a = strcspn(was, "\n"), b = strcspn(now, "\n");
		if (a != b || memcmp(was, now, a) != 0)
			return err_set(e, ERR_CONFIG,
				"cannot resume: the checkpoint was made with '%.*s', this is "
				"'%.*s'",
				(int)a, was, (int)b, now);
		was += a + (was[a] != 0);
		now += b + (now[b] != 0);
	}
	return 0;
}

static int
compare_kernels(const struct checkpoints *c, const char *was, const char *now, struct buf *notes,
	struct err *e)
{
	if (strcmp(was, now) == 0)
		return 0;
	if (!c->other_bits)
		return err_set(e, ERR_CONFIG,
			"cannot resume: the checkpoint was computed by '%s', this is '%s': the "
			"bits "
			"would be others than in one go; --allow-other-bits goes on",
			was, now);
	buf_printf(notes, "the checkpoint was computed by '%s', this is '%s': other bits\n", was,
		now);
	return 0;
}

static int
compare_state(const struct checkpoints *c, const struct train_state *was,
	const struct train_state *s, struct buf *notes, struct err *e)
{
	if (compare_settings(was->settings, s->settings, e) < 0)
		return -1;
	if (strcmp(was->data_hash, s->data_hash) != 0)
		return err_set(e, ERR_CONFIG, "cannot resume: the training data is another one");
	if (strcmp(was->model_hash, s->model_hash) != 0)
		return err_set(e, ERR_CONFIG, "cannot resume: the base model is another one");
	if (was->total != s->total)
		return err_set(e, ERR_CONFIG,
			"cannot resume: the checkpoint is of %lld updates, this is %lld",
			(long long)was->total, (long long)s->total);
	return compare_kernels(c, was->kernels, s->kernels, notes, e);
}

/* The state of dir, all of whose files are what was written at that step. */
static int
read_whole(const char *dir, int64_t step, struct saved_state *x, struct err *e)
{
	if (state_read(x, dir, e) < 0)
		return -1;
	int rc = x->s.step == step ? check_files(dir, x->files, e)
				   : err_set(e, ERR_DATA, "%s: state.json is of step %lld", dir,
					     (long long)x->s.step);
	if (rc < 0)
		state_free(x);
	return rc;
}

/* Of one whose best-N may be needed. */
static int
read_both(const struct checkpoints *c, const char *dir, int64_t step, struct saved_state *x,
	struct err *e)
{
	struct saved_state best = {.json = NULL};
	struct buf path = BUF_INIT;
	if (read_whole(dir, step, x, e) < 0)
		return -1;
	int64_t n = x->s.best_step;
	int rc = n < 0 ? 0 : read_whole(folder(&path, c, "best-", n), n, &best, e);
	if (rc < 0)
		state_free(x);
	state_free(&best);
	buf_free(&path);
	return rc;
}

static void
take_state(struct train_state *s, const struct train_state *was, struct buf *unlogged)
{
	s->step = was->step;
	s->tokens = was->tokens;
	s->evaluated = was->evaluated;
	s->best_step = was->best_step;
	s->best_reward = was->best_reward;
	buf_reset(unlogged);
	buf_puts(unlogged, was->unlogged);
}

/* 1 loaded; 0 rotten, with a note; -1 does not fit this run. */
static int
load_one(const struct checkpoints *c, int64_t step, struct model *m, struct optim *o,
	struct train_state *s, struct buf *unlogged, struct buf *notes, struct err *e)
{
	struct saved_state was;
	struct err bad = {0};
	struct buf path = BUF_INIT;
	const char *dir = folder(&path, c, "step-", step);
	int rc = 1;
	if (read_both(c, dir, step, &was, &bad) < 0) {
		rc = bad.code == ERR_CONFIG ? err_set(e, ERR_CONFIG, "%s", bad.msg) : 0;
		if (rc == 0)
			buf_printf(notes, "%s: passed over: %s\n", dir, bad.msg);
	} else if (compare_state(c, &was.s, s, notes, e) < 0 || load_weights(dir, m, e) < 0 ||
		   load_optimizer(dir, o, e) < 0) {
		rc = -1;
	} else {
		take_state(s, &was.s, unlogged);
	}
	state_free(&was);
	buf_free(&path);
	return rc;
}

int
checkpoint_load(struct checkpoints *c, struct model *m, struct optim *o, struct train_state *s,
	struct buf *unlogged, struct buf *notes, struct err *e)
{
	int64_t *steps;
	int n = numbered_list(c->dir, "step-", &steps), rc = 0;
	for (int i = 0; i < n && rc == 0; i++)
		rc = load_one(c, steps[i], m, o, s, unlogged, notes, e);
	if (rc == 0 && n == 0)
		rc = err_set(e, ERR_NOINPUT, "%s: no checkpoint", c->dir);
	else if (rc == 0)
		rc = err_set(e, ERR_DATA, "%s: no good checkpoint: %.*s", c->dir,
			(int)strcspn(notes->data, "\n"), notes->data);
	free(steps);
	return rc < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ what stays */

/* Removes step-N beyond the limit, and each best-N that no checkpoint left refers to. */
static int
prune(struct checkpoints *c, struct err *e)
{
	int64_t *steps, *bests;
	struct buf path = BUF_INIT;
	int n = numbered_list(c->dir, "step-", &steps), n_used = 0, rc = 0;
	int64_t *used = x_malloc((size_t)(n + 1) * sizeof *used);
	for (int i = 0; i < n && rc == 0; i++) {
		const char *dir = folder(&path, c, "step-", steps[i]);
		struct saved_state x;
		if (i >= c->limit) {
			rc = dir_remove(dir, e);
		} else if (state_read(&x, dir, NULL) == 0) {
			used[n_used++] = x.s.best_step;
			state_free(&x);
		}
	}
	free(steps);
	n = numbered_list(c->dir, "best-", &bests);
	for (int i = 0; i < n && rc == 0; i++) {
		bool needed = false;
		for (int j = 0; j < n_used; j++)
			needed |= used[j] == bests[i];
		if (!needed)
			rc = dir_remove(folder(&path, c, "best-", bests[i]), e);
	}
	free(bests);
	free(used);
	buf_free(&path);
	return rc;
}

int
checkpoint_save(struct checkpoints *c, const struct model *m, const struct optim *o,
	const struct train_state *s, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = write_folder(c, folder(&path, c, "step-", s->step), m, K_F32, o, s, e);
	buf_free(&path);
	return rc < 0 ? rc : prune(c, e);
}

int
checkpoint_save_best(
	struct checkpoints *c, const struct model *m, const struct train_state *s, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = write_folder(c, folder(&path, c, "best-", s->step), m, K_F32, NULL, s, e);
	buf_free(&path);
	return rc;
}

int
checkpoint_load_best(struct checkpoints *c, struct model *m, int64_t step, struct err *e)
{
	struct buf path = BUF_INIT;
	struct saved_state x = {.json = NULL};
	int rc = read_whole(folder(&path, c, "best-", step), step, &x, e);
	if (rc == 0)
		rc = load_weights(path.data, m, e);
	state_free(&x);
	buf_free(&path);
	return rc;
}

int
checkpoint_publish(struct checkpoints *c, const struct model *m, enum k_dtype dtype, struct err *e)
{
	return write_folder(c, c->out, m, dtype, NULL, NULL, e);
}
