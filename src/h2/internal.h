/* What the files of this folder share: a connection, a stream, and the buckets that bound a peer. */
#ifndef SP_H2_INTERNAL_H
#define SP_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/list.h"
#include "h2/h2.h"

/* Plaintext that may wait in the carrier: enough to fill a turn, little enough that a small write is not stuck behind it. */
#define SP_H2_BACKLOG_BYTES (128u * 1024)
/* With the 9 bytes of the frame's head this fills one TLS record exactly. */
#define SP_H2_PAYLOAD_BYTES (16384u - 9)
#define SP_H2_SMALL_BYTES 4096u	     /* smaller payloads are copied into the batch */
#define SP_H2_BATCH_BYTES 16384u     /* frames gathered into one write */
#define SP_H2_AT_ONCE_BYTES 8192u    /* larger writes are sent out of the caller's memory */
#define SP_H2_DIRTY_BYTES 16384u     /* so much small output is sent before the turn ends */
#define SP_H2_LAST_ID (1 << 30)	     /* ids run out at 2^31: such a connection drains itself */

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
	SP_H2_CLEAN,	/* both ends, or RST_STREAM(NO_ERROR) after the peer's end */
	SP_H2_FAILED	/* cause says why */
};

struct sp_h2_head_block;

struct sp_h2_stream {
	struct sp_stream io; /* first */
	struct sp_h2 *h;
	struct sp_list node;	/* the connection's streams */
	struct sp_list touched; /* waits for its upcalls */
	int32_t id;
	struct sp_buf tx, rx;	/* accepted, not sent; received, not taken */
	const struct sp_slice *lent; /* during writev() only: sent before they are copied */
	unsigned lent_count;
	size_t lent_offset, lent_bytes;
	uint32_t rx_first, rx_last; /* chunks of this batch */
	sp_h2_response_cb *on_response;
	void *response_arg;
	struct sp_h2_head_block *head; /* fields of a head being received or waiting for its upcall */
	struct sp_timer linger;
	struct sp_reap reap;
	struct sp_cause *cause;
	enum sp_h2_end end;
	bool request : 1;	/* server: the request was handed over */
	bool head_ready : 1;	/* head is complete */
	bool answered : 1;	/* client: final response came; server: it was sent */
	bool connect : 1;
	bool reading : 1;
	bool high : 1;		/* the write queue reached its high mark: on_drain is owed */
	bool write_shut : 1;
	bool end_sent : 1, end_received : 1, eof_told : 1;
	bool deferred : 1;	/* nghttp2 asked for data and got none */
	bool closing : 1;	/* close() was called */
	bool abort_told : 1;	/* ... with ABORT: on_closed need not await nghttp2 */
	bool closed_told : 1;
	bool reset_owed : 1;	/* no budget for RST_STREAM yet */
};

struct sp_h2 {
	struct sp_loop *loop;
	struct sp_stream *carrier; /* NULL once it is gone */
	enum sp_h2_role role;
	struct sp_h2_options opt;
	const struct sp_h2_events *ev;
	void *arg;
	nghttp2_session *ng;
	struct sp_list streams, touched;
	unsigned stream_count;	 /* not yet ended for nghttp2 */
	unsigned resets_owed;
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
	uint64_t heard_mono_ms, ping_mono_ms, ping_sent_us, rtt_us;
	struct sp_bucket glitches, resets;
	struct sp_cause cause;
	struct sp_reap reap;
	bool pumping, receiving, in_upcalls;
	bool ready, ready_told, ping_out;
	bool draining, drain_final, goaway_received, goaway_told, room_was_zero, idle_owed;
	bool failed, closed_told;
	uint32_t goaway_code;
};

/* conn.c */
void sp_h2_pump(struct sp_h2 *h);
void sp_h2_pump_soon(struct sp_h2 *h);
void sp_h2_upcalls_soon(struct sp_h2 *h);
void sp_h2_fail(struct sp_h2 *h, const struct sp_cause *cause); /* NULL: a clean end */
/* Output of frames into the batch or to the carrier. */
void sp_h2_put(struct sp_h2 *h, const struct sp_slice *v, unsigned n);
int sp_h2_error(struct sp_cause *c, int ng_err, const char *what);

/* stream.c */
struct sp_h2_stream *sp_h2_stream_new(struct sp_h2 *h);
void sp_h2_stream_touch(struct sp_h2_stream *s);
void sp_h2_stream_upcalls(struct sp_h2_stream *s);
/* nghttp2 knows the stream no more. */
void sp_h2_stream_ended(struct sp_h2_stream *s, uint32_t code);
void sp_h2_stream_fail(struct sp_h2_stream *s, const struct sp_cause *cause);
ssize_t sp_h2_stream_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
			  nghttp2_data_source *source, void *arg);
int sp_h2_stream_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length,
		      nghttp2_data_source *source, void *arg);
void sp_h2_stream_received(struct sp_h2_stream *s, const uint8_t *p, size_t n);
void sp_h2_pay_resets(struct sp_h2 *h);

/* head.c */
int sp_h2_head_begin(struct sp_h2_stream *s);
int sp_h2_head_add(struct sp_h2_stream *s, struct sp_slice name, struct sp_slice value); /* SP_ETOOBIG */
void sp_h2_head_fields(const struct sp_h2_stream *s, struct sp_fields *out);
unsigned sp_h2_head_status(const struct sp_h2_stream *s); /* 0: none */
void sp_h2_head_free(struct sp_h2_stream *s);
/* Borrowed: valid as long as the fields. */
unsigned sp_h2_head_nv(const struct sp_fields *f, const char *status, nghttp2_nv *nv);

/* limits.c */
int sp_h2_session_new(struct sp_h2 *h, const nghttp2_session_callbacks *cb);
/* A frame's cost; SP_EPROTO when the peer is over its limit. */
int sp_h2_glitch(struct sp_h2 *h, uint32_t cost);
int sp_h2_glitch_frame(struct sp_h2 *h, const nghttp2_frame_hd *hd);
void sp_h2_heard(struct sp_h2 *h);
void sp_h2_liveness_start(struct sp_h2 *h);

#endif
