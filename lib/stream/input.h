#ifndef PRO_STREAM_INPUT_H
#define PRO_STREAM_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * The bytes of FILE... or of stdin ("-", or no operand), one after the other; gzip and zstd are
 * told by their first bytes and unpacked on the way (lib/stream/unpack.h).  Reads go straight to
 * read(2), so a line is seen as soon as an upstream program has written it.
 */
struct input; /* opaque */

/* files [n] must outlive the input.  n 0: stdin.  Files are opened when their turn comes. */
struct input *input_open(const char *const *files, int n);
/*
 * Next line without its newline: 1 and *line (valid until the next call), 0 at the end, -1 on error
 * (ERR_NOINPUT, ERR_IO, ERR_DATA for what cannot be unpacked or a line above 256 MiB).  A last line
 * without newline counts.  EINTR after a caught signal returns -1 with ERR_TEMPFAIL.
 */
int input_line(struct input *in, const char **line, size_t *n, struct err *e);
/*
 * Next JSON value, which is the caller's: 1, 0 at the end, -1 on error.  However values lie in a
 * file they are the same: one a line (blank lines between them count as lines); over several lines,
 * or several on a line; or as the elements of an array, which is told by the [ that a file begins
 * with and is read element by element.  A byte order mark of UTF-8, and the record separators of
 * RFC 7464, are passed over.
 *
 * ERR_DATA, when input_bad: one value is no JSON (the message has no file and line; input_file and
 * input_lineno have), and the next call goes on behind it.  Else the message has the place and the
 * rest of the file cannot be read: what input_line says; an array that is cut short; a file that is
 * something else (sniff_binary), named with a way out.
 */
int input_value(struct input *in, json_t **v, struct err *e);
bool input_bad(const struct input *in);
/* The bytes of the value last read or refused, valid until the next call; NULL: none. */
const char *input_text(const struct input *in, size_t *n);
/* Where they lie in the file's unpacked text. */
int64_t input_offset(const struct input *in);
/* The open file is packed. */
bool input_packed(const struct input *in);
/* Reads exactly n bytes across buffers: 1, 0 at a clean end before the first byte, -1 (short:
 * ERR_DATA). */
int input_bytes(struct input *in, void *p, size_t n, struct err *e);
/* Looks at up to n bytes without taking them; fewer only at the end.  -1 on error, else the count.
 */
int64_t input_peek(struct input *in, const char **p, size_t n, struct err *e);
/*
 * Takes what can be read without waiting: 1 when input_line or input_value would return at once (a
 * line, an element, the end or a mistake; a value over several lines may wait for their rest), 0
 * when it would wait for an upstream program.  *line of before is gone.
 */
int input_ready(struct input *in);
/* Where we are, for messages: the file's name ("stdin" for standard input), and the line last read,
 * or where the value last read begins (one that is no JSON: where it goes wrong). */
const char *input_file(const struct input *in);
int64_t input_lineno(const struct input *in);
/* Lines read so far of all files together.  A value of an array or over several lines counts as
 * one: as if each were on a line of its own. */
int64_t input_lines(const struct input *in);
/*
 * For a share done and the time left: the bytes of all files that what was handed out so far has,
 * as they lie on the disk (of a compressed file its share of the compressed ones that were read),
 * and how many there are in all: what was read ahead is not done.  The total is -1
 * unless every input is a plain regular file; a file that grows or shrinks meanwhile makes it
 * wrong.
 */
int64_t input_bytes_done(const struct input *in);
int64_t input_bytes_total(const struct input *in);
void input_close(struct input *in);

#endif
