/* The life of an HTTP/2 stream. Two ends are tracked apart: nghttp2's view (end) and the owner's (closing, closed_told); the
 * memory goes when both are over. Upcalls happen outside nghttp2, in the order head, data, drain, eof, closed.
 *
 * RST_STREAM is spent from a budget. Where it would tell the peer nothing (it has ended its side, and this is no tunnel) and
 * where the budget is used up, END_STREAM goes instead; in the latter case the reset follows when there is budget again. A server
 * has no budget and no need of one. */
#include "h2/internal.h"

#include <stdio.h>
#include <stdlib.h>

static const struct sp_stream_ops ops;

static struct sp_h2_stream *of(struct sp_stream *io)
{
	sp_must(io->ops == &ops);
	sp_loop_assert(io->loop);
	return SP_CONTAINER_OF(io, struct sp_h2_stream, io);
}

struct sp_h2_stream *sp_h2_stream_new(struct sp_h2 *h)
{
	struct sp_h2_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->io.ops = &ops;
	s->io.loop = h->loop;
	s->h = h;
	sp_list_append(&h->streams, &s->node);
	h->stream_count++;
	h->idle_owed = true;
	return s;
}

void sp_h2_stream_discard(struct sp_h2_stream *s)
{
	sp_list_remove(&s->node);
	s->h->stream_count--;
	free(s);
}

struct sp_stream *sp_h2_stream_io(struct sp_h2_stream *s)
{
	return &s->io;
}

int32_t sp_h2_stream_id(const struct sp_h2_stream *s)
{
	return s->id;
}

static void stream_free(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct sp_h2_stream, reap));
}

/* Nobody needs it any more: neither nghttp2 nor the owner. */
static void retire(struct sp_h2_stream *s)
{
	if (s->end == SP_H2_OPEN || !s->closed_told || !sp_list_linked(&s->node))
		return;
	sp_list_remove(&s->node);
	sp_list_remove(&s->touched);
	sp_list_remove(&s->owed);
	sp_timer_stop(s->h->loop, &s->linger);
	sp_h2_tx_drop(s);
	sp_buf_deinit(&s->rx);
	sp_h2_block_free(&s->head);
	sp_h2_message_free(s);
	free(s->cause);
	s->cause = NULL;
	sp_reap(s->h->loop, &s->reap, stream_free);
}

void sp_h2_stream_touch(struct sp_h2_stream *s)
{
	if (!sp_list_linked(&s->touched))
		sp_list_append(&s->h->touched, &s->touched);
}

void sp_h2_stream_touch_later(struct sp_h2_stream *s)
{
	sp_h2_stream_touch(s);
	sp_h2_upcalls_soon(s->h);
}

/* ---- the end ------------------------------------------------------------------------------ */

void sp_h2_stream_blame(struct sp_h2_stream *s, const struct sp_cause *c)
{
	if (s->cause)
		return;
	s->cause = malloc(sizeof(*c));
	if (s->cause)
		*s->cause = *c;
}

static void over(struct sp_h2_stream *s, enum sp_h2_end how)
{
	s->end = how;
	s->h->stream_count--;
	s->framed_bytes = 0;
	sp_h2_tx_drop(s);
	sp_list_remove(&s->owed);
	sp_h2_stream_touch_later(s);
}

void sp_h2_stream_fail(struct sp_h2_stream *s, const struct sp_cause *cause)
{
	if (s->end != SP_H2_OPEN) {
		sp_h2_stream_touch_later(s);
		return;
	}
	sp_h2_stream_blame(s, cause);
	over(s, SP_H2_FAILED);
}

