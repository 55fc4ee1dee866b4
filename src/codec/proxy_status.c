/* The Proxy-Status field (RFC 9209): an RFC 8941 list whose first member is nearest the origin. Only that member is
 * read; of its parameters the Token "error" and the String "details". */
#include "codec/outcome.h"

#include <stdio.h>
#include <string.h>

static bool is_alpha(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* sf-token = ( ALPHA / "*" ) *( tchar / ":" / "/" ) */
static bool is_token_char(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~:/", c) != NULL);
}

/* key = ( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" ) */
static bool is_key_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || (c != 0 && strchr("_-.*", c) != NULL);
}

static struct sp_slice take(struct sp_slice *in, size_t n)
{
	struct sp_slice head = sp_slice_make(in->p, n);

	in->p += n;
	in->n -= n;
	return head;
}

static struct sp_slice take_while(struct sp_slice *in, bool (*is)(uint8_t c))
{
	size_t n = 0;

	while (n < in->n && is(in->p[n]))
		n++;
	return take(in, n);
}

/* sf-string = DQUOTE *( unescaped / "\" ( DQUOTE / "\" ) ) DQUOTE; *out is what stands between the quotes. */
static int take_string(struct sp_slice *in, struct sp_slice *out)
{
	size_t i;

	for (i = 1; i < in->n && in->p[i] != '"'; i++) {
		if (in->p[i] < 0x20 || in->p[i] > 0x7e)
			return SP_EPROTO;
		if (in->p[i] == '\\' && (++i >= in->n || (in->p[i] != '"' && in->p[i] != '\\')))
			return SP_EPROTO;
	}
	if (i >= in->n)
		return SP_EPROTO;
	*out = sp_slice_make(in->p + 1, i - 1);
	take(in, i + 1);
	return 0;
}

static bool is_number_char(uint8_t c)
{
	return is_digit(c) || c == '.';
}

static bool is_bytes_char(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

enum kind { KIND_TOKEN, KIND_STRING, KIND_OTHER };

/* bare-item = sf-integer / sf-decimal / sf-string / sf-token / sf-binary / sf-boolean */
static int take_item(struct sp_slice *in, enum kind *kind, struct sp_slice *out)
{
	uint8_t c = in->n > 0 ? in->p[0] : 0;

	*kind = KIND_OTHER;
	*out = SP_SLICE_NONE;
	if (c == '"') {
		*kind = KIND_STRING;
		return take_string(in, out);
	}
	if (is_alpha(c) || c == '*') {
		*kind = KIND_TOKEN;
		*out = take_while(in, is_token_char);
		return 0;
	}
	if (is_digit(c) || c == '-') {
		if (c == '-')
			take(in, 1);
		return take_while(in, is_number_char).n > 0 ? 0 : SP_EPROTO;
	}
	if (c == '?' && in->n > 1 && (in->p[1] == '0' || in->p[1] == '1')) {
		take(in, 2);
		return 0;
	}
	if (c == ':') {
		take(in, 1);
		take_while(in, is_bytes_char);
		if (in->n == 0 || in->p[0] != ':')
			return SP_EPROTO;
		take(in, 1);
		return 0;
	}
	return SP_EPROTO;
}

/* parameter = *SP key [ "=" bare-item ]; the last of several equal keys counts (RFC 8941 section 3.1.2). */
static int take_parameter(struct sp_slice *in, struct sp_slice *error, struct sp_slice *details)
{
	struct sp_slice key, value = SP_SLICE_NONE;
	enum kind kind = KIND_OTHER;

	while (in->n > 0 && in->p[0] == ' ')
		take(in, 1);
	if (in->n == 0 || is_digit(in->p[0]) || strchr("_-.", in->p[0]))
		return SP_EPROTO;
	key = take_while(in, is_key_char);
	if (key.n == 0)
		return SP_EPROTO;
	if (in->n > 0 && in->p[0] == '=') {
		take(in, 1);
		if (take_item(in, &kind, &value))
			return SP_EPROTO;
	}
	if (sp_slice_eq_str(key, "error"))
		*error = kind == KIND_TOKEN ? value : SP_SLICE_NONE;
	else if (sp_slice_eq_str(key, "details"))
		*details = kind == KIND_STRING ? value : SP_SLICE_NONE;
	return 0;
}

int sp_proxy_status_read(struct sp_slice value, struct sp_slice *error_out, struct sp_slice *details_out)
{
	struct sp_slice in = sp_slice_trim(value), name, error = SP_SLICE_NONE, details = SP_SLICE_NONE;
	enum kind kind;

	if (take_item(&in, &kind, &name) || kind == KIND_OTHER)
		return SP_EPROTO;
	while (in.n > 0 && in.p[0] == ';') {
		take(&in, 1);
		if (take_parameter(&in, &error, &details))
			return SP_EPROTO;
	}
	in = sp_slice_trim(in);
	if (in.n > 0 && in.p[0] != ',')
		return SP_EPROTO;
	*error_out = error;
	*details_out = details;
	return 0;
}

int sp_proxy_status_write(const char *name, enum sp_outcome o, char *dst, size_t size)
{
	const struct sp_outcome_row *row = sp_outcome_row(o);
	int n;

	if (size == 0)
		return SP_ETOOBIG;
	dst[0] = '\0';
	if (!row->proxy_error)
		return 0;
	n = snprintf(dst, size, "%s; error=%s; details=\"%s\"", name, row->proxy_error, row->word);
	if (n >= 0 && (size_t)n < size)
		return 0;
	dst[0] = '\0';
	return SP_ETOOBIG;
}
