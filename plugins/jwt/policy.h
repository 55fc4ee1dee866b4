/* What a token must look like to be accepted: the plugin's settings.
 *
 * Who signs
 *   issuer           "iss" must be one of these: a string or a list of strings. One "*" in a string stands for one DNS label of
 *                    the host, as in an https URL of the host "*.authentication.eu10.example"
 *   jwks_file, jwks, discovery, secret_file
 *                    where the issuers' keys are; exactly one of them:
 *     jwks_file      a file with a JWK set
 *     jwks           the https URL of a JWK set
 *     discovery      true: each issuer's own OpenID Provider Configuration names the URL; issuers are https URLs then
 *     secret_file    a file that holds the secret shared with the issuer (HS256, HS384, HS512 and no other algorithm). A line end
 *                    at its end does not count. At least as long as the digest: 32 bytes, 64 for HS512
 *   jwks_per_tenant  with jwks: "?zid=<the token's tenant>" is appended, each tenant has its own keys. Default: true with the
 *                    profile xsuaa, else false
 *   ca_file          PEM: who signs the certificates of the servers that keys are fetched from. Default: the system's store
 *   issuers          instead of issuer: a list of groups { issuer; jwks_file, jwks, discovery or secret_file; jwks_per_tenant;
 *                    ca_file }. A key of one group never verifies a token of another. An issuer that is named as it is goes before
 *                    one that fits a template; of two templates the first counts
 *   keys_max_stale_s default 86400, at most 604800: so long may fetched keys be used after they should have been refreshed, when
 *                    that does not succeed
 *   algorithms       default: RS256/384/512, PS256/384/512, ES256/384, EdDSA; HS256/384/512 where a secret_file is
 *
 * Who may come
 *   audience         a string or a list: "aud" must hold one of them. Absent: any
 *   allowed_clients  a list: the client that the token was issued to must be one of them. Absent: any
 *   required_scopes  a string or a list: "scope" and "scp" (words in a string, or a list) must hold all of them
 *   tenant_claims    default "tenant": paths of claims, the first that is there names the tenant. An empty list: none does
 *   tenant_required  default false: a token without a tenant is fine here (another plugin may pin it)
 *   principal_claims default "sub"; without any of them the client is the principal
 *   client_claims    default "azp", "client_id"
 *   subdomain_claims default none: paths of claims, the first that is there names the tenant's subdomain
 *   clock_skew_s     default 60, at most 300
 *   max_token_bytes  default 16384
 *   token_cache      default 10000: so many verified tokens are remembered per worker until they expire; 0: none
 *   required         default true; false: callers without any credential are left to the other plugins of the chain
 *   profile          "oidc" (the defaults above) or "xsuaa": tenant_claims "zid", "app_tid", "zone_uuid"; client_claims
 *                    "azp", "aud" (if it is only one), "client_id", "cid"; subdomain_claims "ext_attr.zdn"
 *
 * A path of a claim is its name ("https://example.com/tenant", dots and all), or else names of nested claims with dots between
 * them ("ext_attr.zdn").
 *
 * Never used, whatever a token says: keys and URLs of keys in its header (jwk, jku, x5c, x5u). */
#ifndef SP_PLUGINS_JWT_POLICY_H
#define SP_PLUGINS_JWT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/plugin.h"

#define JWT_GROUPS_MOST 64u

enum jwt_keys_from { JWT_KEYS_FILE, JWT_KEYS_URL, JWT_KEYS_DISCOVERY, JWT_KEYS_SECRET };

/* Issuers that share where their keys are. */
struct jwt_group {
	char **issuers; /* names and templates: issuer.h */
	enum jwt_keys_from from;
	char *where;	 /* path or URL; NULL with JWT_KEYS_DISCOVERY: every issuer that matches has its own */
	char *ca_file;	 /* NULL: the system's store */
	bool per_tenant; /* JWT_KEYS_URL: "zid=<tenant>" belongs to the query of where */
	uint32_t algs;	 /* JWT_ALG_BIT()s, of JWT_ALG_PUBLIC or of JWT_ALG_SHARED */
};

struct jwt_policy {
	struct jwt_group *groups;
	unsigned group_count;
	bool listed; /* the groups are those of "issuers" */
	char **audience, **allowed_clients, **required_scopes; /* NULL: any */
	char **tenant_claims, **principal_claims, **client_claims, **subdomain_claims;
	bool tenant_required, required;
	int64_t clock_skew_s, keys_max_stale_s;
	size_t token_bytes_most;
	unsigned token_cache;
};

/* 0, or -1 with err filled in. Reads none of the files. */
int jwt_policy_read(const char *json, struct jwt_policy *out, sp_error *err);
void jwt_policy_deinit(struct jwt_policy *p);

/* The index of the group whose tokens say iss, or -1. */
int jwt_policy_group(const struct jwt_policy *p, sp_str iss);

/* Always -1: the keys of a group cannot be had. The error names the setting that says where they are. */
int jwt_policy_fail(const struct jwt_policy *p, unsigned group, const char *why, sp_error *err);

#endif
