/* Any bytes as a safetensors image: what is accepted lies within the input and can be converted. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct st_image s;
	struct err e = {0};
	size_t used = 0, total = 0;
	if (st_parse(&s, data, size, &used, "fuzz", &e) < 0) {
		assert(e.code == ERR_DATA && e.msg[0]);
		return 0;
	}
	assert(used <= size);
	for (int i = 0; i < s.n; i++) {
		const struct st_tensor *t = &s.tensors[i];
		assert(st_find(&s, t->name) == t);
		assert((const uint8_t *)t->data >= data &&
			(const uint8_t *)t->data + t->bytes <= data + used);
		total += t->bytes;
		float *x = malloc(4 * t->bytes + 1);
		if (st_to_float(x, t, &e) < 0)
			assert(e.code == ERR_DATA);
		free(x);
	}
	assert(total <= used);
	st_meta(&s, "format");
	st_image_free(&s);
	return 0;
}
