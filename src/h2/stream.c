/* An HTTP/2 stream as an sp_stream. Two ends are tracked apart: nghttp2's view (end) and the owner's (closing, closed_told); the
 * memory goes when both are over. Upcalls happen outside nghttp2, in the order head, data, eof, closed. */
#include "h2/internal.h"

#include <stdlib.h>

static const struct sp_stream_ops ops;

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
	return s;
}

struct sp_stream *sp_h2_stream_io(struct sp_h2_stream *s)
{
	return &s->io;
}

int32_t sp_h2_stream_id(const struct sp_h2_stream *s)
{
	return s->id;
}

static struct sp_h2_stream *of(struct sp_stream *io)
{
	return SP_CONTAINER_OF(io, struct sp_h2_stream, io);
}

static void stream_free(struct sp_reap *r)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(r, struct sp_h2_stream, reap);

	free(s);
}

static void drop_tx(struct sp_h2_stream *s)
{
	s->h->tx_bytes -= s->tx.len;
	sp_buf_deinit(&s->tx);
}

static void set_cause(struct sp_h2_stream *s, const struct sp_cause *c)
{
	if (s->cause)
		return;
	s->cause = malloc(sizeof(*c));
	if (s->cause)
		*s->cause = *c;
}

static void pay_reset(struct sp_h2_stream *s)
{
	if (s->reset_owed)
		s->h->resets_owed--;
	s->reset_owed = false;
}

/* Nobody needs it any more: neither nghttp2 nor the owner. */
static void retire(struct sp_h2_stream *s)
{
	if (s->end == SP_H2_OPEN || !s->closed_told || !sp_list_linked(&s->node))
		return;
	pay_reset(s);
	sp_list_remove(&s->node);
	sp_list_remove(&s->touched);
	sp_timer_stop(s->h->loop, &s->linger);
	drop_tx(s);
	sp_buf_deinit(&s->rx);
	sp_h2_head_free(s);
	free(s->cause);
	s->cause = NULL;
	sp_reap(s->h->loop, &s->reap, stream_free);
}

void sp_h2_stream_touch(struct sp_h2_stream *s)
{
	if (!sp_list_linked(&s->touched))
		sp_list_append(&s->h->touched, &s->touched);
}

static void touch_later(struct sp_h2_stream *s)
{
	sp_h2_stream_touch(s);
	sp_h2_upcalls_soon(s->h);
}

/* ---- the end ------------------------------------------------------------------------------ */

void sp_h2_stream_fail(struct sp_h2_stream *s, const struct sp_cause *cause)
{
	if (s->end != SP_H2_OPEN)
		return;
	s->end = SP_H2_FAILED;
	s->h->stream_count--;
	if (cause)
		set_cause(s, cause);
	drop_tx(s);
	touch_later(s);
}

void sp_h2_stream_ended(struct sp_h2_stream *s, uint32_t code)
{
	struct sp_cause c = { 0 };

	if (s->end != SP_H2_OPEN)
		return;
	if (code == NGHTTP2_NO_ERROR && s->end_received) {
		s->end = SP_H2_CLEAN;
		s->h->stream_count--;
		drop_tx(s); /* what was still queued has no reader (RFC 9113 section 8.1) */
		touch_later(s);
		return;
	}
	if (code == NGHTTP2_REFUSED_STREAM)
		sp_cause_set(&c, SP_ERETRY, SP_DOMAIN_H2, code, "the peer did not process the stream");
	else
		sp_cause_set(&c, SP_ERESET, SP_DOMAIN_H2, code, "stream reset by the peer: %s", nghttp2_http2_strerror(code));
	sp_h2_stream_fail(s, &c);
}

