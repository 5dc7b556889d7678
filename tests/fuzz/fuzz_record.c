/* A record's line: what is taken is written so that it reads back to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "lib/stream/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct record r = {0}, again = {0};
	struct buf a = BUF_INIT, b = BUF_INIT;
	double v;
	if (record_parse(&r, (const char *)data, size, &e) == 0) {
		record_write(&r, &a);
		if (record_parse(&again, a.data, a.len - 1, &e) < 0)
			abort();
		record_write(&again, &b);
		if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
			abort();
		if (record_prompt_hash(&r) != record_prompt_hash(&again))
			abort();
		for (int i = 0; i < r.n_responses; i++)
			response_number(&r.responses[i], "reward", &v, &e);
		if (r.n_responses > 1 && record_permute(&r, (int[]){1, 0}, 2, &e) < 0)
			abort();
	} else if (e.code != ERR_DATA || e.msg[0] == '\0') {
		abort();
	}
	record_free(&r);
	record_free(&again);
	buf_free(&a);
	buf_free(&b);
	return 0;
}
