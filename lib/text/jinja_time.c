/* datetime.now().strftime(), in the C locale. */
#include <locale.h>

#include "lib/text/jinja_call.h"

/* Directives of C and glibc that depend on the date alone. */
static const char directives[] = "aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyY";

static void
put_directive(struct jvm *vm, struct jsb *b, const struct jstr *f, size_t *at, const struct tm *tm,
	locale_t c_locale)
{
	char how[4] = "%", text[128];
	size_t n = 1;
	if (*at < f->len && strchr("-_^#", f->data[*at]) && f->data[*at])
		how[n++] = f->data[(*at)++];
	char d = *at < f->len ? f->data[(*at)++] : '\0';
	if (d == '%' && n == 1) {
		jsb_puts(b, "%");
		return;
	}
	if ((d == 'z' || d == 'Z') && n == 1) /* a date without a zone */
		return;
	if (d == 'f' && n == 1) {
		jsb_puts(b, "000000");
		return;
	}
	if (d == '\0' || !strchr(directives, d)) {
		freelocale(c_locale);
		vm_refuse(vm, "this directive of strftime_now is not supported");
	}
	how[n] = d;
	how[n + 1] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = strftime_l(text, sizeof text, how, tm, c_locale);
#pragma GCC diagnostic pop
	jsb_put(b, text, n, JINJA_LITERAL);
}

struct jv
vm_strftime(struct jvm *vm, const struct jstr *format)
{
	struct tm tm = *vm->now;
	struct jsb b;
	jsb_init(&b, vm);
	/* The day of the week and of the year follow from the date. */
	timegm(&tm);
	locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c_locale == (locale_t)0)
		vm_refuse(vm, "the C locale cannot be had");
	for (size_t at = 0; at < format->len;) {
		if (format->data[at] == '%') {
			at++;
			put_directive(vm, &b, format, &at, &tm, c_locale);
		} else {
			jsb_part(&b, format, at++, 1);
		}
	}
	freelocale(c_locale);
	return jsb_value(&b);
}
