/* The stream contract, the same tests for every kind of stream. */
#include "suites.h"

#include "base/must.h"
#include "ends.h"

static struct end a, b;
static uint8_t block[256 * 1024];

#define KIND ((enum kind)_i)

static void put(struct end *e, const char *text)
{
	e->in_call = true;
	ck_assert_int_ge(sp_stream_write(e->s, text, strlen(text)), 0);
	e->in_call = false;
}

static void start(struct end *e)
{
	e->in_call = true;
	sp_stream_read_start(e->s);
	e->in_call = false;
}

static void end_close(struct end *e, enum sp_close how)
{
	bool before = e->in_call;

	e->in_call = true;
	sp_stream_close(e->s, how);
	e->in_call = before;
}

/* ---- bytes ------------------------------------------------------------------------ */

START_TEST(both_ways)
{
	ends_open(KIND, &a, &b);
	put(&a, "hello ");
	put(&a, "b");
	put(&b, "hello a");
	start(&a);
	start(&b);
	run_until_bytes(&b.in_bytes, 7);
	run_until_bytes(&a.in_bytes, 7);
	ck_assert_str_eq(sp_buf_str(&a.in), "hello a");
	ck_assert_str_eq(sp_buf_str(&b.in), "hello b");
	ck_assert_uint_eq(a.s->bytes_out, 7);
	ck_assert_uint_eq(a.s->bytes_in, 7);
	ck_assert_uint_eq(b.s->bytes_in, 7);
	ck_assert_uint_eq(a.eof + b.eof + a.drain + b.drain + a.closed + b.closed, 0);
	ends_close(&a, &b);
}
END_TEST

START_TEST(gathers_slices)
{
	struct sp_slice v[] = { SP_SLICE("one "), SP_SLICE(""), SP_SLICE("two "), { block, 100000 }, SP_SLICE(" end") };

	pattern(0, block, sizeof(block));
	ends_open(KIND, &a, &b);
	ck_assert_int_ge(sp_stream_writev(a.s, v, SP_COUNT_OF(v)), 0);
	ck_assert_int_ge(sp_stream_writev(a.s, v, 0), 0);
	start(&b);
	run_until_bytes(&b.in_bytes, 100012);
	ck_assert_uint_eq(b.in.len, 100012);
	ck_assert_mem_eq(sp_buf_data(&b.in).p, "one two ", 8);
	ck_assert_mem_eq(sp_buf_data(&b.in).p + 8, block, 100000);
	ck_assert_mem_eq(sp_buf_data(&b.in).p + 100008, " end", 4);
	ends_close(&a, &b);
}
END_TEST

START_TEST(starts_stopped)
{
	ends_open(KIND, &a, &b);
	put(&a, "x");
	sp_stream_shutdown_write(a.s);
	run_turns(50);
	ck_assert_uint_eq(b.data + b.eof, 0);
	start(&b);
	run_until_count(&b.eof, 1);
	ck_assert_str_eq(sp_buf_str(&b.in), "x");
	ends_close(&a, &b);
}
END_TEST

/* A parser takes nothing until its message is whole. */
static size_t take_six(struct end *e, const uint8_t *p, size_t n)
{
	(void)e;
	(void)p;
	return n < 6 ? 0 : 6;
}

START_TEST(untaken_is_lent_again_with_more)
{
	ends_open(KIND, &a, &b);
	b.take = take_six;
	start(&b);
	put(&a, "abc");
	run_until_count(&b.data, 1);
	ck_assert_uint_eq(b.seen, 3);
	run_turns(20);
	ck_assert_uint_eq(b.data, 1); /* not before more arrives */
	put(&a, "defgh");
	run_until_bytes(&b.in_bytes, 6);
	ck_assert_str_eq(sp_buf_str(&b.in), "abcdef");
	ck_assert_uint_eq(b.seen, 8);
	ck_assert_uint_eq(b.s->bytes_in, 6);
	b.take = NULL;
	ck_assert_uint_eq(b.data, 2);
	start(&b); /* or when asked to */
	run_until_bytes(&b.in_bytes, 8);
	ck_assert_str_eq(sp_buf_str(&b.in), "abcdefgh");
	ends_close(&a, &b);
}
END_TEST

/* One byte a time, asking again each time. */
static size_t take_one(struct end *e, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	sp_stream_read_start(e->s);
	return 1;
}

