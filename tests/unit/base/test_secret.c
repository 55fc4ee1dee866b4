#include "suites.h"

#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"

START_TEST(wipe)
{
	char s[] = "secret", *heap = sp_strdup("secret");

	sp_wipe(s, sizeof(s));
	ck_assert_mem_eq(s, "\0\0\0\0\0\0", sizeof(s));
	sp_secret_free(&heap);
	ck_assert_ptr_null(heap);
	sp_secret_free(&heap);
	sp_wipe(NULL, 0);
}
END_TEST

START_TEST(equal)
{
	ck_assert(sp_secret_eq(SP_SLICE("abc"), SP_SLICE("abc")));
	ck_assert(!sp_secret_eq(SP_SLICE("abc"), SP_SLICE("abd")));
	ck_assert(!sp_secret_eq(SP_SLICE("xbc"), SP_SLICE("abc")));
	ck_assert(!sp_secret_eq(SP_SLICE("abc"), SP_SLICE("ab")));
	ck_assert(sp_secret_eq(SP_SLICE(""), SP_SLICE_NONE));
}
END_TEST

START_TEST(ids)
{
	char a[SP_ID_SIZE], b[SP_ID_SIZE];

	sp_id_make(a);
	sp_id_make(b);
	ck_assert_uint_eq(strlen(a), SP_ID_SIZE - 1);
	ck_assert_uint_eq(strspn(a, "0123456789abcdef"), SP_ID_SIZE - 1);
	ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(below)
{
	unsigned i, seen = 0;

	ck_assert_uint_eq(sp_random_below(1), 0);
	for (i = 0; i < 1000; i++) {
		uint64_t r = sp_random_below(3);

		ck_assert_uint_lt(r, 3);
		seen |= 1u << r;
	}
	ck_assert_uint_eq(seen, 7);
	ck_assert_uint_lt(sp_random_below(UINT64_MAX), UINT64_MAX);
}
END_TEST

Suite *sp_suite_secret(void)
{
	Suite *s = suite_create("base/secret");
	TCase *t = tcase_create("secret");

	tcase_add_test(t, wipe);
	tcase_add_test(t, equal);
	tcase_add_test(t, ids);
	tcase_add_test(t, below);
	suite_add_tcase(s, t);
	return s;
}
