/* Pools of tunnels, one per (tenant, location), for both kinds: dialled to a gateway, or dialled in by connectors. An open gets the
 * tenant's credential where the gateway wants one, waits in its pool, is handed to the least loaded tunnel with room, and is tried
 * once more elsewhere when its stream was provably not processed, and once more with another credential when the gateway refused
 * the first. Empty pools are freed. */
#ifndef SP_BACK_POOL_H
#define SP_BACK_POOL_H

#include "back/credential.h"
#include "back/tunnel.h"

#define SP_POOL_BUCKETS 1024u

struct sp_pool;

struct sp_pools_options { /* upstream .. credential: of a gateway; NULL: connectors dial in */
	struct sp_loop *loop;
	struct sp_conf *conf;
	const struct sp_conf_upstream *upstream; /* a part of conf */
	struct sp_tls_ctx *ctx;		  /* how we dial */
	struct sp_credential *credential; /* NULL: the connection itself proves who we are, or nothing does */
};

struct sp_pools { /* the back itself */
	struct sp_back back;
	struct sp_loop *loop;
	struct sp_conf *conf;
	const struct sp_conf_upstream *upstream;
	struct sp_tls_ctx *ctx;
	struct sp_credential *credential;
	struct sp_list buckets[SP_POOL_BUCKETS];
	unsigned pool_count;
	bool draining, closing, credential_refused;
	bool walking; /* over the pools: none may be retired */
	void (*on_closed)(void *arg);
	void *on_closed_arg;
	struct sp_defer closed_later;
};

/* ctx and credential are taken over when it succeeds. 0 or SP_ENOMEM. */
int sp_pools_new(const struct sp_pools_options *opt, struct sp_back **out);
struct sp_pools *sp_pools_of(struct sp_back *b);
struct sp_pool *sp_pools_get(struct sp_pools *ps, const char *tenant, const char *location, bool create);

enum sp_open_state {
	SP_OPEN_CREDENTIAL, /* awaits what to show to the gateway */
	SP_OPEN_TUNNEL,	    /* awaits a tunnel with room */
	SP_OPEN_ANSWER,	    /* asked; awaits the answer */
	SP_OPEN_REFUSED,    /* awaits the next turn to hear it */
	SP_OPEN_STATES
};

struct sp_pool {
	struct sp_list node; /* the bucket's */
	struct sp_pools *set;
	char *tenant, *location;
	struct sp_list tunnels; /* sp_tunnel.node, all states but CLOSED */
	struct sp_list opens[SP_OPEN_STATES]; /* sp_pool_open.node */
	unsigned open_count[SP_OPEN_STATES];
	unsigned connecting;	 /* tunnels before READY */
	unsigned failures;	 /* dials failed in a row */
	uint64_t dialled_mono_ms; /* when the last dial began */
	uint64_t lost_mono_ms;	 /* when the last tunnel of a connector was lost or began to drain; 0 = never */
	struct sp_cause last_cause; /* of the failed dials since the last tunnel that got ready */
	struct sp_timer backoff;
	struct sp_timer idle; /* gateway: the next tunnel to be drained; connectors: one may come back until then */
	struct sp_defer dispatch_later;
	struct sp_reap reap;
};

struct sp_pool_open {
	struct sp_back_open open; /* first */
	struct sp_list node;
	enum sp_open_state state;
	struct sp_pool *pool;
	struct sp_exchange *x;
	sp_back_cb *cb;
	void *arg;
	struct sp_timer wait;
	uint64_t began_mono_ms, waiting_mono_ms; /* since when it waits for a tunnel */
	struct sp_credential_wait *asker; /* SP_OPEN_CREDENTIAL */
	char *credential;		  /* NULL: none is shown, or the application's own is. Secret */
	struct sp_h2_stream *stream;	  /* SP_OPEN_ANSWER */
	bool extended;			  /* a protocol to switch to was asked for (RFC 8441) */
	bool handed;			  /* it is the receiver's: the request has a body */
	uint64_t tunnel_number; /* the last one that was asked; 0 = none */
	bool retried, renewed;	/* had its second chance: elsewhere, with another credential */
	enum sp_outcome outcome; /* of the refusal */
	struct sp_cause cause;
};

/* pool.c */
extern const struct sp_tunnel_events sp_pool_tunnel_events; /* arg: the pool */
void sp_pool_add_tunnel(struct sp_pool *p, struct sp_tunnel *t);
void sp_pool_maybe_retire(struct sp_pool *p); /* frees it when nothing needs it */
void sp_pool_dispatch_soon(struct sp_pool *p);
bool sp_pool_has_ready(const struct sp_pool *p);

/* open.c: an open's way through the states. */
struct sp_back_open *sp_pool_open_new(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg);
void sp_pool_open_cancel(struct sp_back_open *open);
/* From TUNNEL to ANSWER; stays where it is when the tunnel could not take it. */
void sp_pool_open_hand_over(struct sp_pool_open *o, struct sp_tunnel *t);
/* It has waited, or would wait, in vain. */
void sp_pool_open_give_up(struct sp_pool_open *o);
/* Frees it and calls back. */
void sp_pool_open_finish(struct sp_pool_open *o, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause);
/* Provably not processed: once more, on another tunnel where there is or may be one. Whether it was not its second time. */
bool sp_pool_open_retry(struct sp_pool_open *o);
/* The gateway refused our credential: once more with another one, else `outcome` and `cause` are its end. Whether it was not its
 * second time. */
bool sp_pool_open_renew(struct sp_pool_open *o, enum sp_outcome outcome, const struct sp_cause *cause);
/* Shutting down. The first: those that wait, soon. The second: all of them, now. */
void sp_pool_opens_drain(struct sp_pool *p);
void sp_pool_opens_close(struct sp_pool *p);

/* ask.c: sends the CONNECT or the request; failures come by sp_pool_open_finish(), a retry or a renewal. SP_E* when the tunnel could not take it. */
int sp_pool_ask(struct sp_pool_open *o, struct sp_tunnel *t);
/* Asked: whoever opens hears of it, and gets the stream of a request with a body. May end o. */
void sp_pool_tell_sent(struct sp_pool_open *o);
/* Tells the operator, once until it is better, when an answer means that the gateway does not accept us. */
void sp_pool_note_verdict(const struct sp_pool *p, enum sp_outcome outcome, long status);
void sp_pool_unask(struct sp_pool_open *o); /* abandons the stream, if any */

#endif
