/* Which resources may be asked for: rules, and paths that two servers would read in two ways. */
#include <check.h>

#include "base/list.h"
#include "codec/paths.h"
#include "suites.h"

static const char *const get_only[] = { "GET", "HEAD", NULL };

static const struct sp_path_rule rules[] = {
	{ "/sap/opu", true, false, NULL },
	{ "/sap/opu/secret", true, true, NULL },
	{ "/sap/opu/read", true, false, get_only },
	{ "/sap/opu/read/write", false, false, NULL },
	{ "/exact", false, false, NULL },
	{ "/dir/", true, false, NULL },
	{ "/\xc3\xa4", false, false, NULL },
	{ "/sap/opu/off", false, true, NULL },
	{ "/sap/opu/attic/", true, true, NULL },
	{ "/sap/opu/No. ", true, false, get_only },
	{ "/twice", true, false, NULL },
	{ "/Twice", true, true, NULL },
};

static const struct {
	const char *method, *path;
	enum sp_path_verdict verdict;
} cases[] = {
	{ "GET", "/sap/opu", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/x/y.z?a=../b//c", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu?x", SP_PATH_ALLOWED },
	{ "BREW", "/sap/opu/x", SP_PATH_ALLOWED },
	{ "GET", "/sap/opux", SP_PATH_DENIED },
	{ "GET", "/sap", SP_PATH_DENIED },
	{ "GET", "/sap/", SP_PATH_DENIED },
	{ "GET", "/", SP_PATH_DENIED },
	{ "GET", "/Sap/opu", SP_PATH_DENIED },
	{ "GET", "/exact", SP_PATH_ALLOWED },
	{ "GET", "/exact?q=1", SP_PATH_ALLOWED },
	{ "GET", "/exact/", SP_PATH_DENIED },
	{ "GET", "/exact/x", SP_PATH_DENIED },
	{ "GET", "/dir/", SP_PATH_ALLOWED },
	{ "GET", "/dir/x", SP_PATH_ALLOWED },
	{ "GET", "/dir", SP_PATH_DENIED },
	/* encoding of what has one meaning */
	{ "GET", "/s%61p/opu/%7e", SP_PATH_ALLOWED },
	{ "GET", "/%c3%a4", SP_PATH_ALLOWED },
	{ "GET", "/%C3%A4", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/100%25", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/a%20b", SP_PATH_ALLOWED },
	/* the longest rule decides, for every reader */
	{ "GET", "/sap/opu/secret", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/%73ecret/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/SECRET/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret;v=1/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret%3bv=1", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secrets", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/read/x", SP_PATH_ALLOWED },
	{ "HEAD", "/sap/opu/read", SP_PATH_ALLOWED },
	{ "POST", "/sap/opu/read/x", SP_PATH_METHOD },
	{ "POST", "/sap/opu/READ/x", SP_PATH_METHOD },
	{ "get", "/sap/opu/read/x", SP_PATH_METHOD },
	{ "POST", "/sap/opu/read/write", SP_PATH_ALLOWED },
	{ "POST", "/sap/opu/read/write/x", SP_PATH_METHOD },
	/* a query for those that decode first */
	{ "GET", "/sap/opu/secret%3f", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret%3Fx/y", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret%23x", SP_PATH_SUSPENDED },
	{ "POST", "/sap/opu/read%23x", SP_PATH_METHOD },
	{ "GET", "/sap/opu/Items('a%23b')", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/what%3f", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/..%3fx", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/..%23/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%3fx", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/secret%253f", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/secret%2523", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/secret%253b", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/secret%2520", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/x#y", SP_PATH_MALFORMED },
	/* a slash at the end */
	{ "GET", "/sap/opu/off", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/off/", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/off;/", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/off/x", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/attic", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/attic/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/attics", SP_PATH_ALLOWED },
	/* dots and spaces at the end of a segment */
	{ "GET", "/sap/opu/secret.", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret%20/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/secret%20.;v=1/x", SP_PATH_SUSPENDED },
	{ "GET", "/sap/opu/x./y%20", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/.well-known", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu/No.%20/7", SP_PATH_ALLOWED },
	{ "POST", "/sap/opu/No/7", SP_PATH_METHOD },
	{ "GET", "/sap/opu/.../x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/..%20/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/.%20./x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%20", SP_PATH_MALFORMED },
	/* rules that differ for some readers only */
	{ "GET", "/twice/x", SP_PATH_SUSPENDED },
	{ "GET", "/Twice/x", SP_PATH_SUSPENDED },
	/* parameters of segments */
	{ "GET", "/sap/opu/srv;v=2/Items", SP_PATH_ALLOWED },
	{ "GET", "/sap/opu;v=2/x", SP_PATH_DENIED },
	{ "GET", "/sap/opu/..;/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/;x/y", SP_PATH_MALFORMED },
	/* more than one meaning */
	{ "GET", "/sap/opu/../x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/..", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/.", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/./x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%2e%2e/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/.%2E/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%252e%252e/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%252fx", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%25252e", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/..%2fx", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu%2fx", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%5c..", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/a\\b", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%00", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%0d%0a", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%7f", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%4", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%4g", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%c0%ae%c0%ae/x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%ff", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu/%u002e", SP_PATH_MALFORMED },
	{ "GET", "/sap//opu", SP_PATH_MALFORMED },
	{ "GET", "//sap/opu", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu//x", SP_PATH_MALFORMED },
	{ "GET", "/sap/opu//", SP_PATH_MALFORMED },
	{ "GET", "sap/opu", SP_PATH_MALFORMED },
	{ "GET", "", SP_PATH_MALFORMED },
	{ "GET", "http://sap/opu", SP_PATH_MALFORMED },
	{ "OPTIONS", "*", SP_PATH_DENIED },
};

START_TEST(table)
{
	ck_assert_int_eq(sp_paths_check(rules, SP_COUNT_OF(rules), sp_slice_str(cases[_i].method), sp_slice_str(cases[_i].path)),
			 cases[_i].verdict);
}
END_TEST

START_TEST(whole_system)
{
	const struct sp_path_rule all = { "/", true, false, NULL }, gets = { "/", true, false, get_only }, top = { "/", false, false, NULL },
				  off = { "/", true, true, NULL };

	ck_assert_int_eq(sp_paths_check(&all, 1, SP_SLICE("GET"), SP_SLICE("/a//b/../%2f")), SP_PATH_ALLOWED);
	ck_assert_int_eq(sp_paths_check(&all, 1, SP_SLICE("OPTIONS"), SP_SLICE("*")), SP_PATH_ALLOWED);
	ck_assert_int_eq(sp_paths_check(&gets, 1, SP_SLICE("GET"), SP_SLICE("/a")), SP_PATH_ALLOWED);
	ck_assert_int_eq(sp_paths_check(&gets, 1, SP_SLICE("POST"), SP_SLICE("/a")), SP_PATH_METHOD);
	ck_assert_int_eq(sp_paths_check(&gets, 1, SP_SLICE("GET"), SP_SLICE("/a/../b")), SP_PATH_MALFORMED);
	ck_assert_int_eq(sp_paths_check(&top, 1, SP_SLICE("GET"), SP_SLICE("/")), SP_PATH_ALLOWED);
	ck_assert_int_eq(sp_paths_check(&top, 1, SP_SLICE("GET"), SP_SLICE("/a")), SP_PATH_DENIED);
	ck_assert_int_eq(sp_paths_check(&off, 1, SP_SLICE("GET"), SP_SLICE("/a")), SP_PATH_SUSPENDED);
	ck_assert_int_eq(sp_paths_check(NULL, 0, SP_SLICE("GET"), SP_SLICE("/")), SP_PATH_DENIED);
}
END_TEST

/* What does not fit into memory of a fixed size is no reason to let it pass. */
START_TEST(too_long)
{
	static char path[20000];

	memset(path, 'a', sizeof(path));
	memcpy(path, "/sap/opu/", 9);
	ck_assert_int_eq(sp_paths_check(rules, SP_COUNT_OF(rules), SP_SLICE("GET"), sp_slice_make(path, 8192)), SP_PATH_ALLOWED);
	ck_assert_int_eq(sp_paths_check(rules, SP_COUNT_OF(rules), SP_SLICE("GET"), sp_slice_make(path, 8193)), SP_PATH_MALFORMED);
}
END_TEST

Suite *sp_suite_paths(void)
{
	Suite *s = suite_create("paths");
	TCase *t = tcase_create("paths");

	tcase_add_loop_test(t, table, 0, (int)SP_COUNT_OF(cases));
	tcase_add_test(t, whole_system);
	tcase_add_test(t, too_long);
	suite_add_tcase(s, t);
	return s;
}
