#include "suites.h"

#include <stdio.h>

#include "base/buf.h"
#include "codec/http1.h"
#include "http1_cases.h"

#define MAX_BYTES 16384

static struct sp_http_request req;
static struct sp_http_response res;

static long parse_request(struct sp_slice in)
{
	return sp_http_request_parse(in, MAX_BYTES, &req);
}

static long parse_response(struct sp_slice in)
{
	return sp_http_response_parse(in, MAX_BYTES, &res);
}

START_TEST(request_cases)
{
	const struct http1_case *c = &http1_requests[_i];

	check_prefixes(c->name, sp_slice_make(c->in, c->n), c->verdict, parse_request);
}
END_TEST

START_TEST(response_cases)
{
	const struct http1_case *c = &http1_responses[_i];

	check_prefixes(c->name, sp_slice_make(c->in, c->n), c->verdict, parse_response);
}
END_TEST

static void request(const char *text)
{
	long n = parse_request(sp_slice_str(text));

	ck_assert_msg(n == (long)strlen(text), "%s: %ld (%s)", text, n, sp_http_parse_detail());
}

static void response(const char *text)
{
	long n = parse_response(sp_slice_str(text));

	ck_assert_msg(n == (long)strlen(text), "%s: %ld (%s)", text, n, sp_http_parse_detail());
}

START_TEST(absolute_form)
{
	char text[SP_AUTHORITY_SIZE];

	request("POST HTTP://Erp.Virtual:8000/a/b?c=d HTTP/1.1\r\nHost: erp.virtual:8000\r\nContent-Length: 12\r\n"
		"Proxy-Authorization: Bearer x\r\nX-Empty:  \r\n\r\n");
	ck_assert(sp_slice_eq_str(req.method, "POST"));
	ck_assert_int_eq(req.form, SP_TARGET_ABSOLUTE);
	ck_assert(sp_slice_eq_str(req.target, "HTTP://Erp.Virtual:8000/a/b?c=d"));
	ck_assert(sp_slice_eq_str_nocase(req.scheme, "http"));
	ck_assert(sp_slice_eq_str(req.path, "/a/b?c=d"));
	ck_assert_str_eq(sp_authority_text(&req.authority, text), "erp.virtual:8000");
	ck_assert_uint_eq(req.minor, 1);
	ck_assert_int_eq(req.body, SP_BODY_LENGTH);
	ck_assert_uint_eq(req.content_length, 12);
	ck_assert_uint_eq(req.fields.count, 4);
	ck_assert(req.fields.v[2].secret);
	ck_assert(!req.fields.v[1].secret);
	ck_assert(sp_slice_eq_str(sp_fields_get(&req.fields, "proxy-authorization"), "Bearer x"));
	ck_assert_ptr_nonnull(sp_fields_get(&req.fields, "X-Empty").p);
	ck_assert_uint_eq(sp_fields_get(&req.fields, "X-Empty").n, 0);
}
END_TEST

START_TEST(default_ports_and_paths)
{
	static const struct {
		const char *target, *host, *path;
		unsigned port;
	} t[] = {
		{ "http://a", "a", "/", 80 },	   { "https://a/", "a", "/", 443 },   { "ws://a/x", "a:80", "/x", 80 },
		{ "WSS://a/x", "a", "/x", 443 },   { "foo+1://a:7/", "a:7", "/", 7 }, { "http://[::1]/", "[::1]", "/", 80 },
	};
	char text[256];
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", t[i].target, t[i].host);
		request(text);
		ck_assert_int_eq(req.form, SP_TARGET_ABSOLUTE);
		ck_assert(sp_slice_eq_str(req.path, t[i].path));
		ck_assert_uint_eq(req.authority.port, t[i].port);
	}
	request("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert(sp_slice_eq_str(req.path, "*"));
}
END_TEST

START_TEST(other_forms)
{
	request("\r\nGET /x?y HTTP/1.1\r\nHost: A.b\r\nTransfer-Encoding: chunked\r\n\r\n");
	ck_assert_int_eq(req.form, SP_TARGET_ORIGIN);
	ck_assert(sp_slice_eq_str(req.path, "/x?y"));
	ck_assert_ptr_null(req.scheme.p);
	ck_assert_str_eq(req.authority.host, "a.b");
	ck_assert_uint_eq(req.authority.port, 80);
	ck_assert_int_eq(req.body, SP_BODY_CHUNKED);
	request("GET /healthcheck HTTP/1.0\r\n\r\n");
	ck_assert_str_eq(req.authority.host, "");
	ck_assert_uint_eq(req.authority.port, 0);
	ck_assert_uint_eq(req.minor, 0);
	ck_assert_int_eq(req.body, SP_BODY_NONE);
	request("CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 10.0.0.1:22\r\n\r\n");
	ck_assert_int_eq(req.form, SP_TARGET_AUTHORITY);
	ck_assert_str_eq(req.authority.host, "10.0.0.1");
	ck_assert_uint_eq(req.authority.port, 22);
	ck_assert(!req.authority.ipv6);
	request("OPTIONS * HTTP/1.1\r\nHost: a:81\r\n\r\n");
	ck_assert_int_eq(req.form, SP_TARGET_ASTERISK);
	ck_assert_uint_eq(req.authority.port, 81);
}
END_TEST

