/* pro-model: makes, describes and imports model folders. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cli.h"
#include "lib/base/file.h"
#include "lib/model/folder.h"
#include "lib/model/gguf.h"
#include "lib/model/model.h"
#include "lib/stream/json.h"
#include "lib/text/bpe_train.h"
#include "lib/text/template.h"

static void
operands(struct cli *c, int n)
{
	if (c->n_files == n)
		return;
	struct err e;
	err_set(&e, ERR_USAGE, "%s: %d operand%s expected: %s", c->command, n, n == 1 ? "" : "s",
		c->operands);
	cli_die(c, &e);
}

static void
required(const struct cli *c, const char *value, const char *option)
{
	if (value)
		return;
	struct err e;
	err_set(&e, ERR_USAGE, "%s: %s is missing", c->command, option);
	cli_die(c, &e);
}

static int
copy_tokenizer(const char *from, const char *to, struct err *e)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	int rc = 0;
	for (const char *const *name = tokenizer_files(); *name && rc == 0; name++)
		if (file_exists(path_join(&a, from, *name)))
			rc = file_copy(a.data, path_join(&b, to, *name), e);
	buf_free(&a);
	buf_free(&b);
	return rc;
}

static const char *const dtype_names[] = {
	[K_F32] = "float32", [K_BF16] = "bfloat16", [K_F16] = "float16"};

/* ---- init */

static int
init_write(const struct model_config *c, uint64_t seed, int dtype, const char *dir, struct err *e)
{
	static const enum k_dtype types[] = {K_F32, K_BF16, K_F16};
	struct model *m = NULL;
	struct kernels *k = kernels_cpu_open(1);
	int rc = k ? model_create(&m, c, k, seed, e) : err_set(e, ERR_SOFTWARE, "out of memory");
	if (rc == 0)
		rc = model_save(m, dir, NULL, types[dtype], e);
	if (m)
		model_close(m);
	if (k)
		k->close(k);
	return rc;
}

static int
cmd_init(int argc, char **argv)
{
	const char *out = NULL, *tok = NULL;
	int dtype = 0;
	const struct cli_option options[] = {
		{"out", 'o', CLI_TEXT, &out, "DIR", "the new model folder; must not exist", NULL, 0,
			0, NULL},
		{"tokenizer", 't', CLI_TEXT, &tok, "DIR",
			"folder with the tokenizer to copy; gives vocab_size where CONFIG has none",
			NULL, 0, 0, NULL},
		{"dtype", 0, CLI_CHOICE, &dtype, NULL, "type of the stored weights", "f32|bf16|f16",
			0, 0, NULL},
		{0},
	};
	struct cli c = {.name = "pro-model",
		.command = "init",
		.operands = "CONFIG",
		.summary = "Makes a model with random weights from a config.json",
		.options = options,
		.max_operands = 1};
	cli_parse(&c, argc, argv);
	operands(&c, 1);
	required(&c, out, "--out");
	struct err e = {0};
	struct tokenizer *t = NULL;
	struct model_config config;
	struct folder_defaults d = {0, -1, -1};
	if (tok && tokenizer_load(&t, tok, &e) < 0)
		cli_die(&c, &e);
	if (t)
		d = (struct folder_defaults){
			tokenizer_vocab(t), tokenizer_bos(t), tokenizer_eos(t)};
	if (folder_config(&config, c.files[0], &d, &e) < 0)
		cli_die(&c, &e);
	char *tmp = folder_begin(out, &e);
	int rc = tmp ? init_write(&config, c.seed, dtype, tmp, &e) : -1;
	if (rc == 0 && tok)
		rc = copy_tokenizer(tok, tmp, &e);
	if (folder_end(tmp, out, rc, &e) < 0)
		cli_die(&c, &e);
	cli_info(&c, "%s: %lld parameters", out, (long long)config_parameters(&config));
	config_free(&config);
	tokenizer_free(t);
	return cli_close_stdout(&c);
}

/* ---- info */

struct info {
	struct model_config config;
	struct model *model;
	struct tokenizer *tokenizer; /* NULL: none in the folder */
	struct template *template;   /* NULL: none without a tokenizer */
	const char *how;
	size_t bytes;
	int n_tensors;
};

static bool
has_tokenizer(const char *dir)
{
	static const char *const files[] = {"tokenizer.model", "tokenizer.json", "vocab.json"};
	struct buf path = BUF_INIT;
	bool found = false;
	for (int i = 0; i < 3; i++)
		found |= file_exists(path_join(&path, dir, files[i])) != 0;
	buf_free(&path);
	return found;
}

