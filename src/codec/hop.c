#include "codec/hop.h"

#include "base/error.h"
#include "base/must.h"
#include "codec/body.h"

#define PSEUDONYM "sallyport"

static bool is_one_of(struct sp_slice name, const char *const *list)
{
	for (; *list; list++)
		if (sp_slice_eq_str_nocase(name, *list))
			return true;
	return false;
}

/* ---- filtering --------------------------------------------------------------------------------------------------- */

/* Equal as servers that fill CGI variables see it: "_" as "-". */
static bool looks_like(struct sp_slice name, const char *const *list)
{
	for (; *list; list++)
		if (name.n == strlen(*list) && sp_field_name_begins(name, *list))
			return true;
	return false;
}

/* TE is looked at by itself. */
static bool is_connection_specific(struct sp_slice name)
{
	static const char *const names[] = {
		"connection", "keep-alive", "trailer", "transfer-encoding", "upgrade", "http2-settings", NULL,
	};
	static const char *const in_disguise[] = { "content-length", "host", "te", NULL };

	return looks_like(name, names) || (looks_like(name, in_disguise) && !is_one_of(name, in_disguise));
}

static bool is_ours(struct sp_slice name)
{
	return sp_field_name_begins(name, "sallyport-") || sp_field_name_begins(name, "sap-connectivity-") ||
	       sp_field_name_begins(name, "sap-cp-connectivity-");
}

/* All names that are asked for below begin with one of these: a look at one byte spares most fields the questions. */
static bool may_be_special(struct sp_slice name)
{
	return name.n == 0 || strchr("cCkKtTuUhHpPsS", name.p[0]) != NULL;
}

static bool stays(struct sp_slice name, enum sp_http_side side)
{
	static const char *const for_the_connector[] = {
		"sap-connectivity-authentication",
		"sap-connectivity-technical-authentication",
		NULL,
	};
	static const char *const for_the_client[] = { "proxy-status", "sallyport-exchange", NULL };

	if (!may_be_special(name))
		return true;
	if (is_connection_specific(name))
		return false;
	if (!sp_field_name_begins(name, "proxy-") && !is_ours(name))
		return true;
	if (side == SP_HTTP_INTO_TUNNEL)
		return is_one_of(name, for_the_connector);
	return side == SP_HTTP_TO_CLIENT && is_one_of(name, for_the_client);
}

/* connection-option = token, all lines of Connection together */
static int collect_options(const struct sp_fields *f, struct sp_slice options[SP_CONNECTION_OPTIONS_MAX], unsigned *count_out)
{
	unsigned i, n = 0;

	for (i = 0; i < f->count; i++) {
		struct sp_slice list = f->v[i].value;

		if (!sp_slice_eq_str_nocase(f->v[i].name, "connection"))
			continue;
		while (list.n > 0) {
			struct sp_slice option = sp_list_next(&list);

			if (option.n == 0)
				continue;
			if (n == SP_CONNECTION_OPTIONS_MAX)
				return sp_http_refuse(SP_EPROTO, SP_HTTP_REFUSAL_CONNECTION_OPTIONS);
			options[n++] = option;
		}
	}
	*count_out = n;
	return 0;
}

static bool is_named(struct sp_slice name, const struct sp_slice *options, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (sp_slice_eq_nocase(name, options[i]))
			return true;
	return false;
}

int sp_http_filter(struct sp_fields *f, enum sp_http_side side)
{
	bool trailers = sp_fields_has_token(f, "te", "trailers");
	struct sp_slice options[SP_CONNECTION_OPTIONS_MAX];
	unsigned i, kept = 0, count = 0;
	int err = collect_options(f, options, &count);

	if (err)
		return err;
	for (i = 0; i < f->count; i++) {
		struct sp_field v = f->v[i];

		if (sp_slice_eq_str_nocase(v.name, "te")) {
			if (!trailers)
				continue;
			trailers = false; /* said once */
			v.value = SP_SLICE("trailers");
		} else if (!stays(v.name, side) || is_named(v.name, options, count)) {
			continue;
		}
		f->v[kept++] = v;
	}
	f->count = kept;
	return 0;
}

