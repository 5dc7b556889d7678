/* The text of a response while it grows: stop strings over token borders, UTF-8, white space. */
#include "lib/gen/utterance.h"
#include "tests/test.h"

static void
stops_are_found_across_pieces(void)
{
	const char *v[] = {"Human:", "\n\n", "stop"};
	struct stop_list s = {v, 3, 6};
	const char *text = "I Hum\nHuman: no\n\nstop";
	size_t n = strlen(text);
	/* in every cutting into two pieces the result is the same */
	for (size_t cut = 0; cut <= n; cut++) {
		ptrdiff_t at = stop_find(&s, text, cut, 0);
		if (at < 0)
			at = stop_find(&s, text, n, cut);
		CHECK(at == 6);
	}
	/* byte by byte */
	ptrdiff_t at = -1;
	size_t seen = 0;
	while (at < 0 && seen < n) {
		at = stop_find(&s, text, seen + 1, seen);
		seen++;
	}
	CHECK(at == 6 && seen == 12);
}

static void
first_of_several_stops_counts(void)
{
	const char *v[] = {"cd", "bcde", "x"};
	struct stop_list s = {v, 3, 4}, none = {NULL, 0, 0};
	CHECK(stop_find(&s, "abcdex", 6, 0) == 1);
	CHECK(stop_find(&s, "abcd", 4, 0) == 2);
	CHECK(stop_find(&s, "abc", 3, 0) == -1);
	CHECK(stop_find(&none, "abc", 3, 0) == -1);
	CHECK(stop_find(&s, "", 0, 0) == -1);
	const char *one[] = {"aa"};
	struct stop_list t = {one, 1, 2};
	CHECK(stop_find(&t, "baaa", 4, 0) == 1);
}

static void
check_repair(const char *in, size_t n, bool cut, const char *want)
{
	struct buf b = BUF_INIT;
	utf8_repair(&b, in, n, cut);
	CHECK_STR(b.data ? b.data : "", want);
	buf_free(&b);
}

#define REPAIR(in, cut, want) check_repair(in, sizeof in - 1, cut, want)
#define R "\xef\xbf\xbd"

static void
broken_utf8_is_replaced(void)
{
	REPAIR("gr\xc3\xbc\xc3\x9f", true, "gr\xc3\xbc\xc3\x9f");
	REPAIR("\xf0\x9f\x98\x80", false, "\xf0\x9f\x98\x80");
	REPAIR("a\xf0\x9f\x98", true, "a"); /* the rest did not come */
	REPAIR("a\xf0\x9f\x98", false, "a" R);
	REPAIR("a\xc3", true, "a");
	REPAIR("a\x80", true, "a" R);                   /* could not become a character */
	REPAIR("\xc0\xaf\xe0\x80x", true, R R R R "x"); /* overlong */
	REPAIR("\xed\xa0\x80", true, R R R);            /* a surrogate */
	REPAIR("\xf4\x90\x80\x80", true, R R R R);      /* above U+10FFFF */
	REPAIR("\xe2\x82z\xe2\x82\xac", true, R "z\xe2\x82\xac");
	REPAIR("\xff\xfe", true, R R);
	REPAIR("a\0b", true, "a" R "b"); /* a record cannot hold NUL */
	REPAIR("", true, "");
}

static void
white_space_goes_at_both_ends(void)
{
	const char *s = " \t\r\n a b\n\f\v ";
	size_t n = strlen(s);
	strip_space(&s, &n);
	CHECK(n == 3 && memcmp(s, "a b", 3) == 0);
	s = " \n";
	n = 2;
	strip_space(&s, &n);
	CHECK(n == 0);
	s = "\xc2\xa0x"; /* other white space is text */
	n = 3;
	strip_space(&s, &n);
	CHECK(n == 3);
}

int
main(void)
{
	RUN(stops_are_found_across_pieces);
	RUN(first_of_several_stops_counts);
	RUN(broken_utf8_is_replaced);
	RUN(white_space_goes_at_both_ends);
	TEST_END;
}
