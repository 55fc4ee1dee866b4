/* Bodies of failures: which format, and that it is well-formed whatever is in it. */
#include <check.h>

#include "base/error.h"
#include "base/list.h"
#include "codec/problem.h"
#include "suites.h"

static const struct {
	const char *accept; /* NULL: absent */
	enum sp_problem_format format;
} accepts[] = {
	{ NULL, SP_PROBLEM_TEXT },
	{ "", SP_PROBLEM_TEXT },
	{ "*/*", SP_PROBLEM_TEXT },
	{ "text/html, */*", SP_PROBLEM_TEXT },
	{ "application/json", SP_PROBLEM_JSON },
	{ "Application/Problem+JSON", SP_PROBLEM_JSON },
	{ "application/json, text/plain, */*", SP_PROBLEM_JSON }, /* axios */
	{ "text/html;q=0.9, application/json", SP_PROBLEM_JSON },
	{ "text/html, application/json;q=0.9", SP_PROBLEM_TEXT },
	{ "application/json;q=0", SP_PROBLEM_TEXT },
	{ "application/json;q=0.0, text/plain", SP_PROBLEM_TEXT },
	{ "application/json;q=0.001", SP_PROBLEM_JSON },
	{ "application/json ; charset=utf-8 ; q=0.5, text/*;q=0.4", SP_PROBLEM_JSON },
	{ "application/json;q=x, text/plain;q=0.1", SP_PROBLEM_TEXT },
	{ "application/json;q=9", SP_PROBLEM_TEXT },
	{ "application/json;q=0.12345", SP_PROBLEM_TEXT },
	{ "application/jsonx, xapplication/json", SP_PROBLEM_TEXT },
	{ ",;,=;q,,", SP_PROBLEM_TEXT },
};

START_TEST(format)
{
	ck_assert_int_eq(sp_problem_format(sp_slice_str(accepts[_i].accept)), accepts[_i].format);
}
END_TEST

static void check(enum sp_problem_format f, struct sp_slice detail, const char *want)
{
	struct sp_problem p = { .status = 502, .word = "refused", .detail = detail, .exchange = "0123456789abcdef" };
	struct sp_buf b = { 0 };

	ck_assert_int_eq(sp_problem_write(&p, f, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b), want);
	sp_buf_deinit(&b);
}

#define JSON(detail) \
	"{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,\"detail\":\"" detail \
	"\",\"outcome\":\"refused\",\"exchange\":\"0123456789abcdef\"}\n"

START_TEST(bodies)
{
	check(SP_PROBLEM_TEXT, SP_SLICE("The target refused"), "refused: The target refused.\nexchange 0123456789abcdef\n");
	check(SP_PROBLEM_JSON, SP_SLICE("The target refused"), JSON("The target refused"));
	check(SP_PROBLEM_JSON, SP_SLICE("a\"b\\c\n\x01/\xc3\xa4"), JSON("a\\\"b\\\\c\\u000a\\u0001/\xc3\xa4"));
	check(SP_PROBLEM_JSON, SP_SLICE("x\xff\xc3"), JSON("x\xef\xbf\xbd\xef\xbf\xbd"));
	ck_assert_str_eq(sp_problem_type(SP_PROBLEM_JSON), "application/problem+json");
	ck_assert_str_eq(sp_problem_type(SP_PROBLEM_TEXT), "text/plain; charset=utf-8");
}
END_TEST

START_TEST(out_of_memory)
{
	struct sp_problem p = { .status = 502, .word = "refused", .detail = SP_SLICE("x"), .exchange = "0" };
	struct sp_buf b = { 0 };

	int err;

	after_mallocs_fail(0);
	err = sp_problem_write(&p, SP_PROBLEM_JSON, &b);
	after_mallocs_fail(-1);
	ck_assert_int_eq(err, SP_ENOMEM);
	ck_assert_uint_eq(b.len, 0);
	sp_buf_deinit(&b);
}
END_TEST

Suite *sp_suite_problem(void)
{
	Suite *s = suite_create("problem");
	TCase *t = tcase_create("problem");

	tcase_add_loop_test(t, format, 0, (int)SP_COUNT_OF(accepts));
	tcase_add_test(t, bodies);
	tcase_add_test(t, out_of_memory);
	suite_add_tcase(s, t);
	return s;
}
