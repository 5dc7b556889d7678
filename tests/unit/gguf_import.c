/*
 * Import of GGUF files that llama.cpp's own converter made of the models in tests/golden
 * (tests/golden/gguf/make_gguf.py): the tensors come back bit for bit, the configuration says the
 * same, the tokenizer gives the ids of Hugging Face's.
 */
#include "tests/unit/gguf_util.h"

#include <jansson.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/model/decoder.h"
#include "lib/text/tokenizer.h"

/* Imports tests/golden/gguf/NAME.gguf into tmp/NAME. */
static bool
import(const char *name, enum gguf_dtype dtype, struct gguf_import *p)
{
	char from[200];
	struct err e = {0};
	*p = (struct gguf_import){.dtype = dtype};
	snprintf(from, sizeof from, "tests/golden/gguf/%s.gguf", name);
	dir_remove(in_tmp(name), NULL);
	bool ok = gguf_import(p, from, in_tmp(name), &e) == 0;
	if (!ok)
		printf("# %s\n", e.msg);
	CHECK(ok);
	return ok;
}

static struct weights *
open_weights(const char *dir)
{
	struct weights *w = NULL;
	struct err e = {0};
	if (weights_open(&w, dir, &e) < 0)
		printf("# %s\n", e.msg);
	CHECK(w != NULL);
	return w;
}

/* All tensors of want are in got, with the same shape and values; tolerance of a row's largest
 * value times part, 0: bits.  Types may differ where values are compared. */
static void
same_tensors(const char *want_dir, const char *got_dir, double part)
{
	struct weights *want = open_weights(want_dir), *got = open_weights(got_dir);
	const struct st_tensor *a;
	int n = 0;
	while (want && got && (a = weights_at(want, n)) != NULL) {
		const struct st_tensor *b = weights_find(got, a->name);
		n++;
		CHECK(b && b->rank == a->rank);
		if (b == NULL)
			continue;
		size_t count = 1, cols = (size_t)a->shape[a->rank - 1];
		for (int i = 0; i < a->rank; i++) {
			CHECK(a->shape[i] == b->shape[i]);
			count *= (size_t)a->shape[i];
		}
		float *x = x_malloc(count * 4), *y = x_malloc(count * 4);
		CHECK(st_to_float(x, a, NULL) == 0 && st_to_float(y, b, NULL) == 0);
		size_t wrong = 0;
		for (size_t r = 0; r < count; r += cols) {
			float top = 0;
			for (size_t i = r; i < r + cols; i++)
				top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
			for (size_t i = r; i < r + cols; i++)
				wrong += part > 0 ? !(fabs(x[i] - y[i]) <= part * top)
						  : memcmp(&x[i], &y[i], 4) != 0;
		}
		if (wrong)
			printf("# %s: %zu of %zu differ\n", a->name, wrong, count);
		CHECK(wrong == 0);
		free(x);
		free(y);
	}
	CHECK(n > 10 && got && weights_at(got, n) == NULL);
	weights_close(want);
	weights_close(got);
}

