/* One HTTP/2 connection: nghttp2's session between a carrier stream and our streams.
 *
 * nghttp2 runs in two places only, which never nest: on_carrier_data() (mem_recv) and sp_h2_pump() (mem_send). Owners are called
 * from run_upcalls(), outside of it: after a batch was received, or in a deferred call.
 *
 * NEW -(peer's SETTINGS)-> READY -(drain, GOAWAY)-> DRAINING -(last stream)-> FAILED -(streams and carrier gone)-> closed */
#include "h2/internal.h"

#include <stdlib.h>

#define TOO_MANY_CONTINUATIONS (-905) /* NGHTTP2_ERR_...: came with a security fix, older headers lack it */

/* ---- sending --------------------------------------------------------------------------------------- */

static void to_carrier(struct sp_h2 *h, const struct sp_slice *v, unsigned n)
{
	h->carrier_queued = sp_stream_writev(h->carrier, v, n);
	if (h->carrier_queued < 0)
		h->carrier_queued = 0; /* it is closed; its on_closed tells */
}

static void flush_batch(struct sp_h2 *h)
{
	struct sp_slice v = { h->batch, h->batch_len };

	if (h->batch_len == 0)
		return;
	h->batch_len = 0;
	to_carrier(h, &v, 1);
}

void sp_h2_put(struct sp_h2 *h, const struct sp_slice *v, unsigned n)
{
	size_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	if (total > SP_H2_BATCH_BYTES - h->batch_len)
		flush_batch(h);
	if (total > SP_H2_SMALL_BYTES) {
		flush_batch(h);
		to_carrier(h, v, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		memcpy(h->batch + h->batch_len, v[i].p, v[i].n);
		h->batch_len += v[i].n;
	}
}

static void send_frames(struct sp_h2 *h)
{
	uint8_t batch[SP_H2_BATCH_BYTES];
	const uint8_t *p;
	ssize_t n = 0;

	h->pumping = true;
	h->batch = batch;
	while (h->carrier_queued < (ssize_t)SP_H2_BACKLOG_MAX_BYTES && (n = nghttp2_session_mem_send(h->ng, &p)) > 0) {
		struct sp_slice v = { p, (size_t)n };

		sp_h2_put(h, &v, 1);
	}
	flush_batch(h);
	h->batch = NULL;
	h->pumping = false;
	if (n < 0)
		sp_h2_error(&h->cause, (int)n, "HTTP/2 output");
}

void sp_h2_pump(struct sp_h2 *h)
{
	if (h->pumping || h->receiving || h->failed || !h->carrier)
		return;
	h->dirty_bytes = 0;
	send_frames(h);
	if (h->cause.err || (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng)))
		sp_h2_fail(h, NULL);
}

static void on_pump_later(struct sp_defer *d)
{
	sp_h2_pump(SP_CONTAINER_OF(d, struct sp_h2, pump_later));
}

