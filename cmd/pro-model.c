/* pro-model: makes, describes and imports model folders. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cli.h"
#include "lib/base/human.h"
#include "lib/gen/describe.h"
#include "lib/model/folder.h"
#include "lib/model/gguf.h"
#include "lib/model/model.h"
#include "lib/stream/filter.h"
#include "lib/stream/json.h"
#include "lib/text/bpe_train.h"
#include "lib/text/show.h"
#include "lib/text/tokenizer.h"

/* A command line that parses, but is not whole. */
static void
need(const struct cli *c, bool there, const char *what)
{
	if (there)
		return;
	struct err e;
	err_set(&e, ERR_USAGE, "%s: %s is missing; see pro-model %s --help", c->command, what,
		c->command);
	cli_die(c, &e);
}

static struct kernels *
open_kernels(const struct cli *c)
{
	struct kernels *k = kernels_cpu_open((int)c->threads);
	if (k)
		return k;
	struct err e;
	err_set(&e, ERR_NOMEM, "out of memory");
	cli_die(c, &e);
}

/* ---- init */

static int
init_write(const struct model_config *config, uint64_t seed, int dtype, struct kernels *k,
	const char *dir, struct err *e)
{
	static const enum k_dtype types[] = {K_F32, K_BF16, K_F16}; /* as in --dtype */
	struct model *m;
	if (model_create(&m, config, k, seed, e) < 0)
		return -1;
	int rc = model_save(m, dir, NULL, types[dtype], e);
	model_close(m);
	return rc;
}

static int
cmd_init(int argc, char **argv)
{
	const char *out = NULL, *tok = NULL;
	int dtype = 0;
	const struct cli_option options[] = {
		OPT_TEXT("out", out, "DIR", "the new model folder; must not exist", .letter = 'o'),
		OPT_TEXT("tokenizer", tok, "DIR",
			"folder with the tokenizer to copy; gives vocab_size where CONFIG has none",
			.letter = 't'),
		OPT_PICK("dtype", dtype, "f32|bf16|f16", "type of the stored weights"),
		OPT_END,
	};
	struct cli c = {.name = "pro-model",
		.command = "init",
		.draws = "",
		.lacks = "expect rejects on-bad-line progress-interval",
		.operands = "CONFIG",
		.summary = "Makes a model with random weights from a config.json",
		.options = options,
		.max_operands = 1};
	cli_parse(&c, argc, argv);
	need(&c, c.n_files == 1, c.operands);
	need(&c, out != NULL, "--out");
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
	struct folder f;
	struct kernels *k = open_kernels(&c);
	int rc = folder_begin(&f, out, &e);
	if (rc == 0)
		rc = init_write(&config, c.seed, dtype, k, f.tmp, &e);
	if (rc == 0 && tok) {
		struct buf links = BUF_INIT;
		folder_links(tok, tokenizer_files(), &links);
		if (links.len > 0)
			cli_info(
				&c, "%s: copied through links to the outside: %s", tok, links.data);
		buf_free(&links);
		rc = folder_copy(tok, f.tmp, tokenizer_files(), &e);
	}
	if (folder_end(&f, rc, &e) < 0)
		cli_die(&c, &e);
	cli_info(&c, "%s: %lld parameters", out, (long long)config_parameters(&config));
	config_free(&config);
	tokenizer_free(t);
	k->close(k);
	return cli_close_stdout(&c);
}

/* ---- info */

static int
cmd_info(int argc, char **argv)
{
	bool json = false;
	const struct cli_option options[] = {
		OPT_FLAG("json", json, "print one JSON object"),
		OPT_END,
	};
	struct cli c = {.name = "pro-model",
		.command = "info",
		.lacks = "expect rejects on-bad-line progress-interval",
		.operands = "DIR",
		.summary = "Describes a model folder",
		.options = options,
		.max_operands = 1};
	cli_parse(&c, argc, argv);
	need(&c, c.n_files == 1, c.operands);
	struct err e = {0};
	json_t *o;
	struct kernels *k = open_kernels(&c);
	if (describe_folder(&o, c.files[0], true, k, &e) < 0)
		cli_die(&c, &e);
	struct buf b = BUF_INIT;
	if (json)
		json_write(&b, o), buf_putc(&b, '\n');
	else
		describe_lines(&b, o);
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	json_decref(o);
	k->close(k);
	return cli_close_stdout(&c);
}