static int
info_read(struct info *in, const char *dir, struct kernels *k, struct err *e)
{
	if (config_load(&in->config, dir, e) < 0)
		return -1;
	struct model_open_options o = {.use = MODEL_INFER, .head = in->config.head};
	if (model_open(&in->model, dir, k, &o, e) < 0)
		return -1;
	const struct st_tensor *t;
	while ((t = weights_at(in->model->weights, in->n_tensors)) != NULL) {
		in->bytes += t->bytes;
		in->n_tensors++;
	}
	if (!has_tokenizer(dir))
		return 0;
	if (tokenizer_load(&in->tokenizer, dir, e) < 0)
		return -1;
	struct err why;
	if (template_select(&in->template, NULL, dir, in->tokenizer, &in->how, &why) < 0)
		in->how = "not recognised: give --template";
	return 0;
}

static void
info_free(struct info *in)
{
	if (in->template)
		template_free(in->template);
	if (in->tokenizer)
		tokenizer_free(in->tokenizer);
	if (in->model)
		model_close(in->model);
	config_free(&in->config);
}

static json_t *
info_json(struct info *in)
{
	const struct model_config *c = &in->config;
	json_t *o = json_pack("{s:s, s:s, s:I, s:s, s:I, s:i}", "architecture",
		config_architecture(c), "head", c->head == HEAD_REWARD ? "reward" : "lm",
		"parameters", (json_int_t)config_parameters(c), "dtype", dtype_names[c->dtype],
		"bytes", (json_int_t)in->bytes, "tensors", in->n_tensors);
	json_t *shape = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b}", "layers",
		c->n_layers, "hidden", c->hidden, "heads", c->n_heads, "kv_heads", c->n_kv_heads,
		"head_dim", c->head_dim, "ffn", c->ffn, "vocab", c->vocab, "positions",
		c->max_positions, "tied_head", c->tied_head);
	json_object_update_missing(o, shape);
	json_decref(shape);
	const struct tokenizer *t = in->tokenizer;
	if (t) {
		shape = json_pack("{s:s, s:i, s:i, s:i, s:b, s:s, s:s?, s:s}", "tokenizer",
			tokenizer_is_spm(t) ? "sentencepiece" : "byte-level bpe", "tokenizer_vocab",
			(int)tokenizer_vocab(t), "bos", (int)tokenizer_bos(t), "eos",
			(int)tokenizer_eos(t), "adds_bos", tokenizer_adds_bos(t), "tokenizer_hash",
			tokenizer_hash(t), "template",
			in->template ? template_name(in->template) : NULL, "template_chosen",
			in->how);
		json_object_update_missing(o, shape);
		json_decref(shape);
	}
	json_object_set_new(o, "hash", json_string(model_hash(in->model)));
	return o;
}

/* "name value" lines; -1 ids and missing values as "none". */
static void
info_print(json_t *o)
{
	const char *key;
	json_t *v;
	json_object_foreach(o, key, v)
	{
		struct buf b = BUF_INIT;
		if (json_is_string(v))
			buf_puts(&b, json_string_value(v));
		else if (json_is_null(v) || (json_is_integer(v) && json_integer_value(v) < 0))
			buf_puts(&b, "none");
		else
			json_write(&b, v);
		printf("%-16s %s\n", key, b.data);
		buf_free(&b);
	}
}

static int
cmd_info(int argc, char **argv)
{
	bool json = false;
	const struct cli_option options[] = {
		{"json", 0, CLI_FLAG, &json, NULL, "print one JSON object", NULL, 0, 0, NULL},
		{0},
	};
	struct cli c = {.name = "pro-model",
		.command = "info",
		.operands = "DIR",
		.summary = "Describes a model folder",
		.options = options,
		.max_operands = 1};
	cli_parse(&c, argc, argv);
	operands(&c, 1);
	struct err e = {0};
	struct info in = {0};
	struct kernels *k = kernels_cpu_open(1);
	if (k == NULL || info_read(&in, c.files[0], k, &e) < 0)
		cli_die(&c, &e);
	json_t *o = info_json(&in);
	if (json) {
		struct buf b = BUF_INIT;
		json_write(&b, o);
		puts(b.data);
		buf_free(&b);
	} else {
		info_print(o);
	}
	json_decref(o);
	info_free(&in);
	k->close(k);
	return cli_close_stdout(&c);
}

/* ---- tokenize */