bool sp_http_trailer_is_allowed(struct sp_slice name)
{
	static const char *const names[] = {
		/* framing, routing */
		"content-length", "host", "max-forwards", "te", "via", "forwarded", "alt-svc",
		/* authentication, cookies */
		"authorization", "authentication-info", "www-authenticate", "cookie", "cookie2", "set-cookie", "set-cookie2",
		/* controls and conditions of requests */
		"accept", "cache-control", "expect", "pragma", "range", "origin", "referer",
		/* controls of responses */
		"age", "date", "expires", "location", "retry-after", "vary", "warning", "strict-transport-security",
		/* description of content */
		"content-encoding", "content-type", "content-range", "content-location", "content-disposition",
		NULL,
	};

	return stays(name, SP_HTTP_TO_ORIGIN) && !is_one_of(name, names) && !sp_field_name_begins(name, "if-") &&
	       !sp_field_name_begins(name, "x-forwarded-") && !sp_field_name_begins(name, "access-control-");
}

/* ---- Via --------------------------------------------------------------------------------------------------------- */

int sp_http_via_add(struct sp_fields *f, unsigned minor)
{
	return sp_fields_add(f, SP_SLICE("Via"), minor == 0 ? SP_SLICE("1.0 " PSEUDONYM) : SP_SLICE("1.1 " PSEUDONYM));
}

/* Via = #( received-protocol RWS received-by [ RWS comment ] ) */
static bool is_our_member(struct sp_slice member)
{
	struct sp_slice by = member;
	size_t n = 0;

	while (by.n > 0 && by.p[0] != ' ' && by.p[0] != '\t')
		by = sp_slice_make(by.p + 1, by.n - 1);
	by = sp_slice_trim(by);
	while (n < by.n && by.p[n] != ' ' && by.p[n] != '\t')
		n++;
	return sp_slice_eq_str_nocase(sp_slice_make(by.p, n), PSEUDONYM);
}

unsigned sp_http_via_count(const struct sp_fields *f)
{
	unsigned i, n = 0;

	for (i = 0; i < f->count; i++) {
		struct sp_slice list = f->v[i].value;

		if (!sp_slice_eq_str_nocase(f->v[i].name, "via"))
			continue;
		while (list.n > 0)
			n += is_our_member(sp_list_next(&list));
	}
	return n;
}

/* ---- what fields say about the connection ------------------------------------------------------------------------- */

enum sp_http_expect sp_http_expects(const struct sp_http_request *r)
{
	unsigned count = sp_fields_count(&r->fields, "expect");

	if (count == 0 || r->minor == 0)
		return SP_EXPECT_NOTHING;
	if (count > 1 || !sp_slice_eq_str_nocase(sp_fields_get(&r->fields, "expect"), "100-continue"))
		return SP_EXPECT_UNKNOWN;
	if (r->body == SP_BODY_NONE || (r->body == SP_BODY_LENGTH && r->content_length == 0))
		return SP_EXPECT_NOTHING;
	return SP_EXPECT_CONTINUE;
}

bool sp_http_request_persists(const struct sp_http_request *r)
{
	return r->minor >= 1 && !sp_fields_has_token(&r->fields, "connection", "close") &&
	       !sp_fields_has_token(&r->fields, "proxy-connection", "close");
}

bool sp_http_response_persists(const struct sp_http_response *r, struct sp_slice method)
{
	enum sp_http_framing framing = sp_http_response_framing(r, method);

	if (framing == SP_BODY_UNTIL_CLOSE || framing == SP_BODY_TUNNEL)
		return false;
	if (sp_fields_has_token(&r->fields, "connection", "close"))
		return false;
	return r->minor >= 1 || sp_fields_has_token(&r->fields, "connection", "keep-alive");
}

struct sp_slice sp_http_upgrade(const struct sp_http_request *r)
{
	struct sp_slice protocol = sp_fields_get(&r->fields, "upgrade"), name = protocol;
	const uint8_t *slash;

	if (r->minor == 0 || r->form == SP_TARGET_AUTHORITY || sp_fields_count(&r->fields, "upgrade") != 1 ||
	    !sp_fields_has_token(&r->fields, "connection", "upgrade"))
		return SP_SLICE_NONE;
	if (r->body != SP_BODY_NONE && !(r->body == SP_BODY_LENGTH && r->content_length == 0))
		return SP_SLICE_NONE;
	/* protocol = protocol-name [ "/" protocol-version ] */
	slash = protocol.n > 0 ? memchr(protocol.p, '/', protocol.n) : NULL;
	if (slash) {
		name.n = (size_t)(slash - protocol.p);
		if (!sp_http_is_token(sp_slice_make(slash + 1, protocol.n - name.n - 1)))
			return SP_SLICE_NONE;
	}
	return sp_http_is_token(name) ? protocol : SP_SLICE_NONE;
}
