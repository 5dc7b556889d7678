/* Whole runs on a golden model: log, checkpoints, interruption, resuming. */
#include "lib/align/run.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/stream/json.h"
#include "tests/unit/align_util.h"

static struct kernels *k1;
static bool other_bits; /* of the next run: checkpoints of other kernels will do */
static char dir[] = "/tmp/pro-align-XXXXXX";

/* What a run said, and when it is to be interrupted. */
struct spy {
	struct buf log, notes;
	int lines;
	int polls, stop_at; /* interrupted from poll stop_at on; -1: never */
	int max_steps_seen; /* step-N folders at any line of the log */
	int full_at;        /* this line (from 1) is written in part, with an error; 0: none */
	int full_code;
	const char *out;
};

static int
count_steps(const char *out)
{
	char path[600];
	int n = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "%s.checkpoints/step-%d", out, i);
		n += file_exists(path);
	}
	return n;
}

static int
spy_log(void *ctx, const char *line, size_t n, size_t *done, struct err *e)
{
	struct spy *s = ctx;
	*done = ++s->lines == s->full_at ? n / 3 : n;
	buf_put(&s->log, line, *done);
	if (*done < n)
		return err_set(e, s->full_code, "the log is full");
	int steps = count_steps(s->out);
	if (steps > s->max_steps_seen)
		s->max_steps_seen = steps;
	return 0;
}

static void
spy_note(void *ctx, const char *msg)
{
	struct spy *s = ctx;
	buf_puts(&s->notes, msg);
	buf_putc(&s->notes, '\n');
}

static bool
spy_interrupted(void *ctx)
{
	struct spy *s = ctx;
	return s->stop_at >= 0 && s->polls++ >= s->stop_at;
}

static struct run_options
small_run(void)
{
	struct run_options o = {.optim = optim_defaults,
		.per_device = 1,
		.accumulation = 2,
		.epochs = 3,
		.logging_steps = 1,
		.save_steps = 3,
		.seed = 42,
		.save_dtype = K_F32};
	o.optim.learning_rate = 1e-3;
	return o;
}

/* A run into dir/name.  Returns run_train's result. */
static int
run(const char *name, const struct run_options *o, const char *method, bool resume, bool overwrite,
	struct spy *s, struct err *e)
{
	struct buf out = BUF_INIT, settings = BUF_INIT, meta = BUF_INIT;
	struct dataset_options d_o = options_for(method);
	struct dataset d;
	struct checkpoints c;
	*e = (struct err){0};
	s->out = path_join(&out, dir, name);
	load_cases(&d, "llama-gqa", &d_o);
	int rc = checkpoints_open(&c, s->out, resume, overwrite, e);
	if (rc == 0) {
		struct model *m = load_model("llama-gqa", k1, HEAD_LM);
		run_settings(o, &d, NULL, "{}", &settings);
		run_describe(
			&d, "llama-gqa", model_hash(m), "{}", k1->path, "seed 42\nout x\n", &meta);
		c.other_bits = other_bits;
		c.source_dir = GOLDEN "llama-gqa";
		c.meta = meta.data;
		c.meta_n = meta.len;
		struct run r = {.o = o,
			.hooks = {.ctx = s,
				.log = spy_log,
				.note = spy_note,
				.interrupted = spy_interrupted},
			.model = m,
			.data = &d,
			.checkpoints = &c,
			.settings = settings.data};
		rc = run_train(&r, e);
		checkpoints_close(&c);
		model_close(m);
	}
	dataset_free(&d);
	buf_free(&settings);
	buf_free(&meta);
	buf_free(&out);
	s->out = NULL;
	return rc;
}

static void
spy_free(struct spy *s)
{
	buf_free(&s->log);
	buf_free(&s->notes);
}

static void
read_out(const char *name, const char *file, struct buf *b)
{
	struct buf path = BUF_INIT;
	buf_printf(&path, "%s/%s/%s", dir, name, file);
	struct err e = {0};
	buf_reset(b);
	must(file_read(path.data, 1 << 26, b, &e), &e);
	buf_free(&path);
}

static bool
same_model(const char *a, const char *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	read_out(a, "model.safetensors", &x);
	read_out(b, "model.safetensors", &y);
	bool same = x.len == y.len && x.len > 1000 && memcmp(x.data, y.data, x.len) == 0;
	buf_free(&x);
	buf_free(&y);
	return same;
}

static bool
exists(const char *name)
{
	struct buf path = BUF_INIT;
	bool is = file_exists(path_join(&path, dir, name));
	buf_free(&path);
	return is;
}