static void tell_closed(struct sp_h2_stream *s, const struct sp_cause *cause)
{
	if (s->closed_told)
		return;
	s->closed_told = true;
	if (s->io.ev && s->io.ev->on_closed)
		s->io.ev->on_closed(s->io.arg, cause);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void give_credit(struct sp_h2_stream *s, size_t n)
{
	if (n > 0 && s->end == SP_H2_OPEN && s->h->ng)
		nghttp2_session_consume_stream(s->h->ng, s->id, n);
}

/* Inside nghttp2: remembers where the bytes stand; they are lent after the batch. */
void sp_h2_stream_received(struct sp_h2_stream *s, const uint8_t *p, size_t n)
{
	struct sp_h2 *h = s->h;
	uint32_t i;

	if (s->closing) {
		if (!s->reset_owed)
			give_credit(s, n);
		return;
	}
	if (h->chunk_count + 1 >= h->chunk_cap) {
		uint32_t cap = h->chunk_cap ? h->chunk_cap * 2 : 64;
		struct sp_rx_chunk *more = realloc(h->chunks, cap * sizeof(*more));

		if (!more) {
			sp_buf_append(&s->rx, p, n);
			sp_h2_stream_touch(s);
			return;
		}
		h->chunks = more;
		h->chunk_cap = cap;
	}
	i = ++h->chunk_count;
	h->chunks[i] = (struct sp_rx_chunk){ sp_slice_make(p, n), 0 };
	if (s->rx_last)
		h->chunks[s->rx_last].next = i;
	else
		s->rx_first = i;
	s->rx_last = i;
	sp_h2_stream_touch(s);
}

/* Keeps what was not taken of v, from `taken` on. */
static void keep_rest(struct sp_h2_stream *s, const struct sp_slice *v, unsigned n, size_t taken)
{
	for (unsigned i = 0; i < n; i++) {
		size_t skip = taken < v[i].n ? taken : v[i].n;

		taken -= skip;
		if (v[i].n > skip && sp_buf_append(&s->rx, v[i].p + skip, v[i].n - skip) < 0) {
			nghttp2_submit_rst_stream(s->h->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
			return;
		}
	}
}

static void lend(struct sp_h2_stream *s, const struct sp_slice *v, unsigned n)
{
	size_t taken = 0;

	if (s->reading && !s->closing && s->io.ev && s->io.ev->on_data)
		taken = s->io.ev->on_data(s->io.arg, v, n);
	s->io.bytes_in += taken;
	if (s->closing) { /* the owner has had enough: swallow */
		for (unsigned i = 0; i < n; i++)
			taken = i == 0 ? v[i].n : taken + v[i].n;
	} else {
		keep_rest(s, v, n, taken);
	}
	give_credit(s, taken);
}

#define LEND_MAX 64

static void lend_chunks(struct sp_h2_stream *s)
{
	struct sp_slice v[LEND_MAX];
	uint32_t i = s->rx_first;
	unsigned n = 0;

	s->rx_first = s->rx_last = 0;
	while (i) {
		v[n++] = s->h->chunks[i].data;
		i = s->h->chunks[i].next;
		if (n < LEND_MAX && i)
			continue;
		if (s->rx.len > 0 || !s->reading || s->closing) /* keep the order; a closing one swallows */
			s->closing ? lend(s, v, n) : keep_rest(s, v, n, 0);
		else
			lend(s, v, n);
		n = 0;
	}
}

/* What was kept is lent first, as one slice. */
static void lend_kept(struct sp_h2_stream *s)
{
	struct sp_slice data = sp_buf_data(&s->rx);
	size_t taken;

	if (data.n == 0)
		return;
	if (s->closing) {
		give_credit(s, data.n);
		sp_buf_deinit(&s->rx);
		return;
	}
	if (!s->reading || !s->io.ev || !s->io.ev->on_data)
		return;
	taken = s->io.ev->on_data(s->io.arg, &data, 1);
	s->io.bytes_in += taken;
	sp_buf_consume(&s->rx, taken);
	give_credit(s, taken);
}

static void tell_head(struct sp_h2_stream *s)
{
	struct sp_fields f;

	if (!s->head_ready)
		return;
	sp_h2_head_fields(s, &f);
	s->head_ready = false;
	if (s->h->role == SP_H2_SERVER) {
		s->request = true;
		s->connect = sp_slice_eq_str(sp_fields_get(&f, ":method"), "CONNECT");
		s->h->ev->on_request(s->h->arg, s, &f);
	} else {
		s->answered = true;
		if (!s->closing)
			s->on_response(s->response_arg, s, sp_h2_head_status(s), &f);
	}
	if (!s->head_ready)
		sp_h2_head_free(s);
	if (s->connect && s->deferred && s->tx.len > 0) { /* what was written before the answer may go now */
		s->deferred = false;
		if (s->end == SP_H2_OPEN)
			nghttp2_session_resume_data(s->h->ng, s->id);
		sp_h2_pump_soon(s->h);
	}
}

static void tell_drain(struct sp_h2_stream *s)
{
	if (!s->high || s->tx.len >= SP_STREAM_LOW || s->closing)
		return;
	s->high = false;
	if (s->io.ev && s->io.ev->on_drain)
		s->io.ev->on_drain(s->io.arg);
}

void sp_h2_stream_upcalls(struct sp_h2_stream *s)
{
	bool all_taken;

	if (s->closed_told) {
		s->rx_first = s->rx_last = 0;
		retire(s);
		return;
	}
	if (s->h->role == SP_H2_SERVER && !s->request && s->end == SP_H2_FAILED) {
		s->closed_told = true; /* reset before anybody saw the request */
		s->rx_first = s->rx_last = 0;
		retire(s);
		return;
	}
	tell_head(s);
	if (s->rx.len > 0)
		lend_kept(s);
	lend_chunks(s);
	tell_drain(s);
	all_taken = s->rx.len == 0;
	if (s->end_received && all_taken && s->reading && !s->eof_told && !s->closing) {
		s->eof_told = true;
		if (s->io.ev && s->io.ev->on_eof)
			s->io.ev->on_eof(s->io.arg);
	}
	if (s->end == SP_H2_CLEAN && s->eof_told && !s->end_sent)
		tell_closed(s, NULL); /* RST_STREAM(NO_ERROR) after the peer's end: nobody reads what we would still write */
	else if (s->end == SP_H2_FAILED && (all_taken || !s->reading || s->closing))
		tell_closed(s, s->closing ? NULL : s->cause);
	else if (s->closing && (s->end == SP_H2_CLEAN || s->abort_told))
		tell_closed(s, NULL);
	retire(s);
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool held(const struct sp_h2_stream *s)
{
	return s->connect && !s->answered; /* no optimistic data for CONNECT */
}

/* nghttp2 asks how much it may frame. */
ssize_t sp_h2_stream_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
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
	}
	return (ssize_t)n;
}

/* Up to `length` bytes of the queue and the lent slices into v. */
static unsigned gather(const struct sp_h2_stream *s, size_t length, struct sp_slice *v, unsigned max)
{
	struct sp_slice q = sp_buf_data(&s->tx);
	size_t offset = s->lent_offset;
	unsigned n = 0;

	if (q.n > 0) {
		v[n] = sp_slice_make(q.p, q.n < length ? q.n : length);
		length -= v[n++].n;
	}
	for (unsigned i = 0; i < s->lent_count && length > 0 && n < max; i++) {
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

	sp_buf_consume(&s->tx, queued);
	s->h->tx_bytes -= queued;
	s->lent_offset += n - queued;
	s->lent_bytes -= n - queued;
	if (s->high && s->tx.len < SP_STREAM_LOW)
		touch_later(s);
}

#define LENT_MAX 24

int sp_h2_stream_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length, nghttp2_data_source *source,
		      void *arg)
{
	struct sp_h2_stream *s = source->ptr;
	struct sp_slice v[LENT_MAX + 2];
	unsigned n;

	(void)ng, (void)arg;
	sp_must(frame->data.padlen == 0);
	if (s->h->carrier_queued >= (ssize_t)SP_H2_BACKLOG_BYTES)
		return NGHTTP2_ERR_WOULDBLOCK;
	v[0] = sp_slice_make(head, 9);
	n = gather(s, length, v + 1, LENT_MAX + 1);
	sp_h2_put(s->h, v, n + 1);
	s->h->window_updates_earned += 2;
	sent(s, length);
	return 0;
}

static void resume(struct sp_h2_stream *s)
{
	if (!s->deferred || held(s) || s->end != SP_H2_OPEN)
		return;
	s->deferred = false;
	nghttp2_session_resume_data(s->h->ng, s->id);
}

static int queue_lent(struct sp_h2_stream *s)
{
	size_t offset = s->lent_offset;

	for (unsigned i = 0; i < s->lent_count; i++) {
		size_t skip = offset < s->lent[i].n ? offset : s->lent[i].n;

		offset -= skip;
		if (sp_buf_append(&s->tx, s->lent[i].p + skip, s->lent[i].n - skip) < 0)
			return SP_ENOMEM;
		s->h->tx_bytes += s->lent[i].n - skip;
	}
	return 0;
}

static ssize_t do_writev(struct sp_stream *io, const struct sp_slice *v, unsigned n)
{
	struct sp_h2_stream *s = of(io);
	struct sp_h2 *h = s->h;
	size_t total = 0;
	int err;

	if (s->closing || s->write_shut || s->closed_told)
		return SP_ECLOSED;
	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	io->bytes_out += total;
	if (s->end != SP_H2_OPEN)
		return 0; /* the reader is gone; on_closed or on_eof says so */
	s->lent = v;
	s->lent_count = n;
	s->lent_offset = 0;
	s->lent_bytes = total;
	if (total >= SP_H2_AT_ONCE_BYTES && n <= LENT_MAX && !held(s) && !h->pumping && !h->receiving &&
	    h->carrier_queued < (ssize_t)SP_H2_BACKLOG_BYTES) {
		resume(s);
		sp_h2_pump(h);
	}
	err = s->lent_bytes ? queue_lent(s) : 0;
	s->lent_bytes = s->lent_count = 0;
	s->lent_offset = 0;
	if (err < 0)
		return err;
	if (s->tx.len > 0) {
		resume(s);
		h->dirty_bytes += total;
		if (h->dirty_bytes >= SP_H2_DIRTY_BYTES && !h->pumping && !h->receiving && !h->in_upcalls)
			sp_h2_pump(h);
		else
			sp_h2_pump_soon(h);
	}
	s->high = s->high || s->tx.len >= SP_STREAM_HIGH;
	return (ssize_t)s->tx.len;
}

static void do_shutdown_write(struct sp_stream *io)
{
	struct sp_h2_stream *s = of(io);

	if (s->write_shut || s->closing)
		return;
	s->write_shut = true;
	resume(s);
	sp_h2_pump_soon(s->h);
}

static void do_read_start(struct sp_stream *io)
{
	struct sp_h2_stream *s = of(io);

	if (s->reading)
		return;
	s->reading = true;
	if (s->rx.len > 0 || (s->end_received && !s->eof_told) || s->end != SP_H2_OPEN)
		touch_later(s);
}

static void do_read_stop(struct sp_stream *io)
{
	of(io)->reading = false;
}

/* ---- closing ------------------------------------------------------------------------------------ */

/* RST_STREAM, if the budget allows; else the stream is ended softly, its input swallowed without credit, and the reset follows. */
static void reset(struct sp_h2_stream *s, uint32_t code)
{
	struct sp_h2 *h = s->h;

	if (s->end != SP_H2_OPEN || !h->ng)
		return;
	if (h->role == SP_H2_CLIENT && !sp_bucket_take(&h->resets, 1, sp_loop_now_ms(h->loop))) {
		if (!s->reset_owed) {
			s->reset_owed = true;
			h->resets_owed++;
			s->write_shut = true;
			s->answered = true; /* END_STREAM may go even on an unanswered CONNECT */
			resume(s);
		}
		sp_h2_pay_resets(h);
		return;
	}
	pay_reset(s);
	nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, s->id, code);
	sp_h2_pump_soon(h);
}

