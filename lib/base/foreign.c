#include "lib/base/foreign.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"

/* The checkpoints of a run: see align/checkpoint.h. */
#define STEPS "step-*"

/*
 * Files that tell what a folder holds, first match first.  A '*' at the beginning or the end
 * stands for any text.  Names are those that the programs named beside them write.
 */
static const struct kind {
	const char *file;
	const char *what, *way;
} kinds[] = {
	/* peft, save_pretrained */
	{"adapter_config.json", "a PEFT adapter",
		"merge it into its base model first (merge_and_unload and save_pretrained)"},
	{"model_index.json", "a diffusers pipeline", "it holds no language model"},
	{"modules.json", "a sentence-transformers model", "it is no decoder"},
	{"snapshots", "a folder of the hub's cache", "name the folder below snapshots/"},
	{"*.gguf", "a folder with a GGUF file",
		"make a folder of it: pro-model import FILE.gguf DIR"},
	/* our own */
	{"state.json", "a checkpoint of pro-train", "go on with pro-train --resume"},
	{STEPS, "an unfinished run of pro-train", "go on with pro-train --resume"},
	{"part-*", "the work of an unfinished pro-bootstrap", "go on with pro-bootstrap --resume"},
	/* transformers before safetensors, and other frameworks */
	{"pytorch_model*.bin", "pickled weights of PyTorch",
		"write safetensors: transformers' from_pretrained, then save_pretrained"},
	{"pytorch_model*", "sharded weights of PyTorch (FSDP or DeepSpeed)",
		"join them first (accelerate merge-weights, zero_to_fp32.py)"},
	{"global_step*", "a checkpoint of DeepSpeed", "join it first (zero_to_fp32.py)"},
	{"*.distcp", "a distributed checkpoint of PyTorch",
		"join it first (accelerate merge-weights)"},
	{"consolidated*.safetensors", "weights in Mistral's own layout",
		"take the model's folder in Hugging Face layout"},
	{"consolidated*.pth", "weights in Meta's own layout",
		"convert them (transformers' convert_llama_weights_to_hf.py)"},
	{"tf_model.h5", "weights of TensorFlow", "write safetensors with transformers"},
	{"flax_model.msgpack", "weights of Flax", "write safetensors with transformers"},
	{"*.onnx", "an ONNX model", "take the model's folder with safetensors"},
	{"*.bin", "pickled weights", "write safetensors with save_pretrained"},
	{"*.pt", "pickled weights", "write safetensors with save_pretrained"},
	{"*.pth", "pickled weights", "write safetensors with save_pretrained"},
	{"*.ckpt", "pickled weights", "write safetensors with save_pretrained"},
};

static bool
matches(const char *pattern, const char *name)
{
	const char *star = strchr(pattern, '*');
	size_t n = strlen(name);
	if (star == NULL)
		return strcmp(pattern, name) == 0;
	size_t before = (size_t)(star - pattern), after = strlen(star + 1);
	return n >= before + after && strncmp(name, pattern, before) == 0 &&
	       strcmp(name + n - after, star + 1) == 0;
}

/* The first name in dir that fits the pattern, to be freed; NULL: none. */
static char *
find(const char *dir, const char *pattern)
{
	DIR *d = dir_open(dir);
	char *best = NULL;
	for (struct dirent *x; d && (x = readdir(d));) {
		/* the first by name, so that the message does not depend on the file system */
		if (matches(pattern, x->d_name) && (!best || strcmp(x->d_name, best) < 0)) {
			free(best);
			best = x_strdup(x->d_name);
		}
	}
	if (d)
		closedir(d);
	return best;
}

/* A folder just below dir that has the file wanted, to be freed; NULL: none. */
static char *
find_below(const char *dir, const char *wanted)
{
	struct buf path = BUF_INIT;
	char *best = NULL;
	DIR *d = dir_open(dir);
	for (struct dirent *x; d && (x = readdir(d));) {
		if (x->d_name[0] == '.' || (best && strcmp(x->d_name, best) > 0))
			continue;
		path_join(&path, dir, x->d_name);
		buf_printf(&path, "/%s", wanted);
		if (file_exists(path.data)) {
			free(best);
			best = x_strdup(x->d_name);
		}
	}
	if (d)
		closedir(d);
	buf_free(&path);
	return best;
}

