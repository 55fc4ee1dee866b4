/* A client with one stream and one session at a time: socks5, http, forward. What they share is here: the stream's events, the
 * deadline of what the client must send, the client's leaving in every state, drain and close.
 *
 * The client is watched while the chain and the back are at work: reading goes on, nothing is taken. A reset is the client's
 * leaving. An end (FIN) is that only while the client must still send something; later it is a half-close, which the relay hands
 * on: a client that has nothing (more) to send may say so early, and close() cannot be told from it. What such a client costs is
 * bounded by timeouts.auth and timeouts.open. An end behind untaken bytes is not told at all. */
#ifndef SP_FRONT_CONN_H
#define SP_FRONT_CONN_H

#include "front/front_internal.h"

struct sp_conn;
struct sp_conn_ops {
	/* Bytes of the client in any state before the relay; returns how many were taken. Not called once it is ending. */
	size_t (*on_data)(struct sp_conn *c, struct sp_slice in);
	/* Stopped while the protocol has the stream and no session runs any more: it gives it back (sp_conn_resume()) and ends, or leaves.
	 * May be NULL. */
	void (*on_stop)(struct sp_conn *c);
	struct sp_session_events session; /* on_ended: sp_conn_on_ended */
};

struct sp_conn { /* first member of a protocol's client */
	struct sp_client client;
	const struct sp_conn_ops *ops;
	struct sp_stream *stream; /* NULL: gone, or the relay's, or the protocol's */
	bool ending;		  /* we closed the stream */
	bool ended;		  /* the client's end came */
	struct sp_session session;
	struct sp_timer deadline;
	struct sp_reap reap;
};

/* Makes a client of `size` bytes (zeroed) and starts reading; the deadline is running. Takes over s in any case. NULL: no memory. */
struct sp_conn *sp_conn_new(struct sp_front *f, const struct sp_conn_ops *ops, size_t size, struct sp_stream *s,
			    const struct sp_addr *peer);
static inline struct sp_conn *sp_conn_of(struct sp_session *s)
{
	return SP_CONTAINER_OF(s, struct sp_conn, session);
}
bool sp_conn_wants_token(const struct sp_conn *c); /* does the listener's chain need a credential? */
/* sp_session_begin() for this client. */
int sp_conn_begin(struct sp_conn *c);
/* Begins a session if none is active and fails it with o: for errors that the protocol finds. x.outcome tells what to answer:
 * o, or that no exchange can begin. */
void sp_conn_fail(struct sp_conn *c, enum sp_outcome o, int err, const char *why);
/* The client must send something: it has timeouts.handshake. Stops with deadline_stop(). Bytes that wait are lent again. */
void sp_conn_expect(struct sp_conn *c);
/* The same within ms. */
void sp_conn_expect_within(struct sp_conn *c, uint64_t ms);
void sp_conn_deadline_stop(struct sp_conn *c);
/* The protocol had taken the stream (c->stream = NULL) and gives it back; and: it is gone for good. */
void sp_conn_resume(struct sp_conn *c, struct sp_stream *s);
void sp_conn_leave(struct sp_conn *c);
void sp_conn_write(struct sp_conn *c, const void *p, size_t n);
/* Gives the stream to the relay. The session is OPENED. */
void sp_conn_relay(struct sp_conn *c);
void sp_conn_on_ended(struct sp_session *s);
/* No more from this client. */
void sp_conn_end(struct sp_conn *c, enum sp_close how);

#endif
