/* Streams as sp_streams: bytes, ends, backpressure, over carriers of each kind. */
#include "fixture.h"
#include "suites.h"

static const enum kind kinds[] = { KIND_PAIR, KIND_TCP, KIND_TLS13, KIND_TLS_PAIR };

static void feed_back(struct side *e, const struct sp_fields *head)
{
	(void)head;
	ck_assert_int_eq(sp_h2_respond(e->h2, 200, NULL, false), 0);
	sp_stream_read_start(e->s);
	side_feed(e, 3 * 1024 * 1024 + e->seed, 100000, true);
}

static void set_windows(uint32_t stream, uint32_t connection)
{
	client.opt = server.opt = usual_options;
	client.opt.stream_window_bytes = server.opt.stream_window_bytes = stream;
	client.opt.connection_window_bytes = server.opt.connection_window_bytes = connection;
}

static void check_both_ways(struct side *a, struct side *b)
{
	await(&a->eof, 1);
	await(&b->eof, 1);
	ck_assert_uint_eq(a->in_bytes, b->fed_bytes);
	ck_assert_uint_eq(b->in_bytes, a->fed_bytes);
	ck_assert_uint_eq(a->in_hash, b->fed_hash);
	ck_assert_uint_eq(b->in_hash, a->fed_hash);
	ck_assert_uint_eq(a->s->bytes_in, a->in_bytes);
	ck_assert_uint_eq(a->s->bytes_out, a->fed_bytes);
}

static void close_both(struct side *a, struct side *b)
{
	side_close(a, SP_CLOSE_FLUSH);
	side_close(b, SP_CLOSE_FLUSH);
	await(&a->closed, 1);
	await(&b->closed, 1);
	ck_assert(!a->has_cause);
	ck_assert(!b->has_cause);
}

START_TEST(bytes_both_ways)
{
	struct side *a, *b;

	server.on_request = feed_back;
	conns_open(kinds[_i]);
	a = side_tunnel(&client);
	b = side_last(&server);
	side_feed(a, 5 * 1024 * 1024 + 7, 256 * 1024, true);
	check_both_ways(a, b);
	ck_assert_uint_gt(a->slices_max, 1); /* a batch is lent at once */
	ck_assert_uint_eq(a->closed + b->closed, 0);
	close_both(a, b);
	await(&client.idle, 1);
	await(&server.idle, 1);
	ck_assert_uint_eq(sp_h2_stream_count(client.h), 0);
	ck_assert_uint_eq(sp_h2_queued(client.h), 0);
}
END_TEST

START_TEST(random_sizes)
{
	static const struct {
		uint64_t up;
		size_t chunk;
		uint32_t stream_window, connection_window;
	} t[] = {
		{ 0, 1, 65535, 65535 },		   { 1, 1, 65535, 65535 },	    { 20000, 1, 65535, 65535 },
		{ 100000, 100, 65535, 65535 },	   { 1000003, 5000, 65535, 65535 }, { 1000003, 9000, 16384, 65535 },
		{ 3000000, 256 * 1024, 1000, 65535 }, { 300000, 20000, 100, 65535 },   { 4000000, 70000, 1 << 20, 1 << 24 },
	};
	struct side *a, *b;

	set_windows(t[_i].stream_window, t[_i].connection_window);
	server.on_request = feed_back;
	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	side_feed(a, t[_i].up, t[_i].chunk, true);
	check_both_ways(a, b);
	close_both(a, b);
}
END_TEST

START_TEST(two_hundred_streams)
{
	struct side *a[200];

	set_windows(65535, 65535);
	conns_open(KIND_TLS_PAIR);
	for (unsigned i = 0; i < 200; i++)
		a[i] = side_connect(&client);
	for (unsigned i = 0; i < 200; i++)
		await(&a[i]->heads, 1);
	ck_assert_uint_eq(server.requests, 200);
	ck_assert_uint_eq(sp_h2_stream_count(server.h), 200);
	for (unsigned i = 0; i < 200; i++) {
		side_feed(a[i], 20000 + 700 * i, 10000, true);
		side_feed(server.sides[i], 30000 + 500 * i, 30000, true);
	}
	for (unsigned i = 0; i < 200; i++)
		check_both_ways(a[i], server.sides[i]);
	for (unsigned i = 0; i < 200; i++)
		close_both(a[i], server.sides[i]);
	ck_assert_uint_eq(sp_h2_stream_count(server.h), 0);
}
END_TEST

static void answer_after_eof(struct side *e)
{
	side_write(e, "late answer");
	sp_stream_shutdown_write(e->s);
}

