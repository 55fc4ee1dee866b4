/* Settings of the jwt plugin. */
#include <string.h>

#include "jwt/alg.h"
#include "jwt/issuer.h"
#include "jwt/policy.h"
#include "suites.h"

#define BASE "\"issuer\":\"i\",\"jwks_file\":\"f\""

START_TEST(defaults)
{
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };

	ck_assert_int_eq(jwt_policy_read("{" BASE "}", &p, &err), 0);
	ck_assert_uint_eq(p.group_count, 1);
	ck_assert_str_eq(p.groups[0].issuers[0], "i");
	ck_assert_ptr_null(p.groups[0].issuers[1]);
	ck_assert_int_eq(p.groups[0].from, JWT_KEYS_FILE);
	ck_assert_str_eq(p.groups[0].where, "f");
	ck_assert_ptr_null(p.groups[0].ca_file);
	ck_assert(!p.groups[0].per_tenant);
	ck_assert_ptr_null(p.required_scopes);
	ck_assert_ptr_null(p.subdomain_claims[0]);
	ck_assert_int_eq(p.keys_max_stale_s, 86400);
	ck_assert_uint_eq(p.token_cache, 10000);
	ck_assert_ptr_null(p.audience);
	ck_assert_ptr_null(p.allowed_clients);
	ck_assert_str_eq(p.tenant_claims[0], "tenant");
	ck_assert_str_eq(p.principal_claims[0], "sub");
	ck_assert_str_eq(p.client_claims[0], "azp");
	ck_assert_str_eq(p.client_claims[1], "client_id");
	ck_assert(!p.tenant_required);
	ck_assert(p.required);
	ck_assert_uint_eq(p.groups[0].algs, JWT_ALG_PUBLIC);
	ck_assert_int_eq(p.clock_skew_s, 60);
	ck_assert_uint_eq(p.token_bytes_most, 16384);
	jwt_policy_deinit(&p);
}
END_TEST

static const struct { const char *json, *path, *msg; } refused[] = {
	{ "{\"jwks_file\":\"f\"}", "/issuer", "is required" },
	{ "{\"issuer\":\"i\"}", "/jwks_file", "is required" },
	{ "{\"issuer\":[],\"jwks_file\":\"f\"}", "/issuer", "empty list" },
	{ "{\"issuer\":[\"i\",\"j k\"],\"jwks_file\":\"f\"}", "/issuer/1", "spaces" },
	{ "{\"issuer\":\"https://*\",\"jwks_file\":\"f\"}", "/issuer/0", "not for its last" },
	{ "{" BASE ",\"jwks\":\"https://x\"}", "/jwks", "beside jwks_file" },
	{ "{" BASE ",\"secret_file\":\"s\"}", "/secret_file", "beside jwks_file" },
	{ "{" BASE ",\"discovery\":true}", "/discovery", "beside jwks_file" },
	{ "{\"issuer\":\"i\",\"discovery\":false}", "/jwks_file", "is required" },
	{ "{\"issuer\":\"i\",\"discovery\":true}", "/issuer/0", "must be an https URL" },
	{ "{\"issuer\":\"https://i?x\",\"discovery\":true}", "/issuer/0", "query" },
	{ "{\"issuer\":\"i\",\"jwks\":\"http://x\"}", "/jwks", "https" },
	{ "{\"issuer\":\"i\",\"jwks\":\"https://u@x\"}", "/jwks", "user name" },
	{ "{\"issuer\":\"i\",\"jwks\":\"https:///x\"}", "/jwks", "no host" },
	{ "{\"issuer\":\"i\",\"jwks\":\"https://x/#f\"}", "/jwks", "fragment" },
	{ "{\"issuer\":\"i\",\"jwks\":\"https://x/\\n\"}", "/jwks", "what a URL may hold" },
	{ "{" BASE ",\"jwks_per_tenant\":true}", "/jwks_per_tenant", "goes with jwks only" },
	{ "{" BASE ",\"ca_file\":\"c\"}", "/ca_file", "goes with jwks and discovery only" },
	{ "{\"issuer\":\"i\",\"jwks\":\"https://x\",\"jwks_per_tenant\":true,\"tenant_claims\":[]}", "/tenant_claims", "per tenant" },
	{ "{\"issuer\":\"i\",\"secret_file\":\"s\",\"algorithms\":[\"HS256\",\"RS256\"]}", "/algorithms", "only HS256" },
	{ "{\"issuer\":\"i\",\"secret_file\":\"s\",\"algorithms\":\"RS256\"}", "/algorithms", "only HS256" },
	{ "{" BASE ",\"issuers\":[]}", "/issuer", "into the groups" },
	{ "{\"ca_file\":\"f\",\"issuers\":[]}", "/ca_file", "into the groups" },
	{ "{\"issuers\":[]}", "/issuers", "1 to 64" },
	{ "{\"issuers\":{}}", "/issuers", "1 to 64" },
	{ "{\"issuers\":[5]}", "/issuers/0", "must be a group" },
	{ "{\"issuers\":[{" BASE "},{\"issuer\":\"j\"}]}", "/issuers/1/jwks_file", "is required" },
	{ "{\"issuers\":[{" BASE ",\"audience\":\"a\"}]}", "/issuers/0/audience", "unknown setting" },
	{ "{\"issuers\":[{" BASE "},{" BASE "}]}", "/issuers/1", "\"i\" is in another group" },
	{ "{\"issuers\":[{" BASE "},{\"issuer\":\"j\",\"secret_file\":\"s\"}],\"algorithms\":\"HS256\"}", "/algorithms",
	  "goes with jwks_file" },
	{ "{" BASE ",\"required_scopes\":[]}", "/required_scopes", "empty list" },
	{ "{" BASE ",\"keys_max_stale_s\":604801}", "/keys_max_stale_s", "from 0" },
	{ "{" BASE ",\"token_cache\":-1}", "/token_cache", "from 0" },
	{ "{" BASE ",\"isuer\":\"i\"}", "/isuer", "did you mean \"issuer\"" },
	{ "{" BASE ",\"audience\":[]}", "/audience", "empty list" },
	{ "{" BASE ",\"audience\":[\"a\",\"\"]}", "/audience/1", "must not be empty" },
	{ "{" BASE ",\"allowed_clients\":[]}", "/allowed_clients", "empty list" },
	{ "{" BASE ",\"allowed_clients\":[\"a\"],\"client_claims\":[]}", "/allowed_clients", "needs client_claims" },
	{ "{" BASE ",\"algorithms\":[\"RS256\",\"none\"]}", "/algorithms/1", "is not one of" },
	{ "{" BASE ",\"algorithms\":\"HS256\"}", "/algorithms", "need a secret_file" },
	{ "{" BASE ",\"algorithms\":[]}", "/algorithms", "empty list" },
	{ "{" BASE ",\"clock_skew_s\":301}", "/clock_skew_s", "from 0 to 300" },
	{ "{" BASE ",\"clock_skew_s\":-1}", "/clock_skew_s", "from 0 to 300" },
	{ "{" BASE ",\"max_token_bytes\":255}", "/max_token_bytes", "from 256" },
	{ "{" BASE ",\"tenant_required\":1}", "/tenant_required", "true or false" },
	{ "{" BASE ",\"tenant_required\":true,\"tenant_claims\":[]}", "/tenant_required", "needs tenant_claims" },
	{ "{" BASE ",\"required\":\"no\"}", "/required", "true or false" },
	{ "{" BASE ",\"profile\":\"saml\"}", "/profile", "\"oidc\" or \"xsuaa\"" },
};

