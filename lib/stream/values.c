#include <string.h>

#include "lib/stream/input_impl.h"
#include "lib/stream/json.h"
#include "lib/stream/scan.h"
#include "lib/stream/sniff.h"

/* JSON values of an input: input_value. */

static bool
in_array(const struct input *in)
{
	return in->layout >= LAYOUT_FIRST && in->layout <= LAYOUT_NEXT;
}

/* Behind a line end at data[at]. */
static void
next_line(struct input *in, size_t at)
{
	in->pos = at + 1;
	in->row++;
	in->line_start = in->offset + (int64_t)in->pos;
	in->begins_line = true;
	in->lines += !in->counted && !in_array(in);
	in->counted = false;
}

/* Moves over what may stand between values: 1 on a byte, 0 at the end of the open file. */
static int
pass_blanks(struct input *in, struct err *e)
{
	for (;;) {
		while (in->pos < in->data.len) {
			char c = in->data.data[in->pos];
			if (c == '\n')
				next_line(in, in->pos);
			else if (c == ' ' || c == '\t' || c == '\r' || c == '\x1e')
				in->pos++;
			else
				return 1;
		}
		if (in->fd < 0 || in->eof)
			return 0;
		if (input_fill(in, e) < 0)
			return -1;
	}
}

/* The line end at or behind pos + from: its distance from pos, or that of the file's end. */
static int64_t
line_length(struct input *in, size_t from, struct err *e)
{
	for (;;) {
		size_t have = in->data.len - in->pos;
		const char *p = in->data.data + in->pos;
		const char *nl = have > from ? memchr(p + from, '\n', have - from) : NULL;
		if (nl || in->eof)
			return nl ? nl - p : (int64_t)have;
		if (have > INPUT_MAX_LINE) {
			err_set(e, ERR_DATA, "line longer than %d MiB", INPUT_MAX_LINE >> 20);
			return input_at(in, in->row + 1, e);
		}
		from = have;
		if (input_fill(in, e) < 0)
			return -1;
	}
}

/* Scans on from pos as far as it takes: 1 and -1 as scan_more, 0 at the file's end; -2 on error. */
static int
scan_on(struct input *in, struct scan *s, struct err *e)
{
	for (;;) {
		size_t have = in->data.len - in->pos;
		int rc = scan_more(s, in->data.data + in->pos, have);
		if (rc != 0 || in->eof)
			return rc;
		if (have > INPUT_MAX_LINE) {
			err_set(e, ERR_DATA, "a value longer than %d MiB", INPUT_MAX_LINE >> 20);
			input_at(in, in->row + 1, e);
			return -2;
		}
		if (input_fill(in, e) < 0)
			return -2;
	}
}

/* Parses n bytes at pos, and remembers them. */
static json_t *
parse(struct input *in, size_t n, struct err *e)
{
	const char *p = in->data.data + in->pos;
	int64_t line = in->row + 1;
	json_t *v = json_parse_at(
		p, n, &line, (int)(in->offset + (int64_t)in->pos - in->line_start) + 1, e);
	in->lineno = v ? in->row + 1 : line;
	in->text = in->pos;
	in->n_text = n > 0 && p[n - 1] == '\r' ? n - 1 : n;
	in->has_text = true;
	return v;
}

/* Takes n bytes, which are one value that does not end its line. */
static void
take(struct input *in, size_t n)
{
	size_t end = in->pos + n;
	in->lines++;
	in->counted = true;
	for (const char *nl; (nl = memchr(in->data.data + in->pos, '\n', end - in->pos));) {
		next_line(in, (size_t)(nl - in->data.data));
		in->counted = true;
	}
	in->pos = end;
	in->begins_line = false;
}

static int
result(struct input *in, json_t *v, json_t **out)
{
	in->skippable = v == NULL;
	*out = v;
	return v ? 1 : -1;
}

/* What comes is of no use up to a line that begins as this value did. */
static void
lose(struct input *in)
{
	in->lost = true;
	in->indent = in->offset + (int64_t)in->pos - in->line_start;
}

/* The line at pos begins with the indent and {, or with less and ], where an array ends: that byte;
 * 0 for other lines, -1 on error. */
static int
found(struct input *in, struct err *e)
{
	int64_t n = line_length(in, 0, e), blanks = 0;
	if (n < 0)
		return -1;
	const char *p = in->data.data + in->pos;
	while (blanks < n && (p[blanks] == ' ' || p[blanks] == '\t'))
		blanks++;
	if (blanks == n)
		return 0;
	if (p[blanks] == '{' && blanks == in->indent)
		return '{';
	return in_array(in) && p[blanks] == ']' && blanks < in->indent + (in->indent == 0) ? ']'
											   : 0;
}

