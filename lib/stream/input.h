#ifndef PRO_STREAM_INPUT_H
#define PRO_STREAM_INPUT_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * The bytes of FILE... or of stdin ("-", or no operand), one after the other; gzip (zlib) is told
 * by its first two bytes and unpacked on the way.  Reads go straight to read(2), so a line is seen
 * as soon as an upstream program has written it.
 */
struct input; /* opaque */

/* files [n] must outlive the input.  n 0: stdin.  Files are opened when their turn comes. */
struct input *input_open(const char *const *files, int n);
/*
 * Next line without its newline: 1 and *line (valid until the next call), 0 at the end, -1 on error
 * (ERR_NOINPUT, ERR_IO, ERR_DATA for broken gzip or a line above 256 MiB).  A last line without
 * newline counts.  EINTR after a caught signal returns -1 with ERR_TEMPFAIL.
 */
int input_line(struct input *in, const char **line, size_t *n, struct err *e);
/* Reads exactly n bytes across buffers: 1, 0 at a clean end before the first byte, -1 (short:
 * ERR_DATA). */
int input_bytes(struct input *in, void *p, size_t n, struct err *e);
/* Looks at up to n bytes without taking them; fewer only at the end.  -1 on error, else the count.
 */
int64_t input_peek(struct input *in, const char **p, size_t n, struct err *e);
/*
 * Takes what can be read without waiting: 1 when input_line would return at once (a line, the end
 * or a mistake), 0 when it would wait for an upstream program.  *line of before is gone.
 */
int input_ready(struct input *in);
/* Where we are, for messages: the file's name ("stdin" for standard input) and the line last read.
 */
const char *input_file(const struct input *in);
int64_t input_lineno(const struct input *in);
/* Lines read so far of all files together. */
int64_t input_lines(const struct input *in);
/*
 * For a share done and the time left: the bytes read of all files so far, as they lie on the disk
 * (of a compressed file the compressed ones), and how many there are in all.  The total is -1
 * unless every input is a plain regular file; a file that grows or shrinks meanwhile makes it
 * wrong.
 */
int64_t input_bytes_done(const struct input *in);
int64_t input_bytes_total(const struct input *in);
void input_close(struct input *in);

#endif