void sp_h2_pump_soon(struct sp_h2 *h)
{
	if (!h->failed)
		sp_defer(h->loop, &h->pump_later, on_pump_later);
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void conn_free(struct sp_reap *r)
{
	struct sp_h2 *h = SP_CONTAINER_OF(r, struct sp_h2, reap);

	nghttp2_session_del(h->ng);
	free(h->chunks);
	free(h);
}

/* But for streams that are complete: they hand their last bytes to slow readers without the connection. */
static bool streams_are_closed(const struct sp_h2 *h)
{
	const struct sp_list *n;

	for (n = h->streams.next; n != &h->streams; n = n->next) {
		const struct sp_h2_stream *s = SP_CONTAINER_OF(n, struct sp_h2_stream, node);

		if (s->end != SP_H2_CLEAN || s->eof_told || s->closing)
			return false;
	}
	return true;
}

static void maybe_closed(struct sp_h2 *h)
{
	if (!h->failed || h->carrier || h->in_upcalls)
		return;
	if (!h->closed_told && streams_are_closed(h)) {
		h->closed_told = true;
		sp_defer_cancel(&h->pump_later);
		sp_timer_stop(h->loop, &h->liveness);
		sp_timer_stop(h->loop, &h->grace);
		sp_timer_stop(h->loop, &h->budget);
		h->ev->on_closed(h->arg, h->cause.err ? &h->cause : NULL);
	}
	if (h->closed_told && sp_list_empty(&h->streams) && !h->freed) {
		h->freed = true;
		sp_defer_cancel(&h->upcalls_later);
		sp_reap(h->loop, &h->reap, conn_free);
	}
}

static void on_impatient(struct sp_timer *t)
{
	struct sp_h2 *h = SP_CONTAINER_OF(t, struct sp_h2, grace);

	if (h->carrier)
		sp_stream_close(h->carrier, SP_CLOSE_ABORT);
}

static void close_carrier(struct sp_h2 *h)
{
	sp_timer_stop(h->loop, &h->grace);
	if (!h->carrier)
		return;
	if (h->cause.err == SP_ETIMEOUT) {
		sp_stream_close(h->carrier, SP_CLOSE_ABORT);
		return;
	}
	sp_stream_close(h->carrier, SP_CLOSE_FLUSH);
	if (h->cause.err)
		sp_timer_start(h->loop, &h->grace, SP_H2_IMPATIENT_MS, on_impatient);
}

static uint32_t goaway_code(const struct sp_cause *c)
{
	if (c->err == SP_ENOMEM)
		return NGHTTP2_INTERNAL_ERROR;
	if (c->err != SP_EPROTO || c->domain != SP_DOMAIN_H2)
		return NGHTTP2_NO_ERROR;
	if (c->raw == NGHTTP2_ERR_FLOODED || c->raw == TOO_MANY_CONTINUATIONS)
		return NGHTTP2_ENHANCE_YOUR_CALM;
	return c->raw > 0 ? (uint32_t)c->raw : NGHTTP2_PROTOCOL_ERROR;
}

/* The last words, as far as the carrier takes them now. */
static void say_goaway(struct sp_h2 *h)
{
	nghttp2_session_terminate_session(h->ng, goaway_code(&h->cause));
	if (h->carrier && !h->pumping && !h->receiving)
		send_frames(h);
}

void sp_h2_fail(struct sp_h2 *h, const struct sp_cause *cause)
{
	struct sp_cause closed = { 0 };
	struct sp_list *n, *tmp;

	if (h->failed)
		return;
	if (cause && !h->cause.err)
		h->cause = *cause;
	if (!h->cause.err && h->goaway_code != NGHTTP2_NO_ERROR)
		sp_cause_set(&h->cause, SP_ECLOSED, SP_DOMAIN_H2, (long)h->goaway_code, "the peer ended the connection: %s",
			     nghttp2_http2_strerror(h->goaway_code));
	say_goaway(h);
	h->failed = true;
	sp_defer_cancel(&h->pump_later);
	sp_cause_set(&closed, SP_ECLOSED, SP_DOMAIN_H2, 0, "the connection is closed");
	SP_LIST_EACH(n, &h->streams, tmp)
		sp_h2_stream_fail(SP_CONTAINER_OF(n, struct sp_h2_stream, node), h->cause.err ? &h->cause : &closed);
	close_carrier(h);
	sp_h2_upcalls_soon(h);
}

/* ---- upcalls ------------------------------------------------------------------------------------------ */

static void tell_room(struct sp_h2 *h)
{
	bool rose = h->no_room && sp_h2_room(h) > 0;

	if (sp_h2_room(h) == 0)
		h->no_room = true;
	if (!rose)
		return;
	h->no_room = false;
	if (h->role == SP_H2_CLIENT && h->ev->on_room)
		h->ev->on_room(h->arg);
}

static void tell_idle(struct sp_h2 *h)
{
	if (h->stream_count > 0 || !h->idle_owed)
		return;
	h->idle_owed = false;
	if (h->ev->on_idle)
		h->ev->on_idle(h->arg);
}

/* Each of them may close the connection. */
static void tell_connection(struct sp_h2 *h)
{
	if (h->ready && !h->ready_told && !h->failed) {
		h->ready_told = true;
		h->no_room = sp_h2_room(h) == 0;
		if (h->ev->on_ready)
			h->ev->on_ready(h->arg);
	}
	if (h->goaway_received && !h->goaway_told && !h->failed) {
		h->goaway_told = true;
		if (h->ev->on_goaway)
			h->ev->on_goaway(h->arg, h->goaway_code);
	}
	if (h->ready_told && !h->failed)
		tell_room(h);
	if (!h->failed)
		tell_idle(h);
}

static void forget_chunks(struct sp_h2 *h)
{
	h->chunk_count = 0;
	if (h->chunk_cap > 1024) {
		free(h->chunks);
		h->chunks = NULL;
		h->chunk_cap = 0;
	}
}

static void run_upcalls(struct sp_h2 *h)
{
	struct sp_list round, *n;

	sp_must(!h->in_upcalls);
	h->in_upcalls = true;
	sp_list_init(&round);
	while ((n = sp_list_pop(&h->touched)) != NULL)
		sp_list_append(&round, n);
	/* A stream touched meanwhile goes to the next round, in a later call: no owner can keep us here. */
	while ((n = sp_list_pop(&round)) != NULL)
		sp_h2_stream_upcalls(SP_CONTAINER_OF(n, struct sp_h2_stream, touched));
	forget_chunks(h);
	tell_connection(h);
	h->in_upcalls = false;
	if (!sp_list_empty(&h->touched))
		sp_h2_upcalls_soon(h);
	maybe_closed(h);
}

static void on_upcalls_later(struct sp_defer *d)
{
	struct sp_h2 *h = SP_CONTAINER_OF(d, struct sp_h2, upcalls_later);

	run_upcalls(h);
	sp_h2_pump(h); /* the credit that readers have returned */
}

void sp_h2_upcalls_soon(struct sp_h2 *h)
{
	if (!h->freed)
		sp_defer(h->loop, &h->upcalls_later, on_upcalls_later);
}

/* ---- the carrier ----------------------------------------------------------------------------------------- */

/* Streams go on; the peer opens no more. */
static void start_drain(struct sp_h2 *h)
{
	h->draining = true;
	if (h->role == SP_H2_SERVER) {
		nghttp2_submit_shutdown_notice(h->ng);
		sp_h2_ping(h);
		h->drain_ping_seq = h->ping_seq;
	} else {
		nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	}
	sp_h2_pump_soon(h);
}

/* A round trip after the notice, what was on its way has come: now the last id can be said (RFC 9113 section 6.8). */
static void drain_further(struct sp_h2 *h)
{
	if (h->drain_ping_seq != 0 && h->ping_acked >= h->drain_ping_seq) {
		h->drain_ping_seq = 0;
		nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->ng), NGHTTP2_NO_ERROR,
				      NULL, 0);
	}
	if (h->ids_used_up && !h->draining && !h->failed)
		start_drain(h);
}

