#include <sys/socket.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "lib/stream/input.h"
#include "lib/stream/json.h"
#include "lib/stream/scan.h"
#include "tests/test.h"

static char dir[] = "/tmp/pro-values-XXXXXX";

static const char *
file_of(const char *name, const void *p, size_t n)
{
	static char path[4][128];
	static int k;
	snprintf(path[++k % 4], sizeof *path, "%s/%s", dir, name);
	FILE *f = fopen(path[k % 4], "wb");
	if (n > 0)
		fwrite(p, 1, n, f);
	fclose(f);
	return path[k % 4];
}

/*
 * All values of a file as "LINE:VALUE|", one that is no JSON as "LINE!message|" and on, the end of
 * it all as "!!message"; and how many lines it says it has read.
 */
static const char *
values_of_file(const char *const *f, int n_files)
{
	static struct buf b;
	struct err e = {0};
	struct input *in = input_open(f, n_files);
	json_t *v;
	int rc, steps = 0;
	buf_reset(&b);
	buf_puts(&b, "");
	while ((rc = input_value(in, &v, &e)) != 0 && ++steps < 1000) {
		if (rc < 0 && !input_bad(in)) {
			size_t skip = strncmp(e.msg, dir, strlen(dir)) ? 0 : strlen(dir) + 1;
			buf_printf(&b, "!!%s", e.msg + skip);
			break;
		}
		buf_printf(&b, "%lld%s", (long long)input_lineno(in), rc > 0 ? ":" : "!");
		if (rc > 0)
			json_write(&b, v);
		else
			buf_puts(&b, e.msg);
		buf_putc(&b, '|');
		if (rc > 0) {
			/* what it says it has read is what it has read */
			size_t n;
			const char *text = input_text(in, &n);
			json_t *again = json_parse(text, n, NULL);
			CHECK(again && json_equal(v, again));
			json_decref(again);
			json_decref(v);
		}
	}
	buf_printf(&b, "#%lld", (long long)input_lines(in));
	input_close(in);
	return b.data;
}

static const char *
values_of(const char *text)
{
	const char *f = file_of("in", text, strlen(text));
	return values_of_file(&f, 1);
}

static void
test_layouts_are_alike(void)
{
	CHECK_STR(values_of(""), "#0");
	CHECK_STR(values_of("[]"), "#0");
	CHECK_STR(values_of(" \n[ \n ]\n"), "#0");
	CHECK_STR(values_of("{\"a\":1}\n{\"a\":2}"), "1:{\"a\":1}|2:{\"a\":2}|#2");
	CHECK_STR(values_of("\xef\xbb\xbf{\"a\":1}\r\n\r\n \t{\"a\":2}\r\n"),
		"1:{\"a\":1}|3:{\"a\":2}|#3");
	CHECK_STR(values_of("[{\"a\":1},{\"a\":2}]"), "1:{\"a\":1}|1:{\"a\":2}|#2");
	CHECK_STR(values_of("\xef\xbb\xbf\n[\r\n {\"a\":1},\r\n {\"a\":\r\n2}\r\n]\r\n"),
		"3:{\"a\":1}|4:{\"a\":2}|#2");
	CHECK_STR(values_of("{\n  \"a\": 1\n}\n{\n  \"a\": [\n    {\"b\": \"}\"}\n  ]\n}\n"),
		"1:{\"a\":1}|4:{\"a\":[{\"b\":\"}\"}]}|#2");
	/* as Python's json.dumps(indent=0) has it: braces at the line's begin are no sign */
	CHECK_STR(values_of("{\n\"a\": [\n{\n\"b\": 1\n},\n{\n}\n]\n}\n{\"c\":1}\n"),
		"1:{\"a\":[{\"b\":1},{}]}|10:{\"c\":1}|#2");
	CHECK_STR(values_of("{\"a\":1}{\"a\":2} {\"a\":3}\n{\"a\":4}\n"),
		"1:{\"a\":1}|1:{\"a\":2}|1:{\"a\":3}|2:{\"a\":4}|#4");
	CHECK_STR(values_of("{\n\"a\":1}{\"a\":\n2}\n\n"), "1:{\"a\":1}|2:{\"a\":2}|#3");
	CHECK_STR(values_of("\x1e{\"a\":1}\n\x1e{\"a\":2}\n"), "1:{\"a\":1}|2:{\"a\":2}|#2");
	CHECK_STR(values_of("[1,\"x\",[2],null]"), "1:1|1:\"x\"|1:[2]|1:null|#4");
	CHECK_STR(values_of("[1]\n[2]\n"), "1:1|2:2|#2"); /* arrays after one another */
	CHECK_STR(values_of("[1]\n{\"a\":2}\n"), "1:1|2:{\"a\":2}|#2");
	CHECK_STR(values_of("{\"a\":1}\n[1]\n"), "1:{\"a\":1}|2:[1]|#2"); /* not the file's */
}

