#include "peer.h"

#include <string.h>
#include <time.h>

struct sp_loop *loop;

/* ---- the loop -------------------------------------------------------------- */

void loop_setup(void)
{
	ck_assert_int_eq(sp_loop_new(&loop), 0);
}

void loop_teardown(void)
{
	sp_loop_run(loop);
	sp_loop_free(&loop);
}

bool run_for(bool (*cond)(void *arg), void *arg, uint64_t ms)
{
	return sp_loop_run_until(loop, cond, arg, ms);
}

void run_until(bool (*cond)(void *arg), void *arg)
{
	ck_assert_msg(run_for(cond, arg, PEER_WAIT_MS), "it does not come");
}

static bool clock_reached(void *arg)
{
	return (int64_t)time(NULL) >= *(const int64_t *)arg;
}

static void on_clock(struct sp_timer *t)
{
	sp_timer_start(loop, t, 5, on_clock); /* time() may be some ms behind */
}

void run_until_clock(int64_t unix_s)
{
	int64_t left_s = unix_s - (int64_t)time(NULL);
	struct sp_timer wake = { 0 };

	sp_timer_start(loop, &wake, left_s > 1 ? (uint64_t)(left_s - 1) * 1000 : 0, on_clock);
	run_until(clock_reached, &unix_s);
	sp_timer_stop(loop, &wake);
}

struct turns {
	struct sp_timer timer;
	unsigned left;
};

static void on_turn(struct sp_timer *t)
{
	struct turns *turns = SP_CONTAINER_OF(t, struct turns, timer);

	if (--turns->left > 0)
		sp_timer_start(loop, t, 0, on_turn);
}

static bool no_turns_left(void *arg)
{
	return ((struct turns *)arg)->left == 0;
}

void run_turns(unsigned n)
{
	struct turns t = { .left = n };

	sp_timer_start(loop, &t.timer, 0, on_turn);
	run_until(no_turns_left, &t);
}

struct count {
	const unsigned *counter;
	unsigned n;
};

static bool has_count(void *arg)
{
	struct count *c = arg;

	return *c->counter >= c->n;
}

void await_count(const unsigned *counter, unsigned n)
{
	run_until(has_count, &(struct count){ counter, n });
}

/* ---- events ---------------------------------------------------------------- */

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct peer *p = arg;
	size_t total = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (!p->discard)
			ck_assert_int_eq(sp_buf_append_slice(&p->in, v[i]), 0);
		total += v[i].n;
	}
	p->in_bytes += total;
	return total;
}

static void on_eof(void *arg)
{
	((struct peer *)arg)->eof++;
}

static void on_drain(void *arg)
{
	((struct peer *)arg)->drained++;
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct peer *p = arg;

	p->closed++;
	p->s = NULL;
	if (cause)
		p->cause = *cause;
}

static const struct sp_stream_events events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_closed,
};

void peer_attach(struct peer *p, struct sp_stream *s)
{
	p->s = s;
	sp_stream_attach(s, &events, p);
	sp_stream_read_start(s);
}

/* ---- dialling --------------------------------------------------------------- */

static void on_dialled(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct peer *p = arg;

	p->dial = NULL;
	if (!s && cause && cause->err == SP_ERESET) { /* accepted and reset before we had a look */
		on_closed(p, cause);
		return;
	}
	ck_assert_msg(s != NULL, "dial: %s", cause ? cause->text : "?");
	peer_attach(p, s);
}

static bool is_connected(void *arg)
{
	struct peer *p = arg;

	return p->s != NULL || p->closed > 0;
}

void peer_dial(struct peer *p, const struct sp_addr *at)
{
	ck_assert_int_eq(sp_dial_open(loop, "127.0.0.1", (uint16_t)sp_addr_port(at), PEER_WAIT_MS, on_dialled, p, &p->dial), 0);
	run_until(is_connected, p);
}

/* ---- sending and waiting -------------------------------------------------------- */

void peer_send(struct peer *p, const void *bytes, size_t n)
{
	ck_assert_ptr_nonnull(p->s);
	(void)sp_stream_write(p->s, bytes, n);
}

void peer_send_str(struct peer *p, const char *s)
{
	peer_send(p, s, strlen(s));
}

struct bytes {
	struct peer *p;
	uint64_t n;
};

static bool has_bytes(void *arg)
{
	struct bytes *b = arg;

	return b->p->in_bytes >= b->n;
}

void peer_await_bytes(struct peer *p, uint64_t n)
{
	struct bytes b = { p, n };

	ck_assert_msg(run_for(has_bytes, &b, PEER_WAIT_MS), "%llu of %llu bytes came", (unsigned long long)p->in_bytes,
		      (unsigned long long)n);
}

void peer_await_eof(struct peer *p)
{
	await_count(&p->eof, 1);
}

void peer_await_closed(struct peer *p)
{
	await_count(&p->closed, 1);
}

void peer_expect(struct peer *p, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	peer_await_bytes(p, p->in_bytes - p->in.len + n);
	ck_assert_mem_eq(sp_buf_data(&p->in).p, bytes, n);
	sp_buf_consume(&p->in, n);
}

void peer_expect_str(struct peer *p, const char *s)
{
	peer_expect(p, s, strlen(s));
}

void peer_end(struct peer *p)
{
	if (p->s) {
		sp_stream_close(p->s, SP_CLOSE_ABORT);
		peer_await_closed(p);
	}
	sp_buf_deinit(&p->in);
}