START_TEST(answers_after_the_end)
{
	struct side *a, *b;

	conns_open(kinds[_i]);
	a = side_tunnel(&client);
	b = side_last(&server);
	a->collect = b->collect = true;
	b->on_eof = answer_after_eof;
	side_write(a, "question");
	sp_stream_shutdown_write(a->s);
	side_await_text(b, "question");
	side_await_text(a, "late answer");
	await(&a->eof, 1);
	ck_assert_int_eq(sp_stream_write(a->s, "x", 1), SP_ECLOSED);
	close_both(a, b);
}
END_TEST

START_TEST(ends_the_other_way_first)
{
	struct side *a, *b;

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	b->collect = true;
	sp_stream_shutdown_write(b->s);
	await(&a->eof, 1);
	ck_assert_uint_eq(a->closed, 0);
	side_write(a, "still here");
	side_await_text(b, "still here");
	ck_assert_uint_eq(b->eof, 0);
	sp_stream_shutdown_write(a->s);
	await(&b->eof, 1);
	close_both(a, b);
}
END_TEST

/* ---- the reader's contract -------------------------------------------------------------------------- */

static size_t take_from_ten(struct side *e, const struct sp_slice *v, unsigned n, size_t total)
{
	(void)e, (void)v, (void)n;
	return total < 10 ? 0 : 10;
}

START_TEST(left_bytes_come_again_with_newer_ones)
{
	struct side *a, *b;

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	b->collect = true;
	b->take = take_from_ten;
	for (const char *p = "0123456789abc"; *p; p++) {
		unsigned before = b->data;
		char one[2] = { *p, 0 };

		side_write(a, one);
		await(&b->data, before + 1);
		run_turns(3);
		ck_assert_uint_eq(b->data, before + 1); /* not again without a reason */
	}
	ck_assert_str_eq(sp_buf_str(&b->in), "0123456789");
	ck_assert(!b->s->input_ended);
	side_write(a, "defgh");
	await(&b->data, 14);
	ck_assert_uint_eq(b->in_bytes, 10);
	sp_stream_shutdown_write(a->s);
	await(&b->data, 15); /* once more, as the last ones */
	ck_assert(b->s->input_ended);
	run_turns(3);
	ck_assert_uint_eq(b->eof, 0);
	b->take = NULL;
	sp_stream_read_start(b->s);
	await(&b->eof, 1);
	ck_assert_str_eq(sp_buf_str(&b->in), "0123456789abcdefgh");
	ck_assert_uint_eq(b->data, 16);
	side_close(a, SP_CLOSE_ABORT);
	side_close(b, SP_CLOSE_ABORT);
}
END_TEST

START_TEST(reading_stops_and_starts)
{
	struct side *a, *b;

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	b->collect = true;
	sp_stream_read_stop(b->s);
	side_write(a, "one ");
	sp_stream_shutdown_write(a->s);
	run_turns(10);
	ck_assert_uint_eq(b->data + b->eof, 0);
	b->in_call = true;
	sp_stream_read_start(b->s);
	b->in_call = false;
	await(&b->eof, 1);
	ck_assert_str_eq(sp_buf_str(&b->in), "one ");
}
END_TEST

static size_t take_three_and_stop(struct side *e, const struct sp_slice *v, unsigned n, size_t total)
{
	(void)v, (void)n;
	sp_stream_read_stop(e->s);
	return total < 3 ? total : 3;
}

START_TEST(stop_inside_on_data_takes_effect)
{
	struct side *a, *b;

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	b->collect = true;
	b->take = take_three_and_stop;
	side_write(a, "abcdefgh");
	await(&b->data, 1);
	side_write(a, "ij");
	sp_stream_shutdown_write(a->s);
	run_turns(10);
	ck_assert_uint_eq(b->data, 1);
	for (unsigned i = 2; i <= 4; i++) {
		sp_stream_read_start(b->s);
		await(&b->data, i);
		run_turns(3);
		ck_assert_uint_eq(b->data, i);
	}
	ck_assert_uint_eq(b->eof, 0);
	sp_stream_read_start(b->s);
	await(&b->eof, 1);
	ck_assert_str_eq(sp_buf_str(&b->in), "abcdefghij");
}
END_TEST

static size_t hand_over(struct side *e, const struct sp_slice *v, unsigned n, size_t total)
{
	struct side *heir = e->user;

	(void)v, (void)n, (void)total;
	heir->h2 = e->h2;
	side_attach(heir, e->h2);
	sp_stream_read_start(heir->s);
	return 4;
}

