/* Authorization and Proxy-Authorization: Bearer (RFC 6750 section 2.1) and Basic (RFC 7617). */
#include "codec/http1.h"

#include "base/error.h"
#include "base/text.h"

/* b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static bool is_b64token(struct sp_slice s)
{
	size_t i;

	while (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	for (i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (c == 0 || !strchr("-._~+/", c))
			return false;
	}
	return s.n > 0;
}

/* user-pass = user-id ":" password, without control characters */
static int parse_basic(struct sp_slice coded, char *scratch, size_t size, struct sp_slice *user_out,
		       struct sp_slice *password_out)
{
	const uint8_t *colon;
	struct sp_slice pair;
	size_t i, n;
	int err = sp_base64_decode(coded, (uint8_t *)scratch, size, &n);

	if (err)
		return err == SP_ETOOBIG ? SP_ETOOBIG : SP_EPROTO;
	pair = sp_slice_make(scratch, n);
	for (i = 0; i < n; i++)
		if (pair.p[i] < 0x20 || pair.p[i] == 0x7f)
			return SP_EPROTO;
	colon = n > 0 ? memchr(pair.p, ':', n) : NULL;
	if (!colon)
		return SP_EPROTO;
	*user_out = sp_slice_make(pair.p, (size_t)(colon - pair.p));
	*password_out = sp_slice_make(colon + 1, n - user_out->n - 1);
	return 0;
}

int sp_http_credentials_parse(struct sp_slice value, enum sp_http_credentials *kind_out, struct sp_slice *token_out,
			      char *scratch, size_t scratch_size, struct sp_slice *user_out, struct sp_slice *password_out)
{
	struct sp_slice scheme = value, rest;
	int err;

	if (!value.p) {
		*kind_out = SP_CREDENTIALS_NONE;
		return 0;
	}
	scheme.n = 0;
	while (scheme.n < value.n && value.p[scheme.n] != ' ')
		scheme.n++;
	if (!sp_http_is_token(scheme))
		return SP_EPROTO;
	rest = sp_slice_trim(sp_slice_make(value.p + scheme.n, value.n - scheme.n));
	if (sp_slice_eq_str_nocase(scheme, "Bearer")) {
		if (!is_b64token(rest))
			return SP_EPROTO;
		*token_out = rest;
		*kind_out = SP_CREDENTIALS_BEARER;
		return 0;
	}
	if (sp_slice_eq_str_nocase(scheme, "Basic")) {
		err = parse_basic(rest, scratch, scratch_size, user_out, password_out);
		if (err)
			return err;
		*kind_out = SP_CREDENTIALS_BASIC;
		return 0;
	}
	*kind_out = SP_CREDENTIALS_OTHER;
	return 0;
}
