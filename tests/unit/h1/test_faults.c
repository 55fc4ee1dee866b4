/* Silence, connections that die in every state, no memory. */
#include "fixture.h"
#include "net/loop_int.h"
#include "suites.h"

#include <string.h>

#define POST_LENGTH(n) "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " #n "\r\n\r\n"
#define POST_CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define SILENCE_MS 30

/* ---- silence ----------------------------------------------------------------------------------------------------- */

START_TEST(silent_client)
{
	opt.silence_ms = SILENCE_MS;
	serve(_i ? POST_CHUNKED "5\r\nhel" : POST_LENGTH(5));
	ended(SP_ETIMEOUT);
	ck_assert_int_eq(give_back(), SP_H1_FLUSH);
}
END_TEST

/* Asked to read before the response's head, and after it. */
START_TEST(silent_system)
{
	opt.silence_ms = SILENCE_MS;
	ask("GET", "");
	x.idle = _i == 1;
	if (x.idle)
		sp_stream_read_start(x.s);
	say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
	ended(SP_ETIMEOUT);
	ck_assert_uint_eq(x.responses, 1);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* While nobody reads, after the message, without a limit: no silence. */
START_TEST(not_silent)
{
	opt.silence_ms = _i == 2 ? 0 : SILENCE_MS;
	serve(_i == 1 ? POST_LENGTH(3) "abc" : POST_LENGTH(3));
	if (_i == 0)
		sp_stream_read_stop(x.s);
	pass_ms(4 * SILENCE_MS);
	ck_assert_uint_eq(x.closed, 0);
	if (_i == 0) {
		sp_stream_read_start(x.s);
		ended(SP_ETIMEOUT);
	}
}
END_TEST

/* ---- dying connections ------------------------------------------------------------------------------------------- */

static void die_as_server(unsigned i)
{
	enum sp_h1_left want = SP_H1_FLUSH;

	serve(i < 2 ? POST_LENGTH(5) "ab" : GET);
	if (i == 1 || i == 3) {
		respond(200, "");
		put("so far");
		want = SP_H1_ABORT;
	}
	if (i == 4) {
		respond(200, "ended");
		end();
	}
	if (i == 5)
		shut(SP_CLOSE_FLUSH);
	run_turns(i == 5 ? 1 : 3);
	sp_stream_close(peer.s, SP_CLOSE_ABORT);
	run_until_count(&x.closed, 1);
	if (i < 4) {
		ck_assert(x.has_cause);
		ck_assert_int_eq(give_back(), want);
		ck_assert_ptr_null(owner.s);
	} else if (i == 4) {
		ck_assert(!x.has_cause); /* both sides were done */
		give_back();
	}
}

START_TEST(server_dies)
{
	die_as_server((unsigned)_i);
}
END_TEST

START_TEST(client_dies)
{
	ask("POST", "length=5");
	if (_i >= 1)
		put("he");
	if (_i >= 2)
		say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na");
	if (_i >= 3)
		say("bc");
	run_turns(4);
	if (_i == 4)
		shut(SP_CLOSE_FLUSH);
	sp_stream_close(peer.s, SP_CLOSE_ABORT);
	run_until_count(&x.closed, 1);
	ck_assert_uint_eq(x.eof, _i >= 3 ? 1 : 0);
	if (_i < 3)
		ck_assert(x.has_cause);
	if (_i == 3)
		ck_assert(!x.has_cause); /* the response is complete */
	run_turns(2);
	ck_assert_uint_eq(x.over, 1);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* Between its close() and its on_closed, and between that and the release. */
START_TEST(dies_at_the_end)
{
	serve(GET);
	respond(200, "ended");
	if (_i == 0) {
		sp_stream_close(peer.s, SP_CLOSE_ABORT);
		shut(SP_CLOSE_FLUSH);
		ended(0);
	} else {
		shut(SP_CLOSE_FLUSH);
		ended(0);
		peer_dies();
		run_turns(5);
	}
	give_back();
}
END_TEST

START_TEST(switched_and_dies)
{
	if (_i)
		ask("GET", "protocol");
	else
		serve("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	if (_i)
		say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nab");
	else
		respond(101, "switched");
	run_turns(4);
	peer_dies();
	run_until_count(&x.closed, 1);
	ck_assert(x.has_cause);
	ck_assert_uint_eq(x.eof, 0);
	ck_assert_int_eq(give_back(), SP_H1_ABORT);
}
END_TEST

/* Given back at once, by an owner that has nobody attached. */
START_TEST(never_used)
{
	serving = true;
	say(_i ? POST_LENGTH(5) "hello" GET : GET GET);
	run_until_count(&requests, 1);
	ck_assert_int_eq(give_back(), _i && x.in.len < 5 ? SP_H1_FLUSH : SP_H1_REUSABLE);
	ck_assert_ptr_nonnull(owner.s);
	run_turns(3);
	ck_assert_uint_eq(x.closed, 0);
}
END_TEST

/* ---- no memory --------------------------------------------------------------------------------------------------- */

static bool turned(void *arg)
{
	return sp_loop_turn(loop) >= *(uint64_t *)arg;
}

static void on_nothing(struct sp_timer *t)
{
	(void)t;
}

/* Without Check, which allocates. */
static void turns_starved(int n)
{
	uint64_t until = sp_loop_turn(loop) + 5;
	struct sp_timer wake = { 0 };

	sp_timer_start(loop, &wake, 1, on_nothing);
	allocations_fail_after(n);
	(void)sp_loop_run_until(loop, turned, &until, 20);
	allocations_fail_after(-1);
	sp_timer_stop(loop, &wake);
}

static bool is_ok_or_nomem(int err)
{
	return err == 0 || err == SP_ENOMEM;
}

static void starve_server(int n)
{
	struct sp_msg_response r = { .status = 200 };
	int informed, responded, trailers = 0;
	struct sp_fields f = { 0 };

	serve(POST_CHUNKED);
	sp_fields_add(&f, SP_SLICE("A"), SP_SLICE("b"));
	allocations_fail_after(n);
	informed = sp_h1_inform(x.h, 103, &f);
	responded = sp_h1_respond(x.h, &r, SP_SLICE_NONE, false);
	if (responded == 0) {
		trailers = sp_stream_trailers(x.s, &f);
		(void)sp_stream_write(x.s, "hello", 5);
		sp_stream_shutdown_write(x.s);
	}
	allocations_fail_after(-1);
	ck_assert(is_ok_or_nomem(informed) && is_ok_or_nomem(responded) && is_ok_or_nomem(trailers));
	if (n == 0)
		ck_assert_int_eq(responded, SP_ENOMEM);
	say("3\r\nabc\r\n0\r\nA: b\r\n\r\n");
	run_turns(4);
	if (x.s)
		shut(SP_CLOSE_ABORT);
	run_until_count(&x.closed, 1);
	if (responded == 0 && !x.has_cause)
		ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
}

START_TEST(no_memory_writing)
{
	for (int n = 0; n < 12; n++) {
		starve_server(n);
		done();
		fresh();
	}
}
END_TEST

START_TEST(no_memory_for_it)
{
	struct sp_msg_request q = { .method = SP_SLICE("GET"), .path = SP_SLICE("/") };
	struct sp_h1_client_events ev = { 0 };
	struct sp_http_request r;
	struct sp_h1 *h;
	int err[3];

	ck_assert_int_gt(sp_http_request_parse(SP_SLICE(GET), 100, &r), 0);
	allocations_fail_after(0);
	err[0] = sp_h1_serve(owner.s, &r, &opt, &h);
	err[1] = sp_h1_request(owner.s, &q, SP_SLICE("GET"), false, &opt, &ev, NULL, &h);
	allocations_fail_after(1);
	err[2] = sp_h1_request(owner.s, &q, SP_SLICE("GET"), false, &opt, &ev, NULL, &h);
	allocations_fail_after(-1);
	for (unsigned i = 0; i < SP_COUNT_OF(err); i++)
		ck_assert_int_eq(err[i], SP_ENOMEM);
	say("still here");
	run_until_bytes(&owner.in_bytes, 10);
}
END_TEST

/* The trailers' copy fails while reading. */
START_TEST(no_memory_reading)
{
	unsigned failed = 0;

	for (int n = 0; n < 4; n++) {
		serve(POST_CHUNKED);
		say("3\r\nabc\r\n0\r\nA: b\r\n\r\n");
		turns_starved(n);
		run_turns(3);
		if (x.closed) {
			ck_assert(x.has_cause);
			ck_assert_int_eq(x.cause.err, SP_ENOMEM);
			ck_assert_uint_eq(x.eof, 0);
			failed++;
		} else {
			run_until_count(&x.eof, 1);
			ck_assert_str_eq(x.trailer, "A=b,");
		}
		done();
		fresh();
	}
	ck_assert_uint_gt(failed, 0);
	ck_assert_uint_lt(failed, 4);
}
END_TEST

Suite *sp_suite_h1_faults(void)
{
	Suite *s = suite_create("h1 faults");
	TCase *c = tcase_create("faults");

	tcase_add_checked_fixture(c, h1_setup, h1_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, silent_client, 0, 2);
	tcase_add_loop_test(c, silent_system, 0, 2);
	tcase_add_loop_test(c, not_silent, 0, 3);
	tcase_add_loop_test(c, server_dies, 0, 6);
	tcase_add_loop_test(c, client_dies, 0, 5);
	tcase_add_loop_test(c, dies_at_the_end, 0, 2);
	tcase_add_loop_test(c, switched_and_dies, 0, 2);
	tcase_add_loop_test(c, never_used, 0, 2);
	tcase_add_test(c, no_memory_writing);
	tcase_add_test(c, no_memory_for_it);
	tcase_add_test(c, no_memory_reading);
	suite_add_tcase(s, c);
	return s;
}
