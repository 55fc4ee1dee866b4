/* The stream contract under load and under chaos, for every kind of stream. */
#include "suites.h"

#include "base/must.h"
#include "ends.h"

static struct end a, b;
static uint8_t block[256 * 1024];

#define KIND ((enum kind)_i)

static void end_close(struct end *e, enum sp_close how)
{
	bool before = e->in_call;

	e->in_call = true;
	sp_stream_close(e->s, how);
	e->in_call = before;
}

/* ---- bulk ---------------------------------------------------------------------------------- */

#define BULK_BYTES (32u << 20)

/* Sends the pattern in pieces of random size until the stream says stop, then goes on at on_drain. */
static void bulk_send(struct end *e)
{
	uint64_t *sent = e->user;
	ssize_t queued = 0;
	size_t n;

	while (*sent < BULK_BYTES && queued < SP_STREAM_HIGH) {
		n = rnd(&e->seed) % 4 ? rnd(&e->seed) % 3000 + 1 : (size_t)rnd(&e->seed) * 8 % sizeof(block) + 1;
		if (n > BULK_BYTES - *sent)
			n = BULK_BYTES - *sent;
		pattern(*sent, block, n);
		queued = sp_stream_write(e->s, block, n);
		ck_assert_int_ge(queued, 0);
		*sent += n;
	}
	if (*sent == BULK_BYTES)
		sp_stream_shutdown_write(e->s);
}

/* Takes all or a part, and pauses now and then; the other tests' timers are not needed: a 0 ms timer starts again. */
struct pauser {
	struct sp_timer timer;
	struct end *end;
};
static struct pauser pauser_a = { .end = &a }, pauser_b = { .end = &b };

static void on_pause_over(struct sp_timer *t)
{
	struct end *e = SP_CONTAINER_OF(t, struct pauser, timer)->end;

	sp_stream_read_start(e->s);
}

static size_t bulk_take(struct end *e, const uint8_t *p, size_t n)
{
	struct pauser *pause = e == &a ? &pauser_a : &pauser_b;
	uint8_t expect[64];
	size_t took = n;

	pattern(e->in_bytes, expect, n < sizeof(expect) ? n : sizeof(expect));
	ck_assert_mem_eq(p, expect, n < sizeof(expect) ? n : sizeof(expect));
	switch (rnd(&e->seed) % 8) {
	case 0:
		took = rnd(&e->seed) * 8u % (n + 1);
		sp_stream_read_start(e->s);
		break;
	case 1:
		took = rnd(&e->seed) * 8u % (n + 1);
		sp_stream_read_stop(e->s);
		sp_timer_start(loop, &pause->timer, rnd(&e->seed) % 2, on_pause_over);
		break;
	case 2:
		sp_stream_read_stop(e->s);
		sp_timer_start(loop, &pause->timer, 0, on_pause_over);
		break;
	}
	return took;
}

static uint64_t bulk_hash(void)
{
	uint64_t at, h = HASH_START;

	for (at = 0; at < BULK_BYTES; at += sizeof(block)) {
		pattern(at, block, sizeof(block));
		h = hash_add(h, block, sizeof(block));
	}
	return h;
}

START_TEST(bulk_both_ways)
{
	uint64_t a_sent = 0, b_sent = 0, expected = bulk_hash();

	ends_open(KIND, &a, &b);
	a.collect = b.collect = false;
	a.take = b.take = bulk_take;
	a.on_drain = b.on_drain = bulk_send;
	a.user = &a_sent;
	b.user = &b_sent;
	sp_stream_read_start(a.s);
	sp_stream_read_start(b.s);
	bulk_send(&a);
	bulk_send(&b);
	run_until_count(&a.eof, 1);
	run_until_count(&b.eof, 1);
	ck_assert_uint_eq(a.in_bytes, BULK_BYTES);
	ck_assert_uint_eq(b.in_bytes, BULK_BYTES);
	ck_assert_uint_eq(a.in_hash, expected);
	ck_assert_uint_eq(b.in_hash, expected);
	ck_assert_uint_eq(a.s->bytes_in, BULK_BYTES);
	ck_assert_uint_eq(a.s->bytes_out, BULK_BYTES);
	end_close(&a, SP_CLOSE_FLUSH);
	end_close(&b, SP_CLOSE_FLUSH);
	run_until_count(&a.closed, 1);
	run_until_count(&b.closed, 1);
	ck_assert(!a.has_cause && !b.has_cause);
	ends_close(&a, &b);
}
END_TEST

/* Chaos: random operations from random upcalls; only the contract's order of events is checked (by the ends' events),
 * and that both ends come to their end. */
static void chaos(struct end *e)
{
	unsigned i, n;

	for (i = 0; i < 3 && e->s; i++) {
		switch (rnd(&e->seed) % 40) {
		case 0:
			end_close(e, rnd(&e->seed) % 2 ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH);
			break;
		case 1:
			sp_stream_shutdown_write(e->s);
			break;
		case 2:
		case 3:
			sp_stream_read_stop(e->s);
			break;
		default:
			if (rnd(&e->seed) % 2) {
				sp_stream_read_start(e->s);
				break;
			}
			n = rnd(&e->seed) * 4 + 1;
			pattern(e->s->bytes_out, block, n);
			sp_stream_write(e->s, block, n);
		}
	}
}

static size_t chaos_take(struct end *e, const uint8_t *p, size_t n)
{
	uint8_t expect[16];
	size_t k = n < sizeof(expect) ? n : sizeof(expect), took = rnd(&e->seed) % 3 ? n : rnd(&e->seed) % (n + 1);

	pattern(e->in_bytes, expect, k);
	ck_assert_mem_eq(p, expect, k);
	chaos(e);
	if (e->other->s)
		chaos(e->other);
	return took;
}

static void run_chaos(enum kind kind, unsigned seed)
{
	unsigned i;

	ends_open(kind, &a, &b);
	linger_ms = 20;
	a.seed = seed;
	b.seed = seed + 7777;
	a.collect = b.collect = false;
	a.take = b.take = chaos_take;
	a.on_eof = b.on_eof = a.on_drain = b.on_drain = chaos;
	for (i = 0; i < 100 && (a.s || b.s); i++) {
		if (a.s)
			chaos(&a);
		if (b.s)
			chaos(&b);
		run_turns(1);
	}
	ends_close(&a, &b);
}

START_TEST(chaos_rounds)
{
	unsigned seed;

	for (seed = 1; seed <= 60; seed++)
		run_chaos(KIND, seed * 31);
}
END_TEST

Suite *sp_suite_stream_bulk(void)
{
	Suite *s = suite_create("stream bulk");
	TCase *tc = tcase_create("bulk");

	tcase_add_checked_fixture(tc, ends_setup, ends_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, bulk_both_ways, 0, KIND_COUNT);
	tcase_add_loop_test(tc, chaos_rounds, 0, KIND_COUNT);
	suite_add_tcase(s, tc);
	return s;
}