/* ---- tokenizer */

static int
read_stdin(struct buf *out, struct err *e)
{
	size_t n;
	do {
		buf_reserve(out, 1 << 16);
		n = fread(out->data + out->len, 1, 1 << 16, stdin);
		out->len += n;
	} while (n > 0);
	return ferror(stdin) ? err_errno(e, ERR_IO, "stdin") : 0;
}

static int
cmd_tokenizer(int argc, char **argv)
{
	static const char *const end_of_text[] = {"<|endoftext|>"};
	const char *out = NULL;
	int64_t vocab = 0, min_count = 2;
	struct cli_list special = {0};
	const struct cli_option options[] = {
		OPT_TEXT("out", out, "DIR", "the new folder; must not exist", .letter = 'o'),
		OPT_COUNT("vocab", vocab, 0, 1 << 24,
			"tokens wanted, 256 bytes and special ones included"),
		OPT_LIST("special", special, "TOKEN",
			"special token, repeatable, the first is eos; none given: <|endoftext|>"),
		OPT_COUNT("min-count", min_count, 1, 1e9, "leave rarer pairs unmerged"),
		OPT_END,
	};
	struct cli c = {.name = "pro-model",
		.command = "tokenizer",
		.lacks = "expect rejects on-bad-line progress-interval",
		.operands = "",
		.summary = "Trains a byte-level BPE tokenizer on the text of standard input",
		.options = options,
		.max_operands = 0};
	cli_parse(&c, argc, argv);
	need(&c, out != NULL, "--out");
	need(&c, vocab > 0, "--vocab");
	struct err e = {0};
	struct bpe_train_params p = {.vocab = (int)vocab,
		.special = special.n ? special.v : end_of_text,
		.n_special = special.n ? special.n : 1,
		.min_count = (int)min_count};
	struct buf text = BUF_INIT, json = BUF_INIT, config = BUF_INIT;
	int got = 0;
	struct folder f;
	int rc = folder_begin(&f, out, &e);
	if (rc == 0)
		rc = read_stdin(&text, &e);
	if (rc == 0)
		rc = bpe_train(text.data, text.len, &p, &json, &config, &got, &e);
	if (rc == 0 && got == 256 + p.n_special && got < vocab)
		rc = err_set(&e, ERR_DATA,
			"%s: there is nothing to learn tokens from (--vocab %d: the bytes alone)",
			text.len == 0 ? "standard input is empty"
				      : "no pair of tokens comes --min-count times",
			got);
	if (rc == 0)
		rc = folder_write(f.tmp, "tokenizer.json", &json, &e);
	if (rc == 0)
		rc = folder_write(f.tmp, "tokenizer_config.json", &config, &e);
	if (folder_end(&f, rc, &e) < 0)
		cli_die(&c, &e);
	if (got < vocab)
		cli_warn(&c, "%s: %d token%s, not %lld: the text has no more pairs", out, got,
			human_s(got), (long long)vocab);
	else
		cli_info(&c, "%s: %d token%s", out, got, human_s(got));
	buf_free(&text);
	buf_free(&json);
	buf_free(&config);
	free(special.v);
	return cli_close_stdout(&c);
}

/* ---- tokenize */

