#include "suites.h"

#include <string.h>

#include "base/error.h"

START_TEST(first_cause_wins)
{
	struct sp_cause c = { 0 };

	ck_assert_int_eq(sp_cause_set(&c, SP_EREFUSED, SP_DOMAIN_OS, 111, "connect %s", "10.0.0.1:1"), SP_EREFUSED);
	ck_assert_int_eq(sp_cause_set(&c, SP_ETIMEOUT, SP_DOMAIN_SELF, 1, "later"), SP_ETIMEOUT);
	ck_assert_int_eq(c.err, SP_EREFUSED);
	ck_assert_int_eq(c.domain, SP_DOMAIN_OS);
	ck_assert_int_eq(c.raw, 111);
	ck_assert_str_eq(c.text, "connect 10.0.0.1:1");
	ck_assert_int_eq(sp_cause_set(NULL, SP_EDNS, SP_DOMAIN_DNS, 0, "x"), SP_EDNS);
}
END_TEST

START_TEST(text_is_escaped_and_bounded)
{
	struct sp_cause c = { 0 }, d = { 0 };
	char big[400];

	sp_cause_set(&c, SP_EPROTO, SP_DOMAIN_SELF, 0, "a\r\nb\x7f%s", "\x1b[31m");
	ck_assert_str_eq(c.text, "a\\x0d\\x0ab\\x7f\\x1b[31m");
	memset(big, '\n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	sp_cause_set(&d, SP_EPROTO, SP_DOMAIN_SELF, 0, "%s", big);
	ck_assert_uint_eq(strlen(d.text), 156); /* 39 whole escapes */
	ck_assert_str_eq(d.text + 152, "\\x0a");
}
END_TEST

START_TEST(words)
{
	ck_assert_str_eq(sp_err_word(0), "ok");
	ck_assert_str_eq(sp_err_word(SP_EREFUSED), "refused");
	ck_assert_str_eq(sp_err_word(SP_ERETRY), "retry");
	ck_assert_str_eq(sp_err_word(SP_ERETRY - 1), "unknown");
	ck_assert_str_eq(sp_err_word(1), "unknown");
	ck_assert_str_eq(sp_domain_word(SP_DOMAIN_H2), "h2");
	ck_assert_str_eq(sp_domain_word((enum sp_domain)99), "unknown");
}
END_TEST

Suite *sp_suite_error(void)
{
	Suite *s = suite_create("base/error");
	TCase *t = tcase_create("error");

	tcase_add_test(t, first_cause_wins);
	tcase_add_test(t, text_is_escaped_and_bounded);
	tcase_add_test(t, words);
	suite_add_tcase(s, t);
	return s;
}