START_TEST(byte_by_byte)
{
	ends_open(KIND, &a, &b);
	b.take = take_one;
	start(&b);
	put(&a, "hello world");
	sp_stream_shutdown_write(a.s);
	run_until_count(&b.eof, 1);
	ck_assert_str_eq(sp_buf_str(&b.in), "hello world");
	ck_assert_uint_ge(b.data, 11);
	ends_close(&a, &b);
}
END_TEST

static size_t take_and_stop(struct end *e, const uint8_t *p, size_t n)
{
	(void)p;
	sp_stream_read_stop(e->s);
	return n > 4 ? 4 : n;
}

START_TEST(stop_inside_on_data)
{
	ends_open(KIND, &a, &b);
	b.take = take_and_stop;
	start(&b);
	put(&a, "0123456789");
	run_until_count(&b.data, 1);
	put(&a, "abcdef");
	sp_stream_shutdown_write(a.s);
	run_turns(50);
	ck_assert_uint_eq(b.data, 1);
	ck_assert_uint_eq(b.eof, 0);
	ck_assert_str_eq(sp_buf_str(&b.in), "0123");
	start(&b);
	run_until_count(&b.data, 2);
	run_turns(20);
	ck_assert_uint_eq(b.data, 2);
	b.take = NULL;
	start(&b);
	run_until_count(&b.eof, 1);
	ck_assert_str_eq(sp_buf_str(&b.in), "0123456789abcdef");
	ends_close(&a, &b);
}
END_TEST

/* A new reader gets what the old one left: the way from a parser to a relay. */
static struct end second;

static size_t take_line_and_hand_over(struct end *e, const uint8_t *p, size_t n)
{
	const uint8_t *lf = memchr(p, '\n', n);

	if (!lf)
		return 0;
	second = (struct end){ .collect = true };
	sp_stream_read_stop(e->s);
	end_attach(&second, e->s);
	sp_stream_read_start(second.s);
	return (size_t)(lf - p) + 1;
}

START_TEST(hand_over)
{
	ends_open(KIND, &a, &b);
	b.take = take_line_and_hand_over;
	start(&b);
	put(&a, "head\nbody");
	sp_stream_shutdown_write(a.s);
	run_until_count(&second.eof, 1);
	ck_assert_str_eq(sp_buf_str(&b.in), "head\n");
	ck_assert_str_eq(sp_buf_str(&second.in), "body");
	sp_buf_deinit(&b.in);
	b = second;
	end_attach(&b, b.s);
	ends_close(&a, &b);
}
END_TEST

/* A reader that takes nothing does not make the stream hoard. */
static size_t take_none(struct end *e, const uint8_t *p, size_t n)
{
	(void)e;
	(void)p;
	(void)n;
	return 0;
}

START_TEST(untaken_is_bounded)
{
	unsigned i;

	ends_open(KIND, &a, &b);
	b.take = take_none;
	start(&b);
	for (i = 0; i < 64; i++) {
		fill(&a);
		run_turns(10);
		if (a.drain <= i)
			break;
	}
	ck_assert_uint_lt(i, 64);
	ck_assert_uint_ge(b.seen, SP_STREAM_KEEP);
	ck_assert_uint_lt(b.seen, SP_STREAM_KEEP + 600 * 1024);
	ends_close(&a, &b);
}
END_TEST

/* ---- the end of one direction ---------------------------------------------------------- */

START_TEST(half_close_both_ways)
{
	ends_open(KIND, &a, &b);
	start(&a);
	start(&b);
	put(&a, "request");
	sp_stream_shutdown_write(a.s);
	sp_stream_shutdown_write(a.s);
	ck_assert_int_eq(sp_stream_write(a.s, "x", 1), SP_ECLOSED);
	run_until_count(&b.eof, 1);
	ck_assert(b.s->input_ended);
	ck_assert_uint_eq(a.eof, 0);
	put(&b, "answer");
	run_until_bytes(&a.in_bytes, 6);
	ck_assert_uint_eq(a.eof, 0);
	sp_stream_shutdown_write(b.s);
	run_until_count(&a.eof, 1);
	run_turns(20);
	ck_assert_uint_eq(a.eof + b.eof, 2);
	ck_assert_uint_eq(a.closed + b.closed, 0); /* open until closed */
	end_close(&a, SP_CLOSE_FLUSH);
	end_close(&b, SP_CLOSE_FLUSH);
	run_until_count(&a.closed, 1);
	run_until_count(&b.closed, 1);
	ck_assert(!a.has_cause && !b.has_cause);
	ends_close(&a, &b);
}
END_TEST

