#include "suites.h"

#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "base/text.h"

START_TEST(numbers)
{
	static const char *const bad[] = { "", "+1", "-1", " 1", "1 ", "0x1", "1a", "18446744073709551616", "99999999999999999999" };
	uint64_t v = 7;
	size_t i;

	for (i = 0; i < SP_COUNT_OF(bad); i++)
		ck_assert_msg(sp_text_u64(sp_slice_str(bad[i]), UINT64_MAX, &v) == SP_EINVAL, "%s", bad[i]);
	ck_assert_int_eq(sp_text_u64(SP_SLICE("256"), 255, &v), SP_EINVAL);
	ck_assert_uint_eq(v, 7);
	ck_assert_int_eq(sp_text_u64(SP_SLICE("255"), 255, &v), 0);
	ck_assert_uint_eq(v, 255);
	ck_assert_int_eq(sp_text_u64(SP_SLICE("18446744073709551615"), UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(sp_text_u64(SP_SLICE("007"), 9, &v), 0);
	ck_assert_uint_eq(v, 7);
}
END_TEST

/* RFC 4648 section 10 */
static const char *const vectors[][2] = {
	{ "", "" },		{ "f", "Zg==" },	  { "fo", "Zm8=" },	   { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },  { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+" },
};

START_TEST(base64_vectors)
{
	const char *plain = vectors[_i][0], *coded = vectors[_i][1];
	char out[16], url[16];
	uint8_t bin[8];
	size_t n = 99, i;

	ck_assert_int_eq(sp_base64_encode(sp_slice_str(plain), out, strlen(coded) + 1), 0);
	ck_assert_str_eq(out, coded);
	ck_assert_int_eq(sp_base64_encode(sp_slice_str(plain), out, strlen(coded)), SP_ETOOBIG);
	ck_assert_int_eq(sp_base64_decode(sp_slice_str(coded), bin, strlen(plain), &n), 0);
	ck_assert(sp_slice_eq(sp_slice_make(bin, n), sp_slice_str(plain)));
	if (n > 0)
		ck_assert_int_eq(sp_base64_decode(sp_slice_str(coded), bin, strlen(plain) - 1, &n), SP_ETOOBIG);
	for (i = 0; coded[i] && coded[i] != '='; i++)
		url[i] = coded[i] == '+' ? '-' : coded[i] == '/' ? '_' : coded[i];
	ck_assert_int_eq(sp_base64url_decode(sp_slice_make(url, i), bin, sizeof(bin), &n), 0);
	ck_assert(sp_slice_eq(sp_slice_make(bin, n), sp_slice_str(plain)));
}
END_TEST

START_TEST(base64_refused)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm-v", "Zm_v", "Zm9v\n", "Z===", "====",
					   "Zg==Zg==", "=Zg=", "Z=g=", " Zg=", "Zm9vY" };
	static const char *const bad_url[] = { "Z", "Zg==", "Zm8=", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9v ", "Zm9vY" };
	uint8_t bin[16];
	size_t i, n = 99;

	for (i = 0; i < SP_COUNT_OF(bad); i++)
		ck_assert_msg(sp_base64_decode(sp_slice_str(bad[i]), bin, 16, &n) == SP_EINVAL, "%s", bad[i]);
	for (i = 0; i < SP_COUNT_OF(bad_url); i++)
		ck_assert_msg(sp_base64url_decode(sp_slice_str(bad_url[i]), bin, 16, &n) == SP_EINVAL, "%s", bad_url[i]);
	ck_assert_uint_eq(n, 99);
}
END_TEST

START_TEST(utf8)
{
	static const struct {
		const char *s;
		size_t n;
	} t[] = {
		{ "", 0 },	      { "a", 1 },	       { "\x7f", 1 },	       { "\x80", 0 },
		{ "\xc1\xbf", 0 },    { "\xc2\x80", 2 },       { "\xc3", 0 },	       { "\xc3(", 0 },
		{ "\xe0\x9f\xbf", 0 }, { "\xe0\xa0\x80", 3 },  { "\xed\x9f\xbf", 3 },  { "\xed\xa0\x80", 0 },
		{ "\xee\x80\x80", 3 }, { "\xf0\x8f\xbf\xbf", 0 }, { "\xf0\x90\x80\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\xff", 0 },   { "\xf0\x90\x80", 0 },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++)
		ck_assert_msg(sp_utf8_length(sp_slice_str(t[i].s)) == t[i].n, "row %zu", i);
	ck_assert_uint_eq(sp_utf8_length(SP_SLICE("\0")), 1);
	ck_assert(sp_utf8_is_printable(SP_SLICE("a \xc3\xa4\xc2\xa0\xf0\x9f\x9a\xaa")));
	ck_assert(sp_utf8_is_printable(SP_SLICE_NONE));
	ck_assert(!sp_utf8_is_printable(SP_SLICE("a\0")));
	ck_assert(!sp_utf8_is_printable(SP_SLICE("a\n")));
	ck_assert(!sp_utf8_is_printable(SP_SLICE("\x7f")));
	ck_assert(!sp_utf8_is_printable(SP_SLICE("\xc2\x80")));
	ck_assert(!sp_utf8_is_printable(SP_SLICE("\xc2\x9f")));
	ck_assert(!sp_utf8_is_printable(SP_SLICE("a\xc3")));
}
END_TEST

Suite *sp_suite_text(void)
{
	Suite *s = suite_create("base/text");
	TCase *t = tcase_create("text");

	tcase_add_test(t, numbers);
	tcase_add_loop_test(t, base64_vectors, 0, SP_COUNT_OF(vectors));
	tcase_add_test(t, base64_refused);
	tcase_add_test(t, utf8);
	suite_add_tcase(s, t);
	return s;
}
