/* The plugins that come with sallyport, loaded as the daemon loads them: the four operational modes and what they refuse. */
#include "config.h" /* asprintf */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "fixture.h"
#include "suites.h"
#ifdef SP_WITH_JWT
#include "../plugins/mint.h"
#endif

#define CHAIN(...) ((const struct fixture_plugin[]){ __VA_ARGS__, { NULL, NULL } })
#define STATIC(tenant) { "static-tenant", "{\"tenant\":\"" tenant "\"}" }

static struct sp_auth_request bearer(const char *token)
{
	return (struct sp_auth_request){ .kind = SP_AUTH_BEARER, .secret = sp_slice_str(token) };
}

static struct sp_auth_request password(const char *user, const char *secret)
{
	return (struct sp_auth_request){ .kind = SP_AUTH_USERPASS, .user = sp_slice_str(user), .secret = sp_slice_str(secret) };
}

static void run(const struct fixture_plugin *plugins, const struct sp_auth_request *req, bool need_tenant, struct end *e)
{
	struct fixture f;

	fixture_open(&f, plugins);
	fixture_run(&f, req, need_tenant, e);
	fixture_close(&f);
}

static void denied(const struct fixture_plugin *plugins, const struct sp_auth_request *req, enum sp_outcome outcome, const char *text)
{
	struct end e;

	run(plugins, req, true, &e);
	ck_assert_msg(e.outcome == outcome, "%s: %s", sp_outcome_row(e.outcome)->word, e.cause.text);
	ck_has(e.cause.text, text);
	end_deinit(&e);
}

static void refused(const char *name, const char *json, const char *text)
{
	struct sp_report r = fixture_refusal(CHAIN({ name, json }), true);

	ck_assert_uint_eq(r.count, 1);
	ck_has(r.text, text);
	sp_report_deinit(&r);
}

static void traits(const char *name, const char *json, uint32_t want)
{
	struct sp_conf *c = fixture_conf(CHAIN({ name, json }));
	struct sp_report r = { 0 };
	struct sp_auth *a = NULL;
	int rc = sp_auth_open(c, true, &a, &r);

	ck_assert_msg(rc == 0, "%s", r.text ? r.text : "no report");
	ck_assert_uint_eq(sp_auth_traits(a, 0), want);
	sp_auth_close(&a);
	sp_conf_unref(&c);
}

/* ---- none, static-tenant ---- */

