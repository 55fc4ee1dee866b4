/* One HTTP/2 connection: nghttp2's session between a carrier stream and our streams.
 *
 * nghttp2's callbacks copy bytes, set flags and queue streams. Its functions are called from two places only: on_carrier_data()
 * (mem_recv) and sp_h2_pump() (mem_send), which never nest. Owners are called from run_upcalls(), never inside nghttp2.
 *
 * NEW -(peer's SETTINGS)-> READY -(drain, GOAWAY)-> DRAINING -(last stream)-> FAILED -(streams and carrier gone)-> closed */
#include "h2/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

int sp_h2_error(struct sp_cause *c, int ng_err, const char *what)
{
	int err = ng_err == NGHTTP2_ERR_NOMEM ? SP_ENOMEM : SP_EPROTO;

	return sp_cause_set(c, err, SP_DOMAIN_H2, ng_err, "%s: %s", what, nghttp2_strerror(ng_err));
}

/* ---- sending --------------------------------------------------------------------------------------- */

static void to_carrier(struct sp_h2 *h, const struct sp_slice *v, unsigned n)
{
	if (!h->carrier)
		return;
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
	ssize_t n;

	h->batch = batch;
	while ((n = nghttp2_session_mem_send(h->ng, &p)) > 0) {
		struct sp_slice v = { p, (size_t)n };

		sp_h2_put(h, &v, 1);
	}
	flush_batch(h);
	h->batch = NULL;
	if (n < 0)
		sp_h2_error(&h->cause, (int)n, "HTTP/2 output");
}

/* The last words (GOAWAY) before the carrier is closed, as far as it takes them now. */
static void pump_last(struct sp_h2 *h)
{
	if (h->pumping || h->receiving || !h->carrier)
		return;
	h->pumping = true;
	send_frames(h);
	h->pumping = false;
}

void sp_h2_pump(struct sp_h2 *h)
{
	if (h->pumping || h->receiving || !h->ng || !h->carrier || h->closed_told)
		return;
	h->pumping = true;
	h->dirty_bytes = 0;
	send_frames(h);
	h->pumping = false;
	if (h->failed)
		return;
	if (h->cause.err)
		sp_h2_fail(h, &h->cause);
	else if (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng))
		sp_h2_fail(h, NULL);
}

static void on_pump_later(struct sp_defer *d)
{
	sp_h2_pump(SP_CONTAINER_OF(d, struct sp_h2, pump_later));
}

void sp_h2_pump_soon(struct sp_h2 *h)
{
	sp_defer(h->loop, &h->pump_later, on_pump_later);
}

/* ---- nghttp2's callbacks ----------------------------------------------------------------------------- */

static struct sp_h2_stream *stream_of(struct sp_h2 *h, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h->ng, id);
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	struct sp_h2 *h = arg;

	(void)ng;
	return sp_h2_glitch_frame(h, hd) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s = stream_of(h, frame->hd.stream_id);

	if (h->role == SP_H2_SERVER && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s = sp_h2_stream_new(h);
		if (!s)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		s->id = frame->hd.stream_id;
		nghttp2_session_set_stream_user_data(ng, s->id, s);
	} else if (!s || s->answered || s->request) {
		return 0; /* trailers, or nobody listens: the fields are dropped */
	}
	return sp_h2_head_begin(s) < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value,
		     size_t value_len, uint8_t flags, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s = stream_of(h, frame->hd.stream_id);

	(void)ng, (void)flags;
	if (!s || !s->head || s->head_ready)
		return 0;
	if (sp_h2_head_add(s, sp_slice_make(name, name_len), sp_slice_make(value, value_len)) == 0)
		return 0;
	sp_h2_head_free(s);
	return sp_h2_glitch(h, 1) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int head_received(struct sp_h2 *h, struct sp_h2_stream *s)
{
	if (!s->head || s->head_ready)
		return 0;
	if (h->role == SP_H2_CLIENT && sp_h2_head_status(s) < 200) {
		sp_h2_head_free(s); /* interim responses tell a tunnel nothing */
		return sp_h2_glitch(h, 1);
	}
	s->head_ready = true;
	sp_h2_stream_touch(s);
	return 0;
}

static void end_received(struct sp_h2_stream *s)
{
	s->end_received = true;
	sp_h2_stream_touch(s);
}

static void ping_answered(struct sp_h2 *h)
{
	if (h->ping_sent_us)
		h->rtt_us = uv_hrtime() / 1000 - h->ping_sent_us;
	if (h->draining && h->role == SP_H2_SERVER && !h->drain_final) {
		h->drain_final = true;
		nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->ng), NGHTTP2_NO_ERROR,
				      NULL, 0);
	}
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		s = stream_of(h, frame->hd.stream_id);
		if (!s)
			return 0;
		if (frame->hd.type == NGHTTP2_HEADERS && head_received(h, s) < 0)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			end_received(s);
		return 0;
	case NGHTTP2_SETTINGS:
		h->ready = h->ready || !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		return 0;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			ping_answered(h);
		return 0;
	case NGHTTP2_GOAWAY:
		h->goaway_received = true;
		h->goaway_code = frame->goaway.error_code;
		return 0;
	default:
		return 0;
	}
}