void sp_h2_stream_ended(struct sp_h2_stream *s, uint32_t code)
{
	struct sp_cause c = { 0 };

	if (s->end != SP_H2_OPEN)
		return;
	/* Also RST_STREAM(NO_ERROR) after the peer's end: it has said all and reads no more (RFC 9113 section 8.1). */
	if (code == NGHTTP2_NO_ERROR && s->end_received && !s->cause) {
		over(s, SP_H2_CLEAN);
		return;
	}
	if (code == NGHTTP2_REFUSED_STREAM && !s->answered && !s->head_ready)
		sp_cause_set(&c, SP_ERETRY, SP_DOMAIN_H2, (long)code, "the peer did not process the stream");
	else
		sp_cause_set(&c, SP_ERESET, SP_DOMAIN_H2, (long)code, "stream reset by the peer: %s", nghttp2_http2_strerror(code));
	sp_h2_stream_fail(s, &c);
}

static void tell_closed(struct sp_h2_stream *s, const struct sp_cause *cause)
{
	static const struct sp_cause none = { .err = SP_ENOMEM, .domain = SP_DOMAIN_SELF, .text = "out of memory" };

	if (s->closed_told)
		return;
	s->closed_told = true;
	if (s->io.ev && s->io.ev->on_closed)
		s->io.ev->on_closed(s->io.arg, s->closing ? NULL : s->end != SP_H2_FAILED ? cause : cause ? cause : &none);
}

/* ---- resets -------------------------------------------------------------------------------- */

static void rst(struct sp_h2_stream *s, uint32_t code)
{
	sp_list_remove(&s->owed);
	s->reset_sent = true;
	nghttp2_submit_rst_stream(s->h->ng, NGHTTP2_FLAG_NONE, s->id, code);
	sp_h2_pump_soon(s->h);
}

void sp_h2_stream_broken(struct sp_h2_stream *s)
{
	struct sp_cause c = { 0 };

	if (s->end != SP_H2_OPEN || s->reset_sent)
		return;
	sp_cause_set(&c, SP_ENOMEM, SP_DOMAIN_SELF, 0, "out of memory");
	sp_h2_stream_blame(s, &c);
	sp_h2_rx_deafen(s); /* there is a hole in its bytes */
	rst(s, NGHTTP2_INTERNAL_ERROR);
}

/* END_STREAM, also where data would have to wait for an answer. */
static void end_softly(struct sp_h2_stream *s)
{
	s->soft = true;
	s->write_shut = true;
	sp_h2_tx_resume(s);
	sp_h2_pump_soon(s->h);
}

static void on_budget(struct sp_timer *t);

static void wait_for_budget(struct sp_h2 *h)
{
	if (!sp_list_empty(&h->owed) && !sp_timer_running(&h->budget) && !h->failed)
		sp_timer_start(h->loop, &h->budget, 1000 / h->resets.per_s, on_budget);
}

static void on_budget(struct sp_timer *t)
{
	struct sp_h2 *h = SP_CONTAINER_OF(t, struct sp_h2, budget);
	struct sp_h2_stream *s;

	while (!h->failed && !sp_list_empty(&h->owed) && sp_bucket_take(&h->resets, 1, sp_loop_now_ms(h->loop))) {
		s = SP_CONTAINER_OF(h->owed.next, struct sp_h2_stream, owed);
		rst(s, s->reset_code);
	}
	wait_for_budget(h);
}

/* Before its HEADERS went out nghttp2 only forgets the request: that costs nothing. */
static bool on_the_wire(const struct sp_h2_stream *s)
{
	return nghttp2_session_find_stream(s->h->ng, s->id) != NULL;
}

static void reset(struct sp_h2_stream *s, uint32_t code)
{
	struct sp_h2 *h = s->h;

	if (s->end != SP_H2_OPEN || s->reset_sent || sp_list_linked(&s->owed))
		return;
	/* Only servers count what they receive. */
	if (h->role == SP_H2_SERVER || !on_the_wire(s) || sp_bucket_take(&h->resets, 1, sp_loop_now_ms(h->loop))) {
		rst(s, code);
		return;
	}
	s->reset_code = code;
	sp_list_append(&h->owed, &s->owed);
	end_softly(s);
	wait_for_budget(h);
}

/* ---- upcalls ---------------------------------------------------------------------------------- */

