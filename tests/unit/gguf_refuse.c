/* Import of GGUF files that are wrong or not supported: named, and nothing is left behind. */
#include "tests/unit/gguf_util.h"

#include "lib/base/file.h"

/* Imports the named fixture with the first occurrence of `from` replaced by `to`, n bytes both. */
static void
refused(const char *name, const char *from, const char *to, size_t n, int code, const char *why)
{
	struct buf b = BUF_INIT;
	struct err e = {0};
	char path[200];
	snprintf(path, sizeof path, "tests/golden/gguf/%s.gguf", name);
	CHECK(file_read(path, 1 << 24, &b, &e) == 0);
	char *at = memmem(b.data, b.len, from, n);
	CHECK(at != NULL);
	if (at)
		memcpy(at, to, n);
	FILE *f = fopen(in_tmp("bad.gguf"), "w");
	CHECK(f && fwrite(b.data, 1, b.len, f) == b.len && fclose(f) == 0);
	buf_free(&b);
	struct gguf_import p = {0};
	char bad[200];
	snprintf(bad, sizeof bad, "%s", in_tmp("bad.gguf"));
	e = (struct err){0};
	bool failed = gguf_import(&p, bad, in_tmp("bad"), &e) < 0;
	CHECK(failed);
	if (e.code != code || strstr(e.msg, why) == NULL || strncmp(e.msg, bad, strlen(bad)) != 0) {
		printf("# %d: %s (not %d: %s)\n", e.code, e.msg, code, why);
		CHECK(!"the error that was expected");
	}
	CHECK(!file_exists(in_tmp("bad")));
	dir_remove(in_tmp("bad"), NULL);
}

#define REFUSED(name, from, to, code, why)                                 \
	do {                                                               \
		_Static_assert(sizeof(from) == sizeof(to), "same length"); \
		refused(name, from, to, sizeof(from) - 1, code, why);      \
	} while (0)

static void
unsupported(void)
{
	REFUSED("llama-gqa", "\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0mamba", ERR_CONFIG,
		"architecture mamba is not supported");
	REFUSED("llama-gqa", "smollm", "smallm", ERR_CONFIG,
		"tokenizer.ggml.pre: 'smallm' is not supported");
	REFUSED("llama-gqa", "gpt2", "bert", ERR_CONFIG,
		"tokenizer.ggml.model: 'bert' is not supported");
	REFUSED("llama-gqa", "llama.context_length", "llama.context_height", ERR_DATA,
		"llama.context_length: missing");
	REFUSED("llama-gqa", "llama.vocab_size", "llama.vocal_size", ERR_CONFIG,
		"llama.vocal_size: this key is not supported");
	REFUSED("llama-gqa", "llama.vocab_size\4\0\0\0\x59", "llama.expert_use\4\0\0\0\x59",
		ERR_CONFIG, "llama.expert_use: this key");
	REFUSED("llama3-rope", "rope_freqs.weight", "rope_fleas.weight", ERR_CONFIG,
		"tensor rope_fleas.weight: not known in architecture llama");
	REFUSED("qwen2", "qwen2.rope.freq_base\6", "qwen2.rope.freq_base\4", ERR_DATA,
		"qwen2.rope.freq_base: not a floating-point number");
}

