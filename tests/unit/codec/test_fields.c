#include "suites.h"

#include "base/error.h"
#include "codec/fields.h"

START_TEST(lookup)
{
	struct sp_fields f = { 0 };

	ck_assert_int_eq(sp_fields_add(&f, SP_SLICE("Host"), SP_SLICE("a")), 0);
	ck_assert_int_eq(sp_fields_add(&f, SP_SLICE("X"), SP_SLICE("1")), 0);
	ck_assert_int_eq(sp_fields_add(&f, SP_SLICE("x"), SP_SLICE("2")), 0);
	ck_assert(sp_slice_eq_str(sp_fields_get(&f, "HOST"), "a"));
	ck_assert(sp_slice_eq_str(sp_fields_get(&f, "X"), "1"));
	ck_assert_uint_eq(sp_fields_count(&f, "X"), 2);
	ck_assert_uint_eq(sp_fields_count(&f, "Hos"), 0);
	ck_assert_ptr_null(sp_fields_get(&f, "Hosts").p);
}
END_TEST

START_TEST(full)
{
	struct sp_fields f = { 0 };
	int i;

	for (i = 0; i < SP_FIELDS_MAX; i++)
		ck_assert_int_eq(sp_fields_add(&f, SP_SLICE("x"), SP_SLICE("1")), 0);
	ck_assert_int_eq(sp_fields_add(&f, SP_SLICE("x"), SP_SLICE("1")), SP_ETOOBIG);
	ck_assert_uint_eq(f.count, SP_FIELDS_MAX);
}
END_TEST

START_TEST(tokens)
{
	static const struct {
		const char *value;
		bool has;
	} t[] = {
		{ "upgrade", true },	   { "Upgrade", true },	       { "close, UPGRADE", true }, { "close ,\tupgrade , x", true },
		{ ",,upgrade,", true },	   { "", false },	       { ",", false },		   { "upgrades", false },
		{ "up, grade", false },	   { "x upgrade", false },     { "\"a,upgrade,b\"", false }, { "\"a\\\",upgrade", false },
		{ "\"a\",upgrade", true }, { "upgrade;q=1", false },   { "\"\\", false },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice value = exact_copy(sp_slice_str(t[i].value));
		struct sp_fields f = { 0 };

		sp_fields_add(&f, SP_SLICE("connection"), value);
		ck_assert_msg(sp_fields_has_token(&f, "Connection", "upgrade") == t[i].has, "%s", t[i].value);
		ck_assert(!sp_fields_has_token(&f, "Upgrade", "upgrade"));
		free((void *)(uintptr_t)value.p);
	}
}
END_TEST

START_TEST(tokens_of_all_fields)
{
	struct sp_fields f = { 0 };

	sp_fields_add(&f, SP_SLICE("Connection"), SP_SLICE("close"));
	sp_fields_add(&f, SP_SLICE("Other"), SP_SLICE("x"));
	sp_fields_add(&f, SP_SLICE("CONNECTION"), SP_SLICE("upgrade"));
	ck_assert(sp_fields_has_token(&f, "connection", "upgrade"));
	ck_assert(!sp_fields_has_token(&f, "connection", "x"));
}
END_TEST

START_TEST(list_elements)
{
	static const struct {
		const char *list, *elements[5];
	} t[] = {
		{ "a", { "a" } },
		{ " a ,b\t", { "a", "b" } },
		{ ",a,,", { "", "a", "" } },
		{ "\"a,b\",c", { "\"a,b\"", "c" } },
		{ "\"a\\\",b\",c", { "\"a\\\",b\"", "c" } },
		{ "\"a,b", { "\"a,b" } },
		{ "", { NULL } },
	};
	size_t i, k;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice list = sp_slice_str(t[i].list);

		for (k = 0; list.n > 0; k++) {
			ck_assert_ptr_nonnull(t[i].elements[k]);
			ck_assert_msg(sp_slice_eq_str(sp_list_next(&list), t[i].elements[k]), "%s: %zu", t[i].list, k);
		}
		ck_assert_ptr_null(t[i].elements[k]);
	}
}
END_TEST

START_TEST(removal)
{
	struct sp_fields f = { 0 };

	sp_fields_add(&f, SP_SLICE("A"), SP_SLICE("1"));
	sp_fields_add(&f, SP_SLICE("B"), SP_SLICE("2"));
	sp_fields_add(&f, SP_SLICE("a"), SP_SLICE("3"));
	sp_fields_add(&f, SP_SLICE("C"), SP_SLICE("4"));
	f.v[3].secret = true;
	sp_fields_remove(&f, "a");
	ck_assert_uint_eq(f.count, 2);
	ck_assert(sp_slice_eq_str(f.v[0].value, "2"));
	ck_assert(sp_slice_eq_str(f.v[1].value, "4"));
	ck_assert(f.v[1].secret);
}
END_TEST

START_TEST(setting)
{
	struct sp_fields f = { 0 };

	sp_fields_add(&f, SP_SLICE("X-User"), SP_SLICE("forged"));
	sp_fields_add(&f, SP_SLICE("x_user"), SP_SLICE("forged"));
	sp_fields_add(&f, SP_SLICE("X-Users"), SP_SLICE("kept"));
	sp_fields_add(&f, SP_SLICE("X-Use"), SP_SLICE("kept"));
	ck_assert_int_eq(sp_fields_set(&f, "X-User", SP_SLICE("real")), 0);
	ck_assert_uint_eq(f.count, 3);
	ck_assert(sp_slice_eq_str(f.v[0].value, "kept"));
	ck_assert(sp_slice_eq_str(f.v[1].value, "kept"));
	ck_assert(sp_slice_eq_str(f.v[2].value, "real"));
	ck_assert(sp_slice_eq_str(f.v[2].name, "X-User"));
	while (f.count < SP_FIELDS_MAX)
		sp_fields_add(&f, SP_SLICE("Y"), SP_SLICE(""));
	ck_assert_int_eq(sp_fields_set(&f, "X-User", SP_SLICE("again")), 0); /* in place of the other one */
	ck_assert_int_eq(sp_fields_set(&f, "X-Other", SP_SLICE("")), SP_ETOOBIG);
}
END_TEST

START_TEST(beginnings)
{
	ck_assert(sp_field_name_begins(SP_SLICE("Proxy-Status"), "proxy-"));
	ck_assert(sp_field_name_begins(SP_SLICE("proxy_status"), "proxy-"));
	ck_assert(sp_field_name_begins(SP_SLICE("proxy-"), "proxy-"));
	ck_assert(!sp_field_name_begins(SP_SLICE("proxy"), "proxy-"));
	ck_assert(!sp_field_name_begins(SP_SLICE("proxied"), "proxy-"));
	ck_assert(!sp_field_name_begins(SP_SLICE(""), "p"));
}
END_TEST

Suite *sp_suite_fields(void)
{
	Suite *s = suite_create("codec/fields");
	TCase *t = tcase_create("fields");

	tcase_add_test(t, lookup);
	tcase_add_test(t, full);
	tcase_add_test(t, tokens);
	tcase_add_test(t, tokens_of_all_fields);
	tcase_add_test(t, list_elements);
	tcase_add_test(t, removal);
	tcase_add_test(t, setting);
	tcase_add_test(t, beginnings);
	suite_add_tcase(s, t);
	return s;
}
