/* What the files of this folder share: a connection, a stream, and the buckets that bound a peer.
 *
 * conn.c     the carrier, pumping, upcalls, life and death of a connection
 * session.c  nghttp2's callbacks and options
 * stream.c   life and death of a stream, its upcalls, the budget of resets
 * rx.c tx.c  a stream's bytes: received and lent, written and framed
 * head.c     fields; message.c: interim responses and trailers; limits.c: buckets, glitches, liveness */
#ifndef SP_H2_INTERNAL_H
#define SP_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/list.h"
#include "h2/h2.h"

/* Plaintext that may wait in the carrier: enough to fill a turn, little enough that a small write is not stuck behind it. */
#define SP_H2_BACKLOG_BYTES (128u * 1024)
/* No frame at all beyond this: what a peer can make us answer then waits in nghttp2, which bounds it. */
#define SP_H2_BACKLOG_MAX_BYTES (192u * 1024)
/* With the 9 bytes of the frame's head this fills one TLS record exactly. */
#define SP_H2_PAYLOAD_BYTES (16384u - 9)
#define SP_H2_SMALL_BYTES 4096u	     /* smaller frames are copied into the batch */
#define SP_H2_BATCH_BYTES 16384u     /* frames gathered into one write */
#define SP_H2_AT_ONCE_BYTES 8192u    /* larger writes are sent out of the caller's memory */
#define SP_H2_DIRTY_BYTES 16384u     /* so much small output is sent before the turn ends */
#define SP_H2_LEND_MAX 64u	     /* slices of one on_data; more, smaller ones are copied together */
#define SP_H2_SWALLOW_BYTES (1024u * 1024) /* what a peer may still send to a stream that we have closed */
#define SP_H2_LAST_ID (1 << 30)	     /* ids run out at 2^31: such a connection drains itself */
#define SP_H2_IMPATIENT_MS 1000u     /* a peer at fault gets so long to close */

/* A token bucket in milli-tokens. */
struct sp_bucket {
	uint64_t milli, at_mono_ms;
	uint32_t burst, per_s;
};
void sp_bucket_init(struct sp_bucket *b, uint32_t burst, uint32_t per_s, uint64_t now_ms);
bool sp_bucket_take(struct sp_bucket *b, uint32_t cost, uint64_t now_ms); /* false: not enough left */

struct sp_rx_chunk { /* DATA of the batch being received; lent by the carrier */
	struct sp_slice data;
	uint32_t next; /* 1-based index into the connection's chunks; 0 = last */
};

enum sp_h2_end { /* how a stream ended, in nghttp2's view */
	SP_H2_OPEN,
	SP_H2_CLEAN,	/* both ends, or RST_STREAM(NO_ERROR) after the peer's end: needs the connection no more */
	SP_H2_FAILED	/* cause says why */
};

struct sp_h2_block;   /* fields of a head or of trailers */
struct sp_h2_message; /* message.c */

