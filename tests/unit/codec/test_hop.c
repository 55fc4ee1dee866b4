#include "suites.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "codec/hop.h"

static struct sp_http_request req;
static struct sp_http_response res;
static char text[65536];

static void fields_of(const char *lines, struct sp_fields *f)
{
	snprintf(text, sizeof(text), "%s\r\n", lines);
	ck_assert_int_eq(sp_http_fields_parse(sp_slice_str(text), SP_FIELDS_MAX, f), 0);
}

static void has(const struct sp_fields *f, const char *lines)
{
	struct sp_buf b = { 0 };
	unsigned i;

	for (i = 0; i < f->count; i++)
		ck_assert_int_eq(sp_buf_printf(&b, "%.*s: %.*s\r\n", SP_SLICE_ARG(f->v[i].name), SP_SLICE_ARG(f->v[i].value)), 0);
	ck_assert_str_eq(sp_buf_str(&b), lines);
	sp_buf_deinit(&b);
}

#define ALL_SIDES (1U << SP_HTTP_INTO_TUNNEL | 1U << SP_HTTP_TO_ORIGIN | 1U << SP_HTTP_FROM_ORIGIN | 1U << SP_HTTP_TO_CLIENT)

START_TEST(filter_names)
{
	static const struct {
		const char *name;
		unsigned stays; /* on these sides */
	} t[] = {
		{ "Accept", ALL_SIDES },
		{ "Host", ALL_SIDES },
		{ "Content-Length", ALL_SIDES },
		{ "Authorization", ALL_SIDES },
		{ "Cookie", ALL_SIDES },
		{ "Via", ALL_SIDES },
		{ "X-Forwarded-For", ALL_SIDES },
		{ "Proxied", ALL_SIDES },
		{ "Sap-Client", ALL_SIDES },
		{ "Connection", 0 },
		{ "Keep-Alive", 0 },
		{ "Transfer-Encoding", 0 },
		{ "TRAILER", 0 },
		{ "Upgrade", 0 },
		{ "HTTP2-Settings", 0 },
		{ "TE", 0 },
		{ "Transfer_Encoding", 0 },
		{ "Content_Length", 0 },
		{ "Proxy-Connection", 0 },
		{ "Proxy-Authorization", 0 },
		{ "Proxy_Authorization", 0 },
		{ "Proxy-Authenticate", 0 },
		{ "proxy-anything", 0 },
		{ "Proxy-Status", 1U << SP_HTTP_TO_CLIENT },
		{ "SAP-Connectivity-SCC-Location_ID", 0 },
		{ "sap-connectivity-region-configuration-id", 0 },
		{ "SAP-CP-Connectivity-Service-Token", 0 },
		{ "SAP_CP_Connectivity_Service_Token", 0 },
		{ "SAP-Connectivity-Authentication", 1U << SP_HTTP_INTO_TUNNEL },
		{ "sap-connectivity-technical-authentication", 1U << SP_HTTP_INTO_TUNNEL },
		{ "SAP_Connectivity_Authentication", 0 },
		{ "Sallyport-Tenant", 0 },
		{ "Sallyport_Tenant", 0 },
		{ "sallyport-location", 0 },
		{ "Sallyport-Exchange", 1U << SP_HTTP_TO_CLIENT },
	};
	size_t i;
	unsigned side;

	for (i = 0; i < SP_COUNT_OF(t); i++)
		for (side = 0; side < 4; side++) {
			struct sp_fields f = { 0 };

			sp_fields_add(&f, sp_slice_str(t[i].name), SP_SLICE("x"));
			ck_assert_int_eq(sp_http_filter(&f, (enum sp_http_side)side), 0);
			ck_assert_msg(f.count == (t[i].stays >> side & 1), "%s, side %u", t[i].name, side);
		}
}
END_TEST

START_TEST(filter_named_by_connection)
{
	struct sp_fields f;

	fields_of("A: 1\r\nConnection: close, B\r\nB: 2\r\nC: 3\r\nb: 4\r\nconnection: ,,c,\r\nD: 5\r\n", &f);
	ck_assert_int_eq(sp_http_filter(&f, SP_HTTP_TO_ORIGIN), 0);
	has(&f, "A: 1\r\nD: 5\r\n");
}
END_TEST

START_TEST(filter_te)
{
	struct sp_fields f;

	fields_of("TE: gzip;q=0.5, Trailers\r\nConnection: TE\r\nte: trailers\r\n", &f);
	ck_assert_int_eq(sp_http_filter(&f, SP_HTTP_INTO_TUNNEL), 0);
	has(&f, "TE: trailers\r\n");
	fields_of("TE: gzip\r\n", &f);
	ck_assert_int_eq(sp_http_filter(&f, SP_HTTP_INTO_TUNNEL), 0);
	has(&f, "");
}
END_TEST