static void
same_config(const char *want_dir, const char *got_dir)
{
	struct model_config a, b;
	struct err e = {0};
	bool ok = config_load(&a, want_dir, &e) == 0 && config_load(&b, got_dir, &e) == 0;
	if (!ok)
		printf("# %s\n", e.msg);
	CHECK(ok);
	if (!ok)
		return;
	/* GGUF calls Mistral a llama; the two differ in a name only */
	CHECK(a.family == b.family || (a.family == FAMILY_MISTRAL && b.family == FAMILY_LLAMA));
	CHECK(a.head == b.head && a.n_layers == b.n_layers && a.hidden == b.hidden);
	CHECK(a.n_heads == b.n_heads && a.n_kv_heads == b.n_kv_heads && a.head_dim == b.head_dim);
	CHECK(a.ffn == b.ffn && a.vocab == b.vocab && a.max_positions == b.max_positions);
	CHECK(a.norm == b.norm && a.norm_eps == b.norm_eps && a.act == b.act && a.gated == b.gated);
	CHECK(a.parallel_residual == b.parallel_residual && a.qkv_bias == b.qkv_bias);
	CHECK(a.o_bias == b.o_bias && a.mlp_bias == b.mlp_bias && a.fused_qkv == b.fused_qkv);
	CHECK(a.tied_head == b.tied_head && a.rope_theta == b.rope_theta);
	CHECK(a.rotary_dim == b.rotary_dim && a.rope_llama3 == b.rope_llama3);
	CHECK(a.rope_factor == b.rope_factor && a.dtype == b.dtype);
	CHECK(a.rope_low_freq_factor == b.rope_low_freq_factor);
	CHECK(a.rope_high_freq_factor == b.rope_high_freq_factor);
	CHECK(a.rope_original_positions == b.rope_original_positions);
	config_free(&a);
	config_free(&b);
}

static void
same_ids(const struct tokenizer *t, const char *text, const json_t *want, bool literal)
{
	struct ids ids = {0};
	struct err e = {0};
	struct text_piece piece = {text, strlen(text), literal};
	bool ok = tokenizer_encode(t, &piece, 1, 0, &ids, &e) == 0;
	if (!ok)
		printf("# %s\n", e.msg);
	bool same = ok && ids.n == json_array_size(want);
	for (size_t i = 0; same && i < ids.n; i++)
		same = ids.v[i] == json_integer_value(json_array_get(want, i));
	if (!same)
		printf("# '%s'\n", text);
	CHECK(same);
	ids_free(&ids);
}

static void
same_tokenizer(const char *name)
{
	json_t *all = json_load_file("tests/golden/gguf/expect.json", 0, NULL), *s;
	const json_t *want = json_object_get(all, name);
	struct tokenizer *t = NULL;
	struct err e = {0};
	if (tokenizer_load(&t, in_tmp(name), &e) < 0)
		printf("# %s\n", e.msg);
	CHECK(t && want);
	size_t i;
	const char *token;
	if (t && want) {
		CHECK(tokenizer_bos(t) == json_integer_value(json_object_get(want, "bos")));
		CHECK(tokenizer_eos(t) == json_integer_value(json_object_get(want, "eos")));
		CHECK(tokenizer_adds_bos(t) == json_is_true(json_object_get(want, "adds_bos")));
		json_object_foreach(json_object_get(want, "special"), token, s)
		{
			CHECK(tokenizer_id(t, token) == json_integer_value(s));
			json_t *one = json_pack("[I]", json_integer_value(s));
			same_ids(t, token, one, true);
			json_decref(one);
		}
		json_array_foreach(json_object_get(want, "strings"), i, s)
			same_ids(t, json_string_value(json_object_get(s, "text")),
				json_object_get(s, "ids"), false);
		CHECK(i >= 17);
	}
	tokenizer_free(t);
	json_decref(all);
}

/* logits [n, V] of a few ids. */
static float *
logits(const char *dir, size_t *count)
{
	int32_t ids[] = {3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 3, 23, 8, 46, 26, 4, 33}, rows[18];
	enum { N = 18 };
	struct err e = {0};
	struct kernels *k = kernels_cpu_open(1);
	struct model *m = NULL;
	struct decoder *d = NULL;
	struct decoder_limits l = {N, 1, N, 0, false, 0};
	struct model_open_options o = {.use = MODEL_INFER, .head = HEAD_LM};
	struct k_segment seg = {0, N, 0, 0, 0, N};
	for (int i = 0; i < N; i++)
		rows[i] = i;
	struct batch b = {.n_rows = N,
		.ids = ids,
		.positions = rows,
		.n_segs = 1,
		.segs = &seg,
		.n_head = N,
		.head_rows = rows};
	float *out = NULL;
	*count = 0;
	bool ok = model_open(&m, dir, k, &o, &e) == 0 && decoder_open(&d, m, &l, &e) == 0 &&
		  decoder_forward(d, &b, &e) == 0;
	if (ok) {
		*count = (size_t)N * (size_t)m->config.vocab;
		out = x_malloc(*count * sizeof *out);
		ok = decoder_logits(d, out, &e) == 0;
	}
	if (!ok)
		printf("# %s\n", e.msg);
	CHECK(ok);
	decoder_close(d);
	model_close(m);
	k->close(k);
	return out;
}

