#include "lib/align/bootstrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/rng.h"
#include "lib/gen/idmap.h"

const char *
bootstrap_name(enum bootstrap_program p)
{
	static const char *const names[] = {"pro-augment", "pro-rerank", "pro-train"};
	return names[p];
}

const char *
bootstrap_path(const struct bootstrap *o, int part, const char *name, struct buf *b)
{
	buf_reset(b);
	buf_printf(b, "%s.work", o->out);
	if (part >= 0)
		buf_printf(b, "/part-%d", part);
	if (*name)
		buf_printf(b, "/%s", name);
	return b->data;
}

int
bootstrap_kernels(const struct bootstrap *o, struct buf *was, struct err *e)
{
	struct buf path = BUF_INIT, line = BUF_INIT;
	int rc = 0;
	buf_reset(was);
	if (file_exists(bootstrap_path(o, -1, "kernels", &path)))
		rc = file_read(path.data, 4096, was, e);
	while (rc == 0 && was->len > 0 && was->data[was->len - 1] == '\n')
		was->data[--was->len] = '\0';
	if (rc == 0 && was->len > 0 && strcmp(was->data, o->kernels) == 0)
		buf_reset(was);
	else if (rc == 0 && was->len > 0 && !o->other_bits)
		rc = err_set(e, ERR_CONFIG,
			"cannot resume: the run was begun with '%s', this is '%s': the bits would "
			"be others than in one go; --allow-other-bits goes on",
			was->data, o->kernels);
	if (rc == 0) {
		buf_printf(&line, "%s\n", o->kernels);
		rc = bootstrap_write(o, -1, "kernels", line.data, e);
	}
	buf_free(&path);
	buf_free(&line);
	return rc;
}

int
bootstrap_part(uint64_t seed, int parts, const struct record *r)
{
	struct rng rng = rng_mix(rng_mix_string(rng_key(seed), "part", 4), record_prompt_hash(r));
	return (int)rng_below(rng, 0, (uint64_t)parts);
}

static int
split_into(const struct bootstrap *o, struct filter *f, struct out *outs, int64_t *counts,
	struct err *e)
{
	struct record r = {0};
	struct buf line = BUF_INIT;
	struct idmap ids;
	int rc;
	idmap_init(&ids);
	while ((rc = filter_next(f, &r, e)) > 0) {
		/* pro-augment --resume would say the same, of a file that the user does not know */
		if (*r.id == '\0' || idmap_add(&ids, r.id, 0) == 0) {
			if (*r.id)
				err_set(e, ERR_DATA, "id '%s' was read before", r.id);
			else
				err_set(e, ERR_DATA, "id: missing, and samples go by it");
			if ((rc = filter_bad(f, r.root, e)) < 0)
				break;
			continue;
		}
		int part = bootstrap_part(o->seed, o->parts, &r);
		buf_reset(&line);
		record_write(&r, &line);
		rc = out_write(&outs[part], line.data, line.len, e);
		if (rc < 0)
			break;
		counts[part]++;
		f->n_out++;
	}
	idmap_free(&ids);
	buf_free(&line);
	record_free(&r);
	return rc;
}

int
bootstrap_write(
	const struct bootstrap *o, int part, const char *name, const char *text, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = file_write(bootstrap_path(o, part, name, &path), text, strlen(text), e);
	buf_free(&path);
	return rc;
}

int
bootstrap_split(const struct bootstrap *o, struct filter *f, int64_t expect, const char *options,
	struct err *e)
{
	struct out *outs = x_calloc((size_t)o->parts, sizeof *outs);
	int64_t *counts = x_calloc((size_t)o->parts, sizeof *counts);
	struct buf path = BUF_INIT, rejects = BUF_INIT;
	int rc = 0;
	for (int p = 0; p < o->parts && rc == 0; p++) {
		rc = dir_make(bootstrap_path(o, p, "", &path), e);
		if (rc == 0)
			rc = out_open(&outs[p], bootstrap_path(o, p, "data.jsonl", &path), e);
	}
	if (rc == 0 && f->skip_bad) { /* for bootstrap_run to gather */
		f->rejects_path = bootstrap_path(o, 0, BOOTSTRAP_SPLIT_REJECTS, &rejects);
		f->rejects = fopen(f->rejects_path, "we");
		if (f->rejects == NULL)
			rc = err_set(e, ERR_CANTCREAT, "%s: %s", f->rejects_path, strerror(errno));
	}
	if (rc == 0)
		rc = split_into(o, f, outs, counts, e);
	if (rc == 0)
		rc = filter_finish(f, expect, e);
	for (int p = 0; p < o->parts && rc == 0; p++)
		if (f->n_out == 0)
			rc = err_set(e, ERR_DATA, "no records");
		else if (counts[p] == 0)
			rc = err_set(e, ERR_DATA,
				"part %d of %d has no record out of %lld: fewer --parts", p,
				o->parts, (long long)f->n_out);
	for (int p = 0; p < o->parts; p++)
		if (rc == 0)
			rc = out_commit(&outs[p], e);
		else
			out_abort(&outs[p]);
	if (rc == 0)
		rc = bootstrap_write(o, -1, "options", options, e);
	free(outs);
	free(counts);
	buf_free(&path);
	buf_free(&rejects);
	return rc;
}

