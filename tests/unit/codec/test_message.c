/* Requests and responses between HTTP/1.1 and HTTP/2 form. */
#include "suites.h"

#include <stdio.h>

#include "base/error.h"
#include "codec/message.h"

#define LIMIT 8192

static struct sp_fields fields, out;
static char scratch[SP_LENGTH_TEXT_SIZE];

static void fields_are(const struct sp_fields *f, const char *want)
{
	struct sp_buf b = { 0 };

	for (unsigned i = 0; i < f->count; i++)
		ck_assert_int_eq(
		    sp_buf_printf(&b, "%.*s: %.*s\n", SP_SLICE_ARG(f->v[i].name), SP_SLICE_ARG(f->v[i].value)), 0);
	ck_assert_str_eq(b.len ? sp_buf_str(&b) : "", want);
	sp_buf_deinit(&b);
}

/* "name: value\n" of each. The text must live as long as they. */
static void fields_of(const char *text, struct sp_fields *f)
{
	f->count = 0;
	while (*text) {
		const char *colon = strstr(text + 1, ": "), *end = strchr(text, '\n');

		ck_assert_int_eq(sp_fields_add(f, sp_slice_make((const uint8_t *)text, (size_t)(colon - text)),
					       sp_slice_make((const uint8_t *)colon + 2, (size_t)(end - colon - 2))),
				 0);
		text = end + 1;
	}
}

static struct sp_msg_request *from_http1(const char *head)
{
	struct sp_slice copy = exact_copy(sp_slice_str(head));
	struct sp_msg_request *r = NULL;
	struct sp_http_request q;

	ck_assert_int_eq(sp_http_request_parse(copy, LIMIT, &q), (long)copy.n);
	ck_assert_int_eq(sp_msg_request_from_http1(&q, &r), 0);
	free((void *)(uintptr_t)copy.p); /* r owns what it has */
	return r;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *head, *method, *path, *protocol;
	bool has_body, expects;
	long length; /* -1: unknown */
	const char *fields;
	enum sp_http_framing framing;
	const char *written;
} requests[] = {
	{ "GET http://a.test/p?q HTTP/1.1\r\nHost: a.test\r\nAccept: x\r\n\r\n", "GET", "/p?q", NULL, false, false, -1,
	  "Accept: x\nVia: 1.1 sallyport\n", SP_BODY_NONE,
	  "GET /p?q HTTP/1.1\r\nHost: h:1\r\nAccept: x\r\nVia: 1.1 sallyport\r\n\r\n" },
	{ "GET http://a.test HTTP/1.0\r\n\r\n", "GET", "/", NULL, false, false, -1, "Via: 1.0 sallyport\n",
	  SP_BODY_NONE, "GET / HTTP/1.1\r\nHost: h:1\r\nVia: 1.0 sallyport\r\n\r\n" },
	{ "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", "OPTIONS", "*", NULL, false, false, -1,
	  "Via: 1.1 sallyport\n", SP_BODY_NONE, "OPTIONS * HTTP/1.1\r\nHost: h:1\r\nVia: 1.1 sallyport\r\n\r\n" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", "POST", "/", NULL, true,
	  true, 5, "Via: 1.1 sallyport\n", SP_BODY_LENGTH,
	  "POST / HTTP/1.1\r\nHost: h:1\r\nVia: 1.1 sallyport\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST", "/", NULL, false, false, 0,
	  "Via: 1.1 sallyport\n", SP_BODY_LENGTH,
	  "POST / HTTP/1.1\r\nHost: h:1\r\nVia: 1.1 sallyport\r\nContent-Length: 0\r\n\r\n" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers, gzip\r\nConnection: TE, X\r\nX: "
	  "1\r\n\r\n",
	  "POST", "/", NULL, true, false, -1, "TE: trailers\nVia: 1.1 sallyport\n", SP_BODY_CHUNKED,
	  "POST / HTTP/1.1\r\nHost: h:1\r\nTE: trailers\r\nVia: 1.1 sallyport\r\nConnection: TE\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET", "/", "websocket",
	  false, false, -1, "Via: 1.1 sallyport\n", SP_BODY_NONE,
	  "GET / HTTP/1.1\r\nHost: h:1\r\nVia: 1.1 sallyport\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" },
	/* Protocols that are not passed on. */
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "GET", "/", NULL, false, false,
	  -1, "Via: 1.1 sallyport\n", SP_BODY_NONE, "GET / HTTP/1.1\r\nHost: h:1\r\nVia: 1.1 sallyport\r\n\r\n" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\n", "GET", "/", NULL, false, false,
	  -1, "Via: 1.1 sallyport\n", SP_BODY_NONE, "GET / HTTP/1.1\r\nHost: h:1\r\nVia: 1.1 sallyport\r\n\r\n" },
};

