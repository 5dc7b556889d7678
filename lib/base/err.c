#include "lib/base/err.h"

#include <errno.h>
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
err_errno(struct err *e, int code, const char *what)
{
	if (errno == ENOMEM)
		return err_set(e, ERR_NOMEM, "%s: out of memory", what);
	return err_set(e, code, "%s: %s", what, strerror(errno ? errno : EIO));
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
