/* Units, nearest names, reports. */
#include "suites.h"

#include <string.h>

#include "base/must.h"
#include "conf/conf.h"
#include "conf/load.h"

static const struct {
	const char *text;
	uint64_t value;
} durations[] = { { "0", 0 },	       { "0s", 0 },	 { "250ms", 250 },   { "30s", 30000 },
		  { "5m", 300000 },    { "1h", 3600000 }, { "18446744073709551615ms", UINT64_MAX } },
  sizes[] = { { "0", 0 },	       { "8192", 8192 },    { "64KiB", 65536 }, { "1MiB", 1048576 },
	      { "2GiB", 2147483648u }, { "16GiB", (uint64_t)16 << 30 }, { "18446744073709551615", UINT64_MAX } };

START_TEST(good_durations)
{
	uint64_t v = 7;

	ck_assert_int_eq(sp_conf_duration(durations[_i].text, &v), 0);
	ck_assert_uint_eq(v, durations[_i].value);
}
END_TEST

START_TEST(good_sizes)
{
	uint64_t v = 7;

	ck_assert_int_eq(sp_conf_size(sizes[_i].text, &v), 0);
	ck_assert_uint_eq(v, sizes[_i].value);
}
END_TEST

START_TEST(bad_units)
{
	static const char *const bad_durations[] = { "", "s", "30", "00", "1 s", " 1s", "-1s", "+1s", "1.5s", "1S", "1sec", "1d", "1ss",
						     "18446744073709551616ms", "18446744073709552s", "0x1s", "1s\n" };
	static const char *const bad_sizes[] = { "", "KiB", "1 KiB", "-1", "+1", "1.5MiB", "1KB", "1K", "1kib", "1B", "1TiB",
						 "18446744073709551616", "17179869184GiB", "0x10", "1\n" };
	uint64_t v = 7;

	for (size_t i = 0; i < SP_COUNT_OF(bad_durations); i++)
		ck_assert_msg(sp_conf_duration(bad_durations[i], &v) == SP_EINVAL, "%s", bad_durations[i]);
	for (size_t i = 0; i < SP_COUNT_OF(bad_sizes); i++)
		ck_assert_msg(sp_conf_size(bad_sizes[i], &v) == SP_EINVAL, "%s", bad_sizes[i]);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(units_as_text)
{
	char text[SP_UNIT_SIZE];

	ck_assert_str_eq(sp_duration_text(0, text), "0");
	ck_assert_str_eq(sp_duration_text(999, text), "999ms");
	ck_assert_str_eq(sp_duration_text(1000, text), "1s");
	ck_assert_str_eq(sp_duration_text(90000, text), "90s");
	ck_assert_str_eq(sp_duration_text(7200000, text), "2h");
	ck_assert_str_eq(sp_duration_text(UINT64_MAX, text), "18446744073709551615ms");
	ck_assert_str_eq(sp_size_text(0, text), "0");
	ck_assert_str_eq(sp_size_text(1000, text), "1000");
	ck_assert_str_eq(sp_size_text(65536, text), "64KiB");
	ck_assert_str_eq(sp_size_text((uint64_t)3 << 30, text), "3GiB");
}
END_TEST

static const char *const names[] = { "address", "auth", "location", "target", "id", NULL };

static const struct {
	const char *name, *near;
} nearest[] = {
	{ "adress", "address" },    { "addres", "address" },  { "addresss", "address" }, { "address", "address" },
	{ "Address", "address" },   { "adderss", "address" }, { "auht", "auth" },	 { "autz", "auth" },
	{ "locations", "location" }, { "traget", "target" },  { "ids", "id" },		 { "di", "id" },
	{ "a", NULL },		    { "", NULL },	      { "tls", NULL },		 { "authentication", NULL },
	{ "xyzzy", NULL },	    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
};

START_TEST(near)
{
	const char *found = sp_nearest(nearest[_i].name, names);

	ck_assert_pstr_eq(found, nearest[_i].near);
}
END_TEST

START_TEST(near_skips_long_names)
{
	static const char *const long_names[] = { "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "abcdefghi", NULL };

	ck_assert_str_eq(sp_nearest("abcdefgh", long_names), "abcdefghi");
}
END_TEST

START_TEST(report_lines)
{
	struct sp_report r = { 0 };

	sp_report_add(&r, &(struct sp_conf_at){ "a.conf", 41 }, "%s is %d", "x", 5);
	ck_assert_str_eq(r.text, "a.conf:41: x is 5");
	sp_report_add(&r, &(struct sp_conf_at){ "a.conf", 0 }, "whole");
	sp_report_add(&r, NULL, "%s", "none");
	ck_assert_str_eq(r.text, "a.conf:41: x is 5\na.conf: whole\nnone");
	ck_assert_uint_eq(r.count, 3);
	sp_report_deinit(&r);
	ck_assert_ptr_null(r.text);
	ck_assert_uint_eq(r.count, 0);
}
END_TEST

START_TEST(report_keeps_a_line_a_line)
{
	struct sp_report r = { 0 };

	sp_report_add(&r, &(struct sp_conf_at){ "a\n.conf", 1 }, "%s", "x\ny\x1b[1m \x7f \xc3\xa9");
	ck_assert_str_eq(r.text, "a\\x0a.conf:1: x\\x0ay\\x1b[1m \\x7f \xc3\xa9");
	sp_report_deinit(&r);
}
END_TEST

Suite *sp_suite_texts(void)
{
	Suite *s = suite_create("texts");
	TCase *c = tcase_create("units");

	tcase_add_loop_test(c, good_durations, 0, (int)SP_COUNT_OF(durations));
	tcase_add_loop_test(c, good_sizes, 0, (int)SP_COUNT_OF(sizes));
	tcase_add_test(c, bad_units);
	tcase_add_test(c, units_as_text);
	suite_add_tcase(s, c);
	c = tcase_create("nearest");
	tcase_add_loop_test(c, near, 0, (int)SP_COUNT_OF(nearest));
	tcase_add_test(c, near_skips_long_names);
	suite_add_tcase(s, c);
	c = tcase_create("report");
	tcase_add_test(c, report_lines);
	tcase_add_test(c, report_keeps_a_line_a_line);
	suite_add_tcase(s, c);
	return s;
}
