/* See relay.h. Each direction is {source, sink}:
 *
 *   FLOWING -> BLOCKED (sink full: source stopped) -> FLOWING ... -> ENDED (source's eof: sink's write side shut)
 *
 * When both directions ended, both streams are closed softly; when one stream fails, the other is aborted. */
#include "exchange/relay.h"

#include <stdlib.h>

#include "base/must.h"

enum direction_state { FLOWING, BLOCKED, ENDED };

struct side {
	struct sp_relay *relay;
	struct sp_stream *stream; /* NULL once it is gone */
	struct side *other;
	enum direction_state out; /* from this side's stream to the other's */
	uint64_t bytes;		  /* taken from this side */
};

struct sp_relay {
	struct sp_loop *loop;
	struct side a, b;
	struct sp_relay_options opt;
	struct sp_timer timer;
	uint64_t last_bytes; /* a + b at the last look */
	sp_relay_done_cb *on_done;
	void *arg;
	struct sp_cause cause;
	bool closing;
	struct sp_reap reap;
};

static void relay_free(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct sp_relay, reap));
}

static void close_both(struct sp_relay *r, enum sp_close how)
{
	if (r->closing && how == SP_CLOSE_FLUSH)
		return;
	r->closing = true;
	if (r->a.stream)
		sp_stream_close(r->a.stream, how);
	if (r->b.stream)
		sp_stream_close(r->b.stream, how);
}

static void fail(struct sp_relay *r, const struct sp_cause *cause)
{
	if (!r->closing && cause && !r->cause.err)
		r->cause = *cause;
	close_both(r, SP_CLOSE_ABORT);
}

/* ---- time ------------------------------------------------------------------------- */

static void on_timer(struct sp_timer *t);

static uint64_t silence_allowed(const struct sp_relay *r)
{
	bool half = r->a.out == ENDED || r->b.out == ENDED;

	if (half && r->opt.half_closed_ms && (!r->opt.idle_ms || r->opt.half_closed_ms < r->opt.idle_ms))
		return r->opt.half_closed_ms;
	return r->opt.idle_ms;
}

/* One look per allowed silence costs nothing on the relay path: a relay dies between one and two silences after its last byte. */
static void watch(struct sp_relay *r)
{
	uint64_t ms = silence_allowed(r);

	r->last_bytes = r->a.bytes + r->b.bytes;
	if (ms)
		sp_timer_start(r->loop, &r->timer, ms, on_timer);
	else
		sp_timer_stop(r->loop, &r->timer);
}

static void on_timer(struct sp_timer *t)
{
	struct sp_relay *r = SP_CONTAINER_OF(t, struct sp_relay, timer);
	struct sp_cause cause = { 0 };

	if (r->a.bytes + r->b.bytes != r->last_bytes) {
		watch(r);
		return;
	}
	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "no byte for %llu ms", (unsigned long long)silence_allowed(r));
	fail(r, &cause);
}

/* ---- bytes ------------------------------------------------------------------------ */

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct side *s = arg;
	size_t total = 0;
	ssize_t queued;

	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	queued = sp_stream_writev(s->other->stream, v, n);
	if (queued < 0) {
		struct sp_cause cause = { 0 };

		sp_cause_set(&cause, (int)queued, SP_DOMAIN_SELF, 0, "the other side takes no more");
		fail(s->relay, &cause);
		return total;
	}
	s->bytes += total;
	if (queued >= (ssize_t)SP_STREAM_HIGH && s->out == FLOWING) {
		s->out = BLOCKED;
		sp_stream_read_stop(s->stream);
	}
	return total;
}

/* This side's stream has room again: its peer direction flows on. */
static void on_drain(void *arg)
{
	struct side *s = arg;

	if (s->other->out == BLOCKED) {
		s->other->out = FLOWING;
		sp_stream_read_start(s->other->stream);
	}
}

static void on_eof(void *arg)
{
	struct side *s = arg;

	s->out = ENDED;
	sp_stream_shutdown_write(s->other->stream);
	if (s->other->out == ENDED)
		close_both(s->relay, SP_CLOSE_FLUSH);
	else
		watch(s->relay);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct side *s = arg;
	struct sp_relay *r = s->relay;

	s->stream = NULL;
	if (cause && !r->closing)
		fail(r, cause);
	else if (s->other->stream && !r->closing)
		close_both(r, SP_CLOSE_ABORT); /* it closed without a cause and not by us: our own bug would hide here */
	if (r->a.stream || r->b.stream)
		return;
	sp_timer_stop(r->loop, &r->timer);
	sp_reap(r->loop, &r->reap, relay_free);
	r->on_done(r->arg, r->cause.err ? &r->cause : NULL, r->a.bytes, r->b.bytes);
}

static const struct sp_stream_events events = { .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_closed = on_closed };

int sp_relay_start(struct sp_stream *a, struct sp_stream *b, const struct sp_relay_options *opt, sp_relay_done_cb *on_done,
		   void *arg, struct sp_relay **out)
{
	struct sp_relay *r = calloc(1, sizeof(*r));

	if (!r) {
		static const struct sp_stream_events nobody = { 0 };

		sp_stream_attach(a, &nobody, NULL);
		sp_stream_attach(b, &nobody, NULL);
		sp_stream_close(a, SP_CLOSE_ABORT);
		sp_stream_close(b, SP_CLOSE_ABORT);
		return SP_ENOMEM;
	}
	r->loop = a->loop;
	r->a = (struct side){ .relay = r, .stream = a, .other = &r->b };
	r->b = (struct side){ .relay = r, .stream = b, .other = &r->a };
	r->opt = *opt;
	r->on_done = on_done;
	r->arg = arg;
	sp_stream_attach(a, &events, &r->a);
	sp_stream_attach(b, &events, &r->b);
	watch(r);
	sp_stream_read_start(a);
	sp_stream_read_start(b);
	*out = r;
	return 0;
}

void sp_relay_abort(struct sp_relay *r, const struct sp_cause *cause)
{
	fail(r, cause);
}
