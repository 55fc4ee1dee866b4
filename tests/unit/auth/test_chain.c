/* What a chain makes of its plugins' answers. */
#include <stdio.h>
#include <time.h>

#include "fixture.h"
#include "suites.h"

#define P(json) { "scripted", json }
#define CHAIN(...) ((const struct fixture_plugin[]){ __VA_ARGS__, { NULL, NULL } })

/* Runs one request without credential through a chain; the caller ends e. */
static void run(const struct fixture_plugin *plugins, const struct sp_auth_request *req, bool need_tenant, struct end *e)
{
	struct fixture f;

	fixture_open(&f, plugins);
	fixture_run(&f, req, need_tenant, e);
	fixture_close(&f);
	ck_assert_uint_eq(fixture_stats()->requests, fixture_stats()->finishes);
}

static void denied(const struct fixture_plugin *plugins, const struct sp_auth_request *req, enum sp_outcome outcome, const char *text)
{
	struct end e;

	run(plugins, req, true, &e);
	ck_assert_msg(e.outcome == outcome, "%s: %s", sp_outcome_row(e.outcome)->word, e.cause.text);
	ck_has(e.cause.text, text);
	ck_assert_int_ne(e.cause.err, 0);
	ck_assert_int_eq(e.cause.domain, SP_DOMAIN_AUTH);
	ck_assert_ptr_null(e.id.upstream_auth);
	ck_assert_ptr_null(e.id.claims);
	ck_assert_int_eq(e.id.expires_at, 0);
	end_deinit(&e);
}

