#include "lib/stream/filter.h"

#include <unistd.h>

#include "tests/test.h"

static char dir[] = "/tmp/pro-filter-XXXXXX";

static const char *
path(const char *name)
{
	static char p[4][128];
	static int k;
	snprintf(p[++k % 4], sizeof *p, "%s/%s", dir, name);
	return p[k % 4];
}

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");
	fputs(text, f);
	fclose(f);
}

static const char *
get_file(const char *name)
{
	static char text[4096];
	FILE *f = fopen(path(name), "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static const char three[] = "{\"id\":\"a\",\"prompt\":\"1\",\"responses\":[]}\n\n"
			    "{\"id\":\"b\",\"prompt\":\"2\",\"responses\":[]}\n \t\n"
			    "{\"id\":\"c\",\"prompt\":\"3\",\"responses\":[]}";

static void
test_counts_and_rejects(void)
{
	struct err e = {0};
	struct filter f;
	struct record r = {0};
	put_file("in", three);
	const char *in = strdup(path("in"));
	const char *rejects = strdup(path("rejects"));
	FILE *out = fopen(path("out"), "w");
	CHECK(filter_open(&f, &in, 1, out, rejects, &e) == 0);
	for (int i = 0; filter_next(&f, &r, &e) > 0; i++) {
		if (i == 1)
			CHECK(filter_reject(&f, &r, "too \"odd\"", &e) == 0);
		else
			CHECK(filter_emit(&f, &r, i == 0, &e) == 0);
		if (i == 0) /* flushed: it is in the file already */
			CHECK(strstr(get_file("out"), "\"a\"") != NULL);
		if (i == 2)
			CHECK(filter_note_cut(&f, &r, "cut", &e) == 0);
	}
	CHECK(f.n_in == 3 && f.n_out == 2 && f.n_rejected == 1 && f.n_cut == 1);
	CHECK(filter_finish(&f, 3, &e) == 0);
	CHECK(filter_finish(&f, 2, &e) == -1 && e.code == ERR_DATA);
	CHECK_STR(e.msg, "3 records read, --expect 2");
	struct buf b = BUF_INIT;
	filter_summary(&f, &b);
	CHECK_STR(b.data, "3 records read, 2 written, 1 rejected (1 too \"odd\"), 1 cut");
	buf_free(&b);
	filter_close(&f);
	fclose(out);
	CHECK_STR(get_file("out"), "{\"id\":\"a\",\"prompt\":\"1\",\"responses\":[]}\n"
				   "{\"id\":\"c\",\"prompt\":\"3\",\"responses\":[]}\n");
	char want[1024];
	snprintf(want, sizeof want,
		"{\"file\":\"%s\",\"line\":3,\"id\":\"b\",\"reason\":\"too "
		"\\\"odd\\\"\",\"record\":"
		"{\"id\":\"b\",\"prompt\":\"2\",\"responses\":[]}}\n"
		"{\"file\":\"%s\",\"line\":5,\"id\":\"c\",\"reason\":\"cut\",\"record\":"
		"{\"id\":\"c\",\"prompt\":\"3\",\"responses\":[]}}\n",
		in, in);
	CHECK_STR(get_file("rejects"), want);
	record_free(&r);
	free((void *)in);
	free((void *)rejects);
}

static void
test_a_bad_line_has_file_and_line(void)
{
	struct err e = {0};
	struct filter f;
	struct record r = {0};
	put_file("bad", "\xef\xbb\xbf{\"prompt\":\"1\"}\r\n{\"prompt\":[]}\n");
	const char *in = path("bad");
	char want[200];
	snprintf(want, sizeof want, "%s:2: prompt: empty list", in);
	CHECK(filter_open(&f, &in, 1, NULL, NULL, &e) == 0);
	CHECK(filter_next(&f, &r, &e) == 1); /* behind a byte order mark */
	CHECK(filter_next(&f, &r, &e) == -1 && e.code == ERR_DATA);
	CHECK_STR(e.msg, want);
	filter_close(&f);
	filter_close(&f); /* safe at any time */
	record_free(&r);
}

static void
test_bad_lines_are_counted(void)
{
	struct err e = {0};
	struct filter f;
	struct record r = {0};
	struct buf b = BUF_INIT;
	put_file("bad", "x\n{\"prompt\":\"1\"}\n[3]\n{\"id\":\"i\",\"prompt\":2}\n{\"prompt\":"
			"\"a\xff\"}\n");
	const char *in = strdup(path("bad")), *rejects = strdup(path("rejects"));
	CHECK(filter_open(&f, &in, 1, NULL, rejects, &e) == 0);
	f.skip_bad = true;
	CHECK(filter_next(&f, &r, &e) == 1 && input_lineno(f.in) == 2);
	f.n_out++;
	CHECK(filter_next(&f, &r, &e) == 0 && e.code == 0);
	CHECK(f.n_in == 5 && f.n_rejected == 4 && f.n_bad == 4);
	CHECK(filter_finish(&f, -1, &e) == 0);
	filter_summary(&f, &b);
	CHECK(strncmp(b.data, "5 records read, 1 written, 4 rejected (4 bad lines, the first ",
		      62) == 0);
	CHECK(strstr(b.data, "/bad:1: JSON: column 1: invalid token near 'x')") != NULL);
	char want[2048];
	snprintf(want, sizeof want,
		"{\"file\":\"%s\",\"line\":1,\"id\":\"\",\"reason\":\"JSON: column 1: invalid "
		"token near "
		"'x'\",\"text\":\"x\"}\n"
		"{\"file\":\"%s\",\"line\":3,\"id\":\"\",\"reason\":\"not a JSON "
		"object\",\"record\":[3]}\n"
		"{\"file\":\"%s\",\"line\":4,\"id\":\"i\",\"reason\":\"prompt: neither a string "
		"nor a "
		"list\",\"record\":{\"id\":\"i\",\"prompt\":2}}\n"
		"{\"file\":\"%s\",\"line\":5,\"id\":\"\",\"reason\":\"JSON: column 12: unable to "
		"decode byte "
		"0xff near '\\\"a'\",\"text\":\"{\\\"prompt\\\":\\\"a\xef\xbf\xbd\\\"}\"}\n",
		in, in, in, in);
	CHECK_STR(get_file("rejects"), want);
	filter_close(&f);
	/* a file that is something else is no bad line */
	put_file("bad", "PAR1\n{\"prompt\":\"1\"}\n");
	CHECK(filter_open(&f, &in, 1, NULL, NULL, &e) == 0);
	f.skip_bad = true;
	CHECK(filter_next(&f, &r, &e) == -1 && strstr(e.msg, "/bad: is Parquet"));
	filter_close(&f);
	record_free(&r);
	buf_free(&b);
	free((void *)in);
	free((void *)rejects);
}

static void
test_nothing_left_is_an_error(void)
{
	struct err e = {0};
	struct filter f;
	struct record r = {0};
	put_file("in", three);
	const char *in = strdup(path("in"));
	static const char *const why[] = {"b", "a", "a"};
	for (int elsewhere = 0; elsewhere < 4; elsewhere++) {
		CHECK(filter_open(&f, &in, 1, NULL, NULL, &e) == 0);
		for (int i = 0; filter_next(&f, &r, &e) > 0; i++) {
			if (i < elsewhere)
				f.n_other_part++;
			else
				CHECK(filter_reject(&f, &r, why[i], &e) == 0);
		}
		CHECK(filter_finish(&f, -1, &e) == (elsewhere < 3 ? -1 : 0));
		if (elsewhere == 0)
			CHECK_STR(e.msg, "nothing is left of 3 records: 2 a, 1 b");
		filter_close(&f);
	}
	put_file("in", "");
	CHECK(filter_open(&f, &in, 1, NULL, NULL, &e) == 0);
	CHECK(filter_next(&f, &r, &e) == 0 && filter_finish(&f, -1, &e) == 0);
	filter_close(&f);
	record_free(&r);
	free((void *)in);
}

/* Progress goes by what is finished, and a mistake before any record has no counts. */
static void
test_progress_and_counts(void)
{
	struct err e = {0};
	struct record r = {0};
	struct filter f;
	static const char text[] = "{\"prompt\":\"a\",\"responses\":[]}\n"
				   "{\"prompt\":\"b\",\"responses\":[]}\n"
				   "{\"prompt\":\"c\",\"responses\":[]}\n";
	put_file("in", text);
	const char *in = path("in");
	int64_t one = (int64_t)(sizeof text - 1) / 3;
	CHECK(filter_open(&f, &in, 1, NULL, NULL, &e) == 0);
	CHECK(!filter_counts(&f, -1) && filter_counts(&f, 0));
	CHECK(filter_next(&f, &r, &e) == 1 && filter_next(&f, &r, &e) == 1);
	CHECK(filter_bytes_done(&f, 0) == 0 && filter_counts(&f, -1));
	f.n_out = 1;
	CHECK(filter_bytes_done(&f, 0) == one);
	f.n_rejected = 1;
	CHECK(filter_bytes_done(&f, 0) == 2 * one && filter_bytes_done(&f, 1) == one);
	filter_close(&f);
	record_free(&r);
}

static void
test_commonest_reasons(void)
{
	struct tally t = {0};
	struct buf b = BUF_INIT;
	static const char reasons[] = "abbcccddddefff";
	tally_commonest(&t, 3, &b);
	CHECK(b.len == 0);
	for (const char *s = reasons; *s; s++) {
		char name[2] = {*s, '\0'};
		tally_reason(&t, name);
	}
	tally_commonest(&t, 3, &b);
	CHECK_STR(b.data, "4 d, 3 c, 3 f, and 4 others");
	for (int i = 0; i < 300; i++) {
		char name[20];
		snprintf(name, sizeof name, "reason %d", i);
		tally_reason(&t, name);
	}
	buf_reset(&b);
	tally_commonest(&t, 1, &b);
	CHECK_STR(b.data, "207 other reasons, and 107 others");
	tally_free(&t);
	buf_free(&b);
}

static void
test_full_disks_are_noticed(void)
{
	struct err e = {0};
	struct filter f;
	struct record r = {0};
	put_file("in", three);
	const char *in = path("in");
	if (access("/dev/full", W_OK) != 0)
		SKIP("no /dev/full");
	/* at a flush, at the end, and in the rejects */
	for (int how = 0; how < 3; how++) {
		FILE *out = fopen(how < 2 ? "/dev/full" : "/dev/null", "w");
		CHECK(filter_open(&f, &in, 1, out, how == 2 ? "/dev/full" : NULL, &e) == 0);
		CHECK(filter_next(&f, &r, &e) == 1);
		if (how < 2)
			CHECK(filter_emit(&f, &r, how == 0, &e) == (how == 0 ? -1 : 0));
		else
			CHECK(filter_reject(&f, &r, "why", &e) == 0);
		if (how > 0)
			CHECK(filter_finish(&f, -1, &e) == -1);
		CHECK(e.code == ERR_IO && strstr(e.msg, "No space left") != NULL);
		filter_close(&f);
		fclose(out);
	}
	CHECK(filter_open(&f, &in, 1, NULL, "/nonexistent/rejects", &e) == -1 &&
		e.code == ERR_CANTCREAT);
	filter_close(&f);
	record_free(&r);
}

/* The ids a:1 ... a:n, then (twice) the same again: how often one came again. */
static int64_t
count_twice(int n, bool twice)
{
	struct id_watch w = {0};
	char id[32];
	for (int k = 0; k < 1 + twice; k++)
		for (int i = 1; i <= n; i++) {
			snprintf(id, sizeof id, "a:%d", i);
			id_watch_add(&w, id);
			id_watch_add(&w, "");
		}
	int64_t found = w.twice;
	CHECK(found == 0 || strncmp(w.first, "a:", 2) == 0);
	CHECK(w.n <= 4096);
	id_watch_free(&w);
	return found;
}

static void
test_ids_twice(void)
{
	CHECK(count_twice(0, true) == 0);
	CHECK(count_twice(1, true) == 1);
	CHECK(count_twice(4096, true) == 4096); /* all are remembered */
	CHECK(count_twice(4096, false) == 0);
	CHECK(count_twice(300000, false) == 0);
	CHECK(count_twice(300000, true) > 1000); /* a sample of them is */
}

int
main(void)
{
	if (!mkdtemp(dir))
		return 1;
	RUN(test_counts_and_rejects);
	RUN(test_a_bad_line_has_file_and_line);
	RUN(test_bad_lines_are_counted);
	RUN(test_nothing_left_is_an_error);
	RUN(test_commonest_reasons);
	RUN(test_progress_and_counts);
	RUN(test_full_disks_are_noticed);
	char cmd[64];
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	if (system(cmd) != 0)
		return 1;
	RUN(test_ids_twice);
	TEST_END;
}
