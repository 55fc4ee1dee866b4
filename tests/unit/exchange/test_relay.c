#include "suites.h"

#include <string.h>

#include "exchange/relay.h"

/* client -- a [relay] b -- origin */
static struct peer client, origin;
static struct sp_relay *relay;
static struct {
	unsigned calls;
	struct sp_cause cause;
	uint64_t up, down;
	enum sp_relay_side failed;
	struct sp_stream *given_back;
} done;

static void on_done(void *arg, const struct sp_cause *cause, uint64_t up, uint64_t down)
{
	ck_assert_ptr_eq(arg, &done);
	done.calls++;
	done.up = up;
	done.down = down;
	done.failed = sp_relay_failed(relay);
	done.given_back = sp_relay_take_a(relay);
	if (cause)
		done.cause = *cause;
}

static void join_streams(struct sp_stream *a, struct sp_stream *b, struct sp_relay_options opt)
{
	ck_assert_int_eq(sp_relay_start(a, b, &opt, on_done, &done, &relay), 0);
	ck_assert_uint_eq(done.calls, 0);
}

enum carrier { PAIR, TCP };
static unsigned accepted;
static struct sp_stream *accepted_stream;

static void on_accept(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	(void)arg;
	(void)peer;
	accepted_stream = s;
	accepted++;
}

/* p's end is dialled; returns the other one. */
static struct sp_stream *tcp_pair(struct peer *p)
{
	struct sp_listener *l;
	struct sp_addr at;
	struct sp_cause cause = { 0 };

	accepted = 0;
	ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &at), 0);
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &l, &cause), 0);
	sp_listener_addr(l, &at);
	peer_dial(p, &at);
	await_count(&accepted, 1);
	sp_listener_close(&l);
	return accepted_stream;
}

static struct sp_stream *make_end(struct peer *p, enum carrier carrier)
{
	struct sp_stream *mine, *other;

	if (carrier == TCP)
		return tcp_pair(p);
	ck_assert_int_eq(sp_stream_pair(loop, &mine, &other), 0);
	peer_attach(p, mine);
	return other;
}

static void open_both(enum carrier carrier, struct sp_relay_options opt)
{
	struct sp_stream *a = make_end(&client, carrier), *b = make_end(&origin, carrier);

	join_streams(a, b, opt);
}

static void setup(void)
{
	loop_setup();
	memset(&client, 0, sizeof(client));
	memset(&origin, 0, sizeof(origin));
	memset(&done, 0, sizeof(done));
}

static void teardown(void)
{
	peer_end(&client);
	peer_end(&origin);
	await_count(&done.calls, 1);
	loop_teardown();
	ck_assert_uint_eq(done.calls, 1);
}

static const struct sp_relay_options forever = { 0 };

START_TEST(both_ways_and_half_close)
{
	open_both(_i, forever);
	peer_send_str(&client, "hello");
	peer_expect_str(&origin, "hello");
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	ck_assert_uint_eq(client.eof, 0);
	peer_send_str(&origin, "a late answer");
	peer_expect_str(&client, "a late answer");
	sp_stream_shutdown_write(origin.s);
	peer_await_eof(&client);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
	ck_assert_int_eq(done.cause.err, 0);
	ck_assert_uint_eq(done.up, 5);
	ck_assert_uint_eq(done.down, 13);
}
END_TEST

START_TEST(half_close_the_other_way)
{
	open_both(_i, forever);
	sp_stream_shutdown_write(origin.s);
	peer_await_eof(&client);
	ck_assert_uint_eq(origin.eof, 0);
	peer_send_str(&client, "more");
	peer_expect_str(&origin, "more");
	sp_stream_close(client.s, SP_CLOSE_FLUSH);
	peer_await_eof(&origin);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
}
END_TEST

/* What was sent before the end arrives before it, whatever the size. */
START_TEST(data_with_the_end)
{
	static char big[300 * 1024];

	open_both(_i, forever);
	memset(big, 'x', sizeof(big));
	origin.discard = true;
	peer_send(&client, big, sizeof(big));
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	ck_assert_uint_eq(origin.in_bytes, sizeof(big));
	sp_stream_shutdown_write(origin.s);
	await_count(&done.calls, 1);
	ck_assert_uint_eq(done.up, sizeof(big));
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
}
END_TEST

START_TEST(untaken_bytes_come_first)
{
	struct sp_stream *a = make_end(&client, _i), *b = make_end(&origin, _i);

	peer_send_str(&client, "early");
	peer_send_str(&origin, "banner");
	run_turns(10);
	join_streams(a, b, forever);
	peer_send_str(&client, " late");
	peer_expect_str(&origin, "early late");
	peer_expect_str(&client, "banner");
}
END_TEST

