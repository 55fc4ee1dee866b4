/* Names in certificates, as the mtls plugin reads them. */
#include <stdlib.h>
#include <string.h>

#include "mtls/names.h"
#include "suites.h"

static const struct { const char *subject, *type; enum names_found found; const char *value; } subjects[] = {
	{ "CN=app,O=acme", "O", NAMES_ONE, "acme" },
	{ "CN=app,O=acme", "o", NAMES_ONE, "acme" },
	{ "CN=app,O=acme", "CN", NAMES_ONE, "app" },
	{ "O=acme", "O", NAMES_ONE, "acme" },
	{ "CN=app+O=acme,C=DE", "O", NAMES_ONE, "acme" },
	{ "CN=app,O=acme", "OU", NAMES_NONE, NULL },
	{ "", "O", NAMES_NONE, NULL },
	{ "O=", "O", NAMES_ONE, "" },
	/* a comma inside a value is no new attribute */
	{ "CN=app\\,O=evil,O=acme", "O", NAMES_ONE, "acme" },
	{ "CN=app\\,O=evil,O=acme", "CN", NAMES_ONE, "app,O=evil" },
	{ "CN=x\\+O=evil", "O", NAMES_NONE, NULL },
	{ "O=a\\\\,CN=b", "O", NAMES_ONE, "a\\" },
	{ "O=M\\C3\\BCller \\\"x\\\" \\<y\\>\\;", "O", NAMES_ONE, "M\xc3\xbcller \"x\" <y>;" },
	{ "O=\\ a\\ ", "O", NAMES_ONE, " a " },
	{ "O=\\#a", "O", NAMES_ONE, "#a" },
	/* two of them: neither */
	{ "O=acme,O=evil", "O", NAMES_SEVERAL, NULL },
	{ "O=acme+o=acme", "O", NAMES_SEVERAL, NULL },
	/* what is not text */
	{ "O=#0403616263", "O", NAMES_MALFORMED, NULL },
	{ "1.2.3=#0403616263,O=acme", "O", NAMES_ONE, "acme" },
	{ "O=\"acme\"", "O", NAMES_MALFORMED, NULL },
	{ "O=a\\00b", "O", NAMES_MALFORMED, NULL },
	{ "O=a\\", "O", NAMES_MALFORMED, NULL },
	{ "O=a\\x", "O", NAMES_MALFORMED, NULL },
	{ "acme", "O", NAMES_MALFORMED, NULL },
	{ "=acme", "O", NAMES_MALFORMED, NULL },
	{ "O=acme,", "O", NAMES_MALFORMED, NULL },
	{ "CN=a,junk", "O", NAMES_MALFORMED, NULL },
	{ "CN=a, O=acme", "O", NAMES_MALFORMED, NULL },
	{ "O=0123456789012345", "O", NAMES_MALFORMED, NULL }, /* does not fit */
};

START_TEST(subject)
{
	size_t len = strlen(subjects[_i].subject), n = 0;
	char *exact = malloc(len + 1), dst[16] = "";
	const char *value = subjects[_i].value;
	char big[64] = "";
	bool longer = value && strlen(value) >= sizeof(dst);
	enum names_found found;

	memcpy(exact, subjects[_i].subject, len + 1);
	exact = realloc(exact, len ? len : 1);
	found = names_attribute((sp_str){ exact, len }, subjects[_i].type, longer ? big : dst, longer ? sizeof(big) : sizeof(dst), &n);
	ck_assert_int_eq(found, subjects[_i].found);
	if (value) {
		ck_assert_str_eq(longer ? big : dst, value);
		ck_assert_uint_eq(n, strlen(value));
	}
	free(exact);
}
END_TEST

