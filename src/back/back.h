/* Where exchanges go. One interface, four implementations: direct (TCP from here), exposed (TCP to what a connector's file
 * lists), gateway (pooled tunnels that we dial), connectors (pooled tunnels of connectors that dialled in). One of each at
 * most per worker, and any number of gateways; all calls on its loop. */
#ifndef SP_BACK_BACK_H
#define SP_BACK_BACK_H

#include "exchange/exchange.h"

struct sp_back;
struct sp_back_open; /* one pending open */

/* Requests (x->request): on_sent and on_interim of x->ev come before, from a later turn than sp_back_open(); the callback comes with
 * the head of the final response in x->response, and the stream gives its body (the one that on_sent gave, if it gave one). A response of
 * any status is OK; one that a hop gave in the system's place says so in response->outcome. on_sent's receiver hears by on_closed that
 * its stream failed and cancels the open then; the callback does not come.
 *
 * stream != NULL: a two-way byte stream to x->target, the receiver's; outcome OK. NULL: outcome and cause say why, and
 * x->proxy_status holds what far hops said. Exactly once, never inside sp_back_open(), not after sp_back_cancel(). */
typedef void sp_back_cb(void *arg, struct sp_stream *stream, enum sp_outcome outcome, const struct sp_cause *cause);

struct sp_back_ops {
	const char *name;
	/* x stays valid until the callback or the cancel. Sets x->via. Never fails at once: failures come by cb. NULL = out of memory. */
	struct sp_back_open *(*open)(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg);
	void (*cancel)(struct sp_back_open *o);
	/* No new opens; idle tunnels close; busy ones are drained (GOAWAY) and end with their last stream. */
	void (*drain)(struct sp_back *b);
	/* Everything now; pending opens fail (SP_OUTCOME_SHUTDOWN); then on_closed and the back is freed. */
	void (*close)(struct sp_back *b, void (*on_closed)(void *arg), void *arg);
};
struct sp_back { const struct sp_back_ops *ops; };	      /* first member of implementations */
struct sp_back_open { struct sp_back *back; };		      /* first member of implementations */

static inline struct sp_back_open *sp_back_open(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	return b->ops->open(b, x, cb, arg);
}
static inline void sp_back_cancel(struct sp_back_open **o)
{
	struct sp_back_open *old = *o;

	*o = NULL;
	if (old)
		old->back->ops->cancel(old);
}

/* Within conf's timeouts.dial; DNS, refused, unreachable, timeout map by sp_outcome_of_cause(). */
int sp_back_direct_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out);
/* Only what conf->exposes lists, else NOT_EXPOSED or PATH_DENIED. Builds TLS contexts: 0, or an SP_E* with cause naming the file. */
int sp_back_exposed_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out, struct sp_cause *cause);
/* Tunnels to one gateway. upstream is a part of conf, of kind GATEWAY. Builds the TLS context: 0, or an SP_E* with cause naming the
 * file. An open that needs a token (token or service_key) waits for it within conf's timeouts.open; without one it ends as
 * NO_GATEWAY_CREDENTIAL. */
int sp_back_gateway_new(struct sp_loop *loop, struct sp_conf *conf, const struct sp_conf_upstream *upstream, struct sp_back **out,
			struct sp_cause *cause);
/* conf->regions and conf->upstream: a gateway each; see regions.h for the choice. */
int sp_back_regions_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out, struct sp_cause *cause);
int sp_back_connectors_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out);

/* ---- tunnels of connectors ------------------------------------------------ */
struct sp_connector_hello { /* copied */
	const char *tenant;	/* from the credential, never from a field that the connector sends */
	const char *location, *connector_id, *instance, *version, *peer; /* "" = none; peer: address text. connector_id: as it calls
									    itself, else its principal */
	unsigned index;
	int64_t expires_at;	/* the credential's; the tunnel is drained then; 0 = never */
};
/* Would it be attached now? 0; SP_ECLOSED: draining; SP_ELIMIT: (tenant, location) has as many tunnels as it may. To be asked
 * before a connector is told that its connection turns. */
int sp_connectors_may_attach(struct sp_back *back, const struct sp_connector_hello *hello);
/* A connector turned its connection: carrier (TLS) becomes an HTTP/2 client connection of the pool (tenant, location). The
 * carrier is taken over in any case. 0, or SP_E* as above. `back` is the one of sp_back_connectors_new(). A live tunnel of the same
 * connector id, index and another instance is probed: it is replaced when it does not answer. */
int sp_connectors_attach(struct sp_back *back, struct sp_stream *carrier, const struct sp_connector_hello *hello);
/* How many tunnels of (tenant, location) can take streams now: for tests and status. */
unsigned sp_connectors_ready(struct sp_back *back, const char *tenant, const char *location);

#endif
