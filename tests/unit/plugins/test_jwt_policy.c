/* Settings of the jwt plugin. */
#include <string.h>

#include "jwt/alg.h"
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
	jwt_policy_deinit(&p);
}
END_TEST

Suite *suite_jwt_policy(void)
{
	Suite *s = suite_create("jwt/policy");
	TCase *tc = tcase_create("policy");

	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, refuses, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, profile);
	suite_add_tcase(s, tc);
	return s;
}