START_TEST(client_resets)
{
	open_both(_i, forever);
	peer_send_str(&client, "x");
	peer_expect_str(&origin, "x");
	sp_stream_close(client.s, SP_CLOSE_ABORT);
	peer_await_closed(&origin);
	ck_assert_int_eq(origin.cause.err, SP_ERESET);
	ck_assert_uint_eq(origin.eof, 0);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_A);
	ck_assert_int_eq(done.cause.err, SP_ERESET);
}
END_TEST

START_TEST(origin_resets)
{
	open_both(_i, forever);
	sp_stream_close(origin.s, SP_CLOSE_ABORT);
	peer_await_closed(&client);
	ck_assert_int_eq(client.cause.err, SP_ERESET);
	ck_assert_uint_eq(client.eof, 0);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_B);
}
END_TEST

/* A reset after a half-close is a reset still. */
START_TEST(reset_after_half_close)
{
	open_both(_i, forever);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	sp_stream_close(origin.s, SP_CLOSE_ABORT);
	peer_await_closed(&client);
	ck_assert_int_eq(client.cause.err, SP_ERESET);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_B);
}
END_TEST

START_TEST(aborted)
{
	struct sp_cause cause = { 0 };

	open_both(_i, forever);
	sp_cause_set(&cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "stopped");
	sp_relay_abort(relay, &cause);
	ck_assert_uint_eq(done.calls, 0);
	sp_relay_abort(relay, NULL);
	peer_await_closed(&client);
	peer_await_closed(&origin);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_SELF);
	ck_assert_int_eq(done.cause.err, SP_ECLOSED);
	ck_assert_str_eq(done.cause.text, "stopped");
	ck_assert_int_eq(client.cause.err, SP_ERESET);
	ck_assert_int_eq(origin.cause.err, SP_ERESET);
}
END_TEST

/* What a stuck reader may cost: its sink stops at the high mark, its source at what it keeps; nothing is lost. */
START_TEST(backpressure)
{
	static uint8_t chunk[16 * 1024];
	uint64_t sent = 0;

	open_both(PAIR, forever);
	memset(chunk, 'y', sizeof(chunk));
	sp_stream_read_stop(origin.s);
	origin.discard = true;
	do {
		peer_send(&client, chunk, sizeof(chunk));
		sent += sizeof(chunk);
		run_turns(3);
	} while (sp_stream_writev(client.s, NULL, 0) < SP_STREAM_HIGH && sent < 64u * 1024 * 1024);
	ck_assert_uint_lt(sent, 8u * SP_STREAM_KEEP);
	ck_assert_uint_eq(origin.in_bytes, 0);
	peer_send_str(&origin, "the other way is free");
	peer_expect_str(&client, "the other way is free");
	sp_stream_read_start(origin.s);
	peer_await_bytes(&origin, sent);
	await_count(&client.drained, 1);
	ck_assert_uint_eq(origin.in_bytes, sent);
}
END_TEST

/* Both ends have ended, but one has not read everything. Its stream is not closed yet: close() would give it only
 * SP_STREAM_LINGER_MS for the rest. */
START_TEST(queue_outlives_both_ends)
{
	static uint8_t some[40 * 1024];
	struct sp_stream *a = make_end(&client, PAIR), *b = make_end(&origin, PAIR);

	join_streams(a, b, forever);
	sp_stream_read_stop(client.s);
	client.discard = true;
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	peer_send(&origin, some, sizeof(some));
	sp_stream_shutdown_write(origin.s);
	run_turns(20);
	ck_assert_int_eq(sp_stream_writev(a, NULL, 0), sizeof(some));
	ck_assert_uint_eq(client.eof, 0);
	sp_stream_read_start(client.s);
	peer_await_eof(&client);
	ck_assert_uint_eq(client.in_bytes, sizeof(some));
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
}
END_TEST

/* The first end must wait too when its sink is far behind: the second may come any time. */
START_TEST(first_end_waits_for_a_long_queue)
{
	static uint8_t some[SP_STREAM_LOW + 8 * 1024];
	struct sp_stream *a = make_end(&client, PAIR), *b = make_end(&origin, PAIR);

	join_streams(a, b, forever);
	sp_stream_read_stop(client.s);
	client.discard = true;
	peer_send(&origin, some, sizeof(some));
	sp_stream_shutdown_write(origin.s);
	run_turns(20);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	run_turns(20);
	ck_assert_int_eq(sp_stream_writev(a, NULL, 0), sizeof(some));
	sp_stream_read_start(client.s);
	peer_await_eof(&client);
	ck_assert_uint_eq(client.in_bytes, sizeof(some));
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
}
END_TEST

