/* The contract of net/stream.h, kept by both roles' ios. */
#include "fixture.h"
#include "suites.h"

#include <string.h>

#define POST_LENGTH(n) "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " #n "\r\n\r\n"
#define POST_CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static size_t take_one(struct side *e, struct sp_slice v)
{
	(void)e, (void)v;
	return 1;
}

/* What is left is lent again after read_start(), and the end comes after the last of it. */
START_TEST(takes_less)
{
	serving = true;
	say(_i ? POST_CHUNKED "6\r\nabcdef\r\n3\r\nghi\r\n0\r\nA: b\r\n\r\nGET" : POST_LENGTH(9) "abcdefghiGET");
	run_until_count(&requests, 1);
	x.take = take_one;
	for (unsigned i = 0; i < 9; i++) {
		ck_assert_uint_eq(x.eof + x.trailers, 0);
		sp_stream_read_start(x.s);
		while (x.in.len == i)
			run_turns(1);
	}
	run_until_count(&x.eof, 1);
	ck_assert_str_eq(sp_buf_str(&x.in), "abcdefghi");
	respond(200, "ended");
	shut(SP_CLOSE_FLUSH);
	ended(0);
	ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
	run_turns(2);
	ck_assert_str_eq(sp_buf_str(&owner.in), "GET");
}
END_TEST

static size_t take_when_whole(struct side *e, struct sp_slice v)
{
	(void)e;
	return v.n >= 6 ? v.n : 0;
}

/* A parser takes nothing until its message is whole: newer bytes are lent together with the older ones. */
START_TEST(waits_for_more)
{
	serve(_i ? POST_CHUNKED "a\r\n" : POST_LENGTH(10));
	x.take = take_when_whole;
	say("abc");
	run_turns(3);
	ck_assert_uint_eq(x.seen, 3);
	say("de");
	run_turns(3);
	ck_assert_uint_eq(x.seen, 5);
	ck_assert_uint_eq(x.in.len, 0);
	ck_assert(!x.ended_when_lent);
	say("f");
	body("abcdef");
	say("ghij");
	run_turns(3);
	ck_assert_uint_eq(x.seen, 4);
	if (!_i)
		ck_assert(x.ended_when_lent); /* what it waits for will not come */
	ck_assert_uint_eq(x.eof, 0);
}
END_TEST

static size_t stop_after_three(struct side *e, struct sp_slice v)
{
	(void)v;
	sp_stream_read_stop(e->s);
	e->stopped = true;
	return v.n < 3 ? v.n : 3;
}

START_TEST(stops_inside)
{
	serving = true;
	say(_i ? POST_CHUNKED "2\r\nab\r\n4\r\ncdef\r\n0\r\nA: b\r\n\r\n" : POST_LENGTH(6) "abcdef");
	run_until_count(&requests, 1);
	x.take = stop_after_three;
	for (unsigned i = 0; i < 4 && x.eof == 0; i++) {
		run_turns(5);
		x.stopped = false;
		if (i == 3)
			x.take = NULL;
		sp_stream_read_start(x.s);
		run_turns(3);
	}
	run_until_count(&x.eof, 1);
	body("abcdef");
}
END_TEST

/* Stopped, all bytes taken: the end waits, too. */
START_TEST(stops_before_the_end)
{
	serve(POST_LENGTH(3));
	x.take = stop_after_three;
	say("abc");
	run_turns(5);
	body("abc");
	ck_assert_uint_eq(x.eof, 0);
	x.stopped = false;
	x.in_call = true;
	sp_stream_read_start(x.s); /* never calls back before it returns */
	x.in_call = false;
	run_until_count(&x.eof, 1);
}
END_TEST

static size_t close_in_data(struct side *e, struct sp_slice v)
{
	(void)v;
	e->in_call = true;
	sp_stream_close(e->s, e->how);
	e->in_call = false;
	return 1;
}

static void close_now(struct side *e)
{
	close_in_data(e, SP_SLICE_NONE);
}

/* close() in every upcall, in both ways, of both roles. */
START_TEST(closes_inside)
{
	bool asks = _i & 1;
	unsigned where = (unsigned)_i / 4;

	if (asks)
		ask("POST", "body");
	else
		serve(POST_CHUNKED);
	x.how = _i & 2 ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH;
	if (where == 0)
		x.take = close_in_data;
	if (where == 1)
		x.on_trailers = close_now;
	if (where == 2)
		x.on_eof = close_now;
	if (where == 3)
		x.on_drain = close_now;
	if (where == 4 && asks)
		x.on_response = close_now;
	if (where == 5)
		x.release_at_end = true;
	if (!asks)
		respond(200, "");
	if (where == 3) {
		static uint8_t big[2 * SP_STREAM_HIGH];

		sp_stream_read_stop(peer.s);
		x.in_call = true;
		ck_assert_int_ge(sp_stream_write(x.s, big, sizeof(big)), SP_STREAM_HIGH);
		x.in_call = false;
		run_turns(3);
		sp_stream_read_start(peer.s);
	} else {
		if (asks)
			say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		say("5\r\nhello\r\n0\r\nA: b\r\n\r\n");
		if (where >= 4) {
			run_turns(5);
			if (x.s)
				shut(x.how);
		}
	}
	ended(0);
	if (where == 0)
		ck_assert_uint_eq(x.eof + x.trailers, 0);
	if (where == 1)
		ck_assert_uint_eq(x.eof, 0);
	if (x.h) {
		enum sp_h1_left left = give_back();

		if (x.how == SP_CLOSE_ABORT)
			ck_assert_int_eq(left, SP_H1_ABORT);
		else if (where == 1 || where == 2)
			ck_assert_int_eq(left, SP_H1_REUSABLE);
	}
}
END_TEST

