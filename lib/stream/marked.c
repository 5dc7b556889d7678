#include "lib/stream/marked.h"

#include <string.h>

/* What begins a turn of each role (enum role), and what ends one; NULL: nothing does.  As the
 * chat_template of the models in question, or the data sets' cards, write them. */
static const struct marks {
	const char *begin[3];
	const char *end[2];
} styles[] = {
	{{"<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_start|>system\n"},
		{"<|im_end|>", "<|endoftext|>"}},
	{{"<|start_header_id|>user<|end_header_id|>",
		 "<|start_header_id|>assistant<|end_header_id|>",
		 "<|start_header_id|>system<|end_header_id|>"},
		{"<|eot_id|>", "<|end_of_text|>"}},
	{{"<|user|>\n", "<|assistant|>\n", "<|system|>\n"}, {"</s>", "<|end|>"}},
	{{"<|prompter|>", "<|assistant|>", "<|system|>"}, {"<|endoftext|>", "</s>"}},
	{{"### Human:", "### Assistant:", NULL}, {NULL, NULL}},
};
static const char *const before[] = {"<|begin_of_text|>", "<s>"};

static bool
begins(const char *s, const char *end, const char *mark)
{
	size_t n = mark ? strlen(mark) : 0;
	return mark && (size_t)(end - s) >= n && memcmp(s, mark, n) == 0;
}

static const char *
skip_begin(const char *s, const char *end)
{
	while (s < end && strchr(" \t\r\n", *s) && *s)
		s++;
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		if (begins(s, end, before[i]))
			s += strlen(before[i]);
	return s;
}

static const struct marks *
style_of(const char *text, size_t n)
{
	const char *end = text + n, *s = skip_begin(text, end);
	for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) {
		const char *const *begin = styles[i].begin;
		bool starts =
			begins(s, end, begin[ROLE_USER]) || begins(s, end, begin[ROLE_SYSTEM]);
		if (starts && memmem(s, (size_t)(end - s), begin[ROLE_ASSISTANT],
				      strlen(begin[ROLE_ASSISTANT])))
			return &styles[i];
	}
	return NULL;
}

bool
marked_is(const char *text, size_t n)
{
	return style_of(text, n) != NULL;
}

static void
add(struct dialogue *d, struct arena *a, const struct marks *m, enum role role, const char *s,
	size_t n)
{
	text_strip(&s, &n);
	for (int i = 0; i < 2; i++) {
		size_t k = m->end[i] ? strlen(m->end[i]) : 0;
		if (k > 0 && n >= k && memcmp(s + n - k, m->end[i], k) == 0)
			n -= k;
	}
	text_strip(&s, &n);
	dialogue_add(d, a, role, s, n, NULL);
}

void
marked_read(struct dialogue *d, struct arena *a, const char *text, size_t n)
{
	const struct marks *m = style_of(text, n);
	const char *end = text + n, *turn = NULL;
	enum role role = ROLE_USER;
	for (const char *p = skip_begin(text, end); m && p < end;) {
		int next = 0;
		while (next < 3 && !begins(p, end, m->begin[next]))
			next++;
		if (next == 3) {
			p++;
			continue;
		}
		if (turn)
			add(d, a, m, role, turn, (size_t)(p - turn));
		role = (enum role)next;
		p += strlen(m->begin[next]);
		turn = p;
	}
	if (turn)
		add(d, a, m, role, turn, (size_t)(end - turn));
}