static void
test_files_of_all_kinds(void)
{
	const char *f[] = {
		file_of("a", "[1,\n2]", 6), file_of("b", "", 0), file_of("c", "{\"a\":1}", 7)};
	CHECK_STR(values_of_file(f, 3), "1:1|2:2|1:{\"a\":1}|#3");
	f[0] = file_of("a", "[1,\n2", 5);
	CHECK_STR(values_of_file(f, 3),
		"1:1|!!a:2: the array that begins on line 1 has no end: is the file cut short?#1");
	f[0] = file_of("a", "[1,\n2,\n\n", 8);
	CHECK_STR(values_of_file(f, 1), "1:1|2:2|!!a:4: the array that begins on line 1 has no "
					"end: is the file cut short?#2");
}

static void
test_a_bad_line_is_one(void)
{
	CHECK_STR(values_of("{\"a\":1}\nx\n{\"a\":2}\n"),
		"1:{\"a\":1}|2!JSON: column 1: invalid token near 'x'|3:{\"a\":2}|#3");
	/* cut in a string, behind a comma, where an object could come, at a colon */
	static const char *const cut[] = {"{\"a\":\"x", "{\"a\":1,", "{\"a\":[", "{\"a\":", "{"};
	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
		char text[200];
		snprintf(text, sizeof text, "%s\n{\"b\":2}\n{\"b\":3}\n", cut[i]);
		const char *got = values_of(text);
		CHECK(strstr(got, "!JSON: ") == got + 1);
		CHECK(strstr(got, "|2:{\"b\":2}|3:{\"b\":3}|#3") != NULL);
		snprintf(text, sizeof text, "{\"b\":2}\n%s", cut[i]);
		got = values_of(text);
		CHECK(strstr(got, "1:{\"b\":2}|2!JSON: ") == got && strstr(got, "|#2"));
	}
	CHECK_STR(values_of("{\"a\":1}\n[1,2\n{\"a\":2}\n"),
		"1:{\"a\":1}|2!JSON: column 4: ']' expected near end of file|3:{\"a\":2}|#3");
	CHECK_STR(values_of("{\"a\":1} x\n{\"a\":2}\n"),
		"1!JSON: column 9: end of file expected near 'x'|2:{\"a\":2}|#2");
	CHECK_STR(values_of("{\"a\":1,\"a\":2}{\"a\":3}\n"),
		"1!JSON: column 10: duplicate object key near '\"a\"'|1:{\"a\":3}|#2");
}

static void
test_a_bad_value_over_lines(void)
{
	/* the place is named, and it goes on at the next one that begins as it did */
	CHECK_STR(values_of("{\n \"a\": 1\n \"b\": 2\n}\n{\n \"a\": 3\n}\n"),
		"3!JSON: column 4: '}' expected near '\"b\"'|5:{\"a\":3}|#5");
	CHECK_STR(values_of("{\n \"a\": tru\n}\n{\n \"a\": 3\n}\n"),
		"2!JSON: column 9: invalid token near 'tru'|4:{\"a\":3}|#2");
	CHECK_STR(values_of("{\n \"a\": 1,\n"),
		"3!JSON: column 0: string or '}' expected near end of file|#2");
}

