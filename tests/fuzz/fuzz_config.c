/* Any bytes as config.json: what is accepted is a decoder of sane size that can be written again.
 */
#include <assert.h>
#include <stdlib.h>

#include "lib/model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_config c, again;
	struct err e = {0};
	if (config_parse(&c, (const char *)data, size, "fuzz", &e) < 0) {
		assert((e.code == ERR_DATA || e.code == ERR_CONFIG) && e.msg[0]);
		return 0;
	}
	assert(c.n_heads % c.n_kv_heads == 0 && c.rotary_dim <= c.head_dim);
	assert(config_parameters(&c) > 0);
	float *freq = malloc((size_t)c.rotary_dim / 2 * sizeof *freq + 1);
	config_rope_freq(&c, freq);
	free(freq);
	struct buf text = BUF_INIT;
	config_write(&c, &text);
	int rc = config_parse(&again, text.data, text.len, "written", &e);
	assert(rc == 0);
	assert(config_parameters(&c) == config_parameters(&again));
	config_free(&again);
	config_free(&c);
	buf_free(&text);
	return 0;
}
