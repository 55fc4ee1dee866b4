/* The server's side: requests' bodies, heads of responses, what becomes of the connection. */
#include "fixture.h"
#include "suites.h"

#include <string.h>

#define POST_LENGTH(n) "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " #n "\r\n\r\n"
#define POST_CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_UPGRADE "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *wire, *payload, *trailer;
} bodies[] = {
	{ POST_LENGTH(10) "0123456789", "0123456789", "" },
	{ POST_LENGTH(1) "0", "0", "" },
	{ POST_LENGTH(0), "", "" },
	{ GET, "", "" },
	{ POST_CHUNKED "0\r\n\r\n", "", "" },
	{ POST_CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", "" },
	{ POST_CHUNKED "1;a=b\r\nh\r\n2\r\nel\r\n002\r\nlo\r\n0\r\nA: b\r\nX-Sum: 12\r\n\r\n", "hello",
	  "A=b,X-Sum=12," },
	{ POST_CHUNKED "3\r\nabc\r\n0\r\nContent-Length: 4\r\n\r\n", "abc", "" }, /* not allowed there */
};

/* Whole exchange, the request in pieces that end at cut, or of one byte each. */
static void exchange_cut(unsigned i, size_t cut, bool each)
{
	const char *wire = bodies[i].wire;
	size_t n = strlen(wire);

	serving = true;
	if (each) {
		for (size_t k = 0; k < n; k++) {
			say_n(wire + k, 1);
			run_turns(1);
		}
	} else {
		say_n(wire, cut);
		run_turns(2);
		say_n(wire + cut, n - cut);
	}
	say("GET /next"); /* stays */
	body(bodies[i].payload);
	ck_assert_uint_eq(x.eof,
			  strstr(wire, "chunked") || bodies[i].payload[0] ? 1 : 0); /* without a body it begins ended */
	ck_assert(sp_h1_ended(x.h));
	ck_assert(x.s->input_ended);
	ck_assert_uint_eq(x.s->bytes_in, strlen(bodies[i].payload));
	ck_assert_str_eq(x.trailer, bodies[i].trailer);
	ck_assert_uint_eq(x.trailers, bodies[i].trailer[0] ? 1 : 0);
	respond(200, "length=5");
	put("he");
	put("llo");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
	heard(OK_5 "hello");
	run_turns(2);
	ck_assert_str_eq(sp_buf_str(&owner.in), "GET /next");
}

START_TEST(bodies_at_every_cut)
{
	for (size_t cut = 0; cut <= strlen(bodies[_i].wire); cut++) {
		exchange_cut((unsigned)_i, cut, false);
		done();
		fresh();
	}
	exchange_cut((unsigned)_i, 0, true);
}
END_TEST

static const struct {
	const char *wire;
	int err;
	enum sp_http_refusal why;
} bad[] = {
	{ POST_CHUNKED "x\r\n", SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_SIZE },
	{ POST_CHUNKED "5\nhello", SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_LINE },
	{ POST_CHUNKED "5\r\nhelloX\r\n", SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_END },
	{ POST_CHUNKED "11111111111111111\r\n", SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_OVERFLOW },
	{ POST_CHUNKED "0\r\nA b\r\n\r\n", SP_EPROTO, SP_HTTP_REFUSAL_NO_COLON },
	{ POST_CHUNKED "65\r\n", SP_ETOOBIG, SP_HTTP_REFUSAL_BODY_SIZE },
};

START_TEST(malformed_bodies)
{
	opt.body.payload_bytes = 100;
	serve(bad[_i].wire);
	ended(bad[_i].err);
	ck_assert_uint_eq(x.eof, 0);
	ck_assert_int_eq(sp_h1_refusal(x.h), bad[_i].why);
	ck_assert_int_eq(try_respond(400, "ended"), SP_ECLOSED);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH); /* unanswered: the owner may say why */
}
END_TEST