static void
test_a_bad_element(void)
{
	/* what brackets tell is passed over alone */
	CHECK_STR(values_of("[{\"a\":tru},{\"a\":2}]"),
		"1!JSON: column 9: invalid token near 'tru'|1:{\"a\":2}|#2");
	CHECK_STR(values_of("[\n {\"a\":1,\"a\":1},\n {\"a\":2}\n]"),
		"2!JSON: column 11: duplicate object key near '\"a\"'|3:{\"a\":2}|#2");
	/* else up to a line that begins alike */
	CHECK_STR(
		values_of(
			"[\n {\"a\":\"x,\n {\"a\":2},\n {\"a\":[\n ],\n {\"a\":3}\n]\n{\"b\":1}\n"),
		"2!JSON: column 9: premature end of input near '\"x,'|3:{\"a\":2}|6!JSON: column "
		"2: "
		"string or '}' expected near '{'|6:{\"a\":3}|8:{\"b\":1}|#5");
	CHECK_STR(values_of("[\n  {\n    \"a\" 1\n  },\n  {\n    \"a\": 2\n  }\n]\n"),
		"3!JSON: column 9: ':' expected near '1'|5:{\"a\":2}|#2");
	CHECK_STR(values_of("[\n{\"a\":1}\n{\"a\":2}\n,{\"a\":3}\n,{\"a\":4}]"),
		"2:{\"a\":1}|3!JSON: neither , nor ] behind an element|#2");
	CHECK_STR(values_of("[\n{\"a\":1,\n]"),
		"3!JSON: column 1: string or '}' expected near ']'|#1");
	/* where nothing begins a line there is no way to go on */
	CHECK_STR(values_of("[{\"a\":1,{\"a\":2}]\n{\"b\":1}\n"),
		"!!in:1: JSON: column 9: string or '}' expected near '{'#1");
	CHECK_STR(values_of("[1,]"), "1:1|!!in:1: JSON: column 4: unexpected token near ']'#2");
}

static void
test_packed(void)
{
	static const char text[] = "[{\"a\":1},\n{\"a\":2}]";
	char z[1000];
	size_t n = ZSTD_compress(z, sizeof z, text, sizeof text - 1, 3);
	const char *f = file_of("z", z, n);
	CHECK_STR(values_of_file(&f, 1), "1:{\"a\":1}|2:{\"a\":2}|#2");
}

static void
test_foreign_files_are_named(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *say;
	} files[] = {
#define BYTES(b, say) {b, sizeof(b) - 1, say}
		BYTES("PAR1\x15\x04\x15\n", "is Parquet; JSON Lines of it: duckdb -c"),
		BYTES("ARROW1\0\0", "is an Arrow (Feather) file"),
		BYTES("BZh91AY&SY", "is compressed by bzip2: bzip2 -dc "),
		BYTES("\xfd"
		      "7zXZ\0\0",
			"is compressed by xz: xz -dc "),
		BYTES("PK\x03\x04\x14\0", "is a zip archive"),
		BYTES("SQLite format 3\0\x10", "is an SQLite database"),
		BYTES("\x89HDF\r\n\x1a\n", "is HDF5"),
		BYTES("%PDF-1.7\n", "is a PDF"),
		BYTES("\x80\x04\x95\x10\0\0", "is a Python pickle"),
		BYTES("\x80\x02}q\0", "is a Python pickle"),
		BYTES("GGUF\x03\0\0\0", "is a GGUF model"),
		BYTES("version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
		BYTES("\xff\xfe{\0\"\0a\0",
			"is UTF-16 text; records are UTF-8: iconv -f UTF-16 -t UTF-8 "),
		BYTES("\xfe\xff\0{\0\"", "is UTF-16 text"),
		BYTES("{\0\"\0a\0", "is UTF-16LE text"),
		BYTES("[\0\n\0", "is UTF-16LE text"),
		BYTES("\0{\0\"\0a", "is UTF-16BE text"),
		BYTES("\xff\xfe\0\0{\0\0\0", "is UTF-32 text"),
		BYTES("{\0\0\0\"\0\0\0", "is UTF-32LE text"),
		BYTES("\x20\x01\0\0\0\0\0\0{\"a\":", "is a tensor stream or a safetensors file"),
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		const char *f = file_of("foreign", files[i].bytes, files[i].n);
		const char *got = values_of_file(&f, 1);
		CHECK(strncmp(got, "!!foreign: ", 11) == 0);
		if (strstr(got, files[i].say) == NULL)
			CHECK_STR(got, files[i].say);
	}
	char tar[1024] = "in.jsonl";
	memcpy(tar + 257, "ustar", 5);
	const char *f = file_of("foreign", tar, sizeof tar);
	CHECK(strstr(values_of_file(&f, 1), "is a tar archive") != NULL);
}

