#ifndef PRO_TESTS_TEXT_UTIL_H
#define PRO_TESTS_TEXT_UTIL_H

#include <unistd.h>

#include "lib/base/file.h"
#include "lib/text/tokenizer_impl.h"
#include "tests/test.h"

/* A temporary folder for one tokenizer. */
static inline void
folder_make(char dir[64])
{
	strcpy(dir, "/tmp/pro-text-XXXXXX");
	if (mkdtemp(dir) == NULL)
		perror(dir), exit(1);
}

static inline void
folder_write(const char *dir, const char *name, const char *text)
{
	struct buf path = BUF_INIT;
	struct out o;
	struct err e = {0};
	if (out_open(&o, path_join(&path, dir, name), &e) < 0 ||
		out_write(&o, text, strlen(text), &e) < 0 || out_commit(&o, &e) < 0)
		fprintf(stderr, "%s\n", e.msg), exit(1);
	buf_free(&path);
}

/* Copies shared/NAME into the folder under another name; false when there is no shared material. */
static inline bool
folder_copy(const char *dir, const char *shared, const char *name)
{
	struct buf path = BUF_INIT;
	struct err e = {0};
	const char *from = shared_path(shared);
	bool ok = from && file_copy(from, path_join(&path, dir, name), &e) == 0;
	buf_free(&path);
	return ok;
}

static inline struct tokenizer *
folder_load(const char *dir)
{
	struct tokenizer *t = NULL;
	struct err e = {0};
	if (tokenizer_load(&t, dir, &e) < 0)
		printf("# %s\n", e.msg);
	return t;
}

static inline bool
is_spm(const struct tokenizer *t)
{
	return strcmp(tokenizer_kind(t), "sentencepiece") == 0;
}

static inline void
folder_remove(const char *dir)
{
	dir_remove(dir, NULL);
}

/* Ids of pieces as "1 2 3", or "error: ...".  Static memory. */
static inline const char *
ids_of(const struct tokenizer *t, const struct text_piece *p, int n, unsigned flags)
{
	static struct buf b;
	struct ids ids = {0};
	struct err e = {0};
	buf_reset(&b);
	buf_puts(&b, "");
	if (tokenizer_encode(t, p, n, flags, &ids, &e) < 0)
		buf_printf(&b, "error: %s", e.msg);
	else
		for (size_t i = 0; i < ids.n; i++)
			buf_printf(&b, "%s%d", i ? " " : "", ids.v[i]);
	ids_free(&ids);
	return b.data;
}

static inline const char *
text_ids(const struct tokenizer *t, const char *s, bool literal)
{
	struct text_piece p = {s, strlen(s), literal};
	return ids_of(t, &p, 1, 0);
}

#endif
