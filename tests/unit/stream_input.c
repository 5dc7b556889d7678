#include "lib/stream/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <zlib.h>

#include "tests/test.h"

static char dir[] = "/tmp/pro-input-XXXXXX";

/* Path of a file with these bytes; the last 8 stay valid. */
static const char *
file_of(const void *p, size_t n)
{
	static char path[8][64];
	static int k;
	char *name = path[k++ % 8];
	snprintf(name, 64, "%s/%d", dir, k);
	FILE *f = fopen(name, "wb");
	if (n > 0)
		fwrite(p, 1, n, f);
	fclose(f);
	return name;
}

static size_t
gzip(const void *p, size_t n, char *out, size_t cap)
{
	z_stream z = {0};
	deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	z.next_in = (unsigned char *)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned)cap;
	deflate(&z, Z_FINISH);
	size_t used = cap - z.avail_out;
	deflateEnd(&z);
	return used;
}

/* All lines of the files joined by '|', then "!" and the message when it ends in an error. */
static const char *
lines_of(const char *const *files, int n_files, struct err *e)
{
	static struct buf b = BUF_INIT;
	struct input *in = input_open(files, n_files);
	const char *line;
	size_t n;
	int rc;
	buf_reset(&b);
	buf_puts(&b, "");
	while ((rc = input_line(in, &line, &n, e)) > 0) {
		buf_put(&b, line, n);
		buf_putc(&b, '|');
	}
	if (rc < 0)
		buf_printf(&b, "!%s", strrchr(e->msg, '/') ? strrchr(e->msg, '/') + 1 : e->msg);
	input_close(in);
	return b.data;
}

static const char *
lines_of_bytes(const void *p, size_t n, struct err *e)
{
	const char *f = file_of(p, n);
	return lines_of(&f, 1, e);
}

static void
test_lines(void)
{
	struct err e = {0};
	CHECK_STR(lines_of_bytes("", 0, &e), "");
	CHECK_STR(lines_of_bytes("a", 1, &e), "a|");
	CHECK_STR(lines_of_bytes("a\n", 2, &e), "a|");
	CHECK_STR(lines_of_bytes("\na\n\nb\r\n", 7, &e), "|a||b\r|");
	const char *two[] = {file_of("a\nb", 3), file_of("", 0), file_of("c\n", 2)};
	CHECK_STR(lines_of(two, 3, &e), "a|b|c|");
	const char *f = file_of("x\0y\nz", 5), *line;
	size_t n;
	struct input *in = input_open(&f, 1);
	CHECK(input_line(in, &line, &n, &e) == 1 && n == 3 && memcmp(line, "x\0y", 3) == 0);
	CHECK(input_lineno(in) == 1 && strcmp(input_file(in), f) == 0);
	CHECK(input_line(in, &line, &n, &e) == 1 && n == 1 && input_lineno(in) == 2);
	CHECK(input_line(in, &line, &n, &e) == 0 && input_line(in, &line, &n, &e) == 0);
	input_close(in);
}

static void
test_gzip_is_told_by_its_bytes(void)
{
	struct err e = {0};
	char z[1000];
	size_t n = gzip("one\ntwo\nth", 10, z, sizeof z);
	CHECK_STR(lines_of_bytes(z, n, &e), "one|two|th|");
	size_t all = n + gzip("ree\nfour\n", 9, z + n, sizeof z - n);
	CHECK_STR(lines_of_bytes(z, all, &e), "one|two|three|four|");
	memset(z + all, 0, 100); /* padding, as tapes and gzip(1) know it */
	CHECK_STR(lines_of_bytes(z, all + 100, &e), "one|two|three|four|");
	n = gzip("", 0, z, sizeof z);
	CHECK_STR(lines_of_bytes(z, n, &e), "");
	CHECK_STR(lines_of_bytes("\x1f", 1, &e), "\x1f|");
	CHECK_STR(lines_of_bytes("\x1fz", 2, &e), "\x1fz|");
}

static void
test_broken_gzip_is_an_error(void)
{
	struct err e = {0};
	char z[1000], text[3000];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 50 == 49 ? '\n' : (char)('a' + (i * i + i / 7) % 26);
	size_t n = gzip(text, 400, z, sizeof z);
	for (size_t cut = 2; cut < n; cut++) {
		const char *got = lines_of_bytes(z, cut, &e);
		CHECK(strstr(got, "truncated gzip") && e.code == ERR_DATA);
	}
	z[n / 2] ^= 0x55;
	CHECK(strstr(lines_of_bytes(z, n, &e), "gzip") && e.code == ERR_DATA);
	n = gzip("a\n", 2, z, sizeof z);
	memcpy(z + n, "garbage", 7);
	CHECK(strstr(lines_of_bytes(z, n + 7, &e), "broken gzip") && e.code == ERR_DATA);
	z[n - 8] ^= 1; /* the checksum */
	CHECK(strstr(lines_of_bytes(z, n, &e), "incorrect data check"));
}