/* Text that is no JSON is bad lines: a garbled first line says nothing of the others. */
static void
test_other_text_is_named(void)
{
	static const char *const texts[][2] = {
		{"prompt,chosen\na,b\n", "1!looks like CSV, not JSON: mlr --icsv --ojsonl cat "},
		{"prompt\tchosen\na\tb\n", "1!looks like TSV"},
		{"<!DOCTYPE html>\n", "1!is a web page"}, {"---\n- a\n", "1!looks like YAML"},
		{"{'prompt': 'a'}\n", "1!looks like what Python prints of a dict"},
		{"a, b\n{\"a\":1}\n", "1!JSON: column 1: invalid token near 'a'|2:{\"a\":1}|#2"},
		{"{\"a\":1}\na,b\n", "1:{\"a\":1}|2!JSON: column 1: invalid token near 'a'|#2"}};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const char *got = values_of(texts[i][0]);
		if (strncmp(got, texts[i][1], strlen(texts[i][1])) != 0)
			CHECK_STR(got, texts[i][1]);
	}
}

/* However the bytes come, the same values come of them. */
static void
test_a_slow_pipe(void)
{
	static const char *const texts[] = {"[{\"a\":\"x\\\"]\"},\n {\"b\":[1,2]} ]\n[3]",
		"\xef\xbb\xbf{\"a\":1}\n{\n\"b\":2}\n{\"c\":\n", "[\n {\"a\":tru,\n {\"a\":1}\n]"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char want[500];
		snprintf(want, sizeof want, "%s", values_of(texts[i]));
		int fd[2], keep = dup(0);
		CHECK(pipe(fd) == 0);
		dup2(fd[0], 0);
		close(fd[0]);
		if (fork() == 0) {
			for (const char *p = texts[i]; *p; p++) {
				if (write(fd[1], p, 1) != 1)
					_exit(1);
				usleep(300);
			}
			_exit(0);
		}
		close(fd[1]);
		CHECK_STR(values_of_file(NULL, 0), want);
		dup2(keep, 0);
		close(keep);
	}
}

