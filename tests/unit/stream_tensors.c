#include "lib/stream/tensors.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

/* In memory: thousands of small files would wait for the disk. */
static char path[64];
static int fd;
static const struct tensor_meta meta = {"abc123", "{\"name\":\"hh\"}", 512, 384};

static const int32_t prompt[] = {1, 5, 6}, ids[] = {7, 8, 2, 9, 2};
static const int64_t offsets[] = {0, 3, 3, 5};
static const double rewards[] = {1.5, 0, -2};
static const float logprobs[] = {-1, -2, -3, -0.5f, 0};

static struct tensor_record
sample(const char *id)
{
	return (struct tensor_record){.id = id,
		.sources = "[\"a\",\"b\",\"c\"]",
		.n_prompt = 3,
		.prompt = prompt,
		.n = 3,
		.offsets = offsets,
		.ids = ids,
		.rewards = rewards,
		.logprobs = logprobs};
}

/* A stream of two records, the second without rewards and log-probabilities. */
static char *
stream(size_t *n)
{
	struct err e = {0};
	char *bytes = NULL;
	FILE *f = open_memstream(&bytes, n);
	struct tensor_writer w;
	struct tensor_record r = sample("t:1");
	tensor_writer_init(&w, f, &meta);
	CHECK(tensor_writer_put(&w, &r, &e) == 0);
	r = sample("t:2");
	r.rewards = NULL;
	r.logprobs = NULL;
	CHECK(tensor_writer_put(&w, &r, &e) == 0);
	CHECK(tensor_writer_end(&w, &e) == 0);
	tensor_writer_free(&w);
	fclose(f);
	return bytes;
}

static void
put(const void *p, size_t n)
{
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
}

/* Reads all of it; the number of records, or -1 with the message (without the file's name). */
static int
read_all(const void *p, size_t n, const char **why)
{
	static struct err e;
	const char *files = path;
	struct tensor_reader t;
	struct tensor_record r;
	put(p, n);
	struct input *in = input_open(&files, 1);
	int rc, count = 0;
	e = (struct err){0};
	tensor_reader_init(&t, in);
	while ((rc = tensor_reader_next(&t, &r, &e)) > 0)
		count++;
	if (t.unfit) /* the place is the caller's to say */
		err_prefix(&e, "%s: frame %lld", path, (long long)t.frame);
	tensor_reader_free(&t);
	input_close(in);
	*why = e.msg;
	if (rc < 0) {
		CHECK(e.code == ERR_DATA);
		CHECK(strncmp(e.msg, path, strlen(path)) == 0);
		*why = e.msg + strlen(path) + 2;
	}
	return rc < 0 ? -1 : count;
}

static void
test_round_trip(void)
{
	struct err e = {0};
	size_t n;
	const char *why, *files = path;
	char *bytes = stream(&n);
	CHECK(read_all(bytes, n, &why) == 2);
	struct input *in = input_open(&files, 1);
	struct tensor_reader t;
	struct tensor_record r;
	CHECK(tensor_stream_next(in, &e) == 1);
	tensor_reader_init(&t, in);
	CHECK(tensor_reader_next(&t, &r, &e) == 1);
	CHECK_STR(r.id, "t:1");
	CHECK_STR(r.sources, "[\"a\",\"b\",\"c\"]");
	CHECK(r.n_prompt == 3 && memcmp(r.prompt, prompt, sizeof prompt) == 0);
	CHECK(r.n == 3 && memcmp(r.offsets, offsets, sizeof offsets) == 0);
	CHECK(memcmp(r.ids, ids, sizeof ids) == 0);
	CHECK(r.rewards && memcmp(r.rewards, rewards, sizeof rewards) == 0);
	CHECK(r.logprobs && memcmp(r.logprobs, logprobs, sizeof logprobs) == 0);
	CHECK(tensor_meta_check(&r.meta, &meta, &e) == 0);
	struct tensor_meta other = meta;
	other.tokenizer = "zzz";
	CHECK(tensor_meta_check(&r.meta, &other, &e) == -1 && e.code == ERR_CONFIG);
	other = meta;
	other.max_length = 1024;
	CHECK(tensor_meta_check(&r.meta, &other, &e) == -1 && e.code == ERR_CONFIG);
	other = meta;
	other.template = "{}";
	CHECK(tensor_meta_check(&r.meta, &other, &e) == -1 && e.code == ERR_CONFIG);
	CHECK(tensor_reader_next(&t, &r, &e) == 1);
	CHECK_STR(r.id, "t:2");
	CHECK(r.rewards == NULL && r.logprobs == NULL);
	CHECK(tensor_reader_next(&t, &r, &e) == 0);
	CHECK(tensor_reader_next(&t, &r, &e) == 0);
	tensor_reader_free(&t);
	input_close(in);
	free(bytes);
}

