#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "h2/h2.h"
#include "suites.h"

/* A client and a server connection over an in-memory pair; the server answers CONNECT as told and keeps what comes. */
#define PATIENCE_MS 60000
#define STREAMS_MAX 256

struct side {
	struct sp_stream *io; /* NULL after on_closed */
	uint64_t in_bytes, in_sum;
	unsigned eof, closed, drained, responses, status;
	bool has_cause, echo, stuck;
	struct sp_cause cause;
	struct sp_h2_stream *stream;
};

static struct sp_loop *loop;
static struct sp_h2 *client, *server;
static struct sp_stream *carrier_c, *carrier_s;
static unsigned ready, client_closed, server_closed, goaways, requests, order;
static struct sp_cause client_cause, server_cause;
static struct side near[STREAMS_MAX], far[STREAMS_MAX];
static unsigned answer_status = 200;
static bool echo_far, stuck_far;

static uint64_t sum(uint64_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s = s * 31 + p[i];
	return s;
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct side *e = arg;
	size_t total = 0;

	if (e->stuck)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		e->in_sum = sum(e->in_sum, v[i].p, v[i].n);
		total += v[i].n;
	}
	e->in_bytes += total;
	if (e->echo && sp_stream_writev(e->io, v, n) >= (ssize_t)SP_STREAM_HIGH)
		sp_stream_read_stop(e->io);
	return total;
}

static void on_eof(void *arg)
{
	struct side *e = arg;

	e->eof++;
	if (e->echo)
		sp_stream_shutdown_write(e->io);
}

static void on_drain(void *arg)
{
	struct side *e = arg;

	e->drained++;
	if (e->echo)
		sp_stream_read_start(e->io);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct side *e = arg;

	e->closed++;
	e->io = NULL;
	e->has_cause = cause != NULL;
	if (cause)
		e->cause = *cause;
	ck_assert_uint_eq(client_closed * (e >= near && e < near + STREAMS_MAX), 0); /* before the connection's own */
}

static const struct sp_stream_events side_events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_closed,
};

static void on_response(void *arg, struct sp_h2_stream *s, unsigned status, const struct sp_fields *head)
{
	struct side *e = arg;

	(void)s;
	ck_assert(sp_fields_get(head, ":status").p != NULL);
	e->responses++;
	e->status = status;
}

static void on_ready(void *arg)
{
	(void)arg;
	ready++;
}

static void on_request(void *arg, struct sp_h2_stream *s, const struct sp_fields *head)
{
	struct side *e = &far[requests++];

	(void)arg;
	ck_assert(sp_slice_eq_str(sp_fields_get(head, ":authority"), "db.virtual:5432"));
	e->stream = s;
	e->io = sp_h2_stream_io(s);
	e->echo = echo_far;
	e->stuck = stuck_far;
	sp_stream_attach(e->io, &side_events, e);
	sp_stream_read_start(e->io);
	if (answer_status)
		ck_assert_int_eq(sp_h2_respond(s, answer_status, NULL, answer_status != 200), 0);
}

static void on_goaway(void *arg, uint32_t code)
{
	(void)arg, (void)code;
	goaways++;
}

static void on_client_closed(void *arg, const struct sp_cause *cause)
{
	(void)arg;
	client_closed++;
	client_cause = cause ? *cause : (struct sp_cause){ 0 };
	client = NULL;
}

static void on_server_closed(void *arg, const struct sp_cause *cause)
{
	(void)arg;
	server_closed++;
	server_cause = cause ? *cause : (struct sp_cause){ 0 };
	server = NULL;
}

static const struct sp_h2_events client_events = { .on_ready = on_ready, .on_goaway = on_goaway, .on_closed = on_client_closed };
static const struct sp_h2_events server_events = { .on_ready = on_ready, .on_request = on_request, .on_goaway = on_goaway,
						   .on_closed = on_server_closed };