static void
test_scan(void)
{
	static const struct {
		const char *text;
		int rc, at;
	} cases[] = {{"{}", 1, 2}, {" [ ] x", 1, 4}, {"12,", 1, 2}, {"12", 0, 2},
		{"\"a\\\"\" ", 1, 5}, {"{\"a\":[{},[]],\"b\":-1.5e3}", 1, 24}, {"{\"a\"", 0, 4},
		{"[1,]", -1, 3}, {"{,", -1, 1}, {"{\"a\",", -1, 4}, {"[1}", -1, 2},
		{"{\"a\":1]", -1, 6}, {"]", -1, 0}, {"[1 2", -1, 3}, {"\"a\n", -1, 2},
		{"{1:2}", -1, 1}, {"true]", 1, 4}, {"", 0, 0}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scan s;
		size_t n = strlen(cases[i].text);
		scan_init(&s);
		CHECK(scan_more(&s, cases[i].text, n) == cases[i].rc && (int)s.at == cases[i].at);
		/* byte by byte as well */
		scan_init(&s);
		int rc = 0;
		for (size_t k = 1; k <= n && rc == 0; k++)
			rc = scan_more(&s, cases[i].text, k);
		CHECK(rc == cases[i].rc && (int)s.at == cases[i].at);
	}
	struct scan s;
	char deep[SCAN_DEPTH + 1];
	memset(deep, '[', sizeof deep);
	scan_init(&s);
	CHECK(scan_more(&s, deep, sizeof deep) == -1 && s.at == SCAN_DEPTH);
}

/* As some systems write streams: no line ends at all.  Quadratic work would not come to an end. */
static void
test_many_values_on_a_line(void)
{
	enum { MANY = 100000 };
	struct buf text = BUF_INIT;
	for (int i = 0; i < MANY; i++)
		buf_printf(&text, "{\"value\":%9d,\"pad\":\"}{\\\"\"}%s", i, i % 3 ? "" : " ");
	buf_puts(&text, "{\"a\":1}{\"b\":oh}{\"c\":3}\n{\"d\":4}\n");
	const char *f = file_of("many", text.data, text.len);
	struct input *in = input_open(&f, 1);
	struct err e = {0};
	json_t *v = NULL;
	int good = 0, bad = 0, rc;
	while ((rc = input_value(in, &v, &e)) > 0 || (rc < 0 && input_bad(in))) {
		json_t *number = rc > 0 ? json_object_get(v, "value") : NULL;
		good += rc > 0 && (good >= MANY || json_integer_value(number) == good);
		bad += rc < 0;
		CHECK(input_lineno(in) == (good < MANY + 3 ? 1 : 2));
		if (rc > 0)
			json_decref(v);
	}
	CHECK(rc == 0);
	CHECK(good == MANY + 3);
	CHECK(bad == 1);
	CHECK(input_lines(in) == MANY + 4);
	input_close(in);
	buf_free(&text);
}

/* What a file is told by comes in pieces, by a socket as standard input: a packet a read(2). */
static void
test_pieces(void)
{
	static const char *const texts[] = {"version https://git-lfs.github.com/spec/v1\noid",
		"SQLite format 3", "[{\"a\":1}]"};
	for (int i = 0; i < 3; i++) {
		int fd[2];
		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0);
		size_t n = strlen(texts[i]) + (i == 1); /* its NUL, too */
		for (size_t at = 0; at < n; at += 3)
			CHECK(send(fd[1], texts[i] + at, n - at < 3 ? n - at : 3, 0) > 0);
		close(fd[1]);
		dup2(fd[0], STDIN_FILENO);
		close(fd[0]);
		const char *got = values_of_file(NULL, 0);
		CHECK(strstr(got, i == 0   ? "!!stdin: is a Git LFS pointer"
				  : i == 1 ? "!!stdin: is an SQLite database"
					   : "1:{\"a\":1}|#1") == got);
	}
}

int
main(void)
{
	if (!mkdtemp(dir))
		return 1;
	RUN(test_layouts_are_alike);
	RUN(test_files_of_all_kinds);
	RUN(test_a_bad_line_is_one);
	RUN(test_a_bad_value_over_lines);
	RUN(test_a_bad_element);
	RUN(test_packed);
	RUN(test_foreign_files_are_named);
	RUN(test_other_text_is_named);
	RUN(test_a_slow_pipe);
	RUN(test_many_values_on_a_line);
	RUN(test_pieces);
	RUN(test_scan);
	char cmd[64];
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	if (system(cmd) != 0)
		return 1;
	TEST_END;
}
