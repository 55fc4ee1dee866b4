/* The client's side: responses' heads and bodies, what becomes of the connection. */
#include "fixture.h"
#include "suites.h"

#include <string.h>

#define OK_LENGTH(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define SENT "GET / HTTP/1.1\r\nHost: s.test\r\n\r\n"
#define SENT_5 "POST / HTTP/1.1\r\nHost: s.test\r\nContent-Length: 5\r\n\r\n"
#define SENT_CHUNKED "POST / HTTP/1.1\r\nHost: s.test\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *method, *wire;
	bool ends; /* the system closes after it */
	unsigned status;
	const char *payload, *trailer;
	enum sp_h1_left left;
} responses[] = {
	{ "GET", OK_LENGTH(5) "hello", false, 200, "hello", "", SP_H1_REUSABLE },
	{ "GET", OK_LENGTH(0), false, 200, "", "", SP_H1_REUSABLE },
	{ "GET", OK_CHUNKED "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", false, 200, "hello!", "", SP_H1_REUSABLE },
	{ "GET", OK_CHUNKED "0\r\nA: b\r\n\r\n", false, 200, "", "A=b,", SP_H1_REUSABLE },
	{ "HEAD", OK_LENGTH(5), false, 200, "", "", SP_H1_REUSABLE },
	{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", "", SP_H1_REUSABLE },
	{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, "", "", SP_H1_REUSABLE },
	{ "GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_LENGTH(5) "hello", false, 200, "hello", "",
	  SP_H1_REUSABLE },
	{ "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", "",
	  SP_H1_FLUSH },
	{ "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", "", SP_H1_FLUSH },
	{ "GET", "HTTP/1.1 200 OK\r\n\r\nhello", true, 200, "hello", "", SP_H1_FLUSH },
	{ "GET", "HTTP/1.0 200 OK\r\n\r\n", true, 200, "", "", SP_H1_FLUSH },
	{ "GET", OK_LENGTH(5) "hello", true, 200, "hello", "", SP_H1_FLUSH },
};

static void exchange_cut(unsigned i, size_t cut, bool each)
{
	const char *wire = responses[i].wire;
	size_t n = strlen(wire);

	ask(responses[i].method, "");
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
	if (responses[i].ends)
		sp_stream_shutdown_write(peer.s);
	run_until_count(&x.eof, 1);
	if (responses[i].ends)
		run_turns(2);
	body(responses[i].payload);
	ck_assert_uint_eq(x.responses, 1);
	ck_assert_uint_eq(x.status, responses[i].status);
	ck_assert_uint_eq(x.interims, strstr(wire, "103") ? 1 : 0);
	ck_assert_str_eq(x.trailer, responses[i].trailer);
	ck_assert(x.s->input_ended);
	ck_assert(sp_h1_ended(x.h));
	ck_assert_uint_eq(x.closed + x.over, 0);
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_uint_eq(x.over, 1);
	ck_assert_int_eq(give_back(), responses[i].left);
	ck_assert_ptr_nonnull(owner.s);
}

START_TEST(responses_at_every_cut)
{
	for (size_t cut = 0; cut <= strlen(responses[_i].wire); cut++) {
		exchange_cut((unsigned)_i, cut, false);
		done();
		fresh();
	}
	exchange_cut((unsigned)_i, 0, true);
}
END_TEST

static const struct {
	const char *wire;
	bool ends;
	int err;
	unsigned responses;
} bad[] = {
	{ "nonsense\r\n\r\n", false, SP_EPROTO, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, SP_EPROTO, 0 },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false, SP_EPROTO, 0 },
	{ OK_CHUNKED "x\r\n", false, SP_EPROTO, 1 },
	{ OK_LENGTH(5) "hell", true, SP_ECLOSED, 1 },
	{ OK_CHUNKED "5\r\nhello\r\n", true, SP_ECLOSED, 1 },
	{ "HTTP/1.1 200 OK\r\nConte", true, SP_ECLOSED, 0 },
	{ "H", true, SP_ECLOSED, 0 },
	{ "", true, SP_ECLOSED, 0 },
	{ "HTTP/1.1 100 Continue\r\n\r\n", true, SP_ECLOSED, 0 },
};