START_TEST(requests_from_http1)
{
	struct sp_msg_request *r = from_http1(requests[_i].head);
	struct sp_buf b = { 0 };

	ck_assert(sp_slice_eq_str(r->method, requests[_i].method));
	ck_assert(sp_slice_eq_str(r->path, requests[_i].path));
	ck_assert_int_eq(r->protocol.p != NULL, requests[_i].protocol != NULL);
	if (requests[_i].protocol)
		ck_assert(sp_slice_eq_str(r->protocol, requests[_i].protocol));
	ck_assert_int_eq(r->has_body, requests[_i].has_body);
	ck_assert_int_eq(r->expects, requests[_i].expects);
	ck_assert_int_eq(r->has_length, requests[_i].length >= 0);
	if (r->has_length)
		ck_assert_uint_eq(r->length, (uint64_t)requests[_i].length);
	fields_are(&r->fields, requests[_i].fields);
	ck_assert_int_eq(sp_msg_request_framing(r), requests[_i].framing);
	ck_assert_int_eq(sp_buf_append_str(&b, "before"), 0);
	ck_assert_int_eq(sp_msg_request_write(r, SP_SLICE("h:1"), &r->fields, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b) + 6, requests[_i].written);
	sp_buf_deinit(&b);
	sp_msg_request_free(&r);
	ck_assert_ptr_null(r);
	sp_msg_request_free(&r);
}
END_TEST

#define H2_HEAD ":method: POST\n:scheme: http\n:authority: a.test\n:path: /p?q\n"

