#include "suites.h"

#include "base/error.h"
#include "codec/socks5.h"

static struct sp_socks_greeting greeting;
static struct sp_socks_userpass userpass;
static struct sp_socks_token token;
static struct sp_socks_request request;

#define MAX_TOKEN 300

static long parse_greeting(struct sp_slice in)
{
	return sp_socks_greeting_parse(in, &greeting);
}

static long parse_userpass(struct sp_slice in)
{
	return sp_socks_userpass_parse(in, &userpass);
}

static long parse_token(struct sp_slice in)
{
	return sp_socks_token_parse(in, MAX_TOKEN, &token);
}

static long parse_request(struct sp_slice in)
{
	return sp_socks_request_parse(in, &request);
}

/* Every split of the message, alone and followed by other bytes; then once more for the values. */
#define WHOLE(parse, literal)                                                                                          \
	do {                                                                                                           \
		check_prefixes(#literal, SP_SLICE(literal), sizeof(literal) - 1, parse);                               \
		check_prefixes(#literal, SP_SLICE(literal "\x05\x01"), sizeof(literal) - 1, parse);                     \
		ck_assert_int_eq(parse(SP_SLICE(literal)), sizeof(literal) - 1);                                       \
	} while (0)
#define REFUSED(parse, literal, err) check_prefixes(#literal, SP_SLICE(literal), err, parse)

START_TEST(greetings)
{
	WHOLE(parse_greeting, "\x05\x03\x00\x01\x02");
	ck_assert_uint_eq(greeting.count, 3);
	ck_assert(sp_socks_greeting_offers(&greeting, SP_SOCKS_METHOD_NONE));
	ck_assert(sp_socks_greeting_offers(&greeting, SP_SOCKS_METHOD_USERPASS));
	ck_assert(!sp_socks_greeting_offers(&greeting, SP_SOCKS_METHOD_TOKEN));
	WHOLE(parse_greeting, "\x05\x01\x80");
	ck_assert(sp_socks_greeting_offers(&greeting, SP_SOCKS_METHOD_TOKEN));
	WHOLE(parse_greeting, "\x05\x00");
	ck_assert(!sp_socks_greeting_offers(&greeting, SP_SOCKS_METHOD_NONE));
	REFUSED(parse_greeting, "\x04\x01\x00\x50", SP_EPROTO); /* SOCKS4 */
	REFUSED(parse_greeting, "GET / HTTP/1.1\r\n", SP_EPROTO);
}
END_TEST

START_TEST(longest_greeting)
{
	uint8_t in[2 + 255] = { 5, 255 };

	memset(in + 2, 0x77, 255);
	check_prefixes("255 methods", sp_slice_make(in, sizeof(in)), sizeof(in), parse_greeting);
}
END_TEST

START_TEST(userpasses)
{
	WHOLE(parse_userpass, "\x01\x04user\x06secret");
	ck_assert(sp_slice_eq_str(userpass.user, "user"));
	ck_assert(sp_slice_eq_str(userpass.password, "secret"));
	WHOLE(parse_userpass, "\x01\x00\x00");
	ck_assert_uint_eq(userpass.user.n + userpass.password.n, 0);
	ck_assert_ptr_nonnull(userpass.password.p);
	REFUSED(parse_userpass, "\x05\x04user\x06secret", SP_EPROTO);
}
END_TEST

START_TEST(longest_userpass)
{
	uint8_t in[3 + 2 * 255] = { 1, 255 };

	memset(in + 2, 'u', 255);
	in[2 + 255] = 255;
	memset(in + 3 + 255, 'p', 255);
	check_prefixes("255 + 255", sp_slice_make(in, sizeof(in)), sizeof(in), parse_userpass);
	parse_userpass(sp_slice_make(in, sizeof(in)));
	ck_assert_uint_eq(userpass.user.n, 255);
	ck_assert_uint_eq(userpass.password.n, 255);
}
END_TEST

START_TEST(tokens)
{
	WHOLE(parse_token, "\x01\x00\x00\x00\x05" "a.b.c" "\x08" "bG9jMQ==");
	ck_assert(sp_slice_eq_str(token.token, "a.b.c"));
	ck_assert_str_eq(token.location, "loc1");
	WHOLE(parse_token, "\x01\x00\x00\x00\x05" "a.b.c" "\x00");
	ck_assert_str_eq(token.location, "");
	WHOLE(parse_token, "\x01\x00\x00\x00\x00\x00");
	ck_assert_uint_eq(token.token.n, 0);
	WHOLE(parse_token, "\x01\x00\x00\x00\x01" "a" "\x04" "w6Qg"); /* "ä " */
	ck_assert_str_eq(token.location, "\xc3\xa4 ");
	REFUSED(parse_token, "\x02\x00\x00\x00\x01" "a" "\x00", SP_EPROTO);
	REFUSED(parse_token, "\x01\x00\x00\x01\x2d" "a", SP_ETOOBIG); /* 301 */
	REFUSED(parse_token, "\x01\xff\xff\xff\xff" "a", SP_ETOOBIG);
	REFUSED(parse_token, "\x01\x80\x00\x00\x00" "a", SP_ETOOBIG);
}
END_TEST

START_TEST(token_locations_refused)
{
	static const char *const bad[] = {
		"bG9", "bG9jMQ", "bG9jMQ=", "bG9jMR==", "bG9j\n", "bG9-", "====", /* not canonical base64 */
		"YQBi", "YQ1i", "fw==", "woA=",					  /* NUL, CR, DEL, U+0080 */
		"w6Q=w6Q=", "ww==", "7aCA",					  /* padding inside; no UTF-8 */
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(bad); i++) {
		uint8_t in[64] = { 1, 0, 0, 0, 1, 'a', (uint8_t)strlen(bad[i]) };

		memcpy(in + 7, bad[i], strlen(bad[i]));
		check_prefixes(bad[i], sp_slice_make(in, 7 + strlen(bad[i])), SP_EPROTO, parse_token);
	}
}
END_TEST

START_TEST(longest_token)
{
	uint8_t in[5 + MAX_TOKEN + 1 + 252] = { 1, 0, 0, MAX_TOKEN >> 8, MAX_TOKEN & 0xff };
	size_t i;

	memset(in + 5, 't', MAX_TOKEN);
	in[5 + MAX_TOKEN] = 252;
	for (i = 0; i < 252; i++)
		in[5 + MAX_TOKEN + 1 + i] = (uint8_t)"YWFh"[i % 4]; /* "aaa" */
	check_prefixes("longest", sp_slice_make(in, sizeof(in)), sizeof(in), parse_token);
	parse_token(sp_slice_make(in, sizeof(in)));
	ck_assert_uint_eq(token.token.n, MAX_TOKEN);
	ck_assert_uint_eq(strlen(token.location), 189);
}
END_TEST

START_TEST(requests)
{
	WHOLE(parse_request, "\x05\x01\x00\x03\x0a" "DB.virtual" "\x15\x38");
	ck_assert_uint_eq(request.command, SP_SOCKS_CMD_CONNECT);
	ck_assert(request.address_known);
	ck_assert_str_eq(request.target.host, "db.virtual");
	ck_assert_uint_eq(request.target.port, 5432);
	ck_assert(!request.target.ipv6);
	WHOLE(parse_request, "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x16");
	ck_assert_str_eq(request.target.host, "10.0.0.1");
	ck_assert_uint_eq(request.target.port, 22);
	WHOLE(parse_request, "\x05\x02\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xff\xff");
	ck_assert_uint_eq(request.command, SP_SOCKS_CMD_BIND);
	ck_assert(request.target.ipv6);
	ck_assert_str_eq(request.target.host, "2001:db8::1");
	ck_assert_uint_eq(request.target.port, 65535);
	WHOLE(parse_request, "\x05\x03\x00\x03\x08" "10.0.0.1" "\x00\x01");
	ck_assert_str_eq(request.target.host, "10.0.0.1");
	REFUSED(parse_request, "\x04\x01\x00\x01\x0a\x00\x00\x01\x00\x16", SP_EPROTO);
	REFUSED(parse_request, "\x05\x01\x01\x01\x0a\x00\x00\x01\x00\x16", SP_EPROTO);
}
END_TEST

START_TEST(requests_without_a_valid_target)
{
	WHOLE(parse_request, "\x05\x01\x00\x03\x00\x00\x50");
	ck_assert_str_eq(request.target.host, "");
	ck_assert_uint_eq(request.target.port, 80);
	ck_assert(request.address_known);
	WHOLE(parse_request, "\x05\x01\x00\x03\x03" "a b" "\x00\x50");
	ck_assert_str_eq(request.target.host, "");
	ck_assert_uint_eq(request.target.port, 80);
	WHOLE(parse_request, "\x05\x01\x00\x03\x03" "a\0b" "\x00\x50");
	ck_assert_str_eq(request.target.host, "");
	WHOLE(parse_request, "\x05\x01\x00\x03\x05" "[::1]" "\x00\x50");
	ck_assert_str_eq(request.target.host, "");
	WHOLE(parse_request, "\x05\x01\x00\x03\x01" "a" "\x00\x00"); /* port 0 */
	ck_assert_str_eq(request.target.host, "");
	WHOLE(parse_request, "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x00");
	ck_assert_str_eq(request.target.host, "");
}
END_TEST

START_TEST(unknown_address_types)
{
	WHOLE(parse_request, "\x05\x01\x00\x02");
	ck_assert(!request.address_known);
	WHOLE(parse_request, "\x05\x01\x00\x00");
	WHOLE(parse_request, "\x05\x01\x00\xff");
	ck_assert_uint_eq(request.command, SP_SOCKS_CMD_CONNECT);
}
END_TEST

START_TEST(longest_name)
{
	uint8_t in[5 + 255 + 2] = { 5, 1, 0, 3, 255 };

	memset(in + 5, 'x', 255);
	in[5 + 255 + 1] = 1;
	check_prefixes("255", sp_slice_make(in, sizeof(in)), sizeof(in), parse_request);
	parse_request(sp_slice_make(in, sizeof(in)));
	ck_assert_uint_eq(strlen(request.target.host), 255);
}
END_TEST

START_TEST(reply)
{
	uint8_t dst[SP_SOCKS_REPLY_SIZE];

	memset(dst, 0xee, sizeof(dst));
	sp_socks_reply_write(0x04, dst);
	ck_assert_mem_eq(dst, "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00", sizeof(dst));
}
END_TEST

Suite *sp_suite_socks5(void)
{
	Suite *s = suite_create("codec/socks5");
	TCase *t = tcase_create("socks5");

	tcase_add_test(t, greetings);
	tcase_add_test(t, longest_greeting);
	tcase_add_test(t, userpasses);
	tcase_add_test(t, longest_userpass);
	tcase_add_test(t, tokens);
	tcase_add_test(t, token_locations_refused);
	tcase_add_test(t, longest_token);
	tcase_add_test(t, requests);
	tcase_add_test(t, requests_without_a_valid_target);
	tcase_add_test(t, unknown_address_types);
	tcase_add_test(t, longest_name);
	tcase_add_test(t, reply);
	suite_add_tcase(s, t);
	return s;
}
