/* state.json: what is written is read; what anyone else may have written is refused. */
#include "lib/align/state.h"

#include <unistd.h>

#include "lib/base/file.h"
#include "tests/test.h"

static char dir[] = "/tmp/pro-state-XXXXXX";
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct train_state good = {.step = 7,
	.total = 12,
	.tokens = 900,
	.evaluated = 6,
	.best_step = 4,
	.best_reward = 0.25,
	.data_hash = HASH,
	.model_hash = HASH,
	.settings = "seed 42\nmethod pro\n",
	.kernels = "cpu x",
	.unlogged = "tep\":7}\n"};

static json_t *
good_files(void)
{
	return json_pack("{s:s,s:s}", "model.safetensors", HASH, "config.json", HASH);
}

static void
put(const char *text, size_t n)
{
	struct buf path = BUF_INIT;
	struct err e = {0};
	CHECK(file_write(path_join(&path, dir, "state.json"), text, n, &e) == 0);
	buf_free(&path);
}

/* The good state with one member changed (value NULL: removed), and a hash that fits. */
static void
put_changed(const char *key, const char *value)
{
	struct buf text = BUF_INIT;
	struct sha256 s;
	char hex[65];
	struct err e = {0};
	state_write(&good, good_files(), &text);
	json_t *o = json_parse(text.data, text.len, &e);
	json_object_del(o, "sha256");
	if (value) {
		json_t *v = json_parse(value, strlen(value), &e);
		CHECK(v != NULL);
		json_object_set_new(o, key, v);
	} else {
		json_object_del(o, key);
	}
	buf_reset(&text);
	json_write(&text, o);
	sha256_init(&s);
	sha256_add(&s, text.data, text.len);
	sha256_hex(&s, hex);
	json_object_set_new(o, "sha256", json_string(hex));
	buf_reset(&text);
	json_write(&text, o);
	json_decref(o);
	put(text.data, text.len);
	buf_free(&text);
}

static int
refused(const char *key, const char *value)
{
	struct saved_state x;
	struct err e = {0};
	put_changed(key, value);
	int rc = state_read(&x, dir, &e);
	if (rc == 0)
		printf("# taken: %s %s\n", key, value ? value : "missing");
	CHECK(rc == -1 && strstr(e.msg, "state.json"));
	CHECK(x.json == NULL);
	state_free(&x);
	return e.code;
}

static void
what_is_written_is_read(void)
{
	struct buf text = BUF_INIT;
	struct saved_state x;
	struct err e = {0};
	state_write(&good, good_files(), &text);
	put(text.data, text.len);
	CHECK(state_read(&x, dir, &e) == 0);
	CHECK(x.s.step == 7 && x.s.total == 12 && x.s.tokens == 900 && x.s.evaluated == 6);
	CHECK(x.s.best_step == 4 && x.s.best_reward == 0.25);
	CHECK_STR(x.s.data_hash, HASH);
	CHECK_STR(x.s.settings, good.settings);
	CHECK_STR(x.s.kernels, good.kernels);
	CHECK_STR(x.s.unlogged, good.unlogged);
	CHECK(json_object_size(x.files) == 2);
	state_free(&x);
	/* a byte of it */
	strstr(text.data, "\"step\":7")[7] = '8';
	put(text.data, text.len);
	CHECK(state_read(&x, dir, &e) == -1 && e.code == ERR_DATA);
	buf_free(&text);
}

static void
members_are_checked(void)
{
	static const char *const all[] = {"step", "total", "tokens", "evaluated", "best_step",
		"best_reward", "data", "model", "settings", "kernels", "unlogged", "files"};
	static const char *const never[] = {NULL, "null", "true", "[]", "[7]", "{\"a\":7}"};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		for (size_t j = 0; j < sizeof never / sizeof *never; j++)
			CHECK(refused(all[i], never[j]) == ERR_DATA);
	static const char *const numbers[] = {"step", "total", "tokens", "evaluated", "best_step"};
	static const char *const bad[] = {"\"7\"", "7.0", "1e300", "-2", "9223372036854775807",
		"-9223372036854775808", "18446744073709551615", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		for (size_t j = 0; j < sizeof bad / sizeof *bad; j++)
			CHECK(refused(numbers[i], bad[j]) == ERR_DATA);
	static const char *const texts[] = {"data", "model", "settings", "kernels", "unlogged"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK(refused(texts[i], "7") == ERR_DATA);
}

static void
ranges_are_checked(void)
{
	static const char *const bad[][2] = {{"step", "13"}, {"step", "-1"}, {"step", "5"},
		{"total", "0"}, {"total", "6"}, {"evaluated", "8"}, {"evaluated", "3"},
		{"best_step", "0"}, {"best_step", "7"}, {"tokens", "-1"}, {"best_reward", "\"1\""},
		{"data", "\"\""}, {"model", "\"0123\""}, {"data", "\"" HASH "0\""}, {"files", "{}"},
		{"files", "{\"config.json\":\"" HASH "\"}"}, {"files", "{\"model.safetensors\":7}"},
		{"files", "{\"model.safetensors\":\"" HASH "\",\"x\":\"y\"}"}, {"version", "\"3\""},
		{"version", "null"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(refused(bad[i][0], bad[i][1]) == ERR_DATA);
	CHECK(refused("version", "2") == ERR_CONFIG);
	CHECK(refused("version", "4") == ERR_CONFIG);
}

static void
other_files(void)
{
	static const char *const texts[] = {"", "[]", "7", "{}", "null", "{\"version\":3}", "{"};
	struct saved_state x;
	struct err e = {0};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put(texts[i], strlen(texts[i]));
		CHECK(state_read(&x, dir, &e) == -1 && e.code == ERR_DATA);
	}
	CHECK(state_read(&x, "/nonexistent", &e) == -1 && e.code == ERR_NOINPUT);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	RUN(what_is_written_is_read);
	RUN(members_are_checked);
	RUN(ranges_are_checked);
	RUN(other_files);
	dir_remove(dir, NULL);
	TEST_END;
}
