/* Pools of tunnels, one per (tenant, location), for both kinds: dialled to a gateway, or dialled in by connectors. An open waits
 * in its pool, is handed to the least loaded tunnel with room, and is tried once more elsewhere when its stream was provably not
 * processed. Empty pools are freed. */
#ifndef SP_BACK_POOL_H
#define SP_BACK_POOL_H

#include "back/tunnel.h"

#define SP_POOL_BUCKETS 1024u

struct sp_pool;

struct sp_pools { /* the back itself */
	struct sp_back back;
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_tls_ctx *ctx; /* gateway: how we dial; NULL: connectors dial in */
	char *bearer;		/* gateway: "Bearer ..."; NULL: none. Secret */
	unsigned bearer_number; /* changes with bearer */
	uint64_t bearer_read_mono_ms;
	struct sp_list buckets[SP_POOL_BUCKETS];
	unsigned pool_count;
	uint64_t last_number;
	bool draining, closing, credential_refused;
	void (*on_closed)(void *arg);
	void *on_closed_arg;
	struct sp_defer closed_later;
};

/* ctx is taken over when it succeeds. 0 or SP_ENOMEM. */
int sp_pools_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_tls_ctx *ctx, struct sp_back **out);
struct sp_pools *sp_pools_of(struct sp_back *b);
struct sp_pool *sp_pools_get(struct sp_pools *ps, const char *tenant, const char *location, bool create);
/* gateway.c: nothing where there is no token file. */
void sp_pools_read_bearer(struct sp_pools *ps);
/* Bearer number `used` was refused: looks whether the file holds another by now. Whether there is another than that. */
bool sp_pools_renew_bearer(struct sp_pools *ps, unsigned used);

struct sp_pool {
	struct sp_list node; /* the bucket's */
	struct sp_pools *set;
	char *tenant, *location;
	struct sp_list tunnels; /* sp_tunnel.node, all states but CLOSED */
	struct sp_list waiting, asking; /* sp_pool_open.node */
	unsigned waiting_count;
	unsigned connecting;	 /* tunnels before READY */
	unsigned failures;	 /* dials failed in a row */
	uint64_t dialled_mono_ms; /* when the last dial began */
	uint64_t lost_mono_ms;	 /* when the last tunnel of a connector was lost; 0 = never */
	struct sp_cause last_cause; /* of the failed dials since the last tunnel that got ready */
	struct sp_timer backoff;
	struct sp_timer idle; /* gateway: the next tunnel to be drained; connectors: one may come back until then */
	struct sp_defer dispatch_later;
	struct sp_reap reap;
};

struct sp_pool_open {
	struct sp_back_open open; /* first */
	struct sp_list node;
	struct sp_pool *pool;
	struct sp_exchange *x;
	sp_back_cb *cb;
	void *arg;
	struct sp_timer wait;
	uint64_t since_mono_ms;
	struct sp_h2_stream *stream; /* asking */
	uint64_t tunnel_number; /* the last one that was asked; 0 = none */
	unsigned bearer_number; /* with which it was asked */
	bool retried;
	struct sp_cause cause;
};

extern const struct sp_tunnel_events sp_pool_tunnel_events; /* arg: the pool */
void sp_pool_add_tunnel(struct sp_pool *p, struct sp_tunnel *t);
void sp_pool_maybe_retire(struct sp_pool *p); /* frees it when nothing needs it */
void sp_pool_dispatch_soon(struct sp_pool *p);

/* ask.c: sends the CONNECT; failures come by sp_pool_open_finish() or a retry. SP_E* when the tunnel could not take it. */
int sp_pool_ask(struct sp_pool_open *o, struct sp_tunnel *t);
void sp_pool_unask(struct sp_pool_open *o); /* abandons the stream, if any */
void sp_pool_open_finish(struct sp_pool_open *o, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause);
/* Provably not processed: once more, on another tunnel where there is or may be one. Whether it was not its second time. */
bool sp_pool_open_retry(struct sp_pool_open *o);

#endif
