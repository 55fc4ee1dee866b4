/* The cache while the token server fails. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define S 1000u
#define REFUSAL "{\"error\":\"invalid_client\",\"error_description\":\"CANARY\"}"

/* Everybody gets the same answer, and nobody asks again for a while. */
START_TEST(told)
{
	struct asker a = { 0 }, b = { 0 };

	fx_answer("401 Unauthorized", REFUSAL);
	fx_open(KEY_TENANTS);
	fx_ask(&a, "a");
	fx_ask(&b, "a");
	fx_wait(&a);
	fx_wait(&b);
	ck_assert_ptr_null(a.bearer);
	ck_assert_int_eq(a.cause.err, SP_EDENIED);
	ck_assert_int_eq(a.cause.domain, SP_DOMAIN_AUTH);
	ck_assert_int_eq(a.cause.raw, 401);
	ck_assert_str_eq(a.cause.text, "the token server answered 401 invalid_client");
	ck_assert_str_eq(b.cause.text, a.cause.text);
	clock_turn(999);
	fx_ask(&a, "a");
	fx_wait(&a);
	ck_assert_str_eq(a.cause.text, "the token server answered 401 invalid_client");
	ck_assert_uint_eq(a.calls, 2);
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 1);
	ck_assert_ptr_null(fx_token("b")); /* another tenant is another matter */
	ck_assert_uint_eq(fx_asked(), 2);
	fx_answer("200 OK", TOKEN_BODY);
	clock_turn(1001);
	ck_assert_str_eq(fx_token("a"), "t3/t/a");
	asker_deinit(&a);
	asker_deinit(&b);
}
END_TEST

static const struct { const char *status, *body; int err; const char *text; } answers[] = {
	{ "200 OK", "<html>", SP_EPROTO, "the token server's answer: not a JSON object" },
	{ "200 OK", "", SP_EPROTO, "the token server's answer: not a JSON object" },
	{ "200 OK", "{\"access_token\":\"a b\",\"token_type\":\"bearer\"}", SP_EPROTO,
	  "the token server's answer: access_token holds more than visible ASCII" },
	{ "500 Oops", "", SP_EPROTO, "the token server answered 500" },
	{ "429 Slowly", "", SP_EPROTO, "the token server answered 429" },
	{ "403 No", "{\"error\":\"x\\u001by\"}", SP_EDENIED, "the token server answered 403" },
};

START_TEST(nonsense)
{
	fx_answer(answers[_i].status, answers[_i].body);
	fx_open(KEY_SHARED);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, answers[_i].err);
	ck_assert_str_eq(fx_why.text, answers[_i].text);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_uint_eq(fx_asked(), 1);
}
END_TEST

static void expect_backoff(unsigned least_ms, unsigned most_ms)
{
	unsigned before = fx_asked();

	clock_turn(least_ms - 1);
	ck_assert_ptr_null(fx_token(NULL));
	fx_settle();
	ck_assert_uint_eq(fx_asked(), before);
	clock_turn(most_ms - least_ms + 1);
	(void)fx_token(NULL);
	ck_assert_uint_eq(fx_asked(), before + 1);
}

/* Twice as long each time, up to a minute; from the start again after a success. */
START_TEST(backoff)
{
	static const unsigned most_s[] = { 2, 4, 8, 16, 32, 60, 60, 60 };

	fx_answer("500 Oops", "");
	fx_open(KEY_SHARED);
	ck_assert_ptr_null(fx_token(NULL));
	for (size_t i = 0; i < SP_COUNT_OF(most_s); i++)
		expect_backoff(most_s[i] * S / 2, most_s[i] * S);
	fx_answer("200 OK", TOKEN_BODY);
	clock_turn(60 * S);
	ck_has(fx_token(NULL), "/t");
	fx_answer("500 Oops", "");
	sp_tokens_refused(fx_tokens, NULL, NULL);
	ck_assert_ptr_null(fx_token(NULL));
	expect_backoff(1 * S, 2 * S);
}
END_TEST

