/* What the fronts of this folder share: the listener with its list of clients, and how a client enters and leaves.
 *
 *   accept -> client entered in the book -> protocol's accept() makes a client -> ... -> sp_client_leave() -> reaped
 *
 * front.c accepts, counts, drains and closes; a protocol makes clients. A client that serves one stream with one session at a
 * time is a struct sp_conn (conn.h); the tunnel front has its own. */
#ifndef SP_FRONT_FRONT_INTERNAL_H
#define SP_FRONT_FRONT_INTERNAL_H

#include "front/front.h"
#include "front/session.h"

struct sp_client;
struct sp_client_ops {
	/* No new exchanges: close if nothing is under way, else end with the last exchange. */
	void (*drain)(struct sp_client *c);
	/* Everything now (abort); sp_client_leave() follows, from a later turn or inside this call. Idempotent. */
	void (*close)(struct sp_client *c);
};

struct sp_client { /* first member of a protocol's client; entered in the book while it is linked */
	struct sp_list node;
	const struct sp_client_ops *ops;
	struct sp_front *front; /* outlives its clients */
	struct sp_front_env *env;
	uint64_t conn_id;
	char peer[SP_ADDR_TEXT_SIZE];
};

struct sp_front_ops { /* one table per protocol */
	const char *name; /* "socks5": sp_exchange.front */
	/* Before the listener opens; builds what f->state holds (TLS contexts). May be NULL. 0, or SP_E* with cause. */
	int (*open)(struct sp_front *f, struct sp_cause *cause);
	/* Frees f->state; no client is left. May be NULL. */
	void (*release)(struct sp_front *f);
	/* Takes over s in any case. 0 with a client made (sp_client_init), or SP_E* with s closed. The client is counted
	 * in the book already; on an error front.c takes it out again. */
	int (*accept)(struct sp_front *f, struct sp_stream *s, const struct sp_addr *peer);
};

struct sp_front {
	const struct sp_front_ops *ops;
	struct sp_front_env *env;
	struct sp_conf_listener conf; /* a copy: the worker's may be on its stack. Its strings are the snapshot's. */
	struct sp_listener *listener;
	struct sp_addr addr;	      /* really bound */
	char addr_text[SP_ADDR_TEXT_SIZE];
	struct sp_list clients;
	unsigned client_count;
	bool draining, closed;
	bool refusing;		      /* the last one was refused for the limit: said once */
	void *state;		      /* the protocol's own */
	struct sp_reap reap;
};

/* The listener's callback (arg: the front): counts the client and gives it to the protocol, or refuses it. Tests hand in other
 * carriers here. */
void sp_front_accepted(void *arg, struct sp_stream *s, const struct sp_addr *peer);
/* To be called by accept(): fills in c, gives it its conn_id, links it. */
void sp_client_init(struct sp_client *c, struct sp_front *f, const struct sp_client_ops *ops, const struct sp_addr *peer);
/* The client's stream is gone, its sessions have ended and its timers are stopped: unlinks it and leaves the book, which may
 * end the worker. Last thing to do before sp_reap(); afterwards neither front nor env may be touched. */
void sp_client_leave(struct sp_client *c);

/* x->claims: what the chain verified of the caller; nothing where it verifies nobody. */
void sp_front_claims(const struct sp_front_env *env, int chain, struct sp_exchange *x);

/* socks5.c, http.c, forward.c */
extern const struct sp_front_ops sp_front_socks5, sp_front_http, sp_front_forward;
/* tunnel.c */
extern const struct sp_front_ops sp_front_tunnel;

#endif
