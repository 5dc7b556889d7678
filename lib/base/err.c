#include "lib/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	if (e == NULL)
		return -1;
	e->code = code;
	/* The arguments may point into e->msg, so format aside first. */
	char tmp[sizeof e->msg];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(tmp, sizeof tmp, fmt, ap);
	va_end(ap);
	memcpy(e->msg, tmp, sizeof tmp);
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	if (e == NULL)
		return -1;
	char tmp[sizeof e->msg];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(tmp, sizeof tmp, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof tmp)
		snprintf(tmp + n, sizeof tmp - (size_t)n, ": %s", e->msg);
	memcpy(e->msg, tmp, sizeof tmp);
	return -1;
}
