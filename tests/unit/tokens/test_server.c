/* What arrives at a token server, and whom we speak to. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

START_TEST(basic)
{
	fx_open("{'client_id':'c 1','client_secret':'s:1','token_url':'@/t?x=1','scope':'r'}");
	ck_assert_str_eq(fx_token(NULL), "t1/t?x=1");
	ck_assert_uint_eq(fx_asked(), 1);
	ck_assert_str_eq(fx_request(1)->path, "/t?x=1");
	ck_has(fx_request(1)->head, "POST /t?x=1 HTTP/1.1\r\n");
	ck_has(fx_request(1)->head, "\r\nAuthorization: Basic YysxOnMlM0Ex\r\n"); /* "c+1:s%3A1" */
	ck_has(fx_request(1)->head, "\r\nContent-Type: application/x-www-form-urlencoded\r\n");
	ck_assert_str_eq(fx_request(1)->body, "grant_type=client_credentials&scope=r");
	ck_assert_str_eq(fx_request(1)->client, "");
}
END_TEST

START_TEST(form)
{
	fx_open("{'clientid':'sb-x!b1|y','clientsecret':'s=1','url':'@'}");
	ck_assert_str_eq(fx_token(NULL), "t1/oauth/token");
	ck_has_not(fx_request(1)->head, "Authorization");
	ck_assert_str_eq(fx_request(1)->body, "grant_type=client_credentials&client_id=sb-x%21b1%7Cy&client_secret=s%3D1");
}
END_TEST

START_TEST(certificate)
{
	char *cert = fx_pem(CERT("client")), *key = fx_pem(KEY("client")), json[8192];

	snprintf(json, sizeof(json), "{'clientid':'c1','credential-type':'x509','certificate':'%s','key':'%s','certurl':'@'}", cert, key);
	fx_open(json);
	ck_assert_msg(fx_token(NULL) != NULL, "%s", fx_why.text);
	ck_assert_str_eq(fx_request(1)->client, "client 1");
	ck_assert_str_eq(fx_request(1)->path, "/oauth/token");
	ck_assert_str_eq(fx_request(1)->body, "grant_type=client_credentials&client_id=c1");
	ck_has_not(fx_request(1)->head, "Authorization");
	free(cert);
	free(key);
}
END_TEST

/* They do not belong together: nothing is sent. */
START_TEST(certificate_of_another_key)
{
	char *cert = fx_pem(CERT("client")), *key = fx_pem(KEY("server")), json[8192];

	snprintf(json, sizeof(json), "{'clientid':'c1','certificate':'%s','key':'%s','url':'@'}", cert, key);
	fx_open(json);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, SP_ETLS);
	ck_assert_uint_eq(fx_asked(), 0);
	free(cert);
	free(key);
}
END_TEST

#ifdef SP_WITH_JWT
/* test_request.c looks into the assertion. */
START_TEST(assertion)
{
	char *key = fx_pem(KEY("client")), json[8192];

	snprintf(json, sizeof(json), "{'client_id':'c1','private_key':'%s','key_id':'k','token_url':'@/t/{tenant}'}", key);
	fx_open(json);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_str_eq(fx_token("b"), "t2/t/b");
	ck_has(fx_request(1)->body, "&client_assertion=ey");
	ck_has_not(fx_request(1)->head, "Authorization");
	ck_assert_str_ne(fx_request(1)->body, fx_request(2)->body);
	free(key);
}
END_TEST
#endif

