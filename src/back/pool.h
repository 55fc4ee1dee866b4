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
	char *bearer;		/* gateway: "Bearer ...", re-read for every new tunnel; NULL: none. Secret */
	struct sp_list buckets[SP_POOL_BUCKETS];
	unsigned pool_count;
	uint64_t last_number;
	bool draining, closing, credential_refused;
	void (*on_closed)(void *arg);
	void *on_closed_arg;
	struct sp_defer closed_later;
};

int sp_pools_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_tls_ctx *ctx, struct sp_back **out);
struct sp_pools *sp_pools_of(struct sp_back *b);
struct sp_pool *sp_pools_get(struct sp_pools *ps, const char *tenant, const char *location, bool create);

/* pool.c for ask.c: */
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
	uint64_t stable_since_mono_ms;
	uint64_t lost_mono_ms;	 /* when the last tunnel was lost; 0 = never */
	struct sp_cause last_cause;
	struct sp_timer backoff, idle;
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
	struct sp_tunnel *tunnel;
	bool retried;
	struct sp_cause cause;
};

void sp_pool_dispatch_soon(struct sp_pool *p);
/* ask.c: sends the CONNECT; failures come by sp_pool_open_finish() or a retry. SP_E* when the tunnel could not take it. */
int sp_pool_ask(struct sp_pool_open *o, struct sp_tunnel *t);
void sp_pool_unask(struct sp_pool_open *o); /* abandons the stream, if any */
void sp_pool_open_finish(struct sp_pool_open *o, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause);
void sp_pool_open_retry(struct sp_pool_open *o);

#endif
