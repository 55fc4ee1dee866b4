/* Both bodies of one exchange as a stream.
 *
 * Reading: the carrier lends bytes; payload is lent on as parts of them, without a copy. What the reader leaves stays
 * in the carrier: pending_bytes says how much of its front was decoded before. Writing: framing around the payload;
 * small pieces leave together at the end of the turn, so that head, body and end of a short response are one write.
 *
 * io: OPEN -> CLOSING (close(), a failure, or the carrier's end) -> on_closed -> sp_h1_release() */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "h1/internal.h"

#define SLICES_MAX 64

static struct sp_h1 *of(struct sp_stream *s)
{
	return SP_CONTAINER_OF(s, struct sp_h1, io);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void on_gone(struct sp_defer *d)
{
	struct sp_h1 *h = SP_CONTAINER_OF(d, struct sp_h1, gone);

	if (h->io.ev && h->io.ev->on_closed)
		h->io.ev->on_closed(h->io.arg, h->cause.err ? &h->cause : NULL);
	if (h->role == SP_H1_CLIENT)
		h->ev->on_over(h->arg);
}

static void close_io(struct sp_h1 *h)
{
	if (h->closing)
		return;
	h->closing = true;
	h->reading = false;
	sp_timer_stop(h->io.loop, &h->silence);
	sp_defer_cancel(&h->later);
	sp_defer(h->io.loop, &h->gone, on_gone);
}

void sp_h1_fail(struct sp_h1 *h, int err, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (h->closing)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sp_cause_set(&h->cause, err, SP_DOMAIN_SELF, 0, "%s", text);
	h->aborted = h->aborted || (h->answered && !h->write_done);
	close_io(h);
}

enum sp_http_refusal sp_h1_refusal(const struct sp_h1 *h)
{
	return h->body.refusal;
}

static void fail_body(struct sp_h1 *h, int err)
{
	const char *why = sp_http_refusal_text(h->body.refusal);

	if (err == SP_ETOOBIG && (h->role == SP_H1_CLIENT || h->body.refusal != SP_HTTP_REFUSAL_BODY_SIZE))
		err = SP_EPROTO; /* not the request's body, but what is around it, or a response */
	sp_h1_fail(h, err, "%s: %s", h->role == SP_H1_SERVER ? "the client's body" : "the system's response",
		   err == SP_ENOMEM ? "out of memory" : why);
}

static bool awaits_body(const struct sp_h1 *h)
{
	return h->body_known && !h->switched && !sp_http_body_done(&h->body);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void flush(struct sp_h1 *h)
{
	struct sp_slice v = sp_buf_data(&h->out);

	if (h->carrier && v.n > 0)
		(void)sp_stream_writev(h->carrier, &v, 1); /* a failure is told by on_closed */
	sp_buf_wipe(&h->out); /* heads may hold credentials */
}

static void on_flush(struct sp_defer *d)
{
	struct sp_h1 *h = SP_CONTAINER_OF(d, struct sp_h1, flush);

	flush(h);
}

void sp_h1_flush_soon(struct sp_h1 *h)
{
	sp_defer(h->io.loop, &h->flush, on_flush);
}

static ssize_t queued(struct sp_h1 *h)
{
	ssize_t q = sp_stream_writev(h->carrier, NULL, 0);

	if (q < 0 || q + (ssize_t)h->out.len < (ssize_t)SP_STREAM_HIGH)
		return q < 0 ? q : q + (ssize_t)h->out.len;
	/* The carrier alone tells of on_drain: it must have seen what reaches the mark. */
	flush(h);
	return sp_stream_writev(h->carrier, NULL, 0);
}

static ssize_t write_now(struct sp_h1 *h, const struct sp_slice *v, unsigned n, const struct sp_http_frame *f)
{
	struct sp_slice all[SLICES_MAX];
	unsigned count = 0, i;
	ssize_t q = 0;

	if (h->out.len > 0)
		all[count++] = sp_buf_data(&h->out);
	if (f->before[0])
		all[count++] = sp_slice_str(f->before);
	for (i = 0; i < n && q >= 0; i++) {
		all[count++] = v[i];
		if (count == SLICES_MAX) {
			q = sp_stream_writev(h->carrier, all, count);
			count = 0;
		}
	}
	if (q >= 0 && f->after[0]) {
		if (count == SLICES_MAX - 1) {
			q = sp_stream_writev(h->carrier, all, count);
			count = 0;
		}
		all[count++] = sp_slice_str(f->after);
	}
	if (q >= 0 && count > 0)
		q = sp_stream_writev(h->carrier, all, count);
	sp_buf_wipe(&h->out);
	return q;
}

static int write_later(struct sp_h1 *h, const struct sp_slice *v, unsigned n, const struct sp_http_frame *f)
{
	unsigned i;
	int err = sp_buf_append_str(&h->out, f->before);

	for (i = 0; i < n && err == 0; i++)
		err = sp_buf_append_slice(&h->out, v[i]);
	if (err == 0)
		err = sp_buf_append_str(&h->out, f->after);
	sp_h1_flush_soon(h);
	return err;
}

static ssize_t h1_writev(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	struct sp_h1 *h = of(s);
	struct sp_http_frame f = { .before = "", .after = "" };
	size_t total = 0;
	unsigned i;

	if (h->closing || h->write_done || !h->carrier)
		return SP_ECLOSED;
	for (i = 0; i < n; i++)
		total += v[i].n;
	if (total == 0)
		return queued(h);
	if (!h->answered || (!h->switched && sp_http_encoder_frame(&h->encoder, total, &f) < 0)) {
		sp_h1_fail(h, SP_EPROTO,
			   h->answered ? "a body longer than its Content-Length" : "a body before its head");
		return SP_ECLOSED;
	}
	if (h->send_max_bytes && total > h->send_max_bytes - s->bytes_out && !h->switched) {
		sp_h1_fail(h, SP_ETOOBIG, "a body above the limit of the system");
		return SP_ECLOSED;
	}
	s->bytes_out += total;
	if (h->out.len + total > SP_H1_COALESCE_BYTES)
		return write_now(h, v, n, &f);
	if (write_later(h, v, n, &f) < 0) {
		sp_h1_fail(h, SP_ENOMEM, "write: out of memory");
		return SP_ECLOSED;
	}
	return queued(h);
}

static int h1_trailers(struct sp_stream *s, const struct sp_fields *trailers)
{
	struct sp_h1 *h = of(s);
	struct sp_http_encoder e = h->encoder;

	if (h->closing || h->write_done)
		return SP_ECLOSED;
	if (e.framing != SP_BODY_CHUNKED || !h->answered)
		return SP_EUNSUPPORTED;
	sp_buf_deinit(&h->end);
	return sp_http_encoder_end(&e, trailers, &h->end);
}

static void end_writing(struct sp_h1 *h)
{
	int err;

	if (h->write_done || !h->answered || h->closing || !h->carrier)
		return;
	if (h->switched) {
		flush(h);
		h->write_done = true;
		sp_stream_shutdown_write(h->carrier);
		return;
	}
	if (h->end.len > 0)
		err = sp_buf_append_slice(&h->out, sp_buf_data(&h->end));
	else
		err = sp_http_encoder_end(&h->encoder, NULL, &h->out);
	if (err == SP_ENOMEM)
		sp_h1_fail(h, err, "write: out of memory");
	else if (err < 0)
		sp_h1_fail(h, SP_EPROTO, "a body shorter than its Content-Length");
	if (err < 0)
		return;
	h->write_done = true;
	if (h->out.len > 0)
		sp_h1_flush_soon(h);
	if (h->role == SP_H1_SERVER && h->close && awaits_body(h))
		close_io(h); /* the rest of the request is of no use */
}

static void h1_shutdown_write(struct sp_stream *s)
{
	end_writing(of(s));
}

static void h1_close(struct sp_stream *s, enum sp_close how)
{
	struct sp_h1 *h = of(s);

	if (h->closing)
		return;
	if (how == SP_CLOSE_FLUSH)
		end_writing(h);
	if (h->closing)
		return;
	h->aborted = h->answered && !h->write_done;
	close_io(h);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void on_silence(struct sp_timer *t);

void sp_h1_watch_silence(struct sp_h1 *h)
{
	uint64_t silent = sp_loop_now_ms(h->io.loop) - h->heard_mono_ms;

	if (h->silence_ms > 0 && h->reading && awaits_body(h))
		sp_timer_start(h->io.loop, &h->silence, silent < h->silence_ms ? h->silence_ms - silent : 0,
			       on_silence);
}

static void on_silence(struct sp_timer *t)
{
	struct sp_h1 *h = SP_CONTAINER_OF(t, struct sp_h1, silence);

	if (!h->reading || !awaits_body(h))
		return;
	if (sp_loop_now_ms(h->io.loop) - h->heard_mono_ms < h->silence_ms)
		sp_h1_watch_silence(h);
	else
		sp_h1_fail(h, SP_ETIMEOUT, "silence in the middle of a body");
}

/* A system that has answered and closes reads no more of the request. */
static void stop_asking(struct sp_h1 *h)
{
	bool goes_on = h->persists && h->carrier && !h->peer_ended;

	if (h->closing || h->role == SP_H1_SERVER || !h->eof_told || h->switched || h->write_done || goes_on)
		return;
	h->aborted = true;
	close_io(h);
}

static bool complete(const struct sp_h1 *h)
{
	if (h->may_switch && !h->answered)
		return false; /* who knows what comes */
	return h->switched ? h->peer_ended : h->body_known && sp_http_body_done(&h->body);
}

static void tell_end(struct sp_h1 *h)
{
	struct sp_fields f;

	if (h->closing || !h->reading || h->eof_told || h->pending_bytes > 0 || !complete(h))
		return;
	h->eof_told = true;
	h->io.input_ended = true;
	sp_timer_stop(h->io.loop, &h->silence);
	sp_http_body_trailers(&h->body, &f);
	if (f.count > 0 && h->io.ev->on_trailers)
		h->io.ev->on_trailers(h->io.arg, &f);
	if (!h->closing && h->io.ev->on_eof)
		h->io.ev->on_eof(h->io.arg);
	stop_asking(h);
}

static void on_later(struct sp_defer *d)
{
	tell_end(SP_CONTAINER_OF(d, struct sp_h1, later));
}

void sp_h1_tell_end_soon(struct sp_h1 *h)
{
	sp_defer(h->io.loop, &h->later, on_later);
}

/* Lends payload that is at the front of `in`; how much was taken. */
static size_t lend(struct sp_h1 *h, struct sp_slice in)
{
	struct sp_slice v = sp_slice_make(in.p, in.n < h->pending_bytes ? in.n : (size_t)h->pending_bytes);
	size_t took;

	h->io.input_ended = h->switched ? h->carrier->input_ended : sp_http_body_done(&h->body);
	took = h->io.ev->on_data(h->io.arg, &v, 1);
	sp_must(took <= v.n);
	h->io.bytes_in += took;
	h->pending_bytes -= took;
	return took;
}

/* What was left before is lent together with what follows it without framing between. Else nothing: this much is no
 * error. */
static void decode_on(struct sp_h1 *h, struct sp_slice in)
{
	struct sp_slice payload;

	while (h->pending_bytes < in.n && h->body.state == SP_BODY_AWAITS_DATA && h->body.left > 0) {
		struct sp_slice rest = sp_slice_make(in.p + h->pending_bytes, in.n - h->pending_bytes);

		if (sp_http_body_feed(&h->body, rest, &payload) < 0)
			return; /* told when what came before was taken */
		h->pending_bytes += payload.n;
	}
}

static size_t take_body(struct sp_h1 *h, struct sp_slice in)
{
	size_t used = 0;

	while (used < in.n && h->reading && !h->closing) {
		struct sp_slice rest = sp_slice_make(in.p + used, in.n - used), payload;
		size_t took;
		long n;

		if (h->pending_bytes > 0) {
			if (!h->switched)
				decode_on(h, rest);
			took = lend(h, rest);
			used += took;
			if (h->pending_bytes > 0)
				break;
			continue;
		}
		if (h->switched) {
			h->pending_bytes = rest.n;
			continue;
		}
		if (sp_http_body_done(&h->body))
			break;
		n = sp_http_body_feed(&h->body, rest, &payload);
		if (n < 0) {
			fail_body(h, (int)n);
			break;
		}
		used += (size_t)n - payload.n;
		h->pending_bytes = payload.n;
	}
	/* Of bytes that pass through without framing nothing is known before they come. */
	if (h->switched)
		h->pending_bytes = 0;
	return used;
}

/* The peer's message is complete, and taken. */
static bool received(const struct sp_h1 *h)
{
	return h->body_known && !h->switched && sp_http_body_done(&h->body) && h->pending_bytes == 0;
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct sp_h1 *h = arg;
	struct sp_slice in = v[0];
	size_t used = 0;

	(void)n; /* sockets and TLS lend one slice */
	if (h->closing)
		return 0;
	h->heard_mono_ms = sp_loop_now_ms(h->io.loop);
	if (h->role == SP_H1_CLIENT && !h->body_known)
		used = sp_h1_take_heads(h, in);
	if (h->body_known && !h->closing)
		used += take_body(h, sp_slice_make(in.p + used, in.n - used));
	if (h->role == SP_H1_CLIENT && received(h) && used < in.n)
		h->excess = true;
	tell_end(h);
	return used;
}

static void on_eof(void *arg)
{
	struct sp_h1 *h = arg;
	int err;

	h->peer_ended = true;
	if (h->closing)
		return;
	if (h->role == SP_H1_CLIENT && !h->body_known) {
		sp_h1_fail(h, h->reused && !h->heard ? SP_ERETRY : SP_ECLOSED,
			   "the system closed the connection before it answered");
		return;
	}
	if (!h->switched) {
		err = sp_http_body_eof(&h->body);
		if (err < 0) {
			fail_body(h, err);
			return;
		}
	}
	tell_end(h);
	stop_asking(h);
}

static void on_drain(void *arg)
{
	struct sp_h1 *h = arg;

	if (!h->closing && !h->write_done && h->io.ev && h->io.ev->on_drain)
		h->io.ev->on_drain(h->io.arg);
}

static void on_carrier_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_h1 *h = arg;

	h->carrier = NULL;
	if (h->closing)
		return;
	if (h->eof_told && (h->role == SP_H1_CLIENT || h->write_done)) {
		close_io(h); /* everything was received, or both sides are done */
		return;
	}
	if (h->role == SP_H1_CLIENT && h->reused && !h->heard)
		sp_h1_fail(h, SP_ERETRY, "the system closed the connection before it answered");
	if (cause && !h->closing) {
		h->cause = *cause;
		close_io(h);
	}
	sp_h1_fail(h, SP_ECLOSED, "the connection was closed in the middle of a message");
}

static const struct sp_stream_events carrier_events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_carrier_closed,
};

static void h1_read_start(struct sp_stream *s)
{
	struct sp_h1 *h = of(s);

	if (h->closing)
		return;
	h->reading = true;
	h->heard_mono_ms = sp_loop_now_ms(h->io.loop);
	sp_h1_tell_end_soon(h);
	if (h->carrier)
		sp_stream_read_start(h->carrier);
	sp_h1_watch_silence(h);
}

static void h1_read_stop(struct sp_stream *s)
{
	struct sp_h1 *h = of(s);

	h->reading = false;
	sp_timer_stop(h->io.loop, &h->silence);
	/* Between messages the carrier is read all the same: who leaves is to be noticed. */
	if (h->carrier && !h->closing && (h->switched || awaits_body(h)))
		sp_stream_read_stop(h->carrier);
}

static const struct sp_stream_ops h1_ops = {
	.writev = h1_writev,
	.shutdown_write = h1_shutdown_write,
	.read_start = h1_read_start,
	.read_stop = h1_read_stop,
	.close = h1_close,
	.trailers = h1_trailers,
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct sp_stream *sp_h1_io(struct sp_h1 *h)
{
	return &h->io;
}

bool sp_h1_ended(const struct sp_h1 *h)
{
	return h->eof_told;
}

bool sp_h1_answered(const struct sp_h1 *h)
{
	return h->answered;
}

struct sp_h1 *sp_h1_new(struct sp_stream *carrier, enum sp_h1_role role, const struct sp_h1_options *opt)
{
	struct sp_h1 *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->io.ops = &h1_ops;
	h->io.loop = carrier->loop;
	h->role = role;
	h->carrier = carrier;
	h->silence_ms = opt->silence_ms;
	h->head_limits = opt->head;
	h->send_max_bytes = opt->send_max_bytes;
	h->body_limits = opt->body;
	if (h->body_limits.payload_bytes == 0)
		h->body_limits.payload_bytes = UINT64_MAX;
	if (h->body_limits.trailer_bytes == 0)
		h->body_limits.trailer_bytes = SP_HTTP_TRAILER_BYTES_DEFAULT;
	if (h->body_limits.trailer_fields == 0)
		h->body_limits.trailer_fields = SP_HTTP_TRAILER_FIELDS_DEFAULT;
	return h;
}

void sp_h1_take_carrier(struct sp_h1 *h)
{
	h->heard_mono_ms = sp_loop_now_ms(h->io.loop);
	sp_stream_attach(h->carrier, &carrier_events, h);
	sp_stream_read_start(h->carrier);
}

static void on_reap(struct sp_reap *r)
{
	struct sp_h1 *h = SP_CONTAINER_OF(r, struct sp_h1, reap);

	sp_http_body_deinit(&h->body);
	sp_buf_wipe(&h->out);
	sp_buf_deinit(&h->end);
	free(h);
}

void sp_h1_discard(struct sp_h1 *h)
{
	sp_timer_stop(h->io.loop, &h->silence);
	sp_defer_cancel(&h->later);
	sp_defer_cancel(&h->flush);
	sp_defer_cancel(&h->gone);
	sp_reap(h->io.loop, &h->reap, on_reap);
}

static enum sp_h1_left left(const struct sp_h1 *h)
{
	if (h->aborted || (h->answered && !h->write_done))
		return SP_H1_ABORT;
	if (h->switched)
		return SP_H1_FLUSH;
	if (h->role == SP_H1_CLIENT && (!received(h) || h->excess))
		return SP_H1_ABORT;
	if (!received(h) || h->cause.err || h->close || h->peer_ended || !h->persists ||
	    (h->answered && h->encoder.framing == SP_BODY_UNTIL_CLOSE))
		return SP_H1_FLUSH;
	return SP_H1_REUSABLE;
}

struct sp_stream *sp_h1_release(struct sp_h1 **hp, enum sp_h1_left *left_out)
{
	static const struct sp_stream_events nobody = { 0 };
	struct sp_h1 *h = *hp;
	struct sp_stream *carrier = h->carrier;

	*hp = NULL;
	*left_out = left(h);
	flush(h);
	h->carrier = NULL;
	h->closing = true;
	h->reading = false;
	sp_h1_discard(h);
	if (carrier)
		sp_stream_attach(carrier, &nobody, NULL);
	return carrier;
}
