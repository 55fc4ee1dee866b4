/* One HTTP/2 connection (RFC 9113) over a stream, and its streams as sp_streams. nghttp2 stays in this folder.
 *
 * The HTTP/2 role is independent of who dialled and of the TLS role: a turned connection is an ordinary one with the roles
 * exchanged. Receiving: connection credit returns on receipt, a stream's credit only when its bytes were taken by the reader,
 * so one stuck reader costs its window and nothing else. Sending: small writes are coalesced and pumped once at the end of
 * the turn, large ones at once; round robin among streams; never more than SP_H2_BACKLOG bytes ahead of the carrier.
 * Liveness: a PING after silence, death after a deadline without any byte. Hostile peers: a bucket of "glitches" (control
 * frames, empty frames, resets), header list limits, and nghttp2's own; over it GOAWAY(ENHANCE_YOUR_CALM).
 * Resets that we send are budgeted (stock servers kill a connection that sends 1000 in short time): out of budget, a stream
 * is ended with END_STREAM and its input swallowed until the budget allows the reset. */
#ifndef SP_H2_H2_H
#define SP_H2_H2_H

#include "codec/fields.h"
#include "net/stream.h"

struct sp_h2;
struct sp_h2_stream;
enum sp_h2_role { SP_H2_CLIENT, SP_H2_SERVER };

struct sp_h2_options {
	uint32_t stream_window_bytes, connection_window_bytes, max_streams, max_head_bytes;
	uint64_t ping_after_ms, ping_timeout_ms;
};

struct sp_h2_events {
	void (*on_ready)(void *arg); /* the peer's SETTINGS came: streams may be opened */
	/* Server: a request. Fields (with pseudo-fields) are lent. Attach events to sp_h2_stream_io(s) and answer now or later with
	 * sp_h2_respond(). */
	void (*on_request)(void *arg, struct sp_h2_stream *s, const struct sp_fields *head);
	void (*on_room)(void *arg);  /* client: sp_h2_room() rose from 0 */
	void (*on_idle)(void *arg);  /* the last stream is gone */
	/* The peer sent GOAWAY: open no more; open ones go on. The ones it will not process fail with SP_ERETRY. */
	void (*on_goaway)(void *arg, uint32_t error_code);
	/* Last upcall. All streams have been closed before it, but those that are complete both ways and whose reader has not taken
	 * everything yet: they outlive the connection. cause NULL: closed by us or drained to the end. */
	void (*on_closed)(void *arg, const struct sp_cause *cause);
};

/* Takes over the carrier (TLS or plain; untaken bytes included) and sends preface and SETTINGS. 0 or SP_ENOMEM. */
int sp_h2_new(struct sp_loop *loop, struct sp_stream *carrier, enum sp_h2_role role, const struct sp_h2_options *opt,
	      const struct sp_h2_events *ev, void *arg, struct sp_h2 **out);
/* GOAWAY; no new streams; closes when the last one ends or at grace_ms (streams then fail). Idempotent. */
void sp_h2_drain(struct sp_h2 *h, uint64_t grace_ms);
/* Now: GOAWAY as far as it can be sent, streams fail with SP_ECLOSED. Idempotent. on_closed follows later. */
void sp_h2_close(struct sp_h2 *h);
unsigned sp_h2_stream_count(const struct sp_h2 *h);
/* How many more streams may be opened now: peer's MAX_CONCURRENT_STREAMS; 0 before on_ready and when draining. */
unsigned sp_h2_room(const struct sp_h2 *h);
size_t sp_h2_queued(const struct sp_h2 *h);  /* bytes waiting for the carrier, all streams */
uint64_t sp_h2_rtt_us(const struct sp_h2 *h); /* last PING; 0 = none yet */
/* Checks the peer now (PING with the usual deadline): before reuse after idling. */
void sp_h2_probe(struct sp_h2 *h);

/* ---- client -------------------------------------------------------------- */
/* The response head (final status); lent. 1xx go to sp_h2_watch_interim(). Not called when the stream fails first: on_closed of its
 * events says why (SP_ERETRY: provably not processed, may be tried elsewhere). */
typedef void sp_h2_response_cb(void *arg, struct sp_h2_stream *s, unsigned status, const struct sp_fields *head);
/* Opens a request stream: head holds the pseudo-fields first (":method", ":authority", ...). Field values are copied. The body
 * (or the CONNECT's bytes) is what is written to sp_h2_stream_io(); writing before the response is allowed and queued. end: there
 * is no body (END_STREAM with the head); nothing may be written.
 * Attach events to sp_h2_stream_io(*out) before the loop turns; their arg is separate from the response's. 0, SP_ETOOBIG (a field above
 * 65000 bytes, which would end the connection at the peer), SP_ELIMIT (no room), SP_ECLOSED, SP_ENOMEM. */
int sp_h2_open(struct sp_h2 *h, const struct sp_fields *head, bool end, sp_h2_response_cb *cb, void *arg, struct sp_h2_stream **out);
/* Whether the server takes extended CONNECT (RFC 8441); false before on_ready. */
bool sp_h2_extended_connect(const struct sp_h2 *h);

/* ---- server -------------------------------------------------------------- */
/* Sends the response head. end: no body follows (END_STREAM with it, and what the peer still sends is swallowed).
 * Field ":status" is added from status. 0 or SP_ECLOSED / SP_EINVAL (answered already) / SP_ETOOBIG. */
int sp_h2_respond(struct sp_h2_stream *s, unsigned status, const struct sp_fields *fields, bool end);

/* An interim response (1xx, not 101) before the final one. 0 or SP_ECLOSED / SP_EINVAL (answered already). */
int sp_h2_inform(struct sp_h2_stream *s, unsigned status, const struct sp_fields *fields);

/* ---- messages ------------------------------------------------------------- */
/* Client: hears of interim responses (1xx; of several in one turn the last); fields are lent. Right after sp_h2_open(). Who does not
 * ask never hears of them. 0 or SP_ENOMEM. Trailers are the stream's (net/stream.h). */
typedef void sp_h2_interim_cb(void *arg, unsigned status, const struct sp_fields *head);
int sp_h2_watch_interim(struct sp_h2_stream *s, sp_h2_interim_cb *cb, void *arg);
/* Inside on_request and the response's upcall: does anything follow the head? */
bool sp_h2_stream_has_body(const struct sp_h2_stream *s);

struct sp_stream *sp_h2_stream_io(struct sp_h2_stream *s);
int32_t sp_h2_stream_id(const struct sp_h2_stream *s);

#endif
