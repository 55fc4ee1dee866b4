/* The service key's file while the cache runs. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define S 1000u
#define KEY_NEW "{'clientid':'c2','clientsecret':'s2','token_url':'@/n/{tenant}'}"
#define REFUSED "service key refused, the old one stays"

START_TEST(replaced)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	fx_write_key(KEY_NEW);
	clock_turn(999);
	ck_assert_str_eq(fx_token("a"), "t1/t/a"); /* looked at once a second */
	clock_turn(1);
	ck_assert_str_eq(fx_token("a"), "t2/n/a");
	ck_assert_str_eq(fx_request(2)->body, "grant_type=client_credentials&client_id=c2&client_secret=s2");
	ck_assert_uint_eq(fx_count_lines("service key replaced"), 1);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t2/n/a");
	ck_assert_uint_eq(fx_count_lines("service key replaced"), 1);
}
END_TEST

/* In place, without another inode. */
START_TEST(rewritten)
{
	FILE *f;

	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	f = fopen(fx_key_file, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "{\"client_id\":\"c3\",\"client_secret\":\"s1\",\"token_url\":\"%s\"}", web_url(fx_web, "/t"));
	fclose(f);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token(NULL), "t2/t");
}
END_TEST

/* Another file that says the same. */
START_TEST(touched)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	fx_write_key(KEY_TENANTS);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_uint_eq(fx_count_lines("service key"), 0);
}
END_TEST

static const char *const bad[] = { "{", "{}", "{'client_id':'c','client_secret':'CANARY','token_url':'http://h'}", "" };

START_TEST(bad_stays_out)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	fx_write_key(bad[_i]);
	for (unsigned i = 0; i < 4; i++) {
		clock_turn(1 * S);
		ck_assert_str_eq(fx_token("a"), "t1/t/a");
	}
	ck_assert_str_eq(fx_token("b"), "t2/t/b"); /* by the old one */
	ck_has(fx_request(2)->head, "Authorization: Basic YzE6czE="); /* c1:s1 */
	ck_assert_uint_eq(fx_count_lines(REFUSED), 1);
	ck_has(fx_log, "service-key.json: ");
	ck_has_not(fx_log, "CANARY");
	fx_write_key("[]");
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_uint_eq(fx_count_lines(REFUSED), 2); /* another bad one */
	fx_write_key(KEY_NEW);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t3/n/a");
}
END_TEST

START_TEST(gone)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_int_eq(unlink(fx_key_file), 0);
	for (unsigned i = 0; i < 3; i++) {
		clock_turn(1 * S);
		ck_assert_str_eq(fx_token("a"), "t1/t/a");
	}
	ck_assert_uint_eq(fx_count_lines(REFUSED), 1);
	fx_write_key(KEY_NEW);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t2/n/a");
}
END_TEST

START_TEST(readable_by_all)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	fx_write_key(KEY_NEW);
	ck_assert_int_eq(chmod(fx_key_file, 0644), 0);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_uint_eq(fx_count_lines(REFUSED), 1);
	ck_assert_int_eq(chmod(fx_key_file, 0600), 0);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t2/n/a");
}
END_TEST

/* Who waits for a token of the old key gets it; nobody after it does. */
START_TEST(while_waiting)
{
	struct asker a = { 0 }, b = { 0 }, c = { 0 };

	fx_open(KEY_TENANTS);
	fx_hold();
	fx_ask(&a, "a");
	fx_ask(&b, "b");
	fx_wait_asked(1);
	fx_write_key(KEY_NEW);
	clock_turn(1 * S);
	fx_ask(&c, "a");
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), 3);
	sp_tokens_cancel(&b.wait);
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), 2);
	fx_release();
	fx_wait(&a);
	fx_wait(&c);
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), 1);
	ck_assert_str_eq(a.bearer, "Bearer t1/t/a");
	ck_has(c.bearer, "/n/a");
	ck_has(fx_token("a"), "/n/a");
	asker_deinit(&a);
	asker_deinit(&c);
}
END_TEST

static void replace(struct asker *a)
{
	a->then = NULL;
	fx_write_key(KEY_NEW);
	clock_turn(1 * S);
	fx_ask(a, "a");
}

static void only_look(struct asker *a)
{
	struct asker *b = a->arg;

	fx_write_key(KEY_NEW);
	clock_turn(1 * S);
	fx_ask(b, "b");
}

START_TEST(inside_a_callback)
{
	struct asker a = { .then = replace }, b = { 0 }, c = { .then = only_look, .arg = &b };

	fx_open(KEY_TENANTS);
	fx_ask(&a, "a");
	fx_wait_asked(1);
	fx_wait(&a);
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_str_eq(a.bearer, "Bearer t2/n/a");
	sp_tokens_free(&fx_tokens);
	fx_open(KEY_TENANTS);
	fx_ask(&c, "a");
	fx_wait(&c);
	fx_wait(&b);
	ck_assert_str_eq(b.bearer, "Bearer t4/n/b");
	asker_deinit(&a);
	asker_deinit(&b);
	asker_deinit(&c);
}
END_TEST

/* From one for all to one for each, and back. */
START_TEST(other_kind)
{
	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token("a"), "t1/t");
	ck_assert_str_eq(fx_token("b"), "t1/t");
	fx_write_key(KEY_TENANTS);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t2/t/a");
	ck_assert_str_eq(fx_token("b"), "t3/t/b");
	fx_write_key(KEY_SHARED);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t4/t");
	ck_assert_str_eq(fx_token("b"), "t4/t");
}
END_TEST

/* Whoever failed with the old key does not wait for its backoff. */
START_TEST(after_failures)
{
	fx_answer("401 Unauthorized", "{\"error\":\"invalid_client\"}");
	fx_open(KEY_TENANTS);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_ptr_null(fx_token("a"));
		clock_turn(60 * S);
	}
	ck_assert_ptr_null(fx_token("a"));
	ck_assert_uint_eq(fx_asked(), 7);
	fx_answer("200 OK", TOKEN_BODY);
	fx_write_key(KEY_NEW);
	clock_turn(1 * S);
	ck_assert_str_eq(fx_token("a"), "t8/n/a");
}
END_TEST

/* A renewal looks too. */
START_TEST(renewal)
{
	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	clock_turn(700 * S);
	ck_assert_str_eq(fx_token(NULL), "t1/t");
	fx_write_key(KEY_NEW);
	clock_turn(50 * S);
	ck_assert_uint_eq(fx_count_lines("service key replaced"), 1);
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 1); /* its tenant is not known */
	ck_assert_str_eq(fx_token("a"), "t2/n/a");
}
END_TEST

Suite *suite_tokens_reload(void)
{
	Suite *s = suite_create("service key's file");
	TCase *tc = tcase_create("reload");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, replaced);
	tcase_add_test(tc, rewritten);
	tcase_add_test(tc, touched);
	tcase_add_loop_test(tc, bad_stays_out, 0, SP_COUNT_OF(bad));
	tcase_add_test(tc, gone);
	tcase_add_test(tc, readable_by_all);
	tcase_add_test(tc, while_waiting);
	tcase_add_test(tc, inside_a_callback);
	tcase_add_test(tc, other_kind);
	tcase_add_test(tc, after_failures);
	tcase_add_test(tc, renewal);
	suite_add_tcase(s, tc);
	return s;
}
