/* What every front does with one exchange, once: identify, open, answer, relay, record. A front embeds a session per exchange
 * and tells it what the protocol gave; the session calls back with what the protocol must say.
 *
 *   NEW -> BEGUN -> IDENTIFYING -> IDENTIFIED -> OPENING -> OPENED -> RELAYING -> ENDED
 *   any state -> ENDED by failure or abort
 *
 * An exchange with a request (x.request) is OPENED by the head of its response. If the request has a body, the relay begins while
 * it is OPENING still, when the request is on its way; until the response it holds the client's stream: a failure of the far side gives
 * it back, so that the client can be told. */
#ifndef SP_FRONT_SESSION_H
#define SP_FRONT_SESSION_H

#include "exchange/relay.h"
#include "front/front.h"

enum sp_session_state {
	SP_SESSION_NEW,		/* zeroed */
	SP_SESSION_BEGUN,	/* awaits the front's identify(), identified() or fail() */
	SP_SESSION_IDENTIFYING,	/* awaits the chain */
	SP_SESSION_IDENTIFIED,	/* awaits the front's sp_session_open() */
	SP_SESSION_OPENING,	/* awaits the back */
	SP_SESSION_OPENED,	/* awaits the front's sp_session_relay() */
	SP_SESSION_RELAYING,	/* awaits the relay's end */
	SP_SESSION_ENDED	/* nothing more is called back */
};

struct sp_session;
struct sp_session_events {
	void (*on_identified)(struct sp_session *s); /* x.identity is set: go on with sp_session_open(), now or later */
	/* With a request only (NULL: the front has none): it is on its way; more than once when it is tried again. with_body: start
	 * sp_session_relay() now. */
	void (*on_sent)(struct sp_session *s, bool with_body);
	void (*on_interim)(struct sp_session *s, unsigned status, const struct sp_fields *fields);
	/* Write the protocol's "ok", or the head x.response, then sp_session_relay(), or sp_session_answered() if it relays already. */
	void (*on_opened)(struct sp_session *s);
	/* Answer by x.outcome (outcome table), then end the client's stream. given_back: what sp_session_relay() took; the front's again.
	 * The session is ENDED after this returns. */
	void (*on_failed)(struct sp_session *s, struct sp_stream *given_back);
	/* After a relay: both streams are gone; the front's owner may free itself (reap list). */
	void (*on_ended)(struct sp_session *s);
};

struct sp_session {
	enum sp_session_state state;
	struct sp_front_env *env;
	const struct sp_session_events *ev;
	struct sp_exchange x;
	const char *chain;	    /* that judged the caller; NULL: none did */
	bool told;		    /* the audit trail has the verdict on the caller */
	struct sp_auth_run *run;
	struct sp_back_open *opening;
	struct sp_stream *upstream; /* OPENED, and sent with a body: until it is relayed */
	struct sp_relay *relay;
	/* timeouts.open from sp_session_open() to opened, or to sent and then timeouts.response; failures that must not come at once;
	 * RELAYING: the identity's expiry */
	struct sp_timer timer;
};

/* s is new (zeroed), or ENDED in an earlier turn: a client connection may have several in turn. Callbacks never come inside a
 * call of the front's. A back's stream that nobody relays is aborted. Memory of s is the front's: free it by the reap list.
 *
 * Fills in x's id (when given: validated 16 hex digits, else a fresh one), front, listener, client, conn_id; enters the book. On
 * SP_ELIMIT / SP_ECLOSED x.outcome is set and the session is ENDED: answer and close. */
int sp_session_begin(struct sp_session *s, struct sp_front_env *env, const struct sp_session_events *ev, const char *front,
		     const char *listener, const char *client, uint64_t conn_id, struct sp_slice exchange_id);
/* Runs the chain; then on_identified or on_failed. */
void sp_session_identify(struct sp_session *s, int chain, const struct sp_auth_request *req, bool need_tenant);
/* Skips the chain: the identity is known (the connector's side; a tunnel's caller). */
void sp_session_identified(struct sp_session *s, const char *tenant, const char *principal);
/* x.target and x.location are set. Then on_opened or on_failed; the latter also for an identity that has expired meanwhile. */
void sp_session_open(struct sp_session *s);
/* client is taken over; client_ended: its on_eof came already. Then on_ended; before the response also on_failed. */
void sp_session_relay(struct sp_session *s, struct sp_stream *client, bool client_ended);
static inline bool sp_session_relays(const struct sp_session *s)
{
	return s->relay != NULL;
}
/* The response's head was handed to the client, while the body of the request is being relayed. */
void sp_session_answered(struct sp_session *s);
/* The front found an error itself (bad request, unsupported command; SHUTDOWN when it closes): on_failed is NOT called;
 * cancels whatever runs, records, ends. A relay is aborted, and on_ended then still comes. Idempotent; nothing in NEW. */
void sp_session_fail(struct sp_session *s, enum sp_outcome o, const struct sp_cause *cause);
/* The same for a client that left: CLIENT_GONE. */
void sp_session_abort(struct sp_session *s, const struct sp_cause *cause);
static inline bool sp_session_active(const struct sp_session *s)
{
	return s->state != SP_SESSION_NEW && s->state != SP_SESSION_ENDED;
}

#endif
