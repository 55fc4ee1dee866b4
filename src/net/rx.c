/* The reading half of the stream contract, for all streams of this folder. */
#include "base/must.h"
#include "net/stream_int.h"

static void lend_keep(struct sp_stream *s, struct sp_rx *rx)
{
	struct sp_slice v = sp_buf_data(&rx->keep);
	size_t took;

	sp_must(!rx->lending);
	rx->offer = false;
	rx->lending = true;
	took = s->ev->on_data(s->arg, &v, 1);
	rx->lending = false;
	sp_must(took <= v.n);
	s->bytes_in += took;
	if (rx->closed)
		sp_buf_deinit(&rx->keep);
	else
		sp_buf_consume(&rx->keep, took);
}

/* The end is told once the last byte was taken; until then nothing. */
static void tell_eof(struct sp_stream *s, struct sp_rx *rx)
{
	if (!s->input_ended || rx->eof_told || rx->closed || !rx->started || rx->keep.len > 0)
		return;
	rx->eof_told = true;
	if (s->ev->on_eof)
		s->ev->on_eof(s->arg);
}

void sp_rx_start(struct sp_stream *s, struct sp_rx *rx)
{
	if (rx->closed)
		return;
	rx->started = true;
	/* Inside on_data nobody knows yet what it will leave. */
	if (rx->keep.len == 0 && !rx->lending && (!s->input_ended || rx->eof_told))
		return;
	rx->offer = true;
	sp_timer_start(s->loop, &rx->later, 0, rx->on_later);
}

void sp_rx_stop(struct sp_stream *s, struct sp_rx *rx)
{
	rx->started = false;
	sp_timer_stop(s->loop, &rx->later);
}

int sp_rx_push(struct sp_stream *s, struct sp_rx *rx, const uint8_t *p, size_t n)
{
	struct sp_slice v = { p, n };
	size_t took;

	if (rx->closed || n == 0)
		return 0;
	if (rx->keep.len > 0 || !rx->started) {
		if (sp_buf_append(&rx->keep, p, n))
			return SP_ENOMEM;
		if (rx->started)
			lend_keep(s, rx);
		return 0;
	}
	sp_must(!rx->lending);
	rx->offer = false;
	rx->lending = true;
	took = s->ev->on_data(s->arg, &v, 1);
	rx->lending = false;
	sp_must(took <= n);
	s->bytes_in += took;
	return rx->closed ? 0 : sp_buf_append(&rx->keep, p + took, n - took);
}

int sp_rx_push_buf(struct sp_stream *s, struct sp_rx *rx, struct sp_buf *b)
{
	struct sp_buf mine = *b;
	struct sp_slice v = sp_buf_data(&mine);
	int err;

	sp_buf_init(b); /* now: it may be filled again inside the upcall */
	if (!rx->closed && rx->keep.len == 0) {
		rx->keep = mine;
		if (rx->started && v.n > 0)
			lend_keep(s, rx);
		return 0;
	}
	err = sp_rx_push(s, rx, v.p, v.n);
	sp_buf_deinit(&mine);
	return err;
}

void sp_rx_end(struct sp_stream *s, struct sp_rx *rx)
{
	if (s->input_ended)
		return;
	s->input_ended = true;
	rx->offer = true;
	sp_rx_run(s, rx);
}

void sp_rx_run(struct sp_stream *s, struct sp_rx *rx)
{
	if (rx->closed || !rx->started)
		return;
	if (rx->offer && rx->keep.len > 0)
		lend_keep(s, rx);
	tell_eof(s, rx);
}

void sp_rx_close(struct sp_stream *s, struct sp_rx *rx)
{
	rx->closed = true;
	rx->started = false;
	sp_timer_stop(s->loop, &rx->later);
	if (!rx->lending)
		sp_buf_deinit(&rx->keep);
}

void sp_rx_deinit(struct sp_stream *s, struct sp_rx *rx)
{
	sp_timer_stop(s->loop, &rx->later);
	sp_buf_deinit(&rx->keep);
}