struct sp_h2_stream {
	struct sp_stream io; /* first */
	struct sp_h2 *h;
	struct sp_list node;	/* the connection's streams */
	struct sp_list touched; /* waits for its upcalls */
	struct sp_list owed;	/* waits for the budget to reset it */
	int32_t id;
	struct sp_buf tx, rx;	/* accepted, not sent; received, not taken */
	const struct sp_slice *lent; /* during writev() only: sent before they are copied */
	size_t lent_offset, lent_bytes;
	unsigned lent_count;
	uint32_t framed_bytes;	/* at the front of tx: promised to nghttp2 for a frame that the carrier has no room for */
	uint32_t rx_first, rx_last, rx_count; /* chunks of this batch */
	uint32_t swallowed_bytes;
	uint32_t reset_code;	/* when owed or lingering */
	sp_h2_response_cb *on_response;
	void *response_arg;
	struct sp_h2_block *head; /* being received, or waiting for its upcall */
	struct sp_h2_block **receiving; /* head, or the message's trailers; NULL: fields that come are dropped */
	struct sp_h2_message *message; /* NULL: neither of its things is there or wanted */
	struct sp_timer linger;
	struct sp_reap reap;
	struct sp_cause *cause;
	enum sp_h2_end end;
	bool seen : 1;		/* server: the request was handed over */
	bool head_ready : 1;	/* head is complete */
	bool answered : 1;	/* the final response came or was sent */
	bool connect : 1;
	bool tunnel : 1;	/* ... and it was 2xx */
	bool soft : 1;		/* END_STREAM instead of RST_STREAM: goes even before an answer */
	bool reading : 1;
	bool lending : 1;	/* inside on_data */
	bool offer : 1;		/* rx must be lent (again) */
	bool high : 1;		/* the write queue reached its high mark: on_drain is owed */
	bool write_shut : 1;
	bool end_sent : 1, end_received : 1, eof_told : 1;
	bool deferred : 1;	/* nghttp2 asked for data and got none */
	bool deaf : 1;		/* input is swallowed: closed, or answered whole */
	bool closing : 1;	/* close() was called */
	bool aborted : 1;	/* ... with ABORT: on_closed need not await nghttp2 */
	bool closed_told : 1;
	bool reset_sent : 1;	/* by our own wish */
};

struct sp_h2 {
	struct sp_loop *loop;
	struct sp_stream *carrier; /* NULL once it is gone */
	enum sp_h2_role role;
	struct sp_h2_options opt;
	const struct sp_h2_events *ev;
	void *arg;
	nghttp2_session *ng;
	struct sp_list streams, touched, owed;
	unsigned stream_count;	 /* not yet ended for nghttp2 */
	struct sp_rx_chunk *chunks; /* [1 ..] of the batch */
	uint32_t chunk_count, chunk_cap;
	ssize_t carrier_queued;
	size_t tx_bytes;	 /* in all streams' queues */
	size_t dirty_bytes;	 /* small output since the last pump */
	uint32_t window_updates_earned; /* by DATA that we sent */
	uint8_t *batch;		 /* during a pump only */
	size_t batch_len;
	struct sp_defer pump_later, upcalls_later;
	struct sp_timer liveness, grace, budget;
	uint64_t heard_mono_ms, ping_sent_us, rtt_us;
	uint64_t ping_seq, ping_acked; /* a PING's opaque data is its number, from 1 on */
	uint64_t drain_ping_seq; /* its answer lets the last id be said; 0 = none */
	struct sp_bucket glitches, resets;
	struct sp_cause cause;
	struct sp_reap reap;
	bool pumping, receiving, in_upcalls;
	bool ready, ready_told;
	bool ping_out, ping_heard, ping_last_look; /* a deadline runs; a byte came since; the deadline is over */
	bool draining, drain_asked, ids_used_up, goaway_received, goaway_told, no_room, idle_owed;
	bool failed, closed_told, freed;
	uint32_t goaway_code;
};

/* conn.c */
void sp_h2_pump(struct sp_h2 *h);
void sp_h2_pump_soon(struct sp_h2 *h);
void sp_h2_upcalls_soon(struct sp_h2 *h);
void sp_h2_fail(struct sp_h2 *h, const struct sp_cause *cause); /* NULL: a clean end */
/* Output of frames into the batch or to the carrier. */
void sp_h2_put(struct sp_h2 *h, const struct sp_slice *v, unsigned n);

/* session.c */
int sp_h2_session_new(struct sp_h2 *h);
int sp_h2_error(struct sp_cause *c, int ng_err, const char *what); /* nghttp2's codes as ours */

