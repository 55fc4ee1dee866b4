/* What plugins share: strict JSON, base64url, claims by path, settings. */
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/strictjson.h"
#include "common/token.h"
#include "suites.h"

static const struct { const char *text; bool good; } json[] = {
	{ "{}", true }, { "[]", true }, { " [ 1 , 2 ] ", true }, { "\t\r\n{}\n", true }, { "true", true }, { "false", true },
	{ "0", true }, { "-0", true }, { "10", true }, { "1.5", true }, { "1e5", true }, { "1E+5", true }, { "-1.25e-3", true },
	{ "\"\"", true }, { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\"", true }, { "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", true },
	{ "{\"a\":{\"b\":[{\"a\":1},{\"a\":2}]}}", true }, { "{\"a\":null,\"b\":null}", true }, { "{\"\":1}", true },
	/* json-c alone takes most of these */
	{ "null", false }, { "", false }, { " ", false }, { "{", false }, { "[", false }, { "[1", false }, { "[1,", false },
	{ "{\"a\"", false }, { "{\"a\":", false }, { "{\"a\":1", false }, { "{\"a\":1,", false }, { "{\"a\" 1}", false },
	{ "[1,]", false }, { "{\"a\":1,}", false }, { "[,1]", false }, { "{,}", false }, { "{a:1}", false }, { "{'a':1}", false },
	{ "'a'", false }, { "[1 2]", false }, { "{} {}", false }, { "{}x", false }, { "1 2", false }, { "[]]", false }, { "TRUE", false },
	{ "tru", false }, { "truex", false }, { "nan", false }, { "NaN", false }, { "Infinity", false }, { "-Infinity", false },
	{ "01", false }, { "-01", false }, { "-", false }, { "+1", false }, { ".5", false }, { "1.", false }, { "1e", false },
	{ "1e+", false }, { "0x10", false }, { "1_0", false }, { "\"", false }, { "\"a", false }, { "\"\\", false }, { "\"\\x\"", false },
	{ "\"\\u12\"", false }, { "\"\\u12g4\"", false }, { "\"\\u0000\"", false }, { "{\"a\\u0000b\":1}", false }, { "\"\t\"", false },
	{ "\"\n\"", false }, { "\"\x01\"", false }, { "\"\x80\"", false }, { "\"\xc0\x80\"", false }, { "\"\xc3\"", false },
	{ "\"\xe0\x80\x80\"", false }, { "\"\xed\xa0\x80\"", false }, { "\"\xf4\x90\x80\x80\"", false }, { "\"\xf5\x80\x80\x80\"", false },
	{ "/* c */ {}", false }, { "{} // c", false }, { "\xef\xbb\xbf{}", false },
	{ "{\"a\":1,\"a\":1}", false }, { "{\"a\":1,\"\\u0061\":2}", false }, { "[{\"x\":{\"a\":[],\"b\":0,\"a\":[]}}]", false },
	{ "{\"a\":{\"b\":1,\"c\":2},\"a\":{}}", false }, { "{\"\":1,\"\":2}", false },
	{ "[[[[[[1]]]]]]", true }, { "[[[[[[[1]]]]]]]", false }, { "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}", true },
};

START_TEST(strict_json)
{
	const char *why = NULL;
	size_t n = strlen(json[_i].text);
	char *exact = malloc(n + 1);
	json_object *o;

	memcpy(exact, json[_i].text, n);
	exact = realloc(exact, n ? n : 1); /* nothing behind its end may be read */
	o = pc_json_parse(exact, n, 6, &why);
	ck_assert_msg((o != NULL) == json[_i].good, "%s: %s", json[_i].text, o ? "accepted" : why);
	ck_assert((o == NULL) == (why != NULL));
	json_object_put(o);
	free(exact);
}
END_TEST

START_TEST(json_with_nul)
{
	const char *why = NULL;

	ck_assert_ptr_null(pc_json_parse("{}\0", 3, 6, &why));
	ck_assert_ptr_null(pc_json_parse("\"\0\"", 3, 6, &why));
	ck_assert_ptr_null(pc_json_parse("1\0", 2, 6, &why));
}
END_TEST

static const struct { const char *text; long n; const char *bytes; } base64url[] = {
	{ "", 0, "" }, { "Zg", 1, "f" }, { "Zm8", 2, "fo" }, { "Zm9v", 3, "foo" }, { "Zm9vYg", 4, "foob" }, { "-_-_", 3, "\xfb\xff\xbf" },
	{ "Z", -1, "" }, { "Zm9vY", -1, "" }, { "Zg==", -1, "" }, { "Zh", -1, "" }, { "Zm9", -1, "" }, { "Zm8=", -1, "" },
	{ "Zm 8", -1, "" }, { "+/+/", -1, "" }, { "Zm9v\n", -1, "" }, { "Zm9vYmFyYmF6", -1, "" },
};

