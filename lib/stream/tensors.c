#include "lib/stream/tensors.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are written as they lie");

enum { MAX_FRAME = 1 << 30, CHUNK = 64 << 10 };

void
tensor_writer_init(struct tensor_writer *w, FILE *f, const struct tensor_meta *meta)
{
	*w = (struct tensor_writer){.f = f, .meta = *meta};
	sha256_init(&w->sha);
}

int
tensor_writer_put(struct tensor_writer *w, const struct tensor_record *r, struct err *e)
{
	char lengths[32];
	struct st_writer st;
	int64_t n = r->n, total = r->offsets[n];
	int64_t n_offsets = n + 1, n_prompt = r->n_prompt;
	snprintf(lengths, sizeof lengths, "%d,%d", w->meta.max_length, w->meta.max_prompt_length);
	const char *meta[] = {"id", r->id, "sources", r->sources, "tokenizer", w->meta.tokenizer,
		"template", w->meta.template, "lengths", lengths};
	st_writer_init(&st, w->f);
	st.sha = &w->sha;
	st_writer_meta(&st, meta, 5);
	if (r->rewards)
		st_writer_describe(&st, "rewards", ST_F64, &n, 1);
	st_writer_describe(&st, "response_offsets", ST_I64, &n_offsets, 1);
	st_writer_describe(&st, "prompt_ids", ST_I32, &n_prompt, 1);
	st_writer_describe(&st, "response_ids", ST_I32, &total, 1);
	if (r->logprobs)
		st_writer_describe(&st, "logprobs", ST_F32, &total, 1);
	int rc = 0;
	if (r->rewards)
		rc = st_writer_data(&st, r->rewards, (size_t)n * sizeof *r->rewards, e);
	if (rc == 0)
		rc = st_writer_data(&st, r->offsets, (size_t)n_offsets * sizeof *r->offsets, e);
	if (rc == 0)
		rc = st_writer_data(&st, r->prompt, (size_t)n_prompt * sizeof *r->prompt, e);
	if (rc == 0)
		rc = st_writer_data(&st, r->ids, (size_t)total * sizeof *r->ids, e);
	if (rc == 0 && r->logprobs)
		rc = st_writer_data(&st, r->logprobs, (size_t)total * sizeof *r->logprobs, e);
	if (rc == 0)
		rc = st_writer_finish(&st, e);
	st_writer_free(&st);
	w->count++;
	return rc;
}

int
tensor_writer_end(struct tensor_writer *w, struct err *e)
{
	char hex[65], count[24];
	struct st_writer st;
	sha256_hex(&w->sha, hex);
	snprintf(count, sizeof count, "%lld", (long long)w->count);
	const char *meta[] = {"end", "1", "count", count, "sha256", hex};
	st_writer_init(&st, w->f);
	st_writer_meta(&st, meta, 3);
	if (st_writer_finish(&st, e) < 0)
		return -1;
	if (fflush(w->f) == EOF)
		return err_errno(e, ERR_IO, "write error");
	return 0;
}

void
tensor_writer_free(struct tensor_writer *w)
{
	char hex[65];
	if (w->sha.ctx)
		sha256_hex(&w->sha, hex);
}

static uint64_t
header_length(const char *p)
{
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n |= (uint64_t)(unsigned char)p[i] << 8 * i;
	return n;
}

int
tensor_stream_next(struct input *in, struct err *e)
{
	const char *p;
	int64_t n = input_peek(in, &p, 8, e);
	if (n < 0)
		return -1;
	/* Eight bytes of text are never so small a number. */
	return n == 8 && header_length(p) <= ST_MAX_HEADER;
}

void
tensor_reader_init(struct tensor_reader *t, struct input *in)
{
	*t = (struct tensor_reader){.in = in};
	sha256_init(&t->sha);
}

void
tensor_reader_free(struct tensor_reader *t)
{
	char hex[65];
	if (t->sha.ctx)
		sha256_hex(&t->sha, hex);
	buf_free(&t->bytes);
	st_image_free(&t->image);
	X_FREE(t->prompt);
	X_FREE(t->ids);
	X_FREE(t->offsets);
	X_FREE(t->rewards);
	X_FREE(t->logprobs);
}

/* Says where, unless the input has said so itself. */
static int
bad(const struct tensor_reader *t, const char *where, struct err *e)
{
	const char *file = input_file(t->in);
	if (e && strncmp(e->msg, file, strlen(file)) == 0)
		return -1;
	return err_prefix(e, "%s", where);
}

/* n more bytes behind those in t->bytes; memory grows only as they come. */
static int
take(struct tensor_reader *t, size_t n, struct err *e)
{
	while (n > 0) {
		size_t part = n < CHUNK ? n : CHUNK;
		buf_reserve(&t->bytes, part);
		int rc = input_bytes(t->in, t->bytes.data + t->bytes.len, part, e);
		if (rc == 0)
			rc = err_set(e, ERR_DATA, "truncated: %zu bytes missing", n);
		if (rc < 0)
			return rc;
		t->bytes.len += part;
		n -= part;
	}
	return 0;
}

