/* What the files of this folder share. message.c: both directions of one exchange as a stream. server.c, client.c: the
 * heads. */
#ifndef SP_H1_INTERNAL_H
#define SP_H1_INTERNAL_H

#include "base/must.h"
#include "h1/h1.h"

#define SP_H1_COALESCE_BYTES 4096u /* so much at most is copied to leave with what else is written in this turn */

enum sp_h1_role { SP_H1_SERVER, SP_H1_CLIENT };

struct sp_h1 {
	struct sp_stream io; /* first */
	enum sp_h1_role role;
	struct sp_stream *carrier; /* NULL: gone */
	bool head_method;	   /* of the request: HEAD */
	bool peer_ended;	   /* the carrier's on_eof came */
	bool persists;		   /* as far as the peer's head says */
	bool switched;		   /* bytes both ways, no framing */
	/* reading */
	struct sp_http_body body;
	bool body_known; /* client: the final head has come */
	bool reading, eof_told;
	bool excess; /* client: bytes after the response */
	uint64_t pending_bytes; /* payload at the front of what the carrier lends next: decoded, not taken yet */
	uint64_t silence_ms, heard_mono_ms;
	struct sp_timer silence;
	/* writing */
	struct sp_http_encoder encoder;
	bool answered; /* a head was sent: a response, or the client's request */
	bool write_done;
	bool close;	   /* server: our head said so */
	struct sp_buf out; /* leaves at the end of the turn */
	struct sp_buf end; /* the end of the body with its trailers; "": none were given */
	struct sp_defer flush, later;
	/* the end */
	bool closing; /* the io takes no more calls; on_closed is on its way, or told */
	bool aborted;
	struct sp_cause cause;
	struct sp_defer gone;
	struct sp_reap reap;
	/* server */
	unsigned minor;
	bool expects, continued; /* Expect: 100-continue; a 100 was sent */
	bool may_switch;	 /* the request names a protocol */
	/* client */
	struct sp_http_limits head_limits;
	struct sp_http_body_limits body_limits;
	uint64_t send_max_bytes;
	bool reused, heard;
	unsigned interims;
	const struct sp_h1_client_events *ev;
	void *arg;
};

/* NULL: no memory. */
struct sp_h1 *sp_h1_new(struct sp_stream *carrier, enum sp_h1_role role, const struct sp_h1_options *opt);
/* Attaches to the carrier; from here on the exchange is its reader. */
void sp_h1_take_carrier(struct sp_h1 *h);
void sp_h1_discard(struct sp_h1 *h); /* never attached to */
/* The io fails; the first cause stays. */
void sp_h1_fail(struct sp_h1 *h, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void sp_h1_flush_soon(struct sp_h1 *h);
void sp_h1_tell_end_soon(struct sp_h1 *h);
void sp_h1_watch_silence(struct sp_h1 *h); /* from now on, if somebody reads and the peer's message is not complete */
/* Client: takes heads from what the carrier lends; how many bytes. h->body_known, or h->closing, or more is needed. */
size_t sp_h1_take_heads(struct sp_h1 *h, struct sp_slice in);

#endif
