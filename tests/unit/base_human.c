/* Quantities as they are said on standard error. */
#include "tests/test.h"

#include "lib/base/human.h"

static void
is(void (*say)(struct buf *, double), double x, const char *want)
{
	struct buf b = BUF_INIT;
	say(&b, x);
	CHECK_STR(b.data, want);
	buf_free(&b);
}

static void
time_is_seconds_or_a_clock(void)
{
	is(human_seconds, -1, "0.0 s");
	is(human_seconds, 4.24, "4.2 s");
	is(human_seconds, 59.94, "59.9 s");
	is(human_seconds, 59.96, "0:01:00");
	is(human_seconds, 3661, "1:01:01");
	is(human_seconds, 360000, "100:00:00");
}

static void
sizes_have_the_largest_unit_that_fits(void)
{
	is(human_bytes, 0, "0 bytes");
	is(human_bytes, 1023, "1023 bytes");
	is(human_bytes, 1024, "1.0 KiB");
	is(human_bytes, 1048575, "1.0 MiB");
	is(human_bytes, 1.5 * (1 << 30), "1.5 GiB");
	is(human_bytes, 1e18, "909494.7 TiB");
	is(human_count, 999, "999");
	is(human_count, 1000, "1.0 thousand");
	is(human_count, 999999, "1.0 million");
	is(human_count, 7.24e9, "7.2 billion");
}

static void
endings(void)
{
	CHECK_STR(human_s(1), "");
	CHECK_STR(human_s(0), "s");
	CHECK_STR(human_s(2), "s");
}

int
main(void)
{
	RUN(endings);
	RUN(time_is_seconds_or_a_clock);
	RUN(sizes_have_the_largest_unit_that_fits);
	TEST_END;
}