struct wait { const unsigned *count; unsigned want; const uint64_t *bytes; uint64_t want_bytes; };

static bool holds(void *arg)
{
	struct wait *w = arg;

	return w->bytes ? *w->bytes >= w->want_bytes : *w->count >= w->want;
}

static void await(const unsigned *count, unsigned want)
{
	struct wait w = { .count = count, .want = want };

	ck_assert(sp_loop_run_until(loop, holds, &w, PATIENCE_MS));
}

static void await_bytes(const uint64_t *bytes, uint64_t want)
{
	struct wait w = { .bytes = bytes, .want_bytes = want };

	ck_assert(sp_loop_run_until(loop, holds, &w, PATIENCE_MS));
}

static struct sp_h2_options options(void)
{
	return (struct sp_h2_options){ .stream_window_bytes = 65536, .connection_window_bytes = 1 << 20, .max_streams = 100,
				       .max_head_bytes = 8192 };
}

static void setup(void)
{
	struct sp_h2_options opt = options();

	ready = client_closed = server_closed = goaways = requests = order = 0;
	memset(near, 0, sizeof(near));
	memset(far, 0, sizeof(far));
	answer_status = 200;
	echo_far = stuck_far = false;
	ck_assert_int_eq(sp_loop_new(&loop), 0);
	ck_assert_int_eq(sp_stream_pair(loop, &carrier_c, &carrier_s), 0);
	ck_assert_int_eq(sp_h2_new(loop, carrier_c, SP_H2_CLIENT, &opt, &client_events, NULL, &client), 0);
	ck_assert_int_eq(sp_h2_new(loop, carrier_s, SP_H2_SERVER, &opt, &server_events, NULL, &server), 0);
	await(&ready, 2);
}

static void teardown(void)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		if (near[i].io)
			sp_stream_close(near[i].io, SP_CLOSE_ABORT);
		if (far[i].io)
			sp_stream_close(far[i].io, SP_CLOSE_ABORT);
	}
	if (client)
		sp_h2_close(client);
	await(&client_closed, 1);
	if (server)
		sp_h2_close(server);
	await(&server_closed, 1);
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		ck_assert_ptr_null(near[i].io);
		ck_assert_ptr_null(far[i].io);
		ck_assert_uint_le(near[i].closed, 1);
		ck_assert_uint_le(far[i].closed, 1);
	}
	sp_loop_free(&loop);
}

static struct sp_fields connect_head(void)
{
	struct sp_fields f = { 0 };

	sp_fields_add(&f, SP_SLICE(":method"), SP_SLICE("CONNECT"));
	sp_fields_add(&f, SP_SLICE(":authority"), SP_SLICE("db.virtual:5432"));
	return f;
}

static void open_one(struct side *e)
{
	struct sp_fields f = connect_head();

	ck_assert_int_eq(sp_h2_open(client, &f, false, on_response, e, &e->stream), 0);
	e->io = sp_h2_stream_io(e->stream);
	sp_stream_attach(e->io, &side_events, e);
	sp_stream_read_start(e->io);
}

/* Writes n patterned bytes in pieces of `piece`, as fast as the stream asks for them. */
static uint64_t pour(struct side *e, size_t n, size_t piece)
{
	uint8_t *bytes = malloc(piece);
	uint64_t s = 0;

	ck_assert_ptr_nonnull(bytes);
	for (size_t at = 0; at < n;) {
		size_t m = n - at < piece ? n - at : piece;
		unsigned drained = e->drained;
		ssize_t queued;

		for (size_t i = 0; i < m; i++)
			bytes[i] = (uint8_t)((at + i) * 7 >> 3);
		s = sum(s, bytes, m);
		queued = sp_stream_write(e->io, bytes, m);
		ck_assert_int_ge(queued, 0);
		at += m;
		if (queued >= (ssize_t)SP_STREAM_HIGH)
			await(&e->drained, drained + 1);
	}
	free(bytes);
	return s;
}