static const struct {
	const char *head;
	bool has_body;
	int err;
	enum sp_http_refusal why;
} h2_heads[] = {
	{ H2_HEAD, true, 0, 0 },
	{ H2_HEAD "content-length: 5\n", true, 0, 0 },
	{ H2_HEAD "content-length: 0\n", false, 0, 0 },
	{ ":method: OPTIONS\n:scheme: http\n:path: *\n", false, 0, 0 },
	{ ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /\n", true, 0, 0 },
	{ H2_HEAD "content-length: 5\n", false, SP_EPROTO, SP_HTTP_REFUSAL_BODY_TOO_SHORT },
	{ H2_HEAD "content-length: 5\ncontent-length: 5\n", true, SP_EPROTO, SP_HTTP_REFUSAL_TWO_LENGTHS },
	{ H2_HEAD "content-length: +5\n", true, SP_EPROTO, SP_HTTP_REFUSAL_LENGTH },
	{ H2_HEAD "content-length: \n", true, SP_EPROTO, SP_HTTP_REFUSAL_LENGTH },
	{ H2_HEAD "content-length: 9223372036854775808\n", true, SP_EPROTO, SP_HTTP_REFUSAL_LENGTH },
	{ H2_HEAD "Accept: x\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_NAME },
	{ H2_HEAD "a b: x\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_NAME },
	{ H2_HEAD "accept: x\r\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_VALUE },
	{ H2_HEAD "accept:  x\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_VALUE },
	{ H2_HEAD "accept: x\n:method: GET\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PSEUDO_ORDER },
	{ H2_HEAD ":path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PSEUDO_TWICE },
	{ H2_HEAD ":status: 200\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PSEUDO_UNKNOWN },
	{ ":scheme: http\n:path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PSEUDO_MISSING },
	{ ":method: GET\n:path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PSEUDO_MISSING },
	{ ":method: GET\n:scheme: http\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PSEUDO_MISSING },
	{ ":method: G T\n:scheme: http\n:path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_METHOD },
	{ ":method: GET\n:scheme: ftp\n:path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_SCHEME },
	{ ":method: GET\n:scheme: http\n:path: *\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: GET\n:scheme: http\n:path: p\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: GET\n:scheme: http\n:path: \n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: GET\n:scheme: http\n:path: /a b\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: GET\n:scheme: http\n:path: /a HTTP/1.1\r\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: GET\n:scheme: http\n:path: /#\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: GET\n:scheme: http\n:path: /\x7f\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PATH },
	{ ":method: CONNECT\n:scheme: http\n:path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PROTOCOL },
	{ ":method: GET\n:protocol: websocket\n:scheme: http\n:path: /\n", true, SP_EPROTO,
	  SP_HTTP_REFUSAL_H2_PROTOCOL },
	{ ":method: CONNECT\n:protocol: a b\n:scheme: http\n:path: /\n", true, SP_EPROTO, SP_HTTP_REFUSAL_H2_PROTOCOL },
};

START_TEST(requests_from_http2)
{
	struct sp_msg_request *r = NULL;

	fields_of(h2_heads[_i].head, &fields);
	ck_assert_int_eq(sp_msg_request_from_http2(&fields, h2_heads[_i].has_body, &r), h2_heads[_i].err);
	if (h2_heads[_i].err)
		ck_assert_int_eq(sp_http_parse_refusal(), h2_heads[_i].why);
	ck_assert_int_eq(r == NULL, h2_heads[_i].err != 0); /* written only on success */
	sp_msg_request_free(&r);
}
END_TEST

START_TEST(http2_fields)
{
	struct sp_msg_request *r;

	fields_of(H2_HEAD "accept: x\nhost: other\nsallyport-token: t\nproxy-authorization: p\nauthorization: keep\n"
			  "expect: 100-Continue\ncontent-length: 7\nte: trailers\n",
		  &fields);
	ck_assert_int_eq(sp_msg_request_from_http2(&fields, true, &r), 0);
	fields_are(&r->fields, "accept: x\nauthorization: keep\nte: trailers\n");
	ck_assert(r->expects && r->has_length && r->has_body);
	ck_assert_uint_eq(r->length, 7);
	ck_assert(!r->protocol.p);
	ck_assert_int_eq(sp_msg_request_to_http2(r, "b.test:8", false, scratch, &out), 0);
	fields_are(&out,
		   ":method: POST\n:scheme: http\n:authority: b.test:8\n:path: /p?q\naccept: x\nauthorization: keep\n"
		   "te: trailers\nexpect: 100-continue\ncontent-length: 7\n");
	sp_msg_request_free(&r);
}
END_TEST

/* What an extended CONNECT asks for, and a GET with Upgrade, are the same. */
START_TEST(extended_connect)
{
	struct sp_msg_request *r;
	struct sp_buf b = { 0 };

	fields_of(":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /chat\n", &fields);
	ck_assert_int_eq(sp_msg_request_from_http2(&fields, true, &r), 0);
	ck_assert(sp_slice_eq_str(r->method, "GET"));
	ck_assert(!r->has_body);
	ck_assert_int_eq(sp_msg_request_write(r, SP_SLICE("h"), &r->fields, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b),
			 "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	sp_buf_deinit(&b);
	ck_assert_int_eq(sp_msg_request_to_http2(r, "a", true, scratch, &out), 0);
	fields_are(&out, ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /chat\n");
	ck_assert_int_eq(sp_msg_request_to_http2(r, "a", false, scratch, &out), 0);
	fields_are(&out, ":method: GET\n:scheme: http\n:authority: a\n:path: /chat\n");
	sp_msg_request_free(&r);
}
END_TEST

START_TEST(requests_that_cannot_be_written)
{
	static const struct sp_msg_request good = { .method = SP_SLICE("GET"), .path = SP_SLICE("/") };
	struct sp_msg_request r = good;
	struct sp_fields none = { 0 };
	struct sp_buf b = { 0 };

	ck_assert_int_eq(sp_buf_append_str(&b, "before"), 0);
	r.method = SP_SLICE("G T");
	ck_assert_int_eq(sp_msg_request_write(&r, SP_SLICE("h"), &none, &b), SP_EINVAL);
	r = good;
	r.path = SP_SLICE("/ HTTP/1.1\r\nX: ");
	ck_assert_int_eq(sp_msg_request_write(&r, SP_SLICE("h"), &none, &b), SP_EINVAL);
	r = good;
	ck_assert_int_eq(sp_msg_request_write(&r, SP_SLICE("h\r\nX: y"), &none, &b), SP_EINVAL);
	r.protocol = SP_SLICE("a\r\nb");
	ck_assert_int_eq(sp_msg_request_write(&r, SP_SLICE("h"), &none, &b), SP_EINVAL);
	r = good;
	sp_fields_add(&none, SP_SLICE("A"), SP_SLICE("b\nc"));
	ck_assert_int_eq(sp_msg_request_write(&r, SP_SLICE("h"), &none, &b), SP_EINVAL);
	none.v[0] = (struct sp_field){ SP_SLICE("A b"), SP_SLICE("c"), false };
	ck_assert_int_eq(sp_msg_request_write(&r, SP_SLICE("h"), &none, &b), SP_EINVAL);
	ck_assert_str_eq(sp_buf_str(&b), "before"); /* all or nothing */
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(too_many_fields)
{
	struct sp_msg_request r = { .method = SP_SLICE("GET"), .path = SP_SLICE("/") };
	struct sp_msg_response q = { .status = 200, .has_length = true };

	for (unsigned i = 0; i < SP_FIELDS_MAX; i++) {
		ck_assert_int_eq(sp_fields_add(&r.fields, SP_SLICE("a"), SP_SLICE("b")), 0);
		ck_assert_int_eq(sp_fields_add(&q.fields, SP_SLICE("a"), SP_SLICE("b")), 0);
	}
	ck_assert_int_eq(sp_msg_request_to_http2(&r, "a", false, scratch, &out), SP_ETOOBIG);
	ck_assert_int_eq(sp_msg_response_to_http2(&q, scratch, &out), SP_ETOOBIG);
	r.fields.count = SP_FIELDS_MAX - 4;
	ck_assert_int_eq(sp_msg_request_to_http2(&r, "a", false, scratch, &out), 0);
	r.has_length = true;
	ck_assert_int_eq(sp_msg_request_to_http2(&r, "a", false, scratch, &out), SP_ETOOBIG);
}
END_TEST

START_TEST(no_memory)
{
	struct sp_msg_request *r = NULL;
	struct sp_http_request q;
	struct sp_buf b = { 0 };
	int copied, written;

	ck_assert_int_gt(sp_http_request_parse(sp_slice_str(requests[0].head), LIMIT, &q), 0);
	after_mallocs_fail(0);
	copied = sp_msg_request_from_http1(&q, &r);
	after_mallocs_fail(-1);
	ck_assert_int_eq(copied, SP_ENOMEM);
	ck_assert_ptr_null(r);
	r = from_http1(requests[0].head);
	after_mallocs_fail(0);
	written = sp_msg_request_write(r, SP_SLICE("h"), &r->fields, &b);
	after_mallocs_fail(-1);
	ck_assert_int_eq(written, SP_ENOMEM);
	ck_assert_uint_eq(b.len, 0);
	sp_msg_request_free(&r);
}
END_TEST

/* ---- responses --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *head, *method;
	bool switched, ended;
	long length;
	enum sp_http_framing framing_10, framing_11;
	const char *h2, *written; /* to HTTP/1.1 */
} responses[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\nConnection: X\r\nX: 1\r\n\r\n", "GET", false, false, 5,
	  SP_BODY_LENGTH, SP_BODY_LENGTH, "A: b\nVia: 1.1 sallyport\ncontent-length: 5\n",
	  "HTTP/1.1 200 OK\r\nA: b\r\nVia: 1.1 sallyport\r\nContent-Length: 5\r\n\r\n" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", false, false, -1, SP_BODY_UNTIL_CLOSE,
	  SP_BODY_CHUNKED, "Via: 1.1 sallyport\n",
	  "HTTP/1.1 200 OK\r\nVia: 1.1 sallyport\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "HTTP/1.0 200 OK\r\n\r\n", "GET", false, false, -1, SP_BODY_UNTIL_CLOSE, SP_BODY_CHUNKED,
	  "Via: 1.0 sallyport\n", "HTTP/1.1 200 OK\r\nVia: 1.0 sallyport\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", false, true, 0, SP_BODY_LENGTH, SP_BODY_LENGTH,
	  "Via: 1.1 sallyport\ncontent-length: 0\n",
	  "HTTP/1.1 200 OK\r\nVia: 1.1 sallyport\r\nContent-Length: 0\r\n\r\n" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", "GET", false, true, -1, SP_BODY_NONE, SP_BODY_NONE, "Via: 1.1 sallyport\n",
	  "HTTP/1.1 204 No Content\r\nVia: 1.1 sallyport\r\n\r\n" },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", false, true, 9, SP_BODY_NONE, SP_BODY_NONE,
	  "Via: 1.1 sallyport\ncontent-length: 9\n",
	  "HTTP/1.1 304 Not Modified\r\nVia: 1.1 sallyport\r\nContent-Length: 9\r\n\r\n" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD", false, true, 9, SP_BODY_NONE, SP_BODY_NONE,
	  "Via: 1.1 sallyport\ncontent-length: 9\n",
	  "HTTP/1.1 200 OK\r\nVia: 1.1 sallyport\r\nContent-Length: 9\r\n\r\n" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", false, true, -1, SP_BODY_NONE, SP_BODY_NONE,
	  "Via: 1.1 sallyport\n", "HTTP/1.1 200 OK\r\nVia: 1.1 sallyport\r\n\r\n" },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "GET", true, false,
	  -1, SP_BODY_TUNNEL, SP_BODY_TUNNEL, "Via: 1.1 sallyport\n",
	  "HTTP/1.1 101 Switching Protocols\r\nVia: 1.1 sallyport\r\nUpgrade: websocket\r\nConnection: "
	  "Upgrade\r\n\r\n" },
};

START_TEST(responses_from_http1)
{
	struct sp_msg_response_line how = { .upgrade = SP_SLICE("websocket") };
	struct sp_slice method = sp_slice_str(responses[_i].method);
	struct sp_http_response head;
	struct sp_msg_response r;
	struct sp_buf b = { 0 };

	ck_assert_int_gt(sp_http_response_parse(sp_slice_str(responses[_i].head), LIMIT, &head), 0);
	ck_assert_int_eq(sp_msg_response_from_http1(&head, method, &r), 0);
	ck_assert_uint_eq(r.status, head.status);
	ck_assert_int_eq(r.switched, responses[_i].switched);
	ck_assert_int_eq(r.ended, responses[_i].ended);
	ck_assert_int_eq(r.has_length, responses[_i].length >= 0);
	if (r.has_length)
		ck_assert_uint_eq(r.length, (uint64_t)responses[_i].length);
	ck_assert_int_eq(r.outcome, SP_OUTCOME_OK);
	ck_assert_int_eq(sp_msg_response_framing(&r, method, 0), responses[_i].framing_10);
	ck_assert_int_eq(sp_msg_response_framing(&r, method, 1), responses[_i].framing_11);
	ck_assert_int_eq(sp_msg_response_to_http2(&r, scratch, &out), 0);
	fields_are(&out, responses[_i].h2);
	how.framing = responses[_i].framing_11;
	ck_assert_int_eq(sp_msg_response_write(&r, &how, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b), responses[_i].written);
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(responses_from_http2)
{
	struct sp_msg_response r;

	fields_of(":status: 200\na: b\ncontent-length: 12\n", &fields);
	sp_msg_response_from_http2(200, &fields, false, &r);
	ck_assert(r.has_length && !r.ended && !r.switched);
	ck_assert_uint_eq(r.length, 12);
	fields_are(&r.fields, "a: b\n");
	fields_of(":status: 200\ncontent-length: x\n", &fields);
	sp_msg_response_from_http2(200, &fields, true, &r);
	ck_assert(!r.has_length && r.ended);
	fields_are(&r.fields, "");
}
END_TEST

START_TEST(response_heads)
{
	struct sp_msg_response r = { .status = 200, .ended = true };
	struct sp_msg_response_line how = { .framing = SP_BODY_LENGTH, .close = true };
	struct sp_buf b = { 0 };

	ck_assert_int_eq(sp_msg_response_write(&r, &how, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	sp_buf_deinit(&b);
	r.has_length = true; /* RFC 9110 section 8.6: not in a 204 */
	r.status = 204;
	how = (struct sp_msg_response_line){ .framing = SP_BODY_NONE };
	ck_assert_int_eq(sp_msg_response_write(&r, &how, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b), "HTTP/1.1 204 No Content\r\n\r\n");
	ck_assert_int_eq(sp_msg_response_to_http2(&r, scratch, &out), 0);
	fields_are(&out, "");
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(responses_that_cannot_be_written)
{
	static const unsigned statuses[] = { 0, 99, 100, 101, 103, 199, 1000 };
	struct sp_msg_response r = { .ended = true };
	struct sp_msg_response_line how = { .framing = SP_BODY_LENGTH };
	struct sp_buf b = { 0 };

	ck_assert_int_eq(sp_buf_append_str(&b, "before"), 0);
	for (unsigned i = 0; i < SP_COUNT_OF(statuses); i++) {
		r.status = statuses[i]; /* none of them is final */
		ck_assert_int_eq(sp_msg_response_write(&r, &how, &b), SP_EINVAL);
	}
	r.status = 200;
	sp_fields_add(&r.fields, SP_SLICE("A"), SP_SLICE("b\rc"));
	ck_assert_int_eq(sp_msg_response_write(&r, &how, &b), SP_EINVAL);
	ck_assert_int_eq(sp_msg_interim_write(103, &r.fields, &b), SP_EINVAL);
	r.fields.count = 0;
	r.switched = true;
	how.upgrade = SP_SLICE("a b");
	ck_assert_int_eq(sp_msg_response_write(&r, &how, &b), SP_EINVAL);
	ck_assert_str_eq(sp_buf_str(&b), "before");
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(interims)
{
	struct sp_fields f = { 0 };
	struct sp_buf b = { 0 };

	sp_fields_add(&f, SP_SLICE("Link"), SP_SLICE("x"));
	ck_assert_int_eq(sp_msg_interim_write(100, &f, &b), 0);
	ck_assert_str_eq(sp_buf_str(&b), "HTTP/1.1 100 Continue\r\nLink: x\r\n\r\n");
	ck_assert_int_eq(sp_msg_interim_write(99, &f, &b), SP_EINVAL);
	ck_assert_int_eq(sp_msg_interim_write(101, &f, &b), SP_EINVAL);
	ck_assert_int_eq(sp_msg_interim_write(200, &f, &b), SP_EINVAL);
	sp_buf_deinit(&b);
}
END_TEST

Suite *sp_suite_message(void)
{
	Suite *s = suite_create("message");
	TCase *c = tcase_create("message");

	tcase_add_loop_test(c, requests_from_http1, 0, SP_COUNT_OF(requests));
	tcase_add_loop_test(c, requests_from_http2, 0, SP_COUNT_OF(h2_heads));
	tcase_add_test(c, http2_fields);
	tcase_add_test(c, extended_connect);
	tcase_add_test(c, requests_that_cannot_be_written);
	tcase_add_test(c, too_many_fields);
	tcase_add_test(c, no_memory);
	tcase_add_loop_test(c, responses_from_http1, 0, SP_COUNT_OF(responses));
	tcase_add_test(c, responses_from_http2);
	tcase_add_test(c, response_heads);
	tcase_add_test(c, responses_that_cannot_be_written);
	tcase_add_test(c, interims);
	suite_add_tcase(s, c);
	return s;
}