START_TEST(bad_responses)
{
	ask("GET", "");
	say(bad[_i].wire);
	if (bad[_i].ends)
		sp_stream_shutdown_write(peer.s);
	ended(bad[_i].err);
	ck_assert_uint_eq(x.responses, bad[_i].responses);
	ck_assert_uint_eq(x.eof, 0);
	ck_assert_uint_eq(x.over, 1);
	if (bad[_i].err == SP_EPROTO && _i != 2)
		ck_assert_int_ne(sp_h1_refusal(x.h), SP_HTTP_REFUSAL_NONE);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(head_above_the_limit)
{
	static char junk[5000];

	memset(junk, 'a', sizeof(junk));
	ask("GET", "");
	say("HTTP/1.1 200 OK\r\nA: ");
	say_n(junk, sizeof(junk));
	ended(SP_EPROTO);
	ck_assert_int_ne(sp_h1_refusal(x.h), SP_HTTP_REFUSAL_NONE);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(interim_flood)
{
	ask("GET", "");
	for (unsigned i = 0; i < 40; i++)
		say("HTTP/1.1 102 Processing\r\n\r\n");
	ended(SP_EPROTO);
	ck_assert_uint_eq(x.interims, 32);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

static void close_now(struct side *e)
{
	e->in_call = true;
	sp_stream_close(e->s, e->how);
	e->in_call = false;
}

START_TEST(closed_in_an_interim)
{
	ask("GET", "");
	x.on_interim = close_now;
	say("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" OK_LENGTH(0));
	ended(0);
	ck_assert_uint_eq(x.interims, 1);
	ck_assert_uint_eq(x.responses, 0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* ---- connections that were used before --------------------------------------------------------------------------- */

START_TEST(reused_and_gone)
{
	ask("GET", "reused");
	if (_i & 1)
		peer_dies();
	else
		sp_stream_shutdown_write(peer.s);
	ended(SP_ERETRY);
	ck_assert_uint_eq(x.responses, 0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(reused_and_gone_later)
{
	ask("GET", "reused");
	say(_i & 2 ? "H" : OK_LENGTH(5) "h");
	run_turns(3);
	if (_i & 1)
		peer_dies();
	else
		sp_stream_shutdown_write(peer.s);
	run_until_count(&x.closed, 1);
	ck_assert(x.has_cause);
	ck_assert_int_ne(x.cause.err, SP_ERETRY); /* it may have been carried out */
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(fresh_and_gone)
{
	ask("GET", "");
	peer_dies();
	run_until_count(&x.closed, 1);
	ck_assert(x.has_cause);
	ck_assert_int_ne(x.cause.err, SP_ERETRY);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
	ck_assert_ptr_null(owner.s);
}
END_TEST

/* The idle one had ended before it was used. */
START_TEST(ended_before_the_request)
{
	sp_stream_shutdown_write(peer.s);
	run_until_count(&owner.eof, 1);
	ask("GET", "reused");
	ended(SP_ERETRY);
}
END_TEST

START_TEST(bytes_after_the_response)
{
	ask("GET", "");
	x.idle = _i & 1;
	say(OK_LENGTH(5) "hello");
	if (_i & 2)
		run_turns(3);
	say("HTTP/1.1 200 OK\r\n");
	run_turns(3);
	if (x.idle)
		sp_stream_read_start(x.s);
	run_until_count(&x.eof, 1);
	body("hello");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT); /* nobody asked for them */
}
END_TEST

START_TEST(not_read_to_its_end)
{
	ask("GET", "");
	say(OK_LENGTH(5) "hell");
	body("hell");
	shut(_i ? SP_CLOSE_FLUSH : SP_CLOSE_ABORT);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(used_twice)
{
	for (unsigned i = 0; i < 2; i++) {
		ask("POST", i ? "length=5 reused" : "body");
		put("hello");
		end();
		say(OK_LENGTH(2) "ok");
		run_until_count(&x.eof, 1);
		shut(SP_CLOSE_FLUSH);
		ended(0);
		ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
		sp_buf_deinit(&x.in);
		memset(&x, 0, sizeof(x));
	}
	heard(SENT_CHUNKED "5\r\nhello\r\n0\r\n\r\n" SENT_5 "hello");
}
END_TEST

/* ---- requests' bodies -------------------------------------------------------------------------------------------- */

START_TEST(request_without_body)
{
	ask("GET", "");
	ck_assert_int_eq(sp_stream_write(x.s, "x", 1), SP_ECLOSED);
	heard(SENT);
}
END_TEST

START_TEST(request_length)
{
	ask("POST", "length=5");
	put("hello");
	x.in_call = true;
	if (_i)
		ck_assert_int_eq(sp_stream_write(x.s, "x", 1), SP_ECLOSED);
	x.in_call = false;
	if (_i) {
		ended(SP_EPROTO);
		ck_assert_int_eq(give_back(), SP_H1_ABORT);
	}
	heard(SENT_5 "hello");
}
END_TEST

START_TEST(request_too_short)
{
	ask("POST", "length=5");
	put("hell");
	end();
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(request_above_the_limit)
{
	opt.send_max_bytes = 7;
	ask("POST", "body");
	put("hello");
	put("12");
	ck_assert_int_eq(sp_stream_write(x.s, "x", 1), SP_ECLOSED);
	ended(SP_ETOOBIG);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

START_TEST(request_trailers)
{
	struct sp_fields f = { 0 };

	ask("POST", "body");
	sp_fields_add(&f, SP_SLICE("X-Sum"), SP_SLICE("1"));
	ck_assert_int_eq(sp_stream_trailers(x.s, &f), 0);
	put("ab");
	end();
	heard(SENT_CHUNKED "2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n");
}
END_TEST

/* The response is complete, the request is not: it goes on where the system goes on. */
START_TEST(early_response)
{
	ask("POST", "length=5");
	put("he");
	say(OK_LENGTH(2) "no");
	run_until_count(&x.eof, 1);
	run_turns(2);
	ck_assert_uint_eq(x.closed, 0);
	put("llo");
	end();
	heard(SENT_5 "hello");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
}
END_TEST

START_TEST(early_response_and_no_more)
{
	ask("POST", "length=5");
	put("he");
	switch (_i) {
	case 0:
		say("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
		break;
	case 1:
		say(OK_LENGTH(2) "no");
		sp_stream_shutdown_write(peer.s);
		break;
	case 2:
		say("HTTP/1.1 200 OK\r\n\r\nno");
		sp_stream_shutdown_write(peer.s);
		break;
	case 3:
		say(OK_LENGTH(2) "no");
		run_until_count(&x.eof, 1);
		run_turns(2);
		sp_stream_shutdown_write(peer.s); /* said nothing of it before */
		break;
	}
	ended(0);
	body("no");
	ck_assert_uint_eq(x.eof, 1);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* ---- protocols --------------------------------------------------------------------------------------------------- */

#define SENT_UPGRADE "GET / HTTP/1.1\r\nHost: s.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

START_TEST(switches)
{
	ask("GET", "protocol");
	say(SWITCHED "down");
	body("down");
	ck_assert_uint_eq(x.status, 101);
	put("up");
	say("!");
	body("down!");
	end();
	run_until_count(&peer.eof, 1);
	heard(SENT_UPGRADE "up");
	ck_assert_uint_eq(x.eof, 0);
	sp_stream_shutdown_write(peer.s);
	run_until_count(&x.eof, 1);
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH);
}
END_TEST

/* Bytes before the answer would be read as the next request. */
START_TEST(writes_before_the_switch)
{
	ask("GET", "protocol");
	if (_i) {
		say(OK_LENGTH(2) "no");
		run_until_count(&x.eof, 1);
	}
	x.in_call = true;
	ck_assert_int_eq(sp_stream_write(x.s, "GET / HTTP/1.1\r\n", 16), SP_ECLOSED);
	x.in_call = false;
	ended(SP_EPROTO);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
	run_turns(3);
	heard(SENT_UPGRADE);
}
END_TEST

START_TEST(declined)
{
	ask("GET", "protocol");
	say(OK_LENGTH(2) "no");
	run_until_count(&x.eof, 1);
	body("no");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
}
END_TEST

/* The end of writing, said before the answer, holds afterwards. */
START_TEST(shut_before_the_switch)
{
	ask("GET", "protocol");
	end();
	run_turns(3);
	ck_assert_uint_eq(peer.eof, 0);
	say(SWITCHED "down");
	body("down");
	run_until_count(&peer.eof, 1);
	heard(SENT_UPGRADE);
}
END_TEST

Suite *sp_suite_h1_client(void)
{
	Suite *s = suite_create("h1 client");
	TCase *c = tcase_create("client");

	tcase_add_checked_fixture(c, h1_setup, h1_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, responses_at_every_cut, 0, SP_COUNT_OF(responses));
	tcase_add_loop_test(c, bad_responses, 0, SP_COUNT_OF(bad));
	tcase_add_test(c, head_above_the_limit);
	tcase_add_test(c, interim_flood);
	tcase_add_test(c, closed_in_an_interim);
	tcase_add_loop_test(c, reused_and_gone, 0, 2);
	tcase_add_loop_test(c, reused_and_gone_later, 0, 4);
	tcase_add_test(c, fresh_and_gone);
	tcase_add_test(c, ended_before_the_request);
	tcase_add_loop_test(c, bytes_after_the_response, 0, 4);
	tcase_add_loop_test(c, not_read_to_its_end, 0, 2);
	tcase_add_test(c, used_twice);
	tcase_add_test(c, request_without_body);
	tcase_add_loop_test(c, request_length, 0, 2);
	tcase_add_test(c, request_too_short);
	tcase_add_test(c, request_above_the_limit);
	tcase_add_test(c, request_trailers);
	tcase_add_test(c, early_response);
	tcase_add_loop_test(c, early_response_and_no_more, 0, 4);
	tcase_add_test(c, switches);
	tcase_add_loop_test(c, writes_before_the_switch, 0, 2);
	tcase_add_test(c, declined);
	tcase_add_test(c, shut_before_the_switch);
	suite_add_tcase(s, c);
	return s;
}