static void
log_of_a_run(void)
{
	struct spy s = {.stop_at = -1};
	struct run_options o = small_run();
	struct err e;
	CHECK(run("whole", &o, "pro", false, false, &s, &e) == 0);
	/* 7 records in steps of 2: 4 an epoch, the last of one record */
	CHECK(s.lines == 12);
	CHECK(s.max_steps_seen == 2);
	int64_t tokens = 0;
	char *save = NULL, *line = strtok_r(s.log.data, "\n", &save);
	for (int i = 1; line; line = strtok_r(NULL, "\n", &save), i++) {
		json_t *v = json_parse(line, strlen(line), &e);
		CHECK(v != NULL);
		static const char *const keys[] = {"step", "epoch", "loss", "pro_loss",
			"pro_loss_rank", "sft_loss", "learning_rate", "grad_norm", "records",
			"tokens", "num_tokens", "rewards/accuracies", "rewards/margins"};
		for (size_t j = 0; j < sizeof keys / sizeof *keys; j++)
			CHECK(json_object_get(v, keys[j]) != NULL);
		CHECK(json_integer_value(json_object_get(v, "step")) == i);
		int n = i % 4 == 0 ? 1 : 2;
		CHECK(json_integer_value(json_object_get(v, "records")) == n);
		double epoch = (i - 1) / 4 + (i % 4 == 0 ? 1 : i % 4 * 2 / 7.0);
		CHECK_NEAR(real_of(v, "epoch"), epoch, 1e-12);
		tokens += json_integer_value(json_object_get(v, "tokens"));
		CHECK(json_integer_value(json_object_get(v, "num_tokens")) == tokens);
		json_decref(v);
	}
	CHECK(exists("whole/config.json") && exists("whole/pro.json"));
	CHECK(!exists("whole.checkpoints"));
	struct buf b = BUF_INIT;
	read_out("whole", "pro.json", &b);
	json_t *v = json_parse(b.data, b.len, &e);
	CHECK(strcmp(json_string_value(json_object_get(v, "method")), "pro") == 0);
	CHECK(json_object_get(json_object_get(v, "options"), "seed") != NULL);
	json_decref(v);
	buf_free(&b);
	spy_free(&s);
}

static void
same_seed_same_bytes(void)
{
	struct spy s = {.stop_at = -1};
	struct run_options o = small_run();
	struct err e;
	CHECK(run("again", &o, "pro", false, false, &s, &e) == 0 && same_model("whole", "again"));
	o.seed = 43;
	CHECK(run("other", &o, "pro", false, false, &s, &e) == 0 && !same_model("whole", "other"));
	o.seed = 42;
	CHECK(run("sft", &o, "sft", false, false, &s, &e) == 0 && !same_model("whole", "sft"));
	/* the number of updates, wrapping the data */
	o.max_steps = 12;
	CHECK(run("max", &o, "pro", false, false, &s, &e) == 0 && same_model("whole", "max"));
	o.max_steps = 13;
	CHECK(run("more", &o, "pro", false, false, &s, &e) == 0 && !same_model("whole", "more"));
	spy_free(&s);
}

/* Interrupted at every possible place, resumed once or again and again: the same bits. */
static void
resume_is_exact(void)
{
	struct run_options o = small_run();
	struct err e;
	for (int at = 0; at < 23; at += at < 8 ? 1 : 5) {
		struct spy s = {.stop_at = at};
		CHECK(run("cut", &o, "pro", false, true, &s, &e) == -1 && e.code == ERR_TEMPFAIL);
		CHECK(!exists("cut"));
		spy_free(&s);
		s = (struct spy){.stop_at = -1};
		CHECK(run("cut", &o, "pro", true, false, &s, &e) == 0);
		CHECK(strstr(s.notes.data, "resumed at step"));
		CHECK(same_model("whole", "cut"));
		CHECK(!exists("cut.checkpoints"));
		spy_free(&s);
		struct buf out = BUF_INIT;
		CHECK(dir_remove(path_join(&out, dir, "cut"), &e) == 0);
		buf_free(&out);
	}
	int parts = 0, rc = -1;
	for (; parts < 40 && rc < 0; parts++) {
		struct spy s = {.stop_at = 3};
		rc = run("parts", &o, "pro", parts > 0, false, &s, &e);
		CHECK(rc == 0 || e.code == ERR_TEMPFAIL);
		spy_free(&s);
	}
	CHECK(rc == 0 && parts > 5 && same_model("whole", "parts"));
}

