#include "codec/problem.h"

#include "base/text.h"
#include "codec/fields.h"
#include "codec/outcome.h"

#define Q_MAX 1000

/* ---- Accept ---------------------------------------------------------------------------------------------------------- */

/* weight = OWS ";" OWS "q=" qvalue, in thousandths; what is malformed wishes for nothing. */
static unsigned weight(struct sp_slice parameters)
{
	while (parameters.n > 0) {
		const uint8_t *semicolon = memchr(parameters.p, ';', parameters.n);
		size_t n = semicolon ? (size_t)(semicolon - parameters.p) : parameters.n;
		struct sp_slice one = sp_slice_trim(sp_slice_make(parameters.p, n));
		unsigned q = 0, unit = Q_MAX;

		parameters = sp_slice_make(parameters.p + n + (semicolon != NULL), parameters.n - n - (semicolon != NULL));
		if (one.n < 3 || (one.p[0] | 0x20) != 'q' || one.p[1] != '=')
			continue;
		for (size_t i = 2; i < one.n; i++) {
			if (one.p[i] == '.' && i == 3)
				continue;
			if (one.p[i] < '0' || one.p[i] > '9' || unit == 0)
				return 0;
			q += (unsigned)(one.p[i] - '0') * unit;
			unit /= 10;
		}
		return q <= Q_MAX ? q : 0;
	}
	return Q_MAX;
}

static bool is_json(struct sp_slice range)
{
	return sp_slice_eq_str_nocase(range, "application/problem+json") || sp_slice_eq_str_nocase(range, "application/json");
}

static bool is_text(struct sp_slice range)
{
	return sp_slice_eq_str_nocase(range, "text/plain") || sp_slice_eq_str_nocase(range, "text/html") ||
	       sp_slice_eq_str_nocase(range, "text/*");
}

enum sp_problem_format sp_problem_format(struct sp_slice accept)
{
	unsigned json = 0, text = 0;

	while (accept.n > 0) {
		struct sp_slice one = sp_list_next(&accept), range = one;
		const uint8_t *semicolon = one.n > 0 ? memchr(one.p, ';', one.n) : NULL;
		unsigned q;

		if (semicolon)
			range = sp_slice_trim(sp_slice_make(one.p, (size_t)(semicolon - one.p)));
		q = semicolon ? weight(sp_slice_make(semicolon + 1, one.n - (size_t)(semicolon - one.p) - 1)) : Q_MAX;
		if (is_json(range) && q > json)
			json = q;
		else if (is_text(range) && q > text)
			text = q;
	}
	return json > 0 && json >= text ? SP_PROBLEM_JSON : SP_PROBLEM_TEXT;
}

const char *sp_problem_type(enum sp_problem_format f)
{
	return f == SP_PROBLEM_JSON ? "application/problem+json" : "text/plain; charset=utf-8";
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

/* RFC 8259 section 7; bytes that are no UTF-8 become U+FFFD. */
static int append_string(struct sp_buf *b, struct sp_slice s)
{
	int err = sp_buf_append_str(b, "\"");

	for (size_t i = 0, n; i < s.n && err == 0; i += n) {
		n = sp_utf8_length(sp_slice_make(s.p + i, s.n - i));
		if (n == 0)
			err = sp_buf_append_str(b, "\xef\xbf\xbd");
		else if (s.p[i] < 0x20)
			err = sp_buf_printf(b, "\\u%04x", s.p[i]);
		else if (s.p[i] == '"' || s.p[i] == '\\')
			err = sp_buf_printf(b, "\\%c", s.p[i]);
		else
			err = sp_buf_append(b, s.p + i, n);
		n = n ? n : 1;
	}
	return err < 0 ? err : sp_buf_append_str(b, "\"");
}

static int append_member(struct sp_buf *b, const char *name, struct sp_slice value)
{
	int err = sp_buf_printf(b, ",\"%s\":", name);

	return err < 0 ? err : append_string(b, value);
}

static int write_json(const struct sp_problem *p, struct sp_buf *b)
{
	int err = sp_buf_append_str(b, "{\"type\":\"about:blank\"");

	if (err == 0)
		err = append_member(b, "title", sp_slice_str(sp_http_reason(p->status)));
	if (err == 0)
		err = sp_buf_printf(b, ",\"status\":%u", p->status);
	if (err == 0)
		err = append_member(b, "detail", p->detail);
	if (err == 0)
		err = append_member(b, "outcome", sp_slice_str(p->word));
	if (err == 0)
		err = append_member(b, "exchange", sp_slice_str(p->exchange));
	return err < 0 ? err : sp_buf_append_str(b, "}\n");
}

int sp_problem_write(const struct sp_problem *p, enum sp_problem_format f, struct sp_buf *b)
{
	size_t before = b->len;
	int err;

	if (f == SP_PROBLEM_JSON)
		err = write_json(p, b);
	else
		err = sp_buf_printf(b, "%s: %.*s.\nexchange %s\n", p->word, SP_SLICE_ARG(p->detail), p->exchange);
	if (err < 0)
		b->len = before;
	return err;
}
