#include "lib/stream/json.h"

#include "tests/test.h"

/* What a text becomes when it is read and written; "error: ..." when it is refused. */
static const char *
round_trip(const char *text)
{
	static struct buf b = BUF_INIT;
	struct err e = {0};
	json_t *v = json_parse(text, strlen(text), &e);
	buf_reset(&b);
	if (v == NULL) {
		CHECK(e.code == ERR_DATA);
		buf_printf(&b, "error: %s", e.msg);
	} else {
		json_write(&b, v);
		json_decref(v);
	}
	return b.data;
}

static const char *
real(double x)
{
	static struct buf b = BUF_INIT;
	buf_reset(&b);
	json_write_real(&b, x);
	return b.data;
}

static void
test_values_pass_through(void)
{
	static const char *const same[] = {"{}", "[]", "null", "true", "false", "0", "-1",
		"9223372036854775807", "-9223372036854775808", "\"\"", "\"a\\\"b\\\\c\"",
		"\"\\b\\f\\n\\r\\t\\u000b\\u001f/\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"",
		"{\"z\":1,\"a\":{\"y\":[1,2.5,null],\"b\":\"\"}}", "0.1", "1.0", "-0.0", "1e+300",
		"5e-324", "1.7976931348623157e+308", "[[[[[[[[]]]]]]]]"};
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		CHECK_STR(round_trip(same[i]), same[i]);
	CHECK_STR(round_trip(" { \"a\" : [ 1 , 2 ] } \r\n"), "{\"a\":[1,2]}");
	CHECK_STR(round_trip("\"\\u00e9\\ud83d\\ude00\""), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
	CHECK_STR(round_trip("[1.50,1E5,1e-7]"), "[1.5,100000.0,1e-07]");
}

static void
test_big_integers_pass_through(void)
{
	static const char *const same[] = {"9223372036854775808", "-9223372036854775809", "-0",
		"[-0,{\"a\":-0},-0.0,\"-0\"]",
		"[18446744073709551615,{\"a\":-123456789012345678901234567890,\"b\":7}]",
		"{\"s\":\"123456789012345678901234\\\\\",\"n\":123456789012345678901234}"};
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		CHECK_STR(round_trip(same[i]), same[i]);
	CHECK_STR(round_trip("12345678901234567890.0"), "1.2345678901234567e+19");
	struct err e = {0};
	const char *text = "{\"a\":18446744073709551616}", *s;
	double d;
	json_t *v = json_parse(text, strlen(text), &e);
	CHECK(json_is_big(json_object_get(v, "a")));
	CHECK(json_get_string(v, "a", &s, NULL, &e) == -1);
	CHECK(json_get_number(v, "a", &d, &e) == 1 && d == 18446744073709551616.0);
	json_decref(v);
}

/* Python's json module writes what no JSON text may hold; read where its files are. */
static void
test_python_numbers(void)
{
	static const char text[] = "{\"a\":Infinity,\"b\":[-Infinity,NaN,-1.5],\"c\":\"NaN\","
				   "\"d\":123456789012345678901234}";
	static const char *const bad[] = {"{\"a\":Infinit}", "{NaN:1}", "Inf", "-NaN", "[NaNN]"};
	struct err e = {0};
	struct buf b = BUF_INIT;
	double d;
	json_t *v = json_parse_python(text, strlen(text), &e);
	CHECK(v && json_is_big(json_object_get(v, "a")));
	json_write(&b, v);
	CHECK_STR(b.data, text);
	CHECK(json_get_number(v, "a", &d, &e) == -1 && strstr(e.msg, "a: not finite"));
	CHECK(json_parse(text, strlen(text), &e) == NULL && e.code == ERR_DATA);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(json_parse_python(bad[i], strlen(bad[i]), &e) == NULL);
	json_decref(v);
	buf_free(&b);
}

static void
test_mistakes_are_named(void)
{
	CHECK_STR(round_trip("{\"a\":1,\"a\":2}"),
		"error: JSON: column 10: duplicate object key near '\"a\"'");
	CHECK_STR(round_trip("[1,\"a\\u0000\"]"),
		"error: JSON: column 6: \\u0000 (a NUL) in a string");
	CHECK_STR(round_trip("[1,\"\\\\u0000\"]"), "[1,\"\\\\u0000\"]");
	CHECK_STR(round_trip("{\"a\":\n\"\\u0000\"}"),
		"error: JSON: line 2, column 2: \\u0000 (a NUL) in a string");
	CHECK_STR(round_trip("[\"\\ud83d\"]"), "error: JSON: column 9: a lone surrogate (\\ud800 "
					       "to \\udfff): half of a character");
	CHECK_STR(round_trip("{\"a\":NaN}"),
		"error: JSON: column 8: NaN is no JSON number (null is none, too)");
	CHECK_STR(
		round_trip("[1,-Infinity]"), "error: JSON: column 4: -Infinity is no JSON number");
	CHECK_STR(round_trip("{\"a\":True}"), "error: JSON: column 9: True is Python's spelling, "
					      "not JSON: true (json.dumps writes it)");
	CHECK_STR(round_trip("{'a':1}"), "error: JSON: column 2: ' is no quote of JSON (Python's "
					 "str() writes it, json.dumps "
					 "does not)");
	CHECK_STR(round_trip("{\"a\":1},"),
		"error: JSON: column 8: a comma behind the value: a piece "
		"of a JSON array, whose [ and ] are missing?");
	CHECK_STR(
		round_trip("[1e400]"), "error: JSON: column 6: real number overflow near '1e400'");
	int64_t line = 7;
	struct err at = {0};
	CHECK(json_parse_at("{\n x}", 5, &line, 4, &at) == NULL && line == 8);
	CHECK(strstr(at.msg, "column 2: ") != NULL);
	line = 7;
	CHECK(json_parse_at("{x}", 3, &line, 4, &at) == NULL && line == 7);
	CHECK(strstr(at.msg, "column 5: ") != NULL);
	static const char *const bad[] = {"", " ", "[1", "[1,]", "{1:2}", "tru", "1 2", "{} {}",
		"\"\\ud800\"", "\"\xff\"", "\"\xc3\"", "\"a\nb\"", "1e999", "01", "+1", "NaN",
		"{12345678901234567890:1}", "[012345678901234567890]", "-", "\"\\", "\"\\u00"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(strncmp(round_trip(bad[i]), "error: ", 7) == 0);
	/* a NUL byte in the text itself, and nesting deep enough to end a stack */
	struct err e = {0};
	CHECK(json_parse("[1]\0", 4, &e) == NULL && e.code == ERR_DATA);
	CHECK(json_parse("\"a\0b\"", 5, &e) == NULL && e.code == ERR_DATA);
	size_t n = 1 << 20;
	char *deep = malloc(n);
	memset(deep, '[', n);
	CHECK(json_parse(deep, n, &e) == NULL && e.code == ERR_DATA);
	free(deep);
}

static void
test_reals_have_fewest_digits(void)
{
	CHECK_STR(real(0.1), "0.1");
	CHECK_STR(real(1), "1.0");
	CHECK_STR(real(-0.0), "-0.0");
	CHECK_STR(real(1e21), "1e+21");
	CHECK_STR(real(0.1 + 0.2), "0.30000000000000004");
	CHECK_STR(real(1.0 / 3), "0.3333333333333333");
	CHECK_STR(real(NAN), "null");
	CHECK_STR(real(-INFINITY), "null");
	unsigned long long bits = 0x9e3779b97f4a7c15ull;
	for (int i = 0; i < 20000; i++) {
		double x;
		bits = bits * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(&x, &bits, sizeof x);
		if (isfinite(x))
			CHECK(strtod(real(x), NULL) == x);
	}
}

static void
test_bytes_become_a_string(void)
{
	static const char *const cases[][2] = {{"", "\"\""}, {"a\"b", "\"a\\\"b\""},
		{"\xc3\xa9\xf0\x9f\x98\x80\xed\x9f\xbf",
			"\"\xc3\xa9\xf0\x9f\x98\x80\xed\x9f\xbf\""},
		{"x\xffy", "\"x\xef\xbf\xbdy\""}, {"\xc3", "\"\xef\xbf\xbd\""},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xc0\x80z", "\"\xef\xbf\xbd\xef\xbf\xbdz\""},
		{"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}};
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_reset(&b);
		json_write_bytes(&b, cases[i][0], strlen(cases[i][0]));
		CHECK_STR(b.data, cases[i][1]);
		json_decref(json_parse(b.data, b.len, NULL));
	}
	buf_reset(&b);
	json_write_bytes(&b, "a\0b", 3);
	CHECK_STR(b.data, "\"a\xef\xbf\xbd"
			  "b\"");
	buf_free(&b);
}

static void
test_lookups_say_what_is_wrong(void)
{
	struct err e = {0};
	const char *s = NULL, *text = "{\"s\":\"x\",\"n\":2,\"r\":0.5,\"z\":null}";
	size_t n = 0;
	double d = 0;
	json_t *v = json_parse(text, strlen(text), &e);
	CHECK(json_get_string(v, "s", &s, &n, &e) == 1 && n == 1 && strcmp(s, "x") == 0);
	CHECK(json_get_string(v, "none", &s, &n, &e) == 0);
	CHECK(json_get_string(v, "n", &s, &n, &e) == -1);
	CHECK_STR(e.msg, "n: not a string");
	CHECK(json_get_number(v, "n", &d, &e) == 1 && d == 2);
	CHECK(json_get_number(v, "r", &d, &e) == 1 && d == 0.5);
	CHECK(json_get_number(v, "none", &d, &e) == 0);
	CHECK(json_get_number(v, "z", &d, &e) == -1);
	CHECK_STR(e.msg, "z: not a number");
	json_decref(v);
}

/* What comes from a command line or a path may be no UTF-8; nothing of it is lost. */
static void
test_texts_are_repaired(void)
{
	json_t *o = json_object(), *list = json_array();
	struct buf b = BUF_INIT;
	json_add(list, json_text("a\xff"));
	json_add(list, json_textn("\xe4\xb8\xad\xe4\xb8", 5));
	json_add(list, json_textn("\0x", 2));
	json_add(list, json_text("\xed\xa0\x80"));
	json_put(o, "k\xc3", list);
	json_put(o, "k", json_text(""));
	CHECK(json_array_size(list) == 4 && json_object_size(o) == 2);
	json_write(&b, o);
	CHECK_STR(b.data, "{\"k\xef\xbf\xbd\":[\"a\xef\xbf\xbd\","
			  "\"\xe4\xb8\xad\xef\xbf\xbd\xef\xbf\xbd\",x,"
			  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"],\"k\":\"\"}");
	buf_free(&b);
	json_decref(o);
}

/* Eight bytes are looked at together: every byte at every place among others that come near. */
static void
test_every_byte_in_a_string(void)
{
	static const char *const beside[] = {"aaaaaaaaaaaaaaaaaaa", "!!!!!!!!!!!!!!!!!!!",
		"[[[[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]]]]", "   #   # ### ## # #",
		"\xc3\xa2\xc3\xa2\xc3\xa2\xc3\xa2\xc3\xa2\xc3\xa2\xc3\xa2\xc3\xa2\xc3\xa2"};
	struct buf out = BUF_INIT, want = BUF_INIT;
	for (int b = 0; b < 6; b++)
		for (size_t at = 0; at < 18; at += b == 5 ? 2 : 1)
			for (int c = 1; c < 128; c++) {
				char s[32];
				size_t n = (size_t)snprintf(s, sizeof s, "%.*s%c%s", (int)at,
					beside[b], c, beside[b] + at);
				buf_reset(&out);
				buf_reset(&want);
				json_write_string(&out, s, n);
				buf_printf(&want, "\"%.*s", (int)at, beside[b]);
				if (c == '"' || c == '\\')
					buf_printf(&want, "\\%c", c);
				else if (c < 0x20 && c >= '\b' && c <= '\r' && c != '\v')
					buf_printf(&want, "\\%c", "btn?fr"[c - '\b']);
				else
					buf_printf(&want, c < 0x20 ? "\\u%04x" : "%c", c);
				buf_printf(&want, "%s\"", beside[b] + at);
				CHECK_STR(out.data, want.data);
				json_t *v = json_parse(out.data, out.len, NULL);
				CHECK(v && strcmp(json_string_value(v), s) == 0);
				json_decref(v);
			}
	/* and where a number that must be kept stands behind strings */
	static const char text[] = "[\"\\\\\",\"12345678\\\"\",18446744073709551616]";
	json_t *v = json_parse(text, sizeof text - 1, NULL);
	CHECK(v && json_is_big(json_array_get(v, 2)));
	json_decref(v);
	buf_free(&out);
	buf_free(&want);
}

int
main(void)
{
	RUN(test_values_pass_through);
	RUN(test_big_integers_pass_through);
	RUN(test_python_numbers);
	RUN(test_mistakes_are_named);
	RUN(test_reals_have_fewest_digits);
	RUN(test_bytes_become_a_string);
	RUN(test_lookups_say_what_is_wrong);
	RUN(test_texts_are_repaired);
	RUN(test_every_byte_in_a_string);
	TEST_END;
}
