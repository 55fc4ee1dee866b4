/* Settings of the jwt plugin: see policy.h. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "alg.h"
#include "common/settings.h"

#define SKEW_DEFAULT_S 60
#define SKEW_MOST_S 300
#define TOKEN_BYTES_DEFAULT 16384
#define TOKEN_BYTES_MOST 131072

static const char *const known[] = { "issuer", "jwks_file", "audience", "allowed_clients", "tenant_claims", "tenant_required",
				     "principal_claims", "client_claims", "algorithms", "clock_skew_s", "max_token_bytes",
				     "required", "profile", NULL };

struct profile { const char *name; const char *const *tenant, *const *principal, *const *client; };

static const char *const oidc_tenant[] = { "tenant", NULL };
static const char *const oidc_principal[] = { "sub", NULL };
static const char *const oidc_client[] = { "azp", "client_id", NULL };
static const char *const xsuaa_tenant[] = { "zid", "app_tid", "zone_uuid", NULL };
static const char *const xsuaa_client[] = { "azp", "aud", "client_id", "cid", NULL };
static const struct profile profiles[] = { { "oidc", oidc_tenant, oidc_principal, oidc_client },
					   { "xsuaa", xsuaa_tenant, oidc_principal, xsuaa_client } };

static int read_profile(json_object *o, const struct profile **out, sp_error *err)
{
	const char *name = "oidc";

	if (pc_string(o, "profile", &name, err) < 0)
		return -1;
	for (unsigned i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (strcmp(profiles[i].name, name) == 0) {
			*out = &profiles[i];
			return 0;
		}
	}
	return pc_fail(err, "profile", -1, "must be \"oidc\" or \"xsuaa\"");
}

static int read_algorithms(json_object *o, uint32_t *out, sp_error *err)
{
	char **names = NULL;
	uint32_t algs = 0;
	int rc = pc_strings(o, "algorithms", &names, err);

	if (rc < 0 || !names)
		return rc;
	for (int i = 0; names[i] && rc == 0; i++) {
		int alg = jwt_alg_find(names[i]);

		if (alg < 0)
			rc = pc_fail(err, "algorithms", i, "is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA");
		else
			algs |= JWT_ALG_BIT(alg);
	}
	if (rc == 0 && !algs)
		rc = pc_fail(err, "algorithms", -1, "must not be an empty list");
	pc_strings_free(&names);
	*out = algs;
	return rc;
}

static int read_required(json_object *o, const char *key, char **out, sp_error *err)
{
	const char *s = NULL;

	if (pc_string(o, key, &s, err) < 0)
		return -1;
	if (!s)
		return pc_fail(err, key, -1, "is required");
	*out = strdup(s);
	return *out ? 0 : pc_fail(err, key, -1, "out of memory");
}

/* An empty list of audiences or clients could be meant either way: refused. */
static int read_allowed(json_object *o, const char *key, char ***out, sp_error *err)
{
	if (pc_strings(o, key, out, err) < 0)
		return -1;
	return *out && !**out ? pc_fail(err, key, -1, "must not be an empty list; leave it out to accept any") : 0;
}

static int read_claims(json_object *o, const char *key, const char *const *otherwise, char ***out, sp_error *err)
{
	*out = pc_strings_of(otherwise);
	if (!*out)
		return pc_fail(err, key, -1, "out of memory");
	return pc_strings(o, key, out, err);
}

static int read_all(json_object *o, struct jwt_policy *p, sp_error *err)
{
	int64_t token_bytes = TOKEN_BYTES_DEFAULT;
	const struct profile *profile = NULL;

	*p = (struct jwt_policy){ .required = true, .algs = JWT_ALG_ALL, .clock_skew_s = SKEW_DEFAULT_S };
	if (read_profile(o, &profile, err) < 0 || read_required(o, "issuer", &p->issuer, err) < 0 ||
	    read_required(o, "jwks_file", &p->jwks_file, err) < 0 || read_allowed(o, "audience", &p->audience, err) < 0 ||
	    read_allowed(o, "allowed_clients", &p->allowed_clients, err) < 0 ||
	    read_claims(o, "tenant_claims", profile->tenant, &p->tenant_claims, err) < 0 ||
	    read_claims(o, "principal_claims", profile->principal, &p->principal_claims, err) < 0 ||
	    read_claims(o, "client_claims", profile->client, &p->client_claims, err) < 0 ||
	    pc_bool(o, "tenant_required", &p->tenant_required, err) < 0 || pc_bool(o, "required", &p->required, err) < 0 ||
	    read_algorithms(o, &p->algs, err) < 0 || pc_int(o, "clock_skew_s", 0, SKEW_MOST_S, &p->clock_skew_s, err) < 0 ||
	    pc_int(o, "max_token_bytes", 256, TOKEN_BYTES_MOST, &token_bytes, err) < 0)
		return -1;
	p->token_bytes_most = (size_t)token_bytes;
	if (p->tenant_required && !*p->tenant_claims)
		return pc_fail(err, "tenant_required", -1, "needs tenant_claims");
	if (p->allowed_clients && !*p->client_claims)
		return pc_fail(err, "allowed_clients", -1, "needs client_claims");
	return 0;
}

int jwt_policy_read(const char *json, struct jwt_policy *out, sp_error *err)
{
	json_object *o = pc_settings(json, known, err);
	struct jwt_policy p = { 0 };
	int rc;

	if (!o)
		return -1;
	rc = read_all(o, &p, err);
	json_object_put(o);
	if (rc < 0)
		jwt_policy_deinit(&p);
	else
		*out = p;
	return rc;
}

void jwt_policy_deinit(struct jwt_policy *p)
{
	free(p->issuer);
	free(p->jwks_file);
	pc_strings_free(&p->audience);
	pc_strings_free(&p->allowed_clients);
	pc_strings_free(&p->tenant_claims);
	pc_strings_free(&p->principal_claims);
	pc_strings_free(&p->client_claims);
	*p = (struct jwt_policy){ 0 };
}