/* A log that cannot be written ends the run, and loses neither steps nor lines of it. */
static void
log_that_is_full(void)
{
	struct run_options o = small_run();
	struct err e;
	struct spy whole = {.stop_at = -1};
	o.save_steps = 0;
	CHECK(run("whole", &o, "pro", false, true, &whole, &e) == 0);
	for (int at = 1; at <= 12; at += at < 3 ? 1 : 3) {
		int code = at % 2 ? ERR_IO : ERR_TEMPFAIL;
		struct spy s = {.stop_at = -1, .full_at = at, .full_code = code};
		CHECK(run("full", &o, "pro", false, true, &s, &e) == -1 && e.code == code);
		CHECK(strstr(e.msg, "--resume") != NULL);
		/* and once more for the line that waited */
		s.lines = 0;
		s.full_at = 1;
		CHECK(run("full", &o, "pro", true, false, &s, &e) == -1 && e.code == code);
		s.full_at = 0;
		CHECK(run("full", &o, "pro", true, false, &s, &e) == 0);
		CHECK(same_model("whole", "full"));
		CHECK_STR(s.log.data, whole.log.data);
		spy_free(&s);
	}
	spy_free(&whole);
}

/* Other kernels give other bits. */
static void
other_kernels(void)
{
	struct run_options o = small_run();
	struct err e;
	struct spy s = {.stop_at = 5};
	const char *path = k1->path;
	CHECK(run("cpu", &o, "pro", false, true, &s, &e) == -1 && e.code == ERR_TEMPFAIL);
	s.stop_at = -1;
	k1->path = "an abacus";
	CHECK(run("cpu", &o, "pro", true, false, &s, &e) == -1 && e.code == ERR_CONFIG);
	CHECK(strstr(e.msg, "an abacus") && strstr(e.msg, path) &&
		strstr(e.msg, "--allow-other-bits"));
	other_bits = true;
	CHECK(run("cpu", &o, "pro", true, false, &s, &e) == 0);
	CHECK(strstr(s.notes.data, "an abacus") && strstr(s.notes.data, path));
	other_bits = false;
	k1->path = path;
	struct buf meta = BUF_INIT;
	read_out("cpu", "pro.json", &meta);
	CHECK(strstr(meta.data, "\"kernels\":\"an abacus\"") != NULL);
	buf_free(&meta);
	spy_free(&s);
}

/* Changes the last byte of a file. */
static void
spoil(const char *name)
{
	struct buf path = BUF_INIT;
	FILE *f = fopen(path_join(&path, dir, name), "r+b");
	CHECK(f != NULL);
	if (f) {
		/* of state.json, which is no JSON any more without its end, the step */
		bool state = strstr(name, "state.json");
		long at = state ? (long)strlen("{\"version\":3,\"step\":") : -1;
		fseek(f, at, state ? SEEK_SET : SEEK_END);
		int c = fgetc(f);
		fseek(f, at, state ? SEEK_SET : SEEK_END);
		fputc(c ^ 1, f);
		fclose(f);
	}
	buf_free(&path);
}

static void
rotten_checkpoints(void)
{
	static const char *const files[] = {
		"model.safetensors", "optimizer.safetensors", "config.json", "state.json"};
	struct run_options o = small_run();
	struct err e;
	for (int i = 0; i < 4; i++) {
		struct spy s = {.stop_at = 13};
		char name[100];
		CHECK(run("rot", &o, "pro", false, true, &s, &e) == -1 && e.code == ERR_TEMPFAIL);
		/* two epochs poll 14 times: the 14th is before the last of their 8 updates */
		CHECK(exists("rot.checkpoints/step-6") && exists("rot.checkpoints/step-7"));
		spy_free(&s);
		snprintf(name, sizeof name, "rot.checkpoints/step-7/%s", files[i]);
		spoil(name);
		s = (struct spy){.stop_at = -1};
		CHECK(run("rot", &o, "pro", true, false, &s, &e) == 0);
		CHECK(strstr(s.notes.data, "passed over") && strstr(s.notes.data, "at step 6"));
		CHECK(same_model("whole", "rot"));
		spy_free(&s);
	}
	struct spy s = {.stop_at = 2};
	CHECK(run("bad", &o, "pro", false, true, &s, &e) == -1);
	spoil("bad.checkpoints/step-1/optimizer.safetensors");
	s.stop_at = -1;
	CHECK(run("bad", &o, "pro", true, false, &s, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "optimizer.safetensors: the file is not what was written"));
	spy_free(&s);
}