static void
test_streams_may_follow_one_another(void)
{
	size_t n;
	const char *why;
	char *one = stream(&n), *two = malloc(2 * n);
	memcpy(two, one, n);
	memcpy(two + n, one, n);
	CHECK(read_all(two, 2 * n, &why) == 4);
	CHECK(read_all(two, 2 * n - 1, &why) == -1);
	free(one);
	free(two);
}

static void
test_a_cut_is_always_noticed(void)
{
	size_t n;
	const char *why;
	char *bytes = stream(&n);
	for (size_t cut = 0; cut < n; cut++)
		CHECK(read_all(bytes, cut, &why) == -1);
	CHECK(read_all(bytes, 0, &why) == -1);
	CHECK_STR(why, "frame 1: the stream stops without its end frame");
	CHECK(read_all(bytes, 30, &why) == -1);
	CHECK(strncmp(why, "frame 1: truncated: ", 20) == 0);
	free(bytes);
}

/* Whatever bit is flipped, nothing is accepted in silence. */
static void
test_a_changed_byte_is_always_noticed(void)
{
	size_t n;
	const char *why;
	char *bytes = stream(&n);
	for (size_t i = 0; i < n; i++) {
		bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
		CHECK(read_all(bytes, n, &why) == -1);
		bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
	}
	free(bytes);
}

static void
test_a_lost_frame_is_noticed(void)
{
	size_t n, first;
	const char *why;
	struct err e = {0};
	struct st_image s;
	char *bytes = stream(&n);
	CHECK(st_parse(&s, bytes, n, &first, "m", &e) == 0);
	st_image_free(&s);
	CHECK(read_all(bytes + first, n - first, &why) == -1);
	CHECK_STR(why, "frame 2: end frame: 2 records announced, 1 came");
	free(bytes);
}

/* A frame whose tensors contradict each other, under its own right checksum. */
static const char *
verdict_of(const struct tensor_record *r, const char *lengths)
{
	struct err e = {0};
	char *bytes = NULL;
	size_t n;
	const char *why;
	FILE *f = open_memstream(&bytes, &n);
	struct tensor_writer w;
	tensor_writer_init(&w, f, &meta);
	CHECK(tensor_writer_put(&w, r, &e) == 0);
	CHECK(tensor_writer_end(&w, &e) == 0);
	fclose(f);
	if (lengths)
		memcpy(strstr(bytes + 8, "512,384"), lengths, 7);
	CHECK(read_all(bytes, n, &why) == -1);
	free(bytes);
	return why;
}

static void
test_contradictions(void)
{
	struct tensor_record r = sample("x");
	int32_t negative[] = {7, -8, 2, 9, 2};
	int64_t falling[] = {0, 4, 3, 5}, late[] = {1, 3, 3, 5}, beyond[] = {0, 99, 3, 5};
	double nan_reward[] = {1, NAN, 2};
	float inf_logprob[] = {-1, -2, -INFINITY, 0, 0};
	r.ids = negative;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: response_ids: negative id at 1");
	r = sample("x");
	r.prompt = negative;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: prompt_ids: negative id at 1");
	r = sample("x");
	r.n_prompt = 0;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: prompt_ids: 0 of them");
	r = sample("x");
	r.offsets = falling;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: response_offsets: descend at 1");
	r.offsets = late;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: response_offsets: not from 0 to 5");
	r.offsets = beyond;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: response_offsets: descend at 0");
	r = sample("x");
	r.rewards = nan_reward;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: rewards: not finite at 1");
	r = sample("x");
	r.logprobs = inf_logprob;
	CHECK_STR(verdict_of(&r, NULL), "frame 1: logprobs: not finite at 2");
	r = sample("x");
	CHECK_STR(verdict_of(&r, "512;384"), "frame 1: __metadata__: lengths: not two numbers");
	CHECK_STR(verdict_of(&r, "512,38x"), "frame 1: __metadata__: lengths: not two numbers");
}

/* Frames that our writer does not write. */
static const char *
verdict_of_header(const char *header, size_t n_data)
{
	static char bytes[2048];
	const char *why;
	memset(bytes, 0, sizeof bytes);
	bytes[0] = (char)(strlen(header) & 255);
	bytes[1] = (char)(strlen(header) >> 8);
	memcpy(bytes + 8, header, strlen(header));
	CHECK(read_all(bytes, 8 + strlen(header) + n_data, &why) == -1);
	return why;
}

#define META                                                                                   \
	"\"__metadata__\":{\"id\":\"\",\"sources\":\"\",\"tokenizer\":\"\",\"template\":\"\"," \
	"\"lengths\":\"5,3\"}"