static size_t on_carrier_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct sp_h2 *h = arg;
	size_t total = 0;
	ssize_t taken = 0;

	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	if (h->failed)
		return total;
	sp_h2_heard(h);
	h->receiving = true;
	for (unsigned i = 0; i < n && taken >= 0; i++)
		taken = nghttp2_session_mem_recv(h->ng, v[i].p, v[i].n);
	h->receiving = false;
	if (taken < 0) /* unless we have stopped it ourselves */
		sp_h2_error(&h->cause, (int)taken, taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? "not HTTP/2" : "HTTP/2 input");
	run_upcalls(h);
	drain_further(h);
	sp_h2_pump(h);
	return total;
}

static void on_carrier_eof(void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_cause c = { 0 };
	bool in_order = h->stream_count == 0 && (h->goaway_received || h->draining);

	sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_H2, (long)h->goaway_code, "the peer closed the connection%s%s",
		     h->goaway_code ? ": " : "", h->goaway_code ? nghttp2_http2_strerror(h->goaway_code) : "");
	sp_h2_fail(h, in_order ? NULL : &c);
}

static void on_carrier_drain(void *arg)
{
	struct sp_h2 *h = arg;

	h->carrier_queued = 0;
	sp_h2_pump(h);
}

static void on_carrier_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_h2 *h = arg;
	struct sp_cause c = { 0 };

	h->carrier = NULL;
	sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_H2, 0, "the connection is closed");
	sp_h2_fail(h, cause ? cause : &c);
	maybe_closed(h);
}