static int
cmd_tokenize(int argc, char **argv)
{
	bool nul = false, special = false;
	const struct cli_option options[] = {
		OPT_FLAG("null", nul, "strings end with a NUL byte, not a newline", .letter = '0'),
		OPT_FLAG("special", special,
			"recognise special tokens in the text, as in a template"),
		OPT_END,
	};
	struct cli c = {.name = "pro-model",
		.command = "tokenize",
		.lacks = "rejects on-bad-line progress-interval",
		.operands = "DIR",
		.summary = "Prints the token ids of every line of standard input, without bos",
		.options = options,
		.max_operands = 1};
	cli_parse(&c, argc, argv);
	need(&c, c.n_files == 1, c.operands);
	struct err e = {0};
	struct tokenizer *t;
	if (tokenizer_load(&t, c.files[0], &e) < 0)
		cli_die(&c, &e);
	struct ids ids = {0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int64_t count = 0, tokens = 0;
	int end = nul ? '\0' : '\n';
	while (errno = 0, (n = getdelim(&line, &cap, end, stdin)) >= 0) {
		count++;
		n -= n > 0 && line[n - 1] == end;
		struct text_piece piece = {line, (size_t)n, special};
		ids.n = 0;
		if (tokenizer_encode(t, &piece, 1, 0, &ids, &e) < 0) {
			err_prefix(&e, "stdin:%lld", (long long)count);
			cli_die(&c, &e);
		}
		tokens += (int64_t)ids.n;
		for (size_t i = 0; i < ids.n; i++)
			printf("%s%d", i ? " " : "", ids.v[i]);
		putchar('\n');
	}
	if (!feof(stdin)) { /* nor is there an error when there is no memory for the line */
		err_errno(&e, ERR_IO, "stdin");
		cli_die(&c, &e);
	}
	free(line);
	ids_free(&ids);
	tokenizer_free(t);
	int rc = cli_close_stdout(&c);
	if (rc == 0)
		cli_info(&c, "%lld string%s, %lld token%s", (long long)count, human_s(count),
			(long long)tokens, human_s(tokens));
	if (rc == 0 && c.expect >= 0 && count != c.expect) {
		cli_warn(&c, "%lld string%s read, %lld expected", (long long)count, human_s(count),
			(long long)c.expect);
		return ERR_DATA;
	}
	return rc;
}

/* ---- template */

static void
print_source(const struct template *p)
{
	struct buf b = BUF_INIT;
	if (template_jinja(p))
		buf_puts(&b, template_jinja(p));
	else
		template_describe(p, &b);
	if (b.len == 0 || b.data[b.len - 1] != '\n')
		buf_putc(&b, '\n');
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
}

static int
show_records(const struct cli *c, struct filter *f, const struct template *p,
	const struct tokenizer *t, bool json, struct err *e)
{
	struct record r = {0};
	struct buf b = BUF_INIT;
	int rc;
	while ((rc = filter_next(f, &r, e)) > 0) {
		json_t *shown;
		int made = show_record(p, t, &r, &shown, e);
		if (made < 0) {
			if ((rc = filter_bad(f, r.root, e)) < 0)
				break;
			continue;
		}
		buf_reset(&b);
		if (made == 0) {
			cli_warn(c, "%s:%lld: %s", input_file(f->in),
				(long long)input_lineno(f->in), json_string_value(shown));
			rc = filter_reject(f, &r, json_string_value(shown), e);
		} else if (json)
			json_write(&b, shown), buf_putc(&b, '\n');
		else
			show_lines(shown, &b);
		json_decref(shown);
		if (rc < 0 || (made > 0 && filter_emit_bytes(f, b.data, b.len, false, e) < 0)) {
			rc = -1;
			break;
		}
	}
	buf_free(&b);
	record_free(&r);
	return rc;
}

static int
cmd_template(int argc, char **argv)
{
	bool json = false, source = false;
	struct template_options o = {.name = NULL};
	const struct cli_option options[] = {
		OPT_FLAG("json", json, "print one JSON object a record", .needs = "!source"),
		OPT_FLAG("source", source, "print the template itself"),
		OPT_TEXT("template", o.name, "T", "another one than the folder's"),
		OPT_TEXT("date", o.date, "YYYY-MM-DD",
			"date that it is told; default: the stored one, else " TEMPLATE_DATE,
			.needs = "!source"),
		OPT_END,
	};
	struct cli c = {.name = "pro-model",
		.command = "template",
		.lacks = "progress-interval",
		.operands = "DIR [FILE...]",
		.summary = "Shows what the template of a folder makes of records",
		.options = options,
		.max_operands = -1};
	cli_parse(&c, argc, argv);
	need(&c, c.n_files >= 1, "DIR");
	struct err e = {0};
	struct tokenizer *t;
	struct template *p;
	struct filter f = {0};
	const char *how;
	if (tokenizer_load(&t, c.files[0], &e) < 0 ||
		template_open(&p, &o, c.files[0], t, &how, &e) < 0)
		cli_die(&c, &e);
	struct buf b = BUF_INIT;
	template_notes(p, true, &b);
	cli_info(&c, "%s: template %s (%s)%s", c.files[0], template_name(p), how, b.data);
	int rc = 0;
	if (source) {
		print_source(p);
	} else {
		rc = filter_open(&f, c.files + 1, c.n_files - 1, stdout, c.rejects, &e);
		f.skip_bad = c.on_bad_line == 1;
		if (rc == 0)
			rc = show_records(&c, &f, p, t, json, &e);
		if (rc == 0)
			rc = filter_finish(&f, c.expect, &e);
	}
	buf_reset(&b);
	if (f.in && filter_counts(&f, rc))
		filter_summary(&f, &b), cli_info(&c, "%s", b.data);
	filter_close(&f);
	template_free(p);
	tokenizer_free(t);
	buf_free(&b);
	if (rc < 0)
		cli_die(&c, &e);
	return cli_close_stdout(&c);
}

/* ---- import */

/* The finished folder is opened once, as any program would, before it gets its name. */
static int
check_import(const char *dir, void *k, struct err *e)
{
	json_t *o;
	int rc = describe_folder(&o, dir, false, k, e);
	if (rc == 0)
		json_decref(o);
	return rc;
}

static int
cmd_import(int argc, char **argv)
{
	int dtype = 0;
	const struct cli_option options[] = {
		OPT_PICK("dtype", dtype, "auto|f32|f16|bf16",
			"type to store; auto: F32, F16 and BF16 stay, quantised weights become "
			"F32"),
		OPT_END,
	};
	struct cli c = {.name = "pro-model",
		.command = "import",
		.lacks = "expect rejects on-bad-line progress-interval",
		.operands = "FILE.gguf DIR",
		.summary = "Makes a model folder out of a GGUF file",
		.options = options,
		.max_operands = 2};
	cli_parse(&c, argc, argv);
	need(&c, c.n_files == 2, "FILE.gguf or DIR");
	struct err e = {0};
	struct kernels *k = open_kernels(&c);
	struct gguf_import p = {.dtype = (enum gguf_dtype)dtype, .check = check_import, .arg = k};
	if (gguf_import(&p, c.files[0], c.files[1], &e) < 0)
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
		{"template", cmd_template},
		{"import", cmd_import},
	};
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	static const struct cli_option none[] = {OPT_END};
	struct cli c = {.name = "pro-model",
		.operands = "init CONFIG | info DIR | tokenizer | tokenize DIR |\n"
			    "       template DIR [FILE...] | import FILE.gguf DIR",
		.summary =
			"Makes, describes and imports model folders; see pro-model COMMAND --help",
		.options = none,
		.max_operands = -1};
	cli_parse(&c, argc, argv);
	struct err e;
	size_t n = 0;
	const char *near = c.n_files ? nearest_word("init|info|tokenizer|tokenize|template|import",
					       c.files[0], &n)
				     : NULL;
	if (near)
		err_set(&e, ERR_USAGE, "'%s': did you mean %.*s?", c.files[0], (int)n, near);
	else
		err_set(&e, ERR_USAGE,
			"%s%s%s: init, info, tokenizer, tokenize, template or import expected",
			c.n_files ? "'" : "no command", c.n_files ? c.files[0] : "",
			c.n_files ? "'" : "");
	cli_die(&c, &e);
}