START_TEST(single_tenant_trusted)
{
	struct sp_auth_request req = password("app", "anything");
	struct end e;

	run(CHAIN({ "none", "{}" }, STATIC("acme")), NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_ptr_null(e.id.principal);
	ck_assert_ptr_null(e.id.upstream_auth);
	end_deinit(&e);
	run(CHAIN({ "none", "{}" }, STATIC("acme")), &req, true, &e);
	ck_assert_str_eq(e.id.principal, "app");
	end_deinit(&e);
	denied(CHAIN({ "none", "{}" }), &req, SP_OUTCOME_TENANT_UNKNOWN, "no plugin established a tenant");
}
END_TEST

START_TEST(static_refuses_others)
{
	denied(CHAIN({ "scripted", "{\"tenant\":\"other\"}" }, STATIC("acme")), NULL, SP_OUTCOME_TENANT_CONFLICT,
	       "plugin \"static-tenant\": the caller belongs to another tenant");
	denied(CHAIN({ "scripted", "{\"tenant\":\"acm\"}" }, STATIC("acme")), NULL, SP_OUTCOME_TENANT_CONFLICT, "static-tenant");
}
END_TEST

START_TEST(settings)
{
	refused("none", "{\"forward\":true}", "plugin \"none\": /forward: unknown setting");
	refused("none", "{\"forward_token\":1}", "/forward_token: must be true or false");
	refused("none", "{\"tenant_claims\":\"t\"}", "/tenant_claims: needs forward_token = true");
	refused("none", "{\"tenant_claims\":[],\"forward_token\":true}", "/tenant_claims: must name at least one");
	refused("static-tenant", "{}", "/tenant: is required");
	refused("static-tenant", "{\"tenant\":\"\"}", "/tenant: must not be empty");
	refused("static-tenant", "{\"tenant\":\"a\",\"tennant\":\"b\"}", "/tennant: unknown setting; did you mean \"tenant\"?");
	refused("mtls", "{\"tenant\":\"a\",\"tenant_from\":\"subject:O\"}", "/tenant_from: goes not together with tenant");
	refused("mtls", "{\"tenant_from\":\"O\"}", "/tenant_from: must begin with");
	refused("mtls", "{\"allowed_subjects\":[]}", "/allowed_subjects: must not be an empty list");
	refused("mtls", "{\"allowed_sha256\":[]}", "/allowed_sha256: must not be an empty list");
	refused("mtls", "{\"allowed_sha256\":[\"abcd\"]}", "/allowed_sha256/0: is not a SHA-256");
	refused("mtls", "{\"allowed_sha256\":\"g0c0ffee\"}", "is not a SHA-256");
	traits("none", "{}", 0);
	traits("none", "{\"forward_token\":true}", SP_TRAIT_RESOLVES | SP_TRAIT_WANTS_TOKEN | SP_TRAIT_FORWARDS);
	traits("static-tenant", "{\"tenant\":\"a\"}", SP_TRAIT_PINS);
	traits("mtls", "{}", SP_TRAIT_VERIFIES);
	traits("mtls", "{\"tenant\":\"a\"}", SP_TRAIT_VERIFIES | SP_TRAIT_PINS);
	traits("mtls", "{\"tenant_from\":\"subject:O\"}", SP_TRAIT_VERIFIES | SP_TRAIT_RESOLVES);
}
END_TEST

/* ---- none with forward_token ---- */

#define FORWARD { "none", "{\"forward_token\":true,\"tenant_claims\":[\"zid\",\"tenant\"]}" }
/* {"alg":"RS256"} . {"tenant":"acme","sub":"x"} . not a signature */
#define UNSIGNED "eyJhbGciOiJSUzI1NiJ9.eyJ0ZW5hbnQiOiJhY21lIiwic3ViIjoieCJ9.c2ln"

START_TEST(forwards_tokens)
{
	struct sp_auth_request req = bearer(UNSIGNED);
	struct end e;

	run(CHAIN(FORWARD), &req, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_str_eq(e.id.upstream_auth, "Bearer " UNSIGNED);
	ck_assert_ptr_null(e.id.principal);
	ck_assert_int_eq(e.id.expires_at, 0);
	end_deinit(&e);
	req = password("app", UNSIGNED);
	run(CHAIN(FORWARD), &req, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.principal, "app");
	ck_assert_ptr_null(e.id.client);
	ck_assert_ptr_null(e.id.issuer);
	end_deinit(&e);
	req = bearer("e30.eyJ0ZW5hbnQiOiJhY21lIiwiaXNzIjoiaHR0cHM6Ly9hIiwiYXpwIjoiYXBwIn0.c"); /* {"tenant":"acme","iss":"https://a","azp":"app"} */
	run(CHAIN(FORWARD), &req, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.client, "app");
	ck_assert_str_eq(e.id.issuer, "https://a");
	end_deinit(&e);
}
END_TEST

START_TEST(forwards_nothing_else)
{
	static const struct { const char *token; enum sp_outcome outcome; const char *text; } all[] = {
		{ "secret", SP_OUTCOME_BAD_CREDENTIAL, "three parts" },
		{ "a.b.c.d", SP_OUTCOME_BAD_CREDENTIAL, "three parts" },
		{ "a.!!!.c", SP_OUTCOME_BAD_CREDENTIAL, "payload" },
		{ "a.W10.c", SP_OUTCOME_BAD_CREDENTIAL, "payload" }, /* [] */
		{ "a.e30.c", SP_OUTCOME_TENANT_UNKNOWN, "tenant claims" }, /* {} */
		{ "a.eyJ0ZW5hbnQiOjV9.c", SP_OUTCOME_TENANT_UNKNOWN, "tenant claims" }, /* {"tenant":5} */
		{ "a\r\nX: y.eyJ0ZW5hbnQiOiJhY21lIn0.c", SP_OUTCOME_BAD_CREDENTIAL, "characters" },
		{ "a.eyJ0ZW5hbnQiOiJhY21lIn0.c d", SP_OUTCOME_BAD_CREDENTIAL, "characters" },
		{ "a.eyJ0ZW5hbnQiOiJhY21lIiwiZXhwIjoxNjAwMDAwMDAwfQ.c", SP_OUTCOME_EXPIRED_CREDENTIAL, "expired" }, /* exp 1600000000 */
		{ "", SP_OUTCOME_NO_CREDENTIAL, "Proxy-Authorization" },
	};
	struct sp_auth_request req = bearer(all[_i].token);

	denied(CHAIN(FORWARD), &req, all[_i].outcome, all[_i].text);
}
END_TEST

START_TEST(forward_wants_a_token)
{
	denied(CHAIN(FORWARD), NULL, SP_OUTCOME_NO_CREDENTIAL, "forward_token: no token sent (HTTP: Proxy-Authorization");
}
END_TEST

static char *said;

static void capture(void *arg, const char *line)
{
	(void)arg;
	free(said);
	said = strdup(line);
}

/* The operator is told at start that nobody is asked for proof. */
START_TEST(none_says_so)
{
	struct fixture f;

	sp_log_capture(capture, NULL);
	fixture_open(&f, CHAIN({ "none", "{}" }));
	ck_has(said, "callers are not verified");
	ck_has(said, "plugin=none");
	fixture_close(&f);
	fixture_open(&f, CHAIN(FORWARD));
	ck_has(said, "not verified: the gateway must verify them");
	fixture_close(&f);
	sp_log_capture(NULL, NULL);
	free(said);
}
END_TEST

/* ---- mtls ---- */

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FINGERPRINT_OTHER "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FINGERPRINT_UPPER "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static struct sp_auth_request certificate(const char *subject, const char *sans)
{
	return (struct sp_auth_request){ .cert_subject = sp_slice_str(subject), .cert_sans = sp_slice_str(sans),
					 .cert_sha256 = sp_slice_str(FINGERPRINT) };
}

START_TEST(certificate_names_the_tenant)
{
	struct sp_auth_request req = certificate("CN=site,O=acme", "URI:spiffe://corp/tenant/globex/site");
	struct end e;

	run(CHAIN({ "mtls", "{\"tenant_from\":\"subject:O\"}" }), &req, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	ck_assert_str_eq(e.id.tenant, "acme");
	ck_assert_str_eq(e.id.principal, "CN=site,O=acme");
	ck_assert_int_eq(e.id.expires_at, 0);
	end_deinit(&e);
	req.cert_not_after = time(NULL) + 100;
	run(CHAIN({ "mtls", "{\"tenant_from\":\"subject:O\"}" }), &req, true, &e);
	ck_assert_int_eq(e.id.expires_at, req.cert_not_after);
	end_deinit(&e);
	req.cert_not_after = time(NULL) - 1; /* it was valid when the connection was made */
	denied(CHAIN({ "mtls", "{\"tenant_from\":\"subject:O\"}" }), &req, SP_OUTCOME_EXPIRED_CREDENTIAL, "expired");
	req.cert_not_after = 0;
	run(CHAIN({ "mtls", "{\"tenant_from\":\"san:URI:spiffe://corp/tenant/{tenant}/*\"}" }), &req, true, &e);
	ck_assert_str_eq(e.id.tenant, "globex");
	end_deinit(&e);
	run(CHAIN({ "mtls", "{\"tenant\":\"fixed\"}" }), &req, true, &e);
	ck_assert_str_eq(e.id.tenant, "fixed");
	end_deinit(&e);
	run(CHAIN({ "mtls", "{}" }), &req, false, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_ptr_null(e.id.tenant);
	end_deinit(&e);
	req = certificate("", "URI:spiffe://corp/tenant/globex/site\nDNS:x");
	run(CHAIN({ "mtls", "{\"tenant\":\"fixed\"}" }), &req, true, &e);
	ck_assert_str_eq(e.id.principal, "URI:spiffe://corp/tenant/globex/site");
	end_deinit(&e);
	req = certificate("", NULL);
	run(CHAIN({ "mtls", "{\"tenant\":\"fixed\"}" }), &req, true, &e);
	ck_assert_str_eq(e.id.principal, FINGERPRINT);
	end_deinit(&e);
}
END_TEST

START_TEST(certificate_refused)
{
	struct sp_auth_request req = certificate("CN=site,O=acme", NULL), two = certificate("O=acme,O=evil", NULL);
	struct end e;

	denied(CHAIN({ "mtls", "{\"tenant\":\"t\",\"allowed_subjects\":[\"CN=site,O=acm\",\"CN=other\"]}" }), &req, SP_OUTCOME_FORBIDDEN,
	       "allowed_subjects");
	denied(CHAIN({ "mtls", "{\"tenant\":\"t\",\"allowed_sha256\":\"" FINGERPRINT_OTHER "\"}" }), &req, SP_OUTCOME_FORBIDDEN,
	       "allowed_sha256");
	denied(CHAIN({ "mtls", "{\"tenant_from\":\"subject:OU\"}" }), &req, SP_OUTCOME_TENANT_UNKNOWN, "does not name the tenant");
	denied(CHAIN({ "mtls", "{\"tenant_from\":\"subject:O\"}" }), &two, SP_OUTCOME_TENANT_UNKNOWN, "several tenants");
	run(CHAIN({ "mtls", "{\"tenant\":\"t\",\"allowed_subjects\":\"CN=site,O=acme\",\"allowed_sha256\":\"" FINGERPRINT_UPPER "\"}" }), &req,
	    true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	end_deinit(&e);
}
END_TEST

/* Without a certificate the plugin steps aside, but nobody gets in whom no plugin has verified. */
START_TEST(without_certificate)
{
	denied(CHAIN({ "mtls", "{}" }, STATIC("acme")), NULL, SP_OUTCOME_NO_CREDENTIAL, "no credential");
	denied(CHAIN({ "none", "{}" }, { "mtls", "{\"tenant\":\"acme\"}" }), NULL, SP_OUTCOME_NO_CREDENTIAL, "no credential");
}
END_TEST

#ifdef SP_WITH_JWT

/* ---- jwt ---- */

static EVP_PKEY *key;
static char *jwt_json, *jwt_optional_json;

static void jwt_setup(void)
{
	char path[128], *set;
	FILE *f;

	fixture_folder_make();
	key = mint_ec("P-256");
	set = mint_set((char *const[]){ mint_jwk(key, "k", ""), NULL });
	snprintf(path, sizeof(path), "%s/jwks.json", fixture_folder);
	f = fopen(path, "w");
	fputs(set, f);
	fclose(f);
	chmod(path, 0644);
	free(set);
	if (asprintf(&jwt_json, "{\"issuer\":\"i\",\"audience\":\"a\",\"jwks_file\":\"%s\"}", path) < 0 ||
	    asprintf(&jwt_optional_json, "{\"issuer\":\"i\",\"audience\":\"a\",\"required\":false,\"jwks_file\":\"%s\"}", path) < 0)
		abort();
}

static void jwt_teardown(void)
{
	EVP_PKEY_free(key);
	free(jwt_json);
	free(jwt_optional_json);
	fixture_folder_remove();
}

/* exp is seconds from now. */
static char *token(long exp, const char *more)
{
	char payload[256];

	snprintf(payload, sizeof(payload), "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"app\",\"exp\":%lld%s}", (long long)time(NULL) + exp, more);
	return mint_token(key, "ES256", "{\"alg\":\"ES256\",\"kid\":\"k\"}", payload);
}

START_TEST(multi_tenant_non_trusted)
{
	char *t = token(600, ",\"tenant\":\"acme\"");
	struct sp_auth_request req[] = { bearer(t), password("whoever", t) };
	struct end e;

	for (unsigned i = 0; i < 2; i++) {
		run(CHAIN({ "jwt", jwt_json }), &req[i], true, &e);
		ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
		ck_assert_str_eq(e.id.tenant, "acme");
		ck_assert_str_eq(e.id.principal, "app");
		ck_assert_ptr_null(e.id.upstream_auth);
		ck_has(e.id.claims, "\"sub\":\"app\"");
		ck_assert_int_ge(e.id.expires_at, time(NULL) + 600);
		ck_assert_int_le(e.id.expires_at, time(NULL) + 660);
		end_deinit(&e);
	}
	free(t);
}
END_TEST

START_TEST(single_tenant_non_trusted)
{
	char *acme = token(600, ",\"tenant\":\"acme\""), *other = token(600, ",\"tenant\":\"other\""), *untold = token(600, "");
	struct sp_auth_request req = bearer(acme), conflicting = bearer(other), silent = bearer(untold);
	struct end e;

	run(CHAIN({ "jwt", jwt_json }, STATIC("acme")), &req, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	ck_assert_str_eq(e.id.tenant, "acme");
	end_deinit(&e);
	run(CHAIN({ "jwt", jwt_json }, STATIC("acme")), &silent, true, &e); /* the token names no tenant: the configured one */
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	ck_assert_str_eq(e.id.tenant, "acme");
	end_deinit(&e);
	denied(CHAIN({ "jwt", jwt_json }, STATIC("acme")), &conflicting, SP_OUTCOME_TENANT_CONFLICT, "static-tenant");
	denied(CHAIN(STATIC("acme"), { "jwt", jwt_json }), &conflicting, SP_OUTCOME_TENANT_CONFLICT, "plugin \"jwt\"");
	denied(CHAIN({ "jwt", jwt_json }), &silent, SP_OUTCOME_TENANT_UNKNOWN, "no plugin established a tenant");
	free(acme);
	free(other);
	free(untold);
}
END_TEST

/* An expired token within the skew is still good, for the rest of the skew. */
START_TEST(jwt_expiry)
{
	char *late = token(-20, ",\"tenant\":\"acme\""), *gone = token(-120, ",\"tenant\":\"acme\"");
	struct sp_auth_request req = bearer(late), old = bearer(gone);
	struct end e;

	run(CHAIN({ "jwt", jwt_json }), &req, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	end_deinit(&e);
	denied(CHAIN({ "jwt", jwt_json }), &old, SP_OUTCOME_EXPIRED_CREDENTIAL, "plugin \"jwt\": token: it expired");
	free(late);
	free(gone);
}
END_TEST

START_TEST(jwt_denies)
{
	struct sp_auth_request req = bearer("not.a.token"), empty = bearer("");

	denied(CHAIN({ "jwt", jwt_json }, STATIC("acme")), NULL, SP_OUTCOME_NO_CREDENTIAL, "plugin \"jwt\": no token sent");
	denied(CHAIN({ "jwt", jwt_json }, STATIC("acme")), &empty, SP_OUTCOME_NO_CREDENTIAL, "plugin \"jwt\": no token sent");
	denied(CHAIN({ "jwt", jwt_json }, STATIC("acme")), &req, SP_OUTCOME_BAD_CREDENTIAL, "plugin \"jwt\": token: the header");
}
END_TEST

/* required = false: either a certificate or a token, never neither. */
START_TEST(certificate_or_token)
{
	char *t = token(600, ",\"tenant\":\"acme\"");
	struct sp_auth_request with_token = bearer(t), with_certificate = certificate("CN=x", NULL), bad = bearer("a.b.c");
	struct end e;

	bad.cert_sha256 = with_certificate.cert_sha256;
	run(CHAIN({ "mtls", "{\"tenant\":\"acme\"}" }, { "jwt", jwt_optional_json }), &with_token, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	end_deinit(&e);
	run(CHAIN({ "mtls", "{\"tenant\":\"acme\"}" }, { "jwt", jwt_optional_json }), &with_certificate, true, &e);
	ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
	end_deinit(&e);
	denied(CHAIN({ "mtls", "{\"tenant\":\"acme\"}" }, { "jwt", jwt_optional_json }), NULL, SP_OUTCOME_NO_CREDENTIAL, "no credential");
	denied(CHAIN({ "mtls", "{\"tenant\":\"acme\"}" }, { "jwt", jwt_optional_json }), &bad, SP_OUTCOME_BAD_CREDENTIAL, "jwt");
	free(t);
}
END_TEST

static void key_file(const char *content, mode_t mode, const char *text)
{
	char path[128], json[256];
	struct sp_report r;
	FILE *f;

	snprintf(path, sizeof(path), "%s/other.json", fixture_folder);
	f = fopen(path, "w");
	fputs(content, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
	snprintf(json, sizeof(json), "{\"issuer\":\"i\",\"jwks_file\":\"%s\"}", path);
	r = fixture_refusal(CHAIN({ "jwt", json }), true); /* -t already says so */
	ck_assert_uint_eq(r.count, 1);
	ck_has(r.text, "sallyport.conf:12: plugin \"jwt\": /jwks_file: ");
	ck_has(r.text, path);
	ck_has(r.text, text);
	sp_report_deinit(&r);
}

START_TEST(jwt_key_file)
{
	struct sp_report r;

	key_file("nonsense", 0644, "not JSON");
	key_file("{\"keys\":[]}", 0644, "no key in it");
	key_file("{\"keys\":[]}", 0646, "everybody may write it");
	r = fixture_refusal(CHAIN({ "jwt", "{\"issuer\":\"i\",\"jwks_file\":\"/nowhere/jwks.json\"}" }), false);
	ck_has(r.text, "/jwks_file: /nowhere/jwks.json: No such file");
	sp_report_deinit(&r);
	r = fixture_refusal(CHAIN({ "jwt", "{\"issuer\":\"i\",\"jwks_file\":\"/\"}" }), false);
	ck_has(r.text, "not a regular file");
	sp_report_deinit(&r);
}
END_TEST

START_TEST(jwt_settings)
{
	char json[256];

	refused("jwt", "{\"jwks_file\":\"x\"}", "plugin \"jwt\": /issuer: is required");
	traits("jwt", jwt_json, SP_TRAIT_VERIFIES | SP_TRAIT_RESOLVES | SP_TRAIT_WANTS_TOKEN);
	traits("jwt", jwt_optional_json, SP_TRAIT_VERIFIES | SP_TRAIT_RESOLVES);
	snprintf(json, sizeof(json), "{\"issuer\":\"i\",\"tenant_claims\":[],\"jwks_file\":\"%s/jwks.json\"}", fixture_folder);
	traits("jwt", json, SP_TRAIT_VERIFIES | SP_TRAIT_WANTS_TOKEN);
}
END_TEST

static TCase *jwt_case(void)
{
	const TTest *const tests[] = { multi_tenant_non_trusted, single_tenant_non_trusted, jwt_expiry, jwt_denies, certificate_or_token,
				       jwt_key_file, jwt_settings };
	TCase *tc = tcase_create("jwt");

	tcase_add_unchecked_fixture(tc, jwt_setup, jwt_teardown);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}

#endif

Suite *suite_auth_plugins(void)
{
	const TTest *const tests[] = { single_tenant_trusted, static_refuses_others, settings, forwards_tokens, forward_wants_a_token, none_says_so,
				       certificate_names_the_tenant, certificate_refused, without_certificate };
	Suite *s = suite_create("auth/plugins");
	TCase *tc = tcase_create("plugins");

	tcase_add_unchecked_fixture(tc, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, forwards_nothing_else, 0, 10);
	suite_add_tcase(s, tc);
#ifdef SP_WITH_JWT
	suite_add_tcase(s, jwt_case());
#endif
	return s;
}