static int
cmd_tokenize(int argc, char **argv)
{
	bool nul = false, special = false;
	const struct cli_option options[] = {
		{"null", '0', CLI_FLAG, &nul, NULL, "strings end with a NUL byte, not a newline",
			NULL, 0, 0, NULL},
		{"special", 0, CLI_FLAG, &special, NULL,
			"recognise special tokens in the text, as in a template", NULL, 0, 0, NULL},
		{0},
	};
	struct cli c = {.name = "pro-model",
		.command = "tokenize",
		.operands = "DIR",
		.summary = "Prints the token ids of every line of standard input, without bos",
		.options = options,
		.max_operands = 1};
	cli_parse(&c, argc, argv);
	operands(&c, 1);
	struct err e = {0};
	struct tokenizer *t;
	if (tokenizer_load(&t, c.files[0], &e) < 0)
		cli_die(&c, &e);
	struct ids ids = {0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int64_t count = 0;
	int end = nul ? '\0' : '\n';
	while ((n = getdelim(&line, &cap, end, stdin)) >= 0) {
		count++;
		n -= n > 0 && line[n - 1] == end;
		struct text_piece piece = {line, (size_t)n, special};
		ids.n = 0;
		if (tokenizer_encode(t, &piece, 1, 0, &ids, &e) < 0) {
			err_prefix(&e, "stdin:%lld", (long long)count);
			cli_die(&c, &e);
		}
		for (size_t i = 0; i < ids.n; i++)
			printf("%s%d", i ? " " : "", ids.v[i]);
		putchar('\n');
	}
	if (ferror(stdin)) {
		err_set(&e, ERR_IO, "stdin: %s", strerror(errno));
		cli_die(&c, &e);
	}
	free(line);
	ids_free(&ids);
	tokenizer_free(t);
	int rc = cli_close_stdout(&c);
	if (rc == 0 && c.expect >= 0 && count != c.expect) {
		cli_warn(&c, "%lld strings read, %lld expected", (long long)count,
			(long long)c.expect);
		return ERR_DATA;
	}
	return rc;
}

/* ---- import */

/* The finished folder is opened once before it gets its name. */
static int
check_import(const char *dir, void *arg, struct err *e)
{
	struct info in = {0};
	int rc = info_read(&in, dir, arg, e);
	info_free(&in);
	return rc;
}

static int
cmd_import(int argc, char **argv)
{
	int dtype = 0;
	const struct cli_option options[] = {
		{"dtype", 0, CLI_CHOICE, &dtype, NULL,
			"type to store; auto: F32, F16 and BF16 stay, quantised weights become F32",
			"auto|f32|f16|bf16", 0, 0, NULL},
		{0},
	};
	struct cli c = {.name = "pro-model",
		.command = "import",
		.operands = "FILE.gguf DIR",
		.summary = "Makes a model folder out of a GGUF file",
		.options = options,
		.max_operands = 2};
	cli_parse(&c, argc, argv);
	operands(&c, 2);
	struct err e = {0};
	struct kernels *k = kernels_cpu_open(1);
	struct gguf_import p = {.dtype = (enum gguf_dtype)dtype, .check = check_import, .arg = k};
	if (k == NULL || gguf_import(&p, c.files[0], c.files[1], &e) < 0)
		cli_die(&c, &e);
	if (p.pre_missing)
		cli_warn(&c,
			"%s: no tokenizer.ggml.pre: text is split as llama.cpp does without "
			"one, which may not be how the model was trained",
			c.files[0]);
	cli_info(&c, "%s: %s, %lld parameters in %zu tensors, tokenizer %s", c.files[1],
		p.architecture, (long long)p.n_parameters, p.n_tensors, p.tokenizer);
	k->close(k);
	return cli_close_stdout(&c);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{"init", cmd_init},
		{"info", cmd_info},
		{"tokenizer", cmd_tokenizer},
		{"tokenize", cmd_tokenize},
		{"import", cmd_import},
	};
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	static const struct cli_option none[] = {{0}};
	struct cli c = {.name = "pro-model",
		.operands =
			"init CONFIG | info DIR | tokenizer | tokenize DIR | import FILE.gguf DIR",
		.summary =
			"Makes, describes and imports model folders; see pro-model COMMAND --help",
		.options = none,
		.max_operands = -1};
	cli_parse(&c, argc, argv);
	struct err e;
	err_set(&e, ERR_USAGE, "%s%s%s: init, info, tokenizer, tokenize or import expected",
		c.n_files ? "'" : "no command", c.n_files ? c.files[0] : "", c.n_files ? "'" : "");
	cli_die(&c, &e);
}
