/* Lines for the operator. What stands in the configuration may be quoted in them: control characters are escaped, so that
 * a line stays a line. */
#include "config.h" /* vasprintf */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/must.h"
#include "conf/conf.h"

static void append_escaped(struct sp_buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		sp_must((c < 0x20 || c == 0x7f ? sp_buf_printf(b, "\\x%02x", c) : sp_buf_append(b, s, 1)) == 0);
	}
}

void sp_report_add(struct sp_report *r, const struct sp_conf_at *at, const char *fmt, ...)
{
	struct sp_buf b = { 0 };
	char *message;
	va_list ap;

	va_start(ap, fmt);
	sp_must(vasprintf(&message, fmt, ap) >= 0);
	va_end(ap);
	if (r->count > 0)
		sp_must(sp_buf_printf(&b, "%s\n", r->text) == 0);
	if (at && at->file) {
		append_escaped(&b, at->file);
		sp_must((at->line ? sp_buf_printf(&b, ":%u: ", at->line) : sp_buf_append_str(&b, ": ")) == 0);
	}
	append_escaped(&b, message);
	free(message);
	free(r->text);
	r->text = sp_strdup(sp_buf_str(&b));
	r->count++;
	sp_buf_deinit(&b);
}

void sp_report_deinit(struct sp_report *r)
{
	free(r->text);
	*r = (struct sp_report){ 0 };
}
