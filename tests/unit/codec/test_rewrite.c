/* Names of systems in their responses. */
#include <check.h>

#include "base/list.h"
#include "codec/rewrite.h"
#include "suites.h"

enum kind { PLAIN, SECURE, PORT_80 };

static const struct {
	enum kind kind;
	const char *in, *out; /* out NULL: it stays */
} locations[] = {
	{ PLAIN, "http://erp.corp.local:8000/a?b#c", "http://erp.virtual:44300/a?b#c" },
	{ PLAIN, "HTTP://ERP.corp.local:8000", "http://erp.virtual:44300" },
	{ PLAIN, "http://erp.corp.local:8000?x", "http://erp.virtual:44300?x" },
	{ PLAIN, "//erp.corp.local:8000/a", "//erp.virtual:44300/a" },
	{ PLAIN, "http://erp.virtual:44300/a", "http://erp.virtual:44300/a" },
	{ PLAIN, "http://erp.corp.local/a", NULL },
	{ PLAIN, "http://erp.corp.local:8001/a", NULL },
	{ PLAIN, "http://other.local:8000/a", NULL },
	{ PLAIN, "http://erp.corp.local.evil:8000/a", NULL },
	{ PLAIN, "http://user@erp.corp.local:8000/a", NULL },
	{ PLAIN, "ftp://erp.corp.local:8000/a", NULL },
	{ PLAIN, "/a/b", NULL },
	{ PLAIN, "a:b", NULL },
	{ PLAIN, "", NULL },
	{ PLAIN, "http://", NULL },
	{ SECURE, "https://erp.corp.local/a", "http://erp.virtual:44300/a" },
	{ SECURE, "https://erp.corp.local:443/a", "http://erp.virtual:44300/a" },
	{ SECURE, "//erp.corp.local/a", "//erp.virtual:44300/a" },
	{ SECURE, "https://erp.virtual:44300/a", "http://erp.virtual:44300/a" },
	{ SECURE, "https://erp.virtual/a", "http://erp.virtual:44300/a" },
	{ SECURE, "https://erp.virtual:1/a", NULL },
	{ PORT_80, "http://erp.corp.local:8000/a", "http://erp.virtual/a" },
	{ PORT_80, "https://erp.virtual/a", "http://erp.virtual/a" },
};

static const struct {
	enum kind kind;
	const char *in, *out;
} cookies[] = {
	{ PLAIN, "a=b", NULL },
	{ PLAIN, "a=b; Path=/; HttpOnly", NULL },
	{ PLAIN, "a=b; Domain=erp.corp.local; Path=/", "a=b; Domain=erp.virtual; Path=/" },
	{ PLAIN, "a=b;domain = .ERP.corp.local ;Secure", "a=b; Domain=erp.virtual;Secure" },
	{ PLAIN, "a=b; Domain=corp.local", "a=b; Domain=erp.virtual" },
	{ PLAIN, "a=b; Domain=.corp.local", "a=b; Domain=erp.virtual" },
	{ PLAIN, "a=b; Domain=orp.local", NULL },
	{ PLAIN, "a=b; Domain=x.erp.corp.local", NULL },
	{ PLAIN, "a=b; Domain=other.local", NULL },
	{ PLAIN, "a=b; Domain=", NULL },
	{ PLAIN, "a=b; Domain", NULL },
	{ PLAIN, "Domain=erp.corp.local", NULL }, /* the cookie's own name */
	{ PLAIN, "", NULL },
	{ PLAIN, ";", NULL },
	{ SECURE, "a=b; Secure; HttpOnly", "a=b; HttpOnly" },
	{ SECURE, "a=b; secure ", "a=b" },
	{ SECURE, "secure; Path=/", NULL },
	{ SECURE, "a=b; Domain=erp.corp.local; SECURE", "a=b; Domain=erp.virtual" },
};

static struct sp_authority internal, virtual;

static struct sp_rewrite rewrite(enum kind k)
{
	ck_assert_int_eq(sp_authority_make(SP_SLICE("erp.corp.local"), k == SECURE ? 443 : 8000, &internal), 0);
	ck_assert_int_eq(sp_authority_make(SP_SLICE("erp.virtual"), k == PORT_80 ? 80 : 44300, &virtual), 0);
	return (struct sp_rewrite){ &internal, &virtual, k == SECURE };
}

typedef int rewrite_fn(const struct sp_rewrite *r, struct sp_slice value, struct sp_buf *out);

static void check(rewrite_fn *fn, enum kind kind, const char *in, const char *want)
{
	struct sp_rewrite r = rewrite(kind);
	struct sp_buf out = { 0 };

	ck_assert_int_eq(sp_buf_append_str(&out, "x"), 0);
	ck_assert_int_eq(fn(&r, sp_slice_str(in), &out), want != NULL);
	ck_assert_str_eq(sp_buf_str(&out) + 1, want ? want : "");
	sp_buf_deinit(&out);
}

START_TEST(location)
{
	check(sp_rewrite_location, locations[_i].kind, locations[_i].in, locations[_i].out);
}
END_TEST

START_TEST(cookie)
{
	check(sp_rewrite_cookie, cookies[_i].kind, cookies[_i].in, cookies[_i].out);
}
END_TEST

Suite *sp_suite_rewrite(void)
{
	Suite *s = suite_create("rewrite");
	TCase *t = tcase_create("rewrite");

	tcase_add_loop_test(t, location, 0, (int)SP_COUNT_OF(locations));
	tcase_add_loop_test(t, cookie, 0, (int)SP_COUNT_OF(cookies));
	suite_add_tcase(s, t);
	return s;
}
