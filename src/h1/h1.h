/* One HTTP/1.1 request and its response on a connection (RFC 9112): payload as an sp_stream, framing inside. What h2/
 * does for a tunnel's streams, for connections that carry one exchange after the other.
 *
 * The carrier is lent to an exchange and comes back from it (sp_h1_release()), with the bytes after it untaken: the
 * next request or response on a persistent connection. Only while it is lent is it read by this folder. It is never
 * closed here: what is to be done with it afterwards is told.
 *
 *   carrier --(head taken by the owner)--> sp_h1_serve() -> io -> ... -> io's on_closed -> sp_h1_release()     server
 *   carrier --> sp_h1_request() -> on_response -> io ...  -> io's on_closed -> sp_h1_release()                 client
 *
 * The io keeps the contract of net/stream.h, but for this: what was not taken is lent again together with newer bytes
 * of the same chunk only. Besides: when the peer's message is malformed, too long or cut short, it fails with
 * SP_EPROTO, SP_ETOOBIG (a request's body; else SP_EPROTO) or SP_ECLOSED; when the peer falls silent in the middle of a
 * body while we wait for it, with SP_ETIMEOUT. Writing more or fewer bytes than the head announced fails it with
 * SP_EPROTO, and so does writing before a protocol was switched. All calls on the loop's thread. */
#ifndef SP_H1_H1_H
#define SP_H1_H1_H

#include "codec/message.h"
#include "net/stream.h"

struct sp_h1;

struct sp_h1_options {
	uint64_t silence_ms;		 /* in the middle of the peer's body; 0 = for ever */
	struct sp_http_body_limits body; /* payload_bytes 0: no limit; trailers 0: the defaults */
	struct sp_http_limits head;	 /* client: of the response's head */
	uint64_t send_max_bytes;	 /* client: of the request's body, else the io fails with SP_ETOOBIG; 0: any */
};

/* What became of the carrier. */
enum sp_h1_left {
	/* both messages are complete (or the request is, and its owner answers it) and both sides may go on */
	SP_H1_REUSABLE,
	SP_H1_FLUSH,	/* ours is complete; the connection cannot be used again: close with FLUSH */
	SP_H1_ABORT	/* ours is cut short: the peer must be able to tell */
};

struct sp_stream *sp_h1_io(struct sp_h1 *h);
/* The io's on_closed has come, or nobody but its owner ever attached to it. Frees h (later) and gives the carrier back,
 * attached to nobody and still reading: to be attached before the caller returns. NULL: it is gone. */
struct sp_stream *sp_h1_release(struct sp_h1 **h, enum sp_h1_left *left_out);
/* The io has ended because the peer broke the protocol: what was wrong; NONE: nothing was. */
enum sp_http_refusal sp_h1_refusal(const struct sp_h1 *h);

/* ---- server -------------------------------------------------------------- */
/* r: the head, which was taken from the carrier inside its on_data or between turns; borrowed. The io's on_data gives
 * the body. 0, SP_ETOOBIG (a length above the limit; the carrier stays the caller's, as with) SP_ENOMEM. */
int sp_h1_serve(struct sp_stream *carrier, const struct sp_http_request *r, const struct sp_h1_options *opt,
		struct sp_h1 **out);
/* Whether the io has nothing (more) to give: attach it as ended. */
bool sp_h1_ended(const struct sp_h1 *h);
/* 0, SP_EINVAL (HTTP/1.0, or answered already: not sent), SP_ECLOSED, SP_ENOMEM. */
int sp_h1_inform(struct sp_h1 *h, unsigned status, const struct sp_fields *fields);
/* The final head; from now on the io may be written to. close: no further request on this connection. switched
 * responses name the protocol. 0; SP_EINVAL (answered already, or what cannot be sent), SP_ECLOSED, SP_ENOMEM. */
int sp_h1_respond(struct sp_h1 *h, const struct sp_msg_response *r, struct sp_slice protocol, bool close);
bool sp_h1_answered(const struct sp_h1 *h);

/* ---- client -------------------------------------------------------------- */
struct sp_h1_client_events {
	/* A 1xx other than 101; borrowed. May be NULL. */
	void (*on_interim)(void *arg, unsigned status, const struct sp_fields *fields);
	/* The final head; borrowed. The io's bytes come afterwards. Not called when the io fails first: its on_closed
	 * says why; SP_ERETRY: the connection was used before and ended without a byte of answer, as idle ones do. */
	void (*on_response)(void *arg, const struct sp_http_response *r);
	/* The io's on_closed was told, to whomever it was attached to: time for sp_h1_release(). */
	void (*on_over)(void *arg);
};
/* Sends head (of r, as sp_msg_request_write() made it; copied) and reads the response. reused: the carrier had an
 * exchange before. The io may be written to at once. 0 or SP_ENOMEM: the carrier stays the caller's. */
int sp_h1_request(struct sp_stream *carrier, const struct sp_msg_request *r, struct sp_slice head, bool reused,
		  const struct sp_h1_options *opt, const struct sp_h1_client_events *ev, void *arg, struct sp_h1 **out);

#endif
