#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/text/template_impl.h"

void
template_free(struct template *p)
{
	if (p == NULL)
		return;
	chat_free(p->chat);
	arena_free(&p->mem);
	free(p);
}

const char *
template_name(const struct template *p)
{
	return p->name;
}

const char *const *
template_stops(const struct template *p)
{
	return p->stops;
}

int
template_max_tokens(const struct template *p)
{
	return p->max_tokens;
}

int32_t
template_eos(const struct template *p, const struct tokenizer *t)
{
	int32_t id = p->chat ? p->chat->end : p->eos ? tokenizer_id(t, p->eos) : -1;
	return id >= 0 ? id : tokenizer_eos(t);
}

const char *
template_jinja(const struct template *p)
{
	return p->chat ? p->chat->source : NULL;
}

const char *
template_date(const struct template *p)
{
	return p->chat && jinja_uses_date(p->chat->jinja) ? p->chat->day : NULL;
}

const char *
score_at_name(enum score_at at)
{
	static const char *const names[] = {"auto", "end-of-turn", "last"};
	return names[at];
}

enum score_at
template_scores_at(const struct template *p)
{
	if (p->score_at != SCORE_AT_AUTO)
		return p->score_at;
	return p->chat ? SCORE_AT_LAST : SCORE_AT_END_OF_TURN;
}

bool
template_has_rest(const struct template *p)
{
	return p->chat ? p->chat->n_end < p->chat->n_tail : literals_have_rest(p);
}

void
template_notes(const struct template *p, bool scores, struct buf *out)
{
	buf_puts(out, "");
	if (template_date(p))
		buf_printf(out, "; it asks for the date: %s (--date)", template_date(p));
	if (p->chat && !p->chat->joins)
		buf_puts(out, "; an answer is rendered elsewhere than the prompt leads to: it is "
			      "put behind the prompt");
	if (scores && template_has_rest(p))
		buf_printf(out, "; scores are read at the %s (--score-at)",
			template_scores_at(p) == SCORE_AT_LAST ? "last token that it writes"
							       : "end of the turn");
}

const char *
template_label(const struct template *p, struct buf *out)
{
	const struct template *b = p->chat ? NULL : template_builtin(p->name);
	struct buf own = BUF_INIT, known = BUF_INIT;
	buf_reset(out);
	buf_puts(out, p->name);
	template_describe(p, &own);
	if (b)
		template_describe(b, &known);
	if (b == NULL || strcmp(own.data, known.data) != 0) {
		struct sha256 h;
		char hex[65];
		sha256_init(&h);
		sha256_add(&h, own.data, own.len);
		sha256_hex(&h, hex);
		buf_printf(out, "@%.12s", hex);
	}
	buf_free(&own);
	buf_free(&known);
	return out->data;
}
