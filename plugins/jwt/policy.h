/* What a token must look like to be accepted: the plugin's settings.
 *
 *   issuer           required: "iss", exactly
 *   jwks_file        required: the issuer's public keys, a JWK set
 *   audience         a string or a list: "aud" must hold one of them. Absent: any
 *   allowed_clients  a list: the client that the token was issued to must be one of them. Absent: any
 *   tenant_claims    default "tenant": paths of claims, the first that is there names the tenant. An empty list: none does
 *   tenant_required  default false: a token without a tenant is fine here (another plugin may pin it)
 *   principal_claims default "sub"; without any of them the client is the principal
 *   client_claims    default "azp", "client_id"
 *   algorithms       default: all of RS256/384/512, PS256/384/512, ES256/384, EdDSA
 *   clock_skew_s     default 60, at most 300
 *   max_token_bytes  default 16384
 *   required         default true; false: callers without any credential are left to the other plugins of the chain
 *   profile          "oidc" (the defaults above) or "xsuaa": tenant_claims "zid", "app_tid", "zone_uuid"; client_claims
 *                    "azp", "aud" (if it is only one), "client_id", "cid" */
#ifndef SP_PLUGINS_JWT_POLICY_H
#define SP_PLUGINS_JWT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/plugin.h"

struct jwt_policy {
	char *issuer, *jwks_file;
	char **audience, **allowed_clients; /* NULL: any */
	char **tenant_claims, **principal_claims, **client_claims;
	bool tenant_required, required;
	uint32_t algs;
	int64_t clock_skew_s;
	size_t token_bytes_most;
};

/* 0, or -1 with err filled in. */
int jwt_policy_read(const char *json, struct jwt_policy *out, sp_error *err);
void jwt_policy_deinit(struct jwt_policy *p);

#endif