START_TEST(refuses)
{
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };

	ck_assert_int_eq(jwt_policy_read(refused[_i].json, &p, &err), -1);
	ck_assert_str_eq(err.path, refused[_i].path);
	ck_assert_msg(strstr(err.msg, refused[_i].msg) != NULL, "%s", err.msg);
}
END_TEST

static int group_of(const struct jwt_policy *p, const char *iss)
{
	return jwt_policy_group(p, (sp_str){ iss, strlen(iss) });
}

START_TEST(issuers)
{
	static const char json[] = "{\"issuers\":[{\"issuer\":[\"https://*.x.example\",\"a\"],\"discovery\":false,\"jwks_file\":\"f\"},"
				   "{\"issuer\":\"https://b.x.example\",\"jwks\":\"https://b.x.example/keys\",\"ca_file\":\"c\"},"
				   "{\"issuer\":\"https://c.*.example\",\"discovery\":true},{\"issuer\":\"s\",\"secret_file\":\"s\"}],"
				   "\"algorithms\":[\"RS256\",\"HS512\"]}";
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };

	ck_assert_msg(jwt_policy_read(json, &p, &err) == 0, "%s: %s", err.path, err.msg);
	ck_assert_int_eq(group_of(&p, "a"), 0);
	ck_assert_int_eq(group_of(&p, "https://a.x.example"), 0);
	ck_assert_int_eq(group_of(&p, "https://b.x.example"), 1); /* a name goes before a template */
	ck_assert_int_eq(group_of(&p, "https://c.x.example"), 0); /* the first of two templates */
	ck_assert_int_eq(group_of(&p, "https://c.y.example"), 2);
	ck_assert_int_eq(group_of(&p, "s"), 3);
	ck_assert_int_eq(group_of(&p, ""), -1);
	ck_assert_int_eq(group_of(&p, "https://*.x.example"), -1);
	ck_assert_int_eq(p.groups[1].from, JWT_KEYS_URL);
	ck_assert_str_eq(p.groups[1].where, "https://b.x.example/keys");
	ck_assert_str_eq(p.groups[1].ca_file, "c");
	ck_assert(!p.groups[1].per_tenant);
	ck_assert_int_eq(p.groups[2].from, JWT_KEYS_DISCOVERY);
	ck_assert_ptr_null(p.groups[2].where);
	ck_assert_int_eq(p.groups[3].from, JWT_KEYS_SECRET);
	ck_assert_uint_eq(p.groups[0].algs, JWT_ALG_BIT(jwt_alg_find("RS256")));
	ck_assert_uint_eq(p.groups[3].algs, JWT_ALG_BIT(jwt_alg_find("HS512")));
	ck_assert_int_eq(jwt_policy_fail(&p, 1, "it is down", &err), -1);
	ck_assert_str_eq(err.path, "/issuers/1/jwks");
	ck_assert_str_eq(err.msg, "https://b.x.example/keys: it is down");
	ck_assert_int_eq(jwt_policy_fail(&p, 2, "it is down", &err), -1);
	ck_assert_str_eq(err.path, "/issuers/2/discovery");
	ck_assert_str_eq(err.msg, "it is down");
	jwt_policy_deinit(&p);
}
END_TEST