static int on_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s = stream_of(h, id);

	(void)flags;
	nghttp2_session_consume_connection(ng, n);
	if (s)
		sp_h2_stream_received(s, p, n);
	return 0;
}

/* Never fails: CVE-2023-35945. */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct sp_h2_stream *s = stream_of(arg, id);

	(void)ng;
	if (s)
		sp_h2_stream_ended(s, code);
	return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
	(void)ng, (void)frame, (void)code;
	return sp_h2_glitch(arg, 1) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static ssize_t payload_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t connection_window, int32_t stream_window,
			      uint32_t max_frame, void *arg)
{
	ssize_t n = SP_H2_PAYLOAD_BYTES;

	(void)ng, (void)type, (void)id, (void)arg;
	n = n < connection_window ? n : connection_window;
	n = n < stream_window ? n : stream_window;
	return n < (ssize_t)max_frame ? n : (ssize_t)max_frame;
}

static int new_session(struct sp_h2 *h)
{
	nghttp2_session_callbacks *cb;
	int err;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return SP_ENOMEM;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_send_data_callback(cb, sp_h2_stream_send);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb, payload_length);
	err = sp_h2_session_new(h, cb);
	nghttp2_session_callbacks_del(cb);
	return err;
}

/* ---- upcalls ------------------------------------------------------------------------------------------ */

static void conn_free(struct sp_reap *r)
{
	struct sp_h2 *h = SP_CONTAINER_OF(r, struct sp_h2, reap);

	nghttp2_session_del(h->ng);
	free(h->chunks);
	free(h);
}

static void maybe_closed(struct sp_h2 *h)
{
	if (!h->failed || h->carrier || !sp_list_empty(&h->streams) || h->closed_told || h->in_upcalls)
		return;
	h->closed_told = true;
	sp_defer_cancel(&h->pump_later);
	sp_defer_cancel(&h->upcalls_later);
	sp_timer_stop(h->loop, &h->liveness);
	sp_timer_stop(h->loop, &h->grace);
	sp_timer_stop(h->loop, &h->budget);
	h->ev->on_closed(h->arg, h->cause.err ? &h->cause : NULL);
	sp_reap(h->loop, &h->reap, conn_free);
}

static void tell_connection(struct sp_h2 *h)
{
	unsigned room;

	if (h->ready && !h->ready_told) {
		h->ready_told = true;
		h->room_was_zero = false;
		h->ev->on_ready(h->arg);
	}
	if (h->goaway_received && !h->goaway_told) {
		h->goaway_told = true;
		h->ev->on_goaway(h->arg, h->goaway_code);
	}
	room = sp_h2_room(h);
	if (h->role == SP_H2_CLIENT && h->ready_told && room > 0 && h->room_was_zero && h->ev->on_room)
		h->ev->on_room(h->arg);
	h->room_was_zero = sp_h2_room(h) == 0;
	if (h->stream_count > 0) {
		h->idle_owed = true;
	} else if (h->idle_owed) {
		h->idle_owed = false;
		if (h->ev->on_idle)
			h->ev->on_idle(h->arg);
	}
}

static void run_upcalls(struct sp_h2 *h)
{
	struct sp_list round, *n;

	if (h->in_upcalls || h->closed_told)
		return;
	h->in_upcalls = true;
	sp_list_init(&round);
	while ((n = sp_list_pop(&h->touched)) != NULL)
		sp_list_append(&round, n);
	/* A stream touched meanwhile goes to the next round, in a later turn: no owner can keep us here. */
	while ((n = sp_list_pop(&round)) != NULL)
		sp_h2_stream_upcalls(SP_CONTAINER_OF(n, struct sp_h2_stream, touched));
	h->chunk_count = 0;
	if (!h->failed)
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
	sp_defer(h->loop, &h->upcalls_later, on_upcalls_later);
}

/* ---- the carrier ----------------------------------------------------------------------------------------- */

/* nghttp2's own verdict is the better one unless we have stopped it. */
static void receive_failed(struct sp_h2 *h, ssize_t n)
{
	uint32_t code = h->cause.err ? (uint32_t)h->cause.raw : NGHTTP2_PROTOCOL_ERROR;

	if (!h->cause.err)
		sp_h2_error(&h->cause, (int)n, n == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? "not HTTP/2" : "HTTP/2 input");
	nghttp2_session_terminate_session(h->ng, code);
	sp_h2_fail(h, &h->cause);
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
	run_upcalls(h);
	if (taken < 0 && !h->failed)
		receive_failed(h, taken);
	else
		sp_h2_pump(h);
	return total;
}

