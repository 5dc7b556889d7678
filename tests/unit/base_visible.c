/* What a terminal gets of texts that come from data. */
#include "lib/base/visible.h"
#include "tests/test.h"

static const char *
shown(const char *s, size_t n)
{
	static char text[200];
	struct buf b = BUF_INIT;
	text_visible(&b, s, n);
	snprintf(text, sizeof text, "%s", b.len ? b.data : "");
	buf_free(&b);
	return text;
}

static void
texts_stay(void)
{
	static const char *const plain[] = {"", "a b", "grün 猫 \U0001F408", "\\x1b", "\xc2\xa0",
		"\xf4\x8f\xbf\xbf", "e\u0301", "\u200d\u200b"};
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		CHECK_STR(shown(plain[i], strlen(plain[i])), plain[i]);
}

static void
controls_are_numbers(void)
{
	static const char *const pairs[][2] = {{"\033[31mX", "\\x1b[31mX"},
		{"a\nb\r\t", "a\\x0ab\\x0d\\x09"}, {"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
			"\\u009b31m"},
		{"\xc2\x80", "\\u0080"}, {"\xd8\x9c", "\\u061c"},
		{"\xe2\x80\x8e\xe2\x80\x8f", "\\u200e\\u200f"},
		{"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"}, {"\xe2\x80\xae", "\\u202e"},
		{"\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069"}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		CHECK_STR(shown(pairs[i][0], strlen(pairs[i][0])), pairs[i][1]);
	CHECK_STR(shown("a\0b", 3), "a\\x00b");
}

static void
bytes_that_are_no_text_are_numbers(void)
{
	static const char *const pairs[][2] = {{"\xff", "\\xff"}, {"\x9b", "\\x9b"},
		{"\xc3", "\\xc3"}, {"\xc0\xaf", "\\xc0\\xaf"}, {"\xe0\x80\x80", "\\xe0\\x80\\x80"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xe2\x80"
		 "x",
			"\\xe2\\x80x"}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		CHECK_STR(shown(pairs[i][0], strlen(pairs[i][0])), pairs[i][1]);
	CHECK_STR(shown("\xe2\x80\xae", 2), "\\xe2\\x80"); /* never beyond n */
}

static void
width_is_columns(void)
{
	static const struct {
		const char *text;
		int width, room; /* what has width at most room is "tail" */
		const char *tail;
	} all[] = {{"", 0, 3, ""}, {"abc", 3, 3, "abc"}, {"abcd", 4, 3, "bcd"},
		{"\u4f60\u597d", 4, 3, "\u597d"}, {"na\u00efve", 5, 3, "\u00efve"},
		{"nai\u0308ve", 5, 3, "i\u0308ve"}, {"nai\u0308ve", 5, 2, "ve"},
		{"x\xff", 2, 1, "\xff"}, {"\U0001f642", 2, 1, ""}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		size_t n = strlen(all[i].text);
		CHECK(text_width(all[i].text, n) == all[i].width);
		CHECK_STR(all[i].text + text_tail(all[i].text, n, all[i].room), all[i].tail);
	}
	CHECK(text_width("\u4f60", 2) == 2); /* two bytes that are no text; never beyond n */
}

static void
lines_break_at_blanks(void)
{
	static const struct {
		const char *text;
		int width;
		const char *lines;
	} all[] = {{"", 9, ""}, {"one", 1, "one"}, {"one two", 7, "one two"},
		{"one two", 6, "one\n  two"}, {"one two three", 7, "one two\n  three"},
		{"a longerthan9 b", 9, "a\n  longerthan9\n  b"},
		{"\u4f60\u597d \u4f60 x", 7, "\u4f60\u597d \u4f60\n  x"}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct buf b = BUF_INIT;
		text_wrap(&b, all[i].text, strlen(all[i].text), all[i].width);
		CHECK_STR(b.len ? b.data : "", all[i].lines);
		buf_free(&b);
	}
}

int
main(void)
{
	RUN(texts_stay);
	RUN(controls_are_numbers);
	RUN(bytes_that_are_no_text_are_numbers);
	RUN(width_is_columns);
	RUN(lines_break_at_blanks);
	TEST_END;
}
