/* Two connected in-memory streams. What one end writes waits in its out queue until the other end's reader wants it, so
 * the marks work as they do for sockets. Bytes move in deferred calls only, never inside a caller's write.
 *
 *   OPEN -> FLUSHING (our FLUSH: out is delivered, input swallowed until the peer's end) -> CLOSED
 *   OPEN -> CLOSED (ABORT, or the peer reset) */
#include <stdlib.h>

#include "base/must.h"
#include "net/stream_int.h"

enum end_state { END_OPEN, END_FLUSHING, END_CLOSED };

struct end {
	struct sp_stream s;
	struct sp_rx rx;
	struct end *peer; /* NULL: gone */
	struct sp_buf out;
	enum end_state state;
	bool shut;  /* no more writes; the peer gets the end after out */
	bool reset; /* the peer went away without an end */
	bool owes_drain;
	struct sp_cause cause;
	struct sp_defer pump, gone;
	struct sp_timer linger;
	struct sp_reap reap;
};

static const struct sp_stream_ops pair_ops;

static struct end *end_of(struct sp_stream *s)
{
	struct end *e = SP_CONTAINER_OF(s, struct end, s);

	sp_must(s->ops == &pair_ops);
	sp_loop_assert(s->loop);
	return e;
}

static void on_pump(struct sp_defer *d);

static void pump_soon(struct end *e)
{
	if (e && e->state != END_CLOSED)
		sp_defer(e->s.loop, &e->pump, on_pump);
}

static void on_reap(struct sp_reap *r)
{
	struct end *e = SP_CONTAINER_OF(r, struct end, reap);

	sp_rx_deinit(&e->s, &e->rx);
	sp_buf_deinit(&e->out);
	free(e);
}

static void on_gone(struct sp_defer *d)
{
	struct end *e = SP_CONTAINER_OF(d, struct end, gone);

	sp_up_closed(&e->s, e->cause.err ? &e->cause : NULL);
	sp_reap(e->s.loop, &e->reap, on_reap);
}

static void finish(struct end *e, bool abort)
{
	struct end *peer = e->peer;
	bool ended = peer && peer->s.input_ended; /* our end reached it */

	if (e->state == END_CLOSED)
		return;
	e->state = END_CLOSED;
	sp_rx_close(&e->s, &e->rx);
	sp_timer_stop(e->s.loop, &e->linger);
	sp_defer_cancel(&e->pump);
	e->peer = NULL;
	if (peer) {
		peer->peer = NULL;
		/* As TCP: nothing to reset after both ends; without abort the peer notices when it writes. */
		peer->reset = !ended || (abort && !e->s.input_ended);
		if (peer->reset || peer->state == END_FLUSHING)
			pump_soon(peer);
	}
	sp_defer(e->s.loop, &e->gone, on_gone);
}

static void fail_reset(struct end *e)
{
	sp_rx_run(&e->s, &e->rx); /* bytes that arrived before it come first */
	if (e->state == END_OPEN)
		sp_cause_set(&e->cause, SP_ERESET, SP_DOMAIN_SELF, 0, "connection reset by peer");
	finish(e, false);
}

/* After the peer's queue has shrunk. */
static void peer_drained(struct end *p)
{
	if (!p || !p->owes_drain || p->out.len >= SP_STREAM_LOW)
		return;
	p->owes_drain = false;
	if (p->state == END_OPEN && !p->shut)
		sp_up_drain(&p->s);
}

static void take_from_peer(struct end *e)
{
	struct end *p = e->peer;

	if (p && p->out.len > 0) {
		if (e->state == END_FLUSHING) {
			sp_buf_deinit(&p->out);
		} else if (sp_rx_wants(&e->s, &e->rx)) {
			if (sp_rx_push_buf(&e->s, &e->rx, &p->out)) {
				sp_cause_set(&e->cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "read: out of memory");
				finish(e, true);
				return;
			}
		}
		peer_drained(e->peer);
	}
	p = e->peer; /* the upcalls may have ended it */
	if (p && p->shut && p->out.len == 0 && e->state != END_CLOSED) {
		sp_rx_end(&e->s, &e->rx);
		if (e->peer && e->peer->state == END_FLUSHING)
			pump_soon(e->peer); /* its last byte is out */
	}
}

