#include "lib/gen/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"

/* The file's size without what follows its last newline; -1 on error. */
static int64_t
whole_lines(int fd, int64_t size)
{
	char block[4096];
	while (size > 0) {
		int64_t from = size > (int64_t)sizeof block ? size - (int64_t)sizeof block : 0;
		ssize_t n = pread(fd, block, (size_t)(size - from), from);
		if (n != size - from)
			return -1;
		const char *nl = memrchr(block, '\n', (size_t)n);
		if (nl)
			return from + (nl - block) + 1;
		size = from;
	}
	return 0;
}

static int
prepare(struct resume *r, int fd, struct err *e)
{
	struct stat st;
	unsigned char magic[2];
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_CANTCREAT, "%s: not a regular file", r->path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, ERR_TEMPFAIL, "%s: another run is writing to it", r->path);
	if (pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b)
		return err_set(
			e, ERR_CONFIG, "%s: is compressed, nothing can be appended", r->path);
	r->whole = whole_lines(fd, st.st_size);
	if (r->whole < 0)
		return err_errno(e, ERR_IO, r->path);
	r->n_torn = st.st_size - r->whole;
	r->torn = r->n_torn > 0;
	return 0;
}

/*
 * Cuts off the torn line, in whose place r->line comes: only now that what is above it has been
 * matched, and only if the two begin alike.  It may be some other file that was named by mistake.
 */
static int
drop_torn(struct resume *r, struct err *e)
{
	char there[4096];
	const char *own = memmem(r->line.data, r->line.len, "\"responses\":[", 13);
	size_t n = own ? (size_t)(own - r->line.data) : r->line.len;
	if (n > (size_t)r->n_torn)
		n = (size_t)r->n_torn;
	if (n > sizeof there)
		n = sizeof there;
	if (pread(fileno(r->f), there, n, r->whole) != (ssize_t)n)
		return err_errno(e, ERR_IO, r->path);
	if (memcmp(there, r->line.data, n) != 0)
		return err_set(e, ERR_CONFIG,
			"%s: its last line has no newline and does not begin as the record that "
			"comes next; this is not a run to go on with",
			r->path);
	if (ftruncate(fileno(r->f), r->whole) < 0)
		return err_errno(e, ERR_IO, r->path);
	r->torn = false;
	return 0;
}

static double
seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int
resume_open(struct resume *r, const char *path, struct err *e)
{
	/* dirty: a killed run may have left what is not on the disk */
	*r = (struct resume){.path = x_strdup(path), .clock = seconds, .dirty = true};
	bool new = !file_exists(path);
	idmap_init(&r->ids);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0) {
		err_errno(e, ERR_CANTCREAT, path);
		goto fail;
	}
	if (prepare(r, fd, e) < 0) {
		close(fd);
		goto fail;
	}
	if (new &&sync_parent(path) < 0) {
		err_errno(e, ERR_IO, path);
		close(fd);
		goto fail;
	}
	r->synced = r->clock();
	r->f = fdopen(fd, "a"); /* the lock lives as long as fd */
	if (r->f == NULL) {
		close(fd);
		err_errno(e, ERR_CANTCREAT, path);
		goto fail;
	}
	r->files[0] = r->path;
	r->in = input_open(r->files, 1);
	return 0;
fail:
	resume_close(r);
	return -1;
}

void
resume_close(struct resume *r)
{
	input_close(r->in);
	if (r->f)
		fclose(r->f);
	record_free(&r->record);
	idmap_free(&r->ids);
	buf_free(&r->line);
	free(r->path);
	*r = (struct resume){.path = NULL};
}

/* The next finished record: 1, 0 at the file's end. */
static int
next(struct resume *r, struct err *e)
{
	const char *line;
	size_t n;
	if (r->in == NULL)
		return 0;
	int rc = r->n_read < r->whole ? input_line(r->in, &line, &n, e) : 0;
	if (rc == 0) {
		input_close(r->in);
		r->in = NULL;
	}
	if (rc <= 0)
		return rc;
	r->n_read += (int64_t)n + 1;
	if (record_parse(&r->record, line, n, e) < 0)
		return err_prefix(e, "%s:%lld", r->path, (long long)input_lineno(r->in));
	return 1;
}

static int
mismatch(const struct resume *r, const char *what, const char *id, struct err *e)
{
	return err_set(e, ERR_CONFIG, "%s:%lld: %s '%s'; this is not a run to go on with", r->path,
		(long long)input_lineno(r->in), what, id);
}

int
resume_match(struct resume *r, const struct record *x, int n, const char *source,
	const json_t *generated, struct err *e)
{
	if (*x->id == '\0')
		return err_set(e, ERR_DATA, "id: missing, and --resume goes on by it");
	if (idmap_add(&r->ids, x->id, 0) == 0)
		return err_set(e, ERR_DATA, "id '%s' was read before", x->id);
	int rc = next(r, e);
	if (rc <= 0)
		return rc;
	const struct record *d = &r->record;
	if (strcmp(d->id, x->id) != 0)
		return mismatch(r, "has another record than the input's", x->id, e);
	if (record_prompt_hash(d) != record_prompt_hash(x))
		return mismatch(r, "has another prompt for", x->id, e);
	if (d->n_responses != x->n_responses + n)
		return mismatch(r, "has another number of responses for", x->id, e);
	for (int k = x->n_responses; k < d->n_responses; k++) {
		const struct response *p = &d->responses[k];
		if (strcmp(p->source, source) != 0 ||
			!json_equal(json_object_get(p->json, "generated"), generated))
			return mismatch(
				r, "has responses of another model or setting for", x->id, e);
	}
	r->n_done++;
	return 1;
}

int
resume_end(struct resume *r, struct err *e)
{
	int rc = next(r, e);
	return rc > 0 ? mismatch(r, "holds more than the input: record", r->record.id, e) : rc;
}

int
resume_write(struct resume *r, const struct record *x, struct err *e)
{
	buf_reset(&r->line);
	record_write(x, &r->line);
	if (r->torn && drop_torn(r, e) < 0)
		return -1;
	errno = 0;
	/* past stdio, which loses what it has when a signal comes */
	if (fd_write(fileno(r->f), r->line.data, r->line.len) < 0)
		return err_errno(e, ERR_IO, r->path);
	r->dirty = true;
	return resume_sync(r, false, e);
}

int
resume_sync(struct resume *r, bool now, struct err *e)
{
	if (!r->dirty || (!now && r->clock() - r->synced < RESUME_SYNC))
		return 0;
	if (fd_sync(fileno(r->f)) < 0)
		return err_errno(e, ERR_IO, r->path);
	r->dirty = false;
	r->synced = r->clock();
	return 0;
}
