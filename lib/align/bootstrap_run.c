/* Carrying out the plan of bootstrap.h so that a run killed at any moment can go on. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/align/bootstrap.h"
#include "lib/align/made.h"
#include "lib/align/same.h"
#include "lib/base/file.h"

static int
run_program(enum bootstrap_program p, const struct strings *argv, const char *out,
	bool (*stop)(void), bool *interrupted, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = program_find(&path, bootstrap_name(p), e);
	if (rc == 0)
		rc = process_run(&(struct process){path.data, argv->v, out, stop}, interrupted, e);
	buf_free(&path);
	return rc;
}

int
bootstrap_check(const struct bootstrap *o, struct err *e)
{
	int rc = 0;
	for (int p = 0; p < BOOT_PROGRAMS && rc == 0; p++) {
		struct strings argv = {0};
		bool interrupted = false;
		strings_add(&argv, "%s", bootstrap_name((enum bootstrap_program)p));
		for (int i = 0; i < o->extra[p].n; i++)
			strings_add(&argv, "%s", o->extra[p].v[i]);
		strings_add(&argv, "--help");
		rc = run_program(
			(enum bootstrap_program)p, &argv, "/dev/null", NULL, &interrupted, e);
		if (interrupted)
			rc = err_set(e, ERR_TEMPFAIL, "interrupted before anything was begun");
		else if (rc > 0)
			rc = err_set(e, rc > 128 ? ERR_SOFTWARE : rc,
				"%s does not take the options passed to it", argv.v[0]);
		strings_free(&argv);
	}
	return rc;
}

static bool
exists(const struct bootstrap *o, int part, const char *name)
{
	struct buf path = BUF_INIT;
	bool there = file_exists(bootstrap_path(o, part, name, &path));
	buf_free(&path);
	return there;
}

/* A program killed with us may hold the lock for a moment longer. */
static int
take_lock(const char *work, int *lock, struct err *e)
{
	*lock = open(work, O_RDONLY | O_DIRECTORY); /* no O_CLOEXEC: see bootstrap_claim */
	if (*lock < 0)
		return err_errno(e, ERR_CANTCREAT, work);
	for (int tries = 0; flock(*lock, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == 30)
			return err_set(e, ERR_TEMPFAIL, "%s: another run is at work here", work);
		usleep(100000);
	}
	return 0;
}

/* What a run leaves in its work folder, and nothing else that may be there. */
static bool
is_ours(const char *name)
{
	return made_numbered(name, "part-") || strcmp(name, "options") == 0 ||
	       strcmp(name, "kernels") == 0 || strcmp(name, "finished") == 0;
}

/* And in the folder of a part. */
static bool
is_of_part(const char *name)
{
	static const char *const names[] = {"data.jsonl", "augmented.jsonl",
		"augmented.jsonl.partial", "ranked.jsonl", "ranked.jsonl.partial", "model",
		"model.checkpoints", "done", "pro-augment.rejects", "pro-rerank.rejects",
		"pro-train.rejects", ".", ".."};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strstr(name, ".tmp-pro-") != NULL || strstr(name, ".old-pro-") != NULL;
}

static int
check_part(const char *dir, struct err *e)
{
	DIR *d = dir_open(dir);
	int rc = d ? 0
		   : err_set(e, ERR_CANTCREAT, "%s: exists and was not made by pro-bootstrap", dir);
	errno = 0;
	for (struct dirent *de; d && rc == 0 && (de = readdir(d)); errno = 0)
		if (!is_of_part(de->d_name))
			rc = err_set(e, ERR_CANTCREAT,
				"%s/%s: was not made by pro-bootstrap, which removes the rest: "
				"move it away",
				dir, de->d_name);
	if (rc == 0 && errno != 0) /* what was not seen might be of others */
		rc = err_errno(e, ERR_IO, dir);
	if (d)
		closedir(d);
	return rc;
}

