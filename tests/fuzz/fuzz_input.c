/*
 * An input's bytes, packed or not.  The first byte, from 'A' on: what is read of it (values,
 * values with input_ready between them, lines, bytes), then how small the pieces are in which
 * it comes a second time, by a socket; what was read must be the same.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/stream/input.h"
#include "lib/stream/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUES, READY, LINES, BYTES };

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static bool
values(unsigned what)
{
	return what == VALUES || what == READY;
}

/* One step: what it gave, in words. */
static int
step(struct input *in, unsigned what, struct buf *said, struct err *e)
{
	const char *p = NULL;
	size_t n = 0;
	json_t *v = NULL;
	char bytes[7];
	if (what == READY)
		input_ready(in);
	int rc = what == LINES ? input_line(in, &p, &n, e)
		 : what == BYTES
			 ? (input_peek(in, &p, 5, e) < 0 ? -1
							 : input_bytes(in, bytes, sizeof bytes, e))
			 : input_value(in, &v, e);
	bool bad = values(what) && rc < 0 && input_bad(in);
	must(rc < 0 ? e->code == ERR_DATA && e->msg[0] != '\0' : !bad);
	buf_printf(said, "%d %d line %lld of %lld:", rc, bad, (long long)input_lineno(in),
		(long long)input_lines(in));
	if (values(what)) {
		p = input_text(in, &n);
		must(rc != 1 || (p && n > 0));
	} else if (what == BYTES && rc == 1) {
		p = bytes, n = sizeof bytes;
	}
	if (p && rc == 1)
		buf_put(said, p, n);
	if (v) {
		buf_puts(said, " is ");
		json_write(said, v);
		json_decref(v);
	}
	buf_putc(said, '\n');
	return bad ? 2 : rc;
}

/* A value's text is where input_offset says. */
static void
check_place(const struct input *in, const uint8_t *data, size_t size, int64_t *from)
{
	size_t n;
	const char *p = input_text(in, &n);
	if (p == NULL || input_packed(in))
		return;
	int64_t at = input_offset(in);
	must(at >= *from && at + (int64_t)n <= (int64_t)size);
	must(memcmp(data + at, p, n) == 0);
	*from = at;
}

/* false: it is packed and broken, which is met earlier or later. */
static bool
read_all(const char *name, unsigned what, const uint8_t *data, size_t size, struct buf *said)
{
	const char *files[] = {name};
	struct input *in = input_open(files, 1);
	struct err e = {0};
	int64_t from = 0;
	int rc;
	size_t whole = 0;
	for (size_t i = 0; (rc = step(in, what, said, &e)) > 0; i++) {
		whole = said->len;
		/* it ends; but a packed text may be longer than its bytes */
		must(i <= size + 1 || input_packed(in));
		if (values(what))
			check_place(in, data, size, &from);
		if (said->len > 4 << 20)
			break;
		e = (struct err){0};
	}
	bool broken = rc < 0 && input_packed(in);
	if (broken)
		said->len = whole;
	input_close(in);
	return !broken;
}

/* Standard input gives data in pieces: a packet a read(2). */
static void
feed(const uint8_t *data, size_t size, size_t piece)
{
	int fd[2];
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0);
	for (size_t at = 0, n; at < size; at += n) {
		n = piece < size - at ? piece : size - at;
		must(send(fd[1], data + at, n, MSG_DONTWAIT) == (ssize_t)n);
	}
	close(fd[1]);
	must(dup2(fd[0], STDIN_FILENO) == STDIN_FILENO);
	close(fd[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 64 << 10)
		return 0;
	unsigned what = (data[0] - (unsigned)'A') % 4, small = (data[0] - (unsigned)'A') / 4 % 8;
	size_t piece = (size_t)1 << small;
	data++, size--;
	if (piece < size / 128) /* a socket's buffer has no room for more packets */
		piece = size / 128 + 1;
	struct buf once = BUF_INIT, again = BUF_INIT;
	char name[32];
	int fd = memfd_create("input", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	bool ok = read_all(name, what, data, size, &once);
	feed(data, size, piece);
	must(read_all("-", what, data, size, &again) == ok);
	size_t n = ok || once.len < again.len ? once.len : again.len;
	must(!ok || once.len == again.len);
	must(n == 0 || memcmp(once.data, again.data, n) == 0);
	close(fd);
	buf_free(&once);
	buf_free(&again);
	return 0;
}