START_TEST(left_bytes_go_to_the_next_reader)
{
	struct side *a, *b, *heir;

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	heir = side_tunnel(&client); /* its stream is replaced */
	side_close(heir, SP_CLOSE_ABORT);
	await(&heir->closed, 1);
	heir->closed = 0;
	heir->collect = b->collect = true;
	heir->conn = b->conn;
	b->user = heir;
	b->take = hand_over;
	side_write(a, "headbody");
	side_await_text(heir, "body");
	ck_assert_str_eq(sp_buf_str(&b->in), "head");
	b->s = NULL;
	b->closed = 1;
}
END_TEST

/* A peer that sends tiny frames makes one slice, not thousands. */
START_TEST(many_small_frames_in_a_batch)
{
	struct side *a, *b;
	char text[3001];

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	b->collect = true;
	for (unsigned i = 0; i < 3000; i++) {
		text[i] = (char)('a' + i % 26);
		/* Each write becomes a frame of its own when it is pumped before the next. */
		ck_assert_int_ge(sp_stream_write(a->s, text + i, 1), 0);
		sp_stream_read_stop(b->s);
		if (i % 7 == 0)
			run_turns(1);
	}
	text[3000] = '\0';
	sp_stream_read_start(b->s);
	side_await_text(b, text);
	ck_assert_uint_le(b->slices_max, 64);
}
END_TEST

/* ---- the writer's contract ---------------------------------------------------------------------------- */

START_TEST(queue_and_drain)
{
	struct side *a, *b;
	ssize_t queued = 0;
	static uint8_t zeros[10000];

	conns_open(KIND_PAIR);
	a = side_tunnel(&client);
	b = side_last(&server);
	sp_stream_read_stop(b->s);
	run_turns(3);
	while (queued < SP_STREAM_HIGH)
		queued = sp_stream_write(a->s, zeros, sizeof(zeros));
	run_turns(20);
	ck_assert_uint_eq(a->drain, 1); /* the window of b took it */
	do {
		queued = sp_stream_write(a->s, zeros, sizeof(zeros));
		run_turns(2);
	} while (sp_stream_writev(a->s, NULL, 0) < SP_STREAM_HIGH);
	run_turns(20);
	ck_assert_uint_ge(sp_h2_queued(client.h), SP_STREAM_HIGH);
	ck_assert_uint_eq(a->drain, 1);
	sp_stream_read_start(b->s);
	await(&a->drain, 2);
	ck_assert_int_lt(sp_stream_writev(a->s, NULL, 0), SP_STREAM_LOW);
	sp_stream_shutdown_write(a->s);
	await(&b->eof, 1);
	ck_assert_uint_eq(b->in_bytes, a->s->bytes_out);
	ck_assert_uint_eq(a->drain, 2);
}
END_TEST

static void ignore(struct side *e, const struct sp_fields *head)
{
	(void)head;
	e->collect = true;
	sp_stream_read_start(e->s);
}

START_TEST(connect_holds_bytes_back)
{
	struct side *a, *b;
	static uint8_t bulk[100000];

	server.on_request = ignore;
	conns_open(KIND_PAIR);
	a = side_connect(&client);
	ck_assert_int_eq(sp_stream_write(a->s, "held", 4), 4);
	ck_assert_int_ge(sp_stream_write(a->s, bulk, sizeof(bulk)), SP_STREAM_HIGH);
	sp_stream_shutdown_write(a->s);
	await(&server.requests, 1);
	run_turns(20);
	b = side_last(&server);
	ck_assert_uint_eq(b->data + b->eof, 0);
	ck_assert_int_eq(sp_h2_respond(b->h2, 201, NULL, false), 0);
	await(&b->eof, 1);
	ck_assert_uint_eq(b->in_bytes, 4 + sizeof(bulk));
	ck_assert_uint_eq(a->status, 201);
}
END_TEST

START_TEST(refused_connect_gets_no_bytes)
{
	struct sp_fields f = { 0 };
	struct side *a, *b;

	server.on_request = ignore;
	conns_open(KIND_PAIR);
	a = side_connect(&client);
	a->collect = true;
	side_write(a, "secret");
	await(&server.requests, 1);
	b = side_last(&server);
	sp_fields_add(&f, SP_SLICE("proxy-status"), SP_SLICE("gw; error=destination_unavailable"));
	ck_assert_int_eq(sp_h2_respond(b->h2, 503, &f, false), 0);
	ck_assert_int_eq(sp_h2_respond(b->h2, 200, NULL, false), SP_EINVAL);
	side_write(b, "no such place\n");
	sp_stream_shutdown_write(b->s);
	side_await_text(a, "no such place\n");
	await(&a->eof, 1);
	ck_assert_uint_eq(a->status, 503);
	ck_assert_int_eq(sp_stream_write(a->s, "more", 4), 0);
	side_close(a, SP_CLOSE_FLUSH);
	await(&a->closed, 1);
	await(&b->eof, 1);
	ck_assert_uint_eq(b->in_bytes, 0);
	ck_assert(!a->has_cause);
}
END_TEST

