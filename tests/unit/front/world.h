/* What the tests of tunnels share: in one process and over loopback TLS, a gateway (the tunnel front and the pools of connectors),
 * connectors (uplinks and what they expose) with an origin each, and the near proxy's side (the pools towards a gateway). */
#ifndef SP_TESTS_UNIT_FRONT_WORLD_H
#define SP_TESTS_UNIT_FRONT_WORLD_H

#include "../net/certs.h"
#include "../peer.h"
#include "front/front_internal.h"

#define FAR_MAX 4

struct far { /* a connector and the system behind it */
	struct sp_listener *origin;
	char banner[16]; /* what the origin says first */
	struct sp_conf *conf;
	struct sp_book book;
	struct sp_front_env env;
	struct sp_uplinks *uplinks;
	unsigned closed;
};

extern struct world {
	struct sp_conf *conf; /* the gateway's */
	struct sp_auth *auth;
	struct sp_book book;
	struct sp_front_env env;
	struct sp_front *front;
	struct sp_addr at;
	struct far far[FAR_MAX];
	unsigned far_count;
	struct sp_conf *near_conf;
	struct sp_back *near;
	unsigned backs_closed;
	char log[1 << 16]; /* every line since the start */
} world;

/* One exchange of the near side. */
struct call {
	struct sp_exchange x;
	struct sp_back_open *open;
	struct peer p; /* OK: the stream */
	unsigned done;
	enum sp_outcome outcome;
	struct sp_cause cause;
};

/* Unchecked fixture: certificates "server", "proxy", "t1" and "t2" (connectors of those tenants), "nobody" (no tenant), all of "ca";
 * "other" is self-signed. */
void world_certs_make(void);

/* listener, extra: more settings of the gateway's listener, of its file. The listener's certificate is "server", its client CA "ca";
 * chains: "proxies" (any certificate), "connectors" (the tenant of the certificate), "fixed" (any certificate, tenant t1),
 * "tokens" (the plugin `judge`). */
void world_open(const char *listener, const char *extra);
#define WORLD_USUAL "auth = \"proxies\"; connectors = \"connectors\"; speaks_for_any = [ \"*\" ];"
void world_close(void); /* everything must come to its end by itself */

/* Dials the gateway with certificate `cert`; the origin says `banner`. extra: more settings of its file. Does not wait. */
struct far *far_open(const char *cert, const char *location, const char *banner, unsigned tunnels, const char *extra);
void far_close(struct far *f);
void await_ready(const char *tenant, const char *location, unsigned n); /* at the gateway */
void await_uplinks(const struct far *f, unsigned n);
/* settings: of upstream; NULL: the usual. */
void near_open(const char *settings, const char *extra);
void near_close(void);

void call_start(struct call *c, const char *tenant, const char *location, const char *target);
void call_await(struct call *c);
/* All of it: expects OK and the banner. */
void call_open(struct call *c, const char *tenant, const char *location, const char *banner);
void call_expect(const char *tenant, const char *location, const char *target, enum sp_outcome o);
void call_end(struct call *c);

/* A client of the gateway's tunnel listener that speaks TLS. cert: NULL = none. alpn: NULL = none. Waits for the handshake. */
struct raw {
	struct peer p;
	unsigned ready, failed;
	char alpn[16];
};
void raw_open(struct raw *r, const char *cert, const char *alpn);

void await_book_empty(struct sp_book *b);

#endif