/* stream.c */
struct sp_h2_stream *sp_h2_stream_new(struct sp_h2 *h);
void sp_h2_stream_discard(struct sp_h2_stream *s); /* nobody knows it yet */
void sp_h2_stream_touch(struct sp_h2_stream *s);   /* inside nghttp2 or upcalls: they run after it */
void sp_h2_stream_touch_later(struct sp_h2_stream *s);
void sp_h2_stream_upcalls(struct sp_h2_stream *s);
/* nghttp2 knows the stream no more. */
void sp_h2_stream_ended(struct sp_h2_stream *s, uint32_t code);
void sp_h2_stream_fail(struct sp_h2_stream *s, const struct sp_cause *cause);
/* Why it is going to end: nghttp2 has still to let go of it. The first cause wins. */
void sp_h2_stream_blame(struct sp_h2_stream *s, const struct sp_cause *cause);
/* Out of memory for its bytes: RST_STREAM(INTERNAL_ERROR). */
void sp_h2_stream_broken(struct sp_h2_stream *s);

/* rx.c */
/* Inside nghttp2: remembers where the bytes stand; they are lent after the batch. */
void sp_h2_rx_data(struct sp_h2_stream *s, const uint8_t *p, size_t n);
void sp_h2_rx_lend(struct sp_h2_stream *s);
void sp_h2_rx_start(struct sp_stream *io);
void sp_h2_rx_stop(struct sp_stream *io);
void sp_h2_rx_deafen(struct sp_h2_stream *s); /* nobody reads any more */

/* tx.c */
ssize_t sp_h2_tx_writev(struct sp_stream *io, const struct sp_slice *v, unsigned n);
void sp_h2_tx_shutdown(struct sp_stream *io);
void sp_h2_tx_drop(struct sp_h2_stream *s);
void sp_h2_tx_resume(struct sp_h2_stream *s);
void sp_h2_tx_tell_drain(struct sp_h2_stream *s);
ssize_t sp_h2_tx_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
		      nghttp2_data_source *source, void *arg);
int sp_h2_tx_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length, nghttp2_data_source *source,
		  void *arg);

/* head.c */
struct sp_h2_block *sp_h2_block_new(void); /* NULL: out of memory */
/* most: bytes as SETTINGS_MAX_HEADER_LIST_SIZE counts them. 0, SP_ETOOBIG, SP_ENOMEM. */
int sp_h2_block_add(struct sp_h2_block *b, struct sp_slice name, struct sp_slice value, bool secret, size_t most);
void sp_h2_block_fields(const struct sp_h2_block *b, struct sp_fields *out); /* borrowed */
unsigned sp_h2_block_status(const struct sp_h2_block *b); /* 0: none */
void sp_h2_block_free(struct sp_h2_block **b);
/* Would the peer's HPACK decoder take it? */
bool sp_h2_head_fits(const struct sp_fields *f);
/* Borrowed: valid as long as the fields. */
unsigned sp_h2_head_nv(const struct sp_fields *f, const char *status, nghttp2_nv *nv);

/* message.c */
/* Inside nghttp2: where the fields of trailers go; NULL: nowhere, for want of memory or because nobody would read them. */
struct sp_h2_block **sp_h2_trailers_begin(struct sp_h2_stream *s);
/* Takes the head over when somebody wants interim responses. */
void sp_h2_interim(struct sp_h2_stream *s, struct sp_h2_block **head);
void sp_h2_tell_interim(struct sp_h2_stream *s);
void sp_h2_tell_trailers(struct sp_h2_stream *s);
int sp_h2_keep_trailers(struct sp_stream *io, const struct sp_fields *trailers);
/* Inside nghttp2's question for the last bytes: 0, or its error. */
int sp_h2_send_trailers(struct sp_h2_stream *s, uint32_t *flags);
void sp_h2_message_free(struct sp_h2_stream *s);

/* limits.c */
void sp_h2_limits_start(struct sp_h2 *h);
/* SP_EPROTO when the peer is over its limit. */
int sp_h2_glitch(struct sp_h2 *h, uint32_t cost);
int sp_h2_glitch_frame(struct sp_h2 *h, const nghttp2_frame_hd *hd); /* by its head alone */
void sp_h2_heard(struct sp_h2 *h);
int sp_h2_ping_answered(struct sp_h2 *h, const uint8_t *opaque);
void sp_h2_ping(struct sp_h2 *h);

#endif