/* What was written to a CONNECT before its answer may go now, or has lost its reader. */
static void answered(struct sp_h2_stream *s, unsigned status)
{
	s->answered = true;
	s->tunnel = s->connect && status < 300;
	if (s->connect && !s->tunnel)
		sp_h2_tx_drop(s);
	sp_h2_tx_resume(s);
	sp_h2_pump_soon(s->h);
}

static void tell_head(struct sp_h2_stream *s)
{
	struct sp_fields f;
	unsigned status;

	if (!s->head_ready)
		return;
	sp_h2_block_fields(s->head, &f);
	if (s->h->role == SP_H2_SERVER) {
		s->seen = true;
		s->connect = sp_slice_eq_str(sp_fields_get(&f, ":method"), "CONNECT");
		s->h->ev->on_request(s->h->arg, s, &f);
	} else {
		status = sp_h2_block_status(s->head);
		answered(s, status);
		if (!s->closing)
			s->on_response(s->response_arg, s, status, &f);
	}
	sp_h2_block_free(&s->head);
	s->head_ready = false;
}

static void tell_eof(struct sp_h2_stream *s)
{
	if (!s->io.input_ended || s->rx.len > 0 || !s->reading || s->eof_told || s->deaf)
		return;
	s->eof_told = true;
	sp_h2_tell_trailers(s);
	if (!s->closing && s->io.ev && s->io.ev->on_eof)
		s->io.ev->on_eof(s->io.arg);
}

static void tell_end(struct sp_h2_stream *s)
{
	switch (s->end) {
	case SP_H2_OPEN:
		if (s->aborted)
			tell_closed(s, NULL);
		return;
	case SP_H2_CLEAN: /* nobody reads what we would still write, or there is nothing left to do */
		if (s->closing || ((!s->end_sent || s->h->failed) && (s->eof_told || s->deaf)))
			tell_closed(s, NULL);
		return;
	case SP_H2_FAILED:
		tell_closed(s, s->cause);
		return;
	}
}