START_TEST(bytes_both_ways_and_half_close)
{
	static const size_t pieces[] = { 1000, 16384, 100000 };
	uint64_t s;

	echo_far = true;
	open_one(&near[0]);
	s = pour(&near[0], 4 << 20, pieces[_i]);
	sp_stream_shutdown_write(near[0].io);
	await(&near[0].eof, 1);
	ck_assert_uint_eq(near[0].responses, 1);
	ck_assert_uint_eq(near[0].status, 200);
	ck_assert_uint_eq(far[0].in_bytes, 4 << 20);
	ck_assert_uint_eq(far[0].in_sum, s);
	ck_assert_uint_eq(near[0].in_bytes, 4 << 20);
	ck_assert_uint_eq(near[0].in_sum, s);
	sp_stream_close(near[0].io, SP_CLOSE_FLUSH);
	sp_stream_close(far[0].io, SP_CLOSE_FLUSH);
	await(&near[0].closed, 1);
	await(&far[0].closed, 1);
	ck_assert(!near[0].has_cause && !far[0].has_cause);
}
END_TEST

START_TEST(nothing_is_sent_before_the_answer)
{
	answer_status = 0;
	open_one(&near[0]);
	ck_assert_int_gt(sp_stream_write(near[0].io, "early", 5), 0);
	await(&requests, 1);
	for (unsigned i = 0; i < 3; i++) { /* a round trip on another stream: the early bytes had their chance */
		answer_status = 200;
		open_one(&near[1 + i]);
		await(&near[1 + i].responses, 1);
	}
	ck_assert_uint_eq(far[0].in_bytes, 0);
	ck_assert_int_eq(sp_h2_respond(far[0].stream, 200, NULL, false), 0);
	await_bytes(&far[0].in_bytes, 5);
}
END_TEST

START_TEST(refusal_with_end)
{
	answer_status = 403;
	open_one(&near[0]);
	await(&near[0].eof, 1);
	ck_assert_uint_eq(near[0].status, 403);
	ck_assert_int_eq(sp_h2_respond(far[0].stream, 200, NULL, false), SP_EINVAL);
}
END_TEST

START_TEST(stuck_readers_stop_nobody)
{
	uint8_t *bytes = calloc(1, 65536);

	stuck_far = true; /* 40 x 64 KiB of windows: more than the connection's 1 MiB */
	for (unsigned i = 0; i < 40; i++) {
		open_one(&near[i]);
		sp_stream_write(near[i].io, bytes, 65536);
		sp_stream_write(near[i].io, bytes, 65536);
	}
	await(&requests, 40);
	stuck_far = false;
	echo_far = true;
	open_one(&near[40]);
	pour(&near[40], 2 << 20, 10000);
	await_bytes(&near[40].in_bytes, 2 << 20);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_uint_eq(far[i].in_bytes, 0);
	free(bytes);
}
END_TEST

START_TEST(many_streams_within_the_limit)
{
	struct sp_fields f = connect_head();
	struct sp_h2_stream *s;

	echo_far = true;
	ck_assert_uint_eq(sp_h2_room(client), 100);
	for (unsigned i = 0; i < 100; i++)
		open_one(&near[i]);
	ck_assert_uint_eq(sp_h2_room(client), 0);
	ck_assert_int_eq(sp_h2_open(client, &f, false, on_response, NULL, &s), SP_ELIMIT);
	for (unsigned i = 0; i < 100; i++)
		sp_stream_write(near[i].io, "ping", 4);
	for (unsigned i = 0; i < 100; i++)
		await_bytes(&near[i].in_bytes, 4);
	sp_stream_close(near[0].io, SP_CLOSE_ABORT);
	await(&near[0].closed, 1);
	await(&far[0].closed, 1);
	ck_assert_uint_eq(sp_h2_room(client), 1);
}
END_TEST