START_TEST(base64url_decodes)
{
	uint8_t dst[8];
	long n = pc_base64url(pc_str(base64url[_i].text), dst, sizeof(dst));

	ck_assert_int_eq(n, base64url[_i].n);
	if (n > 0)
		ck_assert_int_eq(memcmp(dst, base64url[_i].bytes, (size_t)n), 0);
}
END_TEST

START_TEST(claims_by_path)
{
	const char *why = NULL, text[] = "{\"a\":\"x\",\"b\":{\"c\":{\"d\":\"deep\"}},\"b.c\":\"dotted\",\"e\":\"\",\"n\":null,\"l\":[\"one\"],"
					 "\"ll\":[\"one\",\"two\"],\"i\":5,\"li\":[5],\"f..g\":\"odd\","
					 "\"https://x.example/app\":{\"t\":\"ns\",\"u.v\":{\"w\":\"nsw\"}},\"h.i\":{\"k\":1},\"h\":{\"i\":{\"j\":\"no\"}}}";
	json_object *o = pc_json_parse(text, sizeof(text) - 1, 8, &why);
	const struct { char *paths[3]; int found; const char *value; } all[] = {
		{ { (char[]){ "a" } }, 1, "x" },
		{ { (char[]){ "b.c.d" } }, 1, "deep" },
		{ { (char[]){ "b.c" } }, 1, "dotted" }, /* the name itself before the path */
		{ { (char[]){ "b.x" } }, 0, NULL },
		{ { (char[]){ "a.b" } }, 0, NULL },
		{ { (char[]){ "." } }, 0, NULL },
		{ { (char[]){ "b..c" } }, 0, NULL },
		{ { (char[]){ "f..g" } }, 1, "odd" },
		{ { (char[]){ "https://x.example/app.t" } }, 1, "ns" },
		{ { (char[]){ "https://x.example/app.u.v.w" } }, 1, "nsw" },
		{ { (char[]){ "https://x.example/app.u" } }, 0, NULL },
		{ { (char[]){ "h.i.j" } }, 0, NULL }, /* the longest name is taken, and no other tried */
		{ { (char[]){ "n" }, (char[]){ "a" } }, 1, "x" },
		{ { (char[]){ "e" }, (char[]){ "a" } }, 1, "x" },
		{ { (char[]){ "none" }, (char[]){ "e" } }, 0, NULL },
		{ { (char[]){ "l" } }, 1, "one" },
		{ { (char[]){ "ll" } }, -1, NULL },
		{ { (char[]){ "i" }, (char[]){ "a" } }, -1, NULL },
		{ { (char[]){ "li" } }, -1, NULL },
		{ { (char[]){ "b" } }, -1, NULL },
	};

	ck_assert_ptr_nonnull(o);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		sp_str s = { 0 };

		ck_assert_msg(pc_claim_string(o, all[i].paths, &s) == all[i].found, "%s", all[i].paths[0]);
		if (all[i].value)
			ck_assert(s.n == strlen(all[i].value) && memcmp(s.p, all[i].value, s.n) == 0);
		else
			ck_assert_ptr_null(s.p);
	}
	json_object_put(o);
}
END_TEST

static const char *const known[] = { "issuer", "size", "on", "list", "we/ird~key", NULL };

