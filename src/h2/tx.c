/* The sending half of a stream: its queue, and the data source that nghttp2 frames from. Large writes are framed out of the
 * caller's memory while the carrier has room; what is left is copied. Small ones are copied and sent at the end of the turn. */
#include "h2/internal.h"

#include "base/must.h"

#define LENT_MAX 24

/* No optimistic data for CONNECT: it goes when the peer has answered 2xx. */
static bool held(const struct sp_h2_stream *s)
{
	return s->connect && s->h->role == SP_H2_CLIENT && !s->answered && !s->soft;
}

/* But for what a frame under way was promised. */
void sp_h2_tx_drop(struct sp_h2_stream *s)
{
	size_t stays = s->framed_bytes < s->tx.len ? s->framed_bytes : s->tx.len;

	s->h->tx_bytes -= s->tx.len - stays;
	if (stays == 0)
		sp_buf_deinit(&s->tx);
	else
		s->tx.len = stays;
}

void sp_h2_tx_resume(struct sp_h2_stream *s)
{
	if (!s->deferred || held(s) || s->end != SP_H2_OPEN)
		return;
	s->deferred = false;
	nghttp2_session_resume_data(s->h->ng, s->id);
}

/* nghttp2 asks how much it may frame. */
ssize_t sp_h2_tx_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
		      nghttp2_data_source *source, void *arg)
{
	struct sp_h2_stream *s = source->ptr;
	size_t have = s->tx.len + s->lent_bytes, n;

	(void)ng, (void)id, (void)buf, (void)arg;
	if (held(s) || (have == 0 && !s->write_shut)) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	n = have < length ? have : length;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (n == have && s->write_shut) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		s->end_sent = true;
		if (s->message && sp_h2_send_trailers(s, flags) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	s->framed_bytes = (uint32_t)n;
	return (ssize_t)n;
}

/* Up to `length` bytes of the queue and the lent slices into v; returns their count. */
static unsigned gather(const struct sp_h2_stream *s, size_t length, struct sp_slice *v)
{
	struct sp_slice q = sp_buf_data(&s->tx);
	size_t offset = s->lent_offset;
	unsigned n = 0;

	if (q.n > 0 && length > 0) {
		v[n] = sp_slice_make(q.p, q.n < length ? q.n : length);
		length -= v[n++].n;
	}
	for (unsigned i = 0; i < s->lent_count && length > 0; i++) {
		size_t have = s->lent[i].n, take;

		if (offset >= have) {
			offset -= have;
			continue;
		}
		take = have - offset < length ? have - offset : length;
		v[n++] = sp_slice_make(s->lent[i].p + offset, take);
		offset = 0;
		length -= take;
	}
	sp_must(length == 0);
	return n;
}

static void sent(struct sp_h2_stream *s, size_t n)
{
	size_t queued = n < s->tx.len ? n : s->tx.len;

	s->framed_bytes = 0;
	if (queued > 0)
		sp_buf_consume(&s->tx, queued);
	s->h->tx_bytes -= queued;
	s->lent_offset += n - queued;
	s->lent_bytes -= n - queued;
	if (s->high && s->tx.len < SP_STREAM_LOW)
		sp_h2_stream_touch_later(s);
}

int sp_h2_tx_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length, nghttp2_data_source *source,
		  void *arg)
{
	struct sp_h2_stream *s = source->ptr;
	struct sp_slice v[LENT_MAX + 2];
	unsigned n;

	(void)ng, (void)arg;
	sp_must(frame->data.padlen == 0);
	if (s->h->carrier_queued >= (ssize_t)SP_H2_BACKLOG_BYTES)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (s->tx.len + s->lent_bytes < length)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* its copy failed: nghttp2 resets the stream */
	v[0] = sp_slice_make(head, 9);
	n = gather(s, length, v + 1);
	sp_h2_put(s->h, v, n + 1);
	s->h->window_updates_earned += 2;
	sent(s, length);
	return 0;
}

static int queue_lent(struct sp_h2_stream *s)
{
	size_t offset = s->lent_offset;

	for (unsigned i = 0; i < s->lent_count; i++) {
		size_t skip = offset < s->lent[i].n ? offset : s->lent[i].n, rest = s->lent[i].n - skip;

		offset -= skip;
		if (rest > 0 && sp_buf_append(&s->tx, s->lent[i].p + skip, rest) < 0)
			return SP_ENOMEM;
		s->h->tx_bytes += rest;
	}
	return 0;
}

/* Large and not blocked: frames it out of the caller's memory. */
static void send_lent(struct sp_h2_stream *s)
{
	struct sp_h2 *h = s->h;

	if (s->lent_bytes < SP_H2_AT_ONCE_BYTES || s->lent_count > LENT_MAX || held(s) || h->pumping || h->receiving ||
	    h->carrier_queued >= (ssize_t)SP_H2_BACKLOG_BYTES)
		return;
	sp_h2_tx_resume(s);
	sp_h2_pump(h);
}

static void pump_or_wait(struct sp_h2 *h, size_t n)
{
	h->dirty_bytes += n;
	if (h->dirty_bytes >= SP_H2_DIRTY_BYTES && !h->in_upcalls)
		sp_h2_pump(h);
	else
		sp_h2_pump_soon(h);
}

ssize_t sp_h2_tx_writev(struct sp_stream *io, const struct sp_slice *v, unsigned n)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(io, struct sp_h2_stream, io);
	size_t total = 0;
	int err = 0;

	sp_loop_assert(io->loop);
	if (s->closing || s->write_shut || s->closed_told)
		return SP_ECLOSED;
	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	io->bytes_out += total;
	if (s->end != SP_H2_OPEN || (s->connect && s->answered && !s->tunnel && s->h->role == SP_H2_CLIENT))
		return 0; /* the reader is gone; on_closed or the owner's reading says so */
	s->lent = v;
	s->lent_count = n;
	s->lent_offset = 0;
	s->lent_bytes = total;
	send_lent(s);
	if (s->lent_bytes > 0 && s->end == SP_H2_OPEN)
		err = queue_lent(s);
	s->lent = NULL;
	s->lent_bytes = s->lent_offset = s->lent_count = 0;
	if (err < 0) {
		sp_h2_stream_broken(s);
		return 0; /* on_closed follows */
	}
	if (s->tx.len > 0 && total > 0) {
		sp_h2_tx_resume(s);
		pump_or_wait(s->h, total);
	}
	s->high = s->high || s->tx.len >= SP_STREAM_HIGH;
	return (ssize_t)s->tx.len;
}

void sp_h2_tx_shutdown(struct sp_stream *io)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(io, struct sp_h2_stream, io);

	if (s->write_shut || s->closing)
		return;
	s->write_shut = true;
	sp_h2_tx_resume(s);
	sp_h2_pump_soon(s->h);
}

void sp_h2_tx_tell_drain(struct sp_h2_stream *s)
{
	if (!s->high || s->tx.len >= SP_STREAM_LOW)
		return;
	s->high = false;
	if (!s->closing && !s->write_shut && s->end == SP_H2_OPEN && s->io.ev && s->io.ev->on_drain)
		s->io.ev->on_drain(s->io.arg);
}
