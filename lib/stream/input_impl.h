#ifndef PRO_STREAM_INPUT_IMPL_H
#define PRO_STREAM_INPUT_IMPL_H

#include "lib/stream/input.h"
#include "lib/stream/unpack.h"

/* Between input.c, which knows files and bytes, and values.c, which knows JSON values in them. */

enum { INPUT_CHUNK = 64 << 10, INPUT_MAX_LINE = 256 << 20 };

/* Where input_value stands in the open file. */
enum layout {
	LAYOUT_START,   /* nothing was read of it */
	LAYOUT_BEGIN,   /* behind a byte order mark */
	LAYOUT_LINES,   /* values after one another */
	LAYOUT_FIRST,   /* behind the [ of an array */
	LAYOUT_ELEMENT, /* behind a comma of it */
	LAYOUT_NEXT,    /* behind an element */
	LAYOUT_AFTER,   /* behind the ] */
};

struct input {
	const char *const *files;
	int n_files, next_file;
	const char *name;
	int64_t lineno, lines; /* of what was read last, in this file; of all files */
	int64_t row;           /* line ends taken of this file */
	int64_t offset;        /* of data[0] in the unpacked text of this file */
	int64_t done, total;   /* bytes on the disk, of closed files; of all */
	int fd;                /* -1: none open */
	bool eof;              /* of the open file, unpacked */
	struct err late;       /* what input_ready met: the next fill fails by it */
	struct buf data;       /* bytes [pos, data.len) are ready */
	size_t pos;

	enum layout layout;
	int64_t array_line; /* where the array begins */
	int64_t line_start; /* offset of the line that pos is on */
	bool begins_line;   /* only blanks are before pos on it */
	bool counted;       /* its end does not count in lines any more */
	bool lost;          /* lines are passed over up to one that begins with indent, { */
	int64_t indent;
	bool skippable;      /* the last error was one of a value only */
	size_t text, n_text; /* the value last read is data [text, text + n_text) */
	bool has_text;

	struct unpack unpack;
};

/* 1: the next file is open, 0: there is none. */
int input_next_file(struct input *in, struct err *e);
/* Some more bytes of the open file into data, or eof. */
int input_fill(struct input *in, struct err *e);
/* "file:line: " before the message; returns -1. */
int input_at(const struct input *in, int64_t line, struct err *e);

#endif