/* Those that failed together do not come back together: of 64 with a pause of 1 to 2 s some are early, some late. */
START_TEST(jitter)
{
	char tenant[16];
	unsigned n;

	fx_answer("500 Oops", "");
	fx_open(KEY_TENANTS);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 64; i++) {
			snprintf(tenant, sizeof(tenant), "x%u", i);
			ck_assert_ptr_null(fx_token(tenant));
		}
		clock_turn(1500);
	}
	n = fx_asked();
	ck_assert_uint_gt(n, 64);
	ck_assert_uint_lt(n, 128);
}
END_TEST

/* The old one is good until it ends, and others are tried for meanwhile. */
START_TEST(renewal_fails)
{
	unsigned asked;

	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	fx_answer("500 Oops", "");
	clock_turn(700 * S);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	clock_turn(50 * S);
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 2);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	clock_turn(2 * S); /* by its own timer */
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 3);
	for (unsigned i = 0; i < 20; i++) {
		clock_turn(10 * S);
		ck_assert_str_eq(fx_token(NULL), "t1/t");
		fx_settle();
	}
	asked = fx_asked();
	ck_assert_uint_gt(asked, 6);
	ck_assert_uint_lt(asked, 14);
	clock_turn(38 * S); /* its end */
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_str_eq(fx_why.text, "the token server answered 500");
	ck_assert_uint_eq(fx_count_lines("no token for the gateway"), 1);
	fx_answer("200 OK", TOKEN_BODY);
	clock_turn(60 * S);
	ck_has(fx_token(NULL), "/t");
	ck_assert_uint_eq(fx_count_lines("tokens for the gateway again"), 1);
}
END_TEST

/* A renewal that comes good. */
START_TEST(renewal_recovers)
{
	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	fx_answer("500 Oops", "");
	clock_turn(700 * S);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	clock_turn(50 * S);
	fx_settle();
	fx_answer("200 OK", TOKEN_BODY);
	clock_turn(2 * S);
	fx_settle();
	ck_assert_str_eq(fx_token(NULL), "t3/t");
	ck_assert_uint_eq(fx_asked(), 3);
}
END_TEST

/* Who waits waits no longer than the fetch may take. */
START_TEST(silent)
{
	struct asker a = { 0 };

	fx_open(KEY_SHARED);
	fx_hold();
	fx_timeout_ms = 200;
	fx_ask(&a, NULL);
	fx_wait(&a);
	ck_assert_int_eq(a.cause.err, SP_ETIMEOUT);
	ck_has(a.cause.text, "the token server: ");
	fx_release();
	asker_deinit(&a);
}
END_TEST

/* On change of state only, and without a secret. */
START_TEST(logged)
{
	fx_answer("401 Unauthorized", REFUSAL);
	fx_open("{'client_id':'c1','client_secret':'CANARY','token_url':'@/t/{tenant}'}");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_ptr_null(fx_token("acme"));
		clock_turn(60 * S);
	}
	ck_assert_uint_eq(fx_asked(), 3);
	ck_assert_uint_eq(fx_count_lines("no token for the gateway"), 1);
	ck_has(fx_log, "tenant=acme");
	ck_has(fx_log, "the token server answered 401 invalid_client");
	ck_has(fx_log, "service-key.json");
	fx_answer("200 OK", "{\"access_token\":\"CANARY\",\"token_type\":\"bearer\"}");
	ck_assert_str_eq(fx_token("acme"), "CANARY");
	sp_tokens_refused(fx_tokens, "acme", NULL);
	ck_assert_str_eq(fx_token("acme"), "CANARY");
	ck_assert_uint_eq(fx_count_lines("tokens for the gateway again"), 1);
	ck_has(fx_log, "the gateway refused the token");
	ck_has_not(fx_log, "CANARY");
}
END_TEST

Suite *suite_tokens_failures(void)
{
	Suite *s = suite_create("tokens fail");
	TCase *tc = tcase_create("failures");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, told);
	tcase_add_loop_test(tc, nonsense, 0, SP_COUNT_OF(answers));
	tcase_add_test(tc, backoff);
	tcase_add_test(tc, jitter);
	tcase_add_test(tc, renewal_fails);
	tcase_add_test(tc, renewal_recovers);
	tcase_add_test(tc, silent);
	tcase_add_test(tc, logged);
	suite_add_tcase(s, tc);
	return s;
}
