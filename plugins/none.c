/* none: asks nobody for proof, for trusted environments.
 *
 * Settings:
 *   forward_token = false   true: the caller must send a token (as bearer token, or as password), which names the tenant and
 *                           is handed on as the credential towards the gateway. It is read, NOT verified here: the gateway
 *                           verifies it.
 *   tenant_claims = "tenant"  with forward_token only: where the tenant stands; the first claim that is there counts */
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/token.h"

/* A forwarded token's own expiry closes what it opened. The gateway judges it by its clock, which may be behind ours. */
#define FORWARDED_SKEW_S 60

struct none {
	const sp_host *host;
	bool forward_token;
	char **tenant_claims;
};

static int settings_read(const char *json, bool *forward_token, char ***tenant_claims, sp_error *err)
{
	static const char *const known[] = { "forward_token", "tenant_claims", NULL };
	json_object *o = pc_settings(json, known, err);
	int rc;

	if (!o)
		return -1;
	rc = pc_bool(o, "forward_token", forward_token, err);
	if (rc == 0)
		rc = pc_strings(o, "tenant_claims", tenant_claims, err);
	if (rc == 0 && *tenant_claims && !*forward_token)
		rc = pc_fail(err, "tenant_claims", -1, "needs forward_token = true: without a token there are no claims");
	if (rc == 0 && *tenant_claims && !**tenant_claims)
		rc = pc_fail(err, "tenant_claims", -1, "must name at least one claim");
	json_object_put(o);
	return rc;
}

static int none_check(const char *json, uint32_t *traits, sp_error *err)
{
	bool forward_token = false;
	char **claims = NULL;
	int rc = settings_read(json, &forward_token, &claims, err);

	pc_strings_free(&claims);
	if (rc == 0)
		*traits = forward_token ? SP_TRAIT_RESOLVES | SP_TRAIT_WANTS_TOKEN | SP_TRAIT_FORWARDS : 0;
	return rc;
}

static void none_close(void *inst)
{
	struct none *n = inst;

	pc_strings_free(&n->tenant_claims);
	free(n);
}

static int none_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct none *n = calloc(1, sizeof(*n));

	(void)prev;
	if (!n)
		return pc_fail(err, NULL, -1, "out of memory");
	n->host = h;
	if (settings_read(json, &n->forward_token, &n->tenant_claims, err) < 0) {
		none_close(n);
		return -1;
	}
	if (n->forward_token && !n->tenant_claims)
		n->tenant_claims = pc_strings_of((const char *const[]){ "tenant", NULL });
	if (n->forward_token)
		h->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 },
		       "tokens are read and handed on, not verified: the gateway must verify them");
	else
		h->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 }, "callers are not verified");
	*inst = n;
	return 0;
}

static int none_worker_open(void *inst, sp_worker *w, void **wctx, sp_error *err)
{
	(void)w;
	(void)err;
	*wctx = inst;
	return 0;
}

static void deny(const struct none *n, sp_ticket t, uint32_t why, const char *detail)
{
	sp_answer a = { .size = sizeof(a), .verdict = SP_DENY, .why = why, .detail = pc_str(detail) };

	n->host->answer(t, &a);
}

/* The payload's JSON, or NULL after a denial. */
static json_object *payload(const struct none *n, sp_ticket t, const sp_request *r)
{
	const char *why = NULL;
	json_object *claims;
	sp_str parts[3];

	if (r->cred == SP_CRED_NONE || r->secret.n == 0) {
		deny(n, t, SP_WHY_NO_CREDENTIAL,
		     "forward_token: no token sent (HTTP: Proxy-Authorization: Bearer ...; SOCKS5: method 0x80, or as password)");
		return NULL;
	}
	if (pc_token_split(r->secret, parts) < 0) {
		deny(n, t, SP_WHY_BAD_CREDENTIAL, "forward_token: what was sent is not a token of three parts");
		return NULL;
	}
	claims = pc_token_json(parts[1], NULL, NULL, &why);
	if (!claims)
		deny(n, t, SP_WHY_BAD_CREDENTIAL, "forward_token: the token's payload is not a JSON object in base64url");
	return claims;
}

/* The token goes into a header line: nothing but the characters of a compact JWS. */
static bool token_clean(sp_str token)
{
	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
		      c == '.'))
			return false;
	}
	return true;
}

static void forward(const struct none *n, sp_ticket t, const sp_request *r, sp_answer *a)
{
	static const char scheme[] = "Bearer ";
	static char azp[] = "azp", client_id[] = "client_id", cid[] = "cid", iss[] = "iss";
	static char *const clients[] = { azp, client_id, cid, NULL }, *const issuers[] = { iss, NULL };
	json_object *claims = payload(n, t, r), *exp;
	size_t size = sizeof(scheme) - 1 + r->secret.n;
	char *header;

	if (!claims)
		return;
	header = malloc(size);
	if (!header) {
		a->verdict = SP_FAIL;
		a->detail = pc_str("out of memory");
		n->host->answer(t, a);
	} else if (!token_clean(r->secret)) {
		deny(n, t, SP_WHY_BAD_CREDENTIAL, "forward_token: the token holds characters that no token has");
	} else if (pc_claim_string(claims, n->tenant_claims, &a->tenant) <= 0) {
		deny(n, t, SP_WHY_TENANT_UNKNOWN, "forward_token: the token has none of the tenant claims as a string");
	} else {
		memcpy(header, scheme, sizeof(scheme) - 1);
		memcpy(header + sizeof(scheme) - 1, r->secret.p, r->secret.n);
		a->upstream_auth = (sp_str){ header, size };
		(void)pc_claim_string(claims, clients, &a->client);
		(void)pc_claim_string(claims, issuers, &a->issuer);
		if (json_object_object_get_ex(claims, "exp", &exp) && json_object_is_type(exp, json_type_int) &&
		    json_object_get_int64(exp) > 0 && json_object_get_int64(exp) < INT64_MAX - FORWARDED_SKEW_S)
			a->expires_at = json_object_get_int64(exp) + FORWARDED_SKEW_S;
		n->host->answer(t, a);
	}
	if (header)
		explicit_bzero(header, size);
	free(header);
	json_object_put(claims);
}

static void none_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	const struct none *n = wctx;
	sp_answer a = { .size = sizeof(a), .verdict = SP_ALLOW };

	(void)slot;
	if (r->user.n > 0)
		a.principal = r->user;
	if (n->forward_token)
		forward(n, t, r, &a);
	else
		n->host->answer(t, &a);
}

static void none_finish(void *wctx, void *slot, int end)
{
	(void)wctx;
	(void)slot;
	(void)end;
}

static void none_worker_close(void *wctx)
{
	(void)wctx;
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "none",
	.version = "1",
	.check = none_check,
	.open = none_open,
	.worker_open = none_worker_open,
	.request = none_request,
	.finish = none_finish,
	.worker_close = none_worker_close,
	.close = none_close,
};

SP_PLUGIN_EXPORT(none, plugin)
