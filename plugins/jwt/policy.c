/* Settings of the jwt plugin: see policy.h. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "alg.h"
#include "common/settings.h"
#include "issuer.h"

#define SKEW_DEFAULT_S 60
#define SKEW_MOST_S 300
#define TOKEN_BYTES_DEFAULT 16384
#define TOKEN_BYTES_MOST 131072
#define STALE_DEFAULT_S 86400
#define STALE_MOST_S 604800
#define TOKEN_CACHE_DEFAULT 10000
#define TOKEN_CACHE_MOST 1000000

#define GROUP_SETTINGS "issuer", "jwks_file", "jwks", "discovery", "secret_file", "jwks_per_tenant", "ca_file"

static const char *const group_known[] = { GROUP_SETTINGS, NULL };
static const char *const known[] = { GROUP_SETTINGS, "issuers", "keys_max_stale_s", "algorithms", "audience", "allowed_clients",
				     "required_scopes", "tenant_claims", "tenant_required", "principal_claims", "client_claims",
				     "subdomain_claims", "clock_skew_s", "max_token_bytes", "token_cache", "required", "profile",
				     NULL };

struct profile {
	const char *name;
	const char *const *tenant, *const *principal, *const *client, *const *subdomain;
	bool keys_per_tenant;
};

static const char *const nothing[] = { NULL };
static const char *const oidc_tenant[] = { "tenant", NULL };
static const char *const oidc_principal[] = { "sub", NULL };
static const char *const oidc_client[] = { "azp", "client_id", NULL };
static const char *const xsuaa_tenant[] = { "zid", "app_tid", "zone_uuid", NULL };
static const char *const xsuaa_client[] = { "azp", "aud", "client_id", "cid", NULL };
static const char *const xsuaa_subdomain[] = { "ext_attr.zdn", NULL };
static const struct profile profiles[] = {
	{ "oidc", oidc_tenant, oidc_principal, oidc_client, nothing, false },
	{ "xsuaa", xsuaa_tenant, oidc_principal, xsuaa_client, xsuaa_subdomain, true },
};

/* By enum jwt_keys_from. */
static const char *const from_settings[] = { "jwks_file", "jwks", "discovery", "secret_file" };

int jwt_policy_fail(const struct jwt_policy *p, unsigned group, const char *why, sp_error *err)
{
	const struct jwt_group *g = &p->groups[group];

	pc_fail(err, from_settings[g->from], -1, "%s%s%s", g->where ? g->where : "", g->where ? ": " : "", why);
	return p->listed ? pc_fail_within(err, "issuers", (int)group) : -1;
}

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
			rc = pc_fail(err, "algorithms", i,
				     "is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384, HS512");
		else
			algs |= JWT_ALG_BIT(alg);
	}
	if (rc == 0 && !algs)
		rc = pc_fail(err, "algorithms", -1, "must not be an empty list");
	pc_strings_free(&names);
	*out = algs;
	return rc;
}

/* An empty list of audiences or clients could be meant either way: refused. */
static int read_allowed(json_object *o, const char *key, char ***out, sp_error *err)
{
	if (pc_strings(o, key, out, err) < 0)
		return -1;
	return *out && !**out ? pc_fail(err, key, -1, "must not be an empty list; leave it out to ask for none") : 0;
}

static int read_claims(json_object *o, const char *key, const char *const *otherwise, char ***out, sp_error *err)
{
	*out = pc_strings_of(otherwise);
	if (!*out)
		return pc_fail(err, key, -1, "out of memory");
	return pc_strings(o, key, out, err);
}

/* ---- issuers ---- */

static int copy(const char *text, const char *key, char **out, sp_error *err)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? pc_fail(err, key, -1, "out of memory") : 0;
}

/* Exactly one of the settings that say where keys are. */
static int read_from(json_object *o, struct jwt_group *g, sp_error *err)
{
	const char *value[] = { NULL, NULL, NULL, NULL };
	bool discovery = false;
	int found = -1;

	if (pc_bool(o, "discovery", &discovery, err) < 0)
		return -1;
	for (int i = 0; i < 4; i++) {
		if (i != JWT_KEYS_DISCOVERY && pc_string(o, from_settings[i], &value[i], err) < 0)
			return -1;
		if (i == JWT_KEYS_DISCOVERY ? !discovery : !value[i])
			continue;
		if (found >= 0)
			return pc_fail(err, from_settings[i], -1, "must not be there beside %s: keys come from one place",
				       from_settings[found]);
		found = i;
	}
	if (found < 0)
		return pc_fail(err, "jwks_file", -1, "is required, or one of jwks, discovery, secret_file");
	g->from = (enum jwt_keys_from)found;
	return copy(value[found], from_settings[found], &g->where, err);
}