static int
pass_lost(struct input *in, struct err *e)
{
	for (int c = 0; c == 0;) {
		int64_t n = line_length(in, 0, e);
		if (n < 0)
			return -1;
		in->pos += (size_t)n;
		if (in->pos == in->data.len)
			break; /* the file's end */
		next_line(in, in->pos);
		if ((c = found(in, e)) < 0)
			return -1;
		if (in_array(in))
			in->layout = c == ']' ? LAYOUT_NEXT : LAYOUT_ELEMENT;
	}
	if (in->pos == in->data.len && in->eof)
		in->layout = LAYOUT_LINES;
	in->lost = false;
	return 0;
}

/*
 * A value that goes on behind its line.  When what follows cannot be its rest, it is one bad line,
 * unless the following ones look like a part of it.
 */
static int
read_long(struct input *in, struct scan *s, size_t first_line, json_t **v, struct err *e)
{
	int rc = scan_on(in, s, e);
	if (rc == -2)
		return -1;
	if (rc > 0) {
		*v = parse(in, s->at, e);
		take(in, s->at);
		return result(in, *v, v);
	}
	const char *p = in->data.data + in->pos;
	bool alone = rc < 0 && p[s->at] == '{' && p[s->at - 1] == '\n';
	if (rc == 0) { /* nothing but blanks behind the first line */
		alone = true;
		for (size_t i = first_line; i < s->at; i++)
			alone = alone && strchr(" \t\r\n", p[i]) && p[i];
	}
	int64_t n = alone ? (int64_t)first_line : line_length(in, s->at, e);
	if (n < 0)
		return -1;
	*v = parse(in, (size_t)n, e);
	lose(in);
	in->lines++;
	in->counted = true;
	return result(in, *v, v);
}

/* Several values on a line: the first of n bytes, if what follows it begins another.  Else 0. */
static size_t
first_of_line(const struct scan *s, const char *p, size_t n)
{
	size_t i = s->at;
	while (i < n && strchr(" \t\r\x1e", p[i]) && p[i])
		i++;
	return i < n && p[i] == '{' ? s->at : 0;
}

/* The line at pos ends within LONG_LINE bytes: 1, 0; -1 on error. */
static int
is_short(struct input *in, struct err *e)
{
	enum { LONG_LINE = 1 << 20 };
	for (size_t from = 0;;) {
		size_t have = in->data.len - in->pos;
		if (in->eof || memchr(in->data.data + in->pos + from, '\n', have - from))
			return 1;
		if (have > LONG_LINE)
			return 0;
		from = have;
		if (input_fill(in, e) < 0)
			return -1;
	}
}

/*
 * One of many values on a line, whose end may be far (some systems write streams without a line
 * end), is read without looking for it: 1 or -1 as input_value, 0 when the line must tell.
 */
static int
read_ahead(struct input *in, json_t **v, struct err *e)
{
	struct scan s;
	scan_init(&s);
	int rc = scan_on(in, &s, e);
	if (rc <= 0)
		return rc == -2 ? -1 : 0;
	size_t i = s.at;
	for (;;) {
		if (in->pos + i < in->data.len) {
			char c = in->data.data[in->pos + i++];
			if (c == '{' || c == '\n')
				break;
			if (c != ' ' && c != '\t' && c != '\r' && c != '\x1e')
				return 0;
		} else if (in->eof) {
			break;
		} else if (input_fill(in, e) < 0) {
			return -1;
		}
	}
	*v = parse(in, s.at, e);
	take(in, s.at);
	return result(in, *v, v);
}

static int
read_line(struct input *in, json_t **v, struct err *e)
{
	bool first = in->layout == LAYOUT_BEGIN;
	in->layout = LAYOUT_LINES;
	int rc = in->begins_line ? is_short(in, e) : 0;
	if (rc == 0)
		rc = read_ahead(in, v, e);
	else if (rc > 0)
		rc = 0;
	if (rc != 0)
		return rc;
	int64_t n = line_length(in, 0, e);
	if (n < 0)
		return -1;
	*v = parse(in, (size_t)n, e);
	if (*v == NULL) {
		struct scan s;
		scan_init(&s);
		rc = scan_more(&s, in->data.data + in->pos, (size_t)n);
		size_t one = rc > 0 ? first_of_line(&s, in->data.data + in->pos, (size_t)n) : 0;
		bool more = in->pos + (size_t)n < in->data.len;
		if (one > 0) {
			*v = parse(in, one, e);
			take(in, one);
			return result(in, *v, v);
		}
		if (rc == 0 && more && !scan_in_string(&s) && in->data.data[in->pos] == '{')
			return read_long(in, &s, (size_t)n, v, e);
		struct buf said = BUF_INIT;
		if (first && sniff_text(in->data.data + in->pos, in->data.len - in->pos, in->name,
				     &said))
			err_set(e, ERR_DATA, "%s", said.data);
		buf_free(&said);
	}
	in->pos += (size_t)n;
	if (in->pos < in->data.len) {
		in->lines += in->counted; /* another one on its line */
		next_line(in, in->pos);
	} else {
		in->lines++;
	}
	return result(in, *v, v);
}