START_TEST(malformed_after_the_answer)
{
	serve(POST_CHUNKED);
	respond(200, "");
	put("so far");
	say("x\r\n");
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(length_above_the_limit)
{
	opt.body.payload_bytes = 9;
	serve(POST_LENGTH(10));
	ck_assert_int_eq(served, SP_ETOOBIG);
	ck_assert_ptr_nonnull(owner.s); /* still the caller's */
	say("rest");
	run_until_bytes(&owner.in_bytes, strlen(POST_LENGTH(10)) + 4);
}
END_TEST

START_TEST(cut_short)
{
	serve(POST_LENGTH(10) "01234");
	body("01234");
	sp_stream_shutdown_write(peer.s);
	ended(SP_ECLOSED);
	ck_assert_uint_eq(x.eof, 0);
	ck_assert_int_eq(sp_h1_refusal(x.h), SP_HTTP_REFUSAL_BODY_TOO_SHORT);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH);
}
END_TEST

/* A client that says all and ends its side is answered, and so is everything that it said before. */
START_TEST(half_closed)
{
	serving = true;
	say(GET GET GET);
	sp_stream_shutdown_write(peer.s);
	for (unsigned i = 0; i < 3; i++) {
		enum sp_h1_left left;

		run_until_count(&requests, i + 1);
		respond(200, "length=5");
		put("hello");
		shut(SP_CLOSE_FLUSH);
		ended(0);
		left = give_back();
		ck_assert_int_eq(left, i < 2 ? SP_H1_REUSABLE : SP_H1_FLUSH);
		x.closed = 0;
		serving = i < 2;
	}
	run_until_bytes(&peer.in_bytes, 3 * strlen(OK_5 "hello"));
}
END_TEST

/* ---- responses --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *head;
	unsigned status;
	const char *more, *payload, *wire;
	enum sp_h1_left left;
} answers[] = {
	{ GET, 200, "length=5", "hello", OK_5 "hello", SP_H1_REUSABLE },
	{ GET, 200, "", "hello", OK_CHUNKED "5\r\nhello\r\n0\r\n\r\n", SP_H1_REUSABLE },
	{ GET, 200, "ended", NULL, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", SP_H1_REUSABLE },
	{ GET, 204, "ended", NULL, "HTTP/1.1 204 No Content\r\n\r\n", SP_H1_REUSABLE },
	{ GET, 304, "ended length=7", NULL, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", SP_H1_REUSABLE },
	{ "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "ended length=7", NULL,
	  "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", SP_H1_REUSABLE },
	{ GET, 200, "length=5 close", "hello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
	  SP_H1_FLUSH },
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200, "length=5", "hello",
	  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", SP_H1_FLUSH },
	{ "GET / HTTP/1.0\r\n\r\n", 200, "length=5", "hello",
	  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", SP_H1_FLUSH },
	{ "GET / HTTP/1.0\r\n\r\n", 200, "", "hello", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
	  SP_H1_FLUSH },
	/* Upgrade declined: an ordinary exchange. */
	{ GET_UPGRADE, 200, "length=5", "hello", OK_5 "hello", SP_H1_REUSABLE },
};

START_TEST(responses)
{
	serve(answers[_i].head);
	ck_assert(!sp_h1_answered(x.h));
	respond(answers[_i].status, answers[_i].more);
	ck_assert_int_eq(try_respond(200, "ended"), SP_EINVAL);
	run_turns(2);
	ck_assert(sp_h1_ended(x.h));
	if (answers[_i].payload)
		put(answers[_i].payload);
	end();
	ck_assert_int_eq(sp_stream_write(x.s, "x", 1), SP_ECLOSED);
	heard(answers[_i].wire);
	ck_assert_uint_eq(x.closed, 0);
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), answers[_i].left);
	run_turns(2);
	ck_assert_str_eq(sp_buf_str(&peer.in), answers[_i].wire);
}
END_TEST