static void
inconsistent(void)
{
	REFUSED("llama-gqa", "blk.1.ffn_up.weight", "blk.7.ffn_up.weight", ERR_DATA,
		"tensor blk.1.ffn_up.weight: missing");
	REFUSED("llama-gqa", "llama.embedding_length\4\0\0\0\x20",
		"llama.embedding_length\4\0\0\0\x40", ERR_DATA, "does not fit the metadata");
	REFUSED("llama-gqa", "llama.attention.head_count\4\0\0\0\4",
		"llama.attention.head_count\4\0\0\0\3", ERR_DATA, "not a multiple of 2 key heads");
	REFUSED("llama-gqa", "llama.block_count\4\0\0\0\2", "llama.block_count\4\0\0\0\1",
		ERR_CONFIG, "not known in architecture llama");
	REFUSED("llama-gqa", "llama.block_count\4\0\0\0\2\0", "llama.block_count\4\0\0\0\2\x0f",
		ERR_DATA, "3842 layers, but 21 tensors");
	REFUSED("llama-gqa", "llama.block_count\4\0\0\0\2\0", "llama.block_count\4\0\0\0\0\0",
		ERR_DATA, "llama.block_count: not within");
	REFUSED("llama-gqa", "tokenizer.ggml.bos_token_id\4\0\0\0\1",
		"tokenizer.ggml.bos_token_id\4\0\0\0\x59", ERR_DATA,
		"tokenizer.ggml.bos_token_id: not within 0..88");
	REFUSED("llama-gqa", "llama.rope.dimension_count\4\0\0\0\x08",
		"llama.rope.dimension_count\4\0\0\0\x04", ERR_CONFIG, "rotating 4 of 8 elements");
	/* rotary divisors that are none of llama3 scaling: another base */
	REFUSED("llama3-rope", "llama.rope.freq_base\6\0\0\0\0\0\x16\x43",
		"llama.rope.freq_base\6\0\0\0\0\0\x17\x43", ERR_CONFIG,
		"not the frequencies of llama3 scaling");
}

static void
bad_tokens(void)
{
	REFUSED("llama-gqa", "<|a|>", "<|b|>", ERR_DATA, "'<|b|>' is there twice");
	REFUSED("llama-gqa", "<|a|>", "<|a\xff>", ERR_DATA, "token 0 is not UTF-8");
	REFUSED("llama-gqa", "{{ 'x' }}", "{{ '\xc3' }}", ERR_DATA, "chat_template: not UTF-8");
	REFUSED("llama-gqa", "\4\0\0\0\0\0\0\0\xc4\xa0 c", "\4\0\0\0\0\0\0\0\xc4\xa0_c", ERR_DATA,
		"tokenizer.ggml.merges: entry");
	REFUSED("llama-gqa", "tokenizer.ggml.merges", "tokenizer.ggml.morges", ERR_DATA,
		"tokenizer.ggml.merges: missing");
	REFUSED("llama-gqa", "tokenizer.ggml.tokens", "tokenizer.ggml.tikens", ERR_DATA,
		"tokenizer.ggml.tokens: missing");
	REFUSED("llama-gqa", "tokenizer.ggml.token_type\11\0\0\0\5\0\0\0\x59\0\0\0\0\0\0\0\3",
		"tokenizer.ggml.token_type\11\0\0\0\5\0\0\0\x59\0\0\0\0\0\0\0\7", ERR_DATA,
		"token_type: 7 of token 0");
}

static int
refuse(const char *dir, void *arg, struct err *e)
{
	*(bool *)arg = file_exists(in_tmp("checked")) == 0 && file_exists(dir);
	return err_set(e, ERR_CONFIG, "no");
}

/* The folder is whole or not there. */
static void
atomic(void)
{
	struct err e = {0};
	bool saw = false;
	struct gguf_import p = {.check = refuse, .arg = &saw};
	CHECK(gguf_import(&p, "tests/golden/gguf/spm.gguf", in_tmp("checked"), &e) == -1);
	CHECK(saw && e.code == ERR_CONFIG && !file_exists(in_tmp("checked")));
	CHECK(strstr(e.msg, "spm.gguf: what was read does not make a model: no") != NULL);
	p = (struct gguf_import){0};
	CHECK(dir_make(in_tmp("there"), &e) == 0);
	CHECK(gguf_import(&p, "tests/golden/gguf/spm.gguf", in_tmp("there"), &e) == -1);
	CHECK(e.code == ERR_CANTCREAT);
	CHECK(gguf_import(&p, "tests/golden/gguf/spm.gguf", "/proc/none", &e) == -1);
	CHECK(e.code == ERR_CANTCREAT);
	CHECK(gguf_import(&p, "tests/golden/gguf/none.gguf", in_tmp("new"), &e) == -1);
	CHECK(e.code == ERR_NOINPUT && !file_exists(in_tmp("new")));
}

int
main(void)
{
	make_tmp();
	RUN(unsupported);
	RUN(inconsistent);
	RUN(bad_tokens);
	RUN(atomic);
	dir_remove(tmp, NULL);
	TEST_END;
}
