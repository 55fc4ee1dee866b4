/* See relay.h.
 *
 *   COPYING -> CLOSING (both ends were handed over; or a failure, a deadline, an abort) -> done
 *
 * Because: a stream says nothing about its queue below the low mark, and close(FLUSH) gives a queue only SP_STREAM_LINGER_MS,
 * too little for a slow reader. So the end of a source waits for its sink's queue, which is looked at with growing pauses. */
#include "exchange/relay.h"

#include <stdlib.h>

#include "base/must.h"

#define POLL_MAX_MS 256

enum relay_state { COPYING, CLOSING };

struct end {
	struct sp_relay *relay;
	struct end *peer;
	struct sp_stream *stream; /* NULL: gone */
	bool ended;		  /* as a source: nothing more comes from it */
	bool shut;		  /* as a sink: it was told so */
	uint64_t bytes;		  /* from it to the peer */
	struct sp_timer poll;	  /* as a sink: its source has ended, its queue not yet */
	ssize_t polled_bytes;
	uint64_t poll_ms;
};

struct sp_relay {
	enum relay_state state;
	struct end a, b;
	struct sp_loop *loop;
	struct sp_relay_options opt;
	sp_relay_done_cb *on_done;
	void *arg;
	enum sp_relay_side failed;
	struct sp_cause cause;
	uint64_t active_mono_ms; /* the last byte that moved */
	struct sp_timer silence;
	struct sp_reap reap;
};

static void close_both(struct sp_relay *r, enum sp_close how)
{
	r->state = CLOSING;
	sp_timer_stop(r->loop, &r->silence);
	sp_timer_stop(r->loop, &r->a.poll);
	sp_timer_stop(r->loop, &r->b.poll);
	if (r->a.stream && r->opt.hold)
		sp_stream_read_stop(r->a.stream);
	else if (r->a.stream)
		sp_stream_close(r->a.stream, how);
	if (r->b.stream)
		sp_stream_close(r->b.stream, how);
}

static void fail(struct sp_relay *r, enum sp_relay_side side, const struct sp_cause *cause)
{
	if (r->failed == SP_RELAY_NONE) {
		r->failed = side;
		if (cause)
			r->cause = *cause;
		sp_cause_set(&r->cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "the stream closed without a reason");
	}
	close_both(r, SP_CLOSE_ABORT);
}

/* ---- silence ---------------------------------------------------------------- */

/* How long nothing may move now; 0 = for ever. */
static uint64_t silence_max_ms(const struct sp_relay *r)
{
	uint64_t half = r->a.ended || r->b.ended ? r->opt.half_closed_ms : 0, idle = r->opt.idle_ms;

	if (half == 0 || idle == 0)
		return half + idle;
	return half < idle ? half : idle;
}

static void on_silence(struct sp_timer *t);

/* One timer that looks back when it fires: bytes only note the time. */
static void watch_silence(struct sp_relay *r)
{
	uint64_t max = silence_max_ms(r), silent = sp_loop_now_ms(r->loop) - r->active_mono_ms;

	if (max > 0)
		sp_timer_start(r->loop, &r->silence, silent < max ? max - silent : 0, on_silence);
}

static void on_silence(struct sp_timer *t)
{
	struct sp_relay *r = SP_CONTAINER_OF(t, struct sp_relay, silence);
	struct sp_cause cause = { 0 };

	if (sp_loop_now_ms(r->loop) - r->active_mono_ms < silence_max_ms(r)) {
		watch_silence(r);
		return;
	}
	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0,
		     r->a.ended || r->b.ended ? "half closed and silent" : "silent in both directions");
	fail(r, SP_RELAY_SELF, &cause);
}

static void moved(struct sp_relay *r)
{
	r->active_mono_ms = sp_loop_now_ms(r->loop);
}

/* ---- the end ------------------------------------------------------------------ */

static void on_poll(struct sp_timer *t);

/* The source of `sink` has ended: hands that over once the queue is short enough. The second end closes everything, so
 * nothing may be left then. */
static void end_sink(struct end *sink)
{
	ssize_t queued = sp_stream_writev(sink->stream, NULL, 0), most = sink->peer->shut ? 0 : SP_STREAM_LOW;

	if (queued > most) {
		if (queued < sink->polled_bytes)
			moved(sink->relay);
		sink->polled_bytes = queued;
		sp_timer_start(sink->relay->loop, &sink->poll, sink->poll_ms, on_poll);
		sink->poll_ms = sink->poll_ms == 0 ? 1 : sink->poll_ms < POLL_MAX_MS ? sink->poll_ms * 2 : POLL_MAX_MS;
		return;
	}
	sink->shut = true;
	if (sink->peer->shut)
		close_both(sink->relay, SP_CLOSE_FLUSH);
	else
		sp_stream_shutdown_write(sink->stream);
}

static void on_poll(struct sp_timer *t)
{
	end_sink(SP_CONTAINER_OF(t, struct end, poll));
}

static void on_reap(struct sp_reap *reap)
{
	free(SP_CONTAINER_OF(reap, struct sp_relay, reap));
}

static void done(struct sp_relay *r)
{
	sp_reap(r->loop, &r->reap, on_reap);
	r->on_done(r->arg, r->failed == SP_RELAY_NONE ? NULL : &r->cause, r->a.bytes, r->b.bytes);
}

