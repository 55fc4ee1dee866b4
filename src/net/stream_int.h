/* What the implementations of sp_stream in this folder share: calling up, and the reading half of the contract. */
#ifndef SP_NET_STREAM_INT_H
#define SP_NET_STREAM_INT_H

#include "base/buf.h"
#include "net/stream.h"

/* A stream may fail before anybody attached. */
static inline void sp_up_drain(struct sp_stream *s)
{
	if (s->ev && s->ev->on_drain)
		s->ev->on_drain(s->arg);
}
static inline void sp_up_closed(struct sp_stream *s, const struct sp_cause *cause)
{
	if (s->ev && s->ev->on_closed)
		s->ev->on_closed(s->arg, cause);
}

/* Untaken bytes, the reader's wish, and the end of input. The owner asks sp_rx_wants() after each call whether to go on
 * reading from its source, and never reads from it inside an upcall of its own. */
struct sp_rx {
	struct sp_buf keep; /* not taken yet; owns memory only while there is some */
	bool started;
	bool closed;  /* no upcalls from here on; input is swallowed */
	bool lending; /* inside on_data */
	bool offer;   /* keep must be lent again, in a later turn */
	bool eof_told;
	struct sp_timer later;
	void (*on_later)(struct sp_timer *t); /* the owner's: calls sp_rx_run() and looks after its source */
};

static inline bool sp_rx_wants(const struct sp_stream *s, const struct sp_rx *rx)
{
	return rx->started && !rx->closed && !s->input_ended && rx->keep.len < SP_STREAM_KEEP;
}
void sp_rx_start(struct sp_stream *s, struct sp_rx *rx);
void sp_rx_stop(struct sp_stream *s, struct sp_rx *rx);
/* New bytes. Lends them (with what was kept) if the reader is started; what it leaves is copied. 0 or SP_ENOMEM. */
int sp_rx_push(struct sp_stream *s, struct sp_rx *rx, const uint8_t *p, size_t n);
/* The same, for bytes in a buffer that is handed over if nothing is kept: no copy. *b is empty afterwards. */
int sp_rx_push_buf(struct sp_stream *s, struct sp_rx *rx, struct sp_buf *b);
/* No byte follows. */
void sp_rx_end(struct sp_stream *s, struct sp_rx *rx);
/* Lends what is on offer, tells the end: from on_later, or before a failure is told. */
void sp_rx_run(struct sp_stream *s, struct sp_rx *rx);
/* No more upcalls. Frees what was kept, later if it is lent right now. */
void sp_rx_close(struct sp_stream *s, struct sp_rx *rx);
void sp_rx_deinit(struct sp_stream *s, struct sp_rx *rx);

#endif