/* Calls f for what is ours in the work folder. */
static int
each_ours(const struct bootstrap *o, int (*f)(const char *path, struct err *e), struct err *e)
{
	struct buf work = BUF_INIT, path = BUF_INIT;
	DIR *d = dir_open(bootstrap_path(o, -1, "", &work));
	int rc = d ? 0 : err_errno(e, ERR_IO, work.data);
	for (struct dirent *de; d && rc == 0 && (de = readdir(d));) {
		bool part = made_numbered(de->d_name, "part-");
		if (is_ours(de->d_name) && (part || f == dir_remove))
			rc = f(path_join(&path, work.data, de->d_name), e);
	}
	if (d)
		closedir(d);
	buf_free(&work);
	buf_free(&path);
	return rc;
}

static int
remove_run(const struct bootstrap *o, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = each_ours(o, check_part, e);
	if (rc == 0) /* first, so that half a run is none */
		rc = dir_remove(bootstrap_path(o, -1, "options", &path), e);
	if (rc == 0)
		rc = each_ours(o, dir_remove, e);
	buf_free(&path);
	return rc;
}

void
bootstrap_unclaim(const struct bootstrap *o)
{
	struct buf path = BUF_INIT;
	struct err ignored;
	if (remove_run(o, &ignored) == 0)
		rmdir(bootstrap_path(o, -1, "", &path));
	buf_free(&path);
}

int
bootstrap_hash_input(const char *const *files, int n, struct buf *out, struct err *e)
{
	struct sha256 sha;
	char hex[65];
	struct stat st;
	bool regular = n > 0;
	int rc = 0;
	for (int i = 0; i < n; i++)
		regular &= stat(files[i], &st) == 0 && S_ISREG(st.st_mode);
	sha256_init(&sha);
	for (int i = 0; i < n && regular && rc == 0; i++) {
		struct map m;
		rc = map_open(&m, files[i], e);
		if (rc == 0) {
			sha256_add(&sha, m.data, m.size);
			rc = map_finish(&m, 0, e);
		}
	}
	sha256_hex(&sha, hex);
	buf_printf(out, "input %s\n", regular ? hex : "-");
	return rc;
}

/* The input's hash may be unknown ("-") on either side. */
static int
same_options(const char *was, const char *now, struct err *e)
{
	bool unknown = strstr(was, "\ninput -\n") || strstr(now, "\ninput -\n");
	return settings_same(was, now, unknown ? "input" : NULL, e);
}

static int
claim_for_resume(const struct bootstrap *o, const char *options, struct err *e)
{
	struct buf path = BUF_INIT, was = BUF_INIT;
	int rc = 0;
	rc = file_read(bootstrap_path(o, -1, "options", &path), 1 << 20, &was, e);
	if (rc == 0)
		rc = same_options(was.len ? was.data : "", options, e);
	if (rc == 0)
		rc = exists(o, -1, "finished") && file_exists(o->out) ? BOOT_DONE : BOOT_GO_ON;
	buf_free(&path);
	buf_free(&was);
	return rc;
}

/* OUT is a model and its run has gone (--clean): there is nothing left to compare with. */
static bool
was_cleaned(const struct bootstrap *o)
{
	struct buf path = BUF_INIT;
	bool model = file_exists(path_join(&path, o->out, "pro.json"));
	buf_free(&path);
	return model && !exists(o, -1, "");
}

int
bootstrap_claim(const struct bootstrap *o, const char *options, bool resume, bool overwrite,
	int *lock, struct err *e)
{
	struct buf b = BUF_INIT;
	const char *work = bootstrap_path(o, -1, "", &b);
	int rc = 0;
	*lock = -1;
	if (resume && was_cleaned(o))
		rc = BOOT_DONE;
	else if (!overwrite && file_exists(o->out) && !(resume && exists(o, -1, "options")))
		rc = err_set(e, ERR_CANTCREAT, "%s exists; --overwrite replaces it", o->out);
	else if (made_check(o->out, "pro-bootstrap", e) < 0)
		rc = -1;
	else if ((rc = dir_make(work, e)) == 0 && (rc = take_lock(work, lock, e)) == 0) {
		if (resume && exists(o, -1, "options"))
			rc = claim_for_resume(o, options, e);
		else if (!overwrite && exists(o, -1, "options"))
			rc = err_set(e, ERR_CANTCREAT,
				"%s: a run was here; --resume goes on, --overwrite begins again",
				work);
		else
			rc = remove_run(o, e);
	}
	buf_free(&b);
	return rc;
}

