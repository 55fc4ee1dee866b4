#include "suites.h"

#include "base/error.h"
#include "codec/http1.h"

static enum sp_http_credentials kind;
static struct sp_slice token, user, password;
static char scratch[64];

static int parse(const char *value)
{
	struct sp_slice in = value ? exact_copy(sp_slice_str(value)) : SP_SLICE_NONE;
	static char kept[256];
	int err;

	kind = (enum sp_http_credentials)99;
	token = user = password = SP_SLICE_NONE;
	err = sp_http_credentials_parse(in, &kind, &token, scratch, sizeof(scratch), &user, &password);
	if (token.p) {
		memcpy(kept, token.p, token.n);
		token.p = (const uint8_t *)kept;
	}
	free((void *)(uintptr_t)in.p);
	return err;
}

START_TEST(bearer)
{
	ck_assert_int_eq(parse("Bearer a.b-c_~+/=="), 0);
	ck_assert_int_eq(kind, SP_CREDENTIALS_BEARER);
	ck_assert(sp_slice_eq_str(token, "a.b-c_~+/=="));
	ck_assert_int_eq(parse("bEARER   x"), 0);
	ck_assert(sp_slice_eq_str(token, "x"));
}
END_TEST

START_TEST(basic)
{
	ck_assert_int_eq(parse("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), 0);
	ck_assert_int_eq(kind, SP_CREDENTIALS_BASIC);
	ck_assert(sp_slice_eq_str(user, "Aladdin"));
	ck_assert(sp_slice_eq_str(password, "open sesame"));
	ck_assert_int_eq(parse("Basic YTpiOmM="), 0); /* a:b:c */
	ck_assert(sp_slice_eq_str(user, "a"));
	ck_assert(sp_slice_eq_str(password, "b:c"));
	ck_assert_int_eq(parse("Basic Og=="), 0); /* : */
	ck_assert_uint_eq(user.n + password.n, 0);
	ck_assert_ptr_nonnull(user.p);
}
END_TEST

START_TEST(others)
{
	ck_assert_int_eq(parse(NULL), 0);
	ck_assert_int_eq(kind, SP_CREDENTIALS_NONE);
	ck_assert_int_eq(parse("Negotiate YII="), 0);
	ck_assert_int_eq(kind, SP_CREDENTIALS_OTHER);
	ck_assert_int_eq(parse("Bearerx y"), 0);
	ck_assert_int_eq(kind, SP_CREDENTIALS_OTHER);
}
END_TEST

START_TEST(malformed)
{
	static const char *const bad[] = { "",		     "Bearer",	     "Bearer ",	   "Bearer =",	 "Bearer a b",
					   "Bearer a,b",     "Bearer a=b",   "Bearer \"a\"", "Bearer\ta",  " Bearer a",
					   "Basic",	     "Basic YQ==" /* no colon */,   "Basic YTpi\n", "Basic YTpi=",
					   "Basic YTo",	     "Basic YTp-",   "Basic AGE6Yg==" /* NUL */, "Basic YToNCg==" /* CRLF */,
					   "@ x",	     "Bearer \xc3\xa4" };
	size_t i;

	for (i = 0; i < SP_COUNT_OF(bad); i++) {
		ck_assert_msg(parse(bad[i]) == SP_EPROTO, "%s", bad[i]);
		ck_assert_int_eq(kind, 99);
		ck_assert_ptr_null(token.p);
		ck_assert_ptr_null(user.p);
	}
}
END_TEST

START_TEST(scratch_is_small)
{
	char value[128] = "Basic ";

	memset(value + 6, 'Y', 88); /* 66 bytes of text */
	ck_assert_int_eq(parse(value), SP_ETOOBIG);
}
END_TEST

Suite *sp_suite_credentials(void)
{
	Suite *s = suite_create("codec/credentials");
	TCase *t = tcase_create("credentials");

	tcase_add_test(t, bearer);
	tcase_add_test(t, basic);
	tcase_add_test(t, others);
	tcase_add_test(t, malformed);
	tcase_add_test(t, scratch_is_small);
	suite_add_tcase(s, t);
	return s;
}
