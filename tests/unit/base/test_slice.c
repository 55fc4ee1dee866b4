#include "suites.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"

START_TEST(equality)
{
	ck_assert(sp_slice_eq(SP_SLICE("ab"), SP_SLICE("ab")));
	ck_assert(!sp_slice_eq(SP_SLICE("ab"), SP_SLICE("aB")));
	ck_assert(!sp_slice_eq(SP_SLICE("ab"), SP_SLICE("abc")));
	ck_assert(sp_slice_eq(SP_SLICE(""), SP_SLICE_NONE));
	ck_assert(sp_slice_eq_str(SP_SLICE("ab"), "ab"));
	ck_assert(!sp_slice_eq_str(SP_SLICE("a\0b"), "a"));
	ck_assert(sp_slice_eq_nocase(SP_SLICE("aZ-09"), SP_SLICE("Az-09")));
	ck_assert(!sp_slice_eq_nocase(SP_SLICE("@["), SP_SLICE("`{"))); /* differ in bit 5 only, no letters */
	ck_assert(!sp_slice_eq_str_nocase(SP_SLICE("ab"), "a"));
	ck_assert(sp_slice_eq_str_nocase(SP_SLICE("HOST"), "host"));
}
END_TEST

START_TEST(trim)
{
	ck_assert(sp_slice_eq_str(sp_slice_trim(SP_SLICE(" \t a b\t ")), "a b"));
	ck_assert_uint_eq(sp_slice_trim(SP_SLICE(" \t ")).n, 0);
	ck_assert(sp_slice_eq_str(sp_slice_trim(SP_SLICE("\na\n")), "\na\n"));
	ck_assert_ptr_null(sp_slice_trim(SP_SLICE_NONE).p);
}
END_TEST

START_TEST(copies)
{
	char dst[4] = "zzz", *s = sp_slice_dup(SP_SLICE("abc"));

	ck_assert_str_eq(s, "abc");
	free(s);
	ck_assert_ptr_null(sp_slice_dup(SP_SLICE_NONE));
	s = sp_slice_dup(SP_SLICE(""));
	ck_assert_str_eq(s, "");
	free(s);
	ck_assert_int_eq(sp_slice_copy(SP_SLICE("abcd"), dst, sizeof(dst)), SP_ETOOBIG);
	ck_assert_int_eq(sp_slice_copy(SP_SLICE("a\0b"), dst, sizeof(dst)), SP_EINVAL);
	ck_assert_str_eq(dst, "zzz");
	ck_assert_int_eq(sp_slice_copy(SP_SLICE("abc"), dst, sizeof(dst)), 0);
	ck_assert_str_eq(dst, "abc");
	ck_assert_int_eq(sp_slice_copy(SP_SLICE_NONE, dst, sizeof(dst)), 0);
	ck_assert_str_eq(dst, "");
	ck_assert_int_eq(sp_slice_copy(SP_SLICE_NONE, dst, 0), SP_ETOOBIG);
}
END_TEST

START_TEST(alloc)
{
	char *s = sp_strdup("abc");
	int *p = SP_NEW(int);

	ck_assert_str_eq(s, "abc");
	ck_assert_int_eq(*p, 0);
	ck_assert_ptr_null(sp_strdup(NULL));
	free(p);
	free(s);
}
END_TEST

Suite *sp_suite_slice(void)
{
	Suite *s = suite_create("base/slice");
	TCase *t = tcase_create("slice");

	tcase_add_test(t, equality);
	tcase_add_test(t, trim);
	tcase_add_test(t, copies);
	tcase_add_test(t, alloc);
	suite_add_tcase(s, t);
	return s;
}
