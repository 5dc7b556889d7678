/* A foreign record: the first byte is the format ('A' + enum import_format), the second filter,
 * paragraphs, scale and members ('0' + bits); what is made of the rest is records or reasons, or an
 * error. */
#include <stdlib.h>

#include "lib/stream/export.h"
#include "lib/stream/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(json_t *root)
{
	struct err e = {0};
	struct record r = {0};
	struct buf out = BUF_INIT;
	const char *reason = NULL;
	if (record_take(&r, root, &e) == 0) {
		for (int f = EXPORT_RECORDS; f <= EXPORT_ALPACAEVAL; f++)
			if (export_record(&r, (enum export_format)f, &out, &reason, &e) == 0 &&
				reason == NULL)
				abort();
	} else if (e.code != ERR_DATA) {
		abort();
	}
	record_free(&r);
	buf_free(&out);
}

static struct importer
importer(unsigned format, unsigned bits, struct import_notes *notes)
{
	struct importer im = {.format = (enum import_format)(format % IMPORT_FORMAT_N),
		.filter = (enum import_filter)(bits % 4 % 3),
		.drop_paragraphs = bits & 4,
		.reward_from = bits & 8 ? "score" : NULL,
		.prompt_from = bits & 16 ? "prompt,input" : NULL,
		.notes = notes};
	if (bits & 32)
		import_parse_scale(&im, "0:10", NULL);
	return im;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct import_notes notes = {0};
	struct importer im = importer(data[0] - (unsigned)'A', data[1] - (unsigned)'0', &notes);
	struct err e = {0};
	struct arena a;
	struct imports got = {0};
	json_t *v = json_parse((const char *)data + 2, size - 2, &e);
	arena_init(&a);
	if (v && im.format == IMPORT_AUTO && import_detect(v, &im.format, &e) < 0)
		im.format = IMPORT_HH;
	if (v) {
		int rc = import_value(&im, v, 1, &a, &got, &e);
		if (rc < 0 ? e.code != ERR_DATA || got.n != 0 : got.n < 1)
			abort();
	}
	for (int i = 0; i < got.n; i++) {
		if (got.v[i].record)
			use(got.v[i].record);
		else if (got.v[i].reason == NULL)
			abort();
	}
	json_decref(v);
	arena_free(&a);
	return 0;
}