static void
test_long_lines(void)
{
	struct err e = {0};
	size_t n = 3000001;
	char *s = malloc(n), *line;
	memset(s, 'x', n);
	s[1000000] = s[2999999] = '\n';
	const char *f = file_of(s, n);
	struct input *in = input_open(&f, 1);
	size_t len;
	CHECK(input_line(in, (const char **)&line, &len, &e) == 1 && len == 1000000);
	CHECK(input_line(in, (const char **)&line, &len, &e) == 1 && len == 1999998);
	CHECK(input_line(in, (const char **)&line, &len, &e) == 1 && len == 1 && *line == 'x');
	CHECK(input_line(in, (const char **)&line, &len, &e) == 0);
	input_close(in);
	free(s);
	/* a sparse file is one line of NULs, beyond any limit */
	f = file_of("", 0);
	CHECK(truncate(f, 300l << 20) == 0);
	in = input_open(&f, 1);
	CHECK(input_line(in, (const char **)&line, &len, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, ":1: line longer than 256 MiB") != NULL);
	input_close(in);
	unlink(f);
}

static void
test_peek_and_bytes(void)
{
	struct err e = {0};
	char got[8] = "";
	const char *f[] = {file_of("", 0), file_of("abcdef\n", 7), file_of("gh", 2)}, *p;
	struct input *in = input_open(f, 3);
	CHECK(input_peek(in, &p, 3, &e) == 3 && memcmp(p, "abc", 3) == 0);
	CHECK(input_peek(in, &p, 100, &e) == 7);
	CHECK(input_bytes(in, got, 2, &e) == 1 && memcmp(got, "ab", 2) == 0);
	CHECK(input_peek(in, &p, 1, &e) == 1 && *p == 'c');
	CHECK(input_bytes(in, got, 5, &e) == 1 && memcmp(got, "cdef\n", 5) == 0);
	CHECK(input_bytes(in, got, 3, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "truncated: 1 bytes missing") != NULL);
	CHECK(input_bytes(in, got, 3, &e) == 0);
	CHECK(input_peek(in, &p, 3, &e) == 0);
	input_close(in);
}

static void
test_files_that_cannot_be_read(void)
{
	struct err e = {0};
	const char *f[] = {file_of("a\n", 2), "/nonexistent/file"};
	CHECK_STR(lines_of(f, 2, &e), "a|!file: No such file or directory");
	CHECK(e.code == ERR_NOINPUT);
	f[1] = dir;
	CHECK(lines_of(f, 2, &e) && strstr(e.msg, ": is a directory; name the files in it"));
	CHECK(e.code == ERR_NOINPUT);
	f[1] = "owner/data";
	CHECK(lines_of(f, 2, &e) && strstr(e.msg, "(a data set of a hub? nothing is downloaded"));
}

/* A line is there as soon as it was written, without waiting for more. */
static void
test_a_pipe_is_read_as_it_comes(void)
{
	struct err e = {0};
	int fd[2], keep = dup(0);
	const char *line;
	size_t n;
	CHECK(pipe(fd) == 0);
	dup2(fd[0], 0);
	struct input *in = input_open(NULL, 0);
	CHECK(write(fd[1], "first\nsec", 9) == 9);
	CHECK(input_line(in, &line, &n, &e) == 1 && n == 5);
	CHECK(write(fd[1], "ond\n", 4) == 4);
	CHECK(input_line(in, &line, &n, &e) == 1 && n == 6 && memcmp(line, "second", 6) == 0);
	CHECK_STR(input_file(in), "stdin");
	close(fd[1]);
	CHECK(input_line(in, &line, &n, &e) == 0);
	input_close(in);
	dup2(keep, 0);
	close(keep);
	close(fd[0]);
}

static void
test_bytes_done(void)
{
	struct err e = {0};
	char z[1000], text[200], *line;
	size_t len, n;
	memset(text, 'x', sizeof text);
	text[9] = text[99] = '\n';
	n = gzip(text, sizeof text, z, sizeof z);
	const char *f[] = {file_of(text, sizeof text), file_of(z, n), "/dev/null"};
	struct input *in = input_open(f, 2);
	CHECK(input_bytes_total(in) == (int64_t)(sizeof text + n) && input_bytes_done(in) == 0);
	CHECK(input_line(in, (const char **)&line, &len, &e) == 1);
	CHECK(input_bytes_done(in) == 10); /* not what was read ahead */
	CHECK(input_line(in, (const char **)&line, &len, &e) == 1 && input_bytes_done(in) == 100);
	while (input_line(in, (const char **)&line, &len, &e) > 0)
		;
	CHECK(input_bytes_done(in) == input_bytes_total(in)); /* the compressed ones */
	input_close(in);
	in = input_open(f, 3); /* a device has no size to go by */
	CHECK(input_bytes_total(in) == -1);
	input_close(in);
	int keep = dup(0), fd = open(f[0], O_RDONLY);
	dup2(fd, 0);
	CHECK(lseek(0, 150, SEEK_SET) == 150); /* somebody has read a part */
	in = input_open(NULL, 0);
	CHECK(input_bytes_total(in) == 50);
	input_close(in);
	dup2(keep, 0);
	close(keep);
	close(fd);
}

int
main(void)
{
	if (!mkdtemp(dir))
		return 1;
	RUN(test_lines);
	RUN(test_gzip_is_told_by_its_bytes);
	RUN(test_broken_gzip_is_an_error);
	RUN(test_long_lines);
	RUN(test_peek_and_bytes);
	RUN(test_files_that_cannot_be_read);
	RUN(test_a_pipe_is_read_as_it_comes);
	RUN(test_bytes_done);
	char cmd[64];
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	if (system(cmd) != 0)
		return 1;
	TEST_END;
}
