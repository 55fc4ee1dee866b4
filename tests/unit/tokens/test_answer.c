/* What token servers answer: RFC 6749 sections 5.1 and 5.2. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "fixture.h"

static struct sp_token_answer answer;
static struct sp_cause why;

/* With ' for ". */
static int parse(int status, const char *json)
{
	size_t n = strlen(json);
	char *text = malloc(n); /* exactly: no NUL to lean on */
	int err;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
	sp_secret_free(&answer.bearer);
	answer = (struct sp_token_answer){ 0 };
	why = (struct sp_cause){ 0 };
	err = sp_token_answer_parse(status, sp_slice_make(text, n), &answer, &why);
	ck_assert_int_eq(err, why.err);
	ck_assert((err == 0) == (answer.bearer != NULL));
	free(text);
	return err;
}

static void done(void)
{
	sp_secret_free(&answer.bearer);
}

static const struct { const char *json; uint32_t life_s; } good[] = {
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':3600}", 3600 },
	{ "{'access_token':'abc','token_type':'bearer','expires_in':1}", 1 },
	{ " {'token_type':'BEARER','access_token':'abc'}\r\n", 300 },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':'3599','scope':'x','jti':'j'}", 3599 },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':86400}", 86400 },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':86401}", 86400 },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':99999999999999999999999}", 86400 },
};

START_TEST(tokens)
{
	ck_assert_msg(parse(200, good[_i].json) == 0, "%s", why.text);
	ck_assert_str_eq(answer.bearer, "Bearer abc");
	ck_assert_uint_eq(answer.life_s, good[_i].life_s);
}
END_TEST

#define ANSWER "the token server's answer: "
static const struct { const char *json, *text; } bad[] = {
	{ "", ANSWER "not a JSON object" },
	{ "<html>", ANSWER "not a JSON object" },
	{ "[]", ANSWER "not a JSON object" },
	{ "'x'", ANSWER "not a JSON object" },
	{ "null", ANSWER "not a JSON object" },
	{ "{'access_token':'abc','token_type':'Bearer'", ANSWER "not a JSON object" },
	{ "{'access_token':'abc','token_type':'Bearer'} {}", ANSWER "not a JSON object" },
	{ "{'access_token':'a\xff','token_type':'Bearer'}", ANSWER "not a JSON object" },
	{ "{'a':[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", ANSWER "not a JSON object" },
	{ "{'access_token':'abc'}", ANSWER "no token_type" },
	{ "{'access_token':'abc','token_type':7}", ANSWER "no token_type" },
	{ "{'access_token':'abc','token_type':'mac'}", ANSWER "token_type is not Bearer" },
	{ "{'access_token':'abc','token_type':'Bearer\\u0000'}", ANSWER "token_type is not Bearer" },
	{ "{'token_type':'Bearer'}", ANSWER "no access_token" },
	{ "{'access_token':'','token_type':'Bearer'}", ANSWER "no access_token" },
	{ "{'access_token':7,'token_type':'Bearer'}", ANSWER "no access_token" },
	{ "{'access_token':null,'token_type':'Bearer'}", ANSWER "no access_token" },
	{ "{'access_token':'a b','token_type':'Bearer'}", ANSWER "access_token holds more than visible ASCII" },
	{ "{'access_token':'a\\r\\nx: y','token_type':'Bearer'}", ANSWER "access_token holds more than visible ASCII" },
	{ "{'access_token':'a\\u0000','token_type':'Bearer'}", ANSWER "access_token holds more than visible ASCII" },
	{ "{'access_token':'\\u00e4','token_type':'Bearer'}", ANSWER "access_token holds more than visible ASCII" },
	{ "{'access_token':'a\\u007f','token_type':'Bearer'}", ANSWER "access_token holds more than visible ASCII" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':0}", ANSWER "expires_in is not a number of seconds above 0" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':-1}", ANSWER "expires_in is not a number of seconds above 0" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':'soon'}", ANSWER "expires_in is not a number of seconds above 0" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':''}", ANSWER "expires_in is not a number of seconds above 0" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':true}", ANSWER "expires_in is not a number of seconds above 0" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':null}", ANSWER "expires_in is not a number of seconds above 0" },
	{ "{'access_token':'abc','token_type':'Bearer','expires_in':1.5}", ANSWER "expires_in is not a number of seconds above 0" },
};

START_TEST(nonsense)
{
	ck_assert_int_eq(parse(200, bad[_i].json), SP_EPROTO);
	ck_assert_str_eq(why.text, bad[_i].text);
	ck_assert_int_eq(why.domain, SP_DOMAIN_AUTH);
}
END_TEST

