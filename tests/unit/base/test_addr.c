#include "suites.h"

#include <string.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/must.h"

static const char *const good[] = { "127.0.0.1:20004", "0.0.0.0:0", "[::1]:80", "[::]:65535", "[2001:db8::1]:443",
				    "unix:/run/sallyport/x.sock" };
static const char *const bad[] = {
	"",		"127.0.0.1",	 "127.0.0.1:",	  "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1",
	"::1:80",	"[::1]",	 "[::1",	  "::1]:80",	     "[127.0.0.1]:1", "[]:1",	      "localhost:1",
	":80",		"1.2.3:80",	 "1.2.3.4.5:80",  "[::1%lo]:80",     "unix:",	      "256.0.0.1:1", "[::1]80",
	"[::1]x:80",
};

START_TEST(round_trip)
{
	struct sp_addr a;
	char text[SP_ADDR_TEXT_SIZE];

	ck_assert_int_eq(sp_addr_parse(good[_i], &a), 0);
	ck_assert_str_eq(sp_addr_text(&a, text), good[_i]);
}
END_TEST

START_TEST(refused)
{
	struct sp_addr a = { .len = 77 };

	ck_assert_int_eq(sp_addr_parse(bad[_i], &a), SP_EINVAL);
	ck_assert_uint_eq(a.len, 77);
}
END_TEST

START_TEST(long_unix_path)
{
	struct sp_addr a;
	char text[SP_ADDR_TEXT_SIZE + 8] = "unix:", back[SP_ADDR_TEXT_SIZE];

	memset(text + 5, 'x', sizeof(a.un.sun_path) - 1);
	text[5 + sizeof(a.un.sun_path) - 1] = '\0';
	ck_assert_int_eq(sp_addr_parse(text, &a), 0);
	ck_assert_str_eq(sp_addr_text(&a, back), text);
	strcat(text, "x");
	ck_assert_int_eq(sp_addr_parse(text, &a), SP_EINVAL);
}
END_TEST

START_TEST(local)
{
	static const struct {
		const char *text;
		bool local;
		unsigned port;
	} t[] = {
		{ "127.0.0.1:1", true, 1 },	      { "127.255.255.255:0", true, 0 },
		{ "126.0.0.1:1", false, 1 },	      { "128.0.0.1:1", false, 1 },
		{ "0.0.0.0:65535", false, 65535 },    { "[::1]:7", true, 7 },
		{ "[::]:7", false, 7 },		      { "[::ffff:127.0.0.9]:7", true, 7 },
		{ "[::ffff:10.0.0.9]:7", false, 7 },  { "[::127.0.0.1]:7", false, 7 },
		{ "[fe80::1]:7", false, 7 },	      { "unix:/x", true, 0 },
	};
	struct sp_addr a;
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		ck_assert_int_eq(sp_addr_parse(t[i].text, &a), 0);
		ck_assert_msg(sp_addr_is_local(&a) == t[i].local, "%s", t[i].text);
		ck_assert_uint_eq(sp_addr_port(&a), t[i].port);
	}
}
END_TEST

/* What accept() gives for the peer of a Unix socket, and a family we do not know. */
START_TEST(nameless)
{
	struct sp_addr a = { 0 };
	char text[SP_ADDR_TEXT_SIZE];

	a.un.sun_family = AF_UNIX;
	a.len = sizeof(sa_family_t);
	ck_assert_str_eq(sp_addr_text(&a, text), "unix:");
	a.sa.sa_family = AF_UNSPEC;
	ck_assert(!sp_addr_is_local(&a));
	ck_assert_str_eq(sp_addr_text(&a, text), "unknown");
}
END_TEST

Suite *sp_suite_addr(void)
{
	Suite *s = suite_create("base/addr");
	TCase *t = tcase_create("addr");

	tcase_add_loop_test(t, round_trip, 0, SP_COUNT_OF(good));
	tcase_add_loop_test(t, refused, 0, SP_COUNT_OF(bad));
	tcase_add_test(t, long_unix_path);
	tcase_add_test(t, local);
	tcase_add_test(t, nameless);
	suite_add_tcase(s, t);
	return s;
}