START_TEST(response_bodies)
{
	response("HTTP/1.1 200 All is well\r\n\r\n");
	ck_assert_uint_eq(res.status, 200);
	ck_assert(sp_slice_eq_str(res.reason, "All is well"));
	ck_assert_int_eq(res.body, SP_BODY_UNTIL_CLOSE);
	response("HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n");
	ck_assert_uint_eq(res.minor, 0);
	ck_assert_uint_eq(res.reason.n, 0);
	ck_assert_int_eq(res.body, SP_BODY_LENGTH);
	ck_assert_uint_eq(res.content_length, 0);
	response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
	ck_assert_int_eq(res.body, SP_BODY_CHUNKED);
	response("HTTP/1.1 101 Switching Protocols\r\n\r\n");
	ck_assert_int_eq(res.body, SP_BODY_NONE);
	response("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n");
	ck_assert_int_eq(res.body, SP_BODY_NONE);
	ck_assert_uint_eq(res.content_length, 77);
	response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nSet-Cookie: a\r\n\r\n");
	ck_assert_int_eq(res.body, SP_BODY_NONE);
	ck_assert(res.fields.v[1].secret);
}
END_TEST

/* n fields in a head of exactly the returned size */
static size_t head_with_fields(struct sp_buf *b, unsigned n)
{
	sp_buf_deinit(b);
	ck_assert_int_eq(sp_buf_append_str(b, "GET / HTTP/1.1\r\nHost: a\r\n"), 0);
	while (--n > 0)
		ck_assert_int_eq(sp_buf_append_str(b, "X: y\r\n"), 0);
	ck_assert_int_eq(sp_buf_append_str(b, "\r\n"), 0);
	return b->len;
}

START_TEST(limits)
{
	struct sp_buf b = { 0 };
	size_t n = head_with_fields(&b, SP_FIELDS_MAX);

	ck_assert_int_eq(sp_http_request_parse(sp_buf_data(&b), n, &req), (long)n);
	ck_assert_uint_eq(req.fields.count, SP_FIELDS_MAX);
	ck_assert_int_eq(sp_http_request_parse(sp_buf_data(&b), n - 1, &req), SP_ETOOBIG);
	/* as many bytes as may be, and still no end */
	ck_assert_int_eq(sp_http_request_parse(sp_slice_make(sp_buf_data(&b).p, n - 1), n - 1, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_request_parse(sp_slice_make(sp_buf_data(&b).p, n - 2), n - 1, &req), 0);
	n = head_with_fields(&b, SP_FIELDS_MAX + 1);
	ck_assert_int_eq(sp_http_request_parse(sp_buf_data(&b), n, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_request_parse(sp_slice_make(sp_buf_data(&b).p, n - 2), n, &req), 0);
	sp_buf_deinit(&b);
	ck_assert_int_eq(sp_http_request_parse(SP_SLICE("GET /aaaaaaaaaaaa"), 10, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_request_parse(SP_SLICE("\r\nGET / HTTP/1.1\r\n"), 18, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_response_parse(SP_SLICE("HTTP/1.1 200 OK\r\n"), 17, &res), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_response_parse(SP_SLICE("HTTP/1.1 200 OK\r\n\r\n"), 19, &res), 19);
}
END_TEST

START_TEST(details)
{
	ck_assert_int_eq(parse_request(SP_SLICE("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")), SP_EPROTO);
	ck_assert_str_eq(sp_http_parse_detail(), "more than one Host");
	ck_assert_int_eq(parse_request(SP_SLICE("GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n")), SP_EPROTO);
	ck_assert_str_eq(sp_http_parse_detail(), "a folded line");
	ck_assert_int_eq(parse_response(SP_SLICE("x")), SP_EPROTO);
	ck_assert_str_eq(sp_http_parse_detail(), "not HTTP/1.1 or HTTP/1.0");
}
END_TEST

START_TEST(token)
{
	unsigned c;

	for (c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		bool visible = c > 0x20 && c < 0x7f, delimiter = visible && strchr("\"(),/:;<=>?@[\\]{}", (int)c);

		ck_assert_int_eq(sp_http_is_token(sp_slice_make(&byte, 1)), visible && !delimiter);
	}
	ck_assert(!sp_http_is_token(SP_SLICE("")));
	ck_assert(!sp_http_is_token(SP_SLICE("a b")));
}
END_TEST

Suite *sp_suite_http1(void)
{
	Suite *s = suite_create("codec/http1");
	TCase *t = tcase_create("http1");

	tcase_add_loop_test(t, request_cases, 0, SP_COUNT_OF(http1_requests));
	tcase_add_loop_test(t, response_cases, 0, SP_COUNT_OF(http1_responses));
	tcase_add_test(t, absolute_form);
	tcase_add_test(t, default_ports_and_paths);
	tcase_add_test(t, other_forms);
	tcase_add_test(t, response_bodies);
	tcase_add_test(t, limits);
	tcase_add_test(t, details);
	tcase_add_test(t, token);
	suite_add_tcase(s, t);
	return s;
}