/* The same numbers come out: nothing that the decoder reads has been lost. */
static void
same_logits(const char *want_dir, const char *got_dir)
{
	size_t n, m;
	float *a = logits(want_dir, &n), *b = logits(got_dir, &m);
	CHECK(n == m && n > 0);
	size_t wrong = 0;
	for (size_t i = 0; i < n && n == m; i++)
		wrong += a[i] != b[i];
	CHECK(wrong == 0);
	free(a);
	free(b);
}

static void
round_trip(const char *name)
{
	char golden[100];
	struct gguf_import p;
	snprintf(golden, sizeof golden, "tests/golden/%s", name);
	if (!import(name, GGUF_AUTO, &p))
		return;
	same_tensors(golden, in_tmp(name), 0);
	same_config(golden, in_tmp(name));
	same_tokenizer(name);
	same_logits(golden, in_tmp(name));
}

static void
llama(void)
{
	round_trip("llama-gqa");
}

static void
llama3_scaling(void)
{
	round_trip("llama3-rope");
}

static void
mistral(void)
{
	round_trip("mistral");
}

static void
qwen2(void)
{
	round_trip("qwen2");
}

static void
gptneox(void)
{
	round_trip("neox");
}

/* Q8_0: a row's error is at most half a step, its largest value / 127 / 2, and the half that holds
 * the step is off by 2^-11 of it at 127 steps.  A row in the wrong place would be off by all of it.
 */
static void
quantised(void)
{
	struct gguf_import p;
	if (!import("llama-gqa-q8", GGUF_AUTO, &p))
		return;
	CHECK_STR(p.architecture, "llama");
	CHECK_STR(p.tokenizer, "llama");
	CHECK(!p.pre_missing && p.n_tensors == 21 && p.n_parameters > 15000);
	same_tensors("tests/golden/llama-gqa", in_tmp("llama-gqa-q8"), 0.5 / 127 + 1.0 / 2048);
	same_tokenizer("llama-gqa-q8");
}

static void
sentencepiece(void)
{
	struct gguf_import p;
	if (!import("spm", GGUF_AUTO, &p))
		return;
	same_tokenizer("spm");
	struct tokenizer *t = NULL;
	struct err e;
	CHECK(tokenizer_load(&t, in_tmp("spm"), &e) == 0);
	CHECK(t && strcmp(tokenizer_kind(t), "sentencepiece") == 0 && tokenizer_vocab(t) >= 327);
	tokenizer_free(t);
}

/* Converters type pad tokens as unknown or as nothing; one unknown token is the model's. */
static void
odd_token_types(void)
{
	static const char key[] = "tokenizer.ggml.token_type\11\0\0\0\5\0\0";
	struct buf b = BUF_INIT;
	struct err e = {0};
	struct gguf_import p = {0};
	CHECK(file_read("tests/golden/gguf/spm.gguf", 1 << 24, &b, &e) == 0);
	char *at = b.data ? memmem(b.data, b.len, key, sizeof key - 1) : NULL;
	CHECK(at != NULL);
	if (at == NULL)
		return;
	int32_t *type = (int32_t *)(void *)(at + sizeof key - 1 + 1 + 8), last = 0;
	uint64_t n;
	memcpy(&n, at + sizeof key, 8);
	memcpy(&last, type + n - 1, 4);
	CHECK(n >= 327 && last >= 1 && last <= 6);
	memcpy(type + n - 1, &(int32_t){2}, 4);
	memcpy(type + n - 2, &(int32_t){0}, 4);
	CHECK(file_write(in_tmp("odd.gguf"), b.data, b.len, &e) == 0);
	char odd[200];
	snprintf(odd, sizeof odd, "%s", in_tmp("odd.gguf"));
	CHECK(gguf_import(&p, odd, in_tmp("odd"), &e) == 0);
	struct tokenizer *t = NULL;
	CHECK(tokenizer_load(&t, in_tmp("odd"), &e) == 0);
	if (e.msg[0])
		printf("# %s\n", e.msg);
	CHECK(t && tokenizer_vocab(t) == (int32_t)n);
	tokenizer_free(t);
	buf_free(&b);
}