/* ---- upcalls --------------------------------------------------------------------- */

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct end *from = arg;
	ssize_t queued;
	size_t total = 0;
	unsigned i;

	if (from->relay->state == CLOSING) /* held */
		return 0;
	queued = sp_stream_writev(from->peer->stream, v, n);

	if (queued < 0) { /* the sink is broken; its on_closed follows */
		sp_stream_read_stop(from->stream);
		return 0;
	}
	for (i = 0; i < n; i++)
		total += v[i].n;
	from->bytes += total;
	moved(from->relay);
	if (queued >= SP_STREAM_HIGH)
		sp_stream_read_stop(from->stream);
	return total;
}

static void on_drain(void *arg)
{
	struct end *sink = arg;

	moved(sink->relay);
	if (sink->peer->stream)
		sp_stream_read_start(sink->peer->stream);
}

static void on_eof(void *arg)
{
	struct end *from = arg;
	struct sp_relay *r = from->relay;

	if (r->state == CLOSING) /* held */
		return;
	from->ended = true;
	moved(r);
	end_sink(from->peer);
	if (r->state != CLOSING)
		watch_silence(r);
}

/* e said all it had to say and reads no more (RST_STREAM(NO_ERROR) after END_STREAM): what it sent still reaches the peer. */
static void finish_without(struct end *e)
{
	e->shut = true;
	sp_timer_stop(e->relay->loop, &e->poll);
	sp_stream_read_stop(e->peer->stream);
	if (e->peer->shut)
		close_both(e->relay, SP_CLOSE_FLUSH);
	else if (!sp_timer_running(&e->peer->poll))
		end_sink(e->peer);
}

/* e was told everything that there is for it and takes no more part: what it would still have said is of no use. */
static void finish_early(struct end *e)
{
	struct sp_relay *r = e->relay;

	r->state = CLOSING;
	sp_timer_stop(r->loop, &r->silence);
	sp_timer_stop(r->loop, &r->a.poll);
	sp_timer_stop(r->loop, &r->b.poll);
	if (e->peer->stream)
		sp_stream_close(e->peer->stream, SP_CLOSE_ABORT);
}

static bool is_over(const struct sp_relay *r)
{
	return !r->b.stream && (!r->a.stream || (r->opt.hold && r->state == CLOSING));
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct end *e = arg;
	struct sp_relay *r = e->relay;

	e->stream = NULL;
	if (!cause && r->state != CLOSING && e->ended && e->peer->stream)
		finish_without(e);
	else if (!cause && r->state != CLOSING && e == &r->a && e->shut)
		finish_early(e);
	else if (cause || r->state != CLOSING)
		fail(r, e == &r->a ? SP_RELAY_A : SP_RELAY_B, cause);
	if (is_over(r))
		done(r);
}

/* Where the peer carries none they are lost, as RFC 9110 section 6.5.1 allows. */
static void on_trailers(void *arg, const struct sp_fields *trailers)
{
	struct end *from = arg;

	if (from->peer->stream)
		(void)sp_stream_trailers(from->peer->stream, trailers);
}

static const struct sp_stream_events events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_closed,
	.on_trailers = on_trailers,
};

/* ---- from outside ------------------------------------------------------------------ */

static size_t take_nothing(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg;
	(void)v;
	(void)n;
	return 0;
}

static void let_close(void *arg, const struct sp_cause *cause)
{
	(void)arg;
	(void)cause;
}

static void drop(struct sp_stream *s)
{
	static const struct sp_stream_events none = { .on_data = take_nothing, .on_closed = let_close };

	sp_stream_attach(s, &none, NULL);
	sp_stream_close(s, SP_CLOSE_ABORT);
}

static void take_over(struct sp_relay *r, struct end *e, struct end *peer, struct sp_stream *s)
{
	e->relay = r;
	e->peer = peer;
	e->stream = s;
	sp_stream_attach(s, &events, e);
	sp_stream_read_start(s);
}

int sp_relay_start(struct sp_stream *a, struct sp_stream *b, const struct sp_relay_options *opt, sp_relay_done_cb *cb,
		   void *arg, struct sp_relay **out)
{
	struct sp_relay *r = calloc(1, sizeof(*r));

	if (!r) {
		drop(a);
		drop(b);
		return SP_ENOMEM;
	}
	r->loop = a->loop;
	r->opt = *opt;
	r->on_done = cb;
	r->arg = arg;
	moved(r);
	take_over(r, &r->a, &r->b, a);
	take_over(r, &r->b, &r->a, b);
	if (opt->a_ended) {
		r->a.ended = true;
		end_sink(&r->b);
	}
	watch_silence(r);
	*out = r;
	return 0;
}

void sp_relay_release(struct sp_relay *r, uint64_t half_closed_ms)
{
	r->opt.hold = false;
	r->opt.half_closed_ms = half_closed_ms;
	moved(r);
	sp_timer_stop(r->loop, &r->silence);
	if (r->state == COPYING)
		watch_silence(r);
}

struct sp_stream *sp_relay_take_a(struct sp_relay *r)
{
	struct sp_stream *a = r->a.stream;

	r->a.stream = NULL;
	return a;
}

enum sp_relay_side sp_relay_failed(const struct sp_relay *r)
{
	return r->failed;
}

void sp_relay_abort(struct sp_relay *r, const struct sp_cause *cause)
{
	fail(r, SP_RELAY_SELF, cause);
}