static const struct { const char *from, *sans; enum names_found found; const char *value; } sans[] = {
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:spiffe://corp/tenant/acme/app", NAMES_ONE, "acme" },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "DNS:x\nURI:spiffe://corp/tenant/acme/a/b\nEMAIL:y", NAMES_ONE, "acme" },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:spiffe://corp/tenant/acme/", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:spiffe://corp/tenant/acme", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:spiffe://corp/tenant//app", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:spiffe://corp.evil/tenant/acme/app", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:x spiffe://corp/tenant/acme/app", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "DNS:spiffe://corp/tenant/acme/app", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}/*", "URI:spiffe://corp/tenant/ac%2fme/app", NAMES_NONE, NULL },
	{ "san:URI:spiffe://corp/tenant/{tenant}", "URI:spiffe://corp/tenant/acme", NAMES_ONE, "acme" },
	{ "san:URI:spiffe://corp/tenant/{tenant}", "URI:spiffe://corp/tenant/acme.x~y_z-1", NAMES_ONE, "acme.x~y_z-1" },
	{ "san:URI:spiffe://corp/tenant/{tenant}", "URI:spiffe://corp/tenant/acme/app", NAMES_NONE, NULL },
	{ "san:URI:spiffe://{tenant}/sa/app", "URI:spiffe://acme/sa/app", NAMES_ONE, "acme" },
	{ "san:DNS:{tenant}.connect.example", "DNS:acme.connect.example", NAMES_ONE, "acme" },
	{ "san:DNS:{tenant}.connect.example", "DNS:a.acme.connect.example", NAMES_NONE, NULL },
	{ "san:DNS:{tenant}.connect.example", "DNS:*.connect.example", NAMES_NONE, NULL },
	{ "san:DNS:{tenant}.connect.example", "DNS:acme.connect.example.evil", NAMES_NONE, NULL },
	{ "san:EMAIL:{tenant}@example.com", "EMAIL:a.b@example.com", NAMES_ONE, "a.b" },
	{ "san:EMAIL:{tenant}@example.com", "email:acme@example.com", NAMES_ONE, "acme" },
	{ "san:EMAIL:{tenant}@example.com", "emailx:acme@example.com", NAMES_NONE, NULL },
	{ "san:DNS:{tenant}.x", "DNS:acme.x\nDNS:evil.x", NAMES_SEVERAL, NULL },
	{ "san:DNS:{tenant}.x", "DNS:acme.x\nDNS:acme.x", NAMES_ONE, "acme" },
	{ "san:DNS:{tenant}.x", "DNS:acmeacmeacmeacme.x", NAMES_MALFORMED, NULL }, /* does not fit */
	{ "san:DNS:{tenant}.x", "", NAMES_NONE, NULL },
	{ "san:DNS:{tenant}.x", "\n\nDNS\nDNS:\n", NAMES_NONE, NULL },
	{ "subject:O", "URI:x", NAMES_ONE, "acme" },
};

START_TEST(alternative)
{
	struct names_source s;
	const char *why = names_source_parse(sans[_i].from, &s);
	size_t len = strlen(sans[_i].sans), n = 0;
	char *exact = malloc(len + 1), dst[16] = "";
	sp_request r = { .size = sizeof(r), .cert_subject = { "CN=x,O=acme", 11 } };

	ck_assert_msg(!why, "%s", why);
	memcpy(exact, sans[_i].sans, len);
	exact = realloc(exact, len ? len : 1);
	r.cert_sans = (sp_str){ exact, len };
	ck_assert_int_eq(names_source_find(&s, &r, dst, sizeof(dst), &n), sans[_i].found);
	if (sans[_i].value) {
		ck_assert_str_eq(dst, sans[_i].value);
		ck_assert_uint_eq(n, strlen(sans[_i].value));
	}
	free(exact);
	names_source_deinit(&s);
}
END_TEST

static const struct { const char *from, *why; } refused[] = {
	{ "O", "must begin with" },
	{ "subject:", "names no attribute" },
	{ "subject:O=acme", "names no attribute" },
	{ "san:", "must go on" },
	{ "san:IP:{tenant}", "must go on" },
	{ "san:URI", "must go on" },
	{ "san:URI:spiffe://corp/acme", "no {tenant}" },
	{ "san:URI:{tenant}/{tenant}", "twice" },
	{ "san:URI:spiffe://*/{tenant}", "\"*\" before its end" },
	{ "san:URI:{tenant}/*/x", "\"*\" before its end" },
	{ "san:URI:{tenant}/**", "\"*\" before its end" },
	{ "san:URI:{tenant}*", "nothing between" },
	{ "san:URI:{tenant}app", "may hold" },
	{ "san:URI:{tenant}.app", "may hold" },
};

START_TEST(source_refused)
{
	struct names_source s;
	const char *why = names_source_parse(refused[_i].from, &s);

	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, refused[_i].why) != NULL, "%s", why);
}
END_TEST

Suite *suite_mtls_names(void)
{
	Suite *s = suite_create("mtls/names");
	TCase *tc = tcase_create("names");

	tcase_add_loop_test(tc, subject, 0, sizeof(subjects) / sizeof(subjects[0]));
	tcase_add_loop_test(tc, alternative, 0, sizeof(sans) / sizeof(sans[0]));
	tcase_add_loop_test(tc, source_refused, 0, sizeof(refused) / sizeof(refused[0]));
	suite_add_tcase(s, tc);
	return s;
}