/* NAME.partial is whole: on the disk, then under its name. */
static int
finish_file(const struct bootstrap *o, int part, const char *name, struct err *e)
{
	struct buf to = BUF_INIT, from = BUF_INIT;
	bootstrap_path(o, part, name, &to);
	buf_printf(&from, "%s.partial", to.data);
	int fd = open(from.data, O_RDONLY | O_CLOEXEC), rc = 0;
	if (fd < 0 || fd_sync(fd) < 0 || rename(from.data, to.data) < 0 || sync_parent(to.data) < 0)
		rc = err_errno(e, ERR_IO, to.data);
	if (fd >= 0)
		close(fd);
	buf_free(&to);
	buf_free(&from);
	return rc;
}

/* 1 when an interrupted training left a checkpoint. */
static bool
has_checkpoint(const struct bootstrap *o, int part)
{
	struct buf path = BUF_INIT;
	DIR *d = dir_open(bootstrap_path(o, part, "model.checkpoints", &path));
	bool found = false;
	for (struct dirent *de; d && !found && (de = readdir(d));)
		found = strncmp(de->d_name, "step-", 5) == 0;
	if (d)
		closedir(d);
	buf_free(&path);
	return found;
}

static const char *const results[] = {"augmented.jsonl", "ranked.jsonl", "model"};

struct job {
	const struct bootstrap *o;
	const struct bootstrap_hooks *hooks;
	const char *rejects;
	bool clean;
};

static void
add_file(const struct job *j, int part, const char *name, const char *suffix, struct strings *argv)
{
	struct buf path = BUF_INIT;
	bootstrap_path(j->o, part, name, &path);
	strings_add(argv, "%s%s", path.data, suffix);
	buf_free(&path);
}

/* What came of a program on a part: 0, or -1. */
static int
outcome(int rc, bool interrupted, int part, const char *name, struct err *e)
{
	if (rc == ERR_TEMPFAIL || (rc > 0 && interrupted))
		return err_set(
			e, ERR_TEMPFAIL, "interrupted in part-%d; --resume goes on there", part);
	if (rc > 128)
		return err_set(e, ERR_SOFTWARE, "part-%d: %s was killed by signal %d", part, name,
			rc - 128);
	/* the same again would fail again, and --resume takes no other options */
	if (rc == ERR_USAGE || rc == ERR_DATA || rc == ERR_NOINPUT || rc == ERR_CONFIG)
		return err_set(e, rc,
			"part-%d: %s failed (exit %d): once its cause is mended --resume goes on "
			"from there; with other options or data begin again, with --overwrite",
			part, name, rc);
	if (rc > 0)
		return err_set(e, rc,
			"part-%d: %s failed (exit %d); --resume tries again from there", part, name,
			rc);
	if (rc == 0 && interrupted)
		return err_set(e, ERR_TEMPFAIL,
			"interrupted behind %s in part-%d; --resume goes on", name, part);
	return rc;
}

/* One program on one part, unless its result is there. */
static int
stage(const struct job *j, enum bootstrap_program p, int part, struct err *e)
{
	const struct bootstrap *o = j->o;
	if (exists(o, part, results[p]))
		return 0;
	struct strings argv = {0};
	struct buf out = BUF_INIT, note = BUF_INIT;
	bool interrupted = false;
	bootstrap_command(o, p, part, &argv);
	if (p == BOOT_AUGMENT) {
		strings_add(&argv, "--resume");
		add_file(j, part, results[p], ".partial", &argv);
	} else if (p == BOOT_TRAIN) {
		strings_add(&argv, has_checkpoint(o, part) ? "--resume" : "--overwrite");
		if (o->other_bits && has_checkpoint(o, part))
			strings_add(&argv, "--allow-other-bits");
	} else {
		bootstrap_path(o, part, results[p], &out);
		buf_puts(&out, ".partial");
	}
	if (j->rejects) {
		strings_add(&argv, "--rejects");
		add_file(j, part, bootstrap_name(p), ".rejects", &argv);
	}
	add_file(j, part, p == BOOT_AUGMENT ? "data.jsonl" : results[p - 1], "", &argv);
	buf_printf(&note, "part-%d (%d of %d): %s", part, part + 1, o->parts, argv.v[0]);
	j->hooks->note(j->hooks->ctx, note.data);
	int rc = run_program(p, &argv, out.data, j->hooks->interrupted, &interrupted, e);
	if (rc == 0 && p != BOOT_TRAIN)
		rc = finish_file(o, part, results[p], e);
	rc = outcome(rc, interrupted, part, argv.v[0], e);
	strings_free(&argv);
	buf_free(&out);
	buf_free(&note);
	return rc;
}

