/* One line of a log or an audit trail, built in memory that the caller lends: text "key=value" or one JSON object. What a peer sent
 * is escaped, an escape sequence is never cut in two, and a line that would not fit stays well-formed: what is too long is left
 * out. Nothing is allocated. */
#ifndef SP_BASE_LINE_H
#define SP_BASE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct sp_line {
	char *text; /* not NUL-terminated */
	size_t n, limit, size;
	bool json;
	bool full;  /* nothing more goes in but tails */
	bool cut; /* something was left out */
};

#define SP_LINE_TAIL 32 /* bytes of mem that only sp_line_tail() uses: closing quotes, a mark, a newline */
#define SP_LINE_UNBOUNDED SIZE_MAX

/* size: more than SP_LINE_TAIL. */
void sp_line_init(struct sp_line *l, char *mem, size_t size, bool json);
/* As it is; all of it or nothing. */
void sp_line_put(struct sp_line *l, const char *s);
/* Into the room that the others leave. */
void sp_line_tail(struct sp_line *l, const char *s);
/* Escaped for between quotes. Both forms escape the same way, but JSON knows no \x: there it is the text \\x. */
void sp_line_escaped(struct sp_line *l, struct sp_slice s);
/* ,"key":"value" (without the comma behind a brace) or " key=value" with quotes where they are needed. most: bytes that the value may take up when escaped. */
void sp_line_text(struct sp_line *l, const char *key, struct sp_slice value, size_t most);
void sp_line_int(struct sp_line *l, const char *key, int64_t value);

#define SP_TIME_SIZE 128 /* far more than any year needs; the compiler checks it */
/* Now, RFC 3339, in UTC with milliseconds. */
void sp_time_text(char dst[SP_TIME_SIZE]);

#endif