START_TEST(filter_many_options)
{
	struct sp_buf b = { 0 };
	struct sp_fields f;
	int i;

	ck_assert_int_eq(sp_buf_append_str(&b, "X: y\r\nConnection: "), 0);
	for (i = 0; i < SP_CONNECTION_OPTIONS_MAX; i++)
		ck_assert_int_eq(sp_buf_append_str(&b, i ? ",a" : "a"), 0);
	ck_assert_int_eq(sp_buf_append_str(&b, "\r\n"), 0);
	fields_of(sp_buf_str(&b), &f);
	ck_assert_int_eq(sp_http_filter(&f, SP_HTTP_TO_ORIGIN), 0);
	has(&f, "X: y\r\n");
	ck_assert_int_eq(sp_buf_append_str(&b, "Connection: x\r\n"), 0);
	fields_of(sp_buf_str(&b), &f);
	ck_assert_int_eq(sp_http_filter(&f, SP_HTTP_TO_ORIGIN), SP_EPROTO);
	ck_assert_int_eq(sp_http_parse_refusal(), SP_HTTP_REFUSAL_CONNECTION_OPTIONS);
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(filter_keeps_secrets_secret)
{
	struct sp_fields f;

	fields_of("Connection: close\r\nCookie: a\r\nX: y\r\n", &f);
	ck_assert_int_eq(sp_http_filter(&f, SP_HTTP_TO_ORIGIN), 0);
	ck_assert(f.v[0].secret);
	ck_assert(!f.v[1].secret);
}
END_TEST

START_TEST(trailer_names)
{
	static const char *const allowed[] = { "X-Checksum", "Grpc-Status", "ETag", "Server-Timing", "Digest", "Repr-Digest", "Accept-Ranges" };
	static const char *const forbidden[] = {
		"Transfer-Encoding", "Content-Length", "Host", "Cache-Control", "Expect", "Max-Forwards", "Pragma", "Range", "TE",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "WWW-Authenticate",
		"Authorization", "Proxy-Authenticate", "Proxy-Authorization", "Cookie", "Set-Cookie", "Age", "Expires", "Date",
		"Location", "Retry-After", "Vary", "Warning", "Content-Encoding", "Content-Type", "Content-Range", "Trailer",
		"Connection", "Keep-Alive", "Upgrade", "Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Proxy-Status",
		"Sallyport-Tenant", "Sallyport-Exchange", "SAP-Connectivity-Authentication", "Access-Control-Allow-Origin",
		"content_length", "transfer_encoding",
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(allowed); i++)
		ck_assert_msg(sp_http_trailer_is_allowed(sp_slice_str(allowed[i])), "%s", allowed[i]);
	for (i = 0; i < SP_COUNT_OF(forbidden); i++)
		ck_assert_msg(!sp_http_trailer_is_allowed(sp_slice_str(forbidden[i])), "%s", forbidden[i]);
}
END_TEST

START_TEST(via)
{
	struct sp_fields f;

	fields_of("Via: 1.1 sallyport, 1.0 fred (sallyport), HTTP/1.1 Sallyport (a, b), 2 sallyport:80\r\nX: sallyport\r\nvia: 1.1 sallyport\r\n", &f);
	ck_assert_uint_eq(sp_http_via_count(&f), 3);
	fields_of("X: y\r\n", &f);
	ck_assert_uint_eq(sp_http_via_count(&f), 0);
	ck_assert_int_eq(sp_http_via_add(&f, 1), 0);
	ck_assert_int_eq(sp_http_via_add(&f, 0), 0);
	has(&f, "X: y\r\nVia: 1.1 sallyport\r\nVia: 1.0 sallyport\r\n");
	ck_assert_uint_eq(sp_http_via_count(&f), 2);
	while (f.count < SP_FIELDS_MAX)
		ck_assert_int_eq(sp_http_via_add(&f, 1), 0);
	ck_assert_int_eq(sp_http_via_add(&f, 1), SP_ETOOBIG);
}
END_TEST

static void request(const char *first, const char *lines)
{
	snprintf(text, sizeof(text), "%s\r\nHost: a\r\n%s\r\n", first, lines);
	ck_assert_msg(sp_http_request_parse(sp_slice_str(text), sizeof(text), &req) > 0, "%s: %s", text, sp_http_parse_detail());
}

START_TEST(expect)
{
	static const struct {
		const char *first, *lines;
		enum sp_http_expect expect;
	} t[] = {
		{ "PUT / HTTP/1.1", "Content-Length: 1\r\n", SP_EXPECT_NOTHING },
		{ "PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: 100-continue\r\n", SP_EXPECT_CONTINUE },
		{ "PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\nexpect: 100-Continue\r\n", SP_EXPECT_CONTINUE },
		{ "PUT / HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n", SP_EXPECT_NOTHING },
		{ "PUT / HTTP/1.1", "Expect: 100-continue\r\n", SP_EXPECT_NOTHING },
		{ "PUT / HTTP/1.0", "Content-Length: 1\r\nExpect: 100-continue\r\n", SP_EXPECT_NOTHING },
		{ "PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: 200-ok\r\n", SP_EXPECT_UNKNOWN },
		{ "PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: 100-continue, x\r\n", SP_EXPECT_UNKNOWN },
		{ "PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: 100-continue\r\nExpect: x\r\n", SP_EXPECT_UNKNOWN },
		{ "PUT / HTTP/1.1", "Content-Length: 1\r\nExpect:\r\n", SP_EXPECT_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		request(t[i].first, t[i].lines);
		ck_assert_msg(sp_http_expects(&req) == t[i].expect, "%s %s", t[i].first, t[i].lines);
	}
}
END_TEST

START_TEST(request_persists)
{
	static const struct {
		const char *first, *lines;
		bool persists;
	} t[] = {
		{ "GET / HTTP/1.1", "", true },
		{ "GET / HTTP/1.1", "Connection: keep-alive\r\n", true },
		{ "GET / HTTP/1.1", "Connection: Close\r\n", false },
		{ "GET / HTTP/1.1", "Connection: TE, close\r\n", false },
		{ "GET / HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false },
		{ "GET / HTTP/1.1", "Proxy-Connection: close\r\n", false },
		{ "GET / HTTP/1.1", "Proxy-Connection: keep-alive\r\n", true },
		{ "GET / HTTP/1.0", "", false },
		{ "GET / HTTP/1.0", "Connection: keep-alive\r\n", false },
		{ "GET / HTTP/1.1", "X: close\r\n", true },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		request(t[i].first, t[i].lines);
		ck_assert_msg(sp_http_request_persists(&req) == t[i].persists, "%s %s", t[i].first, t[i].lines);
	}
}
END_TEST

START_TEST(response_persists)
{
	static const struct {
		const char *head, *method;
		bool persists;
	} t[] = {
		{ "1.1 200 x\r\nContent-Length: 1\r\n", "GET", true },
		{ "1.1 200 x\r\nTransfer-Encoding: chunked\r\n", "GET", true },
		{ "1.1 200 x\r\n", "GET", false },
		{ "1.1 200 x\r\n", "HEAD", true },
		{ "1.1 204 x\r\n", "GET", true },
		{ "1.1 304 x\r\n", "GET", true },
		{ "1.1 101 x\r\n", "GET", false },
		{ "1.1 200 x\r\nContent-Length: 1\r\n", "CONNECT", false },
		{ "1.1 200 x\r\nContent-Length: 1\r\nConnection: close\r\n", "GET", false },
		{ "1.0 200 x\r\nContent-Length: 1\r\n", "GET", false },
		{ "1.0 200 x\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n", "GET", true },
		{ "1.0 200 x\r\nConnection: Keep-Alive\r\n", "GET", false },
		{ "1.0 200 x\r\nContent-Length: 1\r\nConnection: keep-alive, close\r\n", "GET", false },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		snprintf(text, sizeof(text), "HTTP/%s\r\n", t[i].head);
		ck_assert_int_gt(sp_http_response_parse(sp_slice_str(text), sizeof(text), &res), 0);
		ck_assert_msg(sp_http_response_persists(&res, sp_slice_str(t[i].method)) == t[i].persists, "%s", text);
	}
}
END_TEST

START_TEST(upgrade)
{
	static const struct {
		const char *first, *lines, *protocol; /* NULL: none */
	} t[] = {
		{ "GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket" },
		{ "GET / HTTP/1.1", "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", "WebSocket" },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: a/1\r\nContent-Length: 0\r\n", "a/1" },
		{ "GET / HTTP/1.1", "Upgrade: websocket\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\n", NULL },
		{ "GET / HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: x\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket, x\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket x\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: a/\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: /1\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: a/1/2\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade:\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", NULL },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", NULL },
		{ "CONNECT a:80 HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", NULL },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice got;

		request(t[i].first, t[i].lines);
		got = sp_http_upgrade(&req);
		if (t[i].protocol)
			ck_assert_msg(sp_slice_eq_str(got, t[i].protocol), "%s %s", t[i].first, t[i].lines);
		else
			ck_assert_msg(got.p == NULL, "%s %s", t[i].first, t[i].lines);
	}
}
END_TEST

Suite *sp_suite_hop(void)
{
	Suite *s = suite_create("codec/hop");
	TCase *t = tcase_create("hop");

	tcase_add_test(t, filter_names);
	tcase_add_test(t, filter_named_by_connection);
	tcase_add_test(t, filter_te);
	tcase_add_test(t, filter_many_options);
	tcase_add_test(t, filter_keeps_secrets_secret);
	tcase_add_test(t, trailer_names);
	tcase_add_test(t, via);
	tcase_add_test(t, expect);
	tcase_add_test(t, request_persists);
	tcase_add_test(t, response_persists);
	tcase_add_test(t, upgrade);
	suite_add_tcase(s, t);
	return s;
}
