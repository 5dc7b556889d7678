/* A tensor stream, gzip included: records that are handed out keep their promises. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/stream/tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct tensor_record *r)
{
	int64_t total = r->offsets[r->n], sum = 0;
	if (r->n_prompt < 1 || r->n < 0 || r->offsets[0] != 0 || !r->id || !r->sources)
		abort();
	for (int i = 0; i < r->n_prompt; i++)
		sum += r->prompt[i];
	for (int k = 0; k < r->n; k++) {
		if (r->offsets[k + 1] < r->offsets[k] || (r->rewards && !isfinite(r->rewards[k])))
			abort();
	}
	for (int64_t i = 0; i < total; i++) {
		sum += r->ids[i];
		if (r->ids[i] < 0 || (r->logprobs && !isfinite(r->logprobs[i])))
			abort();
	}
	if (sum < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char name[64];
	const char *files = name;
	struct err e = {0};
	struct tensor_reader t;
	struct tensor_record r;
	int rc;
	if (fd < 0)
		fd = memfd_create("fuzz", 0);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	struct input *in = input_open(&files, 1);
	tensor_stream_next(in, &e);
	tensor_reader_init(&t, in);
	while ((rc = tensor_reader_next(&t, &r, &e)) > 0 || t.unfit)
		if (rc > 0)
			check(&r);
	if (rc < 0 && e.code != ERR_DATA)
		abort();
	tensor_reader_free(&t);
	input_close(in);
	return 0;
}
