#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "front/answer.h"

static struct sp_exchange x;
static struct sp_buf b;

static void setup(void)
{
	memset(&x, 0, sizeof(x));
	memset(&b, 0, sizeof(b));
	strcpy(x.id, "0123456789abcdef");
}

static void teardown(void)
{
	sp_buf_deinit(&b);
	free(x.identity.tenant);
}

/* One printable sentence each, without an end: the caller adds it. */
START_TEST(sentences)
{
	const char *text;

	x.outcome = (enum sp_outcome)_i;
	strcpy(x.target.host, "erp.virtual");
	x.target.port = 8000;
	ck_assert_int_eq(sp_answer_sentence(&b, &x), 0);
	text = sp_buf_str(&b);
	ck_assert_uint_gt(strlen(text), 5);
	ck_assert(text[strlen(text) - 1] != '.' && text[0] >= 'A' && text[0] <= 'Z');
}
END_TEST

START_TEST(not_exposed)
{
	x.outcome = SP_OUTCOME_NOT_EXPOSED;
	strcpy(x.target.host, "erp.virtual");
	x.target.port = 8000;
	ck_assert_int_eq(sp_answer_sentence(&b, &x), 0);
	ck_assert_str_eq(sp_buf_str(&b), "Access denied to erp.virtual:8000");
}
END_TEST

START_TEST(no_connector)
{
	static const struct {
		const char *tenant, *location, *text;
	} cases[] = {
		{ "t1", "north", "No connector is connected for tenant t1, location north" },
		{ "t1", "", "No connector is connected for tenant t1, no location" },
		{ "t\r\n1", "a\x01", "No connector is connected for tenant (none), location " },
		{ NULL, "", "No connector is connected for tenant (none), no location" },
	};

	x.outcome = SP_OUTCOME_NO_CONNECTOR;
	x.identity.tenant = sp_strdup(cases[_i].tenant);
	strcpy(x.location, cases[_i].location);
	ck_assert_int_eq(sp_answer_sentence(&b, &x), 0);
	ck_assert_str_eq(sp_buf_str(&b), cases[_i].text);
}
END_TEST

START_TEST(proxy_status)
{
	x.outcome = SP_OUTCOME_REFUSED;
	ck_assert_int_eq(sp_answer_proxy_status(&b, &x), 0);
	ck_assert_str_eq(sp_buf_str(&b), "sallyport; error=connection_refused; details=\"refused\"");
	sp_buf_deinit(&b);
	strcpy(x.proxy_status, "far; error=dns_error");
	ck_assert_int_eq(sp_answer_proxy_status(&b, &x), 0);
	ck_assert_str_eq(sp_buf_str(&b), "far; error=dns_error, sallyport; error=connection_refused; details=\"refused\"");
	sp_buf_deinit(&b);
	x.outcome = SP_OUTCOME_CLIENT_GONE;
	ck_assert_int_eq(sp_answer_proxy_status(&b, &x), 0);
	ck_assert_str_eq(sp_buf_str(&b), "far; error=dns_error");
}
END_TEST

START_TEST(basic_only_where_it_is_of_use)
{
	struct sp_answer_options opt = { .offer_basic = _i == 1 };

	x.outcome = SP_OUTCOME_NO_CREDENTIAL;
	ck_assert_int_eq(sp_answer_http(&b, &x, &opt), 0);
	ck_assert_ptr_nonnull(strstr(sp_buf_str(&b), "Proxy-Authenticate: Bearer realm=\"sallyport\"\r\n"));
	ck_assert_int_eq(strstr(sp_buf_str(&b), "Basic") != NULL, opt.offer_basic);
}
END_TEST

Suite *sp_suite_answer(void)
{
	Suite *s = suite_create("front/answer");
	TCase *t = tcase_create("answer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, sentences, 0, SP_OUTCOME_COUNT);
	tcase_add_test(t, not_exposed);
	tcase_add_loop_test(t, no_connector, 0, 4);
	tcase_add_test(t, proxy_status);
	tcase_add_loop_test(t, basic_only_where_it_is_of_use, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
