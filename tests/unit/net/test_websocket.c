/* The handshake of WebSocket: RFC 6455 section 1.3 has an example. */
#include <check.h>

#include "base/error.h"
#include "net/websocket.h"
#include "suites.h"

START_TEST(accept)
{
	static const char *const bad[] = { "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ==x", "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQ0K" };
	char out[SP_WEBSOCKET_ACCEPT_SIZE];

	ck_assert_int_eq(sp_websocket_accept(SP_SLICE("dGhlIHNhbXBsZSBub25jZQ=="), out), 0);
	ck_assert_str_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(sp_websocket_accept(sp_slice_str(bad[i]), out), SP_EPROTO);
	ck_assert_int_eq(sp_websocket_accept(SP_SLICE_NONE, out), SP_EPROTO);
}
END_TEST

START_TEST(key)
{
	char a[SP_WEBSOCKET_KEY_SIZE], b[SP_WEBSOCKET_KEY_SIZE], out[SP_WEBSOCKET_ACCEPT_SIZE];

	ck_assert_int_eq(sp_websocket_key(a), 0);
	ck_assert_int_eq(sp_websocket_key(b), 0);
	ck_assert_str_ne(a, b);
	ck_assert_int_eq(sp_websocket_accept(sp_slice_str(a), out), 0);
	ck_assert_uint_eq(strlen(out), SP_WEBSOCKET_ACCEPT_SIZE - 1);
}
END_TEST

Suite *sp_suite_websocket(void)
{
	Suite *s = suite_create("websocket");
	TCase *t = tcase_create("websocket");

	tcase_add_test(t, accept);
	tcase_add_test(t, key);
	suite_add_tcase(s, t);
	return s;
}