static void on_pump(struct sp_defer *d)
{
	struct end *e = SP_CONTAINER_OF(d, struct end, pump);

	take_from_peer(e);
	if (e->state != END_CLOSED && e->reset) {
		fail_reset(e);
		return;
	}
	if (e->state == END_FLUSHING && (!e->peer || (e->peer->s.input_ended && e->s.input_ended)))
		finish(e, false);
}

static void on_linger(struct sp_timer *t)
{
	finish(SP_CONTAINER_OF(t, struct end, linger), false);
}

static void on_later(struct sp_timer *t)
{
	struct end *e = SP_CONTAINER_OF(t, struct end, rx.later);

	sp_rx_run(&e->s, &e->rx);
	pump_soon(e);
}

static ssize_t pair_writev(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	struct end *e = end_of(s);
	unsigned i;

	if (e->state != END_OPEN || e->shut)
		return SP_ECLOSED;
	for (i = 0; i < n; i++) {
		s->bytes_out += v[i].n;
		if (sp_buf_append_slice(&e->out, v[i]) == 0)
			continue;
		sp_cause_set(&e->cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "write: out of memory");
		finish(e, true);
		return SP_ECLOSED;
	}
	if (!e->peer) {
		e->reset = true;
		sp_buf_deinit(&e->out);
		pump_soon(e);
		return 0;
	}
	pump_soon(e->peer);
	if (e->out.len >= SP_STREAM_HIGH)
		e->owes_drain = true;
	return (ssize_t)e->out.len;
}

static void pair_shutdown_write(struct sp_stream *s)
{
	struct end *e = end_of(s);

	if (e->state != END_OPEN || e->shut)
		return;
	e->shut = true;
	pump_soon(e->peer);
}

static void pair_read_start(struct sp_stream *s)
{
	struct end *e = end_of(s);

	sp_rx_start(s, &e->rx);
	pump_soon(e);
}

static void pair_read_stop(struct sp_stream *s)
{
	struct end *e = end_of(s);

	sp_rx_stop(s, &e->rx);
}

static void pair_close(struct sp_stream *s, enum sp_close how)
{
	struct end *e = end_of(s);

	if (e->state == END_CLOSED)
		return;
	if (how == SP_CLOSE_ABORT || !e->peer || e->reset) {
		sp_buf_deinit(&e->out);
		finish(e, true);
		return;
	}
	if (e->state == END_FLUSHING)
		return;
	e->state = END_FLUSHING;
	e->shut = true;
	sp_rx_close(s, &e->rx);
	sp_timer_start(s->loop, &e->linger, SP_STREAM_LINGER_MS, on_linger);
	pump_soon(e->peer);
	pump_soon(e);
}

static const struct sp_stream_ops pair_ops = {
	.writev = pair_writev,
	.shutdown_write = pair_shutdown_write,
	.read_start = pair_read_start,
	.read_stop = pair_read_stop,
	.close = pair_close,
};

static struct end *end_new(struct sp_loop *loop)
{
	struct end *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->s.ops = &pair_ops;
	e->s.loop = loop;
	e->rx.on_later = on_later;
	return e;
}

int sp_stream_pair(struct sp_loop *loop, struct sp_stream **a_out, struct sp_stream **b_out)
{
	struct end *a, *b;

	sp_loop_assert(loop);
	a = end_new(loop);
	b = end_new(loop);
	if (!a || !b) {
		free(a);
		free(b);
		return SP_ENOMEM;
	}
	a->peer = b;
	b->peer = a;
	*a_out = &a->s;
	*b_out = &b->s;
	return 0;
}
