/* What stands in place of a model folder, and what is said of it. */
#include "lib/base/foreign.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "tests/test.h"

static char dir[64];

/* Makes dir/name: a folder when it ends in '/', else a file with that text. */
static void
put(const char *name, const char *text)
{
	struct buf path = BUF_INIT;
	struct err e = {0};
	size_t n = strlen(name);
	path_join(&path, dir, name);
	int rc = name[n - 1] == '/' ? dir_make(path.data, &e)
				    : file_write(path.data, text, strlen(text), &e);
	CHECK(rc == 0);
	buf_free(&path);
}

/* An empty folder again. */
static void
clear(void)
{
	dir_remove(dir, NULL);
	CHECK(mkdir(dir, 0777) == 0);
}

static void
says_of(const char *path, const char *wanted, const char *words)
{
	struct err e = {0};
	CHECK(foreign_explain(path, wanted, &e) == -1 && e.code == ERR_NOINPUT);
	if (!strstr(e.msg, words))
		printf("# \"%s\" does not say \"%s\"\n", e.msg, words);
	CHECK(strstr(e.msg, words) && strncmp(e.msg, path, strlen(path)) == 0);
}

static void
folders(void)
{
	static const struct {
		const char *name, *text, *words;
	} t[] = {
		{"adapter_config.json",
			"{\"peft_type\": \"LORA\",\n \"base_model_name_or_path\" : \"org/base\"}",
			"a PEFT adapter of org/base: merge it"},
		{"adapter_config.json", "{}", "a PEFT adapter: merge it"},
		{"model.Q4_K_M.gguf", "GGUF", "pro-model import"},
		{"pytorch_model-00001-of-00002.bin", "x", "pickled weights of PyTorch"},
		{"pytorch_model_fsdp_0/", "", "FSDP"},
		{"global_step100/", "", "DeepSpeed"},
		{"consolidated.00.pth", "x", "Meta's own layout"},
		{"consolidated.safetensors", "x", "Mistral's own layout"},
		{"tf_model.h5", "x", "TensorFlow"},
		{"weights.pt", "x", "pickled"},
		{"snapshots/", "", "below snapshots/"},
		{"step-20/", "", "unfinished run of pro-train"},
		{"part-0/", "", "unfinished pro-bootstrap"},
		{"modules.json", "[]", "sentence-transformers"},
		{"README.md", "x", "no config.json"},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		clear();
		put(t[i].name, t[i].text);
		says_of(dir, "config.json", t[i].words);
	}
	clear();
	put("step-20/", "");
	put("step-20/config.json", "{}");
	put("step-9/", "");
	put("step-9/config.json", "{}");
	put("step-30/", ""); /* without what is wanted */
	says_of(dir, "config.json", "each a model: the newest is ");
	says_of(dir, "config.json", "/step-20");
	clear();
	put("inner/", "");
	put("inner/config.json", "{}");
	says_of(dir, "config.json", "but there is one in");
	clear();
}

static void
no_folders(void)
{
	struct buf path = BUF_INIT;
	put("m.gguf", "GGUF....");
	says_of(path_join(&path, dir, "m.gguf"), "config.json", "a GGUF file; make a folder");
	put("model.safetensors", "x");
	says_of(path_join(&path, dir, "model.safetensors"), "config.json", "a model is a folder");
	says_of("meta-llama/Llama-2-7b-hf", "config.json", "hf download meta-llama/Llama-2-7b-hf");
	says_of("gpt2", "config.json", "no such folder");
	says_of("./a/b", "config.json", "no such folder (a model is");
	says_of("/dev/null", "config.json", "not a folder");
	buf_free(&path);
}

/* Both ways of reading a file know a pointer. */
static void
lfs(void)
{
	static const char pointer[] =
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct err e = {0};
	struct map m;
	put("big", pointer);
	path_join(&path, dir, "big");
	CHECK(map_open(&m, path.data, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "git lfs pull") && strstr(e.msg, "/big: "));
	map_close(&m);
	e = (struct err){0};
	buf_puts(&text, "before");
	CHECK(file_read(path.data, 1000, &text, &e) == -1 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "git lfs pull"));
	put("small", "version");
	CHECK(map_open(&m, path_join(&path, dir, "small"), &e) == 0);
	map_close(&m);
	buf_free(&path);
	buf_free(&text);
}

int
main(void)
{
	strcpy(dir, "/tmp/pro-foreign-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	RUN(folders);
	RUN(no_folders);
	RUN(lfs);
	dir_remove(dir, NULL);
	TEST_END;
}