/* A reader that is stuck for good is not waited for longer than a silent half-closed relay. */
START_TEST(stuck_reader_after_both_ends)
{
	open_both(PAIR, (struct sp_relay_options){ .half_closed_ms = 20 });
	sp_stream_read_stop(client.s);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	peer_send_str(&origin, "never read");
	sp_stream_shutdown_write(origin.s);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_SELF);
	ck_assert_int_eq(done.cause.err, SP_ETIMEOUT);
}
END_TEST

START_TEST(slow_reader_over_tcp)
{
	static uint8_t big[4 * 1024 * 1024];

	open_both(TCP, forever);
	sp_stream_read_stop(client.s);
	client.discard = true;
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	peer_send(&origin, big, sizeof(big));
	sp_stream_shutdown_write(origin.s);
	run_turns(200);
	ck_assert_uint_eq(done.calls, 0);
	sp_stream_read_start(client.s);
	peer_await_eof(&client);
	ck_assert_uint_eq(client.in_bytes, sizeof(big));
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
}
END_TEST

START_TEST(half_closed_and_silent)
{
	open_both(PAIR, (struct sp_relay_options){ .half_closed_ms = 20 });
	run_turns(20);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	peer_await_closed(&client);
	peer_await_closed(&origin);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_SELF);
	ck_assert_int_eq(done.cause.err, SP_ETIMEOUT);
}
END_TEST

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* An open relay is not bound by the limit for half-closed ones. */
START_TEST(open_and_silent_may_stay)
{
	open_both(PAIR, (struct sp_relay_options){ .half_closed_ms = 1 });
	run_for(never, NULL, 50);
	ck_assert_uint_eq(done.calls, 0);
	peer_send_str(&client, "still here");
	peer_expect_str(&origin, "still here");
}
END_TEST

START_TEST(idle)
{
	open_both(PAIR, (struct sp_relay_options){ .idle_ms = 20 });
	peer_send_str(&client, "x");
	peer_expect_str(&origin, "x");
	peer_await_closed(&client);
	peer_await_closed(&origin);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_SELF);
	ck_assert_int_eq(done.cause.err, SP_ETIMEOUT);
	ck_assert_uint_eq(done.up, 1);
}
END_TEST

/* on_eof of the client came before the relay took over. */
/* A stream whose peer ends both ways at its own time, as RST_STREAM(NO_ERROR) after END_STREAM does. */
static ssize_t swallow(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	(void)s, (void)v, (void)n;
	return 0;
}
static void nothing(struct sp_stream *s)
{
	(void)s;
}
static void never_closed(struct sp_stream *s, enum sp_close how)
{
	(void)s, (void)how;
	ck_abort_msg("closed a stream that is gone");
}

START_TEST(peer_reads_no_more)
{
	static const struct sp_stream_ops ops = { .writev = swallow, .shutdown_write = nothing, .read_start = nothing,
						  .read_stop = nothing, .close = never_closed };
	struct sp_stream far = { .ops = &ops, .loop = loop };
	struct sp_slice answer = SP_SLICE("the answer");

	join_streams(make_end(&client, TCP), &far, forever);
	ck_assert_uint_eq(far.ev->on_data(far.arg, &answer, 1), answer.n);
	far.ev->on_eof(far.arg);
	far.ev->on_closed(far.arg, NULL);
	peer_expect_str(&client, "the answer");
	peer_await_eof(&client);
	sp_stream_shutdown_write(client.s);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
	ck_assert_int_eq(done.cause.err, 0);
}
END_TEST

START_TEST(client_had_ended)
{
	struct sp_stream *a = make_end(&client, PAIR), *b = make_end(&origin, PAIR);
	struct peer front = { 0 };

	peer_attach(&front, a);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&front);
	join_streams(a, b, (struct sp_relay_options){ .a_ended = true });
	peer_await_eof(&origin);
	peer_send_str(&origin, "banner");
	sp_stream_shutdown_write(origin.s);
	peer_expect_str(&client, "banner");
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
	sp_buf_deinit(&front.in);
}
END_TEST

/* A stream that failed before the relay saw it: told as any failure. */
START_TEST(dead_on_arrival)
{
	struct sp_stream *a = make_end(&client, PAIR), *b = make_end(&origin, PAIR);

	sp_stream_close(origin.s, SP_CLOSE_ABORT);
	join_streams(a, b, forever);
	peer_await_closed(&client);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_B);
}
END_TEST

/* ---- a stream that ends by itself ------------------------------------------------- */