START_TEST(aborts_are_seen_on_the_other_side)
{
	open_one(&near[0]);
	open_one(&near[1]);
	await(&near[1].responses, 1);
	sp_stream_close(near[0].io, SP_CLOSE_ABORT);
	await(&far[0].closed, 1);
	ck_assert_int_eq(far[0].cause.err, SP_ERESET);
	sp_stream_close(far[1].io, SP_CLOSE_ABORT);
	await(&near[1].closed, 1);
	ck_assert_int_eq(near[1].cause.err, SP_ERESET);
	ck_assert(!near[0].has_cause && !far[1].has_cause);
}
END_TEST

START_TEST(lost_connection_fails_every_stream)
{
	for (unsigned i = 0; i < 10; i++)
		open_one(&near[i]);
	await(&near[9].responses, 1);
	sp_stream_close(carrier_s, SP_CLOSE_ABORT);
	await(&client_closed, 1);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_uint_eq(near[i].closed, 1);
		ck_assert(near[i].has_cause);
	}
	ck_assert_int_ne(client_cause.err, 0);
}
END_TEST

START_TEST(drain_lets_streams_finish)
{
	echo_far = true;
	open_one(&near[0]);
	await(&near[0].responses, 1);
	sp_h2_drain(_i ? server : client, PATIENCE_MS);
	await(&goaways, 1);
	ck_assert_uint_eq(sp_h2_room(client), 0);
	pour(&near[0], 100000, 5000);
	sp_stream_shutdown_write(near[0].io);
	await(&near[0].eof, 1);
	ck_assert_uint_eq(near[0].in_bytes, 100000);
	if (near[0].io) /* complete both ways, it may have ended with the connection */
		sp_stream_close(near[0].io, SP_CLOSE_FLUSH);
	if (far[0].io)
		sp_stream_close(far[0].io, SP_CLOSE_FLUSH);
	await(&client_closed, 1);
	await(&server_closed, 1);
	ck_assert_int_eq(client_cause.err, 0);
}
END_TEST

START_TEST(resets_above_the_budget_are_held_back)
{
	/* 600 aborts: more than the bucket's burst. The connection must live on, and every abort is seen at once. */
	for (unsigned n = 0; n < 600; n++) {
		unsigned before = requests % STREAMS_MAX;

		memset(&near[0], 0, sizeof(near[0]));
		requests = before;
		open_one(&near[0]);
		await(&near[0].responses, 1);
		sp_stream_close(near[0].io, SP_CLOSE_ABORT);
		await(&near[0].closed, 1);
		await(&far[before].closed, far[before].closed + (far[before].io != NULL && n < 500));
		if (far[before].io) { /* its end came softly: END_STREAM, then the reset when the budget allows */
			await(&far[before].eof, 1);
			sp_stream_close(far[before].io, SP_CLOSE_FLUSH);
		}
		await(&far[before].closed, 1);
		memset(&far[before], 0, sizeof(far[before]));
	}
	open_one(&near[1]);
	await(&near[1].responses, 1);
	ck_assert_uint_eq(client_closed, 0);
}
END_TEST

Suite *suite_basic(void)
{
	Suite *s = suite_create("basic");
	TCase *t = tcase_create("basic");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, bytes_both_ways_and_half_close, 0, 3);
	tcase_add_test(t, nothing_is_sent_before_the_answer);
	tcase_add_test(t, refusal_with_end);
	tcase_add_test(t, stuck_readers_stop_nobody);
	tcase_add_test(t, many_streams_within_the_limit);
	tcase_add_test(t, aborts_are_seen_on_the_other_side);
	tcase_add_test(t, lost_connection_fails_every_stream);
	tcase_add_loop_test(t, drain_lets_streams_finish, 0, 2);
	tcase_add_test(t, resets_above_the_budget_are_held_back);
	suite_add_tcase(s, t);
	return s;
}
