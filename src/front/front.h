/* Where exchanges come from: listeners and, in the connector, the connections that it dialled. A front turns bytes into
 * exchanges, has them identified by its chain, opens them through the worker's back, answers in its own protocol by the
 * outcome table, and relays. */
#ifndef SP_FRONT_FRONT_H
#define SP_FRONT_FRONT_H

#include "back/back.h"
#include "exchange/audit.h"
#include "net/tcp.h"
#include "net/tls.h"

struct sp_front_env { /* what a worker lends its fronts; outlives them */
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_auth *auth;		/* NULL in the connector */
	struct sp_auth_worker *auth_worker; /* NULL in the connector */
	struct sp_back *back;
	struct sp_back *connectors;	/* where tunnels that dial in are attached; NULL = connectors are refused */
	struct sp_book *book;
	struct sp_audit *audit;		/* NULL: no audit trail */
};

struct sp_front;
/* Opens one listener of the configuration. 0, or an SP_E* with cause ("bind 127.0.0.1:20004: address already in use"). */
int sp_front_open(struct sp_front_env *env, const struct sp_conf_listener *l, struct sp_front **out, struct sp_cause *cause);
void sp_front_addr(const struct sp_front *f, struct sp_addr *out); /* the address really bound */
/* No more accepts; waiting clients without an exchange are closed; HTTP/2 clients get GOAWAY. Open exchanges go on. */
void sp_front_drain(struct sp_front *f);
/* Everything now. Clients leave the book as they end; when the book is empty no callback of this front can come. */
void sp_front_close(struct sp_front **f);

/* ---- the connector's side ------------------------------------------------ */
struct sp_uplinks;
/* Dials every gateway of conf->connector, `tunnels` times each, for ever, with backoff and jitter (full jitter up to
 * tunnels.backoff_max; reset after a tunnel was stable for 60 s; Retry-After honoured; 401/403: at least 60 s); turns the
 * connections and serves what comes through them by env->back. A GOAWAY from the gateway opens the replacement first. */
int sp_uplinks_open(struct sp_front_env *env, struct sp_uplinks **out, struct sp_cause *cause);
void sp_uplinks_drain(struct sp_uplinks *u);
void sp_uplinks_close(struct sp_uplinks **u); /* the book becomes empty when all is gone */
unsigned sp_uplinks_ready(const struct sp_uplinks *u);

#endif
