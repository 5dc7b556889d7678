#include "lib/stream/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/stream/input_impl.h"
#include "lib/stream/scan.h"

static bool
is_stdin(const struct input *in, int i)
{
	return in->n_files == 0 || strcmp(in->files[i], "-") == 0;
}

/* Bytes of all inputs that are still to be read; -1 when one of them is no regular file. */
static int64_t
sum_sizes(const struct input *in)
{
	int64_t sum = 0;
	for (int i = 0; i == 0 || i < in->n_files; i++) {
		struct stat st;
		bool piped = is_stdin(in, i);
		if ((piped ? fstat(STDIN_FILENO, &st) : stat(in->files[i], &st)) < 0 ||
			!S_ISREG(st.st_mode))
			return -1;
		off_t at = piped ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;
		sum += at > 0 && at <= st.st_size ? st.st_size - at : st.st_size;
	}
	return sum;
}

struct input *
input_open(const char *const *files, int n)
{
	struct input *in = x_calloc(1, sizeof *in);
	in->files = files;
	in->n_files = n;
	in->fd = -1;
	in->name = "stdin";
	in->total = sum_sizes(in);
	return in;
}

static void
close_file(struct input *in)
{
	if (in->fd < 0)
		return;
	in->done += in->unpack.done;
	unpack_free(&in->unpack);
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
}

/* A name of the form owner/name is what data sets of a hub have. */
static const char *
hint(const char *name)
{
	const char *slash = strchr(name, '/');
	bool hub = errno == ENOENT && slash && slash > name && *name != '.' && slash[1] &&
		   !strpbrk(slash + 1, "/.");
	return hub ? " (a data set of a hub? nothing is downloaded here: fetch its files first)"
		   : "";
}

int
input_next_file(struct input *in, struct err *e)
{
	int i = in->next_file, n = in->n_files > 0 ? in->n_files : 1;
	struct stat st;
	close_file(in);
	if (i >= n)
		return 0;
	in->next_file++;
	in->name = is_stdin(in, i) ? "stdin" : in->files[i];
	in->lineno = in->row = in->offset = in->line_start = 0;
	in->layout = LAYOUT_START;
	in->begins_line = true;
	in->counted = in->lost = in->has_text = in->eof = false;
	in->data.len = in->pos = 0;
	buf_reserve(&in->data, INPUT_CHUNK); /* data[0] can be looked at */
	in->fd = is_stdin(in, i) ? STDIN_FILENO : open(in->name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return err_set(e, errno == EINTR ? ERR_TEMPFAIL : ERR_NOINPUT, "%s: %s%s", in->name,
			strerror(errno), hint(in->name));
	unpack_init(&in->unpack, in->fd);
	if ((fcntl(in->fd, F_GETFL) & O_ACCMODE) == O_WRONLY) /* see base/streams.h */
		return err_set(e, ERR_NOINPUT, "%s: is closed", in->name);
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOINPUT,
			"%s: is a directory; name the files in it, as %s/*.jsonl does", in->name,
			in->name);
	return 1;
}

int
input_at(const struct input *in, int64_t line, struct err *e)
{
	return err_prefix(e, "%s:%lld", in->name, (long long)line);
}

int
input_fill(struct input *in, struct err *e)
{
	if (in->late.code) {
		*e = in->late;
		in->late.code = 0;
		return -1;
	}
	if (in->pos > 0) {
		memmove(in->data.data, in->data.data + in->pos, in->data.len - in->pos);
		in->data.len -= in->pos;
		in->offset += (int64_t)in->pos;
		in->pos = 0;
	}
	buf_reserve(&in->data, INPUT_CHUNK);
	int64_t got =
		unpack_read(&in->unpack, in->data.data + in->data.len, INPUT_CHUNK, &in->eof, e);
	if (got < 0)
		return e->code == ERR_DATA ? input_at(in, in->row + 1, e)
					   : err_prefix(e, "%s", in->name);
	in->data.len += (size_t)got;
	return 0;
}

/* Stands on a byte: 1; at the end of all files: 0. */
static int
ready(struct input *in, struct err *e)
{
	while (in->pos == in->data.len) {
		if (in->fd < 0 || in->eof) {
			int rc = input_next_file(in, e);
			if (rc <= 0)
				return rc;
		}
		if (input_fill(in, e) < 0)
			return -1;
	}
	return 1;
}