static void
dtypes(void)
{
	struct gguf_import p;
	struct model_config c;
	struct err e;
	static const struct {
		enum gguf_dtype to;
		enum k_dtype is;
		double part;
	} to[] = {{GGUF_TO_F32, K_F32, 0}, {GGUF_TO_F16, K_F16, 1.0 / 2048},
		{GGUF_TO_BF16, K_BF16, 1.0 / 256}};
	for (int i = 0; i < 3; i++) {
		if (!import("llama-gqa", to[i].to, &p))
			continue;
		CHECK(config_load(&c, in_tmp("llama-gqa"), &e) == 0 && c.dtype == to[i].is);
		config_free(&c);
		same_tensors("tests/golden/llama-gqa", in_tmp("llama-gqa"), to[i].part);
		struct weights *w = open_weights(in_tmp("llama-gqa"));
		const struct st_tensor *t;
		for (int k = 0; w && (t = weights_at(w, k)) != NULL; k++) {
			CHECK(t->bytes == (size_t)t->shape[0] *
						  (size_t)(t->rank > 1 ? t->shape[1] : 1) *
						  k_dtype_size(to[i].is));
			CHECK((uintptr_t)t->data % k_dtype_size(to[i].is) == 0);
		}
		weights_close(w);
	}
	if (import("mistral", GGUF_TO_F32, &p))
		same_tensors("tests/golden/mistral", in_tmp("mistral"), 0);
}

/* Replaces from by to, of any length, once. */
static void
splice(struct buf *b, const char *from, size_t n, const char *to, size_t m)
{
	char *at = memmem(b->data, b->len, from, n);
	CHECK(at != NULL);
	if (at == NULL)
		return;
	struct buf out = BUF_INIT;
	buf_put(&out, b->data, (size_t)(at - b->data));
	buf_put(&out, to, m);
	buf_put(&out, at + n, b->len - (size_t)(at - b->data) - n);
	buf_free(b);
	*b = out;
}

#define SPLICE(b, from, to) splice(b, from, sizeof(from) - 1, to, sizeof(to) - 1)

/* Imports b as NAME and loads its tokenizer. */
static struct tokenizer *
import_bytes(const struct buf *b, const char *name)
{
	char from[200];
	struct err e = {0};
	struct gguf_import p = {0};
	struct tokenizer *t = NULL;
	snprintf(from, sizeof from, "%s.gguf", in_tmp(name));
	FILE *f = fopen(from, "w");
	CHECK(f && fwrite(b->data, 1, b->len, f) == b->len && fclose(f) == 0);
	dir_remove(in_tmp(name), NULL);
	if (gguf_import(&p, from, in_tmp(name), &e) < 0 || tokenizer_load(&t, in_tmp(name), &e) < 0)
		printf("# %s\n", e.msg);
	CHECK(t != NULL);
	return t;
}

/* Without tokenizer.ggml.add_bos_token: what llama.cpp does for that kind of tokenizer. */
static void
bos_by_default(void)
{
	static const struct {
		const char *name;
		bool adds;
	} want[] = {{"llama-gqa", false}, {"llama3-rope", true}, {"mistral", true},
		{"qwen2", false}, {"neox", false}, {"spm", true}};
	for (int i = 0; i < 6; i++) {
		struct buf b = BUF_INIT;
		char path[200];
		snprintf(path, sizeof path, "tests/golden/gguf/%s.gguf", want[i].name);
		CHECK(file_read(path, 1 << 24, &b, NULL) == 0);
		SPLICE(&b, "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_bus_token");
		struct tokenizer *t = import_bytes(&b, "default");
		CHECK(t && tokenizer_adds_bos(t) == want[i].adds);
		tokenizer_free(t);
		buf_free(&b);
	}
}

