/* A foreign record: the first byte says format, filter and paragraphs; what is made of the rest is
 * a record, or a reason, or an error. */
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct importer im = {.format = (enum import_format)(data[0] % 10),
		.filter = (enum import_filter)(data[0] / 10 % 3),
		.drop_paragraphs = data[0] >= 128};
	struct err e = {0};
	struct arena a;
	json_t *root = NULL, *v = json_parse((const char *)data + 1, size - 1, &e);
	const char *reason = NULL;
	arena_init(&a);
	if (v && im.format == IMPORT_AUTO && import_detect(v, &im.format, &e) < 0)
		im.format = IMPORT_HH;
	if (v) {
		int rc = import_record(&im, v, 1, &a, &root, &reason, &e);
		if (rc > 0)
			use(root);
		else if (rc == 0 ? reason == NULL : e.code != ERR_DATA)
			abort();
	}
	json_decref(v);
	arena_free(&a);
	return 0;
}