int
input_line(struct input *in, const char **line, size_t *n, struct err *e)
{
	int rc = ready(in, e);
	if (rc <= 0)
		return rc;
	size_t seen = 0;
	for (;;) {
		char *start = in->data.data + in->pos;
		size_t have = in->data.len - in->pos;
		char *nl = memchr(start + seen, '\n', have - seen);
		if (nl || in->eof) {
			*line = start;
			*n = nl ? (size_t)(nl - start) : have;
			in->pos += *n + (nl != NULL);
			in->lineno = in->row + 1;
			in->row += nl != NULL;
			in->lines++;
			return 1;
		}
		if (have > INPUT_MAX_LINE)
			return err_set(e, ERR_DATA, "%s:%lld: line longer than %d MiB", in->name,
				(long long)in->row + 1, INPUT_MAX_LINE >> 20);
		seen = have;
		if (input_fill(in, e) < 0)
			return -1;
	}
}

/* What is there of the open file has a whole line (looking from *seen on), or an element. */
static bool
has_next(const struct input *in, size_t *seen)
{
	const char *p = in->data.data + in->pos;
	size_t have = in->data.len - in->pos;
	if (in->layout >= LAYOUT_FIRST && in->layout <= LAYOUT_NEXT && !in->lost) {
		struct scan s;
		size_t i = 0;
		while (i < have && strchr(" \t\r\n,", p[i]) && p[i])
			i++;
		scan_init(&s);
		return i < have && scan_more(&s, p + i, have - i) != 0;
	}
	bool line = have > *seen && memchr(p + *seen, '\n', have - *seen);
	*seen = have;
	return line;
}

int
input_ready(struct input *in)
{
	size_t seen = 0;
	while (in->fd >= 0 && !in->eof && in->late.code == 0) {
		if (in->data.len - in->pos > INPUT_MAX_LINE || has_next(in, &seen))
			return 1;
		if (!unpack_ready(&in->unpack))
			return 0;
		if (input_fill(in, &in->late) < 0)
			break;
	}
	return 1;
}

int64_t
input_peek(struct input *in, const char **p, size_t n, struct err *e)
{
	int rc = ready(in, e);
	if (rc < 0)
		return -1;
	while (rc > 0 && in->data.len - in->pos < n && !in->eof)
		if (input_fill(in, e) < 0)
			return -1;
	size_t have = in->data.len - in->pos;
	*p = have ? in->data.data + in->pos : "";
	return (int64_t)(have < n ? have : n);
}

int
input_bytes(struct input *in, void *p, size_t n, struct err *e)
{
	int rc = ready(in, e);
	if (rc <= 0)
		return rc;
	for (size_t done = 0; done < n;) {
		size_t have = in->data.len - in->pos, take = have < n - done ? have : n - done;
		memcpy((char *)p + done, in->data.data + in->pos, take);
		in->pos += take;
		done += take;
		if (done == n)
			break;
		if (in->eof)
			return err_set(e, ERR_DATA, "truncated: %zu bytes missing", n - done);
		if (input_fill(in, e) < 0)
			return -1;
	}
	return 1;
}

const char *
input_file(const struct input *in)
{
	return in->name;
}

int64_t
input_lineno(const struct input *in)
{
	return in->lineno;
}

int64_t
input_lines(const struct input *in)
{
	return in->lines;
}

int64_t
input_bytes_done(const struct input *in)
{
	if (in->fd < 0)
		return in->done;
	const struct unpack *u = &in->unpack;
	double text = (double)in->offset + (double)in->data.len; /* that came out so far */
	double taken = (double)in->offset + (double)in->pos;
	double raw = (double)(u->done - (int64_t)(u->n - u->at));
	return in->done + (text > 0 ? (int64_t)(raw * (taken / text) + 0.5) : 0);
}

int64_t
input_bytes_total(const struct input *in)
{
	return in->total;
}

void
input_close(struct input *in)
{
	if (in == NULL)
		return;
	close_file(in);
	buf_free(&in->data);
	free(in);
}