/* The checkpoint of the most steps in dir that has the file wanted: its steps; -1: none. */
static long long
newest_step(const char *dir, const char *wanted)
{
	struct buf path = BUF_INIT;
	long long most = -1;
	DIR *d = dir_open(dir);
	for (struct dirent *x; d && (x = readdir(d));) {
		char *end = x->d_name;
		long long n = matches(STEPS, x->d_name) ? strtoll(x->d_name + 5, &end, 10) : -1;
		if (n <= most || *end)
			continue;
		path_join(&path, dir, x->d_name);
		buf_printf(&path, "/%s", wanted);
		if (file_exists(path.data))
			most = n;
	}
	if (d)
		closedir(d);
	buf_free(&path);
	return most;
}

/* "owner/name": what the hub calls a repository. */
static bool
is_hub_id(const char *s)
{
	int slashes = 0;
	if (!isalnum((unsigned char)*s))
		return false;
	for (const char *p = s; *p; p++) {
		if (*p == '/')
			slashes++;
		else if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	}
	return slashes == 1 && s[strlen(s) - 1] != '/';
}

static int
explain_nothing(const char *dir, struct err *e)
{
	if (is_hub_id(dir))
		return err_set(e, ERR_NOINPUT,
			"%s: no such folder; if this is a name on the Hugging Face hub, download "
			"it first (hf download %s --local-dir DIR) and name that folder: nothing "
			"is fetched here",
			dir, dir);
	return err_set(e, ERR_NOINPUT,
		"%s: no such folder (a model is a folder in Hugging Face layout)", dir);
}

/* A file in place of a folder. */
static int
explain_file(const char *path, struct err *e)
{
	char head[4] = "";
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(head, 1, sizeof head, f) : 0;
	if (f)
		fclose(f);
	if (n == sizeof head && memcmp(head, "GGUF", 4) == 0)
		return err_set(e, ERR_NOINPUT,
			"%s: a GGUF file; make a folder of it: pro-model import %s DIR", path,
			path);
	return err_set(e, ERR_NOINPUT,
		"%s: a file; a model is a folder in Hugging Face layout, with config.json and "
		"model.safetensors",
		path);
}

/* The base model that an adapter names, into out; nothing when it names none. */
static void
adapter_base(const char *dir, struct buf *out)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	static const char key[] = "\"base_model_name_or_path\"";
	if (file_read(path_join(&path, dir, "adapter_config.json"), 1 << 20, &text, NULL) == 0) {
		const char *s = strstr(text.data ? text.data : "", key);
		s = s ? s + sizeof key - 1 : "";
		s += strspn(s, " \t\r\n:");
		if (*s == '"' && strcspn(s + 1, "\"") > 0)
			buf_printf(out, " of %.*s", (int)strcspn(s + 1, "\""), s + 1);
	}
	buf_free(&path);
	buf_free(&text);
}

static int
explain_folder(const char *dir, const char *wanted, struct err *e)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char *name = find(dir, kinds[i].file);
		if (name == NULL)
			continue;
		long long step = strcmp(kinds[i].file, STEPS) == 0 ? newest_step(dir, wanted) : -1;
		if (step >= 0) {
			free(name);
			return err_set(e, ERR_NOINPUT,
				"%s: no %s; it holds checkpoints of pro-train, each a model: the "
				"newest is %s/step-%lld",
				dir, wanted, dir, step);
		}
		struct buf base = BUF_INIT;
		if (i == 0)
			adapter_base(dir, &base);
		err_set(e, ERR_NOINPUT, "%s: no %s; %s shows %s%s: %s", dir, wanted, name,
			kinds[i].what, base.data ? base.data : "", kinds[i].way);
		buf_free(&base);
		free(name);
		return -1;
	}
	char *below = find_below(dir, wanted);
	if (below) {
		err_set(e, ERR_NOINPUT, "%s: no %s, but there is one in %s/%s", dir, wanted, dir,
			below);
		free(below);
		return -1;
	}
	return err_set(e, ERR_NOINPUT, "%s: no %s", dir, wanted);
}

int
foreign_explain(const char *dir, const char *wanted, struct err *e)
{
	struct stat st;
	if (stat(dir, &st) < 0)
		return explain_nothing(dir, e);
	if (S_ISDIR(st.st_mode))
		return explain_folder(dir, wanted, e);
	if (S_ISREG(st.st_mode))
		return explain_file(dir, e);
	return err_set(e, ERR_NOINPUT, "%s: not a folder", dir);
}

bool
foreign_is_lfs(const char *data, size_t n)
{
	static const char first[] = "version https://git-lfs.github.com/spec/";
	return n >= sizeof first - 1 && memcmp(data, first, sizeof first - 1) == 0;
}