/* A part of a model that gguf-split has cut says so. */
static void
parts(void)
{
	struct buf b = BUF_INIT;
	struct gguf g;
	struct gguf_shape s;
	struct err e = {0};
	struct buf json = BUF_INIT;
	CHECK(file_read("tests/golden/gguf/llama-gqa-q8.gguf", 1 << 24, &b, NULL) == 0);
	/* the file type is 7; the rest makes up for the length */
	SPLICE(&b, "\x11\0\0\0\0\0\0\0general.file_type", "\x0b\0\0\0\0\0\0\0split.count");
	SPLICE(&b, "\5\0\0\0\0\0\0\0model", "\x0b\0\0\0\0\0\0\0model or so");
	CHECK(gguf_parse(&g, b.data, b.len, "part", &e) == 0);
	CHECK(gguf_config(&g, &s, "float32", &json, &e) == -1 && e.code == ERR_CONFIG);
	CHECK(strstr(e.msg, "one of 7 parts of a model") != NULL);
	gguf_close(&g);
	buf_free(&json);
	buf_free(&b);
}

/* End-of-turn and end-of-message tokens stop generation, too. */
static void
stop_ids(void)
{
	struct buf b = BUF_INIT;
	struct model_config c;
	struct err e;
	CHECK(file_read("tests/golden/gguf/llama-gqa.gguf", 1 << 24, &b, NULL) == 0);
	SPLICE(&b, "\x1f\0\0\0\0\0\0\0tokenizer.ggml.unknown_token_id",
		"\x1b\0\0\0\0\0\0\0tokenizer.ggml.eot_token_id");
	SPLICE(&b, "\x1f\0\0\0\0\0\0\0tokenizer.ggml.padding_token_id",
		"\x1b\0\0\0\0\0\0\0tokenizer.ggml.eom_token_id");
	/* as many bytes as before, so that the data stays aligned */
	SPLICE(&b, "\5\0\0\0\0\0\0\0model", "\x0d\0\0\0\0\0\0\0model or more");
	struct tokenizer *t = import_bytes(&b, "stop");
	/* eos 2, eot 0 (as unknown was), eom 2 again (as padding was) */
	CHECK(t && config_load(&c, in_tmp("stop"), &e) == 0);
	CHECK(t && c.eos_list.n == 2 && c.eos_list.v[0] == 2 && c.eos_list.v[1] == 0);
	if (t)
		config_free(&c);
	same_tensors("tests/golden/llama-gqa", in_tmp("stop"), 0);
	tokenizer_free(t);
	buf_free(&b);
}