static void
test_foreign_frames(void)
{
	CHECK_STR(verdict_of_header("{}", 0),
		"frame 1: __metadata__: id, sources, tokenizer, template or lengths missing");
	CHECK_STR(verdict_of_header("{" META "}", 0), "frame 1: prompt_ids: missing");
	CHECK_STR(verdict_of_header("{" META ",\"prompt_ids\":{\"dtype\":\"I64\",\"shape\":[1],"
				    "\"data_offsets\":[0,8]}}",
			  8),
		"frame 1: prompt_ids: not a vector of I32");
	CHECK_STR(verdict_of_header("{" META ",\"prompt_ids\":{\"dtype\":\"I32\",\"shape\":[1,1],"
				    "\"data_offsets\":[0,4]}}",
			  4),
		"frame 1: prompt_ids: not a vector of I32");
	CHECK_STR(verdict_of_header("{" META ",\"x\":{\"dtype\":\"U8\",\"shape\":[2000000000],"
				    "\"data_offsets\":[0,2000000000]}}",
			  4),
		"frame 1: frame of 2000000000 bytes");
	CHECK_STR(verdict_of_header("{\"__metadata__\":{\"end\":\"1\"}}", 0),
		"frame 1: end frame: not one");
	const char *why, *jsonl = "{\"prompt\":\"x\"}\n";
	CHECK(read_all(jsonl, strlen(jsonl), &why) == -1);
	CHECK_STR(why, "frame 1: no frame of a tensor stream");
}

static void
test_told_from_text(void)
{
	static const char *const texts[] = {
		"", "{", "{\"prompt\":\"x\"}\n", "\n\n\n\n\n\n\n\n\n", "       {}"};
	struct err e = {0};
	const char *files = path;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put(texts[i], strlen(texts[i]));
		struct input *in = input_open(&files, 1);
		CHECK(tensor_stream_next(in, &e) == 0);
		input_close(in);
	}
}

static void
test_full_disk(void)
{
	struct err e = {0};
	struct tensor_writer w;
	struct tensor_record r = sample("x");
	FILE *f = fopen("/dev/full", "w");
	if (f == NULL)
		SKIP("no /dev/full");
	tensor_writer_init(&w, f, &meta);
	CHECK(tensor_writer_put(&w, &r, &e) == 0); /* still in the buffer */
	CHECK(tensor_writer_end(&w, &e) == -1 && e.code == ERR_IO);
	setvbuf(f, NULL, _IONBF, 0);
	tensor_writer_init(&w, f, &meta);
	CHECK(tensor_writer_put(&w, &r, &e) == -1 && e.code == ERR_IO);
	tensor_writer_free(&w);
	fclose(f);
}

/* Behind one that holds no record the stream goes on, and its end still has the right sums. */
static void
test_an_unfit_frame_is_passed_over(void)
{
	struct err e = {0};
	char *bytes = NULL;
	size_t n;
	FILE *f = open_memstream(&bytes, &n);
	struct tensor_writer w;
	struct tensor_record r = sample("1"), got;
	int32_t negative[] = {7, -8, 2, 9, 2};
	tensor_writer_init(&w, f, &meta);
	CHECK(tensor_writer_put(&w, &r, &e) == 0);
	r.ids = negative;
	CHECK(tensor_writer_put(&w, &r, &e) == 0);
	r = sample("3");
	CHECK(tensor_writer_put(&w, &r, &e) == 0);
	CHECK(tensor_writer_end(&w, &e) == 0);
	fclose(f);
	put(bytes, n);
	const char *files = path;
	struct input *in = input_open(&files, 1);
	struct tensor_reader t;
	tensor_reader_init(&t, in);
	CHECK(tensor_reader_next(&t, &got, &e) == 1 && !t.unfit);
	CHECK(tensor_reader_next(&t, &got, &e) == -1 && t.unfit && t.frame == 2);
	CHECK_STR(e.msg, "response_ids: negative id at 1");
	CHECK(tensor_reader_next(&t, &got, &e) == 1 && !t.unfit);
	CHECK_STR(got.id, "3");
	CHECK(tensor_reader_next(&t, &got, &e) == 0 && !t.unfit);
	tensor_reader_free(&t);
	input_close(in);
	free(bytes);
}

int
main(void)
{
	fd = memfd_create("tensors", 0);
	if (fd < 0)
		return 1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	RUN(test_round_trip);
	RUN(test_streams_may_follow_one_another);
	RUN(test_a_cut_is_always_noticed);
	RUN(test_a_changed_byte_is_always_noticed);
	RUN(test_a_lost_frame_is_noticed);
	RUN(test_contradictions);
	RUN(test_an_unfit_frame_is_passed_over);
	RUN(test_foreign_frames);
	RUN(test_told_from_text);
	RUN(test_full_disk);
	TEST_END;
}
