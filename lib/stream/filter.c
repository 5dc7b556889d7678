#include "lib/stream/filter.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"

/* A file that is read and written at once would be lost, or never end. */
static int
check_inputs(const char *const *files, int n_files, FILE *out, const char *rejects, struct err *e)
{
	struct stat in, st;
	int fd = out && fileno(out) >= 0 ? fileno(out) : STDOUT_FILENO; /* see base/streams.h */
	bool regular = out && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	for (int i = 0; i == 0 || i < n_files; i++) {
		bool piped = n_files == 0 || strcmp(files[i], "-") == 0;
		const char *name = piped ? "stdin" : files[i];
		if ((piped ? fstat(STDIN_FILENO, &in) : stat(name, &in)) < 0 ||
			!S_ISREG(in.st_mode))
			continue;
		if (regular && st.st_dev == in.st_dev && st.st_ino == in.st_ino)
			return err_set(e, ERR_USAGE, "%s: is both input and output", name);
		if (rejects && file_is(rejects, &in))
			return err_set(
				e, ERR_USAGE, "%s: is both input and --rejects %s", name, rejects);
	}
	if (regular && rejects && file_is(rejects, &st))
		return err_set(e, ERR_USAGE, "--rejects %s: is the output too", rejects);
	return 0;
}

int
filter_open(struct filter *f, const char *const *files, int n_files, FILE *out,
	const char *rejects_path, struct err *e)
{
	*f = (struct filter){.out = out, .rejects_path = rejects_path};
	if (check_inputs(files, n_files, out, rejects_path, e) < 0)
		return -1;
	if (rejects_path) {
		f->rejects = fopen(rejects_path, "we");
		if (f->rejects == NULL)
			return err_errno(e, ERR_CANTCREAT, rejects_path);
	}
	f->in = input_open(files, n_files);
	return 0;
}

int
filter_where(const struct filter *f, struct err *e)
{
	return err_prefix(e, "%s:%lld", input_file(f->in), (long long)input_lineno(f->in));
}

static bool
is_blank(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == '\0' || !strchr(" \t\r", s[i]))
			return false;
	return true;
}

int
filter_next_json(struct filter *f, json_t **v, struct err *e)
{
	const char *line;
	size_t n;
	int rc;
	do
		rc = input_line(f->in, &line, &n, e);
	while (rc > 0 && is_blank(line, n));
	if (rc <= 0)
		return rc;
	if (input_lineno(f->in) == 1 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3, n -= 3; /* a byte order mark, which some editors write */
	*v = json_parse(line, n, e);
	if (*v == NULL)
		return filter_where(f, e);
	f->n_in++;
	return 1;
}

int
filter_next(struct filter *f, struct record *r, struct err *e)
{
	json_t *root;
	int rc = filter_next_json(f, &root, e);
	if (rc <= 0)
		return rc;
	if (record_take(r, root, e) < 0)
		return filter_where(f, e);
	id_watch_add(&f->ids, r->id);
	return 1;
}

/* EINTR: a reader that does not read, when the program is to stop. */
static int
write_error(const char *name, int why, struct err *e)
{
	return err_set(
		e, why == EINTR ? ERR_TEMPFAIL : ERR_IO, "%s: %s", name, strerror(why ? why : EIO));
}

static int
put(FILE *file, const char *name, const struct buf *b, bool flush, struct err *e)
{
	errno = 0;
	if (fwrite(b->data, 1, b->len, file) != b->len || (flush && fflush(file) == EOF))
		return write_error(name, errno, e);
	return 0;
}

int
filter_emit(struct filter *f, const struct record *r, bool flush, struct err *e)
{
	buf_reset(&f->line);
	record_write(r, &f->line);
	f->n_out++;
	return put(f->out, "standard output", &f->line, flush, e);
}

int
filter_emit_bytes(struct filter *f, const char *p, size_t n, bool flush, struct err *e)
{
	buf_reset(&f->line);
	buf_put(&f->line, p, n);
	f->n_out++;
	return put(f->out, "standard output", &f->line, flush, e);
}

static int
list(struct filter *f, const char *file, int64_t line, const char *id, const char *reason,
	const json_t *v, struct err *e)
{
	if (f->rejects == NULL)
		return 0;
	struct buf *b = &f->line;
	buf_reset(b);
	buf_puts(b, "{\"file\":");
	json_write_string(b, file, strlen(file));
	buf_printf(b, ",\"line\":%lld,\"id\":", (long long)line);
	json_write_string(b, id ? id : "", id ? strlen(id) : 0);
	buf_puts(b, ",\"reason\":");
	json_write_string(b, reason, strlen(reason));
	if (v) {
		buf_puts(b, ",\"record\":");
		json_write(b, v);
	}
	buf_puts(b, "}\n");
	return put(f->rejects, f->rejects_path, b, false, e);
}

int
filter_reject_json(struct filter *f, const char *file, int64_t line, const char *id,
	const char *reason, const json_t *v, struct err *e)
{
	f->n_rejected++;
	return list(f, file, line, id, reason, v, e);
}

int
filter_reject(struct filter *f, const struct record *r, const char *reason, struct err *e)
{
	return filter_reject_json(
		f, input_file(f->in), input_lineno(f->in), r->id, reason, r->root, e);
}

int
filter_note_cut(struct filter *f, const struct record *r, const char *what, struct err *e)
{
	f->n_cut++;
	return list(f, input_file(f->in), input_lineno(f->in), r->id, what, r->root, e);
}

int
filter_finish(struct filter *f, int64_t expect, struct err *e)
{
	if (f->out) {
		errno = 0;
		if (ferror(f->out) || fflush(f->out) == EOF)
			return write_error("standard output", errno, e);
	}
	if (f->rejects) {
		FILE *file = f->rejects;
		bool bad = ferror(file);
		f->rejects = NULL;
		errno = 0;
		if (fclose(file) == EOF || bad)
			return write_error(f->rejects_path, errno, e);
	}
	if (expect >= 0 && f->n_in != expect)
		return err_set(e, ERR_DATA, "%lld records read, --expect %lld", (long long)f->n_in,
			(long long)expect);
	return 0;
}

void
filter_summary(const struct filter *f, struct buf *out)
{
	buf_printf(out, "%lld record%s read, %lld written, %lld rejected", (long long)f->n_in,
		f->n_in == 1 ? "" : "s", (long long)f->n_out, (long long)f->n_rejected);
	if (f->n_cut > 0)
		buf_printf(out, ", %lld cut", (long long)f->n_cut);
}

void
filter_close(struct filter *f)
{
	input_close(f->in);
	if (f->rejects)
		fclose(f->rejects);
	buf_free(&f->line);
	id_watch_free(&f->ids);
	*f = (struct filter){0};
}
