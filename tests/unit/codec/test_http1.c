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
	size_t n = head_with_fields(&b, SP_HTTP_FIELDS_DEFAULT);

	ck_assert_uint_lt(SP_HTTP_FIELDS_DEFAULT, SP_FIELDS_MAX);
	ck_assert_int_eq(sp_http_request_parse(sp_buf_data(&b), n, &req), (long)n);
	ck_assert_uint_eq(req.fields.count, SP_HTTP_FIELDS_DEFAULT);
	ck_assert_int_eq(sp_http_request_parse(sp_buf_data(&b), n - 1, &req), SP_ETOOBIG);
	/* as many bytes as may be, and still no end */
	ck_assert_int_eq(sp_http_request_parse(sp_slice_make(sp_buf_data(&b).p, n - 1), n - 1, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_parse_refusal(), SP_HTTP_REFUSAL_HEAD_SIZE);
	ck_assert_int_eq(sp_http_request_parse(sp_slice_make(sp_buf_data(&b).p, n - 2), n - 1, &req), 0);
	n = head_with_fields(&b, SP_HTTP_FIELDS_DEFAULT + 1);
	ck_assert_int_eq(sp_http_request_parse(sp_buf_data(&b), n, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_parse_refusal(), SP_HTTP_REFUSAL_FIELD_COUNT);
	ck_assert_int_eq(sp_http_request_parse(sp_slice_make(sp_buf_data(&b).p, n - 2), n, &req), 0);
	sp_buf_deinit(&b);
	ck_assert_int_eq(sp_http_request_parse(SP_SLICE("GET /aaaaaaaaaaaa"), 10, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_request_parse(SP_SLICE("\r\nGET / HTTP/1.1\r\n"), 18, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_response_parse(SP_SLICE("HTTP/1.1 200 OK\r\n"), 17, &res), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_response_parse(SP_SLICE("HTTP/1.1 200 OK\r\n\r\n"), 19, &res), 19);
}
END_TEST

/* More fields than the array takes are refused even when the caller's limit would let them in. */
START_TEST(fields_beyond_the_array)
{
	const struct sp_http_limits l = { 1 << 20, 1 << 20, UINT32_MAX };
	struct sp_buf b = { 0 };
	size_t n = head_with_fields(&b, SP_FIELDS_MAX);

	ck_assert_int_eq(sp_http_request_read(sp_buf_data(&b), &l, &req), (long)n);
	head_with_fields(&b, SP_FIELDS_MAX + 1);
	ck_assert_int_eq(sp_http_request_read(sp_buf_data(&b), &l, &req), SP_ETOOBIG);
	ck_assert_int_eq(sp_http_parse_refusal(), SP_HTTP_REFUSAL_FIELD_COUNT);
	sp_buf_deinit(&b);
}
END_TEST

static const struct sp_http_limits small = { .head_bytes = 80, .line_bytes = 20, .fields = 3 };

static long read_small_request(struct sp_slice in)
{
	return sp_http_request_read(in, &small, &req);
}

static long read_small_response(struct sp_slice in)
{
	return sp_http_response_read(in, &small, &res);
}

START_TEST(small_limits)
{
	static const struct {
		const char *in;
		bool response;
		enum sp_http_refusal refusal; /* NONE: accepted */
	} t[] = {
		{ "GET /23456 HTTP/1.1\r\nHost: a\r\n\r\n", false, SP_HTTP_REFUSAL_NONE },
		{ "GET /234567 HTTP/1.1\r\nHost: a\r\n\r\n", false, SP_HTTP_REFUSAL_NONE },
		{ "GET /2345678 HTTP/1.1\r\nHost: a\r\n\r\n", false, SP_HTTP_REFUSAL_START_LINE_SIZE },
		{ "\r\nGET /234567 HTTP/1.1\r\nHost: a\r\n\r\n", false, SP_HTTP_REFUSAL_NONE },
		{ "\r\nGET /2345678 HTTP/1.1\r\nHost: a\r\n\r\n", false, SP_HTTP_REFUSAL_START_LINE_SIZE },
		{ "GET /2345678901234567890123456", false, SP_HTTP_REFUSAL_START_LINE_SIZE },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: 45678901234567890\r\n\r\n", false, SP_HTTP_REFUSAL_NONE },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: 456789012345678901\r\n\r\n", false, SP_HTTP_REFUSAL_FIELD_LINE_SIZE },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: 4567890123456789012", false, SP_HTTP_REFUSAL_FIELD_LINE_SIZE },
		{ "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n", false, SP_HTTP_REFUSAL_NONE },
		{ "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", false, SP_HTTP_REFUSAL_FIELD_COUNT },
		{ "GET / HTTP/1.1\r\nHost: a.345678901234\r\nA: 45678901234567890\r\nB: 45678901234567890\r\n\r\n", false,
		  SP_HTTP_REFUSAL_HEAD_SIZE },
		{ "HTTP/1.1 200 4567890\r\n\r\n", true, SP_HTTP_REFUSAL_NONE },
		{ "HTTP/1.1 200 45678901\r\n\r\n", true, SP_HTTP_REFUSAL_START_LINE_SIZE },
		{ "HTTP/1.1 200\r\nX: 456789012345678901\r\n\r\n", true, SP_HTTP_REFUSAL_FIELD_LINE_SIZE },
		{ "HTTP/1.1 200\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", true, SP_HTTP_REFUSAL_FIELD_COUNT },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice in = sp_slice_str(t[i].in);
		long verdict = t[i].refusal ? SP_ETOOBIG : (long)in.n;

		check_prefixes(t[i].in, in, verdict, t[i].response ? read_small_response : read_small_request);
		if (t[i].refusal)
			ck_assert_msg(sp_http_parse_refusal() == t[i].refusal, "%s: %s", t[i].in, sp_http_parse_detail());
	}
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

START_TEST(refusals)
{
#define REFUSED(id, text) { SP_HTTP_REFUSAL_##id, text }
#define HOST "Host: a\r\n"
	static const struct {
		enum sp_http_refusal refusal;
		const char *in;
	} t[] = {
		REFUSED(BARE_CR, "\rGET / HTTP/1.1\r\n"),
		REFUSED(BARE_LF, "GET / HTTP/1.1\nHost: a\n\n"),
		REFUSED(METHOD, "G{T / HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(NO_TARGET, "GET\r\n\r\n"),
		REFUSED(NO_VERSION, "GET /\r\n\r\n"),
		REFUSED(VERSION, "GET / HTTP/1.2\r\n" HOST "\r\n"),
		REFUSED(TARGET_EMPTY, "GET  HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(TARGET_CHARACTER, "GET /\x80 HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(TARGET_FORM, "GET a HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(TARGET_AUTHORITY, "GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(TARGET_PATH, "GET http://a?b HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(CONNECT_TARGET, "CONNECT a HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(CONNECT_BODY, "CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"),
		REFUSED(NO_HOST, "GET / HTTP/1.1\r\n\r\n"),
		REFUSED(TWO_HOSTS, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"),
		REFUSED(HOST, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
		REFUSED(HOST_DIFFERS, "CONNECT a:1 HTTP/1.1\r\nHost: b:1\r\n\r\n"),
		REFUSED(FOLD, "GET / HTTP/1.1\r\n" HOST " b\r\n\r\n"),
		REFUSED(NO_COLON, "GET / HTTP/1.1\r\n" HOST "b\r\n\r\n"),
		REFUSED(NAME_SPACE, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
		REFUSED(NAME_SPACE, "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"),
		REFUSED(NAME, "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"),
		REFUSED(VALUE, "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n"),
		REFUSED(LENGTH_AND_CODING, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		REFUSED(TWO_LENGTHS, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
		REFUSED(LENGTH, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0x0\r\n\r\n"),
		REFUSED(TWO_CODINGS, "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
		REFUSED(CODING, "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
		REFUSED(CODING_1_0, "PUT / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
		REFUSED(CODING_BODILESS, "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"),
		REFUSED(VERSION, "HTTP/2 200 x\r\n\r\n"),
		REFUSED(STATUS, "HTTP/1.1 20 x\r\n\r\n"),
		REFUSED(STATUS, "HTTP/1.1 200x\r\n\r\n"),
		REFUSED(REASON, "HTTP/1.1 200 x\x01\r\n\r\n"),
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice in = sp_slice_str(t[i].in);
		bool response = memcmp(in.p, "HTTP/", 5) == 0;

		ck_assert_int_eq(response ? parse_response(in) : parse_request(in), SP_EPROTO);
		ck_assert_msg(sp_http_parse_refusal() == t[i].refusal, "%s: %s", t[i].in, sp_http_parse_detail());
	}
#undef REFUSED
#undef HOST
}
END_TEST

START_TEST(refusal_table)
{
	int i, k;

	ck_assert_str_eq(sp_http_refusal_text(SP_HTTP_REFUSAL_NONE), "");
	ck_assert_int_eq(sp_http_refusal_outcome(SP_HTTP_REFUSAL_NONE), SP_OUTCOME_OK);
	for (i = 1; i < SP_HTTP_REFUSAL_COUNT; i++) {
		ck_assert_int_ne(sp_http_refusal_outcome((enum sp_http_refusal)i), SP_OUTCOME_OK);
		for (k = 0; k < i; k++)
			ck_assert_str_ne(sp_http_refusal_text((enum sp_http_refusal)i), sp_http_refusal_text((enum sp_http_refusal)k));
	}
	ck_assert_int_eq(sp_http_refusal_outcome(SP_HTTP_REFUSAL_START_LINE_SIZE), SP_OUTCOME_URI_TOO_LONG);
	ck_assert_int_eq(sp_http_refusal_outcome(SP_HTTP_REFUSAL_FIELD_COUNT), SP_OUTCOME_HEAD_TOO_LARGE);
	ck_assert_int_eq(sp_http_refusal_outcome(SP_HTTP_REFUSAL_CODING), SP_OUTCOME_NOT_IMPLEMENTED);
	ck_assert_str_eq(sp_http_refusal_text(SP_HTTP_REFUSAL_COUNT), "");
	ck_assert_int_eq(sp_http_refusal_outcome(SP_HTTP_REFUSAL_COUNT), SP_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(absolute_form_beats_host)
{
	char text[SP_AUTHORITY_SIZE];

	request("GET http://a:8000/x HTTP/1.1\r\nHost: evil:81\r\n\r\n");
	ck_assert_str_eq(sp_authority_text(&req.authority, text), "a:8000");
	ck_assert_int_eq(parse_request(SP_SLICE("GET http://a:8000/x HTTP/1.1\r\nHost: b/c\r\n\r\n")), SP_EPROTO);
	ck_assert_int_eq(sp_http_parse_refusal(), SP_HTTP_REFUSAL_HOST);
	ck_assert_int_eq(parse_request(SP_SLICE("GET http://a:8000/x HTTP/1.1\r\n\r\n")), SP_EPROTO);
	ck_assert_int_eq(sp_http_parse_refusal(), SP_HTTP_REFUSAL_NO_HOST);
	request("GET http://a:8000/x HTTP/1.0\r\n\r\n");
	ck_assert_str_eq(sp_authority_text(&req.authority, text), "a:8000");
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
	tcase_add_test(t, fields_beyond_the_array);
	tcase_add_test(t, small_limits);
	tcase_add_test(t, details);
	tcase_add_test(t, refusals);
	tcase_add_test(t, refusal_table);
	tcase_add_test(t, absolute_form_beats_host);
	tcase_add_test(t, token);
	suite_add_tcase(s, t);
	return s;
}
