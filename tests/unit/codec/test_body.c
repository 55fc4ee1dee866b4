/* Every body is read whole, cut in two at every byte, byte by byte, and by pieces of some sizes: always the same result. */
#include "suites.h"

#include <stdio.h>

#include "base/error.h"
#include "codec/body.h"

struct body_case {
	const char *name;
	enum sp_http_framing framing;
	uint64_t length;
	const char *in;
	size_t n;
	const char *payload; /* NULL: refused */
	const char *rest;    /* bytes after the end, untouched */
	enum sp_http_refusal refusal;
};

#define CHUNKED(name, in, payload, rest) { name, SP_BODY_CHUNKED, 0, in rest, sizeof(in rest) - 1, payload, rest, 0 }
#define LENGTH(name, length, in, rest) { name, SP_BODY_LENGTH, length, in rest, sizeof(in rest) - 1, in, rest, 0 }
#define REFUSED(name, in, refusal) { name, SP_BODY_CHUNKED, 0, in, sizeof(in) - 1, NULL, "", SP_HTTP_REFUSAL_##refusal }

static const struct body_case cases[] = {
	{ "no body", SP_BODY_NONE, 0, "GET / ", 6, "", "GET / ", 0 },
	{ "a tunnel", SP_BODY_TUNNEL, 0, "\x16\x03\x01", 3, "", "\x16\x03\x01", 0 },
	LENGTH("length 0", 0, "", "GET / "),
	LENGTH("length 1", 1, "a", ""),
	LENGTH("length 5 and a pipelined request", 5, "abcde", "GET / HTTP/1.1\r\n"),
	CHUNKED("nothing", "0\r\n\r\n", "", ""),
	CHUNKED("nothing and more", "0\r\n\r\n", "", "0\r\n\r\n"),
	CHUNKED("one chunk", "3\r\nabc\r\n0\r\n\r\n", "abc", "GET"),
	CHUNKED("two chunks", "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "abcd", "\r\n"),
	CHUNKED("hexadecimal in both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", ""),
	CHUNKED("zeros before the size", "0003\r\nabc\r\n000\r\n\r\n", "abc", ""),
	CHUNKED("16 digits", "0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n", "abc", ""),
	CHUNKED("extensions", "3;a=b;c=\"d;e\"\r\nabc\r\n0;x\r\n\r\n", "abc", ""),
	CHUNKED("white space around extensions", "3 \t;\ta = b\r\nabc\r\n0 ;x\r\n\r\n", "abc", ""),
	CHUNKED("payload like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n", ""),
	CHUNKED("trailers", "1\r\na\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "a", "GET"),
	REFUSED("empty size", "\r\n", CHUNK_SIZE),
	REFUSED("only an extension", ";a\r\n", CHUNK_SIZE),
	REFUSED("size with 0x", "0x1\r\na\r\n0\r\n\r\n", CHUNK_SIZE),
	REFUSED("negative size", "-1\r\n", CHUNK_SIZE),
	REFUSED("size with a plus", "+1\r\na\r\n", CHUNK_SIZE),
	REFUSED("white space before the size", " 1\r\na\r\n", CHUNK_SIZE),
	REFUSED("white space after the size", "1 \r\na\r\n", CHUNK_EXTENSION),
	REFUSED("two sizes", "1 1\r\na\r\n", CHUNK_EXTENSION),
	REFUSED("an underscore in the size", "1_0\r\n", CHUNK_SIZE),
	REFUSED("17 digits", "00000000000000001\r\na\r\n", CHUNK_OVERFLOW),
	REFUSED("2^64 + 3", "10000000000000003\r\nabc\r\n", CHUNK_OVERFLOW),
	REFUSED("2^63", "8000000000000000\r\n", CHUNK_OVERFLOW),
	REFUSED("2^64 - 1", "FFFFFFFFFFFFFFFF\r\n", CHUNK_OVERFLOW),
	REFUSED("more than 2^63 together", "1\r\na\r\n7FFFFFFFFFFFFFFF\r\n", CHUNK_OVERFLOW),
	REFUSED("LF after the size", "1\na\r\n0\r\n\r\n", CHUNK_LINE),
	REFUSED("CR after the size", "1\ra\r\n0\r\n\r\n", CHUNK_LINE),
	REFUSED("LF in an extension", "1;a\nb\r\na\r\n0\r\n\r\n", CHUNK_LINE),
	REFUSED("CR in an extension", "1;a\rb\r\na\r\n0\r\n\r\n", CHUNK_LINE),
	REFUSED("LF in a quoted extension", "1;a=\"\n\"\r\na\r\n0\r\n\r\n", CHUNK_LINE),
	REFUSED("NUL in an extension", "1;a\0\r\na\r\n0\r\n\r\n", CHUNK_EXTENSION),
	REFUSED("no CRLF after the data", "1\r\naX0\r\n\r\n", CHUNK_END),
	REFUSED("more data than its size", "1\r\nab\r\n0\r\n\r\n", CHUNK_END),
	REFUSED("LF after the data", "1\r\na\n0\r\n\r\n", CHUNK_END),
	REFUSED("CR CR after the data", "1\r\na\r\r0\r\n\r\n", CHUNK_END),
	REFUSED("bare CR at the end", "0\r\n\rX", BARE_CR),
	REFUSED("bare LF at the end", "0\r\n\n", BARE_LF),
	REFUSED("a trailer that ends in LF", "0\r\nA: b\n\r\n", BARE_LF),
	REFUSED("bare LF after trailers", "0\r\nA: b\r\n\n", BARE_LF),
	REFUSED("a CR in a trailer", "0\r\nA: b\rc\r\n\r\n", VALUE),
	REFUSED("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", FOLD),
	REFUSED("a trailer without a colon", "0\r\nA\r\n\r\n", NO_COLON),
	REFUSED("a trailer with white space in its name", "0\r\nA : b\r\n\r\n", NAME_SPACE),
	REFUSED("a pseudo-header field as trailer", "0\r\n:path: b\r\n\r\n", NAME),
	REFUSED("a request where trailers stand", "0\r\nGET / HTTP/1.1\r\n\r\n", NO_COLON),
};

struct reading {
	struct sp_http_body body;
	struct sp_buf payload;
	size_t used;
	long err;
};

/* Feeds in, at most step bytes at a time. */
static void feed(struct reading *r, struct sp_slice in, size_t step)
{
	while (in.n > 0 && !sp_http_body_done(&r->body) && !r->err) {
		struct sp_slice part = exact_copy(sp_slice_make(in.p, in.n < step ? in.n : step)), payload;
		long n = sp_http_body_feed(&r->body, part, &payload);

		if (n < 0) {
			r->err = n;
			ck_assert_ptr_null(payload.p);
		} else {
			/* It takes something, and lends the end of what it took. */
			ck_assert_int_gt(n, 0);
			ck_assert_uint_le((size_t)n, part.n);
			if (payload.n > 0)
				ck_assert_ptr_eq(payload.p + payload.n, part.p + n);
			ck_assert_int_eq(sp_buf_append_slice(&r->payload, payload), 0);
			r->used += (size_t)n;
			in = sp_slice_make(in.p + n, in.n - (size_t)n);
		}
		free((void *)(uintptr_t)part.p);
	}
}

static void check_reading(const struct body_case *c, struct reading *r, size_t step)
{
	struct sp_slice none;

	if (!c->payload) {
		ck_assert_msg(r->err == SP_EPROTO, "%s by %zu: %ld", c->name, step, r->err);
		ck_assert_msg(r->body.refusal == c->refusal, "%s by %zu: %s", c->name, step, sp_http_refusal_text(r->body.refusal));
		ck_assert_int_eq(sp_http_body_feed(&r->body, SP_SLICE("0\r\n\r\n"), &none), r->err);
		ck_assert_int_eq(sp_http_body_eof(&r->body), r->err);
		ck_assert_int_eq(sp_http_body_excess(&r->body), r->err);
	} else {
		ck_assert_msg(r->err == 0, "%s by %zu: %ld %s", c->name, step, r->err, sp_http_refusal_text(r->body.refusal));
		ck_assert_msg(sp_http_body_done(&r->body), "%s by %zu: not done", c->name, step);
		ck_assert_msg(sp_slice_eq(sp_buf_data(&r->payload), sp_slice_str(c->payload)), "%s by %zu: payload", c->name, step);
		ck_assert_uint_eq(r->body.total, strlen(c->payload));
		ck_assert_uint_eq(r->used, c->n - strlen(c->rest));
		ck_assert_int_eq(sp_http_body_eof(&r->body), 0);
		ck_assert_int_eq(sp_http_body_feed(&r->body, SP_SLICE("more"), &none), 0);
		ck_assert_ptr_null(none.p);
		ck_assert_int_eq(sp_http_body_excess(&r->body), SP_EPROTO);
		ck_assert_int_eq(r->body.refusal, SP_HTTP_REFUSAL_BODY_TOO_LONG);
	}
	sp_http_body_deinit(&r->body);
	sp_buf_deinit(&r->payload);
}

START_TEST(body_cases)
{
	const struct body_case *c = &cases[_i];
	struct sp_slice in = sp_slice_make(c->in, c->n);
	size_t cut;

	for (cut = 0; cut <= c->n; cut++) {
		struct reading r = { 0 };

		ck_assert_int_eq(sp_http_body_init(&r.body, c->framing, c->length, NULL), 0);
		feed(&r, sp_slice_make(in.p, cut), SIZE_MAX);
		if (r.used == cut)
			feed(&r, sp_slice_make(in.p + cut, in.n - cut), SIZE_MAX);
		check_reading(c, &r, cut);
	}
	for (cut = 1; cut <= 7; cut++) {
		struct reading r = { 0 };

		ck_assert_int_eq(sp_http_body_init(&r.body, c->framing, c->length, NULL), 0);
		feed(&r, in, cut);
		check_reading(c, &r, cut);
	}
}
END_TEST

/* The peer closes after each prefix: too little, unless that was all. */
START_TEST(cut_short)
{
	const struct body_case *c = &cases[_i];
	size_t cut, end = c->n - strlen(c->rest);

	for (cut = 0; c->payload && cut <= end; cut++) {
		struct reading r = { 0 };
		int err;

		ck_assert_int_eq(sp_http_body_init(&r.body, c->framing, c->length, NULL), 0);
		feed(&r, sp_slice_make(c->in, cut), SIZE_MAX);
		err = sp_http_body_eof(&r.body);
		ck_assert_msg(err == (cut < end ? SP_ECLOSED : 0), "%s after %zu: %d", c->name, cut, err);
		if (err)
			ck_assert_int_eq(r.body.refusal, SP_HTTP_REFUSAL_BODY_TOO_SHORT);
		sp_http_body_deinit(&r.body);
		sp_buf_deinit(&r.payload);
	}
}
END_TEST

START_TEST(until_close)
{
	struct reading r = { 0 };

	ck_assert_int_eq(sp_http_body_init(&r.body, SP_BODY_UNTIL_CLOSE, 0, NULL), 0);
	feed(&r, SP_SLICE("abc\r\n"), 2);
	ck_assert(!sp_http_body_done(&r.body));
	ck_assert_uint_eq(r.body.total, 5);
	ck_assert(sp_slice_eq_str(sp_buf_data(&r.payload), "abc\r\n"));
	ck_assert_int_eq(sp_http_body_eof(&r.body), 0);
	ck_assert(sp_http_body_done(&r.body));
	sp_http_body_deinit(&r.body);
	sp_buf_deinit(&r.payload);
}
END_TEST

START_TEST(huge_lengths)
{
	static uint8_t data[1 << 20];
	struct sp_http_body b;
	struct sp_slice payload;
	uint64_t left = UINT64_C(1) << 33;

	ck_assert_int_eq(sp_http_body_init(&b, SP_BODY_LENGTH, left + 1, NULL), 0);
	for (; left > 0; left -= payload.n) {
		ck_assert_int_eq(sp_http_body_feed(&b, sp_slice_make(data, sizeof(data)), &payload), sizeof(data));
		ck_assert_uint_eq(payload.n, sizeof(data));
	}
	ck_assert_int_eq(sp_http_body_feed(&b, sp_slice_make(data, 5), &payload), 1);
	ck_assert(sp_http_body_done(&b));
	ck_assert_uint_eq(b.total, (UINT64_C(1) << 33) + 1);
	ck_assert_int_eq(sp_http_body_init(&b, SP_BODY_CHUNKED, 0, NULL), 0);
	ck_assert_int_eq(sp_http_body_feed(&b, SP_SLICE("7fffffffffffffff\r\nab"), &payload), 20);
	ck_assert(sp_slice_eq_str(payload, "ab"));
	ck_assert_uint_eq(b.left, INT64_MAX - 2);
}
END_TEST

static void refused_for_size(enum sp_http_framing framing, uint64_t length, const struct sp_http_body_limits *l, const char *in,
			     enum sp_http_refusal why)
{
	struct reading r = { 0 };
	size_t step;

	for (step = 1; step < 40; step++) {
		r.err = sp_http_body_init(&r.body, framing, length, l);
		feed(&r, sp_slice_str(in), step);
		ck_assert_msg(r.err == SP_ETOOBIG, "%s: %ld", in, r.err);
		ck_assert_msg(r.body.refusal == why, "%s: %s", in, sp_http_refusal_text(r.body.refusal));
		sp_http_body_deinit(&r.body);
		sp_buf_deinit(&r.payload);
		r = (struct reading){ 0 };
	}
}

static void fits(enum sp_http_framing framing, uint64_t length, const struct sp_http_body_limits *l, const char *in)
{
	struct reading r = { 0 };

	ck_assert_int_eq(sp_http_body_init(&r.body, framing, length, l), 0);
	feed(&r, sp_slice_str(in), 3);
	ck_assert_msg(r.err == 0, "%s: %s", in, sp_http_refusal_text(r.body.refusal));
	ck_assert_int_eq(sp_http_body_eof(&r.body), 0);
	sp_http_body_deinit(&r.body);
	sp_buf_deinit(&r.payload);
}

START_TEST(limits)
{
	const struct sp_http_body_limits l = { .payload_bytes = 5, .trailer_bytes = 14, .trailer_fields = 2 };

	fits(SP_BODY_LENGTH, 5, &l, "abcde");
	refused_for_size(SP_BODY_LENGTH, 6, &l, "abcdef", SP_HTTP_REFUSAL_BODY_SIZE);
	fits(SP_BODY_UNTIL_CLOSE, 0, &l, "abcde");
	refused_for_size(SP_BODY_UNTIL_CLOSE, 0, &l, "abcdef", SP_HTTP_REFUSAL_BODY_SIZE);
	fits(SP_BODY_CHUNKED, 0, &l, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	refused_for_size(SP_BODY_CHUNKED, 0, &l, "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", SP_HTTP_REFUSAL_BODY_SIZE);
	fits(SP_BODY_CHUNKED, 0, &l, "0\r\nA:1\r\nBC:2\r\n\r\n"); /* 5 + 6 + 2 */
	fits(SP_BODY_CHUNKED, 0, &l, "0\r\nA:1\r\nBC:23\r\n\r\n");
	refused_for_size(SP_BODY_CHUNKED, 0, &l, "0\r\nA:1\r\nBC:234\r\n\r\n", SP_HTTP_REFUSAL_TRAILER_SIZE);
	refused_for_size(SP_BODY_CHUNKED, 0, &l, "0\r\nAAAAAAAAAAAAAAAAAAAAAAAAAAA", SP_HTTP_REFUSAL_TRAILER_SIZE);
	refused_for_size(SP_BODY_CHUNKED, 0, &l, "0\r\nA:\r\nB:\r\nC:\r\n\r\n", SP_HTTP_REFUSAL_FIELD_COUNT);
}
END_TEST

/* One long extension; and many small ones on chunks of one byte. Honest overhead has no limit. */
START_TEST(extensions_are_bounded)
{
	struct sp_buf in = { 0 };
	struct reading r = { 0 };
	int i;

	ck_assert_int_eq(sp_buf_append_str(&in, "1;"), 0);
	for (i = 0; i < 1100; i++)
		ck_assert_int_eq(sp_buf_append_str(&in, "x"), 0);
	refused_for_size(SP_BODY_CHUNKED, 0, NULL, sp_buf_str(&in), SP_HTTP_REFUSAL_CHUNK_OVERHEAD);
	sp_buf_deinit(&in);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(sp_buf_printf(&in, "1;%0100d\r\nx\r\n", i), 0);
	refused_for_size(SP_BODY_CHUNKED, 0, NULL, sp_buf_str(&in), SP_HTTP_REFUSAL_CHUNK_OVERHEAD);
	sp_buf_deinit(&in);
	ck_assert_int_eq(sp_http_body_init(&r.body, SP_BODY_CHUNKED, 0, NULL), 0);
	for (i = 0; i < 20000; i++)
		feed(&r, SP_SLICE("1;a=bcdefghijk\r\nx\r\n"), 64);
	ck_assert_int_eq(r.err, 0);
	ck_assert_uint_eq(r.body.total, 20000);
	sp_http_body_deinit(&r.body);
	sp_buf_deinit(&r.payload);
}
END_TEST

START_TEST(trailers)
{
	struct reading r = { 0 };
	struct sp_fields f;

	ck_assert_int_eq(sp_http_body_init(&r.body, SP_BODY_CHUNKED, 0, NULL), 0);
	feed(&r, SP_SLICE("0\r\nX-Sum: 1\r\nContent-Length: 5\r\nAuthorization: x\r\nGrpc-Status:  0 \r\nTrailer: a\r\n\r"), 4);
	sp_http_body_trailers(&r.body, &f);
	ck_assert_uint_eq(f.count, 0); /* not yet */
	feed(&r, SP_SLICE("\n"), 1);
	ck_assert(sp_http_body_done(&r.body));
	sp_http_body_trailers(&r.body, &f);
	ck_assert_uint_eq(f.count, 2);
	ck_assert(sp_slice_eq_str(f.v[0].name, "X-Sum"));
	ck_assert(sp_slice_eq_str(f.v[0].value, "1"));
	ck_assert(sp_slice_eq_str(f.v[1].name, "Grpc-Status"));
	ck_assert(sp_slice_eq_str(f.v[1].value, "0"));
	sp_http_body_deinit(&r.body);
	ck_assert_int_eq(sp_http_body_init(&r.body, SP_BODY_CHUNKED, 0, NULL), 0);
	feed(&r, SP_SLICE("0\r\n\r\n"), 4);
	sp_http_body_trailers(&r.body, &f);
	ck_assert_uint_eq(f.count, 0);
	ck_assert_ptr_null(r.body.trailer.mem); /* the usual end costs no memory */
}
END_TEST

START_TEST(out_of_memory)
{
	struct sp_http_body b;
	struct sp_slice payload;
	long n;

	ck_assert_int_eq(sp_http_body_init(&b, SP_BODY_CHUNKED, 0, NULL), 0);
	after_mallocs_fail(0);
	n = sp_http_body_feed(&b, SP_SLICE("0\r\nA: b\r\n"), &payload);
	after_mallocs_fail(-1);
	ck_assert_int_eq(n, SP_ENOMEM);
	ck_assert_int_eq(sp_http_body_feed(&b, SP_SLICE("\r\n"), &payload), SP_ENOMEM);
	sp_http_body_deinit(&b);
}
END_TEST

START_TEST(framing_of_responses)
{
	static const struct {
		const char *head, *method;
		enum sp_http_framing framing;
	} t[] = {
		{ "200 x\r\nContent-Length: 5\r\n", "GET", SP_BODY_LENGTH },
		{ "200 x\r\nContent-Length: 5\r\n", "HEAD", SP_BODY_NONE },
		{ "200 x\r\nTransfer-Encoding: chunked\r\n", "HEAD", SP_BODY_NONE },
		{ "200 x\r\n", "HEAD", SP_BODY_NONE },
		{ "200 x\r\nContent-Length: 5\r\n", "head", SP_BODY_LENGTH }, /* methods have a case */
		{ "200 x\r\n", "GET", SP_BODY_UNTIL_CLOSE },
		{ "200 x\r\nTransfer-Encoding: chunked\r\n", "POST", SP_BODY_CHUNKED },
		{ "100 x\r\n", "POST", SP_BODY_NONE },
		{ "103 x\r\nContent-Length: 5\r\n", "GET", SP_BODY_NONE },
		{ "101 x\r\n", "GET", SP_BODY_TUNNEL },
		{ "204 x\r\n", "GET", SP_BODY_NONE },
		{ "204 x\r\nContent-Length: 5\r\n", "GET", SP_BODY_NONE },
		{ "205 x\r\nContent-Length: 0\r\n", "GET", SP_BODY_LENGTH },
		{ "304 x\r\nContent-Length: 5\r\n", "GET", SP_BODY_NONE },
		{ "304 x\r\nTransfer-Encoding: chunked\r\n", "GET", SP_BODY_NONE },
		{ "200 x\r\nContent-Length: 5\r\n", "CONNECT", SP_BODY_TUNNEL },
		{ "299 x\r\nTransfer-Encoding: chunked\r\n", "CONNECT", SP_BODY_TUNNEL },
		{ "407 x\r\nContent-Length: 5\r\n", "CONNECT", SP_BODY_LENGTH },
		{ "300 x\r\n", "CONNECT", SP_BODY_UNTIL_CLOSE },
	};
	static struct sp_http_response res;
	struct sp_http_body b;
	char text[128];
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n", t[i].head);
		ck_assert_int_gt(sp_http_response_parse(sp_slice_str(text), 1024, &res), 0);
		ck_assert_msg(sp_http_response_framing(&res, sp_slice_str(t[i].method)) == t[i].framing, "%s", text);
		ck_assert_int_eq(sp_http_body_init_response(&b, &res, sp_slice_str(t[i].method), NULL), 0);
		ck_assert_int_eq(b.framing, t[i].framing);
		ck_assert_uint_eq(b.left, b.framing == SP_BODY_LENGTH ? res.content_length :
					  b.framing == SP_BODY_UNTIL_CLOSE ? UINT64_MAX : 0);
	}
}
END_TEST

START_TEST(framing_of_requests)
{
	static struct sp_http_request req;
	struct sp_http_body b;

	ck_assert_int_gt(sp_http_request_parse(SP_SLICE("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"), 1024, &req), 0);
	ck_assert_int_eq(sp_http_body_init_request(&b, &req, NULL), 0);
	ck_assert_uint_eq(b.left, 7);
	ck_assert_int_gt(sp_http_request_parse(SP_SLICE("PUT / HTTP/1.1\r\nHost: a\r\n\r\n"), 1024, &req), 0);
	ck_assert_int_eq(sp_http_body_init_request(&b, &req, NULL), 0);
	ck_assert(sp_http_body_done(&b));
}
END_TEST

Suite *sp_suite_body(void)
{
	Suite *s = suite_create("codec/body");
	TCase *t = tcase_create("body");

	tcase_add_loop_test(t, body_cases, 0, SP_COUNT_OF(cases));
	tcase_add_loop_test(t, cut_short, 0, SP_COUNT_OF(cases));
	tcase_add_test(t, until_close);
	tcase_add_test(t, huge_lengths);
	tcase_add_test(t, limits);
	tcase_add_test(t, extensions_are_bounded);
	tcase_add_test(t, trailers);
	tcase_add_test(t, out_of_memory);
	tcase_add_test(t, framing_of_responses);
	tcase_add_test(t, framing_of_requests);
	suite_add_tcase(s, t);
	return s;
}