static const struct { const char *name, *why; } issuer_names[] = {
	{ "idp", NULL },
	{ "https://idp.example", NULL },
	{ "https://*.idp.example/oauth/token", NULL },
	{ "http://*.localhost:8080/uaa/oauth/token", NULL },
	{ "https://login.*.example", NULL },
	{ "https://a.b.*.c.example:444", NULL },
	{ "idp *", "spaces" },
	{ "idp\x7f", "spaces" },
	{ "*", "and for nothing else" },
	{ "*.example", "and for nothing else" },
	{ "ldap://*.example", "and for nothing else" },
	{ "https://*.*.example", "not two" },
	{ "https://idp.example/*", "and for nothing else" },
	{ "https://idp.example/*.x", "and for nothing else" },
	{ "https://idp.example:*.1", "and for nothing else" },
	{ "https://idp.example?*.x", "and for nothing else" },
	{ "https://idp.example#*.x", "and for nothing else" },
	{ "https://u@*.example", "user name" },
	{ "https://*.example@evil", "user name" },
	{ "https://*", "not for its last one" },
	{ "https://idp.*", "not for its last one" },
	{ "https://idp.*/x", "not for its last one" },
	{ "https://idp.*:443", "not for its last one" },
	{ "https://a*.example", "whole label" },
	{ "https://*a.example", "whole label" },
	{ "https://*.", "does not go on" },
	{ "https://*./x", "does not go on" },
	{ "https://*..example", "does not go on" },
};

START_TEST(issuer_name)
{
	const char *why = jwt_issuer_check(issuer_names[_i].name);

	if (!issuer_names[_i].why)
		ck_assert_msg(!why, "%s", why);
	else
		ck_assert_msg(why && strstr(why, issuer_names[_i].why), "%s", why ? why : "accepted");
}
END_TEST

START_TEST(profile)
{
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };

	ck_assert_int_eq(jwt_policy_read("{" BASE ",\"profile\":\"xsuaa\",\"client_claims\":\"azp\"}", &p, &err), 0);
	ck_assert_str_eq(p.tenant_claims[0], "zid");
	ck_assert_str_eq(p.tenant_claims[1], "app_tid");
	ck_assert_str_eq(p.tenant_claims[2], "zone_uuid");
	ck_assert_str_eq(p.client_claims[0], "azp"); /* what is said replaces the profile's */
	ck_assert_ptr_null(p.client_claims[1]);
	ck_assert_str_eq(p.subdomain_claims[0], "ext_attr.zdn");
	ck_assert(!p.groups[0].per_tenant); /* there is no URL to append to */
	jwt_policy_deinit(&p);
	ck_assert_int_eq(jwt_policy_read("{\"issuer\":\"i\",\"jwks\":\"https://x\",\"profile\":\"xsuaa\"}", &p, &err), 0);
	ck_assert(p.groups[0].per_tenant);
	jwt_policy_deinit(&p);
	ck_assert_int_eq(jwt_policy_read("{\"issuer\":\"i\",\"jwks\":\"https://x\",\"profile\":\"xsuaa\",\"jwks_per_tenant\":false}", &p,
					 &err), 0);
	ck_assert(!p.groups[0].per_tenant);
	jwt_policy_deinit(&p);
}
END_TEST

Suite *suite_jwt_policy(void)
{
	Suite *s = suite_create("jwt/policy");
	TCase *tc = tcase_create("policy");

	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, refuses, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, issuers);
	tcase_add_loop_test(tc, issuer_name, 0, sizeof(issuer_names) / sizeof(issuer_names[0]));
	tcase_add_test(tc, profile);
	suite_add_tcase(s, tc);
	return s;
}
