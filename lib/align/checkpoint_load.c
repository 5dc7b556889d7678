/* Going on with a checkpoint: reading and comparing it. */
#include <stdlib.h>
#include <string.h>

#include "lib/align/checkpoint_impl.h"
#include "lib/align/numbered.h"
#include "lib/align/same.h"

static int
check_files(const char *dir, json_t *want, struct err *e)
{
	json_t *got = checkpoint_hashes(dir, e);
	const char *name;
	json_t *hash;
	int rc = got ? 0 : -1;
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
	if (rc == 0)
		rc = weights_check(w, e);
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
	rc = map_finish(&map, rc, e);
	buf_free(&path);
	return rc;
}

static int
compare_kernels(const struct checkpoints *c, const char *was, const char *now, struct buf *notes,
	struct err *e)
{
	if (strcmp(was, now) == 0)
		return 0;
	if (!c->other_bits)
		return err_set(e, ERR_CONFIG,
			"--resume: the checkpoint was computed by '%s', this is '%s': the "
			"bits "
			"would be others than in one go; --allow-other-bits goes on",
			was, now);
	buf_printf(
		notes, "the checkpoint was computed by '%s', this is '%s': other bits\n", was, now);
	return 0;
}

static int
compare_state(const struct checkpoints *c, const struct train_state *was,
	const struct train_state *s, struct buf *notes, struct err *e)
{
	bool finished = was->step == was->total;
	if (settings_same(was->settings, s->settings, finished ? "updates" : NULL, e) < 0)
		return -1;
	if (strcmp(was->data_hash, s->data_hash) != 0)
		return err_set(e, ERR_CONFIG, "--resume: the training data is another one");
	if (strcmp(was->model_hash, s->model_hash) != 0)
		return err_set(e, ERR_CONFIG, "--resume: the base model is another one");
	if (finished && s->total < was->total)
		return err_set(e, ERR_CONFIG,
			"--resume: the run has done %lld updates, %lld are wanted",
			(long long)was->total, (long long)s->total);
	if (was->total != s->total)
		buf_printf(notes,
			"a finished run of %lld updates goes on to %lld, its learning rate as in a "
			"run of that length\n",
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
	int rc = n < 0 ? 0 : read_whole(checkpoint_folder(&path, c, "best-", n), n, &best, e);
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
	const char *dir = checkpoint_folder(&path, c, "step-", step);
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
	if (n < 0)
		return err_errno(e, ERR_IO, c->dir);
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

int
checkpoint_load_best(struct checkpoints *c, struct model *m, int64_t step, struct err *e)
{
	struct buf path = BUF_INIT;
	struct saved_state x = {.json = NULL};
	int rc = read_whole(checkpoint_folder(&path, c, "best-", step), step, &x, e);
	if (rc == 0)
		rc = load_weights(path.data, m, e);
	state_free(&x);
	buf_free(&path);
	return rc;
}
