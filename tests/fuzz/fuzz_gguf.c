/* GGUF: reading, configuration, tokenizer and tensors, all but the files they would go to. */
#include <stdlib.h>
#include <string.h>

#include "lib/model/gguf_vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
vocabulary(const struct gguf *g, const struct gguf_shape *s, bool spm)
{
	struct buf out = BUF_INIT;
	struct gguf_vocab v;
	const struct gguf_pre *pre = NULL;
	bool missing;
	struct err e;
	if (gguf_vocab_read(&v, g, s->vocab, spm, false, &e) == 0) {
		if (spm)
			gguf_put_spm(&out, g, &v, &e);
		else if (gguf_pre_find(g, &pre, &missing, &e) == 0)
			gguf_put_bpe(&out, g, &v, pre, false, &e);
	}
	gguf_vocab_free(&v);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gguf g;
	struct gguf_shape s;
	struct err e;
	struct buf json = BUF_INIT;
	if (gguf_parse(&g, data, size, "fuzz", &e) < 0)
		return 0;
	if (gguf_config(&g, &s, "float32", &json, &e) == 0) {
		struct gguf_import p = {.dtype = (enum gguf_dtype)(size % 4)};
		FILE *f = fopen("/dev/null", "w");
		if (f) {
			gguf_write_tensors(&g, &s, f, &p, &e);
			fclose(f);
		}
		vocabulary(&g, &s, false);
		vocabulary(&g, &s, true);
	}
	buf_free(&json);
	gguf_close(&g);
	return 0;
}
