#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* A peer's or a library's words may stand in the text: control characters and "\" become \xNN, so that the text is one
 * line for whoever prints it. Cuts at the end of dst. */
static void escape(const char *src, char *dst, size_t size)
{
	size_t n = 0;

	for (; *src; src++) {
		unsigned char c = (unsigned char)*src;

		if (c >= 0x20 && c != 0x7f) {
			if (n + 1 >= size)
				break;
			dst[n++] = (char)c;
			continue;
		}
		if (n + 4 >= size)
			break;
		snprintf(dst + n, 5, "\\x%02x", c);
		n += 4;
	}
	dst[n] = '\0';
}

int sp_cause_set(struct sp_cause *c, int err, enum sp_domain domain, long raw, const char *fmt, ...)
{
	char text[sizeof(c->text)];
	va_list ap;

	if (!c || c->err)
		return err;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->err = err;
	c->domain = domain;
	c->raw = raw;
	escape(text, c->text, sizeof(c->text));
	return err;
}

const char *sp_err_word(int err)
{
	static const char *const words[] = {
		"ok", "invalid", "no_memory", "protocol", "too_big", "timeout", "closed", "refused", "unreachable", "dns",
		"tls", "certificate", "reset", "canceled", "limit", "system", "denied", "unsupported", "retry",
	};

	_Static_assert(SP_COUNT_OF(words) == 1 - SP_ERETRY, "one word per code");
	return err <= 0 && err >= SP_ERETRY ? words[-err] : "unknown";
}

const char *sp_domain_word(enum sp_domain domain)
{
	switch (domain) {
	case SP_DOMAIN_NONE:
		return "none";
	case SP_DOMAIN_SELF:
		return "self";
	case SP_DOMAIN_OS:
		return "os";
	case SP_DOMAIN_DNS:
		return "dns";
	case SP_DOMAIN_TLS:
		return "tls";
	case SP_DOMAIN_H2:
		return "h2";
	case SP_DOMAIN_AUTH:
		return "auth";
	}
	return "unknown";
}