/* ---- requests with bodies --------------------------------------------------------------------------------- */

static void check_request(struct side *e, const struct sp_fields *head)
{
	ck_assert(sp_slice_eq_str(sp_fields_get(head, ":method"), "POST"));
	ck_assert(sp_slice_eq_str(sp_fields_get(head, ":path"), "/a?b"));
	ck_assert(sp_slice_eq_str(sp_fields_get(head, "x-name"), "Value"));
	ck_assert(sp_slice_eq_str(sp_fields_get(head, "authorization"), "Bearer t"));
	for (unsigned i = 0; i < head->count; i++)
		ck_assert(head->v[i].secret == sp_slice_eq_str(head->v[i].name, "authorization"));
	e->collect = true;
	sp_stream_read_start(e->s);
}

START_TEST(request_and_response)
{
	struct sp_fields f, g = { 0 };
	struct side *a, *b;

	server.on_request = check_request;
	conns_open(KIND_PAIR);
	head_request(&f, "POST", "/a?b");
	sp_fields_add(&f, SP_SLICE("X-Name"), SP_SLICE("Value"));
	sp_fields_add(&f, SP_SLICE("authorization"), SP_SLICE("Bearer t"));
	f.v[f.count - 1].secret = true;
	a = side_open(&client, &f);
	a->collect = true;
	side_write(a, "body at once");
	await(&server.requests, 1);
	b = side_last(&server);
	side_await_text(b, "body at once");
	sp_fields_add(&g, SP_SLICE("content-length"), SP_SLICE("2"));
	ck_assert_int_eq(sp_h2_respond(b->h2, 404, &g, false), 0);
	side_write(b, "no");
	sp_stream_shutdown_write(b->s);
	sp_stream_shutdown_write(a->s);
	await(&a->eof, 1);
	await(&b->eof, 1);
	ck_assert_uint_eq(a->status, 404);
	ck_assert_str_eq(sp_buf_str(&a->in), "no");
	close_both(a, b);
}
END_TEST

static void answer_whole(struct side *e, const struct sp_fields *head)
{
	(void)head;
	ck_assert_int_eq(sp_h2_respond(e->h2, 204, NULL, true), 0);
	ck_assert_int_eq(sp_stream_write(e->s, "x", 1), SP_ECLOSED);
}

START_TEST(response_without_a_body)
{
	struct sp_fields f;
	struct side *a, *b;

	server.on_request = answer_whole;
	conns_open(KIND_PAIR);
	head_request(&f, "POST", "/");
	a = side_open(&client, &f);
	side_feed(a, 900000, 50000, true); /* swallowed: the sender is not stuck at the window */
	await(&a->eof, 1);
	ck_assert_uint_eq(a->status, 204);
	while (a->fed_bytes < a->feed_bytes)
		await(&a->drain, a->drain + 1);
	b = side_last(&server);
	ck_assert_uint_eq(b->data, 0);
	await(&client.idle, 1);
	close_both(a, b);
}
END_TEST

Suite *sp_suite_h2_streams(void)
{
	Suite *s = suite_create("h2_streams");
	TCase *tc = tcase_create("streams");

	tcase_add_checked_fixture(tc, h2_setup, h2_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, bytes_both_ways, 0, SP_COUNT_OF(kinds));
	tcase_add_loop_test(tc, random_sizes, 0, 9);
	tcase_add_test(tc, two_hundred_streams);
	tcase_add_loop_test(tc, answers_after_the_end, 0, SP_COUNT_OF(kinds));
	tcase_add_test(tc, ends_the_other_way_first);
	tcase_add_test(tc, left_bytes_come_again_with_newer_ones);
	tcase_add_test(tc, reading_stops_and_starts);
	tcase_add_test(tc, stop_inside_on_data_takes_effect);
	tcase_add_test(tc, left_bytes_go_to_the_next_reader);
	tcase_add_test(tc, many_small_frames_in_a_batch);
	tcase_add_test(tc, queue_and_drain);
	tcase_add_test(tc, connect_holds_bytes_back);
	tcase_add_test(tc, refused_connect_gets_no_bytes);
	tcase_add_test(tc, request_and_response);
	tcase_add_test(tc, response_without_a_body);
	suite_add_tcase(s, tc);
	return s;
}
