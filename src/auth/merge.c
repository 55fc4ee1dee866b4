/* What a chain makes of its plugins' answers. The plugins decide; what may be said about an identity is checked here, because
 * it goes into header lines, logs and C strings. */
#include <stdlib.h>

#include "auth/internal.h"
#include "base/secret.h"

/* A tenant's name is a header value and part of log lines and metrics: visible ASCII, and no longer than this. */
#define TENANT_BYTES_MOST 255
#define PRINCIPAL_BYTES_MOST 1024

static struct sp_slice slice(sp_str s)
{
	return sp_slice_make(s.p, s.n);
}

static bool clean(sp_str s, unsigned char least, size_t most)
{
	if (s.n > most)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < least || c == 0x7f)
			return false;
	}
	return true;
}

static bool visible_ascii(sp_str s, size_t most)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7e)
			return false;
	return clean(s, 0x21, most);
}

static enum sp_outcome ended(enum sp_outcome o, struct sp_cause *cause, const char *plugin, const char *text)
{
	sp_cause_set(cause, o == SP_OUTCOME_UNAVAILABLE ? SP_ESYS : SP_EDENIED, SP_DOMAIN_AUTH, 0, "plugin \"%s\": %s", plugin, text);
	return o;
}

static enum sp_outcome outcome_of_why(uint32_t why)
{
	switch (why) {
	case SP_WHY_NO_CREDENTIAL:
		return SP_OUTCOME_NO_CREDENTIAL;
	case SP_WHY_BAD_CREDENTIAL:
		return SP_OUTCOME_BAD_CREDENTIAL;
	case SP_WHY_EXPIRED:
		return SP_OUTCOME_EXPIRED_CREDENTIAL;
	case SP_WHY_TENANT_UNKNOWN:
		return SP_OUTCOME_TENANT_UNKNOWN;
	case SP_WHY_TENANT_CONFLICT:
		return SP_OUTCOME_TENANT_CONFLICT;
	case SP_WHY_QUOTA:
		return SP_OUTCOME_LIMIT;
	case SP_WHY_UNAVAILABLE:
		return SP_OUTCOME_UNAVAILABLE;
	default: /* forbidden, target forbidden, unspecified, and whatever a later ABI adds */
		return SP_OUTCOME_FORBIDDEN;
	}
}

static enum sp_outcome refused(const sp_answer *a, const char *plugin, struct sp_cause *cause)
{
	enum sp_outcome o = a->verdict == SP_DENY ? outcome_of_why(a->why) : SP_OUTCOME_UNAVAILABLE;
	char *detail = a->detail.n ? sp_slice_dup(slice(a->detail)) : NULL;

	ended(o, cause, plugin, detail ? detail : a->verdict == SP_DENY ? "denied" : "failed");
	free(detail);
	return o;
}

/* NULL: memory is out. */
static bool replace(char **dst, sp_str s)
{
	char *copy = malloc(s.n + 1);

	if (!copy)
		return false;
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	sp_secret_free(dst);
	*dst = copy;
	return true;
}

/* The identity that ALLOW establishes may be said at all? */
static enum sp_outcome check(const struct sp_identity *id, const sp_answer *a, const char *plugin, int64_t now_s, struct sp_cause *cause)
{
	if (a->expires_at && a->expires_at <= now_s)
		return ended(SP_OUTCOME_EXPIRED_CREDENTIAL, cause, plugin, "what it allowed has expired");
	if (a->tenant.p && (a->tenant.n == 0 || !visible_ascii(a->tenant, TENANT_BYTES_MOST)))
		return ended(SP_OUTCOME_TENANT_UNKNOWN, cause, plugin, "the tenant's name is empty, too long or not visible ASCII");
	if (a->tenant.p && id->tenant && !sp_slice_eq_str(slice(a->tenant), id->tenant))
		return ended(SP_OUTCOME_TENANT_CONFLICT, cause, plugin, "the tenant differs from the one established before");
	if (a->principal.p && (a->principal.n == 0 || !clean(a->principal, 0x20, PRINCIPAL_BYTES_MOST)))
		return ended(SP_OUTCOME_BAD_CREDENTIAL, cause, plugin,
			     "the principal's name is empty, too long or holds control characters");
	if ((a->client.p && !clean(a->client, 0x20, PRINCIPAL_BYTES_MOST)) || (a->issuer.p && !clean(a->issuer, 0x20, PRINCIPAL_BYTES_MOST)))
		return ended(SP_OUTCOME_BAD_CREDENTIAL, cause, plugin, "the client or the issuer is too long or holds control characters");
	if (a->subdomain.p && (a->subdomain.n == 0 || !visible_ascii(a->subdomain, TENANT_BYTES_MOST)))
		return ended(SP_OUTCOME_BAD_CREDENTIAL, cause, plugin, "the subdomain is empty, too long or not visible ASCII");
	if (a->upstream_auth.p && !clean(a->upstream_auth, 0x20, SIZE_MAX))
		return ended(SP_OUTCOME_UNAVAILABLE, cause, plugin, "its credential for the upstream is not a header value");
	if (a->claims.p && a->claims.n && memchr(a->claims.p, '\0', a->claims.n))
		return ended(SP_OUTCOME_UNAVAILABLE, cause, plugin, "its claims hold a NUL");
	return SP_OUTCOME_OK;
}

enum sp_outcome sp_auth_merge(struct sp_identity *id, const sp_answer *a, const char *plugin, int64_t now_s, struct sp_cause *cause)
{
	enum sp_outcome o;

	if (a->verdict == SP_DECLINE)
		return SP_OUTCOME_OK;
	if (a->verdict != SP_ALLOW)
		return refused(a, plugin, cause);
	o = check(id, a, plugin, now_s, cause);
	if (o != SP_OUTCOME_OK)
		return o;
	if ((a->tenant.p && !replace(&id->tenant, a->tenant)) || (a->principal.p && !replace(&id->principal, a->principal)) ||
	    (a->upstream_auth.p && !replace(&id->upstream_auth, a->upstream_auth)) ||
	    (a->claims.p && !replace(&id->claims, a->claims)) || (a->client.p && !replace(&id->client, a->client)) ||
	    (a->issuer.p && !replace(&id->issuer, a->issuer)) || (a->subdomain.p && !replace(&id->subdomain, a->subdomain)))
		return ended(SP_OUTCOME_UNAVAILABLE, cause, plugin, "out of memory");
	if (a->expires_at && (!id->expires_at || a->expires_at < id->expires_at))
		id->expires_at = a->expires_at;
	return SP_OUTCOME_OK;
}