START_TEST(placeholders)
{
	struct asker a = { 0 };

	fx_open("{'client_id':'c','client_secret':'s','token_url':'@/{subdomain}/{tenant}?t={tenant}'}");
	fx_ask_from(&a, "a/b", "acme");
	fx_wait(&a);
	ck_assert_str_eq(a.bearer, "Bearer t1/acme/a%2Fb?t=a%2Fb");
	fx_ask_from(&a, "a/b", "other");
	fx_wait(&a);
	ck_assert_str_eq(a.bearer, "Bearer t2/other/a%2Fb?t=a%2Fb");
	fx_ask_from(&a, "a/b", NULL);
	fx_wait(&a);
	ck_assert_ptr_null(a.bearer);
	ck_assert_str_eq(a.cause.text, "the address of the token server needs {subdomain}, which is not known");
	fx_ask_from(&a, NULL, "acme");
	fx_wait(&a);
	ck_assert_int_eq(a.cause.err, SP_EINVAL);
	ck_assert_str_eq(a.cause.text, "the address of the token server needs {tenant}, which is not known");
	ck_assert_uint_eq(fx_asked(), 2);
	asker_deinit(&a);
}
END_TEST

/* Of a stranger: nothing is told to it. */
START_TEST(unknown_server)
{
	struct sp_cause cause = { 0 };

	certs_make(&(struct cert_spec){ "ca2", NULL, "Another CA", NULL, true, 30 });
	fx_write_key(KEY_SHARED);
	ck_assert_int_eq(sp_tokens_new(fx_loop, fx_fetcher, fx_key_file, CERT("ca2"), &fx_tokens, &cause), 0);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, SP_ECERT);
	ck_has(fx_why.text, "the token server: ");
	sp_tokens_free(&fx_tokens);
	ck_assert_int_eq(sp_tokens_new(fx_loop, fx_fetcher, fx_key_file, NULL, &fx_tokens, &cause), 0); /* the system's store */
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, SP_ECERT);
	ck_assert_uint_eq(fx_asked(), 0);
}
END_TEST

START_TEST(nobody_there)
{
	fx_open(KEY_SHARED);
	web_stop(&fx_web);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, SP_EREFUSED);
	ck_has(fx_why.text, "the token server: ");
	fx_web = NULL;
}
END_TEST

START_TEST(too_much)
{
	size_t n = SP_TOKEN_ANSWER_MAX_BYTES + 1;
	char *body = malloc(n + 1);

	memset(body, ' ', n);
	body[n] = '\0';
	fx_answer("200 OK", body);
	fx_open(KEY_SHARED);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, SP_ETOOBIG);
	free(body);
}
END_TEST

/* Redirections lead credentials astray. */
START_TEST(redirected)
{
	char status[256];

	snprintf(status, sizeof(status), "307 Elsewhere\r\nLocation: %s", web_url(fx_web, "/elsewhere"));
	fx_answer(status, "");
	fx_open(KEY_SHARED);
	ck_assert_ptr_null(fx_token(NULL));
	ck_assert_int_eq(fx_why.err, SP_EPROTO);
	ck_assert_str_eq(fx_why.text, "the token server answered 307");
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 1);
}
END_TEST

START_TEST(bad_file)
{
	struct sp_cause cause = { 0 };

	fx_write_key("{'client_id':'c','client_secret':'s','token_url':'http://h'}");
	ck_assert_int_eq(sp_tokens_new(fx_loop, fx_fetcher, fx_key_file, NULL, &fx_tokens, &cause), SP_EINVAL);
	ck_has(cause.text, "service-key.json: token_url must begin with https://");
	ck_assert_ptr_null(fx_tokens);
}
END_TEST

Suite *suite_tokens_server(void)
{
	Suite *s = suite_create("token server");
	TCase *tc = tcase_create("server");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, basic);
	tcase_add_test(tc, form);
	tcase_add_test(tc, certificate);
	tcase_add_test(tc, certificate_of_another_key);
#ifdef SP_WITH_JWT
	tcase_add_test(tc, assertion);
#endif
	tcase_add_test(tc, placeholders);
	tcase_add_test(tc, unknown_server);
	tcase_add_test(tc, nobody_there);
	tcase_add_test(tc, too_much);
	tcase_add_test(tc, redirected);
	tcase_add_test(tc, bad_file);
	suite_add_tcase(s, tc);
	return s;
}