static const struct sp_stream_events carrier_events = {
	.on_data = on_carrier_data,
	.on_eof = on_carrier_eof,
	.on_drain = on_carrier_drain,
	.on_closed = on_carrier_closed,
};

/* ---- life ---------------------------------------------------------------------------------------------- */

int sp_h2_new(struct sp_loop *loop, struct sp_stream *carrier, enum sp_h2_role role, const struct sp_h2_options *opt,
	      const struct sp_h2_events *ev, void *arg, struct sp_h2 **out)
{
	struct sp_h2 *h = calloc(1, sizeof(*h));

	if (!h)
		return SP_ENOMEM;
	h->loop = loop;
	h->role = role;
	h->opt = *opt;
	h->ev = ev;
	h->arg = arg;
	sp_list_init(&h->streams);
	sp_list_init(&h->touched);
	sp_list_init(&h->owed);
	if (sp_h2_session_new(h) < 0) {
		nghttp2_session_del(h->ng);
		free(h);
		return SP_ENOMEM;
	}
	h->carrier = carrier;
	sp_stream_attach(carrier, &carrier_events, h);
	sp_h2_limits_start(h);
	sp_stream_read_start(carrier);
	sp_h2_pump_soon(h);
	*out = h;
	return 0;
}

static void on_grace(struct sp_timer *t)
{
	struct sp_h2 *h = SP_CONTAINER_OF(t, struct sp_h2, grace);
	struct sp_cause c = { 0 };

	sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_H2, 0, "the time to drain is over");
	sp_h2_fail(h, &c);
}

void sp_h2_drain(struct sp_h2 *h, uint64_t grace_ms)
{
	if (h->failed || h->drain_asked)
		return;
	h->drain_asked = true;
	if (!h->draining)
		start_drain(h);
	sp_timer_start(h->loop, &h->grace, grace_ms, on_grace);
}

void sp_h2_close(struct sp_h2 *h)
{
	sp_h2_fail(h, NULL);
}

unsigned sp_h2_stream_count(const struct sp_h2 *h)
{
	return h->stream_count;
}

unsigned sp_h2_room(const struct sp_h2 *h)
{
	uint32_t max;

	if (!h->ready || h->failed || h->draining || h->goaway_received || h->ids_used_up || h->role != SP_H2_CLIENT)
		return 0;
	max = nghttp2_session_get_remote_settings(h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return max > h->stream_count ? max - h->stream_count : 0;
}

size_t sp_h2_queued(const struct sp_h2 *h)
{
	ssize_t below = h->carrier ? sp_stream_writev(h->carrier, NULL, 0) : 0;

	return h->tx_bytes + (below > 0 ? (size_t)below : 0);
}

uint64_t sp_h2_rtt_us(const struct sp_h2 *h)
{
	return h->rtt_us;
}

bool sp_h2_extended_connect(const struct sp_h2 *h)
{
	return h->ready_told && !h->failed && nghttp2_session_get_remote_settings(h->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}