START_TEST(one_allows)
{
	struct end e;

	run(CHAIN(P("{\"tenant\":\"acme\",\"principal\":\"app\",\"upstream_auth\":\"Bearer x\",\"claims\":\"{}\",\"expires_in_s\":60}")),
	    NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_str_eq(e.id.principal, "app");
	ck_assert_str_eq(e.id.upstream_auth, "Bearer x");
	ck_assert_str_eq(e.id.claims, "{}");
	ck_assert_int_gt(e.id.expires_at, time(NULL));
	ck_assert_int_eq(e.cause.err, 0);
	end_deinit(&e);
}
END_TEST

/* principal: the last that sets it; expires_at: the least; upstream_auth: the last writer; claims: replaced; a plugin that
 * says nothing about something leaves it. */
START_TEST(merges)
{
	struct end e;

	run(CHAIN(P("{\"principal\":\"one\",\"client\":\"c\",\"issuer\":\"i\",\"subdomain\":\"s\",\"upstream_auth\":\"A\",\"claims\":\"{\\\"a\\\":1}\",\"expires_in_s\":500}"),
		  P("{\"principal\":\"two\",\"client\":\"d\",\"upstream_auth\":\"B\",\"claims\":\"{\\\"b\\\":2}\",\"expires_in_s\":100}"),
		  P("{\"tenant\":\"acme\",\"expires_in_s\":900}")),
	    NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.principal, "two");
	ck_assert_str_eq(e.id.client, "d");
	ck_assert_str_eq(e.id.issuer, "i");
	ck_assert_str_eq(e.id.subdomain, "s");
	ck_assert_str_eq(e.id.upstream_auth, "B");
	ck_assert_str_eq(e.id.claims, "{\"b\":2}");
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_int_gt(e.id.expires_at, time(NULL) + 50);
	ck_assert_int_lt(e.id.expires_at, time(NULL) + 150);
	end_deinit(&e);
}
END_TEST

/* What a declining plugin says about identity does not count. */
START_TEST(decline_says_nothing)
{
	struct end e;

	run(CHAIN(P("{\"verdict\":2,\"principal\":\"no\",\"tenant\":\"other\",\"expires_in_s\":-5}"), P("{\"tenant\":\"acme\"}")), NULL,
	    true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_ptr_null(e.id.principal);
	end_deinit(&e);
}
END_TEST

/* Plugins see the request, and what those before them established. */
START_TEST(sees_the_request)
{
	static const struct sp_auth_request req = {
		.conn_id = 77, .listener = "socks", .client_addr = "10.0.0.1:5", .kind = SP_AUTH_USERPASS,
		.user = { (const uint8_t *)"u", 1 }, .secret = { (const uint8_t *)"s3cret", 6 },
		.location = { (const uint8_t *)"loc", 3 }, .region = { (const uint8_t *)"eu10", 4 },
		.service_token = { (const uint8_t *)"svc", 3 }, .target_host = { (const uint8_t *)"erp", 3 }, .target_port = 80,
		.cert_subject = { (const uint8_t *)"CN=x", 4 }, .cert_sans = { (const uint8_t *)"DNS:x", 5 },
		.cert_sha256 = { (const uint8_t *)"ab", 2 },
	};
	struct end e;

	run(CHAIN(P("{\"principal\":\"p\",\"tenant\":\"t\",\"claims\":\"{}\",\"expect\":{\"tenant\":\"absent\",\"principal\":\"absent\","
		    "\"claims\":\"absent\",\"user\":\"u\",\"secret\":\"s3cret\",\"location\":\"loc\",\"region\":\"eu10\","
		    "\"service_token\":\"svc\",\"target_host\":\"erp\",\"stage\":3,\"conn_id\":77,\"listener\":\"socks\","
		    "\"client_addr\":\"10.0.0.1:5\",\"cert_subject\":\"CN=x\",\"cert_sans\":\"DNS:x\",\"cert_sha256\":\"ab\"}}"),
		  P("{\"expect\":{\"tenant\":\"t\",\"principal\":\"p\",\"claims\":\"{}\"}}")),
	    &req, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	end_deinit(&e);
	run(CHAIN(P("{\"tenant\":\"t\",\"expect\":{\"user\":\"absent\",\"secret\":\"absent\",\"target_host\":\"absent\",\"stage\":1}}")),
	    NULL, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	end_deinit(&e);
}
END_TEST

START_TEST(tenant_conflict)
{
	denied(CHAIN(P("{\"tenant\":\"acme\"}"), P("{\"tenant\":\"other\"}")), NULL, SP_OUTCOME_TENANT_CONFLICT, "plugin \"scripted\"");
	denied(CHAIN(P("{\"tenant\":\"acme\"}"), P("{\"tenant\":\"acme2\"}")), NULL, SP_OUTCOME_TENANT_CONFLICT, "differs");
}
END_TEST

START_TEST(same_tenant_twice)
{
	struct end e;

	run(CHAIN(P("{\"tenant\":\"acme\"}"), P("{\"tenant\":\"acme\"}")), NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	end_deinit(&e);
}
END_TEST

START_TEST(all_decline)
{
	static const struct sp_auth_request token = { .kind = SP_AUTH_BEARER, .secret = { (const uint8_t *)"t", 1 } };

	denied(CHAIN(P("{\"verdict\":2}"), P("{\"verdict\":2}")), NULL, SP_OUTCOME_NO_CREDENTIAL, "chain \"apps\"");
	denied(CHAIN(P("{\"verdict\":2}"), P("{\"verdict\":2}")), &token, SP_OUTCOME_BAD_CREDENTIAL, "chain \"apps\"");
}
END_TEST

/* Who was refused is known, for the records, where a plugin that verifies had established it. Nothing else is left. */
START_TEST(denied_who)
{
	static const char who[] = "{\"traits\":1,\"principal\":\"p\",\"client\":\"c\",\"issuer\":\"i\",\"tenant\":\"acme\","
				  "\"upstream_auth\":\"A\",\"claims\":\"{}\",\"expires_in_s\":500}";
	struct end e;

	run(CHAIN(P(who), P("{\"tenant\":\"other\"}")), NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_TENANT_CONFLICT);
	ck_assert_str_eq(e.id.principal, "p");
	ck_assert_str_eq(e.id.client, "c");
	ck_assert_str_eq(e.id.issuer, "i");
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_ptr_null(e.id.upstream_auth);
	ck_assert_ptr_null(e.id.claims);
	ck_assert_int_eq(e.id.expires_at, 0);
	end_deinit(&e);
	/* Not verified: it is nobody's word. */
	run(CHAIN(P("{\"principal\":\"p\",\"tenant\":\"acme\"}"), P("{\"traits\":1,\"verdict\":1}")), NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_FORBIDDEN);
	ck_assert_ptr_null(e.id.principal);
	ck_assert_ptr_null(e.id.tenant);
	end_deinit(&e);
}
END_TEST

/* A chain with a plugin that verifies admits nobody whom none of them has verified, whatever the others allow. */
START_TEST(unverified_is_denied)
{
	struct end e;

	denied(CHAIN(P("{\"traits\":1,\"verdict\":2}"), P("{\"traits\":4,\"tenant\":\"acme\"}")), NULL, SP_OUTCOME_NO_CREDENTIAL,
	       "no credential");
	run(CHAIN(P("{\"traits\":1,\"verdict\":2}"), P("{\"traits\":4,\"tenant\":\"acme\"}"), P("{\"traits\":1}")), NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	end_deinit(&e);
}
END_TEST

START_TEST(no_tenant)
{
	struct end e;

	denied(CHAIN(P("{\"principal\":\"p\"}")), NULL, SP_OUTCOME_TENANT_UNKNOWN, "no plugin established a tenant");
	run(CHAIN(P("{\"principal\":\"p\"}")), NULL, false, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_ptr_null(e.id.tenant);
	ck_assert_str_eq(e.id.principal, "p");
	end_deinit(&e);
}
END_TEST

START_TEST(expired)
{
	denied(CHAIN(P("{\"tenant\":\"acme\",\"expires_in_s\":-1}")), NULL, SP_OUTCOME_EXPIRED_CREDENTIAL, "expired");
	denied(CHAIN(P("{\"tenant\":\"acme\",\"expires_in_s\":0}")), NULL, SP_OUTCOME_EXPIRED_CREDENTIAL, "expired");
}
END_TEST

/* Every reason has its outcome; the operator gets the plugin's detail, escaped; later plugins are not asked. */
START_TEST(denied_why)
{
	static const struct { unsigned why; enum sp_outcome outcome; } all[] = {
		{ SP_WHY_UNSPECIFIED, SP_OUTCOME_FORBIDDEN },
		{ SP_WHY_NO_CREDENTIAL, SP_OUTCOME_NO_CREDENTIAL },
		{ SP_WHY_BAD_CREDENTIAL, SP_OUTCOME_BAD_CREDENTIAL },
		{ SP_WHY_EXPIRED, SP_OUTCOME_EXPIRED_CREDENTIAL },
		{ SP_WHY_FORBIDDEN, SP_OUTCOME_FORBIDDEN },
		{ SP_WHY_TENANT_UNKNOWN, SP_OUTCOME_TENANT_UNKNOWN },
		{ SP_WHY_TENANT_CONFLICT, SP_OUTCOME_TENANT_CONFLICT },
		{ SP_WHY_TARGET_FORBIDDEN, SP_OUTCOME_FORBIDDEN },
		{ SP_WHY_QUOTA, SP_OUTCOME_LIMIT },
		{ SP_WHY_UNAVAILABLE, SP_OUTCOME_UNAVAILABLE },
		{ 4711, SP_OUTCOME_FORBIDDEN },
	};
	char json[128];

	snprintf(json, sizeof(json), "{\"verdict\":1,\"why\":%u,\"detail\":\"because\\nof\",\"tenant\":\"acme\"}", all[_i].why);
	denied(CHAIN(P("{\"tenant\":\"acme\",\"principal\":\"p\"}"), P(json), P("{}")), NULL, all[_i].outcome,
	       "plugin \"scripted\": because\\x0aof");
	ck_assert_uint_eq(fixture_stats()->requests, 2);
}
END_TEST

/* Failing is not denying: 503, and nobody is asked for another password. A zeroed answer fails, so does one that is NULL. */
START_TEST(fails)
{
	denied(CHAIN(P("{\"verdict\":0,\"why\":2,\"detail\":\"idp down\"}"), P("{\"tenant\":\"a\"}")), NULL, SP_OUTCOME_UNAVAILABLE,
	       "idp down");
	denied(CHAIN(P("{\"how\":\"null\"}"), P("{\"tenant\":\"a\"}")), NULL, SP_OUTCOME_UNAVAILABLE, "failed");
	denied(CHAIN(P("{\"verdict\":99,\"tenant\":\"a\"}")), NULL, SP_OUTCOME_UNAVAILABLE, "plugin \"scripted\"");
	denied(CHAIN(P("{\"tenant\":\"a\",\"big\":1}")), NULL, SP_OUTCOME_UNAVAILABLE, "too large");
}
END_TEST

/* What goes into header lines, logs and C strings. */
START_TEST(unspeakable)
{
	static const struct { const char *json; enum sp_outcome outcome; } all[] = {
		{ "{\"tenant\":\"\"}", SP_OUTCOME_TENANT_UNKNOWN },
		{ "{\"tenant\":\"a b\"}", SP_OUTCOME_TENANT_UNKNOWN },
		{ "{\"tenant\":\"acme\\u0000x\"}", SP_OUTCOME_TENANT_UNKNOWN },
		{ "{\"tenant\":\"acme\\r\\nx: y\"}", SP_OUTCOME_TENANT_UNKNOWN },
		{ "{\"tenant\":\"\\u00e4\"}", SP_OUTCOME_TENANT_UNKNOWN },
		{ "{\"tenant\":\"a\",\"principal\":\"\"}", SP_OUTCOME_BAD_CREDENTIAL },
		{ "{\"tenant\":\"a\",\"principal\":\"root\\u0000x\"}", SP_OUTCOME_BAD_CREDENTIAL },
		{ "{\"tenant\":\"a\",\"principal\":\"x\\ny\"}", SP_OUTCOME_BAD_CREDENTIAL },
		{ "{\"tenant\":\"a\",\"client\":\"x\\ny\"}", SP_OUTCOME_BAD_CREDENTIAL },
		{ "{\"tenant\":\"a\",\"issuer\":\"x\\u0000y\"}", SP_OUTCOME_BAD_CREDENTIAL },
		{ "{\"tenant\":\"a\",\"subdomain\":\"x/y z\"}", SP_OUTCOME_BAD_CREDENTIAL },
		{ "{\"tenant\":\"a\",\"upstream_auth\":\"Bearer x\\r\\ny: z\"}", SP_OUTCOME_UNAVAILABLE },
		{ "{\"tenant\":\"a\",\"claims\":\"{}\\u0000\"}", SP_OUTCOME_UNAVAILABLE },
	};

	denied(CHAIN(P(all[_i].json)), NULL, all[_i].outcome, "plugin \"scripted\"");
}
END_TEST

START_TEST(long_names)
{
	char json[2048], name[1100];
	struct end e;

	memset(name, 'n', sizeof(name));
	snprintf(json, sizeof(json), "{\"tenant\":\"%.255s\",\"principal\":\"%.1024s\"}", name, name);
	run(CHAIN(P(json)), NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	end_deinit(&e);
	snprintf(json, sizeof(json), "{\"tenant\":\"%.256s\"}", name);
	denied(CHAIN(P(json)), NULL, SP_OUTCOME_TENANT_UNKNOWN, "too long");
	snprintf(json, sizeof(json), "{\"tenant\":\"t\",\"principal\":\"%.1025s\"}", name);
	denied(CHAIN(P(json)), NULL, SP_OUTCOME_BAD_CREDENTIAL, "too long");
}
END_TEST

START_TEST(identity_copies)
{
	char t[] = "t", p[] = "p", u[] = "u", c[] = "c";
	struct sp_identity a = { .tenant = t, .principal = p, .upstream_auth = u, .claims = c, .client = p, .issuer = t, .subdomain = u, .expires_at = 5 }, b;

	ck_assert_int_eq(sp_identity_copy(&a, &b), 0);
	ck_assert_str_eq(b.tenant, "t");
	ck_assert_ptr_ne(b.tenant, a.tenant);
	ck_assert_str_eq(b.principal, "p");
	ck_assert_str_eq(b.upstream_auth, "u");
	ck_assert_str_eq(b.claims, "c");
	ck_assert_str_eq(b.client, "p");
	ck_assert_str_eq(b.issuer, "t");
	ck_assert_str_eq(b.subdomain, "u");
	ck_assert_int_eq(b.expires_at, 5);
	sp_identity_deinit(&b);
	ck_assert_ptr_null(b.tenant);
	sp_identity_deinit(&b);
	a = (struct sp_identity){ 0 };
	ck_assert_int_eq(sp_identity_copy(&a, &b), 0);
	ck_assert_ptr_null(b.principal);
}
END_TEST

Suite *suite_auth_chain(void)
{
	const TTest *const tests[] = { one_allows, merges, decline_says_nothing, sees_the_request, tenant_conflict, same_tenant_twice,
				       all_decline, unverified_is_denied, no_tenant, expired, fails, long_names, identity_copies };
	Suite *s = suite_create("auth/chain");
	TCase *tc = tcase_create("chain");

	tcase_add_unchecked_fixture(tc, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_test(tc, denied_who);
	tcase_add_loop_test(tc, denied_why, 0, 11);
	tcase_add_loop_test(tc, unspeakable, 0, 10);
	suite_add_tcase(s, tc);
	return s;
}