static int check_from(json_object *o, const struct jwt_group *g, sp_error *err)
{
	const char *why = g->from == JWT_KEYS_URL ? jwt_url_check(g->where) : NULL;
	bool fetched = g->from == JWT_KEYS_URL || g->from == JWT_KEYS_DISCOVERY;

	if (why)
		return pc_fail(err, "jwks", -1, "%s", why);
	if (g->per_tenant && g->from != JWT_KEYS_URL)
		return pc_fail(err, "jwks_per_tenant", -1, "goes with jwks only");
	if (json_object_object_get_ex(o, "ca_file", NULL) && !fetched)
		return pc_fail(err, "ca_file", -1, "goes with jwks and discovery only");
	for (int i = 0; g->from == JWT_KEYS_DISCOVERY && g->issuers[i]; i++) {
		why = jwt_url_check(g->issuers[i]);
		if (!why && strchr(g->issuers[i], '?'))
			why = "must not hold a query (?)";
		if (why)
			return pc_fail(err, "issuer", i, "with discovery: %s", why);
	}
	return 0;
}

static int read_group(json_object *o, const struct profile *profile, struct jwt_group *g, sp_error *err)
{
	const char *ca_file = NULL;

	if (pc_strings(o, "issuer", &g->issuers, err) < 0)
		return -1;
	if (!g->issuers || !*g->issuers)
		return pc_fail(err, "issuer", -1, g->issuers ? "must not be an empty list" : "is required");
	for (int i = 0; g->issuers[i]; i++) {
		const char *why = jwt_issuer_check(g->issuers[i]);

		if (why)
			return pc_fail(err, "issuer", i, "%s", why);
	}
	if (read_from(o, g, err) < 0 || pc_string(o, "ca_file", &ca_file, err) < 0 || copy(ca_file, "ca_file", &g->ca_file, err) < 0)
		return -1;
	g->per_tenant = g->from == JWT_KEYS_URL && profile->keys_per_tenant;
	return pc_bool(o, "jwks_per_tenant", &g->per_tenant, err) < 0 ? -1 : check_from(o, g, err);
}

static int read_list(json_object *list, const struct profile *profile, struct jwt_policy *p, sp_error *err)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (n == 0 || n > JWT_GROUPS_MOST)
		return pc_fail(err, "issuers", -1, "must be a list of 1 to %u groups", JWT_GROUPS_MOST);
	p->groups = calloc(n, sizeof(*p->groups));
	if (!p->groups)
		return pc_fail(err, "issuers", -1, "out of memory");
	for (size_t i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(list, i);

		if (!json_object_is_type(o, json_type_object))
			return pc_fail(err, "issuers", (int)i, "must be a group");
		p->group_count++;
		if (pc_known(o, group_known, err) < 0 || read_group(o, profile, &p->groups[i], err) < 0)
			return pc_fail_within(err, "issuers", (int)i);
	}
	return 0;
}

/* The same issuer twice would have keys of two places. */
static int check_distinct(const struct jwt_policy *p, sp_error *err)
{
	for (unsigned g = 0; g < p->group_count; g++)
		for (char **name = p->groups[g].issuers; *name; name++)
			for (unsigned other = 0; other < g; other++)
				if (pc_strings_have(p->groups[other].issuers, *name, strlen(*name)))
					return pc_fail(err, "issuers", (int)g, "issuer \"%s\" is in another group too", *name);
	return 0;
}

static int read_issuers(json_object *o, const struct profile *profile, struct jwt_policy *p, sp_error *err)
{
	json_object *list;

	if (json_object_object_get_ex(o, "issuers", &list)) {
		for (unsigned i = 0; group_known[i]; i++)
			if (json_object_object_get_ex(o, group_known[i], NULL))
				return pc_fail(err, group_known[i], -1, "belongs into the groups of issuers");
		p->listed = true;
		return read_list(list, profile, p, err) < 0 ? -1 : check_distinct(p, err);
	}
	p->groups = calloc(1, sizeof(*p->groups));
	if (!p->groups)
		return pc_fail(err, "issuer", -1, "out of memory");
	p->group_count = 1;
	return read_group(o, profile, &p->groups[0], err);
}