static void on_budget(struct sp_timer *t)
{
	struct sp_h2 *h = SP_CONTAINER_OF(t, struct sp_h2, budget);
	struct sp_list *n, *tmp;

	if (h->failed)
		return;
	SP_LIST_EACH(n, &h->streams, tmp) {
		struct sp_h2_stream *s = SP_CONTAINER_OF(n, struct sp_h2_stream, node);

		if (!s->reset_owed)
			continue;
		reset(s, NGHTTP2_CANCEL);
		if (s->reset_owed)
			break;
	}
	sp_h2_pay_resets(h);
}

void sp_h2_pay_resets(struct sp_h2 *h)
{
	if (h->resets_owed > 0 && !sp_timer_running(&h->budget))
		sp_timer_start(h->loop, &h->budget, 1000 / (h->resets.per_s ? h->resets.per_s : 1), on_budget);
}

static void on_linger(struct sp_timer *t)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(t, struct sp_h2_stream, linger);

	reset(s, NGHTTP2_CANCEL);
	touch_later(s);
	if (!s->closed_told && s->end == SP_H2_OPEN) {
		tell_closed(s, NULL);
		retire(s);
	}
}

static void do_close(struct sp_stream *io, enum sp_close how)
{
	struct sp_h2_stream *s = of(io);
	struct sp_h2 *h = s->h;

	if (s->closed_told || (s->closing && how == SP_CLOSE_FLUSH))
		return;
	s->closing = true;
	s->reading = false;
	if (s->rx.len > 0) {
		give_credit(s, s->rx.len);
		sp_buf_deinit(&s->rx);
	}
	if (how == SP_CLOSE_ABORT) {
		drop_tx(s);
		if (s->end == SP_H2_OPEN)
			reset(s, s->connect && s->answered ? NGHTTP2_CONNECT_ERROR : NGHTTP2_CANCEL);
		s->abort_told = true;
		touch_later(s);
		return;
	}
	if (s->end != SP_H2_OPEN) {
		touch_later(s);
		return;
	}
	s->write_shut = true;
	resume(s);
	sp_h2_pump_soon(h);
	sp_timer_start(h->loop, &s->linger, SP_STREAM_LINGER_MS, on_linger);
}

static const struct sp_stream_ops ops = {
	.writev = do_writev,
	.shutdown_write = do_shutdown_write,
	.read_start = do_read_start,
	.read_stop = do_read_stop,
	.close = do_close,
};
