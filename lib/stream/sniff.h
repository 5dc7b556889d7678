#ifndef PRO_STREAM_SNIFF_H
#define PRO_STREAM_SNIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/mem.h"

/*
 * What a file is that is no JSON, by its first bytes p [n]; name: the file's, for the command that
 * makes JSON Lines of it ("stdin" stands for FILE).  Appends "is X: way out" to out.
 *
 * sniff_binary: formats with a mark of their own, and text in UTF-16 or UTF-32: such a file is
 * refused whole.  sniff_text: text that does not begin as JSON does, as far as it can be told
 * from one bad line (CSV, YAML ...); false and nothing appended when it cannot.
 */
/* n bytes are enough for both: however a file's bytes come in pieces, it is told alike. */
bool sniff_enough(const char *p, size_t n);
bool sniff_binary(const char *p, size_t n, const char *name, struct buf *out);
bool sniff_text(const char *p, size_t n, const char *name, struct buf *out);

#endif
