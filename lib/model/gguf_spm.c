#include <string.h>

#include "lib/model/gguf_vocab.h"

/*
 * tokenizer.model: a ModelProto (google/sentencepiece, src/sentencepiece_model.proto) in protobuf's
 * wire format (https://protobuf.dev/programming-guides/encoding/).
 */

static void
put_varint(struct buf *out, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		buf_putc(out, (char)(v | 128));
	buf_putc(out, (char)v);
}

static void
field_int(struct buf *out, unsigned field, int64_t v)
{
	put_varint(out, field << 3);
	put_varint(out, (uint64_t)v);
}

static void
field_bytes(struct buf *out, unsigned field, const void *p, size_t n)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, n);
	buf_put(out, p, n);
}

static void
field_float(struct buf *out, unsigned field, float x)
{
	unsigned char le[4];
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	for (int i = 0; i < 4; i++)
		le[i] = (unsigned char)(bits >> 8 * i);
	put_varint(out, field << 3 | 5);
	buf_put(out, le, sizeof le);
}

enum { /* field numbers */
	MODEL_PIECES = 1,
	MODEL_TRAINER = 2,
	MODEL_NORMALIZER = 3,
	PIECE_TEXT = 1,
	PIECE_SCORE = 2,
	PIECE_TYPE = 3,
	TRAINER_TYPE = 3,
	TRAINER_VOCAB_SIZE = 4,
	TRAINER_BYTE_FALLBACK = 35,
	TRAINER_UNK_ID = 40,
	TRAINER_UNK_PIECE = 45, /* and bos, eos, pad behind each */
	NORMALIZER_NAME = 1,
	NORMALIZER_CHARSMAP = 2,
	NORMALIZER_DUMMY_PREFIX = 3,
	NORMALIZER_REMOVE_SPACES = 4,
	NORMALIZER_ESCAPE_SPACES = 5,
	TYPE_BPE = 2,
};

static void
put_pieces(struct buf *out, const struct gguf_vocab *v)
{
	bool has_unknown = false;
	for (int64_t i = 0; i < v->n; i++)
		has_unknown |= v->type[i] == TOKEN_UNKNOWN;
	struct buf piece = BUF_INIT;
	for (int64_t i = 0; i < v->n; i++) {
		int type = v->type[i];
		char empty[32];
		struct gguf_string s = v->token[i];
		if (s.n == 0) { /* libsentencepiece takes no empty piece; as llama.cpp names it */
			snprintf(empty, sizeof empty, "[EMPTY_%lld]", (long long)i);
			s = (struct gguf_string){empty, strlen(empty)};
			type = TOKEN_UNUSED;
		}
		if (i == v->unk && !has_unknown)
			type = TOKEN_UNKNOWN;
		buf_reset(&piece);
		field_bytes(&piece, PIECE_TEXT, s.s, s.n);
		field_float(
			&piece, PIECE_SCORE, v->scores ? gguf_float_at(v->scores, (uint64_t)i) : 0);
		field_int(&piece, PIECE_TYPE, type);
		field_bytes(out, MODEL_PIECES, piece.data, piece.len);
	}
	buf_free(&piece);
}

int
gguf_put_spm(struct buf *out, const struct gguf *g, const struct gguf_vocab *v, struct err *e)
{
	const int64_t ids[] = {v->unk, v->bos, v->eos, v->pad};
	bool bytes = false;
	for (int64_t i = 0; i < v->n; i++)
		bytes |= v->type[i] == TOKEN_BYTE;
	put_pieces(out, v);
	struct buf b = BUF_INIT;
	field_int(&b, TRAINER_TYPE, TYPE_BPE);
	field_int(&b, TRAINER_VOCAB_SIZE, v->n);
	field_int(&b, TRAINER_BYTE_FALLBACK, bytes);
	for (unsigned i = 0; i < 4; i++)
		field_int(&b, TRAINER_UNK_ID + i, ids[i]);
	for (unsigned i = 0; i < 4; i++)
		if (ids[i] >= 0)
			field_bytes(
				&b, TRAINER_UNK_PIECE + i, v->token[ids[i]].s, v->token[ids[i]].n);
	field_bytes(out, MODEL_TRAINER, b.data, b.len);
	buf_reset(&b);
	const struct gguf_kv *map;
	int r = gguf_array(g, "tokenizer.ggml.precompiled_charsmap", GGUF_UINT8, &map, e);
	field_bytes(&b, NORMALIZER_NAME, "identity", 8);
	field_bytes(&b, NORMALIZER_CHARSMAP, r > 0 ? (const void *)map->data : "",
		r > 0 ? (size_t)map->count : 0);
	field_int(&b, NORMALIZER_DUMMY_PREFIX, v->add_space_prefix);
	field_int(&b, NORMALIZER_REMOVE_SPACES, v->remove_spaces);
	field_int(&b, NORMALIZER_ESCAPE_SPACES, 1);
	field_bytes(out, MODEL_NORMALIZER, b.data, b.len);
	buf_free(&b);
	return r < 0 ? -1 : 0;
}