static int
cut_short(struct input *in, struct err *e)
{
	in->layout = LAYOUT_LINES;
	err_set(e, ERR_DATA,
		"the array that begins on line %lld has no end: is the file cut short?",
		(long long)in->array_line);
	return input_at(in, in->row + 1, e);
}

/* An element that is no JSON: what is lost with it depends on how the array is written. */
static int
bad_element(struct input *in, const struct scan *s, json_t **v, struct err *e)
{
	int64_t n = line_length(in, s->at, e);
	if (n < 0)
		return -1;
	*v = parse(in, (size_t)n, e);
	if (*v) { /* not as an element, then */
		json_decref(*v);
		err_set(e, ERR_DATA, "JSON: neither , nor ] behind an element");
	}
	in->lines++;
	if (in->begins_line) {
		lose(in);
		return result(in, NULL, v);
	}
	in->layout = LAYOUT_LINES;
	*v = NULL;
	return input_at(in, in->lineno, e);
}

static int
read_element(struct input *in, json_t **v, struct err *e)
{
	struct scan s;
	scan_init(&s);
	int rc = scan_on(in, &s, e);
	if (rc == -2)
		return -1;
	if (rc < 0)
		return bad_element(in, &s, v, e);
	if (rc == 0)
		return cut_short(in, e);
	*v = parse(in, s.at, e);
	take(in, s.at);
	in->layout = LAYOUT_NEXT;
	return result(in, *v, v);
}

/* The first bytes of a file: a byte order mark is taken, what is no JSON at all is named. */
static int
start_file(struct input *in, struct err *e)
{
	struct buf said = BUF_INIT;
	while (!in->eof && !sniff_enough(in->data.data + in->pos, in->data.len - in->pos))
		if (input_fill(in, e) < 0)
			return -1;
	in->layout = LAYOUT_BEGIN;
	size_t have = in->data.len - in->pos;
	if (have == 0)
		return 0;
	const char *p = in->data.data + in->pos;
	if (have >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		in->pos += 3;
		in->line_start += 3;
	} else if (sniff_binary(p, have, in->name, &said)) {
		err_set(e, ERR_DATA, "%s: %s", in->name, said.data);
	}
	bool foreign = said.len > 0;
	buf_free(&said);
	return foreign ? -1 : 0;
}

/* One byte of an array's own, or an element: 2 when there was no value in it. */
static int
read_array(struct input *in, char c, json_t **v, struct err *e)
{
	if (c == ']' && in->layout != LAYOUT_ELEMENT) {
		in->layout = LAYOUT_AFTER;
		in->counted = true;
	} else if (c == ',' && in->layout == LAYOUT_NEXT) {
		in->layout = LAYOUT_ELEMENT;
	} else if (in->layout != LAYOUT_NEXT) {
		return read_element(in, v, e);
	} else {
		struct scan s;
		scan_init(&s);
		return bad_element(in, &s, v, e);
	}
	in->pos++;
	in->begins_line = in->begins_line && c != ']';
	return 2;
}

int
input_value(struct input *in, json_t **v, struct err *e)
{
	in->skippable = in->has_text = false;
	for (;;) {
		if ((in->layout == LAYOUT_START && in->fd >= 0 && start_file(in, e) < 0) ||
			(in->lost && pass_lost(in, e) < 0))
			return -1;
		int rc = pass_blanks(in, e);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			if (in_array(in))
				return cut_short(in, e);
			if ((rc = input_next_file(in, e)) <= 0)
				return rc;
			continue;
		}
		char c = in->data.data[in->pos];
		if (in_array(in)) {
			if ((rc = read_array(in, c, v, e)) != 2)
				return rc;
		} else if (c == '[' && (in->layout == LAYOUT_BEGIN || in->layout == LAYOUT_AFTER)) {
			if (in->layout == LAYOUT_BEGIN)
				in->lines -= in->row;
			in->layout = LAYOUT_FIRST;
			in->array_line = in->row + 1;
			in->pos++;
			in->begins_line = false;
		} else {
			return read_line(in, v, e);
		}
	}
}

bool
input_bad(const struct input *in)
{
	return in->skippable;
}

const char *
input_text(const struct input *in, size_t *n)
{
	*n = in->has_text ? in->n_text : 0;
	return in->has_text ? in->data.data + in->text : NULL;
}

int64_t
input_offset(const struct input *in)
{
	return in->offset + (int64_t)in->text;
}

bool
input_packed(const struct input *in)
{
	return in->fd >= 0 && in->unpack.kind != UNPACK_PLAIN;
}