/* ---- marks ------------------------------------------------------------------------------------------------------- */

static void count_bytes(uint64_t n)
{
	run_until_bytes(&peer.in_bytes, n);
}

START_TEST(high_mark)
{
	static uint8_t piece[5000];
	unsigned rounds = 0;
	uint64_t total = 0;

	serve(GET);
	respond(200, "");
	heard("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	sp_stream_read_stop(peer.s);
	while (sp_stream_write(x.s, piece, _i ? 700 : sizeof(piece)) < (ssize_t)SP_STREAM_HIGH) {
		total += _i ? 700 : sizeof(piece);
		ck_assert_uint_lt(++rounds, 1000);
		if (_i && rounds % 3 == 0)
			run_turns(1);
	}
	run_turns(5);
	ck_assert_uint_eq(x.drain, 0);
	sp_stream_read_start(peer.s);
	run_until_count(&x.drain, 1);
	run_turns(5);
	ck_assert_uint_eq(x.drain, 1);
	count_bytes(total);
}
END_TEST

/* Little is queued beside what waits for the end of the turn; together they are above the mark, and the former leaves
 * in the same turn. */
START_TEST(mark_reached_by_both)
{
	static uint8_t piece[8192];
	ssize_t q = 0;

	serve(GET);
	respond(200, "");
	heard("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (q < (ssize_t)SP_STREAM_HIGH - 4000) {
		size_t left = SP_STREAM_HIGH - 3000 - (size_t)q;

		q = sp_stream_write(x.s, piece, left < sizeof(piece) ? left : sizeof(piece));
		ck_assert_int_ge(q, 0);
	}
	ck_assert_int_lt(q, SP_STREAM_HIGH);
	q = sp_stream_write(x.s, piece, 3900);
	ck_assert_int_ge(q, SP_STREAM_HIGH);
	run_until_count(&x.drain, 1);
}
END_TEST

/* Many slices, more than fit one call below. */
START_TEST(many_slices)
{
	static uint8_t bytes[200 * 100];
	struct sp_slice v[200];

	serve(GET);
	respond(200, _i ? "" : "length=20000");
	pattern(0, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 200; i++)
		v[i] = sp_slice_make(bytes + 100 * i, 100);
	ck_assert_int_ge(sp_stream_writev(x.s, v, _i ? (unsigned)_i : 200), 0);
	if (_i == 0) {
		shut(SP_CLOSE_FLUSH);
		ended(0);
		ck_assert_int_eq(give_back(), SP_H1_REUSABLE);
		count_bytes(20000);
		run_turns(2);
		ck_assert_int_eq(memcmp(sp_buf_data(&peer.in).p + peer.in.len - sizeof(bytes), bytes, sizeof(bytes)),
				 0);
		return;
	}
	end();
	count_bytes((uint64_t)_i * 100);
	run_turns(2);
	ck_assert_int_eq(memcmp(sp_buf_data(&peer.in).p + peer.in.len - 7 - (size_t)_i * 100, bytes, (size_t)_i * 100),
			 0);
	ck_assert_int_eq(memcmp(sp_buf_data(&peer.in).p + peer.in.len - 7, "\r\n0\r\n\r\n", 7), 0);
}
END_TEST

START_TEST(empty_writes)
{
	struct sp_slice none = { NULL, 0 };

	serve(GET);
	respond(200, "");
	ck_assert_int_ge(sp_stream_writev(x.s, &none, 1), 0);
	ck_assert_int_ge(sp_stream_writev(x.s, NULL, 0), 0);
	end();
	end();
	heard("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}
END_TEST

/* A short answer leaves in one piece. */
START_TEST(one_write)
{
	serve(GET);
	respond(200, "");
	put("hello");
	end();
	run_until_count(&peer.data, 1);
	ck_assert_str_eq(sp_buf_str(&peer.in),
			 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
}
END_TEST

Suite *sp_suite_h1_stream(void)
{
	Suite *s = suite_create("h1 stream");
	TCase *c = tcase_create("stream");

	tcase_add_checked_fixture(c, h1_setup, h1_teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, takes_less, 0, 2);
	tcase_add_loop_test(c, waits_for_more, 0, 2);
	tcase_add_loop_test(c, stops_inside, 0, 2);
	tcase_add_test(c, stops_before_the_end);
	tcase_add_loop_test(c, closes_inside, 0, 24);
	tcase_add_loop_test(c, high_mark, 0, 2);
	tcase_add_test(c, mark_reached_by_both);
	tcase_add_test(c, many_slices);
	tcase_add_loop_test(c, many_slices, 60, 66);
	tcase_add_test(c, empty_writes);
	tcase_add_test(c, one_write);
	suite_add_tcase(s, c);
	return s;
}
