#include "lib/stream/filter.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/human.h"

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
	size_t n = 0;
	const char *text = v ? NULL : input_text(f->in, &n);
	if (f->rejects == NULL)
		return 0;
	struct buf *b = &f->line;
	buf_reset(b);
	buf_puts(b, "{\"file\":");
	json_write_bytes(b, file, strlen(file));
	buf_printf(b, ",\"line\":%lld,\"id\":", (long long)line);
	json_write_string(b, id ? id : "", id ? strlen(id) : 0);
	buf_puts(b, ",\"reason\":");
	json_write_bytes(b, reason, strlen(reason));
	if (v) {
		buf_puts(b, ",\"record\":");
		json_write(b, v);
	} else if (text) {
		buf_puts(b, ",\"text\":");
		json_write_bytes(b, text, n);
	}
	buf_puts(b, "}\n");
	return put(f->rejects, f->rejects_path, b, false, e);
}

int
filter_reject_json(struct filter *f, const char *file, int64_t line, const char *id,
	const char *reason, const json_t *v, struct err *e)
{
	f->n_rejected++;
	tally_reason(&f->tally, reason);
	return list(f, file, line, id, reason, v, e);
}

int
filter_reject(struct filter *f, const struct record *r, const char *reason, struct err *e)
{
	return filter_reject_json(
		f, input_file(f->in), input_lineno(f->in), r->id, reason, r->root, e);
}

int
filter_bad_at(struct filter *f, const char *file, int64_t line, const json_t *v, struct err *e)
{
	struct err why = *e;
	const char *id = NULL;
	if (!f->skip_bad || e->code != ERR_DATA)
		return err_prefix(e, "%s:%lld", file, (long long)line);
	json_get_string(v, "id", &id, NULL, NULL);
	if (f->n_bad++ == 0)
		snprintf(f->first_bad, sizeof f->first_bad, "%s:%lld: %s", file, (long long)line,
			why.msg);
	f->n_rejected++;
	int row = tally_row(&f->tally, file);
	f->tally.rows[row].raw++;
	*e = (struct err){0};
	return list(f, file, line, id, why.msg, v, e);
}

int
filter_bad(struct filter *f, const json_t *v, struct err *e)
{
	return filter_bad_at(f, input_file(f->in), input_lineno(f->in), v, e);
}

int
filter_next_json(struct filter *f, json_t **v, struct err *e)
{
	for (;;) {
		int rc = input_value(f->in, v, e);
		if (rc == 0 || (rc < 0 && !input_bad(f->in)))
			return rc;
		f->n_in++;
		if (rc > 0)
			return 1;
		if (filter_bad(f, NULL, e) < 0)
			return -1;
	}
}

int
filter_next(struct filter *f, struct record *r, struct err *e)
{
	json_t *root;
	int rc;
	while ((rc = filter_next_json(f, &root, e)) > 0) {
		if (record_take(r, root, e) == 0) {
			id_watch_add(&f->ids, r->id);
			return 1;
		}
		if (filter_bad(f, r->root, e) < 0)
			return -1;
	}
	return rc;
}

int
filter_note_cut(struct filter *f, const struct record *r, const char *what, struct err *e)
{
	f->n_cut++;
	return list(f, input_file(f->in), input_lineno(f->in), r->id, what, r->root, e);
}

/* What is listed is on the disk when the program says that it is done. */
static int
close_rejects(struct filter *f, struct err *e)
{
	FILE *file = f->rejects;
	if (file == NULL)
		return 0;
	f->rejects = NULL;
	errno = 0;
	bool bad = ferror(file) || fflush(file) == EOF || fd_sync(fileno(file)) < 0;
	int why = errno;
	if (fclose(file) == EOF && !bad)
		bad = true, why = errno;
	return bad ? write_error(f->rejects_path, why, e) : 0;
}

int64_t
filter_bytes_done(const struct filter *f, int64_t waiting)
{
	int64_t done = f->n_out + f->n_rejected + f->n_other_part + f->n_not_sampled - waiting;
	int64_t bytes = input_bytes_done(f->in);
	if (done >= f->n_in)
		return bytes;
	return (int64_t)((double)bytes * (double)done / (double)f->n_in);
}

bool
filter_counts(const struct filter *f, int rc)
{
	return rc >= 0 || f->n_in > 0;
}

/* The commonest reasons, most first; bad lines with the place of the first. */
static void
reasons(const struct filter *f, struct buf *out)
{
	if (f->n_bad > 0)
		buf_printf(out, "%lld bad line%s, the first %s%s", (long long)f->n_bad,
			human_s(f->n_bad), f->first_bad, f->tally.n_reasons ? "; " : "");
	tally_commonest(&f->tally, 3, out);
}

int
filter_finish(struct filter *f, int64_t expect, struct err *e)
{
	if (f->out) {
		errno = 0;
		if (ferror(f->out) || fflush(f->out) == EOF)
			return write_error("standard output", errno, e);
	}
	if (close_rejects(f, e) < 0)
		return -1;
	if (expect >= 0 && f->n_in != expect)
		return err_set(e, ERR_DATA, "%lld record%s read, --expect %lld", (long long)f->n_in,
			human_s(f->n_in), (long long)expect);
	if (f->n_out > 0 || f->n_rejected == 0)
		return 0;
	struct buf why = BUF_INIT;
	reasons(f, &why);
	err_set(e, ERR_DATA, "nothing is left of %lld record%s: %s", (long long)f->n_in,
		human_s(f->n_in), why.data);
	buf_free(&why);
	return -1;
}

void
filter_rejected(const struct filter *f, struct buf *out)
{
	buf_printf(out, "%lld rejected", (long long)f->n_rejected);
	if (f->n_rejected > 0 && f->n_out > 0) { /* else filter_finish says it */
		buf_puts(out, " (");
		reasons(f, out);
		buf_putc(out, ')');
	}
	if (f->n_other_part > 0)
		buf_printf(out, ", %lld in other parts", (long long)f->n_other_part);
	if (f->n_not_sampled > 0)
		buf_printf(out, ", %lld not in the sample", (long long)f->n_not_sampled);
}

void
filter_summary(const struct filter *f, struct buf *out)
{
	buf_printf(out, "%lld record%s read, %lld written, ", (long long)f->n_in, human_s(f->n_in),
		(long long)f->n_out);
	filter_rejected(f, out);
	if (f->n_cut > 0)
		buf_printf(out, ", %lld cut", (long long)f->n_cut);
	if (f->n_in == 0)
		buf_puts(out, ": the input is empty");
}

void
filter_close(struct filter *f)
{
	input_close(f->in);
	if (f->rejects)
		fclose(f->rejects);
	buf_free(&f->line);
	id_watch_free(&f->ids);
	tally_free(&f->tally);
	*f = (struct filter){0};
}
