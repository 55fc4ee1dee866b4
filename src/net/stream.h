/* struct sp_stream: ordered bytes both ways, the one interface that the relay knows. TCP, TLS, HTTP/2 streams and the
 * in-memory pair implement it.
 *
 * Contract
 *  write    Accepted whole while open, queued or sent; returns the bytes now queued (>= 0). At or above SP_STREAM_HIGH
 *           the caller stops and waits for on_drain, which fires once when the queue falls below SP_STREAM_LOW after
 *           having reached the high mark. After shutdown_write() or close() a write is SP_ECLOSED. Slices are borrowed
 *           for the call only.
 *  read     Starts stopped. on_data lends slices for the call and returns how many bytes it took. What was not taken
 *           stays in the stream and is lent again, first, together with newer bytes: when more arrives, or (in a later
 *           turn) after read_start(). A parser thus takes 0 until a message is whole. Whoever does not take must bound
 *           what it lets pile up: at SP_STREAM_KEEP untaken bytes the stream stops reading by itself. TCP and TLS lend
 *           exactly one slice, HTTP/2 streams one or more.
 *           read_stop() takes effect at once, even inside on_data. read_start() never calls back before it returns.
 *  eof      on_eof once, after all bytes were taken. The other direction stays open (half-close): FIN, close_notify,
 *           END_STREAM. A reader that left bytes is lent them once more at the end, with input_ended set: what it waits for
 *           will not come.
 *  trailers Streams of HTTP messages only (RFC 9110 section 6.5): on_trailers comes at most once, right before on_eof, with fields
 *           that are lent; what is given to sp_stream_trailers() before the end of writing is copied and sent with it.
 *  close    Asynchronous, idempotent, from any state and inside any upcall; afterwards no upcall but on_closed, exactly
 *           once, last, from a later point of the loop, never inside close(). FLUSH: what is queued is still sent (bounded
 *           by SP_STREAM_LINGER_MS), then a clean end; unread input is swallowed. ABORT: queue dropped; RST, RST_STREAM.
 *  failure  The stream closes itself: on_closed comes with a cause and no close() was needed. After on_closed the stream
 *           is gone: drop the pointer. Memory is the implementation's. Without a cause and without our close(): after
 *           on_eof, the peer has also said that it reads no more (HTTP/2 only): a clean end.
 *  thread   The loop's only.
 *  upcalls  May do anything to this or any other stream, but free nothing synchronously (style: reap list). */
#ifndef SP_NET_STREAM_H
#define SP_NET_STREAM_H

#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"
#include "codec/fields.h"
#include "net/loop.h"

#define SP_STREAM_HIGH (64u * 1024)
#define SP_STREAM_LOW (32u * 1024)
#define SP_STREAM_KEEP (256u * 1024)
#define SP_STREAM_LINGER_MS 5000u

struct sp_stream;

enum sp_close { SP_CLOSE_FLUSH, SP_CLOSE_ABORT };

struct sp_stream_events {
	size_t (*on_data)(void *arg, const struct sp_slice *v, unsigned n);
	void (*on_eof)(void *arg);
	void (*on_drain)(void *arg);
	/* cause: NULL after our own close(); else why the stream failed (borrowed for the call). */
	void (*on_closed)(void *arg, const struct sp_cause *cause);
	void (*on_trailers)(void *arg, const struct sp_fields *trailers);
};

struct sp_stream_ops {
	ssize_t (*writev)(struct sp_stream *s, const struct sp_slice *v, unsigned n);
	void (*shutdown_write)(struct sp_stream *s);
	void (*read_start)(struct sp_stream *s);
	void (*read_stop)(struct sp_stream *s);
	void (*close)(struct sp_stream *s, enum sp_close how);
	int (*trailers)(struct sp_stream *s, const struct sp_fields *trailers); /* NULL: it carries none */
};

struct sp_stream { /* first member of every implementation */
	const struct sp_stream_ops *ops;
	const struct sp_stream_events *ev;
	void *arg;
	struct sp_loop *loop;
	uint64_t bytes_in, bytes_out; /* payload lent and taken; payload accepted by write */
	bool input_ended;	      /* the peer has ended its side; bytes that were not taken are the last ones */
};

/* Hands the stream to another reader: between turns or inside an upcall; untaken bytes go to the new one. */
static inline void sp_stream_attach(struct sp_stream *s, const struct sp_stream_events *ev, void *arg)
{
	s->ev = ev;
	s->arg = arg;
}
static inline ssize_t sp_stream_writev(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	return s->ops->writev(s, v, n);
}
static inline ssize_t sp_stream_write(struct sp_stream *s, const void *p, size_t n)
{
	struct sp_slice v = { p, n };
	return s->ops->writev(s, &v, 1);
}
static inline void sp_stream_shutdown_write(struct sp_stream *s)
{
	s->ops->shutdown_write(s);
}
static inline void sp_stream_read_start(struct sp_stream *s)
{
	s->ops->read_start(s);
}
static inline void sp_stream_read_stop(struct sp_stream *s)
{
	s->ops->read_stop(s);
}
static inline void sp_stream_close(struct sp_stream *s, enum sp_close how)
{
	s->ops->close(s, how);
}

/* 0, SP_EUNSUPPORTED (bytes only), SP_ECLOSED (ended already), SP_ETOOBIG, SP_ENOMEM. */
static inline int sp_stream_trailers(struct sp_stream *s, const struct sp_fields *trailers)
{
	return s->ops->trailers ? s->ops->trailers(s, trailers) : SP_EUNSUPPORTED;
}

/* Two connected in-memory streams on one loop, with the same marks as sockets: for tests and embedded ends. */
int sp_stream_pair(struct sp_loop *loop, struct sp_stream **a_out, struct sp_stream **b_out);

#endif
