/* Claims as text of headers: what a system reads is what was verified. */
#include <check.h>

#include "auth/claims.h"
#include "base/error.h"
#include "base/list.h"
#include "suites.h"

static const struct {
	const char *claims, *text; /* text NULL: none */
} cases[] = {
	{ "{\"c\":\"alice\"}", "alice" },
	{ "{\"c\":\"J\xc3\xbcrgen M.\"}", "J\xc3\xbcrgen M." },
	{ "{\"c\":42}", "42" },
	{ "{\"c\":true}", "true" },
	{ "{\"c\":[\"a\",\"b\",3]}", "a,b,3" },
	{ "{\"c\":[]}", NULL },
	{ "{\"c\":[\"a,b\"]}", NULL }, /* would read as two */
	{ "{\"c\":[[\"a\"]]}", NULL },
	{ "{\"c\":\"\"}", NULL },
	{ "{\"c\":\" a\"}", NULL },
	{ "{\"c\":\"a\\r\\nX: y\"}", NULL },
	{ "{\"c\":\"a\\u0000b\"}", NULL },
	{ "{\"c\":\"a\\u0085b\"}", NULL },
	{ "{\"c\":1.5}", NULL },
	{ "{\"c\":null}", NULL },
	{ "{\"c\":{\"d\":1}}", NULL },
	{ "{\"d\":\"x\"}", NULL },
	{ "[\"c\"]", NULL },
	{ "{\"c\":\"a\"", NULL },
	{ "{\"c\":\"\xff\"}", NULL },
	{ "", NULL },
	{ NULL, NULL },
};

START_TEST(text)
{
	struct sp_buf out = { 0 };

	ck_assert_int_eq(sp_buf_append_str(&out, "x"), 0);
	ck_assert_int_eq(sp_claims_text(cases[_i].claims, "c", &out), cases[_i].text ? 0 : SP_EINVAL);
	ck_assert_str_eq(sp_buf_str(&out) + 1, cases[_i].text ? cases[_i].text : "");
	sp_buf_deinit(&out);
}
END_TEST

Suite *sp_suite_claims(void)
{
	Suite *s = suite_create("claims");
	TCase *t = tcase_create("claims");

	tcase_add_loop_test(t, text, 0, (int)SP_COUNT_OF(cases));
	suite_add_tcase(s, t);
	return s;
}