static bool saw_end;

static size_t take_none_note_end(struct end *e, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	if (e->s->input_ended)
		saw_end = true;
	return 0;
}

/* The end is told after the last byte was taken; who leaves bytes is lent them once more when no more can come. */
START_TEST(eof_after_last_byte)
{
	ends_open(KIND, &a, &b);
	b.take = take_none_note_end;
	start(&b);
	put(&a, "partial");
	run_until_count(&b.data, 1);
	sp_stream_shutdown_write(a.s);
	run_until_count(&b.data, 2);
	ck_assert(saw_end);
	run_turns(20);
	ck_assert_uint_eq(b.eof, 0);
	ck_assert_uint_eq(b.data, 2);
	b.take = NULL;
	start(&b);
	run_until_count(&b.eof, 1);
	ck_assert_str_eq(sp_buf_str(&b.in), "partial");
	start(&b);
	run_turns(20);
	ck_assert_uint_eq(b.eof, 1);
	ends_close(&a, &b);
}
END_TEST

/* ---- closing ---------------------------------------------------------------------------- */

START_TEST(flush_delivers_everything)
{
	size_t sent;

	ends_open(KIND, &a, &b);
	sent = fill(&a);
	end_close(&a, SP_CLOSE_FLUSH);
	end_close(&a, SP_CLOSE_FLUSH);
	ck_assert_int_eq(sp_stream_write(a.s, "x", 1), SP_ECLOSED);
	run_turns(20);
	b.collect = false;
	start(&b);
	run_until_count(&b.eof, 1);
	ck_assert_uint_eq(b.in_bytes, sent);
	end_close(&b, SP_CLOSE_FLUSH);
	run_until_count(&a.closed, 1);
	run_until_count(&b.closed, 1);
	ck_assert(!a.has_cause && !b.has_cause);
	ck_assert_uint_eq(a.drain, 0);
	ends_close(&a, &b);
}
END_TEST

/* The last answer reaches a peer that is still sending: input that nobody reads must not turn into a reset. */
START_TEST(flush_swallows_input)
{
	ends_open(KIND, &a, &b);
	fill(&b);
	put(&a, "413 go away");
	end_close(&a, SP_CLOSE_FLUSH);
	run_until_count(&b.drain, 1);
	fill(&b);
	run_until_count(&b.drain, 2);
	ck_assert_uint_eq(a.data, 0);
	start(&b);
	run_until_count(&b.eof, 1);
	ck_assert_str_eq(sp_buf_str(&b.in), "413 go away");
	end_close(&b, SP_CLOSE_FLUSH);
	run_until_count(&a.closed, 1);
	run_until_count(&b.closed, 1);
	ck_assert(!a.has_cause && !b.has_cause);
	ends_close(&a, &b);
}
END_TEST

START_TEST(abort_resets_reader)
{
	ends_open(KIND, &a, &b);
	start(&b);
	put(&a, "data");
	run_until_bytes(&b.in_bytes, 4);
	end_close(&a, SP_CLOSE_ABORT);
	end_close(&a, SP_CLOSE_ABORT);
	run_until_count(&a.closed, 1);
	ck_assert(!a.has_cause);
	if (KIND == KIND_UNIX) { /* which knows no reset: an end */
		run_until_count(&b.eof, 1);
	} else {
		run_until_count(&b.closed, 1);
		ck_assert(b.has_cause);
		ck_assert_int_eq(b.cause.err, SP_ERESET);
		ck_assert_uint_eq(b.eof, 0);
	}
	ends_close(&a, &b);
}
END_TEST

/* With a stopped reader the loss shows when writing. */
START_TEST(abort_resets_writer)
{
	unsigned i;

	ends_open(KIND, &a, &b);
	end_close(&a, SP_CLOSE_ABORT);
	run_until_count(&a.closed, 1);
	for (i = 0; i < 1000 && !b.closed; i++) {
		if (b.s) {
			b.in_call = true;
			sp_stream_write(b.s, block, 1000);
			b.in_call = false;
		}
		run_turns(1);
	}
	run_until_count(&b.closed, 1);
	ck_assert(b.has_cause);
	ck_assert_int_eq(b.cause.err, SP_ERESET);
	ends_close(&a, &b);
}
END_TEST