/* An HTTP/2 stream whose far end said all it had to say and then reset with NO_ERROR: on_closed without a cause and without
 * our close(). Told by hand here. */
static struct {
	struct sp_stream s;
	unsigned reads, stops, closes, shuts, trailers;
} own;

static ssize_t own_writev(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	(void)s;
	(void)v;
	(void)n;
	return 0;
}

static void own_shutdown_write(struct sp_stream *s)
{
	(void)s;
	own.shuts++;
}

static void own_read_start(struct sp_stream *s)
{
	(void)s;
	own.reads++;
}

static void own_read_stop(struct sp_stream *s)
{
	(void)s;
	own.stops++;
}

static void own_close(struct sp_stream *s, enum sp_close how)
{
	(void)s;
	(void)how;
	own.closes++;
}

static int own_trailers(struct sp_stream *s, const struct sp_fields *trailers)
{
	(void)s;
	ck_assert_uint_eq(own.shuts, 0);
	own.trailers += trailers->count;
	return 0;
}

static const struct sp_stream_ops own_ops = { .writev = own_writev, .shutdown_write = own_shutdown_write, .read_start = own_read_start,
					      .read_stop = own_read_stop, .close = own_close, .trailers = own_trailers };

static void tell_data(const void *p, size_t n)
{
	struct sp_slice v = { p, n };

	ck_assert_uint_eq(own.s.ev->on_data(own.s.arg, &v, 1), n);
}

START_TEST(ends_in_order_and_reads_no_more)
{
	static uint8_t some[40 * 1024];
	struct sp_stream *a;

	memset(&own, 0, sizeof(own));
	own.s.ops = &own_ops;
	own.s.loop = loop;
	a = make_end(&client, PAIR);
	join_streams(a, &own.s, forever);
	client.discard = true;
	if (_i == 1)
		sp_stream_read_stop(client.s); /* what is queued survives the stream's end */
	tell_data(some, sizeof(some));
	if (_i != 2)
		own.s.ev->on_eof(own.s.arg);
	own.s.ev->on_closed(own.s.arg, NULL);
	if (_i == 1) {
		run_turns(20);
		ck_assert_uint_eq(client.closed + client.eof, 0);
		sp_stream_read_start(client.s);
	}
	if (_i == 2) { /* without an end before it, it is a failure */
		peer_await_closed(&client);
		ck_assert_int_eq(client.cause.err, SP_ERESET);
		await_count(&done.calls, 1);
		ck_assert_int_eq(done.failed, SP_RELAY_B);
	} else {
		peer_await_eof(&client);
		ck_assert_uint_eq(client.in_bytes, sizeof(some));
		peer_end(&client);
		await_count(&done.calls, 1);
		ck_assert_int_eq(done.failed, SP_RELAY_NONE);
	}
	ck_assert_uint_eq(own.closes, 0);
}
END_TEST

static void closed_by_us(struct sp_stream *s, enum sp_close how)
{
	(void)how;
	s->ev->on_closed(s->arg, NULL);
}

/* Handed on before the end of writing; a peer that carries none loses them. */
START_TEST(trailers_are_handed_on)
{
	static const struct sp_stream_ops bytes_only = { .writev = swallow, .shutdown_write = nothing, .read_start = nothing,
							 .read_stop = nothing, .close = closed_by_us };
	struct sp_stream plain = { .ops = &bytes_only, .loop = loop };
	struct sp_fields t = { 0 };

	sp_fields_add(&t, SP_SLICE("x-sum"), SP_SLICE("1"));
	memset(&own, 0, sizeof(own));
	own.s.ops = &own_ops;
	own.s.loop = loop;
	join_streams(&plain, &own.s, forever);
	plain.ev->on_trailers(plain.arg, &t);
	ck_assert_uint_eq(own.trailers, 1);
	plain.ev->on_eof(plain.arg);
	ck_assert_uint_eq(own.shuts, 1);
	own.s.ev->on_trailers(own.s.arg, &t);
	sp_relay_abort(relay, NULL);
	own.s.ev->on_closed(own.s.arg, NULL);
	ck_assert_uint_eq(done.calls, 1);
}
END_TEST

/* ---- a request on its way: a is held -------------------------------------------------------------------------------- */

static const struct sp_relay_options held = { .hold = true };

/* The client's stream is whole: it is answered by whoever gets it back. */
static void answer_given_back(void)
{
	static const struct sp_stream_events nobody = { 0 };

	ck_assert_ptr_nonnull(done.given_back);
	sp_stream_attach(done.given_back, &nobody, NULL);
	ck_assert_int_ge(sp_stream_write(done.given_back, "502", 3), 0);
	sp_stream_close(done.given_back, SP_CLOSE_FLUSH);
	peer_expect_str(&client, "502");
	peer_await_eof(&client);
}