static void
add_path(const struct bootstrap *o, int part, const char *name, struct strings *argv)
{
	struct buf path = BUF_INIT;
	strings_add(argv, "%s", bootstrap_path(o, part, name, &path));
	buf_free(&path);
}

static void
add_policy(const struct bootstrap *o, int part, struct strings *argv)
{
	strings_add(argv, "--model");
	if (part == 0)
		strings_add(argv, "%s", o->model);
	else
		add_path(o, part - 1, "model", argv);
}

void
bootstrap_command(
	const struct bootstrap *o, enum bootstrap_program p, int part, struct strings *argv)
{
	strings_add(argv, "%s", bootstrap_name(p));
	if (p == BOOT_RERANK) {
		strings_add(argv, "--reward");
		strings_add(argv, "%s", o->reward);
		if (o->keep_top)
			strings_add(argv, "--keep-top");
	} else {
		add_policy(o, part, argv);
	}
	if (p == BOOT_AUGMENT) {
		strings_add(argv, "--source");
		strings_add(argv, "%s:%d", o->source, part);
	}
	if (p == BOOT_TRAIN) {
		strings_add(argv, "--out");
		add_path(o, part, "model", argv);
		strings_add(argv, "--method");
		strings_add(argv, "pro");
	}
	if (p != BOOT_RERANK) { /* there nothing is drawn */
		strings_add(argv, "--seed");
		strings_add(argv, "%llu", (unsigned long long)o->seed + (unsigned)part);
	}
	for (int i = 0; i < o->extra[p].n; i++)
		strings_add(argv, "%s", o->extra[p].v[i]);
}

static void
quoted_path(const struct bootstrap *o, int part, const char *name, struct buf *out)
{
	struct buf path = BUF_INIT;
	shell_quote(out, bootstrap_path(o, part, name, &path));
	buf_free(&path);
}

static void
script_command(const struct bootstrap *o, enum bootstrap_program p, int part, struct buf *out)
{
	struct strings argv = {0};
	bootstrap_command(o, p, part, &argv);
	shell_command(out, &argv);
	strings_free(&argv);
}

static void
script_split(const struct bootstrap *o, const char *const *input, int n, struct buf *out)
{
	buf_puts(out, "mkdir -p");
	for (int p = 0; p < o->parts; p++) {
		buf_putc(out, ' ');
		quoted_path(o, p, "", out);
	}
	buf_putc(out, '\n');
	bool from_stdin = n == 0;
	for (int i = 0; i < n; i++)
		from_stdin |= strcmp(input[i], "-") == 0;
	if (from_stdin) { /* it is read once for every part */
		buf_puts(out, "cat >");
		quoted_path(o, -1, "input.jsonl", out);
		buf_putc(out, '\n');
	}
	for (int p = 0; p < o->parts; p++) {
		buf_printf(out, "pro-bootstrap --seed %llu --parts %d --part %d",
			(unsigned long long)o->seed, o->parts, p);
		for (int i = 0; i < n || (n == 0 && i == 0); i++) {
			buf_putc(out, ' ');
			if (n == 0 || strcmp(input[i], "-") == 0)
				quoted_path(o, -1, "input.jsonl", out);
			else {
				buf_puts(out, *input[i] == '-' ? "./" : "");
				shell_quote(out, input[i]);
			}
		}
		buf_puts(out, " >");
		quoted_path(o, p, "data.jsonl", out);
		buf_putc(out, '\n');
	}
}

void
bootstrap_script(const struct bootstrap *o, const char *const *input, int n, struct buf *out)
{
	buf_puts(out, "set -euo pipefail\n");
	script_split(o, input, n, out);
	for (int p = 0; p < o->parts; p++) {
		buf_printf(out, "# part-%d (%d of %d)\n", p, p + 1, o->parts);
		script_command(o, BOOT_AUGMENT, p, out);
		buf_putc(out, ' ');
		quoted_path(o, p, "data.jsonl", out);
		buf_puts(out, " |\n");
		script_command(o, BOOT_RERANK, p, out);
		buf_puts(out, " >");
		quoted_path(o, p, "ranked.jsonl", out);
		buf_putc(out, '\n');
		script_command(o, BOOT_TRAIN, p, out);
		buf_putc(out, ' ');
		quoted_path(o, p, "ranked.jsonl", out);
		buf_putc(out, '\n');
	}
	buf_puts(out, "mv -T ");
	quoted_path(o, o->parts - 1, "model", out);
	buf_putc(out, ' ');
	shell_quote(out, o->out);
	buf_putc(out, '\n');
}