START_TEST(abort_drops_queue)
{
	ends_open(KIND, &a, &b);
	fill(&a);
	end_close(&a, SP_CLOSE_ABORT);
	run_until_count(&a.closed, 1);
	ck_assert(!a.has_cause);
	b.collect = false;
	if (b.s)
		start(&b);
	while (!b.closed && !b.eof)
		run_turns(1);
	if (KIND != KIND_UNIX)
		ck_assert_int_eq(b.cause.err, SP_ERESET);
	ends_close(&a, &b);
}
END_TEST

START_TEST(flush_then_abort)
{
	ends_open(KIND, &a, &b);
	fill(&a);
	end_close(&a, SP_CLOSE_FLUSH);
	run_turns(5);
	ck_assert_uint_eq(a.closed, 0);
	end_close(&a, SP_CLOSE_ABORT); /* patience is over */
	run_until_count(&a.closed, 1);
	ck_assert(!a.has_cause);
	ends_close(&a, &b);
}
END_TEST

START_TEST(close_before_attach)
{
	ends_open(KIND, &a, &b);
	a.s->ev = b.s->ev = NULL;
	sp_stream_close(a.s, SP_CLOSE_ABORT);
	sp_stream_close(b.s, SP_CLOSE_FLUSH);
	sp_loop_run(loop);
}
END_TEST

/* The peer fails while nobody is attached: the stream closes itself, or waits to be closed. */
START_TEST(fail_before_attach)
{
	ends_open(KIND, &a, &b);
	a.s->ev = NULL;
	end_close(&b, SP_CLOSE_ABORT);
	if (KIND != KIND_PAIR) /* sockets notice nothing while they are not read */
		sp_stream_close(a.s, SP_CLOSE_FLUSH);
	sp_loop_run(loop);
	ck_assert_uint_eq(b.closed, 1);
}
END_TEST

/* Closing inside each upcall; nothing but on_closed may follow, which the ends' events check. */
static enum sp_close how_inside;

static size_t take_and_close(struct end *e, const uint8_t *p, size_t n)
{
	(void)p;
	end_close(e, how_inside);
	sp_stream_read_start(e->s); /* harmless now */
	return n / 2;
}

static void close_it(struct end *e)
{
	end_close(e, how_inside);
}

START_TEST(close_in_on_data)
{
	unsigned leave;

	/* Fresh bytes, and kept ones. */
	for (leave = 0; leave < 2; leave++) {
		how_inside = SP_CLOSE_FLUSH;
		for (;;) {
			ends_open(KIND, &a, &b);
			b.take = leave ? take_none : take_and_close;
			start(&a); /* sees the end, so that b's FLUSH need not linger */
			start(&b);
			put(&a, "some bytes");
			if (leave) {
				run_until_count(&b.data, 1);
				b.take = take_and_close;
				put(&a, "more");
			}
			run_until_count(&b.data, leave + 1);
			if (a.s)
				sp_stream_shutdown_write(a.s);
			run_until_count(&b.closed, 1);
			ck_assert(!b.has_cause);
			ck_assert_uint_eq(b.data, leave + 1);
			ends_close(&a, &b);
			if (how_inside == SP_CLOSE_ABORT)
				break;
			how_inside = SP_CLOSE_ABORT;
		}
	}
}
END_TEST

START_TEST(close_in_on_eof)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		how_inside = i ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH;
		ends_open(KIND, &a, &b);
		b.on_eof = close_it;
		start(&a);
		start(&b);
		put(&a, "last");
		sp_stream_shutdown_write(a.s);
		run_until_count(&b.closed, 1);
		ck_assert(!b.has_cause);
		ck_assert_uint_eq(b.eof, 1);
		ends_close(&a, &b);
	}
}
END_TEST