/* Every configured algorithm has a group that it is for, and every group one that is for it. */
static int bind_algorithms(json_object *o, struct jwt_policy *p, sp_error *err)
{
	uint32_t algs = JWT_ALG_PUBLIC | JWT_ALG_SHARED, used = 0;

	if (read_algorithms(o, &algs, err) < 0)
		return -1;
	for (unsigned i = 0; i < p->group_count; i++) {
		struct jwt_group *g = &p->groups[i];

		g->algs = algs & (g->from == JWT_KEYS_SECRET ? JWT_ALG_SHARED : JWT_ALG_PUBLIC);
		used |= g->algs;
	}
	if (json_object_object_get_ex(o, "algorithms", NULL) && used != algs)
		return pc_fail(err, "algorithms", -1, algs & ~used & JWT_ALG_SHARED ? "HS256, HS384 and HS512 need a secret_file" :
										      "with a secret_file only HS256, HS384 and HS512");
	for (unsigned i = 0; i < p->group_count; i++)
		if (!p->groups[i].algs)
			return pc_fail(err, "algorithms", -1, "none of them goes with %s", from_settings[p->groups[i].from]);
	return 0;
}

static bool names_issuer(const struct jwt_group *g, sp_str iss, bool templates)
{
	for (char **name = g->issuers; *name; name++)
		if (jwt_issuer_is_template(*name) == templates && jwt_issuer_matches(*name, iss.p, iss.n))
			return true;
	return false;
}

int jwt_policy_group(const struct jwt_policy *p, sp_str iss)
{
	for (int templates = 0; templates <= 1; templates++)
		for (unsigned i = 0; i < p->group_count; i++)
			if (names_issuer(&p->groups[i], iss, templates))
				return (int)i;
	return -1;
}

/* ---- all of it ---- */

static int read_numbers(json_object *o, struct jwt_policy *p, sp_error *err)
{
	int64_t token_bytes = TOKEN_BYTES_DEFAULT, cache = TOKEN_CACHE_DEFAULT;

	p->clock_skew_s = SKEW_DEFAULT_S;
	p->keys_max_stale_s = STALE_DEFAULT_S;
	if (pc_int(o, "clock_skew_s", 0, SKEW_MOST_S, &p->clock_skew_s, err) < 0 ||
	    pc_int(o, "keys_max_stale_s", 0, STALE_MOST_S, &p->keys_max_stale_s, err) < 0 ||
	    pc_int(o, "max_token_bytes", 256, TOKEN_BYTES_MOST, &token_bytes, err) < 0 ||
	    pc_int(o, "token_cache", 0, TOKEN_CACHE_MOST, &cache, err) < 0)
		return -1;
	p->token_bytes_most = (size_t)token_bytes;
	p->token_cache = (unsigned)cache;
	return 0;
}

static int check_together(const struct jwt_policy *p, sp_error *err)
{
	if (p->tenant_required && !*p->tenant_claims)
		return pc_fail(err, "tenant_required", -1, "needs tenant_claims");
	if (p->allowed_clients && !*p->client_claims)
		return pc_fail(err, "allowed_clients", -1, "needs client_claims");
	for (unsigned i = 0; i < p->group_count; i++)
		if (p->groups[i].per_tenant && !*p->tenant_claims)
			return pc_fail(err, "tenant_claims", -1, "must not be empty: the keys are fetched per tenant (jwks_per_tenant)");
	return 0;
}

static int read_all(json_object *o, struct jwt_policy *p, sp_error *err)
{
	const struct profile *profile = NULL;

	p->required = true;
	if (read_profile(o, &profile, err) < 0 || read_issuers(o, profile, p, err) < 0 || bind_algorithms(o, p, err) < 0 ||
	    read_allowed(o, "audience", &p->audience, err) < 0 ||
	    read_allowed(o, "allowed_clients", &p->allowed_clients, err) < 0 ||
	    read_allowed(o, "required_scopes", &p->required_scopes, err) < 0 ||
	    read_claims(o, "tenant_claims", profile->tenant, &p->tenant_claims, err) < 0 ||
	    read_claims(o, "principal_claims", profile->principal, &p->principal_claims, err) < 0 ||
	    read_claims(o, "client_claims", profile->client, &p->client_claims, err) < 0 ||
	    read_claims(o, "subdomain_claims", profile->subdomain, &p->subdomain_claims, err) < 0 ||
	    pc_bool(o, "tenant_required", &p->tenant_required, err) < 0 || pc_bool(o, "required", &p->required, err) < 0 ||
	    read_numbers(o, p, err) < 0)
		return -1;
	return check_together(p, err);
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
	for (unsigned i = 0; i < p->group_count; i++) {
		pc_strings_free(&p->groups[i].issuers);
		free(p->groups[i].where);
		free(p->groups[i].ca_file);
	}
	free(p->groups);
	pc_strings_free(&p->audience);
	pc_strings_free(&p->allowed_clients);
	pc_strings_free(&p->required_scopes);
	pc_strings_free(&p->tenant_claims);
	pc_strings_free(&p->principal_claims);
	pc_strings_free(&p->client_claims);
	pc_strings_free(&p->subdomain_claims);
	*p = (struct jwt_policy){ 0 };
}
