/* What --plan says: the count of operations against one done by hand, and the time from it. */
#include <math.h>
#include <string.h>

#include "lib/align/plan.h"
#include "tests/test.h"

static const int32_t ids[8] = {1, 2, 3, 4, 5, 6, 7, 8};

/* One record: a prompt of 4, responses of 2 and 3. */
static void
one_record(struct dataset *d, const struct dataset_options *o)
{
	static const int32_t *const rows[] = {ids, ids + 2};
	static const int n_ids[] = {2, 3};
	struct example x = {
		.id = "a", .n = 2, .n_prompt = 4, .prompt = ids, .ids = rows, .n_ids = n_ids};
	dataset_init(d, o);
	dataset_add_encoded(d, &x);
}

static struct model_config
small(enum model_head head, bool tied)
{
	return (struct model_config){.head = head,
		.n_layers = 2,
		.hidden = 8,
		.n_heads = 2,
		.n_kv_heads = 1,
		.head_dim = 4,
		.ffn = 16,
		.vocab = 10,
		.gated = true,
		.norm = K_RMSNORM,
		.tied_head = tied};
}

static void
operations(void)
{
	struct dataset_options lm = {.method = method_find("pro")};
	struct dataset d;
	one_record(&d, &lm);
	/* a layer: q 64, k and v 32 each, o 64, gate, up and down 128 each, two norms of 8 */
	double trunk = 2 * (64 + 32 + 32 + 64 + 3 * 128 + 16) + 8, rows = 4 + 2 + 3;
	/* the prompt's pairs, then each response's with the prompt and with itself */
	double pairs = 4 * 4 / 2. + (2 * 4 + 2 * 2 / 2.) + (3 * 4 + 3 * 3 / 2.);
	double attention = 14 * 2 * 8 * pairs, head = 8 * 10 * 8 * 5.;
	struct model_config c = small(HEAD_LM, true);
	CHECK(fabs(plan_flops(&c, &d) - (6 * trunk * rows + attention + head)) < 0.5);
	c.tied_head = false; /* the products are the same */
	CHECK(fabs(plan_flops(&c, &d) - (6 * trunk * rows + attention + head)) < 0.5);
	dataset_free(&d);
	struct dataset_options rm = {.method = method_find("rm")};
	one_record(&d, &rm);
	c = small(HEAD_REWARD, false);
	CHECK(fabs(plan_flops(&c, &d) - (6 * (trunk + 8) * rows + attention)) < 0.5);
	dataset_free(&d);
}

static double now;

/* A clock on which every reading takes a second. */
static double
ticking(void)
{
	return now += 1;
}

static void
said(void)
{
	struct dataset_options o = {.method = method_find("pro")};
	struct model_config c = small(HEAD_LM, true);
	struct run_options run = {.per_device = 1, .accumulation = 1, .epochs = 3};
	struct kernels *k = kernels_cpu_open(1);
	struct dataset d;
	struct buf b = BUF_INIT;
	struct err e;
	one_record(&d, &o);
	/* one timed round: 3 products of 512 x 8 x 16 */
	CHECK(k && plan_rate(k, &c, 0.2, ticking) == 6. * 512 * 8 * 16);
	CHECK(run_plan(&run, &c, &d, 0, plan_flops(&c, &d) / 2, &b, &e) == 0);
	CHECK(strstr(b.data, " 6.0 s at least, 2.0 s an epoch") != NULL);
	buf_reset(&b);
	run_plan(&run, &c, &d, 0, plan_flops(&c, &d) / 2000, &b, &e);
	CHECK(strstr(b.data, " 1:40:00 at least, 0:33:20 an epoch") != NULL);
	buf_reset(&b);
	run_plan(&run, &c, &d, 0, 0, &b, &e);
	CHECK(strstr(b.data, "time") == NULL);
	buf_reset(&b);
	buf_reset(&b);
	plan_outline(&run, &c, &d, plan_flops(&c, &d) / 2, &b);
	CHECK(strncmp(b.data, "about ", 6) == 0 && strstr(b.data, "KiB of memory, at least 6.0 s"));
	buf_reset(&b);
	plan_outline(&run, &c, &d, 0, &b);
	CHECK(strcmp(b.data + b.len - 10, " of memory") == 0);
	/* a run this small is not held up, one of 1e12 operations is by a hundredth at most */
	double before = now;
	CHECK(plan_rate_beside(k, &run, &c, &d, ticking) == 0 && now == before);
	run.max_steps = (int64_t)(1e12 / plan_flops(&c, &d)) + 1;
	CHECK(plan_rate_beside(k, &run, &c, &d, ticking) > 0 && now > before);
	buf_free(&b);
	dataset_free(&d);
	if (k)
		k->close(k);
}

/* What does not fit is refused with what would. */
static void
fitting(void)
{
	struct dataset_options o = {.method = method_find("pro")};
	struct model_config c = small(HEAD_LM, true);
	struct run_options run = {.per_device = 1000000, .accumulation = 1, .epochs = 1};
	struct dataset d;
	struct train_plan p;
	struct buf b = BUF_INIT;
	struct err e = {0};
	one_record(&d, &o);
	for (int i = 0; i < 8; i++)
		dataset_add_encoded(&d, &d.v[0]);
	trainer_plan(&c, &d, 1, &p);
	size_t model = p.parameters + p.gradients + p.moments, one = model + p.activations;
	trainer_plan(&c, &d, 7, &p);
	size_t seven = model + p.activations;
	CHECK(run_plan(&run, &c, &d, model - 1, 0, &b, &e) < 0 && e.code == ERR_CONFIG);
	CHECK(strstr(e.msg, "alone take ") && strstr(e.msg, "a smaller model"));
	CHECK(strcmp(b.data + b.len - 14, "\ndoes not fit\n") == 0);
	CHECK(run_plan(&run, &c, &d, one - 1, 0, &b, &e) < 0);
	CHECK(strstr(e.msg, "a smaller --max-length, or fewer") != NULL);
	CHECK(run_plan(&run, &c, &d, seven, 0, &b, &e) < 0);
	CHECK(strstr(e.msg, "--per-device-train-batch-size 7 does") != NULL);
	run.per_device = 1;
	buf_reset(&b);
	CHECK(run_plan(&run, &c, &d, one, 0, &b, &e) == 0);
	CHECK(strcmp(b.data + b.len - 6, "\nfits\n") == 0);
	buf_free(&b);
	dataset_free(&d);
}

int
main(void)
{
	RUN(operations);
	RUN(fitting);
	RUN(said);
	TEST_END;
}