static int
remove_policy(const struct bootstrap *o, int part, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = dir_remove(bootstrap_path(o, part, "model", &path), e);
	buf_free(&path);
	return rc;
}

/* Appends a list of rejects; there is none of a run without --rejects. */
static int
append_file(struct out *out, const char *path, struct err *e)
{
	struct map m;
	if (!file_exists(path))
		return 0;
	if (map_open(&m, path, e) < 0)
		return -1;
	return map_finish(&m, out_write(out, m.data, m.size, e), e);
}

static int
gather_rejects(const struct job *j, struct err *e)
{
	struct out out;
	struct buf path = BUF_INIT;
	if (out_open(&out, j->rejects, e) < 0)
		return -1;
	int rc = append_file(&out, bootstrap_path(j->o, 0, BOOTSTRAP_SPLIT_REJECTS, &path), e);
	for (int i = 0; i < j->o->parts * BOOT_PROGRAMS && rc == 0; i++) {
		bootstrap_path(j->o, i / BOOT_PROGRAMS,
			bootstrap_name((enum bootstrap_program)(i % BOOT_PROGRAMS)), &path);
		buf_puts(&path, ".rejects");
		rc = append_file(&out, path.data, e);
	}
	if (rc == 0)
		rc = out_commit(&out, e);
	else
		out_abort(&out);
	buf_free(&path);
	return rc;
}

/* The last policy moves to OUT; after a crash just then it is there already. */
static int
publish(const struct job *j, struct err *e)
{
	const struct bootstrap *o = j->o;
	struct buf path = BUF_INIT;
	int rc = 0;
	if (exists(o, o->parts - 1, "model") && made_check(o->out, "pro-bootstrap", e) < 0)
		rc = err_prefix(
			e, "%s is whole, but", bootstrap_path(o, o->parts - 1, "model", &path));
	else if (exists(o, o->parts - 1, "model"))
		rc = dir_replace(bootstrap_path(o, o->parts - 1, "model", &path), o->out, e);
	else if (!file_exists(o->out))
		rc = err_set(
			e, ERR_CONFIG, "%s: gone", bootstrap_path(o, o->parts - 1, "model", &path));
	if (rc < 0) {
		buf_free(&path);
		return rc;
	}
	rc = bootstrap_write(o, -1, "finished", "", e);
	if (rc == 0 && j->clean) {
		rc = remove_run(o, e);
		rmdir(bootstrap_path(o, -1, "", &path)); /* stays where others left something */
	}
	if (rc < 0)
		err_prefix(e, "%s is whole, but", o->out);
	buf_free(&path);
	return rc;
}

int
bootstrap_run(const struct bootstrap *o, const char *rejects, bool clean,
	const struct bootstrap_hooks *hooks, struct err *e)
{
	struct job j = {o, hooks, rejects, clean};
	struct buf was = BUF_INIT, note = BUF_INIT;
	int rc = bootstrap_kernels(o, &was, e);
	if (rc == 0 && was.len > 0) {
		buf_printf(&note, "the run was begun with '%s', this is '%s': other bits", was.data,
			o->kernels);
		hooks->note(hooks->ctx, note.data);
	}
	buf_free(&was);
	buf_free(&note);
	for (int part = 0; part < o->parts && rc == 0; part++) {
		if (exists(o, part, "done"))
			continue;
		for (int p = 0; p < BOOT_PROGRAMS && rc == 0; p++)
			rc = stage(&j, (enum bootstrap_program)p, part, e);
		if (rc == 0)
			rc = bootstrap_write(o, part, "done", "", e);
		if (rc == 0 && clean && part > 0)
			rc = remove_policy(o, part - 1, e);
	}
	if (rc == 0 && rejects)
		rc = gather_rejects(&j, e);
	return rc == 0 ? publish(&j, e) : rc;
}
