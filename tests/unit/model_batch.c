/* Building packed batches. */
#include "tests/unit/model_example.h"

static void
packing(void)
{
	struct batch_builder b = {0};
	struct example x = example(1, 3, 3, (int[]){2, 1, 3}), y = example(2, 1, 1, (int[]){2});
	add_record(&b, &x, 10);
	add_record(&b, &y, 20);
	const struct batch *t = batch_finish(&b);
	/* rows: prompt 3, then 1, 0 and 2: the last token of a response has none; then 1 and 1 */
	CHECK(t->n_rows == 8 && t->n_segs == 5 && t->n_head == 6 && t->n_targets == 8);
	static const int32_t positions[] = {0, 1, 2, 3, 3, 4, 0, 1};
	static const struct k_segment segs[] = {{0, 3, 0, 0, 0, 3}, {3, 1, 0, 3, 3, 1},
		{4, 2, 0, 3, 4, 2}, {6, 1, 0, 0, 6, 1}, {7, 1, 6, 1, 7, 1}};
	static const int32_t rows[] = {2, 3, 4, 5, 6, 7};
	static const int32_t target_row[] = {0, 0, 0, 1, 2, 3, 4, 5};
	static const int32_t owner[] = {10, 11, 12, 10, 12, 12, 20, 20};
	static const int32_t pos[] = {0, 0, 0, 1, 1, 2, 0, 1};
	CHECK(memcmp(t->positions, positions, sizeof positions) == 0);
	CHECK(memcmp(t->segs, segs, sizeof segs) == 0);
	CHECK(memcmp(t->head_rows, rows, sizeof rows) == 0);
	CHECK(memcmp(t->target_row, target_row, sizeof target_row) == 0);
	CHECK(memcmp(b.target_owner.v, owner, sizeof owner) == 0);
	CHECK(memcmp(b.target_pos.v, pos, sizeof pos) == 0);
	CHECK(t->ids[2] == x.prompt[2] && t->ids[3] == x.ids[0][0] && t->ids[5] == x.ids[2][1]);
	CHECK(t->target_id[0] == x.ids[0][0] && t->target_id[3] == x.ids[0][1]);
	CHECK(t->target_id[5] == x.ids[2][2] && t->slots == NULL && !t->stream);
	/* again from the start, with an empty response */
	batch_reset(&b);
	x.n_ids[1] = 0;
	add_record(&b, &x, 0);
	t = batch_finish(&b);
	CHECK(t->n_rows == 6 && t->n_targets == 5 && b.target_owner.v[1] == 2);
	batch_free(&b);
}

static void
packing_sequences(void)
{
	struct batch_builder b = {0};
	struct example x = example(1, 3, 2, (int[]){2, 1});
	x.list[0] = x.ids[0], x.list[1] = x.ids[1];
	batch_add_shared_sequences(&b, x.prompt, 3, x.list, x.n_ids, 2);
	batch_add_sequence(&b, x.ids[0], 2);
	const struct batch *t = batch_finish(&b);
	CHECK(t->n_rows == 8 && t->n_segs == 4 && t->n_head == 3 && t->n_targets == 0);
	CHECK(t->head_rows[0] == 4 && t->head_rows[1] == 5 && t->head_rows[2] == 7);
	CHECK(t->segs[2].n_prefix == 3 && t->segs[3].n_prefix == 0 && t->positions[5] == 3);
	/* an empty rest is scored at the prompt's last row: then nothing can be shared */
	batch_reset(&b);
	x.n_ids[1] = 0;
	batch_add_shared_sequences(&b, x.prompt, 3, x.list, x.n_ids, 2);
	t = batch_finish(&b);
	CHECK(t->n_rows == 8 && t->n_segs == 2 && t->n_head == 2);
	CHECK(t->head_rows[0] == 4 && t->head_rows[1] == 7 && t->ids[7] == x.prompt[2]);
	batch_free(&b);
}

int
main(void)
{
	RUN(packing);
	RUN(packing_sequences);
	TEST_END;
}
