#ifndef PRO_STREAM_TENSORS_H
#define PRO_STREAM_TENSORS_H

#include "lib/stream/input.h"
#include "lib/stream/safetensors.h"

/*
 * Tensor streams, pro-tensors(5): records as token ids.  One safetensors image ("frame") a record,
 * closed by an end frame with the number of records and the SHA-256 of all bytes before it, so that
 * a stream cut short anywhere is noticed.  Streams may follow one another.
 *
 * All records of a stream were encoded alike; every frame says how.
 */
struct tensor_meta {
	const char *tokenizer; /* tokenizer_hash() */
	const char *template;  /* template_describe(): JSON */
	int max_length, max_prompt_length;
};

struct tensor_record {
	const char *id;      /* "" when the record had none */
	const char *sources; /* JSON list of the responses' sources */
	int n_prompt;
	const int32_t *prompt;   /* [n_prompt], n_prompt >= 1 */
	int n;                   /* responses */
	const int64_t *offsets;  /* [n+1]: response k is ids[offsets[k] .. offsets[k+1]) */
	const int32_t *ids;      /* [offsets[n]] */
	const double *rewards;   /* [n]; NULL: none */
	const float *logprobs;   /* [offsets[n]], of ids under the policy; NULL: none */
	struct tensor_meta meta; /* as read; not looked at by the writer */
};

struct tensor_writer {
	FILE *f;
	struct tensor_meta meta;
	struct sha256 sha;
	int64_t count;
};

/* Borrows f and meta's strings. */
void tensor_writer_init(struct tensor_writer *w, FILE *f, const struct tensor_meta *meta);
int tensor_writer_put(struct tensor_writer *w, const struct tensor_record *r, struct err *e);
/* Writes the end frame and flushes. */
int tensor_writer_end(struct tensor_writer *w, struct err *e);
/* Frees; needed only after an error, before the end. */
void tensor_writer_free(struct tensor_writer *w);

struct tensor_reader {
	struct input *in; /* borrowed */
	struct sha256 sha;
	int64_t frame; /* number of the frame last read, from 1 */
	int64_t count; /* records of this stream */
	bool ended;    /* behind an end frame */
	bool unfit;    /* the last error was one of a frame only */
	struct buf bytes;
	struct st_image image;
	int32_t *prompt, *ids;
	int64_t *offsets;
	double *rewards;
	float *logprobs;
};

/* 1 when what comes next is a tensor stream, 0 when it is text (JSONL) or nothing, -1 on error.
 * Takes no bytes. */
int tensor_stream_next(struct input *in, struct err *e);

void tensor_reader_init(struct tensor_reader *t, struct input *in);
/* 1 and a record, valid until the next call; 0 behind the last end frame; -1 with "file: frame N:
 * what": ERR_DATA for a stream that is broken, cut short or has another count or checksum.  When
 * t->unfit, a frame was read whole but holds no record: the message has no place, and the next call
 * goes on behind it. */
int tensor_reader_next(struct tensor_reader *t, struct tensor_record *r, struct err *e);
void tensor_reader_free(struct tensor_reader *t);

/* ERR_CONFIG naming the difference when a stream was encoded otherwise than wanted. */
int tensor_meta_check(const struct tensor_meta *got, const struct tensor_meta *want, struct err *e);

#endif