START_TEST(held_and_refused)
{
	open_both(_i, held);
	peer_send_str(&client, "body");
	peer_expect_str(&origin, "body");
	sp_stream_close(origin.s, SP_CLOSE_ABORT);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_B);
	ck_assert_int_ne(done.cause.err, 0);
	ck_assert_uint_eq(done.up, 4);
	answer_given_back();
}
END_TEST

START_TEST(held_and_aborted)
{
	struct sp_cause why = { .err = SP_ETIMEOUT };

	open_both(_i, held);
	peer_send_str(&client, "body");
	peer_expect_str(&origin, "body");
	sp_relay_abort(relay, &why);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_SELF);
	ck_assert_int_eq(done.cause.err, SP_ETIMEOUT);
	answer_given_back();
}
END_TEST

START_TEST(held_and_silent)
{
	struct sp_relay_options opt = { .hold = true, .half_closed_ms = 10 };

	open_both(PAIR, opt);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&origin);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_SELF);
	ck_assert_int_eq(done.cause.err, SP_ETIMEOUT);
	answer_given_back();
}
END_TEST

/* The client is gone: nothing is given back. */
START_TEST(held_client_leaves)
{
	open_both(_i, held);
	sp_stream_close(client.s, SP_CLOSE_ABORT);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_A);
	ck_assert_ptr_null(done.given_back);
}
END_TEST

/* Once it is answered, a failure of the far side is the client's, too. */
START_TEST(released_and_reset)
{
	open_both(_i, held);
	peer_send_str(&client, "body");
	peer_expect_str(&origin, "body");
	sp_relay_release(relay, 0);
	peer_send_str(&origin, "half an ans");
	peer_expect_str(&client, "half an ans");
	sp_stream_close(origin.s, SP_CLOSE_ABORT);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_B);
	ck_assert_ptr_null(done.given_back);
	ck_assert_uint_eq(client.eof, 0);
}
END_TEST

START_TEST(released_and_finished)
{
	open_both(_i, held);
	peer_send_str(&client, "body");
	sp_stream_shutdown_write(client.s);
	peer_expect_str(&origin, "body");
	sp_relay_release(relay, 0);
	peer_send_str(&origin, "answer");
	sp_stream_shutdown_write(origin.s);
	peer_expect_str(&client, "answer");
	peer_await_eof(&client);
	await_count(&done.calls, 1);
	ck_assert_int_eq(done.failed, SP_RELAY_NONE);
	ck_assert_ptr_null(done.given_back);
}
END_TEST

Suite *sp_suite_relay(void)
{
	Suite *s = suite_create("exchange/relay");
	TCase *t = tcase_create("relay");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, both_ways_and_half_close, PAIR, TCP + 1);
	tcase_add_loop_test(t, half_close_the_other_way, PAIR, TCP + 1);
	tcase_add_loop_test(t, data_with_the_end, PAIR, TCP + 1);
	tcase_add_loop_test(t, untaken_bytes_come_first, PAIR, TCP + 1);
	tcase_add_loop_test(t, client_resets, PAIR, TCP + 1);
	tcase_add_loop_test(t, origin_resets, PAIR, TCP + 1);
	tcase_add_loop_test(t, reset_after_half_close, PAIR, TCP + 1);
	tcase_add_loop_test(t, aborted, PAIR, TCP + 1);
	tcase_add_test(t, backpressure);
	tcase_add_test(t, queue_outlives_both_ends);
	tcase_add_test(t, first_end_waits_for_a_long_queue);
	tcase_add_test(t, stuck_reader_after_both_ends);
	tcase_add_test(t, slow_reader_over_tcp);
	tcase_add_test(t, half_closed_and_silent);
	tcase_add_test(t, open_and_silent_may_stay);
	tcase_add_test(t, idle);
	tcase_add_test(t, peer_reads_no_more);
	tcase_add_test(t, client_had_ended);
	tcase_add_test(t, dead_on_arrival);
	tcase_add_loop_test(t, ends_in_order_and_reads_no_more, 0, 3);
	tcase_add_test(t, trailers_are_handed_on);
	tcase_add_loop_test(t, held_and_refused, 0, 2);
	tcase_add_loop_test(t, held_and_aborted, 0, 2);
	tcase_add_test(t, held_and_silent);
	tcase_add_loop_test(t, held_client_leaves, 0, 2);
	tcase_add_loop_test(t, released_and_reset, 0, 2);
	tcase_add_loop_test(t, released_and_finished, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