/* One whole frame into t->bytes and t->image: 1, or 0 at a clean end of the input. */
static int
read_frame(struct tensor_reader *t, const char *where, struct err *e)
{
	size_t data;
	char size[8];
	int rc = input_bytes(t->in, size, sizeof size, e);
	if (rc <= 0)
		return rc < 0 ? bad(t, where, e) : 0;
	uint64_t header = header_length(size);
	if (header > ST_MAX_HEADER)
		return err_set(e, ERR_DATA, "%s: no frame of a tensor stream", where);
	buf_reset(&t->bytes);
	buf_put(&t->bytes, size, sizeof size);
	st_image_free(&t->image);
	if (take(t, (size_t)header, e) < 0)
		return bad(t, where, e);
	if (st_header(&t->image, t->bytes.data + 8, (size_t)header, &data, where, e) < 0)
		return -1;
	if (data > MAX_FRAME)
		return err_set(e, ERR_DATA, "%s: frame of %zu bytes", where, data);
	if (take(t, data, e) < 0)
		return bad(t, where, e);
	st_attach(&t->image, t->bytes.data + 8 + header);
	return 1;
}

/* The vector of a name, copied to aligned memory in *out; its length, -1 when it is not there or
 * not as it must be. */
static int64_t
read_vector(
	const struct st_image *s, const char *name, enum st_dtype dtype, void **out, struct err *e)
{
	const struct st_tensor *t = st_find(s, name);
	if (t == NULL)
		return err_set(e, ERR_DATA, "%s: missing", name);
	if (t->dtype != dtype || t->rank != 1)
		return err_set(e, ERR_DATA, "%s: not a vector of %s", name, st_dtype_name(dtype));
	*out = x_realloc(*out, t->bytes);
	if (t->bytes > 0)
		memcpy(*out, t->data, t->bytes);
	return t->shape[0];
}

static int
check_ids(const char *name, const int32_t *v, int64_t n, struct err *e)
{
	for (int64_t i = 0; i < n; i++)
		if (v[i] < 0)
			return err_set(e, ERR_DATA, "%s: negative id at %lld", name, (long long)i);
	return 0;
}

static int
read_ids(struct tensor_reader *t, struct tensor_record *r, struct err *e)
{
	const struct st_image *s = &t->image;
	int64_t n_prompt = read_vector(s, "prompt_ids", ST_I32, (void **)&t->prompt, e);
	if (n_prompt < 0)
		return -1;
	int64_t total = read_vector(s, "response_ids", ST_I32, (void **)&t->ids, e);
	if (total < 0)
		return -1;
	int64_t n = read_vector(s, "response_offsets", ST_I64, (void **)&t->offsets, e) - 1;
	if (n < -1)
		return -1;
	if (n_prompt < 1 || n_prompt > INT_MAX || n > INT_MAX)
		return err_set(e, ERR_DATA, "prompt_ids: %lld of them", (long long)n_prompt);
	if (n < 0 || t->offsets[0] != 0 || t->offsets[n] != total)
		return err_set(
			e, ERR_DATA, "response_offsets: not from 0 to %lld", (long long)total);
	for (int64_t k = 0; k < n; k++)
		if (t->offsets[k + 1] < t->offsets[k] || t->offsets[k + 1] > total)
			return err_set(
				e, ERR_DATA, "response_offsets: descend at %lld", (long long)k);
	if (check_ids("prompt_ids", t->prompt, n_prompt, e) < 0 ||
		check_ids("response_ids", t->ids, total, e) < 0)
		return -1;
	r->n_prompt = (int)n_prompt;
	r->prompt = t->prompt;
	r->n = (int)n;
	r->offsets = t->offsets;
	r->ids = t->ids;
	return 0;
}

static int
read_numbers(struct tensor_reader *t, struct tensor_record *r, struct err *e)
{
	const struct st_image *s = &t->image;
	if (st_find(s, "rewards")) {
		int64_t n = read_vector(s, "rewards", ST_F64, (void **)&t->rewards, e);
		if (n < 0)
			return -1;
		if (n != r->n)
			return err_set(
				e, ERR_DATA, "rewards: %lld for %d responses", (long long)n, r->n);
		for (int64_t i = 0; i < n; i++)
			if (!isfinite(t->rewards[i]))
				return err_set(
					e, ERR_DATA, "rewards: not finite at %lld", (long long)i);
		r->rewards = t->rewards;
	}
	if (st_find(s, "logprobs")) {
		int64_t n = read_vector(s, "logprobs", ST_F32, (void **)&t->logprobs, e);
		if (n < 0)
			return -1;
		if (n != r->offsets[r->n])
			return err_set(e, ERR_DATA, "logprobs: %lld for %lld ids", (long long)n,
				(long long)r->offsets[r->n]);
		for (int64_t i = 0; i < n; i++)
			if (!isfinite(t->logprobs[i]))
				return err_set(
					e, ERR_DATA, "logprobs: not finite at %lld", (long long)i);
		r->logprobs = t->logprobs;
	}
	return 0;
}