static void on_carrier_eof(void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_cause c = { 0 };

	if (h->failed)
		return;
	if (h->stream_count == 0 && (h->goaway_received || h->draining)) {
		sp_h2_fail(h, NULL);
		return;
	}
	sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_H2, 0, "the peer closed the connection");
	sp_h2_fail(h, &c);
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
	if (!h->failed) {
		if (!cause)
			sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_H2, 0, "the connection is closed");
		sp_h2_fail(h, cause ? cause : &c);
	}
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
	if (new_session(h) < 0) {
		nghttp2_session_del(h->ng);
		free(h);
		return SP_ENOMEM;
	}
	h->carrier = carrier;
	sp_stream_attach(carrier, &carrier_events, h);
	sp_h2_liveness_start(h);
	sp_stream_read_start(carrier);
	sp_h2_pump_soon(h);
	*out = h;
	return 0;
}

void sp_h2_fail(struct sp_h2 *h, const struct sp_cause *cause)
{
	struct sp_cause closed = { 0 };
	struct sp_list *n, *tmp;

	if (h->failed)
		return;
	if (cause && !h->cause.err)
		h->cause = *cause;
	if (h->carrier && !h->cause.err)
		nghttp2_session_terminate_session(h->ng, NGHTTP2_NO_ERROR);
	pump_last(h);
	h->failed = true;
	sp_cause_set(&closed, SP_ECLOSED, SP_DOMAIN_H2, 0, "the connection is closed");
	SP_LIST_EACH(n, &h->streams, tmp)
		sp_h2_stream_fail(SP_CONTAINER_OF(n, struct sp_h2_stream, node), h->cause.err ? &h->cause : &closed);
	if (h->carrier)
		sp_stream_close(h->carrier, h->cause.err == SP_ETIMEOUT ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH);
	sp_h2_upcalls_soon(h);
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
	if (h->draining || h->failed)
		return;
	h->draining = true;
	if (h->role == SP_H2_SERVER) {
		/* RFC 9113 section 6.8: what is on its way still counts; the last id is said after a round trip. */
		nghttp2_submit_shutdown_notice(h->ng);
		nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
	} else {
		nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	}
	sp_timer_start(h->loop, &h->grace, grace_ms, on_grace);
	sp_h2_pump_soon(h);
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

	if (!h->ready || h->failed || h->draining || h->goaway_received || !h->carrier ||
	    nghttp2_session_get_next_stream_id(h->ng) >= SP_H2_LAST_ID)
		return 0;
	max = nghttp2_session_get_remote_settings(h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return max > h->stream_count ? max - h->stream_count : 0;
}

size_t sp_h2_queued(const struct sp_h2 *h)
{
	return h->tx_bytes + (size_t)h->carrier_queued;
}

uint64_t sp_h2_rtt_us(const struct sp_h2 *h)
{
	return h->rtt_us;
}

/* ---- opening and answering ---------------------------------------------------------------------------------- */

int sp_h2_open(struct sp_h2 *h, const struct sp_fields *head, sp_h2_response_cb *cb, void *arg, struct sp_h2_stream **out)
{
	nghttp2_data_provider dp = { .read_callback = sp_h2_stream_read };
	nghttp2_nv nv[SP_FIELDS_MAX];
	struct sp_h2_stream *s;

	if (h->failed)
		return SP_ECLOSED;
	if (sp_h2_room(h) == 0)
		return SP_ELIMIT;
	s = sp_h2_stream_new(h);
	if (!s)
		return SP_ENOMEM;
	s->connect = sp_slice_eq_str(sp_fields_get(head, ":method"), "CONNECT");
	s->on_response = cb;
	s->response_arg = arg;
	dp.source.ptr = s;
	s->id = nghttp2_submit_request(h->ng, NULL, nv, sp_h2_head_nv(head, NULL, nv), &dp, s);
	if (s->id < 0) {
		int err = sp_h2_error(NULL, s->id, "request");

		sp_list_remove(&s->node);
		h->stream_count--;
		free(s);
		return err;
	}
	h->idle_owed = true;
	sp_h2_pump_soon(h);
	*out = s;
	return 0;
}

int sp_h2_respond(struct sp_h2_stream *s, unsigned status, const struct sp_fields *fields, bool end)
{
	nghttp2_data_provider dp = { .source.ptr = s, .read_callback = sp_h2_stream_read };
	nghttp2_nv nv[SP_FIELDS_MAX + 1];
	char text[8];
	int err;

	if (s->answered)
		return SP_EINVAL;
	if (s->end != SP_H2_OPEN || s->closed_told)
		return SP_ECLOSED;
	snprintf(text, sizeof(text), "%u", status);
	s->answered = true;
	s->write_shut = s->write_shut || end;
	s->end_sent = end;
	err = nghttp2_submit_response(s->h->ng, s->id, nv, sp_h2_head_nv(fields, text, nv), end ? NULL : &dp);
	if (err != 0)
		return sp_h2_error(NULL, err, "response");
	sp_h2_pump_soon(s->h);
	return 0;
}