static void
refusals(void)
{
	struct run_options o = small_run();
	struct err e;
	struct spy s = {.stop_at = -1};
	CHECK(run("new", &o, "pro", true, false, &s, &e) == 0 && same_model("whole", "new"));
	spy_free(&s);
	CHECK(run("new", &o, "pro", true, false, &s, &e) == 0 && s.log.len == 0);
	CHECK(strstr(s.notes.data, "done: nothing to do") && !exists("new.checkpoints"));
	CHECK(run("whole", &o, "pro", false, false, &s, &e) == -1 && e.code == ERR_CANTCREAT);
	CHECK(run("again", &o, "pro", false, true, &s, &e) == 0 && same_model("whole", "again"));
	/* an unfinished run is not lost by mistake */
	spy_free(&s);
	s = (struct spy){.stop_at = 5};
	CHECK(run("half", &o, "pro", false, false, &s, &e) == -1 && e.code == ERR_TEMPFAIL);
	s.stop_at = -1;
	CHECK(run("half", &o, "pro", false, false, &s, &e) == -1 && e.code == ERR_CANTCREAT);
	CHECK(strstr(e.msg, "--resume"));
	/* other options */
	o.optim.learning_rate = 2e-3;
	CHECK(run("half", &o, "pro", true, false, &s, &e) == -1 && e.code == ERR_CONFIG);
	CHECK(strstr(e.msg, "learning-rate 0.001") && strstr(e.msg, "learning-rate 0.002"));
	o = small_run();
	CHECK(run("half", &o, "sft", true, false, &s, &e) == -1 && e.code == ERR_CONFIG);
	/* what does not change the result may change */
	o.save_steps = 1;
	o.logging_steps = 4;
	CHECK(run("half", &o, "pro", true, false, &s, &e) == 0 && same_model("whole", "half"));
	spy_free(&s);
}

static void
kept_checkpoints(void)
{
	struct run_options o = small_run();
	struct err e;
	struct spy s = {.stop_at = -1};
	o.keep_checkpoints = true;
	CHECK(run("kept", &o, "pro", false, false, &s, &e) == 0);
	CHECK(exists("kept.checkpoints/step-9") && exists("kept.checkpoints/step-12"));
	CHECK(exists("kept.checkpoints/finished") && exists("kept.checkpoints/step-12/pro.json"));
	spy_free(&s);
	CHECK(run("kept", &o, "pro", true, false, &s, &e) == 0 && s.log.len == 0);
	CHECK(strstr(s.notes.data, "done at step 12"));
	o.keep_checkpoints = false;
	CHECK(run("kept", &o, "pro", false, true, &s, &e) == 0 && !exists("kept.checkpoints"));
	spy_free(&s);
}

static void
copy_tree(const char *from, const char *to)
{
	char cmd[512];
	snprintf(cmd, sizeof cmd, "rm -rf %s/%s && cp -r %s/%s %s/%s", dir, to, dir, from, dir, to);
	CHECK(system(cmd) == 0);
}

/* Killed after OUT was put in its place, before the checkpoints were removed. */
static void
killed_at_the_end(void)
{
	struct run_options o = small_run();
	struct err e;
	struct spy s = {.stop_at = 13};
	CHECK(run("late", &o, "pro", false, false, &s, &e) == -1 && e.code == ERR_TEMPFAIL);
	copy_tree("whole", "late");
	spy_free(&s);
	s = (struct spy){.stop_at = -1};
	CHECK(run("late", &o, "pro", true, false, &s, &e) == 0 && same_model("whole", "late"));
	CHECK(!exists("late.checkpoints"));
	spy_free(&s);
	CHECK(run("late", &o, "pro", true, false, &s, &e) == 0 && s.log.len == 0);
	spy_free(&s);
}

/* --overwrite replaces models that pro-train made, nothing else. */
static void
other_folders_are_safe(void)
{
	struct run_options o = small_run();
	struct err e;
	struct spy s = {.stop_at = -1};
	copy_tree("whole", "precious");
	struct buf path = BUF_INIT;
	CHECK(remove(path_join(&path, dir, "precious/pro.json")) == 0);
	buf_free(&path);
	CHECK(run("precious", &o, "pro", false, true, &s, &e) == -1 && e.code == ERR_CANTCREAT);
	CHECK(strstr(e.msg, "not made by") && exists("precious/config.json"));
	spy_free(&s);
}

static void
one_run_at_a_time(void)
{
	struct checkpoints a, b;
	struct buf out = BUF_INIT;
	struct err e = {0};
	path_join(&out, dir, "locked/");
	CHECK(checkpoints_open(&a, out.data, false, false, &e) == 0);
	CHECK(checkpoints_open(&b, out.data, false, false, &e) == -1 && e.code == ERR_TEMPFAIL);
	CHECK(exists("locked.checkpoints"));
	checkpoints_close(&a);
	CHECK(!exists("locked.checkpoints"));
	buf_free(&out);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	k1 = kernels_cpu_open(1);
	RUN(log_of_a_run);
	RUN(same_seed_same_bytes);
	RUN(resume_is_exact);
	RUN(log_that_is_full);
	RUN(other_kernels);
	RUN(rotten_checkpoints);
	RUN(refusals);
	RUN(kept_checkpoints);
	RUN(killed_at_the_end);
	RUN(other_folders_are_safe);
	RUN(one_run_at_a_time);
	k1->close(k1);
	dir_remove(dir, NULL);
	TEST_END;
}