/* The peer goes on sending to a stream that nobody reads. */
static void bound_swallowing(struct sp_h2_stream *s)
{
	bool complete = s->h->role == SP_H2_SERVER && s->end_sent;

	if (s->swallowed_bytes >= SP_H2_SWALLOW_BYTES && s->end == SP_H2_OPEN)
		reset(s, complete ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
}

void sp_h2_stream_upcalls(struct sp_h2_stream *s)
{
	if (s->closed_told || (s->h->role == SP_H2_SERVER && !s->seen && s->end != SP_H2_OPEN)) {
		s->closed_told = true; /* the latter: gone before anybody saw the request */
		s->rx_first = s->rx_last = s->rx_count = 0;
		retire(s);
		return;
	}
	sp_h2_tell_interim(s);
	tell_head(s);
	sp_h2_rx_lend(s);
	sp_h2_tx_tell_drain(s);
	tell_eof(s);
	bound_swallowing(s);
	tell_end(s);
	retire(s);
}

/* ---- closing ------------------------------------------------------------------------------------ */

static void on_linger(struct sp_timer *t)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(t, struct sp_h2_stream, linger);
	bool complete = s->h->role == SP_H2_SERVER && s->end_sent;

	sp_h2_tx_drop(s);
	reset(s, complete ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
	s->aborted = true;
	sp_h2_stream_touch_later(s);
}

static void abort_stream(struct sp_h2_stream *s)
{
	uint32_t code = s->tunnel ? NGHTTP2_CONNECT_ERROR : NGHTTP2_CANCEL;
	bool has_answer = s->h->role == SP_H2_CLIENT && s->answered && s->end_received;

	sp_h2_tx_drop(s);
	s->aborted = true;
	if (s->end == SP_H2_OPEN && has_answer && !s->tunnel) {
		end_softly(s);
		sp_timer_start(s->h->loop, &s->linger, SP_STREAM_LINGER_MS, on_linger); /* the peer's window may be shut */
	} else {
		reset(s, code);
	}
	sp_h2_stream_touch_later(s);
}

static void flush_stream(struct sp_h2_stream *s)
{
	if (s->end != SP_H2_OPEN) {
		sp_h2_stream_touch_later(s);
		return;
	}
	s->write_shut = true;
	sp_h2_tx_resume(s);
	sp_h2_pump_soon(s->h);
	sp_timer_start(s->h->loop, &s->linger, SP_STREAM_LINGER_MS, on_linger);
}

static void do_close(struct sp_stream *io, enum sp_close how)
{
	struct sp_h2_stream *s = of(io);
	bool unanswered = s->h->role == SP_H2_SERVER && !s->answered;

	if (s->closed_told || s->aborted || (s->closing && how == SP_CLOSE_FLUSH))
		return;
	s->closing = true;
	sp_h2_rx_deafen(s);
	if (how == SP_CLOSE_ABORT || unanswered)
		abort_stream(s);
	else
		flush_stream(s);
}

static const struct sp_stream_ops ops = {
	.writev = sp_h2_tx_writev,
	.shutdown_write = sp_h2_tx_shutdown,
	.read_start = sp_h2_rx_start,
	.read_stop = sp_h2_rx_stop,
	.close = do_close,
	.trailers = sp_h2_keep_trailers,
};

/* ---- opening and answering ----------------------------------------------------------------------- */

int sp_h2_open(struct sp_h2 *h, const struct sp_fields *head, bool end, sp_h2_response_cb *cb, void *arg, struct sp_h2_stream **out)
{
	nghttp2_data_provider dp = { .read_callback = sp_h2_tx_read };
	nghttp2_nv nv[SP_FIELDS_MAX];
	struct sp_h2_stream *s;

	if (h->failed)
		return SP_ECLOSED;
	if (!sp_h2_head_fits(head))
		return SP_ETOOBIG;
	if (sp_h2_room(h) == 0)
		return SP_ELIMIT;
	s = sp_h2_stream_new(h);
	if (!s)
		return SP_ENOMEM;
	s->connect = sp_slice_eq_str(sp_fields_get(head, ":method"), "CONNECT");
	s->on_response = cb;
	s->response_arg = arg;
	dp.source.ptr = s;
	s->write_shut = s->end_sent = end;
	s->id = nghttp2_submit_request(h->ng, NULL, nv, sp_h2_head_nv(head, NULL, nv), end ? NULL : &dp, s);
	if (s->id < 0) {
		int err = sp_h2_error(NULL, s->id, "request");

		sp_h2_stream_discard(s);
		return err;
	}
	h->ids_used_up = s->id >= SP_H2_LAST_ID;
	h->no_room = h->no_room || sp_h2_room(h) == 0;
	h->idle_owed = true;
	sp_h2_pump_soon(h);
	*out = s;
	return 0;
}

int sp_h2_respond(struct sp_h2_stream *s, unsigned status, const struct sp_fields *fields, bool end)
{
	nghttp2_data_provider dp = { .source.ptr = s, .read_callback = sp_h2_tx_read };
	nghttp2_nv nv[SP_FIELDS_MAX + 1];
	char text[16];
	int err;

	if (s->answered)
		return SP_EINVAL;
	if (s->end != SP_H2_OPEN || s->closing)
		return SP_ECLOSED;
	if (!sp_h2_head_fits(fields))
		return SP_ETOOBIG;
	snprintf(text, sizeof(text), "%u", status);
	err = nghttp2_submit_response(s->h->ng, s->id, nv, sp_h2_head_nv(fields, text, nv), end ? NULL : &dp);
	if (err != 0)
		return sp_h2_error(NULL, err, "response");
	s->answered = true;
	s->tunnel = s->connect && status >= 200 && status < 300;
	if (end) {
		s->write_shut = s->end_sent = true;
		sp_h2_rx_deafen(s);
	}
	sp_h2_pump_soon(s->h);
	return 0;
}