START_TEST(close_in_on_drain)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		how_inside = i ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH;
		ends_open(KIND, &a, &b);
		a.on_drain = close_it;
		b.collect = false;
		fill(&a);
		start(&b);
		run_until_count(&a.drain, 1);
		if (i == 0) {
			run_until_count(&b.eof, 1);
			end_close(&b, SP_CLOSE_FLUSH);
		}
		run_until_count(&a.closed, 1);
		ck_assert(!a.has_cause);
		ends_close(&a, &b);
	}
}
END_TEST

/* ---- marks ------------------------------------------------------------------------------- */

START_TEST(drain_marks)
{
	unsigned round;

	ends_open(KIND, &a, &b);
	b.collect = false;
	for (round = 1; round <= 3; round++) {
		fill(&a);
		run_turns(20);
		ck_assert_uint_eq(a.drain, round - 1);
		start(&b);
		run_until_count(&a.drain, round);
		run_until_bytes(&b.in_bytes, a.s->bytes_out);
		run_turns(10);
		ck_assert_uint_eq(a.drain, round);
		sp_stream_read_stop(b.s);
	}
	ck_assert_int_eq(sp_stream_writev(a.s, NULL, 0), 0); /* nothing is queued */
	ends_close(&a, &b);
}
END_TEST

/* A queue that never reached the high mark drains silently. */
START_TEST(no_drain_below_high)
{
	ends_open(KIND, &a, &b);
	ck_assert_int_ge(sp_stream_write(a.s, block, 20000), 0);
	start(&b);
	run_until_bytes(&b.in_bytes, 20000);
	run_turns(20);
	ck_assert_uint_eq(a.drain, 0);
	ends_close(&a, &b);
}
END_TEST

/* ---- the linger bound ------------------------------------------------------------------------ */

/* A peer that never ends and never reads cannot hold a closed stream. */
START_TEST(flush_is_bounded)
{
	ends_open(KIND, &a, &b);
	linger_ms = 20;
	fill(&a);
	end_close(&a, SP_CLOSE_FLUSH);
	run_until_count(&a.closed, 1);
	ck_assert(!a.has_cause);
	ends_close(&a, &b);
}
END_TEST

Suite *sp_suite_stream(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("contract");

	tcase_add_checked_fixture(tc, ends_setup, ends_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, both_ways, 0, KIND_COUNT);
	tcase_add_loop_test(tc, gathers_slices, 0, KIND_COUNT);
	tcase_add_loop_test(tc, starts_stopped, 0, KIND_COUNT);
	tcase_add_loop_test(tc, untaken_is_lent_again_with_more, 0, KIND_COUNT);
	tcase_add_loop_test(tc, byte_by_byte, 0, KIND_COUNT);
	tcase_add_loop_test(tc, stop_inside_on_data, 0, KIND_COUNT);
	tcase_add_loop_test(tc, hand_over, 0, KIND_COUNT);
	tcase_add_loop_test(tc, untaken_is_bounded, 0, KIND_COUNT);
	tcase_add_loop_test(tc, half_close_both_ways, 0, KIND_COUNT);
	tcase_add_loop_test(tc, eof_after_last_byte, 0, KIND_COUNT);
	tcase_add_loop_test(tc, flush_delivers_everything, 0, KIND_COUNT);
	tcase_add_loop_test(tc, flush_swallows_input, 0, KIND_COUNT);
	tcase_add_loop_test(tc, abort_resets_reader, 0, KIND_COUNT);
	tcase_add_loop_test(tc, abort_resets_writer, 0, KIND_COUNT);
	tcase_add_loop_test(tc, abort_drops_queue, 0, KIND_COUNT);
	tcase_add_loop_test(tc, flush_then_abort, 0, KIND_COUNT);
	tcase_add_loop_test(tc, close_before_attach, 0, KIND_COUNT);
	tcase_add_loop_test(tc, fail_before_attach, 0, KIND_COUNT);
	tcase_add_loop_test(tc, close_in_on_data, 0, KIND_COUNT);
	tcase_add_loop_test(tc, close_in_on_eof, 0, KIND_COUNT);
	tcase_add_loop_test(tc, close_in_on_drain, 0, KIND_COUNT);
	tcase_add_loop_test(tc, drain_marks, 0, KIND_COUNT);
	tcase_add_loop_test(tc, no_drain_below_high, 0, KIND_COUNT);
	tcase_add_loop_test(tc, flush_is_bounded, 0, KIND_COUNT);
	suite_add_tcase(s, tc);
	return s;
}
