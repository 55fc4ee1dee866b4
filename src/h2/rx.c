/* The receiving half of a stream. nghttp2's callbacks note where a batch's bytes stand in the memory that the carrier lends; after
 * the batch its reader gets them, with what it has left before, in one on_data. What it leaves is copied. A stream's credit
 * returns when its bytes were taken, so what is kept never exceeds the stream's window. */
#include "h2/internal.h"

#include <stdlib.h>

static void give_credit(struct sp_h2_stream *s, size_t n)
{
	if (n > 0 && s->end == SP_H2_OPEN && !s->h->failed)
		nghttp2_session_consume_stream(s->h->ng, s->id, n);
}

static void swallow(struct sp_h2_stream *s, size_t n)
{
	if (s->swallowed_bytes >= SP_H2_SWALLOW_BYTES || s->aborted)
		return; /* without credit the peer stops at its window */
	s->swallowed_bytes += (uint32_t)n;
	give_credit(s, n);
	if (s->swallowed_bytes >= SP_H2_SWALLOW_BYTES)
		sp_h2_stream_touch_later(s);
}

static void keep(struct sp_h2_stream *s, const uint8_t *p, size_t n)
{
	if (!s->deaf && sp_buf_append(&s->rx, p, n) < 0)
		sp_h2_stream_broken(s);
}

static void forget_chunks(struct sp_h2_stream *s)
{
	s->rx_first = s->rx_last = s->rx_count = 0;
}

/* Copies the batch's chunks but for their first `skip` bytes. */
static void keep_chunks(struct sp_h2_stream *s, size_t skip)
{
	for (uint32_t i = s->rx_first; i; i = s->h->chunks[i].next) {
		struct sp_slice v = s->h->chunks[i].data;
		size_t off = skip < v.n ? skip : v.n;

		skip -= off;
		if (v.n > off)
			keep(s, v.p + off, v.n - off);
	}
	forget_chunks(s);
}

/* A place for one more chunk, 0 when memory is out. */
static uint32_t chunk_new(struct sp_h2 *h)
{
	uint32_t cap = h->chunk_cap ? h->chunk_cap * 2 : 64;
	struct sp_rx_chunk *more;

	if (h->chunk_count + 1 >= h->chunk_cap) {
		more = realloc(h->chunks, cap * sizeof(*more));
		if (!more)
			return 0;
		h->chunks = more;
		h->chunk_cap = cap;
	}
	return ++h->chunk_count;
}

void sp_h2_rx_data(struct sp_h2_stream *s, const uint8_t *p, size_t n)
{
	uint32_t i;

	if (s->deaf) {
		swallow(s, n);
		return;
	}
	sp_h2_stream_touch(s);
	s->offer = true;
	if (s->rx_count == SP_H2_LEND_MAX - 1) /* a peer that sends tiny frames: copy them together */
		keep_chunks(s, 0);
	i = chunk_new(s->h);
	if (i == 0) {
		keep_chunks(s, 0);
		keep(s, p, n);
		return;
	}
	s->h->chunks[i] = (struct sp_rx_chunk){ sp_slice_make(p, n), 0 };
	if (s->rx_last)
		s->h->chunks[s->rx_last].next = i;
	else
		s->rx_first = i;
	s->rx_last = i;
	s->rx_count++;
}

/* After on_data took `taken` of what was kept and of the batch. */
static void settle(struct sp_h2_stream *s, size_t taken)
{
	size_t of_kept = taken < s->rx.len ? taken : s->rx.len;

	if (of_kept > 0)
		sp_buf_consume(&s->rx, of_kept);
	keep_chunks(s, taken - of_kept);
	give_credit(s, taken);
}

static bool readable(const struct sp_h2_stream *s)
{
	return s->reading && !s->deaf && s->io.ev && s->io.ev->on_data;
}

void sp_h2_rx_lend(struct sp_h2_stream *s)
{
	struct sp_slice v[SP_H2_LEND_MAX];
	size_t total = 0, taken = 0;
	unsigned n = 0;

	if (s->end_received && !s->io.input_ended) {
		s->io.input_ended = true;
		s->offer = true;
	}
	if (s->rx.len > 0)
		v[n++] = sp_buf_data(&s->rx);
	for (uint32_t i = s->rx_first; i; i = s->h->chunks[i].next)
		v[n++] = s->h->chunks[i].data;
	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	if (total > 0 && s->offer && readable(s)) {
		s->offer = false;
		s->lending = true;
		taken = s->io.ev->on_data(s->io.arg, v, n);
		s->lending = false;
		sp_must(taken <= total);
		s->io.bytes_in += taken;
	}
	if (!s->deaf) {
		settle(s, taken);
		return;
	}
	sp_buf_deinit(&s->rx);
	forget_chunks(s);
	give_credit(s, taken);
	swallow(s, total - taken);
}

void sp_h2_rx_start(struct sp_stream *io)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(io, struct sp_h2_stream, io);

	if (s->deaf || s->closed_told)
		return;
	s->reading = true;
	s->offer = true; /* inside on_data nobody knows yet what it will leave */
	sp_h2_stream_touch_later(s);
}

void sp_h2_rx_stop(struct sp_stream *io)
{
	SP_CONTAINER_OF(io, struct sp_h2_stream, io)->reading = false;
}

void sp_h2_rx_deafen(struct sp_h2_stream *s)
{
	size_t kept = s->rx.len;

	s->deaf = true;
	s->reading = false;
	if (s->lending)
		return; /* looked after when on_data returns */
	sp_buf_deinit(&s->rx);
	swallow(s, kept);
}
