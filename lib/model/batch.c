#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/model/decoder.h"

void
batch_reset(struct batch_builder *b)
{
	b->ids.n = b->positions.n = b->head_rows.n = 0;
	b->target_row.n = b->target_id.n = b->target_owner.n = b->target_pos.n = 0;
	b->batch = (struct batch){0};
}

void
batch_free(struct batch_builder *b)
{
	ids_free(&b->ids);
	ids_free(&b->positions);
	ids_free(&b->head_rows);
	ids_free(&b->target_row);
	ids_free(&b->target_id);
	ids_free(&b->target_owner);
	ids_free(&b->target_pos);
	free(b->segs);
	*b = (struct batch_builder){0};
}

/* Appends n rows at positions from `position` as a segment that also sees prefix rows. */
static void
add_rows(struct batch_builder *b, const int32_t *ids, int n, int position, int prefix, int n_prefix)
{
	int32_t at = (int32_t)b->ids.n;
	if (n == 0)
		return;
	if ((size_t)b->batch.n_segs == b->cap_segs) {
		b->cap_segs = b->cap_segs ? 2 * b->cap_segs : 64;
		b->segs = x_realloc(b->segs, b->cap_segs * sizeof *b->segs);
	}
	b->segs[b->batch.n_segs++] = (struct k_segment){at, n, prefix, n_prefix, at, n};
	ids_append(&b->ids, ids, (size_t)n);
	for (int i = 0; i < n; i++)
		ids_push(&b->positions, position + i);
}

static void
add_target(struct batch_builder *b, int32_t id, int owner, int pos)
{
	ids_push(&b->target_row, (int32_t)b->head_rows.n - 1);
	ids_push(&b->target_id, id);
	ids_push(&b->target_owner, owner);
	ids_push(&b->target_pos, pos);
}

/*
 * A response's last token is predicted but predicts nothing: it needs no row, so a response of m
 * tokens has m-1 of them.
 */
void
batch_add_record(struct batch_builder *b, const int32_t *prompt, int n_prompt,
	const int32_t *const *responses, const int *n_ids, int n, int first_owner)
{
	assert(n_prompt >= 1);
	int base = (int)b->ids.n, any = 0;
	add_rows(b, prompt, n_prompt, 0, 0, 0);
	for (int k = 0; k < n; k++)
		any |= n_ids[k] > 0;
	if (any)
		ids_push(&b->head_rows, base + n_prompt - 1);
	for (int k = 0; k < n; k++)
		if (n_ids[k] > 0)
			add_target(b, responses[k][0], first_owner + k, 0);
	for (int k = 0; k < n; k++) {
		int at = (int)b->ids.n;
		add_rows(
			b, responses[k], n_ids[k] > 0 ? n_ids[k] - 1 : 0, n_prompt, base, n_prompt);
		for (int i = 1; i < n_ids[k]; i++) {
			ids_push(&b->head_rows, at + i - 1);
			add_target(b, responses[k][i], first_owner + k, i);
		}
	}
}

void
batch_add_sequence(struct batch_builder *b, const int32_t *ids, int n)
{
	assert(n >= 1);
	add_rows(b, ids, n, 0, 0, 0);
	ids_push(&b->head_rows, (int32_t)b->ids.n - 1);
}

void
batch_add_shared_sequences(struct batch_builder *b, const int32_t *prompt, int n_prompt,
	const int32_t *const *rest, const int *n_rest, int n)
{
	bool share = n_prompt > 0;
	for (int k = 0; k < n; k++)
		share &= n_rest[k] > 0; /* head rows must be distinct */
	int base = (int)b->ids.n;
	if (share)
		add_rows(b, prompt, n_prompt, 0, 0, 0);
	for (int k = 0; k < n; k++) {
		if (share) {
			add_rows(b, rest[k], n_rest[k], n_prompt, base, n_prompt);
			ids_push(&b->head_rows, (int32_t)b->ids.n - 1);
		} else {
			struct ids whole = {0};
			ids_append(&whole, prompt, (size_t)n_prompt);
			ids_append(&whole, rest[k], (size_t)n_rest[k]);
			batch_add_sequence(b, whole.v, (int)whole.n);
			ids_free(&whole);
		}
	}
}

const struct batch *
batch_finish(struct batch_builder *b)
{
	b->batch.n_rows = (int)b->ids.n;
	b->batch.ids = b->ids.v;
	b->batch.positions = b->positions.v;
	b->batch.segs = b->segs;
	b->batch.n_head = (int)b->head_rows.n;
	b->batch.head_rows = b->head_rows.v;
	b->batch.n_targets = (int)b->target_row.n;
	b->batch.target_row = b->target_row.v;
	b->batch.target_id = b->target_id.v;
	return &b->batch;
}