START_TEST(settings_refused)
{
	static const struct { const char *json, *path, *msg; } all[] = {
		{ "{\"isuer\":\"x\"}", "/isuer", "did you mean \"issuer\"?" },
		{ "{\"nothing like it\":1}", "/nothing like it", "unknown setting" },
		{ "{\"a/b~c\":1}", "/a~1b~0c", "unknown setting" },
		{ "[]", "", "not a JSON object" },
		{ "{", "", "not JSON" },
		{ "{\"issuer\":\"a\",\"issuer\":\"b\"}", "", "same name" },
		{ "{\"issuer\":5}", "/issuer", "must be a string" },
		{ "{\"issuer\":\"\"}", "/issuer", "must not be empty" },
		{ "{\"on\":1}", "/on", "must be true or false" },
		{ "{\"size\":\"5\"}", "/size", "must be an integer" },
		{ "{\"size\":5.0}", "/size", "must be an integer" },
		{ "{\"size\":11}", "/size", "from 1 to 10" },
		{ "{\"size\":0}", "/size", "from 1 to 10" },
		{ "{\"list\":5}", "/list", "a string or a list" },
		{ "{\"list\":[\"a\",5]}", "/list/1", "must be a string" },
		{ "{\"list\":[\"\"]}", "/list/0", "must not be empty" },
		{ "{\"we/ird~key\":5}", "/we~1ird~0key", "must be a string" },
	};
	sp_error err = { .size = sizeof(err) };
	json_object *o = pc_settings(all[_i].json, known, &err);
	const char *s = NULL;
	char **list = NULL;
	bool on = false;
	int64_t n = 0;

	if (o) {
		ck_assert_int_eq(pc_string(o, "issuer", &s, &err) | pc_string(o, "we/ird~key", &s, &err) | pc_bool(o, "on", &on, &err) |
				 pc_int(o, "size", 1, 10, &n, &err) | pc_strings(o, "list", &list, &err), -1);
		ck_assert_ptr_null(list);
		json_object_put(o);
	}
	ck_assert_str_eq(err.path, all[_i].path);
	ck_assert_msg(strstr(err.msg, all[_i].msg) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(settings_within)
{
	static const char *const inner[] = { "on", NULL };
	sp_error err = { .size = sizeof(err) };
	json_object *o = pc_settings("{\"list\":[{\"on\":true},{\"no\":true}]}", known, &err), *list;

	ck_assert(o && json_object_object_get_ex(o, "list", &list));
	ck_assert_int_eq(pc_known(json_object_array_get_idx(list, 0), inner, &err), 0);
	ck_assert_int_eq(pc_known(json_object_array_get_idx(list, 1), inner, &err), -1);
	ck_assert_int_eq(pc_fail_within(&err, "list", 1), -1);
	ck_assert_str_eq(err.path, "/list/1/no");
	ck_assert_str_eq(err.msg, "unknown setting; did you mean \"on\"?");
	/* A path that does not fit is cut. */
	for (unsigned i = 0; i < 30; i++)
		pc_fail_within(&err, "list", 1);
	ck_assert_uint_eq(strlen(err.path), sizeof(err.path) - 1);
	json_object_put(o);
}
END_TEST

START_TEST(settings_read)
{
	sp_error err = { .size = sizeof(err) };
	json_object *o = pc_settings("{\"issuer\":\"i\",\"on\":true,\"size\":10,\"list\":[\"a\",\"b\"]}", known, &err);
	const char *s = NULL, *absent = "default";
	char **list = pc_strings_of((const char *const[]){ "old", NULL });
	bool on = false;
	int64_t n = 0;

	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(pc_string(o, "issuer", &s, &err), 0);
	ck_assert_str_eq(s, "i");
	ck_assert_int_eq(pc_string(o, "other", &absent, &err), 0);
	ck_assert_str_eq(absent, "default");
	ck_assert_int_eq(pc_bool(o, "on", &on, &err), 0);
	ck_assert(on);
	ck_assert_int_eq(pc_int(o, "size", 1, 10, &n, &err), 0);
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(pc_strings(o, "list", &list, &err), 0);
	ck_assert(pc_strings_have(list, "b", 1));
	ck_assert(!pc_strings_have(list, "old", 3));
	ck_assert(!pc_strings_have(list, "bb", 2));
	ck_assert(!pc_strings_have(NULL, "b", 1));
	ck_assert_int_eq(pc_strings(o, "issuer", &list, &err), 0); /* one string is a list of one */
	ck_assert_str_eq(list[0], "i");
	ck_assert_ptr_null(list[1]);
	pc_strings_free(&list);
	json_object_put(o);
}
END_TEST

/* An error struct of an older host is shorter: nothing is written behind it. */
START_TEST(short_error)
{
	sp_error err;

	memset(&err, 0x5a, sizeof(err));
	err.size = offsetof(sp_error, msg);
	ck_assert_int_eq(pc_fail(&err, "key", 3, "message"), -1);
	ck_assert_int_eq(err.msg[0], 0x5a);
	ck_assert_int_eq(pc_fail(NULL, "key", 3, "message"), -1);
}
END_TEST

Suite *suite_common(void)
{
	Suite *s = suite_create("plugins/common");
	TCase *tc = tcase_create("common");

	tcase_add_loop_test(tc, strict_json, 0, sizeof(json) / sizeof(json[0]));
	tcase_add_test(tc, json_with_nul);
	tcase_add_loop_test(tc, base64url_decodes, 0, sizeof(base64url) / sizeof(base64url[0]));
	tcase_add_test(tc, claims_by_path);
	tcase_add_loop_test(tc, settings_refused, 0, 17);
	tcase_add_test(tc, settings_within);
	tcase_add_test(tc, settings_read);
	tcase_add_test(tc, short_error);
	suite_add_tcase(s, tc);
	return s;
}
