#include "lib/text/jinja.h"

#include <stdlib.h>
#include <string.h>

struct jinja {
	bool uses_date;
};

int
jinja_compile(struct jinja **out, const char *src, size_t n, struct err *e)
{
	struct jinja *j = x_calloc(1, sizeof *j);
	j->uses_date = memmem(src, n, "strftime_now", 12) != NULL;
	*out = j;
	(void)e;
	return 0;
}

void
jinja_free(struct jinja *j)
{
	free(j);
}

bool
jinja_uses_date(const struct jinja *j)
{
	return j->uses_date;
}

int
jinja_render(const struct jinja *j, const json_t *vars, const struct tm *now,
	struct jinja_text *out, struct err *e)
{
	(void)j, (void)vars, (void)now;
	buf_reset(&out->text);
	buf_reset(&out->mark);
	return err_set(e, ERR_CONFIG, "chat templates in Jinja are not rendered yet");
}
