/* The plugin htpasswd, loaded as the daemon loads it: its thread answers from outside the loop, callers leave at any moment.
 * (tests/unit/plugins/test_htpasswd.c has what the plugin does by itself.) */
#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "suites.h"

#define CHAIN(...) ((const struct fixture_plugin[]){ __VA_ARGS__, { NULL, NULL } })
#define STATIC(tenant) { "static-tenant", "{\"tenant\":\"" tenant "\"}" }
#define MANY 64u

static char json[256], tenants_json[256];

static void setup(void)
{
	char path[128];
	struct crypt_data data = { 0 };
	FILE *f;

	fixture_folder_make();
	snprintf(path, sizeof(path), "%s/users", fixture_folder);
	f = fopen(path, "w");
	if (!f)
		abort();
	fprintf(f, "ada:%s:acme\n", crypt_rn("pass word", "$5$rounds=1000$salt", &data, (int)sizeof(data)));
	fclose(f);
	chmod(path, 0600);
	snprintf(json, sizeof(json), "{\"file\":\"%s\"}", path);
	snprintf(tenants_json, sizeof(tenants_json), "{\"file\":\"%s\",\"tenants\":true,\"waiting\":%u}", path, MANY);
}

static struct sp_auth_request password(const char *user, const char *secret)
{
	return (struct sp_auth_request){ .kind = SP_AUTH_USERPASS, .user = sp_slice_str(user), .secret = sp_slice_str(secret) };
}

static void denied(const struct fixture_plugin *plugins, const struct sp_auth_request *req, enum sp_outcome outcome, const char *text)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, plugins);
	fixture_run(&f, req, true, &e);
	ck_assert_msg(e.outcome == outcome, "%s: %s", sp_outcome_row(e.outcome)->word, e.cause.text);
	ck_has(e.cause.text, text);
	end_deinit(&e);
	fixture_close(&f);
}

START_TEST(lets_in)
{
	struct sp_auth_request req = password("ada", "pass word");
	const struct fixture_plugin *chains[] = { CHAIN({ "htpasswd", json }, STATIC("acme")), CHAIN({ "htpasswd", tenants_json }) };

	for (unsigned i = 0; i < 2; i++) {
		struct fixture f;
		struct end e;

		fixture_open(&f, chains[i]);
		fixture_run(&f, &req, true, &e);
		ck_assert_msg(e.outcome == SP_OUTCOME_OK, "%s", e.cause.text);
		ck_assert_str_eq(e.id.tenant, "acme");
		ck_assert_str_eq(e.id.principal, "ada");
		end_deinit(&e);
		fixture_close(&f);
	}
}
END_TEST

START_TEST(keeps_out)
{
	struct sp_auth_request good = password("ada", "pass word"), wrong = password("ada", "password"), unknown = password("eve", "x");
	struct sp_auth_request token = { .kind = SP_AUTH_BEARER, .secret = sp_slice_str("a.b.c") };

	denied(CHAIN({ "htpasswd", json }, STATIC("acme")), &wrong, SP_OUTCOME_BAD_CREDENTIAL, "plugin \"htpasswd\": the password is wrong");
	denied(CHAIN({ "htpasswd", json }, STATIC("acme")), &unknown, SP_OUTCOME_BAD_CREDENTIAL, "plugin \"htpasswd\": there is no such user");
	denied(CHAIN({ "htpasswd", json }, STATIC("acme")), &token, SP_OUTCOME_BAD_CREDENTIAL, "no plugin could judge");
	denied(CHAIN({ "htpasswd", json }, STATIC("acme")), NULL, SP_OUTCOME_NO_CREDENTIAL, "no credential was sent");
	denied(CHAIN({ "htpasswd", json }), &good, SP_OUTCOME_TENANT_UNKNOWN, "no plugin established a tenant");
	denied(CHAIN({ "htpasswd", tenants_json }, STATIC("globex")), &good, SP_OUTCOME_TENANT_CONFLICT, "another tenant");
}
END_TEST

struct all { struct end ends[MANY]; unsigned left; };

static bool all_ended(void *arg)
{
	struct all *a = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < MANY; i++)
		n += a->ends[i].calls;
	return n == a->left;
}

/* Half of many callers leave while they wait; the other half gets its answers, each once. _i = 1: then the worker closes with
 * the rest under way. */
START_TEST(callers_leave)
{
	struct sp_auth_request good = password("ada", "pass word"), wrong = password("ada", "wrong");
	struct all all = { .left = MANY / 2 };
	struct sp_auth_run *runs[MANY];
	struct fixture f;

	fixture_open(&f, CHAIN({ "htpasswd", tenants_json }));
	for (unsigned round = 0; round < 4; round++) {
		memset(&all.ends, 0, sizeof(all.ends));
		for (unsigned i = 0; i < MANY; i++)
			runs[i] = sp_auth_start(f.worker, 0, i % 4 < 2 ? &good : &wrong, true, 20000, on_end, &all.ends[i]);
		for (unsigned i = 0; i < MANY; i += 2)
			sp_auth_cancel(&runs[i]);
		if (_i == 1 && round == 3)
			break;
		ck_assert(sp_loop_run_until(f.loop, all_ended, &all, 20000));
		for (unsigned i = 0; i < MANY; i++) {
			ck_assert_uint_eq(all.ends[i].calls, i % 2);
			if (i % 2)
				ck_assert_msg(all.ends[i].outcome == (i % 4 < 2 ? SP_OUTCOME_OK : SP_OUTCOME_BAD_CREDENTIAL), "%s",
					      all.ends[i].cause.text);
			end_deinit(&all.ends[i]);
		}
	}
	fixture_close(&f);
}
END_TEST

START_TEST(check_says_line)
{
	struct sp_report r = fixture_refusal(CHAIN({ "htpasswd", "{\"file\":\"/nowhere/users\"}" }), true);

	ck_assert_str_eq(r.text, "sallyport.conf:12: plugin \"htpasswd\": /file: /nowhere/users: No such file or directory");
	sp_report_deinit(&r);
}
END_TEST

Suite *suite_auth_htpasswd(void)
{
	Suite *s = suite_create("auth/htpasswd");
	TCase *tc = tcase_create("htpasswd");

	tcase_add_unchecked_fixture(tc, setup, fixture_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, lets_in);
	tcase_add_test(tc, keeps_out);
	tcase_add_test(tc, check_says_line);
	tcase_add_loop_test(tc, callers_leave, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
