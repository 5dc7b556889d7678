/* tokenizer.json from memory: whatever the bytes, an error or a tokenizer that encodes and decodes
 * without reading out of bounds. */
#include "lib/text/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "The <|x|> 12 caf\xc3\xa9 e\xcc\x81  \n\xff'll";
	struct tokenizer *t;
	struct err e = {0};
	if (tokenizer_from_json(&t, (const char *)data, size, &e) < 0) {
		if (e.code != ERR_DATA && e.code != ERR_CONFIG)
			__builtin_trap();
		return 0;
	}
	struct text_piece p[2] = {{text, sizeof text - 1, false}, {text, sizeof text - 1, true}};
	struct ids ids = {0};
	struct buf out = BUF_INIT;
	if (tokenizer_encode(t, p, 2, 0, &ids, &e) == 0) {
		for (size_t i = 0; i < ids.n; i++)
			if (ids.v[i] < 0 || ids.v[i] >= tokenizer_vocab(t))
				__builtin_trap();
		tokenizer_decode(t, ids.v, ids.n, true, true, &out);
	}
	ids_free(&ids);
	buf_free(&out);
	tokenizer_free(t);
	return 0;
}
