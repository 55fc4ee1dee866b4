/* See http_fields.h. */
#include "front/http_fields.h"

#include "base/text.h"
#include "codec/upgrade.h"

#define FIELD_LOCATION "SAP-Connectivity-SCC-Location_ID"
#define FIELD_REGION "SAP-Connectivity-Region-Configuration-Id"
#define FIELD_SERVICE_TOKEN "SAP-CP-Connectivity-Service-Token"
#define FIELD_USER_TOKEN "SAP-Connectivity-Authentication"

/* A token may come with or without its scheme. */
static struct sp_slice without_bearer(struct sp_slice v)
{
	if (v.n > 7 && sp_slice_eq_nocase(sp_slice_make(v.p, 7), SP_SLICE("Bearer ")))
		return sp_slice_trim(sp_slice_make(v.p + 7, v.n - 7));
	return v;
}

/* Two of one of these would let two readers see two callers. */
static bool is_ambiguous(const struct sp_fields *f)
{
	static const char *const once[] = { SP_HTTP_CREDENTIAL, FIELD_USER_TOKEN, FIELD_LOCATION,
					    SP_FIELD_LOCATION, FIELD_REGION, FIELD_SERVICE_TOKEN };
	struct sp_slice a = sp_fields_get(f, FIELD_LOCATION), b = sp_fields_get(f, SP_FIELD_LOCATION);
	size_t i;

	for (i = 0; i < SP_COUNT_OF(once); i++)
		if (sp_fields_count(f, once[i]) > 1)
			return true;
	return a.p && b.p && !sp_slice_eq(a, b);
}

static int read_location(const struct sp_fields *f, char dst[SP_LOCATION_SIZE])
{
	struct sp_slice v = sp_fields_get(f, FIELD_LOCATION);

	if (!v.p)
		v = sp_fields_get(f, SP_FIELD_LOCATION);
	if (!v.p)
		return 0;
	return sp_utf8_is_printable(v) ? sp_slice_copy(v, dst, SP_LOCATION_SIZE) : SP_EPROTO;
}

static int read_region(const struct sp_fields *f, char dst[SP_REGION_SIZE])
{
	struct sp_slice v = sp_fields_get(f, FIELD_REGION);

	if (v.p && (!sp_http_is_token(v) || sp_slice_copy(v, dst, SP_REGION_SIZE) < 0))
		return SP_EPROTO;
	return 0;
}

const char *sp_http_read_route(const struct sp_fields *f, struct sp_exchange *x)
{
	if (is_ambiguous(f))
		return "a field twice that may come once";
	if (read_location(f, x->location) < 0)
		return "not a valid location";
	return read_region(f, x->region) < 0 ? "not a valid region" : NULL;
}

int sp_http_read_credential(const struct sp_fields *f, size_t limit, char *scratch, size_t size, struct sp_auth_request *req)
{
	enum sp_http_credentials kind;
	struct sp_slice token;
	int err = sp_http_credentials_parse(sp_fields_get(f, SP_HTTP_CREDENTIAL), &kind, &token, scratch, size, &req->user,
					    &req->secret);

	if (err < 0)
		return err;
	switch (kind) {
	case SP_CREDENTIALS_NONE:
	case SP_CREDENTIALS_OTHER: /* no chain understands it: the same as none */
		req->kind = SP_AUTH_NONE;
		break;
	case SP_CREDENTIALS_BEARER:
		req->kind = SP_AUTH_BEARER;
		req->secret = token;
		break;
	case SP_CREDENTIALS_BASIC:
		req->kind = SP_AUTH_USERPASS;
		break;
	}
	req->service_token = without_bearer(sp_fields_get(f, FIELD_SERVICE_TOKEN));
	return req->secret.n > limit || req->service_token.n > limit ? SP_ETOOBIG : 0;
}

struct sp_slice sp_http_user_token(const struct sp_fields *f)
{
	return without_bearer(sp_fields_get(f, FIELD_USER_TOKEN));
}
