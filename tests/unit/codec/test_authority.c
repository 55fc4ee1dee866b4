#include "suites.h"

#include "base/error.h"
#include "codec/authority.h"

static const struct {
	const char *in, *out;
	uint16_t default_port;
	bool ipv6;
} good[] = {
	{ "a:1", "a:1", 0, false },
	{ "DB.Virtual:5432", "db.virtual:5432", 0, false },
	{ "a", "a:80", 80, false },
	{ "a:81", "a:81", 80, false },
	{ "a_b~c!$&'()*+,;=-.:65535", "a_b~c!$&'()*+,;=-.:65535", 0, false },
	{ "10.0.0.1:22", "10.0.0.1:22", 0, false },
	{ "010.0.0.1:22", "010.0.0.1:22", 0, false },
	{ "a.example.:1", "a.example.:1", 0, false },
	{ "[::1]:443", "[::1]:443", 0, true },
	{ "[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", 0, true },
	{ "[::1]", "[::1]:80", 80, true },
	{ "[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]:1", 0, true },
};

static const char *const bad[] = {
	"",	    ":",	 ":1",		 "a",	       "a:",	    "a:0",	  "a:00",      "a:01",	    "a:65536",
	"a:99999999999999999999", "a:+1", "a:-1", "a: 1",      "a:1 ",	    " a:1",	  "a:1:2",     "a:b",	    "a:0x1",
	"a/b:1",    "a?b:1",	 "a#b:1",	 "u@a:1",      "a\\b:1",    "a b:1",	  "a<b:1",     "a>b:1",	    "a%2eb:1",
	"a\"b:1",   "a^b:1",	 "a`b:1",	 "a{b:1",      "a|b:1",	    "a\tb:1",	  "a\nb:1",    "a\x7f:1",   "\xc3\xa4:1",
	"[::1]",    "[::1]:",	 "[::1]:0",	 "[::1",       "[]:1",	    "[a]:1",	  "[1.2.3.4]:1", "[::1%1]:1", "[::1%25lo]:1",
	"[::1]1",   "[::1]x80",   "[::1]x:1",	 "[[::1]]:1",	 "::1",	       "::1:1",	    "[::g]:1",	  "[v1.x]:1",  "]:1",	    "[:1",
	"a]:1",	    "[1:2:3:4:5:6:7:8:9]:1", "[::1::]:1",
};

START_TEST(accepted)
{
	struct sp_authority a, b;
	char text[SP_AUTHORITY_SIZE];

	ck_assert_int_eq(sp_authority_parse(sp_slice_str(good[_i].in), good[_i].default_port, &a), 0);
	ck_assert_str_eq(sp_authority_text(&a, text), good[_i].out);
	ck_assert(a.ipv6 == good[_i].ipv6);
	ck_assert_int_eq(sp_authority_parse(sp_slice_str(text), 0, &b), 0);
	ck_assert(sp_authority_eq(&a, &b));
}
END_TEST

START_TEST(refused)
{
	struct sp_slice in = exact_copy(sp_slice_str(bad[_i]));
	struct sp_authority a = { .host = "kept" };

	ck_assert_int_eq(sp_authority_parse(in, 0, &a), SP_EINVAL);
	ck_assert_str_eq(a.host, "kept");
	free((void *)(uintptr_t)in.p);
}
END_TEST

START_TEST(empty_port_has_no_default)
{
	struct sp_authority a;

	ck_assert_int_eq(sp_authority_parse(SP_SLICE("a:"), 80, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_parse(SP_SLICE("[::1]:"), 80, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_parse(SP_SLICE("a:0"), 80, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_parse(SP_SLICE_NONE, 80, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_parse(SP_SLICE("a\0b"), 80, &a), SP_EINVAL);
}
END_TEST

START_TEST(longest)
{
	struct sp_authority a;
	char host[257], text[SP_AUTHORITY_SIZE];

	memset(host, 'a', sizeof(host));
	ck_assert_int_eq(sp_authority_make(sp_slice_make(host, 255), 65535, &a), 0);
	ck_assert_uint_eq(strlen(sp_authority_text(&a, text)), 255 + 6);
	ck_assert_int_eq(sp_authority_parse(sp_slice_str(text), 0, &a), 0);
	ck_assert_int_eq(sp_authority_make(sp_slice_make(host, 256), 65535, &a), SP_EINVAL);
}
END_TEST

START_TEST(made_of_parts)
{
	static const uint8_t address[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	struct sp_authority a, b;
	char text[SP_AUTHORITY_SIZE];

	ck_assert_int_eq(sp_authority_make(SP_SLICE("A.b"), 7, &a), 0);
	ck_assert_str_eq(a.host, "a.b");
	ck_assert_int_eq(sp_authority_make(SP_SLICE("a"), 0, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_make(SP_SLICE(""), 1, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_make(SP_SLICE("a:1"), 1, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_make(SP_SLICE("[::1]"), 1, &a), SP_EINVAL);
	ck_assert_int_eq(sp_authority_make_ipv6(address, 443, &a), 0);
	ck_assert_str_eq(sp_authority_text(&a, text), "[2001:db8::7]:443");
	ck_assert_int_eq(sp_authority_make_ipv6(address, 0, &b), SP_EINVAL);
	ck_assert_int_eq(sp_authority_make(SP_SLICE("2001:db8:0::7"), 443, &b), 0);
	ck_assert(sp_authority_eq(&a, &b));
	b.port++;
	ck_assert(!sp_authority_eq(&a, &b));
}
END_TEST

Suite *sp_suite_authority(void)
{
	Suite *s = suite_create("codec/authority");
	TCase *t = tcase_create("authority");

	tcase_add_loop_test(t, accepted, 0, SP_COUNT_OF(good));
	tcase_add_loop_test(t, refused, 0, SP_COUNT_OF(bad));
	tcase_add_test(t, empty_port_has_no_default);
	tcase_add_test(t, longest);
	tcase_add_test(t, made_of_parts);
	suite_add_tcase(s, t);
	return s;
}