START_TEST(nul_byte)
{
	static const char text[] = "{\"access_token\":\"abc\",\"token_type\":\"Bearer\"}\0x";

	why = (struct sp_cause){ 0 };
	ck_assert_int_eq(sp_token_answer_parse(200, sp_slice_make(text, sizeof(text) - 1), &answer, &why), SP_EPROTO);
	ck_assert_str_eq(why.text, ANSWER "not a JSON object");
	why = (struct sp_cause){ 0 };
	ck_assert_int_eq(sp_token_answer_parse(200, SP_SLICE_NONE, &answer, &why), SP_EPROTO);
}
END_TEST

START_TEST(longest)
{
	size_t n = SP_TOKEN_MAX_BYTES;
	char *token = calloc(1, n + 2), *text = malloc(n + 200);

	memset(token, 'a', n);
	snprintf(text, n + 200, "{'access_token':'%s','token_type':'Bearer'}", token);
	ck_assert_int_eq(parse(200, text), 0);
	ck_assert_uint_eq(strlen(answer.bearer), n + 7);
	token[n] = 'a';
	snprintf(text, n + 200, "{'access_token':'%s','token_type':'Bearer'}", token);
	ck_assert_int_eq(parse(200, text), SP_EPROTO);
	ck_assert_str_eq(why.text, ANSWER "access_token is too long");
	free(token);
	free(text);
}
END_TEST

static const struct { int status; const char *body; int err; const char *text; } errors[] = {
	{ 401, "{'error':'invalid_client','error_description':'CANARY\\u001b[31m'}", SP_EDENIED, "the token server answered 401 invalid_client" },
	{ 400, "{'error':'unauthorized_client'}", SP_EDENIED, "the token server answered 400 unauthorized_client" },
	{ 403, "{'error':'a b'}", SP_EDENIED, "the token server answered 403" },
	{ 400, "{'error':'a\\nCANARY'}", SP_EDENIED, "the token server answered 400" },
	{ 400, "{'error':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}", SP_EDENIED,
	  "the token server answered 400" },
	{ 400, "{'error':''}", SP_EDENIED, "the token server answered 400" },
	{ 400, "{'error':7}", SP_EDENIED, "the token server answered 400" },
	{ 400, "{'error':{'CANARY':1}}", SP_EDENIED, "the token server answered 400" },
	{ 404, "<html>CANARY", SP_EDENIED, "the token server answered 404" },
	{ 400, "", SP_EDENIED, "the token server answered 400" },
	{ 408, "", SP_EPROTO, "the token server answered 408" },
	{ 429, "{'error':'slow_down'}", SP_EPROTO, "the token server answered 429 slow_down" },
	{ 500, "", SP_EPROTO, "the token server answered 500" },
	{ 503, "{'error':'temporarily_unavailable'}", SP_EPROTO, "the token server answered 503 temporarily_unavailable" },
	/* A token is not taken from anything but 200. */
	{ 201, "{'access_token':'abc','token_type':'Bearer'}", SP_EPROTO, "the token server answered 201" },
	{ 204, "", SP_EPROTO, "the token server answered 204" },
	{ 302, "{'access_token':'abc','token_type':'Bearer','error':'x'}", SP_EPROTO, "the token server answered 302" },
	{ 400, "{'access_token':'abc','token_type':'Bearer'}", SP_EDENIED, "the token server answered 400" },
};

START_TEST(refusals)
{
	ck_assert_int_eq(parse(errors[_i].status, errors[_i].body), errors[_i].err);
	ck_assert_str_eq(why.text, errors[_i].text);
	ck_assert_int_eq(why.domain, SP_DOMAIN_AUTH);
	ck_assert_int_eq(why.raw, errors[_i].status);
}
END_TEST

Suite *suite_tokens_answer(void)
{
	Suite *s = suite_create("token answer");
	TCase *tc = tcase_create("parse");

	tcase_add_checked_fixture(tc, NULL, done);
	tcase_add_loop_test(tc, tokens, 0, SP_COUNT_OF(good));
	tcase_add_loop_test(tc, nonsense, 0, SP_COUNT_OF(bad));
	tcase_add_test(tc, nul_byte);
	tcase_add_test(tc, longest);
	tcase_add_loop_test(tc, refusals, 0, SP_COUNT_OF(errors));
	suite_add_tcase(s, tc);
	return s;
}