/* "512,384" */
static int
read_lengths(const char *s, int *max_length, int *max_prompt_length)
{
	int *const out[] = {max_length, max_prompt_length};
	for (int i = 0; i < 2; i++) {
		size_t digits = strspn(s, "0123456789");
		if (digits == 0 || digits > 9 || s[digits] != (i == 0 ? ',' : '\0'))
			return -1;
		*out[i] = (int)strtol(s, NULL, 10);
		s += digits + 1;
	}
	return 0;
}

static int
read_meta(struct tensor_reader *t, struct tensor_record *r, struct err *e)
{
	const struct st_image *s = &t->image;
	const char *lengths = st_meta(s, "lengths");
	r->id = st_meta(s, "id");
	r->sources = st_meta(s, "sources");
	r->meta.tokenizer = st_meta(s, "tokenizer");
	r->meta.template = st_meta(s, "template");
	if (!r->id || !r->sources || !r->meta.tokenizer || !r->meta.template || !lengths)
		return err_set(e, ERR_DATA,
			"__metadata__: id, sources, tokenizer, template or lengths missing");
	if (read_lengths(lengths, &r->meta.max_length, &r->meta.max_prompt_length) < 0)
		return err_set(e, ERR_DATA, "__metadata__: lengths: not two numbers");
	return 0;
}

static int
check_end(struct tensor_reader *t, struct err *e)
{
	char hex[65], count[24];
	const char *said = st_meta(&t->image, "count"), *sum = st_meta(&t->image, "sha256");
	sha256_hex(&t->sha, hex);
	sha256_init(&t->sha);
	snprintf(count, sizeof count, "%lld", (long long)t->count);
	if (t->image.n > 0 || said == NULL || sum == NULL)
		return err_set(e, ERR_DATA, "end frame: not one");
	if (strcmp(said, count) != 0)
		return err_set(
			e, ERR_DATA, "end frame: %s records announced, %s came", said, count);
	if (strcmp(sum, hex) != 0)
		return err_set(e, ERR_DATA, "end frame: the bytes before it have another SHA-256");
	t->count = 0;
	t->ended = true;
	return 0;
}

int
tensor_reader_next(struct tensor_reader *t, struct tensor_record *r, struct err *e)
{
	char where[1024];
	*r = (struct tensor_record){0};
	t->unfit = false;
	for (;;) {
		int64_t frame = t->frame + 1;
		/* the file may change between frames; its name is known once a byte was read */
		const char *p;
		if (input_peek(t->in, &p, 1, e) < 0)
			return -1;
		snprintf(
			where, sizeof where, "%s: frame %lld", input_file(t->in), (long long)frame);
		int rc = read_frame(t, where, e);
		if (rc < 0)
			return rc;
		if (rc == 0 && !t->ended)
			return err_set(
				e, ERR_DATA, "%s: the stream stops without its end frame", where);
		if (rc == 0)
			return 0;
		t->frame = frame;
		const char *end = st_meta(&t->image, "end");
		if (end && strcmp(end, "1") == 0) {
			if (check_end(t, e) < 0)
				return bad(t, where, e);
			continue;
		}
		t->ended = false;
		t->count++;
		sha256_add(&t->sha, t->bytes.data, t->bytes.len);
		if (read_meta(t, r, e) < 0 || read_ids(t, r, e) < 0 || read_numbers(t, r, e) < 0) {
			t->unfit = true;
			return -1;
		}
		return 1;
	}
}

int
tensor_meta_check(const struct tensor_meta *got, const struct tensor_meta *want, struct err *e)
{
	if (strcmp(got->tokenizer, want->tokenizer) != 0)
		return err_set(e, ERR_CONFIG,
			"the tensor stream was made with another tokenizer (%.12s, not %.12s)",
			got->tokenizer, want->tokenizer);
	if (got->max_length != want->max_length ||
		got->max_prompt_length != want->max_prompt_length)
		return err_set(e, ERR_CONFIG,
			"the tensor stream has --max-length %d --max-prompt-length %d, not %d and "
			"%d",
			got->max_length, got->max_prompt_length, want->max_length,
			want->max_prompt_length);
	if (strcmp(got->template, want->template) != 0)
		return err_set(e, ERR_CONFIG, "the tensor stream was made with another template");
	return 0;
}