/* One layer with a large embedding, all zeros: a file with a hole. */
static void
write_large(const char *path, uint64_t vocab, uint64_t hidden)
{
	static const char *const dims[] = {"block_count", "embedding_length",
		"attention.head_count", "feed_forward_length", "context_length"};
	static const char *const layer[] = {"attn_norm", "ffn_norm", "attn_q", "attn_k", "attn_v",
		"attn_output", "ffn_gate", "ffn_up", "ffn_down"};
	const uint64_t value[] = {1, hidden, 4, hidden, 64};
	uint64_t at = 0;
	struct buf b = BUF_INIT;
	put_header(&b, 3, 11, 11);
	put_key(&b, "general.architecture", GGUF_STRING), put_string(&b, "llama");
	for (int i = 0; i < 5; i++) {
		char key[64];
		snprintf(key, sizeof key, "llama.%s", dims[i]);
		put_key(&b, key, GGUF_UINT32), put_int(&b, value[i], 4);
	}
	put_key(&b, "llama.attention.layer_norm_rms_epsilon", GGUF_FLOAT32);
	put_int(&b, 0x3727c5ac, 4); /* 1e-5 */
	put_key(&b, "tokenizer.ggml.model", GGUF_STRING), put_string(&b, "gpt2");
	put_key(&b, "tokenizer.ggml.pre", GGUF_STRING), put_string(&b, "gpt-2");
	put_key(&b, "tokenizer.ggml.tokens", GGUF_ARRAY), put_int(&b, GGUF_STRING, 4);
	put_int(&b, 2, 8), put_string(&b, "a"), put_string(&b, "b");
	put_key(&b, "tokenizer.ggml.merges", GGUF_ARRAY), put_int(&b, GGUF_STRING, 4);
	put_int(&b, 0, 8);
	put_info(&b, "token_embd.weight", hidden, vocab, GGML_F32, at), at += 4 * hidden * vocab;
	put_info(&b, "output_norm.weight", hidden, 0, GGML_F32, at), at += 4 * hidden;
	for (int i = 0; i < 9; i++) {
		char name[64];
		snprintf(name, sizeof name, "blk.0.%s.weight", layer[i]);
		put_info(&b, name, hidden, i < 2 ? 0 : hidden, GGML_F32, at);
		at += 4 * hidden * (i < 2 ? 1 : hidden);
	}
	pad(&b, 32);
	FILE *f = fopen(path, "w");
	CHECK(f && fwrite(b.data, 1, b.len, f) == b.len && fflush(f) == 0);
	CHECK(f && ftruncate(fileno(f), (off_t)(b.len + at)) == 0 && fclose(f) == 0);
	buf_free(&b);
}

/* Private memory of this process in KiB. */
static long
private_memory(void)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "VmData: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* 64 MiB of weights go through less than 8 MiB of memory of our own. */
static void
flat_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
	SKIP("AddressSanitizer keeps memory of its own");
#endif
	char from[200];
	snprintf(from, sizeof from, "%s", in_tmp("large.gguf"));
	write_large(from, 1 << 16, 256);
	pid_t child = fork();
	if (child == 0) {
		rlim_t limit = ((rlim_t)private_memory() + 8192) * 1024;
		struct rlimit r = {limit, limit};
		struct gguf_import p = {.dtype = GGUF_TO_BF16};
		struct err e = {0};
		if (setrlimit(RLIMIT_DATA, &r) < 0 ||
			gguf_import(&p, from, in_tmp("large"), &e) < 0)
			printf("# %s\n", e.msg), fflush(stdout), _exit(1);
		/* and the limit would have been noticed */
		void *volatile more = malloc(16 << 20);
		_exit(more == NULL ? 0 : 2);
	}
	int status = -1;
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(file_exists(in_tmp("large")));
}

static void
shortest_floats(void)
{
	static const struct {
		float x;
		const char *text;
	} want[] = {{1e-5f, "1e-05"}, {1e-6f, "1e-06"}, {100000.0f, "100000.0"}, {8.0f, "8.0"},
		{0.1f, "0.1"}, {1.0f / 3, "0.33333334"}, {5e6f, "5e+06"}};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		struct buf b = BUF_INIT;
		gguf_put_float(&b, want[i].x);
		CHECK_STR(b.data, want[i].text);
		CHECK(strtof(b.data, NULL) == want[i].x);
		buf_free(&b);
	}
}

int
main(void)
{
	make_tmp();
	RUN(llama);
	RUN(llama3_scaling);
	RUN(mistral);
	RUN(qwen2);
	RUN(gptneox);
	RUN(quantised);
	RUN(sentencepiece);
	RUN(odd_token_types);
	RUN(dtypes);
	RUN(bos_by_default);
	RUN(stop_ids);
	RUN(parts);
	RUN(flat_memory);
	RUN(shortest_floats);
	dir_remove(tmp, NULL);
	TEST_END;
}