START_TEST(closed_before_its_end)
{
	serve(GET);
	respond(200, _i ? "" : "length=5");
	put("hell");
	shut(SP_CLOSE_ABORT);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* Of a Content-Length: more, and less. */
START_TEST(too_long)
{
	serve(GET);
	respond(200, "length=5");
	put("hello");
	x.in_call = true;
	ck_assert_int_eq(sp_stream_write(x.s, "x", 1), SP_ECLOSED);
	x.in_call = false;
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
	heard(OK_5 "hello");
}
END_TEST

START_TEST(too_short)
{
	serve(GET);
	respond(200, "length=5");
	put("hell");
	if (_i)
		shut(SP_CLOSE_FLUSH);
	else
		end();
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(body_before_head)
{
	serve(GET);
	ck_assert_int_eq(sp_stream_write(x.s, "x", 1), SP_ECLOSED);
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH); /* nothing was sent: the owner answers */
}
END_TEST

START_TEST(body_where_none_may_be)
{
	serve("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	respond(200, "length=5");
	ck_assert_int_eq(sp_stream_write(x.s, "hello", 5), SP_ECLOSED);
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(response_trailers)
{
	struct sp_fields f = { 0 };

	serve(GET);
	sp_fields_add(&f, SP_SLICE("X-Sum"), SP_SLICE("12"));
	ck_assert_int_eq(sp_stream_trailers(x.s, &f), SP_EUNSUPPORTED); /* no head yet */
	respond(200, "");
	put("a");
	ck_assert_int_eq(sp_stream_trailers(x.s, &f), 0);
	put("b");
	shut(SP_CLOSE_FLUSH);
	ck_assert_int_eq(sp_stream_trailers(x.s, &f), SP_ECLOSED);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
	heard(OK_CHUNKED "1\r\na\r\n1\r\nb\r\n0\r\nX-Sum: 12\r\n\r\n");
}
END_TEST

START_TEST(trailers_without_a_place)
{
	struct sp_fields f = { 0 };

	serve(GET);
	sp_fields_add(&f, SP_SLICE("X-Sum"), SP_SLICE("12"));
	respond(200, "length=1");
	ck_assert_int_eq(sp_stream_trailers(x.s, &f), SP_EUNSUPPORTED);
	put("a");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
}
END_TEST

START_TEST(fields_that_cannot_be_sent)
{
	struct sp_msg_response r = { .status = 200, .ended = true };

	serve(GET);
	sp_fields_add(&r.fields, SP_SLICE("X"), SP_SLICE("a\r\nb"));
	ck_assert_int_eq(sp_h1_respond(x.h, &r, SP_SLICE_NONE, false), SP_EINVAL);
	ck_assert_int_eq(sp_h1_inform(x.h, 103, &r.fields), SP_EINVAL);
	ck_assert(!sp_h1_answered(x.h));
	respond(502, "ended");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
	heard("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
}
END_TEST

/* ---- Expect and early answers ------------------------------------------------------------------------------------ */

#define POST_EXPECT "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

START_TEST(continues)
{
	struct sp_fields none = { 0 };

	serve(POST_EXPECT);
	ck_assert_int_eq(sp_h1_inform(x.h, 100, &none), 0);
	heard(CONTINUE);
	say("hello");
	body("hello");
	respond(200, "length=5");
	ck_assert_int_eq(sp_h1_inform(x.h, 103, &none), SP_EINVAL);
	put("hello");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
	heard(CONTINUE OK_5 "hello");
}
END_TEST

/* Answered without 100: whether the body comes cannot be known, so nothing may be read after it. */
START_TEST(answered_without_continue)
{
	serve(POST_EXPECT);
	respond(_i ? 200 : 403, "ended");
	end();
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH);
	heard(_i ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		 : "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
END_TEST

START_TEST(no_interim_for_old_clients)
{
	struct sp_fields none = { 0 };

	serve("GET / HTTP/1.0\r\n\r\n");
	ck_assert_int_eq(sp_h1_inform(x.h, 103, &none), SP_EINVAL);
}
END_TEST

/* 200 in the middle of the request: both go on, and the connection may be used again. */
START_TEST(early_answer)
{
	serve(POST_LENGTH(10) "01234");
	body("01234");
	respond(200, "length=5");
	put("hello");
	end();
	heard(OK_5 "hello");
	ck_assert_uint_eq(x.closed, 0);
	say("56789");
	body("0123456789");
	ck_assert_uint_eq(x.eof, 1);
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
}
END_TEST

START_TEST(early_answer_and_no_more)
{
	serve(POST_LENGTH(10) "01234");
	respond(200, "length=5");
	put("hello");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH); /* the rest of the request is not known */
}
END_TEST

START_TEST(early_refusal)
{
	serve(POST_LENGTH(10) "01234");
	respond(413, "ended");
	end();
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH);
	heard("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
END_TEST

/* ---- protocols --------------------------------------------------------------------------------------------------- */

#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

static size_t take_two(struct side *e, struct sp_slice v)
{
	(void)e;
	return v.n < 2 ? v.n : 2;
}

START_TEST(switches)
{
	serve(GET_UPGRADE "early");
	run_turns(3);
	ck_assert_uint_eq(x.data, 0); /* whose bytes these are is not known before the answer */
	ck_assert_uint_eq(x.eof, 0);
	ck_assert(!sp_h1_ended(x.h));
	x.take = take_two;
	respond(101, "switched");
	ck_assert(!sp_h1_ended(x.h));
	sp_stream_read_start(x.s);
	run_turns(3);
	say(" more");
	while (x.in.len < 10) {
		sp_stream_read_start(x.s);
		run_turns(2);
	}
	body("early more");
	put("down");
	heard(SWITCHED "down");
	sp_stream_shutdown_write(peer.s);
	run_until_count(&x.eof, 1);
	put("!");
	end();
	run_until_count(&peer.eof, 1);
	heard(SWITCHED "down!");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH);
}
END_TEST

START_TEST(switched_and_ended_first)
{
	serve(GET_UPGRADE);
	sp_stream_shutdown_write(peer.s); /* before the answer */
	run_turns(3);
	ck_assert_uint_eq(x.eof, 0);
	respond(101, "switched");
	run_until_count(&x.eof, 1);
	shut(SP_CLOSE_ABORT);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* Reading already when the upgrade is declined: the end comes by itself. */
START_TEST(declined)
{
	serve(GET_UPGRADE);
	run_turns(3);
	ck_assert_uint_eq(x.eof, 0);
	respond(200, "length=5");
	run_until_count(&x.eof, 1);
	put("hello");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
}
END_TEST

Suite *sp_suite_h1_server(void)
{
	Suite *s = suite_create("h1 server");
	TCase *c = tcase_create("server");

	tcase_add_checked_fixture(c, h1_setup, h1_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, bodies_at_every_cut, 0, SP_COUNT_OF(bodies));
	tcase_add_loop_test(c, malformed_bodies, 0, SP_COUNT_OF(bad));
	tcase_add_test(c, malformed_after_the_answer);
	tcase_add_test(c, length_above_the_limit);
	tcase_add_test(c, cut_short);
	tcase_add_test(c, half_closed);
	tcase_add_loop_test(c, responses, 0, SP_COUNT_OF(answers));
	tcase_add_loop_test(c, closed_before_its_end, 0, 2);
	tcase_add_test(c, too_long);
	tcase_add_loop_test(c, too_short, 0, 2);
	tcase_add_test(c, body_before_head);
	tcase_add_test(c, body_where_none_may_be);
	tcase_add_test(c, response_trailers);
	tcase_add_test(c, trailers_without_a_place);
	tcase_add_test(c, fields_that_cannot_be_sent);
	tcase_add_test(c, continues);
	tcase_add_loop_test(c, answered_without_continue, 0, 2);
	tcase_add_test(c, no_interim_for_old_clients);
	tcase_add_test(c, early_answer);
	tcase_add_test(c, early_answer_and_no_more);
	tcase_add_test(c, early_refusal);
	tcase_add_test(c, switches);
	tcase_add_test(c, switched_and_ended_first);
	tcase_add_test(c, declined);
	suite_add_tcase(s, c);
	return s;
}
